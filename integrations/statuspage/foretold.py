"""The public page as it would be with one publication more."""

from __future__ import annotations

from datetime import datetime

from incident.effects import Publish
from incident.vocabulary import PublicStatus
from integrations.statuspage.published import Layout, PublicIncident, PublicPage, PublicUpdate, components


def foretold(page: PublicPage, layout: Layout, incident: str, ask: Publish, now: datetime) -> PublicPage:
    """`page` once `ask` is on it, told at `now`. Nothing is written."""
    known = next((one for one in (*page.current, *page.past) if one.incident == incident), None)
    named = layout.named(ask.components)
    update = PublicUpdate(
        at=now, status=ask.status, text=ask.body, severity=ask.severity, components=named, next_update_by=ask.next_update_by
    )
    shown = PublicIncident(
        incident=incident,
        title=ask.title,
        status=ask.status,
        severity=ask.severity,
        components=named,
        started_at=known.started_at if known is not None else now,
        updated_at=now,
        resolved_at=now if ask.status is PublicStatus.RESOLVED else None,
        next_update_by=ask.next_update_by,
        updates=(update, *(known.updates if known is not None else ())),
    )
    others = [one for one in (*page.current, *page.past) if one.incident != incident]
    incidents = sorted([shown, *others], key=lambda one: one.started_at, reverse=True)
    current = tuple(one for one in incidents if one.resolved_at is None)
    past = tuple(one for one in incidents if one.resolved_at is not None)
    return PublicPage(at=now, current=current, past=past, components=components(layout, current, past), since=page.since or now)
