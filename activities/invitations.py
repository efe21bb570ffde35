"""The calendar, as Temporal sees it."""

from __future__ import annotations

from temporalio import activity

from activities.failures import translated
from incident.effects import Delivery, Receipt
from integrations.ports import Calendar


class InvitationActivities:
    """Invite people."""

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar

    @activity.defn(name="invite")
    async def invite(self, delivery: Delivery) -> Receipt:
        with translated():
            return await self._calendar.invite(delivery)
