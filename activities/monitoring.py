"""Monitoring, as Temporal sees it: look up what the checklist asks, and sample what verification goes by."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from temporalio import activity

from activities.failures import translated
from incident import evidence
from incident.deployments import Deployment
from incident.effects import Delivery, LookUp, Receipt
from incident.evidence import FINDING_LINES, LINE_LENGTH, POINTS_KEPT, FiringNow, Measured, SampleReport, SampleRequest
from incident.queries import Query
from incident.routing import PRODUCTION, SERVICE_LABELS
from integrations.errors import IntegrationError, Rejected
from integrations.ports import Deployments, FiringAlert, KnownIssues, Monitoring

Answer = dict[str, object]


class MonitoringActivities:
    """Ask monitoring, the deployments and the ticket board; each is optional but the first."""

    def __init__(self, monitoring: Monitoring, deployments: Deployments | None = None, issues: KnownIssues | None = None) -> None:
        self._monitoring = monitoring
        self._deployments = deployments
        self._issues = issues

    @activity.defn(name="look_up")
    async def look_up(self, delivery: Delivery) -> Receipt:
        """Answer every question that can be answered; the others say why not, and nobody waits for them."""
        ask = delivery.ask
        if not isinstance(ask, LookUp):
            raise Rejected(f"{delivery.key} is no look-up but {ask.action}")
        found = await asyncio.gather(*(self._answered(question, ask) for question in ask.questions))
        return Receipt(reference="looked up", detail={"findings": list(found)})

    async def _answered(self, question: str, ask: LookUp) -> Answer:
        answers: dict[str, Callable[[LookUp], Awaitable[Answer]]] = {
            "related_alerts": self._related_alerts,
            "deployments": self._recent_deployments,
            "known_issues": self._known_issues,
            "signals": self._signals,
        }
        if not ask.services and question != "signals":
            return _unknown(question, "no service is named yet (describe)")
        try:
            return await answers[question](ask)
        except IntegrationError as error:
            return _unknown(question, str(error))

    async def _related_alerts(self, ask: LookUp) -> Answer:
        firing = await self._monitoring.firing_alerts(ask.services)
        others = [alert for alert in firing if alert.fingerprint not in ask.known_alerts]
        if not others:
            text = f"no other alert of {_names(ask.services)} fires: it looks isolated"
        else:
            text = f"{len(others)} more fire for {_names(ask.services)}: it may be part of something larger"
        return _finding("related_alerts", text, [_alert_line(alert) for alert in others])

    async def _recent_deployments(self, ask: LookUp) -> Answer:
        if self._deployments is None:
            return _unknown("deployments", "no source of deployments is configured (TOCSIN_DEPLOYMENTS_QUERY)")
        since = ask.since - DEPLOYED_SINCE
        found = await self._deployments.recent(ask.services, since, ask.until)
        text = f"{len(found)} since {since:%Y-%m-%d %H:%M} UTC" if found else f"none since {since:%Y-%m-%d %H:%M} UTC"
        return _finding("deployments", text, [_deployment_line(one) for one in found])

    async def _known_issues(self, ask: LookUp) -> Answer:
        if self._issues is None:
            return _unknown("known_issues", "Tocsin does not search this ticket system; look there, and say what you found (correct)")
        found = await self._issues.open_about(ask.services)
        text = f"{len(found)} open ticket(s) name {_names(ask.services)}" if found else f"no open ticket names {_names(ask.services)}"
        return _finding("known_issues", text, [f"{one.reference} {one.title}" for one in found])

    async def _signals(self, ask: LookUp) -> Answer:
        every = max((ask.until - ask.since) / POINTS_KEPT, timedelta(seconds=1))
        measured = []
        lines = []
        for query in ask.queries:
            points = await self._monitoring.measure(query, ask.since, ask.until, every)
            measured.append(Measured(query=query.name, points=evidence.thinned(points, query)).model_dump(mode="json"))
            lines.append(evidence.newest(points, query))
        return _finding("signals", "; ".join(lines) or "nothing is measured", [], pictures=measured)

    @activity.defn(name="sample")
    async def sample(self, request: SampleRequest) -> SampleReport:
        """Fetch every query's samples since the last look, the baselines that are missing, and what fires now."""
        with translated():
            firing, measured = await asyncio.gather(
                self._monitoring.firing_alerts(request.services),
                asyncio.gather(*(self._measured(query, request) for query in request.queries)),
            )
        return SampleReport(measured=tuple(measured), firing=tuple(_firing_now(alert) for alert in firing[:FIRING_AT_MOST]))

    async def _measured(self, query: Query, request: SampleRequest) -> Measured:
        points = await self._monitoring.measure(query, request.since, request.until, _spaced(request.since, request.until, request.every))
        known = None
        if query.name in request.baseline_of and request.baseline_since is not None and request.baseline_until is not None:
            since, until = request.baseline_since, request.baseline_until
            before = await self._monitoring.measure(query, since, until, _spaced(since, until, request.every))
            known = evidence.baseline(before, query, since, until, request.baseline_tolerance)
        return Measured(query=query.name, points=points, baseline=known)


DEPLOYED_SINCE = timedelta(hours=23, minutes=30)
"""With the half hour that a look-up goes back anyway, a day before the trouble began."""

FIRING_AT_MOST = 100
"""Alerts of one report: its readers want names and a count."""

POINTS_AT_MOST = 240
"""Samples of one query in one report: an hour of them. A look that goes back farther takes them farther apart, and where that is
farther than a gap may be, it is one."""


def _spaced(since: datetime, until: datetime, every: timedelta) -> timedelta:
    return max(every, (until - since) / POINTS_AT_MOST)


def _firing_now(alert: FiringAlert) -> FiringNow:
    return FiringNow(
        fingerprint=alert.fingerprint,
        name=alert.name[:LINE_LENGTH],
        starts_at=alert.starts_at,
        service=next((alert.labels[label][:LINE_LENGTH] for label in SERVICE_LABELS if alert.labels.get(label)), ""),
        silenced=alert.silenced,
    )


def _alert_line(alert: FiringAlert) -> str:
    muted = ", silenced" if alert.silenced else ""
    return f"{alert.name}{muted} since {alert.starts_at:%H:%M} UTC" + (f": {alert.summary}" if alert.summary else "")


def _deployment_line(one: Deployment) -> str:
    who, why = f" by {one.by}" if one.by else "", f": {one.summary}" if one.summary else ""
    where = f" in {one.environment}" if one.environment != PRODUCTION else ""
    return f"{one.at:%Y-%m-%d %H:%M} UTC {one.service} {one.version}{where}{who}{why}"


def _names(services: tuple[str, ...]) -> str:
    return ", ".join(services[:5]) + (f" and {len(services) - 5} more" if len(services) > 5 else "")


def _finding(id: str, text: str, lines: list[str], pictures: list[dict[str, object]] | None = None) -> Answer:
    shown = [" ".join(line.split())[:LINE_LENGTH] for line in lines[:FINDING_LINES]]
    if len(lines) > FINDING_LINES:
        shown.append(f"and {len(lines) - FINDING_LINES} more")
    return {"id": id, "looked_up": True, "text": text[:1_000], "lines": shown, "pictures": pictures or []}


def _unknown(id: str, why: str) -> Answer:
    return {"id": id, "looked_up": False, "text": f"could not be looked up: {why[:LINE_LENGTH]}"}
