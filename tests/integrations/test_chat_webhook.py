# ruff: noqa: SIM300 - the house writes what is expected first
"""Chat by an incoming webhook, as Mattermost has it: it posts, and no more is promised than it can keep."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from incident.effects import Delivery, OpenChannel, Port, Post, Receipt
from integrations.chat.layout import Rooms
from integrations.chat.webhook import WebhookChat, markdown
from integrations.errors import Rejected, Unavailable
from integrations.ledger import Ledger
from tests.integrations.asks import CHANNEL, INCIDENT, delivery
from tests.integrations.contract import Contract, Stage
from tests.integrations.trackers import FakeVendor, answered
from tests.integrations.wire import Cut, Wire

GENERAL, STAKEHOLDERS = "https://chat.example.org/hooks/s3cr3t", "https://chat.example.org/hooks/0ther"


class FakeMattermost(FakeVendor):
    def __init__(self) -> None:
        super().__init__()
        self.said: list[tuple[str, str]] = []
        self.keys: list[str] = []

    def answer(self, request: httpx2.Request, body: Any) -> httpx2.Response:
        if request.method != "POST":
            return httpx2.Response(405, text="Method Not Allowed")
        self.said.append((request.url.path, body["text"]))
        self.keys.append(request.headers["Idempotency-Key"])
        return httpx2.Response(200, text="ok")


class WebhookStage(Stage):
    port = Port.CHAT

    def __init__(self, ledger: Ledger, fake: FakeMattermost | None = None) -> None:
        self.ledger, self.fake = ledger, fake or FakeMattermost()
        self.wire = Wire(self.fake.transport)
        self.chat = WebhookChat(
            SecretStr(GENERAL),
            stakeholders_url=SecretStr(STAKEHOLDERS),
            rooms=Rooms(general="#incidents", stakeholders="#incident-stakeholders"),
            ledger=ledger,
            transport=self.wire,
        )

    def call(self, action: str) -> Callable[[Delivery], Awaitable[Receipt]]:
        method: Callable[[Delivery], Awaitable[Receipt]] = getattr(self.chat, action)
        return method

    async def shown(self) -> list[str]:
        return [text.removeprefix("**").partition("**")[0] for _, text in self.fake.said]

    async def again(self) -> Stage:
        return WebhookStage(self.ledger, self.fake)

    async def lose_an_answer(self) -> None:
        self.wire.fail(Cut.AFTER, times=1)

    async def go_down(self, *, retry_after: timedelta | None = None) -> None:
        self.wire.fail(Cut.TOO_MANY, retry_after=None if retry_after is None else int(retry_after.total_seconds()))

    async def refuse(self) -> None:
        self.wire.fail(Cut.REFUSES)

    async def mend(self) -> None:
        self.wire.mend()


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[WebhookStage]:
    ledger = Ledger(tmp_path / "embedded.db")
    yield WebhookStage(ledger)
    await ledger.close()


class TestWebhook(Contract):
    @pytest.fixture
    def stage(self, stage: WebhookStage) -> Stage:
        return stage

    async def test_a_lost_answer_is_not_told_twice(self, stage: Stage) -> None:
        """The one promise that a webhook can't keep: it is told again, and says that it may be a repeat."""
        one = delivery(Post(text="SEV1: checkout returns 5xx"))
        await stage.lose_an_answer()
        with pytest.raises(Unavailable):
            await stage.tell(one)
        await stage.tell(one)

        assert [
            "SEV1: checkout returns 5xx",
            "(again: the chat did not say whether it took this) SEV1: checkout returns 5xx",
        ] == await stage.shown()


async def test_a_receiver_can_leave_out_what_it_has_by_the_messages_key(stage: WebhookStage) -> None:
    """Every try of a message carries one key, and the next message another one."""
    await stage.lose_an_answer()
    with pytest.raises(Unavailable):
        await stage.tell(delivery(Post(text="first"), 1))
    await stage.tell(delivery(Post(text="first"), 1))
    await stage.tell(delivery(Post(text="second"), 2))

    assert [f"{INCIDENT}:1", f"{INCIDENT}:1", f"{INCIDENT}:2"] == stage.fake.keys


async def test_an_incident_has_no_channel_of_its_own_and_the_receipt_says_so(stage: WebhookStage) -> None:
    """Its messages come to the general channel, which says so as well."""
    receipt = await stage.tell(delivery(OpenChannel(name=CHANNEL, topic="SEV1: checkout returns 5xx")))

    assert ("#incidents", f"a webhook makes no channels; {CHANNEL} is #incidents") == (receipt.channel, receipt.detail["instead"])
    assert "which makes no channels" in stage.fake.said[0][1]


async def test_a_private_incident_gets_none(stage: WebhookStage) -> None:
    """There is no place that not everybody reads: refused, and nothing said."""
    with pytest.raises(Rejected, match="is private"):
        await stage.tell(delivery(OpenChannel(name=CHANNEL, topic="SEV1: leak", private=True)))

    assert [] == stage.fake.said


async def test_the_stakeholders_have_an_address_of_their_own(stage: WebhookStage) -> None:
    """What is for the executives does not go to the engineers' channel."""
    receipt = await stage.tell(delivery(Post(room="stakeholders", text="SEV1: Shop")))

    assert [("/hooks/0ther", "**SEV1: Shop**")] == stage.fake.said
    assert "#incident-stakeholders" == receipt.channel


def test_foreign_text_calls_nobody_and_leads_nowhere() -> None:
    """Neither Mattermost's nor Slack's way of calling a channel works, and a link shows where it leads."""
    text = markdown("SEV1: **x** <!channel>\n[ok](https://evil.example)")

    assert "**SEV1: x <\u200b!channel>**\n\n[ok]\u200b(https://evil.example)" == text


async def test_a_40_kb_message_is_shortened(stage: WebhookStage) -> None:
    """It says so, and where all of it is read."""
    await stage.tell(delivery(Post(text="SEV1\n" + "x" * 40_000)))

    assert stage.fake.said[0][1].endswith("… (shortened; 40,005 characters in all)\nAll of it: tocsin timeline INC-2026-0007")
    assert 4_000 > len(stage.fake.said[0][1])


@pytest.mark.parametrize("body", ["<html><title>Sign in</title></html>", "invalid_payload"])
async def test_a_friendly_page_is_no_yes(stage: WebhookStage, body: str) -> None:
    """A proxy that wants somebody to sign in answers 200: nothing was posted, and nobody takes it for posted."""
    stage.fake.says[("POST", "/hooks/s3cr3t")] = httpx2.Response(200, text=body)
    with pytest.raises(Unavailable, match="neither ok nor JSON"):
        await stage.tell(delivery(Post(text="hello")))


async def test_the_address_is_a_secret(stage: WebhookStage) -> None:
    """Whoever has the address can post: no error shows it, wherever the vendor puts it."""
    stage.fake.says[("POST", "/hooks/s3cr3t")] = answered(400, {"message": json.dumps({"hook": GENERAL, "path": "/hooks/s3cr3t"})})
    with pytest.raises(Rejected) as told:
        await stage.tell(delivery(Post(text="hello")))

    assert "s3cr3t" not in str(told.value)


async def test_the_doctor_posts_nothing(stage: WebhookStage) -> None:
    """A look is no message; what it can't know, it says."""
    well = await stage.chat.check()
    stage.wire.fail(Cut.BEFORE)
    ill = await stage.chat.check()

    assert (True, False) == (well.ok, ill.ok)
    assert "TOCSIN_CHAT_WEBHOOK_URL" in (ill.fix or "")
    assert [] == stage.fake.said
