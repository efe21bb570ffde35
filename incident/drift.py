"""What outside systems show, held against what the incident has told them.

People close tickets at the tracker, edit the status page by hand, and archive channels. A schedule reads all of them back
(`workflows.read_back`); `told` says what follows. A ticket that was closed there completes its action item here. Everything else
that differs is a *drift*: an obligation, with both versions, until the two agree again or somebody waives it. What is still on its
way out is not compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from html import unescape
from typing import Any, Literal

from pydantic import ConfigDict, Field, ValidationError, field_validator

from incident.commands import InvalidInput, problems
from incident.effects import PORT_OF, CloseTicket, OpenChannel, OpenTicket, Port
from incident.events import Event
from incident.model import Frozen, Incident, Publication
from incident.vocabulary import Phase, PublicStatus

STATUS_PAGE = "status_page"
COMPONENTS = "components"
TICKET = "ticket:"
CHANNEL = "channel"
CHANNEL_NAME = "channel_name"
CHANNEL_TOPIC = "channel_topic"
CHANNEL_CARD = "channel_card"

NOTHING_THERE = "no entry"
NO_TOPIC = "no topic"

_INVISIBLE = re.compile("[\u200b\u2060\ufeff]")
_BREAK = re.compile(r"</?(?:p|br|div|li|ul|ol|h[1-6]|tr|td|blockquote|pre|hr)\b[^<>]*>", re.IGNORECASE)
_ELEMENT = re.compile(r"</?[a-z][^<>]*>|<!--.*?-->", re.IGNORECASE | re.DOTALL)
_SHORTENED = re.compile(r"…\s\(shortened; [\d,]+ characters in all\)$")


class TicketShown(Frozen):
    ticket: str = Field(max_length=200)
    state: Literal["open", "closed", "gone"]


class PageShown(Frozen):
    """The newest update that the public reads, and the services shown as well. `status` None: the incident has no entry there."""

    status: str | None = Field(default=None, max_length=60)
    body: str = Field(default="", max_length=100_000)
    operational: tuple[str, ...] = Field(default=(), max_length=500)


class ChannelShown(Frozen):
    """The incident's channel as it is there. `card`: whether its pinned message is there still; None where it has none."""

    state: Literal["open", "archived", "gone"]
    name: str = Field(default="", max_length=300)
    topic: str = Field(default="", max_length=10_000)
    card: Literal["there", "gone"] | None = None


class ReadBack(Frozen):
    """What one outside system shows of one incident."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    system: str = Field(min_length=1, max_length=60)
    tickets: tuple[TicketShown, ...] = Field(default=(), max_length=500)
    page: PageShown | None = None
    channel: ChannelShown | None = None

    @field_validator("system")
    @classmethod
    def _one_line(cls, value: str) -> str:
        return " ".join(value.split()) or "somewhere"

    @classmethod
    def read(cls, payload: Any) -> ReadBack:
        """Read what a signal brings.

        Raises:
            InvalidInput: it is none; names each field.
        """
        try:
            return cls.model_validate(payload)
        except ValidationError as error:
            raise InvalidInput(problems(error)) from error


def references(incident: Incident) -> tuple[str, ...]:
    """The tickets that are worth a look: of what is open, and of what was done a while ago and may have been opened again."""
    wanted = (item for item in incident.action_items if item.ticket is not None)
    return tuple(item.ticket for item in wanted if item.ticket is not None and (item.open or incident.phase is not Phase.CLOSED))


def told(incident: Incident, seen: ReadBack, now: datetime) -> list[Event]:
    """What follows from what a system shows; nothing where all is as it was told, or as it was read before."""
    return [*_tickets(incident, seen, now), *_page(incident, seen, now), *_channel(incident, seen, now)]


def _channel(incident: Incident, seen: ReadBack, now: datetime) -> Iterator[Event]:
    """Archived, renamed, its topic changed or its card deleted; of a channel that is gone, nothing else is said."""
    shown, name = seen.channel, incident.channel
    if shown is None or name is None or any(isinstance(effect.ask, OpenChannel) for effect in incident.outbox):
        return
    if shown.state != "open":
        yield from _compared(incident, seen, now, CHANNEL, f"{name} is open", f"{name} is {shown.state}")
        return
    yield from _compared(incident, seen, now, CHANNEL, "", "")
    yield from _compared(incident, seen, now, CHANNEL_NAME, name, "" if shown.name in ("", name) else shown.name)
    topic = incident.channel_topic
    same = not topic or _same(topic, shown.topic)
    yield from _compared(incident, seen, now, CHANNEL_TOPIC, topic, "" if same else shown.topic or NO_TOPIC)
    yield from _compared(incident, seen, now, CHANNEL_CARD, "a pinned card", "it was deleted" if shown.card == "gone" else "")


def _tickets(incident: Incident, seen: ReadBack, now: datetime) -> Iterator[Event]:
    on_the_way = {effect.ask.ref for effect in incident.outbox if isinstance(effect.ask, OpenTicket | CloseTicket)}
    shown = {ticket.ticket: ticket.state for ticket in seen.tickets}
    for item in incident.action_items:
        state = shown.get(item.ticket or "")
        if state is None or item.id in on_the_way:
            continue
        name = f"{TICKET}{item.id}"
        if item.open and state == "closed":
            text = f"{seen.system}: {item.ticket} was closed there, so {item.id} is done: {item.item}"
            yield Event(kind="action_item_completed", by=seen.system, at=now, text=text, data={"id": item.id, "elsewhere": True})
            yield from _compared(incident, seen, now, name, "", "")
        elif item.open and state == "gone":
            yield from _compared(incident, seen, now, name, f"{item.id} is open, owed by {item.owner}", f"{item.ticket} is gone")
        elif item.done and state == "open":
            yield from _compared(incident, seen, now, name, f"{item.id} is done", f"{item.ticket} is open")
        else:
            yield from _compared(incident, seen, now, name, "", "")


def _page(incident: Incident, seen: ReadBack, now: datetime) -> Iterator[Event]:
    said, page = incident.published, seen.page
    on_the_way = any(PORT_OF[effect.ask.action] is Port.STATUS for effect in incident.outbox)
    if said is None or page is None or on_the_way:
        return
    if page.status is None:
        yield from _compared(incident, seen, now, STATUS_PAGE, f"{said.status}: {said.body}", NOTHING_THERE)
        return
    yield from _components(incident, seen, now, said, page)
    # After "resolved" the page may go on to its own "postmortem", with a text of its own.
    further = said.status is PublicStatus.RESOLVED and page.status == "postmortem"
    if further or (page.status == said.status.value and _same(said.body, page.body)):
        yield from _compared(incident, seen, now, STATUS_PAGE, "", "")
    else:
        yield from _compared(incident, seen, now, STATUS_PAGE, f"{said.status}: {said.body}", f"{page.status}: {page.body}")


def _components(incident: Incident, seen: ReadBack, now: datetime, said: Publication, page: PageShown) -> Iterator[Event]:
    """A service that is said to fail and shown as well. One that has recovered may still be held by another incident."""
    well = [] if said.status is PublicStatus.RESOLVED else [service for service in said.components if service in page.operational]
    names = ", ".join(well)
    yield from _compared(incident, seen, now, COMPONENTS, f"affected: {names}", f"operational: {names}" if well else "")


def _same(here: str, there: str) -> bool:
    """Whether two texts read the same: spaces and defused mentions aside, and one may have been shortened on its way."""
    left, right = _plain(here), _plain(there)
    shortened = _SHORTENED.search(right)
    return left.startswith(right[: shortened.start()].rstrip()) if shortened else left == right


def _plain(text: str) -> str:
    return " ".join(_INVISIBLE.sub("", text).split())


def as_said(said: str, shown: str) -> str:
    """What a page shows, as plain text where it is what was said with markup around it; whoever reads it sees no difference.

    For those who read back: an incident takes what it hears as it is.
    """
    return said if _same(_without_markup(said), _without_markup(shown)) else shown


def _without_markup(text: str) -> str:
    return unescape(_ELEMENT.sub("", _BREAK.sub(" ", text)))


def _compared(incident: Incident, seen: ReadBack, now: datetime, name: str, here: str, there: str) -> Iterator[Event]:
    """What is to be said about one thing; both texts are empty where the two agree."""
    known = incident.drifts.get(name)
    here, there = here[:500], there[:500]
    if not there:
        if known is not None and known.settled_at is None:
            text = f"{seen.system} agrees with the incident again: {label(name)}"
            yield Event(kind="drift_settled", by=seen.system, at=now, text=text, data={"name": name})
    elif known is None or known.settled_at is not None or known.there != there:
        text = f"{seen.system} contradicts the incident on the {label(name)}. Here: {here}. There: {there}"
        yield Event(kind="drift", by=seen.system, at=now, text=text, data={"name": name, "here": here, "there": there})


def label(name: str) -> str:
    return f"ticket of {name.removeprefix(TICKET)}" if name.startswith(TICKET) else name.replace("_", " ")
