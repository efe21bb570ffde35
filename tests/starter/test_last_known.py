"""An incident that nobody works on: what is known of it, and since when."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowHistory

from starter.last_known import LastKnown
from starter.reading import Entry
from tests.starter.web.memory import MemoryDesk
from tests.workflows.recording import FOLDER

RECORDED = FOLDER / "0.1.0"


def history(name: str) -> tuple[WorkflowHistory, list[Entry]]:
    """A run that was recorded, and the timeline that it had."""
    recorded = json.loads((RECORDED / f"{name}.history.json").read_text())
    timeline: list[Entry] = json.loads((RECORDED / f"{name}.timeline.json").read_text())
    return WorkflowHistory.from_json(recorded["workflow_id"], recorded["history"]), timeline


class Kept(MemoryDesk):
    """A desk without a worker; Temporal holds `held`."""

    held: WorkflowHistory | None = None

    async def latest_history(self, incident: str) -> WorkflowHistory | None:
        return self.held


async def kept(held: WorkflowHistory | None) -> Kept:
    desk = await Kept.made()
    assert isinstance(desk, Kept)
    desk.held = held
    return desk


@pytest.mark.parametrize("name", ["mid-flight-1", "continued-2"])
async def test_the_whole_state_comes_back_from_the_history_alone(name: str) -> None:
    """Severity, phase, roles, clocks and the timeline, exactly as a worker has left them, and when that was."""
    run, timeline = history(name)
    known = await LastKnown(await kept(run)).of(run.workflow_id)
    assert known is not None
    state: dict[str, Any] = known.state(datetime.now(UTC))

    assert known.timeline == timeline
    assert state["incident"] == run.workflow_id
    assert state["seq"] == timeline[-1]["seq"]
    assert {clock["state"] for clock in state["clocks"] if clock["due"]} <= {"overdue", "met"}
    assert known.at <= run.events[-1].event_time.ToDatetime(tzinfo=UTC)
    assert known.at > run.events[0].event_time.ToDatetime(tzinfo=UTC) - timedelta(seconds=1)


async def test_what_has_arrived_since_waits_and_has_not_happened() -> None:
    """A signal that nobody has handled is counted, and changes nothing yet."""
    run, timeline = history("mid-flight-1")
    signal = next(event for event in run.events if event.HasField("workflow_execution_signaled_event_attributes"))
    later = [type(signal).FromString(signal.SerializeToString()) for _ in range(2)]
    for number, event in enumerate(later, start=1):
        event.event_id = run.events[-1].event_id + number
    known = await LastKnown(await kept(WorkflowHistory(run.workflow_id, [*run.events, *later]))).of(run.workflow_id)
    assert known is not None

    assert known.waiting == 2
    assert known.timeline == timeline


async def test_one_replay_serves_all_who_look() -> None:
    """The second look costs a look at the history, and no replay."""
    run, _ = history("mid-flight-1")
    known = LastKnown(await kept(run))

    assert await known.of(run.workflow_id) is await known.of(run.workflow_id)


async def test_a_history_that_is_gone_or_of_another_kind_is_no_state() -> None:
    """Where it can't be told, nothing is made up."""
    run, _ = history("mid-flight-1")
    other = WorkflowHistory(run.workflow_id, list(run.events))
    strange = WorkflowHistory.from_json(run.workflow_id, other.to_json().replace('"Incident"', '"Unknown"', 1))

    assert await LastKnown(await kept(None)).of(run.workflow_id) is None
    assert await LastKnown(await kept(strange)).of(run.workflow_id) is None
