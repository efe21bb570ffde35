"""A channel's name says what it is for, in letters that every chat takes."""

from __future__ import annotations

import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.naming import CHANNEL_LIMIT, channel_name

DAY = date(2026, 11, 24)


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Checkout returns 5xx in EU", "#incident-2026-11-24-checkout-returns-5xx-in-eu"),
        ("  Kasse   lädt nicht!! ", "#incident-2026-11-24-kasse-ladt-nicht"),
        ("Ｃｈｅｃｋｏｕｔ ﬁle", "#incident-2026-11-24-checkout-file"),
        ("支払いが失敗する", "#incident-2026-11-24-inc-2026-0001"),
        ("🔥🔥", "#incident-2026-11-24-inc-2026-0001"),
        ("---", "#incident-2026-11-24-inc-2026-0001"),
        ("@here <script>", "#incident-2026-11-24-here-script"),
        ("a" * 200, "#incident-2026-11-24-" + "a" * 59),
        ("a" * 58 + " b", "#incident-2026-11-24-" + "a" * 58),
    ],
)
def test_a_title_becomes_a_channel_name(title: str, name: str) -> None:
    """`#incident-YYYY-MM-DD-brief-description`, or the incident's id where nothing of the title is left."""
    assert name == channel_name(title, DAY, "INC-2026-0001")


@given(st.text(max_size=400), st.dates(min_value=date(2000, 1, 1)))
def test_every_title_gives_a_name_that_every_chat_takes(title: str, day: date) -> None:
    """Lower-case ASCII, at most eighty characters, no dash at the end."""
    name = channel_name(title, day, "INC-2026-0001")

    assert re.fullmatch(r"#incident-\d{4}-\d{2}-\d{2}-[a-z0-9]+(-[a-z0-9]+)*", name)
    assert len(name) <= CHANNEL_LIMIT == 80
