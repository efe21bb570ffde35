"""What an incident has decided by the rules of its time stays decided when its history is read by later code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory

from incident import placeholders
from starter.replay import replayed
from tests.harness import POSTMORTEM, Stage, Story
from tests.workflows import recording

LEFT_STANDING = f"{POSTMORTEM}\n## Lessons Learned\n[Key takeaways for the team]\n"


async def test_a_post_mortem_that_was_taken_before_placeholders_were_looked_for_stays_filed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its history replays to the end on the code of today, which would refuse it."""
    with monkeypatch.context() as before:
        before.setattr(placeholders, "problems", lambda _, **__: {})
        before.setattr(recording, "POSTMORTEM", LEFT_STANDING)
        paths = await recording.record(tmp_path, ["closed"])
    for path in paths:
        recorded = json.loads(path.read_text())
        timeline, failure = await replayed(WorkflowHistory.from_json(recorded["workflow_id"], recorded["history"]))

        assert failure is None
        assert "postmortem_filed" in {entry["kind"] for entry in timeline}


async def test_today_such_a_post_mortem_is_refused_and_the_history_replays(stage: Stage) -> None:
    """The refusal names the section and what still stands in it, is on record, and is derived again."""
    story = await Story.open(stage, "SEV3")
    await story.reaches("triage")
    await story.mitigates()
    await story.confirms_everything()
    await story.does("resolve", root_cause="A retry without a limit", fix_applied="Rolled back")
    refusal = await story.refused("file_postmortem", document=LEFT_STANDING)
    await story.does("file_postmortem", document=POSTMORTEM)
    await story.settled()
    timeline, failure = await replayed(await story.handle.fetch_history())

    assert failure is None
    assert "Lessons Learned: still holds a placeholder: “[Key takeaways for the team]”" in str(refusal)
    assert [entry["kind"] for entry in timeline if entry["kind"] in {"refused", "postmortem_filed"}][-2:] == ["refused", "postmortem_filed"]
