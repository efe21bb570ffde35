"""What a child process's log says that a person at the terminal should see: warnings, errors, and why it can't start."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

SPEAK_AGAIN = 60.0
"""Seconds for which a repetition is not shown: an outage logs the same line every few seconds. The log has them all."""

LEVELS = frozenset({"warning", "error", "critical"})

_OF_THE_SDK = "[sdk_core"
"""How lines of Temporal's own client begin. They tell of a server that is away, which the supervisor says itself."""


class LogTail:
    """Follows one log, from where it ends now."""

    def __init__(self, name: str, path: Path, say: Callable[[str], None], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._path = path
        self._say = say
        self._clock = clock
        self._at = self._size()
        self._rest = b""
        self._said: dict[str, float] = {}

    def _size(self) -> int:
        return self._path.stat().st_size if self._path.exists() else 0

    def look(self) -> None:
        """Show what has been added since the last look. A log that was put aside is read from its start."""
        size = self._size()
        if size < self._at:
            self._at, self._rest = 0, b""
        if size == self._at:
            return
        with self._path.open("rb") as log:
            log.seek(self._at)
            added = self._rest + log.read(size - self._at)
        self._at = size
        *lines, self._rest = added.split(b"\n")
        for line in lines:
            self._show(worth_showing(line.decode(errors="replace")))

    def _show(self, text: str | None) -> None:
        now = self._clock()
        if text is None or now - self._said.get(text, -SPEAK_AGAIN) < SPEAK_AGAIN:
            return
        self._said = {said: at for said, at in self._said.items() if now - at < SPEAK_AGAIN} | {text: now}
        self._say(f"{self._name}: {text}")


def worth_showing(line: str) -> str | None:
    """The line as one sentence; None where it is not worth a person's eyes."""
    if line.startswith("tocsin "):
        return line
    try:
        fields = json.loads(line)
    except ValueError:
        return None
    if not isinstance(fields, dict) or fields.get("level") not in LEVELS:
        return None
    event = str(fields.get("event", ""))
    if event.startswith(_OF_THE_SDK):
        return None
    about = str(fields.get("incident") or fields.get("workflow_id") or "")
    why = str(fields.get("error") or str(fields.get("exception", "")).rpartition("\n")[2])
    return " · ".join(part for part in (about, event[:300], why[:300]) if part)
