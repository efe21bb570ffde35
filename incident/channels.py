"""Channels that people have told to wait, for an outage of a vendor: what an incident makes of it.

The pauses are kept by a workflow of their own (`workflows.channels`), which tells every incident the whole set, again where it has to.
An incident compares it with what it knows. While a port is paused its effects wait in order, newer ones take the place of those that
say less, and what matters goes another way, as if it were down. Practice is left alone: it reaches nobody outside.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import ConfigDict, Field, ValidationError

from incident import deliveries, messages
from incident.commands import Command, InvalidInput, Text, problems
from incident.effects import Effect, Page, Port
from incident.events import SYSTEM, Event
from incident.model import Frozen, Incident, Pause
from incident.permissions import refusal_of
from incident.policy import Policy
from incident.refusals import Refusal, refuse, talked_round
from incident.telling import things
from incident.vocabulary import Severity

CHANNELS = "channels"
"""What the pauses are called where an incident's id stands else."""

PAUSABLE = frozenset({Port.CHAT, Port.STATUS, Port.TICKETS, Port.SPECIALIST, Port.ARCHIVE, Port.CALENDAR})
"""Never what wakes people, says whom to wake, or measures: those fail over by themselves, and waiting would keep the night quiet."""


AN_HOUR = 60
LONGEST = 7 * 24 * 60
"""Minutes. An outage of a week is no outage any more: choose another vendor."""

REMIND_AGAIN = timedelta(hours=1)
"""How often a pause that is overdue is brought to mind."""


class PauseChannel(Command):
    """Have an outside system's queue wait, for its vendor's outage; a pause that is there is prolonged."""

    verb = "pause_channel"
    port: Port
    reason: Text
    minutes: Annotated[float, Field(gt=0, le=LONGEST, allow_inf_nan=False)] = Field(
        default=AN_HOUR, description="after which it ends by itself"
    )


class ResumeChannel(Command):
    """Let all that waited go out again, in order."""

    verb = "resume_channel"
    port: Port


class Decided(Frozen):
    """What became of a request: the pauses that there are now, and the sentence that says so. Not `news`: it was so already."""

    paused: tuple[Pause, ...]
    text: str
    news: bool = True


def read(verb: str, fields: object) -> PauseChannel | ResumeChannel:
    """Read one request.

    Raises:
        InvalidInput: it is none; names each field.
    """
    model: type[PauseChannel] | type[ResumeChannel] = PauseChannel if verb == PauseChannel.verb else ResumeChannel
    if not isinstance(fields, dict):
        raise InvalidInput([{"field": verb, "message": f"takes one JSON object, not {type(fields).__name__}"}])
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise InvalidInput(problems(error)) from error


def decide(paused: Mapping[Port, Pause], command: PauseChannel | ResumeChannel, now: datetime) -> Decided | Refusal:
    """The pauses after a request, or why not."""
    objection = refusal_of(command, command.verb)
    if objection is not None:
        return objection
    port = command.port
    if isinstance(command, ResumeChannel):
        left = tuple(pause for name, pause in paused.items() if name is not port)
        if port not in paused:
            return Decided(paused=left, text=f"{port.value} is not paused", news=False)
        return Decided(paused=left, text=f"{command.by} resumed {port.value}; what waited goes out in order")
    if port not in PAUSABLE:
        possible = ", ".join(sorted(name.value for name in PAUSABLE))
        return refuse("not-pausable", message=f"{port.value} is never told to wait; {possible} can be.")
    known = talked_round(command.reason)
    if known is not None:
        return known
    since = paused[port].since if port in paused else now
    until = now + timedelta(minutes=command.minutes)
    pause = Pause(port=port, by=command.by, reason=command.reason, since=since, until=until)
    text = f"{command.by} paused {port.value} until {until:%Y-%m-%d %H:%M} UTC: {command.reason}"
    return Decided(paused=(*(one for name, one in paused.items() if name is not port), pause), text=text)


def remind_at(pause: Pause, reminded: int) -> datetime:
    """When a pause is next brought to mind, of which people have been reminded so many times."""
    return pause.until + reminded * REMIND_AGAIN


def times_due(pause: Pause, reminded: int, now: datetime) -> int:
    """The how-manieth reminder is due by now. Those that nobody could send meanwhile are in it: one page after a downtime says it all."""
    return max(reminded, (now - pause.until) // REMIND_AGAIN) + 1


def reminder(pause: Pause, times: int, now: datetime) -> Page:
    """Who is reminded of a pause for the `times`th time: whoever made it, and from the second time on whoever is on call."""
    on_call = Policy().severities[Severity.SEV2].escalation_chain[0]
    to, role = (pause.by, "owner") if times == 1 else (on_call, on_call)
    return Page(to=to, role=role, urgency="low", text=messages.forgotten_pause(pause, now))


def over(pause: Pause) -> Page:
    """What whoever made a pause is told when its time is over."""
    return Page(to=pause.by, role="owner", urgency="low", text=messages.pause_over(pause))


class Pauses(Frozen):
    """Every pause there is; `by` is who changed it last."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    paused: tuple[Pause, ...] = Field(default=(), max_length=len(Port))
    by: str = Field(max_length=300)

    @classmethod
    def read(cls, payload: Any) -> Pauses:
        """Read what a signal brings.

        Raises:
            InvalidInput: it is none; names each field.
        """
        try:
            found = cls.model_validate(payload)
        except ValidationError as error:
            raise InvalidInput(problems(error)) from error
        wrong = [pause.port.value for pause in found.paused if pause.port not in PAUSABLE]
        if wrong:
            raise InvalidInput([{"field": "paused", "message": f"{', '.join(wrong)} can't be paused"}])
        return found


def told(incident: Incident, pauses: Pauses, now: datetime) -> list[Event]:
    """What follows from the whole set of pauses; nothing where the incident knows it already."""
    if incident.drill:
        return []
    wanted = {pause.port: pause for pause in pauses.paused}
    events = []
    for port in incident.paused:
        if port not in wanted:
            waiting = sum(effect.port is port for effect in incident.outbox)
            known = incident.paused[port]
            ended = pauses.by == SYSTEM and known.until <= now
            text = f"The pause of {port.value} by {known.by} is over" if ended else f"{pauses.by} resumed {port.value}"
            go = "goes out" if waiting == 1 and incident.edition > 3 else "go out in order"
            text += f": {things(waiting, 'message', edition=incident.edition)} {go}" if waiting else ""
            events.append(Event(kind="channel_resumed", by=pauses.by, at=now, text=text, data={"port": port.value}))
    for port, pause in wanted.items():
        if incident.paused.get(port) != pause:
            text = f"{pause.by} paused {port.value}, to be resumed by {pause.until:%Y-%m-%d %H:%M} UTC: {pause.reason}"
            events.append(Event(kind="channel_paused", by=pause.by, at=now, text=text, data=pause.model_dump(mode="json")))
    return events


def paused(incident: Incident, event: Event) -> dict[str, Any]:
    pause = Pause.model_validate(event.data)
    return {"paused": {**incident.paused, pause.port: pause}}


def resumed(incident: Incident, event: Event) -> dict[str, Any]:
    """All that waited goes out, in order, but for what is out of date; whether the vendor is back, the first one shows."""
    port = Port(event.data["port"])
    changes: dict[str, Any] = {"paused": {name: pause for name, pause in incident.paused.items() if name is not port}}
    changes["down"] = {name: health for name, health in incident.down.items() if name is not port}
    changes["outbox"] = still_true(incident.model_copy(update=changes), port, event.data.get(deliveries.TRYING, ()))
    return changes


def still_true(incident: Incident, port: Port, trying: Collection[int] = ()) -> tuple[Effect, ...]:
    """The outbox without what waited for this port and is out of date; what is being tried stays until its try has ended."""

    def stays(effect: Effect) -> bool:
        return effect.port is not port or effect.number in trying or not deliveries.stale(incident, effect)

    return tuple(effect for effect in incident.outbox if stays(effect))
