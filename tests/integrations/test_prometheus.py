# ruff: noqa: SIM300 - the house writes what is expected first
"""Prometheus and Alertmanager as they answer: their own payloads, and each way in which they say no."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from incident.queries import Query
from integrations.errors import IntegrationError, NotFound, Rejected, Unauthorized, Unavailable
from integrations.monitoring.none import NoMonitoring
from integrations.monitoring.prometheus import BODY_LIMIT, PrometheusDeployments, PrometheusMonitoring, Web

SINCE = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
UNTIL = SINCE + timedelta(seconds=60)
EVERY = timedelta(seconds=15)
QUERY = Query(name="error_ratio", expression="app_error_ratio")

Answering = Callable[[httpx2.Request], httpx2.Response]


def web(answering: Answering, token: str | None = None, name: str = "Prometheus") -> Web:
    return Web(name, "http://prometheus.test/", token, httpx2.MockTransport(answering))


def always(status: int = 200, body: Any = None, **headers: str) -> Answering:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return lambda _: httpx2.Response(status, content=content, headers=headers)


def matrix(*series: list[tuple[float, str]]) -> dict[str, Any]:
    result = [{"metric": {"instance": str(number)}, "values": values} for number, values in enumerate(series)]
    return {"status": "success", "data": {"resultType": "matrix", "result": result}}


def at(second: float) -> float:
    return SINCE.timestamp() + second


async def test_a_query_is_asked_for_the_moments_between_two_looks() -> None:
    """From one sample after the last look up to this one, in Prometheus's own seconds."""
    seen: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200, json=matrix([(at(15), "0.1"), (at(30.0004), "0.2"), (at(60), "0.4")]))

    points = await PrometheusMonitoring(web(answer, token="s3cret")).measure(QUERY, SINCE, UNTIL, EVERY)
    asked = seen[0]

    assert ("/api/v1/query_range", "Bearer s3cret") == (asked.url.path, asked.headers["Authorization"])
    assert {"query": "app_error_ratio", "step": "15.000", "timeout": "7s"} == {
        name: value for name, value in asked.url.params.items() if name not in ("start", "end")
    }
    assert (f"{at(15):.3f}", f"{at(67.5):.3f}") == (asked.url.params["start"], asked.url.params["end"])
    assert [0.1, 0.2, None, 0.4] == [value for _, value in points]
    assert [15, 30, 45, 60] == [(moment - SINCE).total_seconds() for moment, _ in points]


@pytest.mark.parametrize("length", [1_803.137, 1_800.03, 59.9999, 3_601.5, 1_830.0301])
async def test_the_newest_moment_is_asked_for_however_the_steps_are_rounded(length: float) -> None:
    """Prometheus steps from the start in milliseconds; the last of its steps is the newest moment, and there is none after it."""
    seen: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        start, end, step = (float(request.url.params[name]) for name in ("start", "end", "step"))
        steps = [start + number * step for number in range(int((end - start) / step + 1e-9) + 1)]
        return httpx2.Response(200, json=matrix([(moment, str(number)) for number, moment in enumerate(steps)]))

    until = SINCE + timedelta(seconds=length)
    points = await PrometheusMonitoring(web(answer)).measure(QUERY, SINCE, until, (until - SINCE) / 60)

    assert until == points[-1][0]
    assert [float(number) for number in range(len(points))] == [value for _, value in points]


async def test_the_worst_of_several_series_counts() -> None:
    """An expression that was not aggregated is judged by its worst instance."""
    answer = always(body=matrix([(at(60), "0.1")], [(at(60), "0.7")]))

    assert 0.7 == (await PrometheusMonitoring(web(answer)).measure(QUERY, SINCE, UNTIL, EVERY))[-1][1]


@pytest.mark.parametrize(("text", "value"), [("NaN", None), ("+Inf", 1.7976931348623157e308), ("-Inf", -1.7976931348623157e308)])
async def test_what_is_no_number_is_no_data_and_what_is_infinite_is_largest(text: str, value: float | None) -> None:
    """0/0 is nothing measured; an infinite value survives JSON."""
    points = await PrometheusMonitoring(web(always(body=matrix([(at(60), text)])))).measure(QUERY, SINCE, UNTIL, EVERY)

    assert value == points[-1][1]
    assert value is None or math.isfinite(value)


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (always(400, {"status": "error", "errorType": "bad_data", "error": "parse error: unexpected )"}), Rejected, "unexpected )"),
        (always(422, {"status": "error", "error": "many-to-many matching"}), Rejected, "many-to-many"),
        (always(401, b"nope"), Unauthorized, "401"),
        (always(403, b"nope"), Unauthorized, "403"),
        (always(404, b"page not found"), NotFound, "/api/v1/query_range"),
        (always(503, {"status": "error", "error": "query timed out"}), Unavailable, "timed out"),
        (always(429, b"", **{"Retry-After": "7"}), Unavailable, "429"),
        (always(302, b""), Unavailable, "302"),
        (always(200, b"<html>"), Unavailable, "JSON"),
        (always(200, ["no"]), Unavailable, "shape"),
        (always(200, {"status": "success"}), Unavailable, "shape"),
        (always(200, {"status": "success", "data": {"resultType": "matrix"}}), Unavailable, "shape"),
        (always(200, {"status": "success", "data": {"result": [{"metric": {}, "value": [1, "2"]}]}}), Unavailable, "shape"),
        (always(200, matrix([(at(60), "many")])), Unavailable, "shape"),
        (always(200, {"status": "success", "data": {"result": [{"metric": {}, "histograms": []}]}}), Rejected, "histogram_quantile"),
        (always(200, b"[" * 200_000), Unavailable, "JSON"),
        (always(200, {**matrix([(at(60), "0")]), "warnings": ["remote_read: store-2 refused"]}), Unavailable, "store-2"),
        (always(200, {**matrix([(at(60), "0")]), "isPartial": True}), Unavailable, "part of the data"),
        (always(200, b" " * (BODY_LIMIT + 1)), Rejected, "aggregate"),
        (always(200, matrix(*[[] for _ in range(1_001)])), Rejected, "1001 series"),
    ],
)
async def test_every_way_to_say_no_is_one_of_ours(answer: Answering, error: type[IntegrationError], said: str) -> None:
    """Whether to ask again follows from the kind of error, and the text says what was wrong."""
    with pytest.raises(error) as failure:
        await PrometheusMonitoring(web(answer)).measure(QUERY, SINCE, UNTIL, EVERY)

    assert said in str(failure.value)


async def test_a_word_about_the_query_takes_nothing_from_its_answer() -> None:
    """Prometheus warns of a metric's name that it does not like; all of the data is there."""
    warned = {**matrix([(at(60), "0.1")]), "warnings": ["PromQL info: metric might not be a counter", "PromQL warning: odd bucket"]}

    assert 0.1 == (await PrometheusMonitoring(web(always(body=warned))).measure(QUERY, SINCE, UNTIL, EVERY))[-1][1]


async def test_rules_in_another_shape_are_no_silence() -> None:
    """Without an Alertmanager: an answer that can't be read does not say that nothing fires."""
    for data in ({}, {"alerts": [{"labels": {"service": "checkout"}}]}, {"alerts": None}):
        with pytest.raises(Unavailable, match="shape"):
            await PrometheusMonitoring(web(always(body={"status": "success", "data": data}))).firing_alerts(("checkout",))


async def test_a_word_on_when_to_come_back_is_kept() -> None:
    """A provider that asks to be left alone is left alone."""
    with pytest.raises(Unavailable) as failure:
        await web(always(429, b"", **{"Retry-After": "7"})).get("/x")

    assert timedelta(seconds=7) == failure.value.retry_after


async def test_what_cannot_be_reached_is_unavailable_and_tells_no_secret() -> None:
    """A refused connection may be tried again; the address may hold a password, and is not repeated."""

    def refuse(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused", request=request)

    secret = Web("Prometheus", "http://ana:hunter2@prometheus.test", None, httpx2.MockTransport(refuse))
    with pytest.raises(Unavailable) as failure:
        await secret.get("/x")

    assert "hunter2" not in str(failure.value)
    assert "ConnectError" in str(failure.value)


def alerts_of(*names: str, state: str = "active") -> list[dict[str, Any]]:
    return [
        {
            "fingerprint": name,
            "startsAt": "2026-11-24T03:00:00.123Z",
            "labels": {"alertname": name, "service": "checkout"},
            "annotations": {"summary": "slow"},
            "status": {"state": state, "inhibitedBy": [], "silencedBy": []},
        }
        for name in names
    ]


async def test_alertmanager_is_asked_for_the_services_and_silences_do_not_hide() -> None:
    """A silenced alert fires all the same; a service's name is a name, not an expression."""
    seen: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200, json=[*alerts_of("PaymentsSlow"), *alerts_of("Muted", state="suppressed")])

    monitoring = PrometheusMonitoring(web(always()), web(answer, name="Alertmanager"))
    found = await monitoring.firing_alerts(("checkout", 'a.b"|c'))

    assert [("PaymentsSlow", False), ("Muted", True)] == [(alert.name, alert.silenced) for alert in found]
    assert 'service=~"checkout|a\\\\.b\\"\\\\|c"' == seen[0].url.params["filter"]
    assert ("true", "true") == (seen[0].url.params["silenced"], seen[0].url.params["inhibited"])


async def test_an_alertmanager_of_another_shape_is_no_silence() -> None:
    """An answer that can't be read never means that nothing fires."""
    bodies: tuple[Any, ...] = ({"status": "success", "data": []}, [{"labels": {}}], [None])
    for body in bodies:
        with pytest.raises(Unavailable):
            await PrometheusMonitoring(web(always()), web(always(body=body))).firing_alerts(("checkout",))


async def test_without_an_alertmanager_the_rules_say_what_fires() -> None:
    """Pending alerts, and those of other services, do not count."""
    rules = [
        {"labels": {"alertname": name, "service": service}, "annotations": {}, "state": state, "activeAt": "2026-11-24T03:00:00.1Z"}
        for name, service, state in (("A", "checkout", "firing"), ("B", "checkout", "pending"), ("C", "search", "firing"))
    ]
    found = await PrometheusMonitoring(web(always(body={"status": "success", "data": {"alerts": rules}}))).firing_alerts(("checkout",))

    assert ["A"] == [alert.name for alert in found]


async def test_nothing_is_asked_for_no_service() -> None:
    """An empty filter would match everything that fires anywhere."""
    assert () == await PrometheusMonitoring(web(always(500)), web(always(500))).firing_alerts(())


async def test_deployments_are_a_metric_of_times() -> None:
    """The newest first, of the services asked for, within the time asked for."""

    def deployed(service: str, version: str, seconds: float) -> dict[str, Any]:
        values = [[at(0), str(at(seconds))], [at(60), str(at(seconds))]]
        return {"metric": {"service": service, "version": version, "by": "ben"}, "values": values}

    result = [
        deployed("checkout", "v247", -7_200),
        deployed("checkout", "v248", -60),
        deployed("search", "v9", -60),
        deployed("checkout", "v1", -900_000),
        {"metric": {"service": "checkout"}, "values": [[at(60), "NaN"]]},
    ]
    answer = always(body={"status": "success", "data": {"resultType": "matrix", "result": result}})
    found = await PrometheusDeployments(web(answer), "deployed_at").recent(("checkout",), SINCE - timedelta(days=1), UNTIL)

    assert [("v248", "ben"), ("v247", "ben")] == [(one.version, one.by) for one in found]


async def test_no_monitoring_says_which_setting_is_missing() -> None:
    """What can't be measured is never taken for well."""
    for asking in (NoMonitoring().firing_alerts(("checkout",)), NoMonitoring().measure(QUERY, SINCE, UNTIL, EVERY)):
        with pytest.raises(Unavailable, match="TOCSIN_PROMETHEUS_URL"):
            await asking


@pytest.mark.skipif(not os.environ.get("TOCSIN_SPECS"), reason="TOCSIN_SPECS names no folder with captured payloads")
async def test_captured_answers_are_read() -> None:
    """What a real Prometheus 2.42 and Alertmanager 0.25 have answered."""
    folder = Path(os.environ["TOCSIN_SPECS"]) / "alertmanager"
    alerts = json.loads((folder / "api-am_v2_alerts.json").read_text())
    rules = json.loads((folder / "api-prom_alerts.json").read_text())
    ranged = json.loads((folder / "api-prom_range.json").read_text())
    first = ranged["data"]["result"][0]["values"]
    since = datetime.fromtimestamp(first[0][0], UTC) - timedelta(seconds=1)
    until = datetime.fromtimestamp(first[-1][0], UTC)

    by_alertmanager = await PrometheusMonitoring(web(always()), web(always(body=alerts))).firing_alerts(("checkout",))
    by_rules = await PrometheusMonitoring(web(always(body=rules))).firing_alerts(("checkout",))
    points = await PrometheusMonitoring(web(always(body=ranged))).measure(QUERY, since, until, timedelta(seconds=1))

    assert ["HighErrorRate"] * 2 == [alert.name for alert in by_alertmanager] == [alert.name for alert in by_rules]
    assert len(first) == len([value for _, value in points if value is not None])
