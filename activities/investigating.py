"""Investigations by a machine, as Temporal sees them: the dispatch begins one, and the work itself is an activity with a heartbeat."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Protocol

from temporalio import activity
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from activities.failures import translated
from activities.whole_timeline import whole_timeline
from incident.effects import Brief, Delivery, Receipt
from incident.investigation import InvestigationInput, Report
from integrations.errors import Rejected
from integrations.ports import Specialist

BEAT = timedelta(seconds=1)
"""A cancellation is heard of with a beat, and a dead worker noticed after a few."""


class Investigator(Protocol):
    """Who does the work. Asked again it begins anew: reading changes nothing."""

    @property
    def by(self) -> str: ...

    async def investigate(self, asked: InvestigationInput, entries: Sequence[Mapping[str, Any]]) -> Report: ...


class InvestigationActivities:
    """Dispatches to `specialists` are the investigator's, those to others go `otherwise`; so do drills and private incidents.

    A private incident is nobody's to read but its members', and a model's vendor is none of them.
    """

    def __init__(self, client: Client, investigator: Investigator, otherwise: Specialist, specialists: Collection[str], queue: str) -> None:
        self._client = client
        self._investigator = investigator
        self._otherwise = otherwise
        self._specialists = {name.casefold() for name in specialists}
        self._queue = queue

    @activity.defn(name="brief")
    async def brief(self, delivery: Delivery) -> Receipt:
        """Begin an investigation, once a dispatch."""
        ask = delivery.ask
        if not isinstance(ask, Brief):
            with translated():
                raise Rejected(f"{delivery.key} is no brief but {ask.action}")
        if delivery.drill or ask.specialist.casefold() not in self._specialists or ask.private:
            with translated():
                return await self._otherwise.brief(delivery)
        id = f"{delivery.incident}/dispatch-{ask.dispatch}"
        receipt = Receipt(reference=id, role=ask.specialist, detail={"investigator": self._investigator.by})
        try:
            await self._client.start_workflow(
                "Investigation",
                InvestigationInput(incident=delivery.incident, brief=ask, at=delivery.at),
                id=id,
                task_queue=self._queue,
                id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            )
        except WorkflowAlreadyStartedError:
            return receipt.model_copy(update={"repeated": True})
        return receipt

    @activity.defn(name="investigate")
    async def investigate(self, asked: InvestigationInput) -> Report:
        """Read the whole timeline, and let the investigator work. A cancelled activity cancels the work."""
        async with _beating():
            entries = await whole_timeline(self._client, asked.incident)
            with translated():
                return await self._investigator.investigate(asked, entries)


@asynccontextmanager
async def _beating() -> AsyncIterator[None]:
    async def beat() -> None:
        while True:
            activity.heartbeat()
            await asyncio.sleep(BEAT.total_seconds())

    task = asyncio.create_task(beat())
    try:
        yield
    finally:
        task.cancel()
