"""What is due when.

`planned` derives every clock from the facts of the incident, so that a changed severity, a reopening or a new
run is a recomputation from those facts: cadences count from the last update, not from the change. A clock whose
facts have not moved keeps its memory of what it has already said. `due` tells which clocks speak at a moment,
and `next_wake` when somebody has to look again.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from incident.evidence import binds, watched
from incident.model import Clock, ClockState, Incident
from incident.vocabulary import Phase

ACKNOWLEDGE = "acknowledge"
INTERNAL_UPDATE = "internal_update"
EXTERNAL_UPDATE = "external_update"
STATUS_PAGE = "status_page"
NOTIFY_EXECUTIVES = "notify_executives"
VERIFICATION = "verification"
RESOLUTION = "resolution"
POSTMORTEM = "postmortem"
CHANGE_DOCUMENTATION = "change_documentation"
MONITORING = "monitoring"
ACTION_ITEM = "action_item:"
DISPATCH = "dispatch:"
DRIFT = "drift:"

PUBLIC = frozenset({STATUS_PAGE, "components"})
"""Contradictions that the public can see; they are the communications lead's."""

DRIFT_WITHIN = timedelta(minutes=30)
"""How long an outside system may go on showing something else before somebody is asked: an edit by hand takes minutes."""

LABELS = {
    ACKNOWLEDGE: "acknowledgement",
    INTERNAL_UPDATE: "internal update",
    EXTERNAL_UPDATE: "external update",
    STATUS_PAGE: "first status-page post",
    NOTIFY_EXECUTIVES: "telling the executives",
    VERIFICATION: "verification period",
    RESOLUTION: "resolution",
    POSTMORTEM: "post-mortem",
    CHANGE_DOCUMENTATION: "documentation of the change",
    MONITORING: "reaching monitoring",
}

CADENCES = frozenset({INTERNAL_UPDATE, EXTERNAL_UPDATE})


def label(name: str) -> str:
    """What people call the clock."""
    if name.startswith(ACTION_ITEM):
        return f"action item {name.removeprefix(ACTION_ITEM)}"
    if name.startswith(DISPATCH):
        return f"report of dispatch {name.removeprefix(DISPATCH)}"
    if name.startswith(DRIFT):
        return f"contradiction at the {name.removeprefix(DRIFT).replace('_', ' ')}"
    return LABELS.get(name, name)


TITLE_SHOWN = 60
"""Characters of what an action item says beside its clock; the whole of it stands in the list of items."""


def titled(incident: Incident, name: str) -> str:
    """What people call the clock of this incident: an action item by what it says."""
    item = next((each for each in incident.action_items if f"{ACTION_ITEM}{each.id}" == name), None)
    if item is None:
        return label(name)
    said = " ".join(item.item.split())
    return f"{item.id}: {said if len(said) <= TITLE_SHOWN else f'{said[:TITLE_SHOWN].rstrip()}…'}"


class Wanted(NamedTuple):
    """One obligation as the facts ask for it. `due` None: it waits for something (paused)."""

    name: str
    owner: str
    since: datetime
    due: datetime | None
    met_at: datetime | None = None
    met_by: str | None = None
    remind: bool = True
    silent: bool = False


def planned(incident: Incident, at: datetime) -> dict[str, Clock]:
    """All clocks of the incident at `at`, the met ones among them; what is no longer owed is left out."""
    clocks: dict[str, Clock] = {}
    closed = incident.phase is Phase.CLOSED
    for wanted in _action_items(incident) if closed else _wanted(incident, at):
        if wanted.name not in incident.waived:
            clocks[wanted.name] = _merged(incident.clocks.get(wanted.name), wanted, incident, at)
    for name, clock in incident.clocks.items():
        if clock.state is ClockState.MET and name not in clocks:
            clocks[name] = clock
    return clocks


def _merged(before: Clock | None, wanted: Wanted, incident: Incident, at: datetime) -> Clock:
    if wanted.met_at is not None:
        if before is not None and before.state is ClockState.MET and before.since == wanted.since:
            return before
        fired_at = before.fired_at if before is not None else None
        return Clock(
            name=wanted.name,
            owner=wanted.owner,
            since=wanted.since,
            due=wanted.due,
            state=ClockState.MET,
            met_at=wanted.met_at,
            met_by=wanted.met_by,
            fired_at=fired_at,
            times_missed=before.times_missed if before is not None else 0,
        )
    if wanted.due is None:
        return Clock(name=wanted.name, owner=wanted.owner, since=wanted.since, state=ClockState.PAUSED)
    if before is not None and before.open and before.since == wanted.since:
        speaks = None if wanted.silent else before.escalate_at
        unchanged = before.due == wanted.due and before.owner == wanted.owner
        if unchanged and (wanted.silent == (before.escalate_at is None) or before.state is ClockState.OVERDUE):
            return before
        if before.due == wanted.due and not (before.escalate_at is None and not wanted.silent):
            return before.model_copy(update={"owner": wanted.owner, "escalate_at": speaks})
        if before.state is ClockState.OVERDUE and wanted.due <= at:
            speaks = None if wanted.silent else _no_later(before, incident, at)
            return before.model_copy(update={"owner": wanted.owner, "due": wanted.due, "escalate_at": speaks})
    length = wanted.due - wanted.since
    remind_at = wanted.due - incident.policy.remind_before(length) if wanted.remind and not wanted.silent else None
    return Clock(
        name=wanted.name,
        owner=wanted.owner,
        since=wanted.since,
        due=wanted.due,
        remind_at=remind_at if remind_at is not None and remind_at > at else None,
        escalate_at=None if wanted.silent else max(wanted.due, at),
    )


def _no_later(before: Clock, incident: Incident, at: datetime) -> datetime | None:
    """When a clock that is overdue already speaks again: as it was, or a period of the new severity from now."""
    again = again_after(incident, before.name)
    if before.escalate_at is None or again is None:
        return before.escalate_at
    return min(before.escalate_at, at + again)


def _wanted(incident: Incident, at: datetime) -> Iterator[Wanted]:
    rule = incident.rule
    yield Wanted(
        ACKNOWLEDGE,
        rule.escalation_chain[0],
        incident.opened_at,
        incident.opened_at + rule.acknowledge_within,
        met_at=incident.acknowledged_at,
        met_by=incident.acknowledged_by,
        remind=False,
    )
    if incident.declared_at is not None:
        yield from _while_it_burns(incident, incident.declared_at, at)
    if incident.phase is Phase.RESOLUTION and incident.verification > timedelta(0):
        since = incident.verification_since
        yield Wanted(
            VERIFICATION,
            incident.commander or "commander",
            since or incident.phase_entered_at,
            since + incident.verification if since else None,
            met_at=incident.verification_passed_at,
            met_by="the whole period was green",
            remind=False,
            silent=binds(incident),
        )
    yield from _monitoring(incident)
    yield from _afterwards(incident)


def _monitoring(incident: Incident) -> Iterator[Wanted]:
    """Verification waits for monitoring that can't be reached, so reaching it is owed."""
    lost, watching = incident.monitoring_lost_at, watched(incident)
    if lost is None or watching is None:
        return
    back = incident.monitoring_back_at
    if back is None and incident.phase is not Phase.RESOLUTION:
        return
    due = lost + watching.reachable_within
    owner = incident.commander or "commander"
    yield Wanted(MONITORING, owner, lost, due, met_at=back, met_by="monitoring answers again", remind=False)


def _while_it_burns(incident: Incident, declared_at: datetime, at: datetime) -> Iterator[Wanted]:
    rule = incident.rule
    commander = incident.commander or "commander"
    communications = incident.communications or "communications"
    over = incident.resolved_at
    met_by = "resolved" if over else None

    told = incident.internal_update.at if incident.internal_update else declared_at
    since = _counted_from(incident, INTERNAL_UPDATE, told)
    yield Wanted(INTERNAL_UPDATE, commander, since, since + rule.internal_update_every, met_at=over, met_by=met_by)

    page_open = False
    told_publicly = incident.customer_facing and not incident.private
    if told_publicly and rule.status_page_within is not None:
        since = _kept_since(incident, STATUS_PAGE, max(declared_at, incident.customer_facing_since or declared_at), at)
        posted = incident.status_page_at
        page_open = posted is None and over is None and STATUS_PAGE not in incident.waived
        yield Wanted(
            STATUS_PAGE,
            communications,
            since,
            since + rule.status_page_within,
            met_at=posted or over,
            met_by=incident.external_update.by if incident.external_update else met_by,
        )
    if told_publicly and rule.external_update_every is not None:
        asked = max(declared_at, incident.customer_facing_since or declared_at)
        told = incident.external_update.at if incident.external_update else asked
        since = _counted_from(incident, EXTERNAL_UPDATE, max(told, asked))
        due = since + rule.external_update_every
        yield Wanted(
            EXTERNAL_UPDATE,
            communications,
            since,
            max(since, min(due, incident.promised)) if incident.promised is not None else due,
            met_at=over,
            met_by=met_by,
            silent=page_open,
        )
    if rule.notify_executives_within is not None:
        since = _kept_since(incident, NOTIFY_EXECUTIVES, declared_at, at)
        yield Wanted(
            NOTIFY_EXECUTIVES,
            commander,
            since,
            since + rule.notify_executives_within,
            met_at=incident.executives_told_at or over,
            met_by="told" if incident.executives_told_at else met_by,
        )
    if rule.resolve_within is not None:
        since = _counted_from(incident, RESOLUTION, declared_at)
        yield Wanted(RESOLUTION, commander, since, since + rule.resolve_within, met_at=over, met_by=met_by)


def _counted_from(incident: Incident, name: str, last: datetime) -> datetime:
    """Where the wait begins: `last`, or the reopening after it.

    A reopening begins only what had ended. A clock that was running through it goes on, or reopening would put off
    whatever is late.
    """
    before = incident.clocks.get(name)
    if before is not None and before.open:
        return max(last, before.since)
    return max(last, incident.reopened_at or last)


def _kept_since(incident: Incident, name: str, first: datetime, at: datetime) -> datetime:
    """When a one-time duty began: at declaration, or when a raised severity first asked for it."""
    before = incident.clocks.get(name)
    if before is not None:
        return before.since
    return at if incident.clocks and first < at and incident.phase is not Phase.DECLARATION else first


def _afterwards(incident: Incident) -> Iterator[Wanted]:
    rule = incident.rule
    commander = incident.commander or "commander"
    later = [mitigation for mitigation in incident.mitigations if mitigation.approval == "documented_later"]
    owed = [mitigation for mitigation in later if mitigation.approved_by is None]
    for mitigation in (owed or later[-1:])[:1]:
        yield Wanted(
            CHANGE_DOCUMENTATION,
            mitigation.owner,
            mitigation.started_at,
            mitigation.started_at + rule.postmortem_within,
            met_at=mitigation.approved_at,
            met_by=mitigation.approved_by,
        )
    if incident.resolved_at is not None:
        filed = incident.postmortem_at
        yield Wanted(
            POSTMORTEM,
            commander,
            incident.resolved_at,
            incident.resolved_at + rule.postmortem_within,
            met_at=filed,
            met_by=incident.postmortem_by,
        )
    for dispatch in incident.dispatches:
        over = incident.resolved_at if incident.resolved_at is not None and dispatch.at <= incident.resolved_at else None
        since = _counted_from(incident, f"{DISPATCH}{dispatch.id}", dispatch.at)
        yield Wanted(
            f"{DISPATCH}{dispatch.id}",
            dispatch.accepted_by or dispatch.specialist,
            since,
            since + incident.policy.report_within,
            met_at=dispatch.reported_at or over,
            met_by=dispatch.reported_by or ("resolved" if over else None),
            remind=False,
        )
    yield from _drifts(incident)
    yield from _action_items(incident)


def _drifts(incident: Incident) -> Iterator[Wanted]:
    """What outside systems show against the incident's word, until the two agree."""
    for name, drift in incident.drifts.items():
        if drift.waived:
            continue
        owner = (incident.communications or "communications") if name in PUBLIC else (incident.commander or "commander")
        met_by = None if drift.settled_at is None else drift.system
        yield Wanted(f"{DRIFT}{name}", owner, drift.since, drift.since + DRIFT_WITHIN, met_at=drift.settled_at, met_by=met_by, remind=False)


def _action_items(incident: Incident) -> Iterator[Wanted]:
    """What is still owed after closing as well: by the follow-up, once it has been handed over."""
    if incident.handed_over:
        return
    for item in incident.action_items:
        if item.waived_by is not None or item.moved_to is not None:
            continue
        yield Wanted(
            f"{ACTION_ITEM}{item.id}",
            item.owner,
            item.added_at,
            _end_of(item.due),
            met_at=item.done_at,
            met_by=item.done_by,
        )


def _end_of(day: date) -> datetime:
    """Midnight UTC after `day`; on the calendar's last day, the midnight before it, since there is none after."""
    return datetime.combine(min(day, date.max - timedelta(days=1)) + timedelta(days=1), time.min, tzinfo=UTC)


def again_after(incident: Incident, name: str) -> timedelta | None:
    """How long after a miss the same clock speaks again; None where something else (the paging) goes on."""
    rule = incident.rule
    if name in (ACKNOWLEDGE, VERIFICATION):
        return None
    if name == INTERNAL_UPDATE:
        return rule.internal_update_every
    if name == EXTERNAL_UPDATE:
        return rule.external_update_every
    if name == STATUS_PAGE:
        return rule.external_update_every or rule.status_page_within
    if name == NOTIFY_EXECUTIVES:
        return rule.notify_executives_within
    if name == RESOLUTION:
        return rule.resolve_within
    if name.startswith(DISPATCH):
        return incident.policy.report_within
    if name == MONITORING and (watching := watched(incident)) is not None:
        return watching.reachable_within
    return incident.policy.deadline_again_after


def next_wake(incident: Incident) -> datetime | None:
    """The earliest moment at which a clock has something to say; None when none has."""
    moments = [moment for clock in incident.clocks.values() if clock.open for moment in (clock.remind_at, clock.escalate_at) if moment]
    return min(moments, default=None)


def most_urgent(incident: Incident) -> Clock | None:
    """The open clock that is due first."""
    running = [clock for clock in incident.clocks.values() if clock.open and clock.due is not None]
    return min(running, key=lambda clock: (clock.due, clock.name), default=None)


def due(incident: Incident, now: datetime) -> list[tuple[Clock, bool]]:
    """The clocks that speak at `now`, earliest first; True where it is overdue, False where it only reminds."""
    speaking: list[tuple[datetime, str, Clock, bool]] = []
    for clock in incident.clocks.values():
        if not clock.open:
            continue
        if clock.escalate_at is not None and clock.escalate_at <= now:
            speaking.append((clock.escalate_at, clock.name, clock, True))
        elif clock.remind_at is not None and clock.remind_at <= now:
            speaking.append((clock.remind_at, clock.name, clock, False))
    speaking.sort(key=lambda entry: entry[:2])
    return [(clock, overdue) for _, _, clock, overdue in speaking]


def changes(before: dict[str, Clock], after: dict[str, Clock], at: datetime) -> dict[str, dict[str, object]]:
    """What became of each obligation: nothing leaves `before` without being named here.

    `satisfied`: name to seconds late. `superseded`: name to why it is no longer owed in that form (its old due
    time). `started`: name to due time.
    """
    satisfied: dict[str, object] = {}
    superseded: dict[str, object] = {}
    started: dict[str, object] = {}
    if before is after:
        return {}
    for name, clock in before.items():
        if not clock.open:
            continue
        now = after.get(name)
        if now is clock:
            continue
        if now is not None and now.state is ClockState.MET:
            satisfied[name] = round(now.late_by.total_seconds())
        elif now is None or not now.open:
            superseded[name] = clock.due.isoformat() if clock.due else None
        elif now.since != clock.since:
            satisfied[name] = round(max(timedelta(0), at - clock.due).total_seconds()) if clock.due else 0
        elif now.due != clock.due:
            superseded[name] = clock.due.isoformat() if clock.due else None
    for name, clock in after.items():
        earlier = before.get(name)
        if clock.open and clock.due is not None and (earlier is None or not earlier.open or earlier.due != clock.due):
            started[name] = clock.due.isoformat()
        elif clock.state is ClockState.MET and earlier is None:
            satisfied[name] = round(clock.late_by.total_seconds())
    found = {"satisfied": satisfied, "superseded": superseded, "started": started}
    return {key: value for key, value in found.items() if value}
