"""Small pictures of measurements: a line for a page (SVG) and one for a message (text). Pure functions of the points.

An SVG holds numbers and fixed words only, so nothing in it needs to be escaped but its title.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

WIDTH, HEIGHT, EDGE = 240, 48, 3
"""Pixels; the picture scales to where it stands."""

_BLOCKS = "▁▂▃▄▅▆▇█"
_NOTHING = "·"


def blocks(values: Sequence[float | None], most: int = 30) -> str:
    """One character a value, at most `most`: low to high, and a dot where there is no data."""
    shown = [values[number * len(values) // most] for number in range(most)] if len(values) > most else list(values)
    known = [value for value in shown if value is not None]
    if not known:
        return _NOTHING * max(1, len(shown))
    low, high = min(known), max(known)
    return "".join(_NOTHING if value is None else _BLOCKS[_step(value, low, high)] for value in shown)


def _step(value: float, low: float, high: float) -> int:
    return round(_share(value, low, high) * (len(_BLOCKS) - 1)) if high > low else 0


def _share(value: float, low: float, high: float) -> float:
    """Where `value` lies between `low` and `high`, 0 to 1; halves first, so that the widest range does not overflow."""
    span = high / 2 - low / 2
    return min(1.0, max(0.0, (value / 2 - low / 2) / span)) if span > 0 else 0.5


def sparkline(values: Sequence[float | None], title: str, limit: float | None = None) -> str:
    """An SVG of the values, oldest first; a dashed line at `limit`. Where there is no data the line is broken."""
    known = [value for value in [*values, limit] if value is not None]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)

    def y(value: float) -> float:
        return round(HEIGHT - EDGE - _share(value, low, high) * (HEIGHT - 2 * EDGE), 1)

    def x(number: int) -> float:
        return round(EDGE + number * (WIDTH - 2 * EDGE) / max(1, len(values) - 1), 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img">',
        f"<title>{escape(title)}</title>",
    ]
    if limit is not None:
        parts.append(
            f'<path d="M{EDGE} {y(limit)}H{WIDTH - EDGE}" fill="none" stroke="currentColor" stroke-dasharray="4 3" opacity="0.5"/>'
        )
    stretch: list[str] = []
    path: list[str] = []
    for number, value in enumerate(values):
        if value is None:
            path += [_line(stretch)] if stretch else []
            stretch = []
        else:
            stretch.append(f"{x(number)} {y(value)}")
    path += [_line(stretch)] if stretch else []
    if path:
        parts.append(f'<path d="{"".join(path)}" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round"/>')
    return "".join([*parts, "</svg>"])


def _line(points: list[str]) -> str:
    """A stretch without a break; one point alone is a dot."""
    return f"M{points[0]}h0" if len(points) == 1 else "M" + "L".join(points)
