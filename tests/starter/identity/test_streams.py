"""A page that stays open hears no longer than its reader is signed in."""

from __future__ import annotations

from asyncio import Event
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from starter.identity.entrance import Entrance
from starter.identity.sessions import LASTING
from tests.starter.identity.doors import Place

Happening = Callable[[Place, str], Awaitable[None]]


async def signed_out(where: Place, secret: str) -> None:
    await where.store.end_session(secret)


async def shift_over(where: Place, _: str) -> None:
    where.clock.forward(hours=12)


async def nothing(_: Place, __: str) -> None:
    return


async def heard(where: Place, happening: Happening, *, version: str, media_type: str = "text/event-stream") -> list[bytes]:
    """What somebody hears of a stream of five lines, a minute apart, in which something happens after the second."""
    secret = await where.store.begin_session("ana", where.arrangement.roles_of(["sre"]), LASTING)

    async def lines() -> AsyncIterator[bytes]:
        for number in range(5):
            if number == 2:
                await happening(where, secret)
            where.clock.forward(minutes=1)
            yield b"%d" % number

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await StreamingResponse(lines(), media_type=media_type)(scope, receive, send)

    sent: list[Message] = []

    async def receive() -> Message:
        await forever.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    forever = Event()
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"spec_version": version},
        "method": "GET",
        "path": "/api/v1/incidents/INC-2026-0001/events",
        "query_string": b"",
        "headers": [(b"cookie", f"tocsin_sid={secret}".encode())],
        "client": ("192.0.2.7", 50_000),
        "app": where.app,
    }
    await Entrance(app, where.arrangement, where.store)(scope, receive, send)
    bodies = [message for message in sent if message["type"] == "http.response.body"]
    assert [message["more_body"] for message in bodies] == [True] * (len(bodies) - 1) + [False]
    return [message["body"] for message in bodies if message["body"]]


@pytest.mark.parametrize("version", ["2.3", "2.4"])
@pytest.mark.parametrize(("happening", "count"), [(signed_out, 2), (shift_over, 2), (nothing, 5)])
async def test_a_stream_ends_with_the_sign_in(openid: Place, happening: Happening, count: int, version: str) -> None:
    """Within a minute of signing out, or at the end of the shift, nothing more is heard; the answer ends in good order."""
    lines = await heard(openid, happening, version=version)

    assert len(lines) == count


async def test_an_answer_that_is_no_stream_is_not_asked_about_again(openid: Place) -> None:
    """A long download that was begun goes through."""
    lines = await heard(openid, signed_out, version="2.4", media_type="application/json")

    assert len(lines) == 5


async def test_a_reader_who_leaves_is_not_taken_for_one_who_is_cut_off(openid: Place) -> None:
    """A connection that breaks is told to whoever serves it, as before."""
    secret = await openid.store.begin_session("ana", openid.arrangement.roles_of(["sre"]), LASTING)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("x")(scope, receive, send)
        raise ClientDisconnect

    async def send(_: Message) -> None:
        return

    async def receive() -> Message:
        return {"type": "http.request"}

    headers = [(b"cookie", f"tocsin_sid={secret}".encode())]
    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": "/x", "query_string": b"", "headers": headers, "app": openid.app}

    with pytest.raises(ClientDisconnect):
        await Entrance(app, openid.arrangement, openid.store)(scope, receive, send)
