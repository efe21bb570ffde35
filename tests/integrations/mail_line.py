"""A line to a mail server that is spoiled at one step of the talk: what a server that misbehaves by itself can't show.

    async with MailLine.before(server.port) as line:
        line.fail(Fault.DURING, "content")

Steps are `greeting`, the client's commands, and `content`: what stands between `DATA` and the dot.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tests.integrations.fault_proxy import Fault

STEPS = ("greeting", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "content")

SPOKEN: dict[Fault, bytes] = {
    Fault.RUBBISH: b"\x00\xff what?\r\n",
    Fault.SIGN_IN: b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<!doctype html><title>Sign in</title>\r\n",
    Fault.TOO_MANY: b"450 4.7.1 too many mails, slow down\r\n",
    Fault.FAILS: b"451 4.3.0 local error\r\n",
    Fault.GONE: b"554 5.3.2 no mail here\r\n",
}
"""What is said in the server's place, which then hears nothing of it, to this and to whatever the client says after it."""

FAULTS = (Fault.NOT_TAKEN, Fault.BEFORE, Fault.DURING, Fault.AFTER, Fault.SLOW, *SPOKEN)


Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class MailLine:
    def __init__(self, port: int) -> None:
        self.port = 0
        self.struck = False
        self._behind = port
        self._fault: Fault | None = None
        self._step = ""
        self._over = asyncio.Event()

    def fail(self, fault: Fault, step: str) -> None:
        """Strike once."""
        self._fault, self._step, self.struck = fault, step, False

    @classmethod
    @asynccontextmanager
    async def before(cls, port: int) -> AsyncIterator[MailLine]:
        line = cls(port)
        server = await asyncio.start_server(line._serve, "127.0.0.1", 0)
        line.port = server.sockets[0].getsockname()[1]
        try:
            yield line
        finally:
            line._over.set()
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, talk = await asyncio.open_connection("127.0.0.1", self._behind)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            going = await self._said("greeting", b"", (there, talk), (reader, writer))
            while going and (line := await reader.readline()):
                going = await self._said(line.split()[0].decode().upper(), line, (there, talk), (reader, writer))
                if going and line.strip().upper() == b"DATA":
                    going = await self._said("content", await reader.readuntil(b"\r\n.\r\n"), (there, talk), (reader, writer))
        for each in (talk, writer):
            each.close()

    async def _repeats(self, saying: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """A client that is refused may try another way first, or ask for a fresh start."""
        writer.write(saying)
        while await reader.readline():
            writer.write(saying)
        return False

    async def _said(self, step: str, line: bytes, server: Ends, client: Ends) -> bool:
        """Hand on what the client has said, and the answer; False where the line is to be left."""
        (there, talk), (reader, writer) = server, client
        fault = self._fault if step == self._step and not self.struck else None
        self.struck = self.struck or fault is not None
        if fault is Fault.NOT_TAKEN:
            return _reset(writer)
        if fault in SPOKEN:
            return await self._repeats(SPOKEN[fault], reader, writer)
        talk.write(line)
        answer = await _answer(there)
        match fault:
            case Fault.BEFORE:
                return _reset(writer)
            case Fault.SLOW:
                await self._over.wait()
                return False
            case Fault.DURING:
                answer = answer[:2]
        writer.write(answer)
        await writer.drain()
        if fault in (Fault.DURING, Fault.AFTER):
            # What was written is on its way; an abort at once would take it back.
            await asyncio.sleep(0.01)
            return _reset(writer)
        return True


async def _answer(there: asyncio.StreamReader) -> bytes:
    """One answer, of however many lines."""
    said = b""
    while line := await there.readline():
        said += line
        if line[3:4] != b"-":
            break
    return said


def _reset(writer: asyncio.StreamWriter) -> bool:
    line: socket.socket = writer.get_extra_info("socket")
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert isinstance(writer.transport, asyncio.Transport)
    writer.transport.abort()
    return False
