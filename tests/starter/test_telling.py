"""An entry of the timeline is true whenever it is read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from starter.cli.board import board
from starter.cli.output import Paint
from starter.telling import since, told
from tests.incident.walk import OPENED, Walk, alert


def test_what_was_due_now_is_read_with_the_time_it_was_due() -> None:
    """An hour later, "now" is another time: the reader is told the due time, and the record stays as it was written."""
    walk = Walk.open("SEV1")
    walk.does("acknowledge")
    entry = next(event for event in walk.forward(minutes=10) if event.kind == "overdue").model_dump(mode="json")

    assert entry["text"].startswith("Internal update is overdue: it was due now;")
    assert told(entry).startswith("Internal update is overdue: it was due at 03:10 UTC;")


def test_what_people_wrote_is_left_alone() -> None:
    """Only the process's own sentence is read differently."""
    note = {"kind": "note", "text": "it was due now, they say", "data": {"due": "2026-11-24T03:10:00+00:00"}}

    assert told(note) == "it was due now, they say"
    assert told({"kind": "overdue", "text": "it was due 3 h ago", "data": {"due": "2026-11-24T03:10:00+00:00"}}) == "it was due 3 h ago"


def test_an_alert_is_read_with_its_beginning_where_that_is_not_when_it_was_heard_of() -> None:
    """What monitoring held back for long, or says of tomorrow, is seen in the timeline; what came at once needs no second time."""
    walk = Walk.open("SEV1")
    began = OPENED - timedelta(minutes=19)
    at_once, late, several, ahead = (
        told(walk.told(*batch)[0].model_dump(mode="json"))
        for batch in (
            [alert("Soon", starts_at=OPENED - timedelta(seconds=59))],
            [alert("Late", starts_at=began)],
            [alert("Both", starts_at=began, instance=name) for name in "ab"],
            [alert("Ahead", starts_at=OPENED).model_copy(update={"said_at": datetime(2099, 1, 1, tzinfo=UTC)})],
        )
    )

    assert at_once == "1 alert firing: Soon"
    assert late == "1 alert firing: Late (began at 02:41 UTC)"
    assert several == "2 alerts firing: Both (the first began at 02:41 UTC)"
    assert ahead == "1 alert firing: Ahead (at 2099-01-01 00:00 UTC by its sender's clock, which is ahead)"


def test_the_end_of_an_alert_does_not_tell_its_beginning_again() -> None:
    """That was told when it began."""
    walk = Walk.open("SEV1")
    walk.told(alert("Late", starts_at=OPENED - timedelta(hours=1)))
    (ended,) = walk.told(alert("Late", firing=False, starts_at=OPENED - timedelta(hours=1)))

    assert told(ended.model_dump(mode="json")) == "1 alert resolved: Late"


def test_status_says_what_fires_and_since_when() -> None:
    """The longest first, with the date where it is another day's; of many, how many more there are."""
    walk = Walk.open("SEV1")
    walk.told(*(alert(f"A{n}", starts_at=OPENED - timedelta(hours=n)) for n in range(5)), alert("Gone", firing=False))
    state = {"incident": "INC-2026-0001", "alerts": [each.model_dump(mode="json") for each in walk.incident.alerts.values()]}
    (line,) = [line for line in board(state, OPENED, Paint(False)) if "firing:" in line]

    assert line == "  firing: A4 since 2026-11-23 23:00 UTC; A3 since 00:00 UTC; A2 since 01:00 UTC and 2 more"
    assert since({"starts_at": "2026-11-24T03:00:00Z", "said_at": "2026-11-24T04:00:00Z"}, OPENED) == (
        "since 03:00 UTC (at 04:00 UTC by its sender's clock, which is ahead)"
    )
