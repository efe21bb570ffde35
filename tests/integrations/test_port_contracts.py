# ruff: noqa: SIM300 - the house writes what is expected first
"""Every status page, pager, calendar and monitoring keeps its port's own contract; and no adapter is without a suite."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from incident.effects import Delivery, Port, Receipt
from integrations.errors import Unavailable
from integrations.ledger import Ledger
from integrations.monitoring.prometheus import PrometheusMonitoring, Web
from integrations.paging.memory import PageMemory
from integrations.paging.notifier import NotifierPager
from integrations.paging.pagers import Pagers
from tests.fakes import FakeMonitoring
from tests.integrations.asks import delivery, of_port
from tests.integrations.contract import Contract, Stage
from tests.integrations.fault_proxy import Fault, FaultProxy, to_fake
from tests.integrations.mail_server import MailServer
from tests.integrations.pagers import EmailStage, PagerDutyStage
from tests.integrations.port_contracts import CalendarContract, MonitoringContract, MonitoringStage, PagingContract, StatusPageContract
from tests.integrations.test_embedded import ROTA, EmbeddedStage
from tests.integrations.test_fakes import FakeStage
from tests.integrations.test_invitations import InvitationStage
from tests.integrations.test_statuspage import StatuspageStage
from tests.integrations.trackers import answered


def embedded(port: Port, folder: Path) -> EmbeddedStage:
    (folder / "rota.toml").write_text(ROTA)
    return EmbeddedStage(port, str(folder / "embedded.db"), folder)


class NotifierStage(Stage):
    """Apprise in front of a hook of ours, on a real socket that can go bad."""

    port = Port.PAGING

    def __init__(self, ledger: Ledger, proxy: FaultProxy, told: list[str]) -> None:
        self.ledger, self.proxy, self.told = ledger, proxy, told
        address = SecretStr(f"json://{proxy.url.removeprefix('http://')}?rto=1")
        self.pagers = Pagers([NotifierPager({"*": [address]})], PageMemory(ledger))

    def call(self, action: str) -> Callable[[Delivery], Awaitable[Receipt]]:
        method: Callable[[Delivery], Awaitable[Receipt]] = getattr(self.pagers, action)
        return method

    async def shown(self) -> list[str]:
        return list(self.told)

    async def again(self) -> Stage:
        return NotifierStage(self.ledger, self.proxy, self.told)

    async def lose_an_answer(self) -> None:
        self.proxy.fail(Fault.BEFORE)

    async def go_down(self, *, retry_after: timedelta | None = None) -> None:
        self.proxy.fail(Fault.FAILS, lasting=True)

    async def refuse(self) -> None:
        self.proxy.fail(Fault.MALFORMED, lasting=True)

    async def mend(self) -> None:
        self.proxy.mend()


@asynccontextmanager
async def notifying(folder: Path) -> AsyncIterator[NotifierStage]:
    told: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        said = json.loads(request.content)
        told.append(said["title"] if said["title"] == said["message"] else f"{said['title']}\n{said['message']}")
        return answered(200, {})

    ledger = Ledger(folder / "embedded.db")
    async with FaultProxy.before(to_fake(httpx2.MockTransport(answer))) as proxy:
        yield NotifierStage(ledger, proxy, told)
    await ledger.close()


class TestNotifier(Contract):
    """Apprise knows neither keys nor statuses: the memory of what was accepted is all that tells a repeat."""

    @pytest.fixture
    async def stage(self, tmp_path: Path) -> AsyncIterator[Stage]:
        async with notifying(tmp_path) as stage:
            yield stage

    async def test_a_lost_answer_is_not_told_twice(self, stage: Stage) -> None:
        """The promise that it can't keep: twice is better than not at all, and it stands last among the ways."""
        (one,) = [delivery(ask) for ask in of_port(Port.PAGING)]
        await stage.lose_an_answer()
        with pytest.raises(Unavailable):
            await stage.tell(one)
        await stage.tell(one)
        await stage.tell(one)

        assert 2 == len(await stage.shown())

    async def test_an_outage_may_be_tried_again(self, stage: Stage) -> None:
        """The library has no word for when; afterwards the same key is new."""
        (one,) = [delivery(ask) for ask in of_port(Port.PAGING)]
        await stage.go_down()
        with pytest.raises(Unavailable):
            await stage.tell(one)
        await stage.mend()

        assert not (await stage.tell(one)).repeated
        assert 1 == len(await stage.shown())

    async def test_a_refusal_is_final(self, stage: Stage) -> None:
        """Nor does it tell a no from a silence: what was refused is asked again, and shows nothing."""
        (one,) = [delivery(ask) for ask in of_port(Port.PAGING)]
        await stage.refuse()
        with pytest.raises(Unavailable):
            await stage.tell(one)

        assert [] == await stage.shown()


class TestPagers(PagingContract):
    @pytest.fixture(params=["fake", "embedded", "pagerduty", "email", "apprise"])
    async def stage(self, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stage]:
        async with AsyncExitStack() as stack:
            match request.param:
                case "fake":
                    yield FakeStage(Port.PAGING)
                case "embedded":
                    kept = embedded(Port.PAGING, tmp_path)
                    stack.push_async_callback(kept.close)
                    yield kept
                case "pagerduty":
                    duty = PagerDutyStage(tmp_path)
                    stack.push_async_callback(duty.ledger.close)
                    yield duty
                case "email":
                    mail = EmailStage(tmp_path, await stack.enter_async_context(MailServer.running()))
                    stack.push_async_callback(mail.ledger.close)
                    yield mail
                case _:
                    yield await stack.enter_async_context(notifying(tmp_path))


class TestStatusPages(StatusPageContract):
    @pytest.fixture(params=["fake", "embedded", "statuspage"])
    async def stage(self, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stage]:
        match request.param:
            case "fake":
                yield FakeStage(Port.STATUS)
            case "embedded":
                kept = embedded(Port.STATUS, tmp_path)
                yield kept
                await kept.close()
            case _:
                yield StatuspageStage()


class TestCalendars(CalendarContract):
    @pytest.fixture(params=["fake", "email"])
    async def stage(self, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stage]:
        if request.param == "fake":
            yield FakeStage(Port.CALENDAR)
            return
        async with MailServer.running() as server:
            mailed = InvitationStage(tmp_path, server)
            yield mailed
            await mailed.ledger.close()


class Drawn(MonitoringStage):
    """The fake."""

    def __init__(self) -> None:
        self.fake = FakeMonitoring()
        self.monitoring = self.fake

    def draw(self, value: Callable[[datetime], float | None]) -> None:
        self.fake.values["error_ratio"] = value

    def fire(self, name: str, service: str) -> None:
        self.fake.fires(name, service=service)

    def go_down(self) -> None:
        self.fake.down = True

    def mend(self) -> None:
        self.fake.down = False


class Prometheus(MonitoringStage):
    """Prometheus and perhaps Alertmanager, as their APIs answer."""

    def __init__(self, *, alertmanager: bool) -> None:
        transport = httpx2.MockTransport(self._answer)
        prometheus = Web("Prometheus", "http://prometheus.test", None, transport)
        self.monitoring = PrometheusMonitoring(prometheus, Web("Alertmanager", "http://am.test", None, transport) if alertmanager else None)
        self._value: Callable[[datetime], float | None] = lambda _: None
        self._firing: list[dict[str, str]] = []
        self._down = False

    def draw(self, value: Callable[[datetime], float | None]) -> None:
        self._value = value

    def fire(self, name: str, service: str) -> None:
        self._firing.append({"alertname": name, "service": service})

    def go_down(self) -> None:
        self._down = True

    def mend(self) -> None:
        self._down = False

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        asked = request.url.params
        if self._down:
            return answered(503, {"status": "error", "error": "starting up"})
        match request.url.path:
            case "/api/v2/alerts":
                found = re.fullmatch(r'service=~"(.*)"', asked["filter"])
                assert found is not None, asked["filter"]
                return answered(200, [_alert(labels) for labels in self._firing if re.fullmatch(found[1], labels["service"])])
            case "/api/v1/alerts":
                alerts = [{"labels": labels, "activeAt": "2026-03-04T03:00:00Z", "state": "firing"} for labels in self._firing]
                return answered(200, {"status": "success", "data": {"alerts": alerts}})
        if asked["query"].count("(") != asked["query"].count(")"):
            return answered(400, {"status": "error", "errorType": "bad_data", "error": "parse error: unclosed left parenthesis"})
        moment, values = float(asked["start"]), []
        while moment <= float(asked["end"]):
            value = self._value(datetime.fromtimestamp(moment, UTC))
            values += [[moment, str(value)]] if value is not None else []
            moment += float(asked["step"])
        return answered(200, {"status": "success", "data": {"resultType": "matrix", "result": [{"metric": {}, "values": values}]}})


def _alert(labels: dict[str, str]) -> dict[str, Any]:
    status = {"state": "active", "inhibitedBy": [], "silencedBy": []}
    return {"fingerprint": labels["alertname"], "startsAt": "2026-03-04T03:00:00Z", "labels": labels, "status": status}


class TestMonitoring(MonitoringContract):
    @pytest.fixture(params=["fake", "prometheus", "prometheus and alertmanager"])
    def stage(self, request: pytest.FixtureRequest) -> MonitoringStage:
        return Drawn() if request.param == "fake" else Prometheus(alertmanager="alertmanager" in request.param)


ACTIONS = {
    "open_channel",
    "publish",
    "open_ticket",
    "page",
    "find_on_call",
    "measure",
    "brief",
    "store_document",
    "invite",
    "create",
}
"""The one method by which each port's adapters are known; `create` is a tracker's."""

NOT_THERE = {"NoInvitations", "NoMonitoring"}
"""They stand where nothing is set up, and say so to whoever asks: there is nothing behind them that could keep a promise."""


def test_no_adapter_is_without_a_suite() -> None:
    """Whoever adds a vendor, or a fake, and forgets the contract reads here which one, and where it belongs."""
    root = Path(__file__).parents[2]
    folders = [path for path in (root / "integrations").iterdir() if path.is_dir() and path.name != "__pycache__"]
    modules = [*(module for folder in folders for module in folder.glob("*.py")), root / "tests" / "fakes.py"]
    adapters = {
        node.name for module in modules for node in ast.parse(module.read_text()).body if isinstance(node, ast.ClassDef) and _acts(node)
    }
    texts = {path.name: path.read_text() for path in Path(__file__).parent.glob("*.py")}
    suites = "".join(text for name, text in texts.items() if "Contract" in text or name == "roundup_server.py")
    missing = sorted(name for name in adapters - NOT_THERE if not re.search(rf"\b{name}\(|\b{name}\b,$", suites, re.MULTILINE))

    assert len(adapters) > 25, adapters
    assert [] == missing, "give it a Stage and its port's contract: tests/integrations/contract.py, port_contracts.py"


def _acts(node: ast.ClassDef) -> bool:
    """Whether a class is an adapter: it has one of the ports' methods, with something in it."""
    named = [part for part in node.body if isinstance(part, ast.AsyncFunctionDef) and part.name in ACTIONS]
    return any(not (isinstance(each.body[0], ast.Expr) and len(each.body) == 1 and _is_ellipsis(each.body[0].value)) for each in named)


def _is_ellipsis(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is ...
