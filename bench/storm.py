"""G5: a thousand alerts of one group through the product's own door, beside a thousand signals sent one by one to a bare workflow.

Processed is what the incident's own history says: the workflow task after the last of its alerts has ended. While it
goes on nobody asks for anything, so that nothing but the storm is measured; a second storm is measured by the people who
work on the incident meanwhile. CPU is that of all who take part, from the post until all is still: for the product its
door, worker and server; for the other the sender, its worker and the server. What is read of either afterwards is not counted.
"""

from __future__ import annotations

import asyncio
import os
import resource
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx2
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle

from bench.processes import Process, free_port
from bench.report import Figure, interleaved, percentile
from bench.rig import Rig, Subject, rigged
from bench.twin import Sink
from workflows import contract, options

ALERTS = 1_000
IN_FLIGHT = 100
"""Signals that the naive sender has under way."""

QUIET = 0.1
"""Seconds between two looks whether all has arrived."""

WITHIN = 60.0

LOOKS = 5
"""Looks without a change after which all has been processed."""

CALM_COMMANDS = 20


@dataclass
class Storm:
    """Seconds until the door had answered and until all was processed, the events and CPU seconds that it took, and what was lost."""

    answered: float
    processed: float
    events: int
    cpu: float
    lost: int
    load: float = field(default_factory=lambda: os.getloadavg()[0])


@dataclass
class Front:
    """The product's door as a process of its own, and who posts to it."""

    process: Process
    http: httpx2.AsyncClient
    numbers: int = 0

    async def post(self, group: str, alerts: int) -> float:
        """Post so many alerts that nobody has seen before; answers with the seconds that it took."""
        first, self.numbers = self.numbers, self.numbers + alerts
        body = _payload(group, range(first, first + alerts))
        began = time.perf_counter()
        answer = await self.http.post("/webhooks/alertmanager", json=body, timeout=WITHIN)
        if answer.status_code != 200 or answer.json()["accepted"] != alerts:
            raise RuntimeError(f"the door answered {answer.status_code}: {answer.text[:300]}")
        return time.perf_counter() - began


def _payload(group: str, numbers: range) -> dict[str, Any]:
    at = datetime.now(UTC).isoformat()
    return {
        "version": "4",
        "groupKey": f'{{}}:{{alertname="{group}"}}',
        "status": "firing",
        "receiver": "tocsin",
        "groupLabels": {"alertname": group},
        "alerts": [_alert(group, number, at) for number in numbers],
    }


def _alert(group: str, number: int, at: str) -> dict[str, Any]:
    return {
        "status": "firing",
        "labels": {"alertname": group, "service": group, "severity": "warning", "instance": f"node-{number:05d}:9100", "env": "production"},
        "annotations": {"summary": f"node-{number:05d} answers 5xx to more than 2 % of its requests"},
        "startsAt": at,
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example/graph?g0.expr=rate%28errors%5B5m%5D%29&g0.tab=1",
        "fingerprint": f"{number:016x}",
    }


@asynccontextmanager
async def _opened(rig: Rig) -> AsyncIterator[Front]:
    port = free_port()
    environment = {
        "TEMPORAL_ADDRESS": rig.server.address,
        "TOCSIN_DATA": str(rig.folder),
        "TOCSIN_PORT": str(port),
        "TOCSIN_TASK_QUEUE": "product",
    }
    process = Process([sys.executable, "-m", "starter.serve"], rig.folder / "door.log", environment)
    await process.start()
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        try:
            await _until_open(http)
            yield Front(process, http)
        finally:
            await process.end()


async def _until_open(http: httpx2.AsyncClient) -> None:
    deadline = time.monotonic() + WITHIN
    while True:
        try:
            if (await http.get("/readyz", timeout=5)).status_code == 200:
                return
        except httpx2.HTTPError:
            pass
        if time.monotonic() > deadline:
            raise RuntimeError("the door did not open")
        await asyncio.sleep(QUIET)


async def _incident(rig: Rig, front: Front, group: str) -> Subject:
    """An incident of its own for this storm, opened by its first alert, and quiet again."""
    await front.post(group, 1)
    key = f'{{}}:{{alertname="{group}"}}'
    handle = rig.client.get_workflow_handle(contract.alert_group_id(key))
    deadline = time.monotonic() + WITHIN
    while not (incident := (await handle.query("state"))["incident"]):
        if time.monotonic() > deadline:
            raise RuntimeError("the first alert opened no incident")
        await asyncio.sleep(QUIET)
    await asyncio.sleep(1.5)
    return Subject("product", incident, rig.client.get_workflow_handle(incident))


async def _settled(handle: WorkflowHandle[Any, Any], before: int) -> None:
    """Wait until the history has grown beyond `before` and been still for some looks; these cost the server next to nothing."""
    deadline = time.monotonic() + WITHIN
    still, length = 0, before
    while still < LOOKS:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{handle.id} has {length} events and is not still")
        await asyncio.sleep(QUIET)
        now = (await handle.describe()).history_length
        still, length = (still + 1, length) if now == length != before else (0, now)


async def _processed(handle: WorkflowHandle[Any, Any], name: str | None) -> tuple[float, int, int]:
    """When the task after the last signal had ended (seconds since 1970), the signals, and the events of the run so far."""
    events = (await handle.fetch_history()).events
    signals = [
        event
        for event in events
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
        and name in (None, event.workflow_execution_signaled_event_attributes.signal_name)
    ]
    ended = [
        event.event_time.ToNanoseconds() / 1e9
        for event in events
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
        and event.workflow_task_completed_event_attributes.started_event_id > signals[-1].event_id
    ]
    return ended[0], len(signals), len(events)


async def _product(rig: Rig, front: Front, group: str) -> Storm:
    subject = await _incident(rig, front, group)
    before, used = len(await subject.events()), _used(rig, "product") + front.process.cpu
    began = time.time()
    answered = await front.post(group, ALERTS)
    lost = 1 + ALERTS
    looked = before
    while lost:
        await _settled(subject.handle, looked)
        cpu = _used(rig, "product") + front.process.cpu - used
        looked = (await subject.handle.describe()).history_length
        lost = 1 + ALERTS - len((await subject.handle.query("state"))["alerts"])
        if lost and time.time() > began + WITHIN:
            break
    ended, _, events = await _processed(subject.handle, contract.ALERT)
    return Storm(answered, ended - began, events - before, cpu, lost)


async def _naive(rig: Rig, id: str) -> Storm:
    """One signal an alert, straight into a workflow that does nothing with it."""
    handle = await rig.client.start_workflow(Sink.run, id=id, task_queue="bare", task_timeout=options.WORKFLOW_TASK_TIMEOUT)
    await asyncio.sleep(1)
    at = datetime.now(UTC).isoformat()
    before, used, own = len((await handle.fetch_history()).events), _used(rig, "bare"), _own_cpu()
    gate = asyncio.Semaphore(IN_FLIGHT)

    async def tell(number: int) -> None:
        async with gate:
            await handle.signal("told", _alert(id, number, at))

    began = time.time()
    await asyncio.gather(*(tell(number) for number in range(ALERTS)))
    answered = time.time() - began
    await _settled(handle, before)
    cpu = _used(rig, "bare") - used + _own_cpu() - own
    ended, signals, events = await _processed(handle, None)
    return Storm(answered, ended - began, events - before, cpu, ALERTS - signals)


def _used(rig: Rig, arm: str) -> float:
    return sum(rig.cpu(arm))


def _own_cpu() -> float:
    """This process's: it is the naive sender, as the door is the product's."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def _with_people(rig: Rig, front: Front, group: str) -> tuple[list[float], list[float]]:
    """How long commands take while it is calm, and while the storm is on its way."""
    subject = await _incident(rig, front, group)
    calm = [await _timed(subject) for _ in range(CALM_COMMANDS)]
    posting = asyncio.create_task(front.post(group, ALERTS))
    busy = []
    began = time.monotonic()
    while not posting.done() or time.monotonic() < began + 1.0:
        busy.append(await _timed(subject))
        await asyncio.sleep(0.02)
    await posting
    return calm, busy


async def _timed(subject: Subject) -> float:
    began = time.perf_counter()
    await subject.send("note", {"text": "looking at it"})
    return time.perf_counter() - began


async def figures(*, rounds: int = 1) -> list[Figure]:
    async with rigged(file=True) as rig, _opened(rig) as front:
        await _product(rig, front, "WarmingUp")
        numbers = iter(range(1_000_000))

        async def measure(arm: str) -> Storm:
            name = f"Storm{next(numbers)}"
            return await (_product(rig, front, name) if arm == "product" else _naive(rig, name))

        storms = await interleaved(rounds, measure)
        people = [await _with_people(rig, front, f"People{next(numbers)}") for _ in range(2 * rounds)]
    calm = percentile([seconds for quiet, _ in people for seconds in quiet], 0.99)
    busy = percentile([seconds for _, seconds_of in people for seconds in seconds_of], 0.99)
    loads = f"load {min(storm.load for storm in storms.product):.1f} to {max(storm.load for storm in storms.product):.1f}"
    answered = statistics.median(storm.answered for storm in storms.product)
    seconds, naive = storms.medians(lambda storm: storm.processed)
    events, naively = storms.medians(lambda storm: float(storm.events))
    cpu, wasted = storms.medians(lambda storm: storm.cpu)
    what = f"{ALERTS} alerts into one incident"
    beside = "a bare workflow, a signal an alert"
    ratios, burnt = storms.ratios(lambda storm: storm.processed), storms.ratios(lambda storm: storm.cpu)
    lost, note = sum(storm.lost for storm in storms.product), f"answered 200 after {answered:.2f} s; {loads}"
    return [
        Figure("G5", f"{what}: processed", "s", seconds, naive, 1.0, ratios, absolute=True, against=beside, note=note),
        Figure("G5", f"{what}: events", "events", events, naively, 150, absolute=True, against=beside),
        Figure("G5", f"{what}: CPU", "s", cpu, wasted, 0.1, burnt, against=beside, note="door, worker and server"),
        Figure("G5", "a person's command meanwhile, p99", "ms", busy * 1000, calm * 1000, 8, against="the same while it is calm"),
        Figure("G5", "alerts lost", "", lost, None, 0, absolute=True),
    ]
