"""The on-call rota, as Temporal sees it."""

from __future__ import annotations

from temporalio import activity

from activities.failures import translated
from incident.effects import Delivery, Receipt
from integrations.ports import OnCall


class OnCallActivities:
    """Look up who is on call."""

    def __init__(self, rota: OnCall) -> None:
        self._rota = rota

    @activity.defn(name="find_on_call")
    async def find_on_call(self, delivery: Delivery) -> Receipt:
        with translated():
            return await self._rota.find_on_call(delivery)
