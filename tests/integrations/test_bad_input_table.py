# ruff: noqa: SIM300 - the house writes what is expected first
"""The table of bad days has no hole: every adapter and case has its test, the page shows it, and what had none has one here."""

from __future__ import annotations

import asyncio
import importlib
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from incident.effects import OpenTicket, Page, Post, StoreDocument
from incident.paging import OpenPage
from integrations.archive.git import GitArchive
from integrations.chat.layout import Rooms
from integrations.chat.webhook import WebhookChat
from integrations.errors import IntegrationError, NotFound, Refused, Unauthorized, Unavailable
from integrations.ledger import Ledger
from integrations.paging.pagerduty import PagerDuty
from integrations.ticketing.github import GitHubTracker
from integrations.ticketing.jira import JiraTracker
from integrations.ticketing.redmine import RedmineTracker
from integrations.ticketing.tracker import Tracker, TrackerTicketing
from tests.integrations.asks import INCIDENT, delivery
from tests.integrations.bad_input_table import CASES, LINES, NONE, TABLE, WHY_NOT, lines, rows
from tests.integrations.faulty_vendors import SECRET, TOKEN, VENDORS, ShortRedmine
from tests.integrations.pagers import BASE, ROUTING_KEY, FakePagerDuty, email_pager
from tests.integrations.test_archives_outside import S3Stage, document
from tests.integrations.test_archives_outside import server as server
from tests.integrations.test_chat_webhook import FakeMattermost
from tests.integrations.trackers import FakeGitHub, FakeJira, FakeVendor, answered

PAGE = delivery(Page(to="ana", role="primary on-call", text="SEV1: checkout returns 5xx"))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("adapter", TABLE)
def test_every_adapter_has_a_test_for_every_bad_day(adapter: str, case: str) -> None:
    """Whoever renames a test, or adds an adapter, reads here which cell has lost its proof."""
    named = TABLE[adapter][case]
    if named == NONE:
        assert adapter in WHY_NOT
        return

    assert named.rpartition("::")[2].startswith("test_")
    assert callable(_found(named))


def _found(named: str) -> Any:
    module, *path = named.split("::")
    found: Any = importlib.import_module(f"tests.integrations.{module}")
    for name in path:
        found = getattr(found, name)
    return found


@pytest.mark.parametrize("adapter", LINES)
def test_every_adapter_stands_behind_a_line_that_goes_bad(adapter: str) -> None:
    """Each adapter has its tests, and each vendor that is put behind the fault proxy belongs to one."""
    for named in LINES[adapter][0]:
        assert callable(_found(named))

    assert set(TABLE) <= set(LINES)
    assert set(VENDORS) == {vendor for _, vendors, _ in LINES.values() for vendor in vendors}


def test_the_page_shows_the_table() -> None:
    """What is proven can be read without reading the tests."""
    page = (Path(__file__).parents[2] / "docs" / "testing.md").read_text()

    assert "\n".join(lines()) in page, "put the lines of tests.integrations.bad_input_table.lines() into docs/testing.md"
    assert "\n".join(rows()) in page, "put the lines of tests.integrations.bad_input_table.rows() into docs/testing.md"


# --- a place that is closed


def _github() -> FakeGitHub:
    found: dict[str, Any] = {"issue-search-result-item-paginated": {"value": {"items": [{}]}}}
    return FakeGitHub({name: {"value": {}} for name in ("issue", "issue-comment", "label")} | found)


def _filing(tracker: Tracker) -> Awaitable[Any]:
    one = delivery(OpenTicket(ref="action-1", title="Alert on error rate", body="So that we know first.", owner="ana"))
    return TrackerTicketing(tracker).open_ticket(one)


def _to_jira(fake: FakeVendor, _: Ledger) -> Awaitable[Any]:
    url = "https://acme.atlassian.net"
    return _filing(JiraTracker(url, user="bot", token=TOKEN, project="OPS", issue_type="Task", transport=fake.transport))


def _to_github(fake: FakeVendor, _: Ledger) -> Awaitable[Any]:
    return _filing(GitHubTracker("https://api.github.com", token=TOKEN, repository="acme/ops", transport=fake.transport))


def _to_redmine(fake: FakeVendor, _: Ledger) -> Awaitable[Any]:
    return _filing(RedmineTracker("https://redmine.example", key=TOKEN, project="ops", key_field=3, transport=fake.transport))


def _to_webhook(fake: FakeVendor, ledger: Ledger) -> Awaitable[Any]:
    url, rooms = SecretStr(f"https://chat.example.org/hooks/{SECRET}"), Rooms(general="#incidents", stakeholders="#stakeholders")
    return WebhookChat(url, rooms=rooms, ledger=ledger, transport=fake.transport).post(delivery(Post(text="SEV1: checkout")))


Asking = Callable[[FakeVendor, Ledger], Awaitable[Any]]

CLOSED: dict[str, tuple[Callable[[], FakeVendor], Asking, str, httpx2.Response, str]] = {
    "webhook, channel archived": (FakeMattermost, _to_webhook, "", httpx2.Response(410, text="channel_is_archived"), "channel_is_archived"),
    "webhook, deleted": (FakeMattermost, _to_webhook, "", httpx2.Response(404, text="no_service"), "no_service"),
    "jira, project archived": (
        FakeJira,
        _to_jira,
        "/api/3/issue",
        answered(400, {"errorMessages": [], "errors": {"project": "The project OPS is archived."}}),
        "The project OPS is archived",
    ),
    "github, repository archived": (
        _github,
        _to_github,
        "/ops/issues",
        answered(403, {"message": "Repository was archived so is read-only."}),
        "Repository was archived",
    ),
    "github, issues disabled": (
        _github,
        _to_github,
        "/ops/issues",
        answered(410, {"message": "Issues has been disabled in this repository."}),
        "Issues has been disabled",
    ),
    "redmine, project closed": (
        ShortRedmine,
        _to_redmine,
        "/issues.json",
        answered(422, {"errors": ["Project is closed"]}),
        "Project is closed",
    ),
}


@pytest.mark.parametrize("place", CLOSED)
async def test_a_place_that_is_closed_is_final_and_named(place: str, tmp_path: Path) -> None:
    """Nobody waits for an archived project: it is said in the vendor's own words, and what it gave us to get in is not."""
    make, ask, path, said, words = CLOSED[place]
    fake, ledger = make(), Ledger(tmp_path / "embedded.db")
    # The response is one object in the table; each run needs its own.
    fake.says[("POST", path)] = httpx2.Response(said.status_code, content=said.content, headers={"content-type": "application/json"})
    with pytest.raises(Refused) as told:
        await ask(fake, ledger)
    await ledger.close()

    assert words in str(told.value)
    assert SECRET not in str(told.value)


async def test_a_label_that_is_there_already_is_used() -> None:
    """Two action items of one incident have one label: that GitHub has it already is no error."""
    fake = _github()
    fake.labels.append(INCIDENT)
    receipt = await _to_github(fake, Ledger(":memory:"))

    assert ("#1", [INCIDENT]) == (receipt.reference, [label["name"] for label in fake.issues[0]["labels"]])


# --- pagers


async def test_a_routing_key_that_is_gone_names_the_setting_and_not_itself() -> None:
    """PagerDuty says 400 to a key that somebody has deleted: whoever mends it reads which variable."""
    gone = SecretStr("0" * 32)
    with pytest.raises(Unauthorized) as told:
        await PagerDuty(BASE, routing_key=gone, transport=FakePagerDuty().transport).page(PAGE)

    assert "TOCSIN_PAGERDUTY_ROUTING_KEY" in str(told.value)
    assert gone.get_secret_value() not in str(told.value)


async def test_an_alert_that_pagerduty_has_forgotten_is_stood_down() -> None:
    """Somebody has deleted it there: there is nothing left to acknowledge, and that is no error."""
    fake = FakePagerDuty()
    pager = PagerDuty(BASE, routing_key=ROUTING_KEY, transport=fake.transport)
    receipt = await pager.page(PAGE)
    fake.alerts.clear()
    fake.states.clear()
    await pager.stand_down([OpenPage(pager="pagerduty", reference=receipt.reference or "", role="primary on-call")])

    assert {} == fake.states


# --- a web page in the place of what is no web server


HTML = b"<!doctype html><html><head><title>We'll be right back</title></head><body>maintenance</body></html>"


class _WebPage(BaseHTTPRequestHandler):
    status = 200
    page = HTML

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(self.page)))
        self.end_headers()
        self.wfile.write(self.page)

    def log_message(self, format: str, *args: object) -> None:
        return


@contextmanager
def _web_server(status: int, page: bytes = HTML) -> Iterator[int]:
    handler = type("Page", (_WebPage,), {"status": status, "page": page})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("status", [200, 503])
async def test_a_web_page_in_the_place_of_a_repository_is_no_repository(tmp_path: Path, status: int) -> None:
    """A Git host's maintenance page: the document is not taken for stored, and waits."""
    with _web_server(status) as port:
        archive = GitArchive(tmp_path / "clone", remote=SecretStr(f"http://bot:{SECRET}@127.0.0.1:{port}/archive.git"))
        with pytest.raises(IntegrationError) as told:
            await archive.store_document(delivery(StoreDocument(name="pm.md", content="# Why\n")))

    assert isinstance(told.value, Unavailable | NotFound), repr(told.value)
    assert SECRET not in str(told.value)


@pytest.mark.parametrize("page", [HTML, HTML + b"\n", b""], ids=["one line", "lines", "empty"])
async def test_the_doctor_takes_no_web_page_for_an_empty_repository(tmp_path: Path, page: bytes) -> None:
    """A portal that answers everything with 200 is told before the first document needs a place, without the credentials."""
    with _web_server(200, page) as port:
        archive = GitArchive(tmp_path / "clone", remote=SecretStr(f"http://bot:{SECRET}@127.0.0.1:{port}/archive.git"))
        checked = await archive.check()

    assert not checked.ok, checked.detail
    assert "TOCSIN_GIT_REMOTE" in (checked.fix or "")
    assert SECRET not in checked.detail


async def test_a_web_server_in_the_place_of_a_mail_server_has_taken_nothing() -> None:
    """Whoever mistook the port reads that nothing was taken; the page goes another way."""

    async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\n\r\n" + HTML)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answers, "127.0.0.1", 0) as listening:
        with pytest.raises(Unavailable, match="the mail server"):
            await email_pager(listening.sockets[0].getsockname()[1]).page(PAGE)


async def test_a_document_that_somebody_deleted_from_the_bucket_is_stored_again(server: str) -> None:
    """A receipt means that the document is there: the same ask brings it back."""
    stage = S3Stage(server)
    one = delivery(document("x"))
    first = await stage.tell(one)
    for key in stage.contents():
        stage.looking.delete_object(Bucket=stage.bucket, Key=key)
    second = await stage.tell(one)

    assert (False, False) == (first.repeated, second.repeated)
    assert ["x"] == await stage.shown()
