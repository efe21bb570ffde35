"""The pager, as Temporal sees it."""

from __future__ import annotations

from temporalio import activity

from activities.failures import translated
from incident.effects import Delivery, Page, Receipt
from incident.paging import StandDown
from integrations.errors import Rejected
from integrations.ports import OnCall, Paging, StandingDown


class PagingActivities:
    """Get hold of people. A page to a role goes to whoever holds it now."""

    def __init__(self, pager: Paging, rota: OnCall, standing: StandingDown | None = None) -> None:
        self._pager = pager
        self._rota = rota
        self._standing = standing

    @activity.defn(name="page")
    async def page(self, delivery: Delivery) -> Receipt:
        with translated():
            return await self._pager.page(await self._to_a_person(delivery))

    @activity.defn(name="stand_down")
    async def stand_down(self, answered: StandDown) -> None:
        """Tell the provider that pages are answered. A worker whose pager keeps none open has nothing to tell."""
        if self._standing is not None:
            with translated():
                await self._standing.stand_down(answered.pages)

    async def _to_a_person(self, delivery: Delivery) -> Delivery:
        """The delivery with the name of whoever holds the role; where nobody does, the role itself is paged."""
        ask = delivery.ask
        if not isinstance(ask, Page):
            raise Rejected(f"{delivery.key} is no page but {ask.action}")
        if ask.to != ask.role:
            return delivery
        person = await self._rota.of(ask.role, activity.info().scheduled_time)
        return delivery if person is None else delivery.model_copy(update={"ask": ask.model_copy(update={"to": person})})
