"""Our own JSON, for whatever has no module here: one alert, or a list of them under `alerts`.

    {"name": "disk full", "service": "database", "environment": "production", "severity": "critical",
     "summary": "98 % of /var", "id": "disk-db1", "status": "firing"}

Only `name` must be there. The same `id` (else the same labels) is the same alert; the same `group` (else the same id)
goes to the same incident. Without `starts_at` an alert begins when it arrives. What is too long is cut, and costs no alert.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from incident import alerts
from incident.commands import LINE_LIMIT, Instant
from integrations.monitoring.posted import Group, Posted, Unreadable, group_key, sorted_out, unreadable

MOST_ALERTS = 5_000


def _as_line(text: str) -> str:
    """A text of one line that is short enough to be kept; a hasty script's line break must not cost its alert."""
    plain = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    if not plain:
        raise ValueError("is empty")
    return plain if len(plain) <= LINE_LIMIT else f"{plain[: LINE_LIMIT - 1]}…"


Name = Annotated[str, AfterValidator(_as_line)]
Key = Annotated[str, AfterValidator(str.strip), Field(min_length=1)]
"""What tells alerts apart is never cut: two long ones may differ in their last character."""


def _stated(value: Any) -> Any:
    words = {"open": "firing", "triggered": "firing", "alerting": "firing", "ok": "resolved", "closed": "resolved", "recovered": "resolved"}
    return words.get(value.casefold(), value.casefold()) if isinstance(value, str) else value


class GenericAlert(BaseModel):
    """One alert. `labels` are for the routing rules, beside what the other fields say."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    status: Annotated[Literal["firing", "resolved"], BeforeValidator(_stated)] = "firing"
    id: Key | None = None
    service: Name | None = None
    environment: Name | None = None
    severity: Name | None = None
    summary: str = ""
    description: str = ""
    url: str = ""
    runbook: str = ""
    starts_at: Instant | None = None
    ends_at: Instant | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)


class GenericPayload(BaseModel):
    """A list of alerts, under the key of their group where they have one."""

    model_config = ConfigDict(extra="forbid")

    group: Key | None = None
    alerts: list[Any] = Field(min_length=1, max_length=MOST_ALERTS)


def read(body: Any, now: datetime) -> Posted:
    """Read a post.

    Raises:
        Unreadable: it has the wrong shape, or not one alert in it can be used.
    """
    if not isinstance(body, dict):
        raise Unreadable([{"field": "body", "message": "must be a JSON object: one alert, or a list of them under alerts"}])
    try:
        many = "alerts" in body
        payload = GenericPayload.model_validate(body if many else {"alerts": [body]})
    except ValidationError as error:
        raise unreadable(error) from error
    if not many:
        try:
            GenericAlert.model_validate(body)
        except ValidationError as error:
            raise unreadable(error) from error
    found: dict[str, list[alerts.AlertInput]] = {}
    invalid: list[str] = []
    for number, item in enumerate(payload.alerts):
        try:
            told = GenericAlert.model_validate(item)
            (one,), _ = sorted_out([_alert(told, now)])
        except (ValidationError, Unreadable) as error:
            mistakes = error.problems if isinstance(error, Unreadable) else unreadable(error).problems
            invalid.append(f"alert {number}: {mistakes[0]['field']}: {mistakes[0]['message']}")
            continue
        key = payload.group or told.id or one.identity
        found.setdefault(group_key(f"generic: {key}"), []).append(one)
    if not found:
        raise Unreadable([{"field": "alerts", "message": problem} for problem in invalid[:20]])
    groups = [Group(key, tuple(each), (), {"status": each[0].status}) for key, each in found.items()]
    groups[0] = Group(groups[0].key, groups[0].alerts, tuple(invalid), groups[0].about)
    return Posted(tuple(groups))


def _alert(told: GenericAlert, now: datetime) -> dict[str, Any]:
    plain = {"service": told.service, "environment": told.environment, "severity": told.severity}
    labels = {**told.labels, "alertname": told.name, **{name: value for name, value in plain.items() if value}}
    said = {"summary": told.summary, "description": told.description, "runbook_url": told.runbook}
    ended = told.status == "resolved"
    return {
        "status": told.status,
        "labels": labels,
        "annotations": {**told.annotations, **{name: value for name, value in said.items() if value}},
        "startsAt": (told.starts_at or (told.ends_at if ended else None) or now).isoformat(),
        "endsAt": (told.ends_at or now).isoformat() if ended else None,
        "generatorURL": told.url,
        "fingerprint": f"generic-{hashlib.sha256(told.id.encode()).hexdigest()[:16]}" if told.id else "",
    }
