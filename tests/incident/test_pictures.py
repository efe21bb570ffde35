# ruff: noqa: SIM300 - the house writes what is expected first
"""Small pictures: always drawable, always harmless, whatever was measured."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.pictures import HEIGHT, WIDTH, blocks, sparkline

VALUES = st.lists(st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)), max_size=80)


@pytest.mark.parametrize(
    ("values", "shown"),
    [((0.0, 0.5, 1.0), "▁▅█"), ((3.0, 3.0), "▁▁"), ((1.0, None, 2.0), "▁·█"), ((), "·"), ((None, None), "··")],
)
def test_a_line_of_text_goes_from_low_to_high(values: tuple[float | None, ...], shown: str) -> None:
    """The lowest block is the lowest value, the highest the highest, and a dot is no data."""
    assert shown == blocks(values)


@given(VALUES, st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)))
def test_every_picture_can_be_drawn(values: list[float | None], limit: float | None) -> None:
    """The picture is XML, stays within its frame, and has no number that a browser can't read."""
    picture = sparkline(values, "error ratio", limit)
    drawn = ElementTree.fromstring(picture)
    numbers = [float(part) for path in drawn.iter("{http://www.w3.org/2000/svg}path") for part in _numbers(path.attrib["d"])]

    assert all(0 <= number <= max(WIDTH, HEIGHT) for number in numbers)
    assert "nan" not in picture
    assert len(blocks(values)) <= 30


def _numbers(path: str) -> list[str]:
    return [part for part in path.replace("M", " ").replace("L", " ").replace("H", " ").replace("h", " ").split() if part]


def test_where_there_is_no_data_the_line_is_broken() -> None:
    """A gap is seen as one; a value alone is a dot."""
    assert 2 == sparkline((1.0, 2.0, None, 1.0), "x").split('d="')[1].split('"')[0].count("M")


def test_a_title_from_outside_is_only_a_title() -> None:
    """A query's name may hold anything; nothing of it becomes markup."""
    assert "<script>" not in sparkline((1.0,), "<script>alert(1)</script>")
