"""One key stands for one request, for as long as the incident lives."""

from __future__ import annotations

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from incident.policy import Policy
from tests.harness import Stage, Story, runs


async def test_a_key_that_is_spent_takes_no_other_request(stage: Stage) -> None:
    """Another verb, or other words, under a key that was used is refused by the key's rule and leaves nothing; also in a later run."""
    story = await Story.open(stage, "SEV2", policy=Policy(history_limit=80))
    first = await story.does("note", text="rolled back", key="k")
    await story.settled()
    seq = (await story.state())["seq"]

    async def turned_away(verb: str, text: str) -> str:
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await story.tries(verb, text=text, key="k")
        assert isinstance(refused.value.cause, ApplicationError)
        return refused.value.cause.message

    said = [await turned_away("note", "rolled forward"), await turned_away("hypothesize", "rolled back")]

    assert all(text.startswith("key: was used already for another request (note)") for text in said)
    assert (await story.state())["seq"] == seq
    assert await story.tries("note", text="rolled back", key="k") == first

    for number in range(15):
        await story.does("note", text=f"note {number}")
    await story.settled()

    assert len(await runs(stage.client, story.id)) > 1
    assert (await turned_away("note", "rolled forward")).startswith("key: ")


async def test_a_signal_under_another_request_s_key_is_on_record(stage: Stage) -> None:
    """Nobody waits for a signal, so the timeline says that it was not carried out, and why; a repeat adds nothing."""
    story = await Story.open(stage, "SEV2")
    await story.handle.signal("note", {"by": "ana", "text": "rolled back", "key": "k"})
    await story.handle.signal("note", {"by": "ana", "text": "rolled back", "key": "k"})
    await story.handle.signal("note", {"by": "ana", "text": "rolled forward", "key": "k"})
    told = [(entry["kind"], entry["text"]) for entry in await story.timeline() if entry["kind"] in {"note", "invalid"}]

    assert [kind for kind, _ in told] == ["note", "invalid"]
    assert "one key stands for one request" in told[1][1]
