"""`tocsin doctor --end-to-end`: a test alert through the whole chain, as a drill, and away with it again.

It goes in where alerts go in: through Alertmanager, where one is configured, so that its route and its webhook are
tried as well; else at the door. What comes out is an incident that is marked as a drill, with its first message told.
Whoever asked for the test dismisses it: no door takes a command in another name.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import structlog

from integrations.monitoring import alertmanager
from starter.desk import Desk
from starter.health import Finding
from starter.problems import Problem
from starter.reading import Filters
from starter.webhooks import Intake

log = structlog.get_logger()

SERVICE = "tocsin-doctor"
WITHIN_DOOR = 15.0
WITHIN_ALERTMANAGER = 90.0
"""Seconds: Alertmanager gathers a new group for `group_wait`, thirty seconds as shipped, before it posts."""

TOLD_WITHIN = 20.0
LOOK = 0.25

Post = Callable[[list[dict[str, Any]]], Awaitable[None]]


def test_alert(token: str, now: datetime) -> dict[str, Any]:
    """An alert that says what it is; the token is in its name, so that it can be told from another doctor's."""
    return {
        "labels": {"alertname": f"TocsinTest-{token}", "service": SERVICE, "severity": "info", "drill": "true"},
        "annotations": {"summary": "A test of the chain from monitoring to the incident. Nothing is wrong, and nothing needs to be done."},
        "startsAt": now.isoformat(),
    }


class EndToEnd:
    """Sends the test alert and follows it. `post` hands it to Alertmanager; None: it goes in at this door."""

    def __init__(self, desk: Desk, intake: Intake, post: Post | None = None) -> None:
        self._desk = desk
        self._intake = intake
        self._post = post

    async def run(self) -> list[Finding]:
        """Each step with what was found; the first one that fails is the last."""
        token = uuid.uuid4().hex[:8]
        alert = test_alert(token, datetime.now(UTC))
        sent = await self._send(alert)
        if not sent.ok:
            return [sent]
        within = WITHIN_DOOR if self._post is None else WITHIN_ALERTMANAGER
        incident = await _until(lambda: self._incident(token), within)
        if incident is None:
            fix = "Look at the worker (tocsin doctor); through Alertmanager, look at its route and the address of its webhook."
            return [sent, Finding(name="test incident", ok=False, detail=f"no incident opened within {within:g} s", fix=fix)]
        opened = Finding(name="test incident", ok=True, detail=f"{incident} opened, as a drill")
        told = await _until(lambda: self._told(incident), TOLD_WITHIN)
        delivery = Finding(name="test delivery", ok=bool(told), detail=told or f"nothing was delivered within {TOLD_WITHIN:g} s", fix=None)
        if not told:
            delivery = delivery.model_copy(update={"fix": f"tocsin deliveries {incident} shows what waits, and for what."})
        return [sent, opened, delivery, await self._cleared(incident, alert)]

    async def _send(self, alert: dict[str, Any]) -> Finding:
        way = "at this door" if self._post is None else "through Alertmanager"
        try:
            await (self._at_the_door(alert, "firing") if self._post is None else self._post([alert]))
        except (Problem, httpx2.HTTPError) as error:
            fix = "Check TOCSIN_ALERTMANAGER_URL." if self._post is not None else "See the other findings (tocsin doctor)."
            return Finding(name="test alert", ok=False, detail=f"it could not be sent {way}: {type(error).__name__}", fix=fix)
        return Finding(name="test alert", ok=True, detail=f"sent {way}")

    async def _at_the_door(self, alert: dict[str, Any], status: str) -> None:
        name = alert["labels"]["alertname"]
        payload = {"version": "4", "groupKey": f"doctor:{name}", "status": status, "alerts": [{"status": status, **alert}]}
        await self._intake.take(alertmanager.read(payload), datetime.now(UTC))

    async def _incident(self, token: str) -> str | None:
        rows = await self._desk.listing(Filters(open=True, drill=True))
        return next((str(row["incident"]) for row in rows if token in str(row["title"])), None)

    async def _told(self, incident: str) -> str | None:
        deliveries = (await self._desk.state(incident))["deliveries"]
        return f"{deliveries['delivered']} message(s) delivered" if deliveries["delivered"] else None

    async def _cleared(self, incident: str, alert: dict[str, Any]) -> Finding:
        """The incident is dismissed and the alert ended, so that nothing is left."""
        over = {**alert, "endsAt": (datetime.now(UTC) - timedelta(seconds=1)).isoformat()}
        reason = "the doctor's own test alert has arrived; nothing was wrong"
        try:
            answer = await self._desk.command(incident, "dismiss", {"reason": reason, "as": "false_alarm"})
            await (self._at_the_door(over, "resolved") if self._post is None else self._post([over]))
        except (Problem, httpx2.HTTPError) as error:
            detail = f"{incident} could not be cleared away: {type(error).__name__}"
            return Finding(name="test dismissed", ok=False, detail=detail, fix=f"Dismiss it: tocsin dismiss {incident} --as false_alarm")
        return Finding(name="test dismissed", ok=bool(answer["accepted"]), detail=f"{incident} dismissed")


async def _until(seen: Callable[[], Awaitable[str | None]], within: float) -> str | None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    while loop.time() < deadline:
        try:
            found = await seen()
        except Problem as problem:
            log.info("not yet", cause=problem.detail)
            found = None
        if found is not None:
            return found
        await asyncio.sleep(LOOK)
    return None


def posting_to(alertmanager: str, token: str | None = None) -> Post:
    """Hand alerts to Alertmanager as Prometheus does."""

    async def post(alerts: list[dict[str, Any]]) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with httpx2.AsyncClient(timeout=8, headers=headers) as client:
            response = await client.post(f"{alertmanager.rstrip('/')}/api/v2/alerts", json=alerts)
            response.raise_for_status()

    return post
