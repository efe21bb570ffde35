# ruff: noqa: SIM300 - the house writes what is expected first
"""Pages that are answered by mail, in real SMTP conversations from the page to its acknowledgement."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from typing import Any

import aiosmtplib
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from incident.effects import Page
from integrations.errors import Unavailable
from integrations.mail import Mailer
from integrations.paging.links import LASTS, AckLinks, LinkInvalid, Paged
from integrations.paging.mail import EmailPager
from integrations.paging.replies import ReplyAddresses
from starter.mail_replies import MailDesk, MailDoor
from starter.problems import NoWorker
from tests.integrations.asks import delivery
from tests.integrations.mail_server import MailServer
from tests.integrations.pagers import People
from tests.starter.desks import FakeDesk

KEY = b"a key for tests"
URL = "https://tocsin.example.org"
ADDRESSES = ReplyAddresses(KEY, "ack@tocsin.example.org")
INCIDENT = "INC-2026-0007"
NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)


class BrokenRota(People):
    """A rota that can't be read."""

    async def name_of(self, email: str) -> str | None:
        raise Unavailable("the rota can't be read")


class Place:
    """A door for mail, and what people answer to it."""

    def __init__(self, desk: FakeDesk, people: People | None = None) -> None:
        self.desk = desk
        self.now = NOW
        door = MailDoor("127.0.0.1", 0, ADDRESSES, people or People(), URL, now=lambda: self.now)
        self.mail = MailDesk(desk, door)

    async def answer(
        self,
        body: str | bytes = "ack\n",
        *,
        to: str = "",
        sender: str = "ana@example.org",
        envelope: str | None = None,
        headers: dict[str, str] | None = None,
        subtype: str = "plain",
    ) -> tuple[int, str]:
        """Send a mail as a mail server would; what it is answered."""
        message = EmailMessage(policy=WIRE)
        for name, value in ({"From": f"Ana <{sender}>", "To": to or page(), "Subject": "Re: SEV1"} | (headers or {})).items():
            message[name] = value
        if isinstance(body, str):
            message.set_content(body, subtype=subtype)
        raw = bytes(message) if isinstance(body, str) else body
        client = aiosmtplib.SMTP(hostname="127.0.0.1", port=self.mail.port, start_tls=False)
        async with client:
            try:
                _, told = await client.sendmail(sender if envelope is None else envelope, [to or page()], raw)
            except aiosmtplib.SMTPRecipientsRefused as error:
                return error.recipients[0].code, error.recipients[0].message
            except aiosmtplib.SMTPDataError as error:
                return error.code, error.message
        return 250, told


def page(person: str = "ana", incident: str = INCIDENT, key: str = f"{INCIDENT}:page-1.1") -> str:
    return ADDRESSES.address_for(Paged(incident, person, key), NOW)


@pytest.fixture
async def desk() -> FakeDesk:
    desk = await FakeDesk.made()
    for number in range(7):
        await desk.open({"by": "monitoring", "title": f"Checkout fails {number}"})
    return desk


@pytest.fixture
async def place(desk: FakeDesk) -> AsyncIterator[Place]:
    place = Place(desk)
    async with place.mail.listening():
        yield place


async def test_a_page_is_acknowledged_by_answering_its_mail(place: Place) -> None:
    """From the page in somebody's mailbox to their name at the acknowledgement, over two real mail servers."""
    async with MailServer.running() as server:
        mailer = Mailer("127.0.0.1", server.port, sender="tocsin@example.org", password=SecretStr(""), security="none")
        pager = EmailPager(mailer, People(), AckLinks(KEY, URL), replies=ADDRESSES, clock=lambda: NOW)
        await pager.page(delivery(Page(to="ana", role="primary on-call", text="SEV1 INC-2026-0007: checkout is down")))
        mail = server.taken[0]
    code, told = await place.answer("Ack, on my way\n\nOn Tue, Tocsin wrote:\n> SEV1\n", to=str(mail["Reply-To"]))
    ((incident, verb, asked),) = place.desk.asked

    assert "Or answer this mail with: ack" in mail.get_content()
    assert (250, f"2.0.0 {INCIDENT} is acknowledged by ana") == (code, told)
    assert (INCIDENT, "acknowledge", "ana", ["responder"], "mail") == (incident, verb, asked["by"], asked["roles"], asked["via"])


async def test_an_answer_that_is_delivered_twice_is_one_acknowledgement(place: Place) -> None:
    """A mail server that lost our word brings the mail again."""
    for _ in range(2):
        await place.answer()

    assert 1 == len({asked["key"] for _, _, asked in place.desk.asked})


@pytest.mark.parametrize(
    "body",
    ["ack", "ACK!", "\n\n  Acknowledged.\n-- \nAna", "ok", "I'm on it", "\U0001f440", "ack\n> quoted\n", "Ack - looking at the database"],
)
async def test_the_first_written_line_says_it(place: Place, body: str) -> None:
    """At 3 a.m. on a phone, a word is enough."""
    code, _ = await place.answer(body)

    assert (250, 1) == (code, len(place.desk.asked))


async def test_a_mail_program_that_writes_html_is_understood(place: Place) -> None:
    """Nobody chooses how their phone writes mail."""
    body = "<html><head><style>p {color: red}</style></head><body><div>ack<br></div><blockquote>SEV1 … no</blockquote></body></html>"
    code, _ = await place.answer(body, subtype="html")

    assert (250, 1) == (code, len(place.desk.asked))


@pytest.mark.parametrize(
    "body",
    [
        "",
        "I can't, I am on a plane",
        "no",
        "acknowledging would be a mistake",
        "> ack\n",
        "On Tue, Tocsin wrote:\nack\n",
        "not ok",
        "okapi",
    ],
)
async def test_anything_else_acknowledges_nothing_and_says_how(place: Place, body: str) -> None:
    """Who writes something else has not taken the page: paging goes on, and their own mail server tells them so."""
    code, told = await place.answer(body)

    assert 550 == code
    assert f"write ack into the first line. Acknowledge at {URL}/incidents/{INCIDENT} or with: tocsin ack {INCIDENT}" in told
    assert [] == place.desk.asked


@pytest.mark.parametrize(
    ("headers", "envelope"),
    [
        ({"Auto-Submitted": "auto-replied"}, None),
        ({"Auto-Submitted": "auto-generated (vacation); owner=ana"}, None),
        ({"Precedence": "bulk"}, None),
        ({"X-Autoreply": "yes"}, None),
        ({"List-Id": "<ops.example.org>"}, None),
        ({}, ""),
    ],
)
async def test_what_a_machine_sends_is_taken_and_changes_nothing(place: Place, headers: dict[str, str], envelope: str | None) -> None:
    """An out-of-office note is nobody's answer. Refusing it would only send another one on its way."""
    code, told = await place.answer("ack", headers=headers, envelope=envelope)

    assert (250, "2.0.0 nothing is done for what a machine sends") == (code, told)
    assert [] == place.desk.asked


@pytest.mark.parametrize(
    ("sender", "to"),
    [
        ("ben@example.org", page("ana")),
        ("mallory@elsewhere.example", page("ana")),
        ("ana@example.org", page("ana").replace("+a", "+b", 1)),
        ("ana@example.org", ReplyAddresses(b"another key", "ack@tocsin.example.org").address_for(Paged(INCIDENT, "ana", "k"), NOW)),
    ],
)
async def test_only_who_was_paged_acknowledges(place: Place, sender: str, to: str) -> None:
    """Whoever a page is forwarded to, and whoever makes an address up, does nothing in anybody's name."""
    code, told = await place.answer(sender=sender, to=to)

    assert 550 == code
    assert "this page did not go to" in told
    assert [] == place.desk.asked


async def test_two_senders_are_none(place: Place) -> None:
    """A mail in the name of two people is in nobody's."""
    code, _ = await place.answer(headers={"From": "ana@example.org, ben@example.org"})

    assert (550, []) == (code, place.desk.asked)


async def test_case_is_lost_on_the_way_and_nothing_with_it(place: Place) -> None:
    """Mail servers write addresses as they like."""
    code, _ = await place.answer(sender="ana@example.org", to=page().upper())

    assert 250 == code


async def test_somebody_who_is_only_an_address_is_paged_and_answers_all_the_same(place: Place) -> None:
    """A calendar may name whoever is on call by address alone."""
    code, _ = await place.answer(sender="cleo@example.org", to=page("cleo@example.org"))

    assert (250, ["cleo@example.org"]) == (code, [asked["by"] for _, _, asked in place.desk.asked])


async def test_a_page_is_good_for_a_day(place: Place) -> None:
    """As its link is."""
    place.now = NOW + LASTS
    code, told = await place.answer()

    assert (550, True, []) == (code, "good for a day" in told, place.desk.asked)


@pytest.mark.parametrize(
    "to", ["ack@tocsin.example.org", "ack+x@tocsin.example.org", "root@tocsin.example.org", page().replace("tocsin", "b")]
)
async def test_there_is_nobody_else_here(place: Place, to: str) -> None:
    """It takes answers to pages; it relays nothing, and has no other mailbox."""
    code, _ = await place.answer(to=to)

    assert 550 == code


async def test_a_refusal_is_told_to_the_one_who_asked(place: Place) -> None:
    """The process's own words, by way of the sender's mail server, and nobody else's."""
    place.desk.refuses["acknowledge"] = "already-closed"
    code, told = await place.answer()

    assert 550 == code
    assert told.startswith(f"5.7.1 {INCIDENT}: refused (already-closed). ")


async def test_what_can_not_be_carried_out_now_comes_again(place: Place) -> None:
    """While nobody works, the mail stays with the sender's mail server, and is delivered later under the same key."""

    async def busy(*_: object) -> dict[str, Any]:
        raise NoWorker("No worker answers.")

    place.desk.command = busy  # type: ignore[method-assign,assignment]  # a worker that is gone
    code, _ = await place.answer()

    assert 451 == code


async def test_a_rota_that_can_not_be_read_turns_nobody_away(desk: FakeDesk) -> None:
    """It may be read in a minute."""
    place = Place(desk, BrokenRota())
    async with place.mail.listening():
        code, _ = await place.answer()

    assert (451, []) == (code, desk.asked)


@pytest.mark.parametrize(
    "raw",
    [
        b"From: ana@example.org\r\nContent-Type: text/plain; charset=no-such\r\n\r\nack\r\n",
        b"From: ana@example.org\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\n",
        b"From: =?utf-8?b?////?= <\xff@\xfe>\r\n\r\nack\r\n",
        b"\r\n\r\n",
        b"From: ana@example.org\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!!\r\n",
        b"From: ana@example.org\r\nContent-Type: text/html\r\n\r\n" + b"\r\n".join([b"<style" * 150] * 1_000),
    ],
)
async def test_no_mail_is_too_strange_to_be_answered(place: Place, raw: bytes) -> None:
    """Whatever comes, the conversation goes on, and the next mail is taken."""
    code, _ = await place.answer(raw)
    after, _ = await place.answer()

    assert code in (250, 550)
    assert 250 == after


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz234567=+@.ß", max_size=80))
def test_no_address_that_was_not_made_here_is_read(token: str) -> None:
    """Whatever stands where a token should: it is none of ours, or it is signed by nobody."""
    with pytest.raises(LinkInvalid):
        ADDRESSES.proven(ADDRESSES.claim(f"ack+{token}@tocsin.example.org"), "ana", NOW)


@pytest.mark.parametrize("incident", ["INC-2026-0001", "INC-9999-4294967295"])
def test_an_address_fits_into_a_mail(incident: str) -> None:
    """A local part has 64 characters at the most; what stands in it comes out again."""
    longest = ReplyAddresses(KEY, "acknowledgements12@tocsin.example.org")
    address = longest.address_for(Paged(incident, "ana", "k"), NOW)

    assert len(address.partition("@")[0]) <= 64
    assert incident == longest.claim(address).incident
    assert NOW + timedelta(days=1) == longest.claim(address).expires


async def test_the_doctor_sees_whether_it_listens(place: Place) -> None:
    """A port that nobody answers at is a sentence, and what to look at."""
    up = await place.mail.look()
    down = await MailDesk(place.desk, MailDoor("127.0.0.1", 1, ADDRESSES, People(), URL)).look()

    assert (True, False) == (up.ok, down.ok)
    assert "TOCSIN_MAIL_REPLY_LISTEN" in str(down.fix)
