"""How long things take: from an incident's opening to each of its milestones, by severity.

Drills and what turned out to be no incident are left out of the times, and counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from incident.vocabulary import Dismissal, Severity
from starter.reading import Row

MILESTONES = {"acknowledge": "acknowledged_at", "declare": "declared_at", "mitigate": "mitigated_at", "resolve": "resolved_at"}
"""Each of the four times, and the row's field that ends it."""

NO_INCIDENT = frozenset(dismissal.value for dismissal in Dismissal) | {"ticket"}
"""Outcomes of what never was an incident; `ticket` is what a SEV4 becomes."""


def summary(rows: Iterable[Row]) -> dict[str, Any]:
    """Counts, and median and 90th percentile in seconds of the four times; None where nothing has been measured."""
    everything = list(rows)
    real = [row for row in everything if not row.get("drill")]
    counted = [row for row in real if row.get("outcome") not in NO_INCIDENT]
    return {
        "incidents": len(counted),
        "open": sum(row["open"] for row in counted),
        "dismissed": len(real) - len(counted),
        "drills_left_out": len(everything) - len(real),
        "all": _times(counted),
        "by_severity": {severity.value: _of_severity(counted, severity) for severity in Severity},
    }


def _of_severity(rows: list[Row], severity: Severity) -> dict[str, Any]:
    of_it = [row for row in rows if row.get("severity") == severity.value]
    return {"incidents": len(of_it), **_times(of_it)}


def _times(rows: list[Row]) -> dict[str, Any]:
    return {name: _spread([_between(row, field) for row in rows if row.get(field)]) for name, field in MILESTONES.items()}


def _between(row: Row, field: str) -> timedelta:
    return datetime.fromisoformat(row[field]) - datetime.fromisoformat(row["opened_at"])


def _spread(lengths: list[timedelta]) -> dict[str, Any]:
    seconds = sorted(length.total_seconds() for length in lengths)
    return {"measured": len(seconds), "median": _quantile(seconds, 0.5), "p90": _quantile(seconds, 0.9)}


def _quantile(ordered: list[float], share: float) -> float | None:
    """Interpolated between the two nearest values, as most tools do it."""
    if not ordered:
        return None
    position = (len(ordered) - 1) * share
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return round(ordered[below] + (ordered[above] - ordered[below]) * (position - below), 3)
