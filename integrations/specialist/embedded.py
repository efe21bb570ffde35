"""The specialist that comes with Tocsin: a person, who is paged with the request and reports by a command."""

from __future__ import annotations

from incident.effects import Brief, Delivery, Page, Receipt
from integrations.deliveries import asked, request
from integrations.ports import OnCall, Paging


class PagedSpecialist:
    """A specialist's name is a role in the rota; whoever holds it is paged, and where nobody does, the role itself.

    A repeat is recognised by the pager, which is told the request under the same key.
    """

    def __init__(self, pager: Paging, rota: OnCall) -> None:
        self._pager = pager
        self._rota = rota

    async def brief(self, delivery: Delivery) -> Receipt:
        ask = asked(delivery, Brief)
        person = await self._rota.of(ask.specialist, delivery.at) or ask.specialist
        page = Page(to=person, role=ask.specialist, text=request(ask))
        receipt = await self._pager.page(delivery.model_copy(update={"ask": page}))
        return receipt.model_copy(update={"person": receipt.person or person, "role": ask.specialist})
