"""What viewers of a room hear, and when they hear the last of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

from starter import live
from starter.live import Rooms
from starter.reading import Entry
from tests.starter.desks import FakeDesk

INCIDENT = "INC-2026-0001"
SOON = 5.0
TASK_DONE = HistoryEvent(event_type=EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED)


class Incident(FakeDesk):
    """A desk with one incident, to which things happen as the test says."""

    news: asyncio.Queue[bool]
    polls = 0
    reads = 0

    async def begin(self) -> None:
        self.news = asyncio.Queue()
        await self.open({"by": "ana", "title": "Checkout fails"})

    async def happens(self, *texts: str) -> None:
        for text in texts:
            await self.command(INCIDENT, "note", {"by": "ana", "text": text})
        self.news.put_nowait(True)

    async def timeline(self, incident: str, since: int = 0) -> list[Entry]:
        self.reads += 1
        return await super().timeline(incident, since)

    async def history(self, _: Client, incident: str) -> AsyncIterator[list[HistoryEvent]]:
        self.polls += 1
        while await self.news.get():
            yield [TASK_DONE]


@pytest.fixture
async def desk() -> Incident:
    desk = Incident((await FakeDesk.made()).client)
    await desk.begin()
    return desk


async def heard(stream: AsyncIterator[Entry | None], count: int) -> list[int]:
    """The numbers of the next entries that a viewer hears."""
    seqs: list[int] = []
    async with asyncio.timeout(SOON):
        while len(seqs) < count:
            entry = await anext(stream)
            if entry is not None:
                seqs.append(entry["seq"])
    return seqs


async def rest(stream: AsyncIterator[Entry | None]) -> list[int]:
    async with asyncio.timeout(SOON):
        return [entry["seq"] async for entry in stream if entry is not None]


async def test_a_viewer_hears_what_there_is_and_then_what_comes(desk: Incident) -> None:
    """Nothing falls between the past and the present."""
    stream = Rooms(desk, desk.history).entries(INCIDENT)

    assert await heard(stream, 1) == [1]

    following = asyncio.create_task(heard(stream, 3))
    await desk.happens("a", "b")
    await desk.happens("c")

    assert await following == [2, 3, 4]


async def test_all_viewers_of_a_room_share_one_watcher(desk: Incident) -> None:
    """A hundred people who look on cost the server what one costs."""
    rooms = Rooms(desk, desk.history)
    streams = [rooms.entries(INCIDENT) for _ in range(100)]
    await asyncio.gather(*(heard(stream, 1) for stream in streams))
    following = [asyncio.create_task(heard(stream, 1)) for stream in streams]
    await asyncio.sleep(0)
    reads = desk.reads
    await desk.happens("a")
    told = await asyncio.gather(*following)

    assert told == [[2]] * 100
    assert desk.polls == 1
    assert desk.reads - reads == 1


async def test_a_viewer_who_joins_late_misses_nothing_and_hears_nothing_twice(desk: Incident) -> None:
    """Whoever comes in while things happen hears each entry once."""
    rooms = Rooms(desk, desk.history)
    first = rooms.entries(INCIDENT)
    await heard(first, 1)
    following = asyncio.create_task(heard(first, 6))
    await desk.happens("a", "b", "c")
    second = asyncio.create_task(heard(rooms.entries(INCIDENT, since=1), 6))
    await desk.happens("d", "e", "f")

    assert await following == [2, 3, 4, 5, 6, 7]
    assert await second == [2, 3, 4, 5, 6, 7]


async def test_silence_is_told_so_that_the_line_stays_open(desk: Incident) -> None:
    """A reader hears a ping where nothing happens."""
    stream = Rooms(desk, desk.history).entries(INCIDENT, since=1, ping_after=timedelta(milliseconds=5))
    async with asyncio.timeout(SOON):
        told = [await anext(stream) for _ in range(3)]

    assert told == [None, None, None]


async def test_a_door_that_stops_sends_everybody_away_at_once(desk: Incident) -> None:
    """Stopping the server does not wait for people who watch."""
    rooms = Rooms(desk, desk.history)
    streams = [rooms.entries(INCIDENT) for _ in range(3)]
    await asyncio.gather(*(heard(stream, 1) for stream in streams))
    waiting = [asyncio.create_task(rest(stream)) for stream in streams]
    await asyncio.sleep(0)
    rooms.close()

    assert await asyncio.gather(*waiting) == [[], [], []]
    assert await rest(rooms.entries(INCIDENT)) == []


async def test_the_stream_ends_with_the_incident(desk: Incident) -> None:
    """When the incident has ended, its viewers hear the last entries and then the end."""
    stream = Rooms(desk, desk.history).entries(INCIDENT)
    await heard(stream, 1)
    ending = asyncio.create_task(rest(stream))
    await asyncio.sleep(0)
    await desk.happens("closed")
    desk.news.put_nowait(False)

    assert await ending == [2]


async def test_a_viewer_far_behind_is_sent_away_and_others_go_on(desk: Incident, monkeypatch: pytest.MonkeyPatch) -> None:
    """One slow reader holds up nobody, and can come back for what it missed."""
    monkeypatch.setattr(live, "BEHIND_AT_MOST", 3)
    rooms = Rooms(desk, desk.history)
    slow, brisk = rooms.entries(INCIDENT), rooms.entries(INCIDENT)
    await heard(slow, 1)
    await heard(brisk, 1)
    stuck = asyncio.create_task(heard(slow, 1))
    told: list[int] = []
    for number in range(10):
        following = asyncio.create_task(heard(brisk, 1))
        await desk.happens(str(number))
        told += await following
    await stuck

    assert told == list(range(2, 12))
    assert len(await rest(slow)) < 9
    assert await heard(rooms.entries(INCIDENT, since=2), 9) == list(range(3, 12))
