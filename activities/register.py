"""The register of incidents as activities ask it: one question at a time, and what comes meanwhile goes together in the next one.

A storm has a thousand alert groups. Asked by each of them at once, the register's workflow is so busy with taking questions that the
server hardly gets round to what the register itself asks for, and whoever opens an incident by hand waits for seconds.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from temporalio import activity
from temporalio.client import Client, WithStartWorkflowOperation, WorkflowUpdateFailedError
from temporalio.common import Priority, WorkflowIDConflictPolicy

from incident import parcels
from incident.policy import Policy
from incident.registration import Registered, Registration, Registrations

MOST_TOGETHER = 50
"""Requests in one question; the register is done with them in a tenth of a second."""

BYTES_TOGETHER = 200_000
"""Of one question; the server warns from 256 kB on. What is larger goes alone."""

ANSWERED_WITHIN = timedelta(seconds=9)
"""Whoever has no answer by then gives up, and those behind get their turn. An activity has ten seconds, and asks again."""


@dataclass(eq=False)
class _Waiting:
    request: Registration
    size: int
    answer: asyncio.Future[Registered] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Register:
    """Asks the register, which is started where it does not run yet. `policy` goes along for requests that bring none."""

    def __init__(self, client: Client, policy: Policy, *, task_queue: str, task_timeout: timedelta, priority: Priority) -> None:
        self._client = client
        self._policy = policy
        self._task_queue = task_queue
        self._task_timeout = task_timeout
        self._priority = priority
        self._waiting: list[_Waiting] = []
        self._turn = asyncio.Lock()

    async def open(self, request: Registration) -> Registered:
        """The register's answer. Whoever's turn it is asks for all who wait by then, in the order in which they came.

        Raises:
            WorkflowUpdateFailedError: the register can't take this request.
            RPCError, TimeoutError: it may have taken it; asking again adds nothing.
        """
        mine = _Waiting(request, len(request.model_dump_json(exclude_defaults=True).encode()))
        self._waiting.append(mine)
        try:
            async with asyncio.timeout(ANSWERED_WITHIN.total_seconds()):
                async with self._turn:
                    if not mine.answer.done():
                        await self._ask_for(self._next())
                return await mine.answer
        finally:
            if mine in self._waiting:
                self._waiting.remove(mine)

    def _next(self) -> list[_Waiting]:
        sizes = [each.size for each in self._waiting]
        return next(parcels.parts(self._waiting, sizes, most=MOST_TOGETHER, most_bytes=BYTES_TOGETHER))

    async def _ask_for(self, several: Sequence[_Waiting]) -> None:
        """Ask for all of these at once; where the register can't take them so, for the first alone, and the others wait for their turn."""
        if len(several) > 1:
            together = Registrations(requests=tuple(each.request for each in several), policy=self._policy)
            try:
                self._answer(several, await self._asked("open_all", together, list[Registered]))
                return
            except WorkflowUpdateFailedError as error:
                activity.logger.warning("the register can't take several requests at once", extra={"cause": str(error.cause)})
        self._answer(several[:1], [await self._asked("open", self._whole(several[0].request), Registered)])

    def _answer(self, several: Sequence[_Waiting], answers: Sequence[Registered]) -> None:
        for one, answer in zip(several, answers, strict=True):
            if one in self._waiting:  # else it has given up meanwhile
                self._waiting.remove(one)
                one.answer.set_result(answer)

    def _whole(self, request: Registration) -> Registration:
        return request if request.policy is not None else request.model_copy(update={"policy": self._policy})

    async def _asked(self, name: str, argument: Any, answer: Any) -> Any:
        """An id of its own for every question: the answer to an earlier one may be out of date. The register knows repeats by their key."""
        start: WithStartWorkflowOperation[Any, Any] = WithStartWorkflowOperation(
            "Registry",
            id="registry",
            task_queue=self._task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            task_timeout=self._task_timeout,
            priority=self._priority,
        )
        return await self._client.execute_update_with_start_workflow(
            name, argument, start_workflow_operation=start, id=f"{name}-{uuid.uuid4().hex}", result_type=answer
        )
