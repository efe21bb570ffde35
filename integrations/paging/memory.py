"""What became of each page at each pager: accepted, with its receipt, or asked without an answer.

No pager can be asked "have you had this?", so it is written down on this side, in the database of the embedded parts, before
the answer is passed on. That is how a repeat is recognised, and how the next try knows which pager may have it already.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import JSON, Column, Integer, MetaData, String, Table, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from incident.effects import Receipt

metadata = MetaData()

pages = Table(
    "pages_at_pagers",
    metadata,
    Column("key", String(255), primary_key=True),
    Column("pager", String(32), primary_key=True),
    Column("unanswered", Integer, nullable=False),
    Column("receipt", JSON, nullable=True),
)


class Database(Protocol):
    """Where rows are kept: `integrations.ledger.Ledger` is one."""

    def reading(self) -> AbstractAsyncContextManager[AsyncConnection]: ...

    def writing(self) -> AbstractAsyncContextManager[AsyncConnection]: ...


@dataclass(frozen=True)
class Asked:
    """One page at one pager. `unanswered`: how often it was asked and nothing usable came back."""

    unanswered: int = 0
    receipt: Receipt | None = None


class PageMemory:
    """Remembers pages by their key. Whoever pages holds the key alone (`OneAtATime`, and one worker an effect)."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._made = False
        self._making = asyncio.Lock()

    async def of(self, key: str) -> Mapping[str, Asked]:
        """What is known of a page, by pager."""
        await self._prepare()
        async with self._database.reading() as connection:
            rows = (await connection.execute(select(pages).where(pages.c.key == key))).mappings().all()
        return {
            row["pager"]: Asked(row["unanswered"], None if row["receipt"] is None else Receipt.model_validate(row["receipt"]))
            for row in rows
        }

    async def keep(self, key: str, pager: str, asked: Asked) -> None:
        receipt = None if asked.receipt is None else asked.receipt.model_dump(mode="json")
        async with self._database.writing() as connection:
            await connection.execute(delete(pages).where(pages.c.key == key, pages.c.pager == pager))
            await connection.execute(insert(pages).values(key=key, pager=pager, unanswered=asked.unanswered, receipt=receipt))

    async def _prepare(self) -> None:
        """Make the table where it is missing, once a process."""
        async with self._making:
            if not self._made:
                async with self._database.writing() as connection:
                    await connection.run_sync(metadata.create_all)
                self._made = True
