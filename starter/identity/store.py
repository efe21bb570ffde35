"""The rows of whoever signs in: sessions, attempts, tokens, people, tries. In the database of the embedded parts."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from incident.vocabulary import Access
from starter.identity.tables import attempts, metadata, people, sessions, tokens, tries

USED_EVERY = timedelta(minutes=1)
"""How exact a token's `last_used_at` is: not every request of a script is worth a write."""

KNOWN_FOR = timedelta(minutes=5)
"""How long what one process has written about a person is taken to stand, though another may have written since."""

RACES = 3
"""How often a row is tried again that another process wrote at the same moment."""


class Database(Protocol):
    """Where rows are kept: `integrations.ledger.Ledger` is one."""

    def reading(self) -> AbstractAsyncContextManager[AsyncConnection]: ...

    def writing(self) -> AbstractAsyncContextManager[AsyncConnection]: ...


@dataclass(frozen=True)
class Session:
    name: str
    roles: frozenset[Access]
    expires_at: datetime


@dataclass(frozen=True)
class Attempt:
    """One way to the provider and back: what Authlib keeps meanwhile, and where the person wanted to go."""

    data: dict[str, Any]
    next: str


@dataclass(frozen=True)
class Token:
    """A personal token, without what opens. `roles` are those of its owner when it was made."""

    id: str
    name: str
    label: str
    roles: frozenset[Access]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None

    def state(self, now: datetime) -> str:
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at <= now else "valid"


def fresh_secret() -> str:
    """256 random bits, as text that fits into a cookie and a header."""
    return secrets.token_urlsafe(32)


def hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _now() -> datetime:
    return datetime.now(UTC)


class Store:
    """Reads and writes them. Times come from `clock`, so that a test can let twelve hours go by."""

    def __init__(self, database: Database, *, clock: Callable[[], datetime] = _now) -> None:
        self._database = database
        self._clock = clock
        self._made = False
        self._making = asyncio.Lock()
        self._known: dict[str, tuple[frozenset[Access], datetime]] = {}

    def now(self) -> datetime:
        return self._clock()

    async def prepare(self) -> None:
        """Make the tables that are missing, once a process. Two processes may do so at the same moment."""
        async with self._making:
            if self._made:
                return
            async with self._database.writing() as connection:
                await connection.run_sync(metadata.create_all)
            self._made = True

    # --- sessions

    async def begin_session(self, name: str, roles: Iterable[Access], lasting: timedelta) -> str:
        """Begin a session, and give the id that opens it: kept nowhere but in the cookie."""
        await self.prepare()
        secret, now = fresh_secret(), self.now()
        row = {"name": name, "roles": _words(roles), "created_at": _stamp(now), "expires_at": _stamp(now + lasting)}
        async with self._database.writing() as connection:
            await connection.execute(delete(sessions).where(sessions.c.expires_at <= _stamp(now)))
            await connection.execute(insert(sessions).values(hash=hashed(secret), **row))
        await self.know(name, roles)
        return secret

    async def session(self, secret: str) -> Session | None:
        """The session that this id opens; None where it opens none, or none any more."""
        await self.prepare()
        query = select(sessions).where(sessions.c.hash == hashed(secret), sessions.c.expires_at > _stamp(self.now()))
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).mappings().first()
        return None if row is None else Session(row["name"], _roles(row["roles"]), _moment(row["expires_at"]))

    async def end_session(self, secret: str) -> None:
        await self.prepare()
        async with self._database.writing() as connection:
            await connection.execute(delete(sessions).where(sessions.c.hash == hashed(secret)))

    # --- attempts to sign in

    async def begin_attempt(self, data: Mapping[str, Any], next_: str, lasting: timedelta) -> str:
        await self.prepare()
        secret, now = fresh_secret(), self.now()
        async with self._database.writing() as connection:
            await connection.execute(delete(attempts).where(attempts.c.expires_at <= _stamp(now)))
            row = {"hash": hashed(secret), "data": dict(data), "next": next_, "expires_at": _stamp(now + lasting)}
            await connection.execute(insert(attempts).values(row))
        return secret

    async def take_attempt(self, secret: str) -> Attempt | None:
        """The attempt, once: whoever brings the same answer of the provider again finds none."""
        await self.prepare()
        mine = attempts.c.hash == hashed(secret)
        async with self._database.writing() as connection:
            row = (await connection.execute(select(attempts).where(mine))).mappings().first()
            taken = (await connection.execute(delete(attempts).where(mine))).rowcount
        if row is None or taken != 1 or row["expires_at"] <= _stamp(self.now()):
            return None
        return Attempt(data=dict(row["data"]), next=row["next"])

    # --- people

    async def know(self, name: str, roles: Iterable[Access]) -> None:
        """Remember what somebody may do, as last heard: their tokens are worth no more than that."""
        now, heard = self.now(), frozenset(roles)
        before = self._known.get(name)
        if before is not None and before[0] == heard and now - before[1] < KNOWN_FOR:
            return
        await self.prepare()
        values = {"roles": _words(heard), "seen_at": _stamp(now)}
        for _ in range(RACES):
            try:
                async with self._database.writing() as connection:
                    changed = await connection.execute(update(people).where(people.c.name == name).values(values))
                    if changed.rowcount == 0:
                        await connection.execute(insert(people).values(name=name, **values))
                break
            except IntegrityError:
                continue
        self._known[name] = (heard, now)

    # --- tokens

    async def keep_token(self, token: Token, secret: str) -> None:
        await self.prepare()
        row = {
            "id": token.id,
            "hash": hashed(secret),
            "name": token.name,
            "label": token.label,
            "roles": _words(token.roles),
            "created_at": _stamp(token.created_at),
            "expires_at": _stamp(token.expires_at),
        }
        async with self._database.writing() as connection:
            await connection.execute(insert(tokens).values(row))

    async def token(self, secret: str) -> Token | None:
        """The token that this text is, with the roles that it is worth now; None where it is none that is valid."""
        await self.prepare()
        query = (
            select(tokens, people.c.roles.label("now_roles"))
            .join(people, people.c.name == tokens.c.name, isouter=True)
            .where(tokens.c.hash == hashed(secret))
        )
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).mappings().first()
        if row is None:
            return None
        found, now = _token(row), self.now()
        if found.state(now) != "valid":
            return None
        if found.last_used_at is None or now - found.last_used_at >= USED_EVERY:
            async with self._database.writing() as connection:
                await connection.execute(update(tokens).where(tokens.c.id == found.id).values(last_used_at=_stamp(now)))
        worth = found.roles & _roles(row["now_roles"]) if row["now_roles"] is not None else found.roles
        return Token(**{**found.__dict__, "roles": worth})

    async def tokens(self, name: str | None = None) -> list[Token]:
        """The tokens of one person, or of all, newest first; also the expired and the revoked."""
        await self.prepare()
        query = select(tokens).order_by(tokens.c.created_at.desc())
        if name is not None:
            query = query.where(tokens.c.name == name)
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [_token(row) for row in rows]

    async def revoke(self, id_: str, owner: str | None) -> Token | None:
        """Revoke a token (of `owner`, where one is given); None where there is none. Again changes nothing."""
        await self.prepare()
        mine = tokens.c.id == id_
        if owner is not None:
            mine = mine & (tokens.c.name == owner)
        async with self._database.writing() as connection:
            now = _stamp(self.now())
            await connection.execute(update(tokens).where(mine, tokens.c.revoked_at.is_(None)).values(revoked_at=now))
            row = (await connection.execute(select(tokens).where(mine))).mappings().first()
        return None if row is None else _token(row)

    # --- tries

    async def count_try(self, address: str, window: timedelta) -> int:
        """Count one try of an address, and give how many it makes in the window that is running."""
        await self.prepare()
        seconds = int(self.now().timestamp())
        length = int(window.total_seconds())
        since = _stamp(datetime.fromtimestamp(seconds - seconds % length, UTC))
        mine = (tries.c.address == address) & (tries.c.since == since)
        for _ in range(RACES):
            try:
                async with self._database.writing() as connection:
                    await connection.execute(delete(tries).where(tries.c.since < since))
                    changed = await connection.execute(update(tries).where(mine).values(count=tries.c.count + 1))
                    if changed.rowcount == 0:
                        await connection.execute(insert(tries).values(address=address, since=since, count=1))
                    counted = (await connection.execute(select(tries.c.count).where(mine))).scalar_one()
                return int(counted)
            except IntegrityError:
                # Another process counted the first try of this window at the same moment.
                continue
        return 1


def _words(roles: Iterable[Access]) -> list[str]:
    return sorted(role.value for role in roles)


def _roles(words: Iterable[str]) -> frozenset[Access]:
    known = {role.value for role in Access}
    return frozenset(Access(word) for word in words if word in known)


def _token(row: Mapping[Any, Any]) -> Token:
    return Token(
        id=row["id"],
        name=row["name"],
        label=row["label"],
        roles=_roles(row["roles"]),
        created_at=_moment(row["created_at"]),
        expires_at=_moment(row["expires_at"]),
        last_used_at=_moment(row["last_used_at"]) if row["last_used_at"] else None,
        revoked_at=_moment(row["revoked_at"]) if row["revoked_at"] else None,
    )


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _moment(stamped: str) -> datetime:
    return datetime.fromisoformat(stamped)
