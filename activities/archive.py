"""The archive, as Temporal sees it."""

from __future__ import annotations

from temporalio import activity

from activities.failures import translated
from incident.effects import Delivery, Receipt
from integrations.ports import Archive


class ArchiveActivities:
    """Keep documents."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    @activity.defn(name="store_document")
    async def store_document(self, delivery: Delivery) -> Receipt:
        with translated():
            return await self._archive.store_document(delivery)
