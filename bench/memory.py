"""G7: what an open incident costs in the worker's memory, and its opening in CPU."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from bench.report import Figure
from bench.rig import ARMS, Rig, rigged

AT_ONCE = 10


@dataclass(frozen=True)
class Opened:
    """kB and worker CPU milliseconds an incident."""

    memory: float
    cpu: float


async def _opened(rig: Rig, arm: str, count: int) -> Opened:
    worker = rig.workers[arm]
    memory, cpu = worker.memory, worker.cpu
    for start in range(0, count, AT_ONCE):
        await asyncio.gather(*(rig.open(arm, "opened") for _ in range(start, min(start + AT_ONCE, count))))
    await _idle(rig, arm)
    return Opened((worker.memory - memory) / count / 1024, (worker.cpu - cpu) / count * 1000)


async def _idle(rig: Rig, arm: str) -> None:
    """Wait until the worker has nothing to do any more."""
    before = -1.0
    while (now := rig.workers[arm].cpu) - before > 0.02:
        before = now
        await asyncio.sleep(0.7)


async def figures(*, rounds: int = 1, incidents: int = 120) -> list[Figure]:
    async with rigged() as rig:
        subject = await rig.open("product")
        await asyncio.sleep(2)
        workflows = len(await rig.plan(subject, "opened"))
        for arm in ARMS:
            await _opened(rig, arm, 2 * AT_ONCE)
        product, bare = [await _opened(rig, arm, incidents * rounds) for arm in ARMS]
    note = f"the goal: 80 kB over 53; {workflows} workflows an incident in either arm, itself and its paging"
    cached = incidents * rounds
    return [
        Figure("G7", f"memory of an open incident, {cached} in the cache", "kB", product.memory, bare.memory, 1.5, note=note),
        Figure("G7", "worker CPU of opening one, its first effects done", "ms", product.cpu, bare.cpu, 2, note="the goal: 8 ms over 4"),
    ]
