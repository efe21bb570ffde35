"""Rooms: everybody who watches one incident hears of each new entry, at the price of one watcher.

A room long-polls the history of its incident (no query, no event, no timer of its own) and asks for the new
entries only when a workflow task has ended. It closes a while after its last viewer has left.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any, Protocol

import structlog
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, RPCTimeoutOrCancelledError
from temporalio.service import RPCError, RPCStatusCode

from starter.calls import NOT_CONNECTED
from starter.problems import Problem, UnknownIncident
from starter.reading import Entry

log = structlog.get_logger()

PING_AFTER = timedelta(seconds=15)
"""Proxies close streams that are silent for longer, 30 s being the shortest in use."""

TRY_AGAIN_AFTER = timedelta(seconds=1)

KEPT_OPEN = timedelta(seconds=30)
"""A reader who reconnects within this finds the room still open."""

BEHIND_AT_MOST = 1_000
"""A viewer this many entries behind is sent away; it comes back and reads the timeline instead."""

CHANGES_WHO_SEES = frozenset({"restricted", "role_assigned"})
"""Entries after which somebody who watches may have to go."""

MOVED = frozenset({EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED, EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED})
GONE_ON = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW


class Watched(Protocol):
    """What a room needs of the desk."""

    client: Client

    async def timeline(self, incident: str, since: int = 0) -> list[Entry]: ...

    async def admit(self, incident: str) -> None: ...


History = Callable[[Client, str], AsyncIterator[list[HistoryEvent]]]
"""Batches of new events of an incident, run after run, ending with the incident."""


async def followed(client: Client, incident: str) -> AsyncIterator[list[HistoryEvent]]:
    """The batches of events of the latest run and of all that follow it, as they arrive."""
    run: str | None = None
    while True:
        events = client.get_workflow_handle(incident, run_id=run).fetch_history_events(wait_new_event=True)
        last: HistoryEvent | None = None
        while not (last is not None and events.next_page_token is None):
            await events.fetch_next_page()
            page = list(events.current_page or ())
            if page:
                last = page[-1]
                yield page
        if last is None or last.event_type != GONE_ON:
            return
        run = last.workflow_execution_continued_as_new_event_attributes.new_execution_run_id


class Room:
    """One incident's watcher and its viewers' queues. A queue gets entries, then None once there are no more."""

    def __init__(self, desk: Watched, incident: str, history: History) -> None:
        self.incident = incident
        self.queues: set[asyncio.Queue[Entry | None]] = set()
        self.ended = False
        self._desk = desk
        self._history = history
        self._seq = 0
        self._began = 0
        self._watcher: asyncio.Task[None] | None = None

    def begin(self, seq: int) -> int:
        """Watch from the entry after `seq` on, unless somebody has begun already; give where watching began."""
        if self._watcher is None:
            self._seq = self._began = seq
            # In a context of its own: it watches for all, and not as the viewer who happened to come first.
            self._watcher = asyncio.create_task(self._watch(), name=f"room {self.incident}", context=contextvars.Context())
        return self._began

    def close(self) -> None:
        """Send everybody away and stop watching."""
        self.ended = True
        if self._watcher is not None:
            self._watcher.cancel()
        for queue in self.queues:
            _last_word(queue)
        self.queues.clear()

    async def _watch(self) -> None:
        while not self.ended:
            try:
                async for batch in self._history(self._desk.client, self.incident):
                    if any(event.event_type in MOVED or event.event_type == GONE_ON for event in batch):
                        await self._tell()
                await self._tell()
                break
            except UnknownIncident:
                break
            except (RPCError, RPCTimeoutOrCancelledError, Problem, RuntimeError) as error:
                if isinstance(error, RPCError) and error.status is RPCStatusCode.NOT_FOUND:
                    break
                if isinstance(error, RuntimeError) and not str(error).startswith(NOT_CONNECTED):
                    log.exception("a room has lost its watcher", incident=self.incident)
                    break
                log.info("a room waits", incident=self.incident, cause=str(error))
                await asyncio.sleep(TRY_AGAIN_AFTER.total_seconds())
        self.close()

    async def _tell(self) -> None:
        """Pass on what is new. Viewers may come and go meanwhile: each drops what it has seen already."""
        entries = await self._desk.timeline(self.incident, self._seq)
        for entry in entries:
            self._seq = entry["seq"]
            for queue in list(self.queues):
                if queue.full():
                    self.queues.discard(queue)
                    _last_word(queue)
                else:
                    queue.put_nowait(entry)


def _last_word(queue: asyncio.Queue[Entry | None]) -> None:
    """End a queue, making room for the word that it is over."""
    if queue.full():
        queue.get_nowait()
    queue.put_nowait(None)


class Rooms:
    """All rooms of one door."""

    def __init__(self, desk: Watched, history: History = followed) -> None:
        self._desk = desk
        self._history = history
        self._rooms: dict[str, Room] = {}
        self._closing = False

    @property
    def viewers(self) -> int:
        return sum(len(room.queues) for room in self._rooms.values())

    async def entries(self, incident: str, since: int = 0, *, ping_after: timedelta = PING_AFTER) -> AsyncIterator[Entry | None]:
        """The entries after `since`: those there are, then those to come. None where there was nothing to tell for a while.

        Ends with the incident, with the door, or when the reader is too slow: whoever wants more asks again from
        the last `seq` that it has.
        """
        if self._closing:
            return
        room = self._room(incident)
        queue: asyncio.Queue[Entry | None] = asyncio.Queue(BEHIND_AT_MOST)
        room.queues.add(queue)
        try:
            # The queue stands before the timeline is read, so nothing falls in between; what comes twice is dropped.
            # Another viewer may begin the room meanwhile, further on than what was read here: then read on.
            seen, began = since, since + 1
            while seen < began:
                for entry in await self._desk.timeline(incident, seen):
                    seen = entry["seq"]
                    yield entry
                began = room.begin(seen)
            async for told in _told(queue, ping_after):
                if told is None:
                    yield None
                elif told["seq"] > seen:
                    seen = told["seq"]
                    if told["kind"] in CHANGES_WHO_SEES and not await self._still_in(incident):
                        return
                    yield told
        finally:
            room.queues.discard(queue)
            self._close_later(room)

    async def _still_in(self, incident: str) -> bool:
        try:
            await self._desk.admit(incident)
        except UnknownIncident:
            return False
        return True

    def close(self) -> None:
        """Send every viewer away; the door stops."""
        self._closing = True
        for room in list(self._rooms.values()):
            room.close()
        self._rooms.clear()

    def _room(self, incident: str) -> Room:
        room = self._rooms.get(incident)
        if room is None or room.ended:
            room = self._rooms[incident] = Room(self._desk, incident, self._history)
        return room

    def _close_later(self, room: Room) -> None:
        if not room.queues and not room.ended:
            asyncio.get_running_loop().call_later(KEPT_OPEN.total_seconds(), self._close_if_empty, room)

    def _close_if_empty(self, room: Room) -> None:
        if room.queues:
            return
        room.close()
        if self._rooms.get(room.incident) is room:
            del self._rooms[room.incident]


async def _told(queue: asyncio.Queue[Entry | None], ping_after: timedelta) -> AsyncIterator[Entry | None]:
    """What arrives in a queue until its end, and None for each stretch of silence."""
    while True:
        try:
            async with asyncio.timeout(ping_after.total_seconds()):
                entry = await queue.get()
        except TimeoutError:
            yield None
            continue
        if entry is None:
            return
        yield entry


def event_stream(entry: dict[str, Any] | None, encoded: str) -> str:
    """One entry as a server-sent event whose id is its `seq`; a comment where there is nothing to tell."""
    if entry is None:
        return ": ping\n\n"
    return f"id: {entry['seq']}\nevent: entry\ndata: {encoded}\n\n"
