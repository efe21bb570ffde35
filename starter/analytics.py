"""Collects what the numbers are made of: every incident's row and, where it can be read, its timeline.

What an incident that has ended adds never changes once its action items are settled, so it is read once and kept by
its run. The others are asked a few at a time. Where no worker answers, the rows' own times still count, and the
report says of which incidents it knows no more.
"""

from __future__ import annotations

import asyncio
import csv
import io
from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import structlog
from pydantic import BaseModel, ConfigDict, Field

from incident.analytics import Facts, Window, facts, report
from incident.commands import SeverityField
from incident.events import Event
from starter.problems import Problem, Unavailable
from starter.reading import Reading, Row

log = structlog.get_logger()

AT_ONCE = 8
"""Incidents read at the same time: enough to keep a worker busy, few enough to leave it room for people's commands."""

KEPT = 5_000
"""Ended incidents whose facts are kept, some 2 kB each."""


class Asked(BaseModel):
    """Which incidents to count, as an address says it. `days` 0 means all."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    days: int = Field(default=90, ge=0, le=36_500)
    severity: SeverityField | None = None
    service: str | None = Field(default=None, max_length=300)

    def window(self) -> Window:
        return Window(self.days or None, self.severity.value if self.severity else None, self.service)


class Records:
    """The facts of incidents, read through a desk."""

    def __init__(self, desk: Reading) -> None:
        self._desk = desk
        self._kept: OrderedDict[tuple[str, str], Facts] = OrderedDict()

    async def report(self, asked: Asked, now: datetime) -> dict[str, Any]:
        """The numbers of the incidents that are asked for."""
        window = asked.window()
        found = [(row, facts(row)) for row in await self._desk.listing()]
        within = [(row, known) for row, known in found if window.admits(known, now)]
        counted = await self.detailed([row for row, known in within if known.counts])
        services = sorted({service for _, known in found if not known.drill for service in known.services})
        return {**report([*counted, *(known for _, known in within if not known.counts)], now, window), "services": services}

    async def everything(self) -> list[Facts]:
        """The facts of all incidents, drills too."""
        return await self.detailed(await self._desk.listing())

    async def detailed(self, rows: Iterable[Row]) -> list[Facts]:
        """The facts of these incidents, with their timelines as far as somebody answers for them."""
        turns = asyncio.Semaphore(AT_ONCE)
        silent = asyncio.Event()

        async def one(row: Row) -> Facts:
            name = (str(row["incident"]), str(row.get("run_id")))
            if name in self._kept:
                self._kept.move_to_end(name)
                return self._kept[name]
            async with turns:
                found = None if silent.is_set() else await self._read(row, silent)
            if found is None:
                return facts(row)
            if not row["open"] and not any(item.status == "open" for item in found.items):
                self._kept[name] = found
                if len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
            return found

        return list(await asyncio.gather(*(one(row) for row in rows)))

    async def _read(self, row: Row, silent: asyncio.Event) -> Facts | None:
        """The facts with the timeline; None where it can't be read. After one silence nobody else is asked in vain."""
        try:
            timeline = await self._desk.timeline(row["incident"])
        except Unavailable as problem:
            silent.set()
            log.warning("numbers without details", incident=row["incident"], cause=problem.detail)
            return None
        except Problem as problem:
            log.warning("an incident is counted without details", incident=row["incident"], cause=problem.detail)
            return None
        return facts(row, [Event.model_validate(entry) for entry in timeline])


FORMULA = ("=", "+", "-", "@", "\t", "\r")


def cell(value: Any) -> str:
    """A value as a CSV cell that no spreadsheet takes for a formula."""
    if isinstance(value, list):
        value = ", ".join(map(str, value))
    text = "" if value is None else "yes" if value is True else "no" if value is False else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text


def as_csv(made: dict[str, Any]) -> str:
    """The rows of a report, one incident a line; times in seconds."""
    written = io.StringIO()
    names = [name for name in (made["rows"] or [{}])[0] if name != "detailed"] or ["incident"]
    writer = csv.writer(written)
    writer.writerow(names)
    writer.writerows([cell(row[name]) for name in names] for row in made["rows"])
    return written.getvalue()
