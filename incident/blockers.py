"""What stands in the way of the next step, each with its reason and, where it clears by itself, when."""

from __future__ import annotations

from datetime import datetime, timedelta

from incident import evidence, verifying
from incident.durations import spoken
from incident.model import ChecklistItem, CheckState, Incident, Mitigation
from incident.refusals import CODES, Blocker, Code
from incident.telling import things
from incident.vocabulary import Criterion, Phase

CRITERION_CODES: dict[Criterion, Code] = {
    Criterion.SYMPTOM_RESOLVED: "symptom-not-resolved",
    Criterion.METRICS_AT_BASELINE: "metrics-not-at-baseline",
    Criterion.ALERTS_CLEARED: "alerts-still-firing",
}


def open_items(incident: Incident, phase: Phase) -> list[ChecklistItem]:
    return [item for item in incident.checklist.values() if item.phase is phase and item.state is CheckState.OPEN]


def unapproved(incident: Incident) -> list[Mitigation]:
    """What waits for an approval: each change that went ahead without, and the one under way that needs it first."""
    newest = incident.mitigation
    return [
        mitigation
        for mitigation in incident.mitigations
        if mitigation.approved_by is None
        and (mitigation.approval == "documented_later" or (mitigation is newest and mitigation.finished_at is None))
    ]


def of_items(items: list[ChecklistItem]) -> list[Blocker]:
    return [
        Blocker(code="undocumented", message=f"{item.text} ({item.phase.label}): check {item.item}, or skip it with a reason")
        for item in items
    ]


def of_resolving(incident: Incident, now: datetime) -> list[Blocker]:
    """Which of the four criteria of resolution do not hold; empty when all do.

    The verification period comes first: it is what people try to cut short.
    """
    found: list[Blocker] = []
    verification = _verification(incident, now)
    if verification is not None:
        found.append(verification)
    for criterion, code in CRITERION_CODES.items():
        if criterion is Criterion.ALERTS_CLEARED and incident.firing:
            names = ", ".join(sorted({alert.name for alert in incident.firing})[:5])
            firing = things(len(incident.firing), "alert", edition=incident.edition)
            found.append(Blocker(code=code, message=f"{firing} still firing: {names}"))
        elif criterion not in incident.criteria:
            found += verifying.against(incident, criterion) or [Blocker(code=code, message=_unconfirmed(incident, criterion, code))]
    return found


def _unconfirmed(incident: Incident, criterion: Criterion, code: Code) -> str:
    """What is missing: somebody's word, or where monitoring judges, its next look."""
    return "Monitoring confirms it with its next look." if verifying.judges(incident, criterion) else CODES[code][0]


def _verification(incident: Incident, now: datetime) -> Blocker | None:
    length = incident.verification
    if length <= timedelta(0) or incident.verification_passed_at is not None:
        return None
    minutes = spoken(length)
    if incident.verification_since is None:
        return Blocker(
            code="verification-incomplete",
            message=f"The verification period of {minutes} starts once all three criteria are confirmed and no alert fires.",
        )
    until = incident.verification_since + length
    if until <= now and evidence.binds(incident):
        message = f"The verification period of {minutes} is over; the measurements up to its end are being fetched."
        return Blocker(code="verification-incomplete", message=message)
    if until <= now:
        return None
    return Blocker(
        code="verification-incomplete",
        message=f"The verification period of {minutes} is not over: {spoken(until - now)} left.",
        until=until,
    )


def of_closing(incident: Incident) -> list[Blocker]:
    """What is still owed before the incident can be closed: post-mortem, tracked action items, open checklist items."""
    found: list[Blocker] = []
    if incident.rule.postmortem == "mandatory" and incident.postmortem is None:
        found.append(Blocker(code="postmortem-mandatory", message="The post-mortem is not filed: file_postmortem."))
    assigned = incident.checklist["action_items_assigned"]
    untracked = incident.rule.postmortem == "mandatory" and not incident.action_items
    if untracked and assigned.state is CheckState.OPEN:
        found.append(
            Blocker(
                code="action-items-untracked",
                message="No action item is recorded: add_action_item, or skip action_items_assigned saying why there is none.",
            )
        )
    clock = incident.clocks.get("change_documentation")
    if clock is not None and clock.open:
        found.append(
            Blocker(
                code="undocumented",
                message="The change went ahead without formal approval and is not documented yet: approve it now, with a note.",
            )
        )
    for name, drift in incident.drifts.items():
        if drift.open:
            versions = f"Here: {drift.here}. There: {drift.there}."
            message = f"{drift.system} contradicts the incident. {versions} Mend one of the two, or waive drift:{name}."
            found.append(Blocker(code="drift-unsettled", message=message))
    return found + of_items(items_of_closing(incident))


def items_of_closing(incident: Incident) -> list[ChecklistItem]:
    """The open items of every phase that stand in the way of closing."""
    return [item for phase in Phase for item in open_items(incident, phase) if item.item not in _HELD_ELSEWHERE]


_HELD_ELSEWHERE = frozenset({"rca_document_created", "action_items_assigned"})
"""Items whose fulfilment `of_closing` judges by the facts instead."""


def of_next_phase(incident: Incident, now: datetime) -> list[Blocker]:
    """What stands between this phase and the next one."""
    if incident.phase is Phase.DETECTION:
        return [Blocker(code="wrong-phase", message="It is not declared yet: declare it, or dismiss it.")]
    if incident.phase is Phase.RESOLUTION:
        return of_resolving(incident, now)
    if incident.phase is Phase.POST_INCIDENT:
        return of_closing(incident)
    found: list[Blocker] = []
    mitigation = incident.mitigation
    if incident.phase is Phase.MITIGATION and mitigation and mitigation.blocked_on_approval and mitigation.finished_at is None:
        found.append(Blocker(code="change-not-approved", message=f"Mitigation {mitigation.number} is not approved."))
    return found + of_items(items_of_next_phase(incident))


def items_of_next_phase(incident: Incident) -> list[ChecklistItem]:
    """The open items of this phase that stand in the way of the next one: an approval that may be documented later waits until closing."""
    mitigation = incident.mitigation
    later = mitigation is not None and mitigation.approval == "documented_later" and incident.edition > 6
    return [item for item in open_items(incident, incident.phase) if not (later and item.item == "change_approved")]
