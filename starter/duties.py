"""Who is asked for what: the open obligations of a person over all incidents, read from each incident's own state.

A list's row names the commander and the clock that is due first. What a person owes may be another clock, an action
item, a report, a page that nobody has answered. So the states are asked, a few at a time and once for all who look; where
none can be read (no worker), the last reading stands, with its clocks going on.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

import structlog

from incident import clocks
from incident.permissions import same_person
from incident.vocabulary import Phase
from starter.problems import Problem, UnknownIncident
from starter.reading import Reading, Row

log = structlog.get_logger()

AT_MOST = 60
"""Incidents that are asked, the most urgent first: more than anybody is in at once."""

AT_ONCE = 8
FRESH = 3.0
"""Seconds for which a reading is given again, however many pages ask."""

WITHIN = timedelta(milliseconds=700)
"""How long a page waits for what is still being read; the next look has it."""

ENDED_FRESH = 30.0
"""Seconds for which the action items of incidents that have ended are taken as they were."""


class Duty(NamedTuple):
    """One thing that is asked of somebody. `verb` with `values` is what fulfils it, None where the incident's page says what to do."""

    incident: str
    title: str
    what: str
    owner: str
    due: str | None
    mine: bool
    verb: str | None = None
    values: dict[str, str] = {}  # noqa: RUF012  # never changed: a tuple's default

    def overdue(self, now: datetime) -> bool:
        return self.due is not None and datetime.fromisoformat(self.due) <= now


def of(state: Mapping[str, Any], person: str) -> list[Duty]:
    """What this incident asks of `person`, and the latest of what others owe it. Whoever is not in a drill is left alone by it."""
    found = [*_paged(state, person), *_clocks(state, person), *_mitigation(state, person)]
    mine = [duty for duty in found if duty.mine]
    mine = mine or _roles(state, person)
    others = sorted((duty for duty in found if not duty.mine), key=lambda duty: duty.due or "")
    return [*mine, *(others[:1] if mine or not state.get("drill") else [])]


def _paged(state: Mapping[str, Any], person: str) -> list[Duty]:
    paged = state.get("paged")
    if not paged or state.get("acknowledged_by") or not same_person(paged, person):
        return []
    due = next((clock["due"] for clock in state["clocks"] if clock["name"] == clocks.ACKNOWLEDGE), None)
    return [_duty(state, "you are being paged: acknowledge it", paged, due, True, "acknowledge")]


def _clocks(state: Mapping[str, Any], person: str) -> list[Duty]:
    found = []
    being_paged = bool(_paged(state, person))
    for clock in state["clocks"]:
        if clock["state"] not in ("running", "overdue") or not clock["due"] or clock["name"] == clocks.VERIFICATION:
            continue
        mine = same_person(clock["owner"], person)
        late = clock["state"] == "overdue" and not (clock["name"] == clocks.ACKNOWLEDGE and being_paged)
        if mine or late:
            verb, values = fulfilled_by(clock["name"])
            found.append(_duty(state, clocks.label(clock["name"]), clock["owner"], clock["due"], mine, verb, values))
    return found


def _mitigation(state: Mapping[str, Any], person: str) -> list[Duty]:
    newest = next(iter(reversed(state.get("mitigations", ()))), None)
    if newest is None or newest["succeeded"] is not None or not same_person(newest["owner"], person):
        return []
    return [_duty(state, f"your mitigation is under way: {newest['action'][:80]}", newest["owner"], None, True, "finish_mitigation")]


def _roles(state: Mapping[str, Any], person: str) -> list[Duty]:
    held = [role for role, holder in state["roles"].items() if holder and same_person(holder, person)]
    if not held or Phase(state["phase"]).number > Phase.RESOLUTION.number:
        return []
    return [_duty(state, f"you are {' and '.join(held)}: {state['next']['text']}", person, None, True, None)]


def _duty(
    state: Mapping[str, Any], what: str, owner: str, due: str | None, mine: bool, verb: str | None, values: dict[str, str] | None = None
) -> Duty:
    return Duty(str(state["incident"]), str(state["title"]), what, owner, due, mine, verb, values or {})


FULFILLED_BY: dict[str, tuple[str, dict[str, str]]] = {
    clocks.ACKNOWLEDGE: ("acknowledge", {}),
    clocks.INTERNAL_UPDATE: ("post_update", {"audience": "internal"}),
    clocks.EXTERNAL_UPDATE: ("post_update", {"audience": "external"}),
    clocks.STATUS_PAGE: ("post_update", {"audience": "external"}),
    clocks.POSTMORTEM: ("file_postmortem", {}),
    clocks.CHANGE_DOCUMENTATION: ("approve", {}),
}


def fulfilled_by(clock: str) -> tuple[str | None, dict[str, str]]:
    """The verb that meets a clock, with what is known of its fields; None where no single verb does."""
    for beginning, verb, field in (
        (clocks.ACTION_ITEM, "complete_action_item", "id"),
        (clocks.DISPATCH, "file_report", "id"),
    ):
        if clock.startswith(beginning):
            return verb, {field: clock.removeprefix(beginning)}
    if clock.startswith(clocks.DRIFT):
        return "waive", {"obligation": clock}
    return FULFILLED_BY.get(clock, (None, {}))


def ordered(found: Iterable[Duty], now: datetime) -> list[Duty]:
    """One's own late ones first, then what is late of others, then one's own by when they are due."""
    return sorted(found, key=lambda duty: (not (duty.mine and duty.overdue(now)), not duty.overdue(now), duty.due or "9"))


class Duties:
    """Reads the states for all pages of a door."""

    def __init__(self, desk: Reading) -> None:
        self._desk = desk
        self._known: dict[str, dict[str, Any]] = {}
        self._read_at: dict[str, float] = {}
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._ended: list[str] = []
        self._ended_at = -ENDED_FRESH

    async def of(self, person: str, rows: Iterable[Row], now: datetime) -> list[Duty]:
        """What is asked of `person` in these incidents, and in those that have ended and left something to do.

        `rows` are those that the one who looks may see; of the ended ones, those that they may not are left out here.
        """
        wanted = [row["incident"] for row in list(rows)[:AT_MOST] if row["open"]]
        await self._refresh(wanted)
        found = [duty for incident in wanted if incident in self._known for duty in of(as_of(self._known[incident], now), person)]
        unread = [row for row in rows if row["open"] and row["incident"] not in self._known]
        found += [duty for row in unread if (duty := _of_row(row, person, now)) is not None]
        return ordered([*found, *await self._after_the_end(person, now)], now)

    async def _refresh(self, wanted: Iterable[str]) -> None:
        now = asyncio.get_running_loop().time()
        for incident in wanted:
            if now - self._read_at.get(incident, now - FRESH) >= FRESH and incident not in self._under_way:
                # In a context of its own: it is read for all who look; who may see what was decided by the rows.
                task = asyncio.create_task(self._read(incident), context=contextvars.Context())
                self._under_way[incident] = task
                task.add_done_callback(partial(self._over, incident))
        waited = [self._under_way[incident] for incident in wanted if incident in self._under_way]
        if waited:
            await asyncio.wait(waited, timeout=WITHIN.total_seconds())

    def _over(self, incident: str, _: asyncio.Task[None]) -> None:
        self._under_way.pop(incident, None)

    async def _read(self, incident: str) -> None:
        async with self._turns:
            try:
                self._known[incident] = await self._desk.state(incident)
            except UnknownIncident:
                self._known.pop(incident, None)
            except Problem as problem:
                log.info("duties from an earlier reading", incident=incident, cause=problem.detail)
            self._read_at[incident] = asyncio.get_running_loop().time()

    async def _after_the_end(self, person: str, now: datetime) -> list[Duty]:
        """Action items of closed incidents, which their follow-ups go on chasing."""
        loop = asyncio.get_running_loop()
        if loop.time() - self._ended_at >= ENDED_FRESH:
            self._ended_at = loop.time()
            try:
                self._ended = await self._desk.followed_up(within=WITHIN)
            except Problem as problem:
                log.info("action items of ended incidents from an earlier reading", cause=problem.detail)
        await self._refresh(self._ended)
        found = []
        for incident in self._ended:
            known = self._known.get(incident)
            mine = [duty for duty in of(as_of(known, now), person) if duty.mine or duty.overdue(now)] if known else []
            if mine and await self._may_see(incident):
                found += mine
        return found

    async def _may_see(self, incident: str) -> bool:
        try:
            await self._desk.admit(incident)
        except UnknownIncident:
            return False
        return True


def as_of(state: dict[str, Any], now: datetime) -> dict[str, Any]:
    """A reading with its clocks as they stand at `now`."""

    def stands(clock: dict[str, Any]) -> dict[str, Any]:
        late = clock["state"] == "running" and clock["due"] and datetime.fromisoformat(clock["due"]) <= now
        return {**clock, "state": "overdue"} if late else clock

    return {**state, "clocks": [stands(clock) for clock in state["clocks"]]}


OWED_BY_THE_COMMANDER = frozenset({clocks.INTERNAL_UPDATE, clocks.NOTIFY_EXECUTIVES, clocks.RESOLUTION, clocks.POSTMORTEM})


def _of_row(row: Row, person: str, now: datetime) -> Duty | None:
    """What a row alone tells: that its first clock is late, or is the commander's and that is this person."""
    due, name, commander = row.get("next_due"), row.get("next_clock") or "", row.get("commander") or ""
    if due is None:
        return None
    mine = bool(commander) and same_person(commander, person) and name in OWED_BY_THE_COMMANDER
    verb, values = fulfilled_by(name)
    duty = Duty(row["incident"], row["title"], clocks.label(name) or "a clock", commander or "nobody yet", due, mine, verb, values)
    return duty if mine or duty.overdue(now) else None
