"""The board of `tocsin status`."""

from __future__ import annotations

from datetime import timedelta

from incident.telling import since
from starter.cli.board import board
from starter.cli.output import Paint
from tests.incident.walk import OPENED, Walk, alert


def test_status_says_what_fires_and_since_when() -> None:
    """The longest first, with the date where it is another day's; of many, how many more there are."""
    walk = Walk.open("SEV1")
    walk.told(*(alert(f"A{n}", starts_at=OPENED - timedelta(hours=n)) for n in range(5)), alert("Gone", firing=False))
    state = {"incident": "INC-2026-0001", "alerts": [each.model_dump(mode="json") for each in walk.incident.alerts.values()]}
    (line,) = [line for line in board(state, OPENED, Paint(False)) if "firing:" in line]

    assert line == "  firing: A4 since 2026-11-23 23:00 UTC; A3 since 00:00 UTC; A2 since 01:00 UTC and 2 more"
    assert since({"starts_at": "2026-11-24T03:00:00Z", "said_at": "2026-11-24T04:00:00Z"}, OPENED) == (
        "since 03:00 UTC (at 04:00 UTC by its sender's clock, which is ahead)"
    )
