"""The numbers of many incidents: what is counted, what is left out, and who is behind each number."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from incident import analytics, snapshot
from incident.analytics import Facts, Window, behind, facts, quantile, report
from incident.vocabulary import Phase
from tests.incident.walk import DOCUMENT, OPENED, Walk

NOW = OPENED + timedelta(days=10)


def told(walk: Walk, **changes: Any) -> Facts:
    """What lists and timeline say of a walked incident."""
    row = {**snapshot.row(walk.incident), "open": walk.incident.open, **changes}
    return facts(row, walk.timeline)


def plain(number: int = 1, *, minutes: float = 10, **changes: Any) -> Facts:
    """An incident of which only the row is known, acknowledged after so many minutes."""
    row = {
        "incident": f"INC-2026-{number:04d}",
        "title": "Checkout fails",
        "severity": "SEV1",
        "services": ["checkout"],
        "phase": "closed",
        "outcome": "resolved",
        "opened_at": OPENED.isoformat(),
        "acknowledged_at": (OPENED + timedelta(minutes=minutes)).isoformat(),
        "open": False,
        **changes,
    }
    return facts(row)


@pytest.mark.parametrize(
    ("values", "median", "p90"),
    [
        ([], None, None),
        ([60.0], 60.0, 60.0),
        ([60.0, 120.0], 90.0, 114.0),
        ([60.0, 120.0, 360.0], 120.0, 312.0),
        ([1.0, 2.0, 3.0, 4.0, 100.0], 3.0, 61.6),
    ],
)
def test_median_and_ninetieth_percentile(values: list[float], median: float | None, p90: float | None) -> None:
    """A number between two measurements lies between them in proportion; nothing measured is no number."""
    assert (quantile(values, 0.5), quantile(values, 0.9)) == (median, p90)


def test_the_mean_is_pulled_away_by_one_long_night() -> None:
    """Both are told, since the mean alone would mislead."""
    made = report([plain(n, minutes=minutes) for n, minutes in enumerate((1, 1, 1, 1, 96), start=1)], NOW)
    spread = made["times"]["all"]["acknowledge"]

    assert (spread["median"], spread["mean"], spread["too_few"]) == (60.0, 1200.0, False)


@pytest.mark.parametrize(("count", "too_few"), [(0, True), (4, True), (5, False)])
def test_fewer_than_five_are_too_few_to_compare(count: int, too_few: bool) -> None:
    """A median of four nights says nothing about the next."""
    made = report([plain(n) for n in range(count)], NOW)

    assert made["times"]["all"]["acknowledge"]["too_few"] is too_few


def test_drills_and_what_was_no_incident_are_left_out_and_counted() -> None:
    """Practice changes no number, nor does a false alarm."""
    found = [plain(1), plain(2, drill=True), plain(3, outcome="false_alarm"), plain(4, outcome="ticket")]
    made = report(found, NOW)

    assert (made["incidents"], made["drills_left_out"], made["dismissed"]) == (1, 1, 2)
    assert [row["incident"] for row in made["rows"]] == ["INC-2026-0001"]


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        (Window(), ["INC-2026-0002", "INC-2026-0001"]),
        (Window(days=11), ["INC-2026-0002", "INC-2026-0001"]),
        (Window(days=5), ["INC-2026-0002"]),
        (Window(severity="SEV1"), ["INC-2026-0001"]),
        (Window(severity="SEV3"), []),
        (Window(service="search"), ["INC-2026-0002"]),
        (Window(days=5, severity="SEV1"), []),
    ],
)
def test_the_window_says_which_incidents_count(window: Window, expected: list[str]) -> None:
    """Period, severity and service narrow every number together; the newest stands first."""
    later = plain(2, severity="SEV2", services=["search"], opened_at=(NOW - timedelta(days=2)).isoformat(), acknowledged_at=None)
    made = report([plain(1), later], NOW, window)

    assert [row["incident"] for row in made["rows"]] == expected


def test_an_incident_counts_for_each_of_its_services_and_one_without_for_none() -> None:
    """Nothing is lost between the services."""
    made = report([plain(1, services=["checkout", "search"]), plain(2, services=[])], NOW)

    assert {name: group["incidents"] for name, group in made["times"]["by_service"].items()} == {
        "(no service)": 1,
        "checkout": 1,
        "search": 1,
    }


def test_an_update_in_time_is_kept_and_a_late_one_is_not() -> None:
    """Each promise to tell the responders is one measurement, however often it was missed before it was kept."""
    walk = Walk.open("SEV1")
    walk.does("acknowledge")
    walk.forward(minutes=5)
    walk.does("post_update", audience="internal", text="We are looking.")
    walk.forward(minutes=35)
    walk.does("post_update", audience="internal", text="Rolled back.")
    kept = report([told(walk)], walk.now)["on_time"]["internal_update"]

    assert (kept["due"], kept["on_time"], kept["share"], kept["late"]) == (2, 1, 0.5, ["INC-2026-0001"])


def test_one_post_that_stops_two_clocks_is_one_update() -> None:
    """The first word to the public is due twice over, and told once."""
    walk = Walk.open("SEV1", customer_facing=True)
    walk.forward(minutes=1)
    walk.does("post_update", audience="external", text="We are looking.")
    kept = report([told(walk)], walk.now)["on_time"]["external_update"]

    assert (kept["due"], kept["on_time"]) == (1, 1)


def test_an_update_that_is_overdue_now_is_late_already() -> None:
    """Nobody looks better by never posting."""
    walk = Walk.open("SEV1")
    walk.does("acknowledge")
    waiting = report([told(walk)], walk.now)["on_time"]["internal_update"]
    walk.forward(minutes=11)
    overdue = report([told(walk)], walk.now)["on_time"]["internal_update"]

    assert (waiting["due"], waiting["share"]) == (0, None)
    assert (overdue["due"], overdue["on_time"], overdue["late"]) == (1, 0, ["INC-2026-0001"])


def test_an_update_that_was_not_due_when_the_incident_ended_is_no_promise_kept() -> None:
    """Resolving stops the clocks; that is not an update in time."""
    walk = Walk.open("SEV3").reaches(Phase.POST_INCIDENT)

    assert report([told(walk)], walk.now)["on_time"]["internal_update"]["due"] == 0


@pytest.mark.parametrize(("days", "on_time"), [(1, 1), (3, 0)])
def test_a_post_mortem_is_on_time_or_late(days: int, on_time: int) -> None:
    """A SEV1's is due within 48 hours of the end."""
    walk = Walk.open("SEV1").reaches(Phase.POST_INCIDENT)
    walk.forward(days=days)
    walk.does("file_postmortem", document=DOCUMENT)
    kept = report([told(walk)], walk.now)["on_time"]["postmortem"]

    assert (kept["due"], kept["on_time"]) == (1, on_time)


def test_where_each_post_mortem_stands() -> None:
    """Owed ones stand first; a filed one says who filed it, and whether in time."""
    owed, late, filed = (Walk.open("SEV1").reaches(Phase.POST_INCIDENT) for _ in range(3))
    late.forward(days=3)
    filed.does("file_postmortem", by="dana", document=DOCUMENT)
    found = [told(filed, incident="filed"), told(late, incident="late"), told(owed, incident="owed"), told(Walk.open(), incident="none")]
    later = analytics.postmortems(found, late.now)
    at_once = analytics.postmortems(found, owed.now)

    assert [(row["incident"], row["state"], row["late"], row["by"]) for row in at_once] == [
        ("late", "due", False, None),
        ("owed", "due", False, None),
        ("filed", "filed", False, "dana"),
    ]
    assert [(row["incident"], row["state"], row["late"]) for row in later] == [
        ("late", "overdue", True),
        ("owed", "overdue", True),
        ("filed", "filed", False),
    ]


def test_a_reopened_incident_owes_its_post_mortem_anew() -> None:
    """What was filed about the first end does not explain the second."""
    walk = Walk.open("SEV1").reaches(Phase.POST_INCIDENT)
    walk.does("file_postmortem", document=DOCUMENT)
    walk.does("reopen", reason="errors are back")

    assert analytics.postmortems([told(walk)], walk.now) == []


def test_refusals_are_counted_by_code_with_their_incidents() -> None:
    """What the process forbids most often is what people should learn first."""
    walk = Walk.open("SEV2")
    for _ in range(2):
        walk.refused("close")
    walk.refused("resolve", root_cause="a leak", fix_applied="a patch")
    made = report([told(walk)], walk.now)

    assert [(row["count"], row["incidents"]) for row in made["refusals"]] == [(3, ["INC-2026-0001"])]
    assert behind(made, f"refused:{made['refusals'][0]['code']}") == ["INC-2026-0001"]


def test_an_action_item_is_listed_as_it_was_changed() -> None:
    """Whoever it was given to has it, by the new date."""
    walk = Walk.open("SEV2")
    walk.does("add_action_item", item="item 1", owner="ben", due="2026-11-24")
    walk.does("change_action_item", id="AI-1", item="item one", owner="eva", due="2026-12-24")
    (listed,) = analytics.action_items([told(walk)], (OPENED + timedelta(days=3)).date())

    assert (listed["item"], listed["owner"], listed["due"], listed["overdue"]) == ("item one", "eva", "2026-12-24", False)


def test_action_items_are_open_overdue_done_or_waived() -> None:
    """An item is overdue from the day after its due date on."""
    walk = Walk.open("SEV2")
    for number, day in enumerate(("2026-11-24", "2026-11-25", "2026-11-26", "2026-11-27"), start=1):
        walk.does("add_action_item", item=f"item {number}", owner="ben", due=day)
    walk.does("complete_action_item", id="AI-1")
    walk.does("waive", obligation="AI-2", reason="the service it is about is gone")
    made = report([told(walk)], OPENED + timedelta(days=3))
    listed = analytics.action_items([told(walk)], (OPENED + timedelta(days=3)).date())

    assert {name: made["action_items"][name] for name in ("total", "done", "waived", "open", "overdue")} == {
        "total": 4,
        "done": 1,
        "waived": 1,
        "open": 2,
        "overdue": 1,
    }
    assert [(row["id"], row["status"], row["overdue"]) for row in listed] == [
        ("AI-3", "open", True),
        ("AI-4", "open", False),
        ("AI-1", "done", False),
        ("AI-2", "waived", False),
    ]


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("open", ["INC-2026-0002"]),
        ("acknowledge", ["INC-2026-0001", "INC-2026-0002"]),
        ("resolve", []),
        ("severity:SEV1", ["INC-2026-0001"]),
        ("acknowledge:severity:SEV1", ["INC-2026-0001"]),
        ("acknowledge:service:search", ["INC-2026-0002"]),
        ("resolve:service:search", []),
        ("acknowledge:severity:SEV9", None),
        ("acknowledge:late:internal_update", None),
        ("service:search", ["INC-2026-0002"]),
        ("late:internal_update", []),
        ("items:overdue", []),
        ("without-details", ["INC-2026-0001", "INC-2026-0002"]),
        ("severity:SEV9", None),
        ("refused:wrong-phase", None),
        ("late:everything", None),
        ("", None),
    ],
)
def test_each_number_names_its_incidents(number: str, expected: list[str] | None) -> None:
    """Whoever doubts a number can look at the nights that it is made of."""
    open_one = plain(2, severity="SEV2", services=["search"], open=True)

    found = behind(report([plain(1), open_one], NOW), number)

    assert (sorted(found) if found is not None else None) == expected


def test_an_empty_record_has_no_numbers() -> None:
    """On the first day nothing is measured, and that is said as nothing, not as zero seconds."""
    made = report([], NOW)

    assert made["incidents"] == 0
    assert made["times"]["all"]["resolve"] == {
        "measured": 0,
        "median": None,
        "p90": None,
        "shortest": None,
        "longest": None,
        "mean": None,
        "too_few": True,
    }
    assert made["on_time"]["internal_update"]["share"] is None
