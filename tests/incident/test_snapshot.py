# ruff: noqa: SIM300 - the house writes what is expected first
"""What outsiders see of an incident: whole, in JSON, and the same whoever looks."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from incident import snapshot
from incident.effects import Port
from incident.events import Event
from incident.paging import PageReport
from incident.vocabulary import Phase
from tests.incident.walk import DOCUMENT, OPENED, PLAN, Walk, alert

CONTRACT = {"incident", "title", "severity", "phase", "roles", "channel", "checklist", "clocks", "blockers", "action_items"}


def state(walk: Walk) -> dict[str, Any]:
    return snapshot.state(walk.incident, walk.now)


def busy() -> Walk:
    """An incident with something of everything."""
    walk = Walk.open("SEV1", customer_facing=True, services=("checkout",), factors={"complete_outage": True})
    walk.does("acknowledge")
    walk.told(alert(service="checkout"))
    walk.does("dispatch", request="read the logs")
    walk.does("assign", role="commander", person="eva")
    walk.reaches(Phase.TRIAGE)
    walk.does("hypothesize", text="the release")
    walk.does("mitigate", **PLAN)
    walk.does("post_update", audience="external", text="We are looking into it.")
    walk.park(Port.CHAT)
    walk.does("add_action_item", item="x", owner="ben", due="2026-12-01")
    return walk


@pytest.mark.parametrize("phase", list(Phase))
def test_the_state_is_plain_json_with_everything_that_the_contract_names(phase: Phase) -> None:
    """In every phase the snapshot can be written as JSON and read back the same, and no key is ever missing."""
    found = state(Walk.open("SEV1", customer_facing=True).reaches(phase))

    assert found == json.loads(json.dumps(found))
    assert set(found) >= CONTRACT
    assert set(found) == set(state(Walk.open(None)))


def test_times_are_utc_in_iso_8601() -> None:
    """Every moment ends in Z, whoever reads it."""
    found = state(busy())

    assert ("2026-11-24T03:00:00Z", "2026-11-24T03:00:00Z") == (found["opened_at"], found["declared_at"])
    assert "2026-11-24T03:10:00Z" == next(clock["due"] for clock in found["clocks"] if clock["name"] == "internal_update")


def test_roles_that_nobody_holds_are_shown_as_such() -> None:
    """All four roles are there; who holds none of them is nobody."""
    assert {"commander": "eva", "communications": None, "scribe": None, "operations": None} == state(busy())["roles"]


def test_what_waits_and_what_is_down_can_be_seen() -> None:
    """Each undelivered message with its key and whether it is parked, and each port that can't be reached, with why."""
    deliveries = state(busy())["deliveries"]
    states = {(entry["port"], entry["state"]) for entry in deliveries["waiting"]}

    assert {("chat", "parked"), ("status", "queued")} <= states
    assert ["chat"] == list(deliveries["down"])
    assert "connection refused" == deliveries["down"]["chat"]["error"]
    assert all(entry["key"].startswith("INC-2026-0001:") for entry in deliveries["waiting"])


def test_a_clock_is_overdue_from_its_due_time_on() -> None:
    """Whoever looks before the clock has spoken sees that it is late, and by how much."""
    walk = Walk.open("SEV1")
    clock = walk.clock("internal_update")
    views = [snapshot.clock_view(clock, OPENED + timedelta(minutes=minutes)) for minutes in (9, 10, 12)]

    assert [("running", 0), ("overdue", 0), ("overdue", 120)] == [(view["state"], view["late_by"]) for view in views]


def test_a_met_clock_says_who_met_it_and_how_late() -> None:
    """What is done stays to be seen."""
    walk = Walk.open("SEV1")
    walk.forward(minutes=20)
    walk.does("acknowledge", by="ben")
    view = next(clock for clock in state(walk)["clocks"] if clock["name"] == "acknowledge")

    assert ("met", "ben", 300) == (view["state"], view["met_by"], view["late_by"])


def test_the_verification_says_since_when_and_until_when() -> None:
    """Whoever waits can see how long."""
    walk = Walk.open("SEV2").reaches(Phase.RESOLUTION)
    walk.confirms()

    assert {
        "length": 900,
        "since": "2026-11-24T03:00:00Z",
        "until": "2026-11-24T03:15:00Z",
        "passed_at": None,
    } == state(walk)["verification"]


def test_action_items_are_open_done_or_waived() -> None:
    """The status of each is one word."""
    walk = Walk.open("SEV2")
    for _ in range(3):
        walk.does("add_action_item", item="x", owner="ben", due="2026-12-01")
    walk.does("complete_action_item", id="AI-2")
    walk.does("waive", obligation="AI-3", reason="the service is retired next month")

    assert [("AI-1", "open"), ("AI-2", "done"), ("AI-3", "waived")] == [
        (item["id"], item["status"]) for item in state(walk)["action_items"]
    ]


def test_the_blockers_are_what_a_refusal_would_say() -> None:
    """What stands in the way is seen before it is run into, in the same words."""
    walk = Walk.open("SEV2").reaches(Phase.POST_INCIDENT)
    refusal = walk.refused("close")

    assert [blocker.model_dump(mode="json", exclude_none=True) for blocker in refusal.blockers] == state(walk)["blockers"]


def test_a_closed_incident_has_no_blockers() -> None:
    """Nothing stands in the way of nothing."""
    walk = Walk.open("SEV2").reaches(Phase.CLOSED)

    assert ([], None) == (state(walk)["blockers"], state(walk)["next"]["verb"])


def test_the_row_of_a_list_says_what_is_most_urgent() -> None:
    """A list shows the clock that is due first, and plain values only."""
    row = snapshot.row(busy().incident)

    assert ("INC-2026-0001", "SEV1", "eva", ["checkout"], "internal_update") == (
        row["incident"],
        row["severity"],
        row["commander"],
        row["services"],
        row["next_clock"],
    )
    assert row == json.loads(json.dumps(row))
    assert set(row) == set(snapshot.BLANK_ROW)


def test_what_lists_show_changes_exactly_when_their_facts_do() -> None:
    """A note costs no update of the lists; a new commander does."""
    walk = busy()
    before = snapshot.shown(walk.incident)
    walk.does("note", text="x")
    noted = snapshot.shown(walk.incident)
    walk.does("assign", role="commander", person="cem")

    assert before == noted
    assert before != snapshot.shown(walk.incident)


def test_the_post_mortem_shows_its_deadline_and_then_who_filed_it() -> None:
    """Due until it is there."""
    walk = Walk.open("SEV1").reaches(Phase.POST_INCIDENT)
    due = state(walk)["postmortem"]
    walk.does("file_postmortem", by="eva", document=DOCUMENT)

    assert (True, None, "2026-11-26T03:15:00Z") == (due["mandatory"], due["filed_at"], due["due"])
    assert "eva" == state(walk)["postmortem"]["by"]


def test_who_is_being_paged_is_known_until_somebody_answers() -> None:
    """The newest page counts; an acknowledgement ends it, and a page that arrives afterwards asks nobody any more."""
    walk = Walk.open(None)
    pages = [PageReport(outcome="paged", role="primary on-call", person=person, key=person).event(walk.now) for person in ("pia", "lee")]
    paged = [state(walk)["paged"]]
    for page in pages:
        walk.record([page])
        paged.append(state(walk)["paged"])
    walk.does("acknowledge")
    paged.append(state(walk)["paged"])
    walk.record([pages[0]])

    assert [None, "pia", "lee", None] == paged
    assert state(walk)["paged"] is None


def test_a_clock_is_called_what_people_call_it() -> None:
    """Nobody knows in the night what `ai-1` was: an item's clock says what is to be done, cut where it is long."""
    walk = Walk.open("SEV1")
    walk.does("add_action_item", item="Alert on\nretries " + "x" * 80, owner="ben", due="2026-12-01")
    labels = {clock["name"]: clock["label"] for clock in snapshot.state(walk.incident, OPENED)["clocks"]}

    assert labels["internal_update"] == "internal update"
    assert labels["action_item:AI-1"] == "AI-1: Alert on retries " + "x" * 43 + "…"


def with_alerts(count: int, length: int, *, firing: bool = True) -> Walk:
    walk = Walk.open("SEV1")
    text = "errors " * (length // 7)
    walk.told(*(alert(text, firing=firing or number % 2 == 0, instance=str(number)) for number in range(count)))
    return walk


SERVER_TAKES = 2_000_000


def test_an_incident_of_very_many_alerts_can_still_be_looked_at() -> None:
    """A server gives no answer that is larger than it takes; what is left out is counted, and what fires comes first."""
    walk = with_alerts(6_000, 300, firing=False)
    seen = state(walk)

    assert len(json.dumps(seen)) < SERVER_TAKES
    assert len(snapshot.brief(walk.incident).model_dump_json()) < SERVER_TAKES
    assert (seen["alerts_firing"], len(seen["alerts"]) + seen["alerts_left_out"]) == (3_000, 6_000)
    assert len(seen["alerts"]) > 400
    assert all(each["firing"] for each in seen["alerts"])


def test_a_thousand_alerts_are_all_shown() -> None:
    seen = state(with_alerts(1_000, 60))

    assert (len(seen["alerts"]), seen["alerts_left_out"]) == (1_000, 0)


async def test_a_long_timeline_is_read_answer_by_answer() -> None:
    """No answer is larger than the server takes, and whoever asks on has every entry once."""
    walk = with_alerts(10, 30)
    timeline = []
    for number in range(1, 2_501):
        long = "x" * (3_000 if number % 3 else 20)
        timeline.append(Event(seq=number, kind="note", by="ana", at=OPENED, text=long, data={"alerts": []}))
    sizes = []

    async def ask(after: int) -> list[dict[str, Any]]:
        answer = snapshot.entries(timeline, after)
        sizes.append(len(json.dumps(answer)))
        return answer

    found = await snapshot.every_entry(ask)

    assert [entry["seq"] for entry in found] == list(range(1, 2_501))
    assert max(sizes) < SERVER_TAKES
    assert len(sizes) > 4

    sizes.clear()
    assert [entry["seq"] for entry in await snapshot.every_entry(ask, after=2_490)] == list(range(2_491, 2_501))
    assert [each["seq"] for each in await snapshot.every_entry(_of(walk.timeline))] == [event.seq for event in walk.timeline]
    assert len(sizes) == 1


def _of(timeline: list[Event]) -> Callable[[int], Awaitable[list[dict[str, Any]]]]:
    async def ask(after: int) -> list[dict[str, Any]]:
        return snapshot.entries(timeline, after)

    return ask


async def test_an_entry_of_any_size_hides_none_that_comes_after_it() -> None:
    """Somebody who signals thousands of alerts at once makes one entry of them; those before and after it are read as well."""
    lengths = (20, 1_500_000, 20, 950_000, 50_000, 990_000, 20)
    timeline = [Event(seq=number, kind="note", by="ana", at=OPENED, text="x" * length) for number, length in enumerate(lengths, start=1)]

    assert [entry["seq"] for entry in await snapshot.every_entry(_of(timeline))] == list(range(1, len(lengths) + 1))
