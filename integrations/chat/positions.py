"""How far a stream has been read: one token a stream, kept in the database of the embedded parts.

It is kept only once everything before it is dealt with, so that whoever reads on after a crash reads some of it again and misses
nothing. Several processes may read one stream; the last one to write wins, and the worst of that is reading something again.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from sqlalchemy import Column, MetaData, String, Table, Text, delete, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

metadata = MetaData()

positions = Table(
    "stream_positions",
    metadata,
    Column("stream", String(255), primary_key=True),
    Column("token", Text, nullable=False),
)


class Database(Protocol):
    """Where rows are kept: `integrations.ledger.Ledger` is one."""

    def reading(self) -> AbstractAsyncContextManager[AsyncConnection]: ...

    def writing(self) -> AbstractAsyncContextManager[AsyncConnection]: ...


class Positions:
    """Where each stream is read on."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._made = False
        self._making = asyncio.Lock()

    async def of(self, stream: str) -> str | None:
        await self._prepare()
        async with self._database.reading() as connection:
            found = await connection.scalar(select(positions.c.token).where(positions.c.stream == stream))
        return None if found is None else str(found)

    async def keep(self, stream: str, token: str | None) -> None:
        """Read on from here next time; None: from the present."""
        await self._prepare()
        try:
            async with self._database.writing() as connection:
                await connection.execute(delete(positions).where(positions.c.stream == stream))
                if token is not None:
                    await connection.execute(insert(positions).values(stream=stream, token=token))
        except IntegrityError:
            # Another door has kept its own at the same moment, and that one is as good.
            return

    async def _prepare(self) -> None:
        """Make the table where it is missing, once a process."""
        async with self._making:
            if not self._made:
                async with self._database.writing() as connection:
                    await connection.run_sync(metadata.create_all)
                self._made = True
