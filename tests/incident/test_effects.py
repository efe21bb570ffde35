# ruff: noqa: SIM300 - the house writes what is expected first
"""What an incident asks of the outside world: each thing once, in order, and another way while a channel is down."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from incident import lifecycle
from incident.asking import ASKERS
from incident.checklists import UNCONFIRMED
from incident.effects import PORT_OF, ChangeTicket, Effect, FindOnCall, Invite, OpenTicket, Page, Port, Post, Publish
from incident.events import KINDS
from incident.model import CheckState
from incident.policy import Policy
from incident.vocabulary import Phase
from tests.incident.test_deciding import arrived
from tests.incident.walk import DOCUMENT, OPENED, PLAN, Walk, alert, opening_of


def asked(walk: Walk, verb: str, **fields: Any) -> list[tuple[str, str]]:
    """The effects that a command adds, as (action, purpose)."""
    return new(walk, lambda: walk.does(verb, **fields))


def new(walk: Walk, act: Any) -> list[tuple[str, str]]:
    before = walk.incident.effect_number
    act()
    return [(effect.ask.action, effect.purpose) for effect in walk.incident.outbox if effect.number > before]


def newest(walk: Walk, action: str) -> Effect:
    return next(effect for effect in reversed(walk.incident.outbox) if effect.ask.action == action)


# ---------------------------------------------------------------------- numbers and keys


def test_effects_are_numbered_over_the_whole_life_and_keyed_by_it() -> None:
    """The key under which a thing is told is the incident's id and a number that is never used again."""
    walk = Walk.open("SEV1", customer_facing=True)
    seen = list(walk.incident.outbox)
    walk.deliver_all()
    for verb, fields in (("post_update", {"audience": "internal", "text": "x"}), ("dispatch", {"request": "y"})):
        walk.does(verb, **fields)
        seen += walk.incident.outbox
        walk.deliver_all()

    assert [effect.key for effect in seen] == [f"INC-2026-0001:{effect.number}" for effect in seen]
    assert len({effect.number for effect in seen}) == len(seen)
    assert walk.incident.effect_number >= len(seen)


def test_each_port_gets_its_effects_in_order() -> None:
    """The channel is opened before anything is posted to it."""
    walk = Walk.open(None)
    walk.deliver_all()
    walk.does("declare", severity="SEV1")
    first = lifecycle.next_effect(walk.incident, Port.CHAT)

    assert first is not None
    assert ("open_channel", "#incident-2026-11-24-checkout-returns-5xx") == (first.ask.action, getattr(first.ask, "name", None))
    assert lifecycle.next_effect(walk.incident, Port.ARCHIVE) is None


def test_every_asker_listens_to_a_kind_that_exists_and_every_action_has_its_port() -> None:
    """A misspelt kind would ask for nothing, silently."""
    assert set(ASKERS) <= set(KINDS)
    assert set(PORT_OF.values()) == set(Port)


# ---------------------------------------------------------------------- what is asked for


@pytest.mark.parametrize(
    ("phase", "verb", "fields", "effects"),
    [
        (Phase.DETECTION, "acknowledge", {}, []),
        (Phase.DETECTION, "note", {"text": "x"}, []),
        (
            Phase.DETECTION,
            "declare",
            {"severity": "SEV2"},
            [("open_channel", "channel"), ("find_on_call", "find_commander"), ("post", "declared"), ("post", "executives")],
        ),
        (Phase.DETECTION, "declare", {"severity": "SEV3"}, [("find_on_call", "find_commander"), ("post", "declared")]),
        (Phase.DECLARATION, "assign", {"role": "commander", "person": "eva"}, [("post", "role")]),
        (Phase.DECLARATION, "advance", {"reason": "x"}, [("post", "triage")]),
        (Phase.TRIAGE, "hypothesize", {"text": "x"}, []),
        (Phase.TRIAGE, "mitigate", PLAN, [("post", "mitigation")]),
        (Phase.MITIGATION, "approve", {"by": "dana"}, [("post", "mitigation_approved")]),
        (Phase.TRIAGE, "post_update", {"audience": "internal", "text": "x"}, [("post", "update")]),
        (Phase.TRIAGE, "post_update", {"audience": "external", "text": "x"}, [("publish", "status")]),
        (Phase.TRIAGE, "dispatch", {"request": "x"}, [("brief", "dispatch")]),
        (Phase.RESOLUTION, "reopen", {"reason": "x"}, [("post", "reopened"), ("page", "reopened"), ("post", "triage")]),
        (Phase.POST_INCIDENT, "file_postmortem", {"document": DOCUMENT}, [("store_document", "postmortem"), ("post", "postmortem_filed")]),
        (Phase.POST_INCIDENT, "schedule_retrospective", {"at": "2026-12-01T10:00:00Z"}, [("post", "retrospective_scheduled")]),
        (
            Phase.POST_INCIDENT,
            "add_action_item",
            {"item": "x", "owner": "ben", "due": "2026-12-01"},
            [("open_ticket", "action_item")],
        ),
        (Phase.DETECTION, "dismiss", {"reason": "x", "as": "false_alarm"}, [("post", "dismissed")]),
        (Phase.DETECTION, "dismiss", {"reason": "x", "as": "not_production"}, [("post", "dismissed"), ("open_ticket", "ticket")]),
    ],
)
def test_each_event_asks_for_what_follows_from_it(phase: Phase, verb: str, fields: dict[str, Any], effects: list[tuple[str, str]]) -> None:
    """Who and what is told of each step, and nothing else is."""
    assert effects == asked(arrived(phase), verb, **fields)


def test_a_sev1_asks_for_the_senior_on_call_and_then_the_manager() -> None:
    """The commander of a SEV1 is the senior on-call; where nobody is, the manager is escalated to and paged."""
    walk = Walk.open("SEV1")
    effect = newest(walk, "find_on_call")

    assert isinstance(effect.ask, FindOnCall)
    assert ("senior on-call", "manager") == effect.ask.roles

    walk.deliver(effect, person="max", role="manager")

    assert ("max", "commander") == (walk.incident.commander, newest(walk, "page").purpose)
    assert CheckState.DONE is walk.incident.checklist["commander_assigned"].state


def test_nobody_on_call_is_escalated_at_once() -> None:
    """An incident without a commander pages the engineering lead, and says so in the timeline."""
    walk = Walk.open("SEV1")
    found = walk.deliver(newest(walk, "find_on_call"))
    page = newest(walk, "page").ask

    assert ["delivered", "role_unfilled"] == [event.kind for event in found]
    assert isinstance(page, Page)
    assert "engineering lead" == page.to


def test_a_commander_whom_people_named_is_not_replaced_by_the_rota() -> None:
    """What the rota says afterwards changes nothing."""
    walk = Walk.open("SEV1")
    walk.does("assign", role="commander", person="eva")

    assert ["delivered"] == [event.kind for event in walk.deliver(newest(walk, "find_on_call"), person="ben", role="senior on-call")]
    assert "eva" == walk.incident.commander


def test_resolving_tells_the_public_only_what_concerns_it() -> None:
    """The status page hears of the end where customers were concerned, and not otherwise."""
    purposes = []
    for customer_facing in (True, False):
        walk = Walk.open("SEV3", customer_facing=customer_facing).reaches(Phase.RESOLUTION)
        walk.confirms()
        purposes.append([purpose for _, purpose in asked(walk, "resolve", root_cause="x", fix_applied="y")])

    assert [["resolved", "status_resolved"], ["resolved"]] == purposes


def test_raising_tells_the_executives_and_lowering_does_not() -> None:
    """Executives hear of it when it becomes bad enough, once."""
    walk = Walk.open("SEV3")

    assert ["channel", "severity", "executives"] == [
        purpose for _, purpose in asked(walk, "change_severity", severity="SEV2", reason="it spreads") if purpose != "find_commander"
    ]

    walk.deliver_all()

    assert ["severity"] == [purpose for _, purpose in asked(walk, "change_severity", severity="SEV1", reason="it spreads")]


def test_completing_an_action_item_closes_its_ticket() -> None:
    """The ticket that was opened for the item is named by the item's id."""
    walk = Walk.open("SEV2")
    walk.does("add_action_item", item="Alert on retries\nand test it", owner="ben", due="2026-12-01")
    opened = newest(walk, "open_ticket").ask

    assert isinstance(opened, OpenTicket)
    assert ("AI-1", "INC-2026-0001 AI-1: Alert on retries", "ben") == (opened.ref, opened.title, opened.owner)
    assert [("close_ticket", "action_item_done")] == asked(walk, "complete_action_item", id="AI-1")


def test_a_changed_action_item_changes_its_ticket() -> None:
    """The tracker is told the new words, those that they replace, and what has changed."""
    walk = Walk.open("SEV2")
    walk.does("add_action_item", item="Alert on retries", owner="ben", due="2026-12-01")
    walk.deliver(newest(walk, "open_ticket"), reference="OPS-7")
    walk.does("change_action_item", id="AI-1", item="Alert on errors", owner="eva")
    ask = lifecycle.addressed(walk.incident, newest(walk, "change_ticket"), 1).ask

    assert isinstance(ask, ChangeTicket)
    assert ("AI-1", "OPS-7", "INC-2026-0001 AI-1: Alert on errors", "eva") == (ask.ref, ask.ticket, ask.title, ask.owner)
    assert [("INC-2026-0001 AI-1: Alert on retries", "Alert on retries", "ben")] == [
        (each.title, each.body, each.owner) for each in ask.was
    ]
    assert "ana changed AI-1: owner ben → eva, it says now: Alert on errors" == ask.note


def test_a_change_knows_all_words_that_may_stand_on_the_ticket() -> None:
    """While the tracker is away, words are replaced and the item is changed twice: whichever of them arrived is recognised as ours."""
    walk = Walk.open("SEV2")
    walk.does("add_action_item", item="first", owner="ben", due="2026-12-01")
    walk.does("replace_delivery", delivery=newest(walk, "open_ticket").key, text="second")
    walk.does("change_action_item", id="AI-1", item="third")
    walk.does("change_action_item", id="AI-1", item="fourth")
    ask = newest(walk, "change_ticket").ask

    assert isinstance(ask, ChangeTicket)
    assert {"first", "second", "third"} == {each.body for each in ask.was}


def test_a_ticket_that_was_refused_is_tried_again_with_the_words_of_today() -> None:
    """A change has no ticket to change then: what is tried again later says what the item says by then."""
    walk = Walk.open("SEV2")
    walk.does("add_action_item", item="Alert on retries", owner="ben", due="2026-12-01")
    opening = newest(walk, "open_ticket")
    walk.record([lifecycle.undeliverable(opening, "no such project", walk.now)])
    walk.does("change_action_item", id="AI-1", owner="eva", due="2026-12-08")
    walk.does("retry_delivery", delivery=opening.key)
    tickets = [effect.ask for effect in walk.waiting(Port.TICKETS)]

    assert ["open_ticket"] == [ask.action for ask in tickets]
    assert [("eva", date(2026, 12, 8))] == [(ask.owner, ask.due) for ask in tickets if isinstance(ask, OpenTicket)]


def test_a_ticket_that_is_refused_with_changes_behind_it_is_filed_as_they_say() -> None:
    """A change that waited for its ticket has nothing to change once that is refused: it is dropped, on record, and its words are filed."""
    walk = Walk.open("SEV2")
    walk.does("add_action_item", item="Alert on retries", owner="ben", due="2026-12-01")
    opening = newest(walk, "open_ticket")
    walk.does("change_action_item", id="AI-1", owner="eva")
    walk.does("change_action_item", id="AI-1", item="Alert on errors")
    walk.record([lifecycle.undeliverable(opening, "no such project", walk.now)])

    assert [] == walk.waiting(Port.TICKETS)
    assert [True, True] == ["its ticket was refused" in event.text for event in walk.timeline if event.kind == "replaced"]
    assert [True, True] == ["its ticket was refused" in each.note for each in walk.incident.settled if each.state == "replaced"]

    walk.does("retry_delivery", delivery=opening.key)
    asks = [effect.ask for effect in walk.waiting(Port.TICKETS)]

    assert [("Alert on errors", "eva", "Alert on retries")] == [
        (ask.body, ask.owner, ask.instead_of[-1].body) for ask in asks if isinstance(ask, OpenTicket)
    ]
    assert 1 == len(asks)


def test_a_text_given_to_a_waiting_ticket_after_its_change_stays() -> None:
    """Whoever replaced the words of a ticket last is heard: only its owner follows the change."""
    walk = Walk.open("SEV2")
    walk.does("add_action_item", item="Alert on retries", owner="ben", due="2026-12-01")
    walk.does("change_action_item", id="AI-1", owner="eva")
    walk.forward(minutes=1)
    walk.does("replace_delivery", delivery=newest(walk, "open_ticket").key, text="See the runbook")
    walk.record([lifecycle.undeliverable(newest(walk, "open_ticket"), "no such project", walk.now)])
    (refused,) = walk.incident.unsent

    assert isinstance(refused.ask, OpenTicket)
    assert ("See the runbook", "eva") == (refused.ask.body, refused.ask.owner)


def test_whoever_is_given_an_action_item_hears_of_it_at_once() -> None:
    """The channel reads who owns what and by when, and the new owner is told quietly; taking it over oneself, or a date, pages nobody."""
    walk = Walk.open("SEV2")
    walk.does("add_action_item", item="Alert on retries", owner="ben", due="2026-12-01")
    walk.does("change_action_item", id="AI-1", owner="eva")
    post, page = newest(walk, "post").ask, newest(walk, "page").ask

    assert isinstance(post, Post)
    assert isinstance(page, Page)
    assert ("eva", "owner", "low") == (page.to, page.role, page.urgency)
    assert post.text == page.text
    assert "@eva: AI-1 is yours now, due 2026-12-01: Alert on retries. Handed over by ana." in post.text
    assert [("change_ticket", "action_item_changed"), ("post", "action_item_owner")] == asked(
        walk, "change_action_item", id="AI-1", owner="@Ana"
    )
    assert [("change_ticket", "action_item_changed")] == asked(walk, "change_action_item", id="AI-1", owner="ana", due="2026-12-08")


def test_a_ticket_that_has_arrived_is_changed_by_its_action_item() -> None:
    """A delivery that arrived can't be replaced; the refusal says how its words are changed."""
    walk = Walk.open("SEV2")
    walk.does("add_action_item", item="Alert on retries", owner="ben", due="2026-12-01")
    opening = newest(walk, "open_ticket")
    walk.deliver(opening, reference="OPS-7")
    refusal = walk.refused("replace_delivery", delivery=opening.key, text="other")

    assert ("unknown-delivery", True) == (refusal.code, "change_action_item" in refusal.required_action)


# ---------------------------------------------------------------------- who is asked when something is late


def pages(walk: Walk, clock: str, times: int) -> list[str]:
    """Whom the misses of a clock page, one after another."""
    found: list[str] = []
    while len(found) < times:
        before = walk.incident.effect_number
        walk.forward(minutes=1)
        found += [
            effect.ask.to
            for effect in walk.incident.outbox
            if effect.number > before and isinstance(effect.ask, Page) and clock in effect.ask.text.lower()
        ]
    return found


def test_a_missed_update_asks_its_owner_and_then_climbs() -> None:
    """First the commander, then the engineering lead, then the next one up."""
    walk = Walk.open("SEV1")
    walk.does("acknowledge")
    walk.does("assign", role="commander", person="eva")

    assert ["eva", "engineering lead", "VP engineering", "CTO", "CEO", "CEO"] == pages(walk, "internal update", 6)


@pytest.mark.parametrize(("edition", "asked"), [(7, ["eva", "engineering lead"]), (8, ["engineering lead", "engineering lead"])])
def test_what_is_not_resolved_in_time_escalates_at_once(edition: int, asked: list[str]) -> None:
    """The commander of a SEV3 works on it already: after eight hours the next rung is called, not after sixteen."""
    walk = Walk(opening_of("SEV3").model_copy(update={"edition": edition}))
    walk.does("acknowledge")
    walk.does("assign", role="commander", person="eva")

    assert asked == pages(walk, "resolution", 2)


def test_a_missed_public_update_asks_communications_and_then_the_commander() -> None:
    """Whoever owes it is asked first, whoever leads next."""
    walk = Walk.open("SEV1", customer_facing=True)
    walk.does("acknowledge")
    walk.does("assign", role="commander", person="eva")
    walk.does("assign", role="communications", person="cem")
    walk.does("post_update", audience="external", text="We are looking into it.")

    assert ["cem", "eva", "VP engineering"] == pages(walk, "external update", 3)


def test_an_action_item_that_is_late_asks_owner_commander_and_manager_quietly() -> None:
    """Nobody is woken for a post-mortem's homework."""
    walk = Walk.open("SEV2").reaches(Phase.POST_INCIDENT)
    walk.does("assign", role="commander", person="eva")
    walk.does("add_action_item", item="Alert on retries", owner="ben", due="2026-11-24")
    walk.deliver_all()
    walk.forward(days=4)
    late = [effect.ask for effect in walk.incident.outbox if effect.purpose == "overdue" and isinstance(effect.ask, Page)]
    asked_for = [page for page in late if "AI-1" in page.text]

    assert ["ben", "eva", "manager"] == [page.to for page in asked_for][:3]
    assert {"low"} == {page.urgency for page in asked_for}


# ---------------------------------------------------------------------- delivered


def test_told_means_that_the_provider_has_it() -> None:
    """Items of the checklist that speak of telling are ticked by the delivery, not by the wish."""
    walk = Walk.open("SEV1", customer_facing=True)
    walk.does("post_update", audience="external", text="We are looking into it.")

    before = walk.incident.checklist["status_page_updated"].state
    walk.deliver(newest(walk, "publish"))

    assert (CheckState.OPEN, CheckState.DONE) == (before, walk.incident.checklist["status_page_updated"].state)
    assert 1 == walk.incident.delivered


def test_a_tick_that_is_ahead_of_the_status_page_says_so() -> None:
    """Somebody may have written there by hand; until the page has confirmed anything, the list and the record say whose word it is."""
    walk = Walk.open("SEV1", customer_facing=True)
    (ticked,) = walk.does("check", item="status_page_updated", note="rang the desk")
    ahead = walk.incident.checklist["status_page_updated"]
    walk.does("post_update", audience="external", text="We are looking into it.")
    walk.deliver(newest(walk, "publish"))
    by_now = walk.incident.checklist["status_page_updated"]
    (other,) = walk.does("check", item="recent_deployments_checked")

    assert (CheckState.DONE, f"rang the desk; {UNCONFIRMED}") == (ahead.state, ahead.note)
    assert ticked.text.endswith(f", {UNCONFIRMED}")
    assert (CheckState.DONE, "rang the desk", ahead.by) == (by_now.state, by_now.note, by_now.by)
    assert UNCONFIRMED not in other.text


@pytest.mark.parametrize(("opening", "edition"), [({"customer_facing": True}, 4), ({"customer_facing": False}, 5)])
def test_a_tick_is_a_tick_where_no_page_is_awaited_and_as_it_was_in_an_earlier_edition(opening: dict[str, Any], edition: int) -> None:
    """What customers don't notice is on no page; and a history that was begun before is lived through as it was."""
    walk = Walk(Walk.open("SEV1", **opening).start.model_copy(update={"edition": edition}))
    walk.does("check", item="status_page_updated")

    assert walk.incident.checklist["status_page_updated"].note is None


def test_the_channel_is_what_the_chat_made_of_its_name() -> None:
    """A name that was taken comes back with a number, and messages go to the channel that exists by then."""
    walk = Walk.open("SEV1")
    post = next(effect for effect in walk.incident.outbox if effect.purpose == "declared")
    before = lifecycle.addressed(walk.incident, post, 1).ask
    opened = walk.deliver(newest(walk, "open_channel"), channel="#incident-2026-11-24-checkout-returns-5xx-2")
    after = lifecycle.addressed(walk.incident, post, 2)

    assert ["channel_opened"] == [event.kind for event in opened]
    assert CheckState.DONE is walk.incident.checklist["channel_created"].state
    assert isinstance(before, Post)
    assert isinstance(after.ask, Post)
    assert ("#incidents", "#incident-2026-11-24-checkout-returns-5xx-2") == (before.channel, after.ask.channel)
    assert (post.key, 2) == (after.key, after.attempt)


def test_a_refused_message_goes_another_way_and_does_not_block_the_rest() -> None:
    """What a provider refuses for good leaves the queue, and people are told elsewhere."""
    walk = Walk.open("SEV1", customer_facing=True)
    walk.does("post_update", audience="external", text="We are looking into it.")
    effect = newest(walk, "publish")
    told = new(walk, lambda: walk.record([lifecycle.undeliverable(effect, "401 unauthorised", walk.now)]))

    assert [("post", "undeliverable"), ("page", "status_down")] == told
    assert [] == walk.waiting(Port.STATUS)


def test_a_refused_message_of_the_chat_is_paged_where_it_matters() -> None:
    """An important post that chat refuses reaches the commander's pager; an unimportant one is left alone."""
    walk = Walk.open("SEV1")
    effects = {effect.purpose: effect for effect in walk.waiting(Port.CHAT)}

    assert [("page", "undeliverable")] == new(walk, lambda: walk.record([lifecycle.undeliverable(effects["declared"], "no", walk.now)]))
    assert [] == new(walk, lambda: walk.record([lifecycle.undeliverable(effects["opened"], "no", walk.now)]))


# ---------------------------------------------------------------------- a channel that is down


def test_a_port_that_stays_down_is_tried_ever_more_rarely_and_never_given_up() -> None:
    """The wait doubles up to its limit; what is owed is kept, also after two hundred failures."""
    walk = Walk.open("SEV1")
    owed = walk.waiting(Port.CHAT)
    waits = []
    for _ in range(200):
        walk.park(Port.CHAT)
        waits.append(walk.incident.down[Port.CHAT].retry_at - walk.now)

    assert [30, 60, 120, 240, 480, 900, 900] == [wait.total_seconds() for wait in waits[:7]]
    assert timedelta(minutes=15) == waits[-1]
    assert owed == walk.waiting(Port.CHAT)
    assert (OPENED, 200) == (walk.incident.down[Port.CHAT].down_since, walk.incident.down[Port.CHAT].failures)


@pytest.mark.parametrize(
    ("asked_for", "wait"),
    [
        (timedelta(seconds=1), timedelta(seconds=30)),
        (timedelta(minutes=5), timedelta(minutes=5)),
        (timedelta(days=999_999), timedelta(days=1)),
    ],
)
def test_a_provider_that_asks_for_patience_gets_it_within_reason(asked_for: timedelta, wait: timedelta) -> None:
    """Retry-After is honoured where it is longer than our own wait, up to a day."""
    walk = Walk.open("SEV1")
    parked = lifecycle.parked(walk.incident, walk.incident.outbox[0], "429", asked_for, walk.now)

    assert (walk.now + wait).isoformat() == parked.data["retry_at"]


def test_chat_down_is_told_by_pager_once_with_what_was_to_be_said() -> None:
    """The first failure pages the commander with each message that matters; further failures page nobody."""
    walk = Walk.open("SEV1")
    matter = [effect for effect in walk.waiting(Port.CHAT) if effect.important]
    first = new(walk, lambda: walk.park(Port.CHAT))
    page = newest(walk, "page").ask

    assert [("page", "chat_down")] * len(matter) == first
    assert isinstance(page, Page)
    assert "Checkout returns 5xx" in page.text
    assert [] == new(walk, lambda: walk.park(Port.CHAT))


def test_while_chat_is_down_what_matters_is_paged_as_well() -> None:
    """A mitigation is important, an internal update is not."""
    walk = Walk.open("SEV1").reaches(Phase.TRIAGE)
    walk.park(Port.CHAT)

    assert [("post", "mitigation"), ("page", "chat_down")] == asked(walk, "mitigate", **PLAN)
    assert [("post", "update")] == asked(walk, "post_update", audience="internal", text="x")


@pytest.mark.parametrize("down", [True, False])
def test_a_newer_message_replaces_an_older_one_only_while_the_port_is_down(down: bool) -> None:
    """An hour's updates arrive as the last one; while chat is up, each is sent."""
    walk = Walk.open("SEV2")
    if down:
        walk.park(Port.CHAT)
    for text in ("first", "second", "third"):
        walk.does("post_update", audience="internal", text=text)
    updates = [effect.ask for effect in walk.waiting(Port.CHAT) if effect.purpose == "update"]

    assert (["third"] if down else ["first", "second", "third"]) == [
        word for ask in updates if isinstance(ask, Post) for word in ("first", "second", "third") if word in ask.text
    ]


def test_the_status_page_down_pages_whoever_owes_it_with_the_text_to_post_by_hand() -> None:
    """The public is told by hand while the page can't be reached."""
    walk = Walk.open("SEV1", customer_facing=True)
    walk.does("assign", role="communications", person="cem")
    walk.does("post_update", audience="external", text="Payments fail for some customers.")
    walk.park(Port.STATUS)
    page = newest(walk, "page").ask

    assert isinstance(page, Page)
    assert ("cem", "communications") == (page.to, page.role)
    assert "Payments fail for some customers." in page.text


def test_another_port_down_is_told_in_chat_once() -> None:
    """A ticket board that is away is worth a line, not a page."""
    walk = Walk.open("SEV2")
    walk.does("add_action_item", item="x", owner="ben", due="2026-12-01")

    assert [("post", "port_down")] == new(walk, lambda: walk.park(Port.TICKETS))
    assert [] == new(walk, lambda: walk.park(Port.TICKETS))


def test_a_delivery_ends_the_outage() -> None:
    """The first thing that arrives brings the port up again, and a later outage is told anew."""
    walk = Walk.open("SEV1")
    walk.park(Port.CHAT)
    walk.deliver(walk.waiting(Port.CHAT)[0])

    assert {} == walk.incident.down
    assert [("page", "chat_down")] == new(walk, lambda: walk.park(Port.CHAT))


def test_an_outage_blocks_nothing_of_the_lifecycle() -> None:
    """With every port down, an incident is taken from opening to closing."""
    walk = Walk.open("SEV1", customer_facing=True)
    for port in Port:
        if walk.waiting(port):
            walk.park(port)
    walk.reaches(Phase.CLOSED)

    assert "resolved" == walk.incident.outcome


def test_a_reminder_is_not_repeated_into_a_dead_channel() -> None:
    """Reminders of one clock collapse while chat is down, or an hour's outage ends in a flood."""
    walk = Walk.open("SEV1")
    walk.park(Port.CHAT)
    for _ in range(4):
        walk.forward(minutes=9)
        walk.does("post_update", audience="internal", text="x")
    kept = [effect.collapse for effect in walk.waiting(Port.CHAT) if effect.collapse]

    assert len(kept) == len(set(kept))


def test_alerts_that_fire_again_after_the_resolution_page_the_commander() -> None:
    """Whoever led is asked whether it is over."""
    walk = Walk.open("SEV2")
    walk.does("assign", role="commander", person="eva")
    walk.reaches(Phase.POST_INCIDENT)
    walk.told(alert(starts_at=walk.now))
    page = newest(walk, "page").ask

    assert isinstance(page, Page)
    assert ("eva", "high") == (page.to, page.urgency)


def test_the_public_entry_names_services_severity_and_the_next_update() -> None:
    """What goes to the status page is data that a page can show."""
    walk = Walk.open("SEV1", customer_facing=True, services=("checkout",))
    walk.does("post_update", audience="external", text="Payments fail.", status="identified")
    entry = newest(walk, "publish").ask

    assert isinstance(entry, Publish)
    assert ("identified", "SEV1", ("checkout",), walk.now + timedelta(minutes=15)) == (
        entry.status,
        entry.severity,
        entry.components,
        entry.next_update_by,
    )


def test_a_retrospective_invites_those_who_were_there_where_there_is_a_calendar() -> None:
    """With a calendar, everybody who was in it is invited; without one, and in a drill, nobody is."""
    at = {"at": (OPENED + timedelta(days=9)).isoformat()}
    for policy, invited in ((Policy(), 0), (Policy().inviting(True), 1), (Policy().inviting(True).scaled(60), 0)):
        walk = Walk(opening_of("SEV1").model_copy(update={"policy": policy}))
        walk.reaches(Phase.POST_INCIDENT)
        walk.does("schedule_retrospective", **at)
        asks = [effect.ask for effect in walk.waiting(Port.CALENDAR)]

        assert invited == len(asks)
        assert all(isinstance(ask, Invite) and set(walk.incident.members) == set(ask.people) for ask in asks)
