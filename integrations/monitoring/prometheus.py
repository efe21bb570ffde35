"""Prometheus, for measurements and deployments, and Alertmanager, for what fires. Reading only, by GET.

Without an Alertmanager, Prometheus itself says which of its rules fire. One series is one point a moment; of several the
worst counts. NaN is no data (Prometheus says it for 0/0); an infinite value is the largest there is. An answer that calls
itself a part of the whole is none: what is bad may be in the other part.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2

from incident.commands import LINE_LIMIT
from incident.deployments import Deployment
from incident.evidence import Point, moments, worst_series
from incident.queries import Query
from integrations.errors import NotFound, Rejected, Unauthorized, Unavailable
from integrations.ports import FiringAlert

TIMEOUT = 8.0
"""Seconds for one question; the port's own limit is ten."""

BODY_LIMIT = 8_000_000
"""Bytes of one answer. More is a query that forgot to aggregate."""

SERIES_LIMIT = 1_000

DEPLOYMENTS_AT_MOST = 20
DEPLOYMENTS_EVERY = timedelta(minutes=1)
DEPLOYMENTS_STEPS = 2_000
"""How closely a day is looked through for deployments; Prometheus answers 11,000 steps at most."""

_SPECIAL = frozenset("\\.+*?()|[]{}^$")


ANOTHER_SHAPE = "Prometheus answered in another shape than version 1 of its API"


class Web:
    """One HTTP API that answers JSON. `token` is sent as a bearer token; a user and password may stand in the address."""

    def __init__(self, name: str, url: str, token: str | None = None, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        self._name = name
        self._url = url.rstrip("/")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._client = httpx2.AsyncClient(timeout=TIMEOUT, headers=headers, transport=transport)

    async def close(self) -> None:
        await self._client.aclose()

    async def get(self, path: str, **parameters: Any) -> Any:
        """The answer's JSON.

        Raises:
            Unavailable: it can't be reached, is overloaded, or answers no JSON.
            Rejected, Unauthorized, NotFound: it says no.
        """
        try:
            async with asyncio.timeout(TIMEOUT), self._client.stream("GET", self._url + path, params=parameters) as response:
                body = await self._body(response)
        except (httpx2.HTTPError, TimeoutError) as error:
            raise Unavailable(f"{self._name} can't be reached for {path}: {type(error).__name__}") from error
        status = response.status_code
        if status == 200:
            return self._json(body, path)
        said = self._said(body)
        if status in (401, 403):
            raise Unauthorized(f"{self._name} refuses the credentials for {path} ({status}): renew TOCSIN_MONITORING_TOKEN")
        if status == 404:
            raise NotFound(f"{self._name} has no {path} (404); check its address")
        if status in (400, 422):
            raise Rejected(f"{self._name} can't answer {path} ({status}): {said}")
        raise Unavailable(f"{self._name} answered {path} with {status}: {said}", retry_after=_retry_after(response))

    async def _body(self, response: httpx2.Response) -> bytes:
        parts: list[bytes] = []
        size = 0
        async for part in response.aiter_bytes():
            size += len(part)
            if size > BODY_LIMIT:
                raise Rejected(f"{self._name} answered with more than {BODY_LIMIT // 1_000_000} MB; aggregate the query")
            parts.append(part)
        return b"".join(parts)

    def _json(self, body: bytes, path: str) -> Any:
        try:
            return json.loads(body)
        except (ValueError, RecursionError) as error:
            raise Unavailable(f"{self._name} answered {path} with something else than JSON") from error

    def _said(self, body: bytes) -> str:
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            answer = None
        text = answer.get("error") if isinstance(answer, dict) else answer if isinstance(answer, str) else None
        return str(text or "it gave no reason")[:300]


def _retry_after(response: httpx2.Response) -> timedelta | None:
    value = response.headers.get("Retry-After", "")
    return timedelta(seconds=int(value)) if value.isdecimal() and len(value) < 7 else None


class PrometheusMonitoring:
    """Measurements from Prometheus; what fires from Alertmanager, or from Prometheus where there is none."""

    def __init__(self, prometheus: Web, alertmanager: Web | None = None, *, service_label: str = "service") -> None:
        self._prometheus = prometheus
        self._alertmanager = alertmanager
        self._label = service_label

    async def firing_alerts(self, services: tuple[str, ...]) -> tuple[FiringAlert, ...]:
        if not services:
            return ()
        if self._alertmanager is None:
            return await self._firing_by_rules(services)
        wanted = "|".join(_literally(service) for service in services)
        matcher = f'{self._label}=~"{_quoted(wanted)}"'
        found = await self._alertmanager.get("/api/v2/alerts", active="true", silenced="true", inhibited="true", filter=matcher)
        try:
            return tuple(
                FiringAlert(
                    fingerprint=item["fingerprint"],
                    name=item["labels"].get("alertname", "unnamed alert"),
                    starts_at=item["startsAt"],
                    labels=item["labels"],
                    summary=item.get("annotations", {}).get("summary", ""),
                    silenced=item["status"]["state"] == "suppressed",
                )
                for item in found
            )
        except (TypeError, KeyError, ValueError) as error:
            raise Unavailable(f"Alertmanager answered in another shape than version 2 of its API: {type(error).__name__}") from error

    async def _firing_by_rules(self, services: tuple[str, ...]) -> tuple[FiringAlert, ...]:
        data = _data(await self._prometheus.get("/api/v1/alerts"))
        with _shape():
            return tuple(
                FiringAlert(
                    fingerprint=hashlib.sha256(json.dumps(item["labels"], sort_keys=True).encode()).hexdigest()[:16],
                    name=item["labels"].get("alertname", "unnamed alert"),
                    starts_at=item["activeAt"],
                    labels=item["labels"],
                    summary=item.get("annotations", {}).get("summary", ""),
                )
                for item in data["alerts"]
                if item["state"] == "firing" and item["labels"].get(self._label) in services
            )

    async def measure(self, query: Query, since: datetime, until: datetime, every: timedelta) -> tuple[Point, ...]:
        asked = moments(since, until, every)
        step = every.total_seconds()
        answer = await self._prometheus.get(
            "/api/v1/query_range",
            query=query.expression,
            start=f"{asked[0].timestamp():.3f}",
            # Both ends and the step are rounded: without the half step the newest moment may fall out, and an outage is not seen.
            end=f"{asked[-1].timestamp() + step / 2:.3f}",
            step=f"{step:.3f}",
            timeout="7s",
        )
        series = _series(answer)
        if len(series) > SERIES_LIMIT:
            raise Rejected(f"{query.name} yields {len(series)} series; aggregate it")
        if any(isinstance(item, dict) and "histograms" in item for item in series):
            raise Rejected(f"{query.name} yields histograms; ask for one number of them (histogram_quantile)")
        with _shape():
            return worst_series([_points(item["values"], asked, step) for item in series], query, asked)


class PrometheusDeployments:
    """Deployments from a metric whose value is the time of the deployment, in seconds, and whose labels say what.

    `expression` may be any query of that shape, such as `deployment_timestamp_seconds`; of its labels `service_label`,
    `version`, `by` and `note` are read. The whole time is looked through, since what has died exports nothing any more.
    """

    def __init__(self, prometheus: Web, expression: str, *, service_label: str = "service") -> None:
        self._prometheus = prometheus
        self._expression = expression
        self._label = service_label

    async def recent(self, services: tuple[str, ...], since: datetime, until: datetime) -> tuple[Deployment, ...]:
        answer = await self._prometheus.get(
            "/api/v1/query_range",
            query=self._expression,
            start=f"{since.timestamp():.3f}",
            end=f"{until.timestamp():.3f}",
            step=f"{max(DEPLOYMENTS_EVERY, (until - since) / DEPLOYMENTS_STEPS).total_seconds():.3f}",
            timeout="7s",
        )
        found: dict[tuple[str, str, datetime], Deployment] = {}
        with _shape():
            for item in _series(answer):
                labels = item["metric"]
                service, version = labels.get(self._label, ""), _line(labels.get("version", "")) or "unknown version"
                if service not in services:
                    continue
                for at in {_moment(_value(value)) for _, value in item["values"]}:
                    if at is not None and since <= at <= until:
                        by, summary = _line(labels.get("by", "")) or None, _line(labels.get("note", "")) or None
                        found[service, version, at] = Deployment(service=service, version=version, at=at, by=by, summary=summary)
        return tuple(sorted(found.values(), key=lambda one: one.at, reverse=True)[:DEPLOYMENTS_AT_MOST])


def _line(text: str) -> str:
    """A label's value as a line that can be kept."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:LINE_LIMIT].strip()


def _data(answer: Any) -> dict[str, Any]:
    if not isinstance(answer, dict) or answer.get("status") != "success" or not isinstance(answer.get("data"), dict):
        raise Unavailable(ANOTHER_SHAPE)
    warnings = answer.get("warnings")
    lacks = [str(said)[:200] for said in warnings if not str(said).startswith("PromQL ")] if isinstance(warnings, list) else []
    if lacks or answer.get("isPartial") is True:
        raise Unavailable(f"Prometheus answered with a part of the data only: {'; '.join(lacks[:3]) or 'isPartial'}")
    data: dict[str, Any] = answer["data"]
    return data


def _series(answer: Any) -> list[Any]:
    series = _data(answer).get("result")
    if not isinstance(series, list):
        raise Unavailable(ANOTHER_SHAPE)
    return series


@contextmanager
def _shape() -> Iterator[None]:
    """Take what is missing or of another kind for an answer that can't be read, which is no silence and no green."""
    try:
        yield
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise Unavailable(f"{ANOTHER_SHAPE}: {type(error).__name__}") from error


def _points(values: Iterable[tuple[float, str]], asked: tuple[datetime, ...], step: float) -> list[Point]:
    """The series' values at the moments that were asked for; Prometheus gives the times back rounded."""
    first = asked[0].timestamp()
    found: list[Point] = []
    for at, value in values:
        number = round((float(at) - first) / step)
        if 0 <= number < len(asked):
            found.append((asked[number], _value(value)))
    return found


def _value(text: str) -> float | None:
    value = float(text)
    if math.isnan(value):
        return None
    return math.copysign(sys.float_info.max, value) if math.isinf(value) else value


def _moment(seconds: float | None) -> datetime | None:
    if seconds is None or not 0 < seconds < 2**33:
        return None
    return datetime.fromtimestamp(seconds, UTC)


def _literally(text: str) -> str:
    """`text` in a regular expression of Alertmanager's."""
    return "".join(f"\\{character}" if character in _SPECIAL else character for character in text)


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
