"""The public status page: what the public reads, and what it never does."""

from __future__ import annotations

import asyncio
import html
import json
import os
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urljoin
from xml.etree import ElementTree

import httpx2
import pytest
from jsonschema import Draft202012Validator

from incident.effects import Delivery, Publish
from incident.vocabulary import PublicStatus, Severity
from integrations.errors import Unavailable
from integrations.ledger import Ledger
from integrations.statuspage.embedded import EmbeddedStatusPage
from integrations.statuspage.published import Layout, LayoutProblem, PublicPage, bad_days, layout_from
from starter.api import Door, create_app
from starter.cli.failures import Failure
from starter.cli.status_page import write
from starter.live import Rooms
from starter.web.status_page import PublicSite
from starter.web.status_views import public_id
from tests.starter.desks import FakeDesk
from tests.starter.test_api import HERE, Delivered, no_history
from tests.starter.web.publications import LAYOUT, NOW, showing, told

SHAPES = Path(os.environ.get("TOCSIN_SPECS") or Path(__file__).parents[4] / "shared" / "specs") / "statuspage-public-v2"

NASTY = '<script>alert(1)</script>" onload="x\u202e \U0001f525 مرحبا &amp; {{ 7 * 7 }} ]]>'
READABLE = NASTY.replace("\u202e", "")


class Board:
    """A status page whose publications a test sets. `readings` counts how often it was read."""

    def __init__(self, page: PublicPage) -> None:
        self.page = page
        self.readings = 0
        self.broken = False

    async def public_page(self, remembered: timedelta | None = None) -> PublicPage:
        self.readings += 1
        if self.broken:
            raise Unavailable("the database is away")
        return self.page


class Clock:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def board() -> Board:
    return Board(showing(told(texts=("We are looking into it.", "A release broke it; we are rolling it back."))))


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def door_with(site: PublicSite | None) -> httpx2.AsyncClient:
    desk = await FakeDesk.made()
    app = create_app(desk, Door(user="ana", version="0", public=site), Delivered(), rooms=Rooms(desk, no_history))
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app, raise_app_exceptions=False), base_url=HERE)


@pytest.fixture
async def http(board: Board, clock: Clock) -> AsyncIterator[httpx2.AsyncClient]:
    async with await door_with(PublicSite(board, LAYOUT, clock=clock)) as client:
        yield client


class Read(HTMLParser):
    """What a browser makes of a page: its elements, their attributes, and the text that is read."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.said: list[str] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.said.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.said).split())


async def read(http: httpx2.AsyncClient, path: str = "/status") -> Read:
    answer = await http.get(path)
    assert answer.status_code == 200, answer.text
    return Read(answer.text)


async def test_it_says_how_bad_what_is_known_and_when_the_next_word_comes(http: httpx2.AsyncClient) -> None:
    """From top to bottom: how bad, what is going on with the newest word first, the components, and what is over."""
    text = (await read(http)).text
    order = ["Major outage", "Happening now", "Checkout fails in Europe", "Next update by 02:50 UTC", "Identified", "Investigating"]
    places = [text.index(words) for words in [*order[:3], *order[4:], "Components", "Past incidents"]]

    assert places == sorted(places)
    assert "rolling it back" in text


async def test_all_is_well(http: httpx2.AsyncClient, board: Board) -> None:
    """Where nothing is going on, the page says that everything works, and claims nothing of days before its records."""
    board.page = showing()
    page = await read(http)

    assert "All systems operational" in page.text
    assert page.text.count("Operational") == 2 * 10
    assert [attrs["class"] for tag, attrs in page.elements if tag == "path" and attrs.get("class") in ("unknown", "operational")] == [
        "unknown",
        "operational",
    ]


@pytest.mark.parametrize(
    ("after", "says"),
    [
        (timedelta(minutes=39), "Next update by 02:50 UTC."),
        (timedelta(minutes=41), "The next update was promised for 02:50 UTC and is late."),
    ],
)
async def test_it_says_by_itself_that_the_promised_update_is_late(board: Board, after: timedelta, says: str) -> None:
    """A promise that was not kept is admitted, without anybody pressing anything."""
    incident = told(texts=("We are looking into it.", "Still looking."))
    board.page = showing(incident, now=incident.started_at + after)
    async with await door_with(PublicSite(board, LAYOUT)) as http:
        text = (await read(http)).text

    assert says in text


async def test_it_becomes_late_while_nothing_is_published(http: httpx2.AsyncClient, board: Board, clock: Clock) -> None:
    """What is kept in memory grows old as well: the page turns late when its time has come, and its tag changes."""
    incident = told(texts=("We are looking into it.",))
    board.page = showing(incident, now=incident.started_at + timedelta(minutes=29, seconds=59))
    before = await http.get("/status")
    board.page = showing(incident, now=incident.started_at + timedelta(minutes=30, seconds=1))
    clock.at += 60
    after = await http.get("/status", headers={"If-None-Match": before.headers["etag"]})

    assert (after.status_code, "is late" in before.text, "is late" in after.text) == (200, False, True)


async def test_it_is_small(http: httpx2.AsyncClient, board: Board) -> None:
    """On a bad connection, with ten components and an incident going on, the page weighs less than 15 kB, style and script included."""
    text = "We have found that requests from Europe fail for about a fifth of payments, and are rolling back a release. " * 3
    board.page = showing(
        told(names=("Checkout", "API", "Billing"), texts=(text,) * 4),
        *(
            told(f"INC-2026-{n:04d}", began=NOW - timedelta(days=n), severity=Severity.SEV2, texts=(text, text), over=True)
            for n in range(1, 8)
        ),
    )
    answer = await http.get("/status")
    page = Read(answer.text)
    linked = [attrs.get("href") or attrs.get("src") for tag, attrs in page.elements if tag == "script" or attrs.get("rel") == "stylesheet"]
    weights = [len(answer.content), *[len((await http.get(str(address))).content) for address in linked]]

    assert len(weights) == 3
    assert weights[0] < 15_000
    assert len((await http.get("/status", headers={"Accept-Encoding": "identity"})).content) == weights[0]


async def test_it_needs_no_script_and_brings_none_in_its_markup(http: httpx2.AsyncClient) -> None:
    """With JavaScript off the page says everything, and renews itself; nothing in it is run from the markup."""
    answer = await http.get("/status")
    page = Read(answer.text)
    handlers = [name for _, attrs in page.elements for name in attrs if name.startswith("on") or name == "style"]

    assert '<noscript><meta http-equiv="refresh" content="60"></noscript>' in answer.text
    assert handlers == []
    assert [attrs.get("src", "").startswith("/static/") for tag, attrs in page.elements if tag == "script"] == [True]  # type: ignore[union-attr]
    assert "script-src 'self'" in answer.headers["content-security-policy"]


PLACES = ["/status", "/status/history", "/status/incidents/{id}"]


@pytest.mark.parametrize("place", PLACES)
async def test_what_people_wrote_is_text(http: httpx2.AsyncClient, board: Board, place: str) -> None:
    """Markup, scripts, emoji and right-to-left words are shown as they were typed, and run nowhere; nothing turns the page's direction."""
    board.page = showing(told(title=NASTY, texts=(NASTY,), names=(NASTY,)), layout=Layout())
    async with await door_with(PublicSite(board, Layout())) as client:
        page = await read(client, place.format(id=public_id("INC-2026-0041")))

    assert READABLE in " ".join(page.said)
    assert "\u202e" not in " ".join(page.said)
    assert [len([tag for tag, _ in page.elements if tag == "script"])] == [1]
    assert [attrs for _, attrs in page.elements if "onload" in attrs] == []


async def test_a_text_without_end_does_not_make_the_page_so(http: httpx2.AsyncClient, board: Board) -> None:
    """Of 100 kB the page shows the beginning; all of it stands at the incident's own address."""
    long = "ab cd " * 17_000
    board.page = showing(told(title=long, texts=(long,) * 9))
    index = await http.get("/status")
    whole = await http.get(f"/status/incidents/{public_id('INC-2026-0041')}")

    assert len(index.content) < 15_000
    assert long.strip() in whole.text
    assert "All 9 updates" in index.text


async def test_each_incident_has_its_address_and_the_history_its_months(http: httpx2.AsyncClient, board: Board) -> None:
    """What is over is found by its month and year, and every incident at an address that stays."""
    board.page = showing(
        told(),
        told("INC-2026-0002", "Mail was slow", began=datetime(2026, 2, 3, 8, 0, tzinfo=UTC), texts=("a", "b"), over=True),
        told("INC-2025-0009", "Search was away", began=datetime(2025, 12, 30, 8, 0, tzinfo=UTC), texts=("a", "b"), over=True),
    )
    this_year, last_year = await read(http, "/status/history"), await read(http, "/status/history/2025")
    links = [attrs["href"] for tag, attrs in this_year.elements if tag == "a" and "/incidents/" in str(attrs.get("href"))]
    entries = [(await read(http, str(link))).text for link in links]

    assert re.findall(r"(?:November|February|December) 20\d\d", this_year.text) == ["November 2026", "February 2026"]
    assert ["Checkout fails in Europe" in entries[0], "Mail was slow" in entries[1], len(entries)] == [True, True, 2]
    assert re.findall(r"(?:November|February|December) 20\d\d", last_year.text) == ["December 2025"]


@pytest.mark.parametrize(
    "path", ["/status/nothing", "/status/incidents/INC-2026-0041", "/status/history/1999", "/status/api/v2/x.json", "/status/a/b/../c"]
)
async def test_what_is_not_there_is_not_there_and_tells_nothing(http: httpx2.AsyncClient, path: str) -> None:
    """A page that does not exist is answered by the public site, which knows no people and no insides."""
    answer = await http.get(path, headers={"Accept": "text/html"})

    assert (answer.status_code, answer.headers["cache-control"]) == (404, "no-store")
    assert [word for word in ("ana", "Declare", "Signed in", "urn:tocsin") if word in answer.text] == []


async def test_nothing_internal_stands_on_it(http: httpx2.AsyncClient) -> None:
    """Neither the incident's number nor its severity's name, neither a person nor a way in is found on any public page."""
    files = await PublicSite(Board(showing(told(), told("INC-2026-0002", texts=("a", "b"), over=True))), LAYOUT).files()
    found = [
        (path, word)
        for path, body in files.items()
        for word in ("INC-", "SEV", "/incidents/INC", "/login", "Declare")
        if word in body.decode()
    ]

    assert found == []
    assert len(files) == 18


async def test_a_second_look_costs_nothing(http: httpx2.AsyncClient) -> None:
    """Who has the page already is told so in a few bytes; caches on the way may keep it for seconds."""
    first = await http.get("/status")
    second = await http.get("/status", headers={"If-None-Match": f'W/{first.headers["etag"]}, "other"'})

    assert (304, b"", first.headers["etag"]) == (second.status_code, second.content, second.headers["etag"])
    assert first.headers["cache-control"] == "public, max-age=2"
    assert "set-cookie" not in first.headers


async def test_a_crowd_costs_one_reading(http: httpx2.AsyncClient, board: Board, clock: Clock) -> None:
    """However many look at once, the publications are read once; an update is there within five seconds."""
    await asyncio.gather(*(http.get(path) for path in ("/status", "/status/feed.rss", "/status/api/v2/summary.json") for _ in range(50)))
    read_for_all = board.readings
    board.page = showing()
    clock.at += 5

    assert read_for_all == 1
    assert "All systems operational" in (await read(http)).text


async def test_it_stands_when_what_is_behind_it_does_not(http: httpx2.AsyncClient, board: Board, clock: Clock) -> None:
    """While the publications can't be read, the page shows what was published last."""
    before = (await http.get("/status")).text
    board.broken = True
    clock.at += 60

    assert before == (await http.get("/status")).text


async def test_it_never_says_that_all_is_well_because_it_can_not_read(board: Board) -> None:
    """A page that knows nothing says that it knows nothing."""
    board.broken = True
    async with await door_with(PublicSite(board, LAYOUT)) as http:
        answer = await http.get("/status")
        exported = await http.get("/api/v1/status-page")

    assert (answer.status_code, exported.status_code) == (503, 503)
    assert "can't be shown right now" in answer.text


async def test_where_another_page_is_told_this_door_has_none() -> None:
    """An installation that publishes elsewhere shows no page of its own that would say that all is well."""
    async with await door_with(None) as http:
        answers = [await http.get(path) for path in ("/status", "/status/api/v2/summary.json", "/api/v1/status-page")]

    assert [answer.status_code for answer in answers] == [404, 404, 404]


# ---------------------------------------------------------------------- for machines


DOCUMENTS = {
    "summary.json": "summary",
    "status.json": "status",
    "components.json": "components",
    "incidents.json": "incidents",
    "incidents/unresolved.json": "incidents",
    "scheduled-maintenances.json": "scheduled-maintenances",
    "scheduled-maintenances/upcoming.json": "scheduled-maintenances",
    "scheduled-maintenances/active.json": "scheduled-maintenances",
}


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("busy", [True, False])
async def test_the_documents_have_the_shape_that_monitors_read(http: httpx2.AsyncClient, board: Board, name: str, busy: bool) -> None:
    """What reads other people's status pages reads this one."""
    if not SHAPES.is_dir():
        pytest.skip("no description of the shape here")
    board.page = showing(told(texts=("a", "b", "c")), told("INC-2026-0002", texts=("a", "b"), over=True)) if busy else showing()
    shape = json.loads((SHAPES / f"{DOCUMENTS[name]}.schema.json").read_text())
    answer = await http.get(f"/status/api/v2/{name}")

    assert [error.message for error in Draft202012Validator(shape).iter_errors(answer.json())] == []
    assert (answer.headers["content-type"], answer.headers["access-control-allow-origin"]) == ("application/json", "*")


async def test_the_summary_says_what_the_page_says(http: httpx2.AsyncClient) -> None:
    """How bad, which components, what is going on with its updates newest first, and when the next word is promised."""
    summary: dict[str, Any] = (await http.get("/status/api/v2/summary.json")).json()
    (incident,) = summary["incidents"]

    assert summary["status"] == {"indicator": "critical", "description": "Major outage"}
    assert {"Checkout": "major_outage", "Search": "operational"}.items() <= {
        one["name"]: one["status"] for one in summary["components"]
    }.items()
    assert [update["status"] for update in incident["incident_updates"]] == ["identified", "investigating"]
    assert (incident["impact"], incident["next_update_by"]) == ("critical", "2026-11-24T02:50:00.000Z")
    assert "https://status.example.org/incidents/" + incident["id"] == incident["shortlink"]
    assert summary["scheduled_maintenances"] == []


async def test_groups_are_components_with_components(http: httpx2.AsyncClient) -> None:
    """A group is as bad as the worst in it."""
    rows = (await http.get("/status/api/v2/components.json")).json()["components"]
    groups = {row["name"]: row for row in rows if row["group"]}

    assert {name: row["status"] for name, row in groups.items()} == {"Shop": "major_outage", "Platform": "operational"}
    assert [row["id"] for row in rows if row["group_id"] == groups["Shop"]["id"]] == groups["Shop"]["components"]


async def test_the_feed_tells_each_update_once(http: httpx2.AsyncClient, board: Board) -> None:
    """A reader of the feed hears of every update, newest first, whatever was written in it."""
    board.page = showing(told(title=NASTY, texts=("a", NASTY + "\ufffe")))
    feed = await http.get("/status/feed.rss")
    items = ElementTree.fromstring(feed.content).findall("channel/item")

    assert feed.headers["content-type"] == "application/rss+xml; charset=utf-8"
    assert [f"Identified: {READABLE}", f"Investigating: {READABLE}"] == [item.findtext("title") for item in items]
    assert len({item.findtext("guid") for item in items}) == 2
    assert [html.unescape(item.findtext("description") or "") for item in items] == [READABLE + "\N{REPLACEMENT CHARACTER}", "a"]


async def test_no_reader_of_a_feed_takes_words_for_markup(http: httpx2.AsyncClient, board: Board) -> None:
    """RSS readers show a description as HTML, so a smaller-than sign and a script are escaped for that; Atom says that it is text."""
    written = "p95 < 300 ms & falling\n<script>alert(1)</script>"
    board.page = showing(told(texts=(written,)))
    rss = ElementTree.fromstring((await http.get("/status/feed.rss")).content)
    answer = await http.get("/status/feed.atom")
    entry = ElementTree.fromstring(answer.content).find("{*}entry")

    assert rss.findtext("channel/item/description") == "p95 &lt; 300 ms &amp; falling<br>\n&lt;script&gt;alert(1)&lt;/script&gt;"
    assert answer.headers["content-type"] == "application/atom+xml; charset=utf-8"
    assert entry is not None
    assert (entry.findtext("{*}content"), entry.findtext("{*}updated")) == (written, "2026-11-24T02:10:00.000Z")
    assert (entry.findtext("{*}id") or "").startswith("https://status.example.org/incidents/")


# ---------------------------------------------------------------------- components


def test_the_days_of_a_component_are_as_bad_as_their_worst_hour() -> None:
    """Each day shows its worst state and how long the component was not well, over midnight and until now."""
    night = told(began=datetime(2026, 11, 22, 23, 30, tzinfo=UTC), severity=Severity.SEV2, texts=("a", "b", "c", "d", "e"), over=True)
    now = told(began=NOW - timedelta(minutes=30))
    days = bad_days("Checkout", [night, now], NOW)

    assert [(day.day.day, day.state, day.length // timedelta(minutes=1)) for day in days] == [
        (22, "partial_outage", 30),
        (23, "partial_outage", 10),
        (24, "major_outage", 30),
    ]
    assert bad_days("Search", [night, now], NOW) == ()


def test_components_stand_for_services_and_services_stay_inside() -> None:
    """The public reads the names of the page's components; a service that is part of none is not named."""
    layout = layout_from({"page": {"name": "Example"}, "components": [{"name": "Checkout", "services": ["checkout-api", "payments"]}]})

    assert layout.named(["payments", "vault-internal", "checkout-api"]) == ("Checkout",)
    assert Layout().named(["payments", "payments"]) == ("payments",)


@pytest.mark.parametrize(
    ("tables", "says"),
    [
        ({"componets": []}, "there is no table 'componets'"),
        ({"components": [{"name": "A"}, {"name": "A"}]}, "'A' is there twice"),
        ({"components": [{"title": "A"}]}, "components.0.name"),
        ({"page": {"url": "javascript:alert(1)"}}, "must begin with https://"),
        ({"page": "Example"}, ""),
    ],
)
def test_a_mistake_in_the_layout_is_named(tables: dict[str, Any], says: str) -> None:
    """A file that can't be used says where its mistake is."""
    if not says:
        assert layout_from(tables).name == "Example"
        return
    with pytest.raises(LayoutProblem, match=re.escape(says)):
        layout_from(tables)


# ---------------------------------------------------------------------- what was published, from end to end


def published(number: int, *, incident: str = "INC-2026-0041", drill: bool = False, **ask: Any) -> Delivery:
    whole = {
        "title": "Checkout fails",
        "status": "investigating",
        "severity": "SEV1",
        "body": "We look.",
        "components": ("checkout",),
        **ask,
    }
    return Delivery(incident=incident, key=f"{incident}:{number}", drill=drill, at=NOW, ask=Publish.model_validate(whole))


async def test_only_what_was_published_for_real_is_shown(tmp_path: Path) -> None:
    """A drill's publications never reach the public, in no page, document or feed; a real one's do."""
    ledger = Ledger(tmp_path / "embedded.db", clock=lambda: NOW)
    page = EmbeddedStatusPage(ledger)
    await page.publish(published(1, incident="INC-2026-0001", drill=True, title="ZANZIBAR", body="ZANZIBAR", components=("ZANZIBAR",)))
    await page.publish(published(1))
    await page.publish(published(2, status=PublicStatus.RESOLVED, body="It is over."))
    files = await PublicSite(page).files()
    await ledger.close()

    assert [path for path, body in files.items() if b"ZANZIBAR" in body] == []
    assert b"It is over." in files["feed.rss"]
    assert b"All systems operational" in files["index.html"]


# ---------------------------------------------------------------------- as files


async def test_the_exported_site_links_only_within_itself(board: Board) -> None:
    """The folder works on any web server, at any address: every link in it leads to a file of it."""
    board.page = showing(told(), told("INC-2025-0002", began=datetime(2025, 3, 1, tzinfo=UTC), texts=("a", "b"), over=True))
    files = await PublicSite(board, LAYOUT).files()
    broken = []
    for path, body in files.items():
        if not path.endswith(".html"):
            continue
        for _, attrs in Read(body.decode()).elements:
            address = attrs.get("href") or attrs.get("src") or "#"
            if address.startswith("#"):
                continue
            target = urljoin(f"https://here/{path}", address).removeprefix("https://here/")
            if not {target, f"{target}index.html"} & set(files):
                broken.append((path, address))

    assert broken == []


def test_only_what_changed_is_written_and_nothing_outside(tmp_path: Path) -> None:
    """Exporting again touches only what is new, and no server can make it write elsewhere."""
    first = write(tmp_path / "site", {"index.html": "a", "api/v2/status.json": "{}"})
    second = write(tmp_path / "site", {"index.html": "b", "api/v2/status.json": "{}"})

    assert (first, second) == (["api/v2/status.json", "index.html"], ["index.html"])
    assert (tmp_path / "site" / "index.html").read_text() == "b"
    with pytest.raises(Failure, match="outside the folder"):
        write(tmp_path / "site", {"../evil.html": "x"})
