"""What became of each thing that was told outside.

An effect is queued, parked while its port is down, or paused with its port; then it is delivered with the provider's reference, replaced
by a newer one, refused for good, or given up. One that went another way meanwhile has failed over. `settled` folds the ends of effects
into the state, and `view` tells where each of them stands. What people may do about one that has not arrived is in `redelivering`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal, NamedTuple

from incident import clocks
from incident.effects import (
    Ask,
    Brief,
    ChangeTicket,
    CloseTicket,
    Effect,
    FindOnCall,
    Invite,
    LookUp,
    OpenChannel,
    OpenTicket,
    Page,
    Port,
    Post,
    Publish,
    StoreDocument,
)
from incident.events import Event
from incident.model import Incident, Settled

SETTLED_KEPT = 100
"""The newest ends of effects that the state carries, about 25 kB; the older ones stand in the timeline."""

UNSENT_KEPT = 30
"""Refused effects that wait for somebody's decision."""

SHOWN = 300
"""Characters of what a delivery says, in lists."""

TRYING = "trying"
"""Where an entry names the effects that were being tried at its moment, though their port is down or paused."""

WITH_TICKET = "its ticket was refused; once that is filed, it says this too"
"""Why a change of a ticket is not told by itself any more."""

End = Literal["delivered", "replaced", "refused", "given_up"]
Standing = Literal["queued", "parked", "paused", "refused", "failed_over"]

_NUMBER = re.compile(r"#?(\d{1,9})")


class Found(NamedTuple):
    """An effect that has not arrived. `refused`: it is out of the outbox, and waits for somebody's decision."""

    effect: Effect
    refused: bool


def key_of(incident: Incident, number: int) -> str:
    return f"{incident.id}:{number}"


def settled(incident: Incident, event: Event) -> list[Settled]:
    """The effects that `event` brings to an end; `incident` is the one before it."""
    number = event.data.get("number")
    effect = next((one for one in (*incident.outbox, *incident.unsent) if one.number == number), None)
    ended = _ended(incident.id, event, effect)
    return [ended] if ended is not None else []


def told(id: str, events: Iterable[Event]) -> list[dict[str, Any]]:
    """The ends of all effects that a timeline tells of, oldest first: also those that the state carries no more."""
    ends = (_ended(id, event, None) for event in events)
    return [_settled_view(id, each) for each in ends if each is not None]


def _ended(id: str, event: Event, effect: Effect | None) -> Settled | None:
    data = event.data
    match event.kind:
        case "delivered" | "channel_opened":
            reference, note = str(data.get("reference", "")), _way(data.get("detail") or {})
            return _end(id, event, effect, "delivered", note).model_copy(update={"reference": reference})
        case "undeliverable":
            return _end(id, event, effect, "refused", str(data.get("error", "")))
        case "replaced" | "delivery_replaced":
            return _end(id, event, effect, "replaced", _why_replaced(event))
        case "delivery_given_up":
            return _end(id, event, effect, "given_up", f"{event.by}: {data['reason']}")
        case "paged" | "paging_failed" if data.get("key"):
            return _page(event)
    return None


def _end(id: str, event: Event, effect: Effect | None, state: End, note: str) -> Settled:
    data = event.data
    number = int(data["number"])
    return Settled(
        key=f"{id}:{number}",
        port=Port(data["port"]),
        action=str(data.get("action", "")),
        purpose=str(data.get("purpose") or (effect.purpose if effect is not None else "")),
        state=state,
        at=event.at,
        to=target(effect.ask) if effect is not None else "",
        note=note,
        stands_for=effect.stands_for if effect is not None else None,
        instead=str(data.get("instead", "")),
    )


def _why_replaced(event: Event) -> str:
    if event.kind == "delivery_replaced":
        return f"{event.by} replaced it" + (f": {event.data['reason']}" if event.data.get("reason") else "")
    if event.data.get("with_ticket"):
        return WITH_TICKET
    why = "out of date" if event.data.get("stale") else "a newer one says more"
    return f"{why}; a try was under way, it may have arrived" if event.data.get("under_way") else why


def _way(detail: dict[str, Any]) -> str:
    """By which of several ways it went, and why not by an earlier one; or that not these words stand there."""
    if not detail.get("pager"):
        return str(detail["text"]) if detail.get("text") else ""
    instead = "; ".join(f"{name}: {why}" for name, why in (detail.get("instead_of") or {}).items())
    return f"by {detail['pager']}" + (f", since {instead}" if instead else "")


def _page(event: Event) -> Settled:
    """A page of the escalation chain, which has a workflow of its own."""
    data = event.data
    went = event.kind == "paged"
    way = f"by {data['pager']}" if data.get("pager") else ""
    return Settled(
        key=str(data["key"]),
        port=Port.PAGING,
        action="page",
        purpose="acknowledge",
        state="delivered" if went else "refused",
        at=event.at,
        to=str(data.get("person") or data.get("role", "")),
        reference=str(data.get("reference", "")),
        note=way if went else f"{data.get('error') or 'nobody is on call'}; the next one on the chain is paged",
    )


def stale(incident: Incident, effect: Effect) -> bool:
    """Whether what waited is out of date by now: the clock has been satisfied, the port is back, the message it stood in for is there."""
    if effect.about:
        clock = incident.clocks.get(effect.about)
        return clock is None or not clock.open or clock.since > effect.at
    if effect.purpose == "port_down" and effect.collapse is not None:
        return Port(effect.collapse.removeprefix("down:")) not in incident.down
    if effect.purpose == "chat_down" and effect.stands_for is not None:
        return not any(other.number == effect.stands_for for other in incident.outbox)
    if effect.collapse is not None and effect.collapse.startswith(clocks.DRIFT):
        known = incident.drifts.get(effect.collapse.removeprefix(clocks.DRIFT))
        return known is not None and not known.open
    return False


def newer(incident: Incident, effect: Effect) -> Effect | None:
    """The last of those that have not arrived either, and say more than this one; told after them, it would undo what they say."""
    same = (one for one in (*incident.outbox, *incident.unsent) if effect.collapse is not None and one.collapse == effect.collapse)
    last = max(same, key=lambda one: one.number, default=effect)
    return last if last.number > effect.number else None


def outlived(incident: Incident, arrived: Effect) -> tuple[Effect, ...]:
    """The refused ones, without those that would undo what `arrived` has told."""
    return tuple(
        one for one in incident.unsent if arrived.collapse is None or one.collapse != arrived.collapse or one.number > arrived.number
    )


def view(incident: Incident) -> dict[str, Any]:
    """Everything that was or is to be told: `waiting` in order, `refused`, and `settled`, the newest last."""
    return {
        "delivered": incident.delivered,
        "waiting": [_waiting(incident, effect, standing(incident, effect)) for effect in incident.outbox],
        "refused": [_waiting(incident, effect, standing(incident, effect, refused=True)) for effect in incident.unsent],
        "settled": [_settled_view(incident.id, each) for each in incident.settled],
        "down": {port.value: health.model_dump(mode="json", exclude={"told"}) for port, health in incident.down.items()},
        "paused": {port.value: pause.model_dump(mode="json") for port, pause in incident.paused.items()},
    }


def joined(own: Mapping[str, Any], later: Mapping[str, Any]) -> dict[str, Any]:
    """The views of a closed incident and of its follow-up as one: what both know of stands where the follow-up has it."""
    names = ("waiting", "refused", "settled")
    known = {each["key"] for name in names for each in later[name]}
    lists = {name: [*(each for each in own[name] if each["key"] not in known), *later[name]] for name in names}
    ports = {name: {**own[name], **later[name]} for name in ("down", "paused")}
    return {"delivered": max(own["delivered"], later["delivered"]), **lists, **ports}


def standing(incident: Incident, effect: Effect, *, refused: bool = False) -> Standing:
    """Where an effect stands that has not arrived."""
    stuck = refused or effect.port in incident.down or effect.port in incident.paused
    if stuck and stand_in(incident, effect) is not None:
        return "failed_over"
    if refused:
        return "refused"
    if effect.port in incident.paused:
        return "paused"
    return "parked" if effect.port in incident.down else "queued"


def stand_in(incident: Incident, effect: Effect) -> Settled | None:
    """What has been delivered another way in place of this one."""
    ways = (each for each in incident.settled if each.stands_for == effect.number and each.state == "delivered")
    return next(ways, None)


def _waiting(incident: Incident, effect: Effect, state: Standing) -> dict[str, Any]:
    other = stand_in(incident, effect)
    shown: dict[str, Any] = {
        "key": effect.key,
        "port": effect.port.value,
        "action": effect.ask.action,
        "purpose": effect.purpose,
        "state": state,
        "at": _iso(effect.at),
        "to": target(effect.ask),
        "says": says(effect.ask),
    }
    if other is not None and state == "failed_over":
        shown |= {"instead": other.key, "way": f"{other.to or other.action} by {other.port.value}"}
    if effect.stands_for is not None:
        shown["stands_for"] = key_of(incident, effect.stands_for)
    health = incident.down.get(effect.port)
    if state == "parked" and health is not None:
        shown |= {"error": health.error, "retry_at": _iso(health.retry_at)}
        if health.vendor:
            shown["waits_for"] = health.vendor
    refusal = next((each.note for each in reversed(incident.settled) if each.key == effect.key and each.state == "refused"), None)
    if refusal is not None and effect in incident.unsent:
        shown["error"] = refusal
    return shown


def _settled_view(id: str, each: Settled) -> dict[str, Any]:
    shown = each.model_dump(mode="json", exclude={"stands_for"}, exclude_defaults=True)
    if each.stands_for is not None:
        shown["stands_for"] = f"{id}:{each.stands_for}"
    return shown


def _iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def target(ask: Ask) -> str:
    """Whom or what an ask is meant for, in a word."""
    match ask:
        case Post():
            return ask.channel or ask.room
        case Page():
            return ask.to
        case OpenChannel():
            return ask.name
        case OpenTicket() | ChangeTicket() | CloseTicket():
            return ask.ref
        case Brief():
            return ask.specialist
        case FindOnCall():
            return ", ".join(ask.roles)
        case StoreDocument():
            return ask.name
        case Invite():
            return ", ".join(ask.people)
        case Publish():
            return ask.status.value
        case LookUp():
            return ", ".join(ask.questions)


def says(ask: Ask) -> str:
    """The beginning of what an ask says."""
    match ask:
        case Post() | Page() | Invite():
            text = ask.text
        case Publish() | OpenTicket():
            text = ask.body
        case ChangeTicket() | CloseTicket():
            text = ask.note
        case OpenChannel():
            text = ask.topic
        case Brief():
            text = ask.request
        case _:
            text = ""
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def find(incident: Incident, name: str) -> Found | None:
    """The effect by its key or number, where it has not arrived."""
    number = number_of(incident, name)
    effect = next((one for one in incident.outbox if one.number == number), None)
    if effect is not None:
        return Found(effect, refused=False)
    effect = next((one for one in incident.unsent if one.number == number), None)
    return Found(effect, refused=True) if effect is not None else None


def number_of(incident: Incident, name: str) -> int | None:
    plain = name.strip()
    prefix = f"{incident.id}:"
    found = _NUMBER.fullmatch(plain[len(prefix) :] if plain.casefold().startswith(prefix.casefold()) else plain)
    return int(found[1]) if found else None
