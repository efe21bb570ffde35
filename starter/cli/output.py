"""What is printed: data to standard output, talk to standard error. Colour only in a terminal that wants it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

RED, YELLOW, GREEN, DIM, BOLD = "31", "33", "32", "2", "1"


def coloured(stream: Any = None) -> bool:
    return (stream or sys.stdout).isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def paint(text: str, colour: str, stream: Any = None) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m" if coloured(stream) else text


def data(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def talk(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def as_json(value: Any) -> None:
    data(json.dumps(value, indent=1, ensure_ascii=False))


def printable(text: str) -> str:
    """Text from outside without control characters: it must not steer the terminal."""
    return "".join(char if char.isprintable() else " " for char in text)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Aligned columns in a terminal, tabs without heads in a pipe."""
    cells = [[printable(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for row in cells:
            data("\t".join(row))
        return
    widths = [max(len(head), *(len(row[column]) for row in cells), 0) if cells else len(head) for column, head in enumerate(heads)]
    data(paint("  ".join(head.ljust(width) for head, width in zip(heads, widths, strict=True)).rstrip(), DIM))
    for row in cells:
        data("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    data("| " + " | ".join(heads) + " |")
    data("|" + "---|" * len(heads))
    for row in rows:
        data("| " + " | ".join(printable(cell).replace("|", "\\|") for cell in row) + " |")


def left(due: str | None, now: datetime | None = None) -> str:
    """`4:12` until then, `OVERDUE +2:18` after it; a dash where there is no time."""
    if not due:
        return "-"
    seconds = int((moment(due) - (now or datetime.now(UTC))).total_seconds())
    return span(seconds) if seconds >= 0 else f"OVERDUE +{span(-seconds)}"


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def span(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def clock_rows(state: dict[str, Any]) -> list[list[str]]:
    """The clocks that run, most urgent first, then those that are met."""
    clocks = sorted(state.get("clocks", []), key=lambda clock: (clock["state"] in ("met", "paused"), clock["due"] or "~"))
    return [
        [
            clock["name"],
            clock["due"] or "-",
            left(clock["due"]) if clock["state"] in ("running", "overdue") else clock["state"],
            clock.get("owner", "-"),
        ]
        for clock in clocks
    ]


def headline(state: dict[str, Any]) -> str:
    drill = "DRILL  " if state.get("drill") else ""
    phase = state["phase"].replace("_", "-")
    who = state.get("roles", {}).get("commander") or "nobody"
    severity = state.get("severity") or f"presumed {state.get('presumed_severity', '?')}"
    return f"{drill}{state['incident']}  {severity}  {printable(state['title'])}   {phase}   commander {printable(who)}"


def refusal(detail: dict[str, Any]) -> None:
    """A refusal for people: what, each thing in the way, and the way forward."""
    said = detail["refusal"]
    talk(f"{paint('refused', RED, sys.stderr)} ({said['code']}): {said['message']}")
    for blocker in said.get("blockers", []):
        until = f"  until {blocker['until']} ({left(blocker['until'])} left)" if blocker.get("until") else ""
        talk(f"  x {printable(blocker['message'])}{until}")
    talk(f"  way forward: {said['required_action']}")
