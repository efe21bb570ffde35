"""From a verb's fields to options, and from what was typed to the JSON that the incident takes."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click

from starter.cli import incidents
from starter.cli.verbs import Field, Verb

DOCUMENT_LIMIT = 1_000_000
"""Bytes that are read from standard input or a file; the server takes no more."""


class Choice(click.ParamType[str]):
    """One word of a closed set; dashes, spaces and capitals do not matter."""

    def __init__(self, choices: tuple[str, ...]) -> None:
        self.choices = choices
        self.name = "|".join(choices)

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        found = chosen(value, self.choices)
        if found is None:
            self.fail(f"{value!r} is not one of {', '.join(self.choices)}.", param, ctx)
        return found

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return self.name

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        from click.shell_completion import CompletionItem

        return [CompletionItem(choice) for choice in self.choices if choice.lower().startswith(incomplete.lower())]


class Instant(click.ParamType[str]):
    """A moment in ISO 8601; without a zone it is UTC."""

    name = "TIME"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            moment = datetime.fromisoformat(value.strip())
        except ValueError:
            self.fail(f"{value!r} is no moment like 2026-11-24T03:10 (UTC) or 2026-11-24T04:10+01:00.", param, ctx)
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).astimezone(UTC).isoformat().replace("+00:00", "Z")


class Date(click.ParamType[str]):
    name = "YYYY-MM-DD"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return date.fromisoformat(value.strip()).isoformat()
        except ValueError:
            self.fail(f"{value!r} is no date like 2026-11-24.", param, ctx)


class JsonObject(click.ParamType[dict[str, Any]]):
    """One JSON object."""

    name = "JSON"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, Any]:
        try:
            found = json.loads(value) if isinstance(value, str) else value
        except ValueError as error:
            self.fail(f"{value!r} is not JSON: {error}.", param, ctx)
        if not isinstance(found, dict):
            self.fail(f'{value!r} is no JSON object like {{"workaround": true}}.', param, ctx)
        return found


def chosen(value: str, choices: tuple[str, ...]) -> str | None:
    """The word of a closed set that was meant; `1` and `sev1` are SEV1."""
    word = value.strip().replace("-", "_").replace(" ", "_").casefold()
    for choice in choices:
        if word == choice.casefold() or (choice.startswith("SEV") and word == choice[3:]):
            return choice
    return None


def option_of(field: Field, main: bool = False) -> click.Option:
    """The option that fills a field; `-m` as well where it is the verb's main one."""
    names = [field.option, *field.also, *(("-m", "--message") if main else ())]
    if field.kind == "flag":
        no = field.off or "--no-" + field.option.removeprefix("--")
        return click.Option([field.name, f"{field.option}/{no}"], default=None, help=field.help)
    types: dict[str, Any] = {"number": click.FLOAT, "instant": Instant(), "date": Date(), "object": JsonObject()}
    kind = Choice(field.choices) if field.choices else types.get(field.kind, click.STRING)
    metavar = None if field.choices else {"number": "N", "lines": "TEXT …"}.get(field.kind, getattr(kind, "name", "text").upper())
    note = f"{field.help}{'; - reads it from standard input' if field.kind in {'text', 'document'} else ''}"
    return click.Option([field.name, *names], type=kind, multiple=field.kind == "lines", metavar=metavar, help=note)


def places(verb: Verb, given: tuple[str, ...], values: dict[str, Any]) -> str | None:
    """Sort what was given without an option's name: first the incident, where it is named, then the verb's fields.

    The fields found go into `values`. A bare `-` is the main field, from standard input.

    Raises:
        click.UsageError: there is more than fits.
    """
    words = list(given)
    fields = {field.name: field for field in verb.fields}
    if verb.main is not None and words and words[-1] == "-" and not values.get(verb.main):
        values[verb.main] = words.pop()
    empty = [name for name in verb.places if values.get(name) in (None, ())]
    incident = words.pop(0) if words and _names_incident(words, empty, fields) else None
    for name in empty:
        if words:
            values[name] = _placed(fields[name], words.pop(0))
    if words:
        raise click.UsageError(f"{verb.command} does not know what to do with {words[0]!r}; name the field: {_options(verb)}")
    return incident


def _names_incident(words: list[str], empty: list[str], fields: dict[str, Field]) -> bool:
    name = incidents.named(words[0])
    if name is None:
        # A field that is still empty takes the word, unless there are more words than fields for them.
        return len(words) > len(empty)
    if not incidents.is_number(name) or not empty or len(words) > len(empty):
        return True
    first = fields[empty[0]]
    return not (first.choices and chosen(words[0], first.choices) is not None)


def _placed(field: Field, word: str) -> str:
    if field.choices:
        found = chosen(word, field.choices)
        if found is None:
            raise click.UsageError(f"{word!r} is not one of {', '.join(field.choices)}; say it with {field.option}")
        return found
    if field.kind == "instant":
        return Instant().convert(word, None, click.get_current_context())
    return word if field.kind != "document" or word == "-" else read_file(word)


def _options(verb: Verb) -> str:
    return ", ".join(field.option for field in verb.fields) or "there are none"


def payload(fields: Iterable[Field], values: dict[str, Any]) -> dict[str, Any]:
    """The JSON fields for what was given; a `-` is read from standard input, once.

    Raises:
        click.UsageError: something that is needed is missing, or two texts want the same input.
    """
    asked = list(fields)
    missing = [spelled(field) for field in asked if field.required and values.get(field.name) in (None, ())]
    if missing:
        raise click.UsageError(f"missing: {', '.join(missing)}")
    from_input = [field for field in asked if field.kind in {"text", "document"} and values.get(field.name) == "-"]
    if len(from_input) > 1:
        raise click.UsageError(f"only one text can come from standard input, not {' and '.join(field.option for field in from_input)}")
    body: dict[str, Any] = {}
    for field in asked:
        value = values.get(field.name)
        if value in (None, ()):
            continue
        if field in from_input:
            value = read_input()
        elif field.kind == "incident":
            value = value.strip().upper()
        if field.kind == "object":
            whole: dict[str, Any] = values[field.name]
            body[field.name] = {**whole, **body.get(field.name, {})}
            continue
        body_of = body.setdefault(field.within, {}) if field.within else body
        body_of[field.name] = list(value) if field.kind == "lines" else value
    return body


def spelled(field: Field) -> str:
    """How to give a field."""
    if field.kind == "flag" and field.off:
        return f"{field.option} or {field.off}"
    return f"{field.option} {'|'.join(field.choices)}" if field.choices else field.option


def read_input() -> str:
    """All of standard input, as UTF-8.

    Raises:
        click.UsageError: it is not.
    """
    return _text(sys.stdin.buffer.read(DOCUMENT_LIMIT + 1), "standard input")


def read_file(path: str) -> str:
    """A text file, as UTF-8.

    Raises:
        click.UsageError: it can't be read, or is not.
    """
    try:
        with Path(path).open("rb") as file:
            return _text(file.read(DOCUMENT_LIMIT + 1), path)
    except OSError as error:
        raise click.UsageError(f"{path} can't be read: {error.strerror}") from error


def _text(found: bytes, where: str) -> str:
    if len(found) > DOCUMENT_LIMIT:
        raise click.UsageError(f"{where} holds more than {DOCUMENT_LIMIT:,} bytes")
    try:
        return found.decode("utf-8")
    except UnicodeDecodeError as error:
        raise click.UsageError(f"{where} is not UTF-8: byte {error.start} begins no character") from error
