"""What was late is told once: when it was missed, and what became of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from incident.lateness import Lateness, Miss, misses
from incident.vocabulary import Phase
from tests.incident.walk import OPENED, Walk, spoke


def late(walk: Walk, clock: str) -> list[Miss]:
    return [miss for miss in misses(map(vars, walk.timeline)) if miss.clock == clock]


def burning() -> Walk:
    walk = Walk.open("SEV1")
    walk.does("acknowledge")
    return walk


def test_a_clock_that_speaks_again_and_again_is_one_miss() -> None:
    """Four words on record, three of them reminders; the update that came at last ends it."""
    walk = burning()
    said = walk.forward(minutes=44)
    (update,) = walk.does("post_update", audience="internal", text="We roll back")
    (miss,) = late(walk, "internal_update")
    numbers = [event.seq for event in said if event.kind == "overdue" and event.data["clock"] == "internal_update"]

    assert [miss.first, *miss.again] == numbers
    assert len(numbers) == 4
    assert (miss.ended, miss.ended_at, miss.late) == (update.seq, OPENED + timedelta(minutes=44), timedelta(minutes=34))
    assert miss.sentence == "Internal update was due at 2026-11-24 03:10 UTC and came 34 min late after 3 reminders (commander owed it)"


def test_it_is_known_whose_first_word_says_more_by_now() -> None:
    """A reminder and what ends it change what stands beside the first word; a miss of its own does not, nor does what has come with it."""
    walk = burning()
    said = walk.forward(minutes=22)
    numbers = [event.seq for event in said if event.kind == "overdue" and event.data["clock"] == "internal_update"]
    first, again = numbers[0], numbers[1]
    (update,) = walk.does("post_update", audience="internal", text="We roll back")
    lateness = Lateness(map(vars, walk.timeline))

    assert first in lateness.gone_on([again])
    assert first in lateness.gone_on([update.seq])
    assert first not in lateness.gone_on([first, again])
    assert lateness.gone_on([]) == ()


def test_a_clock_that_was_met_and_is_missed_anew_is_another_miss() -> None:
    """Two updates that were late are two things to talk about."""
    walk = burning()
    walk.forward(minutes=12)
    walk.does("post_update", audience="internal", text="one")
    walk.forward(minutes=12)

    assert [(miss.again, miss.ended is None) for miss in late(walk, "internal_update")] == [((), False), ((), True)]


def test_what_was_never_done_is_not_said_to_have_come_late() -> None:
    """Resolving ends what was owed while it burned; nobody has told the executives by that."""
    walk = burning()
    walk.forward(minutes=20)
    walk.reaches(Phase.RESOLUTION)
    walk.confirms()
    walk.forward(minutes=15)
    resolved = next(
        event for event in walk.does("resolve", root_cause="The budget.", fix_applied="Rolled back.") if event.kind == "resolved"
    )
    (miss,) = late(walk, "notify_executives")

    assert (miss.ended, miss.late) == (resolved.seq, None)
    assert miss.sentence == (
        "Telling the executives was due at 2026-11-24 03:15 UTC and was no longer owed from 03:35 UTC on "
        "after 1 reminder (commander owed it)"
    )


def test_a_due_time_that_moves_ends_no_miss() -> None:
    """A raised severity asks for updates more often; what was late before is as late after."""
    walk = Walk.open("SEV2")
    walk.does("acknowledge")
    walk.forward(minutes=16)
    (moved,) = walk.does("change_severity", severity="SEV1", reason="payments fail")
    walk.forward(minutes=12)
    (miss,) = late(walk, "internal_update")

    assert "internal_update" in moved.data["clocks"]["superseded"]
    assert miss.ended is None
    assert miss.again
    assert miss.begun == f"; {len(miss.again)} reminder{'s' if len(miss.again) > 1 else ''} since"


def test_an_entry_says_what_it_ended() -> None:
    """The first word and the last entry tell the whole of it, whichever of the two is read."""
    walk = burning()
    walk.forward(minutes=21)
    (update,) = walk.does("post_update", audience="internal", text="We roll back")
    lateness = Lateness(event.model_dump(mode="json") for event in walk.timeline)
    (miss,) = (each for each in lateness.misses if each.clock == "internal_update")

    assert lateness.beside(miss.first) == "; 1 reminder until 03:21 UTC"
    assert lateness.beside(update.seq) == " (internal update 11 min late, after 1 reminder)"
    assert lateness.ends(update.seq)
    assert not lateness.ends(miss.first)
    assert [lateness.repeats(seq) for seq in (miss.first, *miss.again, update.seq)] == [False, True, False]
    assert lateness.beside(1) == ""


def test_what_was_done_in_time_is_no_miss() -> None:
    """A reminder before the time is no lateness."""
    walk = burning()
    said = walk.forward(minutes=9)
    walk.does("post_update", audience="internal", text="We roll back")

    assert "internal_update" in spoke(said, "reminder")
    assert misses(map(vars, walk.timeline)) == ()


def test_a_timeline_of_before_that_names_no_clock_is_read_too() -> None:
    """What is not on record is not made up."""
    entries: list[dict[str, Any]] = [{"seq": 4, "kind": "overdue", "text": "The update is overdue", "at": "2026-11-24T03:10:00Z"}]
    (miss,) = misses(entries)

    assert miss.sentence == "The update was due at an earlier time and is still owed (somebody owed it)"
