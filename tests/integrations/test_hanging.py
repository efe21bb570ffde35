# ruff: noqa: SIM300 - the house writes what is expected first
"""Adapters that speak no HTTP of ours, to a host that takes the connection and then says nothing, or says it too slowly.

What speaks HTTP is in `test_fault_proxy`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

import integrations.archive.git
import integrations.mail
from incident.effects import StoreDocument
from integrations.archive.git import GitArchive
from integrations.errors import Unavailable
from integrations.http import Unanswered
from integrations.mail import Mailer
from tests.integrations.asks import delivery

STEPS = ["the greeting", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "the text"]
"""What a mail server answers, in order."""

SAYS = {"the greeting": "220 mail.test", "EHLO": "250-mail.test\r\n250 AUTH PLAIN", "AUTH": "235 ok", "DATA": "354 go on"}


class SlowMail:
    """A mail server that hangs at one step, or takes its time at each."""

    def __init__(self, *, hangs_at: str = "", takes: float = 0.0) -> None:
        self.hangs_at, self.takes = hangs_at, takes
        self.taken = 0

    async def _says(self, step: str, writer: asyncio.StreamWriter) -> None:
        if step == self.hangs_at:
            await asyncio.Event().wait()
        await asyncio.sleep(self.takes)
        self.taken += step == "the text"
        writer.write(f"{SAYS.get(step, '250 ok')}\r\n".encode())

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._says("the greeting", writer)
        while line := await reader.readline():
            step = line.split()[0].decode().upper()
            await self._says(step, writer)
            if step == "DATA":
                await reader.readuntil(b"\r\n.\r\n")
                await self._says("the text", writer)


@asynccontextmanager
async def listening(server: SlowMail) -> AsyncIterator[Mailer]:
    talks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.add(asyncio.create_task(server.talk(reader, writer)))

    listener = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        port = listener.sockets[0].getsockname()[1]
        yield Mailer("127.0.0.1", port, sender="t@example.org", user="tocsin", password=SecretStr("s3cret"), security="none")
    finally:
        for talk in talks:
            talk.cancel()
        listener.close()


async def _send(mailer: Mailer) -> None:
    await mailer.send(
        mailer.message(key="INC-2026-0007:1", to="ana@example.org", subject="SEV1", text="Checkout fails."), "ana@example.org"
    )


async def test_a_mail_server_that_answers_has_the_mail() -> None:
    """What the others are held against: one that hangs nowhere takes it."""
    server = SlowMail()
    async with listening(server) as mailer:
        await _send(mailer)

    assert 1 == server.taken


@pytest.mark.parametrize("step", STEPS)
async def test_a_mail_server_that_hangs_at_any_step_is_given_up(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to the login it has taken nothing, and another way may be tried at once; after that nobody knows."""
    monkeypatch.setattr(integrations.mail, "ANSWER_WITHIN", timedelta(seconds=0.4))
    async with asyncio.timeout(10), listening(SlowMail(hangs_at=step)) as mailer:
        with pytest.raises(Unavailable) as told:
            await _send(mailer)

    assert (Unavailable if step in STEPS[:3] else Unanswered) is type(told.value)
    assert "s3cret" not in str(told.value)


async def test_a_mail_server_that_takes_its_time_at_each_step_does_not_add_them_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time for a mail is the time for all of it."""
    monkeypatch.setattr(integrations.mail, "ANSWER_WITHIN", timedelta(seconds=0.5))
    server = SlowMail(takes=0.2)
    async with asyncio.timeout(10), listening(server) as mailer:
        with pytest.raises(Unavailable):
            await _send(mailer)

    assert 0 == server.taken


async def test_a_git_host_that_never_answers_is_given_up_and_nothing_goes_on_waiting_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git's own helper, which holds the line to the host, ends with it."""
    monkeypatch.setattr(integrations.archive.git, "TIMEOUT", timedelta(seconds=1))
    asked, let_go = asyncio.Event(), asyncio.Event()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        while await reader.read(1_000):
            pass
        let_go.set()
        writer.close()

    listener = await asyncio.start_server(connected, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    archive = GitArchive(tmp_path / "clone", remote=SecretStr(f"http://127.0.0.1:{port}/archive.git"))
    with pytest.raises(Unavailable, match="within 1 s"):
        await archive.store_document(delivery(StoreDocument(name="pm.md", content="# Why\n")))
    try:
        await asyncio.wait_for(let_go.wait(), timeout=10)
    finally:
        listener.close()

    assert asked.is_set()
