"""Streams of events end with the sign-in of who reads them: a page that stays open all night is asked again and again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from starlette.datastructures import Headers
from starlette.types import Message, Send

ASKED_EVERY = timedelta(minutes=1)
"""How long somebody goes on hearing after signing out, or after a token was revoked."""


class SignInEnded(OSError):
    """The reader may not read any more. To what writes the stream it is as if the connection were gone."""


class StreamWatch:
    """Passes an answer on; where it is a stream of events, only as long as `still` says so. `ended` is whether it was cut."""

    def __init__(self, send: Send, still: Callable[[], Awaitable[bool]], now: Callable[[], datetime]) -> None:
        self.ended = False
        self._send = send
        self._still = still
        self._now = now
        self._streaming = False
        self._asked_at = now()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._streaming = Headers(raw=message["headers"]).get("content-type", "").startswith("text/event-stream")
        elif self._streaming and self._now() - self._asked_at >= ASKED_EVERY:
            self._asked_at = self._now()
            if not await self._still():
                self.ended = True
                await self._send({"type": "http.response.body", "body": b"", "more_body": False})
                raise SignInEnded("the sign-in has ended")
        await self._send(message)
