"""The worker process: `python -m worker`. It runs until it is asked to stop; several may run at once."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from datetime import timedelta

import structlog
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
)
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Worker

from integrations.errors import Unavailable
from integrations.ledger import Ledger, LedgerUnusable
from integrations.oncall.rota import DEFAULT_ROTA, FileRota
from runtime import heap
from runtime.logs import configure_logs
from runtime.settings import Settings, SettingsError, load_settings, unknown_variables
from runtime.temporal import TemporalUnreachable, connect, quiet_runtime
from runtime.vendors import vendor_variables
from worker.dev_server import missing_search_attributes
from worker.health import Pulse
from worker.heartbeat import Heartbeat, stuck
from worker.wiring import build_workers, configured_adapters, load_policy
from workflows import contract, options

log = structlog.get_logger("tocsin.worker")


def main() -> int:
    """Run the worker; 0 after a stop that was asked for, 1 with one sentence when it can't run."""
    try:
        settings = load_settings()
        configure_logs(settings.log_format, settings.log_level)
        for sentence in unknown_variables(vendor_variables()):
            log.warning(sentence)
        return asyncio.run(_work(settings))
    except (SettingsError, TemporalUnreachable, LedgerUnusable) as error:
        sys.stderr.write(f"tocsin worker: {error}\n")
        return 1


async def _work(settings: Settings) -> int:
    policy = load_policy(settings)
    ensure_rota(settings)
    _offer_metrics(settings)
    ledger = Ledger(settings.embedded_url)
    adapters = configured_adapters(settings, ledger, policy)
    client = await connect(within=settings.connect_within)
    await prepare_server(client, settings.task_queue)
    await schedule_read_back(client, settings, wanted=adapters.is_read_back)
    await _read_rota(settings)
    await ledger.open()
    stop = _asked_to_stop()
    failed: list[BaseException] = []

    def on_fatal(error: BaseException) -> None:
        failed.append(error)
        stop.set()

    workers = build_workers(client, settings, adapters, policy, on_fatal)
    try:
        pulse = Pulse(settings.data, lambda: all(worker.is_running for worker in workers))
        beating = _heartbeat(settings, client)
        failed += [error for error in await _run_until(stop, workers, pulse) if error not in failed]
        if beating is not None:
            beating.cancel()
    finally:
        await adapters.close()
        await ledger.close()
    for error in failed:
        log.error("the worker failed", exc_info=error)
    return 1 if failed else 0


def _offer_metrics(settings: Settings) -> None:
    """Offer the SDK's metrics, where an address is set.

    Raises:
        SettingsError: the address can't be used.
    """
    try:
        quiet_runtime(settings.worker_metrics)
    except (ValueError, RuntimeError) as error:
        raise SettingsError(f"TOCSIN_WORKER_METRICS: {settings.worker_metrics} can't be used: {error}") from error


def _heartbeat(settings: Settings, client: Client) -> asyncio.Task[None] | None:
    """Beat outwards while the worker works, where somebody listens."""
    if settings.heartbeat_url is None:
        return None
    heart = Heartbeat(settings.heartbeat_url, settings.heartbeat_every, lambda: stuck(client))
    return asyncio.create_task(heart.beat_for_ever())


def _asked_to_stop() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


async def _run_until(stop: asyncio.Event, workers: Sequence[Worker], pulse: Pulse) -> list[BaseException]:
    """Run all workers until one of them ends or a stop is asked for; then let each finish what it is at."""
    heap.freeze()
    running = [asyncio.create_task(worker.run()) for worker in workers]
    for task in running:
        task.add_done_callback(lambda _: stop.set())
    beating = asyncio.create_task(pulse.beat_for_ever())
    log.info("the worker works", task_queue=workers[0].task_queue, pid=os.getpid())
    await stop.wait()
    log.info("the worker stops")
    beating.cancel()
    pulse.stop()
    await asyncio.gather(*(worker.shutdown() for worker in workers), return_exceptions=True)
    outcomes = await asyncio.gather(*running, return_exceptions=True)
    return [outcome for outcome in outcomes if isinstance(outcome, BaseException)]


def ensure_rota(settings: Settings) -> None:
    """Write the example rota where there is none, so that there is something to edit.

    Raises:
        SettingsError: TOCSIN_ROTA names no file, or the data folder can't be written.
    """
    path = settings.rota_file
    if settings.rota is not None and not path.exists():
        raise SettingsError(f"TOCSIN_ROTA: {path} does not exist")
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(DEFAULT_ROTA, encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"TOCSIN_DATA: {path} can't be written ({error.strerror}); choose another folder") from error


async def _read_rota(settings: Settings) -> None:
    """A rota with a mistake stops nobody else's work: look-ups are tried again until it is mended."""
    try:
        await FileRota(settings.rota_file).refresh()
    except Unavailable as error:
        log.warning("the rota can't be used; nobody can be looked up until it is mended", error=str(error))


async def prepare_server(client: Client, queue: str) -> None:
    """See that the server can hold incidents, and that their register runs.

    Raises:
        SettingsError: the server refuses, or lacks a search attribute; a workflow that set it would be stuck for ever.
    """
    try:
        missing = await missing_search_attributes(client)
        if missing:
            names = " ".join(f"--name {name} --type {contract.SEARCH_ATTRIBUTES[name]}" for name in missing)
            raise SettingsError(
                "the Temporal server lacks search attributes. Register them: "
                f"temporal operator search-attribute create --namespace {client.namespace} {names}"
            )
        await start_registry(client, queue)
    except RPCError as error:
        raise SettingsError(
            f"Temporal at {client.service_client.config.target_host} refuses: {error.message} "
            "Check TEMPORAL_NAMESPACE and the credentials (TEMPORAL_API_KEY, or the TLS certificate)."
        ) from error


async def start_registry(client: Client, queue: str) -> None:
    """The register of incidents runs for ever; starting it where it runs changes nothing."""
    await client.start_workflow(
        "Registry",
        id=contract.REGISTRY_ID,
        task_queue=queue,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        task_timeout=options.WORKFLOW_TASK_TIMEOUT,
        priority=options.REGISTER,
    )


async def schedule_read_back(client: Client, settings: Settings, *, wanted: bool) -> None:
    """Have outside systems read back every so often; where everything is embedded, there is nothing to read.

    Raises:
        SettingsError: the server refuses.
    """
    handle = client.get_schedule_handle(contract.READ_BACK_SCHEDULE)
    schedule = Schedule(
        action=ScheduleActionStartWorkflow(
            "ReadBack", id=contract.READ_BACK_SCHEDULE, task_queue=settings.task_queue, task_timeout=options.WORKFLOW_TASK_TIMEOUT
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(seconds=settings.read_back_every))]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=timedelta(seconds=settings.read_back_every)),
    )
    try:
        if not wanted:
            await handle.delete()
            return
        await client.create_schedule(contract.READ_BACK_SCHEDULE, schedule)
    except ScheduleAlreadyRunningError:
        await handle.update(lambda _: ScheduleUpdate(schedule=schedule))
    except RPCError as error:
        absent = error.status is RPCStatusCode.NOT_FOUND or (not wanted and error.status is RPCStatusCode.UNIMPLEMENTED)
        if not absent:
            raise SettingsError(f"Temporal refuses the schedule {contract.READ_BACK_SCHEDULE}: {error.message}") from error


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # The SDK's runtime may crash the interpreter while it winds up; everything is done and flushed by now.
    os._exit(code)
