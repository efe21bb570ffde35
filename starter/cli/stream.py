"""What happens to an incident, as it happens: server-sent events, read by a thread that never gives up.

A connection that ends is opened again with `Last-Event-ID`, so that no entry is missed and none comes twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any, NamedTuple

from starter.cli.client import LOST, PASSING, Client, why
from starter.cli.failures import Failure, from_problem

SILENT_AT_MOST = 45.0
"""Seconds. The server pings every 15; three missed ones mean that nobody is there."""

PAUSES = (0.3, 0.6, 1.0, 2.0, 3.0)
"""Seconds before each further attempt to connect; the last one stays."""


class Entry(NamedTuple):
    """A new entry of the timeline."""

    data: dict[str, Any]


class State(NamedTuple):
    """The whole state, where the server sends it."""

    data: dict[str, Any]


class Connected(NamedTuple):
    """The stream is open."""


class Lost(NamedTuple):
    """The stream is not open; `why` is None where the server ended it by itself."""

    why: str | None


class Gone(NamedTuple):
    """There is nothing to follow: asking again will not help."""

    failure: Failure


class Wake(NamedTuple):
    """Nothing happened, but look again."""


News = Entry | State | Connected | Lost | Gone | Wake


class Follower(Thread):
    """Puts what happens after entry `since` into `news`."""

    def __init__(self, client: Client, incident: str, since: int, pauses: tuple[float, ...] = PAUSES) -> None:
        super().__init__(name=f"follow {incident}", daemon=True)
        self.news: SimpleQueue[News] = SimpleQueue()
        self._client = client
        self._incident = incident
        self._since = since
        self._pauses = pauses
        self._stopped = Event()

    def stop(self) -> None:
        self._stopped.set()

    def run(self) -> None:
        failures = 0
        while not self._stopped.is_set():
            before = self._since
            try:
                self._listen()
                self.news.put(Lost(None))
            except Failure as failure:
                self.news.put(Gone(failure))
                return
            except LOST as error:
                self.news.put(Lost(why(error)))
            failures = failures + 1 if self._since == before else 0
            self._stopped.wait(self._pauses[min(failures, len(self._pauses) - 1)])

    def _listen(self) -> None:
        connection = self._client.connection(SILENT_AT_MOST)
        try:
            target = self._client.target(f"/incidents/{self._incident}/events", {"since": str(self._since)})
            headers = self._client.headers(Accept="text/event-stream", Cache_Control="no-store", Last_Event_ID=str(self._since))
            connection.request("GET", target, headers=headers)
            response = connection.getresponse()
            if response.status in PASSING:
                raise ConnectionError(f"the server answered {response.status}")
            if response.status != 200:
                raise from_problem(response.status, _document(response.read()))
            self.news.put(Connected())
            for kind, number, data in events(iter(response.readline, b"")):
                if self._stopped.is_set():
                    return
                self._take(kind, number, data)
        finally:
            connection.close()

    def _take(self, kind: str, number: str | None, data: str) -> None:
        value = json.loads(data)
        if kind == "state":
            self.news.put(State(value))
        elif kind == "entry" and value["seq"] > self._since:
            self._since = int(value["seq"])
            self.news.put(Entry(value))


def _document(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def events(lines: Iterator[bytes]) -> Iterator[tuple[str, str | None, str]]:
    """Kind, id and data of each event in a stream of lines; one that is cut off in the middle is left out."""
    kind = "message"
    number: str | None = None
    data: list[str] = []
    for raw in lines:
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        if not line:
            if data:
                yield kind, number, "\n".join(data)
            kind, number, data = "message", None, []
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            kind = value
        elif name == "id":
            number = value
        elif name == "data":
            data.append(value)
