"""The pages say what the code does."""

from __future__ import annotations

from tests.docs import problems


def test_the_pages_are_up_to_date() -> None:
    """Every table that is made from the code is current, and every link leads somewhere."""
    assert list(problems()) == []
