"""Verification by evidence: when to look at monitoring, what follows from a look, and what people may not say against it.

Nothing here runs for an incident without queries: it is verified on people's word, as ever.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from incident import evidence
from incident.events import MONITORING, Event
from incident.evidence import Evidence, FiringNow, Measured, Reading, SampleReport, SampleRequest, Verdict
from incident.model import Incident
from incident.refusals import Blocker, Code, Refusal, refuse
from incident.vocabulary import Criterion, Phase

SLOWER = 5
"""How many times rarer looks become once they find nothing new."""

JUDGED = (Criterion.METRICS_AT_BASELINE, Criterion.ALERTS_CLEARED)
"""What monitoring can judge. Whether users are still affected, people say."""


def period_of(incident: Incident) -> timedelta:
    """How long everything must have been green."""
    return incident.verification


def judges(incident: Incident, criterion: Criterion) -> bool:
    """Whether monitoring judges this criterion: it needs queries, and for the alerts a service to ask about."""
    if criterion not in JUDGED or not evidence.binds(incident):
        return False
    return criterion is Criterion.METRICS_AT_BASELINE or bool(incident.services)


def looking(incident: Incident) -> bool:
    """Whether monitoring is looked at: in resolution, where there is something to measure."""
    return incident.phase is Phase.RESOLUTION and evidence.binds(incident)


def next_look(incident: Incident) -> datetime | None:
    """When monitoring is looked at next: as often as the policy says, and at the end of the verification period."""
    if not looking(incident):
        return None
    known = incident.evidence
    if known is None:
        return incident.phase_entered_at
    if incident.verification_since is not None and incident.verification_passed_at is None:
        end = incident.verification_since + period_of(incident)
        if known.through < end < known.next_look and known.error is None:
            return end
    return known.next_look


def request(incident: Incident, now: datetime) -> SampleRequest:
    """What to ask at `now`: everything since the last look that was answered, however long ago that is.

    So a worker that was away, or a look that failed, leaves no hole where monitoring itself has the data.
    """
    watching = evidence.watched(incident)
    assert watching is not None, "only an incident that is looked at has something to ask"
    since, until = evidence.baseline_window(incident, watching)
    wanted = evidence.queries(incident)
    known = incident.evidence
    stale = [
        query.name
        for query in wanted
        if query.threshold is None and (query.name not in incident.baselines or incident.baselines[query.name].until != until)
    ]
    return SampleRequest(
        incident=incident.id,
        services=incident.services,
        queries=wanted,
        since=known.through if known is not None else now - watching.gap_after,
        until=now,
        every=watching.sample_every,
        baseline_of=tuple(stale),
        baseline_since=since if stale else None,
        baseline_until=until if stale else None,
        baseline_tolerance=watching.baseline_tolerance,
    )


def sampled(incident: Incident, asked: SampleRequest, report: SampleReport, now: datetime) -> list[Event]:
    """What follows from a look that was answered: its entry, the criteria that it confirms or takes back, the period's end."""
    watching = evidence.watched(incident)
    if watching is None or not looking(incident):
        return []
    given = _still_meant(incident, asked, report)
    baselines = {name: measured.baseline for name, measured in given.items() if measured.baseline is not None}
    known = incident.evidence
    readings: list[Reading] = []
    for query in evidence.queries(incident):
        measured = given.get(query.name)
        if measured is None:
            readings.append(Reading(query=query.name, verdict="gap", said=f"{query.name} has not been measured yet"))
            continue
        before = known.readings.get(query.name) if known is not None else None
        reading = evidence.judged(
            query,
            measured.points,
            baselines.get(query.name) or incident.baselines.get(query.name),
            data_at=(before.data_at if before is not None else None) or asked.since,
            until=asked.until,
            gap=watching.gap_after,
        )
        readings.append(reading.model_copy(update={"points": evidence.thinned(measured.points, query)}))
    verdict = evidence.overall(readings)
    bad = [_said(reading) for reading in readings if reading.verdict == verdict] if verdict != "green" else []
    firing = _named(report.firing)
    data: dict[str, Any] = {
        "verdict": verdict,
        "through": asked.until.isoformat(),
        "next_look": _next(incident, verdict, now).isoformat(),
        "samples": max((len(measured.points) for measured in report.measured), default=0),
        "readings": [reading.model_dump(mode="json", exclude_defaults=True) for reading in readings],
        "baselines": {name: found.model_dump(mode="json") for name, found in baselines.items()},
        "firing": firing,
    }
    text = "; ".join(bad) or f"At baseline: {'; '.join(reading.said for reading in readings)}"
    text += f". Firing: {', '.join(firing)}" if firing else ". No related alert fires"
    events = [_event("evidence", f"{_WORDS[verdict]}. {text}", now, **data)]
    metrics = _criterion(incident, Criterion.METRICS_AT_BASELINE, "; ".join(bad), text, now)
    fires = f"{', '.join(firing)} fires" if firing else "an alert of this incident fires" if incident.firing else ""
    judged = judges(incident, Criterion.ALERTS_CLEARED)
    alerts = _criterion(incident, Criterion.ALERTS_CLEARED, fires, "no related alert fires", now) if judged else []
    events += [*metrics, *alerts]
    since = incident.verification_since
    over = since is not None and incident.verification_passed_at is None and since + period_of(incident) <= asked.until
    if over and not metrics and not alerts and not bad and not fires:
        whole = "The whole verification period was green, by measurement; the incident can be resolved"
        events.append(_event("verification_passed", whole, now))
    return events


def _still_meant(incident: Incident, asked: SampleRequest, report: SampleReport) -> dict[str, Measured]:
    """What was measured, by query, without those that somebody changed while the look was under way."""
    meant = {query.name: query.expression for query in evidence.queries(incident)}
    changed = {query.name for query in asked.queries if meant.get(query.name) != query.expression} if incident.edition > 8 else set()
    return {measured.query: measured for measured in report.measured if measured.query not in changed}


_WORDS: dict[Verdict, str] = {
    "green": "Green",
    "red": "Red",
    "gap": "A gap in the data",
    "unreachable": "Monitoring can't be reached",
}


def _said(reading: Reading) -> str:
    return reading.said if reading.said.startswith(reading.query) else f"{reading.query}: {reading.said}"


def _named(firing: tuple[FiringNow, ...]) -> list[str]:
    names = sorted({f"{alert.name} ({alert.service})" + (", silenced" if alert.silenced else "") for alert in firing})
    more = len(names) - evidence.ALERTS_NAMED
    return names[: evidence.ALERTS_NAMED] + ([f"{more} more"] if more > 0 else [])


def _next(incident: Incident, verdict: Verdict, now: datetime) -> datetime:
    watching = evidence.watched(incident)
    assert watching is not None
    known = incident.evidence
    same = known.same + 1 if known is not None and known.verdict == verdict else 1
    waiting = verdict != "green" or incident.verification_passed_at is not None
    return now + watching.look_every * (SLOWER if waiting and same >= watching.slower_after else 1)


def _criterion(incident: Incident, criterion: Criterion, against: str, shown_by: str, now: datetime) -> list[Event]:
    """The entry by which monitoring confirms a criterion, or takes it back; none where nothing has changed."""
    words = criterion.value.replace("_", " ")
    if not against and criterion not in incident.criteria:
        data = {"criterion": criterion.value, "evidence": shown_by}
        return [_event("criterion_confirmed", f"Monitoring confirmed {words}: {shown_by}", now, **data)]
    if against and criterion in incident.criteria:
        data = {"criterion": criterion.value, "reason": against}
        return [_event("criterion_withdrawn", f"{against}: {words} no longer holds, verification starts again", now, **data)]
    return []


def unreachable(incident: Incident, error: str, now: datetime) -> list[Event]:
    """What follows from a look that nobody answered. A short silence costs nothing: the next look fetches what it missed."""
    watching = evidence.watched(incident)
    if watching is None or not looking(incident):
        return []
    known = incident.evidence
    through = known.through if known is not None else now - watching.gap_after
    why = f"monitoring can't be reached ({error[:200]})"
    data = {
        "verdict": "unreachable",
        "through": through.isoformat(),
        "next_look": _next(incident, "unreachable", now).isoformat(),
        "error": error[:500],
    }
    events = [_event("evidence", f"{why[0].upper()}{why[1:]}; it is no green", now, **data)]
    if now - through > watching.gap_after + watching.look_every:
        for criterion in JUDGED:
            held = criterion in incident.criteria and judges(incident, criterion)
            events += _criterion(incident, criterion, why, "", now) if held else []
    return events


def _event(kind: str, text: str, now: datetime, /, **data: Any) -> Event:
    return Event(kind=kind, by=MONITORING, at=now, text=text, data=data)


# ---------------------------------------------------------------------- what people may not say


def against(incident: Incident, criterion: Criterion) -> list[Blocker]:
    """What monitoring has against a criterion; empty where it has nothing, or was not asked to judge it."""
    if not judges(incident, criterion):
        return []
    code: Code = "metrics-not-at-baseline" if criterion is Criterion.METRICS_AT_BASELINE else "alerts-still-firing"
    known = incident.evidence
    if known is None:
        where = "has not been looked at yet" if incident.phase is Phase.RESOLUTION else "is looked at once the incident is in resolution"
        return [Blocker(code=code, message=f"Monitoring {where}; this criterion then confirms itself.")]
    if known.error is not None:
        since = f"since {incident.monitoring_lost_at:%H:%M:%S} UTC" if incident.monitoring_lost_at else "now"
        return [
            Blocker(code=code, message=f"Monitoring can't be reached {since} ({known.error[:200]}); nobody can see whether this holds.")
        ]
    if criterion is Criterion.ALERTS_CLEARED:
        return [Blocker(code=code, message=f"Firing: {', '.join(known.firing)}")] if known.firing else []
    return [Blocker(code=code, message=_said(reading)) for reading in known.readings.values() if reading.verdict != "green"]


def refusal(incident: Incident, criterion: Criterion) -> Refusal | None:
    """The refusal of a person's word that the evidence speaks against."""
    found = against(incident, criterion)
    if not found:
        return None
    metrics = criterion is Criterion.METRICS_AT_BASELINE
    message = "Monitoring does not show it: " + "; ".join(blocker.message for blocker in found)
    action = (
        "Wait: it confirms itself once the measurements are back. A query that measures the wrong thing is dropped, or given another "
        "threshold, with a reason on record (measure)."
        if metrics
        else "Clear the alerts; it confirms itself once none fires."
    )
    return refuse("metrics-not-at-baseline" if metrics else "alerts-still-firing", message=message, action=action, blockers=found)


def standing(incident: Incident, known: Evidence | None) -> str:
    """Where verification stands, in a sentence."""
    if known is None:
        return "Monitoring has not been looked at yet."
    if known.error is not None:
        return f"Monitoring can't be reached: {known.error[:200]}"
    bad = [_said(reading) for reading in known.readings.values() if reading.verdict != "green"]
    firing = [f"firing: {', '.join(known.firing)}"] if known.firing else []
    return "; ".join([*bad, *firing]) or "Everything that is measured is at baseline."
