"""G6: how fast a history of the product replays against a bare one of the same shape, and the first command on a long one."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from bench.report import Figure, interleaved, spread
from bench.rig import Rig, Subject, rigged
from bench.twin import Twin, use_plans
from bench.worker import bare_runner
from runtime.temporal import DATA_CONVERTER, sandboxed_runner
from workflows.incident import Incident

NOTES = 150


async def _long(rig: Rig, arm: str, notes: int) -> Subject:
    subject = await rig.open(arm, "long" if arm == "bare" else "")
    for _ in range(notes):
        await subject.send("note", {"text": "looking at it"})
    return subject


async def _rate(history: WorkflowHistory, arm: str) -> float:
    """Events a second."""
    product = arm == "product"
    classes: list[Any] = [Incident] if product else [Twin]
    runner = sandboxed_runner() if product else bare_runner()
    replayer = Replayer(workflows=classes, data_converter=DATA_CONVERTER, workflow_runner=runner)
    began = time.perf_counter()
    for _ in range(3):
        await replayer.replay_workflow(history)
    return 3 * len(history.events) / (time.perf_counter() - began)


async def _cold(rig: Rig, arm: str, subject: Subject) -> float:
    """Seconds of the first command after the arm's worker was replaced by a fresh one."""
    await rig.workers[arm].end()
    rig.workers[arm] = await rig.start_worker(arm)
    await asyncio.sleep(1)
    began = time.perf_counter()
    await subject.send("note", {"text": "cold"})
    return time.perf_counter() - began


async def figures(*, rounds: int = 1) -> list[Figure]:
    async with rigged() as rig:
        use_plans(rig.folder)
        first = await _long(rig, "product", NOTES + 10)
        await rig.plan(first, "long")
        subjects = {"product": await _long(rig, "product", NOTES), "bare": await _long(rig, "bare", NOTES)}
        histories = {arm: await subject.handle.fetch_history() for arm, subject in subjects.items()}
        rates = await interleaved(rounds, lambda arm: _rate(histories[arm], arm))
        cold = {arm: await _cold(rig, arm, subject) for arm, subject in subjects.items()}
    length = len(histories["product"].events)
    return [
        Figure(
            "G6",
            f"replay, {length} events",
            "events/s",
            *rates.medians(lambda rate: rate),
            0.85,
            at_least=True,
            note=spread(rates.ratios(lambda rate: rate)),
        ),
        Figure("G6", f"first command on a fresh worker, {length} events", "s", cold["product"], cold["bare"], 1.3),
        Figure("G6", "the most events that a run can have", "events", 2_000, None, 2_000, judged=2_000, goal_text="<= 2000 events"),
    ]
