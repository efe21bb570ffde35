"""Alerts on their way in messages."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from incident.parcels import parts, waves, weight


@given(st.lists(st.integers(0, 9), max_size=60), st.integers(1, 5), st.integers(1, 4))
def test_signals_that_may_overtake_each_other_never_speak_of_the_same_alert(said: list[int], a_signal: int, at_once: int) -> None:
    """Every word is handed on once; what is under way together holds no two words on one alert in different signals."""
    batch = [{"fingerprint": str(name), "word": number} for number, name in enumerate(said)]
    found = list(waves(batch, a_signal, at_once))

    assert [word for wave in found for signal in wave for word in signal] == batch
    assert all(len(wave) <= at_once and len(signal) <= a_signal for wave in found for signal in wave)
    for wave in found:
        names = [name for signal in wave for name in {word["fingerprint"] for word in signal}]

        assert len(names) == len(set(names))


@given(st.lists(st.integers(0, 300), max_size=40), st.integers(1, 8), st.integers(50, 500))
def test_no_message_is_larger_than_it_may_be(lengths: list[int], most: int, most_bytes: int) -> None:
    """Whatever their sizes: all go, in their order, and only one that is larger by itself goes above the size, alone."""
    batch = [{"fingerprint": str(number), "text": "x" * length} for number, length in enumerate(lengths)]
    found = list(parts(batch, [weight(each) for each in batch], most=most, most_bytes=most_bytes))

    assert [each for part in found for each in part] == batch
    assert all(len(part) <= most for part in found)
    assert all(len(part) == 1 or sum(map(weight, part)) <= most_bytes for part in found)
    assert [signal for wave in waves(batch, most, 10, most_bytes) for signal in wave] == found


def test_the_weight_of_an_alert_counts_what_a_character_may_become() -> None:
    """What is no plain character takes more than one byte."""
    assert weight({"text": "é\x00"}) >= len(b'{"text":"\xc3\xa9\\u0000"}')
