"""The outside world of a measurement: every port accepts at once and keeps nothing."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path

from temporalio import activity

from activities.archiving import ArchiveRequest
from incident.effects import Delivery, Receipt
from worker.wiring import Adapters


class Accepting:
    """Stands behind all ports; writes down when each effect of which incident arrived, where a file is given."""

    def __init__(self, effects: Path | None = None) -> None:
        self._effects = effects.open("a", buffering=1) if effects is not None else None

    def arrived(self, incident: str) -> None:
        if self._effects is not None:
            self._effects.write(f"{time.time():.4f} {incident}\n")

    async def open_channel(self, delivery: Delivery) -> Receipt:
        self.arrived(delivery.incident)
        return Receipt(reference=delivery.key, channel=f"#{delivery.incident.lower()}")

    async def _accept(self, delivery: Delivery) -> Receipt:
        self.arrived(delivery.incident)
        return Receipt(reference=delivery.key)

    post = publish = open_ticket = change_ticket = close_ticket = page = brief = store_document = _accept

    async def find_on_call(self, delivery: Delivery) -> Receipt:
        return Receipt(reference=delivery.key, person="ben", role="senior on-call")

    async def of(self, role: str, at: datetime) -> str | None:
        return "ben"

    @activity.defn(name="archive_run")
    async def archive_run(self, request: ArchiveRequest) -> str | None:
        """Archiving is I/O like the other ports' and answers at once as they do."""
        return f"audit/run-{request.run:03d}.manifest.json"

    def adapters(self) -> Adapters:
        return Adapters(chat=self, status=self, tickets=self, pager=self, rota=self, specialist=self, archive=self)
