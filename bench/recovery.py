"""G9: how soon a killed worker's successor answers, and a killed server's first command is acknowledged."""

from __future__ import annotations

import asyncio
import signal
import time

from bench.report import Figure
from bench.rig import Rig, Subject, rigged


async def _after_worker_kill(rig: Rig, *, stock: bool) -> float:
    """Seconds from the successor's readiness to the first answered command, for an incident in the dead one's cache."""
    queue = f"kill-{'stock' if stock else 'ours'}"
    worker = await rig.start_worker("product", queue=queue, stock=stock)
    subject = await rig.open("product", queue=queue, stock=stock)
    for _ in range(3):
        await subject.send("note", {"text": "warm"})
    await worker.end(signal.SIGKILL)
    successor = await rig.start_worker("product", queue=queue, stock=stock)
    try:
        return await _first_answer(subject)
    finally:
        await successor.end(signal.SIGKILL)


async def _first_answer(subject: Subject) -> float:
    began = time.perf_counter()
    await subject.send("note", {"text": "still here"})
    return time.perf_counter() - began


async def _after_server_kill(rig: Rig) -> float:
    """Seconds from the server's restart to the first acknowledged command."""
    subject = await rig.open("product")
    await subject.send("note", {"text": "warm"})
    await rig.server.end(signal.SIGKILL)
    await rig.server.start()
    began = time.perf_counter()
    while True:
        try:
            await asyncio.wait_for(subject.send("note", {"text": "still here"}), 20)
            return time.perf_counter() - began
        except Exception as error:
            if time.perf_counter() - began > 60:
                raise RuntimeError("the server did not recover within 60 s") from error
            await asyncio.sleep(0.05)


async def figures(*, rounds: int = 1) -> list[Figure]:
    async with rigged(file=True) as rig:
        ours = [await _after_worker_kill(rig, stock=False) for _ in range(rounds)]
        stock = [await _after_worker_kill(rig, stock=True) for _ in range(rounds)]
        server = [await _after_server_kill(rig) for _ in range(rounds + 1)]
    worst, usual = max(ours), max(stock)
    return [
        Figure(
            "G9",
            "worker killed: first command on its successor",
            "s",
            worst,
            usual,
            2,
            judged=worst,
            goal_text="<= 2 s",
            note="beside the SDK's defaults",
        ),
        Figure("G9", "server killed: first acknowledged command", "s", max(server), None, 3, judged=max(server), goal_text="<= 3 s"),
    ]
