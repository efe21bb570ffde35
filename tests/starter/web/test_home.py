"""The list of incidents and the form that opens one."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from starter import pulse as pulses
from starter.health import Health
from tests.starter.web.memory import MemoryDesk
from tests.starter.web.test_room import SCRIPT, Markup, opened


@pytest.fixture
def well(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker works."""

    async def ready(_: Health) -> dict[str, Any]:
        return {"ok": True, "checks": [{"name": "worker", "ok": True, "detail": "a worker answers"}]}

    monkeypatch.setattr(Health, "ready", ready)


async def test_the_most_urgent_clock_is_on_top(http: httpx2.AsyncClient, desk: MemoryDesk, well: None) -> None:
    """Sorted by what is due next, not by age."""
    for severity, title in (("SEV3", "slow"), ("SEV1", "down"), ("SEV2", "half")):
        await opened(desk, severity=severity, title=title)
    page = (await http.get("/")).text

    assert sorted(("down", "half", "slow"), key=lambda title: page.index(f"<strong>{title}</strong>")) == ["down", "half", "slow"]


async def test_what_was_closed_last_is_on_top_of_the_closed(http: httpx2.AsyncClient, desk: MemoryDesk, well: None) -> None:
    """Whoever looks for last night's incident finds it first, however long ago it was opened; the row says when it closed."""
    opened = [str((await desk.open({"by": "ana", "title": title, "severity": "SEV3"}))["incident"]) for title in ("old", "newer", "newest")]
    for incident in (opened[1], opened[2], opened[0]):
        await desk.command(incident, "dismiss", {"by": "ana", "reason": "a test of ours", "as": "false_alarm"})
        desk.ahead += timedelta(minutes=5)
    page = (await http.get("/?open=false")).text

    assert sorted(("old", "newer", "newest"), key=lambda title: page.index(f"<strong>{title}</strong>")) == ["old", "newest", "newer"]
    assert page.count(">closed ") == 3


async def test_what_is_overdue_or_mine_needs_me(http: httpx2.AsyncClient, desk: MemoryDesk, well: None) -> None:
    """On top stands what is late, whoever owes it, and what I owe, each with the button that does it."""
    desk.ahead = timedelta(minutes=-12)
    late = await opened(desk, title="late")
    desk.ahead = timedelta(0)
    mine, other = await opened(desk, title="mine"), await opened(desk, title="of others")
    for incident, role, person in ((mine, "communications", "ana"), (other, "communications", "ben")):
        await desk.command(incident, "assign", {"by": "x", "role": role, "person": person})
    html = (await http.get("/")).text
    page = Markup(html).text
    needs = page[page.index("Needs you") : page.index("Open incidents")]

    assert [incident for incident in (late, mine, other) if incident in needs] == [late, mine]
    assert "internal update 2:0" in needs
    assert "commander owes it" in needs
    assert re.search(r"external update due in 1[45]:\d\d yours", needs)
    assert f'href="/incidents/{mine}?do=post_update&amp;audience=external#do-post_update"' in html


async def test_drills_are_marked_and_can_be_left_out(http: httpx2.AsyncClient, desk: MemoryDesk, well: None) -> None:
    """Practice looks like practice in every list."""
    await opened(desk, title="practice", drill=True)
    everything, real = [(await http.get("/", params=filters)).text for filters in ({}, {"drill": "false"})]

    assert "is-drill" in everything
    assert "Drill</span>" in everything
    assert ">practice<" in everything
    assert ">practice<" not in real


@pytest.mark.parametrize(
    ("filters", "titles"),
    [
        ({"severity": "SEV1"}, {"one"}),
        ({"severity": "2"}, {"two"}),
        ({"phase": "triage"}, set()),
        ({"service": "search"}, {"two"}),
        ({"severity": "", "service": "", "open": "true"}, {"one", "two"}),
        ({"open": "false"}, set()),
    ],
)
async def test_filters_live_in_the_address(
    http: httpx2.AsyncClient, desk: MemoryDesk, well: None, filters: dict[str, str], titles: set[str]
) -> None:
    """A list can be sent to somebody as it is."""
    await opened(desk, title="one", severity="SEV1", services=["checkout"])
    await opened(desk, title="two", severity="SEV2", services=["search"])
    page = (await http.get("/", params=filters)).text

    assert {title for title in ("one", "two") if f"<strong>{title}</strong>" in page} == titles


async def test_a_filter_that_there_is_not_is_told(http: httpx2.AsyncClient) -> None:
    """A mistyped address is a sentence, not an empty list."""
    answer = await http.get("/", params={"phase": "lunch"}, headers={"Accept": "text/html"})

    assert answer.status_code == 422
    assert "phase" in answer.text


async def test_an_empty_list_teaches(http: httpx2.AsyncClient, well: None) -> None:
    """One sentence, one button, one command."""
    page = (await http.get("/")).text

    assert "No open incidents." in page
    assert 'href="/declare">Declare an incident' in page
    assert "tocsin declare" in page
    assert "tocsin drill" in page


async def test_a_list_that_nobody_works_on_says_so(http: httpx2.AsyncClient, desk: MemoryDesk) -> None:
    """What lists know is shown; that nothing is carried out stands above it."""
    await opened(desk)
    page = Markup((await http.get("/")).text).text

    assert "Commands are accepted but nothing is executing" in page
    assert "tocsin doctor" in page
    assert "Checkout fails" in page


class Looked(Health):
    """Says at first that all is well, then takes its time. `looks` are the answers that it owes."""

    def __init__(self) -> None:
        self.looks: list[asyncio.Future[dict[str, Any]]] = []

    async def ready(self) -> dict[str, Any]:
        self.looks.append(asyncio.get_running_loop().create_future())
        return {"ok": True, "checks": []} if len(self.looks) == 1 else await self.looks[-1]


async def test_all_pages_together_look_for_a_worker_once_in_a_while() -> None:
    """A hundred open lists don't ask a hundred times."""
    health = Looked()
    pulse = pulses.Pulse(health)
    troubles = [await pulse.trouble() for _ in range(3)]

    assert troubles == [None, None, None]
    assert len(health.looks) == 1


async def test_a_worker_that_stops_is_noticed_by_the_pages_that_are_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """The word of a moment ago is not taken for the present."""
    monkeypatch.setattr(pulses, "PULSE_KEPT", timedelta(0))
    monkeypatch.setattr(pulses, "PULSE_WITHIN", timedelta(milliseconds=20))
    health = Looked()
    pulse = pulses.Pulse(health)
    well, silent = await pulse.trouble(), await pulse.trouble()
    health.looks[-1].set_result({"ok": False, "checks": [{"ok": False, "detail": "gone"}]})
    gone = await pulse.trouble()

    assert well is None
    assert silent == pulses.NO_SIGN
    assert gone == {"ok": False, "detail": "gone"}


async def test_a_worker_that_works_is_not_mentioned(http: httpx2.AsyncClient, desk: MemoryDesk, well: None) -> None:
    """Good news is no news."""
    assert "nothing is executing" not in (await http.get("/")).text


async def test_declaring_leads_to_the_room_and_twice_is_once(http: httpx2.AsyncClient, desk: MemoryDesk) -> None:
    """The form's key makes a double click one incident."""
    form = {"title": "Checkout fails", "severity": "SEV1", "services": "checkout\nweb\n", "customer_facing": "yes", "key": "k1"}
    answers = [await http.post("/declare", data=form) for _ in range(2)]
    state = desk.incidents["INC-2026-0001"]

    assert [(answer.status_code, answer.headers["location"]) for answer in answers] == [(303, "/incidents/INC-2026-0001")] * 2
    assert list(desk.incidents) == ["INC-2026-0001"]
    assert (state.severity, state.services, state.customer_facing, state.opened_by) == ("SEV1", ("checkout", "web"), True, "ana")


async def test_a_title_alone_is_a_report(http: httpx2.AsyncClient, desk: MemoryDesk) -> None:
    """Without a severity it waits in detection."""
    await http.post("/declare", data={"title": "Strange", "severity": "", "services": "", "customer_facing": ""})

    assert desk.incidents["INC-2026-0001"].phase == "detection"


async def test_the_matrix_decides_from_what_is_ticked(http: httpx2.AsyncClient, desk: MemoryDesk) -> None:
    """Factors are a form as well."""
    await http.post("/declare", data={"title": "Down", "factors.complete_outage": "yes", "factors.users_affected_percent": "60"})

    assert desk.incidents["INC-2026-0001"].severity == "SEV1"


async def test_a_mistake_names_its_field_and_keeps_the_rest_and_the_key(http: httpx2.AsyncClient, desk: MemoryDesk) -> None:
    """What was typed is still there; pressing again is the same request."""
    form = {"title": "", "summary": SCRIPT, "severity": "SEV9", "factors.users_affected_percent": "many", "key": "k1"}
    answer = await http.post("/declare", data=form)
    tags = Markup(answer.text).tags

    assert answer.status_code == 422
    assert {attributes["name"] for _, attributes in tags if attributes.get("aria-invalid")} == {
        "severity",
        "factors.users_affected_percent",
    }
    assert SCRIPT in Markup(answer.text).text
    assert 'name="key" value="k1"' in answer.text
    assert desk.incidents == {}


async def test_an_empty_form_says_what_is_needed_by_its_label(http: httpx2.AsyncClient, desk: MemoryDesk) -> None:
    """The title is missing, and it is called what the form calls it."""
    answer = await http.post("/declare", data={"title": "", "severity": "", "users_affected": "some"})

    assert answer.status_code == 422
    assert '<li><a href="#o-title">Title</a> is missing</li>' in answer.text
    assert 'value="some"' in answer.text
    assert desk.incidents == {}


async def test_the_jump_palette_knows_open_incidents_and_pages(http: httpx2.AsyncClient, desk: MemoryDesk) -> None:
    """Ctrl-K reaches everything that burns."""
    await opened(desk)
    jump = (await http.get("/jump")).json()["jump"]

    assert {"label": "SEV1 INC-2026-0001 Checkout fails", "href": "/incidents/INC-2026-0001"} in jump
    assert {"label": "Declare an incident", "href": "/declare"} in jump


async def test_a_hidden_tab_can_ask_for_the_clock_alone(http: httpx2.AsyncClient, desk: MemoryDesk) -> None:
    """One small answer keeps the title right."""
    badge = (await http.get(f"/incidents/{await opened(desk)}/badge")).json()

    assert badge["clock"] == "internal_update"
    assert badge["due"] > badge["now"]
