"""Every verb as a form, made from the core's own command models, so that no page forgets a verb or a field.

A field is drawn by its shape in the model's JSON schema; what a person may choose from (open items, clocks that
run, people of this incident) comes from the incident's state. Reading a posted form gives what the API takes, and the core
checks that as it checks everybody's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

from pydantic import BaseModel

from incident import clocks
from incident.commands import COMMANDS, ENVELOPE, LINE_LIMIT, Open
from incident.lookups import NAMES
from incident.mitigation_options import APPLIES
from incident.vocabulary import MitigationOption
from starter.web.forms import Form
from starter.web.rendering import words

Kind = Literal["line", "text", "lines", "choice", "yes_no", "tick", "date", "instant", "number"]

SAID_ELSEWHERE = ENVELOPE

LABELS = {
    "as": "What it is instead",
    "at": "When (UTC)",
    "started_at": "Started at (UTC)",
    "due": "Due",
    "by": "Who",
    "affected": "Services affected",
    "services": "Services",
    "text": "Text",
    "verification": "How to verify it",
    "rollback_plan": "How to take it back",
    "users_affected_percent": "Users affected, in percent",
    "note": "Note",
    "person": "Person",
    "customer_facing": "Do customers notice?",
    "channel": "Open a channel?",
    "next_steps": "Next steps",
    "duplicate_of": "Duplicate of",
    "into": "The incident that goes on",
    "succeeded": "Did it work?",
    "drill": "This is a drill",
    "private": "Private: only those in it see it",
    "expression": "What monitoring is asked (PromQL)",
    "better": "Which values are better?",
    "signal": "What it tells of",
    "drop": "Measure it no more",
    "delivery": "Which delivery",
    "to": "Where it goes instead",
}

HINTS = {
    "lines": "One a line",
    "instant": "Like 2026-11-24T03:00Z",
    "date": "The day by whose end it is done",
}

TITLES = {
    "acknowledge": "Acknowledge",
    "describe": "Describe what is known",
    "declare": "Declare",
    "assign": "Assign a role",
    "change_severity": "Change the severity",
    "check": "Tick a checklist item",
    "skip": "Skip a checklist item",
    "advance": "Go to the next phase",
    "post_update": "Post an update",
    "note": "Write a note",
    "hypothesize": "Write a hypothesis",
    "mitigate": "Start a mitigation",
    "approve": "Approve the change",
    "finish_mitigation": "Finish the mitigation",
    "confirm": "Confirm a criterion",
    "withdraw": "Withdraw a criterion",
    "measure": "Say what is measured",
    "correct": "Confirm or correct a finding",
    "resolve": "Resolve",
    "reopen": "Reopen",
    "dispatch": "Ask a specialist",
    "file_report": "Hand in a report",
    "schedule_retrospective": "Schedule the retrospective",
    "add_action_item": "Add an action item",
    "change_action_item": "Change an action item",
    "complete_action_item": "Complete an action item",
    "file_postmortem": "File the post-mortem",
    "waive": "Waive an obligation",
    "retry_delivery": "Try a delivery again",
    "replace_delivery": "Replace a delivery",
    "give_up_delivery": "Give a delivery up",
    "restrict": "Make it private",
    "invite": "Invite a person",
    "close": "Close",
    "merge": "Merge into another incident",
    "dismiss": "Dismiss: not an incident",
}

GROUPS = (
    ("Now", ("acknowledge", "describe", "declare", "assign", "change_severity", "advance", "check", "skip")),
    (
        "Say",
        (
            *("post_update", "note", "hypothesize", "dispatch", "file_report", "correct", "restrict", "invite"),
            *("retry_delivery", "replace_delivery", "give_up_delivery"),
        ),
    ),
    ("Mend", ("mitigate", "approve", "finish_mitigation", "confirm", "withdraw", "measure", "resolve", "reopen")),
    (
        "Afterwards",
        (
            *("schedule_retrospective", "add_action_item", "change_action_item", "complete_action_item", "file_postmortem"),
            *("waive", "close", "merge", "dismiss"),
        ),
    ),
)


def groups() -> list[tuple[str, list[str]]]:
    """Every verb in its group; one that nobody has put into a group yet stands in the last."""
    known = {verb for _, verbs in GROUPS for verb in verbs}
    found = [(title, [verb for verb in verbs if verb in COMMANDS]) for title, verbs in GROUPS]
    found[-1][1].extend(verb for verb in COMMANDS if verb not in known)
    return found


def title_of(verb: str) -> str:
    """What a verb's button says."""
    return TITLES.get(verb, words(verb).capitalize())


@dataclass(frozen=True)
class Choice:
    value: str
    label: str


@dataclass(frozen=True)
class Field:
    """One field. `name` is its name in the command, with a dot where it is part of an object (`factors.workaround`)."""

    name: str
    label: str
    kind: Kind
    required: bool
    hint: str = ""
    limit: int | None = None
    choices: tuple[Choice, ...] = ()
    suggests: str = ""

    @property
    def part_of(self) -> str:
        """The object that it is a part of; empty for a field of its own."""
        outer, dot, _ = self.name.partition(".")
        return outer if dot else ""


@dataclass(frozen=True)
class CommandForm:
    verb: str
    title: str
    about: str
    fields: tuple[Field, ...]

    def read(self, form: Form) -> dict[str, Any]:
        """What a posted form says, as the API takes it: what was left empty is left out."""
        said: dict[str, Any] = {}
        for field in self.fields:
            value = _value(field, form)
            if value is None:
                continue
            outer, _, inner = field.name.partition(".")
            if inner:
                said.setdefault(outer, {})[inner] = value
            else:
                said[outer] = value
        return said


def _value(field: Field, form: Form) -> Any:
    text = form.text(field.name)
    if field.kind == "lines":
        found = [line.strip() for line in text.splitlines() if line.strip()]
        return found or None
    if not text.strip():
        return None
    if field.kind in ("yes_no", "tick"):
        return {"yes": True, "no": False}.get(text, text)
    if field.kind == "number":
        try:
            return float(text)
        except ValueError:
            return text
    return text


@lru_cache(maxsize=64)
def form_of_verb(verb: str) -> CommandForm:
    """The form of one verb, before anything is known of the incident."""
    model = COMMANDS[verb]
    return CommandForm(verb, title_of(verb), (model.__doc__ or "").strip(), _fields(model))


def labels_of(form: CommandForm) -> dict[str, str]:
    """What each field of a form is called by whoever fills it in."""
    return {field.name: field.label for field in form.fields}


@lru_cache(maxsize=1)
def opening_form() -> CommandForm:
    """The form that opens an incident."""
    return CommandForm("open", "Declare an incident", "", _fields(Open))


def _fields(model: type[BaseModel]) -> tuple[Field, ...]:
    schema = model.model_json_schema(by_alias=True)
    known: dict[str, Any] = schema.get("$defs", {})
    required = schema.get("required", [])
    found: list[Field] = []
    for name, shape in schema["properties"].items():
        if name in SAID_ELSEWHERE:
            continue
        whole = _resolved(shape, known)
        if whole.get("type") == "object":
            for inner, part in whole["properties"].items():
                found.append(_field(f"{name}.{inner}", _resolved(part, known), inner in whole.get("required", [])))
        else:
            found.append(_field(name, whole, name in required))
    return tuple(found)


def _resolved(shape: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """A shape without references and without the null that makes a field optional."""
    shape = dict(shape)
    for option in shape.pop("anyOf", ()):
        if option.get("type") != "null":
            shape = {**option, **shape}
    reference = shape.pop("$ref", None)
    return {**known[reference.rpartition("/")[2]], **shape} if reference else shape


def _field(name: str, shape: Mapping[str, Any], required: bool) -> Field:
    kind = _kind(name, shape)
    last = name.rpartition(".")[2]
    label = LABELS.get(last) or words(last).capitalize()
    hint = shape.get("description", "") if "." not in name and kind != "choice" else ""
    choices = tuple(Choice(value, _choice_label(name, value)) for value in shape.get("enum", ()))
    suggests = "people" if last in ("person", "owner") else ""
    return Field(name, label, kind, required, hint or HINTS.get(kind, ""), shape.get("maxLength"), choices, suggests)


def _kind(name: str, shape: Mapping[str, Any]) -> Kind:
    if "enum" in shape:
        return "choice"
    match shape.get("type"):
        case "array":
            return "lines"
        case "boolean":
            return "tick" if "." in name or name in ("drill", "drop") else "yes_no"
        case "number" | "integer":
            return "number"
    match shape.get("format"):
        case "date-time":
            return "instant"
        case "date":
            return "date"
    return "line" if shape.get("maxLength", LINE_LIMIT) <= LINE_LIMIT else "text"


def _choice_label(name: str, value: str) -> str:
    if name == "option":
        return f"{words(value).capitalize()}: {APPLIES[MitigationOption(value)]}"
    return value if value.startswith("SEV") else words(value).capitalize()


def forms_for(state: Mapping[str, Any]) -> dict[str, CommandForm]:
    """The forms of every verb, with what there is to choose from in this incident."""
    there = {
        ("check", "item"): _open_items(state),
        ("skip", "item"): _open_items(state),
        **{
            (verb, "id"): tuple(
                Choice(item["id"], f"{item['id']}: {item['item'][:80]}") for item in state["action_items"] if item["status"] == "open"
            )
            for verb in ("change_action_item", "complete_action_item")
        },
        ("waive", "obligation"): tuple(
            Choice(clock["name"], clocks.label(clock["name"])) for clock in state["clocks"] if clock["state"] != "met"
        ),
        ("correct", "finding"): tuple(Choice(found["id"], f"{NAMES[found['id']]}: {found['text'][:80]}") for found in state["findings"]),
        **{(verb, "delivery"): undelivered(state) for verb in ("retry_delivery", "replace_delivery", "give_up_delivery")},
        ("file_report", "id"): tuple(
            Choice(dispatch["id"], f"{dispatch['id']}: {dispatch['request'][:80]}")
            for dispatch in state["dispatches"]
            if not dispatch["reported_at"]
        ),
    }
    forms = {verb: form_of_verb(verb) for verb in COMMANDS}
    for (verb, name), choices in there.items():
        # With nothing to choose from, it stays a line: the form can still be pressed, and the refusal says why not.
        if choices:
            form = forms[verb]
            fields = tuple(replace(field, kind="choice", choices=choices) if field.name == name else field for field in form.fields)
            forms[verb] = replace(form, fields=fields)
    return forms


def undelivered(state: Mapping[str, Any]) -> tuple[Choice, ...]:
    """What has not arrived, the oldest first."""
    told = state["deliveries"]
    return tuple(
        Choice(each["key"], f"{each['key'].rpartition(':')[2]} {each['port']}: {words(each['purpose'] or each['action'])}, {each['state']}")
        for each in (*told["refused"], *told["waiting"])
    )


def _open_items(state: Mapping[str, Any]) -> tuple[Choice, ...]:
    return tuple(Choice(item["item"], item["text"]) for item in state["checklist"] if item["state"] == "open")


def people_of(state: Mapping[str, Any], actor: str) -> list[str]:
    """Who has a part in the incident, to choose from; the actor first."""
    named = [actor, *state["roles"].values(), state["opened_by"], state["acknowledged_by"]]
    # A clock that nobody holds yet names the role that it waits for.
    named += [clock["owner"] for clock in state["clocks"] if " " not in clock["owner"] and clock["owner"] not in state["roles"]]
    named += [item["owner"] for item in state["action_items"]]
    return list(dict.fromkeys(name for name in named if name))
