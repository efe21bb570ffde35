"""Pausing a channel on a real server: every incident hears of it, also one that begins meanwhile, and the workers may come and go."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import httpx2
import pytest
from temporalio.client import WorkflowHandle

from incident.vocabulary import Access, Via
from starter.api import Door, create_app
from starter.channels import ChannelDesk
from starter.chatops.talk import Talk, Told
from starter.identity.actor import Actor, acting
from starter.problems import Invalid, NoWorker
from tests.harness import World, eventually
from tests.starter.conftest import House
from tests.starter.test_api import HERE
from tests.starter.test_desk import opened

pytestmark = pytest.mark.server


T = TypeVar("T")


async def _answered(ask: Callable[[], Awaitable[T]]) -> T:
    """What is answered once somebody works again: workers that have just been started may need longer than a reader waits."""
    found: list[T] = []

    async def answers() -> bool:
        try:
            found.append(await ask())
        except NoWorker:
            return False
        return True

    await eventually(answers, within=60, what="a worker to answer")
    return found[0]


async def _told(house: House, incident: str) -> dict[str, Any]:
    told: dict[str, Any] = (await _answered(lambda: house.desk.state(incident)))["deliveries"]
    return told


async def _hears(house: House, incident: str, *, paused: bool) -> None:
    async def known() -> bool:
        return ("chat" in (await _told(house, incident))["paused"]) is paused

    await eventually(known, within=60, what=f"{incident} to hear of it")


async def test_a_pause_reaches_every_incident_and_outlives_the_workers(empty_house: House) -> None:
    """What was asked while it is paused goes out in order at the end, also to an incident that began meanwhile; the doctor knows."""
    house = empty_house
    channels = ChannelDesk(house.client)
    async with house.staffed():
        assert await channels.listed() == []
        assert (await channels.resume({"by": "ana", "port": "chat"}))["news"] is False

        before = await opened(house.desk)
        world = house.board.worlds[before] = World()
        paused = await channels.pause({"by": "ana", "port": "chat", "reason": "the vendor is out", "minutes": 90})
        assert (paused["accepted"], paused["channels"][0]["port"]) == (True, "chat")
        await _hears(house, before, paused=True)
        await house.desk.command(before, "declare", {"by": "ana", "severity": "SEV2"})

    async with house.staffed():
        # A worker that was started anew, and an incident that begins under the pause.
        during = await opened(house.desk, severity="SEV2")
        other = house.board.worlds[during] = World()
        await _hears(house, during, paused=True)
        await _answered(channels.listed)
        look = await channels.look()

        assert [each["state"] for each in (await _told(house, during))["waiting"] if each["port"] == "chat"]
        assert {"paused", "failed_over"} >= {each["state"] for each in (await _told(house, before))["waiting"] if each["port"] == "chat"}
        assert "tocsin channel resume chat" in (look.fix or "")
        assert other.chat.ledger == []

        told = len(world.chat.ledger)
        await channels.resume({"by": "ana", "port": "chat"})
        await _hears(house, before, paused=False)
        await _hears(house, during, paused=False)

        async def nothing_waits() -> bool:
            return not any([*(await _told(house, before))["waiting"], *(await _told(house, during))["waiting"]])

        await eventually(nothing_waits, within=60, what="everything to go out")
        numbers = [int(key.rpartition(":")[2]) for key in world.chat.keys[told:]]

        assert numbers
        assert numbers == sorted(numbers)
        assert other.chat.ledger
        assert await _answered(channels.listed) == []
        assert (await channels.look()).ok


async def test_to_resume_is_to_have_as_long_as_any_other_command(house: House) -> None:
    """What is only read first asks no worker: one who is busy at that moment must not keep a channel paused."""
    channels = ChannelDesk(house.client)
    await channels.pause({"by": "ana", "port": "archive", "reason": "the vendor is out"})
    asked: list[str] = []
    query = WorkflowHandle.query

    async def noted(self: Any, name: str, *args: Any, **more: Any) -> Any:
        asked.append(name)
        return await query(self, name, *args, **more)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(WorkflowHandle, "query", noted)
        resumed = await channels.resume({"by": "ana", "port": "archive"})

    assert resumed["news"] is True
    assert asked == []


async def test_who_may_not_is_refused_and_what_has_no_shape_is_named(house: House) -> None:
    """A viewer pauses nothing, paging is paused by nobody, and a mistake is said with its field."""
    channels = ChannelDesk(house.client)
    with acting(Actor("zoe", frozenset({Access.RESPONDER}), Via.WEB)):
        refused = await channels.pause({"port": "chat", "reason": "the vendor is out"})
    paging = await channels.pause({"by": "ana", "port": "paging", "reason": "quiet"})
    with pytest.raises(Invalid) as mistake:
        await channels.pause({"by": "ana", "port": "pigeons", "reason": ""})

    assert refused["refusal"]["code"] == "not-permitted"
    assert paging["refusal"]["code"] == "not-pausable"
    assert {error["field"] for error in mistake.value.errors} == {"port", "reason"}
    assert await channels.listed() == []


async def test_the_api_and_the_page_say_the_same(house: House) -> None:
    """Paused by the API, seen and resumed on the page; a refusal is one at both, with what to do instead."""
    app = create_app(house.desk, Door(user="ana", version="0"))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=HERE) as http:
        paused = await http.post("/api/v1/channels/tickets/pause", json={"reason": "the vendor is out"})
        listed = (await http.get("/api/v1/channels")).json()["channels"]
        page = (await http.get("/channels")).text
        refused = await http.post("/api/v1/channels/oncall/pause", json={"reason": "quiet"})
        told = await http.post("/channels", data={"do": "pause", "port": "oncall", "reason": "quiet"})
        mistaken = await http.post("/channels", data={"do": "pause", "port": "chat", "minutes": "soon"})
        resumed = await http.post("/channels", data={"do": "resume", "port": "tickets"})
        after = (await http.get("/api/v1/channels")).json()["channels"]

    assert (paused.status_code, [each["port"] for each in listed]) == (200, ["tickets"])
    assert "Resume tickets" in page
    assert (refused.status_code, refused.json()["code"]) == (409, "not-pausable")
    assert (told.status_code, "another way to page first" in told.text) == (409, True)
    assert (mistaken.status_code, mistaken.text.count('aria-invalid="true"')) == (422, 2)
    assert '<a href="#reason">Why</a> is missing' in mistaken.text
    assert 'value="soon"' in mistaken.text
    assert (resumed.status_code, after) == (303, [])


async def test_the_page_never_says_that_nothing_is_paused_where_nobody_knows(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody answered: what is paused is not known, and what was typed is kept."""

    async def silent(*_: Any) -> Any:
        raise NoWorker("No worker polls the task queue incidents.")

    monkeypatch.setattr(ChannelDesk, "pause", silent)
    app = create_app(house.desk, Door(user="ana", version="0"))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=HERE) as http:
        told = await http.post("/channels", data={"do": "pause", "port": "chat", "reason": "the vendor is out"})

    assert told.status_code == 503
    assert "Nothing is paused" not in told.text
    assert 'value="the vendor is out"' in told.text


async def test_what_is_typed_in_a_chat_pauses_and_resumes_with_the_same_refusals(house: House) -> None:
    """Slack's command and Matrix's are read by the same words: who may not is told why, and who may sees what waits."""
    talk = Talk(house.desk)
    ana, ben = (Actor(name, frozenset({role}), Via.CHAT) for name, role in (("ana", Access.COMMANDER), ("ben", Access.VIEWER)))

    occasions = itertools.count()

    async def said(who: Actor, line: str) -> Told:
        with acting(who):
            return await talk.typed(line, (), who, f"a chat's occasion {next(occasions)}")

    not_he = await said(ben, "channel pause calendar their status page says so")
    never = await said(ana, "channel pause paging quiet please")
    no_port = await said(ana, "channel pause pigeons gone")
    done = await said(ana, "channel pause calendar their status page says so --minutes 90")
    listed = await said(ana, "channel list")
    held = await channels_of(house)
    resumed = await said(ana, "channel resume calendar")
    again = await said(ana, "channel resume calendar")

    assert ("refused (not-permitted)" in not_he.text, not_he.done) == (True, False)
    assert ("refused (not-pausable)" in never.text, never.done) == (True, False)
    assert "'pigeons' is not one of chat, status" in no_port.text
    assert done.done
    assert "ana paused calendar until" in done.text
    assert "their status page says so" in listed.text
    assert held == ["calendar"]
    assert ("ana resumed calendar" in resumed.text, resumed.done) == (True, True)
    assert again.text == "It was so already: calendar is not paused."


async def channels_of(house: House) -> list[str]:
    return [each["port"] for each in await ChannelDesk(house.client).listed()]
