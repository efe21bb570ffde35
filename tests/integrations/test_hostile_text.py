# ruff: noqa: SIM300 - the house writes what is expected first
"""Text from outside, in each vendor's way of writing: it calls nobody, leads nowhere under another name, and never comes first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from pydantic import SecretStr

from incident.effects import Page, Post
from integrations.chat import matrix, slack_layout
from integrations.chat.layout import Rooms
from integrations.chat.webhook import markdown
from integrations.deliveries import defused
from integrations.mail import Mailer
from integrations.paging.links import AckLinks
from integrations.paging.mail import EmailPager
from tests.integrations.asks import delivery
from tests.integrations.mail_server import MailServer
from tests.integrations.pagers import People

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
