"""The end of an incident, and what comes right after it: nothing is lost in between."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.service import RPCError, RPCStatusCode

from incident.policy import Policy
from tests.harness import POSTMORTEM, Stage, Story, World, alert, ask, eventually, runs
from tests.stories.test_lives import _incident_of, _post
from workflows import contract


async def _closing(stage: Stage) -> Story:
    """A SEV3 that needs nothing but `close`."""
    story = await Story.open(stage, "SEV3")
    await story.does("acknowledge")
    await story.reaches("triage")
    await story.mitigates()
    await story.confirms_everything()
    await story.does("resolve", root_cause="A retry without a limit", fix_applied="Rolled back")
    await story.does("file_postmortem", document=POSTMORTEM)
    await story.finishes_paperwork()
    await story.settled()
    return story


async def test_a_port_that_fails_at_the_closing_is_tried_again(stage: Stage) -> None:
    """A message that can't be sent while the incident closes is sent later, by its follow-up, which ends only then."""
    story = await _closing(stage)
    story.world.chat.down = True
    await story.does("close")
    await story.fast_forward(minutes=3)
    await eventually(story.ended, what="the incident's end")
    later = story.follow_up()
    waited = [each["key"] for each in (await later.state())["deliveries"]["waiting"]]

    assert waited

    before = len(story.world.chat.keys)
    story.world.chat.down = False
    await stage.skip(timedelta(minutes=20))
    await eventually(later.ended, what="the follow-up's end")

    assert story.world.chat.keys[before:] == waited
    assert len(set(story.world.chat.keys)) == len(story.world.chat.keys)


async def _ended(stage: Stage, id: str) -> bool:
    history = await stage.client.get_workflow_handle(id).fetch_history()
    return history.events[-1].event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED


async def test_a_new_alert_of_a_dismissed_group_opens_an_incident(stage: Stage) -> None:
    """What still fires belongs to the incident that was dismissed; what began afterwards opens the next one."""
    group = f"group-{uuid.uuid4().hex}"
    old = alert(name=group, instance="old")
    await _post(stage, group, [old])

    async def opened() -> bool:
        return await _incident_of(stage, group) is not None

    await eventually(opened, what="the first incident")
    first = await _incident_of(stage, group)
    assert first is not None
    await stage.client.get_workflow_handle(first).execute_update("dismiss", {"by": "ana", "as": "false_alarm", "reason": "a broken probe"})
    await eventually(lambda: _ended(stage, first), what="the end of the first")
    await stage.skip(timedelta(minutes=1))
    now = await stage.environment.get_current_time()
    await _post(stage, group, [old, alert(name=group, instance="new", at=now)])

    async def another() -> bool:
        return await _incident_of(stage, group) not in (None, first)

    await eventually(another, what="the second incident")
    second = await _incident_of(stage, group)
    assert second is not None
    alerts = (await ask(stage.client.get_workflow_handle(second), "state"))["alerts"]

    assert [one["fingerprint"] for one in alerts] == [f"{group}-new"]


async def test_an_alert_that_meets_a_closed_incident_opens_the_next(stage: Stage) -> None:
    """While a closed incident still waits for chat, an alert of its group that began afterwards is not swallowed by it."""
    group = f"group-{uuid.uuid4().hex}"
    await _post(stage, group, [alert(name=group, instance="old")])

    async def opened() -> bool:
        return await _incident_of(stage, group) is not None

    await eventually(opened, what="the first incident")
    first = await _incident_of(stage, group)
    assert first is not None
    handle = stage.client.get_workflow_handle(first)
    stage.board.worlds[first] = world = World()
    world.chat.down = True
    await handle.execute_update("dismiss", {"by": "ana", "as": "false_alarm", "reason": "a broken probe"})
    await stage.skip(timedelta(seconds=2))
    now = await stage.environment.get_current_time()
    await _post(stage, group, [alert(name=group, instance="new", at=now)])

    async def another() -> bool:
        groups: dict[str, Any] = (await ask(stage.client.get_workflow_handle(contract.REGISTRY_ID), "state"))["groups"]
        return bool(groups[group]["incident"] != first)

    await eventually(another, what="the second incident")
    world.chat.down = False

    assert not await _ended(stage, first)


@pytest.mark.parametrize(
    "labels",
    [{"alertname": ""}, {"alertname": "\u200b"}, {"alertname": "X", "service": " "}, {"alertname": "X", "service": "\u200b\u2060"}],
)
async def test_odd_labels_open_an_incident_like_any_other(stage: Stage, labels: dict[str, str]) -> None:
    """A label without a character that can be seen stops nothing: the alert is held, and its incident opens."""
    group = f"group-{uuid.uuid4().hex}"
    await _post(stage, group, [{**alert(instance=group), "labels": {**labels, "severity": "critical"}}])

    async def opened() -> bool:
        return await _incident_of(stage, group) is not None

    await eventually(opened, what="an incident")


async def test_what_has_ended_before_anybody_heard_of_it_opens_nothing(stage: Stage) -> None:
    """A resolved alert of a group that nobody knows is no incident."""
    group = f"group-{uuid.uuid4().hex}"
    await _post(stage, group, [alert(name=group, firing=False)])
    await stage.skip(timedelta(minutes=15))
    await eventually(lambda: _ended(stage, contract.alert_group_id(group)), what="the end of the group")

    assert await _incident_of(stage, group) is None


@pytest.mark.lengthy
async def test_long_texts_do_not_stop_the_next_run(stage: Stage) -> None:
    """However long the notes are, the incident goes on as new, and a repeated key adds nothing."""
    story = await Story.open(stage, "SEV2", policy=Policy(history_limit=400))
    text = "漢" * 9_900
    await story.does("note", text=text, key="first")
    for number in range(60):
        await story.does("note", text=text, key=f"note {number}")
    await story.settled()
    seq = (await story.state())["seq"]

    assert len(await runs(stage.client, story.id)) > 1
    assert (await story.tries("note", text=text, key="first"))["accepted"]
    assert (await story.state())["seq"] == seq


async def test_a_stray_cancel_stops_nothing(stage: Stage) -> None:
    """Cancelling the pager, the register or the incident is refused: people are paged, keys known, clocks running as before."""
    story = await Story.open(stage)
    await story.settled()
    paged = len(story.world.pager.paged)
    for id in (f"{story.id}/page-1", story.id):
        await stage.client.get_workflow_handle(id).cancel()
    await story.fast_forward(minutes=12)

    assert len(story.world.pager.paged) > paged
    assert "invalid" in await story.kinds()
    assert not await story.ended()


async def test_the_declaration_names_its_commander_and_channel(stage: Stage) -> None:
    """The declaration is worded when it is sent: by then the rota has named the commander, and the channel exists."""
    story = await Story.open(stage, "SEV1", summary="Payments fail")
    await story.settled()
    [declared] = [post for post in story.posts() if "INCIDENT DECLARED" in post]
    state = await story.state()

    assert f"**Incident Commander:** @{state['roles']['commander']}" in declared
    assert f"**Channel:** {state['channel']}" in declared


async def _incident_after(stage: Stage, id: str) -> str | None:
    """What the register knows as the one that follows an incident which no alert group has opened."""
    try:
        groups: dict[str, Any] = (await ask(stage.client.get_workflow_handle(contract.REGISTRY_ID), "state"))["groups"]
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return None  # nobody has asked the register yet
    return str(groups[id]["incident"]) if id in groups else None


async def test_an_alert_without_a_group_that_meets_a_closed_incident_opens_the_next(stage: Stage) -> None:
    """Whoever tells a closed incident of a new trouble, and of one only: it is not swallowed, by whatever clock it began."""
    story = await Story.open(stage, "SEV3")
    await story.settled()
    story.world.chat.down = True
    wrong = await stage.environment.get_current_time() - timedelta(hours=1)
    await story.handle.signal(contract.ALERT, [alert(name="Known", at=wrong)])
    await story.does("dismiss", as_="false_alarm", reason="a broken probe")
    later = wrong + timedelta(minutes=10)
    await story.handle.signal(contract.ALERT, [alert(name="Known", at=wrong), alert(name="New", at=later)])
    await story.handle.signal(contract.ALERT, [alert(name="Newer", at=later + timedelta(minutes=1))])

    async def all_there() -> bool:
        id = await _incident_after(stage, story.id)
        return id is not None and len((await ask(stage.client.get_workflow_handle(id), "state"))["alerts"]) == 2

    await eventually(all_there, what="both in the next incident")
    id = await _incident_after(stage, story.id)
    assert id is not None
    alerts = (await ask(stage.client.get_workflow_handle(id), "state"))["alerts"]

    assert {one["name"] for one in alerts} == {"New", "Newer"}
    assert not await story.ended()
