"""The coach of a drill: it says what is next, from nothing but the incident itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest

from incident import snapshot
from incident.vocabulary import Phase
from starter.api import Door, create_app
from starter.live import Rooms
from starter.practice import worker_killer
from starter.problems import NoWorker
from starter.web import coach
from tests.incident.walk import DOCUMENT, PLAN, Walk
from tests.starter.desks import FakeDesk
from tests.starter.test_api import HERE, Delivered, no_history
from tests.starter.web.memory import MemoryDesk


def seen(walk: Walk, *, may_kill: bool = False) -> str | None:
    """The title of the step that the coach shows; None once the drill is over."""
    shown = coach.strip(
        snapshot.state(walk.incident, walk.now), [event.model_dump(mode="json") for event in walk.timeline], may_kill=may_kill
    )
    assert shown is not None
    return shown.step.title if shown.step else None


def test_the_coach_leads_through_a_whole_drill() -> None:
    """Each step is over once the incident shows it, and the next one is named."""
    walk = Walk.open(None, drill=True)
    titles = [seen(walk)]
    walk.does("acknowledge")
    titles.append(seen(walk))
    walk.does("declare", severity="SEV1", customer_facing=True, summary="Payments fail")
    titles.append(seen(walk))
    walk.does("post_update", audience="internal", text="looking")
    titles.append(seen(walk))
    walk.does("post_update", audience="external", text="We are on it.", status="investigating")
    titles.append(seen(walk))
    walk.does("advance", reason="practice")
    walk.does("hypothesize", text="the retry")
    titles.append(seen(walk))
    walk.does("mitigate", **PLAN)
    walk.does("finish_mitigation", succeeded=True)
    titles.append(seen(walk))
    walk.refused("resolve", root_cause="x", fix_applied="y")

    assert titles == [step.title for step in coach.STEPS[: len(titles)]]
    assert seen(walk, may_kill=True) == "Kill the worker"

    walk.does("note", text=coach.KILLED)

    assert seen(walk, may_kill=True) == seen(walk) == "Prove it, and resolve"


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
