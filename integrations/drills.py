"""Practice reaches nobody real: a drill's deliveries go to the embedded parts, whatever is configured."""

from __future__ import annotations

from incident.effects import Delivery, Receipt
from integrations.ports import Chat, Paging, StatusPage, Ticketing


class ChatOrDrill:
    def __init__(self, real: Chat, embedded: Chat) -> None:
        self._real, self._embedded = real, embedded

    def _for(self, delivery: Delivery) -> Chat:
        return self._embedded if delivery.drill else self._real

    async def open_channel(self, delivery: Delivery) -> Receipt:
        return await self._for(delivery).open_channel(delivery)

    async def post(self, delivery: Delivery) -> Receipt:
        return await self._for(delivery).post(delivery)


class StatusPageOrDrill:
    def __init__(self, real: StatusPage, embedded: StatusPage) -> None:
        self._real, self._embedded = real, embedded

    async def publish(self, delivery: Delivery) -> Receipt:
        return await (self._embedded if delivery.drill else self._real).publish(delivery)


class TicketingOrDrill:
    def __init__(self, real: Ticketing, embedded: Ticketing) -> None:
        self._real, self._embedded = real, embedded

    def _for(self, delivery: Delivery) -> Ticketing:
        return self._embedded if delivery.drill else self._real

    async def open_ticket(self, delivery: Delivery) -> Receipt:
        return await self._for(delivery).open_ticket(delivery)

    async def change_ticket(self, delivery: Delivery) -> Receipt:
        return await self._for(delivery).change_ticket(delivery)

    async def close_ticket(self, delivery: Delivery) -> Receipt:
        return await self._for(delivery).close_ticket(delivery)


class PagingOrDrill:
    def __init__(self, real: Paging, embedded: Paging) -> None:
        self._real, self._embedded = real, embedded

    async def page(self, delivery: Delivery) -> Receipt:
        return await (self._embedded if delivery.drill else self._real).page(delivery)
