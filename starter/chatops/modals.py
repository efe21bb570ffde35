"""A verb's form in Slack's language, made from the same form that the web page shows, and what was filled into it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from starter.web.command_forms import Choice, CommandForm, Field
from starter.web.forms import Form

TITLE_LIMIT, LABEL_LIMIT, OPTION_LIMIT, OPTIONS, INPUT_LIMIT = 24, 150, 75, 100, 3_000
"""Slack's own limits on what stands in a form."""

YES_NO = (Choice("yes", "Yes"), Choice("no", "No"))


def modal(form: CommandForm, incident: str, channel: str) -> dict[str, Any]:
    """The view to open. `private_metadata` says for which incident it is, and where to tell what came of it."""
    return {
        "type": "modal",
        "callback_id": f"tocsin:{form.verb}",
        "private_metadata": f"{incident} {channel}",
        "title": _plain(form.title, TITLE_LIMIT),
        "submit": _plain("Do it", TITLE_LIMIT),
        "close": _plain("Cancel", TITLE_LIMIT),
        "blocks": [
            {"type": "context", "elements": [_plain(f"{incident}. {form.about}", OPTION_LIMIT * 4)]},
            *map(_input, form.fields),
        ],
    }


def told(title: str, text: str) -> dict[str, Any]:
    """A view that only says something."""
    blocks = [{"type": "section", "text": _plain(text, INPUT_LIMIT)}]
    return {"type": "modal", "title": _plain(title, TITLE_LIMIT), "close": _plain("Close", TITLE_LIMIT), "blocks": blocks}


def filled(values: Mapping[str, Any]) -> Form:
    """What somebody filled in, as a form of a web page is read."""
    pairs: list[tuple[str, str]] = []
    for block, given in values.items():
        value: Mapping[str, Any] = next(iter(given.values()), {})
        chosen = value.get("selected_option") or {}
        pairs.append((block, str(value.get("value") or chosen.get("value") or value.get("selected_date") or "")))
    return Form(pairs)


def errors(form: CommandForm, problems: list[dict[str, str]]) -> dict[str, str]:
    """The problems by the block that they belong to; what belongs to none stands at the first."""
    found: dict[str, str] = {}
    for problem in problems:
        outer = problem["field"].partition(".")[0]
        block = next((field.name for field in form.fields if field.name in (problem["field"], outer)), None)
        name = block or (form.fields[0].name if form.fields else "")
        text = problem["message"] if block else f"{problem['field']}: {problem['message']}"
        found[name] = f"{found[name]}; {text}" if name in found else text
    return found


def _input(field: Field) -> dict[str, Any]:
    block: dict[str, Any] = {
        "type": "input",
        "block_id": field.name,
        "optional": not field.required,
        "label": _plain(field.label, LABEL_LIMIT),
    }
    if field.hint:
        block["hint"] = _plain(field.hint, LABEL_LIMIT)
    return block | {"element": {"action_id": "said", **_element(field)}}


def _element(field: Field) -> dict[str, Any]:
    choices = field.choices if field.kind == "choice" else YES_NO if field.kind in ("yes_no", "tick") else ()
    if choices:
        return {"type": "static_select", "options": list(_options(choices))}
    if field.kind == "date":
        return {"type": "datepicker"}
    return {
        "type": "plain_text_input",
        "multiline": field.kind in ("text", "lines"),
        "max_length": min(field.limit or INPUT_LIMIT, INPUT_LIMIT),
    }


def _options(choices: tuple[Choice, ...]) -> Iterator[dict[str, Any]]:
    for choice in choices[:OPTIONS]:
        yield {"text": _plain(choice.label, OPTION_LIMIT), "value": choice.value}


def _plain(text: str, limit: int) -> dict[str, Any]:
    short = text if len(text) <= limit else text[: limit - 1] + "…"
    return {"type": "plain_text", "text": short or " "}
