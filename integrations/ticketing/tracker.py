"""What all trackers have in common: look before opening, read before closing.

No tracker takes a key of ours, so each ticket carries a *mark* (`deliveries.mark`: incident and ref) that its tracker can be
searched for. Opening looks for the mark first; closing reads the ticket first, and leaves a closed one alone. So a repeat, also
by another process and after a restart, finds what the first has done. A ticket that is there keeps its words, which people may have
added to; where they are others than those that were asked for, the receipt says so. Only words of ours that somebody has replaced since,
and nobody has touched, give way to the new ones. So it is with a change, of title and text each for itself; what has changed stands in a
comment besides, which carries its key and is looked for before it is written.

A tracker's module says how to speak to it (`Tracker`); this one says in which order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from incident.checkup import Checked
from incident.effects import ChangeTicket, CloseTicket, Delivery, OpenTicket, Receipt, Words
from integrations.deliveries import asked, clipped, mark, marked, unlinked
from integrations.errors import IntegrationError, NotFound, Refused, Unauthorized, Unavailable
from integrations.http import Http, Unanswered
from integrations.once import OneAtATime
from integrations.ports import KnownIssue, TicketSeen
from integrations.remedies import remedy

TITLE_LIMIT = 255
"""Characters: what Jira, Redmine and Roundup take at the most; GitHub takes one more."""


@dataclass(frozen=True)
class Ticket:
    """A ticket as its tracker has it. `text` is what stands in it; None where nobody has asked for it."""

    reference: str
    closed: bool
    url: str
    text: str | None = None


ISSUES = 20
"""Known issues that one search finds; nobody reads more at night."""

SERVICES_ASKED = 5
"""Each is a search of its own; GitHub allows thirty a minute to everybody who has this token."""


@dataclass(frozen=True)
class Named:
    """An open ticket that names a service; the tracker's own number, which grows, says which is newer."""

    number: int
    reference: str
    title: str


@dataclass(frozen=True)
class NewTicket:
    """What is to be filed; `body` is plain text within the tracker's limit."""

    mark: str
    incident: str
    title: str
    body: str


@dataclass(frozen=True)
class Standing:
    """What a ticket says at its tracker; `text` is None where what it was made with is there no more."""

    title: str
    text: str | None


class Tracker(Protocol):
    """One vendor's way of speaking. `settling`: how long its search may lag behind what it has taken; `body_limit`: characters."""

    @property
    def http(self) -> Http: ...

    @property
    def settling(self) -> timedelta | None: ...

    @property
    def body_limit(self) -> int: ...

    async def find(self, mark: str, incident: str) -> Ticket | None:
        """The ticket with this mark, and its text."""

    async def read(self, reference: str) -> Ticket | None:
        """The ticket that a receipt has named; None where it is gone."""

    async def create(self, new: NewTicket) -> Ticket: ...

    async def reword(self, ticket: Ticket, new: NewTicket, *, title: bool = False, body: bool = True) -> None:
        """Put the new title, or body, in the place of the one that it was made with; what people have added stays."""

    async def standing(self, ticket: Ticket, mark: str) -> Standing:
        """What the ticket with this mark says now."""

    async def comment(self, ticket: Ticket, note: str, key: str) -> bool:
        """Write the note on it, once a key; answers with whether it was not there yet."""

    async def close(self, ticket: Ticket, note: str, key: str) -> None:
        """Close it, with the note. Called again after half of it, it does the other half."""

    async def naming(self, words: str, most: int) -> list[Named]:
        """The newest open tickets that these words stand in, at most so many. Nothing in `words` is an operator of any search."""

    async def look(self) -> str:
        """Make one harmless call; answers with what was seen."""


class TrackerTicketing:
    """Ticketing by a tracker. A repeat is recognised by the ticket's mark, or by its being closed."""

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker
        self.vendor = tracker.http.vendor
        self._one_at_a_time = OneAtATime()

    async def open_ticket(self, delivery: Delivery) -> Receipt:
        ask = asked(delivery, OpenTicket)
        new = self._worded(delivery, ask.ref, ask)
        async with self._one_at_a_time.of(new.mark), self._tracker.http.one_ask():
            found = await self._tracker.find(new.mark, new.incident)
            if found is not None:
                was = (ask.worded.model_copy(update={"body": each.body, "owner": each.owner}) for each in ask.instead_of)
                stands = await self._reworded(found, new, [self._worded(delivery, ask.ref, each).body for each in was])
                return _receipt(found, repeated=True).model_copy(update={"detail": {} if stands else self._other_words(found, new)})
            try:
                return _receipt(await self._tracker.create(new))
            except Unanswered as error:
                # It may be there, and not be found yet: the next try must not come before the search has caught up.
                raise Unavailable(str(error), retry_after=self._tracker.settling) from error

    async def _reworded(self, found: Ticket, new: NewTicket, earlier: list[str]) -> bool:
        """Whether the new words stand there now: they take the place of earlier ones of ours, never of what people have written."""
        ours = found.text is not None and _words(found.text) in map(_words, earlier)
        if found.closed or not ours or _words(new.body) == _words(found.text or ""):
            return False
        try:
            await self._tracker.reword(found, new)
        except Refused:
            return False  # the receipt says where to change it by hand
        return True

    def _other_words(self, found: Ticket, new: NewTicket) -> dict[str, str]:
        if found.text is None or _words(new.body) == _words(found.text):
            return {}
        return {"text": f"{self.vendor} had {found.reference} already, with another text, which stays: change it there, {found.url}"}

    async def change_ticket(self, delivery: Delivery) -> Receipt:
        ask = asked(delivery, ChangeTicket)
        new = self._worded(delivery, ask.ref, ask)
        was = [self._worded(delivery, ask.ref, each) for each in ask.was]
        async with self._one_at_a_time.of(new.mark), self._tracker.http.one_ask():
            ticket = await self._ticket(ask, new.mark, delivery.incident)
            if ticket is None or ticket.closed:
                return Receipt(reference="gone", repeated=True) if ticket is None else _receipt(ticket, repeated=True)
            stands = await self._changed(ticket, new, was)
            note = clipped(marked(delivery, unlinked(ask.note)), self._tracker.body_limit)
            told = await self._tracker.comment(ticket, note, mark(delivery.key, "change"))
            kept = {} if stands else {"text": f"{ticket.reference} has words of others at {self.vendor}, which stay: {ticket.url}"}
            return _receipt(ticket, repeated=not told).model_copy(update={"detail": kept})

    async def _changed(self, ticket: Ticket, new: NewTicket, was: list[NewTicket]) -> bool:
        """Whether the new words stand there now. What people have written, and what nobody may change, stays."""
        standing = await self._tracker.standing(ticket, new.mark)
        text = _words(standing.text or "")
        title, body = _words(new.title) != _words(standing.title), _words(new.body) != text
        ours = {
            "title": title and _words(standing.title) in [_words(each.title) for each in was],
            "body": body and standing.text is not None and text in [_words(each.body) for each in was],
        }
        if any(ours.values()):
            try:
                await self._tracker.reword(ticket, new, **ours)
            except Refused:
                return False  # the comment says it all the same
        return ours == {"title": title, "body": body}

    def _worded(self, delivery: Delivery, ref: str, words: Words) -> NewTicket:
        return NewTicket(
            mark=mark(delivery.incident, ref),
            incident=delivery.incident,
            title=clipped(" ".join(marked(delivery, unlinked(words.title)).split()), TITLE_LIMIT),
            body=clipped(_body(delivery, words), self._tracker.body_limit),
        )

    async def close_ticket(self, delivery: Delivery) -> Receipt:
        ask = asked(delivery, CloseTicket)
        wanted = mark(delivery.incident, ask.ref)
        async with self._one_at_a_time.of(wanted), self._tracker.http.one_ask():
            ticket = await self._ticket(ask, wanted, delivery.incident)
            if ticket is None or ticket.closed:
                return Receipt(reference="gone", repeated=True) if ticket is None else _receipt(ticket, repeated=True)
            note = clipped(marked(delivery, unlinked(ask.note)), self._tracker.body_limit)
            await self._tracker.close(ticket, note, mark(delivery.key, "close"))
            return _receipt(ticket)

    async def _ticket(self, ask: ChangeTicket | CloseTicket, wanted: str, incident: str) -> Ticket | None:
        if ask.ticket:
            return await self._tracker.read(ask.ticket)
        return await self._tracker.find(wanted, incident)

    async def read_tickets(self, references: Iterable[str]) -> tuple[TicketSeen, ...]:
        """How the tickets stand at the tracker; errors come out as those of any other ask."""
        seen = []
        for reference in references:
            async with self._tracker.http.one_ask():
                ticket = await self._tracker.read(reference)
            state = "gone" if ticket is None else "closed" if ticket.closed else "open"
            seen.append(TicketSeen(reference=reference, state=state))
        return tuple(seen)

    async def open_about(self, services: tuple[str, ...]) -> tuple[KnownIssue, ...]:
        """The open tickets that name one of the services, the newest first. Searching changes nothing, and may lag behind by seconds."""
        asked = dict.fromkeys(words for service in services if (words := searched(service)))
        async with self._tracker.http.one_ask():
            found = await asyncio.gather(*(self._tracker.naming(words, ISSUES) for words in list(asked)[:SERVICES_ASKED]))
        named = {each.reference: each for several in found for each in several}
        newest = sorted(named.values(), key=lambda each: each.number, reverse=True)[:ISSUES]
        return tuple(KnownIssue(reference=each.reference, title=" ".join(each.title.split())) for each in newest)

    async def check(self) -> Checked:
        name = f"tickets: {self._tracker.http.vendor}"
        try:
            async with self._tracker.http.one_ask():
                return Checked(name=name, ok=True, detail=await self._tracker.look())
        except IntegrationError as error:
            return Checked(name=name, ok=False, detail=str(error), fix=advice(error, self._tracker.http))

    async def close(self) -> None:
        """Let go of the connections."""
        await self._tracker.http.close()


def searched(service: str) -> str:
    """A service's name as words to search for: whatever a search might take for an operator is a space."""
    return " ".join("".join(char if char.isalnum() or char in "-_./" else " " for char in service[:100]).split()).strip("-./ ")


def advice(error: IntegrationError, http: Http) -> str:
    """What to do about an error that a look has met; the settings are those of the vendor's group."""
    group = f"TOCSIN_{http.vendor.split()[0].upper()}"
    match error:
        case Unauthorized():
            refused = f"Make new credentials for {http.vendor}, or give theirs the permission (docs/integrations.md): {http.setting}."
        case NotFound():
            refused = f"What {group}_… names is not there, or hidden from these credentials: correct the name, or give access."
        case _:
            refused = f"{http.vendor} does not take what we ask: compare {group}_… with docs/integrations.md."
    return remedy(error, http.vendor, f"{group}_URL", refused)


def _words(text: str) -> str:
    """A text without its breaks, which each tracker keeps in its own way."""
    return "".join(text.split())


def _receipt(ticket: Ticket, *, repeated: bool = False) -> Receipt:
    return Receipt(reference=ticket.reference, repeated=repeated)


def _body(delivery: Delivery, ask: Words) -> str:
    """The text, with what trackers would need accounts and screens for: who owns it, by when, and where it comes from."""
    about = [f"Owner: {ask.owner}"] * bool(ask.owner) + [f"Due: {ask.due}"] * bool(ask.due) + [f"From: {delivery.incident}"]
    return f"{unlinked(' · '.join(about))}\n\n{unlinked(ask.body)}".strip()
