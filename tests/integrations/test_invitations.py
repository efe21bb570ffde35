# ruff: noqa: SIM300 - the house writes what is expected first
"""Invitations go out once, move instead of multiplying, and reach whoever has an address."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import icalendar
import pytest
from pydantic import SecretStr

from incident.effects import Delivery, Invite, Port, Receipt
from integrations.calendar.mail import MailedInvitations
from integrations.calendar.none import NoInvitations
from integrations.errors import NotFound, Unauthorized, Unavailable
from integrations.ledger import Ledger
from integrations.mail import Mailer
from integrations.paging.memory import PageMemory
from tests.integrations.asks import INCIDENT, delivery, of_port
from tests.integrations.contract import Contract, Stage
from tests.integrations.mail_server import PASSWORD, USER, MailServer, Trouble
from tests.integrations.pagers import People

AT = datetime(2026, 3, 6, 14, 0, tzinfo=UTC)
FIRST = Invite(title="Retrospective: INC", text="Blameless.", at=AT, people=("ana", "ben", "zoe", "cal@example.org", "Ana"))


class InvitationStage(Stage):
    port = Port.CALENDAR

    def __init__(self, folder: Path, server: MailServer) -> None:
        self.folder, self.server = folder, server
        self.ledger = Ledger(folder / "embedded.db")
        mailer = Mailer("127.0.0.1", server.port, sender="tocsin@example.org", password=SecretStr(""), security="none")
        self.calendar = MailedInvitations(mailer, People(), PageMemory(self.ledger), public_url="https://tocsin.example.org")

    def call(self, action: str) -> Callable[[Delivery], Awaitable[Receipt]]:
        method: Callable[[Delivery], Awaitable[Receipt]] = getattr(self.calendar, action)
        return method

    async def shown(self) -> list[str]:
        return [str(event["SUMMARY"]) for event in self.events()]

    def events(self) -> list[Any]:
        """The meetings as a calendar has them: of each UID the newest."""
        found: dict[str, Any] = {}
        for message in self.server.shown:
            part = next(part for part in message.walk() if part.get_content_type() == "text/calendar")
            event: Any = icalendar.Calendar.from_ical(part.get_content()).walk("VEVENT")[0]
            if str(event["UID"]) not in found or found[str(event["UID"])]["SEQUENCE"] <= event["SEQUENCE"]:
                found[str(event["UID"])] = event
        return list(found.values())

    async def again(self) -> Stage:
        await self.ledger.close()
        return InvitationStage(self.folder, self.server)

    async def lose_an_answer(self) -> None:
        self.server.fail(Trouble.CUT_AFTER, times=1)

    async def go_down(self, *, retry_after: timedelta | None = None) -> None:
        self.server.fail(Trouble.BUSY)

    async def refuse(self) -> None:
        self.server.fail(Trouble.FULL)

    async def mend(self) -> None:
        self.server.mend()


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[InvitationStage]:
    async with MailServer.running() as server:
        stage = InvitationStage(tmp_path, server)
        yield stage
        await stage.ledger.close()


class TestInvitations(Contract):
    @pytest.fixture
    async def stage(self, tmp_path: Path) -> AsyncIterator[Stage]:
        async with MailServer.running() as server:
            stage = InvitationStage(tmp_path, server)
            yield stage
            await stage.ledger.close()

    async def test_an_outage_may_be_tried_again(self, stage: Stage) -> None:
        """A mail server that takes nothing now is asked again; it has no word for when."""
        first = delivery(of_port(Port.CALENDAR)[0])
        await stage.go_down()
        with pytest.raises(Unavailable):
            await stage.tell(first)
        await stage.mend()

        assert not (await stage.tell(first)).repeated


async def test_a_meeting_stands_in_the_calendar_of_whoever_was_there(stage: InvitationStage) -> None:
    """One meeting of an hour, each address once; who has none is named."""
    receipt = await stage.tell(delivery(FIRST))
    event, message = stage.events()[0], stage.server.taken[0]
    part = next(part for part in message.walk() if part.get_content_type() == "text/calendar")

    assert {"not_invited": ["zoe"]} == receipt.detail
    assert ["ana@example.org", "ben@example.org", "cal@example.org"] == [str(each).removeprefix("mailto:") for each in event["ATTENDEE"]]
    assert (AT, AT + timedelta(hours=1)) == (event["DTSTART"].dt, event["DTEND"].dt)
    assert "REQUEST" == part.get_param("method")
    assert "2026-03-06 14:00 UTC" in str(next(part for part in message.walk() if part.get_content_type() == "text/plain").get_content())


async def test_another_date_moves_the_meeting(stage: InvitationStage) -> None:
    """Whoever schedules it anew leaves one meeting in each calendar, at the new time."""
    await stage.tell(delivery(FIRST, 9))
    await stage.tell(delivery(FIRST.model_copy(update={"at": AT + timedelta(days=1)}), 10))

    assert [AT + timedelta(days=1)] == [event["DTSTART"].dt for event in stage.events()]
    assert 2 == len(stage.server.taken)


async def test_nobody_with_an_address_is_told(stage: InvitationStage) -> None:
    """An invitation that reaches nobody is no invitation."""
    with pytest.raises(NotFound, match="nobody of zoe has an e-mail address"):
        await stage.tell(delivery(FIRST.model_copy(update={"people": ("zoe",)})))


async def test_without_a_calendar_nobody_is_invited() -> None:
    """An incident from a time with a calendar hears that there is none."""
    with pytest.raises(NotFound, match="TOCSIN_CALENDAR"):
        await NoInvitations().invite(delivery(FIRST))


async def test_no_text_breaks_out_of_its_line(stage: InvitationStage) -> None:
    """A title from outside adds no attendee and no header."""
    await stage.tell(delivery(FIRST.model_copy(update={"title": "x\r\nATTENDEE:mailto:eve@evil.test", "text": "a\r\nBEGIN:VEVENT"})))

    assert 1 == len(stage.events())
    assert f"{INCIDENT}-retrospective@example.org" == str(stage.events()[0]["UID"])
    assert "eve@evil.test" not in [str(each).removeprefix("mailto:") for each in stage.events()[0]["ATTENDEE"]]


async def test_a_40_kb_invitation_goes_out(stage: InvitationStage) -> None:
    """However long the text, the meeting stands in the calendar, and its title on one line."""
    text = "Zażółć 🚨 " * 4_500
    await stage.tell(delivery(FIRST.model_copy(update={"title": "Retrospective: " + "t" * 400, "text": text})))
    (event,) = stage.events()

    assert str(event["SUMMARY"]).startswith("Retrospective: ttt")
    assert str(event["DESCRIPTION"]).startswith("Zażółć")


async def test_a_login_that_is_refused_is_named_without_the_password(tmp_path: Path) -> None:
    """With the right password somebody is invited; with a wrong one whoever mends it reads which server refuses, and so says the doctor."""
    async with MailServer.running(logins=True) as server:
        ledger = Ledger(tmp_path / "embedded.db")
        right, wrong = (
            MailedInvitations(
                Mailer("127.0.0.1", server.port, sender="t@example.org", user=USER, password=SecretStr(password), security="none"),
                People(),
                PageMemory(ledger),
                public_url="https://tocsin.example.org",
            )
            for password in (PASSWORD, "wr0ng-pass")
        )
        with pytest.raises(Unauthorized) as told:
            await wrong.invite(delivery(FIRST))
        ill, well = await wrong.check(), await right.check()
        await right.invite(delivery(FIRST))
        await ledger.close()

    assert (1, True, False) == (len(server.taken), well.ok, ill.ok)
    assert "wr0ng-pass" not in f"{told.value} {ill}"


async def test_a_web_server_in_the_place_of_a_mail_server_has_invited_nobody(tmp_path: Path) -> None:
    """Whoever mistook the port reads that nobody was invited; it is tried again."""

    async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\n\r\n<!doctype html>")
        await writer.drain()
        writer.close()

    ledger = Ledger(tmp_path / "embedded.db")
    async with await asyncio.start_server(answers, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        mailer = Mailer("127.0.0.1", port, sender="t@example.org", password=SecretStr(""), security="none")
        calendar = MailedInvitations(mailer, People(), PageMemory(ledger), public_url="https://tocsin.example.org")
        with pytest.raises(Unavailable, match="the mail server"):
            await calendar.invite(delivery(FIRST))
    await ledger.close()
