"""An entry of the timeline as people read it, which may be long after it was written.

The record is never reworded: what it says is hashed, exported and derived again. Where a sentence holds only at the
moment at which it was written, the doors that show it to people say it in a way that stays true.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

JUST_NOW = "it was due now"

HEARD_WITHIN = timedelta(minutes=1)
"""Monitoring gathers a group for half a minute and longer before it posts: what is heard of so soon began as it was heard."""


def told(entry: Mapping[str, Any]) -> str:
    """The entry's sentence. `now` was the time of the entry, and is none any more: its due time stands there instead."""
    text, due = str(entry.get("text", "")) + begun(entry), entry.get("data", {}).get("due")
    if entry.get("kind") != "overdue" or not due or JUST_NOW not in text:
        return text
    at = datetime.fromisoformat(due).astimezone(UTC)
    return text.replace(JUST_NOW, f"it was due at {at:%H:%M} UTC", 1)


def begun(entry: Mapping[str, Any]) -> str:
    """When the alerts of an entry began, where that is not when they were heard of; nothing otherwise."""
    firing = [alert for alert in entry.get("data", {}).get("alerts") or () if alert.get("firing")]
    heard = _moment(entry.get("at")) if firing else None
    if heard is None:
        return ""
    first = min((began for alert in firing if (began := _moment(alert.get("starts_at"))) is not None), default=heard)
    ahead = next((said for alert in firing if (said := _moment(alert.get("said_at"))) is not None), None)
    parts = []
    if abs(heard - first) >= HEARD_WITHIN:
        parts.append(f"{'the first ' if len(firing) > 1 else ''}began at {_written(first, heard)}")
    if ahead is not None:
        parts.append(_by_its_clock(ahead, heard))
    return f" ({'; '.join(parts)})" if parts else ""


def since(alert: Mapping[str, Any], now: datetime) -> str:
    """Since when an alert fires, and what its sender's clock says where nobody can have seen that yet."""
    began, ahead = _moment(alert.get("starts_at")), _moment(alert.get("said_at"))
    known = "" if began is None else f"since {_written(began, now)}"
    return known if ahead is None else f"{known} ({_by_its_clock(ahead, now)})"


def _by_its_clock(said: datetime, at: datetime) -> str:
    return f"at {_written(said, at)} by its sender's clock, which is ahead"


def _moment(value: object) -> datetime | None:
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return datetime.fromisoformat(value).astimezone(UTC) if isinstance(value, str) and value else None


def _written(moment: datetime, at: datetime) -> str:
    """`02:41 UTC`, with the date where it is another day than that of `at`."""
    return f"{moment:%H:%M} UTC" if moment.date() == at.date() else f"{moment:%Y-%m-%d %H:%M} UTC"
