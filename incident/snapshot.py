"""What outsiders see of an incident: the whole `state`, and the row that stands in lists."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import Any

from incident import blockers, carrying, clocks, deliveries, evidence, guidance
from incident.events import Event
from incident.model import Clock, ClockState, Incident
from incident.vocabulary import Criterion, Phase, Role

ALERTS_BYTES = 700_000
"""Of alerts in one answer. A query whose answer is above 2 MB is refused, and nobody would see the incident any more."""

ENTRIES_BYTES = 1_000_000
"""Of entries in one answer; whoever wants the others asks for those after the last one."""

ALL_THERE = 100_000
"""Bytes up to which no answer is cut, however large its next entry is: so whoever reads a smaller one has all."""


def entries(timeline: Iterable[Event], after: int = 0) -> list[dict[str, Any]]:
    """The entries after number `after`, oldest first, as many as one answer takes."""
    found: list[dict[str, Any]] = []
    taken = 0
    for event in timeline:
        if event.seq <= after:
            continue
        entry = event.model_dump(mode="json")
        size = len(json.dumps(entry))
        if taken > ALL_THERE and taken + size > ENTRIES_BYTES:
            break
        found.append(entry)
        taken += size
    return found


async def every_entry(ask: Callable[[int], Awaitable[list[dict[str, Any]]]], after: int = 0) -> list[dict[str, Any]]:
    """All entries after number `after`, answer by answer: `ask` takes the number after which they are wanted."""
    found = answer = await ask(after)
    while answer and len(json.dumps(answer)) > ALL_THERE:
        answer = await ask(found[-1]["seq"])
        found = [*found, *answer]
    return found


def brief(incident: Incident) -> Incident:
    """The incident with as many of its alerts as an answer takes."""
    alerts = carrying.shown(tuple(incident.alerts.values()), ALERTS_BYTES)
    if len(alerts) == len(incident.alerts):
        return incident
    return incident.model_copy(update={"alerts": {alert.fingerprint: alert for alert in alerts}})


def state(incident: Incident, now: datetime) -> dict[str, Any]:
    """The snapshot that the `state` query answers, as JSON values; times are UTC, ISO 8601."""
    rule = incident.rule
    verification = clocks.VERIFICATION
    standing = blockers.of_next_phase(incident, now) if incident.open else []
    alerts = carrying.shown(tuple(incident.alerts.values()), ALERTS_BYTES)
    return {
        "incident": incident.id,
        "title": incident.title,
        "severity": incident.severity.value if incident.severity else None,
        "presumed_severity": incident.presumed_severity.value,
        "phase": incident.phase.value,
        "outcome": incident.outcome,
        "duplicate_of": incident.duplicate_of,
        "drill": incident.drill,
        "private": incident.private,
        "members": list(incident.members) if incident.private else [],
        "source": incident.source,
        "summary": incident.summary,
        "symptom": incident.symptom,
        "services": list(incident.services),
        "users_affected": incident.users_affected,
        "customer_facing": incident.customer_facing,
        "factors": incident.factors,
        "roles": {role.value: incident.roles.get(role) for role in Role},
        "channel": incident.channel,
        **{name: _iso(getattr(incident, name)) for name in _MOMENTS},
        "opened_by": incident.opened_by,
        "acknowledged_by": incident.acknowledged_by,
        "paged": incident.paged,
        "times_reopened": incident.times_reopened,
        "checklist": [item.model_dump(mode="json") for item in incident.checklist.values()],
        "clocks": [{**clock_view(clock, now), "label": clocks.titled(incident, clock.name)} for clock in incident.clocks.values()],
        "blockers": [blocker.model_dump(mode="json", exclude_none=True) for blocker in standing],
        "next": guidance.next_step(incident, now).model_dump(mode="json"),
        "criteria": {criterion.value: _iso(incident.criteria.get(criterion)) for criterion in Criterion},
        "verification": {
            "length": round(incident.verification.total_seconds()),
            "since": _iso(incident.verification_since),
            "until": _iso(incident.clocks[verification].due) if verification in incident.clocks else None,
            "passed_at": _iso(incident.verification_passed_at),
        },
        "queries": [query.model_dump(mode="json") for query in evidence.queries(incident)],
        "findings": [finding.model_dump(mode="json") for finding in incident.findings.values()],
        "baselines": {name: found.model_dump(mode="json") for name, found in incident.baselines.items()},
        "evidence": incident.evidence.model_dump(mode="json") if incident.evidence else None,
        "alerts": [alert.model_dump(mode="json") for alert in alerts],
        "alerts_firing": len(incident.firing),
        "alerts_left_out": len(incident.alerts) - len(alerts),
        "routing": _routing(incident),
        "suggestions": [
            {**each.model_dump(mode="json"), "command": f"tocsin merge {incident.id} --into {each.incident}"}
            for each in incident.suggestions
        ],
        "merging_into": incident.merging_into,
        "merged": [each.model_dump(mode="json") for each in incident.merged],
        "hypotheses": [hypothesis.model_dump(mode="json") for hypothesis in incident.hypotheses],
        "mitigations": [mitigation.model_dump(mode="json") for mitigation in incident.mitigations],
        "dispatches": [dispatch.model_dump(mode="json") for dispatch in incident.dispatches],
        "action_items": [_action_item(item) for item in incident.action_items],
        "drifts": [
            {"name": name, **drift.model_dump(mode="json", include={"here", "there", "system", "since"})}
            for name, drift in incident.drifts.items()
            if drift.open
        ],
        "root_cause": incident.root_cause,
        "fix_applied": incident.fix_applied,
        "next_steps": list(incident.next_steps),
        "retrospective_at": _iso(incident.retrospective_at),
        "postmortem": {
            "mandatory": rule.postmortem == "mandatory",
            "filed_at": _iso(incident.postmortem_at),
            "by": incident.postmortem_by,
            "due": _iso(incident.clocks[clocks.POSTMORTEM].due) if clocks.POSTMORTEM in incident.clocks else None,
        },
        "updates": {
            "internal": incident.internal_update.model_dump(mode="json") if incident.internal_update else None,
            "external": incident.external_update.model_dump(mode="json") if incident.external_update else None,
        },
        "deliveries": deliveries.view(incident),
        "seq": incident.seq,
        "now": _iso(now),
    }


_MOMENTS = ("opened_at", "started_at", "acknowledged_at", "declared_at", "mitigated_at", "resolved_at", "reopened_at", "closed_at")


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat().replace("+00:00", "Z") if moment is not None else None


def _action_item(item: Any) -> dict[str, Any]:
    status = "done" if item.done else "waived" if item.waived_by else "moved" if item.moved_to else "open"
    fields = {"id", "item", "owner", "due", "done_at", "done_by", "waived_by", "moved_to", "ticket"}
    return {**item.model_dump(mode="json", include=fields), "status": status}


def _routing(incident: Incident) -> dict[str, Any] | None:
    """What the routing rules know of the incident; None where it did not come through them."""
    if incident.routed is None:
        return None
    fields = {"owner", "runbook", "environment", "factors", "queries", "related", "rules", "why"}
    return {**incident.routed.model_dump(mode="json", include=fields), "groups": list(incident.groups)}


def clock_view(clock: Clock, now: datetime) -> dict[str, Any]:
    """One clock as the contract has it; it is overdue from its due time on, whether or not it has spoken yet."""
    overdue = clock.open and clock.due is not None and clock.due <= now
    view: dict[str, Any] = {
        "name": clock.name,
        "due": _iso(clock.due),
        "state": ClockState.OVERDUE.value if overdue else clock.state.value,
        "since": _iso(clock.since),
        "owner": clock.owner,
        "times_missed": clock.times_missed,
        "met_at": _iso(clock.met_at),
        "met_by": clock.met_by,
    }
    late = now - clock.due if overdue and clock.due is not None else clock.late_by
    view["late_by"] = round(late.total_seconds())
    return view


def row(incident: Incident) -> dict[str, Any]:
    """The line of a list. It stands in the workflow's memo, a field each, so that lists work while no worker runs."""
    urgent = clocks.most_urgent(incident)
    return {
        "incident": incident.id,
        "title": incident.title,
        "severity": incident.severity.value if incident.severity else None,
        "phase": incident.phase.value,
        "outcome": incident.outcome,
        "services": list(incident.services),
        "commander": incident.commander,
        "channel": incident.channel,
        "customer_facing": incident.customer_facing,
        "drill": incident.drill,
        "private": incident.private,
        **({"members": list(incident.members)} if incident.private else {}),
        "opened_by": incident.opened_by,
        **{name: _iso(getattr(incident, name)) for name in _ROW_MOMENTS},
        "next_clock": urgent.name if urgent is not None else None,
    }


def shown(incident: Incident) -> tuple[object, ...]:
    """The facts that `row` and the search attributes are made of: while they are equal, nothing there has changed."""
    moments = (getattr(incident, name) for name in _ROW_MOMENTS)
    facts: tuple[object, ...] = (
        incident.title,
        incident.severity,
        incident.phase,
        incident.outcome,
        incident.services,
        incident.roles,
        incident.channel,
    )
    if incident.private:
        facts = (*facts, incident.invited)
    return (*facts, incident.customer_facing, incident.drill, incident.private, *moments, incident.clocks)


_ROW_MOMENTS = ("opened_at", "acknowledged_at", "declared_at", "mitigated_at", "resolved_at", "closed_at")

BLANK_ROW: dict[str, Any] = {
    **dict.fromkeys(("incident", "title", "severity", "phase", "outcome", "services", "commander", "channel")),
    **dict.fromkeys(("customer_facing", "drill", "private"), False),
    **dict.fromkeys(("opened_by", *_ROW_MOMENTS, "next_clock")),
    "title": "",
    "phase": Phase.DETECTION.value,
    "services": [],
}
"""The row before anything is known. The memo holds no field without a value: a reader lays what it holds over this."""
