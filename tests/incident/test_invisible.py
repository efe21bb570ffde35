"""What nobody can see in a text misleads nobody."""

from __future__ import annotations

import pytest

from incident.invisible import for_the_public, shown, undirected
from incident.messages import plain

TURNING = [chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))]


@pytest.mark.parametrize("char", TURNING, ids=lambda char: f"U+{ord(char):04X}")
def test_what_turns_the_direction_never_leaves_the_house(char: str) -> None:
    """Not on the status page, not into a chat; inside it is shown by its number."""
    assert for_the_public(f"a{char}b") == "ab"
    assert undirected(f"a{char}b") == plain(f"a{char}b") == "ab"
    assert shown(f"a{char}b") == f"a[U+{ord(char):04X}]b"


@pytest.mark.parametrize(
    "char",
    [*"\x00\x07\x1b\x7f\x85\u00ad\u061c\u180e\u200b\u200e\u200f\u2028\u2029\u2060\u2064\u206a\u3164\ufeff\ufffb", "\U000e0041"],
    ids=lambda char: f"U+{ord(char):04X}",
)
def test_what_can_not_be_seen_is_not_published(char: str) -> None:
    """Nothing hides in a public text: no controls, no zero-width spaces, no marks of direction, no tags."""
    assert for_the_public(f"a{char}b\nc\r\n") == "ab\nc\n"


@pytest.mark.parametrize(
    "text", ["مرحبا بالعالم", "שלום", "می\N{ZERO WIDTH NON-JOINER}خواهم", "👩\N{ZERO WIDTH JOINER}🚒 on it", "a\nb", "Ünïcödé 100 %"]
)
def test_what_people_write_stays_as_it_is(text: str) -> None:
    """Right-to-left words, joined emoji and paragraphs need none of it."""
    assert for_the_public(text) == undirected(text) == shown(text) == text
