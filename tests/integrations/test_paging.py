# ruff: noqa: SIM300 - the house writes what is expected first
"""Paging outside: PagerDuty as its published description has it, mail over a real server, and one after the other."""

from __future__ import annotations

import asyncio
import http.server
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

import httpx2
import pytest
from pydantic import SecretStr

from incident.effects import Page, Port
from incident.paging import OpenPage, stays_open
from integrations.errors import IntegrationError, NotFound, RateLimited, Rejected, Unauthorized, Unavailable
from integrations.http import Unanswered
from integrations.mail import Mailer
from integrations.paging.links import LinkExpired, LinkInvalid, Paged
from integrations.paging.mail import EmailPager
from integrations.paging.memory import PageMemory
from integrations.paging.notifier import AddressUnusable, NotifierPager
from integrations.paging.pagerduty import PagerDuty
from integrations.paging.pagers import Pagers
from integrations.waits import Waits
from tests.integrations.asks import INCIDENT, delivery, of_port
from tests.integrations.contract import Contract, Stage
from tests.integrations.mail_server import PASSWORD, USER, MailServer, Trouble
from tests.integrations.pagers import BASE, CTO_KEY, LINKS, ROUTING_KEY, EmailStage, FakePagerDuty, PagerDutyStage, People, email_pager
from tests.integrations.trackers import answered
from tests.integrations.wire import Cut

PAGE = delivery(of_port(Port.PAGING)[0])


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    async with MailServer.running() as server:
        yield server


@pytest.fixture
async def duty(tmp_path: Path) -> AsyncIterator[PagerDutyStage]:
    stage = PagerDutyStage(tmp_path)
    yield stage
    await stage.ledger.close()


@pytest.fixture
async def both(tmp_path: Path, server: MailServer) -> AsyncIterator[PagerDutyStage]:
    """PagerDuty, then mail."""
    stage = PagerDutyStage(tmp_path, others=[email_pager(server.port)])
    yield stage
    await stage.ledger.close()


class TestPagerDuty(Contract):
    @pytest.fixture
    async def stage(self, tmp_path: Path) -> AsyncIterator[Stage]:
        stage = PagerDutyStage(tmp_path)
        yield stage
        await stage.ledger.close()


class TestEmail(Contract):
    @pytest.fixture
    async def stage(self, tmp_path: Path, server: MailServer) -> AsyncIterator[Stage]:
        stage = EmailStage(tmp_path, server)
        yield stage
        await stage.ledger.close()

    async def test_an_outage_may_be_tried_again(self, stage: Stage) -> None:
        """A mail server that takes nothing now is asked again; it has no word for when."""
        await stage.go_down()
        with pytest.raises(Unavailable):
            await stage.tell(PAGE)
        during = await stage.shown()
        await stage.mend()
        receipt = await stage.tell(PAGE)

        assert [] == during
        assert not receipt.repeated


# --- PagerDuty


async def test_an_alert_says_how_bad_what_and_who_is_asked(duty: PagerDutyStage) -> None:
    """Whoever PagerDuty wakes reads the first line, finds the room, and sees whom our rota meant."""
    await duty.tell(delivery(Page(to="ana", role="primary on-call", text="SEV1 INC: down @everyone\nmore")))
    event = duty.fake.alerts[f"{INCIDENT}:1"]

    assert "SEV1 INC: down @\u200beveryone" == event["payload"]["summary"]
    assert ("critical", "ana (primary on-call)") == (event["payload"]["severity"], event["payload"]["custom_details"]["asked"])
    assert f"https://tocsin.example.org/incidents/{INCIDENT}" == event["client_url"]


async def test_an_answered_page_is_resolved_at_pagerduty(both: PagerDutyStage) -> None:
    """PagerDuty stops paging for what is acknowledged here; what it does not have, or not any more, changes nothing."""
    receipts = [await both.tell(delivery(Page(to="ana", role=role, text="down"), number)) for number, role in ((1, "ana"), (2, "CTO"))]
    pages = [page for receipt in receipts for page in stays_open(receipt, receipt.role or "")]
    gone = OpenPage(pager="pagerduty", reference="gone", role="CTO")
    for _ in range(2):
        await both.pagers.stand_down([*pages, gone])

    assert {f"{INCIDENT}:1": "resolved", f"{INCIDENT}:2": "resolved"} == both.fake.states


async def test_a_role_may_have_a_service_of_its_own(duty: PagerDutyStage) -> None:
    """The CTO's page does not go to whoever is on call for the service of everybody else; low urgency wakes nobody."""
    await duty.tell(delivery(Page(to="cleo", role="cto", urgency="low", text="Look at it")))
    event = duty.fake.alerts[f"{INCIDENT}:1"]

    assert (CTO_KEY.get_secret_value(), "info") == (event["routing_key"], event["payload"]["severity"])


async def test_a_40_kb_page_is_shortened_to_what_pagerduty_takes(duty: PagerDutyStage) -> None:
    """A long first line is told, shortened, and says so."""
    await duty.tell(delivery(Page(to="ana", role="primary on-call", text="é" * 40_000)))
    summary = duty.fake.alerts[f"{INCIDENT}:1"]["payload"]["summary"]

    assert 1_024 == len(summary)
    assert summary.endswith("(shortened; 40,000 characters in all)")


@pytest.mark.parametrize(("status", "kind"), [(400, Rejected), (429, RateLimited), (500, Unavailable), (503, Unavailable)])
async def test_every_documented_error_is_one_of_ours(duty: PagerDutyStage, status: int, kind: type[IntegrationError]) -> None:
    """Each status that PagerDuty documents comes out as the right kind of error."""
    duty.fake.says[("POST", "/enqueue")] = answered(status, {"status": "no", "message": "no", "errors": []})
    with pytest.raises(IntegrationError) as told:
        await duty.tell(PAGE)

    assert kind is type(told.value)


@pytest.mark.parametrize("cut", list(Cut))
async def test_no_bad_line_makes_two_alerts(duty: PagerDutyStage, cut: Cut) -> None:
    """However the line fails, it is one of our errors, and afterwards there is one alert."""
    duty.wire.fail(cut, times=2)
    for _ in range(2):
        try:
            await duty.tell(PAGE)
        except IntegrationError:
            continue
    duty.wire.mend()
    await duty.tell(PAGE)

    assert 1 == len(duty.fake.alerts)


async def test_an_answer_that_does_not_say_success_is_none(duty: PagerDutyStage) -> None:
    """A friendly status without the vendor's word is no receipt."""
    duty.fake.says[("POST", "/enqueue")] = httpx2.Response(202)
    with pytest.raises(Unanswered):
        await duty.pagerduty.page(PAGE)
    duty.fake.says[("POST", "/enqueue")] = answered(202, {"status": "throttled"})
    with pytest.raises(Rejected):
        await duty.pagerduty.page(PAGE)


async def test_the_doctor_tries_the_routing_keys_and_pages_nobody(duty: PagerDutyStage) -> None:
    """A key that PagerDuty does not know is found by day, its role is named, and the key itself is not shown."""
    wrong = PagerDuty(BASE, routing_key=ROUTING_KEY, roles={"CTO": SecretStr("wr0ng-key")}, transport=duty.wire)
    well, ill = await duty.pagerduty.check(), await wrong.check()
    duty.wire.fail(Cut.BEFORE)
    away = await duty.pagerduty.check()

    assert (True, False, False) == (well.ok, ill.ok, away.ok)
    assert "cto: " in ill.detail
    assert "wr0ng-key" not in ill.detail
    assert {} == duty.fake.alerts


# --- mail


async def test_a_mail_reads_at_three_in_the_morning(server: MailServer) -> None:
    """Subject and first line say how bad, what, and what is asked; below stand the link and the room."""
    await email_pager(server.port).page(delivery(Page(to="Ana", role="primary on-call", text="SEV1 INC: down. Acknowledge now\nmore")))
    mail = server.taken[0]
    lines = str(mail.get_content()).splitlines()

    assert ("ana@example.org", "SEV1 INC: down. Acknowledge now", f"<{INCIDENT}-1@example.org>", "auto-generated", "high") == tuple(
        mail[name] for name in ("To", "Subject", "Message-ID", "Auto-Submitted", "Importance")
    )
    assert ["SEV1 INC: down. Acknowledge now", "more", ""] == lines[:3]
    assert lines[3].startswith("Acknowledge (opens a page with one button): https://tocsin.example.org/ack/")
    assert "You are asked as primary on-call." in lines


async def test_no_text_becomes_a_header(server: MailServer) -> None:
    """Text from outside stays text, whatever line ends are in it, and a subject keeps to a line."""
    await email_pager(server.port).page(
        delivery(Page(to="ana", role="cto\r\nBcc: eve@evil.test", text="down\rBcc: eve@evil.test\nmore é 🧯"))
    )

    assert server.taken[0]["Bcc"] is None
    assert "down Bcc: eve@evil.test" == server.taken[0]["Subject"]


async def test_somebody_without_an_address_is_named(server: MailServer) -> None:
    """That a page can't go out for want of an address is final, and says where the address belongs."""
    with pytest.raises(NotFound, match=r'no e-mail address for zoe: add \[people."zoe"\]'):
        await email_pager(server.port).page(delivery(Page(to="zoe", role="CTO", text="down")))


async def test_an_address_is_reached_as_it_is(server: MailServer) -> None:
    """A calendar may name people by address."""
    await email_pager(server.port).page(delivery(Page(to="cal@example.org", role="CTO", text="down")))

    assert "cal@example.org" == server.taken[0]["To"]


MAIL_ERRORS = {
    Trouble.BUSY: Unavailable,
    Trouble.SHUTS_DOWN: Unavailable,
    Trouble.FULL: Rejected,
    Trouble.NO_MAILBOX: NotFound,
    Trouble.MAILBOX_BUSY: Unavailable,
    Trouble.CUT_BEFORE: Unanswered,
    Trouble.CUT_AFTER: Unanswered,
    Trouble.RUBBISH: Unanswered,
}


@pytest.mark.parametrize("trouble", list(Trouble))
async def test_every_trouble_of_a_mail_server_is_one_of_our_errors(server: MailServer, trouble: Trouble) -> None:
    """What may work later, what never will, and what may have worked already are told apart."""
    server.fail(trouble)
    with pytest.raises(IntegrationError) as told:
        await email_pager(server.port).page(PAGE)

    assert MAIL_ERRORS[trouble] is type(told.value)


async def test_a_login_that_is_refused_is_named_without_the_password() -> None:
    """Whoever mends it reads which server refuses; the password is read by nobody."""
    async with MailServer.running(logins=True) as server:
        right, wrong = (
            Mailer("127.0.0.1", server.port, sender="t@example.org", user=USER, password=SecretStr(password), security="none")
            for password in (PASSWORD, "wr0ng-pass")
        )
        await EmailPager(right, People(), LINKS).page(PAGE)
        with pytest.raises(Unauthorized) as told:
            await EmailPager(wrong, People(), LINKS).page(PAGE)
        well, ill = await EmailPager(right, People(), LINKS).check(), await EmailPager(wrong, People(), LINKS).check()

    assert (1, True, False) == (len(server.taken), well.ok, ill.ok)
    assert "wr0ng-pass" not in f"{told.value} {ill}"


async def test_a_mail_server_that_is_not_there_has_taken_nothing() -> None:
    """Nobody listens, or has no TLS: the next way can be tried at once."""
    with pytest.raises(Unavailable) as told:
        await email_pager(1).page(PAGE)
    async with MailServer.running() as server:
        mailer = Mailer("127.0.0.1", server.port, sender="t@example.org", password=SecretStr(""), security="starttls")
        with pytest.raises(IntegrationError) as no_tls:
            await EmailPager(mailer, People(), LINKS).page(PAGE)
        found = await EmailPager(mailer, People(), LINKS).check()

    assert Unavailable is type(told.value)
    assert not isinstance(no_tls.value, Unanswered)
    assert not found.ok


# --- links

NOW = datetime(2026, 3, 4, 3, 15, tzinfo=UTC)


def _token(person: str = "ana") -> str:
    return LINKS.link(Paged(INCIDENT, person, "k"), NOW).rpartition("/")[2]


def test_a_link_says_who_was_paged() -> None:
    """The door learns from the link alone who acknowledges what."""
    assert Paged(INCIDENT, "Zoë", "k") == LINKS.read(_token("Zoë"), NOW)


def test_a_link_is_good_for_a_day() -> None:
    """An old mail acknowledges nothing."""
    with pytest.raises(LinkExpired):
        LINKS.read(_token(), NOW + timedelta(hours=24))


@pytest.mark.parametrize(
    "change", [lambda t: t[:-2], lambda t: "A" + t[1:], lambda t: "", lambda t: ".", lambda t: "é.é", lambda t: t * 40]
)
def test_a_link_that_was_not_made_here_is_none(change: object) -> None:
    """Whatever is done to a link, it opens nothing."""
    assert callable(change)
    with pytest.raises(LinkInvalid):
        LINKS.read(change(_token()), NOW)


# --- one after the other


async def test_the_next_way_is_taken_where_the_first_is_down(both: PagerDutyStage, server: MailServer) -> None:
    """PagerDuty fails, the mail goes out at once, and the receipt says which way and why; the repeat wakes nobody again."""
    both.wire.fail(Cut.DOWN)
    receipt = await both.tell(PAGE)
    both.wire.mend()
    again = await both.tell(PAGE)

    assert "email" == receipt.detail["pager"]
    assert "503" in receipt.detail["instead_of"]["pagerduty"]
    assert again == receipt.model_copy(update={"repeated": True})
    assert (1, 0) == (len(server.taken), len(both.fake.alerts))


@pytest.mark.parametrize("cut", [Cut.REFUSES, Cut.REVOKED])
async def test_the_next_way_is_taken_where_the_first_refuses(both: PagerDutyStage, server: MailServer, cut: Cut) -> None:
    """A revoked key at PagerDuty keeps nobody asleep."""
    both.wire.fail(cut)
    receipt = await both.tell(PAGE)

    assert ("email", 1) == (receipt.detail["pager"], len(server.taken))


async def test_a_pager_that_has_had_too_much_is_left_alone_by_the_next_page(both: PagerDutyStage, server: MailServer) -> None:
    """Once it has said so to one page, the others go by the next way at once; a minute later at the latest it is asked again."""
    now = 100.0
    both.pagers = Pagers([both.pagerduty, email_pager(server.port)], PageMemory(both.ledger), waits=Waits(lambda: now))
    both.wire.fail(Cut.TOO_MANY, retry_after=3_600)
    await both.tell(delivery(PAGE.ask, 1))
    both.wire.mend()
    held = await both.tell(delivery(PAGE.ask, 2))
    now += 61
    again = await both.tell(delivery(PAGE.ask, 3))

    assert held.detail["instead_of"]["pagerduty"].startswith("waits for pagerduty until ")
    assert [held.detail["pager"], again.detail["pager"]] == ["email", "pagerduty"]


async def test_a_lost_answer_does_not_page_by_both_ways(both: PagerDutyStage, server: MailServer) -> None:
    """PagerDuty has taken the page, and its answer got lost: it is asked again, alone, and no mail goes out."""
    both.wire.fail(Cut.AFTER, times=1)
    with pytest.raises(Unanswered):
        await both.tell(PAGE)
    receipt = await both.tell(PAGE)

    assert (True, "pagerduty") == (receipt.repeated, receipt.detail["pager"])
    assert (1, 0) == (len(both.fake.alerts), len(server.taken))


async def test_a_pager_that_stays_silent_does_not_keep_the_night_quiet(both: PagerDutyStage, server: MailServer) -> None:
    """Twice without an answer, the next way is taken: twice woken is better than not at all."""
    both.wire.fail(Cut.SLOW)
    with pytest.raises(Unanswered):
        await both.tell(PAGE)
    receipt = await both.tell(PAGE)

    assert ("email", 1) == (receipt.detail["pager"], len(server.taken))


async def test_the_way_that_may_have_it_is_asked_first(both: PagerDutyStage, server: MailServer) -> None:
    """The mail may be out while PagerDuty was down; when PagerDuty is back, it is the mail that is asked again."""
    both.wire.fail(Cut.DOWN)
    server.fail(Trouble.CUT_AFTER, times=1)
    with pytest.raises(Unanswered):
        await both.tell(PAGE)
    both.wire.mend()
    receipt = await both.tell(PAGE)

    assert ("email", 0, 1) == (receipt.detail["pager"], len(both.fake.alerts), len(server.shown))


async def test_what_may_work_later_wins_over_what_is_final(both: PagerDutyStage, server: MailServer) -> None:
    """Where one way refuses and the other is down for a while, the page is tried again, when the vendor says."""
    both.wire.fail(Cut.TOO_MANY, retry_after=7)
    server.fail(Trouble.FULL)
    with pytest.raises(Unavailable) as later:
        await both.tell(PAGE)
    both.wire.fail(Cut.REVOKED)
    with pytest.raises(Unauthorized) as final:
        await both.tell(PAGE)

    assert timedelta(seconds=7) == later.value.retry_after
    assert "pagerduty: " in str(final.value)
    assert "email: " in str(final.value)


async def test_a_way_that_hangs_leaves_time_for_the_next(tmp_path: Path, server: MailServer) -> None:
    """Each way has its share of the time after which the caller takes the page for lost."""
    hanging = PagerDutyStage(tmp_path)
    hanging.pagers = Pagers([_Hangs(), email_pager(server.port)], PageMemory(hanging.ledger), limit=timedelta(milliseconds=400))
    with pytest.raises(Unanswered, match=r"within 0\.2 s"):
        await hanging.tell(PAGE)
    receipt = await hanging.tell(PAGE)
    await hanging.ledger.close()

    assert "email" == receipt.detail["pager"]


class _Hangs(PagerDuty):
    def __init__(self) -> None:
        super().__init__(BASE, routing_key=ROUTING_KEY, transport=_Never())


class _Never(httpx2.AsyncBaseTransport):
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        await asyncio.Event().wait()
        raise AssertionError("it never answers")


# --- the many others


class _Hook(http.server.BaseHTTPRequestHandler):
    told: ClassVar[list[tuple[str, bytes]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fails = "fail" in self.path
        if not fails:
            self.told.append((self.path, body))
        self.send_response(500 if fails else 200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:
        return


@contextmanager
def hook() -> Iterator[str]:
    _Hook.told.clear()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Hook)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"json://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def told() -> list[tuple[str, bytes]]:
    """What the hook has taken: where, and what."""
    return list(_Hook.told)


def _notifier(**addresses: list[str]) -> NotifierPager:
    return NotifierPager({name: [SecretStr(url) for url in urls] for name, urls in addresses.items()})


async def test_one_service_that_takes_the_page_is_enough() -> None:
    """The other one's failure is in the receipt, and nobody is told twice for it."""
    with hook() as url:
        receipt = await _notifier(ana=[f"{url}/ok", f"{url}/fail"]).page(PAGE)

    assert (["/ok"], {"failed": 1}) == ([path for path, _ in _Hook.told], receipt.detail)


async def test_everybody_without_an_address_shares_one() -> None:
    """`*` is for whoever is not named."""
    with hook() as url:
        pager = NotifierPager({"ben": [SecretStr(f"{url}/ben")], "*": [SecretStr(f"{url}/all")]})
        await pager.page(PAGE)

    assert ["/all"] == [path for path, _ in _Hook.told]


async def test_no_service_that_takes_it_may_be_tried_again_without_showing_where() -> None:
    """The library does not say why it failed, and the address, which holds a token, is shown by nobody."""
    with hook() as url, pytest.raises(Unavailable) as told:
        await _notifier(ana=[f"{url}/fail?token=s3cret"]).page(PAGE)
    with pytest.raises(NotFound):
        await _notifier(ben=["json://127.0.0.1:1/"]).page(PAGE)
    with pytest.raises(AddressUnusable, match="address 1 of ana"):
        _notifier(ana=["nonsense-s3cret"])

    assert "s3cret" not in str(told.value)


def test_a_fake_pager_knows_a_wrong_key() -> None:
    """The stand-in refuses what PagerDuty refuses."""
    assert (
        400
        == FakePagerDuty()
        .answer(httpx2.Request("POST", BASE), {"routing_key": "x", "event_action": "trigger", "dedup_key": "k"})
        .status_code
    )
