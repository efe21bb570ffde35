"""The numbers of known nights, worked out by hand, against what the page, the file and each number's own list say."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from incident.durations import lasted
from incident.vocabulary import Phase
from tests.incident.walk import DOCUMENT, Walk, opening_of
from tests.starter.web.nights import WalkedDesk, opened

TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def night(number: int, severity: str, service: str, *, acknowledged: float, mitigated: float, verified: float) -> Walk:
    """One that was declared as it was opened; mitigated and resolved so many minutes after that."""
    walk = Walk(opening_of(severity, services=[service], customer_facing=True), TODAY - timedelta(days=number + 2))
    walk.forward(minutes=acknowledged)
    walk.does("acknowledge")
    walk.reaches(Phase.MITIGATION)
    walk.forward(minutes=mitigated - acknowledged)
    walk.mitigates()
    walk.does("advance", reason="the rest is done while we verify")
    walk.confirms()
    walk.forward(minutes=verified)
    walk.does("resolve", root_cause="The retry budget.", fix_applied="Rolled back.")
    return walk


@pytest.fixture
async def desk() -> WalkedDesk:
    """Five SEV1s on checkout and one SEV2 on search; and, left out, a drill and a false alarm."""
    made = await WalkedDesk.made()
    assert isinstance(made, WalkedDesk)
    for number, acknowledged in enumerate((1, 2, 3, 4, 20), start=1):
        walk = night(number, "SEV1", "checkout", acknowledged=acknowledged, mitigated=30 * number, verified=15)
        if number <= 3:
            walk.forward(hours=1 if number <= 2 else 49)
            walk.does("file_postmortem", document=DOCUMENT)
        made.holds(walk, f"INC-2026-{number:04d}")
    made.holds(night(6, "SEV2", "search", acknowledged=10, mitigated=40, verified=15), "INC-2026-0006")
    first = made.walks["INC-2026-0001"]
    for item, due in (("Budget the retries", 30), ("Alert on retries", -1)):
        first.does("add_action_item", item=item, owner="ben", due=(TODAY + timedelta(days=due)).date().isoformat())
    first.does("complete_action_item", id="AI-1")
    first.refused("close")
    made.holds(Walk(opening_of("SEV1", drill=True), TODAY - timedelta(days=1)), "INC-2026-0007").does("acknowledge")
    none = made.holds(Walk(opening_of("SEV3"), TODAY - timedelta(days=1)), "INC-2026-0008")
    none.does("dismiss", reason="A test of the monitoring", **{"as": "false_alarm"})
    return made


@pytest.fixture
async def http(desk: WalkedDesk) -> AsyncIterator[httpx2.AsyncClient]:
    async with opened(desk, None) as client:
        yield client


def said(html: str) -> str:
    """What a reader sees, in one line."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


async def test_medians_spread_and_mean_of_known_nights(http: httpx2.AsyncClient) -> None:
    """Acknowledged after 1, 2, 3, 4, 10 and 20 min: half within 3 min 30 s, 90 % within 15 min, the mean twice the median."""
    page = (await http.get("/analytics?days=0")).text
    cards = [said(card) for card in re.findall(r'<div class="number">(.*?)</div>', page, re.DOTALL)]

    assert cards == [
        "Time to acknowledge 3 min 30 s 90 % within 15 min 1 min to 20 min · mean 6 min 40 s (weak) median of 6 incidents",
        "Time to declare 0 s 90 % within 0 s all 0 s · mean 0 s (weak) median of 6 incidents",
        "Time to mitigate 1 h 15 min 90 % within 2 h 15 min 30 min to 2 h 30 min · mean 1 h 21 min (weak) median of 6 incidents",
        "Time to resolve 1 h 30 min 90 % within 2 h 30 min 45 min to 2 h 45 min · mean 1 h 36 min (weak) median of 6 incidents",
    ]


async def test_a_severity_narrows_every_number(http: httpx2.AsyncClient) -> None:
    """Of the five SEV1s alone, the middle one is the median; of one SEV2 there are too few to compare."""
    page = (await http.get("/analytics?days=0&severity=SEV1")).text
    cards = [said(card) for card in re.findall(r'<div class="number">(.*?)</div>', page, re.DOTALL)]
    other = (await http.get("/analytics?days=0&service=search")).text

    assert cards[0].startswith("Time to acknowledge 3 min 90 % within 13 min 36 s 1 min to 20 min · mean 6 min")
    assert "Time to acknowledge</h2>" in other
    assert "10 min</a>" in other
    assert other.count("too few to compare") >= 4


async def test_promises_refusals_and_items_of_known_nights(http: httpx2.AsyncClient) -> None:
    """One of six acknowledgements came after its 15 min; two of six post-mortems were filed in time."""
    made: dict[str, Any] = (await http.get("/api/v1/analytics?days=0")).json()
    kept = {name: (one["on_time"], one["due"], one["late"]) for name, one in made["on_time"].items()}

    assert kept["acknowledge"] == (5, 6, ["INC-2026-0005"])
    assert kept["postmortem"] == (2, 6, ["INC-2026-0003", "INC-2026-0004", "INC-2026-0005", "INC-2026-0006"])
    assert [(one["code"], one["count"], one["incidents"]) for one in made["refusals"]] == [("undocumented", 1, ["INC-2026-0001"])]
    assert {name: made["action_items"][name] for name in ("total", "done", "waived", "open", "overdue")} == {
        "total": 2,
        "done": 1,
        "waived": 0,
        "open": 1,
        "overdue": 1,
    }


@pytest.mark.parametrize(
    ("number", "incidents"),
    [
        ("all", ["0001", "0002", "0003", "0004", "0005", "0006"]),
        ("drills", ["0007"]),
        ("no-incident", ["0008"]),
        ("severity:SEV2", ["0006"]),
        ("service:search", ["0006"]),
        ("late:acknowledge", ["0005"]),
        ("items:done", ["0001"]),
        ("items:overdue", ["0001"]),
        ("items:waived", []),
        ("refused:undocumented", ["0001"]),
    ],
)
async def test_each_number_leads_to_just_its_incidents(http: httpx2.AsyncClient, number: str, incidents: list[str]) -> None:
    """Whoever doubts a number sees the nights that it is made of, those that are left out too."""
    page = (await http.get("/analytics", params={"days": 0, "behind": number})).text
    behind = page[page.index('id="behind"') : page.index('class="numbers"')]

    assert sorted(set(re.findall(r'href="/incidents/INC-2026-(\d+)"', behind))) == incidents


async def test_every_number_on_the_page_is_a_link(http: httpx2.AsyncClient) -> None:
    """No count stands there that one must believe."""
    page = (await http.get("/analytics?days=0")).text
    targets = set(re.findall(r'href="/analytics\?[^"]*behind=([^"#&]+)', page))

    assert {"all", "open", "drills", "no-incident", "acknowledge", "declare", "mitigate", "resolve"} <= targets
    assert {"items%3Aopen", "items%3Aoverdue", "items%3Adone", "items%3Awaived", "items%3Atotal"} <= targets
    assert {"refused%3Aundocumented", "due%3Aacknowledge", "late%3Apostmortem", "severity%3ASEV1", "service%3Acheckout"} <= targets


async def test_the_file_has_the_seconds_of_each_counted_incident(http: httpx2.AsyncClient) -> None:
    """A spreadsheet comes to the same numbers."""
    rows = list(csv.DictReader(io.StringIO((await http.get("/api/v1/analytics.csv?days=0")).text)))
    times = {
        row["incident"][-1]: tuple(float(row[name]) / 60 for name in ("acknowledge", "declare", "mitigate", "resolve")) for row in rows
    }

    assert times == {
        "1": (1, 0, 30, 45),
        "2": (2, 0, 60, 75),
        "3": (3, 0, 90, 105),
        "4": (4, 0, 120, 135),
        "5": (20, 0, 150, 165),
        "6": (10, 0, 40, 55),
    }


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (42.4, "42 s"), (60, "1 min"), (270, "4 min 30 s"), (3600, "1 h"), (4920, "1 h 22 min"), (187_200, "2 d 4 h")],
)
def test_how_long_something_took_is_said_with_its_units(seconds: float, text: str) -> None:
    """Nobody wonders whether 4:30 are minutes or hours."""
    assert lasted(seconds) == text
