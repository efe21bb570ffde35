"""A workspace that stands in for Slack, as its published description has the answers."""

from __future__ import annotations

import itertools
import time
from typing import Any

import httpx2

from tests.integrations.trackers import FakeVendor, answered

BOT = "U0TOCSIN"


def no(word: str, **more: Any) -> httpx2.Response:
    return answered(200, {"ok": False, "error": word, **more})


class FakeSlack(FakeVendor):
    """`refuses` holds the word with which a method answers once."""

    def __init__(self) -> None:
        super().__init__()
        self.channels: dict[str, dict[str, Any]] = {}
        self.messages: dict[str, list[dict[str, Any]]] = {}
        self.pins: list[tuple[str, str]] = []
        self.invited: list[tuple[str, str]] = []
        self.refuses: dict[str, str] = {}
        self.scopes: str | None = None
        self._numbers = itertools.count(1)
        for name in ("incidents", "incident-stakeholders"):
            self.channel(name)

    def channel(self, name: str, *, creator: str = "U0ANA", private: bool = False, purpose: str = "") -> dict[str, Any]:
        """One that is there already."""
        id = f"C{next(self._numbers):08d}"
        found = {"id": id, "name": name, "creator": creator, "created": int(time.time()), "is_private": private, "is_archived": False}
        self.channels[id] = found | {"is_member": creator == BOT, "topic": {"value": ""}, "purpose": {"value": purpose}}
        self.messages[id] = []
        return self.channels[id]

    def named(self, name: str) -> dict[str, Any]:
        return next(channel for channel in self.channels.values() if channel["name"] == name.removeprefix("#"))

    def said(self, name: str) -> list[dict[str, Any]]:
        return self.messages[self.named(name)["id"]]

    def revoked(self) -> httpx2.Response:
        return no("token_revoked")

    def answer(self, request: httpx2.Request, body: Any) -> httpx2.Response:
        method = request.url.path.rpartition("/")[2]
        if method in self.refuses:
            return no(self.refuses.pop(method))
        asked: dict[str, Any] = body if request.method == "POST" else dict(request.url.params)
        channel = self.channels.get(asked.get("channel", ""))
        if "channel" in asked and channel is None:
            return no("channel_not_found")
        match method:
            case "auth.test":
                headers = {} if self.scopes is None else {"X-OAuth-Scopes": self.scopes}
                found = {"ok": True, "user_id": BOT, "user": "tocsin", "team": "Acme", "team_id": "T1"}
                return httpx2.Response(200, json=found, headers=headers)
            case "conversations.create":
                if any(each["name"] == asked["name"] for each in self.channels.values()):
                    return no("name_taken")
                return answered(200, {"ok": True, "channel": self.channel(asked["name"], creator=BOT, private=asked["is_private"])})
            case "conversations.list":
                visible = [each for each in self.channels.values() if not each["is_private"] or each["is_member"]]
                return answered(200, {"ok": True, "channels": visible, "response_metadata": {"next_cursor": ""}})
        assert channel is not None, method
        return self._in_channel(method, channel, asked)

    def _in_channel(self, method: str, channel: dict[str, Any], asked: dict[str, Any]) -> httpx2.Response:
        id = channel["id"]
        if channel["is_archived"] and method not in ("conversations.history", "conversations.info"):
            # What a description allows differs by method: reading one's pins of an archived channel is none of it.
            return no("is_archived" if method != "pins.add" else "not_pinnable")
        match method:
            case "conversations.info":
                return answered(200, {"ok": True, "channel": channel})
            case "conversations.join":
                channel["is_member"] = True
                return answered(200, {"ok": True, "channel": channel})
            case "conversations.setPurpose" | "conversations.setTopic":
                what = method.removeprefix("conversations.set").lower()
                if len(asked[what]) > 250:
                    return no("too_long")
                channel[what] = {"value": asked[what].replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")}
                return answered(200, {"ok": True, "channel": channel})
            case "conversations.invite":
                self.invited.append((id, asked["users"]))
                return answered(200, {"ok": True, "channel": channel})
            case "conversations.history":
                oldest, latest = float(asked["oldest"]), float(asked.get("latest", "inf"))
                inclusive = asked.get("inclusive") == "true"
                when = [(float(each["ts"]), each) for each in self.messages[id] if "thread_ts" not in each]
                found = [each for ts, each in when if oldest < ts < latest or (inclusive and ts in (oldest, latest))]
                more = {"has_more": False, "channel_actions_ts": None, "channel_actions_count": 0}
                return answered(200, {"ok": True, "messages": found[::-1], **more})
            case "conversations.replies":
                return answered(
                    200, {"ok": True, "messages": [m for m in self.messages[id] if asked["ts"] in (m["ts"], m.get("thread_ts"))]}
                )
            case "chat.postMessage":
                if not channel["is_member"]:
                    return no("not_in_channel")
                ts = f"{time.time():.0f}.{next(self._numbers):06d}"
                self.messages[id].append({"type": "message", "user": BOT, "ts": ts, **asked})
                return answered(200, {"ok": True, "channel": id, "ts": ts, "message": {}})
            case "chat.update":
                message = next((each for each in self.messages[id] if each["ts"] == asked["ts"]), None)
                if message is None:
                    return no("message_not_found")
                message |= {"text": asked["text"], "blocks": asked["blocks"], "edited": True}
                return answered(200, {"ok": True, "channel": id, "ts": asked["ts"], "text": asked["text"], "message": {}})
            case "pins.add":
                if (id, asked["timestamp"]) in self.pins:
                    return no("already_pinned")
                self.pins.append((id, asked["timestamp"]))
                return answered(200, {"ok": True})
        raise AssertionError(method)
