"""The status page that comes with Tocsin: what the public is told, in the ledger.

Everything published is read back at `/api/v1/embedded/status`, drills marked. What the public sees is `public_page`,
where no drill ever appears.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict
from sqlalchemy import RowMapping, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from incident.effects import Delivery, Port, Publish, Receipt
from incident.vocabulary import PublicStatus, Severity
from integrations import tables
from integrations.deliveries import asked, marked
from integrations.ledger import Ledger, Told, clean
from integrations.tables import moment, stamp

REMEMBERED = timedelta(days=14)
"""How long the public page shows an incident after it is resolved."""

ComponentState = Literal["operational", "degraded_performance", "partial_outage", "major_outage"]

_STATE_OF: dict[Severity, ComponentState] = {
    Severity.SEV1: "major_outage",
    Severity.SEV2: "partial_outage",
    Severity.SEV3: "degraded_performance",
}


class _Shown(BaseModel):
    model_config = ConfigDict(frozen=True)


class PublicUpdate(_Shown):
    at: datetime
    status: PublicStatus
    text: str


class PublicIncident(_Shown):
    """An incident as the public knows it; its updates newest first."""

    incident: str
    title: str
    status: PublicStatus
    severity: Severity
    components: tuple[str, ...]
    started_at: datetime
    updated_at: datetime
    resolved_at: datetime | None
    next_update_by: datetime | None
    updates: tuple[PublicUpdate, ...]


class Component(_Shown):
    """A part of the product that the public knows by name, as bad as the worst incident that names it."""

    name: str
    state: ComponentState


class PublicPage(_Shown):
    """The whole page. Current and past incidents, newest first; components by name."""

    at: datetime
    current: tuple[PublicIncident, ...]
    past: tuple[PublicIncident, ...]
    components: tuple[Component, ...]

    @property
    def worst(self) -> Severity | None:
        """The worst severity among what is going on; None where all is well."""
        return min((incident.severity for incident in self.current), key=lambda severity: severity.rank, default=None)


class EmbeddedStatusPage:
    """Public incidents. A repeat is recognised by its key; the first publication of an incident opens its entry.

    `components` are the names that the page always shows, also while nothing is wrong with them.
    """

    def __init__(self, ledger: Ledger, *, components: Iterable[str] = ()) -> None:
        self._ledger = ledger
        self._components = tuple(components)

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

    async def public_page(self) -> PublicPage:
        """Read the page as the public sees it now."""
        now = self._ledger.now()
        table, told = tables.public_incidents, tables.deliveries
        wanted = or_(table.c.resolved_at.is_(None), table.c.resolved_at > stamp(now - REMEMBERED))
        async with self._ledger.reading() as connection:
            rows = (await connection.execute(select(table).where(wanted).order_by(table.c.started_at.desc()))).mappings().all()
            of_those = told.c.incident.in_([row["incident"] for row in rows])
            updates = select(told).where(told.c.port == Port.STATUS.value, told.c.drill.is_(False), of_those).order_by(told.c.id.desc())
            published = (await connection.execute(updates)).mappings().all()
        incidents = [_incident(row, [update for update in published if update["incident"] == row["incident"]]) for row in rows]
        current = tuple(incident for incident in incidents if incident.resolved_at is None)
        past = tuple(incident for incident in incidents if incident.resolved_at is not None)
        return PublicPage(at=now, current=current, past=past, components=_components(self._components, current, past))


def _incident(row: RowMapping, published: Sequence[RowMapping]) -> PublicIncident:
    return PublicIncident(
        incident=row["incident"],
        title=row["title"],
        status=PublicStatus(row["status"]),
        severity=Severity(row["severity"]),
        components=tuple(row["components"]),
        started_at=moment(row["started_at"]),
        updated_at=moment(row["updated_at"]),
        resolved_at=row["resolved_at"] and moment(row["resolved_at"]),
        next_update_by=row["next_update_by"] and moment(row["next_update_by"]),
        updates=tuple(
            PublicUpdate(at=moment(one["at"]), status=PublicStatus(one["detail"]["status"]), text=one["text"]) for one in published
        ),
    )


def _components(always: Iterable[str], current: Sequence[PublicIncident], past: Sequence[PublicIncident]) -> tuple[Component, ...]:
    """The names to show, each with the state of the worst current incident that names it."""
    worst: dict[str, Severity] = {}
    for incident in current:
        for name in incident.components:
            worst[name] = min(worst.get(name, incident.severity), incident.severity, key=lambda severity: severity.rank)
    names = {*always, *worst, *(name for incident in past for name in incident.components)}
    return tuple(Component(name=name, state=_STATE_OF[worst[name]] if name in worst else "operational") for name in sorted(names))
