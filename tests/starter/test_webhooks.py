"""What becomes of what a monitoring system posts."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from incident.alerts import parse, with_routes
from incident.routing import Routed, Routes, route
from integrations.monitoring.alertmanager import read
from integrations.monitoring.posted import Group, Posted, Unreadable
from starter import webhooks
from starter.bodies import posted_by_a_machine
from starter.webhooks import Intake, batches
from workflows.options import ALERTS_A_SIGNAL, BYTES_A_SIGNAL, POSTS_IN_FLIGHT

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)


def alert(number: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "status": "firing",
        "labels": {"alertname": "HighErrorRate", "service": "checkout", "instance": str(number)},
        "annotations": {"summary": f"instance {number} fails"},
        "startsAt": "2026-11-24T02:59:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": f"{number:016x}",
        **more,
    }


def payload(*alerts: Any, **more: Any) -> dict[str, Any]:
    return {
        "version": "4",
        "groupKey": '{}:{alertname="HighErrorRate"}',
        "status": "firing",
        "receiver": "tocsin",
        "alerts": list(alerts) or [alert()],
        "groupLabels": {"alertname": "HighErrorRate"},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example",
        "notification_reason": "a field of a newer version",
        **more,
    }


class Server:
    """A Temporal server that takes signals, some calls at a time, and can be away for a while."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.ids: set[str] = set()
        self.order: list[str] = []
        self.away = 0
        self.most_at_once = 0
        self._at_once = 0
        self._calls = 0

    async def start_workflow(self, _: str, start: Any, *, id: str, start_signal_args: list[dict[str, Any]], **__: Any) -> None:
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        self._calls += 1
        for _turn in range(3 if self._calls % 2 else 1):  # every other call overtakes the one before, where it may
            await asyncio.sleep(0)
        self._at_once -= 1
        if self.away:
            self.away -= 1
            raise RPCError("connection refused", RPCStatusCode.UNAVAILABLE, b"")
        self.ids.add(id)
        self.order.append(id)
        self.messages += start_signal_args


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def intake(server: Server) -> Intake:
    return Intake(cast(Client, server))


async def test_a_thousand_alerts_of_a_group_go_in_few_signals_and_in_their_order(server: Server, intake: Intake) -> None:
    """A group reaches Temporal whole and as it was posted, hundreds of alerts a signal: no signal passes the one before it."""
    answer = await intake.take(read(payload(*(alert(n) for n in range(1_000)))), NOW)
    taken = [each["fingerprint"] for message in server.messages for each in message["alerts"]]

    assert answer["accepted"] == 1_000
    assert taken == [f"{n:016x}" for n in range(1_000)]
    assert [len(message["alerts"]) for message in server.messages] == [ALERTS_A_SIGNAL] * 2
    assert all(len(json.dumps(message)) < BYTES_A_SIGNAL + 1_000 for message in server.messages)
    assert server.most_at_once == 1


async def test_the_rules_are_asked_once_for_alerts_that_are_alike(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand nodes of one service cost the rules one look; another service is another look."""
    asked: list[str] = []

    def counted(rules: Routes, labels: dict[str, str], *more: Any) -> Routed:
        asked.append(labels["service"])
        return route(rules, labels, *more)

    monkeypatch.setattr(webhooks, "route", counted)
    other = alert(5, labels={"alertname": "HighErrorRate", "service": "payments", "instance": "5"})
    await intake.take(read(payload(*(alert(n) for n in range(200)), other, alert(200))), NOW)

    assert asked == ["checkout", "payments"]


async def test_a_post_of_nothing_but_rubbish_is_no_larger_than_what_is_kept_of_it(server: Server, intake: Intake) -> None:
    """What can't be read is told of up to what a group keeps, and how many more there were: too much would be refused for ever."""
    answer = await intake.take(read(payload(alert(0), *("rubbish" * 50 for _ in range(20_000)))), NOW)
    told = server.messages[0]["invalid"]

    assert (answer["accepted"], answer["invalid"]) == (1, 20_000)
    assert (len(told), told[0][:8], told[-1]) == (100, "alert 1:", "19901 more alerts could not be read")


async def test_groups_go_side_by_side_and_not_all_at_once(server: Server, intake: Intake) -> None:
    """A storm of groups does not wait in one line, nor do people's commands behind it; what is of one group keeps its order."""
    groups = tuple(Group(f"group {n}", read(payload(*(alert(each) for each in range(120)))).groups[0].alerts) for n in range(20))
    await intake.take(Posted(groups), NOW)
    order: dict[str, list[str]] = {}
    for id, message in zip(server.order, server.messages, strict=True):
        order.setdefault(id, []).extend(each["fingerprint"] for each in message["alerts"])

    assert server.most_at_once == POSTS_IN_FLIGHT
    assert list(order.values()) == [[f"{n:016x}" for n in range(120)]] * 20


async def test_one_group_is_one_workflow_whose_name_tells_nothing(server: Server, intake: Intake) -> None:
    """The group's key is hashed: workflow ids hold no labels."""
    answers = [await intake.take(read(payload(alert(n))), NOW) for n in range(2)]

    assert answers[0]["groups"] == answers[1]["groups"] == sorted(server.ids)
    assert len(server.ids) == 1
    assert "HighErrorRate" not in next(iter(server.ids))


async def test_bad_alerts_go_along_with_what_is_wrong_with_them(server: Server, intake: Intake) -> None:
    """Alertmanager never repeats what was refused, so one bad alert must not cost the good ones, nor be forgotten."""
    answer = await intake.take(read(payload(alert(0), alert(1, startsAt="yesterday"), "no alert at all")), NOW)

    assert (answer["accepted"], answer["invalid"]) == (1, 2)
    assert [each["fingerprint"] for each in server.messages[0]["alerts"]] == ["0" * 16]
    assert ["alert 1: startsAt" in server.messages[0]["invalid"][0], "alert 2" in server.messages[0]["invalid"][1]] == [True, True]


async def test_a_clock_ahead_is_not_believed(server: Server, intake: Intake) -> None:
    """What is yet to begin begins as it arrives, or it would hide all that comes before; what its sender said goes along."""
    soon, now = (NOW + timedelta(hours=1)).isoformat(), NOW.isoformat()
    await intake.take(read(payload(alert(0, startsAt=soon), alert(1, startsAt="9999-12-31T23:00:00Z"), alert(2, startsAt=now))), NOW)
    read_again, _ = parse(with_routes(server.messages[0]["alerts"], server.messages[0]))

    assert [each.starts_at for each in read_again] == [NOW] * 3
    assert [each.said_at for each in read_again] == [NOW + timedelta(hours=1), datetime(9999, 12, 31, 23, tzinfo=UTC), None]


async def test_half_a_character_does_not_cost_an_alert(server: Server, intake: Intake) -> None:
    """What is no text is replaced, and the alert goes on."""
    body = payload(alert(0, annotations={"summary": "half \ud83d, whole \U0001f525"}))
    escaped = json.dumps(body).encode()
    for posted in (escaped, json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass"), escaped.decode().encode("utf-16-le")):
        await intake.take(read(posted_by_a_machine(posted)), NOW)

        assert server.messages.pop()["alerts"][0]["annotations"] == {"summary": "half ?, whole \U0001f525"}


async def test_a_server_that_is_back_in_a_moment_costs_nothing(server: Server, intake: Intake) -> None:
    """A restart of Temporal in the middle of a storm loses no alert."""
    server.away = 3
    answer = await intake.take(read(payload(*(alert(n) for n in range(120)))), NOW)

    assert answer["accepted"] == sum(len(message["alerts"]) for message in server.messages) == 120


async def test_a_huge_text_is_cut_and_says_so(server: Server, intake: Intake) -> None:
    """A document in an annotation does not stop the alert that carries it."""
    await intake.take(read(payload(alert(0, annotations={"summary": "x" * 3_000_000}))), NOW)
    summary = server.messages[0]["alerts"][0]["annotations"]["summary"]

    assert summary.endswith("… (3000000 characters in all)")
    assert len(summary) < 3_000


def test_batches_are_small_enough_for_one_signal_each() -> None:
    """Large alerts travel in smaller company."""
    large = [alert(n, annotations={"summary": "x" * 60_000}) for n in range(10)]

    known = json.dumps({"runbook": "x" * 90_000})

    assert [len(batch) for batch, _ in batches([(each, "{}") for each in large])] == [3, 3, 3, 1]
    assert [(len(batch), len(table)) for batch, table in batches([(each, known) for each in large])] == [(1, 1)] * 10
    assert [(len(batch), len(table)) for batch, table in batches([(alert(n), known) for n in range(10)])] == [(10, 1)]
    assert all(len(json.dumps(batch)) < BYTES_A_SIGNAL + 1_000 for batch in batches([(each, known) for each in large]))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (payload(version="3"), "version"),
        (payload(groupKey=""), "groupKey"),
        (payload(status="perhaps"), "status"),
        (payload(alerts="many"), "alerts"),
        (payload(alerts=[]), "alerts"),
        (payload({"labels": {}}), "alerts"),
        ({"version": "4"}, "groupKey"),
        ({}, "version"),
    ],
)
def test_a_payload_of_which_nothing_can_be_used_is_refused(body: dict[str, Any], field: str) -> None:
    """What is no payload of version 4 is a mistake that names the field."""
    with pytest.raises(Unreadable) as refused:
        read(body)

    assert refused.value.problems[0]["field"] == field
