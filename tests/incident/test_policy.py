# ruff: noqa: SIM300 - the house writes what is expected first
"""The severity matrix is the process's, and a drill's clock is the same process, only faster."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from incident.policy import HUMAN_FLOOR, SEVERITY_MATRIX, WRITING_FLOOR, Policy
from incident.vocabulary import Severity

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

ROWS: dict[str, tuple[Any, Any, Any]] = {
    # what the process asks for        SEV1, SEV2, SEV3
    "acknowledge_within": (15 * MINUTE, 30 * MINUTE, 2 * HOUR),
    "next_rung_after": (5 * MINUTE, 10 * MINUTE, 30 * MINUTE),
    "escalation_chain": (
        ("primary on-call", "engineering lead", "VP engineering", "CTO", "CEO"),
        ("primary on-call", "engineering lead", "VP engineering"),
        ("primary on-call", "engineering lead"),
    ),
    "commander": (("senior on-call", "manager"), ("primary on-call",), ("primary on-call",)),
    "channel": (True, True, False),
    "notify_executives_within": (15 * MINUTE, 30 * MINUTE, None),
    "status_page_within": (15 * MINUTE, 30 * MINUTE, None),
    "internal_update_every": (10 * MINUTE, 15 * MINUTE, 30 * MINUTE),
    "external_update_every": (15 * MINUTE, 30 * MINUTE, None),
    "approval": ("documented_later", "required", "required"),
    "verification": (15 * MINUTE, 15 * MINUTE, timedelta(0)),
    "resolve_within": (None, None, 8 * HOUR),
    "postmortem": ("mandatory", "mandatory", "optional"),
    "postmortem_within": (48 * HOUR, 7 * DAY, 14 * DAY),
}


@pytest.mark.parametrize("row", ROWS)
def test_the_matrix_is_the_process(row: str) -> None:
    """Each row of the severity matrix has the process's figures."""
    assert ROWS[row] == tuple(getattr(SEVERITY_MATRIX[severity], row) for severity in Severity)


def test_the_matrix_has_no_row_that_the_process_does_not_know() -> None:
    """Nothing is asked for that does not stand in the table above."""
    assert set(ROWS) == set(type(SEVERITY_MATRIX[Severity.SEV1]).model_fields)


@pytest.mark.parametrize("factor", [1, 20, 1_000])
def test_a_drill_is_the_same_process_faster(factor: float) -> None:
    """Every wait is divided, no wait grows, and what people must do leaves them the floor."""
    whole = Policy()
    fast = whole.scaled(factor)
    for severity, rule in whole.severities.items():
        scaled = fast.severities[severity]

        assert rule.verification / factor == scaled.verification
        assert rule.next_rung_after / factor == scaled.next_rung_after
        assert min(rule.internal_update_every, max(rule.internal_update_every / factor, WRITING_FLOOR)) == scaled.internal_update_every
        assert max(rule.postmortem_within / factor, HUMAN_FLOOR) == scaled.postmortem_within
        assert (rule.escalation_chain, rule.approval, rule.postmortem) == (scaled.escalation_chain, scaled.approval, scaled.postmortem)


def test_the_reminder_comes_a_fifth_before_the_end_but_at_most_a_day() -> None:
    """A ten-minute cadence is reminded two minutes before, a post-mortem of two weeks a day before."""
    policy = Policy()

    assert (2 * MINUTE, DAY) == (policy.remind_before(10 * MINUTE), policy.remind_before(14 * DAY))
