"""The mail door: an SMTP server for the answers to our pages, and for nothing else.

Every word goes back as the answer to the SMTP conversation, and no mail is ever sent because of a mail, so there is nothing that could
go round in a circle:

| what comes | the answer |
|---|---|
| `ack` from the person who was paged | 250, once the incident has it |
| a bounce, an out-of-office note, a list's | 250, and nothing: refusing it would only make another bounce |
| what the process refuses, or what can't be taken for an acknowledgement | 550, the reason and the way forward |
| Temporal or the rota can't be asked | 451: the sender's mail server keeps the mail and comes again |

A 550 is brought to the sender alone, by their own mail server. The mail server before this one decides whether a sender's address
is genuine (SPF, DKIM, DMARC), as it does for all mail.
"""

from __future__ import annotations

import asyncio
import email
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import default

import structlog
from aiosmtpd.smtp import SMTP, Envelope, Session

from incident.vocabulary import Access, Via
from integrations.errors import IntegrationError
from integrations.oncall.people import Directory
from integrations.paging.links import LinkExpired, LinkInvalid
from integrations.paging.replies import Claim, ReplyAddresses, acknowledges, machine, sender_of
from starter import privacy
from starter.desk import Desk
from starter.health import Finding
from starter.identity.actor import Actor, acting, as_a_name
from starter.problems import Problem, Unavailable

log = structlog.get_logger("tocsin.mail")

SIZE_LIMIT = 2_000_000
"""Bytes. A signature with a picture fits."""

COMMANDS_LIMIT = 20
"""Of one kind in one conversation; a mail needs one of each."""

IDLE = 60.0
"""Seconds that a conversation may be silent."""

NOBODY_HERE = "550 5.1.1 this address takes answers to pages of Tocsin; there is nobody else here"


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class MailDoor:
    """Where answers come in."""

    host: str
    port: int
    addresses: ReplyAddresses
    people: Directory
    url: str
    """Where people reach the web pages."""
    now: Callable[[], datetime] = _now


class MailDesk:
    """What aiosmtpd asks of us, at each step of a conversation."""

    def __init__(self, desk: Desk, door: MailDoor) -> None:
        self._desk = desk
        self._door = door
        self.port = door.port

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:
        try:
            self._door.addresses.claim(address)
        except LinkInvalid:
            return NOBODY_HERE
        if envelope.rcpt_tos:
            return "452 4.5.3 one page at a time"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        claim = self._door.addresses.claim(envelope.rcpt_tos[0])
        try:
            message = email.message_from_bytes(envelope.original_content or b"", policy=default)
            assert isinstance(message, EmailMessage)
            why = machine(message, envelope.mail_from or "")
            sender, willing = sender_of(message), acknowledges(message)
        except (ValueError, LookupError, AttributeError, TypeError, IndexError) as error:
            # Mails are of every shape, and the library's reader has its limits.
            log.warning("a mail can't be read", incident=claim.incident, error=type(error).__name__)
            return _line(550, "5.6.0", f"this mail can't be read. {self._instead(claim)}")
        if why is not None:
            log.info("an answer to a page is no person's", incident=claim.incident, why=why)
            return "250 2.0.0 nothing is done for what a machine sends"
        if sender is None:
            return _line(550, "5.7.1", f"this mail does not say who it is from. {self._instead(claim)}")
        return await self._answer(claim, sender, willing)

    async def _answer(self, claim: Claim, sender: str, willing: bool) -> str:
        try:
            person = await self._paged(claim, sender)
        except LinkExpired:
            return _line(550, "5.7.1", f"this page was good for a day, and that is over. {self._instead(claim)}")
        except LinkInvalid:
            return _line(550, "5.7.1", f"this page did not go to {sender}, or the address was changed. {self._instead(claim)}")
        except IntegrationError as error:
            log.warning("the rota can't be read", error=str(error))
            return "451 4.3.0 nobody can be looked up now; come again"
        if not willing:
            return _line(550, "5.6.0", f"nothing was acknowledged: write ack into the first line. {self._instead(claim)}")
        actor = Actor(person, frozenset({Access.RESPONDER}), Via.MAIL)
        try:
            with acting(actor), privacy.looking(privacy.EVERYBODY):
                answer = await self._desk.command(claim.incident, "acknowledge", {"by": person}, f"reply:{claim.token}")
        except Unavailable as problem:
            return _line(451, "4.3.0", f"{problem.title}; come again")
        except Problem as problem:
            return _line(550, "5.7.1", f"{problem.title}. {problem.detail}")
        if not answer["accepted"]:
            refusal = answer["refusal"]
            return _line(550, "5.7.1", f"{claim.incident}: refused ({refusal['code']}). {refusal['message']} {refusal['required_action']}")
        return _line(250, "2.0.0", f"{claim.incident} is acknowledged by {person}")

    async def _paged(self, claim: Claim, sender: str) -> str:
        """The name of who writes, if the page went to them: the rota's for their address, or the address itself."""
        named = await self._door.people.name_of(sender)
        for person in filter(None, (as_a_name(named), as_a_name(sender))):
            try:
                self._door.addresses.proven(claim, person, self._door.now())
            except LinkInvalid:
                continue
            return person
        raise LinkInvalid

    def _instead(self, claim: Claim) -> str:
        return f"Acknowledge at {self._door.url}/incidents/{claim.incident} or with: tocsin ack {claim.incident}"

    async def handle_exception(self, error: Exception) -> str:
        log.error("a mail could not be dealt with", exc_info=error)
        return "451 4.3.0 a mistake of ours; come again"

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Take mail for as long as this lasts.

        Raises:
            OSError: the port can't be used.
        """

        def conversation() -> SMTP:
            return SMTP(
                self,
                hostname="tocsin",
                ident="Tocsin",
                data_size_limit=SIZE_LIMIT,
                timeout=IDLE,
                command_call_limit=COMMANDS_LIMIT,
                loop=asyncio.get_running_loop(),
            )

        async with await asyncio.get_running_loop().create_server(conversation, self._door.host, self._door.port) as server:
            self.port = server.sockets[0].getsockname()[1]
            yield

    async def look(self) -> Finding:
        """Whether the door answers as a mail server does, for the doctor."""
        name, where = "replies by mail", f"{self._door.host}:{self.port}"
        try:
            async with asyncio.timeout(5):
                reader, writer = await asyncio.open_connection(self._door.host, self.port)
                greeting = await reader.readline()
                writer.close()
        except (OSError, TimeoutError) as error:
            return Finding(name=name, ok=False, detail=f"{where}: {error or 'no answer'}", fix="Check TOCSIN_MAIL_REPLY_LISTEN.")
        if not greeting.startswith(b"220"):
            return Finding(name=name, ok=False, detail=f"{where} is no mail server", fix="Check TOCSIN_MAIL_REPLY_LISTEN.")
        return Finding(name=name, ok=True, detail=f"{where} takes answers to pages; whether mail is led here, only a mail shows")


def _line(code: int, status: str, text: str) -> str:
    """One line of SMTP: short, and with nothing in it that could end it."""
    plain = "".join(letter if letter.isascii() and letter.isprintable() else " " if letter.isspace() else "?" for letter in text)
    return f"{code} {status} {' '.join(plain.split())[:480]}"
