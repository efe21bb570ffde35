"""Long lives, odd messages, storms: what must hold whatever is thrown at an incident."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import WithStartWorkflowOperation, WorkflowUpdateFailedError
from temporalio.common import RawValue, WorkflowIDConflictPolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from incident.commands import Open
from incident.policy import Policy
from incident.registration import Registration
from tests.harness import Stage, Story, World, alert, ask, eventually, runs
from workflows import contract


@pytest.mark.lengthy
async def test_continue_as_new_loses_nothing(stage: Stage) -> None:
    """Through many runs an incident keeps its clocks, its timeline, its outbox, and the answers to its keys and update ids."""
    story = await Story.open(stage, "SEV1", policy=Policy(history_limit=150))
    first = await story.does("note", text="note 0", key="the-first")
    by_update_id = await story.does("note", text="by update id", update_id="an-update-id")
    forbidden = await story.tries("close", key="forbidden")
    await story.handle.signal("alert", [alert(instance=str(number)) for number in range(20)])
    await story.settled()
    story.world.chat.down = True
    await story.does("post_update", audience="internal", text="said while chat is down")
    await story.fast_forward(minutes=7)
    await story.between_tries()  # one that is under way would hold up the next run
    waiting = [item["key"] for item in (await story.state())["deliveries"]["waiting"]]
    due = (await story.clock("acknowledge"))["due"]
    for number in range(1, 90):
        await story.does("note", text=f"note {number}")
    await story.settled()

    assert len(await runs(stage.client, story.id)) >= 3
    assert waiting
    assert [item["key"] for item in (await story.state())["deliveries"]["waiting"]][: len(waiting)] == waiting
    assert (await story.state())["deliveries"]["down"].keys() == {"chat"}
    assert await story.tries("note", text="note 0", key="the-first") == first
    assert await story.tries("note", text="by update id", update_id="an-update-id") == by_update_id
    assert await story.tries("close", key="forbidden") == forbidden
    assert (await story.clock("acknowledge"))["due"] == due

    seq = (await story.state())["seq"]
    await story.handle.signal("alert", [alert(instance=str(number)) for number in range(20)])
    await story.settled()

    assert (await story.state())["seq"] == seq, "alerts of an earlier run were taken for new ones"

    story.world.chat.down = False
    before = len(story.world.chat.ledger)
    await story.fast_forward(minutes=16)
    await story.told_everything_once()
    numbers = [int(key.rsplit(":", 1)[1]) for key in story.world.chat.keys[before:]]

    assert numbers == sorted(numbers)
    assert set(waiting) <= set(story.world.chat.keys[before:])

    entries: dict[int, dict[str, Any]] = {}
    for run in await runs(stage.client, story.id):
        for entry in await ask(run, "timeline"):
            assert entries.setdefault(entry["seq"], entry) == entry, f"a later run tells it differently: {entries[entry['seq']]}, {entry}"

    assert sorted(entries) == list(range(1, len(entries) + 1))
    assert Counter(entry["text"] for entry in entries.values() if entry["kind"] == "note")["note 0"] == 1
    assert sum(entry["kind"] == "note" for entry in entries.values()) == 91
    assert (await story.clock("acknowledge"))["state"] == "overdue"
    assert "engineering lead" in story.paged_roles()
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
    await handle.signal("note", RawValue(Payload(metadata={"encoding": b"binary/encrypted"}, data=b"?")))
    await handle.signal("resolve", {"by": "ana", "root_cause": "x", "fix_applied": "y", "next_steps": "Hold the RCA"})
    await handle.signal("resolve", {"by": "ana", "root_cause": "x", "fix_applied": "y"})
    await handle.signal("acknowledge", {"by": "ana"})
    await eventually(lambda: _acknowledged(story), what="the good signal after the bad ones")
    kinds = Counter(await story.kinds())

    assert kinds["invalid"] == 11
    assert "signal note could not be understood: input: is not JSON (KeyError)" in [entry["text"] for entry in await story.timeline()]
    assert kinds["refused"] == 2
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
    """Signal-with-start, as the door does it. The test server now and then says that the group exists already, and is asked again."""
    for _ in range(20):
        try:
            await stage.client.start_workflow(
                "AlertGroup",
                contract.AlertGroupInput(group=group),
                id=contract.alert_group_id(group),
                task_queue=stage.queue,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                start_signal=contract.ALERTS,
                start_signal_args=[{"alerts": alerts}],
            )
        except WorkflowAlreadyStartedError:
            continue
        return
    raise AssertionError("the test server takes no signal with start")


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
        return len((await ask(handle, "state"))["alerts"]) == 1_000

    await eventually(all_there, what="all alerts in the incident", within=60, every=1.0)
    history = await handle.fetch_history()

    assert len(history.events) < 400
    before = (await ask(handle, "state"))["seq"]
    await _post(stage, group, many[:50])
    await _post(stage, group, [alert(name=group, instance="1000")])

    async def last_there() -> bool:
        return len((await ask(handle, "state"))["alerts"]) == 1_001

    await eventually(last_there, what="the alert that came after the repeated ones")
    after = [entry for entry in await ask(handle, "timeline") if entry["seq"] > before and entry["kind"] == "alert"]

    assert [alert["fingerprint"] for entry in after for alert in entry["data"]["alerts"]] == [f"{group}-1000"]
    assert (await ask(stage.client.get_workflow_handle(contract.REGISTRY_ID), "state"))["numbers"].popitem()[1] == 1


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
    """Forty requests at once, two for each key, get twenty numbers in a row; the next year begins with 1.

    A register that has lost its memory finds out what was given before it, and goes on behind it.
    """
    year = (await stage.environment.get_current_time()).year
    keys = [f"{uuid.uuid4().hex}-{number}" for number in range(20)]
    answers = await asyncio.gather(*(_open(stage, key) for key in keys * 2))
    by_key = {key: {answer["incident"] for answer in answers[index::20]} for index, key in enumerate(keys)}

    assert all(len(ids) == 1 for ids in by_key.values())
    assert sorted(id for ids in by_key.values() for id in ids) == [f"INC-{year}-{number:04d}" for number in range(1, 21)]
    assert sum(answer["new"] for answer in answers) == 20

    ids = [f"INC-{year}-{number:04d}" for number in range(1, 21)]
    await asyncio.gather(*(_dismiss(stage, id) for id in ids))
    new_year = datetime(year + 1, 1, 1, tzinfo=UTC)
    await stage.skip(new_year - await stage.environment.get_current_time())

    assert (await _open(stage, keys[0]))["incident"] in by_key[keys[0]], "the same key has the same incident for ever"
    assert (await _open(stage, "of the new year"))["incident"] == f"INC-{year + 1}-0001"

    await stage.client.get_workflow_handle(contract.REGISTRY_ID).terminate("its memory is lost")
    after = [await _open(stage, "after the loss"), await _open(stage, "and another"), await _open(stage, "after the loss")]

    assert [answer["incident"] for answer in after] == [f"INC-{year + 1}-{number:04d}" for number in (2, 3, 2)]


async def _dismiss(stage: Stage, id: str) -> None:
    handle = stage.client.get_workflow_handle(id)
    await handle.execute_update("dismiss", {"by": "ana", "as": "false_alarm", "reason": "an exercise"})
    await handle.result()


@pytest.mark.lengthy
async def test_a_page_under_way_at_the_dismissal_is_on_record(stage: Stage) -> None:
    """An incident that is dismissed while a page is being sent ends only when it knows what became of that page."""
    world = World()
    world.pager.down = True
    story = await Story.open(stage, world=world)
    await eventually(lambda: world.pager.attempts > 0, what="a try to page")
    await story.does("dismiss", as_="false_alarm", reason="the probe was broken")
    await story.settled()

    assert not await story.ended()

    world.pager.down = False
    await story.fast_forward(minutes=2)
    await eventually(story.ended, what="the end")
    kinds = await story.kinds()

    assert len(world.pager.paged) == kinds.count("paged") == 1
    assert kinds[-1] in ("paging_stopped", "delivered")
    assert kinds.index("paged") < kinds.index("paging_stopped")


async def test_a_follow_up_outgrows_its_history(stage: Stage) -> None:
    """A follow-up of many notes goes on in a new run with its action items, its entries and the answers to its keys."""
    policy = Policy(history_limit=120)
    story = await Story.open(stage, "SEV3", policy=policy)
    await story.does("acknowledge")
    await story.does(
        "add_action_item", item="Limit the retries", owner="eva", due=((await story.now()) + timedelta(days=30)).date().isoformat()
    )
    await story.does("add_action_item", item="Test it", owner="eva", due=((await story.now()) + timedelta(days=30)).date().isoformat())
    incident: Any = await story.handle.query("model")
    closed = {
        **incident,
        "phase": "closed",
        "outbox": [],
        "down": {},
        "clocks": {n: c for n, c in incident["clocks"].items() if n.startswith("action")},
    }
    id = f"{story.id}/follow-up"
    request = contract.FollowUpInput.model_validate({"incident": closed})
    handle = await stage.client.start_workflow("FollowUp", request, id=id, task_queue=stage.queue)
    first = await handle.execute_update("note", {"by": "ana", "text": "note 0", "key": "first"})
    for number in range(1, 30):
        await handle.execute_update("note", {"by": "ana", "text": f"note {number}"})
    latest = stage.client.get_workflow_handle(id)

    assert len(await runs(stage.client, id)) > 1
    assert await latest.execute_update("note", {"by": "ana", "text": "note 0", "key": "first"}) == first
    assert [entry["text"] for entry in await ask(latest, "timeline") if entry["kind"] == "note"] == [
        f"note {number}" for number in range(30)
    ]

    for item in ("AI-1", "AI-2"):
        answer = await latest.execute_update("complete_action_item", {"by": "eva", "id": item})

        assert answer["accepted"]


async def test_updates_that_are_turned_away_leave_no_trace(stage: Stage) -> None:
    """Whatever else happens at that moment: a rejected update changes neither the incident nor how its history is replayed."""
    for _ in range(6):
        story = await Story.open(stage, "SEV2")
        for name, args in (("acknowledge", []), ("acknowledge", ["x"]), ("nonsense", [{}]), ("acknowledge", [{"by": "a"}, 1])):
            with pytest.raises(WorkflowUpdateFailedError):
                async with asyncio.timeout(20):
                    await story.handle.execute_update(name, args=args)

        assert (await story.does("acknowledge"))["accepted"]
        assert "invalid" not in await story.kinds()
