"""Planned work from the rules file and from iCalendar feeds.

An event of a feed covers the services that its CATEGORIES name; without any, those that the rules file names for the
feed; without those, all. A cancelled event covers nothing, and so does one that leaves the time free (TRANSPARENT).
A feed that can't be reached is read from the last copy for a day; after that, or without one, nobody can say.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import httpx2
import icalendar
import recurring_ical_events

from incident.routing import Calendar, Planned, PlannedWork, Routes, Window, latest
from integrations.errors import Unavailable
from integrations.monitoring.routes_file import RoutesFile

FRESH = timedelta(minutes=1)
"""A feed is not asked more often: an alert storm asks once."""

STALE = timedelta(days=1)
"""A copy as old as this is no answer any more."""

WITHIN = timedelta(seconds=5)
FEED_LIMIT = 5_000_000
"""Bytes of one feed."""

MOST_WINDOWS = 1_000


def _now() -> datetime:
    # A copy's age is a fact about this process; which moment is asked about comes with the question.
    return datetime.now(UTC)


@dataclass
class _Copy:
    """A feed as it was last read, and when; `etag` lets the server say that nothing has changed."""

    text: bytes
    at: datetime
    etag: str = ""
    checked_at: datetime | None = None


class PlannedWorkBook:
    """All planned work that the rules in force know of. Asking changes nothing, so a repeat is simply looked up again."""

    def __init__(self, rules: RoutesFile, *, transport: Any = None, clock: Callable[[], datetime] = _now) -> None:
        self._rules = rules
        self._transport = transport
        self._clock = clock
        self._copies: dict[str, _Copy] = {}
        self._reading = asyncio.Lock()

    async def planned(self, asked: PlannedWork) -> Planned:
        """The window over this service that ends last.

        Raises:
            Unavailable: none is known, and a feed that might know one can't be read.
        """
        rules: Routes = self._rules.in_force()
        windows = list(rules.windows)
        problem: Unavailable | None = None
        for calendar in rules.calendars:
            try:
                windows += await self._windows(calendar, asked.at)
            except Unavailable as error:
                problem = error
        found = latest(windows, asked.service, asked.environment, asked.at)
        if found is None and problem is not None:
            raise problem
        return Planned(window=found)

    async def _windows(self, calendar: Calendar, at: datetime) -> list[Window]:
        async with self._reading:
            text = await (self._fetched(calendar) if calendar.url else asyncio.to_thread(self._from_file, calendar))
        return await asyncio.to_thread(windows_at, text, calendar, at)

    def _from_file(self, calendar: Calendar) -> bytes:
        path = Path(calendar.file or "")
        beside = self._rules.path.parent if self._rules.path is not None else Path()
        try:
            return (beside / path).read_bytes()
        except OSError as error:
            raise Unavailable(f"the calendar {calendar.name} can't be read: {error}") from error

    async def _fetched(self, calendar: Calendar) -> bytes:
        now = self._clock()
        copy = self._copies.get(calendar.name)
        if copy is not None and now - (copy.checked_at or copy.at) < FRESH:
            return copy.text
        try:
            self._copies[calendar.name] = await self._asked(calendar, copy, now)
        except Unavailable:
            if copy is None or now - copy.at > STALE:
                raise
            copy.checked_at = now
        return self._copies[calendar.name].text

    async def _asked(self, calendar: Calendar, copy: _Copy | None, now: datetime) -> _Copy:
        url = (calendar.url or "").replace("webcal://", "https://", 1)
        headers = {"If-None-Match": copy.etag} if copy is not None and copy.etag else {}
        try:
            async with (
                asyncio.timeout(WITHIN.total_seconds()),
                httpx2.AsyncClient(transport=self._transport, follow_redirects=True, timeout=WITHIN.total_seconds()) as client,
                client.stream("GET", url, headers=headers) as answer,
            ):
                if answer.status_code == 304 and copy is not None:
                    return _Copy(copy.text, now, copy.etag)
                if answer.status_code != 200:
                    raise Unavailable(f"the calendar {calendar.name} answers {answer.status_code}")
                text = b""
                async for part in answer.aiter_bytes():
                    text += part
                    if len(text) > FEED_LIMIT:
                        raise Unavailable(f"the calendar {calendar.name} is larger than {FEED_LIMIT:,} bytes")
                return _Copy(text, now, answer.headers.get("etag", ""))
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError) as error:
            # Not the error's own text: it may hold the address, and the address may hold a secret.
            raise Unavailable(f"the calendar {calendar.name} can't be reached ({type(error).__name__})") from error


def windows_at(text: bytes, calendar: Calendar, at: datetime) -> list[Window]:
    """The windows of a feed that cover a moment.

    Raises:
        Unavailable: it is no iCalendar.
    """
    try:
        feeds = icalendar.Calendar.from_ical(text, multiple=True)
        events = [event for feed in feeds for event in recurring_ical_events.of(feed, skip_bad_series=True).between(at, at)]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError) as error:
        raise Unavailable(f"the calendar {calendar.name} is no iCalendar: {error}") from error
    if not feeds:
        raise Unavailable(f"the calendar {calendar.name} is no iCalendar: it holds no calendar")
    found = [_window(event, calendar) for event in events[:MOST_WINDOWS] if _counts(event)]
    return [window for window in found if window is not None and window.since <= at < window.until]


def _counts(event: Any) -> bool:
    return str(event.get("STATUS", "")).upper() != "CANCELLED" and str(event.get("TRANSP", "")).upper() != "TRANSPARENT"


def _window(event: Any, calendar: Calendar) -> Window | None:
    try:
        since, until = _moment(event.start), _moment(event.end)
    except (ValueError, AttributeError, TypeError):
        return None  # without a beginning and an end it covers no time
    named = _categories(event)
    name = " ".join(str(event.get("SUMMARY", "")).split())[:100] or calendar.name
    return Window(name=name, since=since, until=until, services=named or calendar.services, environments=calendar.environments)


def _moment(value: date | datetime) -> datetime:
    """A whole day, and a time without a zone, are meant in UTC."""
    moment = value if isinstance(value, datetime) else datetime.combine(value, time())
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def _categories(event: Any) -> tuple[str, ...]:
    said = event.get("CATEGORIES")
    lists = said if isinstance(said, list) else [said] if said is not None else []
    return tuple(str(category).strip() for each in lists for category in getattr(each, "cats", [each]) if str(category).strip())
