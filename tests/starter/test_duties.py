"""Who is asked for what, over all incidents: every owner, and not the commander alone."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from incident import snapshot
from incident.paging import PageReport
from incident.vocabulary import Phase
from starter import duties
from starter.api import Door, create_app
from starter.duties import Duties, of
from starter.problems import NoWorker
from tests.incident.walk import DOCUMENT, PLAN, Walk
from tests.starter.test_api import HERE
from tests.starter.web.memory import MemoryDesk


def asked(walk: Walk, person: str) -> list[tuple[str, str | None]]:
    """What `person` is asked for: the words, and the verb that does it."""
    found = duties.ordered(of(snapshot.state(walk.incident, walk.now), person), walk.now)
    return [(duty.what, duty.verb) for duty in found if duty.mine]


def burning() -> Walk:
    walk = Walk.open("SEV1", customer_facing=True)
    walk.does("acknowledge")
    for role, person in (("commander", "eva"), ("communications", "dana"), ("operations", "omar"), ("scribe", "sam")):
        walk.does("assign", role=role, person=person)
    return walk


def test_each_role_is_asked_for_what_it_owes() -> None:
    """The commander for the team, the communications lead for the public; who holds a role without a clock is reminded of it."""
    walk = burning()

    assert ("internal update", "post_update") in asked(walk, "eva")
    assert asked(walk, "dana") == [("first status-page post", "post_update"), ("external update", "post_update")]
    assert [what.partition(":")[0] for what, _ in asked(walk, "@Omar")] == ["you are operations"]
    assert [what.partition(":")[0] for what, _ in asked(walk, "sam")] == ["you are scribe"]
    assert asked(walk, "wei") == []


def test_who_is_paged_is_asked_to_acknowledge_until_somebody_has() -> None:
    """A page stands on top of the list of whoever it went to, not of everybody on call."""
    walk = Walk.open(None)
    walk.record([PageReport(outcome="paged", role="primary on-call", person="pia", key="k").event(walk.now)])
    before = [asked(walk, person) for person in ("pia", "ben")]
    walk.does("acknowledge", by="ben")

    assert before == [[("you are being paged: acknowledge it", "acknowledge")], []]
    assert asked(walk, "pia") == []


def test_who_mitigates_and_who_was_dispatched_is_asked() -> None:
    """The owner of a mitigation says whether it worked; a specialist hands in the report."""
    walk = burning()
    walk.does("advance", reason="service first")
    walk.does("mitigate", **PLAN)
    walk.does("dispatch", specialist="network-team", request="look at the edge")

    assert asked(walk, "ben")[0] == ("documentation of the change", "approve")
    assert ("your mitigation is under way: roll back to v247", "finish_mitigation") in asked(walk, "ben")
    assert asked(walk, "network-team") == [("report of dispatch 1", "file_report")]


def test_afterwards_the_owners_of_post_mortem_and_action_items_are_asked() -> None:
    """What is left to do is somebody's, by name."""
    walk = Walk.open("SEV2")
    walk.does("assign", role="commander", person="eva")
    walk.reaches(Phase.POST_INCIDENT)
    walk.does("add_action_item", item="Alert on retries", owner="olga", due="2026-12-01")

    assert asked(walk, "eva") == [("post-mortem", "file_postmortem")]
    assert asked(walk, "olga") == [("action item AI-1", "complete_action_item")]


def test_what_is_late_is_shown_to_everybody_and_says_who_owes_it() -> None:
    """Somebody who sees it can help; it is marked as not theirs."""
    walk = burning()
    walk.forward(minutes=11)
    [late] = of(snapshot.state(walk.incident, walk.now), "wei")

    assert (late.what, late.owner, late.mine, late.overdue(walk.now)) == ("internal update", "eva", False, True)


async def opened(desk: MemoryDesk, **fields: Any) -> str:
    return str((await desk.open({"by": "ana", "title": "Checkout fails", "severity": "SEV1", **fields}))["incident"])


async def test_a_clock_that_runs_out_while_nobody_works_is_late_all_the_same() -> None:
    """The last reading stands, and its clocks go on; what was never read is told from its row."""
    desk = await MemoryDesk.made()
    incident = await opened(desk)
    await desk.command(incident, "assign", {"by": "ana", "role": "commander", "person": "eva"})
    known, fresh = Duties(desk), Duties(desk)
    now = datetime.now(UTC)
    await known.of("eva", await desk.listing(), now)
    desk.working = False
    later = now + timedelta(minutes=11)
    read, from_row = [await each.of("eva", await desk.listing(), later) for each in (known, fresh)]

    assert ("internal update", True, True) in [(duty.what, duty.mine, duty.overdue(later)) for duty in read]
    assert [(duty.what, duty.mine, duty.overdue(later)) for duty in from_row] == [("internal update", True, True)]


class Counting(MemoryDesk):
    reads = 0

    async def state(self, incident: str) -> dict[str, Any]:
        self.reads += 1
        return await super().state(incident)


async def test_all_pages_together_read_an_incident_once_in_a_while() -> None:
    """A hundred open lists ask the incident no more often than one."""
    desk = await Counting.made()
    assert isinstance(desk, Counting)
    await opened(desk)
    before, known, rows = desk.reads, Duties(desk), await desk.listing()
    await asyncio.gather(*(known.of(person, rows, datetime.now(UTC)) for person in ("ana", "ben", "eva")))

    assert desk.reads - before == 1


async def test_action_items_of_a_closed_incident_are_still_asked_for() -> None:
    """The incident has left the list; what it left to do has not."""
    desk = await MemoryDesk.made()
    incident = await opened(desk)
    walk = Walk.open("SEV2").reaches(Phase.POST_INCIDENT)
    walk.settles_everything()
    walk.does("close")
    desk.incidents[incident] = walk.incident.model_copy(update={"id": incident})
    found = await Duties(desk).of("ben", [], walk.now)

    assert [(duty.what, duty.incident) for duty in found] == [("action item AI-1", incident)]


@pytest.mark.parametrize("problem", [NoWorker("nobody")])
async def test_follow_ups_that_cannot_be_listed_cost_nothing_else(problem: NoWorker) -> None:
    """What can be read is shown."""

    class Silent(MemoryDesk):
        async def followed_up(self, *, within: timedelta = timedelta(0)) -> list[str]:
            raise problem

    desk = await Silent.made()
    incident = await opened(desk)
    await desk.command(incident, "assign", {"by": "ana", "role": "commander", "person": "eva"})
    found = await Duties(desk).of("eva", await desk.listing(), datetime.now(UTC))

    assert [duty.incident for duty in found if duty.mine][:1] == [incident]


async def test_the_api_answers_whoever_asks_or_is_named() -> None:
    """What the page shows, scripts and the command line read: one's own, or another's."""
    desk = await MemoryDesk.made()
    incident = await opened(desk)
    await desk.command(incident, "assign", {"by": "ana", "role": "scribe", "person": "sam"})
    app = create_app(desk, Door(user="sam", version="0"))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=HERE) as http:
        mine, of_wei, wrong = [(await http.get(f"/api/v1/duties{query}")) for query in ("", "?person=wei", "?whose=wei")]

    assert [(duty["incident"], duty["mine"]) for duty in mine.json()["duties"]] == [(incident, True)]
    assert of_wei.json() == {"person": "wei", "duties": []}
    assert wrong.status_code == 422


def test_a_document_that_is_filed_is_asked_for_no_more() -> None:
    """A duty that is done is gone."""
    walk = Walk.open("SEV2")
    walk.does("assign", role="commander", person="eva")
    walk.reaches(Phase.POST_INCIDENT)
    walk.does("file_postmortem", document=DOCUMENT)

    assert asked(walk, "eva") == []
