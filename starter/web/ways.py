"""The way forward from a no: each thing that stands in the way, in the words of the page, with the forms that mend it.

The core says what is missing in words that can be typed; a page has buttons instead. Nothing is decided here: a way
leads to a form, and the process answers whoever uses it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlencode

from incident import clocks
from incident.checklists import CHECKLISTS, PHASE_OF
from incident.commands import COMMANDS
from incident.vocabulary import Criterion, Phase
from starter.web.command_forms import title_of

POSTMORTEM = "postmortem"
"""Marks a way that leads to the post-mortem's own page instead of a form of the room."""


class Way(NamedTuple):
    """A button: `verb` is the form that it opens in the room, None where it leads elsewhere."""

    label: str
    href: str
    verb: str | None = None


class Item(NamedTuple):
    """A checklist item that is open: what is ticked, and the way where a tick alone is refused."""

    item: str
    text: str
    way: Way | None


@dataclass(frozen=True)
class Obstacle:
    """One thing in the way. `until` is when it clears by itself; `items` are the checklist items that it is made of."""

    message: str
    until: str | None = None
    ways: tuple[Way, ...] = ()
    items: tuple[Item, ...] = ()


def href(verb: str, values: Mapping[str, str]) -> str:
    """Where the form of a verb stands, with `values` in its fields."""
    more = urlencode({"do": verb, **{name: value for name, value in values.items() if name != "reason"}})
    return f"?{more}#do-{verb}"


def form(verb: str, label: str = "", **values: str) -> Way:
    return Way(label or title_of(verb), href(verb, values), verb)


def _write_postmortem(state: Mapping[str, Any]) -> Way:
    return Way("Write the post-mortem", f"/incidents/{state.get('incident', '')}/{POSTMORTEM}")


# ---------------------------------------------------------------------- blockers

ITEMS_NAMED = 3
"""How many open items the sentence names; all of them stand below it."""


def obstacles(blockers: Sequence[Mapping[str, Any]], state: Mapping[str, Any]) -> list[Obstacle]:
    """What stands in the way, each with its way forward; open checklist items are one thing, with a tick for each."""
    found: list[Obstacle] = []
    items: list[Item] = []
    for blocker in blockers:
        item = _item_of(str(blocker["message"]))
        if item is not None:
            items.append(_open_item(item, state))
        else:
            message = plain(lasting(str(blocker["message"])))
            until = blocker.get("until")
            found.append(Obstacle(message, until, () if until else _ways(blocker, state)))
    return [*found, _together(items)] if items else found


def _item_of(message: str) -> str | None:
    named = _CHECK.search(message)
    return named.group(1) if named is not None and named.group(1) in PHASE_OF else None


def _together(items: list[Item]) -> Obstacle:
    named = "; ".join(item.text for item in items[:ITEMS_NAMED])
    more = f" and {len(items) - ITEMS_NAMED} more" if len(items) > ITEMS_NAMED else ""
    return Obstacle(f"{len(items)} checklist item{'s' if len(items) > 1 else ''} open: {named}{more}", items=tuple(items))


def _open_item(item: str, state: Mapping[str, Any]) -> Item:
    # Before it is resolved, the public is not told that it is.
    over = form("post_update", "Post it", audience="external", status="resolved") if state.get("resolved_at") else None
    by_fact = {
        "symptom_verified_resolved": form("confirm", "Confirm it", criterion=Criterion.SYMPTOM_RESOLVED.value),
        "metrics_normal": form("confirm", "Confirm it", criterion=Criterion.METRICS_AT_BASELINE.value),
        "related_alerts_resolved": form("confirm", "Confirm it", criterion=Criterion.ALERTS_CLEARED.value),
        "change_approved": form("approve", "Approve it") if state.get("mitigations") else None,
        "rca_document_created": _write_postmortem(state),
        "status_page_updated": form("post_update", "Post it", audience="external"),
        "customer_communication_sent": over,
        "status_page_resolved": over,
        "action_items_assigned": form("add_action_item"),
    }
    return Item(item, TEXTS[item], by_fact.get(item))


CONFIRMED_BY = {
    "symptom-not-resolved": Criterion.SYMPTOM_RESOLVED,
    "metrics-not-at-baseline": Criterion.METRICS_AT_BASELINE,
    "alerts-still-firing": Criterion.ALERTS_CLEARED,
}


def _ways(blocker: Mapping[str, Any], state: Mapping[str, Any]) -> tuple[Way, ...]:
    code, message = str(blocker["code"]), str(blocker["message"])
    match code:
        case "wrong-phase" if "not declared" in message:
            return (form("declare"), form("dismiss", "Dismiss it"))
        case "verification-incomplete":
            return _towards_verification(state)
        case "alerts-still-firing" if "firing" in message.lower():
            return (Way("See what fires", "#r-facts"),)
        case "symptom-not-resolved" | "metrics-not-at-baseline" | "alerts-still-firing":
            return (form("confirm", "Confirm it", criterion=CONFIRMED_BY[code].value),)
        case "undocumented" if "documented yet" in message:
            return (form("approve", "Document it"),)
        case "undocumented":
            return (_write_postmortem(state),)
        case "action-items-untracked":
            return (form("add_action_item", "Add one"), form("skip", "Say why there is none", item="action_items_assigned"))
        case "drift-unsettled":
            named = _DRIFT.search(message)
            return (form("waive", "Let it be", **({"obligation": named.group(1)} if named else {})),)
    return forward(code, "", state)


def _towards_verification(state: Mapping[str, Any]) -> tuple[Way, ...]:
    """What begins the period: the criterion that nobody has confirmed yet."""
    known = state.get("criteria") or {}
    missing = next((criterion for criterion in Criterion if not known.get(criterion.value)), None)
    label = f"Confirm {missing.value.replace('_', ' ')}" if missing else ""
    return (form("confirm", label, criterion=missing.value),) if missing else (form("resolve", "Ask again"),)


# ---------------------------------------------------------------------- refusals

ONWARDS = {
    Phase.DETECTION: "declare",
    Phase.DECLARATION: "advance",
    Phase.TRIAGE: "advance",
    Phase.MITIGATION: "advance",
    Phase.RESOLUTION: "resolve",
    Phase.POST_INCIDENT: "close",
}
"""What takes an incident out of each phase."""

BELONGS_TO = {
    "post_update": Phase.DECLARATION,
    "dispatch": Phase.DECLARATION,
    "add_action_item": Phase.DECLARATION,
    "change_action_item": Phase.DECLARATION,
    "advance": Phase.DECLARATION,
    "hypothesize": Phase.TRIAGE,
    "mitigate": Phase.TRIAGE,
    "approve": Phase.TRIAGE,
    "finish_mitigation": Phase.TRIAGE,
    "confirm": Phase.RESOLUTION,
    "withdraw": Phase.RESOLUTION,
    "resolve": Phase.RESOLUTION,
    "reopen": Phase.RESOLUTION,
    "schedule_retrospective": Phase.POST_INCIDENT,
    "file_postmortem": Phase.POST_INCIDENT,
    "close": Phase.POST_INCIDENT,
}
"""The first phase in which a verb is taken."""

BY_CODE: dict[str, tuple[str, str]] = {
    "change-not-approved": ("approve", "Approve it"),
    "severity-downgrade-unjustified": ("change_severity", "Say why"),
    "no-mitigation": ("mitigate", ""),
    "not-an-incident": ("dismiss", ""),
    "action-items-untracked": ("add_action_item", ""),
    "item-ended": ("add_action_item", ""),
}


def forward(code: str, verb: str, state: Mapping[str, Any]) -> tuple[Way, ...]:
    """The ways out of a refusal of `verb`, whatever its blockers are; every code has one."""
    if code in BY_CODE:
        return (form(*BY_CODE[code]),)
    if code in CONFIRMED_BY:
        return (form("confirm", criterion=CONFIRMED_BY[code].value),)
    match code:
        case "wrong-phase":
            return _to_its_phase(verb, state)
        case "verification-incomplete":
            return _towards_verification(state)
        case "postmortem-mandatory":
            return (_write_postmortem(state),)
        case "undocumented":
            return _documented(verb, state)
        case "already-closed":
            return (Way("Declare a new incident", "/declare"),)
        case "being-merged":
            into = state.get("merging_into") or state.get("duplicate_of")
            return (Way(f"Go to {into}", f"/incidents/{into}"),) if into else (Way("Open incidents", "/"),)
        case "unknown-item":
            return (Way("See the checklists", "#checklists-card"),)
        case "unknown-obligation" | "not-waivable":
            return (Way("See what is owed", "#r-clocks"),)
        case "not-permitted":
            return (Way("See who may", "#r-people"),)
        case "drift-unsettled":
            return (form("waive"),)
    return (form(verb, "Try again"),) if verb in COMMANDS else (form("note"),)


def _to_its_phase(verb: str, state: Mapping[str, Any]) -> tuple[Way, ...]:
    phase = Phase(state.get("phase", Phase.DETECTION.value))
    if verb == "declare" and phase is not Phase.DETECTION:
        return (form("change_severity"),)
    too_early = phase.number < BELONGS_TO.get(verb, Phase.CLOSED).number
    if verb in ("dismiss", "check", "skip") or too_early:
        return (form(ONWARDS[phase]),) if phase in ONWARDS else (Way("Declare a new incident", "/declare"),)
    if verb == "resolve":
        return (_write_postmortem(state),)
    return (form("reopen"),) if phase is Phase.POST_INCIDENT else (form(ONWARDS.get(phase, "note")),)


def _documented(verb: str, state: Mapping[str, Any]) -> tuple[Way, ...]:
    phase = state.get("phase")
    if verb == "advance":
        return (form("resolve"),) if phase == Phase.RESOLUTION.value else (form("advance", "Go on, and say why"),)
    if verb == "post_update":
        return (form("resolve"),)
    if verb == "file_postmortem":
        return (_write_postmortem(state),)
    if verb == "check":
        return (form("approve"), _write_postmortem(state))
    return (form(verb, "Say it again, with the reason"),) if verb in COMMANDS else (form("note"),)


# ---------------------------------------------------------------------- words

TEXTS = {line.item: line.text for lines in CHECKLISTS.values() for line in lines}

TYPED = {
    ": file_postmortem.": ".",
    ": add_action_item, or skip action_items_assigned saying why there is none.": ".",
    " (state, next)": "",
}
"""Ends of sentences that say what to type, and what is left of them where the buttons stand."""

_CHECK = re.compile(r": check (\w+), or skip it with a reason\.?$")
_DRIFT = re.compile(r"waive (drift:[\w-]+)")
_LEFT = re.compile(r": [0-9hmins ]+ left\.$")
_ASIDE = re.compile(rf" \((?:{'|'.join(COMMANDS)})\)")
_IDENTIFIER = re.compile(r"\b[a-z]+(?:_[a-z]+)+\b")


def lasting(sentence: str) -> str:
    """The sentence without how much is left: a page stays open, and the clock beside it counts."""
    return _LEFT.sub(".", sentence)


def plain(sentence: str) -> str:
    """The sentence without what one would type: where buttons stand beside it, names of commands only puzzle."""
    sentence = _CHECK.sub("", sentence)
    for typed, said in TYPED.items():
        sentence = sentence.replace(typed, said)
    sentence = _DRIFT.sub("let it be", _ASIDE.sub("", sentence))
    return _IDENTIFIER.sub(lambda found: _said(found.group()), sentence)


def _said(name: str) -> str:
    if name in TEXTS:
        return f"“{TEXTS[name]}”"
    if name in COMMANDS:
        return f"“{title_of(name)}”"
    if name in clocks.LABELS:
        return clocks.LABELS[name]
    return name.replace("_", " ") if name in set(Criterion) else name
