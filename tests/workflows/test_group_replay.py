"""Histories of alert groups and of the register replay on the code as it is now, those of before its changes too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from runtime.temporal import DATA_CONVERTER, sandboxed_runner
from starter.replay import Recorder, Witness
from tests.harness import WORKFLOWS
from tests.workflows.group_recording import BIG, NAMES
from tests.workflows.recording import FOLDER
from workflows.alert_group import AlertGroup
from workflows.guard import Guard

GOLDEN = sorted(FOLDER.glob("*/groups/*.history.json"))


class Stateful(Witness):
    """Keeps what the workflow's own query said after each task."""

    def __init__(self) -> None:
        super().__init__()
        self.state: Any = None

    def look(self) -> None:
        if self.instance is not None:
            told = self.instance.state() if isinstance(self.instance, AlertGroup) else self.instance.snapshot()
            self.state = told.model_dump(mode="json") if isinstance(told, BaseModel) else told


def _history(path: Path) -> WorkflowHistory:
    recorded = json.loads(path.read_text())
    return WorkflowHistory.from_json(recorded["workflow_id"], recorded["history"])


async def _replayed(path: Path) -> tuple[Any, Exception | None]:
    witness = Stateful()
    replayer = Replayer(
        workflows=WORKFLOWS, data_converter=DATA_CONVERTER, interceptors=[Guard(), witness], workflow_runner=Recorder(witness)
    )
    result = await replayer.replay_workflow(_history(path), raise_on_replay_failure=False)
    return witness.state, result.replay_failure


def test_every_fate_of_a_group_is_there() -> None:
    """Histories of before and after the changes that are guarded by a patch are kept, for every fate of a group and the register."""
    names = {path.name.split(".")[0].rsplit("-", 1)[0] for path in GOLDEN}

    assert names >= {*NAMES, *(f"before-{name}" for name in NAMES), "few-signals-group-big"}


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.name.split(".")[0])
async def test_a_recorded_group_goes_on_as_it_began(path: Path) -> None:
    """What an earlier version began, this one goes on with: the same steps, and the state that it had, with what is new empty."""
    state, failure = await _replayed(path)
    recorded = json.loads(path.with_name(path.name.replace(".history.", ".state.")).read_text())

    assert failure is None, f"{path.name}: a running one of that version would be stuck. Patch the change (workflow.patched)."
    assert _told({name: state[name] for name in recorded}) == _told(recorded)


def _told(value: Any) -> Any:
    """Without what is None: a field of later versions, which nobody has filled."""
    if isinstance(value, dict):
        return {name: _told(each) for name, each in value.items() if each is not None}
    return [_told(each) for each in value] if isinstance(value, list) else value


async def test_recorded_groups_replay_in_the_sandbox_of_the_workers() -> None:
    """What replays in the open also replays where the workers run it."""
    replayer = Replayer(workflows=WORKFLOWS, data_converter=DATA_CONVERTER, interceptors=[Guard()], workflow_runner=sandboxed_runner())
    for path in GOLDEN:
        result = await replayer.replay_workflow(_history(path), raise_on_replay_failure=False)

        assert result.replay_failure is None, path.name


async def test_a_change_without_its_patch_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Words that the history does not have, and signals that it has and nobody sends any more, fail the replay: the gate works."""
    monkeypatch.setattr("workflows.registry.workflow.patched", lambda _: True)
    _, told_too_much = await _replayed(next(path for path in GOLDEN if path.name.startswith("before-register")))
    monkeypatch.setattr("workflows.options.ALERTS_A_SIGNAL_BEFORE", 2 * BIG)
    _, told_too_little = await _replayed(next(path for path in GOLDEN if path.name.startswith("before-group-big")))

    assert "Nondeterminism" in str(told_too_much)
    assert "Nondeterminism" in str(told_too_little)
