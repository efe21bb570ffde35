"""What the detection checklist asks, looked up by itself: the questions, and what an answer makes of the incident.

A question that could not be looked up leaves its item open; it is asked again when the incident goes on.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from incident import evidence
from incident.effects import LookUp, Receipt
from incident.events import MONITORING, Event
from incident.evidence import QUESTIONS, SIGNAL_ITEMS, Finding
from incident.messages import plain
from incident.model import Incident
from incident.pictures import blocks

BEFORE = timedelta(minutes=30)
"""How far before the trouble a picture begins."""

NAMES = {
    "related_alerts": "Related alerts",
    "deployments": "Recent deployments",
    "known_issues": "Known issues",
    "signals": "Measurements",
}


def unanswered(incident: Incident) -> tuple[str, ...]:
    """The questions that nobody has answered yet."""
    return tuple(question for question in QUESTIONS if not _answered(incident, question))


def _answered(incident: Incident, question: str) -> bool:
    found = incident.findings.get(question)
    if found is not None and (found.looked_up or found.corrected_to is not None):
        return True
    return question == "signals" and not evidence.queries(incident)


def ask(incident: Incident, questions: Iterable[str], now: datetime) -> LookUp:
    """The questions as things stand: of which services, since when, and what is known already."""
    return LookUp(
        questions=tuple(questions),
        services=incident.services[:20],
        queries=evidence.queries(incident),
        since=evidence.began_at(incident) - BEFORE,
        until=now,
        known_alerts=tuple(incident.alerts)[:100],
    )


def found(incident: Incident, receipt: Receipt, now: datetime) -> list[Event]:
    """One entry a finding that says something new; the last of them makes the channel's message."""
    findings = [Finding.model_validate({**item, "at": now}) for item in receipt.detail.get("findings", ())]
    findings = [finding for finding in findings if _news(incident, finding)]
    events: list[Event] = []
    for number, finding in enumerate(findings, start=1):
        data: dict[str, Any] = finding.model_dump(mode="json", exclude={"at"}, exclude_defaults=True)
        text = f"{NAMES[finding.id]}: {finding.text}"
        last = {"last": True} if number == len(findings) else {}
        events.append(Event(kind="finding", by=MONITORING, at=now, text=text, data={**data, **last}))
    return events


def _news(incident: Incident, finding: Finding) -> bool:
    """A person's word stands, and that something still can't be looked up is no news."""
    known = incident.findings.get(finding.id)
    if known is None:
        return True
    return known.corrected_to is None and (finding.looked_up, finding.text) != (known.looked_up, known.text)


def items(finding: Finding, incident: Incident) -> tuple[str, ...]:
    """The items of the checklists that a finding answers."""
    if finding.id != "signals":
        return QUESTIONS[finding.id]
    signals = {query.name: query.signal for query in evidence.queries(incident)}
    measured = {signals.get(picture.query) for picture in finding.pictures if any(value is not None for _, value in picture.points)}
    return tuple(item for signal, item in SIGNAL_ITEMS.items() if signal in measured)


def message(incident: Incident) -> str:
    """What the channel reads: each finding in a line, each measurement with its small picture."""
    lines = [f"{incident.id}: looked up by itself. Somebody confirms or corrects it (correct)."]
    known = {query.name: query for query in evidence.queries(incident)}
    for finding in incident.findings.values():
        mark = "x" if finding.looked_up else " "
        lines.append(f"- [{mark}] {NAMES[finding.id]}: {finding.corrected_to or finding.text}")
        lines += [f"    {line}" for line in finding.lines[:3]]
        for picture in finding.pictures:
            values = [value for _, value in picture.points]
            query = known.get(picture.query)
            said = f"{evidence.newest(picture.points, query)} ({query.signal.value})" if query is not None else picture.query
            lines.append(f"    {blocks(values)} {said}")
    return plain("\n".join(lines))
