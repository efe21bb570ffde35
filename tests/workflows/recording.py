"""Golden histories: short lives of incidents, recorded once a version and replayed by every later one.

python -m tests.workflows.recording      writes those of this version that are not there yet; old ones stay as they are
"""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from incident.policy import Policy
from incident.queries import Query, Watching
from tests.harness import POSTMORTEM, Stage, Story, alert, ask, eventually, runs, staged

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


SCENARIOS = {"closed": closed, "mid-flight": mid_flight, "outage": outage, "continued": continued, "measured": measured}


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


def main() -> int:
    folder = FOLDER / VERSION
    missing = [name for name in SCENARIOS if not list(folder.glob(f"{name}-*.history.json"))]
    for path in asyncio.run(record(folder, missing)):
        sys.stdout.write(f"{path.relative_to(FOLDER)}  {path.stat().st_size // 1024} kB\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
