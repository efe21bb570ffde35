"""How long vendors want to be left alone, as this process has heard it: one answer of 429 is enough for everybody.

Whoever asks a vendor says here what it was told (`told`), and looks here (`left`) before asking again. It is kept in memory: another
process hears it from the vendor itself, once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

NOTHING = timedelta(0)


class Waits:
    """The waits under way, by the vendor's name."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}

    def told(self, vendor: str, wait: timedelta | None) -> None:
        """A vendor wants to be left alone for so long. A shorter word does not end a longer one: they may speak of different things."""
        if wait is not None and wait > NOTHING:
            self._until[vendor] = max(self._until.get(vendor, 0.0), self._clock() + wait.total_seconds())

    def left(self, vendor: str) -> timedelta:
        """How long it still is; nothing where the vendor may be asked."""
        left = self._until.get(vendor, 0.0) - self._clock()
        if left <= 0:
            self._until.pop(vendor, None)
            return NOTHING
        return timedelta(seconds=left)


def until(wait: timedelta) -> datetime:
    """When a wait is over, by the clock on the wall."""
    return datetime.now(UTC) + wait


def words(vendor: str, wait: timedelta) -> str:
    return f"waits for {vendor} until {until(wait):%H:%M:%S} UTC, as it asks"
