"""The specialist, as Temporal sees it."""

from __future__ import annotations

from temporalio import activity

from activities.failures import translated
from incident.effects import Delivery, Receipt
from integrations.ports import Specialist


class SpecialistActivities:
    """Ask for help."""

    def __init__(self, specialist: Specialist) -> None:
        self._specialist = specialist

    @activity.defn(name="brief")
    async def brief(self, delivery: Delivery) -> Receipt:
        with translated():
            return await self._specialist.brief(delivery)
