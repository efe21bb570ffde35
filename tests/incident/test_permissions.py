# ruff: noqa: SIM300 - the house writes what is expected first
"""Who may do what: one table, asked the same way by every door."""

from __future__ import annotations

from typing import Any

import pytest

from incident import lifecycle
from incident.commands import COMMANDS, Open, parse
from incident.permissions import PERMISSIONS, RESPONDERS, objection_to_opening
from incident.policy import Policy
from incident.queries import Watching
from incident.refusals import Refusal
from incident.vocabulary import Access
from runtime.settings import ACCESS_ROLES
from tests.incident.test_deciding import FIELDS
from tests.incident.walk import Walk, opening_of

NOBODY_IN_PARTICULAR = "zoe"


def walk(severity: str = "SEV2") -> Walk:
    """One that can be measured: without monitoring nobody may say what is."""
    return Walk(opening_of(severity).model_copy(update={"policy": Policy(monitoring=Watching())}))


def asked(walk: Walk, verb: str, who: str, roles: list[str] | None, /, **fields: Any) -> Any:
    """What the incident answers to somebody for whom a door vouches."""
    door = {} if roles is None else {"roles": roles, "via": "web"}
    return lifecycle.decide(walk.incident, parse(verb, {**fields, **door, "by": who}), walk.now)


def refused(outcome: Any) -> bool:
    return isinstance(outcome, Refusal) and outcome.code == "not-permitted"


def test_every_verb_stands_in_the_table_and_so_does_every_role() -> None:
    """A verb that nobody thought of would be open to all, or to none."""
    assert set(COMMANDS) <= set(PERMISSIONS)
    assert set(Access) == {role for roles in PERMISSIONS.values() for role in roles}
    assert tuple(Access) == tuple(map(Access, ACCESS_ROLES))


@pytest.mark.parametrize("verb", COMMANDS)
@pytest.mark.parametrize("role", ["viewer", "auditor"])
def test_whoever_only_reads_changes_nothing(verb: str, role: str) -> None:
    """A viewer and an auditor are refused every verb there is."""
    assert refused(asked(walk(), verb, NOBODY_IN_PARTICULAR, [role], **FIELDS[verb]))


@pytest.mark.parametrize("verb", COMMANDS)
@pytest.mark.parametrize("roles", [["admin"], None])
def test_an_administrator_and_whoever_reaches_temporal_itself_may_do_all(verb: str, roles: list[str] | None) -> None:
    """A payload without roles did not come through a door that vouches: whoever can send it is trusted already."""
    assert not refused(asked(walk(), verb, NOBODY_IN_PARTICULAR, roles, **FIELDS[verb]))


@pytest.mark.parametrize("verb", COMMANDS)
def test_nobody_is_somebody_without_a_role(verb: str) -> None:
    """Whom the door knows and nobody has given a role may do nothing; an empty list is not the same as none."""
    assert refused(asked(walk(), verb, NOBODY_IN_PARTICULAR, [], **FIELDS[verb]))


def test_help_is_never_blocked_and_what_the_public_hears_is_not_for_everybody() -> None:
    """A responder works on the incident; speaking for the house and ending it is for those who answer for that."""
    one = walk()
    may = {verb: not refused(asked(one, verb, NOBODY_IN_PARTICULAR, ["responder"], **FIELDS[verb])) for verb in COMMANDS}
    outside = asked(one, "post_update", NOBODY_IN_PARTICULAR, ["responder"], audience="external", text="We know.")

    assert {"approve", "resolve", "waive", "give_up_delivery", "close"} == {verb for verb, allowed in may.items() if not allowed}
    assert refused(outside)
    assert not refused(asked(one, "post_update", NOBODY_IN_PARTICULAR, ["communications"], audience="external", text="We know."))


def test_raising_a_severity_is_help_and_lowering_it_is_a_decision() -> None:
    """Anybody who responds may say that it is worse; that it is not so bad is for the commander to say."""
    one = walk("SEV2")

    assert not refused(asked(one, "change_severity", NOBODY_IN_PARTICULAR, ["responder"], severity="SEV1", reason="all of it is down"))
    assert refused(asked(one, "change_severity", NOBODY_IN_PARTICULAR, ["responder"], severity="SEV3", reason="fewer users"))
    assert not refused(asked(one, "change_severity", NOBODY_IN_PARTICULAR, ["commander"], severity="SEV3", reason="fewer users"))


def test_a_role_that_nobody_holds_can_be_taken_and_one_that_is_held_only_from_above() -> None:
    """With no commander, the first who responds takes command; a commander hands over, or is relieved by another."""
    one = walk()
    first = asked(one, "assign", "zoe", ["responder"], role="commander", person="zoe")
    one.does("assign", role="commander", person="ben")
    grabbed = asked(one, "assign", "zoe", ["responder"], role="commander", person="zoe")
    handed_over = asked(one, "assign", "ben", ["viewer"], role="commander", person="zoe")
    relieved = asked(one, "assign", "kim", ["commander"], role="commander", person="kim")

    assert [False, True, False, False] == [refused(outcome) for outcome in (first, grabbed, handed_over, relieved)]


def test_whoever_holds_a_role_in_the_incident_may_do_what_it_may() -> None:
    """A commander by assignment commands, whatever the directory says; in this incident only."""
    one, other = walk(), walk()
    one.does("assign", role="commander", person="ben")
    lower = {"severity": "SEV3", "reason": "fewer users"}

    assert not refused(asked(one, "change_severity", "@Ben", ["viewer"], **lower))
    assert refused(asked(other, "change_severity", "@Ben", ["viewer"], **lower))


def test_a_refusal_says_what_is_needed_and_who_may() -> None:
    """Nobody is sent away without knowing whom to ask."""
    one = walk()
    one.does("assign", role="commander", person="ben")
    refusal = asked(one, "waive", "zoe", ["responder"], obligation="postmortem", reason="agreed")

    assert "zoe has responder; waive needs commander or admin." == refusal.message
    assert "Ask ben, who is commander here, or somebody with the role commander or admin." in refusal.required_action
    assert ["not-permitted", "not-permitted"] == [blocker.code for blocker in refusal.blockers]


def test_the_timeline_says_through_which_door() -> None:
    """What somebody did, and what was refused to them, is kept with the door; what the process did by itself has none."""
    one = walk()
    events = asked(one, "advance", "zoe", ["responder"], reason="the cause is known")
    entry = lifecycle.refused(
        "close", "zoe", asked(one, "close", "zoe", ["viewer"]), one.now, via=parse("close", {"by": "zoe", "via": "chat"}).via
    )
    plain = asked(one, "note", "zoe", None, text="hello")

    assert {("zoe", "web")} == {(event.by, event.data.get("via")) for event in events if event.by == "zoe"}
    assert {None} >= {event.data.get("via") for event in events if event.by != "zoe"}
    assert "chat" == entry.data["via"]
    assert "via" not in plain[0].data


@pytest.mark.parametrize("role", Access)
def test_opening_is_for_those_who_respond(role: Access) -> None:
    """A viewer's opening is refused before there is an incident; an opening without a door's word is trusted."""
    said = objection_to_opening(Open(by="zoe", title="Checkout fails", roles=(role,)))

    assert (said is None) == (role in RESPONDERS)
    assert objection_to_opening(Open(by="zoe", title="Checkout fails")) is None


def test_an_opening_passes_the_door_on_to_what_it_stands_for() -> None:
    """The declaration that comes with an opening came through the same door."""
    start = opening_of("SEV1")
    request = start.request.model_copy(
        update={"roles": (Access.RESPONDER,), "via": parse("note", {"by": "a", "text": "b", "via": "cli"}).via}
    )
    _, events = lifecycle.opening(start.model_copy(update={"request": request}), Walk(start).now)
    told = {event.kind: event.data.get("via") for event in events}

    assert ("cli", "cli") == (told["opened"], told["declared"])
