"""What people may say of measurements and findings, and what is kept of a look: hooked into `deciding` and `evolving`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from incident import commands, evidence
from incident.events import SYSTEM, Event
from incident.evidence import POINTS_KEPT, Baseline, Evidence, Reading
from incident.lookups import NAMES
from incident.model import Incident
from incident.queries import QUERIES_AN_INCIDENT, Query
from incident.refusals import Refusal, refuse, talked_round
from incident.vocabulary import Criterion, Phase

Changes = dict[str, Any]


def _event(kind: str, by: str, text: str, now: datetime, /, **data: Any) -> Event:
    return Event(kind=kind, by=by, text=text, at=now, data={key: value for key, value in data.items() if value is not None})


def measure(incident: Incident, command: commands.Measure, now: datetime) -> list[Event] | Refusal:
    if incident.phase is Phase.POST_INCIDENT:
        return refuse("wrong-phase", message=f"What is measured can't be set in {incident.phase.label} any more.")
    if evidence.watched(incident) is None:
        return refuse(
            "not-permitted",
            message="Nothing can be measured: no monitoring was configured when this incident opened.",
            action="Set TOCSIN_PROMETHEUS_URL for the incidents to come; this one is verified on people's word.",
        )
    known = {query.name: query for query in evidence.queries(incident)}
    before = known.get(command.name)
    if command.drop and before is None:
        return refuse(
            "unknown-item", message=f"No query is called {command.name!r}.", action=f"Measured are: {', '.join(known) or 'none'}."
        )
    if not command.drop and command.query() == before:
        return []
    if before is None and len(known) >= QUERIES_AN_INCIDENT:
        message = f"{QUERIES_AN_INCIDENT} queries are measured already; an incident has no more."
        return refuse("not-permitted", message=message, action="Drop one first (measure, with drop and the reason).")
    if before is not None and command.reason is None:
        return refuse("undocumented", message=f"{command.name} is measured already; to change or drop it needs a reason.")
    known_excuse = talked_round(command.reason) if command.reason is not None else None
    if known_excuse is not None:
        return known_excuse
    because = f": {command.reason}" if command.reason else ""
    if command.drop:
        text = f"{command.by} dropped the query {command.name}{because}"
        events = [_event("measured", command.by, text, now, drop=command.name, reason=command.reason)]
    else:
        query = command.query()
        text = f"{command.by} has {query.name} measured{because}: {query.expression}"
        events = [_event("measured", command.by, text, now, query=query.model_dump(mode="json"), reason=command.reason)]
    if incident.phase is Phase.RESOLUTION and Criterion.METRICS_AT_BASELINE in incident.criteria:
        why = "what is measured has changed"
        text = f"{why}: metrics at baseline no longer holds, verification starts again"
        data = {"criterion": Criterion.METRICS_AT_BASELINE.value, "reason": why}
        events.append(_event("criterion_withdrawn", SYSTEM, text, now, **data))
    return events


def correct(incident: Incident, command: commands.Correct, now: datetime) -> list[Event] | Refusal:
    asked = command.finding.strip().lower().replace("-", "_").replace(" ", "_")
    finding = incident.findings.get(asked)
    if finding is None:
        there = ", ".join(incident.findings) or "none"
        return refuse("unknown-item", message=f"No finding is called {command.finding!r}.", action=f"Findings: {there}.")
    if command.text is None:
        if not finding.looked_up and finding.corrected_to is None:
            return refuse(
                "undocumented", message=f"{NAMES[asked]} could not be looked up; there is nothing to confirm.", action="Say what you found."
            )
        if finding.confirmed_by is not None:
            return []
        text = f"{command.by} confirmed: {NAMES[asked]}: {finding.text}"
        return [_event("finding_corrected", command.by, text, now, finding=asked)]
    if finding.corrected_to == command.text:
        return []
    text = f"{command.by} corrected {NAMES[asked]}: {command.text}"
    return [_event("finding_corrected", command.by, text, now, finding=asked, text=command.text)]


def set_queries(incident: Incident, event: Event) -> Changes:
    """What is measured has changed: monitoring is looked at again, at once."""
    data = event.data
    changes: Changes
    if "drop" in data:
        name = data["drop"]
        changes = {"unmeasured": (*(other for other in incident.unmeasured if other != name), name)}
    else:
        query = Query.model_validate(data["query"])
        name = query.name
        changes = {
            "queries": (*(other for other in incident.queries if other.name != name), query),
            "unmeasured": tuple(other for other in incident.unmeasured if other != name),
        }
    changes["baselines"] = {other: known for other, known in incident.baselines.items() if other != name}
    if incident.evidence is not None:
        readings = {other: reading for other, reading in incident.evidence.readings.items() if other != name}
        changes["evidence"] = incident.evidence.model_copy(update={"next_look": event.at, "readings": readings})
    return changes


def looked(incident: Incident, event: Event) -> Changes:
    """What one look gave, beside what is kept of those before: a bounded number of points a query, and counts."""
    data, before = event.data, incident.evidence
    lost = data["verdict"] == "unreachable"
    readings = dict(before.readings) if before is not None and lost else {}
    for item in data.get("readings", ()):
        reading = Reading.model_validate(item)
        old = before.readings.get(reading.query) if before is not None else None
        points = (*(old.points if old is not None else ()), *reading.points)[-POINTS_KEPT:]
        readings[reading.query] = reading.model_copy(update={"points": points})
    changes: Changes = {
        "evidence": Evidence(
            verdict=data["verdict"],
            through=datetime.fromisoformat(data["through"]),
            next_look=datetime.fromisoformat(data["next_look"]),
            looks=(before.looks if before is not None else 0) + 1,
            same=before.same + 1 if before is not None and before.verdict == data["verdict"] else 1,
            samples=(before.samples if before is not None else 0) + data.get("samples", 0),
            restarts=before.restarts if before is not None else 0,
            readings=readings,
            firing=tuple(data.get("firing", ())),
            error=data.get("error"),
        )
    }
    if data.get("baselines"):
        found = {name: Baseline.model_validate(item) for name, item in data["baselines"].items()}
        changes["baselines"] = {**incident.baselines, **found}
    if lost and (incident.monitoring_lost_at is None or incident.monitoring_back_at is not None):
        changes |= {"monitoring_lost_at": event.at, "monitoring_back_at": None}
    elif not lost and incident.monitoring_lost_at is not None and incident.monitoring_back_at is None:
        changes["monitoring_back_at"] = event.at
    return changes
