"""An entry of the timeline as people read it, which may be long after it was written.

The record is never reworded: what it says is hashed, exported and derived again. Where a sentence holds only at the
moment at which it was written, whatever shows it to people says it in a way that stays true.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

HEARD_WITHIN = timedelta(minutes=1)
"""Monitoring gathers a group for half a minute and longer before it posts: what is heard of so soon began as it was heard."""

_DUE = {
    "overdue": re.compile(r"(?P<was>it was due) (?:now|(?P<before>[\d a-z]+?) ago)"),
    "reminder": re.compile(r"(?P<was>is due) in [\d a-z]+"),
}
"""What the process says of a clock, by the kind of its entry, with the moment of the entry in it."""

_TIMES = re.compile(r"for the (\d+)\. time")


def told(entry: Mapping[str, Any]) -> str:
    """The entry's sentence. What was told from the moment of the entry is told with the due time instead."""
    kind, text = str(entry.get("kind")), str(entry.get("text", ""))
    due = _moment((entry.get("data") or {}).get("due"))
    if kind not in _DUE or due is None:
        return text + begun(entry)
    text = _TIMES.sub(lambda found: f"for the {ordinal(int(found[1]))} time", text, count=1)
    return _DUE[kind].sub(lambda found: f"{found['was']} at {written(due, _moment(entry.get('at')))}{_before(found)}", text, count=1)


def _before(found: re.Match[str]) -> str:
    before = found.groupdict().get("before")
    return f", {before} before" if before else ""


def ordinal(number: int) -> str:
    """`2nd`, `3rd`, `11th`."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def counted(number: int, noun: str) -> str:
    """`1 alert`, `2 alerts`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def things(number: int, noun: str, *, edition: int) -> str:
    """The same in an entry of the record; before the fourth edition it was `1 alert(s)`, and histories of then say so."""
    return counted(number, noun) if edition > 3 else f"{number} {noun}(s)"


def begun(entry: Mapping[str, Any]) -> str:
    """When the alerts of an entry began, where that is not when they were heard of; nothing otherwise."""
    firing = [alert for alert in (entry.get("data") or {}).get("alerts") or () if alert.get("firing")]
    heard = _moment(entry.get("at")) if firing else None
    if heard is None:
        return ""
    first = min((began for alert in firing if (began := _moment(alert.get("starts_at"))) is not None), default=heard)
    ahead = next((said for alert in firing if (said := _moment(alert.get("said_at"))) is not None), None)
    parts = []
    if abs(heard - first) >= HEARD_WITHIN:
        parts.append(f"{'the first ' if len(firing) > 1 else ''}began at {written(first, heard)}")
    if ahead is not None:
        parts.append(_by_its_clock(ahead, heard))
    return f" ({'; '.join(parts)})" if parts else ""


def since(alert: Mapping[str, Any], now: datetime) -> str:
    """Since when an alert fires, and what its sender's clock says where nobody can have seen that yet."""
    began, ahead = _moment(alert.get("starts_at")), _moment(alert.get("said_at"))
    known = "" if began is None else f"since {written(began, now)}"
    return known if ahead is None else f"{known} ({_by_its_clock(ahead, now)})"


def _by_its_clock(said: datetime, at: datetime) -> str:
    return f"at {written(said, at)} by its sender's clock, which is ahead"


def _moment(value: object) -> datetime | None:
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return datetime.fromisoformat(value).astimezone(UTC) if isinstance(value, str) and value else None


def written(moment: datetime, at: datetime | None) -> str:
    """`02:41 UTC`, with the date where it is another day than that of `at`."""
    same_day = at is None or moment.date() == at.date()
    return f"{moment:%H:%M} UTC" if same_day else f"{moment:%Y-%m-%d %H:%M} UTC"
