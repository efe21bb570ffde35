# ruff: noqa: SIM300 - the house writes what is expected first
"""What outside systems show against the incident's word is owed to somebody until both agree; a ticket closed there is done here."""

from __future__ import annotations

from typing import Any

import pytest

from incident import clocks, drift
from incident.commands import InvalidInput
from incident.drift import ChannelShown, PageShown, ReadBack, TicketShown
from incident.effects import Page, Post, Publish
from incident.events import Event
from incident.model import ClockState
from incident.refusals import Refusal
from incident.vocabulary import Phase
from tests.incident.walk import Walk

PAGE_CLOCK = "drift:status_page"


def _tickets(walk: Walk, **states: str) -> list[Event]:
    """The tracker shows these tickets."""
    shown = tuple(TicketShown.model_validate({"ticket": name.replace("_", "-"), "state": state}) for name, state in states.items())
    return walk.record(drift.told(walk.incident, ReadBack(system="Jira", tickets=shown), walk.now))


def _page(walk: Walk, status: str | None, body: str = "", operational: tuple[str, ...] = ()) -> list[Event]:
    page = PageShown(status=status, body=body, operational=operational)
    return walk.record(drift.told(walk.incident, ReadBack(system="Statuspage", page=page), walk.now))


def _kinds(events: list[Event]) -> list[str]:
    return [event.kind for event in events]


@pytest.fixture
def walk() -> Walk:
    """A SEV1 with one action item, whose ticket is OPS-1, and one update that the public has read."""
    walk = Walk.open("SEV1", customer_facing=True, services=["checkout", "search"])
    walk.does("acknowledge")
    walk.deliver_all()
    walk.does("add_action_item", item="Alert on retries", owner="ben", due="2026-12-01")
    walk.deliver(walk.incident.outbox[-1], reference="OPS-1")
    walk.does("post_update", audience="external", text="We are looking into it @everyone.", status="investigating")
    walk.deliver_all()
    return walk


def _published(walk: Walk) -> str:
    assert walk.incident.published is not None
    return walk.incident.published.body


def test_a_ticket_is_known_by_its_reference(walk: Walk) -> None:
    """The state says which ticket an action item has, so that people find it and we read it back."""
    assert ("OPS-1", ("OPS-1",)) == (walk.incident.action_items[0].ticket, drift.references(walk.incident))


def test_a_ticket_that_was_closed_there_completes_its_action_item_here(walk: Walk) -> None:
    """Whoever did the work and closed the ticket need not say so twice; the record names the tracker, and it is told nothing back."""
    before = walk.incident.effect_number
    (done,) = _tickets(walk, OPS_1="closed")
    clock = walk.clock("action_item:AI-1")

    assert ("action_item_completed", "Jira") == (done.kind, done.by)
    assert walk.incident.action_items[0].done
    assert ClockState.MET is clock.state
    assert before == walk.incident.effect_number
    assert [] == _tickets(walk, OPS_1="closed")


def test_an_open_ticket_of_an_open_item_is_nothing_to_say(walk: Walk) -> None:
    """What agrees adds nothing to the record, however often it is read; nor does a ticket of somebody else's."""
    assert [] == _tickets(walk, OPS_1="open", OPS_99="closed")


def test_a_ticket_that_is_gone_is_owed_to_the_commander(walk: Walk) -> None:
    """Somebody deleted the ticket while its action item is open: both versions are shown, and one person is asked."""
    (found,) = _tickets(walk, OPS_1="gone")
    again = _tickets(walk, OPS_1="gone")
    late = walk.forward(minutes=31)

    assert {"name": "ticket:AI-1", "here": "AI-1 is open, owed by ben", "there": "OPS-1 is gone"} == {
        name: found.data[name] for name in ("name", "here", "there")
    }
    assert [] == again
    assert ["drift:ticket:AI-1"] == [event.data["clock"] for event in late if event.kind == "overdue" and "drift" in event.data["clock"]]


def test_a_ticket_that_was_opened_again_is_shown_until_it_is_closed(walk: Walk) -> None:
    """Done here and open there: a contradiction, that ends by itself once the two agree."""
    walk.does("complete_action_item", id="AI-1")
    on_the_way = _tickets(walk, OPS_1="open")
    walk.deliver_all()
    found = _tickets(walk, OPS_1="open")
    walk.now += clocks.DRIFT_WITHIN / 2
    settled = _tickets(walk, OPS_1="closed")

    assert [] == on_the_way
    assert (["drift"], ["drift_settled"]) == (_kinds(found), _kinds(settled))
    assert ClockState.MET is walk.clock("drift:ticket:AI-1").state


def test_a_page_that_says_what_it_was_told_is_no_drift(walk: Walk) -> None:
    """Spaces, defused mentions and a text that was shortened on its way do not make a contradiction."""
    told = _published(walk)

    assert [] == _page(walk, "investigating", told)
    assert [] == _page(walk, "investigating", told.replace("@", "@\u200b").replace(" ", "  "))
    assert [] == _page(walk, "investigating", f"{told[:20]}… (shortened; 40,000 characters in all)")


@pytest.mark.parametrize(
    ("status", "body", "there"),
    [
        ("resolved", "All is well.", "resolved: All is well."),
        ("investigating", "Nothing to see here.", "investigating: Nothing to see here."),
        (None, "", "no entry"),
    ],
)
def test_a_page_that_says_something_else_is_owed_to_communications(walk: Walk, status: str | None, body: str, there: str) -> None:
    """Somebody edited, resolved or deleted the public entry by hand: the channel hears both versions, and a clock runs."""
    walk.does("assign", role="communications", person="eva")
    walk.deliver_all()
    (found,) = _page(walk, status, body)
    posts = [effect.ask.text for effect in walk.incident.outbox if isinstance(effect.ask, Post)]

    assert there == found.data["there"]
    assert "eva" == walk.clock(PAGE_CLOCK).owner
    assert any(there in text and "contradicts the incident" in text for text in posts)


def test_a_service_that_fails_and_is_shown_as_well_is_owed_to_communications(walk: Walk) -> None:
    """Somebody turned the component green by hand while the incident goes on; green again after the end is as it should be."""
    found = _page(walk, "investigating", _published(walk), ("checkout", "billing"))
    owner = walk.clock("drift:components").owner
    settled = _page(walk, "investigating", _published(walk))
    walk.reaches(Phase.POST_INCIDENT)
    walk.deliver_all()
    over = _page(walk, "resolved", _published(walk), ("checkout", "search"))

    assert [("components", "operational: checkout")] == [(event.data["name"], event.data["there"]) for event in found]
    assert "cem" == owner
    assert (["drift_settled"], []) == (_kinds(settled), _kinds(over))


def test_what_a_vendor_could_not_take_is_on_record(walk: Walk) -> None:
    """A component that is gone did not hold the update up; the timeline says which it was."""
    walk.does("post_update", audience="external", text="It is the database.", status="identified")
    (effect,) = [each for each in walk.incident.outbox if isinstance(each.ask, Publish)]
    (arrived, *_) = walk.deliver(effect, detail={"components_gone": ["000000000000"]})

    assert {"components_gone": ["000000000000"]} == arrived.data["detail"]


def test_an_update_on_its_way_is_not_compared(walk: Walk) -> None:
    """The page is not blamed for what it has not been told yet."""
    walk.does("post_update", audience="external", text="It is the database.", status="identified")

    assert any(isinstance(effect.ask, Publish) for effect in walk.incident.outbox)
    assert [] == _page(walk, "investigating", "We are looking into it.")


def test_a_contradiction_that_changes_is_said_again_and_counts_from_the_first(walk: Walk) -> None:
    """A second wrong version is news; the time since the first one is not given away."""
    _page(walk, "investigating", "first")
    since = walk.clock(PAGE_CLOCK).since
    walk.now += clocks.DRIFT_WITHIN / 2
    said = _page(walk, "investigating", "second")

    assert ["drift"] == _kinds(said)
    assert since == walk.clock(PAGE_CLOCK).since


def test_a_contradiction_escalates_until_it_is_settled(walk: Walk) -> None:
    """Whoever owes it is asked after half an hour; when both agree again, it is met, late by what it was late."""
    _page(walk, "resolved", "All is well.")
    said = [event for event in walk.forward(minutes=45) if event.data.get("clock") == PAGE_CLOCK]
    _page(walk, "investigating", _published(walk))

    assert ["overdue"] == _kinds(said)
    assert 900 == walk.clock(PAGE_CLOCK).late_by.total_seconds()


def test_a_contradiction_stands_in_the_way_of_closing(walk: Walk) -> None:
    """An incident is not closed while the public reads something else; both versions stand in the refusal."""
    walk.reaches(Phase.POST_INCIDENT)
    walk.deliver_all()
    _page(walk, "monitoring", "We keep watching.")
    outcome = walk.asks("close")

    assert isinstance(outcome, Refusal)
    (standing,) = [blocker for blocker in outcome.blockers if blocker.code == "drift-unsettled"]
    assert "There: monitoring: We keep watching." in standing.message
    assert "waive drift:status_page" in standing.message


def test_a_contradiction_can_be_let_be_by_name(walk: Walk) -> None:
    """Somebody says why it may stay; the same version is not brought up again, another one is."""
    _page(walk, "investigating", "Edited by our writers.")
    walk.does("waive", obligation=PAGE_CLOCK, reason="the writers' version is better")
    same = _page(walk, "investigating", "Edited by our writers.")
    other = _page(walk, "resolved", "All is well.")

    assert [] == same
    assert ["drift"] == _kinds(other)
    assert walk.clock(PAGE_CLOCK).open


def test_the_pages_own_postmortem_is_no_contradiction(walk: Walk) -> None:
    """After the end the page may publish its post-mortem; that is further than resolved, not against it."""
    walk.reaches(Phase.POST_INCIDENT)
    walk.deliver_all()

    assert [] == _page(walk, "postmortem", "What happened, and why.")


@pytest.mark.parametrize(
    "payload",
    [None, [], "Jira", {}, {"system": ""}, {"system": "Jira", "tickets": [{"ticket": "OPS-1", "state": "burnt"}]}, {"system": "x" * 100}],
)
def test_what_can_not_be_read_is_invalid(payload: Any) -> None:
    """A signal that anybody can send by hand can't bring the incident down."""
    with pytest.raises(InvalidInput):
        ReadBack.read(payload)


# ---------------------------------------------------------------------- the channel


def _channel(walk: Walk, **shown: Any) -> list[Event]:
    incident = walk.incident
    as_told = {"state": "open", "name": incident.channel, "topic": incident.channel_topic, "card": "there"}
    return walk.record(drift.told(incident, ReadBack(system="Slack", channel=ChannelShown.model_validate(as_told | shown)), walk.now))


def test_a_channel_that_is_as_it_was_made_is_nobodys_business(walk: Walk) -> None:
    """Looking adds nothing, also where the vendor has broken mentions or shortened the topic."""
    assert [] == _channel(walk)
    assert [] == _channel(walk, topic=f"{walk.incident.channel_topic[:20]}… (shortened; 90 characters in all)")


@pytest.mark.parametrize(
    ("shown", "name", "there"),
    [
        ({"state": "archived"}, "channel", "is archived"),
        ({"state": "gone"}, "channel", "is gone"),
        ({"name": "#shop-is-burning"}, "channel_name", "#shop-is-burning"),
        ({"topic": "lunch at noon"}, "channel_topic", "lunch at noon"),
        ({"topic": ""}, "channel_topic", "no topic"),
        ({"card": "gone"}, "channel_card", "it was deleted"),
    ],
)
def test_what_people_did_to_the_channel_is_owed_with_both_versions(walk: Walk, shown: dict[str, Any], name: str, there: str) -> None:
    """Once, with a clock for the commander, until it is as it was."""
    told = _channel(walk, **shown)

    assert [("drift", name)] == [(event.kind, event.data["name"]) for event in told]
    assert there in told[0].data["there"]
    assert walk.incident.commander == walk.clock(f"{clocks.DRIFT}{name}").owner
    assert [] == _channel(walk, **shown)
    assert ["drift_settled"] == _kinds(_channel(walk))


def test_a_channel_that_is_gone_is_paged_since_nobody_reads_it_there(walk: Walk) -> None:
    """The commander hears of it by the pager; a new topic is told in the channel."""
    _channel(walk, state="archived")

    assert [Page] == [type(effect.ask) for effect in walk.incident.outbox]

    walk.deliver_all()
    _channel(walk, topic="lunch at noon")

    assert [Post] == [type(effect.ask) for effect in walk.incident.outbox]


def test_an_incident_that_moves_to_another_channel_is_not_held_against_the_old_one(walk: Walk) -> None:
    """Made private, it gets a new one; what the old one shows is no news meanwhile."""
    walk.does("restrict", reason="it may be a breach")

    assert [] == _channel(walk, state="archived")
