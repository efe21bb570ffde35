"""The stream of a room: what changed, once, for everybody who watches."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from starlette.requests import Request

from starter.api import Door, create_app
from starter.live import Rooms
from starter.pulse import Pulse
from starter.web import live
from starter.web.live import Readings, changes, gathered
from tests.starter.web.memory import MemoryDesk
from tests.starter.web.test_room import SCRIPT, opened

SOON = 5.0


class Counting(MemoryDesk):
    """Counts how often the state is read."""

    reads = 0

    async def state(self, incident: str) -> dict[str, Any]:
        self.reads += 1
        return await super().state(incident)


@pytest.fixture
async def desk() -> Counting:
    made = await Counting.made()
    assert isinstance(made, Counting)
    return made


class Signs(Pulse):
    """Gives these signs of life one after another, and the last for ever; None is a good one."""

    def __init__(self, *signs: str | None) -> None:
        self._signs = list(signs)

    async def trouble(self) -> dict[str, Any] | None:
        sign = (self._signs.pop(0) if len(self._signs) > 1 else self._signs[0]) if self._signs else None
        return {"detail": sign} if sign else None


class Viewer:
    """Reads one stream, an event at a time."""

    def __init__(self, desk: MemoryDesk, rooms: Rooms, readings: Readings, incident: str, since: int, pulse: Pulse | None = None) -> None:
        app = create_app(desk, Door(user="ana", version="0"), rooms=rooms)
        scope = {"type": "http", "method": "GET", "path": f"/incidents/{incident}/live", "headers": [], "query_string": b"", "app": app}
        self._stream = changes(Request(scope), rooms, readings, incident, since, pulse=pulse or Signs(), over=False)
        self._parts: list[str] = []

    async def message(self) -> tuple[int, str]:
        """The next event that holds HTML: its id and its data."""
        async with asyncio.timeout(SOON):
            while True:
                part = await anext(self._stream)
                found = re.match(r"id: (\d+)\n", part)
                if found:
                    return int(found.group(1)), part

    async def first(self) -> str:
        async with asyncio.timeout(SOON):
            return await anext(self._stream)

    async def trouble(self) -> str:
        """What the next event about the workers says; empty where they work again."""
        async with asyncio.timeout(SOON):
            while True:
                found = re.search(r"event: trouble\ndata: (.*)\n", await anext(self._stream))
                if found:
                    return found.group(1)

    async def leave(self) -> None:
        await self._stream.aclose()  # type: ignore[attr-defined]  # it is a generator


def targets(message: str) -> list[str]:
    return re.findall(r'hx-target="#([\w-]+)"', message)


async def test_a_viewer_gets_what_happened_since_its_page_and_every_region(desk: Counting) -> None:
    """Whatever fell between the page and its stream is made up for."""
    incident = await opened(desk)
    since = desk.incidents[incident].seq
    await desk.command(incident, "note", {"by": "ben", "text": SCRIPT})
    rooms = Rooms(desk, desk.history)
    viewer = Viewer(desk, rooms, Readings(desk), incident, since)
    first = await viewer.first()
    seq, message = await viewer.message()
    await viewer.leave()
    rooms.close()

    assert first.startswith("retry: 500\n\nevent: servertime\ndata: 20")
    assert seq == since + 1
    assert targets(message) == ["timeline", "r-head", "r-clocks", "r-next", "r-checklists", "r-people", "r-facts", "r-bar"]
    assert re.findall(r'<li id="t-(\d+)"', message) == [str(seq)]
    assert "<script>" not in message


async def test_later_only_what_looks_different_is_sent(desk: Counting) -> None:
    """A new scribe changes the people and the timeline, and leaves the rest of the page alone."""
    incident = await opened(desk)
    rooms = Rooms(desk, desk.history)
    viewer = Viewer(desk, rooms, Readings(desk), incident, 0)
    await viewer.message()
    following = asyncio.create_task(viewer.message())
    await desk.command(incident, "assign", {"by": "ben", "role": "scribe", "person": "sam"})
    _, message = await following
    await viewer.leave()
    rooms.close()

    assert {"timeline", "r-people"} <= set(targets(message))
    assert "r-checklists" not in targets(message)


async def test_no_region_that_is_replaced_holds_a_field_to_type_in(desk: Counting) -> None:
    """Text that somebody types can't be swapped away, since it never stands where anything is swapped."""
    incident = await opened(desk)
    rooms = Rooms(desk, desk.history)
    viewer = Viewer(desk, rooms, Readings(desk), incident, 0)
    _, message = await viewer.message()
    await viewer.leave()
    rooms.close()

    assert re.findall(r"<(?:textarea|select)|<input(?! type=\"hidden\")", message) == []


async def test_all_viewers_share_one_reading_of_a_change(desk: Counting) -> None:
    """Forty people in a room ask the incident once."""
    incident = await opened(desk)
    rooms, readings = Rooms(desk, desk.history), Readings(desk)
    viewers = [Viewer(desk, rooms, readings, incident, 0) for _ in range(40)]
    await asyncio.gather(*(viewer.message() for viewer in viewers))
    before = desk.reads
    following = [asyncio.create_task(viewer.message()) for viewer in viewers]
    await desk.command(incident, "note", {"by": "ben", "text": "x"})
    heard = await asyncio.gather(*following)
    for viewer in viewers:
        await viewer.leave()
    rooms.close()

    assert {seq for seq, _ in heard} == {desk.incidents[incident].seq}
    assert desk.reads - before == 1


async def test_what_comes_together_is_one_message(desk: Counting) -> None:
    """One command makes several entries and moves the page once."""

    async def burst() -> AsyncIterator[dict[str, Any] | None]:
        for seq in (1, 2, 3):
            yield {"seq": seq}
        await asyncio.Event().wait()

    batches = gathered(burst())
    async with asyncio.timeout(SOON):
        batch = await anext(batches)
    await batches.aclose()  # type: ignore[attr-defined]  # it is a generator

    assert [entry["seq"] for entry in batch] == [1, 2, 3]


async def test_a_closed_incident_ends_its_stream_with_a_word(desk: Counting) -> None:
    """A page that hears that it is over does not ask again and again."""
    incident = await opened(desk, severity=None)
    rooms = Rooms(desk, desk.history)
    viewer = Viewer(desk, rooms, Readings(desk), incident, 0)
    await viewer.message()
    following = asyncio.create_task(viewer.message())
    await desk.command(incident, "dismiss", {"by": "ben", "reason": "a test", "as": "false_alarm"})
    await following
    rooms.close()
    async with asyncio.timeout(SOON):
        rest = [part async for part in viewer._stream]

    assert rest[-1] == "event: over\ndata: closed\n\n"


async def test_an_open_room_hears_that_nobody_works_and_that_somebody_does_again(desk: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that dies under an open room is told of once, and so is the next one; nothing is said where all is well."""
    monkeypatch.setattr(live, "LOOKED_AFTER", timedelta(milliseconds=10))
    incident = await opened(desk)
    rooms = Rooms(desk, desk.history)
    viewer = Viewer(
        desk, rooms, Readings(desk), incident, desk.incidents[incident].seq, Signs(None, "no worker answers", "no worker answers", None)
    )
    said = [await viewer.trouble(), await viewer.trouble()]
    await viewer.leave()
    rooms.close()

    assert said == ["no worker answers", ""]
