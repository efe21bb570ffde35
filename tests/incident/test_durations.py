"""Lengths of time as people say them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from incident.durations import roughly, spoken


@pytest.mark.parametrize(
    ("length", "said"),
    [
        (timedelta(seconds=15), "15 s"),
        (timedelta(minutes=15), "15 min"),
        (timedelta(minutes=90, seconds=3), "1 h 30 min 3 s"),
        (timedelta(0), "0 s"),
        (timedelta(seconds=-4), "0 s"),
    ],
)
def test_a_length_is_whole_units_and_never_a_fraction(length: timedelta, said: str) -> None:
    """A drill's verification period is 15 seconds, not a quarter of a minute."""
    assert said == spoken(length)


@pytest.mark.parametrize(
    ("age", "said"),
    [
        (timedelta(seconds=40), "40 s"),
        (timedelta(minutes=12, seconds=40), "12 min"),
        (timedelta(hours=7, minutes=59), "7 h"),
        (timedelta(days=3, hours=5), "3 d"),
    ],
)
def test_an_age_is_rounded_to_what_anybody_wants_to_know(age: timedelta, said: str) -> None:
    """Nobody needs the seconds of what was three days ago."""
    assert said == roughly(age)
