"""Posts that are larger than one message may be: documents in labels, and more alerts than an incident can be opened with."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tests.harness import Stage, alert, eventually
from tests.stories.test_alert_groups import Monitoring, _now, _told
from workflows import contract


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
