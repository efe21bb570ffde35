"""What people say to our account on Matrix, and how one of them alone is answered.

`/sync` is asked again and again from the token that the last answer gave; the homeserver holds the question open until there is
something. What it leaves out because there was too much is fetched page by page, so nothing between two tokens is missed. A token
is only a place in the homeserver's own stream: asking again from an old one gives the same events, under the same ids.

Matrix has no message that one person in a room alone can see. Somebody is answered in a *direct room*, made by us, where only they
and we are; which it is stands in our account's data, as every Matrix client keeps it. An answer carries a transaction id made of
the event that it answers, so that answering twice shows once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx2
from pydantic import SecretStr

from integrations.chat.matrix import KEY, message
from integrations.chat.matrix_api import MatrixApi, said
from integrations.deliveries import clipped
from integrations.errors import Refused, Rejected

HOLD = timedelta(seconds=5)
"""How long the homeserver may keep a question open: below the limit of any other call."""

HEARD_LIMIT = 50
"""Events of one room in one answer; more are fetched."""

PAGE, PAGES = 100, 20
"""How many left-out events of one room are fetched at the most."""

ANSWER_LIMIT = 4_000

TEXTS = frozenset({"m.text"})
"""Not `m.notice`: that is what machines say."""


@dataclass(frozen=True)
class Said:
    """A message, or with `about` a reaction to that event, whose `text` is the emoji."""

    room: str
    event: str
    sender: str
    at: datetime
    text: str
    about: str | None = None


@dataclass(frozen=True)
class Invited:
    """Somebody asks us into a room. `direct`: to speak to us alone. We can't read what is said in one that is encrypted."""

    room: str
    by: str
    direct: bool
    encrypted: bool


@dataclass(frozen=True)
class Heard:
    """What has happened since, room by room in its order, and from where to ask next."""

    next: str
    said: Mapping[str, Sequence[Said]]
    invited: tuple[Invited, ...] = ()


class PositionLost(Rejected):
    """The homeserver does not know the token any more."""


class MatrixInbound:
    """One account's ear and mouth. `since_at_most`: what is older is not fetched where an answer was cut short."""

    def __init__(self, url: str, *, token: SecretStr, since_at_most: timedelta, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        self._api = MatrixApi(url, token=token, transport=transport)
        self._since_at_most = since_at_most
        self._account: str | None = None
        self._direct: dict[str, str] = {}

    async def whoami(self) -> str:
        if self._account is None:
            async with self._api.http.one_ask():
                self._account = await self._api.whoami()
        return self._account

    async def listen(self, since: str | None, now: datetime) -> Heard:
        """Wait a moment for what is said. Without `since` nothing is heard yet: it says from where to listen.

        Raises:
            PositionLost: `since` leads nowhere; begin anew.
        """
        me = await self.whoami()
        params: dict[str, str | int] = {"filter": _filter(me, 0 if since is None else HEARD_LIMIT), "set_presence": "offline"}
        if since is not None:
            params |= {"since": since, "timeout": int(HOLD.total_seconds() * 1000)}
        async with self._api.http.one_ask():
            answer = await self._api.call("GET", "/sync", params=params, also={400})
        if answer.status == 400:
            raise PositionLost(f"Matrix does not know where we were: {said(answer)}")
        next_token, rooms = str(answer.data["next_batch"]), answer.data.get("rooms") or {}
        if since is None:
            return Heard(next_token, {})
        heard: dict[str, Sequence[Said]] = {}
        for room, joined in (rooms.get("join") or {}).items():
            timeline = joined.get("timeline") or {}
            events = list(timeline.get("events") or ())
            if timeline.get("limited") and timeline.get("prev_batch"):
                events = [*await self._left_out(room, timeline["prev_batch"], since, now), *events]
            found = {each.event: each for each in (_said(room, event) for event in events) if each is not None and each.sender != me}
            if found:
                heard[room] = tuple(found.values())
        invited = (_invited(room, asked, me) for room, asked in (rooms.get("invite") or {}).items())
        return Heard(next_token, heard, tuple(each for each in invited if each is not None))

    async def _left_out(self, room: str, before: str, since: str, now: datetime) -> list[Mapping[str, Any]]:
        """What a cut answer leaves out, oldest first."""
        oldest = (now - self._since_at_most).timestamp() * 1000
        params: dict[str, str | int] = {"dir": "b", "from": before, "to": since, "limit": PAGE, "filter": _events(await self.whoami())}
        found: list[Mapping[str, Any]] = []
        for _ in range(PAGES):
            async with self._api.http.one_ask():
                answer = await self._api.call("GET", f"/rooms/{quote(room, safe='')}/messages", params=params, also={403, 404})
            chunk: Sequence[Mapping[str, Any]] = answer.data.get("chunk") or () if answer.status == 200 else ()
            found += chunk
            if not chunk or "end" not in answer.data or chunk[-1].get("origin_server_ts", 0) < oldest:
                break
            params["from"] = answer.data["end"]
        return found[::-1]

    async def names(self, room: str) -> tuple[str, ...]:
        """The room's names on our homeserver, with their `#`. The homeserver vouches for them: a name leads to one room."""
        async with self._api.http.one_ask():
            answer = await self._api.call("GET", f"/rooms/{quote(room, safe='')}/aliases", also={403, 404})
        aliases: Iterable[str] = answer.data.get("aliases") or () if answer.status == 200 else ()
        return tuple(sorted(alias.partition(":")[0] for alias in aliases))

    async def our_words(self, room: str, event: str) -> tuple[str, str]:
        """A message of ours: its text, and the incident whose delivery it was; nothing and nothing where it is none of ours."""
        me = await self.whoami()
        async with self._api.http.one_ask():
            answer = await self._api.call("GET", f"/rooms/{quote(room, safe='')}/event/{quote(event, safe='')}", also={403, 404})
        if answer.status != 200 or answer.data.get("sender") != me:
            return "", ""
        content: Mapping[str, Any] = answer.data.get("content") or {}
        return str(content.get("body", "")), str(content.get(KEY, "")).partition(":")[0]

    async def join(self, invited: Invited) -> None:
        """Go in where we are asked."""
        async with self._api.http.one_ask():
            await self._api.call("POST", f"/join/{quote(invited.room, safe='')}", {})
            if invited.direct:
                await self._keep_direct(invited.by, invited.room)

    async def decline(self, invited: Invited) -> None:
        async with self._api.http.one_ask():
            await self._api.call("POST", f"/rooms/{quote(invited.room, safe='')}/leave", {}, also={403, 404})

    async def mark(self, room: str, event: str, emoji: str) -> None:
        """React to an event, once."""
        content = {"m.relates_to": {"rel_type": "m.annotation", "event_id": event, "key": emoji}}
        async with self._api.http.one_ask():
            await self._api.call("PUT", _sending(room, "m.reaction", f"mark.{event}"), content)

    async def tell(self, person: str, text: str, key: str, *, quiet: bool) -> None:
        """Say something to one person alone, once a key; `quiet`: without a sound."""
        content = message(clipped(text, ANSWER_LIMIT)) | ({"msgtype": "m.notice"} if quiet else {})
        try:
            await self._tell(await self._direct_room(person), content, key)
        except Refused:
            # They have left it, or it is gone, since we looked.
            self._direct.pop(person, None)
            await self._tell(await self._direct_room(person), content, key)

    async def _tell(self, room: str, content: Mapping[str, Any], key: str) -> None:
        async with self._api.http.one_ask():
            await self._api.call("PUT", _sending(room, "m.room.message", key), content)

    async def _direct_room(self, person: str) -> str:
        if person not in self._direct:
            async with self._api.http.one_ask():
                found = await self._usable(person)
                if found is None:
                    room = {"preset": "trusted_private_chat", "is_direct": True, "invite": [person], "name": "Tocsin"}
                    found = str((await self._api.call("POST", "/createRoom", room)).data["room_id"])
                    await self._keep_direct(person, found)
                self._direct[person] = found
        return self._direct[person]

    async def _usable(self, person: str) -> str | None:
        """A direct room of theirs in which they still are, or into which they are asked."""
        for room in reversed((await self._directs()).get(person) or ()):
            path = f"/rooms/{quote(str(room), safe='')}/state/m.room."
            answer = await self._api.call("GET", f"{path}member/{quote(person, safe='')}", also={403, 404})
            if answer.status == 200 and answer.data.get("membership") in ("join", "invite"):
                encryption = await self._api.call("GET", f"{path}encryption/", also={403, 404})
                if encryption.status == 404:
                    return str(room)
        return None

    async def _directs(self) -> dict[str, list[str]]:
        answer = await self._api.call("GET", await self._direct_data(), also={404})
        return dict(answer.data) if answer.status == 200 else {}

    async def _keep_direct(self, person: str, room: str) -> None:
        known = await self._directs()
        if room not in known.get(person, ()):
            await self._api.call("PUT", await self._direct_data(), known | {person: [*known.get(person, ()), room]})

    async def _direct_data(self) -> str:
        return f"/user/{quote(await self.whoami(), safe='')}/account_data/m.direct"

    async def close(self) -> None:
        """Let go of the connections."""
        await self._api.http.close()


def _sending(room: str, kind: str, key: str) -> str:
    return f"/rooms/{quote(room, safe='')}/send/{kind}/{quote(key, safe='')}"


def _events(me: str) -> str:
    return json.dumps({"types": ["m.room.message", "m.reaction"], "not_senders": [me]})


def _filter(me: str, limit: int) -> str:
    nothing: dict[str, Any] = {"types": []}
    room = {
        "timeline": {"types": ["m.room.message", "m.reaction"], "not_senders": [me], "limit": limit},
        "state": nothing,
        "ephemeral": nothing,
        "account_data": nothing,
    }
    return json.dumps({"room": room, "presence": nothing, "account_data": nothing})


def _said(room: str, event: Mapping[str, Any]) -> Said | None:
    """A message or a reaction; None for all else, and for a message that was edited or deleted: it was read as it was first."""
    try:
        content = event["content"]
        relation = content.get("m.relates_to") or {}
        at = datetime.fromtimestamp(event["origin_server_ts"] / 1000, UTC)
        id, sender = str(event["event_id"]), str(event["sender"])
        match event["type"]:
            case "m.reaction" if relation.get("rel_type") == "m.annotation":
                return Said(room, id, sender, at, str(relation["key"]), about=str(relation["event_id"]))
            case "m.room.message" if content.get("msgtype") in TEXTS and relation.get("rel_type") != "m.replace":
                return Said(room, id, sender, at, _own_words(str(content["body"]), reply="m.in_reply_to" in relation))
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError, OSError):
        # Anybody can send an event of any shape; one that is none of these says nothing to us.
        return None
    return None


def _own_words(body: str, *, reply: bool) -> str:
    """A reply without the quotation that older clients put before it."""
    lines = body.split("\n")
    while reply and lines and lines[0].startswith("> "):
        lines.pop(0)
    return "\n".join(lines).strip()


def _invited(room: str, asked: Mapping[str, Any], me: str) -> Invited | None:
    events: Sequence[Mapping[str, Any]] = (asked.get("invite_state") or {}).get("events") or ()
    for event in events:
        if event.get("type") == "m.room.member" and event.get("state_key") == me:
            encrypted = any(each.get("type") == "m.room.encryption" for each in events)
            return Invited(room, str(event.get("sender", "")), (event.get("content") or {}).get("is_direct") is True, encrypted)
    return None
