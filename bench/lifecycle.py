"""G1 and G2: what a whole incident costs, in CPU, events and bytes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from temporalio.api.enums.v1 import EventType

from bench import canonical
from bench.plan import LISTING
from bench.report import Figure, interleaved, spread
from bench.rig import Rig, rigged

PLAN = "canonical"


@dataclass(frozen=True)
class Cost:
    """One arm's round: CPU seconds, events and bytes an incident; `listing` are the events that only lists need."""

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
    """`rounds` times A B B A, `incidents` at once in each."""
    async with rigged() as rig:
        first = await canonical.live(rig, "product")
        suffixes = tuple(await rig.plan(first, PLAN, ended=True))
        await canonical.live(rig, "bare", PLAN, suffixes)
        await asyncio.gather(*(canonical.live(rig, "product", PLAN, suffixes) for _ in range(2)))
        pairs = await interleaved(rounds, lambda arm: _round(rig, arm, incidents, suffixes))
    total, worker = pairs.ratios(lambda cost: cost.total), pairs.ratios(lambda cost: cost.worker)
    events, size = pairs.ratios(lambda cost: cost.events), pairs.ratios(lambda cost: cost.size)
    a_listing, _ = pairs.medians(lambda cost: cost.listing)
    a_tasks, b_tasks = pairs.medians(lambda cost: cost.tasks)
    return [
        Figure("G1", "lifecycle CPU, server and worker", "s", *pairs.medians(lambda cost: cost.total), 1.15, note=spread(total)),
        Figure("G1", "lifecycle CPU, worker alone", "s", *pairs.medians(lambda cost: cost.worker), 1.25, note=spread(worker)),
        Figure(
            "G2",
            "events of the canonical incident",
            "events",
            *pairs.medians(lambda cost: cost.events),
            1.15,
            note=f"{spread(events)}; {a_listing:.0f} of them for lists; workflow tasks {a_tasks:.0f} and {b_tasks:.0f}",
        ),
        Figure("G2", "bytes of the canonical incident", "bytes", *pairs.medians(lambda cost: cost.size), 1.5, note=spread(size)),
    ]


async def _round(rig: Rig, arm: str, incidents: int, suffixes: tuple[str, ...]) -> Cost:
    server, worker = rig.cpu(arm)
    subjects = await asyncio.gather(*(canonical.live(rig, arm, PLAN, suffixes) for _ in range(incidents)))
    server_after, worker_after = rig.cpu(arm)
    histories = [await subject.events() for subject in subjects]
    return Cost(
        server=(server_after - server) / incidents,
        worker=(worker_after - worker) / incidents,
        events=sum(map(len, histories)) / incidents,
        size=sum(event.ByteSize() for events in histories for event in events) / incidents,
        listing=sum(event.event_type in LISTING for events in histories for event in events) / incidents,
        tasks=sum(event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED for events in histories for event in events) / incidents,
    )
