# ruff: noqa: SIM300 - the house writes what is expected first
"""The mitigation options come in the process's order of preference."""

from __future__ import annotations

import pytest

from incident.mitigation_options import APPLIES, label, warnings
from incident.vocabulary import MitigationOption

PROCESS = """
1. **Rollback** - If recent deployment caused issue
2. **Scale** - If capacity related
3. **Restart** - If state corruption
4. **Failover** - If regional/AZ issue
5. **Feature disable** - If specific feature causes issue
6. **Hotfix** - If rollback not possible
"""


def test_the_options_are_the_process_word_for_word() -> None:
    """Six options, the preferred first, each with when it applies."""
    said = [f"{number}. **{label(option)}** - {APPLIES[option]}" for number, option in enumerate(MitigationOption, start=1)]

    assert PROCESS.strip().splitlines() == said


def test_the_preferred_option_needs_no_defence() -> None:
    """A rollback is never warned about."""
    assert () == warnings(MitigationOption.ROLLBACK, "x")


def test_an_option_further_down_is_warned_about_for_each_one_skipped() -> None:
    """Whoever takes a hotfix without a word about the five before it hears of all five, in order."""
    said = warnings(MitigationOption.HOTFIX, "it is quick")

    assert [label(option) for option in list(MitigationOption)[:-1]] == [warning.split(" comes first")[0] for warning in said]
    assert "Rollback comes first (if recent deployment caused issue); the rationale does not say why it does not apply." == said[0]


@pytest.mark.parametrize(
    ("option", "rationale", "missing"),
    [
        (MitigationOption.SCALE, "No deployment today", []),
        (MitigationOption.SCALE, "The queue is long", ["Rollback"]),
        (MitigationOption.RESTART, "Nothing was released; CPU and load are low; the cache is corrupt", []),
        (MitigationOption.FAILOVER, "Zone b is gone", ["Rollback", "Scale", "Restart"]),
        (MitigationOption.FEATURE_DISABLE, "Can't be rolled back, more capacity and a restart did not help, all regions alike", []),
        (
            MitigationOption.HOTFIX,
            "Reverting is impossible (migration), scaling and rebooting did not help, failover changes nothing, no feature flag",
            [],
        ),
    ],
)
def test_an_option_that_the_rationale_speaks_of_is_not_warned_about(option: MitigationOption, rationale: str, missing: list[str]) -> None:
    """A rationale that says why the options before do not apply silences their warnings."""
    assert missing == [warning.split(" comes first")[0] for warning in warnings(option, rationale)]
