"""The ticket board that comes with Tocsin: tickets in the ledger, read back at `/api/v1/embedded/tickets`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import RowMapping, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from incident.effects import ChangeTicket, CloseTicket, Delivery, OpenTicket, Port, Receipt
from integrations import tables
from integrations.deliveries import asked, marked
from integrations.ledger import Ledger, Told, clean
from integrations.ports import KnownIssue
from integrations.tables import stamp

OPEN = "open"
CLOSED = "closed"

WORDS = frozenset({"title", "body", "owner", "due"})

ISSUES = 20
"""Known issues that one search finds; nobody reads more at night."""


class EmbeddedTicketing:
    """Tickets, named by incident and ref. A repeat is recognised by its key, and a ref that has a ticket by that ticket."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def open_ticket(self, delivery: Delivery) -> Receipt:
        ask = asked(delivery, OpenTicket)
        title = marked(delivery, ask.title)

        async def tell(connection: AsyncConnection) -> Told:
            ticket = await _ticket(connection, delivery.incident, ask.ref)
            repeated = ticket is not None
            if ticket is None:
                await connection.execute(insert(tables.tickets).values(self._row(delivery, ask, title)))
                ticket = await _ticket(connection, delivery.incident, ask.ref)
                assert ticket is not None, "what a transaction has inserted, it finds"
            elif ticket["state"] == OPEN:
                # Under another key: somebody has replaced the words, which nobody but us writes here.
                words = {name: value for name, value in self._row(delivery, ask, title).items() if name in WORDS}
                await connection.execute(update(tables.tickets).where(tables.tickets.c.id == ticket["id"]).values(words))
            return Told(to=ask.owner or "", text=title, receipt=Receipt(reference=f"T-{ticket['id']}", repeated=repeated))

        return await self._ledger.once(Port.TICKETS, delivery, tell)

    async def change_ticket(self, delivery: Delivery) -> Receipt:
        """Nobody but us writes here, so its words give way whatever they are."""
        ask = asked(delivery, ChangeTicket)
        note = marked(delivery, ask.note)
        new = OpenTicket(ref=ask.ref, title=ask.title, body=ask.body, owner=ask.owner, due=ask.due)

        async def tell(connection: AsyncConnection) -> Told:
            ticket = await _ticket(connection, delivery.incident, ask.ref)
            if ticket is None or ticket["state"] == CLOSED:
                reference = "gone" if ticket is None else f"T-{ticket['id']}"
                return Told(to="", text=note, receipt=Receipt(reference=reference, repeated=True))
            words = {name: value for name, value in self._row(delivery, new, marked(delivery, ask.title)).items() if name in WORDS}
            await connection.execute(update(tables.tickets).where(tables.tickets.c.id == ticket["id"]).values(words))
            return Told(to=ask.owner or "", text=note, receipt=Receipt(reference=f"T-{ticket['id']}"))

        return await self._ledger.once(Port.TICKETS, delivery, tell)

    async def close_ticket(self, delivery: Delivery) -> Receipt:
        ask = asked(delivery, CloseTicket)
        note = marked(delivery, ask.note)

        async def tell(connection: AsyncConnection) -> Told:
            ticket = await _ticket(connection, delivery.incident, ask.ref)
            if ticket is None or ticket["state"] == CLOSED:
                reference = "gone" if ticket is None else f"T-{ticket['id']}"
                return Told(to="", text=note, receipt=Receipt(reference=reference, repeated=True))
            closed = {"state": CLOSED, "closed_at": stamp(self._ledger.now()), "closed_key": delivery.key, "closing_note": clean(note)}
            await connection.execute(update(tables.tickets).where(tables.tickets.c.id == ticket["id"]).values(closed))
            return Told(to=ticket["owner"] or "", text=note, receipt=Receipt(reference=f"T-{ticket['id']}"))

        return await self._ledger.once(Port.TICKETS, delivery, tell)

    async def open_about(self, services: tuple[str, ...]) -> tuple[KnownIssue, ...]:
        """The open tickets whose title or body names one of the services, newest first; those of drills are no issues."""
        table = tables.tickets
        named = [column.icontains(service, autoescape=True) for service in services for column in (table.c.title, table.c.body)]
        if not named:
            return ()
        query = select(table).where(table.c.state == OPEN, table.c.drill.is_(False), or_(*named)).order_by(table.c.id.desc()).limit(ISSUES)
        async with self._ledger.reading() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return tuple(KnownIssue(reference=f"T-{row['id']}", title=row["title"], incident=row["incident"]) for row in rows)

    def _row(self, delivery: Delivery, ask: OpenTicket, title: str) -> dict[str, Any]:
        return {
            "incident": delivery.incident,
            "ref": ask.ref,
            "key": delivery.key,
            "drill": delivery.drill,
            "at": stamp(self._ledger.now()),
            "title": clean(title),
            "body": clean(ask.body),
            "owner": ask.owner,
            "due": ask.due and ask.due.isoformat(),
            "state": OPEN,
        }


async def _ticket(connection: AsyncConnection, incident: str, ref: str) -> RowMapping | None:
    table = tables.tickets
    return (await connection.execute(select(table).where(table.c.incident == incident, table.c.ref == ref))).mappings().first()
