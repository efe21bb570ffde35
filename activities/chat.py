"""Chat, as Temporal sees it."""

from __future__ import annotations

from temporalio import activity

from activities.failures import translated
from incident.effects import Delivery, Receipt
from integrations.ports import Chat


class ChatActivities:
    """Open the channel, post the messages."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat

    @activity.defn(name="open_channel")
    async def open_channel(self, delivery: Delivery) -> Receipt:
        with translated():
            return await self._chat.open_channel(delivery)

    @activity.defn(name="post")
    async def post(self, delivery: Delivery) -> Receipt:
        with translated():
            return await self._chat.post(delivery)
