"""What the tests of all pagers share: stages, and a PagerDuty that stands in for one that can't be reached."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
from pydantic import SecretStr

from incident.effects import Delivery, Port, Receipt
from integrations.ledger import Ledger
from integrations.mail import Mailer
from integrations.oncall.people import folded
from integrations.paging.links import AckLinks
from integrations.paging.mail import EmailPager
from integrations.paging.memory import PageMemory
from integrations.paging.pagerduty import PagerDuty
from integrations.paging.pagers import Pager, Pagers
from tests.integrations.contract import Stage
from tests.integrations.mail_server import MailServer, Trouble
from tests.integrations.spec_transport import SpecTransport, description
from tests.integrations.trackers import FakeVendor, answered
from tests.integrations.wire import Cut, Wire

BASE = "https://events.pagerduty.com/v2"
ROUTING_KEY = SecretStr("e93facc04764012d7bfb002500d5d1a6")
CTO_KEY = SecretStr("0123456789abcdef0123456789abcdef")
LINKS = AckLinks(b"a key for tests", "https://tocsin.example.org")


class FakePagerDuty(FakeVendor):
    """Two services. `alerts` has the newest event of each alert, by its key."""

    def __init__(self) -> None:
        super().__init__()
        self.alerts: dict[str, dict[str, Any]] = {}
        self.states: dict[str, str] = {}

    def answer(self, request: httpx2.Request, body: Any) -> httpx2.Response:
        if body["routing_key"] not in (ROUTING_KEY.get_secret_value(), CTO_KEY.get_secret_value()):
            return answered(400, {"status": "invalid event", "message": "Event object is invalid", "errors": ["Invalid routing key"]})
        key, action = body["dedup_key"], body["event_action"]
        if action == "trigger":
            self.alerts.setdefault(key, body)
            self.states[key] = "triggered"
        elif key in self.alerts:
            self.states[key] = {"acknowledge": "acknowledged", "resolve": "resolved"}[action]
        return answered(202, {"status": "success", "message": "Event processed", "dedup_key": key})


class PagerStage(Stage):
    port = Port.PAGING

    def __init__(self, folder: Path, pagers: list[Pager]) -> None:
        self.folder = folder
        self.ledger = Ledger(folder / "embedded.db")
        self.pagers = Pagers(pagers, PageMemory(self.ledger))

    def call(self, action: str) -> Callable[[Delivery], Awaitable[Receipt]]:
        method: Callable[[Delivery], Awaitable[Receipt]] = getattr(self.pagers, action)
        return method


class PagerDutyStage(PagerStage):
    def __init__(self, folder: Path, fake: FakePagerDuty | None = None, others: list[Pager] | None = None) -> None:
        self.fake = fake or FakePagerDuty()
        self.spec = SpecTransport(description("pagerduty/events-v2.openapi3.json"), self.fake.transport, base_url=BASE)
        self.wire = Wire(self.spec)
        self.pagerduty = PagerDuty(BASE, routing_key=ROUTING_KEY, roles={"CTO": CTO_KEY}, public_url=LINKS.public_url, transport=self.wire)
        super().__init__(folder, [self.pagerduty, *(others or [])])

    async def shown(self) -> list[str]:
        return [alert["payload"]["summary"] for alert in self.fake.alerts.values()]

    async def again(self) -> Stage:
        await self.ledger.close()
        return PagerDutyStage(self.folder, self.fake)

    async def lose_an_answer(self) -> None:
        self.wire.fail(Cut.AFTER, times=1)

    async def go_down(self, *, retry_after: timedelta | None = None) -> None:
        self.wire.fail(Cut.TOO_MANY, retry_after=None if retry_after is None else int(retry_after.total_seconds()))

    async def refuse(self) -> None:
        self.wire.fail(Cut.REFUSES)

    async def mend(self) -> None:
        self.wire.mend()


class People:
    """Addresses of two people."""

    def __init__(self, addresses: Mapping[str, str] | None = None) -> None:
        self.addresses = {"ana": "ana@example.org", "ben": "ben@example.org"} if addresses is None else dict(addresses)

    async def email_of(self, person: str) -> str | None:
        return self.addresses.get(folded(person))

    async def name_of(self, email: str) -> str | None:
        return next((name for name, address in self.addresses.items() if address == email), None)


def email_pager(port: int, **more: Any) -> EmailPager:
    mailer = Mailer("127.0.0.1", port, sender="tocsin@example.org", password=SecretStr(""), security="none")
    return EmailPager(mailer, People(), LINKS, **more)


class EmailStage(PagerStage):
    def __init__(self, folder: Path, server: MailServer) -> None:
        self.server = server
        super().__init__(folder, [email_pager(server.port)])

    async def shown(self) -> list[str]:
        return [str(message.get_content()) for message in self.server.shown]

    async def again(self) -> Stage:
        await self.ledger.close()
        return EmailStage(self.folder, self.server)

    async def lose_an_answer(self) -> None:
        self.server.fail(Trouble.CUT_AFTER, times=1)

    async def go_down(self, *, retry_after: timedelta | None = None) -> None:
        self.server.fail(Trouble.BUSY)

    async def refuse(self) -> None:
        self.server.fail(Trouble.FULL)

    async def mend(self) -> None:
        self.server.mend()
