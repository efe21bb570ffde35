"""What ended incidents add to the numbers, kept in a database: to read it anew, a worker has to replay each one's history."""

from __future__ import annotations

import asyncio
from typing import Protocol

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Column, Integer, MetaData, String, Table, Text, insert, select
from sqlalchemy.exc import IntegrityError

from incident.analytics import Facts
from starter.drafts import Database

FORMAT = 1
"""Raise it with every change of what facts say: the rows of another format are read anew."""

Name = tuple[str, str]
"""An incident and the run with which it ended."""

metadata = MetaData()

ended = Table(
    "ended_incidents",
    metadata,
    Column("incident", String(64), primary_key=True),
    Column("run_id", String(64), primary_key=True),
    Column("format", Integer, primary_key=True, autoincrement=False),
    Column("facts", Text, nullable=False),
)

_FACTS: TypeAdapter[Facts] = TypeAdapter(Facts)


class Ended(Protocol):
    """Where the facts of ended incidents are kept."""

    async def all(self) -> dict[Name, Facts]: ...

    async def keep(self, name: Name, facts: Facts) -> None: ...


class KeptFacts:
    """They in a database. The table is made when it is first needed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._made = False
        self._making = asyncio.Lock()

    async def _prepared(self) -> None:
        async with self._making:
            if not self._made:
                async with self._database.writing() as connection:
                    await connection.run_sync(metadata.create_all)
                self._made = True

    async def all(self) -> dict[Name, Facts]:
        await self._prepared()
        async with self._database.reading() as connection:
            rows = (await connection.execute(select(ended).where(ended.c.format == FORMAT))).mappings().all()
        found: dict[Name, Facts] = {}
        for row in rows:
            try:
                found[row["incident"], row["run_id"]] = _FACTS.validate_json(row["facts"])
            except ValidationError:
                continue  # Somebody else's hand, or another version's: the history says it again.
        return found

    async def keep(self, name: Name, facts: Facts) -> None:
        await self._prepared()
        values = {"incident": name[0], "run_id": name[1], "format": FORMAT, "facts": _FACTS.dump_json(facts).decode()}
        try:
            async with self._database.writing() as connection:
                await connection.execute(insert(ended).values(**values))
        except IntegrityError:
            return  # Another door was quicker, and says the same.
