"""Tell every incident which channels people have paused: as Temporal sees it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

from temporalio import activity
from temporalio.client import Client
from temporalio.common import Priority, WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode

from incident.channels import Pauses

RUNNING = 'WorkflowType IN ("Incident", "FollowUp") AND ExecutionStatus = "Running"'
SIGNAL = "channels"


class ChannelActivities:
    """The register hears it first: an incident that begins while the others are told begins with it."""

    def __init__(self, client: Client, *, task_queue: str, task_timeout: timedelta, priority: Priority) -> None:
        self._client = client
        self._task_queue = task_queue
        self._task_timeout = task_timeout
        self._priority = priority

    @activity.defn(name="tell_channels")
    async def tell_channels(self, pauses: Pauses) -> int:
        """Answers with how many were told. Told again, an incident adds nothing."""
        await self._client.start_workflow(
            "Registry",
            id="registry",
            task_queue=self._task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            task_timeout=self._task_timeout,
            priority=self._priority,
            start_signal=SIGNAL,
            start_signal_args=[pauses],
        )
        told = 0
        async for id in self._running():
            try:
                await self._client.get_workflow_handle(id).signal(SIGNAL, pauses)
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise
                # It ended while the others were told.
                activity.logger.info("%s has ended meanwhile", id)
            else:
                told += 1
        return told

    async def _running(self) -> AsyncIterator[str]:
        async for workflow in self._client.list_workflows(RUNNING):
            yield workflow.id
