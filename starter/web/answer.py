"""What a pressed button is answered, in sentences: everything that was done, or the refusal in full with its ways forward."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from incident import clocks
from incident.durations import spoken
from incident.vocabulary import Phase
from starter.reading import Entry
from starter.web.rendering import moment, utc, words
from starter.web.ways import Obstacle, Way, forward, obstacles, plain

SIDE_EFFECTS = frozenset({"phase_entered", "acknowledged", "verification_passed", "replaced"})
"""Kinds that follow from a command; what was asked for stands before them, whatever their order on record."""

NOT_NEWS = frozenset({"replaced"})
"""Kinds that nobody who pressed a button needs to hear of."""

SAID = {
    "internal_update": "Internal update posted",
    "external_update": "External update posted",
    "note": "Note written",
    "hypothesis": "Hypothesis written",
    "mitigation_proposed": "Mitigation started",
}
"""What to say before an entry whose text is somebody's own words."""

SHOWN = 300
"""Characters of an entry's text; the whole of it stands in the timeline."""


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
    obstacles: list[Obstacle] = field(default_factory=list)
    ways: tuple[Way, ...] = ()
    errors: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    """How the form calls its fields."""
    preview: dict[str, Any] | None = None


def refused(verb: str, refusal: Mapping[str, Any], state: Mapping[str, Any]) -> Answer:
    """A refusal in full: the reason, the way forward, and what stands in the way until when."""
    code = str(refusal["code"])
    standing = obstacles(refusal.get("blockers") or [], state)
    # What stands in the way in another phase can't be done before that phase is reached: a button leads there as well.
    led = code != "wrong-phase" and any(each.ways or each.items or each.until for each in standing)
    return Answer(
        verb,
        409,
        "bad",
        f"Not done: {words(verb)} is refused.",
        plain(refusal["message"]),
        plain(refusal["required_action"]),
        code,
        obstacles=standing,
        ways=() if led else forward(code, verb, state),
    )


def accepted(verb: str, events: Sequence[Entry], state: Mapping[str, Any]) -> Answer:
    """What a command has done, all of it; where it had been done before, by whom and when."""
    if events:
        return done(verb, events)
    if verb == "acknowledge" and state.get("acknowledged_by"):
        at = moment(state["acknowledged_at"])
        return Answer(verb, 200, "good", f"Already acknowledged by {state['acknowledged_by']} at {at:%H:%M:%S} UTC.")
    return Answer(verb, 200, "good", f"Already so: {words(verb)} changes nothing.")


def done(verb: str, events: Sequence[Entry]) -> Answer:
    """What these entries say: the thing itself first, then where that leads and which clocks it has moved."""
    main = next((event for event in reversed(events) if event["kind"] not in SIDE_EFFECTS), events[0])
    beside = [_sentence(event) for event in events if event is not main and event["kind"] not in NOT_NEWS]
    return Answer(verb, 200, "good", _sentence(main), " ".join([*beside, *_moved(events)]))


def _sentence(event: Entry) -> str:
    text = str(event["text"])
    if event["kind"] == "phase_entered":
        phase = Phase(event["data"]["phase"])
        return "It is closed." if phase is Phase.CLOSED else f"Now in phase {phase.number} of 6: {phase.label}."
    text = text if len(text) <= SHOWN else f"{text[:SHOWN].rstrip()}…"
    said = f"{SAID[event['kind']]}: {text}" if event["kind"] in SAID else text
    return said if said.endswith((".", "!", "?", "…")) else f"{said}."


def _moved(events: Sequence[Entry]) -> list[str]:
    """What became of the clocks: what is met, and what is due when from now on."""
    met: dict[str, float] = {}
    started: dict[str, str] = {}
    for event in events:
        moved = event["data"].get("clocks", {})
        met |= moved.get("satisfied", {})
        started |= moved.get("started", {})
    found = [f"The {clocks.label(name)} came {spoken(timedelta(seconds=late))} late." for name, late in met.items() if late]
    if clocks.VERIFICATION in started:
        found.append(f"Verification runs until {utc(started.pop(clocks.VERIFICATION))}.")
    if started:
        due = sorted(started.items(), key=lambda each: moment(each[1]))
        sentence = "; ".join(f"{'next ' if name in met else ''}{clocks.label(name)} due {utc(at)}" for name, at in due)
        found.append(f"{sentence[0].upper()}{sentence[1:]}.")
    return found
