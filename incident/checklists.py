"""The checklist of every phase, in the process's own words, and the questions that go with them.

The ids are stable: they stand in timelines and in people's scripts. Nothing here decides anything;
whether an open item stands in the way is `lifecycle`'s business.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from incident.model import ChecklistItem, Frozen, Incident
from incident.vocabulary import Criterion, Phase, PublicStatus


class Line(Frozen):
    """One item of a checklist: its id, the words to tick, and the points that the process lists under it."""

    item: str
    text: str
    points: tuple[str, ...] = ()


CHECKLISTS: dict[Phase, tuple[Line, ...]] = {
    Phase.DETECTION: (
        Line(item="alert_acknowledged", text="Alert acknowledged in monitoring system"),
        Line(item="initial_symptom_documented", text="Initial symptom documented"),
        Line(item="related_alerts_checked", text="Related alerts checked"),
        Line(item="recent_deployments_checked", text="Recent deployments checked"),
        Line(item="known_issues_checked", text="Known issue list checked"),
    ),
    Phase.DECLARATION: (
        Line(
            item="channel_created",
            text="Create incident channel (if SEV1/SEV2)",
            points=("Format: `#incident-YYYY-MM-DD-brief-description`", "Post initial summary"),
        ),
        Line(
            item="commander_assigned",
            text="Assign Incident Commander (IC)",
            points=("SEV1: Senior on-call or escalate to manager", "SEV2/SEV3: Primary on-call"),
        ),
        Line(
            item="status_page_updated",
            text="Update status page (if customer-facing)",
            points=("Acknowledge incident", "Set appropriate severity", "Estimated update time"),
        ),
    ),
    Phase.TRIAGE: (
        Line(item="dependencies_mapped", text="Service dependencies mapped"),
        Line(item="recent_changes_identified", text="Recent changes identified"),
        Line(item="error_patterns_analyzed", text="Error patterns analyzed"),
        Line(item="resource_utilization_checked", text="Resource utilization checked"),
        Line(item="initial_hypothesis_formed", text="Initial hypothesis formed"),
    ),
    Phase.MITIGATION: (
        Line(item="option_selected", text="Mitigation option selected with rationale"),
        Line(item="change_approved", text="Change approved (SEV1: skip formal, document later)"),
        Line(item="implementation_tracked", text="Implementation tracked in incident channel"),
        Line(item="verification_criteria_defined", text="Verification criteria defined"),
        Line(item="rollback_plan_ready", text="Rollback plan ready"),
    ),
    Phase.RESOLUTION: (
        Line(item="symptom_verified_resolved", text="Primary symptom verified resolved"),
        Line(item="metrics_normal", text="Metrics returned to normal"),
        Line(item="related_alerts_resolved", text="All related alerts resolved"),
        Line(item="verification_completed", text="Verification period completed"),
        Line(item="customer_communication_sent", text="Customer communication sent (if applicable)"),
        Line(item="status_page_resolved", text="Status page updated to resolved"),
    ),
    Phase.POST_INCIDENT: (
        Line(item="rca_document_created", text="RCA document created"),
        Line(item="retrospective_held", text="Blameless retrospective held"),
        Line(item="action_items_assigned", text="Action items assigned and tracked"),
        Line(item="runbook_updated", text="Runbook updated (if applicable)"),
        Line(item="monitoring_improved", text="Monitoring improved (if gaps found)"),
        Line(item="knowledge_base_documented", text="Incident documented in knowledge base"),
    ),
    Phase.CLOSED: (),
}
"""Every phase with its items, in the order of the process."""


class Work(NamedTuple):
    """What a phase is for and who owns it."""

    focus: str
    owner: str


PHASES: dict[Phase, Work] = {
    Phase.DETECTION: Work("Identify and confirm incident", "Monitoring/On-call"),
    Phase.DECLARATION: Work("Assess severity, declare incident", "Incident Commander"),
    Phase.TRIAGE: Work("Identify impact and initial hypothesis", "Response Team"),
    Phase.MITIGATION: Work("Restore service, implement workaround", "Engineering Team"),
    Phase.RESOLUTION: Work("Permanent fix, verification", "Engineering Team"),
    Phase.POST_INCIDENT: Work("RCA, action items, documentation", "Incident Commander"),
}
"""The six phases."""

RESOLUTION_CRITERIA: dict[Criterion | None, str] = {
    Criterion.SYMPTOM_RESOLVED: "Primary symptom resolved - Users no longer affected",
    Criterion.METRICS_AT_BASELINE: "Monitoring confirms - Metrics returned to baseline",
    Criterion.ALERTS_CLEARED: "No related alerts - All triggered alerts cleared",
    None: "Verification period passed - 15 min stability for SEV1/2",
}
"""ALL must be true before marking resolved. The one that no person confirms, the period, is None's."""

INITIAL_ASSESSMENT = ("What is the symptom?", "What is affected?", "When did it start?")
"""What detection asks whoever acknowledges."""

RELATED_ALERTS_QUESTION = "Is this isolated or part of larger issue?"
"""What to ask of the related alerts."""

TRIAGE_QUESTIONS = (
    "What is the exact symptom?",
    "What changed recently? (deployments, config, traffic)",
    "What is the blast radius?",
    "What is the root cause hypothesis?",
    "What is the quickest path to mitigation?",
)
"""The five questions of triage, in order."""

PHASE_OF: dict[str, Phase] = {line.item: phase for phase, lines in CHECKLISTS.items() for line in lines}
"""The phase that each item belongs to."""

_BY_WORDS = {line.text.casefold(): line.item for lines in CHECKLISTS.values() for line in lines}


def fresh() -> dict[str, ChecklistItem]:
    """Every item of every phase, open, in the order of the process. Items never change, so all incidents begin with the same ones."""
    return dict(_FRESH)


_FRESH = {line.item: ChecklistItem(item=line.item, phase=phase, text=line.text) for phase, lines in CHECKLISTS.items() for line in lines}


UNCONFIRMED = "by hand; the status page has not confirmed it yet"
"""The note of an item that somebody has ticked before the page has taken what the item asks for."""


def unconfirmed(incident: Incident, item: str) -> bool:
    """Whether it is the status page that would show this item done, and does not. It can be written there by hand, too."""
    if not incident.customer_facing or incident.private or item not in ("status_page_updated", "status_page_resolved"):
        return False
    told = incident.published
    return told is None or (item == "status_page_resolved" and told.status is not PublicStatus.RESOLVED)


def confirmed(note: str | None) -> str | None:
    """What is left of a note once the status page has confirmed the item."""
    if note is None or not note.endswith(UNCONFIRMED):
        return note
    return note.removesuffix(UNCONFIRMED).removesuffix("; ") or None


def find(text: str, phase: Phase | None = None) -> str | None:
    """The id of the item that `text` means, or None for none or more than one.

    It is named by its id (dashes and spaces go for underscores), by its exact words, or by an unambiguous
    beginning of its id; where a beginning fits items of several phases, `phase` decides. Case does not matter.
    """
    words = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    if words in _BY_WORDS:
        return _BY_WORDS[words]
    beginning = re.sub(r"[\s-]+", "_", words)
    if not beginning or beginning in PHASE_OF:
        return beginning or None
    fits = [item for item in PHASE_OF if item.startswith(beginning)]
    if len(fits) > 1:
        fits = [item for item in fits if PHASE_OF[item] is phase]
    return fits[0] if len(fits) == 1 else None
