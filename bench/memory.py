"""G7: what an open incident costs in the worker's memory, and its start in CPU."""

from __future__ import annotations

import asyncio

from bench.report import Figure
from bench.rig import Rig, rigged

OPEN = 200


async def _grown(rig: Rig, arm: str, plan: str, count: int) -> tuple[float, float]:
    """kB and CPU milliseconds an incident."""
    worker = rig.workers[arm]
    memory, cpu = worker.memory, worker.cpu
    for start in range(0, count, 20):
        await asyncio.gather(*(rig.open(arm, plan) for _ in range(start, min(start + 20, count))))
        await asyncio.sleep(0.3)
    await asyncio.sleep(3)
    return (worker.memory - memory) / count / 1024, (worker.cpu - cpu) / count * 1000


async def figures(*, rounds: int = 1) -> list[Figure]:
    async with rigged() as rig:
        subject = await rig.open("product")
        await asyncio.sleep(3)
        await rig.plan(subject, "opened")
        for arm in ("product", "bare"):
            await _grown(rig, arm, "opened", 20)
        product = await _grown(rig, "product", "opened", OPEN * rounds)
        bare = await _grown(rig, "bare", "opened", OPEN * rounds)
    return [
        Figure("G7", "memory of an open incident in the cache", "kB", product[0], bare[0], 80, judged=product[0], goal_text="<= 80 kB"),
        Figure(
            "G7",
            "worker CPU of opening one, with its first effects",
            "ms",
            product[1],
            bare[1],
            None,
            note="the goal of 8 ms is for the start alone",
        ),
    ]
