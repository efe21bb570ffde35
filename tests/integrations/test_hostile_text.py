# ruff: noqa: SIM300 - the house writes what is expected first
"""Text from outside, in each vendor's way of writing: it calls nobody, leads nowhere under another name, and never comes first."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Awaitable, Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from incident.effects import CloseTicket, OpenTicket, Page, Post, Publish
from incident.vocabulary import PublicStatus, Severity
from integrations.chat import matrix, slack_layout
from integrations.chat.layout import Rooms
from integrations.chat.slack import SlackChat
from integrations.chat.webhook import WebhookChat, markdown
from integrations.deliveries import defused
from integrations.ledger import Ledger
from integrations.mail import Mailer
from integrations.paging.links import AckLinks
from integrations.paging.mail import EmailPager
from integrations.paging.notifier import NotifierPager
from integrations.paging.pagerduty import PagerDuty
from integrations.statuspage.statuspage import StatuspageStatus
from integrations.ticketing.github import GitHubTracker
from integrations.ticketing.jira import JiraTracker
from integrations.ticketing.redmine import RedmineTracker
from integrations.ticketing.tracker import Tracker, TrackerTicketing
from tests.integrations.asks import delivery
from tests.integrations.faulty_vendors import ShortRedmine
from tests.integrations.mail_server import MailServer
from tests.integrations.pagers import ROUTING_KEY, FakePagerDuty, People
from tests.integrations.slack_fake import FakeSlack
from tests.integrations.test_chat_webhook import FakeMattermost
from tests.integrations.test_paging import hook, told
from tests.integrations.test_statuspage import PAGE, FakeStatuspage
from tests.integrations.trackers import FakeGitHub, FakeJira, answered

KEY = SecretStr("s3cr3t-token")
ROOMS = Rooms(general="#incidents", stakeholders="#stakeholders", link="https://tocsin.example.org")

HOSTILE = (
    "@here @channel @everyone @room @ana",
    "<!channel> <!here> <!everyone> <!subteam^S012AB3CD> <@U012AB3CD> <#C012AB3CD>",
    "<https://evil.example|your bank> <mailto:eve@evil.example|ana>",
    "[your bank](https://evil.example) ![x](https://evil.example/p.png) [your bank][1]",
    "[1]: https://evil.example",
    "https://matrix.to/#/@ana:example.org https://matrix.to/#/#ops:example.org matrix:u/ana:example.org MATRIX:r/ops:example.org",
    '<a href="https://evil.example">your bank</a> <img src=x onerror=alert(1)> <mx-reply>x</mx-reply> <script>alert(1)</script>',
    "<!-- tocsin.INC-2026-0007.AI-2 -->",
    "`code` *bold* _it_ ~~no~~ > quoted | a | table | :rotating_light:",
)


def posted(text: str) -> str:
    """The text as an adapter has it before it speaks its vendor's language: in the line that counts, in a list, and by itself."""
    said = f"SEV1 INC-2026-0007: {text}. Acknowledge now\n\n- {text}\n{text}"
    return ROOMS.message(delivery(Post(text=said)), said, 4_000)


def leaves(block: Any) -> Iterator[dict[str, Any]]:
    """Every object of a Slack message that has a type."""
    if isinstance(block, dict):
        if "type" in block:
            yield block
        for value in block.values():
            yield from leaves(value)
    elif isinstance(block, list):
        for value in block:
            yield from leaves(value)


@pytest.mark.parametrize("text", HOSTILE)
def test_slack_reads_no_markup_in_it(text: str) -> None:
    """A message is rich text in which only text stands; what a lock screen shows has no markup left."""
    shown = posted(text)
    kinds = {leaf["type"] for leaf in leaves(slack_layout.blocks(shown))}

    assert {"rich_text", "rich_text_section", "rich_text_list", "text"} >= kinds
    assert not re.search(r"[<>]|&(?!amp;|lt;|gt;)", slack_layout.escaped(shown))
    assert not re.search(r"@\w", shown)


class Tags(HTMLParser):
    """The elements of a page, with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, attrs))


@pytest.mark.parametrize("text", HOSTILE)
def test_matrix_shows_no_pill_and_no_element_of_it(text: str) -> None:
    """Nobody is rung for, no link to a person or room is one, and the page's elements are ours, without an attribute."""
    content = matrix.message(posted(text))
    both = content["body"] + content["formatted_body"]

    assert {} == content["m.mentions"]
    assert {("strong", ()), ("p", ()), ("br", ()), ("ul", ()), ("li", ())} >= {
        (tag, tuple(attrs)) for tag, attrs in Tags(content["formatted_body"]).found
    }
    assert not re.search(r"@\w|matrix\.to/|matrix:(u|r|e|roomid)/", both, re.IGNORECASE)


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_has_no_link_of_it(text: str) -> None:
    """A webhook's chat reads Markdown and Slack's way of linking: neither finds a beginning."""
    shown = markdown(posted(text))

    assert not re.search(r"\]\(|\]\[|\]:|<[!@#a-z]|@\w", shown, re.IGNORECASE)


@pytest.mark.parametrize("text", HOSTILE)
async def test_a_mail_is_text_and_nothing_else(text: str) -> None:
    """Plain text in one part, the subject on one line; no address and no header comes from the text."""
    async with MailServer.running() as server:
        mailer = Mailer("127.0.0.1", server.port, sender="tocsin@example.org", password=SecretStr(""), security="none")
        pager = EmailPager(mailer, People(), AckLinks(b"a key for tests", "https://tocsin.example.org"))
        await pager.page(delivery(Page(to="ana", role="primary on-call", text=f"SEV1 INC: {text}\r\nBcc: eve@evil.example")))
        mail = server.taken[0]

    assert ("text/plain", None, "ana@example.org") == (mail.get_content_type(), mail["Bcc"], mail["To"])
    assert str(mail["Subject"]).strip().startswith("SEV1 INC: ")


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_defused_once_stays_as_it_is(text: str) -> None:
    """A text may pass several hands; and what was no mention reads as before."""

    assert defused(text) == defused(defused(text))
    assert text == defused(text).replace("\u200b", "")


def test_no_mark_of_ours_is_forged_in_a_ticket() -> None:
    """GitHub's issues are found again by a hidden comment: foreign text can't hold another ticket's."""

    assert "<!-- tocsin" not in defused("see <!-- tocsin.INC-2026-0007.AI-2 -->")


# --- what goes over the wire to the others


class Tape(httpx2.AsyncBaseTransport):
    """Lets everything through, and keeps what was sent."""

    def __init__(self, inner: httpx2.AsyncBaseTransport) -> None:
        self._inner = inner
        self.sent: list[Any] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        body = await request.aread()
        if request.method != "GET" and body:
            self.sent.append(json.loads(body))
        return await self._inner.handle_async_request(request)

    def texts(self) -> list[str]:
        return list(strings(self.sent))


def strings(value: Any) -> Iterator[str]:
    """Every text in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)


async def filed(tracker: Callable[[httpx2.AsyncBaseTransport], Tracker], inner: httpx2.AsyncBaseTransport, text: str) -> list[str]:
    """A ticket is opened and closed again, with the text in everything that comes from people."""
    tape = Tape(inner)
    ticketing = TrackerTicketing(tracker(tape))
    opened = await ticketing.open_ticket(delivery(OpenTicket(ref="action-1", title=text, body=f"first\n{text}\n- {text}", owner=text), 1))
    await ticketing.close_ticket(delivery(CloseTicket(ref="action-1", note=text, ticket=opened.reference), 2))
    await ticketing.close()
    return tape.texts()


async def to_jira(text: str, _: Path) -> list[str]:
    return await filed(
        lambda tape: JiraTracker("https://acme.atlassian.net", user="b", token=KEY, project="OPS", issue_type="Task", transport=tape),
        FakeJira().transport,
        text,
    )


async def to_github(text: str, _: Path) -> list[str]:
    found: dict[str, Any] = {"issue-search-result-item-paginated": {"value": {"items": [{}]}}}
    fake = FakeGitHub({name: {"value": {}} for name in ("issue", "issue-comment", "label")} | found)
    told = await filed(
        lambda tape: GitHubTracker("https://api.github.com", token=KEY, repository="acme/ops", transport=tape), fake.transport, text
    )
    # The mark by which we find it again stands in a comment of ours, at the end.
    return [re.sub(r"\n\n<!-- tocsin\.[\w.-]+ -->$", "", each) for each in told]


class Issues(ShortRedmine):
    """Its issues can be read and closed."""

    def answer(self, request: httpx2.Request, body: Any) -> httpx2.Response:
        if request.url.path == "/issue_statuses.json":
            return answered(200, {"issue_statuses": [{"id": 1, "is_closed": False}, {"id": 5, "is_closed": True}]})
        if request.url.path == "/issues.json":
            return super().answer(request, body)
        if request.method == "PUT":
            self.issues[0]["status"] = {"id": 5, "is_closed": True}
            return answered(204)
        return answered(200, {"issue": self.issues[0]})


async def to_redmine(text: str, _: Path) -> list[str]:
    return await filed(
        lambda tape: RedmineTracker("https://redmine.example", key=KEY, project="ops", key_field=3, transport=tape),
        Issues().transport,
        text,
    )


async def to_statuspage(text: str, _: Path) -> list[str]:
    tape = Tape(FakeStatuspage().transport)
    page = StatuspageStatus("https://api.statuspage.io/v1", key=KEY, page=PAGE, components={}, transport=tape)
    await page.publish(delivery(Publish(title=text, status=PublicStatus.INVESTIGATING, severity=Severity.SEV1, body=text)))
    return tape.texts()


async def to_pagerduty(text: str, _: Path) -> list[str]:
    tape = Tape(FakePagerDuty().transport)
    pager = PagerDuty("https://events.pagerduty.com/v2", routing_key=ROUTING_KEY, transport=tape)
    await pager.page(delivery(Page(to=text, role="primary on-call", text=f"SEV1 INC: {text}\n{text}")))
    return [each for each in tape.texts() if not each.endswith("(primary on-call)")]


async def to_apprise(text: str, _: Path) -> list[str]:
    with hook() as url:
        await NotifierPager({"*": [SecretStr(url)]}).page(
            delivery(Page(to="ana", role="primary on-call", text=f"SEV1 INC: {text}\n{text}"))
        )
        ((_path, body),) = told()
    return list(strings(json.loads(body)))


async def to_webhook(text: str, folder: Path) -> list[str]:
    ledger, tape = Ledger(folder / "embedded.db"), Tape(FakeMattermost().transport)
    url = SecretStr("https://chat.example.org/hooks/s3cr3t")
    await WebhookChat(url, rooms=ROOMS, ledger=ledger, transport=tape).post(delivery(Post(text=f"SEV1 INC: {text}\n{text}")))
    await ledger.close()
    return tape.texts()


async def to_slack(text: str, _: Path) -> list[str]:
    tape = Tape(FakeSlack().transport)
    chat = SlackChat("https://slack.com/api", token=KEY, rooms=ROOMS, transport=tape)
    await chat.post(delivery(Post(text=f"SEV1 INC: {text}\n{text}")))
    await chat.close()
    # The notification is markup for Slack; what stands in rich text is not, and has a test of its own.
    return [each for sent in tape.sent for each in [sent.get("text", "")]]


MENTION = r"@\w|<!|<@|<#|matrix\.to/"
HIDES = r"\]\(|\]\[|\]:|<[a-z]"
"""A link under another name, a picture, or an element, where Markdown or HTML is read."""

WIRES: dict[str, tuple[Callable[[str, Path], Awaitable[list[str]]], str]] = {
    "slack": (to_slack, rf"{MENTION}|<[a-z]"),
    "webhook": (to_webhook, rf"{MENTION}|{HIDES}"),
    # A document of text alone: nothing in it is markup, so `[~ana]` calls nobody there.
    "jira": (to_jira, MENTION),
    "github": (to_github, rf"{MENTION}|{HIDES}"),
    "redmine": (to_redmine, rf'{MENTION}|{HIDES}|":https?:|!https?:|\{{\{{|\[\['),
    "statuspage": (to_statuspage, MENTION),
    "pagerduty": (to_pagerduty, MENTION),
    "apprise": (to_apprise, rf"{MENTION}|{HIDES}"),
}

FOR_TRACKERS = (
    "[~ana] [~accountid:5b10]",
    '"your bank":https://evil.example !https://evil.example/p.png!',
    "{{include(Secrets)}} [[Wiki]]",
)


@pytest.mark.parametrize("text", [*HOSTILE, *FOR_TRACKERS])
@pytest.mark.parametrize("vendor", WIRES)
async def test_nothing_that_is_sent_calls_anybody_or_hides_where_it_leads(vendor: str, text: str, tmp_path: Path) -> None:
    """In all that goes over the wire, of a message, a page, a ticket, its closing note and a public update."""
    send, live = WIRES[vendor]
    sent = await send(text, tmp_path)

    assert any(text.split(maxsplit=1)[0][-4:] in html.unescape(each).replace("\u200b", "") for each in sent), (
        "the text was not sent, so nothing is proven"
    )
    assert [] == [each for each in sent if re.search(live, each, re.IGNORECASE)]


@pytest.mark.parametrize("text", [*HOSTILE, *FOR_TRACKERS])
async def test_jira_gets_a_document_in_which_only_text_stands(text: str) -> None:
    """No mention, no link and no card can come of a text: a document has them as nodes and marks of their own."""
    tape = Tape(FakeJira().transport)
    tracker = JiraTracker("https://acme.atlassian.net", user="b", token=KEY, project="OPS", issue_type="Task", transport=tape)
    await TrackerTicketing(tracker).open_ticket(delivery(OpenTicket(ref="action-1", title=text, body=text)))
    (made,) = [sent["fields"]["description"] for sent in tape.sent if isinstance(sent.get("fields"), dict)]
    nodes = list(leaves(made))

    assert {"doc", "paragraph", "text"} == {node["type"] for node in nodes}
    assert not any({"marks", "attrs"} & node.keys() for node in nodes)


# --- the line that counts

FIRST = "SEV1 INC-2026-0007: Checkout returns 5xx. Acknowledge now: tocsin ack INC-2026-0007"
WHOLE = f"{FIRST}\nServices: checkout\nCard payments fail"


async def line_at_slack(_: Path) -> str:
    tape = Tape(FakeSlack().transport)
    await SlackChat("https://slack.com/api", token=KEY, rooms=ROOMS, transport=tape).post(delivery(Post(text=WHOLE)))
    (sent,) = [sent for sent in tape.sent if "blocks" in sent]
    shown = "".join(leaf["text"] for leaf in leaves(sent["blocks"]) if leaf["type"] == "text")

    assert sent["text"].startswith(FIRST)
    return shown


async def line_at_matrix(_: Path) -> str:
    content = matrix.message(WHOLE)

    assert content["formatted_body"].startswith(f"<strong>{FIRST}")
    return str(content["body"])


async def line_at_a_webhook(folder: Path) -> str:
    ledger, fake = Ledger(folder / "embedded.db"), FakeMattermost()
    chat = WebhookChat(SecretStr("https://chat.example.org/hooks/s3cr3t"), rooms=ROOMS, ledger=ledger, transport=fake.transport)
    await chat.post(delivery(Post(text=WHOLE)))
    await ledger.close()
    return fake.said[0][1].replace("*", "")


async def line_at_pagerduty(_: Path) -> str:
    fake = FakePagerDuty()
    pager = PagerDuty("https://events.pagerduty.com/v2", routing_key=ROUTING_KEY, transport=fake.transport)
    await pager.page(delivery(Page(to="ana", role="primary on-call", text=WHOLE)))
    (alert,) = fake.alerts.values()
    return str(alert["payload"]["summary"])


async def line_in_a_mail(_: Path) -> str:
    async with MailServer.running() as server:
        mailer = Mailer("127.0.0.1", server.port, sender="tocsin@example.org", password=SecretStr(""), security="none")
        pager = EmailPager(mailer, People(), AckLinks(b"a key for tests", "https://tocsin.example.org"))
        await pager.page(delivery(Page(to="ana", role="primary on-call", text=WHOLE)))
    (mail,) = server.taken

    assert mail.get_content().startswith(FIRST)
    return str(mail["Subject"])


async def line_at_apprise(_: Path) -> str:
    with hook() as url:
        await NotifierPager({"*": [SecretStr(url)]}).page(delivery(Page(to="ana", role="primary on-call", text=WHOLE)))
        ((_path, body),) = told()
    return str(json.loads(body)["title"])


LINES: dict[str, Callable[[Path], Awaitable[str]]] = {
    "slack": line_at_slack,
    "matrix": line_at_matrix,
    "webhook": line_at_a_webhook,
    "pagerduty": line_at_pagerduty,
    "mail": line_in_a_mail,
    "apprise": line_at_apprise,
}


@pytest.mark.parametrize("vendor", LINES)
async def test_the_line_that_a_lock_screen_shows_says_how_bad_what_and_what_is_asked(vendor: str, tmp_path: Path) -> None:
    """Whole and first, wherever the vendor has its headline: tired eyes read no more."""

    assert (await LINES[vendor](tmp_path)).startswith(FIRST)
