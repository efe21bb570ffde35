# ruff: noqa: SIM300 - the house writes what is expected first
"""The heartbeat goes out while workflows make progress, and not otherwise."""

from __future__ import annotations

import asyncio

import httpx2
import pytest

from runtime.temporal import connect
from tests.harness import eventually
from worker import heartbeat
from worker.heartbeat import Heartbeat, stuck

URL = "http://watcher.test/ping"


class Listener:
    """Who waits for the beats. `answers` are statuses, None for a connection that breaks; the last one goes on."""

    def __init__(self, *answers: int | None) -> None:
        self.answers = list(answers)
        self.beats: list[str] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.beats.append(f"{request.method} {request.url}")
        status = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if status is None:
            raise httpx2.ConnectError("refused", request=request)
        return httpx2.Response(status)


async def _well() -> str | None:
    return None


async def _ill() -> str | None:
    return "1 workflow(s) fail again and again"


async def test_a_beat_is_one_get() -> None:
    """Any watcher that counts requests can listen."""
    listener = Listener(200)

    assert await Heartbeat(URL, 60, _well, transport=httpx2.MockTransport(listener)).beat()
    assert [f"GET {URL}"] == listener.beats


async def test_no_progress_no_beat() -> None:
    """A worker that lives beside workflows that are stuck is silent, so that somebody else's alarm goes off."""
    listener = Listener(200)

    assert not await Heartbeat(URL, 60, _ill, transport=httpx2.MockTransport(listener)).beat()
    assert [] == listener.beats


@pytest.mark.parametrize("answer", [500, 404, 302, None])
async def test_a_beat_that_is_lost_stops_nothing(answer: int | None) -> None:
    """The watcher is down for a moment: the next beat goes out in its time."""
    listener = Listener(answer, 200)
    heart = Heartbeat(URL, 0.001, _well, transport=httpx2.MockTransport(listener))
    beating = asyncio.create_task(heart.beat_for_ever())
    await eventually(lambda: len(listener.beats) >= 3, within=5)
    alive = not beating.done()
    beating.cancel()

    assert alive


async def test_a_beat_that_fails_in_a_way_nobody_foresaw_is_not_the_last() -> None:
    """The worker goes on beside it; without the next beat the watcher would alarm until the worker is started anew."""
    asked = 0

    async def falters() -> str | None:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise LookupError("of a kind that is new")
        return None

    listener = Listener(200)
    beating = asyncio.create_task(Heartbeat(URL, 0, falters, transport=httpx2.MockTransport(listener)).beat_for_ever())

    try:
        await eventually(lambda: bool(listener.beats), within=5)
    finally:
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)


async def test_a_temporal_that_does_not_answer_is_no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof is asked through the server; without it there is none."""
    monkeypatch.setattr(heartbeat, "WITHIN", 0.3)
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")

    assert "does not answer" in str(await stuck(await connect(lazy=True)))
