"""A proxy on a real socket that spoils one exchange: what a transport in memory can't show of cut lines and odd bytes.

    async with FaultProxy.before(to_server("http://127.0.0.1:8008")) as proxy:
        proxy.fail(Fault.DURING, wanted=lambda request: request.method == "POST")

Behind it stands a server, or a fake of ours; `passed` counts what has reached it.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from http import HTTPStatus
from urllib.parse import urlsplit

import httpx2

from tests.integrations.wire import PAGE, Wanted, everything

Upstream = Callable[[httpx2.Request], Awaitable[httpx2.Response]]

RETRY_AFTER = 7
"""Seconds, as a spoiled answer names them."""

_HOP_BY_HOP = {"connection", "content-length", "transfer-encoding", "content-encoding", "keep-alive", "expect"}


class Fault(StrEnum):
    NOT_TAKEN = "cut before it is taken"
    BEFORE = "taken, and cut before the answer"
    DURING = "taken, and cut in the middle of the answer"
    AFTER = "taken, answered, and cut at once"
    SLOW = "taken, and never answered"
    NO_HTTP = "taken, and answered with no HTTP"
    RUBBISH = "answered 200 with rubbish"
    SIGN_IN = "answered 200 with a web page"
    TOO_MANY = "answered 429 with a word on when"
    TOO_MANY_PAGE = "answered 429 with a web page and a word on when"
    FAILS = "answered 500"
    WEB_PAGE = "answered 502 with a web page"
    MALFORMED = "answered 400"
    REVOKED = "answered 401"
    FORBIDDEN_PAGE = "answered 403 with a web page"
    GONE = "answered 404"
    GONE_PAGE = "answered 404 with a web page"
    INVALID = "answered 422"

    @property
    def status(self) -> int | None:
        """What is answered in the vendor's place; None where it is asked."""
        words = self.value.split()
        return int(words[1]) if words[0] == "answered" else None

    @property
    def taken(self) -> bool:
        """Whether the vendor has done it all the same."""
        return self.value.startswith("taken")


class FaultProxy:
    """One request a connection. A fault strikes the next request that is `wanted`; with `lasting`, every one until it is mended."""

    def __init__(self, upstream: Upstream) -> None:
        self.url = ""
        self.struck = False
        self._upstream = upstream
        self._fault: Fault | None = None
        self._wanted: Wanted = everything
        self._lasting = False
        self._over = asyncio.Event()

    def fail(self, fault: Fault, *, wanted: Wanted = everything, lasting: bool = False) -> None:
        self._fault, self._wanted, self._lasting, self.struck = fault, wanted, lasting, False

    def mend(self) -> None:
        self._fault = None

    @classmethod
    @asynccontextmanager
    async def before(cls, upstream: Upstream) -> AsyncIterator[FaultProxy]:
        proxy = cls(upstream)
        server = await asyncio.start_server(proxy._serve, "127.0.0.1", 0)
        proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield proxy
        finally:
            # Whoever still waits for an answer is let go, so that nothing waits for them.
            proxy._over.set()
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            try:
                await self._exchange(await self._request(reader, writer), writer)
            except httpx2.HTTPError:
                # The server behind it is away, and so are we.
                _reset(writer)
        writer.close()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> httpx2.Request:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ")
        headers = dict(line.split(": ", 1) for line in head[1:] if line)
        known = {name.lower(): value for name, value in headers.items()}
        if known.get("expect") == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if known.get("transfer-encoding") == "chunked":
            body = await _chunks(reader)
        else:
            body = await reader.readexactly(int(known.get("content-length", 0)))
        kept = {name: value for name, value in headers.items() if name.lower() not in _HOP_BY_HOP}
        return httpx2.Request(method, self.url + target, headers=kept, content=body)

    async def _exchange(self, request: httpx2.Request, writer: asyncio.StreamWriter) -> None:
        fault = self._strikes(request)
        if fault is Fault.NOT_TAKEN:
            return _reset(writer)
        status = fault.status if fault is not None else None
        answer = _whole(await self._upstream(request)) if fault is None or status is None else _spoiled(fault, status)
        match fault:
            case Fault.BEFORE:
                return _reset(writer)
            case Fault.SLOW:
                await self._over.wait()
                return None
            case Fault.NO_HTTP:
                answer = b"\x16\x03\x01 this is something else\r\n\r\n"
            case Fault.DURING:
                head, _, body = answer.partition(b"\r\n\r\n")
                answer = answer[: len(head) + 4 + len(body) // 2] if len(body) > 1 else head[: len(head) // 2]
        writer.write(answer)
        await writer.drain()
        if fault in (Fault.DURING, Fault.AFTER):
            # What was written is on its way; an abort at once would take it back.
            await asyncio.sleep(0.01)
            _reset(writer)
        return None

    def _strikes(self, request: httpx2.Request) -> Fault | None:
        if self._fault is None or (self.struck and not self._lasting) or not self._wanted(request):
            return None
        self.struck = True
        return self._fault


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int((await reader.readline()).split(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return body


def _reset(writer: asyncio.StreamWriter) -> None:
    """Cut the line so that the other end gets a reset, not a polite end."""
    line: socket.socket = writer.get_extra_info("socket")
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert isinstance(writer.transport, asyncio.Transport)
    writer.transport.abort()


def _bytes(status: int, body: bytes, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    lines += [f"Content-Length: {len(body)}", "Connection: close"]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def _whole(response: httpx2.Response) -> bytes:
    headers = {name: value for name, value in response.headers.items() if name.lower() not in _HOP_BY_HOP}
    return _bytes(response.status_code, response.content, headers)


def _spoiled(fault: Fault, status: int) -> bytes:
    if fault is Fault.RUBBISH:
        return _bytes(status, b"\x00\xff rubbish {", {"Content-Type": "application/json"})
    headers = {"Retry-After": str(RETRY_AFTER)} if status == 429 else {}
    if "web page" in fault.value:
        return _bytes(status, PAGE.encode(), {**headers, "Content-Type": "text/html"})
    return _bytes(status, json.dumps({"message": "told to fail"}).encode(), {**headers, "Content-Type": "application/json"})


def to_fake(fake: httpx2.MockTransport) -> Upstream:
    """A fake of ours, which answers from memory."""

    async def ask(request: httpx2.Request) -> httpx2.Response:
        answer = await fake.handle_async_request(request)
        await answer.aread()
        return answer

    return ask


@asynccontextmanager
async def to_server(url: str) -> AsyncIterator[Upstream]:
    """A real server. It sees its own address where the request names the proxy's: some compare them."""
    there = urlsplit(url)
    async with httpx2.AsyncClient(trust_env=False, verify=False, timeout=10) as client:

        async def ask(request: httpx2.Request) -> httpx2.Response:
            here = f"{request.url.scheme}://{request.url.netloc.decode()}"
            headers = {name: value.replace(here, f"{there.scheme}://{there.netloc}") for name, value in request.headers.items()}
            headers["host"] = there.netloc
            target = f"{there.scheme}://{there.netloc}{request.url.raw_path.decode()}"
            return await client.request(request.method, target, headers=headers, content=request.content)

        yield ask
