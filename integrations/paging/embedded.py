"""The pager that comes with Tocsin: a log of pages in the ledger, read back at `/api/v1/embedded/pages`.

It reaches nobody by itself: it is for drills, trials and tests, and shows what a real pager would have been asked.
"""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from incident.checkup import Checked
from incident.effects import Delivery, Page, Port, Receipt
from integrations.deliveries import asked, marked
from integrations.ledger import Ledger, Told


class EmbeddedPager:
    """The log of pages. A repeat is recognised by its key in the ledger."""

    name = "embedded"

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def check(self) -> Checked:
        return Checked(
            name="paging: embedded", ok=True, detail=f"pages are written to {self._ledger.where}, and reach nobody by themselves"
        )

    async def page(self, delivery: Delivery) -> Receipt:
        ask = asked(delivery, Page)

        async def tell(_: AsyncConnection) -> Told:
            receipt = Receipt(reference=delivery.key, person=ask.to, role=ask.role)
            return Told(to=ask.to, text=marked(delivery, ask.text), receipt=receipt, detail={"role": ask.role, "urgency": ask.urgency})

        return await self._ledger.once(Port.PAGING, delivery, tell)
