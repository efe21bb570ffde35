"""What the room shows of an incident, in the order in which it is needed: how bad, which clock, what now, what blocks, what happened."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import groupby
from typing import Any, NamedTuple

from incident.checklists import PHASE_OF, RESOLUTION_CRITERIA
from incident.vocabulary import Criterion, Phase, PublicStatus
from starter.reading import Entry
from starter.web.command_forms import form_of_verb, title_of
from starter.web.rendering import moment, words

KEY_MOMENTS = frozenset(
    {
        "opened",
        "acknowledged",
        "declared",
        "severity_changed",
        "role_assigned",
        "phase_entered",
        "internal_update",
        "external_update",
        "hypothesis",
        "mitigation_proposed",
        "mitigation_approved",
        "mitigation_finished",
        "criterion_confirmed",
        "criterion_withdrawn",
        "verification_passed",
        "resolved",
        "reopened",
        "report_filed",
        "postmortem_filed",
        "closed",
        "dismissed",
        "refused",
        "overdue",
        "paging_failed",
        "parked",
        "undeliverable",
    }
)
"""What a reader who comes late needs: what people did and said, and what went wrong."""

ROWS_AT_MOST = 400
"""Rows of the timeline in one page; the rest is in the audit view."""

ALSO = (("post_update", "Update", "u"), ("mitigate", "Mitigate", "m"), ("resolve", "Resolve", "r"))
"""What is at hand beside the next step, in every phase."""

KEYS = {"acknowledge": "a", "mitigate": "m", "resolve": "r", "note": "n", "post_update": "u"}

FIXES: dict[str, tuple[str, str, str]] = {
    "symptom-not-resolved": ("confirm", "criterion=symptom_resolved", "Confirm it"),
    "metrics-not-at-baseline": ("confirm", "criterion=metrics_at_baseline", "Confirm it"),
    "alerts-still-firing": ("confirm", "criterion=alerts_cleared", "Confirm it"),
    "postmortem-mandatory": ("file_postmortem", "", "File it"),
    "action-items-untracked": ("add_action_item", "", "Add one"),
    "change-not-approved": ("approve", "", "Approve it"),
    "severity-downgrade-unjustified": ("change_severity", "", "Say why"),
    "no-mitigation": ("mitigate", "", "Start one"),
    "not-an-incident": ("dismiss", "", "Dismiss it"),
}
"""Which form mends what a blocker is about."""


class Step(NamedTuple):
    label: str
    number: int
    state: str


class Checklist(NamedTuple):
    phase: str
    entries: list[dict[str, Any]]
    settled: int
    current: bool


@dataclass(frozen=True)
class Answer:
    """What a pressed button was answered, to be shown on the page it was pressed on."""

    verb: str
    status: int
    tone: str
    title: str
    message: str = ""
    required_action: str = ""
    code: str = ""
    blockers: list[dict[str, Any]] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    """How the form calls its fields."""
    preview: dict[str, Any] | None = None


@dataclass(frozen=True)
class RoomView:
    """One incident as its room shows it. `typed` are the texts of the form `opened`, with what was wrong in `answer`."""

    state: dict[str, Any]
    timeline: list[Entry]
    shows: str = "key"
    opened: str | None = None
    typed: Mapping[str, str] = field(default_factory=dict)
    answer: Answer | None = None

    @property
    def open(self) -> bool:
        return bool(self.state["phase"] != Phase.CLOSED.value)

    @property
    def seq(self) -> int:
        """The last entry that stands on the page."""
        return int(self.timeline[-1]["seq"]) if self.timeline else 0

    @property
    def steps(self) -> list[Step]:
        here = Phase(self.state["phase"])
        phases = [phase for phase in Phase if phase is not Phase.CLOSED]
        states = {True: "done", False: "todo"}
        return [
            Step(phase.label.capitalize(), phase.number, "current" if phase is here else states[phase.number < here.number])
            for phase in phases
        ]

    @property
    def running(self) -> list[dict[str, Any]]:
        """The clocks that count, the one that is due first in front."""
        counting = [clock for clock in self.state["clocks"] if clock["state"] in ("running", "overdue") and clock["due"]]
        return sorted(counting, key=lambda clock: moment(clock["due"]))

    @property
    def settled(self) -> list[dict[str, Any]]:
        running = {clock["name"] for clock in self.running}
        return [clock for clock in self.state["clocks"] if clock["name"] not in running]

    @property
    def next(self) -> dict[str, Any]:
        """The next step, and whether one press does it or its form must be filled in."""
        step = self.state["next"]
        verb = step["verb"]
        if verb is None:
            return {**step, "why": lasting(step["why"]), "press": False, "href": None, "label": None}
        given = _options(step.get("command") or "")
        needs_text = any(each.required for each in form_of_verb(verb).fields) or "reason" in given
        label = str(step["text"]).rstrip(".") if len(step["text"]) < 40 else title_of(verb)
        return {**step, "press": not needs_text, "label": label, "href": href(verb, given)}

    @property
    def also(self) -> list[dict[str, Any]]:
        """What else is at hand. Nothing is disabled: each can be pressed, and be refused with the reason."""
        if not self.open:
            return []
        at_hand = [{"verb": verb, "label": label, "key": key, "href": href(verb, {})} for verb, label, key in ALSO]
        return [each for each in at_hand if each["verb"] != self.state["next"]["verb"]]

    @property
    def blockers(self) -> list[dict[str, Any]]:
        return fixed([{**blocker, "message": lasting(blocker["message"])} for blocker in self.state["blockers"]])

    @property
    def after(self) -> str:
        """What the blockers stand in the way of."""
        here = Phase(self.state["phase"])
        return {Phase.RESOLUTION: "resolving", Phase.POST_INCIDENT: "closing"}.get(here, here.next.label)

    @property
    def checklists(self) -> list[Checklist]:
        """The list of this phase first, then those that still owe something, then the rest in the order of the process."""
        here = self.state["phase"]
        lists = [
            Checklist(phase, entries, sum(item["state"] != "open" for item in entries), phase == here)
            for phase, entries in ((name, list(group)) for name, group in groupby(self.state["checklist"], key=lambda item: item["phase"]))
        ]
        return sorted(lists, key=lambda each: not each.current)

    @property
    def criteria(self) -> list[dict[str, Any]]:
        """The four criteria of resolution with their evidence, once they matter."""
        if Phase(self.state["phase"]).number < Phase.MITIGATION.number:
            return []
        told = {entry["data"].get("criterion"): entry for entry in self.timeline if entry["kind"] == "criterion_confirmed"}
        rows = []
        for criterion in Criterion:
            at = self.state["criteria"][criterion.value]
            entry = told.get(criterion.value) if at else None
            rows.append(
                {
                    "criterion": criterion.value,
                    "text": RESOLUTION_CRITERIA[criterion],
                    "at": at,
                    "by": entry["by"] if entry else None,
                    "evidence": entry["data"].get("evidence") if entry else None,
                    "until": None,
                }
            )
        verification = self.state["verification"]
        if verification["length"]:
            minutes = timedelta(seconds=verification["length"])
            rows.append(
                {
                    "criterion": None,
                    "text": f"Verification period of {minutes.total_seconds() / 60:g} min passed with everything green",
                    "at": verification["passed_at"],
                    "by": None,
                    "evidence": None,
                    "until": verification["until"],
                }
            )
        return rows

    @property
    def firing(self) -> list[dict[str, Any]]:
        return [alert for alert in self.state["alerts"] if alert["firing"]]

    @property
    def entries(self) -> list[Entry]:
        """The rows of the timeline, newest first."""
        return list(reversed(self.timeline[-ROWS_AT_MOST:]))

    @property
    def older(self) -> int:
        return max(0, len(self.timeline) - ROWS_AT_MOST)

    @property
    def statuses(self) -> list[tuple[str, str]]:
        return [("", "By itself, from the phase"), *((status.value, status.value.capitalize()) for status in PublicStatus)]

    def values(self, verb: str) -> Mapping[str, str]:
        """What stands in the fields of a form."""
        return self.typed if verb == self.opened else {}

    def errors(self, verb: str) -> Mapping[str, str]:
        return self.answer.errors if self.answer is not None and self.answer.verb == verb else {}


def href(verb: str, values: Mapping[str, str]) -> str:
    """Where the form of a verb stands, with `values` in its fields."""
    more = "".join(f"&{name}={value}" for name, value in values.items() if name != "reason")
    return f"?do={verb}{more}#do-{verb}"


def _options(command: str) -> dict[str, str]:
    """What the next step's command line says already: `--external`, `--criterion X`, `--item X`."""
    parts = command.split()
    found: dict[str, str] = {}
    for part, following in zip(parts, [*parts[1:], ""], strict=True):
        if part in ("--external", "--internal"):
            found["audience"] = part[2:]
        elif part in ("--criterion", "--item"):
            found[part[2:]] = following
        elif part == "--reason":
            found["reason"] = ""
    return found


def lasting(sentence: str) -> str:
    """The sentence without how much is left: a page stays open, and the clock beside it counts."""
    return _LEFT.sub(".", sentence)


_LEFT = re.compile(r": [0-9hmins ]+ left\.$")


def fixed(blockers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Blockers, each with the form that mends it where there is one."""
    return [{"until": None, **blocker, "fix": _fix(blocker)} for blocker in blockers]


def _fix(blocker: dict[str, Any]) -> dict[str, str] | None:
    if blocker.get("until"):
        return None
    item = next((name for name in PHASE_OF if f"check {name}," in blocker["message"]), None)
    if item is not None:
        return {"verb": "check", "href": href("check", {"item": item}), "label": "Tick it"}
    if blocker["code"] not in FIXES:
        return None
    verb, values, label = FIXES[blocker["code"]]
    given = dict([values.split("=")]) if values else {}
    return {"verb": verb, "href": href(verb, given), "label": label}


def refused(verb: str, refusal: Mapping[str, Any]) -> Answer:
    """A refusal in full: the reason, the way forward, and what stands in the way until when."""
    return Answer(
        verb,
        409,
        "bad",
        f"Not done: {words(verb)} is refused.",
        refusal["message"],
        refusal["required_action"],
        refusal["code"],
        blockers=fixed(refusal.get("blockers") or []),
    )


def accepted(verb: str, events: list[Entry], state: Mapping[str, Any]) -> Answer:
    """What a command has done; where it had been done before, by whom and when."""
    if events:
        return Answer(verb, 200, "good", str(events[0]["text"]))
    if verb == "acknowledge" and state["acknowledged_by"]:
        at = moment(state["acknowledged_at"])
        return Answer(verb, 200, "good", f"Already acknowledged by {state['acknowledged_by']} at {at:%H:%M:%S} UTC.")
    return Answer(verb, 200, "good", f"Already so: {words(verb)} changes nothing.")
