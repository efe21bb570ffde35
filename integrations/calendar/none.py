"""Where no calendar is configured."""

from __future__ import annotations

from incident.effects import Delivery, Invite, Receipt
from integrations.deliveries import asked
from integrations.errors import NotFound


class NoInvitations:
    """Invites nobody. Incidents do not ask then; one that was opened when there was a calendar hears why."""

    async def invite(self, delivery: Delivery) -> Receipt:
        asked(delivery, Invite)
        raise NotFound("no calendar is configured any more (TOCSIN_CALENDAR)")
