"""What is private stays among those in it: whatever leaves the incident says no more than that there is one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from incident import lifecycle, snapshot
from incident.effects import OpenChannel, Page, Port, Post, Publish
from incident.events import Event
from incident.model import CheckState
from incident.vocabulary import Phase, PublicStatus
from tests.incident.walk import PLAN, Walk

SECRET = "Zanzibar"


def secretive(severity: str | None = "SEV1", **fields: Any) -> Walk:
    """A private incident whose every text holds the secret word."""
    return Walk.open(severity, **{"private": True, "title": f"{SECRET} breached", "summary": SECRET, "services": [SECRET], **fields})


def told_outside(walk: Walk) -> list[str]:
    """Everything in the outbox that reaches others than its members, as it would go out now."""
    found = []
    for effect in walk.incident.outbox:
        ask = lifecycle.addressed(walk.incident, effect, 1).ask
        inside = isinstance(ask, Post) and ask.channel == walk.incident.channel and walk.incident.channel_private
        if effect.port in (Port.CHAT, Port.STATUS, Port.TICKETS) and not inside:
            # What a ticket's words are compared with is written nowhere.
            found.append(ask.model_dump_json(exclude={"was"}))
    return found


def deliver(walk: Walk, port: Port) -> None:
    """What waits for this port arrives."""
    for effect in walk.waiting(port):
        walk.deliver(effect)


def test_nothing_that_leaves_a_private_incident_tells_what_it_is_about() -> None:
    """Through a whole night, no post, ticket, channel name or public word outside its own channel holds the secret."""
    walk = secretive(customer_facing=True)
    walk.forward(minutes=70)
    walk.does("assign", role="commander", person="ben")
    walk.does("change_severity", severity="SEV2", reason=f"primary service restored, no data is being lost, {SECRET}")
    walk.reaches(Phase.MITIGATION)
    walk.does("mitigate", **{**PLAN, "action": SECRET})
    walk.does("add_action_item", item=SECRET, owner="ben", due="2026-12-01")
    walk.does("change_action_item", id="AI-1", item=f"{SECRET} again", owner="eva")
    walk.does("complete_action_item", id="AI-1")
    told = told_outside(walk)

    assert len(told) > 8
    assert [text for text in told if SECRET.casefold() in text.casefold()] == []


def test_a_private_incident_that_is_dismissed_leaves_no_word() -> None:
    """A false alarm of which nobody was to know ends without anybody hearing of it."""
    walk = secretive(None)
    walk.does("dismiss", reason=SECRET, **{"as": "false_alarm"})

    assert told_outside(walk) == []


def test_whoever_is_in_it_is_asked_into_its_channel() -> None:
    """Those who are in it when the channel opens, and with each message there those who have come since; nowhere else."""
    walk = secretive()
    walk.does("assign", role="commander", person="ben")
    (opening,) = [effect for effect in walk.waiting(Port.CHAT) if isinstance(effect.ask, OpenChannel)]
    opened = lifecycle.addressed(walk.incident, opening, 1).ask
    deliver(walk, Port.CHAT)
    walk.does("invite", person="carla")
    told = [lifecycle.addressed(walk.incident, effect, 1).ask for effect in walk.waiting(Port.CHAT)]
    asked_in = {ask.people for ask in told if isinstance(ask, Post) and ask.room == "incident"}

    assert isinstance(opened, OpenChannel)
    assert "ben" in opened.people
    assert asked_in == {walk.incident.members}
    assert "carla" in walk.incident.members
    assert [ask for ask in told if isinstance(ask, Post) and ask.room != "incident" and ask.people] == []


def test_its_channel_has_a_name_that_says_nothing_and_lets_in_whom_it_concerns() -> None:
    """Names of channels are read by everybody."""
    walk = secretive()
    asked = [effect.ask for effect in walk.incident.outbox if isinstance(effect.ask, OpenChannel)]

    assert [(ask.name, ask.topic, ask.private) for ask in asked] == [("#incident-2026-11-24-inc-2026-0001", "INC-2026-0001, private", True)]


def test_what_is_said_in_its_own_channel_is_said_in_full() -> None:
    """Those in it lose nothing by its being private."""
    walk = secretive("SEV3")
    deliver(walk, Port.CHAT)
    walk.does("post_update", audience="internal", text=f"{SECRET} holds")
    post = lifecycle.addressed(walk.incident, walk.incident.outbox[-1], 1).ask

    assert isinstance(post, Post)
    assert (True, walk.incident.channel) == (SECRET in post.text, post.channel)


def test_the_public_is_owed_nothing() -> None:
    """No clock and no item asks for a public word that the process forbids; it can be closed without one."""
    walk = secretive("SEV1", customer_facing=True)
    walk.forward(hours=3)
    states = {
        walk.incident.checklist[item].state for item in ("status_page_updated", "customer_communication_sent", "status_page_resolved")
    }

    assert {CheckState.NOT_APPLICABLE} == states
    assert walk.open_clocks() & {"status_page", "external_update"} == set()
    assert walk.refused("post_update", audience="external", text="hello").code == "not-permitted"


def test_who_is_in_it() -> None:
    """Whoever opened it, holds a role in it, was invited to it or paged for it can see it, and nobody else."""
    walk = secretive(None)
    walk.record([Event(kind="paged", by="tocsin", at=walk.now, text="", data={"person": "pat"})])
    walk.does("assign", role="commander", person="ben")
    walk.does("invite", person="fay")

    assert walk.incident.members == ("ana", "ben", "pat", "fay")
    assert snapshot.row(walk.incident)["members"] == ["ana", "ben", "pat", "fay"]
    assert walk.does("invite", person="@Fay") == []


def test_whoever_is_called_for_help_can_see_what_for() -> None:
    """A specialist, or anybody else whom the incident pages, is in it from then on; a public incident keeps no such list."""
    for private, members in ((True, ("ana", "dee", "cem")), (False, ("ana",))):
        walk = secretive("SEV2", private=private)
        walk.does("assign", role="commander", person="ana")
        walk.does("dispatch", request="read the logs")
        for effect in walk.waiting(Port.SPECIALIST):
            walk.deliver(effect, person="dee")
        walk.forward(minutes=16)
        for effect in walk.waiting(Port.PAGING):
            walk.deliver(effect, person="cem")

        assert members == walk.incident.members


def test_a_public_incident_names_no_members() -> None:
    """Where everybody may look, nobody keeps a list of who does."""
    assert "members" not in snapshot.row(Walk.open("SEV2").incident)


def test_whoever_makes_it_private_is_in_it() -> None:
    """Nobody shuts themselves out."""
    walk = Walk.open("SEV2")
    events = walk.does("restrict", by="gus", reason="it may be a breach")

    assert [event.kind for event in events if event.kind != "replaced"] == ["restricted"]
    assert (walk.incident.private, walk.incident.members) == (True, ("ana", "gus"))
    assert walk.does("restrict", reason="again") == []


def test_what_had_not_gone_out_when_it_became_private_does_not() -> None:
    """Messages that waited for a provider follow the incident as it is now."""
    walk = Walk.open("SEV1", title=f"{SECRET} breached", customer_facing=True)
    walk.does("post_update", audience="external", text=SECRET)
    walk.park(Port.STATUS)
    walk.does("restrict", reason="it is a breach")

    assert [text for text in told_outside(walk) if SECRET in text] == []
    assert [effect for effect in walk.incident.outbox if isinstance(effect.ask, Publish)] == []


def test_it_leaves_a_channel_that_everybody_reads() -> None:
    """Once private, the incident goes on in a channel of its own; the old one hears no more of it."""
    walk = Walk.open("SEV1", title=f"{SECRET} breached")
    deliver(walk, Port.CHAT)
    before = walk.incident.channel
    walk.does("restrict", reason="it is a breach")
    deliver(walk, Port.CHAT)

    assert (before, walk.incident.channel) == ("#incident-2026-11-24-zanzibar-breached", "#incident-2026-11-24-inc-2026-0001")
    assert walk.incident.channel_private


def test_the_public_hears_the_end_of_what_it_was_told_of() -> None:
    """An entry that stands on the page is neither left hanging nor told anything new: it promises no more, and is closed in the end."""
    walk = Walk.open("SEV2", customer_facing=True, services=["checkout"])
    walk.does("post_update", audience="external", text="we look into it")
    deliver(walk, Port.STATUS)
    walk.does("describe", affected=["checkout", SECRET])
    walk.does("restrict", reason=f"{SECRET} is behind it")
    quiet = [effect.ask for effect in walk.incident.outbox if isinstance(effect.ask, Publish)]
    deliver(walk, Port.STATUS)
    walk.reaches(Phase.POST_INCIDENT)
    over = [effect.ask for effect in walk.incident.outbox if isinstance(effect.ask, Publish)]

    assert [(ask.status, ask.next_update_by, ask.components) for ask in quiet] == [(PublicStatus.INVESTIGATING, None, ("checkout",))]
    assert [(ask.status, ask.components) for ask in over] == [(PublicStatus.RESOLVED, ("checkout",))]
    assert [ask.body for ask in (*quiet, *over) if SECRET in ask.body] == []


@pytest.mark.parametrize("arrives", [True, False], ids=["it arrives", "it fails"])
def test_a_public_word_that_is_under_way_is_answered_for_only_once_it_has_arrived(arrives: bool) -> None:
    """Where its try fails, no later message makes the incident public, and nobody is asked to do that by hand."""
    walk = Walk.open("SEV2", customer_facing=True)
    walk.does("post_update", audience="external", text="we look into it")
    (under_way,) = walk.waiting(Port.STATUS)
    walk.does("restrict", reason=f"{SECRET} is behind it")

    assert walk.waiting(Port.STATUS) == []

    if arrives:
        walk.deliver(under_way)
    else:
        walk.record([lifecycle.parked(walk.incident, under_way, "connection refused", None, walk.now)])
    told = [effect.ask.body for effect in walk.incident.outbox if isinstance(effect.ask, Publish)]

    assert (["We are still working on this. We will say here when it is resolved."] if arrives else []) == told
    assert [effect for effect in walk.waiting(Port.PAGING) if effect.purpose == "status_down"] == []


def test_a_refused_public_update_of_a_private_incident_cannot_be_sent_after_all() -> None:
    """Nor is anybody asked to tell the public by hand any more."""
    walk = Walk.open("SEV2", customer_facing=True)
    walk.does("post_update", audience="external", text="we look into it")
    (update,) = walk.waiting(Port.STATUS)
    walk.record([lifecycle.undeliverable(update, "401 unauthorised", walk.now)])

    assert [update] == [effect for effect in walk.incident.unsent if effect.port is Port.STATUS]
    assert "status_down" in [effect.purpose for effect in walk.waiting(Port.PAGING)]

    walk.does("restrict", reason=f"{SECRET} is behind it")

    assert walk.refused("retry_delivery", delivery=update.key).code == "unknown-delivery"
    assert "status_down" not in [effect.purpose for effect in walk.waiting(Port.PAGING)]


@pytest.mark.parametrize("arrived", [True, False], ids=["it stands there", "it waits"])
def test_whoever_speaks_to_the_public_is_told_to_say_no_more(arrived: bool) -> None:
    """They know what becomes of the public update, and are told by a page that names nothing."""
    walk = Walk.open("SEV2", customer_facing=True, title=f"{SECRET} breached")
    walk.does("assign", role="communications", person="cem")
    walk.does("post_update", audience="external", text=SECRET)
    if arrived:
        deliver(walk, Port.STATUS)
    walk.does("restrict", reason=f"{SECRET} is behind it")
    (page,) = [effect.ask for effect in walk.waiting(Port.PAGING) if effect.purpose == "public_no_more"]

    assert isinstance(page, Page)
    assert (page.to, page.role) == ("cem", "communications")
    assert SECRET not in page.text
    assert ("promises no next update" if arrived else "No entry of it stands there") in page.text


def test_nobody_is_told_of_a_public_word_that_never_was() -> None:
    """Most incidents that become private were told to nobody outside."""
    walk = Walk.open("SEV2")
    walk.does("restrict", reason=f"{SECRET} is behind it")

    assert [effect for effect in walk.waiting(Port.PAGING) if effect.purpose == "public_no_more"] == []


@pytest.mark.parametrize("facing", [True, False])
def test_a_private_incident_goes_through_to_its_close(facing: bool) -> None:
    """Being private takes nothing away from the process."""
    walk = secretive("SEV2", customer_facing=facing)
    walk.deliver_all()
    walk.reaches(Phase.CLOSED)

    assert Phase.CLOSED is walk.incident.phase


def test_folding_its_timeline_gives_its_state() -> None:
    """A private incident can be derived from its record as any other."""
    walk = secretive("SEV2")
    walk.does("invite", person="fay")
    walk.now += timedelta(minutes=1)
    deliver(walk, Port.CHAT)
    again, _ = lifecycle.record(lifecycle.blank(walk.start, walk.timeline[0].at), walk.timeline)

    assert again.model_dump(exclude={"seq"}) == walk.incident.model_dump(exclude={"seq"})
