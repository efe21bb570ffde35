# ruff: noqa: SIM300 - the house writes what is expected first
"""What children log reaches the person at the terminal where it matters, and not a hundred times."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from worker.log_tail import SPEAK_AGAIN, LogTail, worth_showing


class Terminal:
    """A log, its tail and what a person has seen of it; `now` is the tail's clock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.said: list[str] = []
        self.now = 0.0
        self.tail = LogTail("worker", path, self.said.append, clock=lambda: self.now)

    def log(self, *lines: str) -> list[str]:
        with self.path.open("a") as log:
            log.write("".join(lines))
        self.tail.look()
        return self.said


def warning(event: str) -> str:
    return json.dumps({"event": event, "level": "warning"}) + "\n"


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    path = tmp_path / "worker.log"
    path.write_text(warning("of yesterday"))
    return Terminal(path)


def test_only_what_is_new_is_shown(terminal: Terminal) -> None:
    """A second start does not show the warnings of the first."""
    assert [] == terminal.log()
    assert ["worker: chat is down"] == terminal.log(warning("chat is down"))


def test_a_repetition_is_not_shown_for_a_minute(terminal: Terminal) -> None:
    """An outage speaks once a minute, not with every attempt."""
    for terminal.now in (0.0, 1.0, SPEAK_AGAIN + 1):
        terminal.log(warning("chat is down"), warning("chat is down"))

    assert ["worker: chat is down"] * 2 == terminal.said


def test_half_a_line_waits_for_its_other_half(terminal: Terminal) -> None:
    """A line that is still being written is shown once it is whole."""
    line = warning("chat is down")

    assert [] == terminal.log(line[:9])
    assert ["worker: chat is down"] == terminal.log(line[9:])


def test_a_log_that_was_put_aside_is_read_from_its_start(terminal: Terminal) -> None:
    """A new log after a rotation loses no warning."""
    terminal.path.write_text("")
    terminal.tail.look()

    assert ["worker: chat is down"] == terminal.log(warning("chat is down"))


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("tocsin worker: no Temporal server answers", "tocsin worker: no Temporal server answers"),
        ('{"level": "info", "event": "the worker works"}', None),
        ('{"level": "error", "event": "[sdk_core::retry] gRPC call retried 27 times"}', None),
        ('{"level": "error", "event": "page failed", "incident": "INC-2026-0001"}', "INC-2026-0001 · page failed"),
        ('{"level": "error", "event": "failed", "exception": "Traceback\\n  File\\nKeyError: 1"}', "failed · KeyError: 1"),
        ('{"level": "warning", "event": "rota unusable", "error": "line 3"}', "rota unusable · line 3"),
        ("Traceback (most recent call last):", None),
        ("[1, 2]", None),
        ("", None),
    ],
)
def test_what_is_worth_showing(line: str, shown: str | None) -> None:
    """Warnings, errors and reasons not to start are shown as one sentence; the rest stays in the log."""
    assert shown == worth_showing(line)
