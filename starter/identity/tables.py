"""The tables of sessions, attempts, tokens, people and tries.

What opens something (a cookie's id, a token) is never in here, only its SHA-256: these are 256 random bits each, which
need no slow hash. Times are text as in `integrations.tables`, so that they sort.
"""

from __future__ import annotations

from sqlalchemy import JSON, Column, Index, Integer, MetaData, String, Table

metadata = MetaData()

sessions = Table(
    "identity_sessions",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("name", String(300), nullable=False),
    Column("roles", JSON, nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("expires_at", String(32), nullable=False),
    Index("identity_sessions_by_expiry", "expires_at"),
)

attempts = Table(
    "identity_attempts",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("data", JSON, nullable=False),
    Column("next", String(2000), nullable=False),
    Column("expires_at", String(32), nullable=False),
)

tokens = Table(
    "identity_tokens",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("hash", String(64), nullable=False, unique=True),
    Column("name", String(300), nullable=False),
    Column("label", String(100), nullable=False),
    Column("roles", JSON, nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("expires_at", String(32), nullable=False),
    Column("last_used_at", String(32)),
    Column("revoked_at", String(32)),
    Index("identity_tokens_by_owner", "name"),
)

people = Table(
    "identity_people",
    metadata,
    Column("name", String(300), primary_key=True),
    Column("roles", JSON, nullable=False),
    Column("seen_at", String(32), nullable=False),
)

tries = Table(
    "identity_tries",
    metadata,
    Column("address", String(64), primary_key=True),
    Column("since", String(32), primary_key=True),
    Column("count", Integer, nullable=False),
)
