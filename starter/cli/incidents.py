"""Which incident is meant: `41`, `INC-2026-0041`, an address that holds it, or nothing where exactly one is open."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from starter.cli import times
from starter.cli.failures import NOT_FOUND, USAGE, failed

if TYPE_CHECKING:
    from starter.cli.client import Client

_FULL = re.compile(r"INC-\d{4}-\d{4,}", re.IGNORECASE)
_NUMBER = re.compile(r"\d{1,9}")


def named(text: str) -> str | None:
    """The incident's id in a text that is one or an address with one; a bare number as it is; None for anything else."""
    text = text.strip()
    if _FULL.fullmatch(text):
        return text.upper()
    if _NUMBER.fullmatch(text):
        return text
    found = _FULL.search(text) if re.match(r"https?://", text) else None
    return found.group().upper() if found is not None else None


def is_number(name: str) -> bool:
    return _NUMBER.fullmatch(name) is not None


def find(client: Client, text: str | None) -> str:
    """The id of the incident that is meant.

    Raises:
        Failure: the text names none, or nothing was said and not exactly one is open.
    """
    if text is None:
        return _only_open(client)
    name = named(text)
    if name is None:
        raise failed(NOT_FOUND, "unknown-incident", f"{text!r} names no incident; incidents are named like INC-2026-0041, or 41 for short")
    return _numbered(client, int(name)) if is_number(name) else name


def _open(client: Client) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = client.get("/incidents", {"open": "true"})["incidents"]
    return rows


def _numbered(client: Client, number: int) -> str:
    """The open incident of this number, whatever its year; else this year's."""
    for row in _open(client):
        incident = str(row["incident"])
        if int(incident.rpartition("-")[2]) == number:
            return incident
    return f"INC-{times.now().year}-{number:04}"


def _only_open(client: Client) -> str:
    rows = _open(client)
    if len(rows) == 1:
        return str(rows[0]["incident"])
    if not rows:
        raise failed(USAGE, "usage", "name an incident: none is open (tocsin list --all lists the closed ones)", choices=[])
    problem = failed(USAGE, "usage", f"{len(rows)} incidents are open; name one of them", choices=[row["incident"] for row in rows])
    problem.lines += [f"  {row['incident']}  {row.get('severity') or '-':<4}  {row.get('title', '')}" for row in rows]
    raise problem
