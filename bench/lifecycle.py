"""G1 and G2: what a whole incident costs, in CPU, events and bytes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from temporalio.api.enums.v1 import EventType

from bench import canonical
from bench.plan import LISTING
from bench.report import Figure, Pairs, interleaved, paired
from bench.rig import Rig, rigged

PLAN = "canonical"


@dataclass(frozen=True)
class Cost:
    """One arm's round: CPU seconds, events and bytes an incident; `listing` are the events that only the product has."""

    server: float
    worker: float
    events: float
    size: float
    listing: float
    tasks: float

    @property
    def total(self) -> float:
        return self.server + self.worker


async def figures(*, rounds: int = 1, incidents: int = 6) -> list[Figure]:
    """G1 and G2: `rounds` times A B B A, `incidents` at once in each."""
    pairs = await _measured(rounds, incidents)
    layout = "both arms: one workflow worker and one worker a port; archiving answers at once, as all ports do"
    return [
        paired("G1", "lifecycle CPU, server and worker", "s", pairs, lambda cost: cost.total, 1.15, layout),
        paired("G1", "lifecycle CPU, worker alone", "s", pairs, lambda cost: cost.worker, 1.25),
        *_of_history(pairs),
    ]


async def events(*, rounds: int = 1, incidents: int = 1) -> list[Figure]:
    """G2 alone."""
    return _of_history(await _measured(rounds, incidents))


async def _measured(rounds: int, incidents: int) -> Pairs[Cost]:
    async with rigged() as rig:
        first = await canonical.live(rig, "product")
        suffixes = tuple(await rig.plan(first, PLAN, ended=True))
        await asyncio.gather(*(canonical.live(rig, arm, PLAN, suffixes) for arm in ("bare", "product")))
        return await interleaved(rounds, lambda arm: _round(rig, arm, incidents, suffixes))


def _of_history(pairs: Pairs[Cost]) -> list[Figure]:
    listing, _ = pairs.medians(lambda cost: cost.listing)
    tasks = pairs.medians(lambda cost: cost.tasks)
    note = f"{listing:.0f} of the product's are memo and search attributes; workflow tasks {tasks[0]:.0f} and {tasks[1]:.0f}"
    return [
        paired("G2", "events of the canonical incident", "events", pairs, lambda cost: cost.events, 1.15, note),
        paired("G2", "bytes of the canonical incident", "bytes", pairs, lambda cost: cost.size, 1.5),
    ]


async def _round(rig: Rig, arm: str, incidents: int, suffixes: tuple[str, ...]) -> Cost:
    server, worker = rig.cpu(arm)
    subjects = await asyncio.gather(*(canonical.live(rig, arm, PLAN, suffixes) for _ in range(incidents)))
    server_after, worker_after = rig.cpu(arm)
    found = [event for subject in subjects for event in await subject.events()]
    return Cost(
        server=(server_after - server) / incidents,
        worker=(worker_after - worker) / incidents,
        events=len(found) / incidents,
        size=sum(event.ByteSize() for event in found) / incidents,
        listing=sum(event.event_type in LISTING for event in found) / incidents,
        tasks=sum(event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED for event in found) / incidents,
    )
