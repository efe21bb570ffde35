"""An incident that is measured: a walk whose monitoring answers as a test says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from incident import evidence, verifying
from incident.events import Event
from incident.evidence import FiringNow, Measured, Point, SampleReport, SampleRequest
from incident.policy import Policy
from incident.queries import Query, Watching
from incident.vocabulary import Phase
from tests.incident.walk import OPENED, Walk, opening_of

ERRORS = Query(name="error_ratio", expression="error_ratio", threshold=0.05)
BUSY = Query(name="cpu", expression="cpu", unit="%", signal="saturation")
"""Without a threshold: its baseline decides."""


def measured_walk(*queries: Query, severity: str | None = "SEV2", phase: Phase = Phase.RESOLUTION, **watching: Any) -> Walk:
    """A walk under a policy whose monitoring measures `queries` of the service checkout."""
    policy = Policy(monitoring=Watching(queries={"checkout": queries or (ERRORS,)}, **watching))
    start = opening_of(severity, services=["checkout"]).model_copy(update={"policy": policy})
    return Walk(start).reaches(phase)


def values(asked: SampleRequest, *given: float | None) -> tuple[Point, ...]:
    """The given values at the moments that were asked for; the last one goes on."""
    moments = evidence.moments(asked.since, asked.until, asked.every)
    return tuple((at, given[min(number, len(given) - 1)]) for number, at in enumerate(moments))


def look(
    walk: Walk,
    given: Mapping[str, tuple[float | None, ...]],
    *,
    firing: tuple[str, ...] = (),
    normal: float = 10.0,
    meanwhile: Callable[[], object] = lambda: None,
) -> list[Event]:
    """One look at which each query has these values; a baseline that is asked for was `normal` throughout.

    `meanwhile`: what somebody does while it is under way.
    """
    asked = verifying.request(walk.incident, walk.now)
    measured = []
    for query in asked.queries:
        known = None
        if query.name in asked.baseline_of and asked.baseline_since is not None and asked.baseline_until is not None:
            steady = [(at, normal) for at in evidence.moments(asked.baseline_since, asked.baseline_until, asked.every)]
            known = evidence.baseline(steady, query, asked.baseline_since, asked.baseline_until, asked.baseline_tolerance)
        measured.append(Measured(query=query.name, points=values(asked, *given.get(query.name, (None,))), baseline=known))
    alerts = tuple(FiringNow(fingerprint=name, name=name, starts_at=OPENED, service="checkout") for name in firing)
    report = SampleReport(measured=tuple(measured), firing=alerts)
    meanwhile()
    return walk.record(verifying.sampled(walk.incident, asked, report, walk.now))


def watched(walk: Walk, minutes: float, value: float | None = 0.01) -> list[Event]:
    """Let time pass with a look whenever one is due; answers with what was recorded."""
    end = walk.now + timedelta(minutes=minutes)
    told: list[Event] = []
    while (due := verifying.next_look(walk.incident)) is not None and due <= end:
        walk.now = max(walk.now, due)
        told += look(walk, {ERRORS.name: (value,)})
    walk.now = end
    return told


def kinds(events: list[Event]) -> list[str]:
    return [event.kind for event in events]
