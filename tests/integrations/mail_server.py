"""A real mail server in this process, with mailboxes as people have them, that can be told to fail."""

from __future__ import annotations

import asyncio
import email
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from email.policy import default
from enum import StrEnum

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

USER, PASSWORD = "tocsin", "hunter2-mail"


class Trouble(StrEnum):
    CUT_BEFORE = "cut before"
    CUT_AFTER = "cut after"
    """The mail is taken, and the answer is lost."""
    BUSY = "450"
    FULL = "552"
    NO_MAILBOX = "550"
    MAILBOX_BUSY = "450 mailbox"
    SHUTS_DOWN = "421"
    RUBBISH = "rubbish"


def _cut(server: SMTP) -> None:
    assert isinstance(server.transport, asyncio.Transport)
    server.transport.abort()


class MailServer:
    """What it has taken, in order, is in `taken`; a mailbox shows one Message-ID once, as most do."""

    def __init__(self) -> None:
        self.taken: list[EmailMessage] = []
        self.trouble: Trouble | None = None
        self.times: int | None = None
        self.port = 0

    @property
    def shown(self) -> list[EmailMessage]:
        return list({str(message["Message-ID"]): message for message in reversed(self.taken)}.values())[::-1]

    def fail(self, trouble: Trouble, times: int | None = None) -> None:
        self.trouble, self.times = trouble, times

    def mend(self) -> None:
        self.trouble = None

    def _strikes(self) -> Trouble | None:
        if self.trouble is None or self.times == 0:
            return None
        if self.times is not None:
            self.times -= 1
        return self.trouble

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:
        if self.trouble is Trouble.NO_MAILBOX:
            return "550 5.1.1 no such user"
        if self.trouble is Trouble.MAILBOX_BUSY:
            return "450 4.2.1 mailbox busy"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        trouble = self._strikes()
        match trouble:
            case Trouble.BUSY:
                return "450 4.3.2 try later"
            case Trouble.FULL:
                return "552 5.2.2 too much"
            case Trouble.SHUTS_DOWN:
                return "421 4.3.0 closing"
            case Trouble.RUBBISH:
                return "what?"
            case Trouble.CUT_BEFORE:
                _cut(server)
                return "250 OK"
        content = envelope.content
        assert isinstance(content, bytes)
        message = email.message_from_bytes(content, policy=default)
        assert isinstance(message, EmailMessage)
        self.taken.append(message)
        if trouble is Trouble.CUT_AFTER:
            _cut(server)
        return "250 OK"

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:
        good = isinstance(data, LoginPassword) and (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=good, handled=False)

    @classmethod
    @asynccontextmanager
    async def running(cls, *, logins: bool = False) -> AsyncIterator[MailServer]:
        server = cls()

        def session() -> SMTP:
            return SMTP(
                server,
                hostname="mail.test",
                authenticator=server.authenticate if logins else None,
                auth_required=logins,
                auth_require_tls=False,
            )

        async with await asyncio.get_running_loop().create_server(session, "127.0.0.1", 0) as listening:
            server.port = listening.sockets[0].getsockname()[1]
            yield server
