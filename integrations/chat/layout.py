"""What the chats outside have in common: where a message goes, how long it may be, and which line of it counts.

The core's messages begin with the line that a lock screen shows: how bad, what, what is asked. Each adapter lays it out in its
vendor's way. Text that is too long is shortened, and the last line leads to the whole of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from incident.effects import Delivery, Post
from integrations.deliveries import clipped, defused, marked

SKEW = timedelta(minutes=5)
"""How far a vendor's clock may be off ours where we look for what we have posted since a moment."""

OPEN_ITEM, ITEM = "- [ ] ", "- "


@dataclass(frozen=True)
class Rooms:
    """The two rooms beside the incidents' own, with their `#`. `link` is our own address, for what is too long for a chat."""

    general: str
    stakeholders: str
    link: str | None = None

    def of(self, ask: Post) -> str:
        match ask.room:
            case "stakeholders":
                return self.stakeholders
            case "incident":
                return ask.channel or self.general
            case "general":
                return self.general

    def message(self, delivery: Delivery, text: str, limit: int) -> str:
        """The text as it is posted: marked where it is a drill's, its mentions broken, within the vendor's limit."""
        whole = marked(delivery, defused(text))
        if len(whole) <= limit:
            return whole
        tail = (
            f"\nAll of it: {self.link}/incidents/{delivery.incident}" if self.link else f"\nAll of it: tocsin timeline {delivery.incident}"
        )
        return clipped(whole, limit - len(tail)) + tail


def headline(text: str) -> tuple[str, str]:
    """The line that counts, and the rest."""
    first, _, rest = text.partition("\n")
    return first, rest.strip("\n")
