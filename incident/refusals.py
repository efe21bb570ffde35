"""Every way we say no: the code, the sentence, and what to do instead.

A refusal is a value and an entry in the timeline. The same words reach the command line, the API, chat and
the web. The sentences of the three pressures, and what people say to get round the process, are the
process's own; the latter are recognised in `rationalizations`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from incident.model import Frozen
from incident.rationalizations import RATIONALIZATIONS, Rationalization, downgrade_problem, rationalization

__all__ = [
    "CODES",
    "RATIONALIZATIONS",
    "Blocker",
    "Code",
    "Rationalization",
    "Refusal",
    "downgrade_problem",
    "rationalization",
    "refuse",
    "talked_round",
]

Code = Literal[
    "verification-incomplete",
    "symptom-not-resolved",
    "metrics-not-at-baseline",
    "alerts-still-firing",
    "postmortem-mandatory",
    "action-items-untracked",
    "change-not-approved",
    "undocumented",
    "severity-downgrade-unjustified",
    "wrong-phase",
    "unknown-item",
    "item-ended",
    "already-closed",
    "not-permitted",
    "no-mitigation",
    "not-an-incident",
    "not-waivable",
    "unknown-obligation",
    "being-merged",
    "drift-unsettled",
    "unknown-delivery",
    "not-replaceable",
    "channel-paused",
    "superseded",
    "not-pausable",
]

CODES: dict[Code, tuple[str, str]] = {
    "verification-incomplete": (
        "Cannot mark resolved until verification complete. This prevents reopened incidents.",
        "Wait full verification period, then resolve again.",
    ),
    "symptom-not-resolved": (
        "Nobody has confirmed that the primary symptom is resolved and users are no longer affected.",
        "Check that users are no longer affected, then confirm symptom_resolved with the evidence.",
    ),
    "metrics-not-at-baseline": (
        "Nobody has confirmed that monitoring shows the metrics returned to baseline.",
        "Check the metrics against their baseline, then confirm metrics_at_baseline with the evidence.",
    ),
    "alerts-still-firing": (
        "Not every alert that was triggered has cleared.",
        "Clear the alerts that still fire, then confirm alerts_cleared.",
    ),
    "postmortem-mandatory": (
        "RCA is mandatory for this severity. Schedule within required timeline.",
        "Write the post-mortem and file it with file_postmortem.",
    ),
    "action-items-untracked": (
        "Action items are not assigned and tracked.",
        "Add each action item with an owner and a due date (add_action_item).",
    ),
    "change-not-approved": (
        "This severity needs formal change approval before a mitigation.",
        "Ask someone other than the owner to approve the change (approve).",
    ),
    "undocumented": (
        "Real-time documentation takes 30 seconds per event. Memory loss causes worse rework.",
        "Document AS you fix: write the missing part down now, then ask again.",
    ),
    "severity-downgrade-unjustified": (
        "Lowering a severity needs its reason, and this one does not say what has improved.",
        "Say which conditions for the lower severity hold now, or keep the severity.",
    ),
    "wrong-phase": (
        "The incident is not in a phase in which this can be done.",
        "Look up the next step (state, next), or advance to the phase first.",
    ),
    "unknown-item": (
        "No checklist item or action item goes by this name.",
        "Name it as the checklist or the list of action items does.",
    ),
    "item-ended": (
        "The action item is not open any more; what it was stays on record.",
        "Add a new action item (add_action_item).",
    ),
    "already-closed": (
        "The incident is closed; its record is complete.",
        "Open a new incident, and name this one in its summary.",
    ),
    "not-permitted": (
        "The person who asked may not do this.",
        "Ask somebody who may: the refusal's blockers say who.",
    ),
    "no-mitigation": (
        "No mitigation is under way.",
        "Start one with mitigate: the option and its rationale, the owner, how to verify it and the rollback plan.",
    ),
    "not-an-incident": (
        "Nobody is affected: this is SEV4, which is not an incident but a ticket.",
        "Dismiss it so that it becomes a ticket, or give the factors that make it an incident.",
    ),
    "not-waivable": (
        "The process does not let this obligation be given up.",
        "Fulfil it; it stays owed until then.",
    ),
    "unknown-obligation": (
        "Nothing by this name is owed.",
        "Name a clock or an action item that is open, as the incident's state lists it.",
    ),
    "being-merged": (
        "The incident is being merged into another one, and takes nothing new meanwhile.",
        "Ask it of the other incident; if the merge fails, this one goes on.",
    ),
    "drift-unsettled": (
        "An outside system shows something else than the incident has told it.",
        "Mend one of the two, or waive the contradiction with the reason for which it may stay.",
    ),
    "unknown-delivery": (
        "Nothing by this name waits to be delivered.",
        "Name one that has not arrived, as deliveries lists it.",
    ),
    "not-replaceable": (
        "This can't be told in another way.",
        "Give it another text or target that it has, or give it up and do it by hand.",
    ),
    "channel-paused": (
        "Somebody has told this channel to wait.",
        "Resume it (tocsin channel resume); all that waits then goes out in order.",
    ),
    "superseded": (
        "A newer message says more than this one; sent now, it would take the newer one's place.",
        "See to the newer one, and give this one up.",
    ),
    "not-pausable": (
        "Paging, the rota and monitoring are never told to wait: nobody would be woken.",
        "Put another way to page first (TOCSIN_PAGING); one that fails is passed over by itself.",
    ),
}
"""Each code with the sentence that explains it and the way forward."""


class Blocker(Frozen):
    """One thing in the way. `until` is when it clears by itself; None where somebody has to act."""

    code: str
    message: str
    until: datetime | None = None


class Refusal(Frozen):
    """The process says no to one command, and nothing has changed but the record."""

    code: str
    message: str
    required_action: str
    blockers: tuple[Blocker, ...] = ()


def refuse(code: Code, *, message: str | None = None, action: str | None = None, blockers: Iterable[Blocker] = ()) -> Refusal:
    """The refusal for `code`, in the process's words unless the case has better ones."""
    sentence, way_forward = CODES[code]
    return Refusal(code=code, message=message or sentence, required_action=action or way_forward, blockers=tuple(blockers))


def talked_round(reason: str, *, blockers: Iterable[Blocker] = ()) -> Refusal | None:
    """The refusal for a reason that the process knows as a rationalization; None for an honest one."""
    known = rationalization(reason)
    if known is None:
        return None
    return refuse(known.code, message=known.answer, action=known.required_action, blockers=blockers)
