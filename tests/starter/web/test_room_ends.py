"""The room at its edges: an incident that was none, one that nobody works on, and what its answers leave unsaid."""

from __future__ import annotations

import re

import httpx2
import pytest

from incident.vocabulary import Phase
from tests.starter.test_last_known import history
from tests.starter.web.memory import MemoryDesk
from tests.starter.web.test_room import FRAGMENT, TO_RESOLUTION, Markup, opened, walked


def steps(page: str) -> list[tuple[str, str]]:
    """The phases as the head shows them: state and name."""
    found = re.search(r'<ol class="steps".*?</ol>', page, re.S)
    assert found is not None
    return [(state, Markup(text).text) for state, text in re.findall(r'<li class="(\w+)"[^>]*>(.*?)</li>', found.group(), re.S)]


@pytest.mark.parametrize(
    ("kind", "more", "label"),
    [
        ("false_alarm", {}, "Dismissed: false alarm"),
        ("planned_maintenance", {}, "Dismissed: planned maintenance"),
        ("duplicate", {"duplicate_of": "INC-2026-0009"}, "Closed: duplicate of INC-2026-0009"),
    ],
)
async def test_a_dismissed_incident_says_what_it_was_by_whose_word_and_how_far_it_went(
    http: httpx2.AsyncClient, desk: MemoryDesk, kind: str, more: dict[str, str], label: str
) -> None:
    """Only the phases that it reached are ticked; the words of the record are those of people."""
    incident = await opened(desk)
    await desk.command(incident, "dismiss", {"by": "ben", "as": kind, "reason": "the probe was broken", **more})
    page = (await http.get(f"/incidents/{incident}")).text
    listed = (await http.get("/", params={"open": "false"})).text

    assert [state for state, _ in steps(page)] == ["done", "done", *["unreached"] * 4, "ended"]
    assert steps(page)[-1][1] == label
    assert "How it ended" in page
    assert "By ben at" in Markup(page).text
    assert "the probe was broken" in Markup(page).text
    assert ">false_alarm<" not in page
    assert label.partition(" of ")[0] in listed


async def test_a_resolved_incident_went_through_all_phases(http: httpx2.AsyncClient, desk: MemoryDesk) -> None:
    """What was closed in the end is ticked to the end."""
    incident = await opened(desk)
    desk.incidents[incident] = desk.incidents[incident].model_copy(update={"phase": Phase.CLOSED, "outcome": "resolved"})
    page = (await http.get(f"/incidents/{incident}")).text

    assert [state for state, _ in steps(page)] == [*["done"] * 6, "ended"]
    assert steps(page)[-1][1] == "Resolved and closed"


async def test_a_room_that_nobody_works_on_is_shown_as_it_was_left(http: httpx2.AsyncClient, desk: MemoryDesk) -> None:
    """Severity, phase, clocks, roles, links and every form are there, with the age of what is shown; nothing reloads by markup."""
    incident = await opened(desk)
    run, _ = history("mid-flight-1")
    desk.latest[incident] = run
    desk.working = False
    answer = await http.get(f"/incidents/{incident}")
    page = Markup(answer.text)

    assert answer.status_code == 503
    assert re.search(r"No worker answers\. This is how one left it at .*UTC ?, .* ago", page.text)
    assert "SEV1" in page.text
    assert {"r-clocks", "r-people", "r-next", "composer", "timeline"} <= {attributes.get("id") for _, attributes in page.tags}
    assert ("a", {"href": f"/incidents/{incident}"}) in page.tags
    assert [attributes for tag, attributes in page.tags if tag == "meta" and attributes.get("http-equiv")] == []
    assert "hx-trigger" not in answer.text


async def test_where_the_history_is_gone_as_well_lists_are_believed(http: httpx2.AsyncClient, desk: MemoryDesk) -> None:
    """The row is what remains: severity, phase, commander, the next clock with what is left of it, and the links."""
    incident = await opened(desk)
    desk.working = False
    page = Markup((await http.get(f"/incidents/{incident}")).text)

    assert "No worker answers" in page.text
    assert re.search(r"internal update due .* (9|10):\d\d left", page.text)
    assert ("a", {"href": f"/incidents/{incident}/audit"}) in page.tags
    assert [attributes for tag, attributes in page.tags if tag == "meta" and attributes.get("http-equiv")] == []
    assert "late" not in {attributes.get("class") for _, attributes in page.tags}


async def test_a_drills_verification_period_is_said_in_seconds(http: httpx2.AsyncClient, desk: MemoryDesk) -> None:
    """Fifteen seconds are not a quarter of a minute."""
    incident = await opened(desk, drill=True)
    await walked(desk, incident, TO_RESOLUTION)
    page = Markup((await http.get(f"/incidents/{incident}")).text).text

    assert "Verification period of 15 s passed" in page
    assert "0.25" not in page


async def test_a_refusal_offers_the_step_that_is_missing(http: httpx2.AsyncClient, desk: MemoryDesk) -> None:
    """Too early is answered with the way onwards, as a button that opens its form."""
    incident = await opened(desk)
    answer = Markup((await http.post(f"/incidents/{incident}/do/hypothesize", data={"text": "x"}, headers=FRAGMENT)).text)
    links = {attributes.get("href"): attributes.get("data-do") for tag, attributes in answer.tags if tag == "a"}

    assert links == {"?do=advance#do-advance": "advance"}


async def test_open_items_can_be_ticked_where_they_stand_in_the_way(http: httpx2.AsyncClient, desk: MemoryDesk) -> None:
    """The list of what blocks is a list of what can be done."""
    incident = await opened(desk)
    page = (await http.get(f"/incidents/{incident}")).text
    blocking = page[page.index('id="blockers"') : page.index('id="answer"')]
    items = [attributes.get("value") for tag, attributes in Markup(blocking).tags if attributes.get("name") == "item"]

    assert items == ["channel_created", "commander_assigned", "status_page_updated"]
    assert "check channel_created" not in Markup(page).text
