# ruff: noqa: SIM300 - the house writes what is expected first
"""A command of the wrong shape is told which field breaks which rule, and nothing has happened."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from incident.commands import COMMANDS, LINE_LIMIT, LIST_LIMIT, TEXT_LIMIT, InvalidInput, Open, parse
from incident.vocabulary import Severity
from tests.incident.test_deciding import FIELDS


def refused(verb: str, fields: object) -> str:
    with pytest.raises(InvalidInput) as refusal:
        parse(verb, fields)
    return str(refusal.value)


@pytest.mark.parametrize("verb", COMMANDS)
def test_every_verb_is_read(verb: str) -> None:
    """The fields that the contract names for a verb are the ones that it takes."""
    assert verb == parse(verb, {"by": "ana", **FIELDS[verb]}).verb


@pytest.mark.parametrize("verb", COMMANDS)
def test_every_verb_wants_to_know_who_and_knows_no_other_fields(verb: str) -> None:
    """A command without `by`, or with a field that it does not have, is named as such."""
    fields = {key: value for key, value in FIELDS[verb].items() if key != "by"}

    assert "by: is missing" in refused(verb, fields)
    assert "colour: is not a field of this command" in refused(verb, {"by": "ana", **fields, "colour": "red"})


@pytest.mark.parametrize("fields", [None, "ana", 5, True, [], [{"by": "ana"}]])
def test_a_command_is_one_json_object(fields: object) -> None:
    """Anything else is refused with the kind of thing that it is."""
    assert f"note: takes one JSON object, not {type(fields).__name__}" == refused("note", fields)


def test_an_unknown_verb_is_told_the_verbs_there_are() -> None:
    """A mistyped verb is answered with the list, and a hostile one is cut short."""
    told = refused("x" * 1_000, {"by": "ana"})

    assert all(verb in told for verb in COMMANDS)
    assert len(told) < 700


@pytest.mark.parametrize(
    ("verb", "fields", "problem"),
    [
        ("note", {"text": ""}, "text: is empty"),
        ("note", {"text": " \n\t "}, "text: is empty"),
        ("note", {"text": "\u200b\u200d\u2060\ufeff"}, "text: is empty"),
        ("note", {"text": "x" * (TEXT_LIMIT + 1)}, "shorten it"),
        ("note", {"text": "bell\a"}, "text: holds the control character U+0007 at position 4"),
        ("note", {"text": "half \ud800"}, "text: "),
        ("note", {"text": None}, "text: "),
        ("note", {"text": 5}, "text: "),
        ("note", {"by": "", "text": "x"}, "by: is empty"),
        ("note", {"by": "ana\nben", "text": "x"}, "by: must be one line"),
        ("note", {"by": "x" * (LINE_LIMIT + 1), "text": "x"}, "by: "),
        ("note", {"by": ["ana"], "text": "x"}, "by: "),
        ("declare", {}, "declare needs severity (SEV1, SEV2 or SEV3) or factors"),
        ("declare", {"severity": "SEV4"}, "severity: "),
        ("declare", {"severity": True}, "severity: "),
        ("declare", {"factors": {"users_affected_percent": 101}}, "factors.users_affected_percent: "),
        ("declare", {"factors": {"users_affected_percent": "nan"}}, "factors.users_affected_percent: "),
        ("declare", {"factors": {"complete_outage": "yes"}}, "factors.complete_outage: "),
        ("declare", {"factors": {"cost": 5}}, "factors.cost: is not a field"),
        ("describe", {}, "describe says nothing"),
        ("describe", {"started_at": "2026-11-24T03:00:00"}, "started_at: "),
        ("describe", {"started_at": "yesterday"}, "started_at: "),
        ("describe", {"affected": ["x"] * (LIST_LIMIT + 1)}, "affected: "),
        ("describe", {"affected": "checkout"}, "affected: must be a list"),
        ("declare", {"factors": []}, "factors: must be an object"),
        ("resolve", {**FIELDS["resolve"], "next_steps": "\n"}, "next_steps.0: is empty"),
        ("resolve", {**FIELDS["resolve"], "next_steps": 5}, "next_steps: must be a list"),
        ("assign", {"role": "boss", "person": "eva"}, "role: "),
        ("finish_mitigation", {"succeeded": "yes"}, "succeeded: "),
        ("mitigate", {**FIELDS["mitigate"], "verification": []}, "verification: "),
        ("mitigate", {**FIELDS["mitigate"], "option": "pray"}, "option: "),
        ("confirm", {"criterion": "vibes"}, "criterion: "),
        ("add_action_item", {"item": "x", "owner": "ben", "due": "soon"}, "due: "),
        ("add_action_item", {"item": "x", "owner": "ben", "due": 1e18}, "due: "),
        ("dismiss", {"reason": "x", "as": "duplicate", "duplicate_of": "INC-1"}, "must look like INC-2026-0001"),
        ("dismiss", {"reason": "x", "as": "false_alarm", "duplicate_of": "INC-2026-0002"}, "duplicate_of goes with as=duplicate only"),
        ("note", {"text": "x", "key": ""}, "key: "),
    ],
)
def test_a_mistake_is_named_with_its_field_and_rule(verb: str, fields: dict[str, Any], problem: str) -> None:
    """Whoever mistypes is told where and what, without the value being thrown back."""
    assert problem in refused(verb, {"by": "ana", **fields})


@pytest.mark.parametrize("verb", ["describe", "schedule_retrospective"])
@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00"])
def test_a_moment_at_the_end_of_the_calendar_is_a_mistake_like_any_other(verb: str, moment: str) -> None:
    """A time that has no UTC is refused by its field; it must not fail the workflow that reads it."""
    field = "started_at" if verb == "describe" else "at"

    assert f"{field}: " in refused(verb, {"by": "ana", field: moment})


def test_next_steps_may_be_one_text() -> None:
    """A script that has them as a text, a line for each, says the same as one that has a list."""
    written = parse("resolve", {"by": "ana", **FIELDS["resolve"], "next_steps": "Hold the RCA\n\nLimit the retries\n"})

    assert ("Hold the RCA", "Limit the retries") == written.model_dump()["next_steps"]


def test_a_duplicate_may_leave_open_of_what() -> None:
    """The id of the other incident is optional: at 3 a.m. one knows that it is the same trouble before one has its number."""
    assert parse("dismiss", {"by": "ana", "reason": "same", "as": "duplicate"}).model_dump()["duplicate_of"] is None


@pytest.mark.parametrize(
    ("verb", "fields", "problem"),
    [
        ("dismiss", {"reason": "x", "as": "duplicate"}, "command: duplicate_of is needed"),
        ("resolve", {**FIELDS["resolve"], "next_steps": "x"}, "next_steps: Input should be a valid tuple"),
    ],
)
def test_what_earlier_editions_turned_away_is_turned_away_by_them_still(verb: str, fields: dict[str, Any], problem: str) -> None:
    """Histories hold such a signal as `invalid`, in these words; taking it when they are replayed would change what follows."""
    with pytest.raises(InvalidInput, match=problem):
        parse(verb, {"by": "ana", **fields}, earlier=True)


@pytest.mark.parametrize("written", ["1", "sev1", "SEV1", " Sev1 ", 1])
def test_a_severity_is_read_however_it_is_written(written: object) -> None:
    """At three in the morning `1` is enough."""
    command = parse("change_severity", {"by": "ana", "severity": written, "reason": "x"})

    assert Severity.SEV1 is command.model_dump()["severity"]


def test_text_is_kept_as_people_see_it() -> None:
    """Other alphabets, emoji and line breaks stay; line ends and composed letters are made one kind."""
    command = parse("note", {"by": "  José  ", "text": "Zahlung kaputt 🔥\r\n決済が失敗\rde\u0301ja\u0300"})

    assert ("José", "Zahlung kaputt 🔥\n決済が失敗\ndéjà") == (command.by, command.model_dump()["text"])


def test_several_mistakes_are_told_at_once() -> None:
    """Nobody has to find out about the second mistake after mending the first."""
    with pytest.raises(InvalidInput) as refusal:
        parse("assign", {"role": "boss"})

    assert ["by", "role", "person"] == [problem["field"] for problem in refusal.value.problems]


@given(
    st.sampled_from(list(COMMANDS)),
    st.dictionaries(
        st.sampled_from(sorted({field for model in COMMANDS.values() for field in model.model_fields})),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text()
        | st.lists(st.text())
        | st.dictionaries(st.text(), st.integers()),
    ),
)
def test_reading_a_command_gives_the_command_or_names_the_mistakes(verb: str, fields: dict[str, Any]) -> None:
    """No JSON that somebody sends does anything else."""
    problems: list[dict[str, str]] = []
    try:
        parse(verb, fields)
    except InvalidInput as refusal:
        problems = refusal.problems or [{}]

    assert all(problem.get("field") and problem.get("message") for problem in problems)


def test_an_opening_takes_affected_for_services_and_nothing_unknown() -> None:
    """`describe` calls them affected, so opening understands that as well."""
    assert ("checkout",) == Open.model_validate({"by": "ana", "title": "x", "affected": ["checkout"]}).services
    with pytest.raises(ValidationError):
        Open.model_validate({"by": "ana", "title": "x", "colour": "red"})
