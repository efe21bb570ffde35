"""Histories of every shape, recorded by every version so far, replay on the code as it is now, and tell the same story."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from incident import asking
from runtime.temporal import DATA_CONVERTER, sandboxed_runner
from starter.replay import replayed
from tests.harness import WORKFLOWS
from tests.workflows.recording import FOLDER, record
from workflows.guard import Guard

GOLDEN = sorted(FOLDER.glob("*/*.history.json"))


def _history(path: Path) -> WorkflowHistory:
    recorded = json.loads(path.read_text())
    return WorkflowHistory.from_json(recorded["workflow_id"], recorded["history"])


def _timeline(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.with_name(path.name.replace(".history.", ".timeline.")).read_text())
    return found


def test_every_shape_of_history_is_there() -> None:
    """Closed, mid-flight, continued, outage, measured, deliveries and items histories are kept; without them a replay proves nothing."""
    names = {path.name.split(".")[0].rsplit("-", 1)[0] for path in GOLDEN}

    assert names >= {"closed", "mid-flight", "continued", "outage", "measured", "deliveries", "items"}
    assert len([path for path in GOLDEN if path.name.startswith("continued")]) > 2
    assert {path.name.split(".")[0] for path in FOLDER.glob("*/*.other.json")} >= {"channels", "follow-up"}


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: f"{path.parent.name}/{path.name.split('.')[0]}")
async def test_a_recorded_incident_replays_and_has_the_timeline_that_it_had(path: Path) -> None:
    """What an incident of an earlier version has lived through is derived again, entry by entry."""
    timeline, failure = await replayed(_history(path))

    assert failure is None, f"{path.name}: a running incident of that version would be stuck. Patch the change (workflow.patched)."
    assert timeline == _timeline(path)


async def test_recorded_incidents_replay_in_the_sandbox_of_the_workers() -> None:
    """What replays in the open also replays where the workers run it."""
    replayer = Replayer(workflows=WORKFLOWS, data_converter=DATA_CONVERTER, interceptors=[Guard()], workflow_runner=sandboxed_runner())
    for path in GOLDEN:
        result = await replayer.replay_workflow(_history(path), raise_on_replay_failure=False)

        assert result.replay_failure is None, path.name


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*/*.other.json")), ids=lambda path: f"{path.parent.name}/{path.name.split('.')[0]}")
async def test_recorded_lives_of_other_workflows_replay(path: Path) -> None:
    """What keeps the pauses, and what sees to a closed incident's action items for weeks, run on through an upgrade as well."""
    replayer = Replayer(workflows=WORKFLOWS, data_converter=DATA_CONVERTER, interceptors=[Guard()], workflow_runner=sandboxed_runner())
    result = await replayer.replay_workflow(_history(path), raise_on_replay_failure=False)

    assert result.replay_failure is None, path.name


async def test_two_activities_swapped_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A change that sends effects in another order fails the replay: the gate works."""
    path = next(path for path in GOLDEN if path.name.startswith("closed"))
    real = asking.ASKERS["declared"]
    monkeypatch.setitem(asking.ASKERS, "declared", lambda *args: reversed(list(real(*args))))
    _, failure = await replayed(_history(path))

    assert failure is not None
    assert "Nondeterminism" in str(failure)


async def test_histories_of_today_replay(tmp_path: Path) -> None:
    """What the code as it is now writes, it replays."""
    for path in await record(tmp_path, ["outage"]):
        timeline, failure = await replayed(_history(path))

        assert failure is None
        assert timeline == _timeline(path)
