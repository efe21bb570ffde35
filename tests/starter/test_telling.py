"""An entry of the timeline is true whenever it is read."""

from __future__ import annotations

from starter.telling import told
from tests.incident.walk import Walk


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
