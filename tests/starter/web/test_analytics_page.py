"""The numbers as a page, as JSON and as CSV: the same everywhere, each with its incidents, and no cell a formula."""

from __future__ import annotations

import asyncio
import csv
import io
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx2
import pytest

from incident.vocabulary import Phase
from integrations.ledger import Ledger
from starter.analytics import Asked, Records, cell
from starter.facts import KeptFacts
from starter.web.dots import AXIS, LANE, LEFT, RIGHT, TOP, WIDTH, chart
from tests.incident.walk import DOCUMENT, Walk, opening_of
from tests.starter.web.nights import ONE, WalkedDesk, after, opened

YESTERDAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)


TIME = r"\d+ (?:s|min|h|d)\b|\d+:\d\d"
"""A span of time, as the page says it."""


def recent(severity: str = "SEV1", **fields: Any) -> Walk:
    """An incident that began yesterday, so that every period holds it, whatever the hour."""
    return Walk(opening_of(severity, **fields), YESTERDAY)


@pytest.fixture
async def desk() -> WalkedDesk:
    made = await WalkedDesk.made()
    assert isinstance(made, WalkedDesk)
    return made


@pytest.fixture
async def http(desk: WalkedDesk) -> AsyncIterator[httpx2.AsyncClient]:
    async with opened(desk, None) as client:
        yield client


async def test_page_api_and_csv_tell_the_same(http: httpx2.AsyncClient, desk: WalkedDesk) -> None:
    """Whoever asks where, gets the same numbers."""
    for number, minutes in enumerate((2, 4, 90), start=1):
        walk = desk.holds(recent(services=["checkout"]), f"INC-2026-{number:04d}")
        walk.forward(minutes=minutes)
        walk.does("acknowledge")
    page = (await http.get("/analytics?days=30")).text
    api = (await http.get("/api/v1/analytics?days=30")).json()
    answer = await http.get("/api/v1/analytics.csv?days=30")
    rows = list(csv.DictReader(io.StringIO(answer.text)))

    assert api["times"]["all"]["acknowledge"]["median"] == 240.0
    assert "4 min</a>" in page
    assert sorted(float(row["acknowledge"]) for row in rows) == [120.0, 240.0, 5400.0]
    assert answer.headers["content-type"].startswith("text/csv")


async def test_every_incident_is_a_dot_with_a_table_for_whoever_sees_no_dots(http: httpx2.AsyncClient, desk: WalkedDesk) -> None:
    """The chart is an image with a title, a description, and all of its values in a table."""
    for number in range(1, 4):
        desk.holds(recent(), f"INC-2026-{number:04d}").does("acknowledge")
    page = (await http.get("/analytics")).text
    drawing = re.findall(r"<svg class=\"chart\".*?</svg>", page, re.DOTALL)[0]
    table = page[page.index('<details class="data"') :]

    assert 'role="img" aria-labelledby="svg-acknowledge-title svg-acknowledge-desc"' in drawing
    assert (drawing.count("<circle"), drawing.count("<desc")) == (3, 1)
    assert all(f"/incidents/INC-2026-{number:04d}" in table for number in range(1, 4))


async def test_drills_are_left_out_and_counted(http: httpx2.AsyncClient, desk: WalkedDesk) -> None:
    """Practice changes no number."""
    desk.holds(recent())
    desk.holds(recent(drill=True), "INC-2026-0002")
    page = (await http.get("/analytics")).text

    assert "<strong>1</strong> incident</a>" in page
    assert "1 drill</a> and" in page
    assert "0 that were no incident</a> left out" in page
    assert desk.read == [ONE]


async def test_fewer_than_five_are_said_to_be_too_few(http: httpx2.AsyncClient, desk: WalkedDesk) -> None:
    """No share and no comparison is made of four nights."""
    desk.holds(recent()).does("acknowledge")
    page = (await http.get("/analytics")).text

    assert "too few to compare" in page
    assert "100 %" not in page


async def test_each_number_leads_to_its_incidents(http: httpx2.AsyncClient, desk: WalkedDesk) -> None:
    """Every link behind a number leads to a list, and what is no number leads nowhere."""
    walk = desk.holds(recent(services=["a & b", "<i>"]))
    walk.does("acknowledge")
    walk.refused("close")
    walk.forward(minutes=11)
    walk.does("add_action_item", item="Budget the retries", owner="ben", due=(YESTERDAY + timedelta(days=9)).date().isoformat())
    page = (await http.get("/analytics")).text
    links = sorted({link.replace("&amp;", "&") for link in re.findall(r'href="(/analytics\?[^"#]*behind=[^"#]*)#behind"', page)})
    found = [(await http.get(link)).text for link in links]
    nonsense = await http.get("/analytics?behind=nonsense")

    assert {link.rpartition("behind=")[2] for link in links} >= {"acknowledge%3Aseverity%3ASEV1", "acknowledge%3Aservice%3Aa+%26+b"}
    assert (
        "time to acknowledge, SEV1, 1 incident"
        in found[next(n for n, link in enumerate(links) if link.endswith("%3ASEV1") and "acknowledge%3A" in link)]
    )
    assert len(links) >= 8
    assert all('id="behind"' in each for each in found)
    assert sum(f'<a href="/incidents/{ONE}">{ONE}</a>' in each.split('class="numbers"')[0] for each in found) >= 7
    assert nonsense.status_code == 404


async def test_a_time_is_told_as_a_link_wherever_it_stands(http: httpx2.AsyncClient, desk: WalkedDesk) -> None:
    """Median, 90 %, shortest, longest and mean each lead to the incidents that they are made of, of all and of each group."""
    for number, minutes in enumerate((1, 2, 3, 4, 5, 8), start=1):
        walk = recent(services=["checkout"])
        walk.forward(minutes=minutes)
        walk.does("acknowledge")
        desk.holds(walk, f"INC-2026-{number:04d}")
    page = (await http.get("/analytics")).text
    card = page[page.index('class="number"') : page.index('class="charts"')]
    groups = page[page.index('aria-labelledby="groups"') : page.index("Data table:")]
    bare = [re.findall(TIME, re.sub(r"<a [^>]*>[^<]*</a>", "", part)) for part in (card, groups)]

    assert bare == [[], []]
    assert [len(re.findall(r'behind=acknowledge[^"]*#behind">[^<]*' + TIME, part)) for part in (card, groups)] == [4, 4]


async def test_of_one_group_refusals_and_action_items_are_told_too(http: httpx2.AsyncClient, desk: WalkedDesk) -> None:
    """The link of a group leads to the page of that group alone, with everything that is counted."""
    refused = desk.holds(recent(services=["checkout"]), "INC-2026-0001")
    refused.refused("close")
    desk.holds(recent("SEV2", services=["search"]), "INC-2026-0002")
    page = (await http.get("/analytics")).text
    only = {link for link in re.findall(r'<a href="([^"]*)">only', page)}
    told = {link: (await http.get(link.replace("&amp;", "&"))).text for link in only}

    assert {link.rpartition("&amp;")[2] for link in only} >= {"severity=SEV1", "severity=SEV2", "service=checkout", "service=search"}
    assert {link.rpartition("=")[2] for link, text in told.items() if "Nothing was refused." not in text and "Refused by" in text} == {
        "SEV1",
        "checkout",
    }


@pytest.mark.parametrize("query", ["days=-1", "days=x", "severity=SEV9", "days=99999999"])
async def test_a_filter_that_is_none_is_said_so(http: httpx2.AsyncClient, query: str) -> None:
    """A mistyped address is no silent zero."""
    assert (await http.get(f"/analytics?{query}")).status_code == 422
    assert (await http.get(f"/api/v1/analytics?{query}")).status_code == 422


async def test_empty_fields_of_the_form_are_no_filter(http: httpx2.AsyncClient, desk: WalkedDesk) -> None:
    """What a browser sends for "all" means all; the filters stand in the address and in the form."""
    desk.holds(recent("SEV2", services=["search"]))
    page = (await http.get("/analytics?days=7&severity=&service=")).text
    narrow = (await http.get("/analytics?days=0&severity=SEV1&service=nowhere")).text

    assert "<strong>1</strong> incident</a>" in page
    assert "<strong>0</strong> incidents</a>" in narrow
    assert "<option selected>nowhere</option>" in narrow


async def test_without_a_worker_the_times_still_count(http: httpx2.AsyncClient, desk: WalkedDesk) -> None:
    """Lists know the four times; of the rest the page says that it is not known, and nobody is asked in vain twelve times."""
    for number in range(1, 13):
        desk.holds(recent(), f"INC-2026-{number:04d}").does("acknowledge")
    desk.working = False
    page = (await http.get("/analytics")).text
    api = (await http.get("/api/v1/analytics")).json()

    assert "no worker answers for the rest" in page
    assert len(api["without_details"]) == 12
    assert api["times"]["all"]["acknowledge"]["measured"] == 12


async def test_an_incident_that_has_ended_is_read_once(desk: WalkedDesk) -> None:
    """Its numbers never change again, so several hundred of them cost nothing the second time."""
    closed = desk.holds(after())
    closed.settles_everything()
    closed.does("complete_action_item", id="AI-1")
    closed.does("close")
    desk.holds(recent(), "INC-2026-0002")
    records = Records(desk)
    made = [await records.report(Asked(days=0), datetime.now(UTC)) for _ in range(3)]

    assert (desk.read.count(ONE), desk.read.count("INC-2026-0002")) == (1, 3)
    assert [each["incidents"] for each in made] == [2, 2, 2]


async def test_of_a_closed_incident_only_the_follow_up_is_asked_again(desk: WalkedDesk) -> None:
    """Its follow-up may have seen an item done since; once all are, nobody is asked."""
    closed = desk.holds(after())
    closed.settles_everything()
    closed.does("close")
    records = Records(desk)
    before = await records.report(Asked(days=0), datetime.now(UTC))
    done = {"seq": 1, "at": "2026-11-30T00:00:00Z", "kind": "action_item_completed", "by": "ben", "text": "done", "data": {"id": "AI-1"}}
    desk.later[ONE] = [done]
    later = [await records.report(Asked(days=0), datetime.now(UTC)) for _ in range(2)]

    assert [made["action_items"]["open"] for made in (before, *later)] == [1, 0, 0]
    assert (desk.read, desk.chased) == ([ONE], [ONE, ONE])


async def test_a_door_that_starts_again_reads_no_ended_incident_twice(desk: WalkedDesk, tmp_path: Path) -> None:
    """Several hundred histories to replay would take minutes, so their facts are kept in the database."""
    closed = desk.holds(after())
    closed.settles_everything()
    closed.does("complete_action_item", id="AI-1")
    closed.does("close")
    ledger = Ledger(tmp_path / "embedded.db")
    now = datetime.now(UTC)
    made = [await Records(desk, KeptFacts(ledger)).report(Asked(days=0), now) for _ in range(2)]
    await ledger.close()

    assert made[0] == made[1]
    assert made[0]["on_time"]["postmortem"]["due"] == 1
    assert desk.read == [ONE]


async def test_a_page_waits_no_longer_than_it_may(desk: WalkedDesk) -> None:
    """What is not read in time is counted with the row's own times, said so, and known at the next look."""
    desk.holds(recent()).does("acknowledge")
    heard = asyncio.Event()

    class Slow(WalkedDesk):
        async def own_timeline(self, incident: str, since: int = 0) -> list[dict[str, Any]]:
            await heard.wait()
            return await super().own_timeline(incident, since)

    slow = await Slow.made()
    assert isinstance(slow, Slow)
    slow.walks = desk.walks
    records = Records(slow, waits=timedelta(0))
    first = await records.report(Asked(days=0), datetime.now(UTC))
    heard.set()
    second = await Records(slow).report(Asked(days=0), datetime.now(UTC))
    records.close()

    assert (first["without_details"], first["being_read"], first["times"]["all"]["acknowledge"]["measured"]) == ([ONE], 1, 1)
    assert (second["without_details"], second["being_read"]) == ([], 0)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+1", "'+1"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        (["=a", "b"], "'=a, b"),
        ("plain", "plain"),
        (None, ""),
        (0, "0"),
        (True, "yes"),
    ],
)
def test_no_cell_is_a_formula(value: object, expected: str) -> None:
    """A title that a spreadsheet would carry out is shown as the text that it is."""
    assert cell(value) == expected


async def test_no_title_is_a_formula_in_the_file(http: httpx2.AsyncClient, desk: WalkedDesk) -> None:
    """Also with quotes, commas and line ends in it, one incident is one row."""
    desk.holds(recent(title='=cmd|"/c calc",!A1', services=["@service"]))
    rows = list(csv.DictReader(io.StringIO((await http.get("/api/v1/analytics.csv")).text)))

    assert [(row["title"], row["services"]) for row in rows] == [('\'=cmd|"/c calc",!A1', "'@service")]


async def test_markup_in_titles_and_services_is_text(http: httpx2.AsyncClient, desk: WalkedDesk) -> None:
    """Nothing that somebody names a service becomes code, in a table or a drawing."""
    desk.holds(recent(title="</title><script>alert(1)</script>", services=['"><img src=x>'])).does("acknowledge")
    page = (await http.get("/analytics?service=%22%3E%3Cimg%20src%3Dx%3E")).text

    assert "<script>alert" not in page
    assert "<img" not in page


def rows(*seconds: float | None, severity: str | None = "SEV2") -> list[dict[str, object]]:
    return [{"incident": f"INC-{number}", "title": "t", "severity": severity, "resolve": length} for number, length in enumerate(seconds)]


def test_dots_stand_in_the_order_of_their_lengths_within_the_drawing() -> None:
    """Ten times as long is the same step to the right, wherever one is; at once stands at one second."""
    drawn = chart(rows(0.2, 10, 100, 1_000, 31_536_000), "resolve")
    assert drawn is not None
    dots = next(lane for lane in drawn.lanes if lane.severity == "SEV2").dots
    steps = [round(later.x - earlier.x) for earlier, later in pairwise(dots[:4])]

    assert [dot.x for dot in dots] == sorted(dot.x for dot in dots)
    assert steps[0] == steps[1] == steps[2]
    assert all(LEFT <= dot.x <= WIDTH - RIGHT and TOP <= dot.y <= drawn.bottom for dot in dots)
    assert drawn.height == TOP + 3 * LANE + AXIS


def test_equal_lengths_do_not_hide_one_another() -> None:
    """Each incident can be seen and pointed at."""
    drawn = chart(rows(60, 60, 60), "resolve")
    assert drawn is not None
    places = {(dot.x, dot.y) for dot in drawn.lanes[1].dots}

    assert len(places) == 3


@pytest.mark.parametrize(("count", "marked"), [(4, False), (5, True)])
def test_a_median_is_marked_where_it_says_something(count: int, marked: bool) -> None:
    """A bar through four dots would pretend to know."""
    drawn = chart(rows(*([60.0] * count)), "resolve")
    assert drawn is not None

    assert (drawn.lanes[1].median is not None) is marked


def test_nothing_measured_is_no_drawing_and_no_severity_is_a_lane_of_its_own() -> None:
    """An empty chart would look like a measurement of nothing."""
    undeclared = chart(rows(5, severity=None), "resolve")

    assert chart(rows(None), "resolve") is None
    assert undeclared is not None
    assert [lane.severity for lane in undeclared.lanes] == ["SEV1", "SEV2", "SEV3", "none"]


async def test_stats_tell_the_same_medians(http: httpx2.AsyncClient, desk: WalkedDesk) -> None:
    """The short summary and the analytics are made by the same counting."""
    walk = desk.holds(recent())
    walk.forward(minutes=2)
    walk.does("acknowledge")
    short = (await http.get("/api/v1/stats")).json()

    assert short["all"]["acknowledge"] == {"measured": 1, "median": 120.0, "p90": 120.0}


async def test_the_post_mortem_s_punctuality_is_counted(http: httpx2.AsyncClient, desk: WalkedDesk) -> None:
    """Filed in time is one of one."""
    walk = desk.holds(recent().reaches(Phase.POST_INCIDENT))
    walk.does("file_postmortem", document=DOCUMENT)
    kept = (await http.get("/api/v1/analytics")).json()["on_time"]["postmortem"]

    assert (kept["due"], kept["on_time"], kept["too_few"]) == (1, 1, True)
