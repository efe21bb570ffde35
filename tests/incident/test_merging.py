# ruff: noqa: SIM300 - the house writes what is expected first
"""One incident goes on as part of another: nothing that is owed is lost, and nothing is taken twice."""

from __future__ import annotations

from typing import Any

import pytest

from incident import merging
from incident.commands import parse
from incident.effects import CloseTicket, OpenTicket, Port, Publish
from incident.merging import Handover, Taken
from incident.model import CheckState
from incident.vocabulary import Criterion, Phase, PublicStatus, Severity
from tests.incident.walk import Walk, alert


def given(walk: Walk, **changes: Any) -> Handover:
    return merging.handover(walk.incident, "ana", "the same cause", walk.timeline, walk.now).model_copy(
        update={"incident": "INC-2026-0002", **changes}
    )


def owing() -> Walk:
    """A SEV1 with customers, an action item, a specialist's report to come and a change to document."""
    walk = Walk.open("SEV1", customer_facing=True, services=["payments"])
    walk.does("acknowledge")
    walk.does("post_update", audience="external", text="Some payments fail.")
    walk.does("add_action_item", item="Limit the retries", owner="eva", due="2026-12-01")
    walk.does("dispatch", request="read the logs")
    walk.reaches(Phase.MITIGATION)
    walk.mitigates()
    return walk


def test_what_is_owed_becomes_the_others() -> None:
    """Action items keep text, owner and date; a report to come and a change to document become action items."""
    other = Walk.open("SEV2", services=["checkout"])
    taken = merging.absorb(other.incident, given(owing()), other.now)
    assert isinstance(taken, list)
    other.record(taken)
    items = [(item.item, item.owner) for item in other.incident.action_items]

    assert ("Limit the retries (from INC-2026-0002 AI-1)", "eva") in items
    assert 3 == len(items) == len(other.incident.merged[0].items)
    assert any("Document the change" in text for text, _ in items)
    assert any("dispatch 1" in text for text, _ in items)
    assert 3 == sum(isinstance(effect.ask, OpenTicket) for effect in other.waiting(Port.TICKETS))
    assert ("checkout", "payments") == other.incident.services


def test_the_worse_severity_and_the_promise_to_the_public_go_on() -> None:
    """The other is raised, told to the public with the last words, and owes the next ones when they were promised."""
    walk, other = owing(), Walk.open("SEV2")
    promised = walk.incident.clocks["external_update"].due
    taken = merging.absorb(other.incident, given(walk), other.now)
    assert isinstance(taken, list)
    other.record(taken)
    (publish,) = [effect.ask for effect in other.waiting(Port.STATUS) if isinstance(effect.ask, Publish)]

    assert (Severity.SEV1, True) == (other.incident.severity, other.incident.customer_facing)
    assert promised == other.incident.clocks["external_update"].due
    assert "Some payments fail." in publish.body

    other.does("post_update", audience="external", text="Still looking.")

    assert other.incident.promised is None


def test_a_handover_that_comes_again_adds_nothing() -> None:
    """Whatever is told twice is taken once; what is new the second time is taken then."""
    walk, other = owing(), Walk.open("SEV1")
    first = merging.absorb(other.incident, given(walk), other.now)
    assert isinstance(first, list)
    other.record(first)
    again = merging.absorb(other.incident, given(walk), other.now)
    walk.does("add_action_item", item="Test it", owner="eva", due="2026-12-02")
    more = merging.absorb(other.incident, given(walk), other.now)
    assert isinstance(more, list)
    other.record(more)

    assert [] == again
    assert ["action_item_added"] == [event.kind for event in more if event.kind == "action_item_added"]
    assert 1 == len(other.incident.merged)


def test_what_was_being_verified_is_verified_again() -> None:
    """The other's trouble was not part of what was confirmed."""
    other = Walk.open("SEV2").reaches(Phase.RESOLUTION)
    other.confirms()
    taken = merging.absorb(other.incident, given(Walk.open("SEV3")), other.now)
    assert isinstance(taken, list)
    other.record(taken)

    assert {} == other.incident.criteria
    assert other.incident.verification_since is None
    assert len(Criterion) == sum(event.kind == "criterion_withdrawn" for event in taken)


@pytest.mark.parametrize(
    ("phase", "changes", "why"),
    [
        (Phase.CLOSED, {}, "is closed"),
        (Phase.POST_INCIDENT, {}, "is resolved; reopen it first"),
        (Phase.DETECTION, {}, "is not declared yet"),
        (Phase.TRIAGE, {"drill": True}, "is no drill"),
        (Phase.TRIAGE, {"private": True}, "is private"),
    ],
)
def test_an_incident_says_why_it_does_not_take_another(phase: Phase, changes: dict[str, Any], why: str) -> None:
    """What is closed, resolved or not declared takes nothing; drills and private incidents stay among themselves."""
    other = Walk.open(None)
    if phase is not Phase.DETECTION:
        other.does("declare", severity="SEV2")
        other.reaches(phase)
    outcome = merging.absorb(other.incident, given(Walk.open("SEV2"), **changes), other.now)

    assert isinstance(outcome, str)
    assert why in outcome


def test_two_that_are_merged_into_each_other_both_go_on() -> None:
    """An incident that is giving way takes no other over, so nothing is handed round in a circle."""
    walk = Walk.open("SEV2")
    walk.does("merge", into="INC-2026-0002")
    outcome = merging.absorb(walk.incident, given(Walk.open("SEV2")), walk.now)

    assert isinstance(outcome, str)
    assert "itself being merged" in outcome


def test_the_one_that_gives_way_closes_with_its_link_and_owes_nothing() -> None:
    """It is a duplicate of the other; its tickets are closed, its page says where updates go on, its items have moved."""
    walk = owing()
    walk.does("merge", into="INC-2026-0002")
    walk.record(merging.given_way(walk.incident, Taken(incident="INC-2026-0002", title="Checkout", channel="#incident-x"), "ana", walk.now))
    page = [effect.ask for effect in walk.waiting(Port.STATUS) if isinstance(effect.ask, Publish)][-1]

    assert (Phase.CLOSED, "duplicate", "INC-2026-0002") == (walk.incident.phase, walk.incident.outcome, walk.incident.duplicate_of)
    assert [False] == [item.open for item in walk.incident.action_items]
    assert not any(clock.open for clock in walk.incident.clocks.values())
    assert any(isinstance(effect.ask, CloseTicket) for effect in walk.waiting(Port.TICKETS))
    assert (PublicStatus.RESOLVED, True) == (page.status, "Updates go on there" in page.body)


def test_a_merge_that_fails_leaves_everything_as_it_was() -> None:
    """The reason is on record, and the incident takes commands again."""
    walk = owing()
    before = walk.incident
    walk.does("merge", into="INC-2026-0002")
    walk.refused("note", text="meanwhile")
    walk.record([merging.failed("INC-2026-0002", merging.why_not("INC-2026-0002", None, there=False), walk.now)])
    walk.does("note", text="it goes on")

    assert (before.clocks, before.action_items, before.checklist) == (
        walk.incident.clocks,
        walk.incident.action_items,
        walk.incident.checklist,
    )
    assert walk.incident.checklist["alert_acknowledged"].state is CheckState.DONE


def test_alerts_go_over_as_they_were() -> None:
    """What fires there fires here, under the same name, since the same moment."""
    walk, other = Walk.open("SEV2"), Walk.open("SEV2")
    walk.told(alert("Errors", service="payments"), alert("Latency", firing=False, service="payments"))
    from incident.alerts import parse

    good, bad = parse(merging.wire(tuple(walk.incident.alerts.values())))
    other.told(*good)

    assert [] == bad
    assert other.incident.alerts == walk.incident.alerts


def test_a_private_incident_is_not_there_for_whoever_is_not_in_it() -> None:
    """Merging into it tells an outsider nothing that a wrong number would not; and it never tells its title."""
    private, walk = Walk.open("SEV2", private=True), Walk.open("SEV2")
    refused = merging.absorb(private.incident, given(walk).model_copy(update={"by": "mallory"}), private.now)
    taken = merging.absorb(private.incident, given(walk), private.now)
    gone = merging.given_way(walk.incident, Taken(incident="INC-2026-0002"), "ana", walk.now)

    assert merging.why_not(private.incident.id, None, there=False) == refused
    assert isinstance(taken, list)
    assert "Merged into INC-2026-0002: it goes on there, with all that is owed" == gone[0].text


def test_merging_again_into_the_same_is_so_already() -> None:
    """While it is handed over and after the end; another target, and somebody who may not, are refused as before."""
    walk = Walk.open("SEV2")
    again = parse("merge", {"by": "ben", "into": "INC-2026-0002"})
    elsewhere = parse("merge", {"by": "ben", "into": "INC-2026-0003"})
    reader = parse("merge", {"by": "rea", "into": "INC-2026-0002", "roles": ["viewer"]})

    assert not merging.is_so(walk.incident, again)

    walk.does("merge", into="INC-2026-0002")

    assert [True, False, False] == [merging.is_so(walk.incident, command) for command in (again, elsewhere, reader)]

    walk.record(merging.given_way(walk.incident, Taken(incident="INC-2026-0002"), "ana", walk.now))

    assert [True, False, False] == [merging.is_so(walk.incident, command) for command in (again, elsewhere, reader)]
