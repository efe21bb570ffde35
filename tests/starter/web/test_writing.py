"""Two people are not to tell the public the same thing twice: each hears of the other while they write."""

from __future__ import annotations

from datetime import timedelta

from starter.web.writing import LASTS, Beside, Writers
from tests.incident.walk import OPENED

ROOM, OTHER = "INC-2026-0001", "INC-2026-0002"


def test_whoever_writes_is_told_to_the_others_of_that_room_and_to_nobody_else() -> None:
    """Not to themselves, and not where another incident is meant."""
    writers = Writers()
    writers.writes(ROOM, "dana")
    writers.writes(ROOM, "ben")

    assert writers.beside(ROOM, "priya") == ["ben", "dana"]
    assert writers.beside(ROOM, "dana") == ["ben"]
    assert writers.beside(OTHER, "priya") == []


def test_it_is_said_once_and_taken_back_when_it_is_posted() -> None:
    """A stream that has said it is silent until it is another."""
    writers = Writers()
    beside = Beside(writers, ROOM, "priya")
    before = beside.news()
    writers.writes(ROOM, "dana")
    said, again = beside.news(), beside.news()
    writers.ends(ROOM, "dana")

    assert (before, again) == ("", "")
    assert said == "event: writing\ndata: dana is writing to the public just now.\n\n"
    assert beside.news() == "event: writing\ndata: \n\n"


def test_whoever_went_away_from_a_sentence_is_forgotten() -> None:
    """After a minute of silence nobody waits for them, and nothing of it is kept."""
    now = [OPENED]
    writers = Writers(lambda: now[0])
    writers.writes(ROOM, "dana")
    now[0] += LASTS - timedelta(seconds=1)
    still = writers.beside(ROOM, "priya")
    now[0] += timedelta(seconds=1)
    writers.writes(OTHER, "ben")

    assert still == ["dana"]
    assert writers.beside(ROOM, "priya") == []
    assert list(writers._seen) == [OTHER]
