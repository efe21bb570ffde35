"""How answers look: tables for eyes, tab-separated lines for pipes, JSON, Markdown and ids.

Texts may come from outside: what a terminal would take for a command is replaced before it is printed for people.
"""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

BOLD, DIM, RED, GREEN, YELLOW = "1", "2", "31", "32", "33"
SEVERITY_STYLE = {"SEV1": "1;31", "SEV2": "33", "SEV3": "36"}

_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
_BREAKS = re.compile(r"\s*[\r\n\t\u2028\u2029]+\s*")
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that turn the direction of what follows them."""


class Paint:
    """Colours, where there is a terminal that shows them."""

    def __init__(self, on: bool) -> None:
        self.on = on

    def __call__(self, text: str, style: str | None) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self.on and style and text else text


def say(text: str) -> None:
    """Talk, on stderr."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def put(text: str) -> None:
    """Data, on stdout."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def put_json(value: Any) -> None:
    put(json.dumps(value, indent=2, ensure_ascii=False))


def clean(text: object) -> str:
    """A text as one line that no terminal takes for a command."""
    line = _BREAKS.sub(" ", str(text))
    if line.isascii() and line.isprintable():
        return line
    return "".join("\ufffd" if unicodedata.category(each) in {"Cc", "Cs"} or each in _TURNING else each for each in line)


def width(text: str) -> int:
    """Columns that a text takes: wide characters two, marks on others none, colours none."""
    plain = _ESCAPES.sub("", text)
    if plain.isascii():
        return len(plain)
    return sum(0 if unicodedata.combining(each) else 2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in plain)


def cut(text: str, columns: int) -> str:
    """A text with what goes beyond `columns` left out, its colours ended."""
    if width(text) <= columns:
        return text
    kept: list[str] = []
    room = max(columns - 1, 0)
    for part in re.split(r"(\x1b\[[0-9;]*m)", text):
        if part.startswith("\x1b["):
            kept.append(part)
            continue
        for each in part:
            room -= width(each)
            if room < 0:
                return "".join(kept) + "…" + ("\x1b[0m" if "\x1b[" in text else "")
            kept.append(each)
    return "".join(kept)


def aligned(headers: Sequence[str], rows: Iterable[Sequence[str]], paint: Paint) -> list[str]:
    """A table's lines, without rules and boxes; cells may hold colours."""
    body = [list(row) for row in rows]
    widths = [max([width(header), *(width(row[place]) for row in body)]) for place, header in enumerate(headers)]

    def line(cells: Sequence[str]) -> str:
        return "  ".join(cell + " " * (room - width(cell)) for cell, room in zip(cells, widths, strict=True)).rstrip()

    return [paint(line(list(headers)), DIM), *(line(row) for row in body)]


def markdown(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The same as a Markdown table."""

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("\\", "\\\\").replace("|", "\\|") for cell in cells) + " |"

    return [line(headers), "|" + "---|" * len(headers), *(line(row) for row in rows)]
