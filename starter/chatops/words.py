"""What was typed into a chat, as a verb, an incident and fields: the command line's words, with no file and no input behind them."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starter.cli.arguments import chosen
from starter.cli.verbs import OPENING, PORTS, SHORT, VERBS, Field, Verb
from starter.problems import Invalid

INCIDENT = re.compile(r"INC-\d{4}-\d{4,}", re.IGNORECASE)
QUOTES = str.maketrans({"“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "—": "--"})
"""What phones and chats make of quotation marks, and of two dashes."""

ASIDE = re.compile(rf" \(({'|'.join(VERBS)})\)")
"""The command that a sentence of the core names beside what it asks for."""

READING = ("help", "list", "status", "next", "channels")

OPEN = Verb("open", "Open an incident; with a severity it is declared at once.", OPENING, main="summary", places=("title",))

_PORT = Field("port", "choice", "which outside system", required=True, choices=PORTS)

CHANNELS = {
    "channel pause": Verb(
        "pause_channel",
        "Have an outside system wait, for its vendor's outage.",
        (_PORT, Field("reason", "text", "why it waits", required=True), Field("minutes", "number", "for how long")),
        main="reason",
        places=("port",),
    ),
    "channel resume": Verb("resume_channel", "Let all that waited for an outside system go out.", (_PORT,), places=("port",)),
}
"""What is asked of no incident, but of all of them, as on the command line."""

_OF_ALL = {verb.name: verb for verb in CHANNELS.values()}


@dataclass(frozen=True)
class Typed:
    """`incident` is None where it was not named: then it is the channel's."""

    verb: str
    incident: str | None
    fields: dict[str, Any]


def read(text: str) -> Typed:
    """Read a line.

    Raises:
        Invalid: it is none; says which word, and what would do.
    """
    words = _split(text)
    if not words:
        return Typed("help", None, {})
    verb, rest = _verb(words)
    if verb in _OF_ALL:
        return Typed(verb, None, _fields(_OF_ALL[verb], rest))
    if verb in READING:
        return Typed(verb, next((word.upper() for word in rest if INCIDENT.fullmatch(word)), None), {})
    incident = next((word for word in rest if INCIDENT.fullmatch(word)), None) if verb != "open" else None
    if incident is not None and rest[0] == incident:
        rest = rest[1:]
    elif incident is not None and verb in VERBS and not VERBS[verb].fields:
        rest = [word for word in rest if word != incident]
    else:
        incident = None
    # To declare with a title opens a new one, as on the command line; with an id, or in its channel, it declares that one.
    opens = verb == "open" or (verb == "declare" and incident is None and bool(rest) and not rest[0].startswith("-"))
    shape = OPEN if opens else VERBS[verb]
    return Typed(shape.name, incident.upper() if incident else None, _fields(shape, rest))


def _split(text: str) -> list[str]:
    lexer = shlex.shlex(text.translate(QUOTES), posix=True)
    lexer.whitespace_split, lexer.commenters, lexer.quotes, lexer.escape = True, "", '"', ""
    try:
        return list(lexer)
    except ValueError:
        raise Invalid([{"field": "text", "message": 'has a quotation mark (") that is never closed'}]) from None


def _verb(words: list[str]) -> tuple[str, list[str]]:
    first = words[0].lower()
    two = " ".join(word.lower() for word in words[:2])
    if two in CHANNELS:
        return CHANNELS[two].name, words[2:]
    if two == "channel list":
        return "channels", words[2:]
    if two in SHORT:
        return SHORT[two], words[2:]
    named = SHORT.get(first, first.replace("-", "_"))
    if named in ("open", "report"):
        return "open", words[1:]
    if named in VERBS or named in READING:
        return named, words[1:]
    raise Invalid([{"field": "verb", "message": f"{words[0][:60]!r} is none that I know; help lists them"}])


def _fields(verb: Verb, words: list[str]) -> dict[str, Any]:
    options = {name: field for field in verb.fields for name in (field.option, *field.also)}
    offs = {field.off or f"--no-{field.option.removeprefix('--')}": field for field in verb.fields if field.kind == "flag"}
    main = next((field for field in verb.fields if field.name == verb.main), None)
    if main is not None:
        options |= {"-m": main, "--message": main}
    # As on the command line: `update --internal`.
    picks = {f"--{choice}": (field, choice) for field in verb.fields if field.name == "audience" for choice in field.choices}
    found: dict[str, Any] = {}
    loose: list[str] = []
    rest = iter(words)
    for word in rest:
        name, equals, value = word.partition("=")
        if word in picks:
            _put(found, *picks[word])
            continue
        if not word.startswith("-") or not (name in options or name in offs):
            loose.append(word)
            continue
        field = options.get(name) or offs[name]
        if field.kind == "flag":
            _put(found, field, name in options)
            continue
        said = value if equals else next(rest, None)
        if said is None:
            raise Invalid([{"field": field.name, "message": f"{name} needs a value after it"}])
        _put(found, field, _value(field, said))
    _place(verb, main, found, loose)
    return found


def _place(verb: Verb, main: Field | None, found: dict[str, Any], loose: list[str]) -> None:
    """Give what stands without an option's name to the fields that may be given so; the last one takes all the rest."""
    by_name = {field.name: field for field in verb.fields}
    empty = [by_name[name] for name in verb.places if name not in found]
    # A title is given without quotation marks: all that is loose is the title, and the summary is said with -m.
    if main is not None and main.name not in found and main not in empty and verb is not OPEN:
        empty.append(main)
    while loose and empty:
        field = empty.pop(0)
        said = " ".join(loose) if not empty and field.kind in ("line", "text", "document") else loose[0]
        loose = [] if said != loose[0] or len(loose) == 1 else loose[1:]
        _put(found, field, _value(field, said))
    if loose:
        known = ", ".join(field.option for field in verb.fields) or "none"
        raise Invalid([{"field": "text", "message": f"{verb.command} does not know what to do with {loose[0][:60]!r}; options: {known}"}])


def _put(found: dict[str, Any], field: Field, value: Any) -> None:
    if field.kind == "lines":
        found.setdefault(field.name, []).append(value)
    elif field.kind == "object" and isinstance(value, dict):
        found[field.name] = {**found.get(field.name, {}), **value}
    elif field.within:
        found.setdefault(field.within, {})[field.name] = value
    else:
        found[field.name] = value


def _value(field: Field, said: str) -> Any:
    if field.choices:
        word = chosen(said, field.choices)
        if word is None:
            raise Invalid([{"field": field.name, "message": f"{said[:60]!r} is not one of {', '.join(field.choices)}"}])
        return word
    try:
        match field.kind:
            case "number":
                return float(said)
            case "object":
                return json.loads(said)
            case "instant":
                moment = datetime.fromisoformat(said)
                return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()
    except ValueError:
        raise Invalid([{"field": field.name, "message": f"{said[:60]!r} can't be read as {field.kind}"}]) from None
    return said


def usage() -> Iterator[str]:
    """What can be typed, a line a verb."""
    short = {verb: name for name, verb in SHORT.items()}
    short |= {verb.name: name for name, verb in CHANNELS.items()}
    for verb in (OPEN, *VERBS.values(), *CHANNELS.values()):
        needed = " ".join(f"{field.option} …" for field in verb.fields if field.required and field.name not in verb.places)
        placed = " ".join(f"<{name}>" for name in verb.places)
        yield " ".join(filter(None, (short.get(verb.name, verb.command), placed, needed))) + f": {verb.help}"
