"""Slack: a channel an incident, with its topic, a pinned card that is edited in place, and messages whose detail is in their threads.

- A channel of ours says in its purpose which key opened it. Making and marking it are two calls; a channel that we have made and that
  is still without a mark is taken over by whoever lost the answer, or after a while by the next one who wants the name.
- A message carries its key as metadata, and is looked for in the channel's history since the delivery arose: Slack takes no key
  itself. Pieces in a thread carry the key and their number.

Nothing in a text of ours is read as markup or as a mention (`slack_layout`).
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any, Literal

import httpx2
from pydantic import SecretStr

from incident.checkup import Checked
from incident.effects import Delivery, OpenChannel, Post, Receipt
from integrations.chat.layout import SKEW, Rooms
from integrations.chat.slack_api import SlackApi
from integrations.chat.slack_layout import MESSAGE_LIMIT, Block, blocks, buttons, card, escaped, pieces
from integrations.deliveries import asked, channel_name, clipped, defused, marked
from integrations.errors import IntegrationError, NotFound, Refused, Rejected, Unavailable
from integrations.once import OneAtATime
from integrations.ports import ChannelSeen
from integrations.remedies import remedy

METADATA = "tocsin"
TOPIC_LIMIT = 250
PAGE, PAGES = 200, 5
"""How far back a message is looked for: a thousand messages, and never beyond the delivery's own time."""

CHANNEL_PAGE, CHANNEL_PAGES = 999, 30
NAMES = 100
"""Taken names that are tried before somebody has to look."""

UNMARKED_FOR = timedelta(seconds=30)
"""After this a channel of ours without a mark has been given up by whoever made it; a delivery takes nine seconds."""

SCOPES = frozenset(
    {
        "channels:history",
        "channels:join",
        "channels:manage",
        "channels:read",
        "chat:write",
        "groups:history",
        "groups:read",
        "groups:write",
        "pins:write",
    }
)

_MARK = re.compile(r"\(tocsin (\S+?)(?: card ([0-9.]+))?\)")


class SlackChat:
    """One app in one workspace.

    `invite`: user ids of who is asked into every channel of an incident that is not private. `people` has the user id of each of our
    names: whoever is in an incident is asked into its channel, those who come later with the next message.
    """

    def __init__(
        self,
        url: str,
        *,
        token: SecretStr,
        rooms: Rooms,
        invite: Iterable[str] = (),
        people: Mapping[str, str] | None = None,
        pressed: bool = False,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self.api = SlackApi(url, token=token, transport=transport)
        self._rooms = rooms
        self._invite = tuple(invite)
        self._people = dict(people or {})
        self._asked_in: set[tuple[str, str]] = set()
        self._pressed = pressed
        self._one_at_a_time = OneAtATime()
        self._account: str | None = None
        self._channels: dict[str, str] = {}
        self._cards: dict[str, str | None] = {}
        self._unmarked: set[tuple[str, str]] = set()

    async def open_channel(self, delivery: Delivery) -> Receipt:
        ask = asked(delivery, OpenChannel)
        async with self._one_at_a_time.of(f"name {ask.name}"), self.api.http.one_ask():
            for nth in range(1, NAMES):
                name = channel_name(ask.name, nth)
                made = await self._create(delivery, ask, name)
                channel = made or await self._taken_by_us(delivery, name)
                if channel is not None:
                    detail = await self._furnish(delivery, ask, channel)
                    self._unmarked.discard((delivery.key, name))
                    self._channels[name] = channel["id"]
                    return Receipt(reference=channel["id"], channel=name, repeated=made is None, detail=detail)
        raise Rejected(f"Slack: {ask.name} and its {NAMES - 2} next names are taken")

    async def post(self, delivery: Delivery) -> Receipt:
        ask = asked(delivery, Post)
        name = self._rooms.of(ask)
        async with self._one_at_a_time.of(delivery.key), self.api.http.one_ask():
            channel = await self._channel(name)
            try:
                first, *rest = pieces(self._rooms.message(delivery, ask.text, MESSAGE_LIMIT))
                told = await self._told(channel, delivery)
                ts = told or await self._say(channel, delivery, delivery.key, first, offered=buttons(delivery.incident, ask.text))
                await self._thread(channel, ts, delivery, rest)
            except NotFound as error:
                # Archived, or gone: it may be another one next time.
                self._channels.pop(name, None)
                raise NotFound(f"{error} ({name})") from error
            detail: dict[str, Any] = {}
            if ask.channel and ask.room == "incident":
                if told is None:
                    detail = await self._card_says(channel, delivery, first)
                # Also where the message is out already: what broke off may have been the asking.
                detail |= await self._ask_in(channel, self._ids(ask.people))
            return Receipt(reference=f"{channel}/{ts}", channel=name, repeated=told is not None, detail=detail)

    async def _create(self, delivery: Delivery, ask: OpenChannel, name: str) -> Mapping[str, Any] | None:
        """A new channel by this name; None where the name is taken."""
        # Until it is marked, what is there by this name may be ours, from a try that broke off.
        doubted = (delivery.key, name) in self._unmarked
        self._unmarked.add((delivery.key, name))
        answer = await self.api.write("conversations.create", also={"name_taken"}, name=name.removeprefix("#"), is_private=ask.private)
        if not answer["ok"] and not doubted:
            self._unmarked.discard((delivery.key, name))
        found: Mapping[str, Any] | None = answer["channel"] if answer["ok"] else None
        return found

    async def _taken_by_us(self, delivery: Delivery, name: str) -> Mapping[str, Any] | None:
        """The channel by this name where this delivery has made it; None where it is somebody else's.

        Raises:
            Unavailable: one of us has made it a moment ago, and has yet to say for what.
        """
        channel = await self._find(name)
        if channel is None:
            return None
        mark = _mark(channel)
        if mark is not None:
            return channel if mark[0] == delivery.key else None
        if _purpose(channel) or channel.get("creator") != await self._whoami():
            return None
        age = datetime.now(UTC) - datetime.fromtimestamp(float(channel.get("created", 0)), UTC)
        if (delivery.key, name) not in self._unmarked and age < UNMARKED_FOR:
            raise Unavailable(f"Slack: {name} was made a moment ago and is not marked yet", retry_after=UNMARKED_FOR)
        return channel

    async def _furnish(self, delivery: Delivery, ask: OpenChannel, channel: Mapping[str, Any]) -> dict[str, Any]:
        """Mark it, and give it topic, card and people; what a former attempt has done already is left alone.

        Somebody who can't be asked in does not keep the others out of their channel: that is told on the receipt.
        """
        id = channel["id"]
        mark = _mark(channel)
        if mark is None:
            await self.api.write("conversations.setPurpose", channel=id, purpose=_purpose_of(delivery))
        topic = clipped(marked(delivery, defused(" ".join(ask.topic.split()))), TOPIC_LIMIT)
        if ((channel.get("topic") or {}).get("value") or "") != escaped(topic):
            await self.api.write("conversations.setTopic", channel=id, topic=topic)
        if mark is None or mark[1] is None:
            key = f"{delivery.key}/card"
            ts = await self._told(id, delivery, key)
            if ts is None:
                shown = card(delivery.incident, topic, pressed=self._pressed)
                ts = await self._post(id, delivery, key, topic, shown)
            await self.api.write("pins.add", also={"already_pinned", "too_many_pins"}, channel=id, timestamp=ts)
            await self.api.write("conversations.setPurpose", channel=id, purpose=_purpose_of(delivery, ts))
            self._cards[id] = ts
        return await self._ask_in(id, [*self._ids(ask.people), *(() if ask.private else self._invite)])

    def _ids(self, people: Iterable[str]) -> list[str]:
        return [self._people[name] for name in people if name in self._people]

    async def _ask_in(self, channel: str, ids: Iterable[str]) -> dict[str, Any]:
        """Ask those in who are not asked yet; who can't be is told on the receipt."""
        wanted = [id for id in dict.fromkeys(ids) if (channel, id) not in self._asked_in]
        if not wanted:
            return {}
        told = {}
        try:
            also = {"already_in_channel", "cant_invite_self"}
            await self.api.write("conversations.invite", also=also, channel=channel, users=",".join(wanted), force=True)
        except Refused as error:
            told = {"invite": str(error)}
        # Only an answer counts: whoever was asked in vain, because nothing came back, is asked again.
        self._asked_in.update((channel, id) for id in wanted)
        return told

    async def _say(self, channel: str, delivery: Delivery, key: str, text: str, *, offered: list[Block]) -> str:
        return await self._post(channel, delivery, key, text, [*blocks(text), *(offered if self._pressed else [])])

    async def _post(self, channel: str, delivery: Delivery, key: str, text: str, shown: list[Block], *, thread: str | None = None) -> str:
        more = {"thread_ts": thread} if thread else {}
        answer = await self.api.write(
            "chat.postMessage",
            channel=channel,
            text=escaped(text),
            blocks=shown,
            metadata={"event_type": METADATA, "event_payload": {"key": key, "incident": delivery.incident}},
            unfurl_links=False,
            unfurl_media=False,
            **more,
        )
        return str(answer["ts"])

    async def _thread(self, channel: str, ts: str, delivery: Delivery, rest: list[str]) -> None:
        """What the message does not hold, under it; pieces that are there already are not said again."""
        if not rest:
            return
        answer = await self.api.read("conversations.replies", channel=channel, ts=ts, include_all_metadata="true", limit=PAGE)
        there = {_key(message) for message in answer["messages"]}
        for number, piece in enumerate(rest, start=2):
            key = f"{delivery.key}/{number}"
            if key not in there:
                await self._post(channel, delivery, key, piece, blocks(piece, head=False), thread=ts)

    async def _card_says(self, channel: str, delivery: Delivery, text: str) -> dict[str, Any]:
        """Let the pinned card say what was said last. The message is out: a card that can't be edited is told on its receipt."""
        try:
            if channel not in self._cards:
                mark = _mark((await self.api.read("conversations.info", channel=channel))["channel"])
                self._cards[channel] = mark[1] if mark is not None else None
            ts = self._cards[channel]
            if ts is not None:
                shown = card(delivery.incident, text, pressed=self._pressed)
                await self.api.write("chat.update", channel=channel, ts=ts, text=escaped(text.partition("\n")[0]), blocks=shown)
        except IntegrationError as error:
            return {"card": str(error)}
        return {}

    async def _told(self, channel: str, delivery: Delivery, key: str | None = None) -> str | None:
        """The time stamp under which we have told this key already."""
        wanted = key or delivery.key
        oldest = f"{(delivery.at - SKEW).timestamp():.6f}"
        cursor: dict[str, str] = {}
        for _ in range(PAGES):
            answer = await self.api.read(
                "conversations.history", channel=channel, oldest=oldest, include_all_metadata="true", limit=PAGE, **cursor
            )
            for message in answer["messages"]:
                if _key(message) == wanted:
                    return str(message["ts"])
            following = _cursor(answer)
            if not following:
                return None
            cursor = {"cursor": following}
        return None

    async def _channel(self, name: str) -> str:
        """The channel by this name, with us in it.

        Raises:
            NotFound: there is none, or it is archived.
        """
        if name not in self._channels:
            found = await self._find(name)
            if found is None:
                raise NotFound(f"Slack shows us no channel {name}: make it, or invite the app into it")
            if found.get("is_archived"):
                raise NotFound(f"Slack: {name} is archived; nothing can be posted there")
            if not found.get("is_member"):
                await self.api.write("conversations.join", channel=found["id"])
            self._channels[name] = found["id"]
        return self._channels[name]

    async def _find(self, name: str) -> Mapping[str, Any] | None:
        """The channel that has, or before somebody renamed it had, this name; the one that has it first."""
        wanted = name.removeprefix("#")
        former: Mapping[str, Any] | None = None
        async for channel in self._listed():
            if channel.get("name") == wanted:
                return channel
            if wanted in (channel.get("previous_names") or ()):
                former = channel
        return former

    async def _listed(self) -> AsyncIterator[Mapping[str, Any]]:
        cursor: dict[str, str] = {}
        for _ in range(CHANNEL_PAGES):
            answer = await self.api.read("conversations.list", types="public_channel,private_channel", limit=CHANNEL_PAGE, **cursor)
            for channel in answer["channels"]:
                yield channel
            following = _cursor(answer)
            if not following:
                return
            cursor = {"cursor": following}

    async def _whoami(self) -> str:
        if self._account is None:
            self._account = str((await self.api.write("auth.test"))["user_id"])
        return self._account

    @property
    def vendor(self) -> str:
        return "Slack"

    async def read_channel(self, reference: str, name: str) -> ChannelSeen:
        """As it is now, by its id, which a new name does not change; its card by the mark in the purpose."""
        async with self.api.http.one_ask():
            answer = await self.api.read("conversations.info", also={"channel_not_found"}, channel=reference)
            if not answer["ok"]:
                return ChannelSeen(state="gone")
            channel: Mapping[str, Any] = answer["channel"]
            shown = f"#{channel.get('name', '')}"
            if channel.get("is_archived"):
                return ChannelSeen(state="archived", name=shown)
            mark = _mark(channel)
            card: Literal["there", "gone"] | None = None
            if mark is not None and mark[1] is not None:
                card = "there" if await self._is_there(reference, mark[1]) else "gone"
            topic = unescape(str((channel.get("topic") or {}).get("value") or ""))
            return ChannelSeen(state="open", name=shown, topic=topic, card=card)

    async def _is_there(self, channel: str, ts: str) -> bool:
        answer = await self.api.read("conversations.history", channel=channel, oldest=ts, latest=ts, inclusive="true", limit=1)
        return any(message.get("ts") == ts for message in answer["messages"])

    async def check(self) -> Checked:
        name = "chat: Slack"
        try:
            async with self.api.http.one_ask():
                account, granted = await self.api.scopes()
                lacking = sorted(SCOPES - granted) if granted is not None else []
                if lacking:
                    fix = f"Add {', '.join(lacking)} to the app's bot token scopes and install it again."
                    return Checked(name=name, ok=False, detail=f"the app lacks {', '.join(lacking)}", fix=fix)
                names = {channel.get("name") async for channel in self._listed() if not channel.get("is_archived")}
        except IntegrationError as error:
            refused = "Check TOCSIN_SLACK_TOKEN (the bot token, xoxb-…), and the app's scopes."
            fix = remedy(error, "Slack", "TOCSIN_SLACK_URL", refused)
            return Checked(name=name, ok=False, detail=str(error), fix=fix)
        missing = [room for room in (self._rooms.general, self._rooms.stakeholders) if room.removeprefix("#") not in names]
        if missing:
            fix = f"Make {' and '.join(missing)} in Slack and invite the app, or name other channels in the policy."
            return Checked(name=name, ok=False, detail=f"there is no channel {', '.join(missing)}", fix=fix)
        return Checked(name=name, ok=True, detail=f"{account.get('user', 'the app')} can post in {account.get('team', 'the workspace')}")

    async def close(self) -> None:
        """Let go of the connections."""
        await self.api.http.close()


def _purpose_of(delivery: Delivery, card: str | None = None) -> str:
    return f"{delivery.incident}. Made by Tocsin, which finds it again by this: (tocsin {delivery.key}{f' card {card}' if card else ''})"


def _purpose(channel: Mapping[str, Any]) -> str:
    return str((channel.get("purpose") or {}).get("value") or "")


def _mark(channel: Mapping[str, Any]) -> tuple[str, str | None] | None:
    """The key that opened a channel of ours, and its card."""
    found = _MARK.search(_purpose(channel))
    return (found[1], found[2]) if found else None


def _key(message: Mapping[str, Any]) -> str | None:
    metadata = message.get("metadata") or {}
    payload = metadata.get("event_payload") if metadata.get("event_type") == METADATA else None
    return str(payload.get("key")) if isinstance(payload, Mapping) else None


def _cursor(answer: Mapping[str, Any]) -> str:
    return str((answer.get("response_metadata") or {}).get("next_cursor") or "")
