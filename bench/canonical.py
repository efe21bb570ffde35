"""The canonical incident: a SEV1 from its opening to its close, with everything that people do on the way."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from bench.rig import Rig, Subject, today
from incident.policy import SEVERITY_MATRIX, Policy
from incident.vocabulary import Severity

VERIFICATION = timedelta(seconds=1)
POLICY = Policy(
    severities=SEVERITY_MATRIX | {Severity.SEV1: SEVERITY_MATRIX[Severity.SEV1].model_copy(update={"verification": VERIFICATION})},
)

ANSWERED_AFTER = 1.0
"""Seconds in which the first page goes out, on a busy machine as well."""

VERIFIED_AFTER = 2.5
"""Seconds in which the verification period ends, likewise."""

Send = tuple[str, dict[str, Any]]

_MITIGATION = {
    "option": "rollback",
    "rationale": "the 02:55 deployment broke the retry",
    "owner": "ana",
    "action": "Roll back to v247",
    "verification": ["error rate under 1 %"],
    "rollback_plan": "Deploy v248 again",
}

_POSTMORTEM = "# Incident Post-Mortem: Checkout\n\n## Summary\nCheckout failed.\n\n## Root Cause\nA retry without a limit.\n"

_GO = {"reason": "service first; the list is worked off afterwards by ana"}


def _checks(*items: str) -> list[Send]:
    return [("check", {"item": item}) for item in items]


UNTIL_VERIFIED: list[Send] = [
    ("acknowledge", {}),
    ("describe", {"symptom": "HTTP 500 on /pay", "users_affected": "a quarter", "customer_facing": True}),
    *_checks("related_alerts_checked", "recent_deployments_checked", "known_issues_checked"),
    ("assign", {"role": "communications", "person": "cara"}),
    ("post_update", {"audience": "external", "text": "Some payments fail.", "status": "investigating"}),
    ("post_update", {"audience": "internal", "text": "Looking at v248"}),
    ("advance", _GO),
    *_checks("dependencies_mapped", "recent_changes_identified", "error_patterns_analyzed", "resource_utilization_checked"),
    ("hypothesize", {"text": "v248 broke the retry"}),
    ("advance", _GO),
    ("mitigate", _MITIGATION),
    ("post_update", {"audience": "internal", "text": "Rolling back"}),
    ("finish_mitigation", {"succeeded": True}),
    ("advance", _GO),
    ("post_update", {"audience": "external", "text": "A fix is in place.", "status": "monitoring"}),
    *[("confirm", {"criterion": name}) for name in ("symptom_resolved", "metrics_at_baseline", "alerts_cleared")],
]


def afterwards() -> list[Send]:
    return [
        ("resolve", {"root_cause": "A retry without a limit", "fix_applied": "Rolled back to v247"}),
        ("add_action_item", {"item": "Limit the retries", "owner": "eva", "due": today(10)}),
        ("complete_action_item", {"id": "AI-1"}),
        ("file_postmortem", {"document": _POSTMORTEM}),
        ("approve", {"by": "vic", "note": "reviewed"}),
        *_checks("retrospective_held", "runbook_updated", "monitoring_improved", "knowledge_base_documented"),
        ("close", {}),
    ]


async def live(rig: Rig, arm: str, plan: str = "", suffixes: tuple[str, ...] = ()) -> Subject:
    """Live through one incident and wait until it, and every fellow workflow that it started, has ended."""
    subject = await rig.open(arm, plan, policy=POLICY)
    await asyncio.sleep(ANSWERED_AFTER)
    for verb, fields in UNTIL_VERIFIED:
        await subject.send(verb, fields)
    await asyncio.sleep(VERIFIED_AFTER)
    for verb, fields in afterwards():
        await subject.send(verb, fields)
    await subject.handle.result()
    for suffix in suffixes:
        await rig.client.get_workflow_handle(subject.id + suffix).result()
    return subject
