"""The chat that comes with Tocsin: channels and messages in the ledger, read back at `/api/v1/embedded/chat`."""

from __future__ import annotations

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from incident.effects import Delivery, OpenChannel, Port, Post, Receipt
from integrations import tables
from integrations.deliveries import asked, channel_name, marked
from integrations.ledger import Ledger, Told, clean
from integrations.ports import ChannelSeen

GENERAL = "#incidents"
STAKEHOLDERS = "#incident-stakeholders"


class EmbeddedChat:
    """Channels and messages. A repeat is recognised by its key in the ledger, a taken channel name by the table of names.

    A message to a channel that the chat does not know is taken all the same: a chat without history must not cost
    anybody a message.
    """

    def __init__(self, ledger: Ledger, *, general: str = GENERAL, stakeholders: str = STAKEHOLDERS) -> None:
        self._ledger = ledger
        self._general = general
        self._stakeholders = stakeholders

    async def open_channel(self, delivery: Delivery) -> Receipt:
        ask = asked(delivery, OpenChannel)
        topic = marked(delivery, ask.topic)

        async def tell(connection: AsyncConnection) -> Told:
            name = await _free_name(connection, clean(ask.name))
            await connection.execute(insert(tables.channels).values(name=name, incident=delivery.incident, topic=clean(topic)))
            return Told(to=name, text=topic, receipt=Receipt(reference=name, channel=name), detail={"channel": name})

        return await self._ledger.once(Port.CHAT, delivery, tell)

    async def post(self, delivery: Delivery) -> Receipt:
        ask = asked(delivery, Post)
        to = self._room(ask)

        async def tell(_: AsyncConnection) -> Told:
            receipt = Receipt(reference=f"{to}/{delivery.key}", channel=to)
            return Told(to=to, text=marked(delivery, ask.text), receipt=receipt, detail={"channel": to, "room": ask.room})

        return await self._ledger.once(Port.CHAT, delivery, tell)

    @property
    def vendor(self) -> str:
        return "the embedded chat"

    async def read_channel(self, reference: str, name: str) -> ChannelSeen:
        """Nobody changes a channel here but by the database itself."""
        async with self._ledger.reading() as connection:
            topic = (await connection.execute(select(tables.channels.c.topic).where(tables.channels.c.name == reference))).scalar()
        return ChannelSeen(state="gone") if topic is None else ChannelSeen(state="open", name=reference, topic=topic)

    def _room(self, ask: Post) -> str:
        match ask.room:
            case "stakeholders":
                return self._stakeholders
            case "incident":
                return ask.channel or self._general
            case "general":
                return self._general


async def _free_name(connection: AsyncConnection, wanted: str) -> str:
    nth = 1
    while True:
        name = channel_name(wanted, nth)
        if (await connection.execute(select(tables.channels.c.name).where(tables.channels.c.name == name))).scalar() is None:
            return name
        nth += 1
