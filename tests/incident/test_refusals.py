"""A refusal says why, and what to do instead, in the process's words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import get_args

import pytest

from incident.refusals import CODES, RATIONALIZATIONS, Blocker, Code, Refusal, refuse, talked_round

CONTRACT = [
    "verification-incomplete",
    "symptom-not-resolved",
    "metrics-not-at-baseline",
    "alerts-still-firing",
    "postmortem-mandatory",
    "action-items-untracked",
    "change-not-approved",
    "undocumented",
    "severity-downgrade-unjustified",
    "wrong-phase",
    "unknown-item",
    "already-closed",
    "not-permitted",
]

PRESSURE_ANSWERS = {
    "verification-incomplete": "Cannot mark resolved until verification complete. This prevents reopened incidents.",
    "postmortem-mandatory": "RCA is mandatory for this severity. Schedule within required timeline.",
    "undocumented": "Real-time documentation takes 30 seconds per event. Memory loss causes worse rework.",
}


def test_every_code_of_the_contract_exists() -> None:
    """Scripts may rely on each code that the contract names."""
    assert set(CONTRACT) <= set(CODES)


def test_every_code_has_its_sentence_and_a_way_forward() -> None:
    """No refusal leaves the reader without a next step."""
    assert set(get_args(Code)) == set(CODES)
    assert all(text.endswith(".") and text[0].isupper() for sentences in CODES.values() for text in sentences)


@pytest.mark.parametrize("code", list(PRESSURE_ANSWERS))
def test_the_answers_to_pressure_are_the_process_word_for_word(code: Code) -> None:
    """Whoever presses is told what the process tells everybody."""
    assert PRESSURE_ANSWERS[code] == refuse(code).message


def test_a_refusal_can_say_more_than_its_code() -> None:
    """The case's own words, its way forward and its blockers replace the general ones."""
    until = datetime(2026, 11, 24, 3, 25, tzinfo=UTC)
    blocker = Blocker(code="verification-incomplete", message="9 min left", until=until)
    refusal = refuse("verification-incomplete", message="Not yet.", action="Wait.", blockers=[blocker])

    assert Refusal(code="verification-incomplete", message="Not yet.", required_action="Wait.", blockers=(blocker,)) == refusal


@pytest.mark.parametrize("row", RATIONALIZATIONS, ids=lambda row: row.said)
def test_a_rationalization_is_refused_with_its_own_answer_and_action(row: object) -> None:
    """Each thing that people say has its answer, its required action and its code."""
    said = next(one for one in RATIONALIZATIONS if one is row)
    refusal = talked_round(said.said)

    assert refusal is not None
    assert (said.code, said.answer, said.required_action) == (refusal.code, refusal.message, refusal.required_action)


def test_an_honest_reason_is_not_refused() -> None:
    """A reason that stands on facts passes."""
    assert talked_round("The wiki is down; the on-call of search looked through the tickets instead.") is None
