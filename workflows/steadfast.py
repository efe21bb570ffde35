"""Work that a stray `cancel` does not end: who is paged, what is owed and which numbers were given must not be forgotten by one command."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import workflow

Result = TypeVar("Result")


async def steadfast(work: Coroutine[Any, Any, Result], refused: Callable[[], None] | None = None) -> Result:
    """Carry `work` to its end, whatever cancellation is asked for meanwhile; `refused` keeps it on record.

    A cancel reaches only the workflow's main task; `work` runs in one of its own. The server takes one request to
    cancel a run. Every other cancellation is the worker's, which drops the workflow from its cache and must not be held up.
    """
    task = asyncio.create_task(work)
    heard = False
    while True:
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if heard or task.cancelled() or workflow.cancellation_reason() is None:
                raise
            heard = True
            workflow.logger.warning("a request to cancel was refused")
            if refused is not None:
                refused()


async def wait(
    condition: Callable[[], bool],
    *,
    timeout: timedelta | None = None,  # noqa: ASYNC109  the workflow's time, which the loop does not count
    timeout_summary: str | None = None,
) -> None:
    """Wait for `condition`, also across a cancel that was refused: the SDK ends each wait that was under way by it once.

    Raises:
        TimeoutError: the time is over first.
    """
    try:
        await workflow.wait_condition(condition, timeout=timeout, timeout_summary=timeout_summary)
    except asyncio.CancelledError:
        if workflow.cancellation_reason() is None:
            raise
        # What was waited for has come, or its time is over; the SDK says so only now, and as a cancellation.
        if timeout is not None and not condition():
            raise TimeoutError from None
