"""What people may do about a delivery that has not arrived: have it tried again, replaced, or given up, on record.

Each answers with the events that follow, or with the refusal and the way forward.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter

from incident import deliveries
from incident.asking import ASKERS
from incident.commands import GiveUpDelivery, ReplaceDelivery, RetryDelivery
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
    Wording,
    Words,
)
from incident.events import Event
from incident.model import Incident
from incident.naming import slug
from incident.refusals import Refusal, refuse, talked_round

WORDINGS_KEPT = 3
"""Earlier words of a ticket that still give way; nobody replaces one more often while its tracker is away."""


def _unknown(incident: Incident, name: str) -> Refusal:
    """It has arrived, was given up, or was never there: each has another way forward."""
    number = deliveries.number_of(incident, name)
    key = deliveries.key_of(incident, number) if number is not None else name.strip()
    ended = next((each for each in reversed(incident.settled) if each.key == key), None)
    if ended is not None and ended.state == "delivered" and ended.action == "open_ticket":
        return refuse(
            "unknown-delivery",
            message=f"{key} has arrived ({ended.port.value}, {ended.reference or 'no reference'}); the ticket stands there.",
            action="Change the action item that it is of (change_action_item); its ticket follows.",
        )
    if ended is not None and ended.state == "delivered":
        return refuse(
            "unknown-delivery",
            message=f"{key} has arrived ({ended.port.value}, {ended.reference or 'no reference'}); it can't be taken back.",
            action="Say what is right now: a new update (post_update) or note (note).",
        )
    if ended is not None:
        words = ended.state.replace("_", " ")
        return refuse(
            "unknown-delivery", message=f"{key} is {words} already ({ended.note or ended.instead}).", action=_what_waits(incident)
        )
    return refuse(
        "unknown-delivery", message=f"No delivery of {incident.id} is called {name.strip()[:60]!r}.", action=_what_waits(incident)
    )


def _what_waits(incident: Incident) -> str:
    waiting = [effect.key for effect in (*incident.outbox, *incident.unsent)]
    return f"Not delivered yet: {', '.join(waiting[:10])}." if waiting else "Nothing waits; say it anew (post_update, note, dispatch …)."


def _paused(incident: Incident, effect: Effect) -> Refusal:
    pause = incident.paused[effect.port]
    return refuse(
        "channel-paused",
        message=f"{effect.port.value} is paused since {pause.since:%H:%M} UTC by {pause.by}: {pause.reason}",
        action=f"Resume it (tocsin channel resume {effect.port.value}); all that waits goes out in order. Or replace {effect.key}.",
    )


def _superseded(effect: Effect, newer: Effect) -> Refusal:
    return refuse(
        "superseded",
        message=f"{newer.key} says more than {effect.key}; sent now, {effect.key} would take its place.",
        action=f"See to {newer.key}, which has not arrived yet, and give {effect.key} up.",
    )


def retry(incident: Incident, command: RetryDelivery, now: datetime) -> list[Event] | Refusal:
    """Try it now: what is parked before its time, what was refused once more. What is on its way already stays so."""
    found = deliveries.find(incident, command.delivery)
    if found is None:
        return _unknown(incident, command.delivery)
    effect = found.effect
    if effect.port in incident.paused:
        return _paused(incident, effect)
    newer = deliveries.newer(incident, effect)
    if found.refused and newer is not None:
        return _superseded(effect, newer)
    health = incident.down.get(effect.port)
    if not found.refused and (health is None or health.retry_at <= now):
        return []
    text = f"{command.by} has {_named(effect)} tried again now"
    return [_event("delivery_retried", command.by, text, now, effect)]


def replace(incident: Incident, command: ReplaceDelivery, now: datetime) -> list[Event] | Refusal:
    """Say something else, or say it somewhere else, in its place in the queue."""
    found = deliveries.find(incident, command.delivery)
    if found is None:
        return _unknown(incident, command.delivery)
    effect = found.effect
    ask = replacement(incident, effect.ask, command.text, command.to)
    if isinstance(ask, Refusal):
        return ask
    number = incident.effect_number + 1
    changed = [f"to {deliveries.target(ask)}"] * (command.to is not None) + ["with another text"] * (command.text is not None)
    because = f": {command.reason}" if command.reason else ""
    text = f"{command.by} replaced {_named(effect)} by {deliveries.key_of(incident, number)}, {' and '.join(changed)}{because}"
    data = {"instead": deliveries.key_of(incident, number), "ask": ask.model_dump(mode="json"), "reason": command.reason}
    return [_event("delivery_replaced", command.by, text, now, effect, **data)]


def give_up(incident: Incident, command: GiveUpDelivery, now: datetime) -> list[Event] | Refusal:
    """It is not sent any more; the record keeps what it would have said, and why not."""
    found = deliveries.find(incident, command.delivery)
    if found is None:
        return _unknown(incident, command.delivery)
    known = talked_round(command.reason)
    if known is not None:
        return known
    effect = found.effect
    text = f"{command.by} gave {_named(effect)} up: {command.reason}"
    return [_event("delivery_given_up", command.by, text, now, effect, reason=command.reason, said=deliveries.says(effect.ask) or None)]


def _event(kind: str, by: str, text: str, now: datetime, effect: Effect, /, **more: Any) -> Event:
    data: dict[str, Any] = {"number": effect.number, "port": effect.port.value, "action": effect.ask.action, "purpose": effect.purpose}
    return Event(kind=kind, by=by, at=now, text=text, data={**data, **{name: value for name, value in more.items() if value is not None}})


def _named(effect: Effect) -> str:
    what = effect.purpose.replace("_", " ") or effect.ask.action.replace("_", " ")
    return f"{effect.key} ({effect.port.value}: {what})"


def replacement(incident: Incident, ask: Ask, text: str | None, to: str | None) -> Ask | Refusal:
    """The ask with another text or target, or why it can't have that."""
    changes = dict(_changes(incident, ask, text, to))
    refused = changes.pop("refused", None)
    if refused is not None:
        return refuse("not-replaceable", message=str(refused), action=_possible(ask))
    if isinstance(ask, OpenTicket) and incident.edition > 2:
        changes["instead_of"] = (*ask.instead_of, Wording(body=ask.body, owner=ask.owner))[-WORDINGS_KEPT:]
    return ask.model_copy(update=changes)


def reworded(ask: OpenTicket, words: Words) -> OpenTicket:
    """A ticket that has not arrived, with other words; where a doubtful try has filed it, they take the place of its own."""
    earlier = (*ask.instead_of, Wording(body=ask.body, owner=ask.owner))[-WORDINGS_KEPT:]
    return ask.model_copy(update={**words.model_dump(), "instead_of": earlier})


def changes_behind(opening: Effect, outbox: Iterable[Effect]) -> list[Effect]:
    """The changes that wait for a ticket to be filed."""
    if not isinstance(opening.ask, OpenTicket):
        return []
    return [effect for effect in outbox if isinstance(effect.ask, ChangeTicket) and effect.ask.ref == opening.ask.ref]


def overtaken(opening: Effect, changes: Sequence[Effect]) -> Effect:
    """A ticket that was refused while changes of it waited: tried again, it says what they say; there is nothing for them to change.

    A text that somebody gave it after the last of them stays.
    """
    ask, last = opening.ask, changes[-1]
    if not isinstance(ask, OpenTicket) or not isinstance(last.ask, ChangeTicket):
        return opening
    words = last.ask.worded
    if opening.worded and opening.at > last.at:
        words = words.model_copy(update={"body": ask.body})
    return opening.model_copy(update={"ask": reworded(ask, words)})


def _changes(incident: Incident, ask: Ask, text: str | None, to: str | None) -> Iterator[tuple[str, Any]]:
    texts = {
        Post: "text",
        Page: "text",
        Invite: "text",
        Publish: "body",
        OpenTicket: "body",
        ChangeTicket: "note",
        CloseTicket: "note",
        OpenChannel: "topic",
        Brief: "request",
    }
    targets = {Page: "to", OpenTicket: "owner", Brief: "specialist"}
    what = ask.action.replace("_", " ")
    if text is not None:
        field = texts.get(type(ask))
        yield ("refused", f"{what} has no text of its own.") if field is None else (field, text)
    if to is None:
        return
    match ask:
        case Post():
            policy = incident.policy
            names = {policy.general_channel: "general", policy.stakeholders_channel: "stakeholders", incident.channel or "": "incident"}
            room = names.get(to, to)
            known = room in ("incident", "general", "stakeholders")
            yield ("room", room) if known else ("refused", f"{to[:60]!r} is no room that messages go to.")
        case OpenChannel():
            name = slug(to.lstrip("#"))
            yield ("name", f"#{name}"[:80]) if name else ("refused", f"{to[:60]!r} makes no name of a channel.")
        case FindOnCall():
            yield ("roles", (to,))
        case Invite():
            yield ("people", (to,))
        case _:
            field = targets.get(type(ask))
            yield ("refused", f"{what} goes to one place only.") if field is None else (field, to)


def _possible(ask: Ask) -> str:
    match ask:
        case Post():
            return "Give it another text, or send it to incident, general or stakeholders; or page somebody by assigning the role."
        case Publish():
            return "Give it another text. To say it somewhere else, give it up and tell the public by hand."
        case StoreDocument():
            return "File the document again instead (file_postmortem), or give this one up."
        case LookUp():
            return "Answer the question yourself (correct), or give this one up."
        case OpenChannel():
            return "Give it a name of letters and digits, or give it up: messages then go to the general channel."
    return "Give it another text or another target that this kind has, or give it up and do it by hand."


# ---------------------------------------------------------------------- what it makes of the state

_ASK: TypeAdapter[Ask] = TypeAdapter(Ask)


TAKES_BACK = frozenset({"delivery_replaced", "delivery_given_up"})
"""Kinds after which an effect is not to be told; a try that is under way is called off."""


def as_it_stands(incident: Incident, event: Event, trying: Collection[int]) -> Event:
    """The entry, with what it has to know of the tries that are being made: of `trying`, what waits all the same, or was taken back.

    What is being tried has not been left out, whatever newer has come meanwhile: it stays until its try has ended.
    """
    if event.kind in TAKES_BACK:
        return _under_way(event) if event.data["number"] in trying else event
    if not trying or incident.edition < 2 or event.kind not in ASKERS or event.kind == "delivered":
        return event
    stuck = {port for port in Port if event.kind == "restricted" or port in incident.down or port in incident.paused}
    numbers = [effect.number for effect in incident.outbox if effect.number in trying and effect.port in stuck]
    return event.model_copy(update={"data": {**event.data, deliveries.TRYING: numbers}}) if numbers else event


def _under_way(event: Event) -> Event:
    """The entry where a try was just being made: nobody can say whether it arrived."""
    text = f"{event.text}. A try was under way: it may have arrived all the same"
    return event.model_copy(update={"text": text, "data": {**event.data, "under_way": True}})


def retried(incident: Incident, event: Event) -> dict[str, Any]:
    """Its port is tried now; what was refused goes to the end of the queue once more, under the key that it had."""
    number, port = int(event.data["number"]), Port(event.data["port"])
    changes: dict[str, Any] = {}
    again = tuple(effect for effect in incident.unsent if effect.number == number)
    if again:
        changes |= {"outbox": (*incident.outbox, *again), "unsent": tuple(one for one in incident.unsent if one.number != number)}
    if port in incident.down:
        changes["down"] = {**incident.down, port: incident.down[port].model_copy(update={"retry_at": event.at})}
    return changes


def replaced(incident: Incident, event: Event) -> dict[str, Any]:
    """The new one stands where the old one stood, under a key of its own: the old one may have got through after all."""
    number = int(event.data["number"])
    old = next(effect for effect in (*incident.outbox, *incident.unsent) if effect.number == number)
    fresh = incident.effect_number + 1
    new = old.model_copy(
        update={
            "number": fresh,
            "key": deliveries.key_of(incident, fresh),
            "ask": _ASK.validate_python(event.data["ask"]),
            "at": event.at,
            "worded": True,
            "about": "",
        }
    )
    waiting = any(effect.number == number for effect in incident.outbox)
    outbox = tuple(new if effect.number == number else effect for effect in incident.outbox)
    return {
        "outbox": outbox if waiting else (*outbox, new),
        "unsent": tuple(effect for effect in incident.unsent if effect.number != number),
        "effect_number": fresh,
    }


def given_up(incident: Incident, event: Event) -> dict[str, Any]:
    """A port for which nothing waits any more is not called down: the next delivery finds out."""
    number, port = int(event.data["number"]), Port(event.data["port"])
    outbox = tuple(effect for effect in incident.outbox if effect.number != number)
    changes: dict[str, Any] = {"outbox": outbox, "unsent": tuple(effect for effect in incident.unsent if effect.number != number)}
    if port in incident.down and not any(effect.port is port for effect in outbox):
        changes["down"] = {name: health for name, health in incident.down.items() if name is not port}
    return changes
