# ruff: noqa: SIM300 - the house writes what is expected first
"""What becomes of what is told outside while systems fail, and what people do about it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from incident.effects import Page, Port
from incident.model import Pause
from tests.harness import Stage, Story, ask, eventually
from tests.workflows.recording import asked
from workflows import contract
from workflows.channels import ChannelsInput


async def _deliveries(story: Story) -> dict[str, Any]:
    told: dict[str, Any] = (await story.state())["deliveries"]
    return told


def _of(told: dict[str, Any], which: str, purpose: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = [each for each in told[which] if each["purpose"] == purpose]
    assert found, f"nothing of {purpose} in {which}: {told[which]}"
    return found[-1]


async def _settled_into(story: Story, severity: str = "SEV2", **fields: Any) -> None:
    await story.does("acknowledge")
    await story.told_everything_once()


async def test_what_is_parked_can_be_replaced_given_up_and_retried(stage: Stage) -> None:
    """While chat is down, one message gets another text, one is let go, and the rest goes out as soon as somebody says so."""
    story = await Story.open(stage, "SEV2")
    await _settled_into(story)
    story.world.chat.down = True
    await story.does("post_update", audience="internal", text="v248 is bad")
    await story.does("dispatch", request="read the logs")
    await story.settled()
    key = _of(await _deliveries(story), "waiting", "update")["key"]
    answer = await story.does("give_up_delivery", delivery=key, reason="it is v247")

    assert "it may have arrived all the same" in answer["events"][0]["text"], "a try was under way"

    await story.does("post_update", audience="internal", text="v247 is bad")
    await story.does("change_severity", severity="SEV1", reason="everybody is affected")
    await story.fast_forward(minutes=3)
    await story.between_tries()

    assert await story.knows_down("chat")()

    told = await _deliveries(story)
    update, severity = _of(told, "waiting", "update"), _of(told, "waiting", "severity")

    assert "failed_over" == severity["state"], "what matters was paged meanwhile"
    assert "parked" == update["state"]

    await story.does("replace_delivery", delivery=update["key"], text="v246 is bad")
    await story.does("give_up_delivery", delivery=severity["key"].rpartition(":")[2], reason="told by phone")
    refusal = await story.refused("give_up_delivery", delivery=severity["key"], reason="once more")

    assert "unknown-delivery" == refusal["code"]

    story.world.chat.down = False
    await story.does("retry_delivery", delivery=_of(await _deliveries(story), "waiting", "update")["key"])
    await story.told_everything_once()
    told = await _deliveries(story)

    assert ["v246 is bad"] == [text.splitlines()[-1] for text in story.posts() if "is bad" in text]
    assert not [text for text in story.posts() if "everybody is affected" in text]
    assert {"replaced", "delivered"} <= {each["state"] for each in told["settled"] if each["purpose"] == "update"}
    assert "given_up" == _of(told, "settled", "severity")["state"]
    assert {"delivery_replaced", "delivery_given_up", "delivery_retried"} <= set(await story.kinds())
    assert _of(told, "settled", "update")["reference"].startswith("message-")


async def test_a_refused_message_waits_for_somebodys_decision(stage: Stage) -> None:
    """What a vendor refuses for good goes another way, and is sent once it has been mended and tried again."""
    story = await Story.open(stage, "SEV1", customer_facing=True)
    await _settled_into(story)
    story.world.status.refuse = True
    await story.does("post_update", audience="external", text="Payments fail.", status="investigating")
    await story.settled()
    refused = _of(await _deliveries(story), "refused", "status")
    page = next(each.ask for each in story.world.pager.ledger if isinstance(each.ask, Page) and "Payments fail." in each.ask.text)

    assert ("failed_over", "ben") == (refused["state"], page.to)
    assert "told to refuse" in refused["error"]

    story.world.status.refuse = False
    await story.does("retry_delivery", delivery=refused["key"])
    await story.told_everything_once()

    assert [refused["key"]] == story.world.status.keys
    assert [] == (await _deliveries(story))["refused"]


async def test_a_page_that_is_refused_goes_to_the_next_person(stage: Stage) -> None:
    """Nobody has an address for the commander: the next one on the chain is paged, and so on until somebody can be."""
    story = await Story.open(stage, "SEV1")
    await _settled_into(story)
    pager = story.world.pager
    real = pager.page

    async def unknown(delivery: Any) -> Any:
        pager.refuse = delivery.ask.to in ("ben", "ana")
        return await real(delivery)

    pager.page = unknown  # type: ignore[method-assign]  # this pager has no address for two of them
    await story.fast_forward(minutes=11)
    overdue = next(each.ask for each in pager.ledger if isinstance(each.ask, Page) and "can't be paged" in each.ask.text)

    assert ("eva", "engineering lead") == (overdue.to, overdue.role)
    assert "primary on-call can't be paged, so you are asked." in overdue.text
    assert overdue.text.startswith("SEV1")


async def test_each_update_is_told_to_the_communications_lead_while_the_status_page_is_down(stage: Stage) -> None:
    """What should stand there is told with every update, and the newest one stands there once the page is back."""
    story = await Story.open(stage, "SEV1", customer_facing=True)
    await story.does("assign", role="communications", person="cem")
    await _settled_into(story)
    story.world.status.down = True
    await story.does("post_update", audience="external", text="Payments fail.", status="investigating")
    await story.fast_forward(minutes=3)
    await story.between_tries()

    assert await story.knows_down("status")()

    await story.does("post_update", audience="external", text="We know the cause.", status="identified")
    await story.settled()
    told = [each.ask.text for each in story.world.pager.ledger if isinstance(each.ask, Page) and each.ask.to == "cem"]

    assert [True, True] == ["Payments fail." in told[0], "We know the cause." in told[-1]]
    assert "failed_over" == _of(await _deliveries(story), "waiting", "status")["state"]

    story.world.status.down = False
    await story.fast_forward(minutes=16)

    assert ["We know the cause."] == [each.ask.body.splitlines()[0] for each in story.world.status.ledger]  # type: ignore[union-attr]


async def test_a_public_update_that_waits_is_called_off_when_its_incident_becomes_private(stage: Stage) -> None:
    """It is not tried any more: the page is back, and says nothing of it; the communications lead knows that it does not."""
    story = await Story.open(stage, "SEV1", customer_facing=True)
    await story.does("assign", role="communications", person="cem")
    await _settled_into(story)
    story.world.status.down = True
    await story.does("post_update", audience="external", text="Payments fail.", status="investigating")
    await story.settled()
    await story.does("restrict", reason="it may be a breach")
    story.world.status.down = False
    await story.fast_forward(minutes=16)
    told = [each.ask.text for each in story.world.pager.ledger if isinstance(each.ask, Page) and each.ask.to == "cem"]

    assert [] == story.world.status.ledger
    assert [] == [each for each in (await _deliveries(story))["waiting"] if each["port"] == "status"]
    assert ["tell the public nothing of it, by any way" in text for text in told if "is private now" in text] == [True]


async def test_a_waived_items_ticket_is_closed(stage: Stage) -> None:
    """What is let go here is not worked on there."""
    story = await Story.open(stage, "SEV2")
    await _settled_into(story)
    due = ((await story.now()) + timedelta(days=3)).date().isoformat()
    await story.does("add_action_item", item="Limit the retries", owner="eva", due=due)
    await story.told_everything_once()

    assert [(story.id, "AI-1")] == story.world.tickets.open

    await story.does("waive", obligation="AI-1", reason="the retries are gone with v249")
    await story.told_everything_once()

    assert [] == story.world.tickets.open


async def test_what_a_closed_incident_owes_is_over_once_its_last_delivery_is_given_up(stage: Stage) -> None:
    """What is owed to a tracker that is gone for good stays with its follow-up until somebody lets it go."""
    story = await Story.open(stage, None)
    await story.settled()
    story.world.chat.down = True
    await story.does("dismiss", reason="a test fired", as_="false_alarm")
    await story.fast_forward(minutes=3)
    await eventually(story.ended, what="the incident's end")
    later = story.follow_up()
    await later.between_tries()

    assert not await later.ended()
    assert "already-closed" == (await later.refused("acknowledge"))["code"]
    assert [] == (await _deliveries(story))["waiting"], "one sees to them, not two"

    for each in (await _deliveries(later))["waiting"]:
        await later.does("give_up_delivery", delivery=each["key"], reason="this chat is gone for good")
    await eventually(later.ended, what="the follow-up's end")


async def test_a_paused_channel_keeps_what_it_is_owed_and_gives_it_out_in_order(stage: Stage) -> None:
    """Nothing goes to it, what is out of date by the end is left out, what matters is paged; somebody ends it before its time."""
    story = await Story.open(stage, "SEV2")
    await _settled_into(story)
    before = len(story.posts())

    assert "not-pausable" == (await asked(stage, "pause", port="paging", reason="quiet"))["refusal"]["code"]

    await asked(stage, "pause", port="chat", reason="the vendor is out", minutes=120)
    await eventually(lambda: _paused(story, "chat"), what="the incident to hear of it")
    await story.reaches("triage")
    await story.does("mitigate", **PLAN)
    await story.does("dispatch", request="read the logs")
    await story.fast_forward(minutes=13)
    await story.settled()
    told = await _deliveries(story)

    assert {"paused", "failed_over"} == {each["state"] for each in told["waiting"]}
    assert before == len(story.posts())
    assert [] == [each for each in told["waiting"] if each["state"] == "parked"], "nothing was tried"
    assert any("Chat can not be reached" in text for _, text in story.world.pager.paged)
    assert "channel-paused" == (await story.refused("retry_delivery", delivery=told["waiting"][0]["key"]))["code"]

    await story.fast_forward(minutes=50)
    assert "reminder" in [each["purpose"] for each in (await _deliveries(story))["waiting"]]

    await story.does("post_update", audience="internal", text="Rolling back")
    await asked(stage, "resume", port="chat")
    await eventually(lambda: _resumed(story, "chat"), what="the incident to hear of it")
    await eventually(lambda: _nothing_waits(story), what="all that was kept to be given out")
    await story.told_everything_once()
    said = story.posts()[before:]

    assert [] == [text for text in said if "internal update is due in" in text], "the update has been posted since"
    assert "Rolling back" in "\n".join(said)
    assert story.world.chat.keys == sorted(story.world.chat.keys, key=lambda key: int(key.rpartition(":")[2]))
    assert [] == (await ask(stage.client.get_workflow_handle(contract.CHANNELS_ID), "state"))["channels"]


async def test_what_is_being_tried_while_its_channel_is_paused_is_not_called_unsent(stage: Stage) -> None:
    """It arrives after all, and that is all that is on record of it; the newer one follows at the end of the pause."""
    story = await Story.open(stage, "SEV2")
    await _settled_into(story)
    story.world.chat.down = True
    await story.does("post_update", audience="internal", text="v248 is bad")
    await story.settled()
    await asked(stage, "pause", port="chat", reason="the vendor is out", minutes=60)
    await eventually(lambda: _paused(story, "chat"), what="the incident to hear of it")
    await story.does("post_update", audience="internal", text="v247 is bad")
    story.world.chat.down = False
    await story.fast_forward(minutes=3)

    async def arrived() -> bool:
        return any(each["purpose"] == "update" for each in (await _deliveries(story))["settled"])

    await eventually(arrived, what="the end of the try")
    told = await _deliveries(story)

    assert ["delivered"] == [each["state"] for each in told["settled"] if each["purpose"] == "update"]

    await asked(stage, "resume", port="chat")
    await eventually(lambda: _nothing_waits(story), what="all that was kept to be given out")
    said = "\n".join(story.posts())

    assert 0 < said.index("v248 is bad") < said.index("v247 is bad")


async def test_a_pause_ends_by_itself_when_its_time_is_over(stage: Stage) -> None:
    """What waited goes out, every incident has it on record, and whoever made the pause is told, once."""
    story = await Story.open(stage, "SEV2")
    await _settled_into(story)
    paused = await asked(stage, "pause", port="tickets", reason="the vendor is out", minutes=30)
    await eventually(lambda: _paused(story, "tickets"), what="the incident to hear of the pause")
    await story.does("add_action_item", item="Alert on errors", owner="ben", due="2036-01-01")
    await story.settled()
    before = len(story.world.tickets.ledger)
    await story.fast_forward(minutes=31)
    await eventually(lambda: _resumed(story, "tickets"), what="the incident to hear that it is over")
    await story.settled()
    key = f"channels:tickets@{datetime.fromisoformat(paused['channels'][0]['since']).isoformat()}:over"
    told = [each.ask for each in stage.board.common.pager.ledger if each.key == key]
    record = [entry["text"] for entry in await story.timeline() if entry["kind"] == "channel_resumed"]

    assert (0, 1) == (before, len(story.world.tickets.ledger))
    assert ["The pause of tickets by ana is over: 1 message goes out"] == record
    assert ["ana"] == [ask.to for ask in told if isinstance(ask, Page)]


async def test_a_pause_whose_time_ran_out_in_a_downtime_ends_once_somebody_works(stage: Stage) -> None:
    """Whoever made it is told once, and not for each hour in which nothing ran."""
    until = await stage.environment.get_current_time() - timedelta(hours=8, minutes=10)
    pause = Pause(port=Port.TICKETS, by="ana", reason="the vendor is out", since=until - timedelta(hours=1), until=until)
    start = ChannelsInput(paused=(pause,))
    handle = await stage.client.start_workflow("Channels", start, id="channels-late", task_queue=stage.queue)
    pager = stage.board.common.pager
    key = f"channels:tickets@{pause.since.isoformat()}"
    await handle.result()

    assert [f"{key}:over"] == [each.key for each in pager.ledger if each.key.startswith(key)]


async def _paused(story: Story, port: str) -> bool:
    return port in (await _deliveries(story))["paused"]


async def _nothing_waits(story: Story) -> bool:
    return not (await _deliveries(story))["waiting"]


async def _resumed(story: Story, port: str) -> bool:
    return not await _paused(story, port)


PLAN: dict[str, Any] = {
    "option": "rollback",
    "rationale": "the errors began with the release",
    "owner": "ben",
    "action": "roll back to v247",
    "verification": ["error rate under 1 %"],
    "rollback_plan": "deploy v248 again",
}
