# ruff: noqa: SIM300 - the house writes what is expected first
"""A supervised process is started again when it ends, stops when it is told, and dies with its parent."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.harness import eventually
from worker import child
from worker.child import Child

SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]

PARENT = """
import asyncio, pathlib, sys
from worker.child import Child

async def main():
    child = Child("sleeper", {sleeper!r}, log=pathlib.Path(sys.argv[1]), environment={{}}, changed=lambda: None, say=print)
    await child.start()
    print(child.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


class Nursery:
    """A child, what it has told, and the pids that it has had."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "sleeper.log"
        self.said: list[str] = []
        self.pids: list[int] = []
        self.child: Child | None = None

    def make(self, command: list[str], *, shown: bool = False, may_start_again: Callable[[], bool] = lambda: True) -> Child:
        self.child = Child(
            "sleeper",
            command,
            log=self.log,
            environment={},
            changed=self._note,
            say=self.said.append,
            shown=shown,
            may_start_again=may_start_again,
        )
        return self.child

    def _note(self) -> None:
        if self.child is not None and self.child.pid is not None:
            self.pids.append(self.child.pid)


@pytest.fixture
async def nursery(tmp_path: Path) -> AsyncIterator[Nursery]:
    made = Nursery(tmp_path)
    yield made
    if made.child is not None:
        await made.child.stop(within=2)


def alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and was not waited for yet does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


async def test_a_killed_child_is_started_again(nursery: Nursery) -> None:
    """Whatever ends a process, another takes its place, and the person at the terminal hears of it."""
    await nursery.make(SLEEPER).start()
    os.kill(nursery.pids[0], signal.SIGKILL)

    await eventually(lambda: len(nursery.pids) == 2, within=5, what="a second process")

    assert alive(nursery.pids[1])
    assert [f"sleeper has ended (signal 9); starting it again. Its log: {nursery.log}"] == nursery.said


async def test_a_child_that_may_not_be_started_again_is_not(nursery: Nursery, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server whose file has gone is not started on an empty one."""
    monkeypatch.setattr(child, "FIRST_PAUSE", 0.05)
    asked: list[str] = []

    def may_not() -> bool:
        asked.append("asked")
        return False

    sleeper = nursery.make([sys.executable, "-c", ""], may_start_again=may_not)
    await sleeper.start()
    await eventually(lambda: bool(asked), within=5)

    await sleeper.stop(within=1)

    assert (1, False) == (len(nursery.pids), sleeper.alive)


async def test_a_stopped_child_stays_stopped(nursery: Nursery) -> None:
    """A stop that was asked for is no accident: nothing is started again and nothing is told."""
    sleeper = nursery.make(SLEEPER)
    await sleeper.start()

    await sleeper.stop(within=5)

    assert not alive(nursery.pids[0])
    assert (False, []) == (sleeper.alive, nursery.said)


async def test_a_child_that_will_not_stop_is_killed(nursery: Nursery) -> None:
    """A process that ignores the polite request does not hold the others up for ever."""
    deaf = nursery.make(
        [sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"]
    )
    await deaf.start()
    await eventually(lambda: "deaf" in nursery.log.read_text(), within=5)

    await deaf.stop(within=0.2)

    assert not alive(nursery.pids[0])
    assert ["sleeper did not stop within 0 s and was killed"] == nursery.said


async def test_a_stop_during_the_pause_starts_nothing(nursery: Nursery, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever stops everything while a process is about to be started again does not get a new one."""
    monkeypatch.setattr(child, "FIRST_PAUSE", 0.2)
    briefly = nursery.make([sys.executable, "-c", ""])
    await briefly.start()
    await eventually(lambda: bool(nursery.said), within=5)

    await briefly.stop(within=1)

    assert 1 == len(nursery.pids)


async def test_a_child_that_cannot_be_started_again_is_tried_until_it_can(
    nursery: Nursery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that is missing for a moment, as during an upgrade, does not end the supervision."""
    monkeypatch.setattr(child, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(child, "LONGEST_PAUSE", 0.1)
    program = tmp_path / "program"
    program.symlink_to(sys.executable)
    await nursery.make([str(program), *SLEEPER[1:]]).start()
    program.unlink()
    os.kill(nursery.pids[0], signal.SIGKILL)
    await eventually(lambda: any("can't be started" in said for said in nursery.said), within=5)

    program.symlink_to(sys.executable)

    await eventually(lambda: len(nursery.pids) == 2, within=5)


async def test_a_childs_warnings_are_shown(nursery: Nursery) -> None:
    """What a process logs as a warning is seen at the terminal; all of it is in its log."""
    line = '{"level": "warning", "event": "chat is down"}'
    await nursery.make([sys.executable, "-c", f"import time; print({line!r}, flush=True); time.sleep(60)"], shown=True).start()

    await eventually(lambda: ["sleeper: chat is down"] == nursery.said, within=5)

    assert line == nursery.child.last_words() if nursery.child else False


async def test_a_long_log_is_put_aside(nursery: Nursery, monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs do not grow without end: a long one is put aside when its process starts."""
    monkeypatch.setattr(child, "LOG_LIMIT", 10)
    nursery.log.write_text("more than ten bytes")

    await nursery.make(SLEEPER).start()
    await eventually(lambda: "up" in nursery.log.read_text(), within=5)

    assert "more than ten bytes" == nursery.log.with_suffix(".log.1").read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent has gone")
async def test_a_child_dies_with_its_parent(tmp_path: Path) -> None:
    """Not even kill -9 of the supervisor leaves a process behind."""
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT.format(sleeper=SLEEPER), str(tmp_path / "log"), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    orphan = int(await parent.stdout.readline())
    assert alive(orphan)

    parent.kill()
    await parent.wait()

    await eventually(lambda: not alive(orphan), within=5, what=f"the end of {orphan}")
