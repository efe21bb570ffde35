"""Channels that people have told to wait, for an outage of a vendor: what an incident makes of it.

The pauses are kept by a workflow of their own (`workflows.channels`), which tells every incident the whole set, again where it has to.
An incident compares it with what it knows. While a port is paused its effects wait in order, newer ones take the place of those that
say less, and what matters goes another way, as if it were down. Practice is left alone: it reaches nobody outside.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import ConfigDict, Field, ValidationError

from incident import deliveries
from incident.commands import InvalidInput, problems
from incident.effects import Effect, Port
from incident.events import Event
from incident.model import Frozen, Incident, Pause

PAUSABLE = frozenset({Port.CHAT, Port.STATUS, Port.TICKETS, Port.SPECIALIST, Port.ARCHIVE, Port.CALENDAR})
"""Never what wakes people, says whom to wake, or measures: those fail over by themselves, and waiting would keep the night quiet."""


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
            text = (
                f"{pauses.by} resumed {port.value}: {waiting} message(s) go out in order"
                if waiting
                else f"{pauses.by} resumed {port.value}"
            )
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
    changes["outbox"] = still_true(incident.model_copy(update=changes), port)
    return changes


def still_true(incident: Incident, port: Port) -> tuple[Effect, ...]:
    """The outbox without what waited for this port and is out of date."""
    return tuple(effect for effect in incident.outbox if effect.port is not port or not deliveries.stale(incident, effect))
