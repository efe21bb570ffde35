"""What was not done in time: each miss once, with how often it was asked for and what became of it.

A clock that is overdue speaks again and again until somebody has done what it wants. Each word is on record; a reader who
comes later wants to know when it was missed, how late it came, and no more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from incident.durations import lasted
from incident.telling import counted, written

Entry = Mapping[str, Any]

ENDS_WHAT_BURNS = frozenset({"resolved"})
"""Kinds after which what was owed while it burned is owed no more: nobody has posted the update, or told the executives, by that."""


@dataclass(frozen=True)
class Miss:
    """One obligation that came due and was not met: its entries by their numbers, in the order in which they were written.

    `ended` is the entry that met it, or took it away; `late` is how long after its time it was met, None where it never was.
    """

    clock: str
    what: str
    due: datetime | None
    owner: str
    first: int
    at: datetime
    again: tuple[int, ...] = ()
    ended: int | None = None
    ended_at: datetime | None = None
    late: timedelta | None = None

    @property
    def reminders(self) -> str:
        return counted(len(self.again), "reminder")

    @property
    def begun(self) -> str:
        """What stands behind its first entry, where more than that was said: how often it was asked for, and until when."""
        if not self.again:
            return ""
        until = f"until {written(self.ended_at, self.at)}" if self.ended_at is not None else "since"
        return f"; {self.reminders} {until}"

    @property
    def over(self) -> str:
        """What stands behind the entry that ended it."""
        after = f" after {self.reminders}" if self.again else ""
        if self.late is None:
            return f"{self._lower} no longer owed{after}"
        return f"{self._lower} {_late(self.late)}{after and ',' + after}"

    @property
    def sentence(self) -> str:
        """The whole of it, for whoever asks what could go better."""
        due = f"{self.due:%Y-%m-%d %H:%M} UTC" if self.due is not None else "an earlier time"
        if self.ended_at is None:
            outcome = "and is still owed"
        elif self.late is None:
            outcome = f"and was no longer owed from {self.ended_at:%H:%M} UTC on"
        else:
            outcome = f"and came {_late(self.late)}"
        reminded = f" after {self.reminders}" if self.again else ""
        return f"{self.what} was due at {due} {outcome}{reminded} ({self.owner} owed it)"

    @property
    def _lower(self) -> str:
        return f"{self.what[:1].lower()}{self.what[1:]}"


class Lateness:
    """The misses of a timeline. `Lateness(map(vars, events))` reads events, `Lateness(entries)` what the doors have."""

    def __init__(self, timeline: Iterable[Entry]) -> None:
        self.misses = misses(timeline)
        self._first = {miss.first: miss for miss in self.misses}
        self._ended: dict[int, list[Miss]] = {}
        for miss in self.misses:
            if miss.ended is not None:
                self._ended.setdefault(miss.ended, []).append(miss)
        self._again = frozenset(seq for miss in self.misses for seq in miss.again)

    def repeats(self, seq: int) -> bool:
        """Whether an entry only says again what was overdue already."""
        return seq in self._again

    def ends(self, seq: int) -> bool:
        """Whether something that was overdue was done, or let go, by this entry."""
        return seq in self._ended

    def gone_on(self, news: Collection[int]) -> tuple[int, ...]:
        """The first entries of misses of which these entries tell more; what stands beside those is another now."""
        return tuple(
            miss.first
            for miss in self.misses
            if miss.again and miss.first not in news and any(seq in news for seq in (*miss.again, miss.ended))
        )

    def beside(self, seq: int) -> str:
        """What belongs behind an entry's sentence: how a miss that begins with it went on, and what it ended."""
        begun = self._first[seq].begun if seq in self._first else ""
        over = "; ".join(miss.over for miss in self._ended.get(seq, ()))
        return f"{begun} ({over})" if over else begun


def misses(timeline: Iterable[Entry]) -> tuple[Miss, ...]:
    """Every miss in the order in which it began."""
    found: list[Miss] = []
    latest: dict[str, int] = {}
    for entry in timeline:
        data = entry.get("data") or {}
        if entry["kind"] == "overdue":
            clock = str(data.get("clock") or entry["text"])
            at = latest.get(clock)
            if at is None or not _goes_on(found[at], data):
                latest[clock] = len(found)
                found.append(_begun(clock, entry, data))
            else:
                found[at] = replace(found[at], again=(*found[at].again, entry["seq"]), ended=None, ended_at=None, late=None)
        moved = data.get("clocks") or {}
        for name, late in (moved.get("satisfied") or {}).items():
            _end(found, latest, name, entry, None if entry["kind"] in ENDS_WHAT_BURNS else timedelta(seconds=late))
        for name in moved.get("superseded") or {}:
            _end(found, latest, name, entry, None)
    return tuple(found)


def _goes_on(miss: Miss, data: Mapping[str, Any]) -> bool:
    """Whether an overdue clock speaks again; it counts for itself how often it has. A due time that moved ends nothing."""
    times = data.get("times")
    return times > 1 if isinstance(times, int) else miss.ended is None


def _begun(clock: str, entry: Entry, data: Mapping[str, Any]) -> Miss:
    what = str(entry["text"]).partition(" is overdue")[0]
    return Miss(clock, what, _moment(data.get("due")), str(data.get("owner") or "somebody"), entry["seq"], _at(entry))


def _end(found: list[Miss], latest: Mapping[str, int], name: str, entry: Entry, late: timedelta | None) -> None:
    at = latest.get(name)
    if at is not None and found[at].ended is None:
        found[at] = replace(found[at], ended=entry["seq"], ended_at=_at(entry), late=late)


def _late(by: timedelta) -> str:
    return f"{lasted(by)} late" if by >= timedelta(seconds=1) else "at the last moment"


def _at(entry: Entry) -> datetime:
    at = _moment(entry["at"])
    assert at is not None, "every entry has its moment"
    return at


def _moment(value: object) -> datetime | None:
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return datetime.fromisoformat(value).astimezone(UTC) if isinstance(value, str) and value else None
