"""A status page with what was published on it, told by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from incident.vocabulary import PublicStatus, Severity
from integrations.statuspage.published import Component, ComponentRule, Layout, PublicIncident, PublicPage, PublicUpdate, components

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)

NAMES = ("Checkout", "Search", "Sign-in", "Mail", "API", "Webhooks", "Dashboard", "Mobile app", "Imports", "Billing")

LAYOUT = Layout(
    name="Example",
    url="https://status.example.org",
    components=tuple(ComponentRule(name=name, group="Shop" if number < 4 else "Platform") for number, name in enumerate(NAMES)),
)

STEPS = (PublicStatus.INVESTIGATING, PublicStatus.IDENTIFIED)


def told(
    incident: str = "INC-2026-0041",
    title: str = "Checkout fails in Europe",
    *,
    began: datetime = NOW - timedelta(minutes=50),
    severity: Severity = Severity.SEV1,
    names: tuple[str, ...] = ("Checkout",),
    texts: tuple[str, ...] = ("We are looking into it.",),
    over: bool = False,
    next_update_in: timedelta | None = timedelta(minutes=30),
) -> PublicIncident:
    """An incident with an update every ten minutes, the last of which resolves it where it is `over`."""
    steps = [*STEPS, *[PublicStatus.MONITORING] * len(texts)][: len(texts)]
    if over:
        steps[-1] = PublicStatus.RESOLVED
    updates = [
        PublicUpdate(at=began + timedelta(minutes=10 * number), status=step, text=text, severity=severity, components=names)
        for number, (step, text) in enumerate(zip(steps, texts, strict=True))
    ]
    last = updates[-1]
    return PublicIncident(
        incident=incident,
        title=title,
        status=last.status,
        severity=severity,
        components=names,
        started_at=began,
        updated_at=last.at,
        resolved_at=last.at if over else None,
        next_update_by=last.at + next_update_in if next_update_in is not None and not over else None,
        updates=tuple(reversed(updates)),
    )


def showing(*incidents: PublicIncident, layout: Layout = LAYOUT, now: datetime = NOW) -> PublicPage:
    """The page with these incidents on it."""
    current = tuple(incident for incident in incidents if incident.resolved_at is None)
    past = tuple(incident for incident in incidents if incident.resolved_at is not None)
    shown: tuple[Component, ...] = components(layout, current, past)
    return PublicPage(at=now, current=current, past=past, components=shown, since=now - timedelta(days=60))
