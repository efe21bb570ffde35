"""What is owed and what waits, for `/metrics`: read from the state of each open incident, with a bound on the cost.

A scrape that comes soon after another gets the same answer. Incidents whose state can't be read (no worker, or too many
of them) are counted, so that a number that is too low says so.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from datetime import datetime
from typing import Any

import structlog
from temporalio.service import RPCError

from incident import clocks
from starter.desk import Desk
from starter.metrics import Labels, family
from starter.problems import Problem
from starter.reading import Row

log = structlog.get_logger()

FRESH = 5.0
"""Seconds for which an answer is given again."""

AT_MOST = 200
"""Open incidents that one scrape asks; the most urgent ones come first."""

AT_ONCE = 8
WITHIN = 8.0
"""Seconds for all of them: Prometheus gives up after ten."""


Seen = defaultdict[str, set[Labels]]
"""The series that were shown, by their metric. They are few: clocks, ports and states have no names of incidents in them."""


class Backlog:
    """Asks the open incidents what they owe."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._lines: list[str] = []
        self._read_at = -FRESH
        self._reading = asyncio.Lock()
        self._seen: Seen = defaultdict(set)

    async def exposition(self, rows: list[Row], now: datetime) -> list[str]:
        """The metrics as lines; `rows` as the listing gives them."""
        async with self._reading:
            if time.monotonic() - self._read_at >= FRESH:
                self._lines = [*await self._owed(rows, now), *await self._failing()]
                self._read_at = time.monotonic()
        return self._lines

    async def _owed(self, rows: list[Row], now: datetime) -> list[str]:
        wanted = [row for row in rows if row["open"]]
        turn = asyncio.Semaphore(AT_ONCE)
        states: list[dict[str, Any]] = []

        async def read(row: Row) -> None:
            async with turn:
                try:
                    states.append(await self._desk.state(row["incident"]))
                except Problem as problem:
                    log.warning("metrics without an incident's state", incident=row["incident"], cause=problem.detail)

        try:
            async with asyncio.timeout(WITHIN):
                await asyncio.gather(*(read(row) for row in wanted[:AT_MOST]))
        except TimeoutError:
            log.warning("metrics without every incident's state", read=len(states), open=len(wanted))
        unread = family("tocsin_incidents_unread", "gauge", "Open incidents not counted in what is owed.", {(): len(wanted) - len(states)})
        # Where some could not be read, what is not found may be there all the same: it is left out then, not shown as nothing.
        return [*tally(states, now, self._seen if len(states) == len(wanted) else None), *unread]

    async def _failing(self) -> list[str]:
        try:
            failing = await self._desk.failing()
        except (Problem, RPCError) as error:
            log.warning("workflows that fail can't be counted", cause=str(error))
            return []
        return family("tocsin_workflows_failing", "gauge", "Workflows whose tasks fail again and again.", {(): failing})


def tally(states: list[dict[str, Any]], now: datetime, seen: Seen | None = None) -> list[str]:
    """What these incidents owe, and what waits to be told, as lines.

    `seen` has the series of before, and gets these: one that is over is shown as 0, so that a line in a picture comes down.
    """
    obligations: Counter[Labels] = Counter()
    late: defaultdict[Labels, float] = defaultdict(float)
    waiting: Counter[Labels] = Counter()
    oldest: defaultdict[Labels, float] = defaultdict(float)
    lost: Counter[Labels] = Counter()
    for state in states:
        drill = ("drill", str(bool(state["drill"])).lower())
        for clock in state["clocks"]:
            if clock["state"] not in ("running", "overdue"):
                continue
            obligations[(("clock", _kind(clock["name"])), drill, ("state", clock["state"]))] += 1
            if clock["state"] == "overdue":
                labels = (("clock", _kind(clock["name"])), drill)
                late[labels] = max(late[labels], float(clock["late_by"]))
        for effect in state["deliveries"]["waiting"]:
            # What went another way meanwhile still waits for its provider.
            stands = "parked" if effect["state"] == "failed_over" else effect["state"]
            waiting[(drill, ("port", effect["port"]), ("state", stands))] += 1
            labels = (drill, ("port", effect["port"]))
            oldest[labels] = max(oldest[labels], (now - datetime.fromisoformat(effect["at"])).total_seconds())
        known = state.get("evidence")
        if known is not None and known["verdict"] == "unreachable":
            lost[(drill,)] += 1
    families: list[tuple[str, str, dict[Labels, float]]] = [
        ("tocsin_obligations", "What open incidents owe, by clock.", dict(obligations)),
        ("tocsin_obligation_late_seconds", "How late the latest obligation is.", dict(late)),
        ("tocsin_effects_waiting", "Messages that wait to be told; parked ones wait for their provider.", dict(waiting)),
        ("tocsin_effect_oldest_seconds", "How long the oldest message has waited.", dict(oldest)),
        ("tocsin_incidents_without_monitoring", "Incidents whose verification waits for monitoring.", dict(lost)),
    ]
    lines = []
    for name, meaning, values in families:
        if seen is not None:
            values = dict.fromkeys(seen[name], 0.0) | values
            seen[name] |= values.keys()
        lines += family(name, "gauge", meaning, values)
    return lines


def _kind(clock: str) -> str:
    """A clock's name without what makes it endless: `action_item:AI-1` is `action_item`."""
    return clock.partition(":")[0] if clock.startswith((clocks.ACTION_ITEM, clocks.DISPATCH, clocks.DRIFT)) else clock
