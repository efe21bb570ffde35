"""Text that turns its direction, in every field: shown for what it is inside, gone outside, and kept where it is typed."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import httpx2
import pytest

from incident.vocabulary import Phase
from tests.incident.walk import Walk
from tests.starter.web.nights import ONE, HeldDrafts, WalkedDesk, opened

OVERRIDE = "\N{RIGHT-TO-LEFT OVERRIDE}"
ISOLATE = "\N{RIGHT-TO-LEFT ISOLATE}"
NAME = f"ana{OVERRIDE}txt.exe"
TEXT = f"مرحبا {ISOLATE}reboot{OVERRIDE}"
TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")

PAGES = (
    "/",
    f"/incidents/{ONE}",
    f"/incidents/{ONE}?timeline=all",
    f"/incidents/{ONE}/postmortem?view=write",
    f"/incidents/{ONE}/postmortem?view=read",
    f"/incidents/{ONE}/postmortem/history/lessons-learned",
    f"/incidents/{ONE}/audit",
    "/postmortems",
    "/actions?show=all",
    "/analytics?days=0&behind=open",
)


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    desk, drafts = await WalkedDesk.made(), HeldDrafts()
    assert isinstance(desk, WalkedDesk)
    walk = Walk.open("SEV1", title=TEXT, summary=TEXT, services=[NAME], by=NAME).reaches(Phase.TRIAGE)
    walk.does("assign", role="commander", person=NAME, by=NAME)
    for verb in ("note", "hypothesize"):
        walk.does(verb, text=TEXT, by=NAME)
    walk.does("post_update", audience="internal", text=TEXT, by=NAME)
    walk.does("add_action_item", item=TEXT, owner=NAME, due="2026-12-01", by=NAME)
    desk.holds(walk.reaches(Phase.POST_INCIDENT))
    async with opened(desk, drafts) as client:
        await client.put(f"/api/v1/incidents/{ONE}/postmortem/draft/lessons-learned", json={"text": TEXT, "by": NAME})
        yield client


@pytest.mark.parametrize("path", PAGES)
async def test_nothing_on_a_page_turns_the_text_around_it(http: httpx2.AsyncClient, path: str) -> None:
    """What would turn the direction stands there by its number; only boxes and values, which come back as they are, hold it still."""
    page = (await http.get(path)).text
    read = re.sub(r"<textarea.*?</textarea>|data-(row|point)=\"[^\"]*\"|value=\"[^\"]*\"", "", page, flags=re.DOTALL)

    assert TURNING.findall(read) == []
    assert "[U+202E]" in read or "[U+2067]" in read


async def test_what_is_typed_comes_back_as_it_was(http: httpx2.AsyncClient) -> None:
    """Nobody's text is changed by being looked at, or by a mistake elsewhere in the form."""
    page = (await http.get(f"/incidents/{ONE}/postmortem?view=write")).text
    wrong = (await http.post("/declare", data={"title": "", "summary": TEXT, "severity": "SEV9"})).text

    assert f"{TEXT}</textarea>" in page
    assert f"{TEXT}</textarea>" in wrong


async def test_every_page_s_style_keeps_foreign_text_to_itself(http: httpx2.AsyncClient) -> None:
    """A word that is written from the right moves nothing that stands beside it."""
    page = (await http.get("/")).text
    style = (await http.get(re.findall(r'href="(/static/[0-9a-f]+/tocsin\.css)"', page)[0])).text
    public = (await http.get("/static/x/status.css")).text

    assert all("unicode-bidi: isolate" in each for each in (style, public))
