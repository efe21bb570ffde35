# ruff: noqa: SIM300 - the house writes what is expected first
"""No secret leaves by any way: every adapter is made to fail in every way, by a vendor that repeats what it was told."""

from __future__ import annotations

import asyncio
import base64
import logging
import traceback
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from temporalio.api.failure.v1 import Failure
from temporalio.converter import DefaultFailureConverter, DefaultPayloadConverter
from temporalio.exceptions import ApplicationError

from activities.failures import translated
from incident.effects import Delivery, FindOnCall, Port
from incident.policy import Policy
from integrations.ledger import Ledger
from integrations.ports import Checkable
from runtime.logs import configure_logs
from runtime.settings import load_settings
from tests.integrations.asks import delivery, of_port
from worker.wiring import Adapters, configured_adapters

MARK = "hunter2MARK" + "x" * 21
"""Long enough for a routing key of PagerDuty's, and found nowhere by chance."""

WAYS = ("401", "422", "429", "500", "302", "200", "web page", "closed")
"""How the vendor fails: what it answers repeats the whole of what it was asked, credentials and all."""

FEWER = ("401", "500", "closed")
"""For those that are asked by a library or a program, which takes its time."""


class Gossip:
    """A vendor that answers each request with that request, in words; as mail server it repeats each line."""

    def __init__(self) -> None:
        self.way = "401"
        self.port = 0
        self.mail = 0
        self.asked = 0

    async def _web(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next((int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")), 0)
            body = await reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
            return
        self.asked += 1
        if self.way != "closed":
            heard = (head + body).decode("latin-1").replace("\\", "/").replace('"', "'")
            said = " ".join(heard.split()) + f" {_plain(heard)}"
            if self.way == "web page":
                answer, kind, status = f"<html><title>{said}</title></html>", "text/html", "502 Bad"
            else:
                # The credentials first: an error's text is cut.
                answer, kind, status = (
                    f'{{"message": "{_plain(heard)} {said}", "ok": false, "error": "{MARK}"}}',
                    "application/json",
                    self.way,
                )
            location = f"Location: http://127.0.0.1/{MARK}\r\n" if self.way == "302" else ""
            writer.write(
                f"HTTP/1.1 {status} {MARK}\r\nContent-Type: {kind}\r\n{location}Content-Length: {len(answer)}\r\n"
                f"Connection: close\r\n\r\n{answer}".encode("latin-1")
            )
            await writer.drain()
        writer.close()

    async def _smtp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 gossip\r\n")
        while line := await reader.readline():
            said = line.decode("latin-1").strip()
            self.asked += 1
            if said.upper().startswith("EHLO"):
                writer.write(b"250-gossip\r\n250 AUTH PLAIN LOGIN\r\n")
            else:
                writer.write(f"535 5.7.8 {said} {MARK} {_plain(said)}\r\n".encode("latin-1"))
        writer.close()

    @classmethod
    @asynccontextmanager
    async def telling(cls) -> AsyncIterator[Gossip]:
        gossip = cls()
        async with (
            await asyncio.start_server(gossip._web, "127.0.0.1", 0) as web,
            await asyncio.start_server(gossip._smtp, "127.0.0.1", 0) as smtp,
        ):
            gossip.port, gossip.mail = (server.sockets[0].getsockname()[1] for server in (web, smtp))
            yield gossip


def _plain(heard: str) -> str:
    """What stands in base64 in what was heard, read; and as it was."""
    found = []
    for word in heard.split():
        try:
            found.append(word + " " + base64.b64decode(word, validate=True).decode("ascii").replace("\0", " "))
        except (ValueError, UnicodeDecodeError):
            continue
    return " ".join(found)


def variables(gossip: Gossip) -> dict[str, str]:
    url = f"http://127.0.0.1:{gossip.port}"
    return {
        "TOCSIN_JIRA_URL": url,
        "TOCSIN_JIRA_USER": "bot",
        "TOCSIN_JIRA_TOKEN": MARK,
        "TOCSIN_JIRA_PROJECT": "OPS",
        "TOCSIN_GITHUB_URL": url,
        "TOCSIN_GITHUB_TOKEN": MARK,
        "TOCSIN_GITHUB_REPOSITORY": "acme/ops",
        "TOCSIN_ROUNDUP_URL": url,
        "TOCSIN_ROUNDUP_USER": "bot",
        "TOCSIN_ROUNDUP_PASSWORD": MARK,
        "TOCSIN_REDMINE_URL": url,
        "TOCSIN_REDMINE_KEY": MARK,
        "TOCSIN_REDMINE_PROJECT": "ops",
        "TOCSIN_REDMINE_KEY_FIELD": "3",
        "TOCSIN_STATUSPAGE_URL": url,
        "TOCSIN_STATUSPAGE_KEY": MARK,
        "TOCSIN_STATUSPAGE_PAGE": "kctbh9vrtdwd",
        "TOCSIN_PAGERDUTY_URL": url,
        "TOCSIN_PAGERDUTY_ROUTING_KEY": MARK,
        "TOCSIN_PAGERDUTY_ROLES": f"CTO={MARK}",
        "TOCSIN_MAIL_HOST": "127.0.0.1",
        "TOCSIN_MAIL_PORT": str(gossip.mail),
        "TOCSIN_MAIL_SECURITY": "none",
        "TOCSIN_MAIL_USER": "bot",
        "TOCSIN_MAIL_PASSWORD": MARK,
        "TOCSIN_MAIL_SENDER": "tocsin@example.org",
        "TOCSIN_APPRISE_URLS": f"*=json://bot:{MARK}@127.0.0.1:{gossip.port}/{MARK}",
        "TOCSIN_MATRIX_URL": url,
        "TOCSIN_MATRIX_TOKEN": MARK,
        "TOCSIN_SLACK_URL": url,
        "TOCSIN_SLACK_TOKEN": MARK,
        "TOCSIN_CHAT_WEBHOOK_URL": f"{url}/hooks/{MARK}",
        "TOCSIN_ICALENDAR_FEEDS": f"primary on-call={url}/{MARK}.ics",
        "TOCSIN_GIT_REMOTE": f"http://bot:{MARK}@127.0.0.1:{gossip.port}/archive.git",
        "TOCSIN_S3_BUCKET": "incidents",
        "TOCSIN_S3_ENDPOINT": url,
        "TOCSIN_S3_ACCESS_KEY": "AKIAXXXXXXXXXXXXXXXX",
        "TOCSIN_S3_SECRET_KEY": MARK,
    }


CHOSEN: dict[str, tuple[Port, dict[str, str]]] = {
    **{vendor: (Port.CHAT, {"chat": vendor}) for vendor in ("matrix", "slack", "webhook")},
    **{vendor: (Port.TICKETS, {"tickets": vendor}) for vendor in ("jira", "github", "roundup", "redmine")},
    "statuspage": (Port.STATUS, {"statuspage": "statuspage"}),
    **{vendor: (Port.PAGING, {"paging": vendor}) for vendor in ("pagerduty", "email", "apprise")},
    "icalendar": (Port.ONCALL, {"oncall": "icalendar"}),
    "invitations": (Port.CALENDAR, {"calendar": "email"}),
    **{vendor: (Port.ARCHIVE, {"archive": vendor}) for vendor in ("git", "s3")},
}


def adapter_of(adapters: Adapters, port: Port) -> Any:
    return {
        Port.CHAT: adapters.chat,
        Port.TICKETS: adapters.tickets,
        Port.STATUS: adapters.status,
        Port.PAGING: adapters.pager,
        Port.ONCALL: adapters.rota,
        Port.CALENDAR: adapters.calendar,
        Port.ARCHIVE: adapters.archive,
    }[port]


async def in_history(call: Any, told: Delivery) -> Iterable[str]:
    """What an attempt leaves behind: its receipt, or the failure as Temporal keeps it and the traceback as a log has it."""
    try:
        with translated():
            return [(await call(told)).model_dump_json()]
    except ApplicationError as error:
        failure = Failure()
        DefaultFailureConverter().to_failure(error, DefaultPayloadConverter(), failure)
        return [str(failure), *traceback.format_exception(error)]
    except Exception as error:  # noqa: BLE001 - whatever it is, it is looked through
        # An answer of no known shape: Temporal keeps it just so, and asks again.
        return [repr(error), *traceback.format_exception(error)]


async def looked_at(adapter: Checkable) -> Iterable[str]:
    """What the doctor shows, or what becomes of an adapter that breaks over the answer."""
    try:
        return [(await adapter.check()).model_dump_json()]
    except Exception as error:  # noqa: BLE001 - the doctor shows it as it is
        return [repr(error), *traceback.format_exception(error)]


def traces() -> list[str]:
    """How a secret may look."""
    pairs = [f"{user}:{MARK}".encode() for user in ("bot", "")] + [f"\0bot\0{MARK}".encode(), MARK.encode()]
    return [MARK, quote(MARK), *(base64.b64encode(pair).decode().rstrip("=") for pair in pairs)]


@pytest.fixture
def logs(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Logs as a worker that was told to log everything writes them."""
    root = logging.getLogger()
    before = root.handlers, root.level
    configure_logs("json", "debug")
    yield
    root.handlers, root.level = before


@pytest.mark.parametrize("vendor", CHOSEN)
async def test_a_secret_is_nowhere_but_where_it_belongs(
    vendor: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    logs: None,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Neither a receipt, an error, its traceback, its place in a history, a log, the doctor nor the settings show it."""
    port, chosen = CHOSEN[vendor]
    found: list[str] = []
    async with Gossip.telling() as gossip:
        for name, value in variables(gossip).items():
            monkeypatch.setenv(name, value)
        settings = load_settings(data=tmp_path, **chosen)
        found.append(repr(settings))
        ledger = Ledger(settings.embedded_url)
        for number, way in enumerate(FEWER if vendor in ("s3", "git", "apprise") else WAYS, start=1):
            gossip.way = way
            adapters = configured_adapters(settings, ledger, Policy())
            for ask in of_port(port):
                call = getattr(adapter_of(adapters, port), ask.action)
                found += await in_history(call, delivery(ask, number * 10, incident=f"INC-2026-{number:04d}"))
            if port is Port.ONCALL:
                found += await in_history(adapters.rota.find_on_call, delivery(FindOnCall(roles=("primary on-call",))))
            for adapter in adapters.checks[port]:
                found += await looked_at(adapter)
            found.append(repr(adapters))
            await adapters.close()
        rows = [str(await ledger.delivered(kind)) for kind in ("chat", "status", "tickets", "pages")]
        await ledger.close()
    told = capfd.readouterr()
    everything = [*found, *rows, told.out, told.err]

    assert gossip.asked >= 1, "the vendor was never asked, so nothing is proven"
    assert [] == [text[max(0, text.find(trace) - 200) :][:300] for trace in traces() for text in everything if trace in text][:5]
