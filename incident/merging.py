"""Two incidents that are one trouble: one goes on, and takes over what the other owed.

    merge (asked of the one that gives way)   -> `merge_asked`: it takes no other command until there is an answer
    handover                                  -> what it owes and knows, told to the one that goes on
    absorb (there)                            -> `absorbed` and what follows from it; or the reason why not
    given_way / failed (here)                 -> `merged` and closed as a duplicate; or it goes on as it was

Both timelines stay, each under its own id, with the link in both. What moves: alerts, open action items, promises to
the public, duties that would be lost (a change to document, a report that was asked for), and the worse severity.
Handing over twice adds nothing.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from pydantic import Field

from incident import clocks, commands
from incident.events import BEHIND_THE_SCENES, SYSTEM, Event
from incident.model import ActionItem, Alert, Frozen, Incident, Update
from incident.permissions import objection, same_person
from incident.refusals import Refusal, refuse
from incident.routing import Routed
from incident.telling import things
from incident.vocabulary import Criterion, Phase, Role, Severity

EXCERPT = 60
"""Entries of the other timeline that the absorbing entry repeats; the whole stays where it is."""

EXCERPT_TEXT = 300


class Owed(Frozen):
    """A duty that becomes an action item: what, whose, by when. `origin` names it in the incident that it comes from."""

    origin: str
    item: str
    owner: str
    due: date


class Handover(Frozen):
    """What one incident leaves to the other."""

    incident: str
    title: str
    by: str
    reason: str = ""
    severity: Severity | None = None
    presumed: Severity
    drill: bool = False
    private: bool = False
    opened_at: datetime
    started_at: datetime | None = None
    symptom: str = ""
    users_affected: str = ""
    services: tuple[str, ...] = ()
    customer_facing: bool = False
    external_update: Update | None = None
    promised: datetime | None = None
    on_status_page: bool = False
    executives_told_at: datetime | None = None
    roles: dict[Role, str] = Field(default_factory=dict)
    firing: int = 0
    routed: Routed | None = None
    groups: tuple[str, ...] = ()
    items: tuple[Owed, ...] = ()
    excerpt: tuple[str, ...] = ()


class Taken(Frozen):
    """The answer to a handover: taken, with the channel to go on in; or why not. A private incident keeps its title to itself."""

    incident: str
    title: str = ""
    channel: str | None = None
    refused: str | None = None


def merge(incident: Incident, command: commands.Merge, now: datetime) -> list[Event] | Refusal:
    if command.into == incident.id:
        return refuse("not-permitted", message="An incident can't be merged into itself.", action="Name the other incident.")
    if incident.phase is Phase.POST_INCIDENT:
        return refuse(
            "wrong-phase",
            message=f"{incident.id} is resolved; what it still owes is its own.",
            action="Finish its post-mortem and close it, or reopen it first.",
        )
    because = f": {command.reason}" if command.reason else ""
    text = f"{command.by} asked to merge it into {command.into}{because}"
    data = {"into": command.into, **({"reason": command.reason} if command.reason else {})}
    return [Event(kind="merge_asked", by=command.by, at=now, text=text, data=data)]


def being_merged(incident: Incident) -> Refusal | None:
    """Nothing may be added to what is being handed over."""
    if incident.merging_into is None:
        return None
    return refuse("being-merged", message=f"{incident.id} is being merged into {incident.merging_into}.")


def is_so(incident: Incident, command: commands.Command) -> bool:
    """Whether the incident is being merged, or has been, into the one that somebody who may asks for."""
    if not isinstance(command, commands.Merge) or objection(incident, command) is not None:
        return False
    return command.into in (incident.merging_into, incident.duplicate_of)


def handover(incident: Incident, by: str, reason: str, timeline: list[Event], now: datetime) -> Handover:
    """Everything that must not be lost with the incident."""
    external = incident.clocks.get(clocks.EXTERNAL_UPDATE)
    told = [event for event in timeline if event.kind not in BEHIND_THE_SCENES]
    return Handover(
        incident=incident.id,
        title=incident.title,
        by=by,
        reason=reason,
        severity=incident.severity,
        presumed=incident.presumed_severity,
        drill=incident.drill,
        private=incident.private,
        opened_at=incident.opened_at,
        started_at=incident.started_at,
        symptom=incident.symptom,
        users_affected=incident.users_affected,
        services=incident.services,
        customer_facing=incident.customer_facing,
        external_update=incident.external_update,
        promised=external.due if external is not None and external.open else None,
        on_status_page=incident.status_page_at is not None,
        executives_told_at=incident.executives_told_at,
        roles=incident.roles,
        firing=len(incident.firing),
        routed=incident.routed,
        groups=incident.groups,
        items=tuple(_owed(incident, now)),
        excerpt=tuple(f"{event.at:%Y-%m-%d %H:%M:%S} {event.text[:EXCERPT_TEXT]}" for event in told[-EXCERPT:]),
    )


def _owed(incident: Incident, now: datetime) -> list[Owed]:
    found = [Owed(origin=item.id, item=item.item, owner=item.owner, due=item.due) for item in incident.action_items if item.open]
    for clock in incident.clocks.values():
        if not clock.open or clock.due is None:
            continue
        if clock.name == clocks.CHANGE_DOCUMENTATION:
            undocumented = [one for one in incident.mitigations if one.approved_by is None]
            what = "; ".join(f"{one.number}. {one.action}" for one in undocumented) or "its change"
            item = f"Document the change that {incident.id} made without formal approval: {what}"
            found.append(Owed(origin=clock.name, item=item, owner=clock.owner, due=max(clock.due, now).date()))
        if clock.name.startswith(clocks.DRIFT):
            drift = incident.drifts[clock.name.removeprefix(clocks.DRIFT)]
            item = f"Settle what {drift.system} shows of {incident.id}: here {drift.here[:1_000]}; there {drift.there[:1_000]}"
            found.append(Owed(origin=clock.name, item=item, owner=clock.owner, due=max(clock.due, now).date()))
        if clock.name.startswith(clocks.DISPATCH):
            id = clock.name.removeprefix(clocks.DISPATCH)
            asked = next((one.request for one in incident.dispatches if one.id == id), "")
            item = f"Get the report that {incident.id} asked of {clock.owner} (dispatch {id}): {asked[:1_000]}"
            found.append(Owed(origin=clock.name, item=item, owner=clock.owner, due=max(clock.due, now).date()))
    return found


def absorb(incident: Incident, given: Handover, now: datetime) -> list[Event] | str:
    """What follows from taking the other incident over; a text where it is not taken, and says why.

    No events: it has been taken over already.
    """
    no = _objection(incident, given)
    if no is not None:
        return no
    before = next((one for one in incident.merged if one.incident == given.incident), None)
    known = before.items if before is not None else {}
    fresh = [owed for owed in given.items if owed.origin not in known]
    if before is not None and not fresh:
        return []
    first = len(incident.action_items) + 1
    items = {owed.origin: f"AI-{number}" for number, owed in enumerate(fresh, start=first)}
    events = [_absorbed(given, {**known, **items}, now, incident.edition)]
    events += _severity(incident, given, now)
    for owed in fresh:
        id = items[owed.origin]
        said = f"{owed.item} (from {given.incident}{f' {owed.origin}' if owed.origin.startswith('AI-') else ''})"
        data = {"id": id, "item": said, "owner": owed.owner, "due": owed.due.isoformat()}
        text = f"{id} for {owed.owner}, due {owed.due}: {said}"
        events.append(Event(kind="action_item_added", by=given.by, at=now, text=text, data=data))
    if incident.phase is Phase.RESOLUTION:
        events += [_withdrawn(criterion, given, now) for criterion in Criterion if criterion in incident.criteria]
    return events


def _objection(incident: Incident, given: Handover) -> str | None:
    if incident.private and not any(same_person(given.by, member) for member in incident.members):
        return nobody_there(incident.id)  # for whoever is not in it, it does not exist
    if incident.phase is Phase.CLOSED:
        return f"{incident.id} is closed"
    if incident.phase is Phase.POST_INCIDENT:
        return f"{incident.id} is resolved; reopen it first if it is the same trouble"
    if incident.merging_into is not None:
        return f"{incident.id} is itself being merged into {incident.merging_into}"
    if incident.drill is not given.drill:
        return f"{incident.id} is {'a drill' if incident.drill else 'no drill'}; practice and the real thing are kept apart"
    if given.private and not incident.private:
        return f"{given.incident} is private and {incident.id} is not"
    if incident.severity is None and given.severity is not None:
        return f"{incident.id} is not declared yet; declare it first, or merge it into {given.incident}"
    return None


def _absorbed(given: Handover, items: dict[str, str], now: datetime, edition: int) -> Event:
    facts = [f"{given.severity.value if given.severity else 'not declared'}", f"{things(given.firing, 'alert', edition=edition)} firing"]
    if given.items:
        facts.append(f"{things(len(given.items), 'thing', edition=edition)} owed")
    if given.on_status_page:
        facts.append("told to the public")
    people = ", ".join(f"{person} ({role.value})" for role, person in given.roles.items())
    because = f" Reason: {given.reason}." if given.reason else ""
    on_it = f" On it there: {people}." if people else ""
    text = f"{given.by} merged {given.incident} into this one: {given.title} ({'; '.join(facts)}).{because}{on_it}"
    data: dict[str, Any] = given.model_dump(mode="json", exclude_defaults=True, exclude={"items", "by"})
    return Event(kind="absorbed", by=given.by, at=now, text=text, data={**data, "items": items})


def _severity(incident: Incident, given: Handover, now: datetime) -> list[Event]:
    """The worse of the two counts, so that nothing is owed less than before."""
    declared = incident.severity is not None
    current = incident.severity or incident.presumed_severity
    other = (given.severity or given.presumed) if not declared else given.severity
    if other is None or other.rank >= current.rank:
        return []
    reason = f"{given.incident}, which was merged in, was {other.value}"
    presumed = "" if declared else "presumed "
    text = f"raised {presumed}{current.value} to {other.value}: {reason}"
    data = {"before": current.value, "severity": other.value, "reason": reason}
    return [Event(kind="severity_changed", by=SYSTEM, at=now, text=text, data=data)]


def _withdrawn(criterion: Criterion, given: Handover, now: datetime) -> Event:
    why = f"{given.incident} was merged in and is to be verified too"
    text = f"{why}: {criterion.value.replace('_', ' ')} is to be confirmed again"
    return Event(kind="criterion_withdrawn", by=SYSTEM, at=now, text=text, data={"criterion": criterion.value, "reason": why})


def given_way(incident: Incident, taken: Taken, by: str, now: datetime) -> list[Event]:
    """The end of the incident that was taken over."""
    where = f", in {taken.channel}" if taken.channel else ""
    title = f" ({taken.title})" if taken.title else ""
    text = f"Merged into {taken.incident}{title}{where}: it goes on there, with all that is owed"
    data = {"into": taken.incident, "title": taken.title, "channel": taken.channel}
    merged = Event(kind="merged", by=by, at=now, text=text, data={name: value for name, value in data.items() if value})
    closed = Event(kind="phase_entered", by=SYSTEM, at=now, text="Closed", data={"phase": Phase.CLOSED.value})
    return [merged, closed]


def why_not(into: str, taken: Taken | None, *, there: bool) -> str:
    """Why nothing came of it."""
    if taken is not None and taken.refused is not None:
        return taken.refused
    return f"{into} did not answer" if there else nobody_there(into)


def nobody_there(into: str) -> str:
    return f"there is no open incident {into}"


def failed(into: str, why: str, now: datetime) -> Event:
    text = f"Not merged into {into}: {why}. It goes on as it was"
    return Event(kind="merge_failed", by=SYSTEM, at=now, text=text, data={"into": into, "reason": why})


def moved(items: tuple[ActionItem, ...], into: str) -> tuple[ActionItem, ...]:
    return tuple(item.model_copy(update={"moved_to": into}) if item.open else item for item in items)


def wire(alerts: tuple[Alert, ...]) -> list[dict[str, Any]]:
    """Alerts as an incident takes them from monitoring; what was cut off them when they came stays off."""
    return [
        {
            "status": "firing" if alert.firing else "resolved",
            "labels": {"alertname": alert.name, **({"service": alert.service} if alert.service else {})},
            "annotations": {"summary": alert.summary} if alert.summary else {},
            "startsAt": alert.starts_at.isoformat(),
            "endsAt": alert.ends_at.isoformat() if alert.ends_at else None,
            "fingerprint": alert.fingerprint,
            "group": alert.group,
            "flapping": alert.flapping,
            **({"saidAt": alert.said_at.isoformat()} if alert.said_at is not None else {}),
        }
        for alert in alerts
    ]
