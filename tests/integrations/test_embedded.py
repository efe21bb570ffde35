# ruff: noqa: SIM300 - the house writes what is expected first
"""The embedded integrations, behind their fault switch, keep the contract: in SQLite and, where one is given, in PostgreSQL.

`TOCSIN_TEST_DATABASE=postgresql://user@host/scratch` runs all of this against that database as well; its tables are dropped.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from incident.effects import CloseTicket, Delivery, OpenChannel, OpenTicket, Page, Port, Post, Publish, Receipt
from integrations import tables
from integrations.archive.folder import FolderArchive
from integrations.chat.embedded import EmbeddedChat
from integrations.faults import (
    Fault,
    FaultyArchive,
    FaultyChat,
    FaultyOnCall,
    FaultyPager,
    FaultySpecialist,
    FaultyStatusPage,
    FaultyTicketing,
    Mode,
)
from integrations.ledger import Kind, Ledger
from integrations.oncall.rota import FileRota
from integrations.paging.embedded import EmbeddedPager
from integrations.ports import ChannelSeen, KnownIssue
from integrations.specialist.embedded import PagedSpecialist
from integrations.statuspage.embedded import EmbeddedStatusPage
from integrations.statuspage.published import ComponentRule, Layout
from integrations.ticketing.embedded import EmbeddedTicketing
from tests.integrations.asks import AT, CHANNEL, EXAMPLES, INCIDENT, delivery
from tests.integrations.contract import (
    ArchiveContract,
    ChatContract,
    Contract,
    KnownIssuesContract,
    OnCallContract,
    SearchedStage,
    Stage,
    TicketingContract,
)

KINDS: dict[Port, Kind] = {
    Port.CHAT: "chat",
    Port.STATUS: "status",
    Port.TICKETS: "tickets",
    Port.PAGING: "pages",
    Port.SPECIALIST: "pages",
}

ROTA = '[roles]\n"primary on-call" = "ana"\n"incident-responder" = "ivo"\n'


class EmbeddedStage(SearchedStage):
    def __init__(self, port: Port, where: str, folder: Path) -> None:
        self.port = port
        self.where = where
        self.folder = folder
        self.drills_are_marked = port is not Port.ARCHIVE
        self.ledger = Ledger(where)
        self.others: list[EmbeddedStage] = []
        self.adapter = self._adapter()

    def _adapter(self) -> Any:
        rota, pager = FileRota(self.folder / "rota.toml"), EmbeddedPager(self.ledger)
        match self.port:
            case Port.CHAT:
                return FaultyChat(EmbeddedChat(self.ledger), self.ledger)
            case Port.STATUS:
                return FaultyStatusPage(EmbeddedStatusPage(self.ledger), self.ledger)
            case Port.TICKETS:
                return FaultyTicketing(EmbeddedTicketing(self.ledger), self.ledger)
            case Port.PAGING:
                return FaultyPager(pager, self.ledger)
            case Port.ONCALL:
                return FaultyOnCall(rota, self.ledger)
            case Port.SPECIALIST:
                return FaultySpecialist(PagedSpecialist(pager, rota), self.ledger)
            case Port.ARCHIVE:
                return FaultyArchive(FolderArchive(self.folder / "archive"), self.ledger)

    def call(self, action: str) -> Callable[[Delivery], Awaitable[Receipt]]:
        method: Callable[[Delivery], Awaitable[Receipt]] = getattr(self.adapter, action)
        return method

    async def shown(self) -> list[str]:
        if self.port is Port.ARCHIVE:
            files = (file for file in self.folder.glob("archive/*/**/*") if file.is_file())
            return [file.read_bytes().decode() for file in files if ".stored" not in file.parts and not file.suffix[1:].isdigit()]
        return [row["text"] for row in await self.ledger.delivered(KINDS[self.port])]

    async def again(self) -> Stage:
        self.others.append(EmbeddedStage(self.port, self.where, self.folder))
        return self.others[-1]

    async def known(self, *services: str) -> tuple[KnownIssue, ...]:
        return await EmbeddedTicketing(self.ledger).open_about(services)

    async def lose_an_answer(self) -> None:
        await self.ledger.set_fault(self.port, Fault(mode=Mode.ACCEPT_THEN_TIMEOUT, times=1))

    async def go_down(self, *, retry_after: timedelta | None = None) -> None:
        seconds = None if retry_after is None else retry_after.total_seconds()
        await self.ledger.set_fault(self.port, Fault(mode=Mode.DOWN, retry_after=seconds))

    async def refuse(self) -> None:
        await self.ledger.set_fault(self.port, Fault(mode=Mode.REFUSE))

    async def mend(self) -> None:
        await self.ledger.clear_fault(self.port)

    async def close(self) -> None:
        for stage in (self, *self.others):
            await stage.ledger.close()


@pytest.fixture(params=["sqlite", "postgresql"])
async def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new database."""
    if request.param == "sqlite":
        return str(tmp_path / "embedded.db")
    url = os.environ.get("TOCSIN_TEST_DATABASE")
    if url is None:
        pytest.skip("TOCSIN_TEST_DATABASE names no PostgreSQL database")
    engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"))
    async with engine.begin() as connection:
        await connection.run_sync(tables.metadata.drop_all)
    await engine.dispose()
    return url


@pytest.fixture
async def stages(where: str, tmp_path: Path) -> AsyncIterator[Callable[[Port], EmbeddedStage]]:
    """Make the stage of a port; all are closed in the end."""
    made: list[EmbeddedStage] = []

    def make(port: Port) -> EmbeddedStage:
        (tmp_path / "rota.toml").write_text(ROTA)
        made.append(EmbeddedStage(port, where, tmp_path))
        return made[-1]

    yield make
    for stage in made:
        await stage.close()


class TestEveryEmbeddedPort(Contract):
    @pytest.fixture(params=[Port.ARCHIVE, *KINDS])
    def stage(self, request: pytest.FixtureRequest, stages: Callable[[Port], EmbeddedStage]) -> Stage:
        return stages(request.param)


class TestEmbeddedChat(ChatContract):
    @pytest.fixture
    def stage(self, stages: Callable[[Port], EmbeddedStage]) -> Stage:
        return stages(Port.CHAT)


class TestEmbeddedTicketing(TicketingContract, KnownIssuesContract):
    @pytest.fixture
    def stage(self, stages: Callable[[Port], EmbeddedStage]) -> Stage:
        return stages(Port.TICKETS)

    async def stands(self, stage: Stage, body: str) -> bool:
        assert isinstance(stage, EmbeddedStage)
        return [body] == [ticket["body"] for ticket in await stage.ledger.delivered("tickets")]


class TestFileRota(OnCallContract):
    @pytest.fixture
    def stage(self, stages: Callable[[Port], EmbeddedStage]) -> Stage:
        return stages(Port.ONCALL)


class TestFolderArchive(ArchiveContract):
    @pytest.fixture
    def stage(self, stages: Callable[[Port], EmbeddedStage]) -> Stage:
        return stages(Port.ARCHIVE)


@pytest.fixture
async def ledger(where: str) -> AsyncIterator[Ledger]:
    ledger = Ledger(where)
    yield ledger
    await ledger.close()


async def test_what_was_delivered_is_read_back_with_whom_and_when(ledger: Ledger) -> None:
    """Each list says which incident told what to whom under which key, oldest first and ready for JSON."""
    chat = EmbeddedChat(ledger)
    await chat.post(delivery(Post(channel=CHANNEL, text="first"), 1))
    await chat.post(delivery(Post(room="stakeholders", text="second"), 2))
    await chat.post(delivery(Post(room="general", text="third"), 3, incident="INC-2026-0008"))
    rows = await ledger.delivered("chat")

    assert [
        (INCIDENT, f"{INCIDENT}:1", CHANNEL, "first", False),
        (INCIDENT, f"{INCIDENT}:2", "#incident-stakeholders", "second", False),
        ("INC-2026-0008", "INC-2026-0008:3", "#incidents", "third", False),
    ] == [(row["incident"], row["key"], row["to"], row["text"], row["drill"]) for row in rows]
    assert ["2026-03-04T03:15:00.000000Z"] * 3 == [row["asked_at"] for row in rows]
    assert ["third"] == [row["text"] for row in await ledger.delivered("chat", incident="INC-2026-0008")]


async def test_the_embedded_channel_is_read_back_as_it_was_made(ledger: Ledger) -> None:
    """Its topic is what it was told; one that is not in the book is gone."""
    chat = EmbeddedChat(ledger)
    receipt = await chat.open_channel(delivery(OpenChannel(name=CHANNEL, topic="SEV1: checkout"), 1))

    assert ChannelSeen(state="open", name=CHANNEL, topic="SEV1: checkout") == await chat.read_channel(receipt.reference, CHANNEL)
    assert ChannelSeen(state="gone") == await chat.read_channel("#elsewhere", "#elsewhere")


async def test_a_ticket_is_one_row_from_opening_to_closing(ledger: Ledger) -> None:
    """The board shows each ticket once, with its owner, its due date, its state and the keys of what happened to it."""
    board = EmbeddedTicketing(ledger)
    opening, closing = (ask for ask in EXAMPLES if isinstance(ask, OpenTicket | CloseTicket))
    await board.open_ticket(delivery(opening, 1))
    before = (await ledger.delivered("tickets"))[0]
    await board.close_ticket(delivery(closing, 2))
    (after,) = await ledger.delivered("tickets")

    assert ("open", "ana", "ana", "2026-03-18", None) == tuple(before[name] for name in ("state", "owner", "to", "due", "closed_key"))
    assert ("closed", f"{INCIDENT}:1", f"{INCIDENT}:2", "Alert is live.") == tuple(
        after[name] for name in ("state", "key", "closed_key", "closing_note")
    )


async def test_a_page_names_person_role_and_urgency(ledger: Ledger) -> None:
    """The pager log tells whom a real pager would have called, as what, and how loudly."""
    await EmbeddedPager(ledger).page(delivery(Page(to="eva", role="engineering lead", text="no answer for 15 min")))
    (row,) = await ledger.delivered("pages")

    assert ("eva", "engineering lead", "high") == (row["to"], row["role"], row["urgency"])


async def test_a_text_with_a_null_character_is_kept_readable(ledger: Ledger) -> None:
    """No character that a person can paste stops a message."""
    await EmbeddedChat(ledger).post(delivery(Post(text="before\x00after")))

    assert ["before\N{REPLACEMENT CHARACTER}after"] == [row["text"] for row in await ledger.delivered("chat")]


def _publication(ask: Publish, **changes: object) -> Publish:
    return Publish.model_validate(ask.model_dump() | changes)


async def test_the_public_page_follows_the_publications(ledger: Ledger) -> None:
    """The public sees one entry an incident, its updates newest first, and components as bad as the worst of them."""
    page = EmbeddedStatusPage(ledger, layout=Layout(components=tuple(ComponentRule(name=name) for name in ("checkout", "mail", "search"))))
    first = next(ask for ask in EXAMPLES if isinstance(ask, Publish))
    await page.publish(delivery(first, 1))
    await page.publish(delivery(_publication(first, severity="SEV3", components=("checkout", "mail")), 1, incident="INC-2026-0008"))
    await page.publish(delivery(_publication(first, status="identified", body="It is the database."), 2))
    shown = await page.public_page()

    assert {INCIDENT, "INC-2026-0008"} == {incident.incident for incident in shown.current}
    entry = next(incident for incident in shown.current if incident.incident == INCIDENT)
    assert ["It is the database.", "We are looking into it."] == [update.text for update in entry.updates]
    assert {"checkout": "major_outage", "mail": "degraded_performance", "search": "operational"} == {
        component.name: component.state for component in shown.components
    }
    assert shown.worst == "SEV1"


async def test_a_resolved_incident_stays_on_the_public_page_for_a_while(where: str) -> None:
    """The public reads how it ended for two weeks; then the page forgets."""
    now = AT
    ledger = Ledger(where, clock=lambda: now)
    page = EmbeddedStatusPage(ledger)
    first = next(ask for ask in EXAMPLES if isinstance(ask, Publish))
    await page.publish(delivery(first, 1))
    await page.publish(delivery(_publication(first, status="resolved", body="All is well."), 2))
    resolved = await page.public_page()
    now = AT + timedelta(days=15)
    later = await page.public_page()
    await ledger.close()

    assert ([], [INCIDENT], None) == (list(resolved.current), [incident.incident for incident in resolved.past], resolved.worst)
    assert ["operational"] == [component.state for component in resolved.components]
    assert [] == list(later.past)


async def test_a_drill_never_reaches_the_public_page(ledger: Ledger) -> None:
    """A drill's publication is on record, marked, and no customer ever sees it."""
    page = EmbeddedStatusPage(ledger)
    await page.publish(delivery(next(ask for ask in EXAMPLES if isinstance(ask, Publish)), drill=True))
    shown = await page.public_page()
    (row,) = await ledger.delivered("status")

    assert ((), (), ()) == (shown.current, shown.past, shown.components)
    assert (True, "drill", "[DRILL] Checkout fails") == (row["drill"], row["to"], row["title"])


async def test_the_specialist_is_paged_with_the_whole_request(ledger: Ledger, tmp_path: Path) -> None:
    """Whoever is called for help reads what happened, how bad, where it stands and what is wanted, before asking anything."""
    (tmp_path / "rota.toml").write_text(ROTA)
    specialist = PagedSpecialist(EmbeddedPager(ledger), FileRota(tmp_path / "rota.toml"))
    receipt = await specialist.brief(delivery(next(ask for ask in EXAMPLES if ask.action == "brief")))
    (row,) = await ledger.delivered("pages")

    assert ("ivo", "incident-responder") == (receipt.person, receipt.role)
    assert "INCIDENT: Checkout returns 5xx\nSEVERITY: SEV1\nCURRENT STATUS: triage\nREQUEST: Find the slow query." == row["text"]
