"""Work that a stray `cancel` does not end: who is paged, what is owed and which numbers were given must not be forgotten by one command."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
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
