"""`tocsin watch`: an incident live, through restarts of the server."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from queue import Empty
from time import monotonic
from typing import Any

import click

from incident.telling import told
from starter.cli import incidents, times
from starter.cli.board import board
from starter.cli.client import Client
from starter.cli.failures import Failure
from starter.cli.output import YELLOW, clean, put
from starter.cli.reading import KIND_STYLE, incident_argument
from starter.cli.screen import Screen
from starter.cli.session import Session, reading
from starter.cli.stream import Connected, Entry, Follower, Gone, Lost, News, State, Wake

TICK = 1.0
"""Seconds between two drawings: clocks count in seconds."""

REFRESHED_WITHIN = 3.0
"""Seconds that the state may take: the screen stands still meanwhile, and the next tick asks again."""


@click.command()
@incident_argument
@click.option("--since", type=click.IntRange(min=0), default=0, metavar="SEQ", help="begin after this entry")
@reading
def watch(session: Session, incident: str | None, since: int) -> None:
    """Follow an incident live until it is closed; Ctrl-C leaves.

    In a terminal the clocks and the next step stay below the timeline. Into a pipe goes one line an entry:
    tab-separated, or JSON with --json.
    """
    client = session.client()
    name = incidents.find(client, incident)
    state: dict[str, Any] = client.get(f"/incidents/{name}")
    entries: list[dict[str, Any]] = client.get(f"/incidents/{name}/timeline", {"since": str(since)} if since else None)["timeline"]
    quick = Client(session.url, session.token, pauses=(), within=REFRESHED_WITHIN)
    follower = Follower(client, name, entries[-1]["seq"] if entries else since)
    view = Live(session, quick, state) if sys.stdout.isatty() and session.output in (None, "table") else Plain(session, quick, state)
    view.begin(entries)
    if view.over:
        return
    follower.start()
    try:
        with _noticing_resizes(follower):
            _follow(follower, view)
    finally:
        follower.stop()


def _follow(follower: Follower, view: View) -> None:
    """Show what comes, until the incident is over and the server has no more to say."""
    while True:
        view.show(_news(follower, view.tick))
        if view.over:
            return


def _news(follower: Follower, tick: float | None) -> list[News]:
    """What has come; nothing after a tick without news."""
    news: list[News] = []
    try:
        news.append(follower.news.get(timeout=tick))
        while True:
            news.append(follower.news.get_nowait())
    except Empty:
        return news


@contextmanager
def _noticing_resizes(follower: Follower) -> Iterator[None]:
    """Draw anew at once when the window changes. The queue may be fed from a signal handler."""
    if not hasattr(signal, "SIGWINCH"):
        yield
        return
    before = signal.signal(signal.SIGWINCH, lambda *_: follower.news.put(Wake()))
    try:
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)


class View:
    """What one viewer knows: the state, since when the server is away, and whether it is over."""

    tick: float | None = None

    def __init__(self, session: Session, client: Client, state: dict[str, Any]) -> None:
        self.session = session
        self.client = client
        self._lost: str | None = None
        self._unread: str | None = None
        self.ended = False
        self._stale = False
        self._take(state)

    @property
    def over(self) -> bool:
        """Closed, and the server has ended the stream by itself: nothing more comes."""
        return self.ended and self.state.get("phase") == "closed"

    @property
    def away(self) -> str | None:
        """Why what is shown may be old; None while it is not."""
        return self._lost or self._unread

    @property
    def now(self) -> datetime:
        """The server's clock: what it said with the state, and the time since."""
        return self._server_now + timedelta(seconds=monotonic() - self._taken)

    def begin(self, entries: list[dict[str, Any]]) -> None:
        raise NotImplementedError

    def show(self, news: list[News]) -> None:
        raise NotImplementedError

    def learn(self, news: list[News]) -> list[dict[str, Any]]:
        """Take the news in, and give the new entries.

        Raises:
            Failure: there is nothing to follow.
        """
        entries: list[dict[str, Any]] = []
        told = False
        for each in news:
            if isinstance(each, Gone):
                raise each.failure
            if isinstance(each, Entry):
                entries.append(each.data)
            elif isinstance(each, State):
                told = True
                self._take(each.data)
            elif isinstance(each, Lost):
                self.ended = each.why is None
                self._lost = each.why or "the server has ended the stream"
            elif isinstance(each, Connected):
                self._lost, self.ended = None, False
        self._stale = self._stale or (bool(entries) and not told) or self.ended
        if self._stale:
            self._refresh()
        return entries

    def _refresh(self) -> None:
        try:
            self._take(self.client.get(f"/incidents/{self.state['incident']}"))
            self._stale, self._unread = False, None
        except Failure as failure:
            self._unread = str(failure).removeprefix("error: ")

    def _take(self, state: dict[str, Any]) -> None:
        self.state = state
        self._server_now = times.read(state.get("now")) or times.now()
        self._taken = monotonic()


class Plain(View):
    """One line an entry, for pipes."""

    def begin(self, entries: list[dict[str, Any]]) -> None:
        self._put(entries)

    def show(self, news: list[News]) -> None:
        self._put(self.learn(news))

    def _put(self, entries: list[dict[str, Any]]) -> None:
        for entry in entries:
            if self.session.json:
                put(json.dumps(entry, ensure_ascii=False))
            elif self.session.ids:
                put(str(entry["seq"]))
            else:
                put("\t".join(clean(entry.get(name, "")) for name in ("seq", "at", "kind", "by", "text")))


class Live(View):
    """The timeline above, the board below, for terminals."""

    tick = TICK

    def __init__(self, session: Session, client: Client, state: dict[str, Any]) -> None:
        super().__init__(session, client, state)
        self.screen = Screen()

    def begin(self, entries: list[dict[str, Any]]) -> None:
        room = max(self.screen.size.lines - len(self._block()) - 2, 3)
        earlier = [f"… {len(entries) - room} earlier entries: tocsin timeline {self.state['incident']}"] if len(entries) > room else []
        self.screen.draw([*earlier, *(self._row(entry) for entry in entries[-room:])], self._block())

    def show(self, news: list[News]) -> None:
        entries = self.learn(news)
        self.screen.draw([self._row(entry) for entry in entries], self._block())

    def _row(self, entry: dict[str, Any]) -> str:
        kind = str(entry.get("kind"))
        at = str(entry.get("at", ""))[11:19]
        return f"{at}  {self.session.paint(f'{kind:<20}', KIND_STYLE.get(kind))} {clean(told(entry))}"

    def _block(self) -> list[str]:
        lines = ["", *board(self.state, self.now, self.session.paint)]
        if self.away is not None:
            told = f"  reconnecting ({clean(self.away)}); data from {self._server_now:%H:%M:%S} UTC, the clocks go on"
            lines.append(self.session.paint(told, YELLOW))
        return lines
