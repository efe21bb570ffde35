"""Planned work, as alerts ask about it before they open an incident."""

from __future__ import annotations

from temporalio import activity

from activities.failures import translated
from incident.routing import Planned, PlannedWork
from integrations.ports import Maintenance


class MaintenanceActivities:
    """Say whether planned work is going on."""

    def __init__(self, maintenance: Maintenance) -> None:
        self._maintenance = maintenance

    @activity.defn(name="find_maintenance")
    async def find_maintenance(self, asked: PlannedWork) -> Planned:
        with translated():
            return await self._maintenance.planned(asked)
