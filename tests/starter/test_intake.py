"""The webhooks' door: who is let in, what each post is answered with, and that bad input costs nobody anything."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import httpx2
import pytest
from openapi_spec_validator import validate
from starlette.datastructures import Headers
from temporalio.client import Client

from integrations.deployments import DeploymentLog
from integrations.ledger import Ledger
from integrations.monitoring.routes_file import RoutesFile
from runtime.settings import SettingsError, load_settings
from starter.api import Door, create_app
from starter.live import Rooms
from starter.serve import keyring
from starter.webhook_keys import Keyring, KeysProblem, keyring_from
from tests.integrations.test_posts import GRAFANA, PAGERDUTY
from tests.starter.desks import FakeDesk
from tests.starter.test_api import HERE, no_history
from tests.starter.test_webhooks import Server, alert, payload

SECRETS = {
    "env:AM": "alertmanagers-token",
    "env:GRAFANA": "grafanas-own-secret",
    "file:/pd": "pagerdutys-secret-1",
    "env:OLD": "pagerdutys-secret-0",
}

KEYS: dict[str, Any] = {
    "alertmanager": {"bearer": ["env:AM", "the-next-alertmanager-token"], "basic": {"user": "am", "password": "a-long-password-1"}},
    "grafana": {"hmac": {"secret": "env:GRAFANA", "timestamp_header": "X-Grafana-Alerting-Timestamp"}},
    "pagerduty": {"hmac": {"secret": ["env:OLD", "file:/pd"]}},
    "generic": {"hmac": {"secret": "sixteen-characters", "algorithm": "sha512", "encoding": "base64", "prefix": "", "header": "X-Mine"}},
}

GENERIC = {"name": "disk full", "service": "database", "id": "db1"}


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    made = Ledger(tmp_path / "embedded.db")
    yield made
    await made.close()


def opened(server: Server, ledger: Ledger, keyring: Keyring, rules: Path | None = None) -> httpx2.AsyncClient:
    desk = FakeDesk(cast(Client, server))
    door = Door(user="ana", version="0", keyring=keyring, deployments=DeploymentLog(ledger), rules=RoutesFile(rules))
    app = create_app(desk, door, rooms=Rooms(desk, no_history))
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app, raise_app_exceptions=False), base_url=HERE)


@pytest.fixture
async def http(server: Server, ledger: Ledger) -> AsyncIterator[httpx2.AsyncClient]:
    """A door of one machine, where no source has a key."""
    async with opened(server, ledger, Keyring(trusting=True)) as client:
        yield client


@pytest.fixture
async def locked(server: Server, ledger: Ledger) -> AsyncIterator[httpx2.AsyncClient]:
    """A door that everybody can reach, with keys for all but deployments."""
    async with opened(server, ledger, keyring_from(KEYS, SECRETS.get, trusting=False)) as client:
        yield client


def signed(secret: str, body: bytes, at: float | None = None) -> str:
    return hmac.new(secret.encode(), body if at is None else f"{at:.0f}:".encode() + body, hashlib.sha256).hexdigest()


# ---------------------------------------------------------------------- who is let in


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        ("Bearer alertmanagers-token", 200),
        ("bearer the-next-alertmanager-token", 200),
        ("Basic " + base64.b64encode(b"am:a-long-password-1").decode(), 200),
        ("Bearer alertmanagers-tokem", 401),
        ("Bearer alertmanagers-token2", 401),
        ("Bearer ", 401),
        ("Basic " + base64.b64encode(b"am:another").decode(), 401),
        ("Basic !!!", 401),
        ("Digest alertmanagers-token", 401),
        ("Bearer t\u00f6ken", 401),
        (None, 401),
    ],
)
async def test_a_source_proves_itself_with_what_it_was_given(
    locked: httpx2.AsyncClient, server: Server, authorization: str | None, status: int
) -> None:
    """A token, also the one that will replace it, or a password lets Alertmanager in; nothing else does."""
    headers = {} if authorization is None else {"Authorization": authorization.encode("latin-1")}
    answer = await locked.post("/webhooks/alertmanager", json=payload(), headers=cast(Any, headers))

    assert answer.status_code == status
    assert bool(server.messages) is (status == 200)
    assert status == 200 or answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_source_without_a_key_is_let_in_on_one_machine_only(locked: httpx2.AsyncClient, http: httpx2.AsyncClient) -> None:
    """Where others can reach the door, nobody posts without a key; the answer says where to give one."""
    body = {"service": "checkout", "version": "v248"}
    refused = await locked.post("/webhooks/deployments", json=body)

    assert (refused.status_code, refused.json()["code"], "TOCSIN_WEBHOOKS" in refused.json()["detail"]) == (401, "not-proven", True)
    assert (await http.post("/webhooks/deployments", json=body)).status_code == 200


@pytest.mark.parametrize(
    ("source", "token", "status"),
    [
        ("deployments", "for all of them", 200),
        ("deployments", "guessed", 401),
        ("alertmanager", "for all of them", 401),
        ("alertmanager", "alertmanagers-token", 200),
    ],
)
async def test_a_source_without_a_key_brings_the_token_of_all(server: Server, ledger: Ledger, source: str, token: str, status: int) -> None:
    """Where people sign in, one token is every source's key, but for those that have their own."""
    bodies = {"deployments": {"service": "checkout", "version": "v248"}, "alertmanager": payload()}
    keys = keyring_from(KEYS, SECRETS.get, trusting=False, otherwise="for all of them")
    async with opened(server, ledger, keys) as door:
        answer = await door.post(f"/webhooks/{source}", json=bodies[source], headers={"Authorization": f"Bearer {token}"})

    assert (answer.status_code, keys.closed) == (status, [])


@pytest.mark.parametrize(
    ("age", "changes", "status", "says"),
    [
        (0, {}, 200, ""),
        (290, {}, 200, ""),
        (-290, {}, 200, ""),
        (3_600, {}, 401, "s ago, and 300 s is the most"),
        (-3_600, {}, 401, "s from now, and 300 s is the most"),
        (0, {"X-Grafana-Alerting-Signature": "0" * 64}, 401, "does not fit the body"),
        (0, {"X-Grafana-Alerting-Signature": None}, 401, "the header X-Grafana-Alerting-Signature is missing"),
        (0, {"X-Grafana-Alerting-Timestamp": None}, 401, "the header X-Grafana-Alerting-Timestamp is missing"),
        (0, {"X-Grafana-Alerting-Timestamp": "12"}, 401, "does not fit the body"),
    ],
)
async def test_a_signed_time_must_be_of_now(
    locked: httpx2.AsyncClient, server: Server, age: int, changes: dict[str, str | None], status: int, says: str
) -> None:
    """A post that is sent again by somebody later is refused, and so is one whose signature is another's or covers another time."""
    body = json.dumps(GRAFANA).encode()
    at = time.time() - age
    headers = {
        "X-Grafana-Alerting-Signature": signed("grafanas-own-secret", body, at),
        "X-Grafana-Alerting-Timestamp": f"{at:.0f}",
    }
    headers = {name: value for name, value in {**headers, **changes}.items() if value is not None}
    answer = await locked.post("/webhooks/grafana", content=body, headers=headers)

    assert (answer.status_code, len(server.messages)) == (status, 1 if status == 200 else 0)
    assert says in answer.text


@pytest.mark.parametrize("secret", ["pagerdutys-secret-0", "pagerdutys-secret-1"])
async def test_while_a_secret_is_replaced_both_hold(locked: httpx2.AsyncClient, secret: str) -> None:
    """PagerDuty sends a signature for each secret; one that fits is enough. A forged one, or another body, does not."""
    body = json.dumps(PAGERDUTY).encode()
    header = {"X-PagerDuty-Signature": f"v1={'0' * 64},v1={signed(secret, body)}"}
    bare = {"X-PagerDuty-Signature": signed(secret, body)}

    assert (await locked.post("/webhooks/pagerduty", content=body, headers=header)).status_code == 200
    assert (await locked.post("/webhooks/pagerduty", content=body + b" ", headers=header)).status_code == 401
    assert (await locked.post("/webhooks/pagerduty", content=body, headers=bare)).status_code == 401


async def test_the_way_of_signing_can_be_said(locked: httpx2.AsyncClient) -> None:
    """Header, algorithm, encoding and prefix are the sender's; ours is the default."""
    body = json.dumps(GENERIC).encode()
    digest = base64.b64encode(hmac.new(b"sixteen-characters", body, hashlib.sha512).digest()).decode()

    assert (await locked.post("/webhooks/generic", content=body, headers={"X-Mine": digest})).status_code == 200
    assert (await locked.post("/webhooks/generic", content=body, headers={"X-Mine": digest[:-1]})).status_code == 401


@pytest.mark.parametrize(
    ("tables", "problem"),
    [
        ({"slack": {"bearer": "x" * 20}}, "[slack]: there is no such source"),
        ({"grafana": {}}, "[grafana]: must be a table with bearer, basic or hmac"),
        ({"grafana": {"token": "x"}}, "[grafana]: token is no field here"),
        ({"grafana": {"bearer": "a-short-secret"}}, "[grafana] bearer: needs at least 16 characters"),
        ({"grafana": {"bearer": "env:NONE"}}, "[grafana] bearer: there is nothing at env:NONE"),
        ({"grafana": {"basic": {"user": "a:b", "password": "x" * 20}}}, "[grafana] basic: must be a table"),
        ({"grafana": {"hmac": {"header": "X"}}}, "[grafana] hmac: must be a table with a secret"),
        (
            {"grafana": {"hmac": {"secret": "x" * 20, "algorithm": "md5"}}},
            "[grafana] hmac.algorithm: must be one of sha256",
        ),
        ({"grafana": {"hmac": {"secret": "x" * 20, "encoding": "rot13"}}}, "[grafana] hmac.encoding: must be hex or base64"),
        ({"grafana": {"hmac": {"secret": "x" * 20, "max_age": "soon"}}}, "[grafana] hmac.max_age: must be a duration"),
    ],
)
def test_a_mistake_among_the_keys_is_told_without_any_secret(tables: dict[str, Any], problem: str) -> None:
    """Whoever wrote the file hears the place and the rule; no secret is repeated."""
    with pytest.raises(KeysProblem) as told:
        keyring_from(tables, SECRETS.get, trusting=False)

    assert problem in str(told.value)
    assert "a-short-secret" not in str(told.value)


# ---------------------------------------------------------------------- what comes in


async def test_every_source_reaches_its_group_with_what_the_rules_say(server: Server, ledger: Ledger, tmp_path: Path) -> None:
    """Alerts of all four go on in one shape, each with its decision; what is said once of many is sent once."""
    rules = tmp_path / "routes.toml"
    rules.write_text('[[route]]\nname = "all"\nowner = "team"\n')
    posts = {"alertmanager": payload(*(alert(n) for n in range(3))), "grafana": GRAFANA, "pagerduty": PAGERDUTY, "generic": GENERIC}
    async with opened(server, ledger, Keyring(trusting=True), rules) as http:
        answers = [(await http.post(f"/webhooks/{source}", json=body)).json() for source, body in posts.items()]

    assert [answer["accepted"] for answer in answers] == [3, 1, 1, 1]
    assert sorted(server.ids) == sorted(group for answer in answers for group in answer["groups"])
    assert [[said["owner"] for said in message["routed"]] for message in server.messages] == [["team"]] * 4
    assert [each["routed"] for message in server.messages for each in message["alerts"]] == [0] * 6


async def test_the_same_post_goes_to_the_same_group(http: httpx2.AsyncClient, server: Server) -> None:
    """A repeat, whoever sends it, is recognised by what it says: the same group, the same fingerprints."""
    for _ in range(3):
        for source, body in (("grafana", GRAFANA), ("pagerduty", PAGERDUTY), ("generic", GENERIC)):
            await http.post(f"/webhooks/{source}", json=body)

    assert len(server.ids) == 3
    assert len({each["fingerprint"] for message in server.messages for each in message["alerts"]}) == 3


@pytest.mark.parametrize(
    ("source", "body", "status", "says"),
    [
        ("alertmanager", b"", 400, "The body is empty"),
        ("alertmanager", b"{", 400, "not JSON: Expecting property name enclosed in double quotes at line 1, column 2"),
        ("alertmanager", b"alertname=Errors&service=checkout", 400, "not JSON: Expecting value at line 1, column 1"),
        ("alertmanager", b'{"version": NaN}', 400, "NaN is no JSON value"),
        ("alertmanager", b"[" * 200_000, 400, "nested too deeply"),
        ("alertmanager", b"\x1f\x8b\x08\x00", 400, "not UTF-8: byte 1"),
        ("alertmanager", b"[]", 422, "body"),
        ("alertmanager", b'{"version": "5", "groupKey": "g", "status": "firing", "alerts": []}', 422, "version"),
        ("alertmanager", b'{"groupKey": "g", "status": "firing", "alerts": []}', 422, "version"),
        ("grafana", b'{"version": "4"}', 422, "version"),
        ("pagerduty", b'{"messages": []}', 422, "event"),
        ("generic", b'{"name": 5}', 422, "name"),
        ("generic", b"\xff", 400, "not UTF-8: byte 0"),
        ("deployments", b'{"service": "a"}', 422, "version"),
        ("deployments", b"7", 422, "body"),
        ("deployments", b"<xml/>", 400, "not JSON"),
    ],
)
async def test_what_can_not_be_used_is_refused_as_a_problem(
    http: httpx2.AsyncClient, server: Server, source: str, body: bytes, status: int, says: str
) -> None:
    """400 where it is no JSON, with the place; 422 where it is something else, with the field; and nothing has happened."""
    answer = await http.post(f"/webhooks/{source}", content=body)
    problem = answer.json()
    said = problem["detail"] if status == 400 else " ".join(each["field"] for each in problem["errors"])

    assert (answer.status_code, problem["code"], server.messages) == (status, {400: "not-json", 422: "invalid-input"}[status], [])
    assert answer.headers["content-type"] == "application/problem+json"
    assert says in said


async def test_labels_like_documents_are_cut_and_the_alert_goes_on(http: httpx2.AsyncClient, server: Server) -> None:
    """Ten thousand characters in a label, and hundreds of labels, do not cost the alert, and fit one message."""
    labels = {"alertname": "Huge", "service": "x" * 10_000, **{f"label{n}": "y" * 10_000 for n in range(300)}}
    answer = await http.post("/webhooks/alertmanager", json=payload(alert(0, labels=labels)))
    (told,) = server.messages[0]["alerts"]

    assert answer.json()["accepted"] == 1
    assert len(told["labels"]) == 100
    assert len(json.dumps(server.messages[0])) < 400_000
    assert len(server.messages[0]["routed"][0]["service"]) == 300


@pytest.mark.parametrize(
    ("changes", "accepted"),
    [
        ({"startsAt": "2026-11-24T04:59:00Z"}, 1),
        ({"startsAt": "2026-11-24T01:59:00Z"}, 1),
        ({"status": "resolved", "endsAt": "2026-11-24T02:00:00Z"}, 1),
        ({"status": "resolved", "endsAt": ""}, 1),
    ],
)
async def test_a_clock_that_is_wrong_costs_no_alert(
    http: httpx2.AsyncClient, server: Server, changes: dict[str, Any], accepted: int
) -> None:
    """An hour ahead, an hour behind, an end before its beginning: the alert is taken as it is."""
    answer = await http.post("/webhooks/alertmanager", json=payload(alert(0, **changes)))

    assert answer.json()["accepted"] == accepted
    assert server.messages[0]["alerts"][0]["startsAt"] == changes.get("startsAt", "2026-11-24T02:59:00Z")


async def test_a_post_of_megabytes_is_taken_and_one_over_the_limit_is_not_read(http: httpx2.AsyncClient, server: Server) -> None:
    """Five megabytes of alerts arrive whole, in messages that the server takes; eleven are refused before they are read."""
    many = payload(*(alert(n, annotations={"summary": "x" * 1_900}) for n in range(2_500)))
    answer = await http.post("/webhooks/alertmanager", json=many)
    refused = await http.post("/webhooks/alertmanager", content=b" " * 11_000_000)

    assert answer.json()["accepted"] == sum(len(message["alerts"]) for message in server.messages) == 2_500
    assert max(len(json.dumps(message)) for message in server.messages) < 256_000
    assert (refused.status_code, refused.json()["code"]) == (413, "too-large")


async def test_an_event_that_changes_nothing_is_no_mistake(http: httpx2.AsyncClient, server: Server) -> None:
    """PagerDuty gives up on a door that refuses; what opens or ends nothing is answered 200 and says so."""
    body = {"event": {**PAGERDUTY["event"], "event_type": "incident.acknowledged"}}
    answer = await http.post("/webhooks/pagerduty", json=body)

    assert (answer.status_code, answer.json()["accepted"], server.messages) == (200, 0, [])
    assert answer.json()["ignored"] == "incident.acknowledged changes nothing here"


# ---------------------------------------------------------------------- what can be looked up


async def test_deployments_are_listed_by_service(http: httpx2.AsyncClient) -> None:
    """What was posted is found again, once, by its service."""
    body = {"deployments": [{"service": "checkout", "version": "v1", "at": "2026-11-24T02:00:00Z"}, {"service": "other", "version": "v1"}]}
    new = [(await http.post("/webhooks/deployments", json=body)).json()["new"] for _ in range(2)]
    found = (await http.get("/api/v1/deployments", params={"service": "Checkout"})).json()["deployments"]
    mistaken = await http.get("/api/v1/deployments", params={"sevice": "x"})

    assert new == [2, 1]
    assert [each["version"] for each in found] == ["v1"]
    assert mistaken.status_code == 422


async def test_the_rules_in_force_are_shown(server: Server, ledger: Ledger, tmp_path: Path) -> None:
    """The file's rules and the built-in ones are shown, and a broken edit is named while the last good ones go on."""
    rules = tmp_path / "routes.toml"
    rules.write_text('[[route]]\nname = "mine"\nowner = "team"\n')
    async with opened(server, ledger, Keyring(trusting=True), rules) as http:
        before = (await http.get("/api/v1/routes")).json()
        rules.write_text("broken = 1\n")
        after = (await http.get("/api/v1/routes")).json()
        description = (await http.get("/openapi.json")).json()

    assert [before["routes"][0]["name"], before["problem"]] == ["mine", None]
    assert (after["digest"], "there is no such table" in after["problem"]) == (before["digest"], True)
    validate(description)


def test_keys_come_from_the_environment_and_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret may stand beside the file; where it is missing, the door does not open, and says which."""
    (tmp_path / "secret").write_text("a-secret-in-a-file\n")
    path = tmp_path / "webhooks.toml"
    path.write_text(f'[grafana]\nbearer = "file:{tmp_path / "secret"}"\n[generic]\nbearer = "env:THE_GENERIC_KEY"\n')
    with pytest.raises(SettingsError, match=r"\[generic\] bearer: there is nothing at env:THE_GENERIC_KEY"):
        keyring(load_settings(webhooks=path))
    monkeypatch.setenv("THE_GENERIC_KEY", "a-secret-in-the-environment")
    keys = keyring(load_settings(webhooks=path))

    assert keys.admit("grafana", Headers({"authorization": "Bearer a-secret-in-a-file"})) is None
    assert keys.admit("deployments", Headers({})) is None, "this door listens on loopback"


async def test_what_can_not_be_read_is_counted(server: Server, ledger: Ledger) -> None:
    """A sender that is refused seldom says so, and one bad alert hides among good ones: Prometheus sees both, from 0 on."""
    only_grafana = keyring_from({"grafana": KEYS["grafana"]}, SECRETS.get, trusting=True)
    async with opened(server, ledger, only_grafana) as http:
        before = (await http.get("/metrics")).text.splitlines()
        await http.post("/webhooks/alertmanager", json=payload(alert(0), alert(1, startsAt="yesterday"), "no alert"))
        await http.post("/webhooks/alertmanager", json={"version": "5"})
        await http.post("/webhooks/generic", content=b"{")
        await http.post("/webhooks/grafana", json=payload())
        await http.post("/webhooks/deployments", json={"service": "checkout"})
        after = (await http.get("/metrics")).text.splitlines()
    grown = sorted(line for line in set(after) - set(before) if line.startswith(("tocsin_alerts_", "tocsin_posts_")))

    assert grown == [
        'tocsin_alerts_held_total{source="alertmanager"} 1',
        'tocsin_alerts_unreadable_total{source="alertmanager"} 2',
        'tocsin_posts_refused_total{reason="invalid-input",source="alertmanager"} 1',
        'tocsin_posts_refused_total{reason="invalid-input",source="deployments"} 1',
        'tocsin_posts_refused_total{reason="not-json",source="generic"} 1',
        'tocsin_posts_refused_total{reason="not-proven",source="grafana"} 1',
    ]
    assert len([line for line in before if line.startswith("tocsin_posts_refused_total{") and line.endswith(" 0")]) == 28
