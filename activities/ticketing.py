"""The ticket board, as Temporal sees it."""

from __future__ import annotations

from temporalio import activity

from activities.failures import translated
from incident.effects import Delivery, Receipt
from integrations.ports import Ticketing


class TicketingActivities:
    """File, change and close tickets."""

    def __init__(self, board: Ticketing) -> None:
        self._board = board

    @activity.defn(name="open_ticket")
    async def open_ticket(self, delivery: Delivery) -> Receipt:
        with translated():
            return await self._board.open_ticket(delivery)

    @activity.defn(name="change_ticket")
    async def change_ticket(self, delivery: Delivery) -> Receipt:
        with translated():
            return await self._board.change_ticket(delivery)

    @activity.defn(name="close_ticket")
    async def close_ticket(self, delivery: Delivery) -> Receipt:
        with translated():
            return await self._board.close_ticket(delivery)
