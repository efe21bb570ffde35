"""The key moments of a timeline: what a reader who comes late needs, and what the post-mortem's table begins with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from incident.lateness import Lateness

_BOTH = frozenset(
    {
        "opened",
        "acknowledged",
        "declared",
        "severity_changed",
        "role_assigned",
        "internal_update",
        "external_update",
        "hypothesis",
        "mitigation_proposed",
        "mitigation_approved",
        "mitigation_finished",
        "criterion_withdrawn",
        "verification_passed",
        "resolved",
        "reopened",
        "merged",
        "absorbed",
        "overdue",
        "refused",
        "parked",
    }
)

WHILE_IT_LASTS = _BOTH | {
    "phase_entered",
    "criterion_confirmed",
    "report_filed",
    "postmortem_filed",
    "closed",
    "dismissed",
    "paging_failed",
    "undeliverable",
}
"""For the room: what people did and said, and what went wrong."""

AFTERWARDS = _BOTH | {"alert", "role_unfilled", "note"}
"""For the post-mortem, which tells also what monitoring said and what people wrote down, and not what only moved on with it."""

NOT_PERMITTED = "not-permitted"


class KeyMoments:
    """Which entries of a timeline are key moments.

    Of an overdue clock these are the first word and what ended it. A refusal is one where the process said no; that somebody's
    role does not reach for what they pressed is no news of the incident.
    """

    def __init__(self, timeline: Iterable[Mapping[str, Any]], kinds: frozenset[str] = WHILE_IT_LASTS) -> None:
        self._kinds = kinds
        self.lateness = Lateness(timeline)

    def __contains__(self, entry: Mapping[str, Any]) -> bool:
        kind, seq = entry["kind"], entry["seq"]
        if self.lateness.ends(seq):
            return True
        if kind not in self._kinds or self.lateness.repeats(seq):
            return False
        return kind != "refused" or not lacks_a_role(entry)


def lacks_a_role(entry: Mapping[str, Any]) -> bool:
    """Whether something was refused for want of a role: then what stands in the way says which one. The process's own rules do not."""
    refusal = (entry.get("data") or {}).get("refusal") or {}
    return refusal.get("code") == NOT_PERMITTED and any(each.get("code") == NOT_PERMITTED for each in refusal.get("blockers") or ())
