"""One arm's worker process: `python -m bench.worker product|bare ADDRESS QUEUE FOLDER EFFECTS [--stock]`.

Both arms have the product's layout: one worker for the workflows and one for each port, the same pollers and cache,
the core (or the twin) passed through the sandbox. `--stock` leaves the time-outs at the SDK's defaults. It writes one
line when it works.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import PollerBehaviorSimpleMaximum, Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from activities.archive import ArchiveActivities
from bench import twin
from bench.world import Accepting
from incident.effects import Port
from incident.policy import Policy
from runtime import heap
from runtime.settings import Settings
from runtime.temporal import RETRY, quiet_runtime, sandboxed_runner
from worker import wiring
from workflows import contract

STOCK_STICKY = timedelta(seconds=10)
CACHED = 20_000


def bare_runner() -> SandboxedWorkflowRunner:
    """The product's sandbox with the twin passed through it as well."""
    runner = sandboxed_runner()
    return SandboxedWorkflowRunner(restrictions=runner.restrictions.with_passthrough_modules("bench"))


async def connect(address: str, *, stock: bool = False) -> Client:
    """A client as the product has it, or with the SDK's own retry times."""
    retry = None if stock else RETRY
    return await Client.connect(address, data_converter=pydantic_data_converter, runtime=quiet_runtime(), retry_config=retry)


def product_workers(client: Client, queue: str, world: Accepting, on_fatal: Callable[[BaseException], Any]) -> list[Worker]:
    """The product's own wiring, with a world that accepts everything at once."""
    wired = wiring.activities_by_port

    def activities(client: Client, adapters: wiring.Adapters, queue: str = queue) -> dict[Port, Sequence[Callable[..., Any]]]:
        return wired(client, adapters, queue) | {Port.ARCHIVE: [ArchiveActivities(adapters.archive).store_document, world.archive_run]}

    wiring.activities_by_port = activities
    settings = Settings(task_queue=queue, max_cached_workflows=CACHED)
    return wiring.build_workers(client, settings, world.adapters(), Policy(), on_fatal)


def bare_workers(client: Client, queue: str) -> list[Worker]:
    workers = [
        Worker(
            client,
            task_queue=queue,
            workflows=[twin.Twin, twin.Sink],
            workflow_runner=bare_runner(),
            max_cached_workflows=CACHED,
            sticky_queue_schedule_to_start_timeout=wiring.STICKY,
        )
    ]
    for port in Port:
        pollers = PollerBehaviorSimpleMaximum(maximum=2)
        workers.append(
            Worker(client, task_queue=contract.port_queue(queue, port), activities=[twin.carry], activity_task_poller_behavior=pollers)
        )
    return workers


async def _work(arguments: argparse.Namespace) -> None:
    folder = Path(arguments.folder)
    world = Accepting(Path(arguments.effects))
    twin.use_plans(folder)
    twin.use_world(world)
    client = await connect(arguments.address, stock=arguments.stock)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    if arguments.stock:
        wiring.STICKY = STOCK_STICKY
    if arguments.arm == "product":
        workers = product_workers(client, arguments.queue, world, lambda _: stop.set())
    else:
        workers = bare_workers(client, arguments.queue)
    heap.freeze()
    running = [asyncio.create_task(worker.run()) for worker in workers]
    await asyncio.sleep(0.2)
    print("works", flush=True)
    await stop.wait()
    await asyncio.gather(*(worker.shutdown() for worker in workers), return_exceptions=True)
    await asyncio.gather(*running, return_exceptions=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("arm", choices=["product", "bare"])
    for name in ("address", "queue", "folder", "effects"):
        parser.add_argument(name)
    parser.add_argument("--stock", action="store_true")
    asyncio.run(_work(parser.parse_args()))


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    # The SDK's runtime may crash the interpreter while it winds up; everything is done by now.
    os._exit(0)
