"""PagerDuty's version 3 webhooks: one event a post. An incident there is one alert here, in a group of its own.

Triggered and reopened fire, resolved ends; what else happens there (acknowledged, escalated, annotated …) is taken and
changes nothing. Several incidents of one service meet in one incident here, as alerts of several groups do.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from incident.commands import Instant
from integrations.monitoring.posted import Group, Posted, sorted_out, unreadable

FIRES = frozenset({"incident.triggered", "incident.reopened"})
ENDS = frozenset({"incident.resolved"})

PRIORITIES = {"p1": "critical", "p2": "error", "p3": "warning", "p4": "warning", "p5": "info"}
URGENCIES = {"high": "error", "low": "warning"}

_Text = Annotated[str, BeforeValidator(lambda value: value if isinstance(value, str) else "")]


class _Reference(BaseModel):
    model_config = ConfigDict(extra="ignore")

    summary: _Text = ""
    name: _Text = ""


class _Event(BaseModel):
    model_config = ConfigDict(extra="ignore")

    id: str = Field(default="", max_length=200)
    event_type: str = Field(min_length=1, max_length=200)
    occurred_at: Instant
    data: dict[str, Any] = Field(default_factory=dict)


class PagerDutyPayload(BaseModel):
    """One event, as PagerDuty posts it."""

    model_config = ConfigDict(extra="ignore")

    event: _Event


class _Incident(BaseModel):
    model_config = ConfigDict(extra="ignore")

    id: str = Field(min_length=1, max_length=100)
    title: _Text = ""
    html_url: _Text = ""
    urgency: _Text = ""
    created_at: Instant | None = None
    service: _Reference | None = None
    priority: _Reference | None = None


def read(body: Any) -> Posted:
    """Read a post.

    Raises:
        Unreadable: it is no event of version 3, or an incident without its id.
    """
    try:
        event = PagerDutyPayload.model_validate(body).event
        if event.event_type not in FIRES | ENDS:
            return Posted(ignored=f"{event.event_type[:60]} changes nothing here")
        incident = _Incident.model_validate(event.data)
    except ValidationError as error:
        raise unreadable(error) from error
    good, bad = sorted_out([_alert(event, incident)])
    return Posted((Group(f"pagerduty: {incident.id}", good, bad, {"status": good[0].status}),))


def _alert(event: _Event, incident: _Incident) -> dict[str, Any]:
    """The end counts as later than any beginning; a reopening is an episode of its own."""
    firing = event.event_type in FIRES
    began = incident.created_at if event.event_type == "incident.triggered" and incident.created_at else event.occurred_at
    began = began if firing else max(began, incident.created_at or began)
    service = incident.service.summary if incident.service else ""
    priority = (incident.priority.summary or incident.priority.name) if incident.priority else ""
    labels = {
        "alertname": incident.title or f"PagerDuty {incident.id}",
        "service": service,
        "severity": PRIORITIES.get(priority.casefold()) or URGENCIES.get(incident.urgency, ""),
        "priority": priority,
        "urgency": incident.urgency,
        "source": "pagerduty",
    }
    return {
        "status": "firing" if firing else "resolved",
        "labels": {name: value for name, value in labels.items() if value},
        "annotations": {"summary": incident.title, "pagerduty": incident.html_url},
        "startsAt": began.isoformat(),
        "endsAt": None if firing else event.occurred_at.isoformat(),
        "generatorURL": incident.html_url,
        "fingerprint": f"pagerduty-{incident.id}",
    }
