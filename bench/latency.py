"""G10: how long a command takes, ten incidents at once; and fifty people pressing at once on one."""

from __future__ import annotations

import asyncio
import time

from bench.report import Figure, interleaved, paired, percentile
from bench.rig import Rig, Subject, rigged

INCIDENTS = 10


async def _noted(rig: Rig, count: int) -> Subject:
    subject = await rig.open("product")
    for _ in range(count):
        await subject.send("note", {"text": "looking at it"})
    return subject


async def _timed(subject: Subject) -> float:
    began = time.perf_counter()
    await subject.send("note", {"text": "looking at it"})
    return time.perf_counter() - began


async def _at_once(rig: Rig, arm: str, notes: int, opened_for: float) -> list[float]:
    subjects = await asyncio.gather(*(rig.open(arm, "notes") for _ in range(INCIDENTS)))
    await asyncio.sleep(opened_for)

    async def one(subject: Subject) -> list[float]:
        return [await _timed(subject) for _ in range(notes)]

    return [seconds for found in await asyncio.gather(*(one(subject) for subject in subjects)) for seconds in found]


async def _burst(rig: Rig, arm: str, burst: int, opened_for: float) -> float:
    """The slowest of many commands sent at once; one that fails raises."""
    subject = await rig.open(arm, "notes")
    await asyncio.sleep(opened_for)
    return max(await asyncio.gather(*(_timed(subject) for _ in range(burst))))


async def figures(*, rounds: int = 1, notes: int = 20, burst: int = 50, opened_for: float = 1.0) -> list[Figure]:
    """`opened_for`: seconds between the opening of an incident, whose first effects cost something as well, and its commands."""
    async with rigged() as rig:
        await rig.plan(await _noted(rig, max(notes, burst)), "notes")
        for arm in ("product", "bare"):
            await _at_once(rig, arm, 2, opened_for)
        latency = await interleaved(rounds, lambda arm: _at_once(rig, arm, notes, opened_for))
        bursts = await interleaved(rounds, lambda arm: _burst(rig, arm, burst, opened_for))
    at_once = f"{INCIDENTS} incidents at once"
    return [
        paired("G10", f"command latency p50, {at_once}", "ms", latency, lambda found: percentile(found, 0.5) * 1000, 1.15),
        paired("G10", f"command latency p99, {at_once}", "ms", latency, lambda found: percentile(found, 0.99) * 1000, 1.3),
        paired(
            "G10",
            f"{burst} commands at once into one: the slowest",
            "ms",
            bursts,
            lambda slowest: slowest * 1000,
            1.3,
            f"{burst} of {burst} answered",
        ),
    ]
