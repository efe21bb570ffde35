"""Incidents to look at: one with everything known, and one with nothing."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from incident.checklists import fresh
from incident.model import ActionItem, Hypothesis, Incident, Mitigation, Update
from incident.policy import Policy
from incident.vocabulary import MitigationOption, Phase, Role, Severity

OPENED = datetime(2026, 11, 24, 3, 16, tzinfo=UTC)
RESOLVED = OPENED + timedelta(hours=1, minutes=25)


def unknown_night(**known: Any) -> Incident:
    """An incident of which nothing is known but that it exists, and what `known` says."""
    base: dict[str, Any] = {
        "id": "INC-2026-0001",
        "title": "Checkout returns 5xx",
        "policy": Policy(),
        "opened_at": OPENED,
        "opened_by": "ana",
        "phase_entered_at": OPENED,
        "checklist": fresh(),
    }
    return Incident(**{**base, **known})


def known_night(**changes: Any) -> Incident:
    """A resolved SEV1 of which every field of the templates is known, but for `changes`."""
    mitigation = Mitigation(
        number=1,
        option=MitigationOption.ROLLBACK,
        action="Roll back api-v248",
        rationale="The errors began with the release",
        owner="ben",
        verification=("Error rate under 1 %", "Checkout works"),
        rollback_plan="Deploy v248 again",
        started_at=OPENED + timedelta(minutes=30),
        approval="documented_later",
    )
    known: dict[str, Any] = {
        "severity": Severity.SEV1,
        "phase": Phase.POST_INCIDENT,
        "summary": "Checkout fails for everybody since the release.",
        "symptom": "HTTP 502 from the checkout",
        "services": ("checkout", "payments"),
        "users_affected": "all of them",
        "started_at": OPENED - timedelta(minutes=5),
        "customer_facing": True,
        "roles": {Role.COMMANDER: "dana"},
        "channel": "#incident-2026-11-24-checkout-returns-5xx",
        "acknowledged_at": OPENED + timedelta(minutes=2),
        "declared_at": OPENED + timedelta(minutes=4),
        "mitigated_at": OPENED + timedelta(minutes=40),
        "resolved_at": RESOLVED,
        "internal_update": Update(at=OPENED + timedelta(minutes=10), by="dana", text="The release is being rolled back."),
        "hypotheses": (Hypothesis(at=OPENED, by="ben", text="The release doubled the retries"),),
        "mitigations": (mitigation,),
        "root_cause": "The retry budget was exhausted.",
        "fix_applied": "Rolled back to v247.",
        "next_steps": ("Add a retry budget",),
        "action_items": (
            ActionItem(id="AI-1", item="Alert on | retries", owner="ben", due=date(2026, 12, 1), added_at=RESOLVED),
            ActionItem(id="AI-2", item="Test the rollback", owner="cem", due=date(2026, 12, 2), added_at=RESOLVED, done=True),
        ),
        "retrospective_at": datetime(2026, 11, 26, 14, 0, tzinfo=UTC),
    }
    return unknown_night(**{**known, **changes})
