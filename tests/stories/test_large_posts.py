"""Posts that are larger than one message may be: documents in labels, and more alerts than an incident can be opened with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowHandle

from incident.policy import Policy
from tests.harness import Stage, Story, alert, eventually, runs, working
from tests.stories.test_alert_groups import Monitoring, _now, _told
from workflows import contract, options


def large(at: datetime, instance: str) -> dict[str, Any]:
    """Each label is cut to two thousand characters at the door: sixty kilobytes an alert."""
    plain = alert("Large", at=at, instance=instance)
    return {**plain, "labels": {**plain["labels"], **{f"label_{number}": str(number) * 10_000 for number in range(30)}}}


async def test_labels_of_ten_kilobytes_reach_the_incident_in_signals_that_the_server_takes(stage: Stage) -> None:
    """Fifty such alerts at once are more than one message takes: they go in several, and none is lost."""
    monitoring = Monitoring(stage)
    at = await _now(stage)
    await monitoring.posts("large", alert("Large", at=at, instance="first"))
    story = await monitoring.story("large")
    await monitoring.posts("large", *(large(at, str(number)) for number in range(80)))
    await _told(story, 81)

    assert (await monitoring.group("large"))["incident"] == story.id


async def test_a_first_post_that_is_more_than_an_incident_can_be_opened_with_loses_nothing(stage: Stage) -> None:
    """It is opened with as many as fit, and the others follow."""
    monitoring = Monitoring(stage)
    at = await _now(stage)
    await monitoring.posts("first", *(large(at, str(number)) for number in range(80)))
    story = await monitoring.story("first")
    await _told(story, 80)

    assert len((await monitoring.group("first"))["firing"]) == 80


async def test_what_a_closed_incident_knew_does_not_hide_what_comes_after_it_in_the_same_large_post(stage: Stage) -> None:
    """Each part of a large post is asked about: the part that is known opens nothing, the new one does."""
    monitoring = Monitoring(stage)
    at = await _now(stage)
    known = [large(at, f"known {number}") for number in range(20)]
    await monitoring.posts("again", *known)
    story = await monitoring.story("again")
    await _told(story, 20)
    await story.does("dismiss", as_="false_alarm", reason="a broken probe")
    await eventually(story.ended, what="the end")
    await stage.client.get_workflow_handle(contract.alert_group_id(f"{monitoring.name} again")).terminate("it forgets what it knew")
    later = (await _now(stage)) + timedelta(seconds=1)
    fresh = [large(later, f"fresh {number}") for number in range(20)]
    await monitoring.posts("again", *known, *fresh)

    async def another() -> bool:
        return (await monitoring.group("again"))["incident"] not in (None, story.id)

    await eventually(another, what="a new incident")
    second = await monitoring.story("again")

    async def all_there() -> bool:
        told = {each["fingerprint"] for each in (await second.state())["alerts"]}
        return told >= {each["fingerprint"] for each in fresh} and known[0]["fingerprint"] not in told

    await eventually(all_there, what="all that is new, without the part that was known")


async def _largest_signal_of(story: Story) -> int:
    """Bytes of the largest message that the incident has sent to a fellow workflow."""
    sizes = [0]
    for run in await runs(story.stage.client, story.id):
        for event in (await run.fetch_history()).events:
            sent = event.signal_external_workflow_execution_initiated_event_attributes
            sizes += [len(payload.data) for payload in sent.input.payloads]
    return max(sizes)


@pytest.mark.lengthy
async def test_what_a_merge_has_kept_back_is_handed_over_in_signals_that_the_server_takes(stage: Stage) -> None:
    """The other incident's worker is away while large alerts arrive: they wait, and go over whole once it answers."""
    other = await Story.open(stage, queue=f"{stage.queue}-away")
    monitoring = Monitoring(stage)
    at = await _now(stage)
    await monitoring.posts("large", alert("Large", at=at, instance="first"))
    story = await monitoring.story("large")
    await story.does("merge", into=other.id)
    await monitoring.posts("large", *(large(at, str(number)) for number in range(60)))

    async def all_kept_back() -> bool:
        signals = [
            event for event in (await story.handle.fetch_history()).events if event.HasField("workflow_execution_signaled_event_attributes")
        ]
        return sum(event.workflow_execution_signaled_event_attributes.input.ByteSize() for event in signals) > 60 * 55_000

    await eventually(all_kept_back, what="the alerts at the incident that is to be merged")
    async with working(stage.client, stage.board, f"{stage.queue}-away"):
        await _told(other, 61)
        await eventually(story.ended, what="the end of the incident that was merged")

    assert await _largest_signal_of(story) <= options.BYTES_A_SIGNAL


@pytest.mark.lengthy
async def test_what_is_packed_for_the_next_run_is_all_there(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """An incident that goes on in new runs, and the follow-up of what it still owes, both from a packed state."""
    monkeypatch.setattr(options, "PACKED_FROM", 1_000)
    story = await Story.open(stage, "SEV3", policy=Policy(history_limit=100))
    await story.handle.signal("alert", [alert(instance=str(number)) for number in range(50)])
    await story.settled()
    before = await story.state()
    for number in range(30):
        await story.does("note", text=f"note {number}")
    await story.settled()
    _, *later = await runs(stage.client, story.id)

    assert later
    assert [packed async for packed in _packed_starts(later)] == [True] * len(later)
    assert (await story.state())["alerts"] == before["alerts"]
    assert [entry["seq"] for entry in await story.timeline()] == list(range(1, (await story.state())["seq"] + 1))

    story.world.chat.down = True
    await story.does("dismiss", as_="false_alarm", reason="a broken probe")
    await story.fast_forward(minutes=5)
    await eventually(story.ended, what="the end")

    assert (await story.follow_up().state())["deliveries"]["waiting"]
    assert [packed async for packed in _packed_starts([story.follow_up().handle])] == [True]


async def _packed_starts(handles: list[WorkflowHandle[Any, Any]]) -> AsyncIterator[bool]:
    for handle in handles:
        started = (await handle.fetch_history()).events[0].workflow_execution_started_event_attributes
        yield b'"packed"' in started.input.payloads[0].data


async def test_thousands_of_alerts_in_one_message_make_entries_that_can_be_read(stage: Stage) -> None:
    """Somebody hands them over without the door, which would have parted them: all are there, and no entry is a book."""
    story = await Story.open(stage, "SEV2")
    at = await _now(stage)
    await story.handle.signal("alert", [alert("Many", at=at, instance=str(number)) for number in range(1_200)])
    await _told(story, 1_200)
    entries = [len(entry["data"]["alerts"]) for entry in await story.timeline() if entry["data"].get("alerts")]

    assert (sum(entries), max(entries)) == (1_200, options.ALERTS_A_SIGNAL)
