"""Deployments, kept in the database of the embedded parts: the door writes, whoever asks what has changed reads."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError

from incident.deployments import Deployment
from integrations import tables
from integrations.errors import NotFound, Unavailable
from integrations.ledger import TRIES, Ledger, clean
from integrations.ports import Deployments
from integrations.tables import stamp

KEPT = timedelta(days=400)
"""A year's look back, and a month's more; older ones make room when new ones come."""

MOST_RECENT = 20


class NobodyTells(NotFound):
    """There is no saying what was deployed, which is another thing than that nothing was."""

    def __init__(self) -> None:
        super().__init__("nobody tells of deployments (post them to /webhooks/deployments, or set TOCSIN_DEPLOYMENTS_QUERY)")


class DeploymentLog:
    """A repeat is recognised by the deployment's key, its table's primary key."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def record(self, deployments: Sequence[Deployment]) -> int:
        """Keep those that are new, all in one transaction; answers with how many those are."""
        wanted = {deployment.key: deployment for deployment in deployments}
        table = tables.deployments
        for _ in range(TRIES):
            try:
                async with self._ledger.writing() as connection:
                    query = select(table.c.key).where(table.c.key.in_(wanted))
                    there = set((await connection.execute(query)).scalars())
                    fresh = [self._row(key, deployment) for key, deployment in wanted.items() if key not in there]
                    if fresh:
                        await connection.execute(insert(table), fresh)
                        await connection.execute(delete(table).where(table.c.at < stamp(self._ledger.now() - KEPT)))
                return len(fresh)
            except IntegrityError:
                continue  # another door kept one of them since we looked: look again
        raise Unavailable(f"the deployments met another's write {TRIES} times in a row")

    def _row(self, key: str, deployment: Deployment) -> dict[str, object]:
        detail = deployment.model_dump(mode="json", include={"by", "url", "summary", "id"}, exclude_none=True)
        return {
            "key": key,
            "service": clean(deployment.service),
            "folded": clean(deployment.service.casefold()),
            "environment": clean(deployment.environment),
            "version": clean(deployment.version),
            "at": stamp(deployment.at),
            "detail": detail,
            "recorded_at": stamp(self._ledger.now()),
        }

    async def recent(self, services: tuple[str, ...], since: datetime, until: datetime) -> tuple[Deployment, ...]:
        """What was told of these services; that nothing was is only worth saying where somebody tells at all."""
        if not await self.listed(limit=1):
            raise NobodyTells
        return await self.listed(services, since=since, until=until, limit=MOST_RECENT)

    async def listed(
        self,
        services: Collection[str] | None = None,
        *,
        environment: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 50,
    ) -> tuple[Deployment, ...]:
        """List the newest first; of all services where none is named."""
        table = tables.deployments
        query = select(table).order_by(table.c.at.desc(), table.c.key).limit(limit)
        if services is not None:
            query = query.where(table.c.folded.in_([service.casefold() for service in services]))
        if environment is not None:
            query = query.where(table.c.environment == environment)
        if since is not None:
            query = query.where(table.c.at >= stamp(since))
        if until is not None:
            query = query.where(table.c.at <= stamp(until))
        async with self._ledger.reading() as connection:
            rows = (await connection.execute(query)).mappings().all()
        fields = ("service", "environment", "version", "at")
        return tuple(Deployment.model_validate({name: row[name] for name in fields} | row["detail"]) for row in rows)


class DeploymentsOf:
    """Several sources as one. A source of which nothing is told does not count; one that is down leaves the answer unknown."""

    def __init__(self, *sources: Deployments) -> None:
        self._sources = sources

    async def recent(self, services: tuple[str, ...], since: datetime, until: datetime) -> tuple[Deployment, ...]:
        answers = await asyncio.gather(*(_unless_nobody(source.recent(services, since, until)) for source in self._sources))
        told = [answer for answer in answers if answer is not None]
        if not told:
            raise NobodyTells
        found = {each.key: each for answer in told for each in answer}
        return tuple(sorted(found.values(), key=lambda each: each.at, reverse=True)[:MOST_RECENT])


async def _unless_nobody(asked: Awaitable[tuple[Deployment, ...]]) -> tuple[Deployment, ...] | None:
    try:
        return await asked
    except NobodyTells:
        return None
