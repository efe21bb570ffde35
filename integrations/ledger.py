"""The one database behind the embedded integrations: what was accepted, under which key, and what was answered.

It is a SQLite file (write-ahead log, every acceptance on disk before it is answered) or, with a
`postgresql+asyncpg://` URL, a PostgreSQL database. Several processes may have it open at the same time: the worker
writes while the door reads. A repeat is recognised by the unique pair of port and key: whoever comes second, in this
process or another, now or after a restart, reads what the first was answered.

    ledger = Ledger(".tocsin/embedded.db")
    await ledger.open()                       # optional: the first call opens it; here, its problems show early
    rows = await ledger.delivered("chat")
    await ledger.close()
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, delete, event, insert, inspect, select, text, update
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from incident.effects import Delivery, Port, Receipt
from integrations import tables
from integrations.errors import Rejected, Unavailable
from integrations.faults import Fault
from integrations.tables import stamp

TIMEOUT = timedelta(seconds=10)
"""What every adapter keeps to (see `ports`)."""

BUSY = timedelta(seconds=5)
"""How long SQLite waits for another process's write. Those take milliseconds; longer means a stuck process."""

TRIES = 30
"""How often an ask is tried again because another took its name at the same moment; each try, somebody succeeds."""

Kind = Literal["chat", "status", "tickets", "pages"]
"""The lists that can be read back."""

_PORT_OF_KIND = {"chat": Port.CHAT, "status": Port.STATUS, "pages": Port.PAGING}


class LedgerUnusable(Unavailable):
    """The database can't be used as it is. The message says what is wrong and what to do about it."""


@dataclass(frozen=True)
class Told:
    """What a delivery came to: whom it reached, the text as it was read there, and the answer."""

    to: str
    text: str
    receipt: Receipt
    detail: dict[str, Any] = field(default_factory=dict)


def _now() -> datetime:
    # The ledger says when something was accepted, which is a fact about this machine and not about the incident.
    return datetime.now(UTC)


class Ledger:
    """Accepts each key once, and remembers. `where` is a file's path or a database URL; LedgerUnusable where it is neither."""

    def __init__(self, where: str | Path, *, clock: Callable[[], datetime] = _now) -> None:
        self._url = _url(where)
        self._clock = clock
        self._engine: AsyncEngine | None = None
        self._identity: tuple[int, int] | None = None
        self._opening = asyncio.Lock()
        # SQLite has one writer at a time: waiting for it in this process costs less than polling a busy file.
        self._writing = asyncio.Lock()

    @property
    def where(self) -> str:
        """The database as one may print it: no password."""
        return self._url.database or "" if self._sqlite else self._url.render_as_string(hide_password=True)

    @property
    def _sqlite(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    @property
    def _plain_file(self) -> bool:
        return self._sqlite and self._url.database not in (None, "", ":memory:") and not self._url.query

    def now(self) -> datetime:
        return self._clock()

    async def open(self) -> None:
        """Open the database, making what is missing; nothing where it is open. LedgerUnusable says what to mend."""
        async with self._opening:
            if self._engine is None:
                self._engine = await self._opened()
                self._identity = self._identified()

    async def close(self) -> None:
        """Let go of the database. The next call opens it again."""
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.dispose()

    # --- telling once

    async def once(self, port: Port, delivery: Delivery, tell: Callable[[AsyncConnection], Awaitable[Told]]) -> Receipt:
        """Carry out `tell` for a key that is new, in one transaction with the record of it; else answer as the first time.

        `tell` may run several times, each in a transaction of its own of which one is kept, so it must do
        nothing but write to the connection.
        """
        for _ in range(TRIES):
            try:
                async with self._transaction() as connection:
                    former = await _receipt(connection, port, delivery.key)
                    if former is not None:
                        return former.model_copy(update={"repeated": True})
                    told = await tell(connection)
                    await self._record(connection, port, delivery, told)
                return told.receipt
            except IntegrityError:
                # Another process took the key, or a name that `tell` wanted, since we looked: look again.
                continue
        raise Unavailable(f"{port}: {delivery.key} met another's write {TRIES} times in a row")

    async def former(self, port: Port, key: str) -> Receipt | None:
        """What was answered to a key that has been told; for what is told elsewhere and only recorded here."""
        async with self.reading() as connection:
            return await _receipt(connection, port, key)

    async def _record(self, connection: AsyncConnection, port: Port, delivery: Delivery, told: Told) -> None:
        await connection.execute(
            insert(tables.deliveries).values(
                port=port.value,
                key=delivery.key,
                incident=delivery.incident,
                action=delivery.ask.action,
                drill=delivery.drill,
                at=stamp(self._clock()),
                asked_at=stamp(delivery.at),
                to=clean(told.to),
                text=clean(told.text),
                detail=told.detail,
                receipt=told.receipt.model_dump(mode="json"),
            )
        )

    # --- reading back

    async def delivered(self, kind: Kind, *, incident: str | None = None) -> list[dict[str, Any]]:
        """List what was accepted, oldest first, ready for JSON; `incident` narrows it to one.

        Every row has `incident`, `key`, `at` (when it was accepted), `to`, `text` and `drill`; a ticket is one row,
        with the key of its opening, whatever has happened to it since.
        """
        if kind == "tickets":
            return await self._board(incident)
        table = tables.deliveries
        query = select(table).where(table.c.port == _PORT_OF_KIND[kind].value).order_by(table.c.id)
        if incident is not None:
            query = query.where(table.c.incident == incident)
        async with self.reading() as connection:
            rows = (await connection.execute(query)).mappings().all()
        common = ("incident", "key", "at", "to", "text", "drill", "asked_at")
        return [{name: row[name] for name in common} | {"kind": row["action"]} | row["detail"] for row in rows]

    async def _board(self, incident: str | None) -> list[dict[str, Any]]:
        table = tables.tickets
        query = select(table).order_by(table.c.id)
        if incident is not None:
            query = query.where(table.c.incident == incident)
        async with self.reading() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [
            {name: value for name, value in row.items() if name != "id"}
            | {
                "ticket": f"T-{row['id']}",
                "to": row["owner"] or "nobody yet",
                "text": "\n\n".join(filter(None, (row["title"], row["body"]))),
            }
            for row in rows
        ]

    # --- the fault switch

    async def set_fault(self, port: Port, fault: Fault) -> None:
        """Make a port fail, from its next call on and in every process."""
        async with self._transaction() as connection:
            await connection.execute(delete(tables.faults).where(tables.faults.c.port == port.value))
            await connection.execute(insert(tables.faults).values(port=port.value, **fault.model_dump(mode="json")))

    async def clear_fault(self, port: Port | None = None) -> None:
        """Make a port, or every port, work again."""
        query = delete(tables.faults)
        async with self._transaction() as connection:
            await connection.execute(query if port is None else query.where(tables.faults.c.port == port.value))

    async def faults(self) -> dict[Port, Fault]:
        """Say which ports are made to fail now, and how."""
        table = tables.faults
        async with self.reading() as connection:
            rows = (await connection.execute(select(table))).mappings().all()
        return {Port(row["port"]): Fault.model_validate(dict(row)) for row in rows if row["times"] != 0}

    async def take_fault(self, port: Port) -> Fault | None:
        """Give the fault of one call to the port, counting it down; None where the call is to work."""
        fault = (await self.faults()).get(port)
        if fault is None or fault.times is None:
            return fault
        table = tables.faults
        count_down = update(table).where(table.c.port == port.value, table.c.mode == fault.mode.value, table.c.times > 0)
        async with self._transaction() as connection:
            taken = await connection.execute(count_down.values(times=table.c.times - 1))
        return fault if taken.rowcount == 1 else None

    # --- connections

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Connect for reading: a view of one moment. Database errors come out as Unavailable."""
        async with self._translated():
            engine = await self._ready()
            async with engine.execution_options(begins_with="BEGIN").connect() as connection:
                yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """Connect for one transaction that writes; IntegrityError where another process was first."""
        async with self._transaction() as connection:
            yield connection

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        async with self._translated():
            engine = await self._ready()
            if not self._sqlite:
                async with engine.begin() as connection:
                    yield connection
                return
            # IMMEDIATE: a transaction that reads first and writes later could otherwise fail half way, not wait.
            async with self._writing, engine.execution_options(begins_with="BEGIN IMMEDIATE").begin() as connection:
                yield connection

    @asynccontextmanager
    async def _translated(self) -> AsyncIterator[None]:
        """Bound the time, and turn the library's errors into ours; IntegrityError is an answer and passes."""
        try:
            async with asyncio.timeout(TIMEOUT.total_seconds()):
                yield
        except IntegrityError:
            raise
        except DataError as error:
            raise Rejected(f"the database {self.where} can't keep this: {_reason(error)}") from error
        except (SQLAlchemyError, OSError) as error:
            raise Unavailable(f"the database {self.where} does not work: {_reason(error)}") from error

    async def _ready(self) -> AsyncEngine:
        await self._notice_the_file()
        if self._engine is None:
            await self.open()
        assert self._engine is not None, "open() leaves an engine or raises"
        return self._engine

    async def _notice_the_file(self) -> None:
        """Go over to a file that was put in the place of ours; Unavailable where ours is gone.

        A SQLite file that is deleted while it is open takes writes, and they vanish with the process: no receipt may
        be given for those.
        """
        if self._engine is None or self._identity is None:
            return
        found = self._identified()
        if found is None:
            raise Unavailable(f"the database {self.where} was removed while in use: put it back, or restart Tocsin to begin a new one")
        if found != self._identity:
            await self.close()

    def _identified(self) -> tuple[int, int] | None:
        """Tell the file from another of the same path; None where there is none, or the database is no plain file."""
        if not self._plain_file:
            return None
        try:
            status = os.stat(self.where)
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino

    # --- opening

    async def _opened(self) -> AsyncEngine:
        engine = self._created()
        try:
            async with asyncio.timeout(TIMEOUT.total_seconds()):
                version = await self._prepared(engine)
        except (SQLAlchemyError, OSError) as error:
            await engine.dispose()
            raise LedgerUnusable(self._advice(error)) from error
        if version > tables.SCHEMA_VERSION:
            await engine.dispose()
            raise LedgerUnusable(
                f"the database {self.where} was made by a newer Tocsin (its version is {version}, this one knows "
                f"{tables.SCHEMA_VERSION}): upgrade Tocsin, or start it on another data folder"
            )
        return engine

    def _created(self) -> AsyncEngine:
        try:
            if not self._sqlite:
                return create_async_engine(self._url, pool_pre_ping=True, pool_size=5, connect_args={"timeout": BUSY.total_seconds()})
            if self._plain_file:
                Path(self.where).parent.mkdir(parents=True, exist_ok=True)
            engine = create_async_engine(self._url, connect_args={"timeout": BUSY.total_seconds()})
        except ModuleNotFoundError as error:
            raise LedgerUnusable(f"{self.where} needs the package {error.name}: pip install 'tocsin[postgres]'") from error
        except OSError as error:
            raise LedgerUnusable(self._advice(error)) from error
        event.listen(engine.sync_engine, "connect", _connected)
        event.listen(engine.sync_engine, "begin", _begun)
        return engine

    async def _prepared(self, engine: AsyncEngine) -> int:
        """Make what is missing and give the schema's version. Two processes may do so at the same moment: the loser looks again."""
        last: DBAPIError | None = None
        for _ in range(3):
            try:
                if self._sqlite:
                    async with engine.connect() as connection:
                        await connection.execute(text("PRAGMA journal_mode=WAL"))
                async with engine.execution_options(begins_with="BEGIN IMMEDIATE").begin() as connection:
                    return await connection.run_sync(_made)
            except DBAPIError as error:
                last = error
        assert last is not None, "the loop ends by an answer or an error"
        raise last

    def _advice(self, error: Exception) -> str:
        problem = f"the database {self.where} can't be opened: {_reason(error)}"
        if not self._sqlite:
            return f"{problem}. Is the server up, and are the address, user and password right?"
        if "not a database" in problem or "malformed" in problem:
            return f"{problem}. Restore it from a backup, or move it away and start again (open incidents are not kept in it)"
        return f"{problem}. Check that the folder exists, is on a disk with space, and that this user may write to it"


def _url(where: str | Path) -> URL:
    if isinstance(where, Path) or "://" not in where:
        return URL.create("sqlite+aiosqlite", database=str(where))
    drivers = {"sqlite": "sqlite+aiosqlite", "postgres": "postgresql+asyncpg", "postgresql": "postgresql+asyncpg"}
    try:
        url = make_url(where)
        return url.set(drivername=drivers[url.drivername.partition("+")[0]])
    except (ArgumentError, KeyError, ValueError) as error:
        kind = where.partition("://")[0]
        raise LedgerUnusable(
            f"a database {kind}://… is none that Tocsin knows; it takes sqlite:///PATH and postgresql://USER@HOST/NAME"
        ) from error


def _connected(connection: DBAPIConnection, _record: object) -> None:
    # The driver is not to begin transactions by itself: `_begun` does, saying of which kind.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _begun(connection: Connection) -> None:
    begin = connection.get_execution_options().get("begins_with")
    if begin is not None:
        connection.exec_driver_sql(begin)


def _made(connection: Connection) -> int:
    if inspect(connection).has_table(tables.schema.name):
        version = connection.execute(select(tables.schema.c.version)).scalar()
        if version is not None:
            # Nothing is added to a file that a newer Tocsin may have laid out otherwise.
            if int(version) <= tables.SCHEMA_VERSION:
                tables.metadata.create_all(connection)
            return int(version)
    tables.metadata.create_all(connection)
    connection.execute(insert(tables.schema).values(id=1, version=tables.SCHEMA_VERSION))
    return tables.SCHEMA_VERSION


async def _receipt(connection: AsyncConnection, port: Port, key: str) -> Receipt | None:
    table = tables.deliveries
    kept = (await connection.execute(select(table.c.receipt).where(table.c.port == port.value, table.c.key == key))).scalar()
    return None if kept is None else Receipt.model_validate(kept)


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {TIMEOUT.total_seconds():g} s"
    return str(error.orig if isinstance(error, DBAPIError) and error.orig else error)


def clean(written: str) -> str:
    """Replace what PostgreSQL can't keep in a text, the NUL character."""
    return written.replace("\x00", "\N{REPLACEMENT CHARACTER}")
