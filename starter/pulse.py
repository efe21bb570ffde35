"""Whether anybody works: the sign of life that pages look at."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from starter.health import Health

PULSE_KEPT = timedelta(seconds=5)
PULSE_WITHIN = timedelta(milliseconds=700)
"""How long a page waits for a worker's sign of life; one that works gives it in some 20 ms, and is looked at once for all pages."""

NO_SIGN = {"detail": "no worker has answered yet", "fix": "tocsin doctor says what is missing."}


class Pulse:
    """Whether commands are carried out now, looked at every few seconds however many pages ask."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self._look: asyncio.Task[dict[str, Any]] | None = None
        self._since = -PULSE_KEPT.total_seconds()
        self._last: dict[str, Any] | None = None

    async def trouble(self) -> dict[str, Any] | None:
        """What is not well, with what mends it; None where all is well."""
        now = asyncio.get_running_loop().time()
        if self._look is not None and self._look.done():
            self._last = self._look.result()
        if self._look is None or (self._look.done() and now - self._since > PULSE_KEPT.total_seconds()):
            self._since = now
            self._look = asyncio.create_task(self._health.ready())
        done, _ = await asyncio.wait({self._look}, timeout=PULSE_WITHIN.total_seconds())
        if done:
            self._last = self._look.result()
        elif self._last is None or self._last["ok"]:
            return NO_SIGN
        return next((check for check in self._last["checks"] if not check["ok"]), None)
