"""Alerts in Alertmanager's shape, and what an incident makes of them.

One alert is named by its `fingerprint`; fingerprint and `startsAt` together name one firing episode. Monitoring
delivers at least once and out of order, so what is known already, or older than what is known, changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from incident.commands import problems
from incident.events import MONITORING, Event
from incident.model import Alert, Incident
from incident.policy import Policy
from incident.vocabulary import Criterion, Phase, Severity

NOT_PRODUCTION = frozenset(
    {"dev", "development", "staging", "stage", "test", "testing", "qa", "sandbox", "preview", "local", "non-production"}
)
ENVIRONMENT_LABELS = ("environment", "env", "stage", "tier_environment")
MAINTENANCE_LABELS = ("maintenance", "planned_maintenance")
SERVICE_LABELS = ("service", "app", "application", "job")
VALUE_LIMIT = 300


def _utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("is so close to the end of the calendar that it has no UTC") from error


def _ended(value: datetime | None) -> datetime | None:
    """Alertmanager says year 1 while the alert fires."""
    return None if value is None or value.year <= 1 else _utc(value)


def _empty_is_none(value: Any) -> Any:
    return value or None


class AlertInput(BaseModel):
    """One alert as monitoring posts it; fields of newer versions are left out."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    status: Literal["firing", "resolved"] = "firing"
    labels: dict[str, str] = Field(min_length=1)
    annotations: dict[str, str] = Field(default_factory=dict)
    starts_at: Annotated[AwareDatetime, AfterValidator(_utc)] = Field(alias="startsAt")
    ends_at: Annotated[AwareDatetime | None, BeforeValidator(_empty_is_none), AfterValidator(_ended)] = Field(default=None, alias="endsAt")
    generator_url: str = Field(default="", alias="generatorURL")
    fingerprint: str = Field(default="", max_length=100)

    @property
    def name(self) -> str:
        return self.labels.get("alertname", "unnamed alert")[:VALUE_LIMIT]

    @property
    def service(self) -> str:
        return next((self.labels[label][:VALUE_LIMIT] for label in SERVICE_LABELS if self.labels.get(label)), "")

    @property
    def summary(self) -> str:
        text = self.annotations.get("summary") or self.annotations.get("description") or ""
        return " ".join(text.split())[:VALUE_LIMIT]

    @property
    def identity(self) -> str:
        """The fingerprint, or one made of the labels where the sender gives none."""
        if self.fingerprint:
            return self.fingerprint
        text = "\x00".join(f"{key}\x01{value}" for key, value in sorted(self.labels.items()))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def alert(self) -> Alert:
        return Alert(
            fingerprint=self.identity,
            name=self.name,
            firing=self.status == "firing",
            starts_at=self.starts_at,
            ends_at=self.ends_at if self.status == "resolved" else None,
            summary=self.summary,
            service=self.service,
        )


def parse(raw: object) -> tuple[list[AlertInput], list[str]]:
    """Read one alert or a list of them: the good ones, and for each bad one what is wrong with it."""
    items = raw if isinstance(raw, list) else [raw]
    good: list[AlertInput] = []
    bad: list[str] = []
    for number, item in enumerate(items):
        try:
            good.append(AlertInput.model_validate(item))
        except ValidationError as error:
            first = problems(error)[0]
            bad.append(f"alert {number}: {first['field']}: {first['message']}")
    if not items:
        bad.append("the list of alerts is empty")
    return good, bad


def wire(alerts: Sequence[AlertInput]) -> list[dict[str, Any]]:
    """The alerts as an incident takes them; the link back to their generator is left out, nobody there follows it."""
    return [alert.model_dump(mode="json", by_alias=True, exclude={"generator_url"}) for alert in alerts]


def routed(labels: dict[str, str]) -> Literal["incident", "not_production", "planned_maintenance"]:
    """Where an alert goes: production opens incidents, the rest is a ticket, planned maintenance is noted."""
    for label in MAINTENANCE_LABELS:
        if labels.get(label, "").casefold() in {"true", "yes", "1", "planned", "active"}:
            return "planned_maintenance"
    for label in ENVIRONMENT_LABELS:
        if labels.get(label, "").casefold() in NOT_PRODUCTION:
            return "not_production"
    return "incident"


def presumed_severity(labels: dict[str, str], policy: Policy) -> Severity:
    """Whose acknowledgement clock runs before anybody has declared."""
    return policy.presumed.get(labels.get("severity", "").casefold(), policy.presumed_otherwise)


def presumed_by(alerts: Sequence[AlertInput], policy: Policy) -> Severity | None:
    """The worst that the firing alerts make one presume; None without any."""
    found = [presumed_severity(alert.labels, policy) for alert in alerts if alert.status == "firing"]
    return min(found, key=lambda severity: severity.rank, default=None)


def news(incident: Incident, alerts: list[Alert]) -> list[Alert]:
    """Those alerts that tell something which the incident does not know yet, the latest word on each."""
    known = dict(incident.alerts)
    fresh: dict[str, Alert] = {}
    for alert in alerts:
        before = known.get(alert.fingerprint)
        if before is not None:
            same_episode = before.starts_at == alert.starts_at
            if alert.starts_at < before.starts_at or (same_episode and (alert.firing or not before.firing)):
                continue
        known[alert.fingerprint] = fresh[alert.fingerprint] = alert
    return list(fresh.values())


def told(incident: Incident, alerts: list[Alert], now: datetime) -> list[Event]:
    """What follows from alerts arriving: one entry for the batch; a firing one takes back `alerts_cleared`."""
    fresh = news(incident, alerts)
    if not fresh:
        return []
    firing = [alert for alert in fresh if alert.firing]
    text = "; ".join(part for part in (_counted(firing, "firing"), _counted([a for a in fresh if not a.firing], "resolved")) if part)
    if firing and incident.phase is Phase.POST_INCIDENT:
        text += ". The incident is resolved: reopen it if this is the same trouble"
    data = {"alerts": [alert.model_dump(mode="json", exclude_defaults=True) for alert in fresh]}
    events = [Event(kind="alert", by=MONITORING, at=now, text=text, data=data)]
    if firing and Criterion.ALERTS_CLEARED in incident.criteria and incident.phase is Phase.RESOLUTION:
        why = f"{firing[0].name} fires"
        events.append(
            Event(
                kind="criterion_withdrawn",
                by=MONITORING,
                at=now,
                text=f"{why}: alerts are not cleared, verification starts again",
                data={"criterion": Criterion.ALERTS_CLEARED.value, "reason": why},
            )
        )
    return events


def _counted(alerts: list[Alert], word: str) -> str:
    if not alerts:
        return ""
    names = sorted({f"{alert.name} ({alert.service})" if alert.service else alert.name for alert in alerts})
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    summary = f": {alerts[0].summary}" if len(alerts) == 1 and alerts[0].summary else ""
    return f"{len(alerts)} alert{'s' if len(alerts) > 1 else ''} {word}: {shown}{summary}"
