"""What a door listens to beside HTTP: the chat that has no way to call us, and answers by mail."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from integrations.chat.positions import Positions
from integrations.extras import ExtraMissing, library
from integrations.ledger import Ledger
from integrations.oncall.people import Directory
from integrations.oncall.rota import FileRota
from integrations.paging.pagerduty_answers import PagerDutyUsers
from integrations.paging.replies import ReplyAddresses
from runtime.chat_vendors import Matrix
from runtime.settings import Settings, SettingsError
from runtime.signing import link_key
from runtime.vendor_group import vendor_settings
from runtime.vendors import MailReplies, PagerDutyAnswers
from starter.chatops.matrix import MatrixDesk, MatrixDoor
from starter.chatops.people import Known
from starter.desk import Desk
from starter.health import Look
from starter.identity.actor import as_a_name
from starter.identity.arrangement import Arrangement
from starter.identity.store import Store
from starter.page_answers import PageAnswerers

if TYPE_CHECKING:
    from starter.mail_replies import MailDesk

log = structlog.get_logger("tocsin.door")

YES = frozenset({"1", "true", "yes", "on", "y", "t"})


@dataclass(frozen=True)
class Listeners:
    """Everything that listens. `looks` are for the doctor."""

    matrix: MatrixDesk | None = None
    mail: MailDesk | None = None

    @property
    def looks(self) -> Sequence[Look]:
        return tuple(listener.look for listener in (self.matrix, self.mail) if listener is not None)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Listen for as long as this lasts. What is cut off at the end is heard again at the next start.

        Raises:
            SettingsError: the mail's port can't be used.
        """
        async with AsyncExitStack() as open_ones:
            if self.mail is not None:
                try:
                    await open_ones.enter_async_context(self.mail.listening())
                except OSError as error:
                    raise SettingsError(f"TOCSIN_MAIL_REPLY_LISTEN can't be used ({error.strerror or error})") from error
            async with self._heard():
                yield

    @asynccontextmanager
    async def _heard(self) -> AsyncIterator[None]:
        tasks = [] if self.matrix is None else [asyncio.create_task(self.matrix.listen())]
        for task in tasks:
            task.add_done_callback(_ended)
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task


def _ended(task: asyncio.Task[None]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None:
        log.error("a listener has ended; restart the door", exc_info=error)


def listeners_in_force(settings: Settings, desk: Desk, arrangement: Arrangement, store: Store | None, ledger: Ledger) -> Listeners:
    """What the settings ask for.

    Raises:
        SettingsError: they can't be read; names each.
    """
    matrix = matrix_in_force()
    return Listeners(
        matrix=None if matrix is None else MatrixDesk(desk, matrix, arrangement, store, Positions(ledger)),
        mail=_mail_in_force(settings, desk),
    )


def _mail_in_force(settings: Settings, desk: Desk) -> MailDesk | None:
    asked = vendor_settings(MailReplies)
    if asked.listen is None:
        return None
    if asked.address is None:
        raise SettingsError("TOCSIN_MAIL_REPLY_ADDRESS is needed with TOCSIN_MAIL_REPLY_LISTEN: the address at which answers come in")
    try:
        library("aiosmtpd.smtp", extra="mail")
    except ExtraMissing as error:
        raise SettingsError(f"TOCSIN_MAIL_REPLY_LISTEN: {error}") from error
    from starter.mail_replies import MailDesk, MailDoor

    host, _, port = asked.listen.rpartition(":")
    addresses = ReplyAddresses(link_key(settings), asked.address)
    return MailDesk(desk, MailDoor(host, int(port), addresses, FileRota(settings.rota_file), settings.address))


def page_answerers_in_force(rota: Directory) -> PageAnswerers:
    """Who is who at PagerDuty.

    Raises:
        SettingsError: they can't be read; names each.
    """
    asked = vendor_settings(PagerDutyAnswers)
    for key, name in asked.people.items():
        if as_a_name(name) is None:
            raise SettingsError(f"TOCSIN_PAGERDUTY_PEOPLE: {name[:60]!r}, for {key[:60]!r}, is no name under which somebody can act")
    users = PagerDutyUsers(asked.api_url, token=asked.api_token) if asked.api_token is not None else None
    return PageAnswerers(people=asked.people, directory=rota, users=users)


def matrix_in_force() -> MatrixDoor | None:
    """How Matrix's commands come in; None where they don't.

    Raises:
        SettingsError: they can't be read; names each.
    """
    if os.environ.get(Matrix.variable("commands"), "").strip().lower() not in YES:
        return None
    asked = vendor_settings(Matrix)
    people: dict[str, Known] = {}
    for said, account in asked.people.items():
        name = as_a_name(said)
        if name is None:
            raise SettingsError(f"TOCSIN_MATRIX_PEOPLE: {said[:60]!r}, for {account[:60]!r}, is no name under which somebody can act")
        if account in people:
            raise SettingsError(f"TOCSIN_MATRIX_PEOPLE: {account[:60]!r} is there for {people[account].name[:60]!r} and {name[:60]!r}")
        people[account] = Known(name, asked.groups.get(said, ()))
    unknown = sorted(set(asked.groups) - set(asked.people))
    if unknown:
        raise SettingsError(f"TOCSIN_MATRIX_GROUPS: {', '.join(unknown)[:200]} is not in TOCSIN_MATRIX_PEOPLE")
    return MatrixDoor(url=asked.url, token=asked.token, people=people)
