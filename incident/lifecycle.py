"""The life of an incident, as functions: what may be asked, what follows, what comes due.

    decide(incident, command, now)  -> the events that follow, or the refusal
    record(incident, events)        -> the incident after them, and the events with their numbers
    tick(incident, now)             -> what the clocks say at this moment
    delivered / parked / …          -> what the outside world answered

Nothing here waits, reads a clock or talks to anybody. Whoever calls it brings the moment along.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from incident import alerts, channels, clocks, deliveries, lookups, merging, messages, permissions
from incident.alerts import AlertInput
from incident.checklists import fresh
from incident.commands import (
    COMMANDS,
    AddActionItem,
    ChangeActionItem,
    Command,
    Declare,
    Describe,
    GiveUpDelivery,
    InvalidInput,
    Open,
    ReplaceDelivery,
    RetryDelivery,
    ScheduleRetrospective,
)
from incident.deciding import DECIDERS, DECIDERS_BEFORE, Outcome, verification_passed
from incident.effects import ChangeTicket, CloseTicket, Delivery, Effect, OpenTicket, Port, Receipt
from incident.events import MONITORING, SYSTEM, Event
from incident.evolving import evolve
from incident.model import Incident, Pause, Suggestion, Withdrawn
from incident.naming import channel_name
from incident.policy import Policy
from incident.refusals import Refusal, refuse
from incident.registration import Registration
from incident.routing import Routed
from incident.severity import decide as severity_from
from incident.telling import things
from incident.vocabulary import Phase, Severity, Via

__all__ = ["Opening", "decide", "evolve", "opening", "record", "tick"]

NOTICED_LATE = timedelta(seconds=30)
"""A clock that speaks more than this after its time says so: nothing was running."""

FARTHEST_DUE = timedelta(days=3_653)
"""Ten years. What is due later has a mistake in its year, and a timer of centuries is more than a server counts."""

MOST_DOUBLINGS = 16
"""How often the wait for a port that is down doubles; by then any policy's longest wait is reached, and 2**N stays small."""

LONGEST_RETRY_AFTER = timedelta(days=1)
"""A provider that wants to be left alone for longer is asked again after this."""


class Opening(BaseModel):
    """What an incident begins with."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    request: Open
    source: Literal["alert", "report"] = "report"
    group: str | None = None
    presumed: Severity | None = None
    alerts: tuple[AlertInput, ...] = ()
    policy: Policy = Field(default_factory=Policy)
    routed: Routed | None = None
    related: tuple[Suggestion, ...] = ()
    registered: bool = False
    edition: int = 1
    paused: tuple[Pause, ...] = ()


def opening(start: Opening, now: datetime) -> tuple[Incident, list[Event]]:
    """A new incident and its first entries; declared at once where the request says how severe it is."""
    request = start.request
    text = f"{request.by} opened {start.id}: {request.title}"
    first = Event(kind="opened", by=request.by, at=now, text=text, data={"source": start.source, "drill": request.drill})
    if request.private:
        first = first.model_copy(update={"data": {**first.data, "private": True}})
    incident, events = record(blank(start, now), _through(request.via, request.by, [first]))
    if start.paused:
        incident, told = record(incident, channels.told(incident, channels.Pauses(paused=start.paused, by=SYSTEM), now))
        events += told
    for follow_up in _opened_with(start, now):
        outcome = decide(incident, follow_up, now)
        more = [refused(follow_up.verb, follow_up.by, outcome, now, via=request.via)] if isinstance(outcome, Refusal) else outcome
        incident, told = record(incident, more)
        events += told
        if isinstance(outcome, Refusal) and start.edition > 5:
            incident, told = record(incident, _by_factors(incident, follow_up, now))
            events += told
    incident, told = record(incident, alerts.told(incident, [item.alert() for item in start.alerts], now))
    events += told
    incident, told = record(incident, [related(incident.id, suggestion, now) for suggestion in start.related])
    events += told
    if request.factors is not None and request.severity is None and severity_from(request.factors) is None:
        incident, told = record(incident, _through(request.via, request.by, _only_a_ticket(request.by, now)))
        events += told
    return incident, events


def blank(start: Opening, now: datetime) -> Incident:
    """The incident before its first event; folding its timeline over it gives its state."""
    request = start.request
    return Incident(
        id=start.id,
        title=request.title,
        policy=start.policy,
        opened_at=now,
        opened_by=request.by,
        source=start.source,
        group=start.group,
        drill=request.drill,
        private=request.private,
        phase_entered_at=now,
        presumed_severity=start.presumed or request.severity or start.policy.presumed_otherwise,
        summary=request.summary or "",
        services=request.services,
        started_at=request.started_at,
        channel_wanted=bool(request.channel),
        routed=start.routed,
        groups=tuple(dict.fromkeys(item.group for item in start.alerts if item.group)),
        registered=start.registered,
        edition=start.edition,
        checklist=fresh(),
        page_number=1,
        paging=True,
    )


def _opened_with(start: Opening, now: datetime) -> list[Command]:
    """The commands that the opening request stands for."""
    request = start.request
    found: list[Command] = []
    door = {"by": request.by, "roles": request.roles, "via": request.via}
    described = request.model_dump(include={"symptom", "users_affected", "customer_facing", "started_at"}, exclude_none=True)
    if request.services:
        described["affected"] = request.services
    if described:
        found.append(Describe(**door, **described))
    not_an_incident = request.factors is not None and request.severity is None and severity_from(request.factors) is None
    if (request.severity or request.factors) and not not_an_incident:
        asked = {name: getattr(request, name) for name in ("summary", "customer_facing", "severity", "factors", "reason", "channel")}
        found.append(Declare(**door, **{name: value for name, value in asked.items() if value is not None}))
    return found


def _by_factors(incident: Incident, refused: Command, now: datetime) -> list[Event]:
    """A severity that was refused does not keep the incident undeclared: the factors decide it then. Nothing, where there are none."""
    if not isinstance(refused, Declare) or refused.severity is None or refused.factors is None:
        return []
    outcome = decide(incident, refused.model_copy(update={"severity": None, "reason": None}), now)
    return [] if isinstance(outcome, Refusal) else outcome


def related(incident: str, suggestion: Suggestion, now: datetime) -> Event:
    """The entry that names another open incident which may be the same trouble."""
    way = f"tocsin merge {incident} --into {suggestion.incident}"
    text = f"{suggestion.incident} ({suggestion.title}) may be the same trouble: {suggestion.why}. To go on there: {way}"
    data = suggestion.model_dump(mode="json")
    return Event(kind="related", by=MONITORING, at=now, text=text, data=data)


def unrelated(incident: Incident, withdrawn: Withdrawn, now: datetime) -> list[Event]:
    """The entry by which a suggestion is withdrawn; none where there is no such suggestion, as after a merge into this one."""
    if withdrawn.incident not in {each.incident for each in incident.suggestions}:
        return []
    how = f"goes on in {withdrawn.into}" if withdrawn.into is not None else "is closed"
    text = f"{withdrawn.incident} {how}: the suggestion to go on there is withdrawn"
    data = withdrawn.model_dump(mode="json", exclude_none=True)
    return [Event(kind="unrelated", by=MONITORING, at=now, text=text, data=data)]


def _only_a_ticket(by: str, now: datetime) -> list[Event]:
    """SEV4: nobody is affected, so it becomes a ticket."""
    reason = "no user impact (SEV4): not an incident, it becomes a ticket"
    dismissed = Event(kind="dismissed", by=by, at=now, text=reason, data={"outcome": "ticket", "reason": reason})
    closed = Event(kind="phase_entered", by=SYSTEM, at=now, text="Closed", data={"phase": Phase.CLOSED.value})
    return [dismissed, closed]


def decide(incident: Incident, command: Command, now: datetime, *, earlier: bool = False) -> Outcome:
    """The events that follow from `command`, or the refusal where the process forbids it.

    No events: it has been done already. `earlier`: by the rules that were in force when an older history was written.
    """
    if incident.phase is Phase.CLOSED:
        return _last_deliveries(incident, command, now)
    merging_now = merging.being_merged(incident)
    if merging_now is not None:
        return merging_now
    return permitted(incident, command, now, earlier=earlier)


def _last_deliveries(incident: Incident, command: Command, now: datetime) -> Outcome:
    """A closed incident ends once all that it owes outside is sent or given up; until then, that can be seen to."""
    waits = isinstance(command, RetryDelivery | ReplaceDelivery | GiveUpDelivery) and deliveries.find(incident, command.delivery)
    return permitted(incident, command, now) if waits else refuse("already-closed")


def tried(incident: Incident) -> bool:
    """Whether nothing waits in the outbox but what has to wait for a provider that is down, or for people."""
    return all(effect.port in incident.down or effect.port in incident.paused for effect in incident.outbox)


def owes(incident: Incident) -> bool:
    """Whether anything is left to do after closing: action items, what waits to be sent, and what was refused and not decided on."""
    return any(item.open for item in incident.action_items) or bool(incident.outbox or incident.unsent)


def handed_over(incident: Incident, now: datetime) -> Incident:
    """The incident once its follow-up has all that it owes: nothing to send, and nobody to chase."""
    left = incident.model_copy(update={"handed_over": True, "outbox": (), "unsent": (), "down": {}})
    return left.model_copy(update={"clocks": clocks.planned(left, now)})


def permitted(incident: Incident, command: Command, now: datetime, *, earlier: bool = False) -> Outcome:
    """What follows from `command` by somebody who may; also after the end, where the follow-up decides what is still taken."""
    objection = permissions.objection(incident, command)
    if objection is not None:
        return objection
    outcome = (DECIDERS_BEFORE if earlier else DECIDERS)[command.verb](incident, command, now)
    return outcome if isinstance(outcome, Refusal) else _through(command.via, command.by, outcome)


def _through(via: Via | None, by: str, events: list[Event]) -> list[Event]:
    """The events, of which each that `by` did says through which door."""
    if via is None:
        return events
    return [event.model_copy(update={"data": {**event.data, "via": via.value}}) if event.by == by else event for event in events]


def check_dates(command: Command, now: datetime) -> None:
    """Refuse dates that can't be.

    Raises:
        InvalidInput: names the field: a due date in the past or more than ten years away, a retrospective in the past,
            a start in the future.
    """
    due = command.due if isinstance(command, AddActionItem | ChangeActionItem) else None
    if due is not None and due < now.date():
        raise InvalidInput([{"field": "due", "message": f"{due} is in the past; today is {now.date()}"}])
    if due is not None and due > (now + FARTHEST_DUE).date():
        raise InvalidInput([{"field": "due", "message": f"{due} is more than ten years away; today is {now.date()}"}])
    if isinstance(command, ScheduleRetrospective) and command.at < now:
        raise InvalidInput([{"field": "at", "message": f"{command.at:%Y-%m-%d %H:%M} UTC is in the past"}])
    if isinstance(command, Describe) and command.started_at is not None and command.started_at > now:
        raise InvalidInput([{"field": "started_at", "message": f"{command.started_at:%Y-%m-%d %H:%M} UTC is in the future"}])


EARLIEST_START = datetime(2000, 1, 1, tzinfo=UTC)
"""No incident has begun before: such a start is a slip of the keyboard, or some program's word for none."""


def check_start(started_at: datetime | None, now: datetime) -> None:
    """Refuse a start that nobody can have meant. Only doors and validators ask: a command that was taken before stays taken.

    Raises:
        InvalidInput: names the field.
    """
    if started_at is None:
        return
    if started_at < EARLIEST_START:
        said = f"{started_at:%Y-%m-%d}".rjust(10, "0")
        raise InvalidInput([{"field": "started_at", "message": f"{said} is before the year {EARLIEST_START.year}; today is {now.date()}"}])
    check_dates(Describe(by="unknown", started_at=started_at), now)


def record(incident: Incident, events: Iterable[Event]) -> tuple[Incident, list[Event]]:
    """Fold `events` into the incident; each gets its number and says what it did to the clocks."""
    recorded: list[Event] = []
    for event in events:
        event = event.model_copy(update={"seq": incident.seq + 1})
        before = incident
        incident = evolve(incident, event)
        if incident.clocks is not before.clocks:
            moved = clocks.changes(before.clocks, incident.clocks, event.at)
            if moved:
                event = event.model_copy(update={"data": {**event.data, "clocks": moved}})
        recorded.append(event)
        for effect in _replaced(before, incident, event):
            note = replaced(effect, event).model_copy(update={"seq": incident.seq + 1})
            incident = evolve(incident, note)
            recorded.append(note)
    return incident, recorded


def _replaced(before: Incident, incident: Incident, event: Event) -> list[Effect]:
    """What is not to be sent any more, and has not been: `event` asks for something newer in its place, or takes it back."""
    dropped = before.unsent if event.kind in DROPS_REFUSED and before.edition > 1 else ()
    if incident.outbox is before.outbox or not (before.outbox or dropped):
        return []
    left = {effect.number for effect in (*incident.outbox, *incident.unsent)}
    if event.kind in LEAVES_THE_OUTBOX:
        left.add(event.data["number"])
    return [effect for effect in (*dropped, *before.outbox) if effect.number not in left]


DROPS_REFUSED = frozenset({"delivered", "restricted"})
"""Kinds after which some of what was refused must not be tried again."""


LEAVES_THE_OUTBOX = frozenset({"delivered", "channel_opened", "undeliverable", "delivery_replaced", "delivery_given_up"})
"""Kinds that take the effect that they speak of out of the outbox."""


def replaced(effect: Effect, event: Event) -> Event:
    """The entry for a message that was never sent: a newer one says more, or it is out of date."""
    data: dict[str, Any] = {
        "number": effect.number,
        "port": effect.port.value,
        "action": effect.ask.action,
        "purpose": effect.purpose,
        "by": event.seq,
    }
    what = effect.purpose.replace("_", " ") or effect.ask.action.replace("_", " ")
    text = f"{effect.port.value}: {what} {effect.number} was not sent, a newer one takes its place"
    if event.kind == "undeliverable":
        text, data["with_ticket"] = f"{effect.port.value}: {what} {effect.number} was not sent: {deliveries.WITH_TICKET}", True
    if event.kind in OUT_OF_DATE:
        text, data["stale"] = f"{effect.port.value}: {what} {effect.number} was not sent, it is out of date by now", True
    if effect.number in event.data.get(deliveries.TRYING, ()):
        text, data["under_way"] = (
            f"{effect.port.value}: {what} {effect.number} is taken back; a try was under way, it may have arrived",
            True,
        )
    if effect.port is Port.MONITORING:
        text = f"{effect.port.value}: {what} {effect.number} is not asked any more, the incident is closed"
    return Event(kind="replaced", by=SYSTEM, at=event.at, text=text, data=data)


OUT_OF_DATE = frozenset({"channel_resumed", "delivered", "channel_opened"})
"""Kinds after which a port's queue moves again, and what is out of date in it is left out."""


def registration_after(incident: Incident, newer: Sequence[AlertInput]) -> Registration:
    """The request for the incident that follows a closed one. Whatever else reaches the closed one later goes there too."""
    earliest = min(alert.starts_at for alert in newer)
    return Registration(
        key=f"{incident.id}/after@{earliest.isoformat()}",
        request=messages.opening_for(newer),
        source="alert",
        group=incident.group or incident.id,
        episode_at=earliest,
        alerts=tuple(newer),
        connect=True,
    )


def refused(verb: str, by: str, refusal: Refusal, now: datetime, *, via: Via | None = None) -> Event:
    """The entry that keeps who asked for what, through which door, and why not."""
    data: dict[str, Any] = {"verb": verb, "refusal": refusal.model_dump(mode="json", exclude_none=True)}
    if via is not None:
        data["via"] = via.value
    return Event(kind="refused", by=by, at=now, text=f"{by} asked for {verb.replace('_', ' ')}, refused: {refusal.message}", data=data)


def invalid(name: str, reason: str, by: str, now: datetime) -> Event:
    """The entry for a signal that could not be understood."""
    known = name in COMMANDS or name == "alert"
    shown = name if known else repr(name[:60])
    return Event(kind="invalid", by=by, at=now, text=f"signal {shown} could not be understood: {reason[:500]}", data={"signal": name[:200]})


def tick(incident: Incident, now: datetime) -> list[Event]:
    """What the clocks say at `now`, earliest first; each says one thing once."""
    events: list[Event] = []
    for clock, overdue in clocks.due(incident, now):
        if clock.name == clocks.VERIFICATION:
            events.append(verification_passed(incident, now))
            continue
        speaks_at = clock.escalate_at if overdue else clock.remind_at
        late = now - speaks_at if speaks_at is not None else timedelta(0)
        data: dict[str, Any] = {"clock": clock.name, "due": clock.due.isoformat() if clock.due else None, "owner": clock.owner}
        if late > NOTICED_LATE:
            data["late"] = round(late.total_seconds())
        if overdue:
            data["times"] = clock.times_missed + 1
        text = messages.clock_spoke(clock, now, overdue=overdue, late=late if late > NOTICED_LATE else None)
        events.append(Event(kind="overdue" if overdue else "reminder", by=SYSTEM, at=now, text=text, data=data))
    return events


def delivered(incident: Incident, effect: Effect, receipt: Receipt, now: datetime) -> list[Event]:
    """What follows from a provider's word that it has accepted `effect`."""
    data: dict[str, Any] = {"number": effect.number, "port": effect.port.value, "action": effect.ask.action, "reference": receipt.reference}
    if effect.purpose:
        data["purpose"] = effect.purpose
    if receipt.repeated:
        data["repeated"] = True
    if receipt.detail and effect.ask.action != "look_up":
        # What was looked up stands in the findings' own entries.
        data["detail"] = receipt.detail
    what = effect.purpose.replace("_", " ") or effect.ask.action.replace("_", " ")
    arrived = Event(kind="delivered", by=SYSTEM, at=now, text=f"{effect.port.value}: {what} delivered", data=data)
    if effect.ask.action == "brief" and incident.private and receipt.person:
        return [arrived.model_copy(update={"data": {**data, "person": receipt.person}})]
    if effect.ask.action == "open_channel":
        channel = receipt.channel or effect.ask.name
        private = {"private": True} if effect.ask.private else {}
        opened = {"kind": "channel_opened", "text": f"Channel {channel} opened", "data": {**data, "channel": channel, **private}}
        return [arrived.model_copy(update=opened)]
    if effect.ask.action == "find_on_call":
        return [arrived, *_found(incident, receipt, effect.ask.roles, now)]
    if effect.ask.action == "look_up":
        return [arrived, *lookups.found(incident, receipt, now)]
    if effect.ask.action == "page":
        person = receipt.person or effect.ask.to
        text = f"Paged {person} ({effect.ask.role}): {effect.purpose.replace('_', ' ') or 'asked for help'}"
        return [arrived.model_copy(update={"text": text, "data": {**data, "person": person} if incident.private else data})]
    return [arrived]


def _found(incident: Incident, receipt: Receipt, roles: tuple[str, ...], now: datetime) -> list[Event]:
    if incident.commander is not None:
        return []
    if receipt.person is None:
        text = f"Nobody is on call as {' or '.join(roles)}: the incident has no commander"
        return [Event(kind="role_unfilled", by=SYSTEM, at=now, text=text, data={"role": "commander", "asked": list(roles)})]
    as_role = receipt.role or roles[0]
    escalated = as_role != roles[0]
    text = f"{receipt.person} is commander ({as_role}{', since nobody is ' + roles[0] if escalated else ''})"
    data = {"role": "commander", "person": receipt.person, "as": as_role, "found": True}
    return [Event(kind="role_assigned", by=SYSTEM, at=now, text=text, data=data)]


def parked(incident: Incident, effect: Effect, error: str, retry_after: timedelta | None, now: datetime, *, vendor: str = "") -> Event:
    """The port can't be reached: what it is owed waits, in order, until `retry_at`. `vendor` is who has asked for that wait."""
    policy = incident.policy
    before = incident.down.get(effect.port)
    failures = before.failures if before is not None else 0
    wait = min(policy.retry_first * 2 ** min(failures, MOST_DOUBLINGS), policy.retry_most)
    retry_at = now + max(wait, min(retry_after or timedelta(0), LONGEST_RETRY_AFTER))
    waiting = sum(1 for other in incident.outbox if other.port is effect.port)
    data = {
        "number": effect.number,
        "port": effect.port.value,
        "retry_at": retry_at.isoformat(),
        "error": error[:500],
        "failures": failures + 1,
    }
    why = f"{effect.port.value} can't be reached"
    if vendor:
        data["vendor"] = vendor[:100]
        why = f"{effect.port.value} waits for {vendor[:100]} until {retry_at:%H:%M:%S} UTC"
    text = f"{why} ({error[:200]}); {things(waiting, 'message', edition=incident.edition)} kept, next try {retry_at:%H:%M:%S} UTC"
    return Event(kind="parked", by=SYSTEM, at=now, text=text, data=data)


def undeliverable(effect: Effect, error: str, now: datetime) -> Event:
    """The provider has said no for good."""
    data = {"number": effect.number, "port": effect.port.value, "action": effect.ask.action, "error": error[:500]}
    if effect.important:
        data["important"] = True
    what = effect.purpose.replace("_", " ") or effect.ask.action.replace("_", " ")
    return Event(kind="undeliverable", by=SYSTEM, at=now, text=f"{effect.port.value} refused {what}: {error[:300]}", data=data)


def addressed(incident: Incident, effect: Effect, attempt: int) -> Delivery:
    """The delivery of `effect` as things stand now: a post goes to the channel that exists by then, a
    closing to the ticket.

    Here, and nowhere later, a private incident keeps its own counsel: whatever leaves its own channel says no more
    than that there is one.
    """
    ask = effect.ask
    if incident.private and isinstance(ask, OpenTicket | ChangeTicket | CloseTicket):
        ask = ask.model_copy(update=messages.private_ticket(incident, ask))
    if ask.action == "post":
        worded = AS_IT_STANDS.get(effect.purpose)
        if worded is not None and not effect.worded:
            ask = ask.model_copy(update={"text": worded(incident, effect.at)})
        rooms = {
            "incident": incident.channel or incident.policy.general_channel,
            "general": incident.policy.general_channel,
            "stakeholders": incident.policy.stakeholders_channel,
        }
        told_to_all = incident.private and not (ask.room == "incident" and incident.among_themselves)
        text = messages.private_notice(incident) if told_to_all else ask.text
        inside = ask.room == "incident" and incident.channel is not None and incident.among_themselves
        people = incident.members if inside else ()
        ask = ask.model_copy(update={"channel": rooms[ask.room], "text": text, "people": people})
    elif ask.action == "open_channel":
        ask = ask.model_copy(update={"people": incident.members})
    elif ask.action in ("change_ticket", "close_ticket"):
        ask = ask.model_copy(update={"ticket": next((item.ticket for item in incident.action_items if item.id == ask.ref), None)})
    elif ask.action == "look_up":
        ask = lookups.ask(incident, ask.questions, effect.at)
    return Delivery(incident=incident.id, key=effect.key, drill=incident.drill, attempt=attempt, at=effect.at, ask=ask)


AS_IT_STANDS: dict[str, Callable[[Incident, datetime], str]] = {
    "opened": lambda incident, _: messages.opened(incident),
    "declared": messages.declared,
    "executives": messages.executives,
}
"""Posts that are worded when they are sent, by their purpose: they name the commander and the channel, which are found meanwhile."""


def next_effect(incident: Incident, port: Port) -> Effect | None:
    """The oldest effect that waits for this port, None where it had better wait; each port gets its effects in order."""
    effect = next((effect for effect in incident.outbox if effect.port is port), None)
    return None if effect is not None and effect.purpose == "declared" and _commander_is_sought(incident) else effect


def _commander_is_sought(incident: Incident) -> bool:
    """Whether the rota is being asked: its answer takes a moment, and the declaration names the commander."""
    return Port.ONCALL not in incident.down and any(effect.purpose == "find_commander" for effect in incident.outbox)


def wanted_channel(incident: Incident) -> str:
    """The name to ask for; the chat adapter appends a number where it is taken."""
    return channel_name("" if incident.private else incident.title, incident.opened_at.date(), incident.id)
