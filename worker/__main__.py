"""The worker process: `python -m worker`. It runs until it is asked to stop; several may run at once."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import structlog
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy

from integrations.ledger import Ledger
from integrations.oncall.rota import DEFAULT_ROTA
from runtime.logs import configure_logs
from runtime.settings import Settings, SettingsError, load_settings, unknown_variables
from runtime.temporal import TemporalUnreachable, connect
from worker.dev_server import missing_search_attributes
from worker.wiring import build_workers, embedded_adapters, load_policy
from workflows import contract, options

log = structlog.get_logger("tocsin.worker")


def main() -> int:
    """Run the worker; 0 after a stop that was asked for, 1 with one sentence when it can't run."""
    try:
        settings = load_settings()
        configure_logs(settings.log_format, settings.log_level)
        for sentence in unknown_variables():
            log.warning(sentence)
        return asyncio.run(_work(settings))
    except (SettingsError, TemporalUnreachable) as error:
        sys.stderr.write(f"tocsin worker: {error}\n")
        return 1


async def _work(settings: Settings) -> int:
    policy = load_policy(settings)
    client = await connect(within=settings.connect_within)
    missing = await missing_search_attributes(client)
    if missing:
        options_ = " ".join(f"--name {name} --type {contract.SEARCH_ATTRIBUTES[name]}" for name in missing)
        raise SettingsError(
            f"the Temporal server lacks search attributes. Register them: temporal operator search-attribute create {options_}"
        )
    ensure_rota(settings)
    ledger = Ledger(settings.embedded_url)
    await ledger.open()
    stop = asyncio.Event()
    failed: list[BaseException] = []

    def on_fatal(error: BaseException) -> None:
        failed.append(error)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await start_registry(client, settings.task_queue)
    workers = build_workers(client, settings, embedded_adapters(settings, ledger, policy), policy, on_fatal)
    running = [asyncio.create_task(worker.run()) for worker in workers]
    log.info("the worker works", task_queue=settings.task_queue, pid=os.getpid())
    await stop.wait()
    log.info("the worker stops")
    await asyncio.gather(*(worker.shutdown() for worker in workers), return_exceptions=True)
    for outcome in await asyncio.gather(*running, return_exceptions=True):
        if isinstance(outcome, BaseException):
            failed.append(outcome)
    await ledger.close()
    for error in failed:
        log.error("the worker failed", exc_info=error)
    return 1 if failed else 0


def ensure_rota(settings: Settings) -> None:
    """Write the example rota where there is none, so that there is something to edit."""
    path = settings.rota_file
    if settings.rota is not None and not path.exists():
        raise SettingsError(f"TOCSIN_ROTA: {path} does not exist")
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(DEFAULT_ROTA, encoding="utf-8")


async def start_registry(client: Client, queue: str) -> None:
    """The register of incidents runs for ever; starting it where it runs changes nothing."""
    await client.start_workflow(
        "Registry",
        id=contract.REGISTRY_ID,
        task_queue=queue,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        task_timeout=options.WORKFLOW_TASK_TIMEOUT,
    )


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # The SDK's runtime may crash the interpreter while it winds up; everything is done and flushed by now.
    os._exit(code)
