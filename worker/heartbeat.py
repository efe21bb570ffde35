"""A dead-man's heartbeat out of Tocsin: somebody else's alarm goes off when it stops.

Each beat is one GET of `TOCSIN_HEARTBEAT_URL`. It is sent only after a worker has answered a question through Temporal
and no workflow's tasks fail: a process that merely lives does not count.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import httpx2
import structlog
from temporalio.client import Client, WorkflowQueryFailedError
from temporalio.service import RPCError

from workflows import contract

log = structlog.get_logger("tocsin.worker")

WITHIN = 10.0
"""Seconds for the proof, and for the beat."""

PROOF = "__temporal_workflow_metadata"
"""A query that every workflow answers: the server, its storage and a worker take part in it."""


async def stuck(client: Client) -> str | None:
    """Why workflows make no progress; None where they do."""
    try:
        async with asyncio.timeout(WITHIN):
            await client.get_workflow_handle(contract.REGISTRY_ID).query(PROOF)
            failing = (await client.count_workflows(contract.FAILING)).count
    except (TimeoutError, RuntimeError, RPCError, WorkflowQueryFailedError) as error:  # RuntimeError: no connection was made yet
        return f"the register does not answer ({type(error).__name__})"
    return f"{failing} workflow(s) fail again and again" if failing else None


class Heartbeat:
    """Beats while `stuck` finds nothing wrong. A beat that can't be sent is logged, and the next one tried in time."""

    def __init__(
        self,
        url: str,
        every: float,
        stuck: Callable[[], Awaitable[str | None]],
        *,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._url = url
        self._every = every
        self._stuck = stuck
        self._client = httpx2.AsyncClient(timeout=WITHIN, transport=transport)

    async def beat_for_ever(self) -> None:
        try:
            while True:
                try:
                    await self.beat()
                except Exception:
                    log.exception("the heartbeat failed")
                await asyncio.sleep(self._every)
        finally:
            await self._client.aclose()

    async def beat(self) -> bool:
        """One beat; False where it was withheld, or did not arrive."""
        problem = await self._stuck()
        if problem is not None:
            log.warning("the heartbeat is withheld", cause=problem)
            return False
        try:
            response = await self._client.get(self._url)
        except httpx2.HTTPError as error:
            log.warning("the heartbeat could not be sent", cause=type(error).__name__)
            return False
        if not response.is_success:  # nor is a redirect: nobody follows it, and who waits there hears nothing
            log.warning("the heartbeat was not accepted", status=response.status_code)
        return response.is_success
