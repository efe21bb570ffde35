"""Collects what the numbers are made of: every incident's row and, where it can be read, its timeline.

What an incident that has ended adds never changes but for its action items, so it is read once and kept by its run; its
follow-up is asked for the items that are still open. The others are asked a few at a time. A page waits so long and no
longer: what is still being read then counts with the row's own times, the report says of which incidents it knows no
more, and the next look knows them.
"""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import structlog
from pydantic import BaseModel, ConfigDict, Field

from incident.analytics import Facts, Window, facts, followed, report
from incident.commands import SeverityField
from incident.events import Event
from starter.facts import Ended, Name
from starter.problems import Problem, Unavailable
from starter.reading import Entry, Reading, Row

log = structlog.get_logger()

AT_ONCE = 3
"""Incidents read at the same time: each may be a replay, and people's commands come first."""

WAITS = timedelta(seconds=5)
"""How long a page waits for what is still being read."""

QUIET_FOR = timedelta(seconds=3)
"""After a silence nobody else is asked for so long: each would be waited for in vain."""


class Asked(BaseModel):
    """Which incidents to count, as an address says it. `days` 0 means all."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    days: int = Field(default=90, ge=0, le=36_500)
    severity: SeverityField | None = None
    service: str | None = Field(default=None, max_length=300)

    def window(self) -> Window:
        return Window(self.days or None, self.severity.value if self.severity else None, self.service)


class Records:
    """The facts of incidents, read through a desk. `ended` keeps those that don't change; without it they are kept here only."""

    def __init__(self, desk: Reading, ended: Ended | None = None, *, waits: timedelta = WAITS) -> None:
        self._desk = desk
        self._ended = ended
        self._waits = waits
        self._kept: dict[Name, Facts] = {}
        self._recalled = False
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._under_way: dict[Name, asyncio.Task[Facts | None]] = {}
        self._quiet_until = 0.0

    def close(self) -> None:
        """Stop reading."""
        for task in self._under_way.values():
            task.cancel()

    async def report(self, asked: Asked, now: datetime) -> dict[str, Any]:
        """The numbers of the incidents that are asked for; `being_read` says how many more will be known soon."""
        window = asked.window()
        found = [(row, facts(row)) for row in await self._desk.listing()]
        within = [(row, known) for row, known in found if window.admits(known, now)]
        counted = await self.detailed([row for row, known in within if known.counts])
        services = sorted({service for _, known in found if not known.drill for service in known.services})
        made = report([*counted, *(known for _, known in within if not known.counts)], now, window)
        return {**made, "services": services, "being_read": len(self._under_way)}

    async def everything(self) -> list[Facts]:
        """The facts of all incidents, drills too."""
        return await self.detailed(await self._desk.listing())

    async def detailed(self, rows: Iterable[Row]) -> list[Facts]:
        """The facts of these incidents, with their timelines as far as somebody answers for them in time."""
        await self._recall()
        wanted = [(row, self._task(row)) for row in rows]
        tasks = [task for _, task in wanted]
        if tasks:
            await asyncio.wait(tasks, timeout=self._waits.total_seconds())
        return [_found(task) or facts(row) for row, task in wanted]

    async def _recall(self) -> None:
        """Take over, once, what earlier lives of this door have kept."""
        if self._ended is not None and not self._recalled:
            self._kept |= await self._ended.all()
        self._recalled = True

    def _task(self, row: Row) -> asyncio.Task[Facts | None]:
        """The reading of one incident: the one that is under way, where there is one."""
        name = (str(row["incident"]), str(row.get("run_id")))
        if name not in self._under_way:
            task = asyncio.create_task(self._read(name, row), name=f"facts of {name[0]}")
            self._under_way[name] = task
            task.add_done_callback(lambda _: self._under_way.pop(name, None))
        return self._under_way[name]

    async def _read(self, name: Name, row: Row) -> Facts | None:
        """The facts with the timeline; None where it can't be read."""
        known = self._kept.get(name)
        if known is not None and all(item.status != "open" for item in known.items):
            return known
        loop = asyncio.get_running_loop()
        async with self._turns:
            if loop.time() < self._quiet_until:
                return None
            try:
                return await self._asked(name, row, known)
            except Unavailable as problem:
                self._quiet_until = loop.time() + QUIET_FOR.total_seconds()
                log.warning("numbers without details", incident=name[0], cause=problem.detail)
            except Problem as problem:
                log.warning("an incident is counted without details", incident=name[0], cause=problem.detail)
        return None

    async def _asked(self, name: Name, row: Row, known: Facts | None) -> Facts:
        if row["open"]:
            return facts(row, _events(await self._desk.own_timeline(name[0])))
        if known is None:
            known = self._kept[name] = facts(row, _events(await self._desk.own_timeline(name[0])))
            if self._ended is not None:
                await self._ended.keep(name, known)
        if all(item.status != "open" for item in known.items):
            return known
        now = followed(known, _events(await self._desk.follow_up_timeline(name[0])))
        if all(item.status != "open" for item in now.items):
            self._kept[name] = now
        return now


def _events(timeline: Iterable[Entry]) -> list[Event]:
    return [Event.model_validate(entry) for entry in timeline]


def _found(task: asyncio.Task[Facts | None]) -> Facts | None:
    """What a reading has found; None where it goes on still. A mistake of ours comes out."""
    return task.result() if task.done() and not task.cancelled() else None


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
