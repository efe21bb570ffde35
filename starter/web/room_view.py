"""What the room shows of an incident, in the order in which it is needed: how bad, which clock, what now, what blocks, what happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from itertools import groupby
from typing import Any, NamedTuple

from incident.checklists import RESOLUTION_CRITERIA
from incident.durations import spoken
from incident.moments import KeyMoments
from incident.vocabulary import Criterion, Phase, PublicStatus
from starter.reading import Entry
from starter.web.answer import Answer
from starter.web.command_forms import form_of_verb, title_of
from starter.web.rendering import moment, outcome_label
from starter.web.ways import Obstacle, href, lasting, obstacles, plain

ROWS_AT_MOST = 400
"""Rows of the timeline in one page; the rest is in the audit view."""

ALSO = (("post_update", "Update", "u"), ("mitigate", "Mitigate", "m"), ("resolve", "Resolve", "r"))
"""What is at hand beside the next step, in every phase."""

KEYS = {"acknowledge": "a", "mitigate": "m", "resolve": "r", "note": "n", "post_update": "u"}


class Step(NamedTuple):
    label: str
    number: int
    state: str


class Ending(NamedTuple):
    """How it ended: `label` says as what, `why` in the words of whoever ended it."""

    label: str
    by: str | None
    at: str | None
    why: str
    duplicate_of: str | None


RESOLVED = "resolved"
ENDINGS = frozenset({"dismissed", "merged", "closed"})
"""Kinds after which nothing follows."""


class Checklist(NamedTuple):
    phase: str
    entries: list[dict[str, Any]]
    settled: int
    current: bool
    opened: bool


def _step_state(phase: Phase, here: Phase, reached: bool) -> str:
    if phase is here:
        return "current"
    if here is Phase.CLOSED and not reached:
        return "unreached"
    return "done" if phase.number < here.number else "todo"


PRESSED = frozenset({"acknowledge", "advance", "close"})
"""Verbs that one press can do, with nothing to be said."""


@dataclass(frozen=True)
class RoomView:
    """One incident as its room shows it. `typed` are the texts of the form `opened`, with what was wrong in `answer`."""

    state: dict[str, Any]
    timeline: list[Entry]
    shows: str = "key"
    opened: str | None = None
    typed: Mapping[str, str] = field(default_factory=dict)
    answer: Answer | None = None
    at: str = ""
    """The checklist item that somebody has just ticked without scripts: they are led back to it."""

    @property
    def open(self) -> bool:
        return bool(self.state["phase"] != Phase.CLOSED.value)

    @property
    def seq(self) -> int:
        """The last entry that stands on the page."""
        return int(self.timeline[-1]["seq"]) if self.timeline else 0

    @property
    def steps(self) -> list[Step]:
        """The six phases: those behind it, where it stands, those to come; and of what ended early, those it never reached."""
        here = Phase(self.state["phase"])
        reached = self._reached
        return [
            Step(phase.label.capitalize(), phase.number, _step_state(phase, here, phase in reached))
            for phase in Phase
            if phase is not Phase.CLOSED
        ]

    @property
    def _reached(self) -> set[Phase]:
        """The phases that it has been in. What was resolved went through all of them."""
        if self.state.get("outcome") in (None, RESOLVED):
            return set(Phase)
        entered = {Phase(entry["data"]["phase"]) for entry in self.timeline if entry["kind"] == "phase_entered"}
        return {Phase.DETECTION, *entered, *({Phase.DECLARATION} if self.state.get("declared_at") else set())}

    @property
    def ending(self) -> Ending | None:
        """How a closed incident ended: as what, by whom, when and why."""
        if self.open:
            return None
        last = next((entry for entry in reversed(self.timeline) if entry["kind"] in ENDINGS), None)
        label = outcome_label(self.state.get("outcome"))
        if self.state.get("outcome") not in (None, RESOLVED) and self.state.get("duplicate_of"):
            label = f"{label} of {self.state['duplicate_of']}"
        if last is None:
            return Ending(label, None, self.state.get("closed_at"), "", self.state.get("duplicate_of"))
        why = str(last["data"].get("reason") or "")
        return Ending(label, last["by"], last["at"], why, self.state.get("duplicate_of"))

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
        why = plain(lasting(step["why"]))
        if verb is None:
            return {**step, "why": why, "press": False, "href": None, "label": None, "page": False}
        given = _options(step.get("command") or "")
        needs_text = any(each.required for each in form_of_verb(verb).fields) or "reason" in given
        # A form none of whose fields is needed may still want one of them: a severity or factors, a note on a change made already.
        at_once = verb in PRESSED or (verb == "approve" and self.state["phase"] == Phase.MITIGATION.value)
        label = str(step["text"]).rstrip(".") if len(step["text"]) < 40 else title_of(verb)
        if verb == "file_postmortem":
            there = f"/incidents/{self.state['incident']}/postmortem"
            return {**step, "why": why, "press": False, "label": "Write the post-mortem", "href": there, "page": True}
        return {**step, "why": why, "press": at_once and not needs_text, "label": label, "href": href(verb, given), "page": False}

    @property
    def also(self) -> list[dict[str, Any]]:
        """What else is at hand. Nothing is disabled: each can be pressed, and be refused with the reason."""
        if not self.open:
            return []
        at_hand = [{"verb": verb, "label": label, "key": key, "href": href(verb, {})} for verb, label, key in ALSO]
        return [each for each in at_hand if each["verb"] != self.state["next"]["verb"]]

    @property
    def obstacles(self) -> list[Obstacle]:
        """What stands in the way of going on, each with its way forward."""
        return obstacles(self.state["blockers"], self.state)

    @property
    def in_the_way(self) -> int:
        """How many things those are, each open item counted."""
        return len(self.state["blockers"])

    @property
    def after(self) -> str:
        """What the blockers stand in the way of."""
        here = Phase(self.state["phase"])
        return {Phase.RESOLUTION: "resolving", Phase.POST_INCIDENT: "closing"}.get(here, here.next.label)

    @property
    def checklists(self) -> list[Checklist]:
        """The list of this phase first, then those that still owe something, then the rest in the order of the process."""
        here = self.state["phase"]
        lists = []
        for phase, group in groupby(self.state["checklist"], key=lambda item: item["phase"]):
            entries = list(group)
            settled = sum(item["state"] != "open" for item in entries)
            opened = phase == here or any(item["item"] == self.at for item in entries)
            lists.append(Checklist(phase, entries, settled, phase == here, opened))
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
            period = spoken(timedelta(seconds=verification["length"]))
            rows.append(
                {
                    "criterion": None,
                    "text": f"Verification period of {period} passed with everything green",
                    "at": verification["passed_at"],
                    "by": None,
                    "evidence": None,
                    "until": verification["until"],
                }
            )
        return rows

    @property
    def firing(self) -> list[dict[str, Any]]:
        """Those that have been at it longest come first."""
        return sorted((alert for alert in self.state["alerts"] if alert["firing"]), key=lambda alert: str(alert["starts_at"]))

    @property
    def firing_in_all(self) -> int:
        return int(self.state.get("alerts_firing", len(self.firing)))

    firing_shown = 8

    @property
    def entries(self) -> list[Entry]:
        """The rows of the timeline, newest first."""
        return list(reversed(self.timeline[-ROWS_AT_MOST:]))

    @cached_property
    def key_moments(self) -> KeyMoments:
        return KeyMoments(self.timeline)

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
