"""An entry of the timeline as people read it, which may be long after it was written.

The record is never reworded: what it says is hashed, exported and derived again. Where a sentence holds only at the
moment at which it was written, the doors that show it to people say it in a way that stays true.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

JUST_NOW = "it was due now"


def told(entry: Mapping[str, Any]) -> str:
    """The entry's sentence. `now` was the time of the entry, and is none any more: its due time stands there instead."""
    text, due = str(entry.get("text", "")), entry.get("data", {}).get("due")
    if entry.get("kind") != "overdue" or not due or JUST_NOW not in text:
        return text
    at = datetime.fromisoformat(due).astimezone(UTC)
    return text.replace(JUST_NOW, f"it was due at {at:%H:%M} UTC", 1)
