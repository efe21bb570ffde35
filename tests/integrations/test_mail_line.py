# ruff: noqa: SIM300 - the house writes what is expected first
"""Mail over a line that goes bad at any step of the talk: a page and an invitation, what is said of it, and what people see."""

from __future__ import annotations

import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

import integrations.mail
from incident.effects import Invite, Page, Receipt
from integrations.calendar.mail import MailedInvitations
from integrations.errors import IntegrationError, NotFound, Rejected, Unauthorized, Unavailable
from integrations.http import Unanswered
from integrations.ledger import Ledger
from integrations.mail import Mailer
from integrations.paging.mail import EmailPager
from integrations.paging.memory import PageMemory
from integrations.paging.pagers import Pagers
from tests.integrations.asks import delivery
from tests.integrations.fault_proxy import Fault
from tests.integrations.mail_line import FAULTS, STEPS, MailLine
from tests.integrations.mail_server import PASSWORD, USER, MailServer
from tests.integrations.pagers import LINKS, People

PAGE = delivery(Page(to="ana", role="primary on-call", text="SEV1: checkout returns 5xx"))
MEETING = delivery(Invite(title="Retrospective", text="Blameless.", at=datetime(2026, 3, 6, 14, tzinfo=UTC), people=("ana",)))

FINAL: dict[str, type[IntegrationError]] = {"AUTH": Unauthorized, "RCPT": NotFound}
"""What a final no means, by the step at which it is said; `Rejected` at all others."""

BEFORE_THE_MAIL = ("greeting", "EHLO", "AUTH")
"""Up to here the server can't have taken anything."""

Ask = Callable[[], Awaitable[Receipt]]


@asynccontextmanager
async def asking(what: str, port: int, folder: Path) -> AsyncIterator[Ask]:
    """A page, or an invitation, by an adapter that logs in."""
    ledger = Ledger(folder / "embedded.db")
    mailer = Mailer("127.0.0.1", port, sender="tocsin@example.org", user=USER, password=SecretStr(PASSWORD), security="none")

    async def page() -> Receipt:
        return await Pagers([EmailPager(mailer, People(), LINKS)], PageMemory(ledger)).page(PAGE)

    async def invite() -> Receipt:
        return await MailedInvitations(mailer, People(), PageMemory(ledger), public_url=LINKS.public_url).invite(MEETING)

    yield {"page": page, "invitation": invite}[what]
    await ledger.close()


@pytest.mark.parametrize(("what", "step"), [*(("page", step) for step in STEPS), ("invitation", "content")])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name.lower())
async def test_wherever_the_line_goes_bad_a_mailbox_shows_one_mail(
    what: str, step: str, fault: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says which server and why, whether to ask again, and no password; asked again, people see one mail."""
    async with MailServer.running(logins=True) as server, MailLine.before(server.port) as line, asking(what, line.port, tmp_path) as ask:
        line.fail(fault, step)
        if (fault, step) == (Fault.AFTER, "content"):
            first = await ask()

            assert not first.repeated
        else:
            with monkeypatch.context() as impatient:
                if fault is Fault.SLOW:
                    impatient.setattr(integrations.mail, "ANSWER_WITHIN", timedelta(seconds=0.3))
                with pytest.raises(IntegrationError) as told:
                    await ask()
            expected = FINAL.get(step, Rejected) if fault is Fault.GONE else Unavailable

            assert isinstance(told.value, expected), repr(told.value)
            assert f"the mail server 127.0.0.1:{line.port}" in str(told.value)
            assert PASSWORD not in "".join(traceback.format_exception(told.value))
            lost = step == "content" and fault in (Fault.BEFORE, Fault.DURING, Fault.SLOW)

            assert isinstance(told.value, Unanswered) or not lost, "it may have been taken"
            logged_in = (fault, step) == (Fault.AFTER, "AUTH")  # what is cut then is the mail's first step

            assert not isinstance(told.value, Unanswered) or step not in BEFORE_THE_MAIL or logged_in, "the next way can be tried at once"

        assert line.struck

        await ask()
        again = await ask()

        assert again.repeated
        assert 1 == len(server.shown)
