"""Whether everything that an incident needs is there: `/readyz` at a glance, the doctor in detail."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client, RPCTimeoutOrCancelledError, WorkflowFailureError, WorkflowQueryFailedError
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode

from incident.checkup import Checkup
from incident.effects import Port
from starter.calls import pollers, reachable
from workflows import contract, options

WITHIN = timedelta(seconds=2)

LOOK_WITHIN = timedelta(seconds=15)
"""For a worker's look at all outside systems; they are asked at the same time."""

PROOF_OF_LIFE = "__temporal_workflow_metadata"
"""A query that every workflow answers: only a worker that runs can."""

START_SERVER = "Start everything on this machine with tocsin up, or check TEMPORAL_ADDRESS and its TLS settings."
START_WORKER = "Start one with tocsin worker (tocsin up does so by itself)."


class Finding(BaseModel):
    """One thing that was looked at; `fix` says what to do where it is not well."""

    model_config = ConfigDict(frozen=True)

    name: str
    ok: bool
    detail: str
    fix: str | None = None


Look = Callable[[], Awaitable[Finding]]


def report(findings: list[Finding]) -> dict[str, Any]:
    """All findings, and whether all are well."""
    return {"ok": all(finding.ok for finding in findings), "checks": [finding.model_dump(exclude_none=True) for finding in findings]}


class Health:
    """Looks after one door's surroundings. `more` are further looks that the doctor takes."""

    def __init__(self, client: Client, *, task_queue: str = contract.TASK_QUEUE, more: tuple[Look, ...] = ()) -> None:
        self._client = client
        self._task_queue = task_queue
        self._more = more

    async def ready(self) -> dict[str, Any]:
        """Whether commands are carried out now: the server is there and a worker works."""
        server = await self.server()
        return report([server, await self.worker()] if server.ok else [server])

    async def doctor(self) -> dict[str, Any]:
        """Everything that can be looked at from a door."""
        server = await self.server()
        looks = [look() for look in self._more]
        if server.ok:
            queues = [self.queue(contract.port_queue(self._task_queue, port)) for port in Port]
            looks = [self.worker(), *queues, self.search_attributes(), *looks]
        findings = [server, *await asyncio.gather(*looks)]
        if all(finding.ok for finding in findings if finding.name in ("temporal", "worker")):
            findings += await self.integrations()
        return report(findings)

    async def integrations(self) -> list[Finding]:
        """Let a worker look at the outside systems that it uses: it has the credentials, and this door may not."""
        try:
            checkup: Checkup = await self._client.execute_workflow(
                "Checkup",
                id=contract.CHECKUP_ID,
                task_queue=self._task_queue,
                result_type=Checkup,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                execution_timeout=LOOK_WITHIN,
                task_timeout=options.WORKFLOW_TASK_TIMEOUT,
            )
        except (RPCError, WorkflowFailureError) as error:
            told = error.message if isinstance(error, RPCError) else str(error.cause)
            return [Finding(name="integrations", ok=False, detail=f"could not be looked at: {told}", fix=START_WORKER)]
        return [Finding(**found.model_dump()) for found in checkup.found]

    async def server(self) -> Finding:
        address = self._client.service_client.config.target_host
        if await reachable(self._client, WITHIN):
            return Finding(name="temporal", ok=True, detail=f"{address} serves, namespace {self._client.namespace}")
        return Finding(name="temporal", ok=False, detail=f"{address} does not answer", fix=START_SERVER)

    async def worker(self) -> Finding:
        """Ask the register for a sign of life; before there is one, see who polls."""
        try:
            async with asyncio.timeout(WITHIN.total_seconds()):
                await self._client.get_workflow_handle(contract.REGISTRY_ID).query(PROOF_OF_LIFE)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return await self.queue(self._task_queue, TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW, name="worker")
            return Finding(name="worker", ok=False, detail=f"no worker answers: {error.message}", fix=START_WORKER)
        except (TimeoutError, RPCTimeoutOrCancelledError, WorkflowQueryFailedError) as error:
            detail = f"no worker answered within {WITHIN.total_seconds():g} s ({type(error).__name__})"
            return Finding(name="worker", ok=False, detail=detail, fix=START_WORKER)
        return Finding(name="worker", ok=True, detail="a worker answers")

    async def queue(
        self, task_queue: str, kind: TaskQueueType.ValueType = TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY, *, name: str | None = None
    ) -> Finding:
        """Whether somebody polls a task queue."""
        name = name or f"queue {task_queue}"
        try:
            polling = await pollers(self._client, task_queue, kind)
        except RPCError as error:
            return Finding(name=name, ok=False, detail=f"can't be looked at: {error.message}", fix=START_SERVER)
        if polling:
            return Finding(name=name, ok=True, detail=f"{polling} polling")
        return Finding(name=name, ok=False, detail="nobody polls it", fix=START_WORKER)

    async def search_attributes(self) -> Finding:
        try:
            answer = await self._client.operator_service.list_search_attributes(
                ListSearchAttributesRequest(namespace=self._client.namespace), timeout=WITHIN
            )
        except RPCError as error:
            return Finding(name="search attributes", ok=False, detail=f"can't be listed: {error.message}", fix=START_SERVER)
        missing = sorted(set(contract.SEARCH_ATTRIBUTES) - set(answer.custom_attributes))
        if not missing:
            return Finding(name="search attributes", ok=True, detail="all registered")
        options = " ".join(f"--name {name} --type {contract.SEARCH_ATTRIBUTES[name]}" for name in missing)
        fix = f"temporal operator search-attribute create --namespace {self._client.namespace} {options}"
        return Finding(name="search attributes", ok=False, detail=f"missing: {', '.join(missing)}", fix=fix)
