"""What people write of a post-mortem before they file it: each section's versions, every one kept.

A draft is scratch; the record is what is filed on the incident. It lives in the database of the embedded parts, so that it
can be saved while no worker runs. Whoever saves says which version they began from: where somebody was quicker, nothing is
overwritten and both texts are told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from sqlalchemy import Column, Integer, MetaData, String, Table, Text, func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

metadata = MetaData()

versions = Table(
    "postmortem_drafts",
    metadata,
    Column("incident", String(64), primary_key=True),
    Column("section", String(40), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("filing", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Column("by", String(300), nullable=False),
    Column("at", String(32), nullable=False),
)
"""One row a version. The key tells two people apart who save at the same moment: the second can't have the same number."""

RACES = 3
"""How often a save looks again whose number somebody else took at the same moment."""


@dataclass(frozen=True)
class Version:
    """One saved text of one section.

    `filing` is the timeline entry of the latest filing that its writer had before them, 0 where nothing was filed: a text from
    before a filing is history, the filed one counts.
    """

    section: str
    version: int
    filing: int
    text: str
    by: str
    at: datetime


class Stale(Exception):
    """Somebody else saved since. `theirs` is what stands there now."""

    def __init__(self, theirs: Version) -> None:
        super().__init__(f"version {theirs.version} of {theirs.section} is {theirs.by}'s")
        self.theirs = theirs


class Drafts(Protocol):
    """Where drafts are kept. A save that repeats the newest text is that version again, not another."""

    async def latest(self, incident: str) -> dict[str, Version]: ...

    async def history(self, incident: str, section: str) -> list[Version]: ...

    async def save(self, incident: str, section: str, text: str, *, base: int, filing: int, by: str) -> Version:
        """Keep a text that was begun from version `base` (0: from what the record gives).

        Raises:
            Stale: another version was saved since.
        """
        ...

    async def begun(self) -> dict[str, Version]:
        """The newest version of each incident that has any."""
        ...


class Database(Protocol):
    """Where rows are kept: `integrations.ledger.Ledger` is one."""

    def reading(self) -> AbstractAsyncContextManager[AsyncConnection]: ...

    def writing(self) -> AbstractAsyncContextManager[AsyncConnection]: ...


def _now() -> datetime:
    return datetime.now(UTC)


class KeptDrafts:
    """Drafts in a database. The table is made when it is first needed."""

    def __init__(self, database: Database, *, clock: Callable[[], datetime] = _now) -> None:
        self._database = database
        self._clock = clock
        self._made = False
        self._making = asyncio.Lock()

    async def _prepared(self) -> None:
        async with self._making:
            if not self._made:
                async with self._database.writing() as connection:
                    await connection.run_sync(metadata.create_all)
                self._made = True

    async def latest(self, incident: str) -> dict[str, Version]:
        await self._prepared()
        newest = _newest(versions.c.section).where(versions.c.incident == incident).group_by(versions.c.section).subquery()
        query = select(versions).where(
            versions.c.incident == incident, versions.c.section == newest.c.section, versions.c.version == newest.c.version
        )
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return {row["section"]: _version(row) for row in rows}

    async def history(self, incident: str, section: str) -> list[Version]:
        await self._prepared()
        query = select(versions).where(versions.c.incident == incident, versions.c.section == section).order_by(versions.c.version.desc())
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [_version(row) for row in rows]

    async def save(self, incident: str, section: str, text: str, *, base: int, filing: int, by: str) -> Version:
        await self._prepared()
        for _ in range(RACES):
            try:
                return await self._saved(incident, section, text, base=base, filing=filing, by=by)
            except IntegrityError:
                # Another process saved between our look and our write: look again, and tell of it.
                continue
        raise Stale((await self.latest(incident))[section])

    async def _saved(self, incident: str, section: str, text: str, *, base: int, filing: int, by: str) -> Version:
        text = text.replace("\x00", "\N{REPLACEMENT CHARACTER}")
        of_it = select(versions).where(versions.c.incident == incident, versions.c.section == section)
        async with self._database.writing() as connection:
            row = (await connection.execute(of_it.order_by(versions.c.version.desc()).limit(1))).mappings().first()
            newest = _version(row) if row is not None else None
            if newest is not None and newest.text == text and newest.filing == filing:
                return newest
            if newest is not None and newest.version != base:
                raise Stale(newest)
            made = Version(section, (newest.version if newest else 0) + 1, filing, text, by, self._clock())
            await connection.execute(insert(versions).values(incident=incident, **{**vars(made), "at": _stamp(made.at)}))
        return made

    async def begun(self) -> dict[str, Version]:
        await self._prepared()
        query = select(versions).order_by(versions.c.at)
        newest = select(versions.c.incident, func.max(versions.c.at).label("at")).group_by(versions.c.incident).subquery()
        query = query.where(versions.c.incident == newest.c.incident, versions.c.at == newest.c.at)
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return {row["incident"]: _version(row) for row in rows}


def _newest(*columns: Column[Any]) -> Any:
    return select(*columns, func.max(versions.c.version).label("version"))


def _version(row: Any) -> Version:
    return Version(row["section"], row["version"], row["filing"], row["text"], row["by"], datetime.fromisoformat(row["at"]))


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
