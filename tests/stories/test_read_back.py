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


async def test_a_channel_that_people_have_changed(stage: Stage) -> None:
    """A changed topic is told where people talk; an archived channel pages the commander, is owed, and settled once it is open again."""
    story = await Story.open(stage, "SEV1")
    await story.does("acknowledge")
    await story.told_everything_once()
    known: Any = await story.handle.query("model")
    name, topic = known["channel"], known["channel_topic"]
    shown = {"state": "open", "name": name, "topic": topic, "card": "there"}
    await story.handle.signal(contract.READ_BACK, {"system": "Slack", "channel": shown})
    await story.handle.signal(contract.READ_BACK, {"system": "Slack", "channel": {**shown, "topic": "lunch"}})
    await _until(story, "drift")
    await story.told_everything_once()

    assert {("channel_topic", topic, "lunch")} == {(each["name"], each["here"], each["there"]) for each in (await story.state())["drifts"]}
    assert 1 == (await story.kinds()).count("drift")
    assert any("lunch" in text for text in story.world.chat.posts)

    before = len(story.world.pager.paged)
    await story.handle.signal(contract.READ_BACK, {"system": "Slack", "channel": {"state": "archived", "name": name}})

    async def archived() -> bool:
        return "channel" in {each["name"] for each in (await story.state())["drifts"]}

    await eventually(archived, what="the archived channel as a contradiction")
    await story.told_everything_once()

    assert [True] == ["archived" in text for _, text in story.world.pager.paged[before:]]

    await story.fast_forward(minutes=31)

    assert "overdue" == (await story.clock("drift:channel"))["state"]

    await story.handle.signal(contract.READ_BACK, {"system": "Slack", "channel": shown})

    async def settled() -> bool:
        return (await story.kinds()).count("drift_settled") == 2

    await eventually(settled, what="both contradictions settled")

    assert "met" == (await story.clock("drift:channel"))["state"]


async def test_a_changed_item_changes_its_ticket_also_after_the_end(stage: Stage) -> None:
    """While the tracker is away and after the incident is closed, a change of an item reaches its ticket, once."""
    story = await Story.open(stage, "SEV3")
    await story.does("acknowledge")
    due = ((await story.now()) + timedelta(days=30)).date().isoformat()
    await story.does("add_action_item", item="Limit the retries", owner="eva", due=due)
    await story.told_everything_once()
    first = await story.does("change_action_item", id="AI-1", item="Limit all retries", key="once")
    again = await story.does("change_action_item", id="AI-1", item="Limit all retries", key="once")
    await story.told_everything_once()
    incident: Any = await story.handle.query("model")
    clocks = {name: clock for name, clock in incident["clocks"].items() if name.startswith("action")}
    closed = {**incident, "phase": "closed", "outbox": [], "down": {}, "clocks": clocks}
    request = contract.FollowUpInput.model_validate({"incident": closed})
    handle = await stage.client.start_workflow("FollowUp", request, id=f"{story.id}/follow-up", task_queue=stage.queue)
    answer = await handle.execute_update("change_action_item", {"by": "eva", "id": "AI-1", "owner": "ben"})

    async def told() -> bool:
        return story.world.tickets.changed == [("T-1", "Limit all retries", "eva"), ("T-1", "Limit all retries", "ben")]

    await eventually(told, what="the ticket with its words of today")

    async def handed_over() -> bool:
        posted = any("@ben: AI-1 is yours now" in text for text in story.world.chat.posts)
        return posted and any(to == "ben" and "AI-1 is yours now" in text for to, text in story.world.pager.paged)

    await eventually(handed_over, what="the new owner to hear of it")

    assert first == again
    assert answer["accepted"]
    assert [("ben", "open")] == [(item["owner"], item["status"]) for item in (await ask(handle, "state"))["action_items"]]
    await handle.terminate()
