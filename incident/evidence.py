"""What monitoring says, and what an incident makes of it: baselines, readings, verdicts, refusals.

The rules, in one place:

- **The baseline** is taken from a window that ends `baseline_margin` before the incident began (`started_at`, else its
  earliest alert, else its opening). A value is at baseline while it is not worse than the window's median by more than
  `baseline_tolerance` of it, or than nineteen in twenty values of the window, whichever allows more. A query's own
  threshold goes before all that. An infinite value says nothing of what is normal, and is no part of a baseline.
- **Red** is a single sample worse than that. **A gap** is no data for longer than `gap_after`. **Unreachable** is
  monitoring that gives no answer. None of the three is green, and each starts the verification period again.
- The two criteria that monitoring can judge confirm themselves when a whole look is green, and a person's word against
  the evidence is refused. Only an incident that has queries is bound so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from incident.queries import Query, Watching
from incident.vocabulary import Better, Signal

if TYPE_CHECKING:
    from incident.model import Incident

Verdict = Literal["green", "red", "gap", "unreachable"]

Point = tuple[datetime, float | None]
"""A moment and what was measured; None where monitoring answered that there is no data."""

POINTS_KEPT = 60
"""Points of a picture, and of a query's newest readings in the state."""

ALERTS_NAMED = 10
FINDING_LINES = 10
LINE_LENGTH = 300
INFINITE = 1e300
"""From here on a value is taken for an infinite one, which monitoring's adapter gives as the largest number there is."""

ENOUGH = 5
"""Values without which a window says nothing about what is normal."""


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Baseline(Frozen):
    """What was normal before the incident began. `limit` is the worst value that counts as back at it."""

    since: datetime
    until: datetime
    median: float
    limit: float
    count: int


class FiringNow(Frozen):
    """One alert that fires now at monitoring, whether or not it was posted to us."""

    fingerprint: str
    name: str
    starts_at: datetime
    service: str = ""
    summary: str = ""
    silenced: bool = False


class Measured(Frozen):
    """What one query gave in one look. `points` are the newest, at most `POINTS_KEPT`."""

    query: str
    points: tuple[Point, ...] = ()
    baseline: Baseline | None = None


class SampleRequest(Frozen):
    """One look: every query from `since` to `until`, a sample each `every`; baselines where there is none yet."""

    incident: str
    services: tuple[str, ...]
    queries: tuple[Query, ...]
    since: datetime
    until: datetime
    every: timedelta
    baseline_of: tuple[str, ...] = ()
    baseline_since: datetime | None = None
    baseline_until: datetime | None = None
    baseline_tolerance: float = 0.2


class SampleReport(Frozen):
    """What one look gave."""

    measured: tuple[Measured, ...] = ()
    firing: tuple[FiringNow, ...] = ()


class Reading(Frozen):
    """One query as it stands: its newest value, when there last was data, and how the last look judged it."""

    query: str
    verdict: Verdict
    said: str
    value: float | None = None
    at: datetime | None = None
    data_at: datetime | None = None
    limit: float | None = None
    points: tuple[Point, ...] = ()


class Evidence(Frozen):
    """What monitoring has said since the incident came to resolution; the last N points and counts, never more."""

    verdict: Verdict
    through: datetime
    next_look: datetime
    looks: int = 0
    same: int = 0
    samples: int = 0
    restarts: int = 0
    readings: dict[str, Reading] = Field(default_factory=dict)
    firing: tuple[str, ...] = ()
    error: str | None = None


class Finding(Frozen):
    """What one of the checklist's questions was answered with, by monitoring and then by a person."""

    id: str
    looked_up: bool
    text: str
    at: datetime
    lines: tuple[str, ...] = ()
    pictures: tuple[Measured, ...] = ()
    confirmed_by: str | None = None
    corrected_to: str | None = None


QUESTIONS: dict[str, tuple[str, ...]] = {
    "related_alerts": ("related_alerts_checked",),
    "deployments": ("recent_deployments_checked", "recent_changes_identified"),
    "known_issues": ("known_issues_checked",),
    "signals": (),
}
"""What is looked up, and the items of the checklists that each answer ticks. `signals` ticks what it has a query for."""

SIGNAL_ITEMS = {Signal.ERRORS: "error_patterns_analyzed", Signal.SATURATION: "resource_utilization_checked"}


# ---------------------------------------------------------------------- what is measured


def watched(incident: Incident) -> Watching | None:
    """How monitoring is asked; None where nothing is measured.

    Rules that name queries bind an incident also where no monitoring is configured: it can't be reached then, which is no green.
    """
    if incident.policy.monitoring is None and incident.routed is not None and incident.routed.binds and not incident.drill:
        return Watching()
    return incident.policy.monitoring


def queries(incident: Incident) -> tuple[Query, ...]:
    """What is measured for this incident: the policy's queries of its services, then its rules', then its own, less what was dropped."""
    watching = watched(incident)
    if watching is None:
        return ()
    found = {query.name: query for service in incident.services for query in watching.queries.get(service, ())}
    if incident.routed is not None:
        found |= {query.name: query for said in incident.routed.queries for query in said.measured()}
    found |= {query.name: query for query in incident.queries}
    return tuple(query for name, query in found.items() if name not in incident.unmeasured)[:20]


def binds(incident: Incident) -> bool:
    """Whether verification goes by measurements: there is something to measure, even where nobody can be asked."""
    return bool(queries(incident))


LOOKS_BACK = timedelta(days=400)
"""How far back a beginning is believed: a date of year 1 is a mistake of its sender, and no monitoring keeps more than this."""


def began_at(incident: Incident) -> datetime:
    """When the trouble began, as far as is known and can be: not after its opening, and not before anything is kept of."""
    said = incident.started_at
    if said is None:
        said = min((alert.starts_at for alert in incident.alerts.values()), default=incident.opened_at)
    return max(incident.opened_at - LOOKS_BACK, min(said, incident.opened_at))


def baseline_window(incident: Incident, watching: Watching) -> tuple[datetime, datetime]:
    until = min(began_at(incident), incident.opened_at) - watching.baseline_margin
    return until - watching.baseline_window, until


# ---------------------------------------------------------------------- judging, pure arithmetic


def worse(one: float, other: float, query: Query) -> bool:
    return one > other if query.better is Better.LOWER else one < other


def baseline(points: Sequence[Point], query: Query, since: datetime, until: datetime, tolerance: float) -> Baseline | None:
    """What was normal in the window; None where there is too little to say."""
    values = sorted((value for _, value in points if value is not None and abs(value) < INFINITE), reverse=query.better is Better.HIGHER)
    if len(values) < ENOUGH:
        return None
    middle = median(values)
    allowed = abs(middle) * tolerance
    by_median = middle + allowed if query.better is Better.LOWER else middle - allowed
    common = values[min(len(values) - 1, (len(values) * 19) // 20)]
    limit = common if worse(common, by_median, query) else by_median
    return Baseline(since=since, until=until, median=middle, limit=limit, count=len(values))


def limit_of(query: Query, known: Baseline | None) -> float | None:
    """The worst value that is well: the query's own threshold, else the baseline's."""
    if query.threshold is not None:
        return query.threshold
    return known.limit if known is not None else None


def judged(query: Query, points: Sequence[Point], known: Baseline | None, *, data_at: datetime, until: datetime, gap: timedelta) -> Reading:
    """What the samples of one look say about one query. `data_at` is when there last was data before them."""
    limit = limit_of(query, known)
    newest = next(((at, value) for at, value in reversed(points) if value is not None), None)
    reading = Reading(
        query=query.name,
        verdict="green",
        said="",
        value=newest[1] if newest else None,
        at=newest[0] if newest else None,
        data_at=newest[0] if newest else data_at,
        limit=limit,
    )
    red = _worst(query, points, limit) if limit is not None else None
    if red is not None and limit is not None:
        return reading.model_copy(
            update={"verdict": "red", "said": f"{figure(query, red[1])} at {red[0]:%H:%M:%S}, {allowed(query, limit)}"}
        )
    missing = _gap(points, data_at, until, gap)
    if missing is not None:
        return reading.model_copy(update={"verdict": "gap", "said": f"no data from {missing[0]:%H:%M:%S} to {missing[1]:%H:%M:%S}"})
    if limit is None:
        said = "no baseline: there is too little data from before the incident, and the query has no threshold"
        return reading.model_copy(update={"verdict": "gap", "said": said})
    return reading.model_copy(update={"said": f"{figure(query, newest[1] if newest else None)}, {allowed(query, limit)}"})


def _worst(query: Query, points: Sequence[Point], limit: float) -> tuple[datetime, float] | None:
    bad = [(at, value) for at, value in points if value is not None and worse(value, limit, query)]
    if not bad:
        return None
    return max(bad, key=lambda point: (point[1] if query.better is Better.LOWER else -point[1], point[0]))


def _gap(points: Sequence[Point], data_at: datetime, until: datetime, gap: timedelta) -> tuple[datetime, datetime] | None:
    last = data_at
    for at, value in points:
        if value is None:
            continue
        if at - last > gap:
            return last, at
        last = max(last, at)
    return (last, until) if until - last > gap else None


def figure(query: Query, value: float | None) -> str:
    shown = "no data" if value is None else f"{value:.4g}" if abs(value) < INFINITE else "infinite" if value > 0 else "minus infinite"
    return f"{query.name} is {shown}" + (f" {query.unit}" if query.unit and value is not None else "")


def allowed(query: Query, limit: float) -> str:
    word = "at most" if query.better is Better.LOWER else "at least"
    return f"{word} {limit:.4g} is well"


def newest(points: Sequence[Point], query: Query) -> str:
    """The newest value in words; where there is none any more, the last one and since when."""
    known = next(((at, value) for at, value in reversed(points) if value is not None), None)
    if known is None or known == tuple(points[-1]):
        return figure(query, known[1] if known is not None else None)
    return f"{figure(query, known[1])} at {known[0]:%H:%M:%S} UTC, no data since"


def overall(readings: Iterable[Reading]) -> Verdict:
    found = {reading.verdict for reading in readings}
    order: tuple[Verdict, ...] = ("red", "unreachable", "gap")
    return next((verdict for verdict in order if verdict in found), "green")


def worst_series(series: Iterable[Sequence[Point]], query: Query, moments: Sequence[datetime]) -> tuple[Point, ...]:
    """One value a moment, the worst of all series that have one there."""
    at: dict[datetime, float] = {}
    for points in series:
        for moment, value in points:
            if value is not None and (moment not in at or worse(value, at[moment], query)):
                at[moment] = value
    return tuple((moment, at.get(moment)) for moment in moments)


def moments(since: datetime, until: datetime, every: timedelta) -> tuple[datetime, ...]:
    """When to sample after `since`: at `until`, and each `every` before it. `until` always is one, however close."""
    count = max(1, -((since - until) // every))
    found = [until - every * number for number in range(count)]
    return tuple(at for at in reversed(found) if at > since) or (until,)


def thinned(points: Sequence[Point], query: Query, most: int = POINTS_KEPT) -> tuple[Point, ...]:
    """At most `most` points, each the worst of its stretch, so that a short peak is not lost from a picture."""
    if len(points) <= most:
        return tuple(points)
    kept: list[Point] = []
    for number in range(most):
        stretch = points[number * len(points) // most : (number + 1) * len(points) // most]
        known = [point for point in stretch if point[1] is not None]
        kept.append(max(known, key=lambda p: (p[1] or 0.0) if query.better is Better.LOWER else -(p[1] or 0.0)) if known else stretch[-1])
    return tuple(kept)
