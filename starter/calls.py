"""Calls to Temporal that don't give up at the first stumble, and never wait for ever.

A racing continue-as-new, a full queue of updates and a server that restarts all make a call fail which works
a moment later. Each is repeated as it is, under the same update id and the same `key` in its payload, so
that a call which did arrive is not carried out twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client, RPCTimeoutOrCancelledError, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from starter.problems import Busy, NoWorker, Problem, Unreachable

T = TypeVar("T")

FIRST_PAUSE = timedelta(milliseconds=50)
LONGEST_PAUSE = timedelta(seconds=1)
PROBE_WITHIN = timedelta(seconds=1)
"""How long the server gets to say that it is there, once a call has run out of time."""

LOOK_WITHIN = timedelta(seconds=2)
"""How long the server gets to say who polls."""

POLLED_WITHIN = timedelta(seconds=75)
"""A worker's poll is renewed every 60 s; one that is older than this has gone."""

PASSING = frozenset(
    {
        RPCStatusCode.FAILED_PRECONDITION,
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.RESOURCE_EXHAUSTED,
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.CANCELLED,
        RPCStatusCode.ABORTED,
        RPCStatusCode.UNKNOWN,
    }
)
"""Statuses that a repeat may clear. UNKNOWN: a connection that broke in the middle of an answer."""

CLOSED_TOO_SOON = "AcceptedUpdateCompletedWorkflow"
"""The failure of an update that was accepted by a run which then ended: the next run has to be asked."""

NOT_CONNECTED = "Failed client connect"
"""How the SDK's client says, with a RuntimeError, that it has not reached the server yet."""


Otherwise = Callable[[timedelta], Awaitable[Problem | None]]
"""Asked once a call has run out of time though the server is there: a better reason than that nobody works, or None."""


async def patiently(client: Client, call: Callable[[], Awaitable[T]], *, within: timedelta, unless: Otherwise | None = None) -> T:
    """Carry out `call`, again where a repeat may help, for at most `within`.

    Raises:
        Unreachable, Busy, NoWorker: when the time is up, by what stood in the way last; in place of NoWorker what `unless` knows better.
        RPCError, WorkflowUpdateFailedError: what a repeat does not change, as it came.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within.total_seconds()
    pause = FIRST_PAUSE.total_seconds()
    while True:
        try:
            async with asyncio.timeout_at(deadline):
                return await call()
        except (RPCError, RPCTimeoutOrCancelledError, TimeoutError, WorkflowUpdateFailedError, RuntimeError) as error:
            if not _passing(error):
                raise
            _give_way_to_cancellation()
            if loop.time() + pause >= deadline:
                raise await _verdict(client, error, within, unless) from error
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE.total_seconds())


def _passing(error: Exception) -> bool:
    if isinstance(error, RPCError):
        return error.status in PASSING
    if isinstance(error, WorkflowUpdateFailedError):
        return isinstance(error.cause, ApplicationError) and error.cause.type == CLOSED_TOO_SOON
    if isinstance(error, RuntimeError):
        return str(error).startswith(NOT_CONNECTED)
    return True


def _give_way_to_cancellation() -> None:
    """Go on being cancelled: the SDK turns a cancellation into a time-out, and a door that stops must not retry."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def _verdict(client: Client, error: Exception, within: timedelta, unless: Otherwise | None) -> Problem:
    """Say what stood in the way: the server, its load, or the lack of anybody who works."""
    if isinstance(error, RPCError) and error.status is RPCStatusCode.RESOURCE_EXHAUSTED:
        return Busy("Temporal has too many requests for this incident in flight. Repeat the request with the same key in a moment.")
    if not await reachable(client):
        return Unreachable(
            "Temporal can't be reached. What it has accepted is safe; this request may not have arrived. "
            "Start it (tocsin up) or check TEMPORAL_ADDRESS, then repeat the request with the same key."
        )
    better = await unless(within) if unless is not None else None
    return better or NoWorker(
        f"Temporal is there, and no worker answered within {within.total_seconds():g} s. The command may still be carried out "
        "once a worker runs; repeating it with the same key is safe. Start a worker (tocsin up, or tocsin worker)."
    )


async def pollers(client: Client, task_queue: str, kind: TaskQueueType.ValueType = TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW) -> int:
    """How many have asked the server for this queue's work lately.

    Raises:
        RPCError: it can't be looked at.
    """
    request = DescribeTaskQueueRequest(namespace=client.namespace, task_queue=TaskQueue(name=task_queue), task_queue_type=kind)
    answer = await client.workflow_service.describe_task_queue(request, timeout=LOOK_WITHIN)
    now = datetime.now(UTC)
    return sum(now - poller.last_access_time.ToDatetime(tzinfo=UTC) < POLLED_WITHIN for poller in answer.pollers)


async def polled(client: Client, task_queue: str) -> bool:
    """Whether somebody works on this queue, as far as can be seen."""
    try:
        return await pollers(client, task_queue) > 0
    except RPCError:
        _give_way_to_cancellation()
        return False


async def reachable(client: Client, within: timedelta = PROBE_WITHIN) -> bool:
    """Whether the Temporal server says that it serves."""
    try:
        async with asyncio.timeout(within.total_seconds()):
            return await client.service_client.check_health(timeout=within)
    except (RPCError, TimeoutError, RuntimeError):
        _give_way_to_cancellation()
        return False
