"""Work that a stray `cancel` does not end: who is paged, what is owed and which numbers were given must not be forgotten by one command."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from temporalio import workflow

Result = TypeVar("Result")


async def steadfast(work: Coroutine[Any, Any, Result], refused: Callable[[], None] | None = None) -> Result:
    """Carry `work` to its end, whatever cancellation is asked for meanwhile; `refused` keeps each on record.

    A cancel reaches only the workflow's main task; `work` runs in one of its own. When the worker drops the workflow
    from its cache, both are cancelled, and both end.
    """
    task = asyncio.create_task(work)
    while True:
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise
            workflow.logger.warning("a request to cancel was refused")
            if refused is not None:
                refused()
