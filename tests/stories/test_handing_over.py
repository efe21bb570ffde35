# ruff: noqa: SIM300 - the house writes what is expected first
"""What a closed incident still owes has one owner at any time: the incident, then its follow-up."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from incident.policy import Policy
from tests.harness import Stage, Story, eventually
from workflows import contract


async def _owing(stage: Stage, *, paused: bool = False, **changes: Any) -> Story:
    """Dismissed while the tracker is down, or people have it wait: two action items have no ticket yet."""
    story = await Story.open(stage, "SEV2", **changes)
    await story.does("acknowledge")
    await story.told_everything_once()
    if paused:
        now = await story.now()
        until = (now + timedelta(hours=1)).isoformat()
        pause = {"port": "tickets", "by": "ana", "reason": "the vendor is out", "since": now.isoformat(), "until": until}
        await story.handle.signal(contract.CHANNELS, {"by": "ana", "paused": [pause]})
    else:
        story.world.tickets.down = True
    due = ((await story.now()) + timedelta(days=3)).date().isoformat()
    await story.does("add_action_item", item="Limit the retries", owner="eva", due=due)
    await story.does("add_action_item", item="Alert on them", owner="eva", due=due)
    await story.does("dismiss", reason="a test fired", as_="false_alarm")
    return story


async def _handed_over(story: Story) -> Story:
    """The follow-up, once it has all that the incident owes."""
    await story.fast_forward(minutes=3)
    await eventually(story.ended, what="the incident's end")
    return story.follow_up()


async def test_an_item_done_before_its_ticket_is_filed_leaves_no_ticket_open(stage: Stage) -> None:
    """Tickets that could not be filed before the end are filed and closed in order afterwards, and are read back."""
    story = await _owing(stage)
    later = await _handed_over(story)
    story.world.tickets.down = False
    await later.does("complete_action_item", id="AI-1")
    await stage.skip(timedelta(minutes=16))
    await eventually(lambda: [(story.id, "AI-2")] == story.world.tickets.open, what="the tickets to be as the items are")

    async def known() -> bool:
        return bool(await _ticket_of(later, "AI-2"))

    await eventually(known, what="the item to know its ticket")
    shown = {"ticket": await _ticket_of(later, "AI-2"), "state": "closed"}
    await later.handle.signal(contract.READ_BACK, {"system": "jira", "tickets": [shown]})
    done = (await later.handle.result())["action_items"]

    assert ["done", "done"] == [item["status"] for item in done]
    assert story.world.tickets.keys == sorted(set(story.world.tickets.keys), key=lambda key: int(key.rpartition(":")[2]))


async def _ticket_of(story: Story, item: str) -> str:
    return next(str(each["ticket"] or "") for each in (await story.state())["action_items"] if each["id"] == item)


async def test_until_it_is_handed_over_the_closed_incident_sees_to_its_items(stage: Stage) -> None:
    """While the last tries are made, an item can be done at once, and nothing is refused that is carried out after all."""
    story = await _owing(stage)
    done = await story.does("complete_action_item", id="AI-1", key="done once")
    later = await _handed_over(story)

    assert "refused" not in await story.kinds()
    assert done == await later.does("complete_action_item", id="AI-1", key="done once"), "a repeat is recognised there too"
    assert ["done", "open"] == [item["status"] for item in (await later.state())["action_items"]]


async def test_an_item_is_chased_once(stage: Stage) -> None:
    """However long its ticket waits, each reminder of an open item is paged once, and by the follow-up."""
    story = await _owing(stage, paused=True)
    later = await _handed_over(story)
    await stage.skip(timedelta(days=4, hours=1))
    await eventually(lambda: _overdue(later, "AI-1"), what="the item to be overdue")
    await later.settled()
    pages = [each.ask.text for each in story.world.pager.ledger if "AI-1" in each.ask.text]  # type: ignore[union-attr]

    assert pages
    assert sorted(set(pages)) == sorted(pages)
    assert [] == [clock["name"] for clock in (await story.state())["clocks"] if clock["name"].startswith("action_item")]


async def _overdue(story: Story, item: str) -> bool:
    return bool((await story.clock(f"action_item:{item}"))["state"] == "overdue")


async def test_what_was_refused_is_kept_until_somebody_decides(stage: Stage) -> None:
    """A delivery that was refused is not forgotten with the incident that asked for it, nor is anybody kept waiting for it."""
    story = await Story.open(stage, "SEV2")
    await story.does("acknowledge")
    await story.told_everything_once()
    story.world.chat.refuse = True
    await story.does("dismiss", reason="a test fired", as_="false_alarm")
    await eventually(story.ended, what="the incident's end")
    later = await _handed_over(story)
    refused = (await later.state())["deliveries"]["refused"]

    assert refused
    assert [] == (await story.state())["deliveries"]["refused"]

    for each in refused:
        await later.does("give_up_delivery", delivery=each["key"], reason="the channel is gone")
    await eventually(later.ended, what="the follow-up's end")


async def test_what_waits_for_long_outgrows_no_history(stage: Stage) -> None:
    """What a closed incident owes goes on in new runs, and loses nothing that waits."""
    story = await _owing(stage, paused=True, policy=Policy(history_limit=100))
    later = await _handed_over(story)
    first = (await later.handle.describe()).run_id
    for number in range(30):
        await later.does("note", text=f"note {number}")
    await later.settled()

    assert first != (await later.handle.describe()).run_id
    assert ["open_ticket", "open_ticket"] == [each["action"] for each in (await later.state())["deliveries"]["waiting"]]
