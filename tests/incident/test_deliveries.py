# ruff: noqa: SIM300 - the house writes what is expected first
"""What became of each delivery is in the state, and people see to those that have not arrived."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from incident import channels, deliveries, lifecycle, redelivering
from incident.effects import Effect, OpenTicket, Page, Port, Post, Publish
from incident.model import Incident, Pause
from incident.refusals import Refusal
from incident.vocabulary import Access
from tests.incident.walk import Walk


def _walk(severity: str = "SEV1", **fields: Any) -> Walk:
    """Everything that the declaration asked for has arrived."""
    walk = Walk.open(severity, customer_facing=True, **fields)
    walk.does("acknowledge")
    walk.deliver_all()
    return walk


def _refuse(walk: Walk, effect: Effect) -> None:
    walk.record([lifecycle.undeliverable(effect, "401 unauthorised", walk.now)])


def _view(walk: Walk) -> dict[str, Any]:
    return deliveries.view(walk.incident)


def _states(walk: Walk, which: str) -> dict[str, str]:
    return {each["purpose"]: each["state"] for each in _view(walk)[which]}


def _pause(walk: Walk, *ports: Port) -> None:
    until = walk.now + timedelta(hours=1)
    pauses = [Pause(port=port, by="ana", reason="the vendor is out", since=walk.now, until=until) for port in ports]
    walk.record(channels.told(walk.incident, channels.Pauses(paused=tuple(pauses), by="ana"), walk.now))


def test_an_arrival_has_the_providers_own_reference() -> None:
    """Where it went, when, and under which name the provider knows it."""
    walk = _walk()
    walk.does("post_update", audience="internal", text="Rolling back")
    walk.deliver(walk.waiting(Port.CHAT)[0], reference="C1/1700.1")
    last = _view(walk)["settled"][-1]

    assert ("delivered", "C1/1700.1", "incident", "update") == (last["state"], last["reference"], last["to"], last["purpose"])


def test_a_page_by_the_second_way_says_why_not_by_the_first() -> None:
    """Failing over to the next provider is on the delivery."""
    walk = _walk()
    walk.forward(minutes=10)
    walk.deliver(walk.waiting(Port.PAGING)[0], detail={"pager": "email", "instead_of": {"pagerduty": "503"}})

    assert "by email, since pagerduty: 503" == _view(walk)["settled"][-1]["note"]


def test_another_text_than_the_one_that_was_asked_for_is_on_the_delivery() -> None:
    """Whoever has replaced a text reads that the tracker still shows the former one, and where to change it."""
    walk = _walk()
    walk.does("post_update", audience="internal", text="Rolling back")
    walk.deliver(walk.waiting(Port.CHAT)[0], detail={"text": "GitHub had #12 already"})

    assert "GitHub had #12 already" == _view(walk)["settled"][-1]["note"]


def test_what_waits_as_its_vendor_asks_says_so() -> None:
    """Too many requests are no outage: the entry and the delivery name the vendor, and when it wants to be asked again."""
    walk = _walk()
    walk.does("post_update", audience="internal", text="Rolling back")
    effect = walk.waiting(Port.CHAT)[0]
    parked = lifecycle.parked(walk.incident, effect, "429", timedelta(minutes=30), walk.now, vendor="Slack")
    walk.record([parked])
    waiting = next(each for each in _view(walk)["waiting"] if each["key"] == effect.key)

    assert parked.text.startswith(f"chat waits for Slack until {walk.now + timedelta(minutes=30):%H:%M:%S} UTC (429)")
    assert ("Slack", "429") == (waiting["waits_for"], waiting["error"])


def test_what_matters_has_failed_over_once_the_other_way_has_arrived() -> None:
    """Parked until the page is delivered, failed over from then on, delivered in the end; the two are tied together."""
    walk = _walk()
    walk.does("change_severity", severity="SEV2", reason="primary service restored, no data is being lost")
    walk.park(Port.CHAT)

    assert "parked" == _states(walk, "waiting")["severity"]

    page = walk.waiting(Port.PAGING)[-1]
    walk.deliver(page, person="ana")
    waiting = next(each for each in _view(walk)["waiting"] if each["purpose"] == "severity")

    assert ("failed_over", page.key) == (waiting["state"], waiting["instead"])

    walk.deliver(walk.waiting(Port.CHAT)[0])

    assert "delivered" == _states(walk, "settled")["severity"]


def test_a_refused_delivery_waits_for_somebodys_decision() -> None:
    """It is out of the queue and not out of sight; retried, it goes under the key that it had."""
    walk = _walk()
    walk.does("post_update", audience="internal", text="Rolling back")
    effect = walk.waiting(Port.CHAT)[0]
    _refuse(walk, effect)

    assert {"update": "refused"} == _states(walk, "refused")
    assert "401 unauthorised" == _view(walk)["refused"][0]["error"]

    walk.does("retry_delivery", delivery=effect.key)

    assert [effect] == walk.waiting(Port.CHAT)
    assert [] == _view(walk)["refused"]


def _updates(walk: Walk, *texts: str) -> list[Effect]:
    for text in texts:
        walk.does("post_update", audience="external", text=text)
    return walk.waiting(Port.STATUS)


def test_an_old_refused_update_does_not_turn_the_status_page_back() -> None:
    """Once a newer one has arrived it can't be sent any more, and what became of it is on record; before, the newer one is named."""
    walk = _walk()
    first, second = _updates(walk, "We look into it.", "It is the database.")
    _refuse(walk, first)
    refusal = walk.refused("retry_delivery", delivery=first.key)

    assert ("superseded", True) == (refusal.code, second.key in refusal.required_action)
    assert "status_down" not in [effect.purpose for effect in walk.waiting(Port.PAGING)], "the newer one is what should stand there"

    walk.deliver(second)

    assert () == walk.incident.unsent
    assert "replaced" == next(each["state"] for each in reversed(_view(walk)["settled"]) if each["key"] == first.key)
    assert "unknown-delivery" == walk.refused("retry_delivery", delivery=first.key).code


def test_of_two_refused_updates_the_newer_one_can_be_tried_again() -> None:
    """And the older one is done with when that arrives."""
    walk = _walk()
    first, second = _updates(walk, "We look into it.", "It is the database.")
    _refuse(walk, first)
    _refuse(walk, second)

    assert "superseded" == walk.refused("retry_delivery", delivery=first.key).code

    walk.does("retry_delivery", delivery=second.key)
    walk.deliver(second)

    assert [] == _view(walk)["refused"]


def test_a_replacement_has_its_place_and_another_key() -> None:
    """What comes after it still comes after it, and a provider that has the old one does not take the new one for a repeat."""
    walk = _walk()
    walk.does("post_update", audience="internal", text="v248 is bad")
    walk.does("dispatch", request="read the logs")
    walk.does("change_severity", severity="SEV2", reason="primary service restored, no data is being lost")
    first, last = walk.waiting(Port.CHAT)
    (event,) = walk.does("replace_delivery", delivery=str(first.number), text="v247 is bad", reason="a typing mistake")
    now = walk.waiting(Port.CHAT)

    assert [event.data["instead"], last.key] == [effect.key for effect in now]
    assert "v247 is bad" == lifecycle.addressed(walk.incident, now[0], 1).ask.text  # type: ignore[union-attr]
    assert "ana replaced it: a typing mistake" == _view(walk)["settled"][-1]["note"]


@pytest.mark.parametrize(
    ("kind", "fields", "changed"),
    [
        (Post, {"to": "general"}, {"room": "general"}),
        (Post, {"to": "#incident-stakeholders", "text": "x"}, {"room": "stakeholders", "text": "x"}),
        (Page, {"to": "eva"}, {"to": "eva"}),
        (Publish, {"text": "We know."}, {"body": "We know."}),
        (OpenTicket, {"to": "eva", "text": "Limit it"}, {"owner": "eva", "body": "Limit it"}),
    ],
)
def test_each_kind_takes_another_text_or_target_of_its_own(kind: type, fields: dict[str, str], changed: dict[str, str]) -> None:
    """A message another room, a page another person, a ticket another owner."""
    walk = _walk()
    walk.does("add_action_item", item="Limit the retries", owner="ben", due="2026-12-01")
    walk.does("post_update", audience="external", text="We look into it.")
    walk.does("post_update", audience="internal", text="Rolling back")
    walk.forward(minutes=25)
    effect = next(effect for effect in walk.incident.outbox if isinstance(effect.ask, kind))
    (event,) = walk.does("replace_delivery", delivery=effect.key, **fields)

    assert changed.items() <= event.data["ask"].items()


def test_a_replaced_ticket_knows_what_an_earlier_try_may_have_filed() -> None:
    """So that the tracker can put the new words in the place of those, and of nobody else's."""
    walk = _walk()
    walk.does("add_action_item", item="Limit the retries", owner="eva", due="2026-12-01")
    for text in ("Limit them to three", "Limit them to two"):
        (ticket,) = walk.waiting(Port.TICKETS)
        walk.does("replace_delivery", delivery=ticket.key, text=text)
    (ticket,) = walk.waiting(Port.TICKETS)

    assert isinstance(ticket.ask, OpenTicket)
    assert ["Limit the retries", "Limit them to three"] == [each.body for each in ticket.ask.instead_of]


@pytest.mark.parametrize("fields", [{"to": "the moon"}, {"to": "eva"}])
def test_a_target_that_the_kind_does_not_have_is_refused_with_those_that_it_has(fields: dict[str, str]) -> None:
    """Saying no names what would do."""
    walk = _walk()
    walk.does("post_update", audience="internal", text="Rolling back")
    refusal = walk.refused("replace_delivery", delivery=walk.waiting(Port.CHAT)[0].key, **fields)

    assert "not-replaceable" == refusal.code
    assert "incident, general or stakeholders" in refusal.required_action


def test_what_has_arrived_cannot_be_taken_back() -> None:
    """The refusal says that it is there, under which reference, and to say what is right instead."""
    walk = _walk()
    refusal = walk.refused("give_up_delivery", delivery=f"{walk.incident.id}:1", reason="a mistake")

    assert ("unknown-delivery", True) == (refusal.code, "has arrived" in refusal.message)
    assert "ref-1" in refusal.message


def test_a_reason_that_the_process_knows_does_not_give_anything_up() -> None:
    """Giving up is held to what waiving is held to."""
    walk = _walk()
    walk.does("post_update", audience="internal", text="Rolling back")

    assert walk.refused("give_up_delivery", delivery=walk.waiting(Port.CHAT)[0].key, reason="we are too busy to document")


def test_not_telling_the_public_is_the_speakers_to_decide() -> None:
    """A responder replaces a message, and neither what the public reads nor gives anything up."""
    walk = _walk()
    walk.does("post_update", audience="external", text="We look into it.")
    walk.does("post_update", audience="internal", text="Rolling back")
    public, inside = walk.waiting(Port.STATUS)[0].key, walk.waiting(Port.CHAT)[0].key

    def may(verb: str, key: str, role: Access, **fields: str) -> bool:
        outcome = walk.asks(verb, by="zoe", roles=[role.value], delivery=key, **fields)
        return not (isinstance(outcome, Refusal) and outcome.code == "not-permitted")

    assert may("replace_delivery", inside, Access.RESPONDER, text="x")
    assert not may("replace_delivery", public, Access.RESPONDER, text="x")
    assert may("replace_delivery", public, Access.COMMUNICATIONS, text="x")
    assert may("give_up_delivery", public, Access.COMMUNICATIONS, reason="told by hand")
    assert not may("give_up_delivery", inside, Access.COMMUNICATIONS, reason="told by hand")


def test_a_page_goes_up_the_chain_until_somebody_can_be_paged_and_ends_at_its_end() -> None:
    """Each refusal of an urgent page asks the next rung; at the end there is nobody left, and the channel says so."""
    walk = _walk()
    walk.forward(minutes=10)
    asked = []
    while pages := walk.waiting(Port.PAGING):
        asked.append(pages[0].ask.role)  # type: ignore[union-attr]
        _refuse(walk, pages[0])

    assert ["commander", *walk.incident.rule.escalation_chain] == asked
    assert [effect.purpose for effect in walk.waiting(Port.CHAT)].count("undeliverable") == len(asked)


# ---------------------------------------------------------------------- paused


def test_while_paused_a_newer_message_takes_the_place_of_one_that_says_less() -> None:
    """A whole outage of reminders and updates comes to one of each."""
    walk = _walk()
    _pause(walk, Port.CHAT)
    for number in range(3):
        walk.forward(minutes=9)
        walk.does("post_update", audience="internal", text=f"update {number}")
    waiting = [effect.purpose for effect in walk.waiting(Port.CHAT)]

    assert 1 == waiting.count("update")
    assert {"paused", "failed_over"} >= {each["state"] for each in _view(walk)["waiting"] if each["port"] == "chat"}


def _does_during_a_try(walk: Walk, verb: str, **fields: Any) -> None:
    """Carry a command out while the oldest message for chat and the oldest for the status page are being tried."""
    trying = {effects[0].number for port in (Port.CHAT, Port.STATUS) if (effects := walk.waiting(port))}
    outcome = walk.asks(verb, **fields)
    assert not isinstance(outcome, Refusal)
    walk.record([redelivering.as_it_stands(walk.incident, event, trying) for event in outcome])


@pytest.mark.parametrize("paused", [True, False], ids=["paused", "down"])
@pytest.mark.parametrize("arrives", [True, False], ids=["it arrives", "it fails"])
def test_what_is_being_tried_is_not_called_unsent(paused: bool, arrives: bool) -> None:
    """A newer message takes its place only once its try has failed; where it arrives, that is all that is on record of it."""
    walk = _walk()
    walk.does("post_update", audience="internal", text="Rolling back")
    if paused:
        _pause(walk, Port.CHAT)
    else:
        walk.park(Port.CHAT)
    first = walk.waiting(Port.CHAT)[0]
    _does_during_a_try(walk, "post_update", audience="internal", text="Rolled back")
    second = walk.waiting(Port.CHAT)[-1]

    assert [first, second] == walk.waiting(Port.CHAT)

    if arrives:
        walk.deliver(first)
    else:
        walk.park(Port.CHAT)
    ends = [each["state"] for each in _view(walk)["settled"] if each["key"] == first.key]

    assert ["delivered" if arrives else "replaced"] == ends
    assert [second] == walk.waiting(Port.CHAT)


def test_what_is_taken_back_from_the_public_during_a_try_may_have_arrived() -> None:
    """Made private at that moment, an incident can't tell yet whether the public has read of it, and says so."""
    walk = _walk()
    (update,) = _updates(walk, "We look into it.")
    _does_during_a_try(walk, "restrict", reason="it is about security")
    taken_back = next(each for each in _view(walk)["settled"] if each["key"] == update.key)

    assert ("replaced", True) == (taken_back["state"], "it may have arrived" in taken_back["note"])


def test_on_resuming_what_is_out_of_date_is_left_out_on_record() -> None:
    """The reminder of an update that was posted since is not sent; what has become of it is on record."""
    walk = _walk()
    _pause(walk, Port.CHAT)
    walk.forward(minutes=9)
    walk.does("post_update", audience="internal", text="Rolling back")

    assert "reminder" in [effect.purpose for effect in walk.waiting(Port.CHAT)]

    _pause(walk)

    assert "reminder" not in [effect.purpose for effect in walk.waiting(Port.CHAT)]
    assert "out of date" == next(each["note"] for each in _view(walk)["settled"] if each["purpose"] == "reminder")


def test_a_pause_that_is_known_adds_nothing_and_one_that_is_prolonged_tells_nobody_twice() -> None:
    """The whole set is told again and again; only what is new is on record."""
    walk = _walk()
    _pause(walk, Port.STATUS)
    told = len(walk.timeline)
    known = channels.Pauses(paused=tuple(walk.incident.paused.values()), by="ana")

    assert [] == channels.told(walk.incident, known, walk.now)

    walk.forward(minutes=1)
    posts = len(walk.waiting(Port.CHAT))
    _pause(walk, Port.STATUS)

    assert told + 1 == len(walk.timeline)
    assert posts == len(walk.waiting(Port.CHAT))


@pytest.mark.parametrize("paused_first", [True, False], ids=["paused, then down", "down, then paused"])
def test_each_message_that_matters_goes_another_way_once(paused_first: bool) -> None:
    """However many of them wait, and whichever of the two reasons comes first."""
    walk = Walk.open("SEV1", customer_facing=True)
    matters = {effect.number for effect in walk.waiting(Port.CHAT) if effect.important}
    steps: list[Callable[[], object]] = [lambda: _pause(walk, Port.CHAT), lambda: walk.park(Port.CHAT)]
    for step in steps if paused_first else reversed(steps):
        step()
    stands_for = [effect.stands_for for effect in walk.waiting(Port.PAGING) if effect.stands_for is not None]

    assert len(matters) > 1
    assert sorted(matters) == sorted(stands_for)


@pytest.mark.parametrize("steps", ["down paused", "paused resumed down"])
def test_the_newest_public_word_is_told_by_hand_once_and_no_older_one_after_it(steps: str) -> None:
    """However the outage is told of, whoever tells the public by hand is given what should stand there, and never older text or none."""
    walk = _walk()
    for text in ("We look into it.", "It is the database."):
        walk.does("post_update", audience="external", text=text)
    for step in steps.split():
        if step == "down":
            walk.park(Port.STATUS)
        else:
            _pause(walk, *[Port.STATUS] * (step == "paused"))
    told = [effect.ask.text for effect in walk.waiting(Port.PAGING) if isinstance(effect.ask, Page) and effect.purpose == "status_down"]

    assert [True] == ["It is the database." in text for text in told]


def test_an_incident_that_is_made_private_while_the_status_page_is_paused_never_reaches_it() -> None:
    """Nothing of it had gone out; nothing goes out at resume."""
    walk = Walk.open("SEV2", customer_facing=True)
    _pause(walk, Port.STATUS)
    walk.does("post_update", audience="external", text="We are looking into it", status="investigating")
    walk.does("restrict", reason="it is about security")
    _pause(walk)

    assert walk.incident.public_since is None
    assert [] == walk.waiting(Port.STATUS)


def test_practice_goes_on() -> None:
    """A drill reaches nobody outside, and so waits for nobody."""
    walk = _walk(drill=True)
    _pause(walk, Port.CHAT)

    assert {} == walk.incident.paused


def test_an_incident_that_begins_while_a_channel_is_paused_begins_with_it() -> None:
    """What it says first waits, too; what matters of it is paged."""
    walk = Walk.open(None)
    pause = Pause(port=Port.CHAT, by="ana", reason="the vendor is out", since=walk.now, until=walk.now + timedelta(hours=1))
    begun = Walk(walk.start.model_copy(update={"paused": (pause,)}))

    assert {Port.CHAT} == begun.incident.paused.keys()
    assert "channel_paused" in begun.kinds()
    assert Incident.model_validate_json(begun.incident.model_dump_json()) == begun.incident


def test_an_incident_of_the_first_edition_is_carried_out_as_it_was() -> None:
    """What runs already at an upgrade is not asked to do anything that its history does not have."""
    walk = Walk(Walk.open("SEV1").start.model_copy(update={"edition": 1}))
    walk.does("acknowledge")
    walk.deliver_all()
    walk.does("add_action_item", item="Limit the retries", owner="ben", due="2026-12-01")
    walk.deliver_all()
    walk.does("waive", obligation="AI-1", reason="the retries are gone")

    assert [] == list(walk.incident.outbox)


def test_every_request_about_a_channel_is_decided_from_what_is_paused() -> None:
    """Paging is never told to wait; a pause is prolonged, not begun anew; who may not is refused."""
    walk = _walk()
    ask = {"by": "ana", "reason": "the vendor is out"}
    paging = channels.decide({}, channels.read("pause_channel", {**ask, "port": "paging"}), walk.now)
    first = channels.decide({}, channels.read("pause_channel", {**ask, "port": "chat"}), walk.now)

    assert isinstance(paging, Refusal)
    assert "not-pausable" == paging.code
    assert isinstance(first, channels.Decided)

    later = walk.now + timedelta(minutes=30)
    paused = {pause.port: pause for pause in first.paused}
    longer = channels.decide(paused, channels.read("pause_channel", {**ask, "port": "chat", "minutes": 90}), later)
    nobody = channels.decide(paused, channels.read("resume_channel", {"by": "zoe", "port": "chat", "roles": ["viewer"]}), later)

    assert isinstance(longer, channels.Decided)
    assert (walk.now, later + timedelta(minutes=90)) == (longer.paused[0].since, longer.paused[0].until)
    assert isinstance(nobody, Refusal)
    assert "not-permitted" == nobody.code


@pytest.mark.parametrize(("hours", "times"), [(0, 1), (0.5, 1), (8, 9), (8.5, 9)])
def test_after_a_downtime_a_forgotten_pause_is_brought_to_mind_once(hours: float, times: int) -> None:
    """However many reminders nobody could send meanwhile; the next one comes at its hour, and goes to whoever is on call."""
    until = Walk.open().now
    now = until + timedelta(hours=hours)
    pause = Pause(port=Port.CHAT, by="ana", reason="the vendor is out", since=until - timedelta(hours=1), until=until)
    reminded, pages = 0, []
    while channels.remind_at(pause, reminded) <= now:
        reminded = channels.times_due(pause, reminded, now)
        pages.append(channels.reminder(pause, reminded, now))

    assert ["owner" if times == 1 else "primary on-call"] == [page.role for page in pages]
    assert (times, until + timedelta(hours=times)) == (reminded, channels.remind_at(pause, reminded))


def test_a_closed_incident_and_its_follow_up_are_shown_as_one() -> None:
    """What both know of is listed once, where the follow-up has it; what either knows alone is listed too."""
    own = {"delivered": 3, "waiting": [{"key": "1", "at": "own"}], "refused": [], "settled": [{"key": "0"}], "down": {}, "paused": {}}
    later = {"delivered": 4, "waiting": [{"key": "2"}], "refused": [], "settled": [{"key": "1"}], "down": {"chat": {}}, "paused": {}}
    shown = deliveries.joined(own, later)

    assert [["2"], [], ["0", "1"]] == [[each["key"] for each in shown[name]] for name in ("waiting", "refused", "settled")]
    assert (4, {"chat": {}}) == (shown["delivered"], shown["down"])


def test_whoever_has_handed_over_owes_nothing_more() -> None:
    """No delivery, no port to try and nobody to chase are left with an incident whose follow-up has them."""
    walk = _walk("SEV2")
    walk.does("add_action_item", item="Limit the retries", owner="eva", due=(walk.now + timedelta(days=3)).date().isoformat())
    walk.does("dismiss", reason="a test fired", as_="false_alarm")

    assert lifecycle.owes(walk.incident)
    assert not lifecycle.tried(walk.incident), "what waits for no provider is sent first"

    left = lifecycle.handed_over(walk.incident, walk.now)

    assert [] == [name for name, clock in left.clocks.items() if clock.open]
    assert ((), ()) == (left.outbox, left.unsent)
    assert [] == lifecycle.tick(left, walk.now + timedelta(days=9))
