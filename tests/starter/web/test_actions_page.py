"""The action items of all incidents on one page: overdue ones first, done by one press."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator

import httpx2
import pytest

from tests.incident.walk import Walk
from tests.starter.web.nights import ONE, WalkedDesk, after, opened

TWO = "INC-2026-0002"


@pytest.fixture
async def desk() -> WalkedDesk:
    made = await WalkedDesk.made()
    assert isinstance(made, WalkedDesk)
    first = made.holds(after())
    first.does("add_action_item", item="Budget the retries", owner="ben", due="2026-11-24")
    first.does("add_action_item", item="Test the rollback", owner="cem", due="2036-11-01")
    second = made.holds(Walk.open("SEV2", drill=True), TWO)
    second.does("add_action_item", item="Practise again", owner="ben", due="2036-11-02")
    return made


@pytest.fixture
async def http(desk: WalkedDesk) -> AsyncIterator[httpx2.AsyncClient]:
    async with opened(desk, None) as client:
        yield client


async def test_what_is_to_do_stands_by_due_date_over_all_incidents(http: httpx2.AsyncClient) -> None:
    """Nobody has to open each incident to know what is owed; drills look like drills."""
    page = (await http.get("/actions")).text
    places = [page.index(text) for text in ("Budget the retries", "Test the rollback", "Practise again")]

    assert "3 open," in page
    assert places == sorted(places)
    assert page.count('class="pill drill"') == 1


async def test_an_item_is_done_by_one_press_and_leaves_the_list(http: httpx2.AsyncClient, desk: WalkedDesk) -> None:
    """It goes through the incident's own command, and comes back to the same filters."""
    answer = await http.post("/actions?owner=ben", data={"incident": ONE, "id": "AI-1"})
    page = (await http.get("/actions")).text

    assert (answer.status_code, answer.headers["location"]) == (303, "/actions?owner=ben")
    assert desk.asked[-1][:2] == (ONE, "complete_action_item")
    assert "Budget the retries" not in page
    assert "Budget the retries" in (await http.get("/actions?show=all")).text


async def test_an_item_that_is_given_to_somebody_else_is_changed_in_its_room(http: httpx2.AsyncClient, desk: WalkedDesk) -> None:
    """The link leads to the form with the item chosen, and what is left empty there stays as it is."""
    page = (await http.get("/actions")).text
    (link,) = re.findall(r'href="(/incidents/[^"#]*do=change_action_item&amp;id=AI-2[^"#]*)', page)
    room = (await http.get(html.unescape(link))).text
    form = room[room.index('id="do-change_action_item"') :].partition("</form>")[0]
    answer = await http.post(f"/incidents/{ONE}/do/change_action_item", data={"id": "AI-2", "owner": "ben", "item": "", "due": ""})
    after = (await http.get("/actions?owner=ben")).text

    assert re.search(r'<option value="AI-2"[^>]* selected', form)
    assert 'value="cem"' in form
    assert answer.status_code < 400
    assert desk.asked[-1][:2] == (ONE, "change_action_item")
    assert "Test the rollback" in after


@pytest.mark.parametrize(
    ("query", "expected"),
    [("?owner=cem", ["AI-2"]), ("?show=all&owner=ben", ["AI-1", "AI-1"]), ("?owner=nobody", [])],
)
async def test_filters_stand_in_the_address(http: httpx2.AsyncClient, query: str, expected: list[str]) -> None:
    """A list can be sent to its owner as a link."""
    page = (await http.get(f"/actions{query}")).text

    assert re.findall(r"<strong>(AI-\d+)</strong>", page) == expected


async def test_a_refusal_is_told_on_the_same_page(http: httpx2.AsyncClient) -> None:
    """An item that there is not is said not to be there, with those that are."""
    answer = await http.post("/actions", data={"incident": ONE, "id": "AI-9"})

    assert answer.status_code == 409
    assert "No action item is called" in answer.text
    assert "Test the rollback" in answer.text


async def test_the_api_tells_the_same(http: httpx2.AsyncClient) -> None:
    """What the page lists, scripts can list."""
    found = (await http.get("/api/v1/actions?open=true&owner=ben")).json()["action_items"]

    assert [(item["incident"], item["id"], item["owner"], item["status"]) for item in found] == [
        (ONE, "AI-1", "ben", "open"),
        (TWO, "AI-1", "ben", "open"),
    ]
