"""What happened. The timeline is these, in order; folding them gives the state (`lifecycle.evolve`)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Event(BaseModel):
    """One entry of the timeline.

    `seq` counts from 1 without a gap, over the incident's whole life. `kind` is a word of `KINDS`; `text` is
    the sentence that people read; `data` holds what `evolve` needs, as JSON. What the event did to the clocks
    stands in `data["clocks"]`: `satisfied` (name to seconds late), `superseded`, `started` (name to due time).
    `data["via"]` is the door through which somebody did it, where the door said so.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    seq: int = 0
    at: datetime
    kind: str
    by: str
    text: str
    data: dict[str, Any] = Field(default_factory=dict)


SYSTEM = "tocsin"
"""Who acts when nobody does: the clocks, the deliveries, the process itself."""

MONITORING = "monitoring"
"""Who acts when an alert arrives."""

KINDS: dict[str, str] = {
    "opened": "the incident exists",
    "alert": "monitoring told of alerts, firing or resolved",
    "flapping": "alerts come and go: counted from here on, not told one by one",
    "related": "another open incident may be the same trouble",
    "unrelated": "that other incident has ended: the suggestion is withdrawn",
    "acknowledged": "somebody is on it",
    "described": "symptom, services, users or start were written down",
    "declared": "it is an incident of this severity",
    "severity_changed": "raised or lowered, with the reason",
    "role_assigned": "a person holds a role",
    "role_unfilled": "nobody on call for a role that must be held",
    "item_checked": "a checklist item is done",
    "item_skipped": "a checklist item was put aside for a reason",
    "phase_entered": "the incident moved on (or back)",
    "internal_update": "a status update for the responders",
    "external_update": "a status update for the public",
    "note": "somebody wrote something down",
    "hypothesis": "what might be the cause",
    "mitigation_proposed": "a way to restore service was chosen, with its plan",
    "mitigation_approved": "somebody other than its owner approved the change",
    "mitigation_finished": "it worked, or it did not",
    "criterion_confirmed": "a criterion of resolution holds",
    "criterion_withdrawn": "a criterion of resolution no longer holds",
    "verification_passed": "a whole verification period went by with everything green",
    "resolved": "service is restored and verified",
    "reopened": "it was not over",
    "measured": "what is measured was set, or a query dropped",
    "finding": "monitoring was asked what the checklist asks",
    "finding_corrected": "a person confirmed or corrected a finding",
    "evidence": "monitoring was looked at for verification",
    "dispatched": "a specialist was asked for help",
    "report_filed": "a specialist's report arrived",
    "retrospective_scheduled": "the blameless retrospective has a date",
    "action_item_added": "something to do, with owner and due date",
    "action_item_changed": "it says something else, or has another owner or due date",
    "action_item_completed": "it is done",
    "postmortem_filed": "the post-mortem is written",
    "drift": "an outside system shows something else than it was told",
    "drift_settled": "an outside system agrees with the incident again",
    "waived": "an obligation was given up, by name and for a reason",
    "restricted": "from now on only those in it see it",
    "invited": "a person may see it, without holding a role",
    "closed": "the process has all that it asks for; open action items go on in the follow-up",
    "dismissed": "it was not an incident",
    "merge_asked": "it is to go on as part of another incident",
    "merge_failed": "the other incident did not take it; it goes on as it was",
    "merged": "it goes on as part of another incident, which has taken over what it owed",
    "absorbed": "another incident goes on as part of this one",
    "refused": "somebody asked for what the process forbids",
    "invalid": "a signal that could not be understood",
    "reminder": "something is due soon",
    "overdue": "something was not done in time, and escalates",
    "paged": "a person was paged",
    "paging_failed": "a person could not be paged, or there was nobody to page",
    "paging_stopped": "nobody is paged for this any more",
    "channel_opened": "the incident's channel exists",
    "delivered": "an outside system has accepted what it was told",
    "parked": "an outside system can't be reached; what it is owed is kept",
    "undeliverable": "an outside system refused for good",
    "replaced": "a newer message took the place of one that was still waiting, or it was out of date",
    "delivery_retried": "somebody had a delivery tried again",
    "delivery_replaced": "somebody had something else told in place of a delivery that has not arrived",
    "delivery_given_up": "somebody let go of a delivery that has not arrived",
    "channel_paused": "somebody told an outside system's queue to wait",
    "channel_resumed": "what waited for an outside system goes out again",
}

BEHIND_THE_SCENES = frozenset({"delivered", "replaced", "reminder", "item_checked", "evidence"})
"""Kinds that a reader in a hurry may leave out."""
