"""The public page in a real browser: on a phone, without scripts, in another time zone, and while a promise runs out."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
import uvicorn

from integrations.statuspage.published import PublicPage
from starter.api import Door, create_app
from starter.web.status_page import PublicSite
from tests.browser.conftest import LAPTOP, PHONE, Quiet
from tests.starter.desks import FakeDesk
from tests.starter.web.publications import LAYOUT, showing, told


class Board:
    """What is published, as a test sets it."""

    def __init__(self) -> None:
        self.page = showing()

    async def public_page(self, remembered: timedelta | None = None) -> PublicPage:
        return self.page


@pytest.fixture(scope="module")
def board() -> Board:
    return Board()


@pytest.fixture(scope="module")
def url(board: Board) -> Iterator[str]:
    """The address of a door with this status page."""
    with ThreadPoolExecutor(1) as elsewhere:
        desk = elsewhere.submit(lambda: asyncio.run(FakeDesk.made())).result()
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    hurried = PublicSite(board, LAYOUT, clock=count(step=10).__next__)
    server = Quiet(uvicorn.Config(create_app(desk, Door(user="ana", version="0", public=hurried)), log_config=None))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listening])), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}/status"
    server.should_exit = server.force_exit = True
    thread.join(10)


def shown(browser: Any, url: str, **options: Any) -> tuple[Any, list[str]]:
    """The page in a fresh browser, and what its console complained of."""
    page = browser.new_context(**{"viewport": PHONE, "timezone_id": "UTC", "locale": "en-GB", **options}).new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(url)
    return page, complaints


@pytest.mark.parametrize("viewport", [PHONE, LAPTOP, {"width": 320, "height": 640}], ids=["phone", "laptop", "small"])
def test_nothing_sticks_out(browser: Any, board: Board, url: str, viewport: dict[str, int]) -> None:
    """How bad it is and what is being done stand on the first screen, on any screen, and nobody has to scroll sideways."""
    board.page = showing(told(title="Checkout fails in Europe " * 8, texts=("We are looking into it.", "x" * 300)))
    page, complaints = shown(browser, url, viewport=viewport)
    banner, promise = page.locator(".banner").bounding_box(), page.locator(".promise").bounding_box()

    assert page.evaluate("document.documentElement.scrollWidth") == viewport["width"]
    assert promise["y"] + promise["height"] <= viewport["height"]
    assert banner["y"] < promise["y"]
    assert complaints == []


def test_a_promise_runs_out_before_ones_eyes(browser: Any, board: Board, url: str) -> None:
    """Whoever has the page open sees that the update is late when it is, though nothing was loaded and their clock is an hour off."""
    now = datetime.now(UTC)
    board.page = showing(told(began=now, next_update_in=timedelta(seconds=5)), now=now)
    page, _ = shown(browser, url)
    page.evaluate("const real = Date.now; Date.now = () => real() - 3600000")
    before = page.locator(".promise").inner_text()
    page.wait_for_selector(".promise.late", timeout=12_000)

    assert before.startswith("Next update by ")
    assert page.locator(".promise").inner_text().endswith(" and is late.")


def test_without_scripts_it_is_all_there(browser: Any, board: Board, url: str) -> None:
    """The text is the server's; scripts only add to it."""
    board.page = showing(told(next_update_in=timedelta(hours=1)))
    page, _ = shown(browser, url, java_script_enabled=False, timezone_id="Asia/Tokyo")
    text = page.locator("body").inner_text()

    assert [words for words in ("Major outage", "Next update by 03:10 UTC.", "All times are UTC.", "Search") if words not in text] == []


def test_times_are_the_readers_own_and_utc_is_kept(browser: Any, board: Board, url: str) -> None:
    """Nobody has to count time zones in the night; the times that the engineers speak of are one touch away."""
    board.page = showing(told(next_update_in=timedelta(hours=1)))
    page, _ = shown(browser, url, timezone_id="Asia/Tokyo")
    time = page.locator(".promise time")

    assert "12:10" in time.inner_text()
    assert time.get_attribute("title") == "03:10 UTC"
