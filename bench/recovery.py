"""G9: how soon it goes on after a kill -9, as Tocsin is set up and with the SDK's own time-outs, side by side.

Both arms run the product's code, at the same time on one server with its state in a file. What differs: how long a
workflow task and a sticky queue may take, and how a client waits before it tries again.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from temporalio.client import WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.service import RPCError

from bench.processes import WorkerProcess
from bench.report import Figure, percentile
from bench.rig import Rig, Subject, rigged
from bench.worker import connect

INCIDENTS = 4
GIVE_UP = 60.0


@dataclass
class Party:
    """One arm: its worker, its incidents, and when each of them last answered."""

    rig: Rig
    queue: str
    stock: bool
    worker: WorkerProcess
    subjects: list[Subject] = field(default_factory=list)
    answered: dict[str, list[float]] = field(default_factory=dict)
    stopping: bool = False

    async def replace_worker(self) -> float:
        """Kill the worker while its successor is up already; the moment of the kill."""
        successor = await self.rig.start_worker("product", queue=self.queue, stock=self.stock)
        killed = time.time()
        await self.worker.end(signal.SIGKILL)
        self.worker = successor
        return killed

    async def command(self, subject: Subject, verb: str, text: str) -> None:
        """One command, sent again until it is answered, or no answer is wanted any more.

        A cancelled update looks like one that was lost, so that the sender has to be told otherwise to stop.
        """
        fields = {"text": text} if verb == "note" else {"text": text, "audience": "internal"}
        while not self.stopping:
            try:
                await subject.send(verb, fields)
            except (RPCError, WorkflowUpdateRPCTimeoutOrCancelledError, WorkflowUpdateFailedError):
                await asyncio.sleep(0.05)
            else:
                self.answered.setdefault(subject.id, []).append(time.time())
                return

    async def keep_sending(self, subject: Subject) -> None:
        while not self.stopping:
            await self.command(subject, "post_update", "still looking")
            await asyncio.sleep(0.05)

    async def first_answers(self, since: float) -> list[float]:
        """Seconds from `since` to the first answer of each incident."""
        while time.time() < since + GIVE_UP:
            firsts = [next((at for at in self.answered.get(subject.id, []) if at > since), None) for subject in self.subjects]
            found = [at - since for at in firsts if at is not None]
            if len(found) == len(self.subjects):
                return found
            await asyncio.sleep(0.05)
        raise RuntimeError(f"{self.queue}: not every incident answered within {GIVE_UP:.0f} s")

    async def first_effects(self, since: float) -> list[float]:
        """Seconds from `since` to the first effect of each incident that was carried out after it."""
        while time.time() < since + GIVE_UP:
            firsts: dict[str, float] = {}
            for at, incident in self.worker.effect_times():
                if at > since:
                    firsts.setdefault(incident, at - since)
            if all(subject.id in firsts for subject in self.subjects):
                return [firsts[subject.id] for subject in self.subjects]
            await asyncio.sleep(0.05)
        raise RuntimeError(f"{self.queue}: not every incident had an effect within {GIVE_UP:.0f} s")


@asynccontextmanager
async def _party(rig: Rig, *, stock: bool) -> AsyncIterator[Party]:
    queue = "stock" if stock else "tuned"
    party = Party(rig, queue, stock, await rig.start_worker("product", queue=queue, stock=stock))
    try:
        client = await connect(rig.server.address, stock=stock)
        party.subjects = [await rig.open("product", queue=queue, stock=stock, client=client) for _ in range(INCIDENTS)]
        await asyncio.gather(*(party.command(subject, "note", "warm") for subject in party.subjects))
        yield party
    finally:
        await party.worker.end(signal.SIGKILL)


async def _idle_worker_kill(party: Party) -> tuple[list[float], list[float]]:
    """Seconds to the first command of each incident that lay idle in the dead worker's cache, and to that command's effect."""
    killed = await party.replace_worker()
    await asyncio.gather(*(party.command(subject, "post_update", "after the kill") for subject in party.subjects))
    return await party.first_answers(killed), await party.first_effects(killed)


async def _busy_worker_kill(party: Party) -> list[float]:
    """Seconds to the next effect of each incident, commands and effects being under way at the kill."""
    killed = await party.replace_worker()
    return await party.first_effects(killed)


@asynccontextmanager
async def _busy(parties: Sequence[Party]) -> AsyncIterator[None]:
    """One command after the other to every incident meanwhile."""
    sending = [asyncio.create_task(party.keep_sending(subject)) for party in parties for subject in party.subjects]
    try:
        yield
    finally:
        for party in parties:
            party.stopping = True
        await asyncio.wait(sending, timeout=2)
        for task in sending:
            task.cancel()
        await asyncio.gather(*sending, return_exceptions=True)


async def _killed(rig: Rig, parties: Sequence[Party], rounds: int) -> list[Figure]:
    worker, effect, busy, server = (_Seconds(parties) for _ in range(4))
    for _ in range(rounds):
        found = await asyncio.gather(*map(_idle_worker_kill, parties))
        worker.add([answers for answers, _ in found])
        effect.add([effects for _, effects in found])
    async with _busy(parties):
        for _ in range(rounds):
            await asyncio.gather(*(party.first_answers(time.time()) for party in parties))
            busy.add(await asyncio.gather(*map(_busy_worker_kill, parties)))
        for _ in range(2 * rounds):
            await asyncio.gather(*(party.first_answers(time.time()) for party in parties))
            await rig.server.end(signal.SIGKILL)
            restarted = time.time()
            await rig.server.start()
            server.add(await asyncio.gather(*(party.first_answers(restarted) for party in parties)))
    return [
        *worker.figures("worker killed: first command of an incident", 2),
        *effect.figures("worker killed: next effect", 4),
        busy.seen("worker killed: next effect of a busy incident", "what was under way is tried again after its 10 s"),
        *server.figures("server killed: next answer of an incident", 3),
    ]


async def figures(*, rounds: int = 1) -> list[Figure]:
    async with rigged(file=True, workers=False) as rig, _party(rig, stock=False) as tuned, _party(rig, stock=True) as stock:
        return await _killed(rig, (tuned, stock), rounds)


class _Seconds:
    """What was measured of each party, in the parties' order: ours, then the SDK's defaults."""

    def __init__(self, parties: Sequence[Party]) -> None:
        self._found: list[list[float]] = [[] for _ in parties]

    def add(self, seconds: Sequence[list[float]]) -> None:
        for mine, found in zip(self._found, seconds, strict=True):
            mine += found

    def seen(self, name: str, note: str = "", goal: float | None = None) -> Figure:
        """The slowest of what was seen, in seconds."""
        tuned, stock = (percentile(seconds, 0.99) for seconds in self._found)
        notes = "; ".join(filter(None, (f"p99 of {len(self._found[0])}", note)))
        return Figure("G9", name, "s", tuned, stock, goal, absolute=True, against="the SDK's defaults", note=notes)

    def figures(self, name: str, goal: float) -> list[Figure]:
        """The bound in seconds, and how many times sooner than with the SDK's defaults that is."""
        tuned, stock = (percentile(seconds, 0.99) for seconds in self._found)
        return [
            self.seen(name, goal=goal),
            Figure("G9", f"{name.split(' of ')[0]}, sooner by", "times", stock / tuned, None, 3, absolute=True, at_least=True),
        ]
