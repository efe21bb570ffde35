# ruff: noqa: SIM300 - the house writes what is expected first
"""Bad input at every monitoring door, with Temporal behind it: the right status, no alert lost, and nothing opened that should not be."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from tests.harness import ask, eventually
from tests.starter.conftest import House
from tests.starter.test_serve import serving

pytestmark = pytest.mark.server

SECRET = "the-secret-of-every-sender"
KEYS = f"""
[alertmanager]
bearer = "{SECRET}"
basic = {{ user = "am", password = "{SECRET}" }}

[grafana]
hmac = {{ secret = "{SECRET}", timestamp_header = "X-Grafana-Alerting-Timestamp" }}

[pagerduty]
hmac = {{ secret = "{SECRET}" }}

[generic]
hmac = {{ secret = "{SECRET}" }}
"""

HOUR = timedelta(hours=1)
HUGE = "x" * 10_000


@dataclass(frozen=True)
class Word:
    """One word of monitoring on one alert, whoever's monitoring it is."""

    name: str
    began: datetime
    ended: datetime | None = None
    version: str | None = None
    huge: bool = False

    def end(self, after: timedelta = timedelta(minutes=1)) -> Word:
        return replace(self, ended=self.began + after)


def _alertmanager(word: Word) -> dict[str, Any]:
    labels = {"alertname": word.name, "service": word.name, **({"trace": HUGE} if word.huge else {})}
    told = {
        "status": "resolved" if word.ended else "firing",
        "labels": labels,
        "annotations": {"summary": HUGE if word.huge else "it fails"},
        "startsAt": word.began.isoformat(),
        "endsAt": word.ended.isoformat() if word.ended else "0001-01-01T00:00:00Z",
        "fingerprint": hashlib.sha256(word.name.encode()).hexdigest()[:16],
    }
    key = f"{word.name} {HUGE if word.huge else ''}"
    return {"version": word.version or "4", "groupKey": key, "status": told["status"], "alerts": [told]}


def _grafana(word: Word) -> dict[str, Any]:
    return {**_alertmanager(word), "version": word.version or "1", "orgId": 1, "externalURL": "https://grafana.example/"}


def _pagerduty(word: Word) -> dict[str, Any]:
    if word.version:
        return {"messages": [{"event": "incident.trigger", "version": word.version}]}
    incident = {
        "id": word.name,
        "type": "incident",
        "title": f"{word.name} {HUGE if word.huge else ''}",
        "created_at": word.began.isoformat(),
        "service": {"summary": word.name},
        "urgency": "high",
    }
    kind, at = ("incident.resolved", word.ended) if word.ended else ("incident.triggered", word.began)
    return {"event": {"id": uuid.uuid4().hex, "event_type": kind, "occurred_at": at.isoformat(), "data": incident}}


def _generic(word: Word) -> dict[str, Any]:
    said = {"name": f"{word.name} {HUGE}", "labels": {"trace": HUGE}, "summary": 3 * HUGE} if word.huge else {"name": word.name}
    return {
        **said,
        "id": f"{word.name} {HUGE if word.huge else ''}",
        "service": word.name,
        "status": "resolved" if word.ended else "firing",
        "starts_at": word.began.isoformat(),
        **({"ends_at": word.ended.isoformat()} if word.ended else {}),
        **({"version": word.version} if word.version else {}),
    }


def _signed(secret: str, body: bytes) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def _bearer(secret: str, _: bytes, __: float) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def _basic(secret: str, _: bytes, __: float) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"am:{secret}".encode()).decode()}


def _of_grafana(secret: str, body: bytes, at: float) -> dict[str, str]:
    stamp = f"{at:.0f}"
    return {
        "X-Grafana-Alerting-Signature": _signed(secret, stamp.encode() + b":" + body),
        "X-Grafana-Alerting-Timestamp": stamp,
    }


def _of_pagerduty(secret: str, body: bytes, _: float) -> dict[str, str]:
    return {"X-PagerDuty-Signature": f"v1={_signed(secret, body)}"}


def _ours(secret: str, body: bytes, _: float) -> dict[str, str]:
    return {"X-Tocsin-Signature": f"sha256={_signed(secret, body)}"}


Proof = Callable[[str, bytes, float], Mapping[str, str]]

SOURCES: dict[str, tuple[str, Callable[[Word], dict[str, Any]], Proof]] = {
    "Alertmanager by token": ("alertmanager", _alertmanager, _bearer),
    "Alertmanager by password": ("alertmanager", _alertmanager, _basic),
    "Grafana": ("grafana", _grafana, _of_grafana),
    "PagerDuty": ("pagerduty", _pagerduty, _of_pagerduty),
    "generic": ("generic", _generic, _ours),
}


@dataclass
class Sender:
    """One source's monitoring, at the door; it remembers the groups that its posts went to, and how many each has."""

    house: House
    http: httpx2.AsyncClient
    source: str
    posted: dict[str, int] = field(default_factory=dict)

    def word(self, *, began: timedelta = timedelta(0), **more: Any) -> Word:
        """A word on an alert of a service that nobody else has."""
        return Word(f"A{uuid.uuid4().hex[:12].upper()}", datetime.now(UTC).replace(microsecond=0) + began, **more)

    def signed(self, word: Word, secret: str = SECRET, *, at: float | None = None) -> tuple[str, bytes, dict[str, str]]:
        """A post as it goes over the line: it can be caught, and sent again."""
        path, body_of, proof = SOURCES[self.source]
        body = json.dumps(body_of(word)).encode()
        return f"/webhooks/{path}", body, dict(proof(secret, body, time.time() if at is None else at))

    async def sends(self, post: tuple[str, bytes, dict[str, str]]) -> int:
        path, body, headers = post
        answer = await self.http.post(path, content=body, headers=headers)
        if answer.status_code == 200:
            assert 1 == answer.json()["accepted"]
            for group in answer.json()["groups"]:
                self.posted[group] = self.posted.get(group, 0) + 1
        return answer.status_code

    async def says(self, *words: Word) -> list[int]:
        return [await self.sends(self.signed(word)) for word in words]

    async def taken(self) -> list[dict[str, Any]]:
        """What became of the groups, once each has looked at every word that was answered 200."""
        handles = {group: self.house.client.get_workflow_handle(group) for group in self.posted}

        async def all_taken() -> bool:
            return all([(await ask(handles[group], "state"))["taken"] == count for group, count in self.posted.items()])

        await eventually(all_taken, within=20, what="every word is looked at")
        return [await ask(handle, "state") for handle in handles.values()]

    async def incidents(self, word: Word) -> list[dict[str, Any]]:
        """The states of all incidents of the word's service."""
        rows = (await self.http.get("/api/v1/incidents", params={"service": word.name})).json()["incidents"]
        return [(await self.http.get(f"/api/v1/incidents/{row['incident']}")).json() for row in rows]

    async def incident(self, word: Word) -> dict[str, Any]:
        """The one incident of the word's service, once it is there."""

        async def there() -> bool:
            return 1 == len(await self.incidents(word))

        await eventually(there, within=20, what=f"one incident of {word.name}")
        (state,) = await self.incidents(word)
        return state

    async def told(self, word: Word) -> list[bool]:
        """What the incident was told of its alert so far: whether it fires, word by word."""
        incident = (await self.incident(word))["incident"]
        timeline = (await self.http.get(f"/api/v1/incidents/{incident}/timeline")).json()["timeline"]
        opened = [each.get("firing", True) for entry in timeline if entry["kind"] == "opened" for each in entry["data"].get("alerts", [])]
        return opened + [each.get("firing", True) for entry in timeline if entry["kind"] == "alert" for each in entry["data"]["alerts"]]


@pytest.fixture(scope="module")
async def door(house: House, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx2.AsyncClient]:
    folder = tmp_path_factory.mktemp("bad-posts")
    (folder / "webhooks.toml").write_text(KEYS)
    address = house.client.service_client.config.target_host
    async with serving(folder, TEMPORAL_ADDRESS=address, TOCSIN_WEBHOOKS=str(folder / "webhooks.toml")) as (_, http):
        yield http


@pytest.fixture(params=list(SOURCES))
def sender(request: pytest.FixtureRequest, house: House, door: httpx2.AsyncClient) -> Sender:
    return Sender(house, door, request.param)


async def test_a_forgery_opens_nothing_and_costs_the_real_one_nothing(sender: Sender) -> None:
    """Another's secret, somebody else's proof on another body, and no proof are each 401, and the alert in them opens nothing."""
    word, other = sender.word(), sender.word()
    path, body, headers = sender.signed(word)
    _, foreign, _ = sender.signed(other)
    forged = [await sender.sends(sender.signed(word, "a-guess-of-somebody-else")), await sender.sends((path, body, {}))]
    if "Authorization" not in headers:
        forged.append(await sender.sends((path, foreign, headers)))

    assert {401} == set(forged)
    assert [200] == await sender.says(word)
    assert ["firing"] == ["firing" if each["firing"] else "resolved" for each in (await sender.incident(word))["alerts"]]
    assert [] == await sender.incidents(other)


async def test_a_body_that_is_sent_again_adds_nothing(sender: Sender) -> None:
    """Caught and replayed, before the alert's end and after it: one incident, told of its beginning and its end once each."""
    word = sender.word()
    caught = sender.signed(word)
    before = [await sender.sends(caught) for _ in range(3)]
    await sender.incident(word)
    ended = await sender.says(word.end())
    after = [await sender.sends(caught) for _ in range(3)]
    await sender.taken()

    async def told_the_end() -> bool:
        return not (await sender.incident(word))["alerts"][0]["firing"]

    await eventually(told_the_end, within=20, what="its end")

    assert [200] * 7 == before + ended + after
    assert [False] == (await sender.told(word))[-1:]
    assert 1 == (await sender.told(word)).count(False)


async def test_where_a_time_is_signed_an_old_post_is_refused(sender: Sender) -> None:
    """Caught an hour ago, or signed by a clock an hour ahead: 401 where the sender signs a time, and nothing is opened."""
    word = sender.word()
    if sender.source != "Grafana":
        assert [200] == await sender.says(word), "nothing here says when it was signed"
        return
    statuses = [await sender.sends(sender.signed(word, at=time.time() + shift)) for shift in (-3_600, 3_600)]

    assert [401, 401] == statuses
    assert [] == await sender.incidents(word)


async def test_labels_of_ten_thousand_characters_cost_no_alert(sender: Sender) -> None:
    """The alert and its end arrive, cut; its group is the same for both, however long its key."""
    word = sender.word(huge=True)
    statuses = await sender.says(word)
    state = await sender.incident(word)
    statuses += await sender.says(word.end())
    (group,) = await sender.taken()

    assert [200, 200] == statuses
    assert len(json.dumps(state["alerts"])) < 2_000
    assert len(group["group"]) <= 500
    assert ({}, [], 2) == (group["firing"], group["unreadable"], group["taken"])


@pytest.mark.parametrize("off", [HOUR, -HOUR], ids=["ahead", "behind"])
async def test_a_clock_an_hour_off_loses_neither_the_end_nor_the_next_outage(sender: Sender, off: timedelta) -> None:
    """One incident; the alert's end is its end, its repeat is none, and the next outage by the same clock is news."""
    word = sender.word(began=off)
    again = replace(word, began=word.began + timedelta(minutes=10))
    statuses = await sender.says(word)
    await sender.incident(word)
    statuses += await sender.says(word, word.end(), word)
    (ended,) = await sender.taken()
    statuses += await sender.says(again)
    (burning,) = await sender.taken()

    async def heard() -> bool:
        return [True, False, True] == (await sender.told(word))[-3:]

    await eventually(heard, within=20, what="its end and the next outage")

    assert [200] * 5 == statuses
    assert ({}, 1) == (ended["firing"], len(burning["firing"]))
    assert 1 == len(await sender.incidents(word))


async def test_an_end_before_its_beginning_ends_it(sender: Sender) -> None:
    """The alert is over, and no older than it was; alone, such a word opens nothing."""
    word, alone = sender.word(), sender.word()
    statuses = await sender.says(word)
    await sender.incident(word)
    statuses += await sender.says(word.end(-HOUR), alone.end(-HOUR))
    groups = await sender.taken()

    async def over() -> bool:
        return not (await sender.incident(word))["alerts"][0]["firing"]

    await eventually(over, within=20, what="its end")
    (told,) = (await sender.incident(word))["alerts"]

    assert [200] * 3 == statuses
    assert [{}, {}] == [group["firing"] for group in groups]
    assert told["ends_at"] is None or told["starts_at"] <= told["ends_at"]
    assert [] == await sender.incidents(alone)


async def test_resolved_before_firing_opens_nothing(sender: Sender) -> None:
    """The end comes first, the beginning late: both are taken, the group says why they went nowhere, and no incident is opened."""
    word = sender.word()
    statuses = await sender.says(word.end(), word)
    (group,) = await sender.taken()

    assert [200, 200] == statuses
    assert (None, {}) == (group["incident"], group["firing"])
    assert "no incident is open that it could end" in group["elsewhere"][0]
    assert [] == await sender.incidents(word)


@pytest.mark.parametrize("version", ["0", "99", "next"])
async def test_an_unknown_version_is_refused_by_name(sender: Sender, version: str) -> None:
    """422, nothing is opened, and the same alert in the version that is known is taken."""
    word = sender.word()
    path, body, headers = sender.signed(replace(word, version=version))
    answer = await sender.http.post(path, content=body, headers=headers)
    fields = [each["field"] for each in answer.json()["errors"]]

    assert (422, ["event" if sender.source == "PagerDuty" else "version"]) == (answer.status_code, fields)
    assert [] == await sender.incidents(word)
    assert [200] == await sender.says(word)
    await sender.incident(word)
