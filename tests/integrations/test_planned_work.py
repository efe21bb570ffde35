"""Planned work from the rules file and from calendars: what covers a moment, and what a feed that is away means."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest

from incident.deployments import Deployment
from incident.routing import PlannedWork
from integrations.deployments import DeploymentLog, DeploymentsOf, NobodyTells
from integrations.errors import Unavailable
from integrations.ledger import Ledger
from integrations.monitoring.deployments import read as read_deployments
from integrations.monitoring.planned_work import FRESH, STALE, PlannedWorkBook
from integrations.monitoring.routes_file import RoutesFile, RoutesUnusable
from tests.fakes import FakeDeployments

AT = datetime(2026, 11, 2, 15, 0, tzinfo=UTC)

FEED = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Changes//EN
BEGIN:VTIMEZONE
TZID:America/New_York
BEGIN:STANDARD
DTSTART:20071104T020000
RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=1SU
TZOFFSETFROM:-0400
TZOFFSETTO:-0500
TZNAME:EST
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:20070311T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=2SU
TZOFFSETFROM:-0500
TZOFFSETTO:-0400
TZNAME:EDT
END:DAYLIGHT
END:VTIMEZONE
BEGIN:VEVENT
UID:weekly@x
DTSTAMP:20261001T000000Z
DTSTART;TZID=America/New_York:20261005T093000
DTEND;TZID=America/New_York:20261005T113000
RRULE:FREQ=WEEKLY
SUMMARY:Weekly database work
CATEGORIES:database,Ledger
END:VEVENT
BEGIN:VEVENT
UID:off@x
DTSTAMP:20261001T000000Z
DTSTART:20261102T140000Z
DTEND:20261102T160000Z
STATUS:CANCELLED
SUMMARY:Called off
CATEGORIES:checkout
END:VEVENT
BEGIN:VEVENT
UID:free@x
DTSTAMP:20261001T000000Z
DTSTART:20261102T140000Z
DTEND:20261102T160000Z
TRANSP:TRANSPARENT
SUMMARY:Only a reminder
CATEGORIES:checkout
END:VEVENT
BEGIN:VEVENT
UID:day@x
DTSTAMP:20261001T000000Z
DTSTART;VALUE=DATE:20261224
SUMMARY:Everything moves
END:VEVENT
END:VCALENDAR
""".replace("\n", "\r\n")


class Feed:
    """A calendar server; `down` and `text` say how it answers, `asked` counts."""

    def __init__(self, text: str = FEED) -> None:
        self.text = text
        self.down = False
        self.asked = 0
        self.unchanged = 0

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked += 1
        if self.down:
            raise httpx2.ConnectError("refused by secret-token")
        if request.headers.get("if-none-match") == '"1"':
            self.unchanged += 1
            return httpx2.Response(304)
        return httpx2.Response(200, text=self.text, headers={"ETag": '"1"'})


def book(folder: Path, feed: Feed, clock: Callable[[], datetime] | None = None, more: str = "") -> PlannedWorkBook:
    path = folder / "routes.toml"
    path.write_text('[[calendar]]\nname = "changes"\nurl = "https://calendar.example/secret-token.ics"\n' + more)
    return PlannedWorkBook(RoutesFile(path), transport=httpx2.MockTransport(feed), clock=clock or (lambda: AT))


async def until(book: PlannedWorkBook, service: str, at: datetime) -> datetime | None:
    window = (await book.planned(PlannedWork(service=service, environment="production", at=at))).window
    return window.until if window is not None else None


@pytest.mark.parametrize(
    ("service", "at", "ends"),
    [
        ("database", "2026-11-02T14:30:00Z", "2026-11-02T16:30:00Z"),
        ("LEDGER", "2026-11-02T16:29:59Z", "2026-11-02T16:30:00Z"),
        ("database", "2026-10-26T13:30:00Z", "2026-10-26T15:30:00Z"),
        ("database", "2026-11-02T16:30:00Z", None),
        ("database", "2026-11-02T14:29:59Z", None),
        ("checkout", "2026-11-02T15:00:00Z", None),
        ("anything", "2026-12-24T23:59:59Z", "2026-12-25T00:00:00Z"),
    ],
)
async def test_an_event_covers_its_services_while_it_lasts(tmp_path: Path, service: str, at: str, ends: str | None) -> None:
    """Repeated events follow their zone through summer time; cancelled ones, and mere reminders, cover nothing."""
    found = await until(book(tmp_path, Feed()), service, datetime.fromisoformat(at))

    assert found == (datetime.fromisoformat(ends) if ends else None)


async def test_a_storm_asks_a_feed_once_and_then_whether_it_has_changed(tmp_path: Path) -> None:
    """A thousand alerts do not make a thousand requests."""
    feed, now = Feed(), [AT]
    asked = book(tmp_path, feed, lambda: now[0])
    for _ in range(20):
        await until(asked, "database", AT)
    now[0] += FRESH
    await until(asked, "database", AT)

    assert (feed.asked, feed.unchanged) == (2, 1)


async def test_a_feed_that_is_away_is_read_from_its_copy_for_a_day(tmp_path: Path) -> None:
    """The last copy counts for a day; after it nobody can say, and the address is not told."""
    feed, now = Feed(), [AT]
    asked = book(tmp_path, feed, lambda: now[0])
    first = await until(asked, "database", AT)
    feed.down = True
    now[0] += timedelta(hours=3)
    copied = await until(asked, "database", AT)
    now[0] += STALE

    assert first == copied is not None
    with pytest.raises(Unavailable) as nobody:
        await until(asked, "database", AT)
    assert "secret-token" not in str(nobody.value)


@pytest.mark.parametrize("text", ["", "<html>sign in</html>", "BEGIN:VCALENDAR", "BEGIN:VEVENT\r\nEND:VEVENT"])
async def test_what_is_no_calendar_is_no_answer(tmp_path: Path, text: str) -> None:
    """A sign-in page in the feed's place does not mean that nothing is planned."""
    with pytest.raises(Unavailable):
        await until(book(tmp_path, Feed(text)), "database", AT)


async def test_the_rules_files_own_windows_count_where_a_feed_is_away(tmp_path: Path) -> None:
    """What the file itself knows holds, whatever a feed says."""
    feed = Feed()
    feed.down = True
    window = '[[maintenance]]\nname = "m"\nfrom = 2026-11-02T14:00:00Z\nuntil = 2026-11-02T18:00:00Z\n'

    assert await until(book(tmp_path, feed, more=window), "database", AT) == datetime(2026, 11, 2, 18, tzinfo=UTC)


async def test_a_calendar_may_be_a_file_beside_the_rules(tmp_path: Path) -> None:
    """A path in the rules file is meant from where that file is."""
    (tmp_path / "changes.ics").write_text(FEED)
    path = tmp_path / "routes.toml"
    path.write_text('[[calendar]]\nname = "changes"\nfile = "changes.ics"\n')

    assert await until(PlannedWorkBook(RoutesFile(path)), "database", AT) is not None


def test_a_broken_edit_of_the_rules_changes_nothing(tmp_path: Path) -> None:
    """The last good rules stay in force, and what is wrong is known until it is mended."""
    path = tmp_path / "routes.toml"
    path.write_text('[[route]]\nname = "one"\n')
    rules = RoutesFile(path)
    before = rules.in_force()
    path.write_text("[[route]\n")
    os.utime(path, (1, 1))
    kept, problem = rules.in_force(), rules.problem
    path.write_text('[[route]]\nname = "two"\n')
    os.utime(path, (2, 2))

    assert (kept, "no TOML" in (problem or "")) == (before, True)
    assert ([rule.name for rule in rules.in_force().routes], rules.problem) == (["two"], None)


def test_without_good_rules_ever_nothing_is_routed(tmp_path: Path) -> None:
    """A missing file is told as such."""
    with pytest.raises(RoutesUnusable, match="can't be read"):
        RoutesFile(tmp_path / "none.toml").in_force()


async def test_deployments_are_kept_once_and_found_again(tmp_path: Path) -> None:
    """A repeat adds nothing; the newest come first; a service's name is compared without regard to case."""
    ledger = Ledger(tmp_path / "embedded.db")
    log = DeploymentLog(ledger)
    told = [
        {"service": service, "version": version, "at": f"2026-11-0{day}T10:00:00Z", "by": "ci"}
        for day, (service, version) in enumerate([("Checkout", "v1"), ("payments", "v1"), ("checkout", "v2")], start=1)
    ]
    new = [await log.record(read_deployments({"deployments": told}, AT + timedelta(days=3))) for _ in range(2)]
    found = await DeploymentLog(Ledger(tmp_path / "embedded.db")).listed(("CHECKOUT",))
    since = await log.listed(since=datetime(2026, 11, 2, tzinfo=UTC), until=datetime(2026, 11, 2, 23, tzinfo=UTC))
    await ledger.close()

    assert new == [3, 0]
    assert [(each.version, each.by) for each in found] == [("v2", "ci"), ("v1", "ci")]
    assert [each.service for each in since] == ["payments"]


async def test_an_incident_asks_what_was_told_of_its_services(tmp_path: Path) -> None:
    """That nothing was deployed is only said where somebody tells of deployments at all, by whichever way."""
    ledger = Ledger(tmp_path / "embedded.db", clock=lambda: AT)
    log = DeploymentLog(ledger)
    measured = Deployment(service="checkout", version="v9", at=AT - timedelta(minutes=5))
    asked = (("checkout",), AT - timedelta(days=1), AT)
    with pytest.raises(NobodyTells, match="/webhooks/deployments"):
        await DeploymentsOf(log).recent(*asked)
    from_elsewhere = await DeploymentsOf(log, FakeDeployments(measured)).recent(*asked)
    await log.record([Deployment(service="Checkout", version="v8", at=AT - timedelta(hours=2))])
    both = await DeploymentsOf(log, FakeDeployments(measured)).recent(*asked)
    none = await log.recent(("payments",), AT - timedelta(days=1), AT)
    await ledger.close()

    assert from_elsewhere == (measured,)
    assert [each.version for each in both] == ["v9", "v8"]
    assert none == ()
