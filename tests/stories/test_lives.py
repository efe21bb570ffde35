"""Long lives, odd messages, storms: what must hold whatever is thrown at an incident."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.client import WithStartWorkflowOperation, WorkflowUpdateFailedError
from temporalio.common import WorkflowIDConflictPolicy

from incident.commands import Open
from incident.policy import Policy
from incident.registration import Registration
from tests.harness import Stage, Story, World, eventually
from tests.stories.test_a_night import alert, told_once
from workflows import contract


async def _whole_timeline(stage: Stage, id: str) -> list[dict[str, Any]]:
    """The timeline over all runs, each run asked for its part."""
    entries: dict[int, dict[str, Any]] = {}
    run: str | None = None
    while True:
        handle = stage.client.get_workflow_handle(id, run_id=run)
        for entry in await handle.query("timeline"):
            entries.setdefault(entry["seq"], entry)
        history = await handle.fetch_history()
        run = history.events[0].workflow_execution_started_event_attributes.continued_execution_run_id or None
        if run is None:
            return [entries[seq] for seq in sorted(entries)]


async def test_continue_as_new_loses_nothing(stage: Stage) -> None:
    """An incident that lives through many runs keeps its clocks, its timeline, its outbox and the answers to its keys."""
    story = await Story.open(stage, "SEV1", policy=Policy(history_limit=150))
    first = await story.does("note", text="note 0", key="the-first")
    by_update_id = await story.does("note", text="by update id", update_id="an-update-id")
    for number in range(1, 70):
        await story.does("note", text=f"note {number}")
    due = (await story.clock("acknowledge"))["due"]
    await story.settled()
    described = await story.handle.describe()

    assert described.run_id != described.raw_description.workflow_execution_info.first_run_id
    assert await story.tries("note", text="note 0", key="the-first") == first
    assert await story.tries("note", text="by update id", update_id="an-update-id") == by_update_id
    assert (await story.clock("acknowledge"))["due"] == due

    await story.fast_forward(minutes=16)
    entries = await _whole_timeline(stage, story.id)

    assert [entry["seq"] for entry in entries] == list(range(1, len(entries) + 1))
    assert Counter(entry["text"] for entry in entries if entry["kind"] == "note")["note 0"] == 1
    assert sum(entry["kind"] == "note" for entry in entries) == 71
    assert (await story.clock("acknowledge"))["state"] == "overdue"
    assert "engineering lead" in story.paged_roles()
    told_once(story)
    await stage.skip(timedelta(minutes=1))
    await eventually(lambda: (story.id, "audit/run-001.manifest.json") in story.world.archive.documents, what="the first run archived")


async def test_odd_messages_are_on_record_and_stop_nothing(stage: Stage) -> None:
    """Signals that can't be understood become entries; updates are rejected by name; the incident goes on."""
    story = await Story.open(stage, "SEV2")
    handle = story.handle
    await handle.signal("acknowledge")
    await handle.signal("acknowledge", args=[{"by": "ana"}, {"by": "ben"}])
    await handle.signal("acknowledge", 7)
    await handle.signal("acknowledge", {"by": ""})
    await handle.signal("no_such_thing", {"by": "ana"})
    await handle.signal("alert", [{"labels": {}}, "rubbish", None])
    await handle.signal("alert")
    await handle.signal("page_report", {"outcome": "dancing"})
    await handle.signal("resolve", {"by": "ana", "root_cause": "x", "fix_applied": "y"})
    await handle.signal("acknowledge", {"by": "ana"})
    await eventually(lambda: _acknowledged(story), what="the good signal after the bad ones")
    kinds = Counter(await story.kinds())

    assert kinds["invalid"] == 10
    assert kinds["refused"] == 1
    for name, args in (("acknowledge", []), ("acknowledge", [{"by": "a"}, 1]), ("acknowledge", ["x"]), ("nonsense", [{}])):
        with pytest.raises(WorkflowUpdateFailedError) as rejected:
            await handle.execute_update(name, args=args)

        assert re.search("takes one JSON object|is not a command", str(rejected.value.__cause__)), rejected.value.__cause__
    await handle.cancel()
    await story.does("note", text="still here")

    assert "an incident can't be cancelled" in " ".join(entry["text"] for entry in await story.timeline())


async def _acknowledged(story: Story) -> bool:
    return bool((await story.state())["acknowledged_by"] == "ana")


async def test_the_same_command_sent_many_times_is_done_once(stage: Stage) -> None:
    """Fifty people pressing at once, with ten keys among them, make ten entries."""
    story = await Story.open(stage, "SEV2")
    await asyncio.gather(*(story.does("note", text=f"key {number % 10}", key=f"key-{number % 10}") for number in range(50)))
    notes = [entry for entry in await story.timeline() if entry["kind"] == "note"]

    assert sorted(entry["text"] for entry in notes) == [f"key {number}" for number in range(10)]


async def _post(stage: Stage, group: str, alerts: list[dict[str, Any]]) -> None:
    await stage.client.start_workflow(
        "AlertGroup",
        contract.AlertGroupInput(group=group),
        id=contract.alert_group_id(group),
        task_queue=stage.queue,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        start_signal=contract.ALERTS,
        start_signal_args=[{"alerts": alerts}],
    )


async def _incident_of(stage: Stage, group: str) -> str | None:
    state: dict[str, Any] = await stage.client.get_workflow_handle(contract.alert_group_id(group)).query("state")
    incident: str | None = state["incident"]
    return incident


async def test_an_alert_storm_makes_one_incident(stage: Stage) -> None:
    """A thousand alerts of one group, and a hundred repeats of the first, are one incident that holds them all."""
    group = f"storm-{uuid.uuid4().hex}"
    first = alert(name=group, instance="0")
    await asyncio.gather(*(_post(stage, group, [first]) for _ in range(100)))
    many = [alert(name=group, instance=str(number)) for number in range(1_000)]
    await asyncio.gather(*(_post(stage, group, many[start : start + 50]) for start in range(0, 1_000, 50)))
    await eventually(lambda: _has_incident(stage, group), what="the group's incident")
    id = await _incident_of(stage, group)
    assert id is not None
    handle = stage.client.get_workflow_handle(id)

    async def all_there() -> bool:
        state: dict[str, Any] = await handle.query("state")
        return len(state["alerts"]) == 1_000

    await eventually(all_there, what="all alerts in the incident", within=60, every=1.0)
    history = await handle.fetch_history()

    assert len(history.events) < 400
    before = (await handle.query("state"))["seq"]
    await _post(stage, group, many[:50])
    await asyncio.sleep(0.5)

    assert [entry["kind"] for entry in await handle.query("timeline") if entry["seq"] > before and entry["kind"] == "alert"] == []


async def _has_incident(stage: Stage, group: str) -> bool:
    return await _incident_of(stage, group) is not None


async def test_posted_again_after_closing_changes_nothing_and_a_new_episode_opens_anew(stage: Stage) -> None:
    """An old episode belongs to its closed incident for ever; a new one gets a new incident."""
    group = f"again-{uuid.uuid4().hex}"
    now = datetime.fromisoformat((await stage.environment.get_current_time()).isoformat())
    await _post(stage, group, [alert(name=group, at=now)])
    await eventually(lambda: _has_incident(stage, group), what="the incident")
    id = await _incident_of(stage, group)
    assert id is not None
    handle = stage.client.get_workflow_handle(id)
    await handle.execute_update("dismiss", {"by": "ana", "as": "false_alarm", "reason": "a broken probe"})
    await _post(stage, group, [alert(name=group, at=now, firing=False)])
    await handle.result()
    await _post(stage, group, [alert(name=group, at=now)])
    await asyncio.sleep(0.5)

    assert await _incident_of(stage, group) in (None, id)

    await stage.skip(timedelta(minutes=5))
    later = await stage.environment.get_current_time()
    await _post(stage, group, [alert(name=group, at=later)])

    async def another() -> bool:
        return await _incident_of(stage, group) not in (None, id)

    await eventually(another, what="a new incident for the new episode")


async def test_what_is_not_production_becomes_a_ticket(stage: Stage) -> None:
    """Alerts from staging open no incident but one ticket; planned maintenance is noted."""
    world = stage.board.common = World()
    staging = f"staging-{uuid.uuid4().hex}"
    planned = f"planned-{uuid.uuid4().hex}"
    for _ in range(2):
        await _post(stage, staging, [alert(name=staging, environment="staging")])
        await _post(stage, planned, [alert(name=planned, maintenance="planned")])
    await eventually(lambda: len(world.tickets.ledger) == 1 and len(world.chat.ledger) == 1, what="one ticket and one note")

    assert await _incident_of(stage, staging) is None
    assert await _incident_of(stage, planned) is None


async def _open(stage: Stage, key: str) -> dict[str, Any]:
    start: Any = WithStartWorkflowOperation(
        "Registry", id=contract.REGISTRY_ID, task_queue=stage.queue, id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING
    )
    request = Registration(key=key, request=Open(by="ana", title="Numbers"))
    answer: dict[str, Any] = await stage.client.execute_update_with_start_workflow(
        contract.REGISTRY_OPEN, request, start_workflow_operation=start, id=uuid.uuid4().hex
    )
    return answer


async def test_numbers_have_no_gap_and_no_repeat(stage: Stage) -> None:
    """Thirty requests at once, three for each key, get ten numbers in a row, and each key always the same one."""
    keys = [f"{uuid.uuid4().hex}-{number}" for number in range(10)]
    answers = await asyncio.gather(*(_open(stage, key) for key in keys * 3))
    by_key = {key: {answer["incident"] for answer in answers[index::10]} for index, key in enumerate(keys)}
    numbers = sorted(int(next(iter(ids)).rsplit("-", 1)[1]) for ids in by_key.values())

    assert all(len(ids) == 1 for ids in by_key.values())
    assert sum(answer["new"] for answer in answers) == 10
    taken = {int(id.rsplit("-", 1)[1]) for id in stage.board.worlds}
    gaps = [number for number in range(numbers[0], numbers[-1]) if number not in numbers and number not in taken]

    assert gaps == []
    state: Any = await stage.client.get_workflow_handle(contract.REGISTRY_ID).query("state")

    assert list(state["numbers"]) == [f"{datetime.now(UTC):%Y}"] or len(state["numbers"]) >= 1
