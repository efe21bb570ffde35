"""A real browser before a real server: the pages as people meet them.

The desk behind it keeps its incidents in memory, so that a test takes a second. Where Chromium or Playwright is
not there, the tests are skipped and say so; `make browser` installs what they need.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import httpx2
import pytest
import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from incident import snapshot
from incident.vocabulary import Phase
from starter.api import Door, create_app
from starter.live import Rooms
from tests.incident.walk import Walk, opening_of
from tests.starter.web.memory import MemoryDesk
from tests.starter.web.nights import HeldDrafts

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: make browser")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions"]

LAPTOP = {"width": 1366, "height": 768}
PHONE = {"width": 390, "height": 844}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/browser/" in item.nodeid:
            item.add_marker(pytest.mark.browser)


class Quiet(uvicorn.Server):
    """Leaves the signals to pytest."""

    def capture_signals(self) -> Any:
        return threading.Lock()


class Site:
    """A door at one address that can be stopped and started again, with what it knows kept."""

    def __init__(self, desk: type[MemoryDesk] = MemoryDesk) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        # Playwright's own loop runs in this thread, so the desk is made in another.
        with ThreadPoolExecutor(1) as elsewhere:
            self.desk = elsewhere.submit(lambda: asyncio.run(desk.made())).result()
        self.user = "priya"
        self.drafts = HeldDrafts()
        self.refusals_of_live = 0
        self.live_requests: list[str | None] = []
        self.live_cut_at: bytes | None = None
        self.lines_cut = 0
        self.live_is_a_hole = False
        self.viewers: Callable[[], int] = lambda: 0
        self._server: Quiet | None = None
        self._thread: threading.Thread | None = None

    def door(self) -> Door:
        """Whoever comes is priya, as in the mode for one machine."""
        return Door(user=self.user, version="0")

    def start(self) -> None:
        if self._server is not None:
            return
        rooms = Rooms(self.desk, self.desk.history)
        self.viewers = lambda: rooms.viewers
        self._rooms = rooms
        app = create_app(self.desk, self.door(), rooms=rooms, drafts=self.drafts)
        config = uvicorn.Config(self._watched(app), host="127.0.0.1", port=self.port, log_config=None, timeout_graceful_shutdown=1)
        self._server = server = Quiet(config)
        self._close = rooms.close

        async def serving() -> None:
            self._loop = asyncio.get_running_loop()
            await server.serve()

        def serve() -> None:
            asyncio.run(serving())

        self._thread = threading.Thread(target=serve, daemon=True)
        self._thread.start()
        for _ in range(200):
            if server.started:
                return
            threading.Event().wait(0.02)
        raise AssertionError("the server did not start within 4 s")

    def stop(self) -> None:
        if self._server is None or self._thread is None:
            return
        self._loop.call_soon_threadsafe(self._close)
        self._server.should_exit = True
        self._thread.join(10)
        self._server = None

    def _watched(self, app: ASGIApp) -> ASGIApp:
        async def watched(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http" and scope["path"].endswith("/live"):
                headers = dict(scope["headers"])
                self.live_requests.append(headers[b"last-event-id"].decode() if b"last-event-id" in headers else None)
                if self.refusals_of_live:
                    self.refusals_of_live -= 1
                    await send({"type": "http.response.start", "status": 503, "headers": []})
                    await send({"type": "http.response.body", "body": b""})
                    return
                await app(scope, receive, self._through_a_bad_line(send))
                return
            await app(scope, receive, send)

        return watched

    def _through_a_bad_line(self, send: Send) -> Send:
        """A stream as it gets through: cut in the middle of what holds `live_cut_at`, once, or not at all while `live_is_a_hole`."""

        async def through(message: Message) -> None:
            body: bytes = message.get("body", b"")
            if self.live_is_a_hole and body:
                return
            if self.live_cut_at is not None and self.live_cut_at in body:
                kept = body[: body.index(self.live_cut_at)]
                self.live_cut_at = None
                self.lines_cut += 1
                await send({**message, "body": kept})
                raise ConnectionAbortedError("the line is cut, as the test wants it")
            await send(message)

        return through

    # ------------------------------------------------------------------ what others do meanwhile, as the command line does

    def open(self, title: str = "Checkout returns 5xx in EU", **fields: Any) -> str:
        body = {"by": "priya", "title": title, "severity": "SEV1", "customer_facing": True, "services": ["checkout-api"], **fields}
        answer = httpx2.post(f"{self.url}/api/v1/incidents", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["incident"])

    def does(self, incident: str, verb: str, by: str = "wei", **fields: Any) -> dict[str, Any]:
        answer = httpx2.post(f"{self.url}/api/v1/incidents/{incident}/{verb}", json={"by": by, **fields})
        assert answer.status_code == 200, answer.text
        said: dict[str, Any] = answer.json()
        return said

    def begins(self, phase: Phase, *, before: Callable[[Walk], object] | None = None, severity: str | None = "SEV1", **fields: Any) -> str:
        """An incident that is in `phase` already, and has lived through `before` there."""
        incident = f"INC-2026-{len(self.desk.incidents) + 1:04d}"
        start = opening_of(severity, **fields).model_copy(update={"id": incident})
        walk = Walk(start, datetime.now(UTC) - timedelta(minutes=20)).reaches(phase)
        if before is not None:
            before(walk)
        self.desk.incidents[incident] = walk.incident
        self.desk.entries[incident] = walk.timeline
        return incident

    def unseen(self, incident: str, verb: str, by: str = "wei", **fields: Any) -> None:
        """Somebody at another door does something while this one is closed."""
        with ThreadPoolExecutor(1) as elsewhere:
            elsewhere.submit(lambda: asyncio.run(self.desk.command(incident, verb, {"by": by, **fields}))).result()

    def forward(self, incident: str, **span: float) -> None:
        """Let time pass at the desk, with somebody looking at the clocks afterwards; open rooms hear of it."""
        self.desk.ahead += timedelta(**span)
        self.in_the_loop(lambda: self.desk.tick(incident))

    def in_the_loop(self, act: Callable[[], Any]) -> Any:
        """Do something where the server runs: what wakes its streams must not come from another thread."""
        done: Future[Any] = Future()
        self._loop.call_soon_threadsafe(lambda: done.set_result(act()))
        return done.result(10)

    def holds_no_stream(self, incident: str) -> bool:
        """Whether nobody streams this incident any more; a server hears of it a moment later."""
        for _ in range(200):
            room = self._rooms._rooms.get(incident)
            if room is None or not room.queues:
                return True
            threading.Event().wait(0.02)
        return False

    def state(self, incident: str) -> dict[str, Any]:
        return snapshot.state(self.desk.incidents[incident], self.desk.now)

    def kinds(self, incident: str) -> list[str]:
        return [event.kind for event in self.desk.entries[incident]]


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed: make browser")
    with sync_api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    made = Site()
    made.start()
    yield made
    made.stop()


class Reached(Protocol):
    """A server at an address."""

    url: str


class Tab:
    """Pages of one person, with what their console complained of."""

    def __init__(self, browser: Any, site: Reached, **options: Any) -> None:
        self.context = browser.new_context(viewport=LAPTOP, base_url=site.url, **options)
        self.context.set_default_timeout(20_000)
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text) if message.type == "error" else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))


@pytest.fixture
def tab(browser: Any, site: Site) -> Iterator[Callable[..., Tab]]:
    """Opens a person's own browser window, at a server that runs whatever the test before has left."""
    site.start()
    opened: list[Tab] = []

    def make(**options: Any) -> Tab:
        opened.append(Tab(browser, site, **options))
        return opened[-1]

    yield make
    for each in opened:
        each.context.close()
