"""A vendor that takes minutes to answer holds nobody up, also while an incident goes on in a new run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from incident.effects import Delivery, Publish, Receipt
from incident.policy import Policy
from tests.harness import Stage, Story, alert, eventually, runs
from workflows import contract


class Slow:
    """A vendor that says nothing until it is let go, and then does what it was asked all along."""

    def __init__(self, does: Callable[[Delivery], Awaitable[Receipt]]) -> None:
        self._does = does
        self.let_go = asyncio.Event()
        self.asked: list[Delivery] = []

    async def __call__(self, delivery: Delivery) -> Receipt:
        self.asked.append(delivery)
        await self.let_go.wait()
        return await self._does(delivery)


async def _waiting(story: Story) -> list[tuple[str, str]]:
    return [(each["key"], each["state"]) for each in (await story.state())["deliveries"]["waiting"]]


async def _goes_on(story: Story, before: int) -> bool:
    return len(await runs(story.stage.client, story.id)) > before


async def _about_to_go_on(stage: Stage) -> tuple[Story, Slow]:
    """An incident whose tracker hangs, and whose history is long enough for a new run."""
    story = await Story.open(stage, "SEV2", policy=Policy(history_limit=150))
    await story.does("acknowledge")
    await story.told_everything_once()
    tracker = Slow(story.world.tickets.open_ticket)
    story.world.tickets.open_ticket = tracker  # type: ignore[method-assign]  # this tracker takes its time
    due = ((await story.now()) + timedelta(days=3)).date().isoformat()
    await story.does("add_action_item", item="Limit the retries", owner="eva", due=due)
    await eventually(lambda: bool(tracker.asked), what="the tracker to be asked")
    for number in range(30):
        await story.does("note", text=f"note {number}")
    return story, tracker


async def test_a_vendor_that_hangs_holds_up_neither_people_nor_messages_nor_the_next_run(stage: Stage) -> None:
    """What it was asked goes on under its key in the next run, as one that may have arrived; all else is told meanwhile."""
    story, tracker = await _about_to_go_on(stage)
    key = tracker.asked[0].key
    posts, before = len(story.posts()), len(await runs(stage.client, story.id))
    await story.does("post_update", audience="internal", text="We look into it.")
    await eventually(lambda: len(story.posts()) > posts, what="the update to be told while the tracker hangs")

    assert not await _goes_on(story, before), "it waits for the tracker for a while"

    for _ in range(5):
        await stage.skip(timedelta(seconds=10))
    await eventually(lambda: _goes_on(story, before), what="the next run")

    assert (key, "queued") in await _waiting(story)

    await stage.skip(timedelta(seconds=15))
    await eventually(lambda: tracker.asked[-1].attempt == 2, what="the tracker to be asked once more, as for what may have arrived")
    (again,) = [
        event.activity_task_scheduled_event_attributes
        for event in (await story.handle.fetch_history()).events
        if event.activity_task_scheduled_event_attributes.activity_id == f"{key}#2"
    ]

    assert {key} == {each.key for each in tracker.asked}
    assert again.schedule_to_close_timeout.ToTimedelta() <= timedelta(seconds=80), "parked no later than without a new run"

    tracker.let_go.set()
    await stage.skip(timedelta(seconds=40))
    await story.told_everything_once()

    assert [key] == story.world.tickets.keys
    assert key not in dict(await _waiting(story))


async def test_an_incident_that_is_closed_while_its_next_run_waits_ends_in_this_one(stage: Stage) -> None:
    """Alerts that come too late find their way meanwhile, and what the slow vendor was asked is left to the follow-up."""
    story, tracker = await _about_to_go_on(stage)
    before = len(await runs(stage.client, story.id))
    await story.does("dismiss", reason="a test fired", as_="false_alarm")
    await story.handle.signal("alert", [{**alert("Later", at=await story.now()), "group": contract.alert_group_id("gone")}])
    for _ in range(8):
        await story.fast_forward(seconds=25)
        if await story.ended():
            break
    await eventually(story.ended, what="the incident's end")
    waiting = dict(await _waiting(story.follow_up()))
    tracker.let_go.set()

    assert not await _goes_on(story, before)
    assert waiting[tracker.asked[0].key] == "parked"


async def test_a_public_update_that_arrives_after_its_incident_became_private_is_left_without_a_promise(stage: Stage) -> None:
    """The one try that was under way is waited for, since the public may read it; nothing of it is left hanging there."""
    story = await Story.open(stage, "SEV2", customer_facing=True)
    await story.does("acknowledge")
    await story.told_everything_once()
    page = Slow(story.world.status.publish)
    story.world.status.publish = page  # type: ignore[method-assign]  # this page takes its time
    await story.does("post_update", audience="external", text="Payments fail.", status="investigating")
    await eventually(lambda: bool(page.asked), what="the page to be asked")
    await story.does("restrict", reason="it may be a breach")
    page.let_go.set()
    await eventually(lambda: len(story.world.status.ledger) == 2, what="the sentence that promises nothing")

    last = story.world.status.ledger[-1].ask

    assert isinstance(last, Publish)
    assert last.body.startswith("We are still working on this.")
    assert last.next_update_by is None
