"""A bad line to a provider: cut before, during or after the answer, slow, refused, rubbish.

`Wire` is a transport around another one, so that the same faults serve a real server and a fake. `RawServer` is a socket that
answers with the bytes that it is told, for what only real bytes can show.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from enum import StrEnum

import httpx2


class Cut(StrEnum):
    BEFORE = "before"
    """The provider never hears of it."""
    AFTER = "after"
    """The provider has done it, and the answer is lost."""
    SLOW = "slow"
    TOO_MANY = "429"
    FAILS = "500"
    DOWN = "503"
    REFUSES = "422"
    REVOKED = "401"
    FORBIDDEN = "403"
    GONE = "404"
    RUBBISH = "rubbish"
    WEB_PAGE = "web page"


PAGE = "<!DOCTYPE html><html><head><title>We'll be back</title></head><body><h1>Down for maintenance</h1></body></html>"

Wanted = Callable[[httpx2.Request], bool]


def everything(_: httpx2.Request) -> bool:
    return True


class Wire(httpx2.AsyncBaseTransport):
    """Passes on to `inner`; where a fault is set and `wanted` says so, it strikes, `times` times or until it is mended."""

    def __init__(self, inner: httpx2.AsyncBaseTransport) -> None:
        self.inner = inner
        self.cut: Cut | None = None
        self.wanted: Wanted = everything
        self.times: int | None = None
        self.retry_after: int | None = None
        self.asked: list[tuple[str, str]] = []

    def fail(self, cut: Cut, *, wanted: Wanted = everything, times: int | None = None, retry_after: int | None = None) -> None:
        self.cut, self.wanted, self.times, self.retry_after = cut, wanted, times, retry_after

    def mend(self) -> None:
        self.cut = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        await request.aread()
        self.asked.append((request.method, request.url.path))
        cut = self._strikes(request)
        match cut:
            case None:
                return await self.inner.handle_async_request(request)
            case Cut.BEFORE:
                raise httpx2.ConnectError("the line is cut", request=request)
            case Cut.AFTER:
                answer = await self.inner.handle_async_request(request)
                await answer.aread()
                raise httpx2.ReadError("the line is cut", request=request)
            case Cut.SLOW:
                raise httpx2.ReadTimeout("no answer", request=request)
            case Cut.RUBBISH:
                return httpx2.Response(200, text="\x00\x01 rubbish {", request=request)
            case Cut.WEB_PAGE:
                return httpx2.Response(502, html=PAGE, request=request)
            case _:
                headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
                return httpx2.Response(int(cut.value), json={"message": f"told to answer {cut.value}"}, headers=headers, request=request)

    def _strikes(self, request: httpx2.Request) -> Cut | None:
        if self.cut is None or self.times == 0 or not self.wanted(request):
            return None
        if self.times is not None:
            self.times -= 1
        return self.cut

    async def aclose(self) -> None:
        await self.inner.aclose()


class RawServer:
    """Reads one request a connection and answers with `answer`, byte by byte; None: closes without a word."""

    def __init__(self) -> None:
        self.answer: bytes | None = None
        self.holds = False
        self.requests: list[bytes] = []
        self.url = ""
        self._over = asyncio.Event()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.requests.append(await reader.readuntil(b"\r\n\r\n"))
        if self.answer is not None:
            writer.write(self.answer)
            await writer.drain()
        if self.holds:
            await self._over.wait()
        writer.close()

    @classmethod
    @asynccontextmanager
    async def listening(cls) -> AsyncIterator[RawServer]:
        server = cls()
        async with await asyncio.start_server(server._serve, "127.0.0.1", 0) as listening:
            server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
            yield server
            server._over.set()
