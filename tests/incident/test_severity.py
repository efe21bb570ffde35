# ruff: noqa: SIM300 - the house writes what is expected first
"""The worst factor decides the severity."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.commands import Factors
from incident.severity import because, decide
from incident.vocabulary import Severity

percents = st.floats(min_value=0, max_value=100, allow_nan=False)
factors = st.builds(
    Factors,
    complete_outage=st.booleans(),
    data_loss_risk=st.booleans(),
    security_breach=st.booleans(),
    users_affected_percent=percents,
    workaround=st.booleans(),
)


@pytest.mark.parametrize(
    ("found", "severity"),
    [
        (Factors(complete_outage=True), "SEV1"),
        (Factors(complete_outage=True, users_affected_percent=1, workaround=True), "SEV1"),
        (Factors(data_loss_risk=True), "SEV1"),
        (Factors(data_loss_risk=True, users_affected_percent=0.1), "SEV1"),
        (Factors(security_breach=True), "SEV1"),
        (Factors(users_affected_percent=100), "SEV2"),
        (Factors(users_affected_percent=51), "SEV2"),
        (Factors(users_affected_percent=50.1, workaround=True), "SEV2"),
        (Factors(users_affected_percent=50), "SEV3"),
        (Factors(users_affected_percent=49), "SEV3"),
        (Factors(users_affected_percent=10, workaround=True), "SEV3"),
        (Factors(users_affected_percent=0.01), "SEV3"),
        (Factors(), None),
        (Factors(workaround=True), None),
    ],
)
def test_the_matrix_decides(found: Factors, severity: str | None) -> None:
    """Outage, data or breach is SEV1, more than half of the users SEV2, fewer SEV3, nobody a ticket."""
    assert (Severity(severity) if severity else None) is decide(found)


@given(factors)
def test_an_outage_a_data_risk_or_a_breach_is_the_worst_whatever_else_holds(found: Factors) -> None:
    """Nothing softens the three factors of SEV1, and nothing else makes one."""
    assert (decide(found) is Severity.SEV1) is (found.complete_outage or found.data_loss_risk or found.security_breach)


@given(factors, percents)
def test_more_users_never_make_it_milder(found: Factors, percent: float) -> None:
    """Raising the share of users affected keeps the severity or raises it."""
    more = found.model_copy(update={"users_affected_percent": max(found.users_affected_percent, percent)})

    assert _rank(decide(more)) <= _rank(decide(found))


def _rank(severity: Severity | None) -> int:
    return severity.rank if severity else 4


@given(factors)
def test_every_severity_says_why(found: Factors) -> None:
    """A severity that factors decided names them; a ticket has none to name."""
    assert bool(because(found)) is (decide(found) is not None)


def test_only_the_deciding_factors_are_named() -> None:
    """Beside an outage, the share of users is no reason any more."""
    found = Factors(complete_outage=True, data_loss_risk=True, users_affected_percent=60)

    assert ("complete outage", "data loss or corruption, or risk of it") == because(found)
    assert ("12.5 % of users affected, no workaround",) == because(Factors(users_affected_percent=12.5))
    assert ("40 % of users affected, a workaround exists",) == because(Factors(users_affected_percent=40, workaround=True))
