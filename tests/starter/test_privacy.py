"""Private incidents at the doors: for whoever is not in one, it does not exist."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from starlette.types import Scope
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

from incident.vocabulary import Access, Via
from starter import audit, privacy
from starter.api import Door, Kind, create_app
from starter.identity.actor import Actor
from starter.identity.arrangement import Arrangement
from starter.live import Rooms
from starter.privacy import EVERYBODY, STRANGER, Viewer, looking, may_see
from starter.problems import UnknownIncident
from tests.harness import eventually
from tests.starter.conftest import House
from tests.starter.desks import FakeDesk

HERE = "http://127.0.0.1:8700"
_WHEN = re.compile(r'data-now="[^"]*"')
"""The moment at which a page was made."""

OPEN, SECRET = "INC-2026-0001", "INC-2026-0002"


def named(scope: Scope) -> Viewer:
    """Whoever the header names, as if they had signed in."""
    name = dict(scope["headers"]).get(b"x-actor", b"").decode()
    actor = Actor(name, frozenset(Access), Via.API) if name else None
    return privacy.signed_in({"state": {"actor": actor}})


class Delivered:
    """The embedded parts' read-back: a message about each incident."""

    async def delivered(self, kind: Kind) -> list[dict[str, Any]]:
        return [{"incident": incident, "key": f"{incident}:1", "at": "", "to": kind, "text": "hello"} for incident in (SECRET, OPEN)]


async def no_history(_: Client, incident: str) -> AsyncIterator[list[HistoryEvent]]:
    nothing: list[HistoryEvent] = []
    for event in nothing:
        yield [event]


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    desk = await FakeDesk.made()
    await desk.open({"by": "ana", "title": "Checkout fails", "severity": "SEV1"})
    await desk.open({"by": "ana", "title": "Breach", "severity": "SEV1", "private": True})
    app = create_app(desk, Door(user="ana", version="0", who=named), Delivered(), rooms=Rooms(desk, no_history))
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url=HERE) as client:
        yield client


ASKED = [
    ("GET", ""),
    ("GET", "/timeline"),
    ("GET", "/events"),
    ("GET", "/postmortem"),
    ("GET", "/audit"),
    ("POST", "/acknowledge"),
    ("POST", "/invite"),
    ("POST", "/alert"),
]


@pytest.mark.parametrize("who", ["eve", ""])
@pytest.mark.parametrize(("method", "path"), ASKED, ids=[path or "state" for _, path in ASKED])
async def test_who_is_not_in_it_is_answered_as_if_it_were_not_there(http: httpx2.AsyncClient, method: str, path: str, who: str) -> None:
    """Nobody can tell a private incident from an id that was never given, whatever they ask of it."""
    body = ({"person": "eve"} if path == "/invite" else {}) if method == "POST" else None
    answers = [
        await http.request(method, f"/api/v1/incidents/{incident}{path}", headers={"x-actor": who}, json=body)
        for incident in (SECRET, "INC-2026-9999")
    ]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].text.replace(SECRET, "INC-2026-9999") == answers[1].text
    assert {name: value for name, value in answers[0].headers.items() if name != "content-length"} == {
        name: value for name, value in answers[1].headers.items() if name != "content-length"
    }


@pytest.mark.parametrize(("who", "listed"), [("ana", {SECRET, OPEN}), ("@Ana", {SECRET, OPEN}), ("eve", {OPEN}), ("", {OPEN})])
async def test_lists_read_backs_and_numbers_leave_it_out(http: httpx2.AsyncClient, who: str, listed: set[str]) -> None:
    """What is not to be known is not listed, not counted and not read back; those in it miss nothing."""
    headers = {"x-actor": who}
    rows = (await http.get("/api/v1/incidents", headers=headers)).json()["incidents"]
    told = (await http.get("/api/v1/embedded/chat", headers=headers)).json()
    counted = (await http.get("/api/v1/stats", headers=headers)).json()["incidents"]

    assert (listed, listed, len(listed)) == ({row["incident"] for row in rows}, {row["incident"] for row in told}, counted)


@pytest.mark.parametrize("path", ["", "/live"])
async def test_its_pages_are_not_there_either(http: httpx2.AsyncClient, path: str) -> None:
    """The page of a private incident, and the stream behind it, are answered as those of an id that was never given."""
    headers = {"x-actor": "eve", "accept": "text/html"}
    answers = [await http.get(f"/incidents/{incident}{path}", headers=headers) for incident in (SECRET, "INC-2026-9999")]
    seen = [_WHEN.sub("", answer.text.replace(SECRET, "INC-2026-9999")) for answer in answers]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert seen[0] == seen[1]


@pytest.mark.parametrize("path", ["/preview", "/do/post_update"])
async def test_no_preview_is_made_of_it(http: httpx2.AsyncClient, path: str) -> None:
    """Whoever asks what the public would read of a private incident is told what they are told of an id that was never given."""
    headers = {"x-actor": "eve", "accept": "text/html", "hx-request": "true"}
    typed = {"text": "We are on it.", "audience": "external"}
    answers = [await http.post(f"/incidents/{incident}{path}", headers=headers, data=typed) for incident in (SECRET, "INC-2026-9999")]
    seen = [_WHEN.sub("", answer.text.replace(SECRET, "INC-2026-9999")) for answer in answers]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert seen[0] == seen[1]


async def test_jumping_offers_it_to_those_in_it_only(http: httpx2.AsyncClient) -> None:
    """Nobody is offered a way to what they are not in."""
    offered = {who: (await http.get("/jump", headers={"x-actor": who})).text for who in ("ana", "eve")}

    assert ({who: "Breach" in text for who, text in offered.items()}, SECRET in offered["eve"]) == ({"ana": True, "eve": False}, False)


async def test_those_in_it_work_as_ever(http: httpx2.AsyncClient) -> None:
    """Being private changes nothing for those in it."""
    headers = {"x-actor": "ana"}
    state = await http.get(f"/api/v1/incidents/{SECRET}", headers=headers)
    answer = await http.post(f"/api/v1/incidents/{SECRET}/acknowledge", headers=headers, json={})

    assert (state.status_code, state.json()["title"], answer.status_code) == (200, "Breach", 200)


def test_as_whom_a_door_looks() -> None:
    """Where people sign in, a name that is vouched for counts and nothing else does; on one machine nothing is kept from anybody."""
    ana = Actor("ana", frozenset(), Via.WEB)
    claimed = Actor("ana", frozenset(), Via.WEB, verified=False)
    doors = [Door(user="ana", version="0"), Door(user="ana", version="0", arrangement=Arrangement(mode="proxy"))]
    seen = [[door.viewer({"state": {"actor": actor}}) for actor in (ana, claimed, None)] for door in doors]

    assert seen == [[EVERYBODY] * 3, [Viewer("ana"), STRANGER, STRANGER]]


@pytest.mark.parametrize(
    ("who", "row", "sees"),
    [
        (EVERYBODY, {"private": True, "members": ["ana"]}, True),
        (Viewer("ana"), {"private": False}, True),
        (Viewer("ana"), {}, True),
        (Viewer(" @ANA"), {"private": True, "members": ["ana"]}, True),
        (Viewer("eve"), {"private": True, "members": ["ana"]}, False),
        (Viewer("ana"), {"private": True, "opened_by": "ana"}, True),
        (STRANGER, {"private": True, "members": [""]}, False),
        (STRANGER, {"private": True}, False),
    ],
)
def test_the_rule(who: Viewer, row: dict[str, Any], sees: bool) -> None:
    """Everybody may see what is not private, those in it what is, and somebody without a name is in nothing."""
    with looking(who):
        assert sees is may_see(row)


async def test_a_watcher_who_is_shut_out_is_sent_away_and_the_others_stay() -> None:
    """Whoever watches while an incident becomes private hears no more of it, not even that; those in it go on watching."""
    desk = await FakeDesk.made()
    await desk.open({"by": "ana", "title": "Checkout fails", "severity": "SEV1"})
    moved: asyncio.Queue[int] = asyncio.Queue()

    async def history(_: Client, incident: str) -> AsyncIterator[list[HistoryEvent]]:
        while await moved.get():
            yield [HistoryEvent(event_type=EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED)]

    rooms = Rooms(desk, history)
    heard: dict[str, list[str]] = {"ana": [], "eve": []}

    async def watch(name: str) -> None:
        with looking(Viewer(name)):
            async for entry in rooms.entries(OPEN):
                if entry is not None:
                    heard[name].append(entry["kind"])

    eve = asyncio.create_task(watch("eve"))

    async def both_watch() -> bool:
        return rooms.viewers == 2 and all(heard.values())

    ana = asyncio.create_task(watch("ana"))
    await eventually(both_watch)
    desk.states[OPEN] |= {"private": True, "members": ["ana"]}
    for verb, fields in (("restrict", {"reason": "a breach"}), ("note", {"text": "x"})):
        with looking(Viewer("ana")):
            await desk.command(OPEN, verb, {"by": "ana", **fields})
    desk.timelines[OPEN][-2]["kind"] = "restricted"
    moved.put_nowait(1)
    await asyncio.wait_for(eve, 5)
    moved.put_nowait(0)
    await asyncio.wait_for(ana, 5)

    assert heard == {"eve": ["opened"], "ana": ["opened", "restricted", "note"]}


@pytest.mark.server
async def test_on_a_real_server_it_is_there_for_those_in_it_only(house: House) -> None:
    """From its first moment a private incident is kept from others, and an invitation opens it."""
    desk = house.desk
    with looking(Viewer("ana")):
        incident = str((await desk.open({"by": "ana", "title": "Breach", "private": True}))["incident"])
    with looking(Viewer("fay")):
        for asked in (
            desk.row(incident),
            desk.state(incident),
            desk.model(incident),
            desk.timeline(incident),
            audit.export(desk, incident),
            desk.command(incident, "note", {"by": "fay", "text": "x"}),
            desk.alert(incident, []),
        ):
            with pytest.raises(UnknownIncident):
                await asked
    with looking(Viewer("ana")):
        await desk.command(incident, "invite", {"by": "ana", "person": "fay"})
    with looking(Viewer("fay")):
        state = await desk.state(incident)

    assert state["title"] == "Breach"
    assert {"ana", "fay"} <= set(state["members"])


@pytest.mark.server
async def test_on_a_real_server_it_becomes_private(house: House) -> None:
    """Once restricted, an incident that everybody saw is gone for them, from the lists as well."""
    desk = house.desk
    incident = str((await desk.open({"by": "ana", "title": "Odd log-ins"}))["incident"])
    with looking(Viewer("eve")):
        before = await desk.visible({incident})
    await desk.command(incident, "restrict", {"by": "ben", "reason": "it is a breach"})

    async def gone() -> bool:
        with looking(Viewer("eve")):
            return await desk.visible({incident}) == set()

    await eventually(gone)
    with looking(Viewer("ben")):
        members = (await desk.row(incident))["members"]

    assert ({incident}, {"ana", "ben"}) == (before, {"ana", "ben"} & set(members))
