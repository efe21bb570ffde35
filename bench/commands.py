"""G10: how long a command takes, ten incidents at once; and fifty people pressing at once on one."""

from __future__ import annotations

import asyncio
import time

from bench.report import Figure, interleaved, percentile, spread
from bench.rig import Rig, Subject, rigged

NOTES = 20
BURST = 50


async def _noted(rig: Rig, arm: str, plan: str, count: int) -> Subject:
    subject = await rig.open(arm, plan)
    for _ in range(count):
        await subject.send("note", {"text": "looking at it"})
    return subject


async def _timed(subject: Subject) -> float:
    began = time.perf_counter()
    await subject.send("note", {"text": "looking at it"})
    return time.perf_counter() - began


async def _ten_at_once(rig: Rig, arm: str) -> list[float]:
    subjects = await asyncio.gather(*(rig.open(arm, "notes") for _ in range(10)))
    await asyncio.sleep(0.5)

    async def one(subject: Subject) -> list[float]:
        return [await _timed(subject) for _ in range(NOTES)]

    return [seconds for found in await asyncio.gather(*(one(subject) for subject in subjects)) for seconds in found]


async def _burst(rig: Rig, arm: str) -> float:
    """The slowest of fifty commands sent at once; one that fails raises."""
    subject = await rig.open(arm, "burst")
    await asyncio.sleep(0.5)
    return max(await asyncio.gather(*(_timed(subject) for _ in range(BURST))))


async def figures(*, rounds: int = 1) -> list[Figure]:
    async with rigged() as rig:
        for name, count in (("notes", NOTES), ("burst", BURST)):
            await rig.plan(await _noted(rig, "product", "", count), name)
        await _noted(rig, "bare", "notes", 2)
        latency = await interleaved(rounds, lambda arm: _ten_at_once(rig, arm))
        burst = await interleaved(rounds, lambda arm: _burst(rig, arm))

    def milliseconds(part: float) -> tuple[float, float]:
        a, b = latency.medians(lambda values: percentile(values, part) * 1000)
        return a, b

    half = latency.ratios(lambda values: percentile(values, 0.5))
    slow = latency.ratios(lambda values: percentile(values, 0.99))
    return [
        Figure("G10", "command latency p50, ten incidents at once", "ms", *milliseconds(0.5), 1.15, note=spread(half)),
        Figure("G10", "command latency p99, ten incidents at once", "ms", *milliseconds(0.99), 1.3, note=spread(slow)),
        Figure(
            "G10",
            "fifty commands at once into one: the slowest",
            "ms",
            *burst.medians(lambda seconds: seconds * 1000),
            1.3,
            note=f"{BURST} of {BURST} answered; {spread(burst.ratios(lambda seconds: seconds))}",
        ),
    ]
