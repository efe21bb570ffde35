"""G6: how fast a history of the product replays against a bare one of the same shape, and the first command on a long one."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from bench.report import Figure, interleaved, paired
from bench.rig import Rig, Subject, rigged
from bench.twin import Twin, use_plans
from bench.worker import bare_runner
from incident.policy import Policy
from runtime.temporal import DATA_CONVERTER, sandboxed_runner
from workflows.guard import Guard
from workflows.incident import Incident

LIMIT = 2_000
"""No run may ever hold more events: its replay must fit well inside the task's time-out."""

LONG = 1_550
"""Events of the long incident: a little less than the policy's own limit, at which it would go on in a new run."""

BURST = 40
"""Commands at once while the incident is at its limit."""


async def _grow(subject: Subject, length: int) -> int:
    """Notes and updates, until the history has `length` events; answers with how many commands it took."""
    sent = 0
    while (await subject.handle.describe()).history_length < length:
        await subject.send("note", {"text": "looking at the retry of v248"})
        await subject.send("note", {"text": "error ratio 25 %"})
        await subject.send("post_update", {"audience": "internal", "text": "Rolling back v248"})
        sent += 3
    return sent


async def _repeat(subject: Subject, commands: int) -> None:
    for _ in range(commands):
        await subject.send("note", {"text": "Rolling back v248"})


async def _rate(history: WorkflowHistory, arm: str, times: int) -> float:
    """Events a second."""
    product = arm == "product"
    classes: list[Any] = [Incident] if product else [Twin]
    runner = sandboxed_runner() if product else bare_runner()
    guards = [Guard()] if product else []
    replayer = Replayer(workflows=classes, data_converter=DATA_CONVERTER, workflow_runner=runner, interceptors=guards)
    began = time.perf_counter()
    for _ in range(times):
        await replayer.replay_workflow(history)
    return times * len(history.events) / (time.perf_counter() - began)


async def _cold(rig: Rig, arm: str, subject: Subject) -> float:
    """Seconds of the first command after the arm's worker was replaced by a fresh one."""
    await rig.workers[arm].end()
    rig.workers[arm] = await rig.start_worker(arm)
    await asyncio.sleep(0.5)
    began = time.perf_counter()
    await subject.send("note", {"text": "cold"})
    return time.perf_counter() - began


async def _longest_run(rig: Rig, subject: Subject) -> int:
    """Bursts of commands until the incident has gone on in a new run; the events of the run that ended."""
    handle = rig.client.get_workflow_handle(subject.id)
    first = (await handle.describe()).run_id
    while (await handle.describe()).run_id == first:
        await asyncio.gather(*(subject.send("note", {"text": "all at once"}) for _ in range(BURST)))
    return len((await rig.client.get_workflow_handle(subject.id, run_id=first).fetch_history()).events)


async def figures(*, rounds: int = 1, length: int = LONG) -> list[Figure]:
    async with rigged() as rig:
        use_plans(rig.folder)
        product = await rig.open("product", policy=Policy(history_limit=LIMIT))  # so that it stays one run while it is measured
        await product.send("acknowledge", {})
        commands = await _grow(product, length)
        await asyncio.sleep(1)
        await rig.plan(product, "long")
        bare = await rig.open("bare", "long")
        await _repeat(bare, commands + 1)
        subjects = {"product": product, "bare": bare}
        histories = {arm: await subject.handle.fetch_history() for arm, subject in subjects.items()}
        for arm, history in histories.items():
            await _rate(history, arm, 1)
        rates = await interleaved(rounds, lambda arm: _rate(histories[arm], arm, 1))
        cold = await interleaved(rounds, lambda arm: _cold(rig, arm, subjects[arm]))
        limited = await rig.open("product")
        await _grow(limited, length - 10 * BURST)
        longest = await _longest_run(rig, limited)
    events, bare_events = (len(histories[arm].events) for arm in ("product", "bare"))
    slower = paired("G6", f"replay of {events} events", "events/s", rates, lambda rate: rate, 0.85, f"the twin's history: {bare_events}")
    return [
        Figure(**{**vars(slower), "at_least": True}),
        paired("G6", f"first command on a fresh worker, {events} events", "s", cold, lambda seconds: seconds, 1.3),
        Figure("G6", "events of a run that ended under bursts", "events", longest, None, LIMIT, absolute=True),
    ]
