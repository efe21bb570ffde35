"""What a press is answered: everything that it did."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx2

from incident.vocabulary import Criterion, Phase
from starter.web.answer import accepted
from tests.incident.walk import PLAN, Walk
from tests.starter.web.memory import MemoryDesk
from tests.starter.web.test_room import Markup, opened, walked

TODAY = datetime.now(UTC).replace(hour=3, minute=0, second=0, microsecond=0)


def answered(walk: Walk, verb: str, **fields: Any) -> str:
    said = accepted(verb, [event.model_dump(mode="json") for event in walk.does(verb, **fields)], {})
    return f"{said.title} {said.message}".rstrip()


def today(severity: str | None = "SEV2", **fields: Any) -> Walk:
    """A walk of this day: times of another one are said with their date."""
    walk = Walk.open(severity, **fields)
    return Walk(walk.start, TODAY)


def test_the_last_confirmation_says_until_when_verification_runs() -> None:
    """The press that begins the period tells its end."""
    walk = today().reaches(Phase.RESOLUTION)
    walk.confirms(Criterion.ALERTS_CLEARED)

    assert answered(walk, "confirm", criterion="alerts_cleared") == "ana confirmed alerts cleared. Verification runs until 03:15 UTC."


def test_what_was_asked_for_stands_first_whatever_came_first_on_record() -> None:
    """Finishing a mitigation that was begun in triage says that it worked, then that the phase has changed."""
    walk = today().reaches(Phase.TRIAGE)
    walk.does("mitigate", **PLAN)
    walk.does("approve", by="dana")
    said = answered(walk, "finish_mitigation", succeeded=True)
    resolved = today().reaches(Phase.RESOLUTION)
    resolved.confirms()
    resolved.forward(minutes=15)
    ended = answered(resolved, "resolve", root_cause="a retry", fix_applied="rolled back")

    assert said.startswith("Mitigation 1 worked.")
    assert ended.startswith("ana resolved it. Root cause: a retry Fix: rolled back.")
    assert "Now in phase 6 of 6: post-incident." in ended
    assert "Post-mortem due" in ended


def test_declaring_says_which_clocks_run_from_now_on() -> None:
    """Who declares is told what is owed, and when."""
    walk = today(None)
    walk.does("acknowledge")
    said = answered(walk, "declare", severity="SEV1", customer_facing=True)

    assert "Now in phase 2 of 6: declaration." in said
    assert "Internal update due 03:10 UTC; " in said
    assert "first status-page post due 03:15 UTC; external update due 03:15 UTC" in said


def test_an_update_says_when_the_next_one_is_due_and_how_late_it_was() -> None:
    """The clock that an update has met begins anew, and a late one is told so."""
    walk = today("SEV1")
    walk.does("acknowledge")
    walk.forward(minutes=1)
    on_time = answered(walk, "post_update", audience="internal", text="looking")
    walk.forward(minutes=12)
    late = answered(walk, "post_update", audience="internal", text="still looking")

    assert on_time == "Internal update posted: looking. Next internal update due 03:11 UTC."
    assert late == "Internal update posted: still looking. The internal update came 2 min late. Next internal update due 03:23 UTC."


def test_a_long_text_is_shown_in_part() -> None:
    """The answer says what was done; the whole text stands in the timeline."""
    said = answered(today(), "note", text="word " * 1000)

    assert len(said) < 400
    assert said.endswith("…")


async def test_without_scripts_the_same_is_said(http: httpx2.AsyncClient, desk: MemoryDesk) -> None:
    """A press that leads back to the room brings all of its entries along; nonsense in the address says nothing."""
    incident = await opened(desk)
    await walked(desk, incident, [("acknowledge", {})])
    answer = await http.post(f"/incidents/{incident}/do/advance", data={"reason": "all known"})
    page = Markup((await http.get(answer.headers["location"])).text).text
    odd = [(await http.get(f"/incidents/{incident}?done={text}")).text for text in ("9999", "x-y", "3-", "1-2-3", "٣")]

    assert "Now in phase 3 of 6: triage." in page
    assert [page.count("data-answer") for page in odd] == [0, 0, 1, 0, 0]
