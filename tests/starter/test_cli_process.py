"""The command line as a process of its own: how it starts, how it watches, how it ends."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import resource
import select
import signal
import statistics
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from starter.cli.screen import Screen
from starter.cli.stream import events
from tests.starter.stub_server import ONE, Reply, Stub, accepted, entry, serving, state

ROOT = Path(__file__).resolve().parents[2]
TOCSIN = [sys.executable, "-m", "starter.cli"]

BANNED = ("pydantic", "temporalio", "fastapi", "httpx2", "rich", "structlog", "asyncio")

WITHIN = 10.0
"""Seconds that anything here may take; it takes far less on a machine that is not busy."""


@pytest.fixture
def stub() -> Iterator[Stub]:
    with serving() as stub:
        stub.holds(state())
        yield stub


def environment(stub: Stub) -> dict[str, str]:
    return {**os.environ, "TOCSIN_URL": stub.url, "TOCSIN_USER": "ana", "PYTHONPATH": str(ROOT), "TERM": "xterm", "NO_COLOR": "1"}


@pytest.mark.parametrize("args", [["--help"], ["ack", ONE], ["status", ONE], ["list"], ["update", "--help"], ["nonsense"]], ids=" ".join)
def test_a_verb_starts_without_the_heavy_libraries(stub: Stub, args: list[str]) -> None:
    """What people type at 3 a.m. imports neither pydantic nor temporalio nor a web framework."""
    stub.says[f"POST /incidents/{ONE}/acknowledge"] = accepted(entry(4, "acknowledged"))
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "starter.cli", *args],
        env=environment(stub),
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=False,
    )
    sys.stdout.write(f"tocsin {' '.join(args)}: {time.monotonic() - began:.3f} s with -X importtime\n")
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}

    assert "click" in imported
    assert sorted(name for name in imported if name.partition(".")[0] in BANNED) == []


def _of_a_processor(command: list[str], env: dict[str, str]) -> float:
    """The seconds of a processor that a program uses: what it waits for, and what else the machine does, is not counted."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=env, capture_output=True, timeout=WITHIN, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.mark.parametrize("args", [["--help"], ["ack", ONE], ["status", ONE]], ids=" ".join)
def test_a_verb_answers_before_one_wonders(stub: Stub, tmp_path: Path, args: list[str]) -> None:
    """Less than 150 ms from Enter to the answer, besides what the server takes; on a slow machine ten times what Python alone takes."""
    stub.says[f"POST /incidents/{ONE}/acknowledge"] = accepted(entry(4, "acknowledged"))
    compiled = {**environment(stub), "PYTHONPYCACHEPREFIX": str(tmp_path)}
    compiled.pop("PYTHONDONTWRITEBYTECODE", None)
    bare, spent = [], []
    for _ in range(10):
        bare.append(_of_a_processor([sys.executable, "-c", "pass"], compiled))
        spent.append(_of_a_processor([*TOCSIN, *args], compiled))
    ours, python = statistics.median(spent[1:]), statistics.median(bare[1:])
    sys.stdout.write(f"tocsin {' '.join(args)}: {ours * 1000:.0f} ms of a processor, Python alone {python * 1000:.0f} ms\n")

    assert ours < max(0.15, 10 * python)


def test_stdout_is_data_and_stderr_is_talk(stub: Stub) -> None:
    """Piped, a write leaves its one line on stdout; what is next stands on stderr; there is no colour."""
    stub.says[f"POST /incidents/{ONE}/acknowledge"] = accepted(entry(4, "acknowledged", "ana acknowledged"))
    done = subprocess.run([*TOCSIN, "ack"], env=environment(stub), capture_output=True, text=True, timeout=WITHIN, check=False)

    assert (done.returncode, done.stdout) == (0, f"{ONE}  ana acknowledged\n")
    assert f"next: tocsin update {ONE}" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr


def test_a_reader_that_has_had_enough_is_no_error(stub: Stub) -> None:
    """`tocsin timeline | head -1` ends without a traceback."""
    stub.timeline = [entry(number, text="x" * 200) for number in range(1, 3_000)]
    line = f"{sys.executable} -m starter.cli timeline {ONE} | head -1"
    done = subprocess.run(["bash", "-c", line], env=environment(stub), capture_output=True, text=True, timeout=WITHIN, check=False)

    assert (done.stdout.count("\n"), done.stderr) == (1, "")


def test_a_piped_watch_appends_lines_through_a_restart(stub: Stub) -> None:
    """Into a pipe a watch writes one line an entry; a restart of the server costs none and repeats none."""
    stub.timeline = [entry(1), entry(2)]
    process = subprocess.Popen([*TOCSIN, "watch", ONE], env=environment(stub), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    _eventually(lambda: stub.streams == 1)
    stub.tell(entry(3))
    lines = [process.stdout.readline() for _ in range(3)]
    stub.stop()
    stub.timeline.append(entry(4))
    stub.start()
    _eventually(lambda: stub.streams == 2)
    stub.says[f"GET /incidents/{ONE}"] = Reply(200, state(phase="closed"))
    stub.tell(entry(5, "closed"))
    rest, err = process.communicate(timeout=WITHIN)

    assert [line.split("\t")[0] for line in [*lines, *rest.splitlines()]] == ["1", "2", "3", "4", "5"]
    assert (process.returncode, err) == (0, "")
    assert [asked.last_event_id for asked in stub.asked if asked.path.endswith("/events")][-1] in {"4", "3"}


class Terminal:
    """A process in a terminal of its own, and what that shows."""

    def __init__(self, args: list[str], env: dict[str, str], columns: int) -> None:
        self.master, self.slave = pty.openpty()
        self.resize(columns)
        self.before = termios.tcgetattr(self.slave)
        self.process = subprocess.Popen(
            args, env=env, stdin=self.slave, stdout=self.slave, stderr=self.slave, start_new_session=True, preexec_fn=self._own
        )
        self.seen = ""

    @staticmethod
    def _own() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def resize(self, columns: int) -> None:
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def shows(self, text: str) -> str:
        """Read on until `text` is there, and give all that came since the last time."""
        deadline = time.monotonic() + WITHIN
        while text not in self.seen:
            assert time.monotonic() < deadline, f"{text!r} does not appear in {self.seen!r}"
            self._read()
        shown, self.seen = self.seen, ""
        return shown

    def _read(self) -> None:
        ready, _, _ = select.select([self.master], [], [], 0.1)
        if ready:
            self.seen += os.read(self.master, 65_536).decode("utf-8", "replace")

    def types(self, text: str) -> None:
        os.write(self.master, text.encode())

    def ends(self) -> int:
        deadline = time.monotonic() + WITHIN
        while self.process.poll() is None:
            assert time.monotonic() < deadline, "it does not end"
            self._read()
        return self.process.returncode

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def watching(stub: Stub) -> Iterator[Terminal]:
    stub.timeline = [entry(1, "opened", "opened by an alert")]
    terminal = Terminal([*TOCSIN, "watch", ONE], environment(stub), columns=100)
    yield terminal
    terminal.close()


def test_a_watch_in_a_terminal_lives_through_restart_resize_and_interrupt(stub: Stub, watching: Terminal) -> None:
    """The clocks stay below the timeline; a restart is told and survived, a narrow window kept to, and Ctrl-C leaves 130."""
    first = watching.shows("next:")
    _eventually(lambda: stub.streams == 1)
    stub.tell(entry(2, "note", "rolled back"))
    appended = watching.shows("rolled back")
    stub.stop()
    away = watching.shows("reconnecting")
    stub.timeline.append(entry(3, "note", "while you were away"))
    stub.start()
    watching.shows("while you were away")
    watching.resize(60)
    watching.shows("internal update")
    watching.shows("next:")
    narrow = watching.shows("internal update") + watching.shows("next:")
    watching.types("\x03")
    code = watching.ends()

    assert "opened by an alert" in first
    assert "external update" in first
    assert re.search(r"\x1b\[\d+A\r\x1b\[J", appended)
    assert "the clocks go on" in away
    assert max(len(re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", line)) for line in narrow.split("\r\n")) <= 60
    assert code == 130
    assert termios.tcgetattr(watching.slave) == watching.before


FORETOLD = {
    "incident": ONE,
    "reaches_the_public": True,
    "drill": False,
    "title": "Checkout returns 5xx in the EU",
    "status": "identified",
    "text": "Payments fail",
    "components": [{"name": "Checkout", "status": "partial_outage"}, {"name": "Web", "status": None}],
    "next_update_by": "2026-11-24T03:40:00Z",
}
"""What the server answers when it is asked what the public would read."""


def asked_about(stub: Stub, answer: str) -> tuple[str, int, list[str]]:
    """What a terminal shows before an external update, how it ends after `answer`, and what was posted."""
    terminal = Terminal([*TOCSIN, "update", ONE, "--external", "-m", "Payments fail"], environment(stub), columns=100)
    shown = terminal.shows("[y/N]")
    terminal.types(f"{answer}\r")
    code = terminal.ends()
    terminal.close()
    return shown, code, [asked.path for asked in stub.posted() if not asked.path.endswith("/preview")]


def test_a_person_is_asked_before_the_public_is_told(stub: Stub) -> None:
    """In a terminal an external update shows what the public will read, as the composer does, and a no sends nothing."""
    stub.says[f"POST /incidents/{ONE}/preview"] = Reply(200, FORETOLD)
    shown, code, posted = asked_about(stub, "n")

    assert "To everybody, on the public status page, as identified:" in shown
    assert "Checkout returns 5xx in the EU" in shown
    assert "Payments fail" in shown
    assert "components: Checkout: partial outage; Web: named" in shown
    assert "next update promised by" in shown
    assert (code, posted) == (1, [])


def test_a_yes_posts_what_was_shown(stub: Stub) -> None:
    """The text that was looked at is the text that goes out."""
    stub.says[f"POST /incidents/{ONE}/preview"] = Reply(200, FORETOLD)
    stub.says[f"POST /incidents/{ONE}/post_update"] = accepted(entry(4, "external_update", "Payments fail"))
    _, code, posted = asked_about(stub, "y")
    looked_at, sent = stub.posted()

    assert (code, posted) == (0, [f"/incidents/{ONE}/post_update"])
    assert (looked_at.body["text"], looked_at.body["by"]) == (sent.body["text"], sent.body["by"]) == ("Payments fail", "ana")


def test_what_would_be_refused_is_said_before_it_is_sent(stub: Stub) -> None:
    """Nobody sends the public a text that the process keeps back without knowing it."""
    refusal = {"code": "not-permitted", "message": "It is private.", "required_action": "Post it internally.", "blockers": []}
    seen = {"incident": ONE, "reaches_the_public": False, "drill": False, "refusal": refusal}
    stub.says[f"POST /incidents/{ONE}/preview"] = Reply(200, seen)
    shown, _, posted = asked_about(stub, "n")

    assert "It would be refused, on record:" in shown
    assert "It is private." in shown
    assert "Post it internally." in shown
    assert posted == []


def test_where_no_preview_can_be_made_a_person_is_asked_all_the_same(stub: Stub) -> None:
    """The question never falls away, whatever is broken."""
    shown, code, posted = asked_about(stub, "n")

    assert "To the public status page (what it will look like can't be shown now" in shown
    assert "Payments fail" in shown
    assert (code, posted) == (1, [])


def test_an_interrupt_ends_with_130(stub: Stub) -> None:
    """A wait that is interrupted says so with its exit code."""
    process = subprocess.Popen([*TOCSIN, "wait", ONE, "--for", "closed"], env=environment(stub), stderr=subprocess.PIPE, text=True)
    _eventually(lambda: stub.streams == 1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=WITHIN)

    assert (process.returncode, err.strip()) == (130, "interrupted")


def test_an_event_that_was_cut_off_is_left_out() -> None:
    """A stream that ends in the middle of an event has not told of it: it comes again with the next connection."""
    lines = [b": ping\n", b"\n", b"id: 7\n", b"event: entry\n", b'data: {"seq":\n', b"data: 7}\n", b"\n", b"id: 8\n", b"data: {}\n"]

    assert list(events(iter(lines))) == [("entry", "7", '{"seq":\n7}')]


def test_a_screen_without_a_terminal_has_a_size() -> None:
    """Where the size can't be asked for, the usual one is taken."""
    assert Screen().size.columns > 0


def _eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def named(stub: Stub, tmp_path: Path) -> dict[str, str]:
    """An environment in which `tocsin` is a program that a shell finds."""
    program = tmp_path / "tocsin"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m starter.cli "$@"\n')
    program.chmod(0o755)
    return {**environment(stub), "PATH": f"{tmp_path}:{os.environ['PATH']}"}


def _says(command: list[str], env: dict[str, str]) -> list[str]:
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=WITHIN, check=True)
    assert done.stderr == ""
    return done.stdout.split()


def test_bash_completes_verbs_and_open_incidents(named: dict[str, str]) -> None:
    """With the one line in its start file, a Tab finishes the verb, and offers what is open after it."""
    load = 'eval "$(tocsin completion bash)"'
    ask = '_tocsin_completion tocsin; printf "%s\\n" "${COMPREPLY[@]}"'
    verbs = _says(["bash", "-c", f"{load}; COMP_WORDS=(tocsin ackn); COMP_CWORD=1; {ask}"], named)
    incidents = _says(["bash", "-c", f"{load}; COMP_WORDS=(tocsin ack INC); COMP_CWORD=2; {ask}"], named)

    assert (verbs, incidents) == (["acknowledge"], [ONE])


@pytest.mark.parametrize(("shell", "here"), [("zsh", "1"), ("fish", "ackn")])
def test_other_shells_are_answered_as_their_scripts_ask(named: dict[str, str], shell: str, here: str) -> None:
    """What the script of zsh or fish asks when somebody presses Tab is answered with the verb, and zsh with what it does."""
    asked = {**named, "_TOCSIN_COMPLETE": f"{shell}_complete", "COMP_WORDS": "tocsin ackn", "COMP_CWORD": here}

    assert any("acknowledge" in word for word in _says(["tocsin"], asked))
