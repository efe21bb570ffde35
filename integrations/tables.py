"""The tables behind the embedded integrations.

Times are kept as text, ISO 8601 in UTC with microseconds, so that they sort and read the same in SQLite and in
PostgreSQL. Whatever must happen once has a unique constraint: there, and not in code, two processes are told apart.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import JSON, Boolean, Column, Float, Index, Integer, MetaData, String, Table, Text, UniqueConstraint

SCHEMA_VERSION = 1
"""Raise it with every change that an older Tocsin could not live with."""

metadata = MetaData()

schema = Table(
    "tocsin_schema",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("port", String(16), nullable=False),
    Column("key", String(255), nullable=False),
    Column("incident", String(64), nullable=False),
    Column("action", String(32), nullable=False),
    Column("drill", Boolean, nullable=False),
    Column("at", String(32), nullable=False),
    Column("asked_at", String(32), nullable=False),
    Column("to", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("detail", JSON, nullable=False),
    Column("receipt", JSON, nullable=False),
    UniqueConstraint("port", "key", name="one_effect_a_key"),
    Index("deliveries_of_an_incident", "port", "incident"),
)

channels = Table(
    "channels",
    metadata,
    Column("name", String(80), primary_key=True),
    Column("incident", String(64), nullable=False),
    Column("topic", Text, nullable=False),
)

tickets = Table(
    "tickets",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("incident", String(64), nullable=False),
    Column("ref", String(255), nullable=False),
    Column("key", String(255), nullable=False),
    Column("drill", Boolean, nullable=False),
    Column("at", String(32), nullable=False),
    Column("title", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("owner", Text),
    Column("due", String(10)),
    Column("state", String(8), nullable=False),
    Column("closed_at", String(32)),
    Column("closed_key", String(255)),
    Column("closing_note", Text),
    UniqueConstraint("incident", "ref", name="one_ticket_a_ref"),
)

public_incidents = Table(
    "public_incidents",
    metadata,
    Column("incident", String(64), primary_key=True),
    Column("title", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("severity", String(8), nullable=False),
    Column("components", JSON, nullable=False),
    Column("next_update_by", String(32)),
    Column("started_at", String(32), nullable=False),
    Column("updated_at", String(32), nullable=False),
    Column("resolved_at", String(32)),
)

deployments = Table(
    "deployments",
    metadata,
    Column("key", String(32), primary_key=True),
    Column("service", String(300), nullable=False),
    Column("folded", String(600), nullable=False),
    Column("environment", String(300), nullable=False),
    Column("version", String(300), nullable=False),
    Column("at", String(32), nullable=False),
    Column("detail", JSON, nullable=False),
    Column("recorded_at", String(32), nullable=False),
    Index("deployments_of_a_service", "folded", "at"),
    Index("deployments_by_time", "at"),
)

faults = Table(
    "faults",
    metadata,
    Column("port", String(16), primary_key=True),
    Column("mode", String(32), nullable=False),
    Column("times", Integer),
    Column("seconds", Float, nullable=False),
    Column("retry_after", Float),
)


def stamp(moment: datetime) -> str:
    """Write a time as the tables keep it; one without a zone is taken to be UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def moment(stamped: str) -> datetime:
    """Read a time that `stamp` wrote."""
    return datetime.fromisoformat(stamped)
