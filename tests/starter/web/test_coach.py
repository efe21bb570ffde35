"""The coach of a drill: it says what is next, from nothing but the incident itself."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest

from incident import guidance, snapshot
from incident.vocabulary import Criterion, Phase
from starter.api import Door, create_app
from starter.live import Rooms
from starter.practice import worker_killer
from starter.problems import NoWorker
from starter.web import coach
from tests.incident.walk import DOCUMENT, PLAN, Walk
from tests.starter.desks import FakeDesk
from tests.starter.test_api import HERE, Delivered, no_history
from tests.starter.web.memory import MemoryDesk


def shown(walk: Walk, *, may_kill: bool = False) -> coach.Strip:
    found = coach.strip(
        snapshot.state(walk.incident, walk.now), [event.model_dump(mode="json") for event in walk.timeline], may_kill=may_kill
    )
    assert found is not None
    return found


def seen(walk: Walk, *, may_kill: bool = False) -> str | None:
    """The title of the step that the coach shows; None once the drill is over."""
    return shown(walk, may_kill=may_kill).title


def offers(walk: Walk, *, may_kill: bool = False) -> list[str]:
    return [each.title for each in shown(walk, may_kill=may_kill).experiments]


WHOLE: list[tuple[str, dict[str, Any]]] = [
    ("acknowledge", {}),
    ("declare", {"severity": "SEV1", "customer_facing": True, "summary": "Payments fail"}),
    ("post_update", {"audience": "external", "text": "We are on it.", "status": "investigating"}),
    ("advance", {"reason": "practice"}),
    ("hypothesize", {"text": "the retry"}),
    ("mitigate", PLAN),
    ("advance", {"reason": "practice"}),
    ("finish_mitigation", {"succeeded": True}),
    ("advance", {"reason": "practice"}),
    *(("confirm", {"criterion": criterion.value}) for criterion in Criterion),
]


def test_the_coach_explains_the_incidents_own_next_step_and_no_other() -> None:
    """What stands under "Do this next" is what the coach speaks of, act by act: after the first of two it names the second."""
    walk = Walk.open(None, drill=True)
    told = [shown(walk)]
    verbs = [snapshot.state(walk.incident, walk.now)["next"]["verb"]]
    for verb, fields in WHOLE:
        walk.does(verb, **fields)
        told.append(shown(walk))
        verbs.append(snapshot.state(walk.incident, walk.now)["next"]["verb"])

    assert [*(verb for verb, _ in WHOLE), None] == verbs
    assert [coach.LESSONS[verb] for verb in verbs] == [each.lesson for each in told]
    assert [each.title for each in told] == [
        "Take the page",
        "Say how bad it is",
        "Tell people",
        "Tell people",
        "Look for the cause",
        *["Stop the damage"] * 3,
        *["Prove it"] * 5,
    ]


def test_an_overdue_update_is_the_coachs_step_as_well() -> None:
    """A clock that runs out in a drill comes first, and the coach says why."""
    walk = Walk.open("SEV1", drill=True)
    walk.does("acknowledge")
    walk.forward(minutes=11)
    found = shown(walk)

    assert found.act == "Post the internal update."
    assert found.lesson.startswith(coach.OVERDUE)


def test_the_closing_duties_are_led_through_one_by_one() -> None:
    """After the post-mortem come its action items, the document of the change, the checklist and the closing."""
    walk = Walk.open("SEV1", drill=True)
    walk.does("acknowledge")
    walk.reaches(Phase.POST_INCIDENT)
    acts = [shown(walk).act]
    walk.does("file_postmortem", document=DOCUMENT)
    acts.append(shown(walk).act)
    walk.does("add_action_item", item="x", owner="ben", due="2026-12-01")
    acts.append(shown(walk).act)
    walk.does("approve", by="dana", note="as it was made")
    acts.append(shown(walk).act)

    assert acts == ["File the post-mortem.", "Add the action items.", "Document the change.", "Finish the checklist."]
    assert seen(walk) == "Close it"


def test_what_the_process_does_not_ask_for_is_offered_beside_it() -> None:
    """To cheat, and to kill the worker, is worth a try while it means something; each is offered until it was done."""
    walk = Walk.open(None, drill=True)
    before = offers(walk, may_kill=True)
    for verb, fields in WHOLE[:8]:
        walk.does(verb, **fields)
    after = offers(walk, may_kill=True)
    elsewhere = offers(walk)
    walk.refused("resolve", root_cause="x", fix_applied="y")
    walk.does("note", text=coach.KILLED)
    walk.does("post_update", audience="internal", text="looking")

    assert before == []
    assert after == ["Tell the team", "Try to cheat", "Kill the worker"]
    assert elsewhere == ["Tell the team", "Try to cheat"]
    assert offers(walk, may_kill=True) == []


def test_every_next_step_has_its_lesson() -> None:
    """Whatever the process can ask for next, the coach has a word on."""
    asked = {
        node.args[1].value
        for node in ast.walk(ast.parse(inspect.getsource(guidance)))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "_step" and isinstance(node.args[1], ast.Constant)
    }

    assert "finish_mitigation" in asked
    assert asked - set(coach.LESSONS) == set()


def test_a_real_incident_has_no_coach() -> None:
    """Nobody is taught in earnest."""
    walk = Walk.open("SEV1")

    assert coach.strip(snapshot.state(walk.incident, walk.now), [], may_kill=True) is None


def test_every_step_is_behind_at_the_end() -> None:
    """Whichever way a drill was closed, the coach has nothing left to ask."""
    walk = Walk.open("SEV3", drill=True).reaches(Phase.POST_INCIDENT)
    walk.does("file_postmortem", document=DOCUMENT)
    closing = {"phase": Phase.CLOSED}
    walk.incident = walk.incident.model_copy(update=closing)

    assert seen(walk, may_kill=True) is None


@pytest.fixture
async def killed() -> list[int]:
    return []


async def test_a_drill_kills_the_worker_and_the_note_shows_that_it_is_back(killed: list[int]) -> None:
    """The button of a drill kills once and leaves its note; an incident in earnest, or a server that is not ours, kills nothing."""

    def kill() -> int:
        killed.append(1)
        return 1

    desk = await FakeDesk.made()
    app = create_app(desk, Door(user="ana", version="0", kill_worker=kill), Delivered(), rooms=Rooms(desk, no_history))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=HERE) as http:
        begun = await http.post("/drill", data={"key": "once"})
        drill = begun.headers["location"]
        real = (await http.post("/api/v1/incidents", json={"by": "ana", "title": "In earnest"})).json()["incident"]
        answered = await http.post(f"{drill}/kill-worker")
        forbidden = await http.post(f"/incidents/{real}/kill-worker")

    assert begun.status_code == answered.status_code == 303
    assert killed == [1]
    assert forbidden.status_code == 403
    assert desk.asked[-1][1:2] == ("note",)


@pytest.mark.parametrize(("silent", "leads_to"), [(2, "done="), (coach.PATIENCE, "/incidents/INC")])
async def test_a_worker_that_takes_its_time_to_come_back_is_waited_for(silent: int, leads_to: str) -> None:
    """On a busy machine the page of a newcomer still ends in the room, with one note once somebody works again."""
    keys: list[str | None] = []

    class Slow(MemoryDesk):
        async def command(self, incident: str, verb: str, fields: Mapping[str, Any], key: str | None = None) -> dict[str, Any]:
            keys.append(key)
            if len(keys) <= silent:
                raise NoWorker("nobody yet")
            return await super().command(incident, verb, fields, key)

    desk = await Slow.made()
    app = create_app(desk, Door(user="ana", version="0", kill_worker=lambda: 1), Delivered(), rooms=Rooms(desk, no_history))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=HERE) as http:
        drill = (await http.post("/drill", data={"key": "once"})).headers["location"]
        answered = await http.post(f"{drill}/kill-worker")

    assert answered.status_code == 303
    assert leads_to in answered.headers["location"]
    assert len(set(keys)) == 1


def test_only_the_worker_of_our_own_supervisor_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A door that nobody supervises has no such button; another server's run file is left alone."""
    monkeypatch.delenv("TOCSIN_UP", raising=False)

    assert worker_killer(tmp_path) is None

    monkeypatch.setenv("TOCSIN_UP", "1")
    kill = worker_killer(tmp_path)
    assert kill is not None

    for run in ("", '{"pids": {"worker": 1, "up": 1}}'):
        (tmp_path / "run.json").write_text(run)
        with pytest.raises(Exception, match=r"run file"):
            kill()
