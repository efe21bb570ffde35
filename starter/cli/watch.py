"""Follow one incident in a terminal: a head that is redrawn in place, and the timeline growing above it."""

from __future__ import annotations

import json
import shutil
import sys
import threading
import time
from collections.abc import Callable
from queue import Empty, Queue
from typing import Any

from starter.cli import output
from starter.cli.http import Failure, Server

AGAIN_AFTER = 1.0
"""Seconds before a lost stream is taken up again."""


def follow(server: Server, incident: str) -> None:
    """Print every entry as it comes, for ever; leaves when the incident is closed or on Ctrl-C."""
    state: dict[str, Any] = server.get(f"/api/v1/incidents/{incident}")
    screen = Screen(sys.stdout.isatty())
    told: Queue[tuple[str, Any]] = Queue()
    threading.Thread(target=_listen, args=(server, incident, told.put), daemon=True).start()
    shown = 0
    link = "connecting"
    try:
        while True:
            try:
                kind, what = told.get(timeout=1.0)
            except Empty:
                screen.head(state, link)
                continue
            if kind == "entry" and what["seq"] > shown:
                shown = what["seq"]
                screen.entry(what)
                if what["kind"] == "phase_entered" and what["data"].get("phase") == "closed":
                    return
            elif kind == "state":
                state = what
            elif kind == "link":
                link = str(what)
            elif kind == "failure":
                raise what
            screen.head(state, link)
    finally:
        screen.leave()


def _listen(server: Server, incident: str, tell: Callable[[tuple[str, Any]], None]) -> None:
    """Read the stream in a thread of its own, taking it up again where it was lost."""
    last: str | None = None
    while True:
        try:
            tell(("link", "live"))
            for id_, event, data in server.events(f"/api/v1/incidents/{incident}/events", last):
                last = id_ or last
                if event in ("entry", "state"):
                    tell((event, json.loads(data)))
        except Failure as error:
            if error.code != 7:
                tell(("failure", error))
                return
        except (OSError, ValueError) as error:
            tell(("link", f"reconnecting ({error})"))
        else:
            tell(("link", "reconnecting"))
        time.sleep(AGAIN_AFTER)


class Screen:
    """Where it is shown. Without a terminal: one line an entry, nothing else."""

    def __init__(self, terminal: bool) -> None:
        self._terminal = terminal
        self._drawn = 0

    def entry(self, entry: dict[str, Any]) -> None:
        line = f"{entry['at'][11:19]}  {entry['kind']:<20} {output.printable(entry['text'])}"
        self._clear()
        output.data(line if self._terminal is False else line[: _width()])

    def head(self, state: dict[str, Any], link: str) -> None:
        if not self._terminal:
            return
        self._clear()
        width = _width()
        lines = ["", output.headline(state)[:width]]
        for name, due, left, owner in output.clock_rows(state)[:8]:
            text = f"  {name:<22} {left:>16}  due {due[11:19] if len(due) > 11 else due}  {owner}"[:width]
            lines.append(output.paint(text, output.RED) if left.startswith("OVERDUE") else text)
        step = state.get("next") or {}
        lines.append(f"  next: {step.get('text', '')} {step.get('command') or ''}"[:width])
        lines.append(output.paint(f"  {link}; Ctrl-C leaves", output.DIM))
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()
        self._drawn = len(lines)

    def _clear(self) -> None:
        if self._drawn:
            sys.stdout.write(f"\x1b[{self._drawn}A\x1b[J")
            self._drawn = 0

    def leave(self) -> None:
        """Leave the terminal as it was: the head stays as the last thing said."""
        sys.stdout.flush()


def _width() -> int:
    return max(20, shutil.get_terminal_size((100, 24)).columns - 1)
