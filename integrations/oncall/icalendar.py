"""Who is on call, from iCalendar feeds: what PagerDuty, Grafana, GoAlert and every calendar program export.

A role has a feed, a file or an address. Who is named by the event that is on at a moment holds the role then: its attendee, by
address (the rota's `[people]` turn that into a name), else what its summary says. Where several are on, the one that began last has
it, as an override does. Roles without a feed are the rota file's.

Feeds are read again after a minute at the earliest. One that can't be read leaves the last good one in force, also after a restart;
the doctor says since when. Where nobody is on, that is the answer: the process knows what to do then.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import httpx2
import icalendar
import recurring_ical_events
from pydantic import SecretStr

from incident.checkup import Checked
from incident.effects import Delivery, FindOnCall, Receipt
from integrations.deliveries import asked
from integrations.errors import IntegrationError, Rejected, Unavailable
from integrations.http import Http, address_secrets
from integrations.oncall.people import Directory, folded
from integrations.ports import OnCall

REFRESH_EVERY = timedelta(minutes=1)
"""A change of the schedule is in force after this at the latest; vendors ask not to be asked more often."""

FETCH_WITHIN = timedelta(seconds=4)
READ_WITHIN = timedelta(seconds=5)
"""For one look into a calendar: far more than the largest needs, less than the caller waits."""

AROUND = timedelta(hours=26)
"""Events without a zone are looked for this far around a moment; zones lie 26 hours apart at the most."""

NAME_LIMIT = 200

_SUMMARY = re.compile(r"(?:on[ -]?call\s*[-:–]\s*)?(?:\[[^\]]*\]\s*)?(.*?)(?:\s+[-–]\s.*)?", re.IGNORECASE | re.DOTALL)


class FeedUnusable(Unavailable):
    """A feed can't be read, and there never was a good one."""


@dataclass
class _Feed:
    """One role's feed. `good` is the calendar in force; `problem` what is wrong since `since` with what was read last."""

    role: str
    where: SecretStr
    good: icalendar.Calendar | None = None
    read_at: datetime | None = None
    etag: str | None = None
    problem: str | None = None
    since: datetime | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


def _now() -> datetime:
    return datetime.now(UTC)


class ICalendarRota:
    """`feeds` has each role's address or path, `folder` keeps the last good ones, `otherwise` knows the other roles."""

    def __init__(
        self,
        feeds: Mapping[str, SecretStr],
        otherwise: OnCall,
        people: Directory,
        *,
        folder: Path,
        transport: httpx2.AsyncBaseTransport | None = None,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self._feeds = {folded(role): _Feed(role, where) for role, where in feeds.items()}
        self._otherwise = otherwise
        self._people = people
        self._folder = folder
        self._transport = transport
        self._clock = clock

    async def find_on_call(self, delivery: Delivery) -> Receipt:
        ask = asked(delivery, FindOnCall)
        for role in ask.roles:
            person = await self.of(role, delivery.at)
            if person is not None:
                return Receipt(reference=person, person=person, role=role)
        return Receipt(reference="nobody")

    async def of(self, role: str, at: datetime) -> str | None:
        feed = self._feeds.get(folded(role))
        if feed is None:
            return await self._otherwise.of(role, at)
        calendar = await self._calendar(feed)
        try:
            async with asyncio.timeout(READ_WITHIN.total_seconds()):
                named = await asyncio.to_thread(_on_call, calendar, at if at.tzinfo else at.replace(tzinfo=UTC))
        except TimeoutError:
            raise Unavailable(f"the calendar of {feed.role} takes too long to read") from None
        except Exception as error:
            raise Unavailable(f"the calendar of {feed.role} can't be read: {type(error).__name__}") from error
        return await self._person(named) if named is not None else None

    async def _person(self, named: str) -> str:
        return (await self._people.name_of(named) or named) if "@" in named else named

    async def _calendar(self, feed: _Feed) -> icalendar.Calendar:
        """The calendar in force."""
        async with feed.lock:
            now = self._clock()
            if feed.read_at is None or now - feed.read_at >= REFRESH_EVERY:
                await self._read(feed, now)
            if feed.good is None:
                raise FeedUnusable(f"the calendar of {feed.role} can't be read: {feed.problem}")
            return feed.good

    async def _read(self, feed: _Feed, now: datetime) -> None:
        first, feed.read_at = feed.read_at is None, now
        try:
            text, etag = await self._fetched(feed)
            if text is not None:
                feed.good = await asyncio.to_thread(_parsed, text)
                # Not before: what can't be used must not count as known at the next reading.
                feed.etag = etag
                await asyncio.to_thread(_keep, self._kept(feed), text)
        except (IntegrationError, OSError, ValueError) as error:
            feed.problem, feed.since = _reason(error, feed.where), feed.since or now
            if first and feed.good is None:
                feed.good = await asyncio.to_thread(_last_good, self._kept(feed))
        else:
            feed.problem = feed.since = None

    async def _fetched(self, feed: _Feed) -> tuple[str | None, str | None]:
        """The feed's text, None where it has not changed, and its tag."""
        where = feed.where.get_secret_value()
        if not _is_address(where):
            return await asyncio.to_thread(Path(where).read_text, encoding="utf-8"), None
        base, path = _parts(where)
        secrets, setting = address_secrets(feed.where), "TOCSIN_ICALENDAR_FEEDS"
        http = Http("the calendar", base, secrets=secrets, setting=setting, transport=self._transport, limit=FETCH_WITHIN)
        known = {"If-None-Match": feed.etag} if feed.etag and feed.good else {}
        headers = {"Accept": "text/calendar, */*", **known}
        try:
            async with http.one_ask():
                answer = await http.call("GET", path, headers=headers, also={304}, raw=True)
        finally:
            await http.close()
        return (None, feed.etag) if answer.status == 304 else (str(answer.data), answer.headers.get("etag"))

    def _kept(self, feed: _Feed) -> Path:
        name = hashlib.sha256(f"{folded(feed.role)}\n{feed.where.get_secret_value()}".encode()).hexdigest()[:24]
        return self._folder / f"{name}.ics"

    async def check(self) -> Checked:
        """Read every feed now, and say who is on call."""
        found, wrong, now = [], [], self._clock()
        for feed in self._feeds.values():
            feed.read_at = None if feed.read_at is None else now - REFRESH_EVERY
            try:
                found.append(f"{feed.role}: {await self.of(feed.role, now) or 'nobody'}")
            except IntegrationError as error:
                wrong.append(str(error))
                continue
            if feed.problem is not None and feed.since is not None:
                wrong.append(f"{feed.role}: {feed.problem}; the last good one is in force, since {feed.since:%Y-%m-%d %H:%M} UTC")
        if wrong:
            fix = "Check the addresses in TOCSIN_ICALENDAR_FEEDS, and whether this machine reaches them."
            return Checked(name="oncall: calendars", ok=False, detail="; ".join(wrong), fix=fix)
        return Checked(name="oncall: calendars", ok=True, detail="; ".join(found))


def _is_address(where: str) -> bool:
    return where.startswith(("https://", "http://", "webcal://"))


def _parts(where: str) -> tuple[str, str]:
    """The server and the rest of an address. The rest often holds a token, so it is treated as a secret."""
    parts = urlsplit(where.replace("webcal://", "https://", 1))
    return f"{parts.scheme}://{parts.netloc}", parts.path + (f"?{parts.query}" if parts.query else "")


def _reason(error: Exception, where: SecretStr) -> str:
    if isinstance(error, OSError):
        return f"{where.get_secret_value()}: {error.strerror or type(error).__name__}"
    return str(error)


def _parsed(text: str) -> icalendar.Calendar:
    """Read a calendar. Rejected where it is none: the feed in force is kept then."""
    try:
        calendar = icalendar.Calendar.from_ical(text)
    except (ValueError, IndexError, KeyError) as error:
        raise Rejected(f"this is no iCalendar ({type(error).__name__})") from error
    if not isinstance(calendar, icalendar.Calendar) or calendar.name != "VCALENDAR":
        raise Rejected("this is no iCalendar")
    return calendar


def _keep(path: Path, text: str) -> None:
    """Put the last good one in place, whole; it names people, so it is nobody else's to read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _last_good(path: Path) -> icalendar.Calendar | None:
    try:
        return _parsed(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, Rejected):
        return None


def _on_call(calendar: icalendar.Calendar, at: datetime) -> str | None:
    """Whom the event that is on at a moment names; None where none is on."""
    zone = _zone(calendar)
    on: list[tuple[datetime, int, str, str]] = []
    for event in recurring_ical_events.of(calendar, skip_bad_series=True).between(at - AROUND, at + AROUND):
        start, end = _moment(event.start, zone), _moment(event.end, zone)
        named = _named(event)
        if start <= at < end and named and str(event.get("STATUS", "")).upper() != "CANCELLED":
            on.append((start, int(event.get("SEQUENCE", 0)), str(event.get("UID", "")), named))
    return max(on)[3] if on else None


def _zone(calendar: icalendar.Calendar) -> tzinfo:
    """What times without a zone are meant in."""
    try:
        return ZoneInfo(str(calendar.get("X-WR-TIMEZONE", "UTC")))
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def _moment(value: date | datetime, zone: tzinfo) -> datetime:
    found = value if isinstance(value, datetime) else datetime.combine(value, time())
    return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)


def _named(event: Any) -> str:
    attendees = event.get("ATTENDEE", [])
    for attendee in attendees if isinstance(attendees, list) else [attendees]:
        address = re.sub(r"^mailto:", "", str(attendee), flags=re.IGNORECASE).strip()
        if "@" in address and str(getattr(attendee, "params", {}).get("PARTSTAT", "")).upper() != "DECLINED":
            return address[:NAME_LIMIT]
    said = _SUMMARY.fullmatch(" ".join(str(event.get("SUMMARY", "")).split()))
    return said[1].strip()[:NAME_LIMIT] if said else ""
