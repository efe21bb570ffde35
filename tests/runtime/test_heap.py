"""What a process has once it has started is left out of later collections, and nothing else is."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import pytest
from temporalio.worker import Worker

from runtime import heap
from worker.__main__ import _run_until
from worker.health import Pulse


class Loop:
    """Garbage that only the collector finds."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    gc.unfreeze()
    yield
    gc.unfreeze()


def test_what_is_there_is_left_out_and_garbage_of_later_is_not() -> None:
    """Garbage of the start is taken first; what comes later is collected as before."""
    before = weakref.ref(Loop())
    heap.freeze()
    later = weakref.ref(Loop())
    frozen = gc.get_freeze_count()
    gc.collect()

    assert (before(), later()) == (None, None)
    assert frozen == gc.get_freeze_count() > 10_000


class Idle:
    """A worker without work, which notes how much was frozen when it began."""

    task_queue = "tocsin"

    def __init__(self) -> None:
        self.frozen = 0
        self.began, self._over = asyncio.Event(), asyncio.Event()

    async def run(self) -> None:
        self.frozen = gc.get_freeze_count()
        self.began.set()
        await self._over.wait()

    async def shutdown(self) -> None:
        self._over.set()


async def test_a_worker_leaves_its_start_behind_before_it_takes_work(tmp_path: Path) -> None:
    """Nothing of a workflow is frozen: that comes later, and goes again."""
    idle, stop = Idle(), asyncio.Event()
    running = asyncio.create_task(_run_until(stop, cast(Sequence[Worker], [idle]), Pulse(tmp_path, lambda: True)))
    await idle.began.wait()
    stop.set()
    await running

    assert idle.frozen > 10_000
