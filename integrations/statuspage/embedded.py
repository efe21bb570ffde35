"""The status page that comes with Tocsin: what the public is told, in the ledger.

Everything published is read back at `/api/v1/embedded/status`, drills marked. What the public sees is `public_page`,
where no drill ever appears.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import RowMapping, func, insert, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from incident.effects import Delivery, Port, Publish, Receipt
from incident.vocabulary import PublicStatus, Severity
from integrations import tables
from integrations.deliveries import asked, marked
from integrations.ledger import Ledger, Told, clean
from integrations.statuspage.published import Layout, PublicIncident, PublicPage, PublicUpdate, components
from integrations.tables import moment, stamp

REMEMBERED = timedelta(days=14)
"""How long the public page shows an incident after it is resolved."""


class EmbeddedStatusPage:
    """Public incidents. A repeat is recognised by its key; the first publication of an incident opens its entry.

    `layout` says which components the page shows, and which services they stand for. It is used in reading only, so
    that what was published before a change of it is shown in its terms as well.
    """

    def __init__(self, ledger: Ledger, *, layout: Layout | None = None) -> None:
        self._ledger = ledger
        self._layout = layout or Layout()

    async def publish(self, delivery: Delivery) -> Receipt:
        ask = asked(delivery, Publish)

        async def tell(connection: AsyncConnection) -> Told:
            if not delivery.drill:
                await self._show(connection, delivery.incident, ask)
            return Told(
                to="drill" if delivery.drill else "public",
                text=marked(delivery, ask.body),
                receipt=Receipt(reference=delivery.incident),
                detail={**ask.model_dump(mode="json", exclude={"action", "body"}), "title": marked(delivery, ask.title)},
            )

        return await self._ledger.once(Port.STATUS, delivery, tell)

    async def _show(self, connection: AsyncConnection, incident: str, ask: Publish) -> None:
        table = tables.public_incidents
        now = stamp(self._ledger.now())
        shown = {
            "title": clean(ask.title),
            "status": ask.status.value,
            "severity": ask.severity.value,
            "components": list(ask.components),
            "next_update_by": ask.next_update_by and stamp(ask.next_update_by),
            "updated_at": now,
            "resolved_at": now if ask.status is PublicStatus.RESOLVED else None,
        }
        updated = await connection.execute(update(table).where(table.c.incident == incident).values(shown))
        if updated.rowcount == 0:
            await connection.execute(insert(table).values(shown | {"incident": incident, "started_at": now}))

    async def public_page(self, remembered: timedelta | None = REMEMBERED) -> PublicPage:
        """Read the page as the public sees it now, with what was resolved within `remembered`; with everything where it is None."""
        now = self._ledger.now()
        table, told = tables.public_incidents, tables.deliveries
        wanted = true() if remembered is None else or_(table.c.resolved_at.is_(None), table.c.resolved_at > stamp(now - remembered))
        async with self._ledger.reading() as connection:
            rows = (await connection.execute(select(table).where(wanted).order_by(table.c.started_at.desc()))).mappings().all()
            of_those = told.c.incident.in_([row["incident"] for row in rows])
            updates = select(told).where(told.c.port == Port.STATUS.value, told.c.drill.is_(False), of_those).order_by(told.c.id.desc())
            published = (await connection.execute(updates)).mappings().all()
            since = (await connection.execute(select(func.min(told.c.at)))).scalar()
        of: dict[str, list[RowMapping]] = defaultdict(list)
        for one in published:
            of[one["incident"]].append(one)
        incidents = [_incident(row, of[row["incident"]], self._layout) for row in rows]
        current = tuple(incident for incident in incidents if incident.resolved_at is None)
        past = tuple(incident for incident in incidents if incident.resolved_at is not None)
        shown = components(self._layout, current, past)
        return PublicPage(at=now, current=current, past=past, components=shown, since=moment(since) if since else None)


def _incident(row: RowMapping, published: Sequence[RowMapping], layout: Layout) -> PublicIncident:
    return PublicIncident(
        incident=row["incident"],
        title=row["title"],
        status=PublicStatus(row["status"]),
        severity=Severity(row["severity"]),
        components=layout.named(row["components"]),
        started_at=moment(row["started_at"]),
        updated_at=moment(row["updated_at"]),
        resolved_at=row["resolved_at"] and moment(row["resolved_at"]),
        next_update_by=row["next_update_by"] and moment(row["next_update_by"]),
        updates=tuple(_update(one, layout) for one in published),
    )


def _update(told: RowMapping, layout: Layout) -> PublicUpdate:
    detail = told["detail"]
    promised = detail.get("next_update_by")
    return PublicUpdate(
        at=moment(told["at"]),
        status=PublicStatus(detail["status"]),
        text=told["text"],
        severity=Severity(detail["severity"]),
        components=layout.named(detail.get("components") or ()),
        next_update_by=moment(promised) if promised else None,
    )
