"""Alerts in Alertmanager's shape, and what an incident makes of them.

One alert is named by its `fingerprint`; fingerprint and `startsAt` together name one firing episode. Monitoring
delivers at least once and out of order, so what is known already, or older than what is known, changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from incident.commands import problems
from incident.events import MONITORING, Event
from incident.model import Alert, Incident, Joined
from incident.policy import Policy
from incident.routing import ENVIRONMENT_LABELS, LINE_LIMIT, SERVICE_LABELS, Action, Flapping, Routed
from incident.routing import NOT_PRODUCTION as NAMES_OF_OTHERS
from incident.vocabulary import Criterion, Phase, Severity

NOT_PRODUCTION = frozenset(NAMES_OF_OTHERS)
MAINTENANCE_LABELS = ("maintenance", "planned_maintenance")
VALUE_LIMIT = LINE_LIMIT
EPISODES_TOLD = 3_000
"""Episodes that an incident names as it closes: some two hundred kilobytes."""


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
    """One alert as monitoring posts it; fields of newer versions are left out.

    What comes after the fingerprint is our own: what the rules make of it, the alert group that it came through, how
    often it has changed, where it flaps, which storm brought its group to an incident that is not its own, and the
    beginning that its sender says, where that was ahead of our clock (`believed`).
    """

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    status: Literal["firing", "resolved"] = "firing"
    labels: dict[str, str] = Field(min_length=1)
    annotations: dict[str, str] = Field(default_factory=dict)
    starts_at: Annotated[AwareDatetime, AfterValidator(_utc)] = Field(alias="startsAt")
    ends_at: Annotated[AwareDatetime | None, BeforeValidator(_empty_is_none), AfterValidator(_ended)] = Field(default=None, alias="endsAt")
    generator_url: str = Field(default="", alias="generatorURL")
    fingerprint: str = Field(default="", max_length=100)
    routed: Routed | None = None
    group: str = Field(default="", max_length=100)
    joins: bool = False
    flapping: int = 0
    storm: str = Field(default="", max_length=VALUE_LIMIT)
    said_at: Annotated[AwareDatetime | None, AfterValidator(lambda value: value and _utc(value))] = Field(default=None, alias="saidAt")

    @property
    def name(self) -> str:
        return self.labels.get("alertname", "unnamed alert")[:VALUE_LIMIT]

    @property
    def service(self) -> str:
        if self.routed is not None and self.routed.service:
            return self.routed.service
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
            ends_at=self._end,
            summary=self.summary,
            service=self.service,
            group=self.group,
            flapping=self.flapping,
            said_at=self.said_at,
        )

    @property
    def _end(self) -> datetime | None:
        """No alert ends before it begins, whatever a clock says."""
        return max(self.ends_at, self.starts_at) if self.status == "resolved" and self.ends_at is not None else None


def parse(raw: object, *, earlier: bool = False) -> tuple[list[AlertInput], list[str]]:
    """Read one alert or a list of them: the good ones, and for each bad one what is wrong with it.

    `earlier`: in the words that an incident had for it before the sixth edition.
    """
    items = raw if isinstance(raw, list) else [raw]
    good: list[AlertInput] = []
    bad: list[str] = []
    for number, item in enumerate(items):
        try:
            good.append(AlertInput.model_validate(item))
        except ValidationError as error:
            first = problems(error, earlier=earlier)[0]
            bad.append(f"alert {number}: {first['field']}: {first['message']}")
    if not items:
        bad.append("the list of alerts is empty")
    return good, bad


def believed(alert: AlertInput, now: datetime) -> AlertInput:
    """The alert as if it began when it arrived, where its sender's clock is ahead; what that said is kept beside it.

    Believed, it would be newer than every outage of its group until our clock catches up, and none of them would be news.
    """
    if alert.said_at is not None or alert.starts_at <= now:
        return alert
    return alert.model_copy(update={"starts_at": now, "said_at": alert.starts_at})


def wire(alerts: Sequence[AlertInput]) -> list[dict[str, Any]]:
    """The alerts as an incident takes them; the link back to their generator is left out, nobody there follows it."""
    return [alert.model_dump(mode="json", by_alias=True, exclude={"generator_url"} | _unsaid(alert)) for alert in alerts]


def _unsaid(alert: AlertInput) -> set[str]:
    """What nothing is known of is not handed on: messages and histories stay as small as they were."""
    return set() if alert.said_at is not None else {"said_at"}


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
    """The worst that the firing alerts make one presume, by their rules or else their labels; None without any."""
    found = [
        (alert.routed.presumed if alert.routed is not None else None) or presumed_severity(alert.labels, policy)
        for alert in alerts
        if alert.status == "firing"
    ]
    return min(found, key=lambda severity: severity.rank, default=None)


def news(incident: Incident, alerts: list[Alert]) -> list[Alert]:
    """Those alerts that tell something which the incident does not know yet, the latest word on each."""
    known = dict(incident.alerts)
    fresh: dict[str, Alert] = {}
    for alert in alerts:
        before = known.get(alert.fingerprint)
        if before is not None:
            same_episode = before.starts_at == alert.starts_at
            told_before = alert.flapping == before.flapping
            if alert.starts_at < before.starts_at or (same_episode and told_before and (alert.firing or not before.firing)):
                continue
        known[alert.fingerprint] = fresh[alert.fingerprint] = alert
    return list(fresh.values())


def told(incident: Incident, alerts: list[Alert], now: datetime, joined: Sequence[Joined] = ()) -> list[Event]:
    """What follows from alerts arriving: one entry for the batch; a firing one takes back `alerts_cleared`.

    `joined` are the alert groups that come to this incident with them.
    """
    fresh = news(incident, alerts)
    joined = [each for each in joined if each.group not in incident.groups]
    if not fresh and not joined:
        return []
    flapping = [alert for alert in fresh if alert.flapping]
    calmed = [alert for alert in fresh if not alert.flapping and _flapped(incident, alert)]
    plain = [alert for alert in fresh if alert not in flapping]
    firing = [alert for alert in fresh if alert.firing]
    text = "; ".join(
        part
        for part in (
            _flaps(flapping),
            _counted([alert for alert in plain if alert.firing], "firing"),
            _counted([alert for alert in plain if not alert.firing], "resolved"),
            "flaps no more: " + ", ".join(sorted({alert.name for alert in calmed})) if calmed else "",
            _came_with(joined),
        )
        if part
    )
    if firing and incident.phase is Phase.POST_INCIDENT:
        text += ". The incident is resolved: reopen it if this is the same trouble"
    data: dict[str, Any] = {"alerts": [alert.model_dump(mode="json", exclude_defaults=True) for alert in fresh]}
    if joined:
        data["joined"] = [each.model_dump(mode="json", exclude_defaults=True) for each in joined]
    kind = "flapping" if flapping and len(flapping) == len(fresh) else "alert"
    events = [Event(kind=kind, by=MONITORING, at=now, text=text, data=data), *_raised(incident, joined, now)]
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


def after_the_end(incident: Incident, batch: Sequence[AlertInput], *, earlier: bool = False) -> list[AlertInput]:
    """Firing alerts that a closed incident does not know, or only an earlier episode of, by monitoring's clock.

    One that it was never told of may have begun long before: monitoring kept silent about it until now.
    `earlier`: by the rule of before, only those that began after all that it knows.
    """
    if incident.closed_at is None:
        return []
    if not earlier:
        known = {fingerprint: alert.starts_at for fingerprint, alert in incident.alerts.items()}
        return [alert for alert in batch if alert.status == "firing" and not is_known(alert, known)]
    newest = max((alert.starts_at for alert in incident.alerts.values()), default=incident.closed_at)
    return [alert for alert in batch if alert.status == "firing" and alert.starts_at > newest]


def joining(alerts: Sequence[AlertInput], policy: Policy) -> list[Joined]:
    """The alert groups that say, with their alerts, that they join; each with what its rules know."""
    found: dict[str, Joined] = {}
    for alert in alerts:
        if alert.group and alert.joins and alert.routed is not None and alert.group not in found:
            known = alert.routed.model_copy(update={"planned": None, "calendars": False})
            found[alert.group] = Joined(group=alert.group, routed=known, presumed=presumed_by([alert], policy), storm=alert.storm)
    return list(found.values())


def newest_episodes(incident: Incident) -> dict[str, datetime]:
    """The newest episode of each alert group that the incident was told of."""
    newest: dict[str, datetime] = {}
    for alert in incident.alerts.values():
        if alert.group:
            newest[alert.group] = max(alert.starts_at, newest.get(alert.group, alert.starts_at))
    return newest


def is_known(alert: AlertInput, episodes: Mapping[str, datetime]) -> bool:
    """Whether this episode of the alert, or a newer one, is among the `episodes`: the newest one of each fingerprint."""
    newest = episodes.get(alert.identity)
    return newest is not None and alert.starts_at <= newest


def known_episodes(incident: Incident, own: str) -> dict[str, dict[str, datetime]]:
    """The newest episode of each alert that the incident was told of, by alert group; what came without one is its `own` group's.

    A group that is too large to be told of is left out whole.
    """
    found: dict[str, dict[str, datetime]] = {}
    for alert in incident.alerts.values():
        found.setdefault(alert.group or own, {})[alert.fingerprint] = alert.starts_at
    told: dict[str, dict[str, datetime]] = {}
    room = EPISODES_TOLD
    for group, episodes in found.items():
        if len(episodes) <= room:
            told[group] = episodes
            room -= len(episodes)
    return told


def _flapped(incident: Incident, alert: Alert) -> bool:
    before = incident.alerts.get(alert.fingerprint)
    return before is not None and before.flapping > 0


def _flaps(alerts: list[Alert]) -> str:
    if not alerts:
        return ""
    names = "; ".join(f"{alert.name}{f' ({alert.service})' if alert.service else ''}: {alert.flapping} changes" for alert in alerts[:3])
    more = f" and {len(alerts) - 3} more" if len(alerts) > 3 else ""
    return f"flapping: {names}{more}. It counts as firing until it is still; further changes are counted, not told one by one"


def _came_with(joined: Sequence[Joined]) -> str:
    if not joined:
        return ""
    services = ", ".join(sorted({each.routed.service or "no service" for each in joined})[:3])
    why = next((each.storm for each in joined if each.storm), "the incident is open")
    return f"{len(joined)} more alert group{'s' if len(joined) > 1 else ''} of {services} joined, since {why}"


def _raised(incident: Incident, joined: Sequence[Joined], now: datetime) -> list[Event]:
    """What joins may be worse than what was presumed; once it is declared, people decide."""
    if incident.severity is not None:
        return []
    worst = min((each.presumed for each in joined if each.presumed is not None), key=lambda severity: severity.rank, default=None)
    before = incident.presumed_severity
    if worst is None or worst.rank >= before.rank:
        return []
    text = f"raised presumed {before.value} to {worst.value}: alerts that joined presume it"
    data = {"before": before.value, "severity": worst.value, "reason": "alerts that joined presume it"}
    return [Event(kind="severity_changed", by=MONITORING, at=now, text=text, data=data)]


def _counted(alerts: list[Alert], word: str) -> str:
    if not alerts:
        return ""
    names = sorted({f"{alert.name} ({alert.service})" if alert.service else alert.name for alert in alerts})
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    summary = f": {alerts[0].summary}" if len(alerts) == 1 and alerts[0].summary else ""
    return f"{len(alerts)} alert{'s' if len(alerts) > 1 else ''} {word}: {shown}{summary}"


# ---------------------------------------------------------------------- on the way through an alert group


def with_routes(raw: object, message: object) -> object:
    """The alerts of a message, each with what the rules make of it: many share the same, which the message says once."""
    table = message.get("routed") if isinstance(message, dict) else None
    if not isinstance(table, list) or not isinstance(raw, list):
        return raw
    known = [_known(each) for each in table]
    return [_with_route(item, known) for item in raw]


def _known(said: object) -> object:
    """What the rules make of many alerts, read once; what can't be read stays as it is, and is each one's mistake."""
    try:
        return Routed.model_validate(said)
    except ValidationError:
        return said


def _with_route(item: Any, table: list[Any]) -> Any:
    number = item.get("routed") if isinstance(item, dict) else None
    if not isinstance(number, int) or isinstance(number, bool):
        return item
    return {**item, "routed": table[number] if 0 <= number < len(table) else None}


def action_of(alert: AlertInput) -> Action:
    """What is to be done about it: as its rules say, else as the process's own do."""
    if alert.routed is not None:
        return alert.routed.action
    plain: dict[str, Action] = {"incident": "incident", "not_production": "ticket", "planned_maintenance": "note"}
    return plain[routed(alert.labels)]


KEPT_LABELS = 12
"""Labels that are kept of an alert which has to wait: its name, its service and the like come first."""


def compact(alert: AlertInput, most_labels: int = KEPT_LABELS, most_characters: int = VALUE_LIMIT) -> AlertInput:
    """The alert with what an incident is opened from, and no more: many may have to wait, in one payload."""
    first = ("alertname", *SERVICE_LABELS, *ENVIRONMENT_LABELS, "severity", "drill", "instance")
    names = [name for name in first if name in alert.labels]
    names += [name for name in alert.labels if name not in names][: max(0, most_labels - len(names))]
    labels = {name: alert.labels[name][:most_characters] for name in names}
    said = {"summary": alert.summary[:most_characters]} if alert.summary else {}
    return alert.model_copy(update={"labels": labels, "annotations": said, "generator_url": "", "fingerprint": alert.identity})


def after_planned_work(alert: AlertInput, name: str) -> AlertInput:
    """The alert as it goes on when planned work is over."""
    text = f"{alert.summary}; " if alert.summary else ""
    return alert.model_copy(update={"annotations": {"summary": f"{text}still firing after planned maintenance ({name})"}})


def flapping_rule(alert: AlertInput) -> Flapping:
    return alert.routed.flapping if alert.routed is not None else Flapping()


def slim(known: Routed | None) -> Routed | None:
    """What an incident needs of the rules with every alert: the service, and how bad it may be."""
    return Routed(service=known.service, presumed=known.presumed) if known is not None else None


def marked(batch: Sequence[AlertInput], group: str) -> tuple[AlertInput, ...]:
    """Alerts as the register gets them: each with its group, and with the first one what the group's rules know."""
    return tuple(
        alert.model_copy(
            update={
                "group": group,
                "joins": number == 0 and alert.routed is not None,
                "routed": alert.routed if number == 0 else slim(alert.routed),
                "generator_url": "",
            }
        )
        for number, alert in enumerate(batch)
    )


def worst_routed(batch: Sequence[AlertInput]) -> Routed | None:
    """What the rules know of the worst of these alerts."""
    known = [alert.routed for alert in batch if alert.routed is not None]
    return min(known, key=lambda each: each.presumed.rank if each.presumed is not None else len(Severity) + 1, default=None)


def forwarded(batch: Sequence[AlertInput], group: str, *, joins: bool) -> list[dict[str, Any]]:
    """The alerts as their group hands them to an incident; where it `joins`, the first one says so, with all that the rules know."""
    said: dict[tuple[str, Severity | None], dict[str, Any]] = {}
    return [_forwarded(alert, group, said, joins=joins and number == 0) for number, alert in enumerate(batch)]


_ON_THE_WIRE = {"status", "labels", "annotations", "starts_at", "ends_at", "storm"}


def _forwarded(alert: AlertInput, group: str, said: dict[tuple[str, Severity | None], dict[str, Any]], *, joins: bool) -> dict[str, Any]:
    """`said` keeps what was made of what the rules know: most alerts of a group share it."""
    wire = alert.model_dump(mode="json", by_alias=True, include=_ON_THE_WIRE if alert.said_at is None else {*_ON_THE_WIRE, "said_at"})
    wire["fingerprint"] = alert.identity
    if group:
        wire["group"] = group
    if alert.routed is not None and joins:
        wire["routed"] = alert.routed.model_dump(mode="json", exclude_defaults=True)
        if group:
            wire["joins"] = True
    elif alert.routed is not None:
        of = (alert.routed.service, alert.routed.presumed)
        known = said.get(of)
        if known is None:
            known = said[of] = Routed(service=of[0], presumed=of[1]).model_dump(mode="json", exclude_defaults=True)
        wire["routed"] = known
    if alert.flapping:
        wire["flapping"] = alert.flapping
    return wire
