"""The fakes that other tests rely on keep the contract that the real adapters keep."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from incident.effects import Brief, Delivery, OpenChannel, OpenTicket, Page, Port, Post, Publish, Receipt
from integrations.deliveries import marked, request
from tests.fakes import Fake, FakeArchive, FakeChat, FakeOnCall, FakePager, FakeSpecialist, FakeStatusPage, FakeTicketing
from tests.integrations.contract import ArchiveContract, ChatContract, Contract, OnCallContract, Stage, TicketingContract

FAKES: dict[Port, Callable[[], Fake]] = {
    Port.CHAT: FakeChat,
    Port.STATUS: FakeStatusPage,
    Port.TICKETS: FakeTicketing,
    Port.PAGING: FakePager,
    Port.ONCALL: lambda: FakeOnCall({"primary on-call": "ana", "CTO": None}),
    Port.SPECIALIST: FakeSpecialist,
    Port.ARCHIVE: FakeArchive,
}


class FakeStage(Stage):
    def __init__(self, port: Port) -> None:
        self.port = port
        self.fake = FAKES[port]()
        self.drills_are_marked = port is not Port.ARCHIVE

    def call(self, action: str) -> Callable[[Delivery], Awaitable[Receipt]]:
        method: Callable[[Delivery], Awaitable[Receipt]] = getattr(self.fake, action)
        return method

    async def shown(self) -> list[str]:
        if isinstance(self.fake, FakeArchive):
            return list(self.fake.documents.values())
        return [text for one in self.fake.ledger if (text := _read(one)) is not None]

    async def again(self) -> Stage:
        return self

    async def lose_an_answer(self) -> None:
        self.fake.accept_then_lose = 1

    async def go_down(self, *, retry_after: timedelta | None = None) -> None:
        self.fake.down, self.fake.retry_after = True, retry_after

    async def refuse(self) -> None:
        self.fake.refuse = True

    async def mend(self) -> None:
        self.fake.down = self.fake.refuse = False
        self.fake.retry_after = None


def _read(one: Delivery) -> str | None:
    """What people would read; None for what they would not."""
    match one.ask:
        case OpenChannel(topic=text) | Post(text=text) | Publish(body=text) | OpenTicket(title=text) | Page(text=text):
            return marked(one, text)
        case Brief():
            return marked(one, request(one.ask))
        case _:
            return None


class TestEveryFake(Contract):
    @pytest.fixture(params=[port for port in Port if port not in (Port.ONCALL, Port.MONITORING)])
    def stage(self, request: pytest.FixtureRequest) -> Stage:
        return FakeStage(request.param)


class TestFakeChat(ChatContract):
    @pytest.fixture
    def stage(self) -> Stage:
        return FakeStage(Port.CHAT)


class TestFakeTicketing(TicketingContract):
    @pytest.fixture
    def stage(self) -> Stage:
        return FakeStage(Port.TICKETS)


class TestFakeOnCall(OnCallContract):
    @pytest.fixture
    def stage(self) -> Stage:
        return FakeStage(Port.ONCALL)


class TestFakeArchive(ArchiveContract):
    @pytest.fixture
    def stage(self) -> Stage:
        return FakeStage(Port.ARCHIVE)
