"""One server and the workers of both arms on it, and what can be done to either arm alike."""

from __future__ import annotations

import asyncio
import itertools
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHandle
from temporalio.common import Priority

from bench.plan import SINK, write_plans
from bench.processes import Server, WorkerProcess, serving
from bench.twin import Sink, Twin, TwinInput
from bench.worker import connect
from incident.commands import Open
from incident.lifecycle import Opening
from incident.policy import Policy
from incident.vocabulary import Severity
from worker.__main__ import start_registry
from workflows import options

ARMS = ("product", "bare")

_numbers = itertools.count(1)


@dataclass
class Subject:
    """One workflow under measurement: an incident, or its twin. Commands are told apart only by how they are sent."""

    arm: str
    id: str
    handle: WorkflowHandle[Any, Any]

    async def send(self, verb: str, fields: dict[str, Any]) -> dict[str, Any]:
        """One command.

        Raises:
            RuntimeError: the product refused it, so the two arms would no longer do the same.
        """
        request = {"by": "ana", **fields}
        answer: dict[str, Any] = await self.handle.execute_update(verb if self.arm == "product" else "command", request)
        if not answer["accepted"]:
            raise RuntimeError(f"{self.id} refused {verb}: {answer['refusal']['message']}")
        return answer

    async def events(self) -> Sequence[HistoryEvent]:
        return (await self.handle.fetch_history()).events


@dataclass
class Rig:
    """A server, a client, and one worker process an arm."""

    folder: Path
    server: Server
    client: Client
    workers: dict[str, WorkerProcess] = field(default_factory=dict)

    async def start_worker(self, arm: str, *, queue: str | None = None, stock: bool = False) -> WorkerProcess:
        worker = WorkerProcess(arm, self.server, queue or arm, self.folder, stock=stock)
        await worker.start(ready=True)
        return worker

    def cpu(self, arm: str) -> tuple[float, float]:
        """CPU seconds so far: server, the arm's worker."""
        return self.server.cpu, self.workers[arm].cpu

    async def open(
        self,
        arm: str,
        plan: str = "",
        *,
        severity: Severity | None = Severity.SEV1,
        policy: Policy | None = None,
        within: timedelta = timedelta(0),
        queue: str | None = None,
        stock: bool = False,
        client: Client | None = None,
        presumed: Severity | None = None,
        priority: Priority | None = None,
    ) -> Subject:
        """Open an incident, as the register does it, or its twin with the same request."""
        number = next(_numbers)
        id = f"INC-2026-{number:04d}" if arm == "product" else f"BARE-{number:04d}"
        asked = Open(by="ana", title="Checkout returns 5xx", services=("checkout",), summary="Payments fail", severity=severity)
        opening = Opening(id=id, request=asked, policy=policy or Policy(), presumed=presumed)
        request = opening.model_dump(mode="json", exclude_defaults=True)
        handle = await (client or self.client).start_workflow(
            "Incident" if arm == "product" else "Twin",
            {"opening": request} if arm == "product" else TwinInput(plan=plan, request=request, within=within.total_seconds()),
            id=id,
            task_queue=queue or arm,
            task_timeout=None if stock else options.WORKFLOW_TASK_TIMEOUT,
            priority=priority or options.priority(severity or presumed or Severity.SEV2),
        )
        return Subject(arm, id, handle)

    async def plan(self, subject: Subject, name: str, *, ended: bool = False, deadline: bool = False) -> list[str]:
        """Make of a product's incident the plan `name` for the twin; answers with the suffixes of its workflows."""
        return await write_plans(self.client, subject.id, name, self.folder, ended=ended, deadline=deadline)


@asynccontextmanager
async def rigged(*, file: bool = False, workers: bool = True) -> AsyncIterator[Rig]:
    """A rig in a folder of its own, taken down afterwards."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        async with serving(folder, file=file) as server:
            rig = Rig(folder, server, await connect(server.address))
            try:
                if workers:
                    for arm, worker in zip(ARMS, await asyncio.gather(*(rig.start_worker(arm) for arm in ARMS)), strict=True):
                        rig.workers[arm] = worker
                    await start_registry(rig.client, "product")
                    await rig.client.start_workflow(Sink.run, id=SINK, task_queue="bare", task_timeout=options.WORKFLOW_TASK_TIMEOUT)
                yield rig
            except BaseException:
                for log in sorted(folder.glob("*.log")):  # noqa: ASYNC240  read once, after something has failed
                    sys.stderr.write(f"{log.name}:\n{log.read_text(errors='replace')[-3000:]}\n")
                raise
            finally:
                await asyncio.gather(*(worker.end(signal.SIGKILL) for worker in rig.workers.values()))


def today(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).date().isoformat()


__all__ = ["ARMS", "Rig", "Subject", "Twin", "rigged", "today"]
