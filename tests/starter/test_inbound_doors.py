# ruff: noqa: SIM300 - the house writes what is expected first
"""Every way in, in the server as people start it: there when its settings are given, not there when not, and shut to forgeries."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlencode

import aiosmtplib
import httpx2
import pytest

from integrations.paging.links import Paged
from integrations.paging.replies import ReplyAddresses
from starter.chatops.signatures import signature
from starter.chatops.slack import ACTIONS_PATH, COMMANDS_PATH
from starter.webhook_keys import SOURCES
from tests.harness import eventually
from tests.starter.conftest import House
from tests.starter.test_serve import free_port, serving

pytestmark = pytest.mark.server

SECRET, FORGED = "the-secret-of-every-sender", "a-guess-of-somebody-else"
REPLIES = "ack@tocsin.example.org"
ANA = {"X-Forwarded-User": "ana", "X-Forwarded-Groups": "sre"}
SIGNED_IN = {"TOCSIN_AUTH": "proxy", "TOCSIN_PROXIES": "127.0.0.1", "TOCSIN_ROLES": '{"sre": ["responder"]}'}


class _Homeserver(BaseHTTPRequestHandler):
    """Says who our account is, and that nothing was said; keeps with which token it was asked."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(f"{self.path.partition('?')[0]} {self.headers.get('Authorization')}")
        if "/sync" in self.path:
            time.sleep(0.05)
        body = json.dumps({"user_id": "@tocsin:example.org", "next_batch": "s1", "rooms": {}}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with suppress(OSError):
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        return


@contextmanager
def homeserver() -> Iterator[str]:
    _Homeserver.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Homeserver)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Place:
    """A running door with an incident behind it; `smtp` is where it takes mail."""

    def __init__(self, http: httpx2.AsyncClient, incident: str, addresses: ReplyAddresses, smtp: int) -> None:
        self.http, self.incident, self.addresses, self.smtp = http, incident, addresses, smtp

    async def record(self) -> list[tuple[str, str]]:
        """Who did what in the incident by now."""
        answer = await self.http.get(f"/api/v1/incidents/{self.incident}/timeline", headers=ANA)
        return [(entry["kind"], entry["by"]) for entry in answer.json()["timeline"]]

    async def everything(self) -> Any:
        """All that a forgery could have changed: what was said and done in the incident, the incidents of its alerts, the deployments."""
        said = [entry for entry in await self.record() if entry[0] in ("note", "acknowledged", "refused", "invalid", "alert")]
        incidents = (await self.http.get("/api/v1/incidents", headers=ANA)).json()["incidents"]
        deployed = (await self.http.get("/api/v1/deployments", headers=ANA)).json()
        return said, sorted(row["incident"] for row in incidents if self.incident in row["title"]), deployed


Knock = Callable[[Place, str], Awaitable[int]]
"""Come in by one door with a secret; what is answered."""


async def _slack(place: Place, secret: str, path: str, form: dict[str, str]) -> int:
    body, stamp = urlencode(form).encode(), str(int(time.time()))
    headers = {
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": signature(secret, stamp, body),
        "Content-Type": "application/x-www-form-urlencoded",
    }
    return (await place.http.post(path, content=body, headers=headers)).status_code


async def slash_command(place: Place, secret: str) -> int:
    return await _slack(place, secret, COMMANDS_PATH, {"user_id": "U0ANA", "text": f"note {place.incident} typed", "trigger_id": "1.1"})


async def slack_button(place: Place, secret: str) -> int:
    action = {"action_id": "tocsin:acknowledge", "value": place.incident}
    payload = {"type": "block_actions", "user": {"id": "U0ANA"}, "actions": [action], "trigger_id": "1.2"}
    return await _slack(place, secret, ACTIONS_PATH, {"payload": json.dumps(payload)})


async def slack_form(place: Place, secret: str) -> int:
    state = {"values": {"text": {"said": {"value": "filled in"}}}}
    view = {"id": "V1", "hash": "h", "callback_id": "tocsin:note", "private_metadata": f"{place.incident} C1", "state": state}
    payload = {"type": "view_submission", "user": {"id": "U0ANA"}, "view": view}
    return await _slack(place, secret, ACTIONS_PATH, {"payload": json.dumps(payload)})


async def _posted(place: Place, secret: str, source: str, header: str, prefix: str, body: dict[str, Any]) -> int:
    raw = json.dumps(body).encode()
    signed = prefix + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
    return (await place.http.post(f"/webhooks/{source}", content=raw, headers={header: signed})).status_code


async def pagerduty_answer(place: Place, secret: str) -> int:
    incident = {
        "id": "PQ1K5C8",
        "type": "incident",
        "html_url": "https://acme.pagerduty.example/incidents/PQ1K5C8",
        "status": "acknowledged",
        "title": f"presumed SEV1 {place.incident}: Checkout fails. Acknowledge now: tocsin ack {place.incident}",
        "service": {"id": "PA2P440", "type": "service_reference", "summary": "checkout"},
        "assignees": [],
        "urgency": "high",
    }
    agent = {"id": "PJ0LVEB", "type": "user_reference", "summary": "Ana"}
    event = {"id": "01", "event_type": "incident.acknowledged", "occurred_at": "2026-11-24T03:02:30Z", "agent": agent, "data": incident}
    return await _posted(place, secret, "pagerduty", "X-PagerDuty-Signature", "v1=", {"event": event})


def _alert(place: Place, fingerprint: str) -> dict[str, Any]:
    labels = {"alertname": f"Slow {place.incident}", "severity": "critical"}
    return {"status": "firing", "labels": labels, "startsAt": "2026-11-24T03:00:00Z", "fingerprint": fingerprint}


async def alertmanager(place: Place, secret: str) -> int:
    body = {"version": "4", "groupKey": place.incident, "status": "firing", "alerts": [_alert(place, "f")]}
    return await _posted(place, secret, "alertmanager", "X-Tocsin-Signature", "sha256=", body)


async def grafana(place: Place, secret: str) -> int:
    body = {
        "version": "1",
        "orgId": 1,
        "groupKey": place.incident,
        "status": "firing",
        "externalURL": "https://g.example/",
        "alerts": [_alert(place, "g")],
    }
    return await _posted(place, secret, "grafana", "X-Grafana-Alerting-Signature", "", body)


async def generic(place: Place, secret: str) -> int:
    return await _posted(
        place, secret, "generic", "X-Tocsin-Signature", "sha256=", {"name": f"Slow {place.incident}", "id": place.incident}
    )


async def deployments(place: Place, secret: str) -> int:
    body = {"service": "checkout", "version": "v248", "at": datetime.now(UTC).isoformat(), "environment": "production"}
    return await _posted(place, secret, "deployments", "X-Tocsin-Signature", "sha256=", body)


async def github(place: Place, secret: str) -> int:
    return await _posted(place, secret, "github", "X-Hub-Signature-256", "sha256=", {"zen": "Keep it logically awesome."})


async def jira(place: Place, secret: str) -> int:
    return await _posted(place, secret, "jira", "X-Hub-Signature", "sha256=", {"webhookEvent": "jira:issue_created"})


async def mail_reply(place: Place, secret: str) -> int:
    """What a forger can't make is the address that was given to a page; whoever has it writes from Ana's."""
    paged = Paged(place.incident, "ana", f"{place.incident}:page-1.1")
    addresses = place.addresses if secret == SECRET else ReplyAddresses(secret.encode(), REPLIES)
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "ana@example.org", addresses.address_for(paged, datetime.now(UTC)), "Re: SEV1"
    message.set_content("ack\n")
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=place.smtp, start_tls=False) as client:
        try:
            await client.send_message(message)
        except aiosmtplib.SMTPResponseException as error:
            return error.code
    return 250


DOORS: dict[str, tuple[Knock, str, int]] = {
    "Slack's command": (slash_command, "note", 200),
    "Slack's button": (slack_button, "acknowledged", 200),
    "Slack's form": (slack_form, "note", 200),
    "PagerDuty's acknowledgement": (pagerduty_answer, "acknowledged", 200),
    "an answer by mail": (mail_reply, "acknowledged", 250),
    "Alertmanager": (alertmanager, "", 200),
    "Grafana": (grafana, "", 200),
    "generic JSON": (generic, "", 200),
    "deployments": (deployments, "", 200),
    "GitHub": (github, "", 200),
    "Jira": (jira, "", 200),
}
"""Each door, what the incident has on record by Ana when it was opened to her, and the answer."""


@asynccontextmanager
async def placed(house: House, folder: Path, **more: str) -> AsyncIterator[Place]:
    smtp = free_port()
    settings = SIGNED_IN | {"TEMPORAL_ADDRESS": house.client.service_client.config.target_host}
    if more:
        settings |= {name: value.replace("SMTP", str(smtp)) for name, value in more.items()}
    async with serving(folder, **settings) as (_, http):
        opened = await http.post("/api/v1/incidents", json={"title": f"Doors of {folder.name}"}, headers=ANA)
        assert 201 == opened.status_code, opened.text
        yield Place(http, opened.json()["incident"], ReplyAddresses(SECRET.encode(), REPLIES), smtp)


def wired(folder: Path, matrix: str) -> dict[str, str]:
    """Every door's settings."""
    (folder / "webhooks.toml").write_text("".join(f'[{source}]\nhmac = {{ secret = "{SECRET}" }}\n' for source in SOURCES))
    (folder / "rota.toml").write_text('[roles]\n"primary on-call" = "ana"\n\n[people.ana]\nemail = "ana@example.org"\n')
    return {
        "TOCSIN_WEBHOOKS": str(folder / "webhooks.toml"),
        "TOCSIN_ROTA": str(folder / "rota.toml"),
        "TOCSIN_SLACK_SIGNING_SECRET": SECRET,
        "TOCSIN_SLACK_PEOPLE": '{"U0ANA": {"name": "ana", "groups": ["sre"]}}',
        "TOCSIN_PAGERDUTY_PEOPLE": '{"PJ0LVEB": "ana"}',
        "TOCSIN_LINK_SECRET": SECRET,
        "TOCSIN_MAIL_REPLY_ADDRESS": REPLIES,
        "TOCSIN_MAIL_REPLY_LISTEN": "127.0.0.1:SMTP",
        "TOCSIN_MATRIX_COMMANDS": "1",
        "TOCSIN_MATRIX_URL": matrix,
        "TOCSIN_MATRIX_TOKEN": SECRET,
    }


async def test_each_door_whose_settings_are_given_is_open_to_who_is_proven_and_to_nobody_else(house: House, tmp_path: Path) -> None:
    """In one server with all of them: a forgery changes nothing at all, and the real one is carried out in that person's name."""
    with homeserver() as matrix:
        async with placed(house, tmp_path, **wired(tmp_path, matrix)) as place:
            before = await place.everything()
            forged = {name: await knock(place, FORGED) for name, (knock, _, _) in DOORS.items()}
            after = await place.everything()
            real = {name: await knock(place, SECRET) for name, (knock, _, _) in DOORS.items()}
            await eventually(lambda: any("/sync" in asked for asked in _Homeserver.asked), within=20, what="Matrix is listened to")
            wanted = {(kind, "ana") for _, kind, _ in DOORS.values() if kind}

            async def carried_out() -> bool:
                return wanted <= set(await place.record())

            await eventually(carried_out, within=20, what="what was pressed is on record")
            deployed = (await place.http.get("/api/v1/deployments", headers=ANA)).json()["deployments"]

    assert before == after
    assert {name: 550 if name == "an answer by mail" else 401 for name in DOORS} == forged
    assert {name: status for name, (_, _, status) in DOORS.items()} == real
    assert {f"Bearer {SECRET}"} == {asked.partition(" ")[2] for asked in _Homeserver.asked}
    assert ["v248"] == [each["version"] for each in deployed]


async def test_a_door_whose_settings_are_not_given_is_not_there(house: House, tmp_path: Path) -> None:
    """Not there, or shut with the word on how it is opened; whatever is sent to it, nothing breaks and nothing happens."""
    async with placed(house, tmp_path) as place:
        before = await place.everything()
        answers = {name: await knock(place, SECRET) for name, (knock, _, _) in DOORS.items() if name != "an answer by mail"}
        rubbish = [
            (await place.http.post(path, content=body)).status_code
            for path in (COMMANDS_PATH, ACTIONS_PATH, *(f"/webhooks/{source}" for source in SOURCES))
            for body in (b"", b"{", b"\xff\x00", b"[" * 5_000)
        ]
        shut = await place.http.post("/webhooks/generic", content=b"{}")
        with pytest.raises(aiosmtplib.SMTPConnectError):
            await mail_reply(place, SECRET)
        after = await place.everything()

    assert {name: 404 if name.startswith("Slack") else 401 for name in answers} == answers
    assert {401, 404} == set(rubbish)
    assert "TOCSIN_WEBHOOKS" in shut.json()["detail"]
    assert before == after
