"""Bad input through the whole chain, from the HTTP door to the incident: each has its answer, loses nothing and opens nothing wrongly."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from starter.api import Door, create_app
from starter.desk import Desk
from starter.live import Rooms
from tests.harness import Stage, Story, World, alert, ask, eventually
from tests.starter.test_api import HERE, no_history
from workflows import contract


class Outside:
    """A monitoring system that posts what it likes, and what Temporal has of it."""

    def __init__(self, stage: Stage, http: httpx2.AsyncClient) -> None:
        self.stage = stage
        self.http = http
        self.group = uuid.uuid4().hex
        self.id = contract.alert_group_id(self.group)

    async def posts(self, *alerts: Any, **changes: Any) -> httpx2.Response:
        body = {"version": "4", "groupKey": self.group, "status": "firing", "alerts": list(alerts), **changes}
        return await self.http.post("/webhooks/alertmanager", json=body)

    async def taken(self, words: int) -> dict[str, Any]:
        """The state of the group once it has sorted so many words of monitoring's."""

        async def sorted_out() -> bool:
            return int((await self.state())["taken"]) >= words

        await eventually(sorted_out, what=f"{words} words")
        return await self.state()

    async def state(self) -> dict[str, Any]:
        state: dict[str, Any] = await ask(self.stage.client.get_workflow_handle(self.id), "state")
        return state

    async def story(self) -> Story:
        async def opened() -> bool:
            return (await self.state())["incident"] is not None

        await eventually(opened, what="an incident")
        id = str((await self.state())["incident"])
        world = self.stage.board.worlds.setdefault(id, World())
        return Story(self.stage, id, world, self.stage.client.get_workflow_handle(id))

    async def opened(self) -> int:
        """How many incidents there are."""
        register = await ask(self.stage.client.get_workflow_handle(contract.REGISTRY_ID), "state")
        return sum(register["numbers"].values())


@pytest.fixture
async def outside(stage: Stage) -> AsyncIterator[Outside]:
    desk = Desk(stage.client, task_queue=stage.queue)
    app = create_app(desk, Door(user="ana", version="0"), rooms=Rooms(desk, no_history))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app, raise_app_exceptions=False), base_url=HERE) as http:
        yield Outside(stage, http)


async def test_a_replayed_post_opens_nothing_again(outside: Outside) -> None:
    """The same body again, at once and after the incident has closed, is answered 200 each time, and it is the same episode."""
    at = await outside.stage.environment.get_current_time()
    said = alert("Errors", at=at)
    first = [await outside.posts(said) for _ in range(3)]
    await outside.taken(3)
    story = await outside.story()
    entries = len([kind for kind in await story.kinds() if kind == "alert"])
    await story.settled()
    await story.does("dismiss", as_="false_alarm", reason="a broken probe")
    await eventually(story.ended, what="the end")
    later = await outside.posts(said)
    await outside.taken(4)

    assert [answer.status_code for answer in (*first, later)] == [200] * 4
    assert (entries, await outside.opened()) == (1, 1)


@pytest.mark.parametrize("hours", [1, -1])
async def test_a_clock_an_hour_off_costs_no_alert(outside: Outside, hours: int) -> None:
    """An hour ahead or behind, the alert opens its incident, and its end is heard."""
    at = await outside.stage.environment.get_current_time() + timedelta(hours=hours)
    answers = [await outside.posts(alert("Errors", at=at)), await outside.posts(alert("Errors", at=at, firing=False))]
    await outside.taken(2)
    story = await outside.story()

    async def ended() -> bool:
        return [each["firing"] for each in (await story.state())["alerts"]] == [False]

    await eventually(ended, what="its end")

    assert [answer.status_code for answer in answers] == [200, 200]
    assert await outside.opened() == 1


async def test_an_end_before_its_beginning_ends_the_alert(outside: Outside) -> None:
    """Whatever the clock says, the alert is over, and no earlier than it began."""
    at = await outside.stage.environment.get_current_time()
    await outside.posts(alert("Errors", at=at))
    story = await outside.story()
    answer = await outside.posts({**alert("Errors", at=at, firing=False), "endsAt": (at - timedelta(hours=2)).isoformat()})
    await outside.taken(2)

    async def ended() -> bool:
        return [each["firing"] for each in (await story.state())["alerts"]] == [False]

    await eventually(ended, what="its end")
    (told,) = (await story.state())["alerts"]

    assert answer.status_code == 200
    assert told["ends_at"] == told["starts_at"]


async def test_resolved_before_firing_opens_nothing(outside: Outside) -> None:
    """An end that comes before its beginning is taken, and neither of them opens anything."""
    at = await outside.stage.environment.get_current_time()
    answers = [await outside.posts(alert("Late", at=at, firing=False)), await outside.posts(alert("Late", at=at))]
    state = await outside.taken(2)

    assert [answer.status_code for answer in answers] == [200, 200]
    assert (state["incident"], state["firing"]) == (None, {})


async def test_labels_like_documents_open_an_incident_all_the_same(outside: Outside) -> None:
    """Ten thousand characters in every label and annotation are cut, and the incident has a title that people can read."""
    huge = {name: "x" * 10_000 for name in ("alertname", "service", "instance", "note")}
    at = await outside.stage.environment.get_current_time()
    answer = await outside.posts(
        {"status": "firing", "labels": huge, "annotations": {"summary": "y" * 10_000}, "startsAt": at.isoformat(), "fingerprint": "f1"}
    )
    await outside.taken(1)
    state = await (await outside.story()).state()

    assert (answer.status_code, answer.json()["accepted"]) == (200, 1)
    assert len(state["title"]) <= 300
    assert max(map(len, state["services"])) <= 300
    assert len(state["alerts"]) == 1


async def test_one_bad_alert_costs_the_good_ones_nothing(outside: Outside) -> None:
    """What can't be read of a post is counted, kept with what is wrong with it, and the rest opens the incident."""
    at = await outside.stage.environment.get_current_time()
    broken: list[Any] = [{**alert("Errors", at=at), "startsAt": "yesterday"}, {"labels": {}}, "no alert", None]
    answer = await outside.posts(alert("Errors", at=at), *broken)
    state = await outside.taken(1)

    assert (answer.status_code, answer.json()["accepted"], answer.json()["invalid"]) == (200, 1, 4)
    assert len(state["unreadable"]) == 4
    assert len((await (await outside.story()).state())["alerts"]) == 1
