"""Where each incident's dot stands: durations on a logarithmic scale, a lane for each severity. Numbers only; the template draws."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from incident.analytics import TOO_FEW, quantile
from incident.vocabulary import Severity

WIDTH, LEFT, RIGHT, LANE, TOP = 640, 64, 16, 44, 8
AXIS = 26
SIDE = 9
"""Two dots nearer than this, in pixels, are put one above the other."""

NARROWEST = 60
"""How much longer than the left edge the right one is at least: dots of one second don't fill the chart."""

TICKS = (
    (1, "1 s"),
    (10, "10 s"),
    (60, "1 min"),
    (600, "10 min"),
    (3_600, "1 h"),
    (6 * 3_600, "6 h"),
    (86_400, "1 d"),
    (7 * 86_400, "1 w"),
    (30 * 86_400, "30 d"),
    (365 * 86_400, "1 y"),
)


class Dot(NamedTuple):
    x: float
    y: float
    incident: str
    title: str
    seconds: float


class Lane(NamedTuple):
    severity: str
    y: float
    dots: list[Dot]
    median: float | None
    """Where the median's mark stands; None where there are too few for one."""


class Chart(NamedTuple):
    width: int
    height: int
    lanes: list[Lane]
    ticks: list[tuple[float, str]]
    bottom: float


def chart(rows: Sequence[Mapping[str, Any]], milestone: str) -> Chart | None:
    """The chart of one of the four times; None where nothing has been measured."""
    measured = [row for row in rows if row[milestone] is not None]
    if not measured:
        return None
    lengths = [_length(row[milestone]) for row in measured]
    low = max((tick for tick, _ in TICKS if tick <= min(lengths)), default=1)
    high = min((tick for tick, _ in TICKS if tick >= max(max(lengths), low * NARROWEST)), default=max(lengths))

    def x(seconds: float) -> float:
        share = (math.log(_length(seconds)) - math.log(low)) / (math.log(high) - math.log(low))
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    lanes = []
    names = [severity.value for severity in Severity] + ([""] if any(row["severity"] is None for row in measured) else [])
    for number, severity in enumerate(names):
        of_it = sorted((row for row in measured if (row["severity"] or "") == severity), key=lambda row: (row[milestone], row["incident"]))
        y = TOP + LANE * number + LANE / 2
        median = quantile([row[milestone] for row in of_it], 0.5) if len(of_it) >= TOO_FEW else None
        lanes.append(
            Lane(
                severity or "none",
                y,
                _spread([(x(row[milestone]), row) for row in of_it], y, milestone),
                None if median is None else x(median),
            )
        )
    bottom = TOP + LANE * len(lanes)
    ticks = [(x(tick), label) for tick, label in TICKS if low <= tick <= high]
    return Chart(WIDTH, bottom + AXIS, lanes, ticks, bottom)


def _length(seconds: float) -> float:
    """What happened at once stands at one second: there is no zero on this scale."""
    return max(1.0, float(seconds))


def _spread(placed: Sequence[tuple[float, Mapping[str, Any]]], y: float, milestone: str) -> list[Dot]:
    """The dots of a lane, near ones moved apart up and down in turn as far as the lane is high."""
    dots: list[Dot] = []
    near, began = 0, -math.inf
    for x, row in placed:
        near = near + 1 if x - began < SIDE else 0
        began = x if near == 0 else began
        step = (near + 1) // 2 * (SIDE - 1) * (1 if near % 2 else -1)
        limit = LANE / 2 - 6
        dots.append(Dot(x, round(y + max(-limit, min(limit, step)), 1), row["incident"], row["title"], row[milestone]))
    return dots
