# ruff: noqa: SIM300 - the house writes what is expected first; a test may touch its few small files directly
"""iCalendar feeds say who is on call: to the second, across daylight saving, and while the feed is away."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from pydantic import SecretStr

from incident.effects import Delivery, FindOnCall, Port, Receipt
from integrations.errors import Unavailable
from integrations.oncall.icalendar import NAME_LIMIT, FeedUnusable, ICalendarRota
from integrations.oncall.rota import FileRota
from tests.integrations.asks import delivery
from tests.integrations.contract import OnCallContract, Stage
from tests.integrations.pagers import People

FEED = "https://calendar.example.org/private-t0ken/primary.ics"
ROLE = "primary on-call"
NOW = datetime(2026, 3, 4, 3, 15, tzinfo=UTC)


def event(start: str, end: str, *lines: str, uid: str = "1") -> str:
    return "\r\n".join(("BEGIN:VEVENT", f"UID:{uid}", "DTSTAMP:20260101T000000Z", f"DTSTART{start}", f"DTEND{end}", *lines, "END:VEVENT"))


def calendar(*events: str, zone: str = "") -> str:
    head = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//EN"] + [f"X-WR-TIMEZONE:{zone}"] * bool(zone)
    return "\r\n".join((*head, *events, "END:VCALENDAR", ""))


ANA = "ATTENDEE;CN=Ana:mailto:ana@example.org"
ALWAYS = calendar(event(":20260101T000000Z", ":20270101T000000Z", ANA))


class Server:
    """A calendar's server. `status` other than 200 fails; `text` is what it serves."""

    def __init__(self, text: str = ALWAYS) -> None:
        self.text, self.status, self.asked, self.cut = text, 200, 0, False
        self.transport = httpx2.MockTransport(self._answer)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.asked += 1
        if self.cut:
            raise httpx2.ConnectError("cut", request=request)
        if self.status != 200:
            return httpx2.Response(self.status, html="<title>We'll be back</title>")
        tag = f'"{hash(self.text)}"'
        if request.headers.get("if-none-match") == tag:
            return httpx2.Response(304)
        return httpx2.Response(200, text=self.text, headers={"ETag": tag})


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


def rota(folder: Path, server: Server, clock: Callable[[], datetime] = Clock(), feed: str = FEED) -> ICalendarRota:  # noqa: B008
    otherwise = FileRota(folder / "rota.toml")
    return ICalendarRota({ROLE: SecretStr(feed)}, otherwise, People(), folder=folder / "kept", transport=server.transport, clock=clock)


async def at(folder: Path, text: str, *moments: str) -> list[str | None]:
    """Who is on call at each moment by a feed."""
    found = rota(folder, Server(text))
    return [await found.of(ROLE, datetime.fromisoformat(moment)) for moment in moments]


class RotaStage(Stage):
    port = Port.ONCALL

    def __init__(self, folder: Path, server: Server) -> None:
        self.folder, self.server = folder, server
        (folder / "rota.toml").write_text('[roles]\nmanager = "max"\n')
        self.rota = rota(folder / "", server)

    def call(self, action: str) -> Callable[[Delivery], Awaitable[Receipt]]:
        method: Callable[[Delivery], Awaitable[Receipt]] = getattr(self.rota, action)
        return method

    async def shown(self) -> list[str]:
        return []

    async def again(self) -> Stage:
        return RotaStage(self.folder, self.server)

    async def lose_an_answer(self) -> None:
        self.server.cut = True

    async def go_down(self, *, retry_after: timedelta | None = None) -> None:
        self.server.status = 503

    async def refuse(self) -> None:
        self.server.status = 403

    async def mend(self) -> None:
        self.server.status = 200
        self.rota = rota(self.folder, self.server)


class TestCalendarRota(OnCallContract):
    @pytest.fixture
    def stage(self, tmp_path: Path) -> Stage:
        return RotaStage(tmp_path, Server())


async def test_a_handover_is_right_to_the_second(tmp_path: Path) -> None:
    """Until the second of the handover it is the one, from it on the other; after the last shift nobody."""
    text = calendar(
        event(":20260304T000000Z", ":20260304T080000Z", ANA), event(":20260304T080000Z", ":20260304T160000Z", "SUMMARY:ben", uid="2")
    )
    found = await at(tmp_path, text, "2026-03-04T07:59:59+00:00", "2026-03-04T08:00:00+00:00", "2026-03-04T16:00:00+00:00")

    assert ["ana", "ben", None] == found


ZONES = [
    # Clocks go forward on 8 March 2026 and back on 1 November: nine o'clock there is 14:00, 13:00 and 14:00 UTC.
    ("America/New_York", ["2026-03-02T13:59:59", "2026-03-02T14:00:00", "2026-03-09T12:59:59", "2026-03-09T13:00:00"]),
    ("America/New_York", ["2026-10-26T12:59:59", "2026-10-26T13:00:00", "2026-11-02T13:59:59", "2026-11-02T14:00:00"]),
    # Forward on 29 March, back on 25 October: 08:00, 07:00 and 08:00 UTC.
    ("Europe/Berlin", ["2026-03-23T07:59:59", "2026-03-23T08:00:00", "2026-03-30T06:59:59", "2026-03-30T07:00:00"]),
    ("Europe/Berlin", ["2026-10-19T06:59:59", "2026-10-19T07:00:00", "2026-10-26T07:59:59", "2026-10-26T08:00:00"]),
    # The other way round, and by half an hour: back on 5 April, forward on 4 October: 22:00, 22:30 and 22:00 UTC of the day before.
    ("Australia/Lord_Howe", ["2026-03-29T21:59:59", "2026-03-29T22:00:00", "2026-04-05T22:29:59", "2026-04-05T22:30:00"]),
    ("Australia/Lord_Howe", ["2026-09-27T22:29:59", "2026-09-27T22:30:00", "2026-10-04T21:59:59", "2026-10-04T22:00:00"]),
]


@pytest.mark.parametrize(("zone", "moments"), ZONES)
async def test_a_rotation_keeps_its_hour_when_clocks_change(tmp_path: Path, zone: str, moments: list[str]) -> None:
    """Handed over at nine on Mondays where the people live, in summer and in winter; `in force` is by week, ana and ben in turn."""
    series = [
        event(f";TZID={zone}:20260105T090000", f";TZID={zone}:20260112T090000", "RRULE:FREQ=WEEKLY;INTERVAL=2", ANA),
        event(f";TZID={zone}:20260112T090000", f";TZID={zone}:20260119T090000", "RRULE:FREQ=WEEKLY;INTERVAL=2", "SUMMARY:ben", uid="2"),
    ]
    found = await at(tmp_path, calendar(*series), *(f"{moment}+00:00" for moment in moments))

    assert found[0] == found[3]
    assert found[1] == found[2]
    assert {"ana", "ben"} == set(found)


async def test_an_override_takes_the_shift(tmp_path: Path) -> None:
    """Who stands in for somebody has it for that time: as a changed occurrence, and as an event of its own that begins later."""
    series = event(":20260302T090000Z", ":20260309T090000Z", "RRULE:FREQ=WEEKLY", ANA)
    changed = event(":20260309T090000Z", ":20260316T090000Z", "RECURRENCE-ID:20260309T090000Z", "SUMMARY:ben")
    on_top = event(":20260304T000000Z", ":20260304T060000Z", "SUMMARY:On Call - Carol Poe - Primary", uid="2")
    found = await at(
        tmp_path,
        calendar(series, changed, on_top),
        "2026-03-04T03:00:00+00:00",
        "2026-03-04T06:00:00+00:00",
        "2026-03-10T00:00:00+00:00",
        "2026-03-16T09:00:00+00:00",
    )

    assert ["Carol Poe", "ana", "ben", "ana"] == found


async def test_whole_days_are_days_where_the_people_live(tmp_path: Path) -> None:
    """A day on call begins at midnight in the calendar's own zone."""
    text = calendar(event(";VALUE=DATE:20260304", ";VALUE=DATE:20260305", "SUMMARY:ana"), zone="Asia/Tokyo")
    found = await at(tmp_path, text, "2026-03-03T14:59:59+00:00", "2026-03-03T15:00:00+00:00", "2026-03-04T15:00:00+00:00")

    assert [None, "ana", None] == found


@pytest.mark.parametrize(
    ("lines", "who"),
    [
        (("ATTENDEE:MAILTO:ana@example.org", "SUMMARY:x"), "ana"),
        (("ATTENDEE:mailto:zoe@example.org",), "zoe@example.org"),
        (("ATTENDEE;PARTSTAT=DECLINED:mailto:ana@example.org", "ATTENDEE:mailto:ben@example.org"), "ben"),
        (("SUMMARY:[L1] ana",), "ana"),
        (("SUMMARY:ana@example.org - Ops schedule",), "ana"),
        (("SUMMARY:On-call: Ana María - EU",), "Ana María"),
        (("SUMMARY:Jean-Luc",), "Jean-Luc"),
        (("STATUS:CANCELLED", "SUMMARY:ana"), None),
        (("SUMMARY:",), None),
        ((), None),
    ],
)
async def test_an_event_names_somebody(tmp_path: Path, lines: tuple[str, ...], who: str | None) -> None:
    """By address, which the rota knows, or by its summary as schedules write it; a cancelled or empty one names nobody."""
    assert [who] == await at(tmp_path, calendar(event(":20260304T000000Z", ":20260305T000000Z", *lines)), NOW.isoformat())


async def test_a_name_of_40_kb_is_no_page_of_its_own(tmp_path: Path) -> None:
    """What somebody pasted into a shift's summary is cut to a name's length: it is written into every record of the night."""
    text = calendar(event(":20260304T000000Z", ":20260305T000000Z", f"SUMMARY:{'Zażółć 🚨 ' * 4_500}"))
    (who,) = await at(tmp_path, text, NOW.isoformat())

    assert who is not None
    assert who.startswith("Zażółć")
    assert NAME_LIMIT >= len(who)


async def test_a_role_without_a_feed_is_the_rotas(tmp_path: Path) -> None:
    """The CTO needs no calendar."""
    (tmp_path / "rota.toml").write_text('[roles]\nCTO = "cleo"\n')

    assert "cleo" == await rota(tmp_path, Server()).of("cto", NOW)


async def test_a_feed_is_read_once_a_minute_and_only_where_it_has_changed(tmp_path: Path) -> None:
    """A night of pages does not hammer the calendar; a change is in force after a minute."""
    server, clock = Server(), Clock()
    found = rota(tmp_path, server, clock)
    for _ in range(5):
        await found.of(ROLE, NOW)
    asked = server.asked
    clock.now += timedelta(minutes=1)
    same = await found.of(ROLE, NOW)
    server.text = calendar()
    clock.now += timedelta(minutes=1)
    nobody = await found.of(ROLE, NOW)

    assert (1, "ana", None, 3) == (asked, same, nobody, server.asked)


@pytest.mark.parametrize("trouble", ["503", "403", "cut", "page", "rubbish", "html"])
async def test_a_feed_that_is_away_leaves_the_last_good_one_in_force(tmp_path: Path, trouble: str) -> None:
    """Whatever the calendar's server answers, whoever was on call stays so, also after a restart; the doctor says what is wrong."""
    server, clock = Server(), Clock()
    found = rota(tmp_path, server, clock)
    await found.of(ROLE, NOW)
    match trouble:
        case "cut":
            server.cut = True
        case "page" | "rubbish":
            server.text = "<html><title>Sign in</title></html>" if trouble == "page" else "BEGIN:VEVENT\r\nDTSTART:soon"
        case "html":
            server.text = ""
        case _:
            server.status = int(trouble)
    clock.now += timedelta(minutes=1)
    during, restarted = await found.of(ROLE, NOW), rota(tmp_path, server, clock)
    afterwards, checked = await restarted.of(ROLE, NOW), await found.check()

    assert ("ana", "ana", False) == (during, afterwards, checked.ok)
    assert "the last good one is in force, since 2026-03-04 03:16 UTC" in checked.detail
    assert "t0ken" not in f"{checked}"


async def test_a_feed_that_never_was_is_no_empty_rota(tmp_path: Path) -> None:
    """That nobody can be looked up is told from nobody being on call, and without the feed's address, which opens it."""
    server = Server()
    server.status = 404
    found = rota(tmp_path, server)
    with pytest.raises(FeedUnusable, match="the calendar of primary on-call can't be read: the calendar answered GET") as told:
        await found.of(ROLE, NOW)
    with pytest.raises(Unavailable):
        await rota(tmp_path, server, feed=str(tmp_path / "none.ics")).of(ROLE, NOW)

    assert "t0ken" not in str(told.value)


async def test_the_doctor_says_who_is_on_call(tmp_path: Path) -> None:
    """What the feeds say now can be seen by day, a file's as well."""
    path = tmp_path / "primary.ics"
    path.write_text(ALWAYS)
    found = await rota(tmp_path, Server(), feed=str(path)).check()

    assert (True, "primary on-call: ana") == (found.ok, found.detail)


async def test_nobody_on_call_is_said_at_once(tmp_path: Path) -> None:
    """A gap in the schedule is an answer: the next rung is paged without delay."""
    (tmp_path / "rota.toml").write_text("[roles]\n")
    receipt = await rota(tmp_path, Server(calendar())).find_on_call(delivery(FindOnCall(roles=(ROLE, "CTO"))))

    assert ("nobody", None) == (receipt.reference, receipt.person)
