"""An entry of the timeline is true whenever it is read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from incident import messages
from incident.telling import counted, ordinal, things, told
from incident.vocabulary import Phase
from tests.incident.walk import OPENED, Walk, alert


def test_what_was_due_now_is_read_with_the_time_it_was_due() -> None:
    """An hour later, "now" is another time: the reader is told the due time, and the record stays as it was written."""
    walk = Walk.open("SEV1")
    walk.does("acknowledge")
    entry = next(event for event in walk.forward(minutes=10) if event.kind == "overdue").model_dump(mode="json")

    assert entry["text"].startswith("Internal update is overdue: it was due now;")
    assert told(entry).startswith("Internal update is overdue: it was due at 03:10 UTC;")


def test_what_was_due_some_time_ago_is_read_with_the_time_it_was_due() -> None:
    """Nothing ran when it came due: how late it was noticed is told beside the due time, with the date where it was another day's."""
    walk = Walk.open("SEV1")
    walk.does("acknowledge")
    late = [told(event.model_dump(mode="json")) for event in walk.pause(days=1) if event.data.get("clock") == "internal_update"]

    assert late == [
        "Internal update is overdue: it was due at 2026-11-24 03:10 UTC, 23 h 50 min before; commander owes it "
        "(noticed late by 23 h 50 min: nothing was running)"
    ]


def test_what_is_due_soon_is_read_with_the_time_it_is_due() -> None:
    """A reminder that is read after the update would otherwise still promise it."""
    walk = Walk.open("SEV1")
    walk.does("acknowledge")
    reminder = next(event for event in walk.forward(minutes=9) if event.kind == "reminder")

    assert "is due in" in reminder.text
    assert told(reminder.model_dump(mode="json")) == "Internal update is due at 03:10 UTC; commander owes it"


def test_each_time_is_counted_as_people_count() -> None:
    """The record says `for the 2. time`."""
    walk = Walk.open("SEV1")
    walk.does("acknowledge")
    again = [event for event in walk.forward(minutes=20) if event.data.get("clock") == "internal_update" and event.kind == "overdue"][1]

    assert "for the 2. time" in again.text
    assert told(again.model_dump(mode="json")).startswith(
        "Internal update is overdue: it was due at 03:10 UTC, 10 min before, for the 2nd time;"
    )
    assert [ordinal(number) for number in (1, 2, 3, 4, 11, 12, 13, 21, 22, 111)] == (
        ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd", "111th"]
    )


def test_what_people_wrote_is_left_alone() -> None:
    """Only the process's own sentence is read differently."""
    note = {"kind": "note", "text": "it was due now, they say", "data": {"due": "2026-11-24T03:10:00+00:00"}}

    assert told(note) == "it was due now, they say"
    assert told({"kind": "overdue", "text": "it was due now"}) == "it was due now", "no due time on record: nothing is made up"


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


def test_one_thing_is_told_in_the_singular() -> None:
    """Whoever reads at night stumbles over `1 alert(s)`; what earlier editions have on record stays as it is."""
    assert (counted(1, "alert"), counted(2, "alert"), counted(0, "alert")) == ("1 alert", "2 alerts", "0 alerts")
    assert (things(1, "alert", edition=4), things(1, "alert", edition=3)) == ("1 alert", "1 alert(s)")


def test_an_item_that_outlives_the_incident_goes_on_and_two_go_on() -> None:
    """The entry that closes it says which."""
    told = []
    for items in (1, 2):
        walk = Walk.open("SEV1").reaches(Phase.POST_INCIDENT)
        walk.settles_everything()
        if items == 2:
            walk.does("add_action_item", item="Test the rollback", owner="eva", due="2026-12-01")
        told += [event.text for event in walk.does("close") if event.kind == "closed"]

    assert told == ["ana closed it; AI-1 goes on in the follow-up", "ana closed it; AI-1, AI-2 go on in the follow-up"]


def test_one_alert_fires_and_two_fire() -> None:
    """The general channel hears of what planned work holds back."""
    one, two = (messages.maintenance_note("g", [alert(name, service="db") for name in names]) for names in (["DiskFull"], ["A", "B"]))

    assert one == "Planned maintenance: DiskFull fires, and opens no incident. Group: g"
    assert two == "Planned maintenance: A, B fire, and open no incident. Group: g"
