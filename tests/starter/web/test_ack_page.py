"""Acknowledging by a link from a mail: a page with one button, which acts only when it is pressed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from integrations.paging.links import AckLinks, Paged
from starter.api import Door, create_app
from tests.starter.web.memory import MemoryDesk
from tests.starter.web.test_room import opened

HERE = "http://127.0.0.1:8700"
LINKS = AckLinks(b"a key for tests", HERE)


@pytest.fixture
async def desk() -> MemoryDesk:
    return await MemoryDesk.made()


@pytest.fixture
async def http(desk: MemoryDesk) -> AsyncIterator[httpx2.AsyncClient]:
    app = create_app(desk, Door(user="somebody", version="0", links=LINKS))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app, raise_app_exceptions=False), base_url=HERE) as client:
        yield client


async def _link(desk: MemoryDesk, *, ago: timedelta = timedelta(0), person: str = "ana") -> str:
    incident = await opened(desk, severity=None, title="down")
    return LINKS.link(Paged(incident, person, f"{incident}:page-1.1"), datetime.now(UTC) - ago)


async def test_opening_a_link_acknowledges_nothing(http: httpx2.AsyncClient, desk: MemoryDesk) -> None:
    """Scanners of mail open every link; only the button acts, and the address is passed on to nobody."""
    answer = await http.get(await _link(desk))

    assert answer.status_code == 200
    assert "<button" in answer.text
    assert [asked for asked in desk.asked if asked[0] == "acknowledge"] == []
    assert answer.headers["referrer-policy"] == "no-referrer"


async def test_the_button_acknowledges_in_the_name_of_whoever_was_paged(http: httpx2.AsyncClient, desk: MemoryDesk) -> None:
    """Ana presses, twice; the incident is hers, acknowledged once, and the record says that it came by a link."""
    link = await _link(desk)
    answers = [await http.post(link) for _ in range(2)]
    state = await desk.state("INC-2026-0001")
    commands = [fields for verb, fields in desk.asked if verb == "acknowledge"]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert "is acknowledged" in answers[1].text
    assert state["acknowledged_at"] is not None
    assert [(fields["by"], fields["via"]) for fields in commands] == [("ana", "link")]


async def test_a_link_of_another_page_shows_nothing_to_press(http: httpx2.AsyncClient, desk: MemoryDesk) -> None:
    """A link that is old, forged, or in the name of the process itself opens a page that says so, for reading and for pressing."""
    good = await _link(desk)
    old = await _link(desk, ago=timedelta(days=2))
    nobody = await _link(desk, person="tocsin")
    for link, status in ((good[:-3], 404), (old, 410), (nobody, 404)):
        for answer in (await http.get(link), await http.post(link)):
            assert answer.status_code == status
            assert "<form" not in answer.text

    assert [asked for asked in desk.asked if asked[0] == "acknowledge"] == []


async def test_while_nothing_answers_the_button_can_be_pressed_again(http: httpx2.AsyncClient, desk: MemoryDesk) -> None:
    """A worker that is away for a moment is told as such, and the button stays."""
    link = await _link(desk)
    desk.working = False
    away = await http.post(link)
    desk.working = True
    back = await http.post(link)

    assert away.status_code == 503
    assert "<button" in away.text
    assert back.status_code == 200


async def test_another_site_can_not_press_the_button(http: httpx2.AsyncClient, desk: MemoryDesk) -> None:
    """A page of another site that got hold of a link acknowledges nothing by it."""
    answer = await http.post(await _link(desk), headers={"Sec-Fetch-Site": "cross-site"})

    assert answer.status_code == 403


async def test_without_a_key_there_are_no_links(desk: MemoryDesk) -> None:
    """A door that was given no key has no such pages."""
    app = create_app(desk, Door(user="somebody", version="0"))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=HERE) as client:
        answer = await client.get(await _link(desk))

    assert answer.status_code == 404
