"""What became of the posts of machines, counted for `/metrics`: most senders never say that they were refused, nor post it again.

Every series is there from the start, at 0: the first refusal would be no increase otherwise, and no rule would see it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse

from starter.metrics import Labels, family
from starter.problems import Invalid, NotJson, Problem, TooLarge
from starter.webhook_keys import SOURCES, NotProven, Source

FINAL: tuple[type[Problem], ...] = (NotJson, Invalid, TooLarge, NotProven)
"""Refusals that posting it again does not change; 503 is none of them, senders repeat what was answered so."""

ALERTING: tuple[Source, ...] = ("alertmanager", "grafana", "pagerduty", "generic")


class Posts:
    """Counts the alerts that Temporal holds, those of them that can't be read, and the posts that were refused whole."""

    def __init__(self) -> None:
        self.held: Counter[Labels] = Counter({_of(source): 0 for source in ALERTING})
        self.unreadable: Counter[Labels] = Counter({_of(source): 0 for source in ALERTING})
        self.refused: Counter[Labels] = Counter({_of(source, kind.kind): 0 for source in SOURCES for kind in FINAL})

    def counting(
        self, source: Source, take: Callable[[Request], Awaitable[dict[str, Any]]]
    ) -> Callable[[Request], Awaitable[JSONResponse]]:
        """Wrap what takes a source's posts, so that what becomes of them is counted here."""

        async def counted(request: Request) -> JSONResponse:
            try:
                answer = await take(request)
            except FINAL as problem:
                self.refused[_of(source, problem.kind)] += 1
                raise
            if source in ALERTING:
                self.held[_of(source)] += answer.get("accepted", 0)
                self.unreadable[_of(source)] += answer.get("invalid", 0)
            return JSONResponse(answer)

        return counted

    def exposition(self) -> list[str]:
        return [
            *family("tocsin_alerts_held_total", "counter", "Alerts of posts that Temporal holds.", self.held),
            *family("tocsin_alerts_unreadable_total", "counter", "Alerts kept aside, since they could not be read.", self.unreadable),
            *family("tocsin_posts_refused_total", "counter", "Posts refused whole, which most senders never repeat.", self.refused),
        ]


def _of(source: Source, reason: str | None = None) -> Labels:
    named = (("source", source),)
    return named if reason is None else (("reason", reason), *named)
