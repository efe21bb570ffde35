"""Matrix, client-server API version 3: a room an incident, known by its alias.

- A room carries the key that opened it as state of its own type; a taken alias whose room has our key is a repeat, any other gets
  the next number.
- A message carries its key in its content, and is looked for among what we have said since the delivery arose. The key is the
  transaction id as well: where two attempts meet at the server, it shows one. A transaction id holds for one device, so use an
  access token of one device, and not a new sign-in a process.

`m.mentions` is always sent and always empty: a Matrix client then rings for nobody whose name happens to stand in the text.
The rooms are not encrypted: an appliance that posts alarms could not keep the keys safe.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from html import escape
from typing import Any
from urllib.parse import quote

import httpx2
from pydantic import SecretStr

from incident.checkup import Checked
from incident.effects import Delivery, OpenChannel, Post, Receipt
from integrations.chat.layout import ITEM, OPEN_ITEM, SKEW, Rooms, headline
from integrations.chat.matrix_api import MatrixApi
from integrations.chat.matrix_api import code as _code
from integrations.chat.matrix_api import said as _said
from integrations.deliveries import asked, channel_name, clipped, defused, marked
from integrations.errors import IntegrationError, NotFound, Refused, Rejected, Unauthorized
from integrations.http import Answer
from integrations.once import OneAtATime
from integrations.ports import ChannelSeen
from integrations.remedies import remedy

ROOM_TYPE = "io.tocsin.incident"
"""State of a room of ours: which key opened it."""

KEY = "io.tocsin.key"
"""The field of a message's content that holds its key."""

MESSAGE_LIMIT = 4_000
"""Characters. An event may have 65,536 bytes, and it holds the text twice, in the worst case at six bytes a character."""

TOPIC_LIMIT = 1_000
PAGE, PAGES = 100, 10
"""How far back a message is looked for: our thousand last ones in a room, and never beyond the delivery's own time."""

NAMES = 100
"""Taken names that are tried before somebody has to look."""

_BOLD = re.compile(r"\*\*(.+?)\*\*")


class MatrixChat:
    """One account of one homeserver.

    `invite`: who is asked into every room of an incident that is not private. `people` has the account of each of our names: whoever
    is in an incident is asked into its room, those who come later with the next message.
    """

    def __init__(
        self,
        url: str,
        *,
        token: SecretStr,
        rooms: Rooms,
        invite: Iterable[str] = (),
        people: Mapping[str, str] | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._api = MatrixApi(url, token=token, transport=transport)
        self.http = self._api.http
        self._rooms = rooms
        self._invite = tuple(invite)
        self._people = dict(people or {})
        self._asked_in: set[tuple[str, str]] = set()
        self._one_at_a_time = OneAtATime()
        self._account: str | None = None
        self._ids: dict[str, str] = {}

    async def open_channel(self, delivery: Delivery) -> Receipt:
        ask = asked(delivery, OpenChannel)
        async with self._one_at_a_time.of(f"name {ask.name}"), self.http.one_ask():
            for nth in range(1, NAMES):
                name = channel_name(ask.name, nth)
                room = await self._create(delivery, ask, name)
                if room is not None:
                    return Receipt(reference=room, channel=name, detail=await self._ask_in(room, ask.people, ask.private))
                found = await self._directory(name)
                if found is not None and await self._opened_by(found) == delivery.key:
                    detail = await self._ask_in(found, ask.people, ask.private)
                    return Receipt(reference=found, channel=name, repeated=True, detail=detail)
        raise Rejected(f"Matrix: {ask.name} and its {NAMES - 2} next names are taken")

    async def post(self, delivery: Delivery) -> Receipt:
        ask = asked(delivery, Post)
        name = self._rooms.of(ask)
        async with self._one_at_a_time.of(delivery.key), self.http.one_ask():
            room = await self._room(name)
            told = await self._told(room, name, delivery)
            if told is not None:
                return Receipt(reference=told, channel=name, repeated=True)
            content = message(self._rooms.message(delivery, ask.text, MESSAGE_LIMIT)) | {KEY: delivery.key}
            transaction = quote(delivery.key, safe="")
            answer = await self._call("PUT", f"/rooms/{quote(room, safe='')}/send/m.room.message/{transaction}", content)
            # Once it is said: whoever can't be asked in must not keep it from the others.
            return Receipt(reference=answer.data["event_id"], channel=name, detail=await self._ask_in(room, ask.people))

    async def _ask_in(self, room: str, people: Iterable[str], private: bool = True) -> dict[str, Any]:
        """Ask those in who are not asked yet; who can't be is told on the receipt."""
        wanted = [self._people[name] for name in people if name in self._people] + ([] if private else list(self._invite))
        trouble = []
        for account in dict.fromkeys(wanted):
            if (room, account) in self._asked_in:
                continue
            try:
                answer = await self._call("POST", f"/rooms/{quote(room, safe='')}/invite", {"user_id": account}, also={403})
                # Forbidden is also what the homeserver says of somebody who is in the room already.
                if answer.status == 403 and not await self._is_in(room, account):
                    trouble.append(f"{account}: {_said(answer)}")
            except Refused as error:
                trouble.append(f"{account}: {error}")
            self._asked_in.add((room, account))
        return {"invite": "; ".join(trouble)} if trouble else {}

    async def _is_in(self, room: str, account: str) -> bool:
        path = f"/rooms/{quote(room, safe='')}/state/m.room.member/{quote(account, safe='')}"
        answer = await self._call("GET", path, also={403, 404})
        return answer.status == 200 and answer.data.get("membership") == "join"

    async def _create(self, delivery: Delivery, ask: OpenChannel, name: str) -> str | None:
        """A new room by this name; None where the name is taken."""
        room: dict[str, Any] = {
            "name": name,
            "room_alias_name": name.removeprefix("#"),
            "topic": clipped(marked(delivery, defused(" ".join(ask.topic.split()))), TOPIC_LIMIT),
            "preset": "private_chat" if ask.private else "public_chat",
            "visibility": "private",
            "initial_state": [
                {"type": ROOM_TYPE, "state_key": "", "content": {"incident": delivery.incident, "key": delivery.key}},
            ],
        }
        answer = await self._call("POST", "/createRoom", room, also={400, 409})
        if answer.status < 400:
            self._ids[name] = answer.data["room_id"]
            return self._ids[name]
        if _code(answer) == "M_ROOM_IN_USE" or answer.status == 409:
            return None
        raise Rejected(f"Matrix did not make {name}: {_said(answer)}")

    async def _directory(self, name: str) -> str | None:
        """The room behind a name; None where there is none."""
        alias = f"{name}:{(await self._whoami()).partition(':')[2]}"
        answer = await self._call("GET", f"/directory/room/{quote(alias, safe='')}", also={404})
        return None if answer.status == 404 else str(answer.data["room_id"])

    async def _opened_by(self, room: str) -> str | None:
        """The key that opened a room; None where it is none of ours, which a room that we are not in is not."""
        answer = await self._call("GET", f"/rooms/{quote(room, safe='')}/state/{ROOM_TYPE}/", also={403, 404})
        found: str | None = answer.data.get("key") if answer.status == 200 else None
        return found

    async def _room(self, name: str) -> str:
        """The room by this name, with us in it.

        Raises:
            NotFound: there is none: deleted, or never made.
            Unauthorized: we are not in it, and not let in.
        """
        if name not in self._ids:
            found = await self._directory(name)
            if found is None:
                raise NotFound(f"Matrix has no room {name} on this homeserver: make it, or invite {await self._whoami()} into it")
            await self._call("POST", f"/join/{quote(found, safe='')}", {})
            self._ids[name] = found
        return self._ids[name]

    async def _told(self, room: str, name: str, delivery: Delivery) -> str | None:
        """The event in which we have told this key already."""
        oldest = _milliseconds(delivery.at, SKEW)
        params: dict[str, str | int] = {"dir": "b", "limit": PAGE, "filter": _filter(await self._whoami())}
        for _ in range(PAGES):
            answer = await self._call("GET", f"/rooms/{quote(room, safe='')}/messages", params=params, also={403, 404})
            if answer.status >= 400:
                # The room was deleted, or we were put out of it: look it up anew next time.
                self._ids.pop(name, None)
                raise Unauthorized(f"Matrix does not let us into {name} any more: {_said(answer)}")
            events: Sequence[Mapping[str, Any]] = answer.data.get("chunk") or []
            for event in events:
                if (event.get("content") or {}).get(KEY) == delivery.key:
                    return str(event["event_id"])
            if "end" not in answer.data or any(event.get("origin_server_ts", 0) < oldest for event in events):
                return None
            params["from"] = answer.data["end"]
        return None

    async def _whoami(self) -> str:
        if self._account is None:
            self._account = await self._api.whoami()
        return self._account

    @property
    def vendor(self) -> str:
        return "Matrix"

    async def read_channel(self, reference: str, name: str) -> ChannelSeen:
        """As it is now, by its room id; a room whose alias leads elsewhere counts as renamed: nobody finds it by its name."""
        async with self.http.one_ask():
            found = await self._call("GET", f"/rooms/{quote(reference, safe='')}/state", also={403, 404})
            if found.status != 200:
                return ChannelSeen(state="gone")
            state = {event["type"]: event["content"] for event in found.data if not event.get("state_key")}
            shown = str(state.get("m.room.name", {}).get("name", ""))
            if "m.room.tombstone" in state:
                return ChannelSeen(state="archived", name=shown)
            if await self._directory(name) != reference:
                shown = f"{shown}, to which {name} does not lead"
            return ChannelSeen(state="open", name=shown, topic=str(state.get("m.room.topic", {}).get("topic", "")))

    async def check(self) -> Checked:
        name = "chat: Matrix"
        try:
            async with self.http.one_ask():
                self._account = None
                account = await self._whoami()
                missing = [room for room in (self._rooms.general, self._rooms.stakeholders) if await self._directory(room) is None]
        except IntegrationError as error:
            refused = "Check TOCSIN_MATRIX_TOKEN, and that TOCSIN_MATRIX_URL is the homeserver that gave it."
            fix = remedy(error, "the homeserver", "TOCSIN_MATRIX_URL", refused)
            return Checked(name=name, ok=False, detail=str(error), fix=fix)
        if missing:
            fix = f"Make {' and '.join(missing)} on the homeserver and invite {account}, or name other rooms in the policy."
            return Checked(name=name, ok=False, detail=f"there is no room {', '.join(missing)}", fix=fix)
        return Checked(name=name, ok=True, detail=f"{account} can post")

    async def close(self) -> None:
        """Let go of the connections."""
        await self.http.close()

    async def _call(
        self,
        method: str,
        path: str,
        json: Any = None,
        *,
        params: Mapping[str, str | int] | None = None,
        also: Collection[int] = (),
    ) -> Answer:
        return await self._api.call(method, path, json, params=params, also=also)


def message(text: str) -> dict[str, Any]:
    """The content of a message: plain, and in HTML with the first line in bold."""
    first, rest = headline(text)
    return {
        "msgtype": "m.text",
        "body": text,
        "format": "org.matrix.custom.html",
        "formatted_body": f"<strong>{escape(first)}</strong>" + _html(rest),
        "m.mentions": {},
    }


def _html(text: str) -> str:
    """Paragraphs and lists; `**word**` in bold. Everything else is text, whatever it looks like."""
    out: list[str] = []
    for block in re.split(r"\n{2,}", text.strip()):
        lines = block.split("\n") if block else []
        plain = [line for line in lines if not line.startswith(ITEM)]
        items = [
            f"☐ {line.removeprefix(OPEN_ITEM)}" if line.startswith(OPEN_ITEM) else line.removeprefix(ITEM)
            for line in lines
            if line not in plain
        ]
        if plain:
            out.append(f"<p>{'<br>'.join(map(_inline, plain))}</p>")
        if items:
            out.append(f"<ul>{''.join(f'<li>{_inline(item)}</li>' for item in items)}</ul>")
    return "".join(out)


def _inline(line: str) -> str:
    return _BOLD.sub(r"<strong>\1</strong>", escape(line))


def _filter(account: str) -> str:
    return f'{{"senders":["{account}"],"types":["m.room.message"]}}'


def _milliseconds(at: datetime, before: timedelta) -> int:
    return int((at - before).timestamp() * 1000)
