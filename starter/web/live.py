"""`/incidents/{id}/live`: what changes in an open room, as HTML for the parts that changed.

A stream has no memory of its own: a reader names the last entry on its page (`since`, or `Last-Event-ID` when it
comes back), and gets the rows after it and every region as it is now, then what changes. All viewers of an incident
share one watcher, and one read of its state a change.
"""

from __future__ import annotations

import asyncio
import contextvars
import re
from collections import OrderedDict
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse

from incident.vocabulary import Phase
from starter.desk import Desk
from starter.live import Rooms
from starter.problems import Problem, UnknownIncident
from starter.pulse import Pulse
from starter.reading import Entry
from starter.web.rendering import fragment, who
from starter.web.room import context
from starter.web.room_view import ROWS_AT_MOST, RoomView
from starter.web.writing import Beside, Writers

log = structlog.get_logger()

REGIONS = ("head", "coach", "clocks", "next", "checklists", "people", "facts", "bar")
"""The parts that are replaced; each is drawn by its own template, and none holds a field to type in."""

GATHERED = timedelta(milliseconds=40)
"""How long to wait for more of the same change: one command makes several entries, and should move the page once."""

RETRY = timedelta(milliseconds=500)

KEPT_READINGS = 128

ROWS_AT_ONCE = 400
"""A reader that was away for longer than this many entries gets the newest; the page says that there are older ones."""

LOOKED_AFTER = timedelta(seconds=5)
"""A stream that has nothing to tell looks this often whether anybody works at all."""

_KEY = re.compile(r'name="key" value="[^"]*"')


class Readings:
    """The state and timeline of incidents, read once for all viewers of a change."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._kept: OrderedDict[str, tuple[int, asyncio.Task[tuple[dict[str, Any], list[Entry]]]]] = OrderedDict()

    async def at(self, incident: str, seq: int) -> tuple[dict[str, Any], list[Entry]]:
        """What an incident is once entry `seq` has happened."""
        known = self._kept.get(incident)
        if known is None or known[0] < seq or (known[1].done() and (known[1].cancelled() or known[1].exception() is not None)):
            # In a context of its own: it is read for all viewers, each of whom was let in by the room (`Rooms.entries`).
            known = (seq, asyncio.create_task(self._read(incident), context=contextvars.Context()))
            self._kept[incident] = known
            self._kept.move_to_end(incident)
            while len(self._kept) > KEPT_READINGS:
                self._kept.popitem(last=False)
        # One viewer who leaves must not take the reading from the others.
        return await asyncio.shield(known[1])

    async def _read(self, incident: str) -> tuple[dict[str, Any], list[Entry]]:
        return await self._desk.state(incident), await self._desk.timeline(incident)


def router(desk: Desk, rooms: Rooms, pulse: Pulse, writers: Writers) -> APIRouter:
    router = APIRouter()
    readings = Readings(desk)

    @router.get("/incidents/{incident}/live")
    async def follow_room(
        incident: str,
        request: Request,
        since: Annotated[int, Query(ge=0, le=10**9)] = 0,
        last_event_id: Annotated[str | None, Header()] = None,
    ) -> StreamingResponse:
        """The changes after `since` as server-sent events whose id is the last entry that they hold."""
        if last_event_id and last_event_id.isdecimal() and len(last_event_id) < 10:
            since = int(last_event_id)
        row = await desk.row(incident)
        return StreamingResponse(
            changes(request, rooms, readings, incident, since, pulse=pulse, writers=writers, over=not row["open"]),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    return router


async def changes(
    request: Request,
    rooms: Rooms,
    readings: Readings,
    incident: str,
    since: int,
    *,
    pulse: Pulse,
    over: bool,
    writers: Writers | None = None,
) -> AsyncIterator[str]:
    """The stream of one viewer. `over`: the incident has ended, and nothing follows what there is."""
    works = Working(pulse)
    beside = Beside(writers or Writers(), incident, who(request))
    yield f"retry: {round(RETRY.total_seconds() * 1000)}\n\n" + server_time()
    shown: dict[str, str] = {}
    seen = since
    async for batch in gathered(rooms.entries(incident, since, ping_after=LOOKED_AFTER)):
        if batch:
            try:
                state, timeline = await readings.at(incident, batch[-1]["seq"])
            except UnknownIncident:
                return
            except Problem as problem:
                # The reader comes back in a moment, with the last entry that it has.
                log.info("a live room can't be read", incident=incident, cause=problem.detail)
                return
            news = [entry for entry in batch if entry["seq"] > seen][-ROWS_AT_ONCE:]
            if news:
                seen = news[-1]["seq"]
                over = state["phase"] == Phase.CLOSED.value
                yield message(seen, partials(request, RoomView(state, timeline), news, shown))
        yield server_time() + await works.news(silent=not batch) + beside.news()
    if over:
        yield "event: over\ndata: closed\n\n"


class Working:
    """What one viewer was told of whether anybody works. Where nobody ever did, the page itself has said so."""

    def __init__(self, pulse: Pulse) -> None:
        self._pulse = pulse
        self._well = False
        self._told = False

    async def news(self, *, silent: bool) -> str:
        """An event where that has changed, nothing otherwise; a room that is not `silent` is worked on."""
        trouble = await self._pulse.trouble() if silent else None
        self._well = self._well or trouble is None
        if not self._well or (trouble is not None) == self._told:
            return ""
        self._told = trouble is not None
        return f"event: trouble\ndata: {' '.join(str(trouble['detail']).split()) if trouble else ''}\n\n"


async def gathered(entries: AsyncIterator[Entry | None]) -> AsyncIterator[list[Entry]]:
    """Entries in batches: what comes within `GATHERED` belongs together. An empty one where nothing came for a while."""
    following: asyncio.Future[Entry | None] | None = None
    batch: list[Entry] = []
    try:
        while True:
            if following is None:
                following = asyncio.ensure_future(anext(entries))
            done, _ = await asyncio.wait({following}, timeout=GATHERED.total_seconds() if batch else None)
            if not done:
                yield batch
                batch = []
                continue
            try:
                entry = following.result()
            except StopAsyncIteration:
                break
            finally:
                following = None
            if entry is not None:
                batch.append(entry)
            elif not batch:
                yield []
        if batch:
            yield batch
    finally:
        if following is not None:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
        close = getattr(entries, "aclose", None)
        if close is not None:
            await close()


def partials(request: Request, view: RoomView, news: list[Entry], shown: dict[str, str]) -> str:
    """The new rows, what earlier ones say by now, and each region that looks other than `shown` remembers; which is brought up to date."""
    about = context(request, view)
    # They arrive out of sight, and the page shows them unless somebody reads further down: nothing moves in between.
    rows = fragment(request, "room/rows.html", queued=True, entries=list(reversed(news)), key_moments=about["key_moments"])
    parts = [f'<hx-partial hx-target="#timeline" hx-swap="afterbegin">{rows}</hx-partial>']
    standing = {entry["seq"]: entry for entry in view.timeline[-ROWS_AT_MOST:]}
    for seq in about["key_moments"].lateness.gone_on([entry["seq"] for entry in news]):
        if seq in standing:
            said = fragment(request, "room/entry.html", entry=standing[seq], key_moments=about["key_moments"])
            parts.append(f'<hx-partial hx-target="#t-{seq} .entry-text" hx-swap="innerMorph">{said}</hx-partial>')
    for region in (region for region in REGIONS if region != "coach" or about["coach"] is not None):
        drawn = fragment(request, f"room/{region}.html", **about)
        # A form's key differs each time; that alone is no change.
        plain = _KEY.sub("", drawn)
        if shown.get(region) != plain:
            shown[region] = plain
            parts.append(f'<hx-partial hx-target="#r-{region}" hx-swap="innerMorph">{drawn}</hx-partial>')
    return "".join(parts)


def message(seq: int, html: str) -> str:
    """One server-sent event without a name, which the page takes for HTML."""
    data = "".join(f"data: {line}\n" for line in html.splitlines() if line.strip())
    return f"id: {seq}\n{data}\n"


def server_time() -> str:
    """What time it is here: the page's clocks count by it, whatever the reader's machine believes."""
    return f"event: servertime\ndata: {datetime.now(UTC).isoformat()}\n\n"
