"""Every adapter that speaks HTTP, each with one thing to do, behind the fault proxy: the table of `test_fault_proxy`.

Each `ask` makes its adapter anew, as a worker that was started again has it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
from pydantic import SecretStr

from incident.effects import OpenTicket, Page, Post, Publish, Receipt
from incident.vocabulary import PublicStatus, Severity
from integrations.chat.layout import Rooms
from integrations.chat.slack import SlackChat
from integrations.chat.webhook import WebhookChat
from integrations.errors import IntegrationError, Unavailable
from integrations.ledger import Ledger
from integrations.monitoring.prometheus import PrometheusMonitoring, Web
from integrations.oncall.icalendar import ICalendarRota
from integrations.oncall.rota import FileRota
from integrations.paging.memory import PageMemory
from integrations.paging.notifier import NotifierPager
from integrations.paging.pagerduty import PagerDuty
from integrations.paging.pagers import Pagers
from integrations.specialist.agent import ModelInvestigator
from integrations.statuspage.statuspage import StatuspageStatus
from integrations.ticketing.github import GitHubTracker
from integrations.ticketing.jira import JiraTracker
from integrations.ticketing.redmine import RedmineTracker
from integrations.ticketing.tracker import Tracker, TrackerTicketing
from tests.integrations import test_icalendar, test_prometheus
from tests.integrations.asks import AT, delivery
from tests.integrations.contract import CHANGED, FILED
from tests.integrations.fault_proxy import Fault, FaultProxy, to_fake, to_server
from tests.integrations.model_server import KEY, ModelServer
from tests.integrations.pagers import ROUTING_KEY, FakePagerDuty, People
from tests.integrations.slack_fake import FakeSlack
from tests.integrations.test_agent import ENTRIES, asked, reports
from tests.integrations.test_chat_webhook import FakeMattermost
from tests.integrations.test_statuspage import PAGE, FakeStatuspage
from tests.integrations.trackers import FakeGitHub, FakeJira, FakeVendor, answered, tells_of_a_change
from tests.integrations.wire import Wanted, everything

SECRET = "s3cr3t-0f-this-vendor"
TOKEN = SecretStr(SECRET)
ROOMS = Rooms(general="#incidents", stakeholders="#incident-stakeholders")
POST = delivery(Post(text="SEV1: checkout returns 5xx"))
TICKET = delivery(OpenTicket(ref="action-1", title="Alert on error rate", body="So that we know first.", owner="ana"))
PAGING = delivery(Page(to="ana", role="primary on-call", text="SEV1: checkout returns 5xx"))
FOUND = "issue-search-result-item-paginated"
PUBLICATION = delivery(Publish(title="Checkout fails", status=PublicStatus.INVESTIGATING, severity=Severity.SEV1, body="We look into it."))


@dataclass
class Subject:
    """`says`: what an error must name, beside the status. `setting`: what it says to look at where credentials are refused.

    `shown` counts what people see at the vendor; None for what only reads. `twice`: a lost answer is told again, and the adapter
    says why. `errors` and `unseen` have the faults that come out otherwise than most adapters have it.
    """

    proxy: FaultProxy
    ask: Callable[[], Awaitable[Any]]
    says: tuple[str, ...]
    setting: str
    shown: Callable[[], int | Awaitable[int]] | None = None
    decisive: Wanted = everything
    secret: str = SECRET
    twice: bool = False
    hears_when: bool = True
    errors: Mapping[Fault, type[IntegrationError]] = field(default_factory=dict)
    unseen: frozenset[Fault] = frozenset()
    patience: timedelta = timedelta(seconds=0.3)


def line() -> httpx2.AsyncHTTPTransport:
    """A transport on real sockets that does not first read all certificates of this machine."""
    return httpx2.AsyncHTTPTransport(verify=False)


def ends(method: str, path: str) -> Wanted:
    return lambda request: request.method == method and request.url.path.endswith(path)


def filing(make: Callable[[], Tracker], incident: str = TICKET.incident) -> Callable[[], Awaitable[Receipt]]:
    """Open the ticket."""

    async def ask() -> Receipt:
        ticketing = TrackerTicketing(make())
        try:
            return await ticketing.open_ticket(TICKET.model_copy(update={"incident": incident, "key": f"{incident}:1"}))
        finally:
            await ticketing.close()

    return ask


@asynccontextmanager
async def jira(_: Path) -> AsyncIterator[Subject]:
    fake = FakeJira()
    async with FaultProxy.before(to_fake(fake.transport)) as proxy:
        ask = filing(lambda: JiraTracker(proxy.url, user="bot", token=TOKEN, project="OPS", issue_type="Task", transport=line()))
        says, decisive = ("Jira", "POST /rest/api/3/issue"), ends("POST", "/api/3/issue")
        yield Subject(proxy, ask, says, "TOCSIN_JIRA_TOKEN", lambda: len(fake.issues), decisive)


@asynccontextmanager
async def github(_: Path) -> AsyncIterator[Subject]:
    found: dict[str, Any] = {FOUND: {"value": {"items": [{}]}}}
    fake = FakeGitHub({name: {"value": {}} for name in ("issue", "issue-comment", "label")} | found)
    async with FaultProxy.before(to_fake(fake.transport)) as proxy:
        ask = filing(lambda: GitHubTracker(proxy.url, token=TOKEN, repository="acme/ops", transport=line()))
        says = ("GitHub", "POST /repos/acme/ops/issues")
        yield Subject(proxy, ask, says, "TOCSIN_GITHUB_TOKEN", lambda: len(fake.issues), ends("POST", "/ops/issues"))


def changing(make: Callable[[], Tracker], made: list[Receipt], incident: str = TICKET.incident) -> Callable[[], Awaitable[Receipt]]:
    """Have an action item's ticket say something else; the first time it is filed before."""

    async def ask() -> Receipt:
        ticketing = TrackerTicketing(make())
        try:
            if not made:
                made.append(await ticketing.open_ticket(delivery(FILED, 1, incident=incident)))
            return await ticketing.change_ticket(delivery(CHANGED, 2, incident=incident))
        finally:
            await ticketing.close()

    return ask


@asynccontextmanager
async def jira_change(_: Path) -> AsyncIterator[Subject]:
    fake = FakeJira()
    async with FaultProxy.before(to_fake(fake.transport)) as proxy:
        ask = changing(lambda: JiraTracker(proxy.url, user="bot", token=TOKEN, project="OPS", issue_type="Task", transport=line()), [])
        said = ("Jira", "POST /rest/api/3/issue/OPS-1/comment")
        yield Subject(proxy, ask, said, "TOCSIN_JIRA_TOKEN", lambda: len(fake.comments["OPS-1"]), tells_of_a_change)


@asynccontextmanager
async def github_change(_: Path) -> AsyncIterator[Subject]:
    fake = FakeGitHub({name: {"value": {}} for name in ("issue", "issue-comment", "label")} | {FOUND: {"value": {"items": [{}]}}})
    async with FaultProxy.before(to_fake(fake.transport)) as proxy:
        ask = changing(lambda: GitHubTracker(proxy.url, token=TOKEN, repository="acme/ops", transport=line()), [])
        said = ("GitHub", "POST /repos/acme/ops/issues/1/comments")
        yield Subject(proxy, ask, said, "TOCSIN_GITHUB_TOKEN", lambda: len(fake.comments[1]), tells_of_a_change)


class ShortRedmine(FakeVendor):
    """A project whose issues are found by custom field 3."""

    def __init__(self) -> None:
        super().__init__()
        self.issues: list[dict[str, Any]] = []

    def answer(self, request: httpx2.Request, body: Any) -> httpx2.Response:
        match request.url.path.strip("/").split("/"):
            case ["issues", name] if int(name.removesuffix(".json")) <= len(self.issues):
                return self._issue(self.issues[int(name.removesuffix(".json")) - 1], body)
            case ["issues.json"]:
                return self._all(request, body)
        return answered(404)

    def _issue(self, issue: dict[str, Any], body: Any) -> httpx2.Response:
        if body is None:
            return answered(200, {"issue": issue})
        change = dict(body["issue"])
        if "notes" in change:
            issue["journals"].append({"notes": change.pop("notes")})
        issue |= change
        return answered(204)

    def _all(self, request: httpx2.Request, body: Any) -> httpx2.Response:
        if request.method == "GET":
            wanted = request.url.params["cf_3"]
            return answered(200, {"issues": [each for each in self.issues if each["custom_fields"][0]["value"] == wanted]})
        issue = {**body["issue"], "id": len(self.issues) + 1, "status": {"id": 1, "is_closed": False}, "journals": []}
        self.issues.append(issue)
        return answered(201, {"issue": self.issues[-1]})


@asynccontextmanager
async def redmine(_: Path) -> AsyncIterator[Subject]:
    fake = ShortRedmine()
    async with FaultProxy.before(to_fake(fake.transport)) as proxy:
        ask = filing(lambda: RedmineTracker(proxy.url, key=TOKEN, project="ops", key_field=3, transport=line()))
        says = ("Redmine", "POST /issues.json")
        yield Subject(proxy, ask, says, "TOCSIN_REDMINE_KEY", lambda: len(fake.issues), ends("POST", "/issues.json"))


@asynccontextmanager
async def redmine_change(_: Path) -> AsyncIterator[Subject]:
    fake = ShortRedmine()
    async with FaultProxy.before(to_fake(fake.transport)) as proxy:
        ask = changing(lambda: RedmineTracker(proxy.url, key=TOKEN, project="ops", key_field=3, transport=line()), [])

        def decisive(request: httpx2.Request) -> bool:
            return request.method == "PUT" and b"changed action-1" in request.content

        said = ("Redmine", "PUT /issues/1.json")
        yield Subject(proxy, ask, said, "TOCSIN_REDMINE_KEY", lambda: len(fake.issues[0]["journals"]), decisive)


@asynccontextmanager
async def statuspage(_: Path) -> AsyncIterator[Subject]:
    fake = FakeStatuspage()
    async with FaultProxy.before(to_fake(fake.transport)) as proxy:

        async def ask() -> Receipt:
            page = StatuspageStatus(f"{proxy.url}/v1", key=TOKEN, page=PAGE, components={}, transport=line())
            try:
                return await page.publish(PUBLICATION)
            finally:
                await page.close()

        says = ("Statuspage", f"POST /pages/{PAGE}/incidents")
        yield Subject(proxy, ask, says, "TOCSIN_STATUSPAGE_KEY", lambda: len(fake.told), ends("POST", "/incidents"))


@asynccontextmanager
async def slack(_: Path) -> AsyncIterator[Subject]:
    fake = FakeSlack()
    async with FaultProxy.before(to_fake(fake.transport)) as proxy:

        async def ask() -> Receipt:
            chat = SlackChat(f"{proxy.url}/api", token=TOKEN, rooms=ROOMS, transport=line())
            try:
                return await chat.post(POST)
            finally:
                await chat.close()

        says = ("Slack", "POST /chat.postMessage")
        yield Subject(proxy, ask, says, "TOCSIN_SLACK_TOKEN", lambda: len(fake.said("#incidents")), ends("POST", "/chat.postMessage"))


@asynccontextmanager
async def webhook(folder: Path) -> AsyncIterator[Subject]:
    fake, ledger = FakeMattermost(), Ledger(folder / "embedded.db")
    async with FaultProxy.before(to_fake(fake.transport)) as proxy:

        async def ask() -> Receipt:
            chat = WebhookChat(SecretStr(f"{proxy.url}/hooks/{SECRET}"), rooms=ROOMS, ledger=ledger, transport=line())
            try:
                return await chat.post(POST)
            finally:
                await chat.close()

        yield Subject(proxy, ask, ("The webhook", "POST"), "TOCSIN_CHAT_WEBHOOK_URL", lambda: len(fake.said), twice=True)
    await ledger.close()


@asynccontextmanager
async def pagerduty(folder: Path) -> AsyncIterator[Subject]:
    fake, ledger = FakePagerDuty(), Ledger(folder / "embedded.db")
    async with FaultProxy.before(to_fake(fake.transport)) as proxy:

        async def ask() -> Receipt:
            pager = PagerDuty(f"{proxy.url}/v2", routing_key=ROUTING_KEY, transport=line())
            try:
                return await Pagers([pager], PageMemory(ledger)).page(PAGING)
            finally:
                await pager.http.close()

        says = ("PagerDuty", "POST /enqueue")
        secret = ROUTING_KEY.get_secret_value()
        yield Subject(proxy, ask, says, "TOCSIN_PAGERDUTY_ROUTING_KEY", lambda: len(fake.alerts), secret=secret)
    await ledger.close()


@asynccontextmanager
async def notifier(folder: Path) -> AsyncIterator[Subject]:
    told: list[httpx2.Request] = []
    ledger = Ledger(folder / "embedded.db")

    def answer(request: httpx2.Request) -> httpx2.Response:
        told.append(request)
        return answered(200, {})

    async with FaultProxy.before(to_fake(httpx2.MockTransport(answer))) as proxy:
        address = f"json://ana:{SECRET}@{proxy.url.removeprefix('http://')}?rto=0.3"

        async def ask() -> Receipt:
            return await Pagers([NotifierPager({"ana": [SecretStr(address)]})], PageMemory(ledger)).page(PAGING)

        # The library says whether a service took it, and no more: no status, no word on when, and it reads no answer's body.
        errors = dict.fromkeys(Fault, Unavailable)
        unseen = frozenset({Fault.DURING, Fault.RUBBISH, Fault.SIGN_IN})
        says = ("Apprise", "the page")
        yield Subject(
            proxy,
            ask,
            says,
            "TOCSIN_APPRISE_URLS",
            lambda: len(told),
            twice=True,
            hears_when=False,
            errors=errors,
            unseen=unseen,
        )
    await ledger.close()


@asynccontextmanager
async def prometheus(_: Path) -> AsyncIterator[Subject]:
    def answer(request: httpx2.Request) -> httpx2.Response:
        return answered(200, test_prometheus.matrix([(test_prometheus.at(0), "1")]))

    async with FaultProxy.before(to_fake(httpx2.MockTransport(answer))) as proxy:

        async def ask() -> Any:
            web = Web("Prometheus", proxy.url, SECRET, line())
            try:
                query, since, until, every = test_prometheus.QUERY, test_prometheus.SINCE, test_prometheus.UNTIL, test_prometheus.EVERY
                return await PrometheusMonitoring(web).measure(query, since, until, every)
            finally:
                await web.close()

        yield Subject(proxy, ask, ("Prometheus", "/api/v1/query_range"), "TOCSIN_MONITORING_TOKEN")


@asynccontextmanager
async def alertmanager(_: Path) -> AsyncIterator[Subject]:
    async with FaultProxy.before(to_fake(httpx2.MockTransport(lambda _: answered(200, test_prometheus.alerts_of("slow"))))) as proxy:

        async def ask() -> Any:
            prometheus, web = Web("Prometheus", "http://127.0.0.1:1", None, line()), Web("Alertmanager", proxy.url, SECRET, line())
            try:
                return await PrometheusMonitoring(prometheus, web).firing_alerts(("checkout",))
            finally:
                await prometheus.close()
                await web.close()

        yield Subject(proxy, ask, ("Alertmanager", "/api/v2/alerts"), "TOCSIN_MONITORING_TOKEN")


@asynccontextmanager
async def calendar(folder: Path) -> AsyncIterator[Subject]:
    (folder / "rota.toml").write_text('[roles]\nmanager = "max"\n')
    async with FaultProxy.before(to_fake(test_icalendar.Server().transport)) as proxy:

        async def ask() -> Any:
            feed = SecretStr(f"{proxy.url}/feed/{SECRET}.ics")
            rota = FileRota(folder / "rota.toml")
            return await ICalendarRota({"CTO": feed}, rota, People(), folder=folder / "kept", transport=line()).of("CTO", AT)

        # Without any good feed nobody knows who is on call, for whatever reason: that is never final.
        errors = dict.fromkeys(Fault, Unavailable)
        yield Subject(proxy, ask, ("the calendar of CTO",), "TOCSIN_ICALENDAR_FEEDS", hears_when=False, errors=errors)


@asynccontextmanager
async def model(_: Path) -> AsyncIterator[Subject]:
    with ModelServer.running() as server:
        server.turns(reports())
        async with to_server(server.url) as upstream, FaultProxy.before(upstream) as proxy:

            async def ask() -> Any:
                return await ModelInvestigator(proxy.url, key=SecretStr(KEY), model="a-model").investigate(asked(), ENTRIES)

            yield Subject(proxy, ask, ("the model a-model",), "TOCSIN_AGENT_KEY", secret=KEY)


VENDORS: dict[str, Callable[[Path], AbstractAsyncContextManager[Subject]]] = {
    "jira": jira,
    "github": github,
    "jira, changing": jira_change,
    "github, changing": github_change,
    "redmine": redmine,
    "redmine, changing": redmine_change,
    "statuspage": statuspage,
    "slack": slack,
    "webhook": webhook,
    "pagerduty": pagerduty,
    "apprise": notifier,
    "prometheus": prometheus,
    "alertmanager": alertmanager,
    "icalendar": calendar,
    "model": model,
}
"""Those that stand in for vendors; Matrix, Roundup and S3 are real, see `test_fault_proxy`."""
