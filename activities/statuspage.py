"""The status page, as Temporal sees it."""

from __future__ import annotations

from temporalio import activity

from activities.failures import translated
from incident.effects import Delivery, Receipt
from integrations.ports import StatusPage


class StatusPageActivities:
    """Tell the public."""

    def __init__(self, page: StatusPage) -> None:
        self._page = page

    @activity.defn(name="publish")
    async def publish(self, delivery: Delivery) -> Receipt:
        with translated():
            return await self._page.publish(delivery)
