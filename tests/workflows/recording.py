"""Golden histories: short lives of incidents, recorded once a version and replayed by every later one.

python -m tests.workflows.recording      writes those of this version that are not there yet; old ones stay as they are
"""

from __future__ import annotations

import asyncio
import json
import sys
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio.client import WithStartWorkflowOperation
from temporalio.common import WorkflowIDConflictPolicy

from incident.policy import Policy
from incident.queries import Query, Watching
from tests.harness import POSTMORTEM, Stage, Story, alert, ask, eventually, runs, staged
from workflows import contract, options

FOLDER = Path(__file__).parent / "histories"
VERSION = "0.1.0"


async def closed(stage: Stage) -> Story:
    """From the alert to the closed post-mortem."""
    story = await Story.open(stage, "SEV1", customer_facing=True, summary="Payments fail")
    await story.handle.signal("alert", [alert(), alert(firing=False)])
    await story.does("acknowledge")
    await story.does("post_update", audience="external", text="We are on it.")
    await story.fast_forward(minutes=11)
    await story.does("post_update", audience="internal", text="Rolling back")
    await story.reaches("triage")
    await story.mitigates()
    await story.confirms_everything()
    await story.refused("resolve", root_cause="x", fix_applied="y")
    await story.fast_forward(minutes=16)
    await story.does("resolve", root_cause="A retry without a limit", fix_applied="Rolled back")
    due = ((await story.now()) + timedelta(days=3)).date().isoformat()
    await story.does("add_action_item", item="Limit it", owner="eva", due=due)
    await story.does("file_postmortem", document=POSTMORTEM)
    await story.does("approve", by="ben", note="reviewed")
    await story.finishes_paperwork()
    await story.does("close")
    await eventually(story.ended, what="the end")
    return story


async def mid_flight(stage: Stage) -> Story:
    """Open, with clocks running and a mitigation waiting for its approval."""
    story = await Story.open(stage, "SEV2")
    await story.does("acknowledge")
    await story.fast_forward(minutes=13)
    await story.reaches("triage")
    await story.does("hypothesize", text="a full disk")
    await story.handle.signal("acknowledge", 7)
    await story.refused("approve")
    await story.settled()
    return story


async def outage(stage: Stage) -> Story:
    """Chat is down for a while, and comes back."""
    story = await Story.open(stage, "SEV2")
    await story.settled()
    story.world.chat.down = True
    await story.does("acknowledge")
    await story.does("post_update", audience="internal", text="first")
    await story.fast_forward(minutes=6)
    story.world.chat.down = False
    await story.fast_forward(minutes=10)
    return story


async def continued(stage: Stage) -> Story:
    """Through several runs."""
    story = await Story.open(stage, "SEV2", policy=Policy(history_limit=80))
    await story.does("acknowledge")
    for number in range(30):
        await story.does("note", text=f"note {number}", key=f"key-{number}")
    await story.fast_forward(minutes=16)
    return story


async def measured(stage: Stage) -> Story:
    """Verified by measurements: a second outage, monitoring out of reach for a while, then a whole green period."""
    monitoring = stage.board.monitoring
    watching = Watching(queries={"checkout": (Query(name="error_ratio", expression="error_ratio"),)})
    story = await Story.open(stage, "SEV1", policy=Policy(monitoring=watching))
    await story.does("acknowledge")
    await story.settled()
    await story.does("correct", finding="known_issues", text="none that is known")
    await story.reaches("triage")
    await story.mitigates()
    await story.does("confirm", criterion="symptom_resolved")
    await story.fast_forward(minutes=5)
    monitoring.otherwise = 0.31
    await story.fast_forward(minutes=2)
    await story.refused("confirm", criterion="metrics_at_baseline")
    monitoring.otherwise = 0.01
    await story.fast_forward(minutes=3)
    monitoring.down = True
    await story.fast_forward(minutes=4)
    monitoring.down = False
    await story.does("measure", name="cpu", expression="cpu", threshold=80.0, signal="saturation")
    await story.fast_forward(minutes=18)
    await story.does("resolve", root_cause="A retry without a limit", fix_applied="Rolled back")
    return story


async def deliveries(stage: Stage) -> Story:
    """People see to what has not arrived: given up while it is tried, replaced, tried again; a channel is paused and resumed."""
    story = await Story.open(stage, "SEV1", customer_facing=True)
    await story.does("acknowledge")
    await story.settled()
    story.world.chat.down = True
    await story.does("post_update", audience="internal", text="v248 is bad")
    await story.settled()
    await story.does("give_up_delivery", delivery=await _waiting(story, "update"), reason="it is v247")
    await story.does("post_update", audience="internal", text="v247 is bad")
    await story.fast_forward(minutes=3)
    await story.between_tries()
    await story.does("replace_delivery", delivery=await _waiting(story, "update"), text="v246 is bad")
    story.world.chat.down = False
    await story.does("retry_delivery", delivery=await _waiting(story, "update"))
    await story.settled()
    story.world.status.refuse = True
    await story.does("post_update", audience="external", text="Payments fail.", status="investigating")
    await story.settled()
    story.world.status.refuse = False
    await story.does("retry_delivery", delivery=(await story.state())["deliveries"]["refused"][0]["key"])
    await story.settled()
    await story.handle.signal(contract.CHANNELS, {"by": "ana", "paused": [await _pause(story, "chat")]})
    await story.does("dispatch", request="read the logs")
    await story.fast_forward(minutes=12)
    await story.does("post_update", audience="internal", text="Rolling back")
    await story.handle.signal(contract.CHANNELS, {"by": "ana", "paused": []})
    due = ((await story.now()) + timedelta(days=3)).date().isoformat()
    await story.does("add_action_item", item="Limit it", owner="eva", due=due)
    await story.settled()
    await story.does("waive", obligation="AI-1", reason="the retries are gone")
    await story.settled()
    return story


async def items(stage: Stage) -> Story:
    """Action items change hands and words: with their ticket there, behind one that waits, and behind one that is refused."""
    story = await Story.open(stage, "SEV3")
    await story.does("acknowledge")
    due = ((await story.now()) + timedelta(days=3)).date()
    await story.does("add_action_item", item="Limit the retries", owner="ben", due=due.isoformat())
    await story.settled()
    await story.does("change_action_item", id="AI-1", owner="eva", due=(due + timedelta(days=4)).isoformat(), reason="Ben is away")
    await story.settled()
    await story.does("change_action_item", id="AI-1", item="Limit all retries", owner="ana")
    await story.settled()
    tickets = story.world.tickets
    tickets.down = True
    await story.does("add_action_item", item="Alert on retries", owner="ben", due=due.isoformat())
    await story.does("change_action_item", id="AI-2", item="Alert on errors")
    await story.does("change_action_item", id="AI-2", owner="eva")
    await story.fast_forward(minutes=3)
    await story.between_tries()
    tickets.down, tickets.refuse = False, True
    await story.does("retry_delivery", delivery=await _waiting(story, "action_item"))
    await story.settled()
    tickets.refuse = False
    await story.does("retry_delivery", delivery=(await story.state())["deliveries"]["refused"][0]["key"])
    await story.settled()
    await story.does("change_action_item", id="AI-2", due=(due + timedelta(days=1)).isoformat())
    await story.does("complete_action_item", id="AI-1")
    await story.refused("change_action_item", id="AI-1", owner="ben")
    await story.settled()
    return story


async def _waiting(story: Story, purpose: str) -> str:
    waiting = (await story.state())["deliveries"]["waiting"]
    return str(next(each["key"] for each in waiting if each["purpose"] == purpose))


async def _pause(story: Story, port: str) -> dict[str, str]:
    now = await story.now()
    until = now + timedelta(hours=1)
    return {"port": port, "by": "ana", "reason": "the vendor is out", "since": now.isoformat(), "until": until.isoformat()}


async def channels(stage: Stage) -> str:
    """A channel is paused, forgotten, brought to mind twice, prolonged and resumed: the life of the workflow that keeps pauses."""
    await Story.open(stage, "SEV2")
    await asked(stage, contract.CHANNELS_PAUSE, port="chat", reason="the vendor is out", minutes=30)
    await stage.skip(timedelta(hours=2))
    await asked(stage, contract.CHANNELS_PAUSE, port="chat", reason="it is still out", minutes=60)
    await asked(stage, contract.CHANNELS_PAUSE, port="paging", reason="quiet")
    await asked(stage, contract.CHANNELS_RESUME, port="chat")
    await stage.skip(timedelta(minutes=5))
    await stage.client.get_workflow_handle(contract.CHANNELS_ID).result()
    return contract.CHANNELS_ID


async def asked(stage: Stage, update: str, **fields: Any) -> dict[str, Any]:
    """Ask for a pause, or for its end, as the door does."""
    start: WithStartWorkflowOperation[Any, Any] = WithStartWorkflowOperation(
        "Channels",
        id=contract.CHANNELS_ID,
        task_queue=stage.queue,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        task_timeout=options.WORKFLOW_TASK_TIMEOUT,
    )
    answer: dict[str, Any] = await stage.client.execute_update_with_start_workflow(
        update, {"by": "ana", **fields}, id=uuid.uuid4().hex, start_workflow_operation=start
    )
    return answer


async def follow_up(stage: Stage) -> str:
    """What a closed incident still owes: a reminder, an item that changes hands and words while its tracker is away, and both are done."""
    story = await Story.open(stage, "SEV3")
    await story.does("acknowledge")
    due = ((await story.now()) + timedelta(days=3)).date()
    await story.does("add_action_item", item="Limit the retries", owner="ben", due=due.isoformat())
    await story.does("add_action_item", item="Alert on retries", owner="eva", due=(due + timedelta(days=4)).isoformat())
    await story.settled()
    incident: Any = await story.handle.query("model")
    clocks = {name: clock for name, clock in incident["clocks"].items() if name.startswith("action")}
    closed = {**incident, "phase": "closed", "outbox": [], "down": {}, "clocks": clocks}
    id = f"{story.id}/follow-up"
    request = contract.FollowUpInput.model_validate({"incident": closed})
    handle = await stage.client.start_workflow("FollowUp", request, id=id, task_queue=stage.queue)
    await stage.skip(timedelta(days=2, hours=1))
    tickets = story.world.tickets
    tickets.down = True
    told = {"by": "ana", "id": "AI-1", "item": "Limit all retries", "owner": "eva", "due": (due + timedelta(days=7)).isoformat()}
    await handle.execute_update("change_action_item", told)
    await stage.skip(timedelta(minutes=10))
    tickets.down = False
    await handle.execute_update("complete_action_item", {"by": "eva", "id": "AI-2"})
    await stage.skip(timedelta(days=5))
    await handle.execute_update("complete_action_item", {"by": "eva", "id": "AI-1"})
    await handle.result()
    return id


OTHERS = {"channels": channels, "follow-up": follow_up}
"""Workflows that have no timeline: only that they replay is held against them."""

SCENARIOS = {
    "closed": closed,
    "mid-flight": mid_flight,
    "outage": outage,
    "continued": continued,
    "measured": measured,
    "deliveries": deliveries,
    "items": items,
}


def impersonal(value: Any) -> Any:
    """The history without the recording machine: its worker's name, and the paths in stack traces."""
    if isinstance(value, list):
        return [impersonal(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {name: impersonal(item) for name, item in value.items() if name != "stackTrace"}
    return {**kept, "identity": "worker"} if "identity" in kept else kept


async def record(folder: Path, names: list[str]) -> list[Path]:
    """Play the scenarios; write each run's history and, beside it, the timeline that it had."""
    written = []
    for name in names:
        async with staged() as stage:
            story = await SCENARIOS[name](stage)
            for number, run in enumerate(await runs(stage.client, story.id), start=1):
                history, timeline = await run.fetch_history(), await ask(run, "timeline")
                path = folder / f"{name}-{number}.history.json"
                path.parent.mkdir(parents=True, exist_ok=True)
                recorded = {"workflow_id": story.id, "history": impersonal(json.loads(history.to_json()))}
                path.write_text(json.dumps(recorded, separators=(",", ":")) + "\n")
                path.with_name(f"{name}-{number}.timeline.json").write_text(json.dumps(timeline, indent=0, ensure_ascii=False) + "\n")
                written.append(path)
    return written


async def record_others(folder: Path, names: list[str]) -> list[Path]:
    """Play the lives of other workflows; write their histories."""
    written = []
    for name in names:
        async with staged() as stage:
            id = await OTHERS[name](stage)
            history = await stage.client.get_workflow_handle(id).fetch_history()
            path = folder / f"{name}.other.json"
            recorded = {"workflow_id": id, "history": impersonal(json.loads(history.to_json()))}
            path.write_text(json.dumps(recorded, separators=(",", ":")) + "\n")
            written.append(path)
    return written


def main() -> int:
    folder = FOLDER / VERSION
    missing = [name for name in SCENARIOS if not list(folder.glob(f"{name}-*.history.json"))]
    others = [name for name in OTHERS if not (folder / f"{name}.other.json").exists()]
    for path in [*asyncio.run(record(folder, missing)), *asyncio.run(record_others(folder, others))]:
        sys.stdout.write(f"{path.relative_to(FOLDER)}  {path.stat().st_size // 1024} kB\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
