# ruff: noqa: SIM300 - the house writes what is expected first
"""What people do at the tracker and on the status page reaches the incident, and what it owes after its end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.harness import Stage, Story, ask, eventually
from workflows import contract


async def _until(story: Story, kind: str) -> None:
    async def said() -> bool:
        return kind in await story.kinds()

    await eventually(said, what=f"{kind} on the timeline")


async def test_a_ticket_closed_outside_and_a_page_edited_by_hand(stage: Stage) -> None:
    """The ticket that was closed at the tracker completes its item; the edited page is owed to somebody; rubbish is on record."""
    story = await Story.open(stage, "SEV2")
    await story.does("acknowledge")
    due = ((await story.now()) + timedelta(days=30)).date().isoformat()
    await story.does("add_action_item", item="Limit the retries", owner="eva", due=due)
    await story.does("post_update", audience="external", text="We are on it.", status="investigating")
    await story.told_everything_once()
    ticket = (await story.state())["action_items"][0]["ticket"]
    await story.handle.signal(contract.READ_BACK, {"system": "Jira", "tickets": [{"ticket": ticket, "state": "closed"}]})
    await story.handle.signal(contract.READ_BACK, {"system": "Statuspage", "page": {"status": "resolved", "body": "All is well."}})
    await story.handle.signal(contract.READ_BACK, {"system": "Jira", "tickets": "none"})
    await story.handle.signal(contract.READ_BACK, [1, 2])
    await _until(story, "drift")
    state = await story.state()

    assert ["done"] == [item["status"] for item in state["action_items"]]
    assert "Jira" == state["action_items"][0]["done_by"]
    assert [("status_page", "resolved: All is well.")] == [(each["name"], each["there"]) for each in state["drifts"]]
    assert "running" == (await story.clock("drift:status_page"))["state"]
    assert 2 == (await story.kinds()).count("invalid")

    await story.fast_forward(minutes=31)

    assert "overdue" == (await story.clock("drift:status_page"))["state"]


async def test_a_follow_up_hears_of_closed_tickets(stage: Stage) -> None:
    """After the incident is closed, its last action item is done when somebody closes the ticket, and nobody is reminded any more."""
    story = await Story.open(stage, "SEV3")
    await story.does("acknowledge")
    due = ((await story.now()) + timedelta(days=30)).date().isoformat()
    await story.does("add_action_item", item="Limit the retries", owner="eva", due=due)
    await story.told_everything_once()
    incident: Any = await story.handle.query("model")
    clocks = {name: clock for name, clock in incident["clocks"].items() if name.startswith("action")}
    closed = {**incident, "phase": "closed", "outbox": [], "down": {}, "clocks": clocks}
    request = contract.FollowUpInput.model_validate({"incident": closed})
    handle = await stage.client.start_workflow("FollowUp", request, id=f"{story.id}/follow-up", task_queue=stage.queue)
    ticket = (await ask(handle, "state"))["action_items"][0]["ticket"]
    await handle.signal(contract.READ_BACK, {"system": "Jira", "tickets": [{"ticket": ticket, "state": "shut"}]})
    await handle.signal(contract.READ_BACK, {"system": "Jira", "tickets": [{"ticket": ticket, "state": "closed"}]})
    result: Any = await handle.result()

    assert [("done", "Jira")] == [(item["status"], item["done_by"]) for item in result["action_items"]]
