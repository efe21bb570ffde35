"""Alert groups on their way: what joins, what waits for planned work, what flaps, and two incidents that become one."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from incident.effects import Post
from incident.routing import Flapping, Query, Route, Routes, Service, Storm, Window
from incident.telling import told as as_people_read_it
from integrations.monitoring.alertmanager import read
from starter.webhooks import Intake
from tests.harness import Stage, Story, World, alert, ask, eventually
from workflows import contract


class Monitoring:
    """One monitoring system that posts through the door, under some rules; its services are its own."""

    def __init__(self, stage: Stage, rules: Routes | None = None, general_channel: str = "#incidents") -> None:
        self.stage = stage
        self.name = uuid.uuid4().hex[:8]
        self.rules = rules or Routes()
        self.intake = Intake(stage.client, task_queue=stage.queue, rules=lambda: self.rules, general_channel=general_channel)

    async def posts(self, group: str, *alerts: dict[str, Any]) -> None:
        """Alerts of one group arrive, now by the server's clock."""
        now = await self.stage.environment.get_current_time()
        body = {"version": "4", "groupKey": f"{self.name} {group}", "status": "firing", "alerts": list(alerts)}
        await self.intake.take(read(body), now)

    async def group(self, group: str) -> dict[str, Any]:
        state: dict[str, Any] = await ask(self.stage.client.get_workflow_handle(contract.alert_group_id(f"{self.name} {group}")), "state")
        return state

    async def incident(self, group: str) -> str:
        """The incident that the group went to, once there is one."""

        async def there() -> bool:
            return (await self.group(group))["incident"] is not None

        await eventually(there, what=f"an incident for {group}")
        return str((await self.group(group))["incident"])

    async def story(self, group: str) -> Story:
        id = await self.incident(group)
        world = self.stage.board.worlds.setdefault(id, World())
        return Story(self.stage, id, world, self.stage.client.get_workflow_handle(id))


async def _now(stage: Stage) -> datetime:
    return await stage.environment.get_current_time()


async def _told(story: Story, fingerprints: int) -> None:
    async def all_there() -> bool:
        return len((await story.state())["alerts"]) == fingerprints

    await eventually(all_there, what=f"{fingerprints} alerts in {story.id}")


async def test_another_group_of_the_service_joins_the_open_incident(stage: Stage) -> None:
    """Whoever opened it: more alerts of a service go to its open incident, with what their rules know; once resolved, not."""
    queries = (Query(name="error ratio", query="errors / requests", at_most=0.01),)
    rules = Routes(routes=(Route(name="checkout", owner="team-checkout", queries=queries),))
    monitoring = Monitoring(stage, rules)
    at = await _now(stage)
    await monitoring.posts("first", alert("Errors", at=at))
    story = await monitoring.story("first")
    await asyncio.gather(*(monitoring.posts(f"more {n}", alert(f"More{n}", at=at, severity="critical")) for n in range(5)))
    await _told(story, 6)
    state = await story.state()

    assert {await monitoring.incident(f"more {n}") for n in range(5)} == {story.id}
    assert len(state["routing"]["groups"]) == 6
    assert state["routing"]["owner"] == "team-checkout"
    assert [query["name"] for query in state["routing"]["queries"]] == ["error ratio"]

    await story.does("dismiss", as_="false_alarm", reason="a broken probe")
    await eventually(story.ended, what="the end")
    later = (await _now(stage)) + timedelta(seconds=1)
    await monitoring.posts("more 1", alert("More1", at=at), alert("More1", at=later, instance="2"))

    async def another() -> bool:
        return (await monitoring.group("more 1"))["incident"] not in (None, story.id)

    await eventually(another, what="a new incident for what fires anew")


async def test_a_hundred_groups_of_one_service_at_once_are_one_incident(stage: Stage) -> None:
    """A storm of groups is absorbed by the first incident of the service, none is lost, and the register is asked for many at once."""
    monitoring = Monitoring(stage)
    at = await _now(stage)
    await asyncio.gather(*(monitoring.posts(f"group {n}", alert(f"Alert{n}", at=at)) for n in range(100)))
    story = await monitoring.story("group 0")
    await _told(story, 100)
    registry = stage.client.get_workflow_handle(contract.REGISTRY_ID)
    register, history = await ask(registry, "state"), await registry.fetch_history()
    questions = [event for event in history.events if event.HasField("workflow_execution_update_accepted_event_attributes")]

    assert {await monitoring.incident(f"group {n}") for n in range(100)} == {story.id}
    assert len(questions) < 50
    assert [number for number in register["numbers"].values()] == [1]


async def test_a_storm_of_groups_without_a_service_is_one_incident_more(stage: Stage) -> None:
    """After so many incidents of their own, the groups that nothing holds together join the newest; none is lost, and it says why."""
    monitoring = Monitoring(stage, Routes(storm=Storm(groups=3)))
    at = await _now(stage)
    for number in range(3):
        await monitoring.posts(f"group {number}", alert(f"Lone{number}", at=at, service=""))
        await monitoring.incident(f"group {number}")
    await asyncio.gather(*(monitoring.posts(f"group {n}", alert(f"Lone{n}", at=at, service="")) for n in range(3, 40)))
    gathering = await monitoring.story("group 2")
    await _told(gathering, 38)
    own = {await monitoring.incident(f"group {n}") for n in range(3)}

    assert len(own) == 3
    assert {await monitoring.incident(f"group {n}") for n in range(2, 40)} == {gathering.id}
    assert "there is an alert storm (3 groups opened an incident each within 5 min" in " ".join(await _texts(gathering, "alert"))


async def test_planned_work_holds_an_alert_back_until_it_ends(stage: Stage) -> None:
    """Alerts in a maintenance window are noted and open nothing; what still fires at its end does, and what has ended does not."""
    at = await _now(stage)
    window = Window(name="upgrade", since=at - timedelta(hours=1), until=at + timedelta(hours=1), services=("checkout",))
    monitoring = Monitoring(stage, Routes(windows=(window,)))
    stage.board.windows = [window]
    stage.board.common = World()
    await monitoring.posts("held", alert("Held", at=at))
    await monitoring.posts("over", alert("Over", at=at))
    await eventually(lambda: len(stage.board.common.chat.ledger) == 2, what="both noted")
    await monitoring.posts("over", alert("Over", at=at, firing=False))

    async def let_go() -> bool:
        return not (await monitoring.group("over"))["held"]

    await eventually(let_go, what="the one that has ended")

    group = await monitoring.group("held")

    assert group["incident"] is None
    assert list(group["held"]) == list(group["firing"]), "what is held back fires"

    stage.board.windows = [window.model_copy(update={"until": at + timedelta(hours=2)})]
    await stage.skip(timedelta(minutes=61))

    assert (await monitoring.group("held"))["incident"] is None, "the work was prolonged"

    await stage.skip(timedelta(minutes=60))
    story = await monitoring.story("held")

    assert "still firing after planned maintenance (upgrade)" in (await story.state())["alerts"][0]["summary"]
    assert (await monitoring.group("over"))["incident"] is None


async def test_an_alert_does_not_wait_for_a_calendar_that_nobody_can_read(stage: Stage) -> None:
    """Where nobody can say whether work is planned, the alert opens its incident."""
    from incident.routing import Calendar

    stage.board.nobody_knows = True
    monitoring = Monitoring(stage, Routes(calendars=(Calendar(name="changes", url="https://calendar.example/x.ics"),)))
    await monitoring.posts("any", alert("Any", at=await _now(stage)))
    await stage.skip(timedelta(seconds=40))

    assert (await (await monitoring.story("any")).state())["source"] == "alert"


async def test_a_flapping_alert_is_told_once_and_counted(stage: Stage) -> None:
    """Many changes are one entry that says so; the alert counts as firing until it is still, and verification starts again."""
    monitoring = Monitoring(stage, Routes(flapping=Flapping(changes=4, within=timedelta(minutes=10))))
    at = await _now(stage)
    await monitoring.posts("g", alert("Flaps", at=at))
    story = await monitoring.story("g")
    for number in range(1, 12):
        starts = at + timedelta(seconds=30 * (number // 2))
        await monitoring.posts("g", alert("Flaps", at=starts, firing=number % 2 == 0))
        await stage.skip(timedelta(seconds=10))

    async def counted() -> bool:
        return next(iter((await monitoring.group("g"))["flapping"].values()), 0) == 12

    await eventually(counted, what="all changes counted")
    state = await story.state()

    assert [alert["firing"] for alert in state["alerts"]] == [True]
    assert state["alerts"][0]["flapping"] == 4
    assert (await story.kinds()).count("flapping") == 1
    assert (await story.kinds()).count("alert") == 3

    await stage.skip(timedelta(minutes=11))

    async def calm() -> bool:
        return not (await story.state())["alerts"][0]["firing"]

    await eventually(calm, what="still at last")

    assert "flaps no more" in (await story.timeline())[-1]["text"]


@pytest.mark.parametrize("words", [11, 12], ids=["and fires", "and has ended"])
async def test_an_alert_that_flaps_during_planned_work_opens_nothing_before_its_end(stage: Stage, words: int) -> None:
    """Still at last, what it says is held back as any other word; what has ended opens nothing at the end of the work either."""
    at = await _now(stage)
    window = Window(name="upgrade", since=at - timedelta(hours=1), until=at + timedelta(hours=1), services=("checkout",))
    monitoring = Monitoring(stage, Routes(windows=(window,), flapping=Flapping(changes=4, within=timedelta(minutes=10))))
    stage.board.windows = [window]
    stage.board.common = World()
    for number in range(words):
        starts = at + timedelta(seconds=30 * (number // 2))
        await monitoring.posts("g", alert("Flaps", at=starts, firing=number % 2 == 0))
        await stage.skip(timedelta(seconds=10))
    await stage.skip(timedelta(minutes=20))

    assert (await monitoring.group("g"))["incident"] is None

    stage.board.windows = []
    await stage.skip(timedelta(minutes=41))
    fires = words % 2 == 1
    if fires:
        story = await monitoring.story("g")

        assert "still firing after planned maintenance (upgrade)" in (await story.state())["alerts"][0]["summary"]
    else:
        assert (await monitoring.group("g"))["incident"] is None


@pytest.mark.parametrize("minutes", [5, 60], ids=["soon", "long after"])
async def test_what_ended_under_other_rules_does_not_fire_when_planned_work_ends(stage: Stage, minutes: int) -> None:
    """Rules are edited during the work, and by the new ones the alert's end is only noted: it has ended all the same."""
    at = await _now(stage)
    window = Window(name="upgrade", since=at - timedelta(hours=1), until=at + timedelta(minutes=minutes), services=("checkout",))
    monitoring = Monitoring(stage, Routes(windows=(window,)))
    stage.board.windows = [window]
    stage.board.common = World()
    await monitoring.posts("g", alert("Held", at=at))
    await eventually(lambda: len(stage.board.common.chat.ledger) == 1, what="it is held back")
    monitoring.rules = Routes(routes=(Route(name="quiet", action="note"),))
    await monitoring.posts("g", alert("Held", at=at, firing=False))
    stage.board.windows = []
    await stage.skip(timedelta(minutes=minutes + 1))
    group = await monitoring.group("g")

    assert (group["incident"], group["held"], group["firing"]) == (None, {}, {})


async def test_planned_work_keeps_no_end_from_the_incident_that_knows_the_alert(stage: Stage) -> None:
    """An alert fires, and again during planned work, which holds that back; its end still reaches the incident of before."""
    at = await _now(stage)
    monitoring = Monitoring(stage)
    await monitoring.posts("g", alert("Errors", at=at))
    story = await monitoring.story("g")
    await _told(story, 1)
    window = Window(name="upgrade", since=at - timedelta(hours=1), until=at + timedelta(hours=1), services=("checkout",))
    monitoring.rules = Routes(windows=(window,))
    await stage.skip(timedelta(minutes=1))
    again = await _now(stage)
    await monitoring.posts("g", alert("Errors", at=again))

    async def held() -> bool:
        return bool((await monitoring.group("g"))["held"])

    await eventually(held, what="the second episode is held back")
    await monitoring.posts("g", alert("Errors", at=again, firing=False))

    async def ended() -> bool:
        return not (await story.state())["alerts"][0]["firing"]

    await eventually(ended, what="the end is known")


async def test_resolved_before_firing_opens_nothing(stage: Stage) -> None:
    """The end of an alert that nobody heard of opens nothing, and its late beginning neither."""
    monitoring = Monitoring(stage)
    at = await _now(stage)
    await monitoring.posts("g", alert("Late", at=at, firing=False))
    await monitoring.posts("g", alert("Late", at=at))

    async def both_taken() -> bool:
        return bool((await monitoring.group("g"))["taken"] == 2)

    await eventually(both_taken, what="both words")
    state = await monitoring.group("g")

    assert (state["incident"], state["firing"]) == (None, {})


async def test_a_clock_an_hour_off_loses_no_new_episode(stage: Stage) -> None:
    """Monitoring whose clock is an hour late is heard after the incident has closed; what was told before opens nothing."""
    monitoring = Monitoring(stage)
    wrong = await _now(stage) - timedelta(hours=1)
    await monitoring.posts("g", alert("Errors", at=wrong))
    story = await monitoring.story("g")
    await story.settled()
    await story.does("dismiss", as_="false_alarm", reason="a broken probe")
    await eventually(story.ended, what="the end")
    await monitoring.posts("g", alert("Errors", at=wrong))
    await monitoring.posts("g", alert("Errors", at=wrong, firing=False))

    async def all_taken() -> bool:
        return bool((await monitoring.group("g"))["taken"] == 3)

    await eventually(all_taken, what="the repeat and the end")

    state = await monitoring.group("g")

    assert state["incident"] in (None, story.id)
    assert [f"{story.id} knew it, and is closed"] == [line.rpartition(": ")[2] for line in state["elsewhere"]]
    assert state["firing"] == {}

    await monitoring.posts("g", alert("Errors", at=wrong + timedelta(minutes=10)))

    async def another() -> bool:
        return (await monitoring.group("g"))["incident"] not in (None, story.id)

    await eventually(another, what="the new episode")

    assert set((await monitoring.group("g"))["firing"]) == {"Errors-1"}


@pytest.mark.parametrize("door", [True, False], ids=["by the door", "past the door"])
async def test_a_clock_ahead_hides_no_outage(stage: Stage, door: bool) -> None:
    """An alert of year 9999 begins as it is heard: its repeats are none, and after its incident the next outage opens another."""
    monitoring = Monitoring(stage)
    ahead = alert("Errors", at=datetime(9999, 12, 31, 23, tzinfo=UTC))

    async def posts(*alerts: dict[str, Any]) -> None:
        if door:
            await monitoring.posts("g", *alerts)
        else:
            group = stage.client.get_workflow_handle(contract.alert_group_id(f"{monitoring.name} g"))
            await group.signal(contract.ALERTS, {"alerts": list(alerts)})

    async def taken(count: int) -> None:
        async def there() -> bool:
            return bool((await monitoring.group("g"))["taken"] == count)

        await eventually(there, what=f"{count} words")

    await monitoring.posts("g", alert("Other", at=await _now(stage) - timedelta(hours=1), instance="other"))
    await posts(ahead)
    story = await monitoring.story("g")
    await _told(story, 2)
    await stage.skip(timedelta(minutes=1))
    await posts(ahead)
    await taken(3)
    told = [entry for entry in await story.timeline() if entry["kind"] == "alert" and "Errors" in entry["text"]]

    assert len(told) == 1, "a repeat is no news"
    assert {"9999-12-31T23:00:00Z"} == {each["said_at"] for each in (await story.state())["alerts"] if each["name"] == "Errors"}
    assert "at 9999-12-31 23:00 UTC by its sender's clock, which is ahead" in as_people_read_it(told[0])

    await posts({**ahead, "status": "resolved"})
    await taken(4)
    await story.settled()
    await story.does("dismiss", as_="false_alarm", reason="a broken probe")
    await eventually(story.ended, what="the end")
    await stage.skip(timedelta(minutes=1))
    await posts(alert("Errors", at=await _now(stage)))

    async def another() -> bool:
        return (await monitoring.group("g"))["incident"] not in (None, story.id)

    await eventually(another, what="an incident of the next outage")


async def test_an_alert_that_was_silent_until_now_is_not_taken_for_one_that_the_closed_incident_knew(stage: Stage) -> None:
    """When a silence ends, monitoring posts what began long before; the group's closed incident never heard of it."""
    monitoring = Monitoring(stage)
    at = await _now(stage) - timedelta(minutes=1)
    await monitoring.posts("g", alert("Errors", at=at))
    story = await monitoring.story("g")
    await story.settled()
    await story.does("dismiss", as_="false_alarm", reason="a broken probe")
    await eventually(story.ended, what="the end")
    await monitoring.posts("g", alert("Errors", at=at - timedelta(hours=1), instance="silenced"))

    async def another() -> bool:
        return (await monitoring.group("g"))["incident"] not in (None, story.id)

    await eventually(another, what="an incident of its own")
    state = await (await monitoring.story("g")).state()

    assert [told["fingerprint"] for told in state["alerts"]] == ["Errors-silenced"]


async def test_an_incident_that_was_ended_by_force_takes_no_alert_along(stage: Stage) -> None:
    """Alerts of a service whose incident was terminated open another one."""
    monitoring = Monitoring(stage)
    at = await _now(stage)
    await monitoring.posts("one", alert("One", at=at))
    story = await monitoring.story("one")
    await story.handle.terminate("by mistake")
    await monitoring.posts("two", alert("Two", at=at))

    assert await monitoring.incident("two") != story.id


async def test_related_incidents_are_suggested_and_merged_with_all_that_is_owed(stage: Stage) -> None:
    """Merging closes the one as a duplicate; its alerts, action items and promises are the other's, and so are its later alerts."""
    rules = Routes(services={"checkout": Service(depends_on=("payments",)), "payments": Service(customer_facing=True)})
    monitoring = Monitoring(stage, rules)
    at = await _now(stage)
    await monitoring.posts("payments", alert("Down", at=at, service="payments"))
    payments = await monitoring.story("payments")
    await monitoring.posts("checkout", alert("Errors", at=at))
    checkout = await monitoring.story("checkout")

    async def suggested() -> bool:
        return [each["incident"] for each in (await payments.state())["suggestions"]] == [checkout.id]

    await eventually(suggested, what="the suggestion")
    await asyncio.gather(payments.does("acknowledge"), checkout.does("acknowledge", by="ben"))
    await payments.does("declare", severity="SEV1", customer_facing=True)
    await payments.does("post_update", audience="external", text="Some payments fail.")
    promised = (await payments.clock("external_update"))["due"]
    due = (at + timedelta(days=9)).date().isoformat()
    await payments.does("add_action_item", item="Limit the retries", owner="eva", due=due)
    undeclared = await payments.tries("merge", into=checkout.id)
    await payments.settled()

    assert undeclared["accepted"]
    assert (await payments.timeline())[-1]["kind"] in ("merge_failed", "delivered")
    assert "is not declared yet" in " ".join(await _texts(payments, "merge_failed"))

    await checkout.does("declare", severity="SEV2", by="ben")
    await stage.skip(timedelta(minutes=1))
    await payments.does("merge", into=checkout.id, reason="payments broke checkout")
    await eventually(payments.ended, what="the end of the one that gave way")
    gone, goes_on = await payments.state(), await checkout.state()
    await _told(checkout, 2)

    assert (gone["phase"], gone["outcome"], gone["duplicate_of"]) == ("closed", "duplicate", checkout.id)
    assert [item["status"] for item in gone["action_items"]] == ["moved"]
    assert (goes_on["severity"], goes_on["customer_facing"]) == ("SEV1", True)
    assert goes_on["merged"][0]["items"] == {"AI-1": "AI-1"}
    assert goes_on["action_items"][0]["item"] == f"Limit the retries (from {payments.id} AI-1)"
    assert (await checkout.clock("external_update"))["due"] == promised
    assert "Some payments fail." in next(d.ask.body for d in checkout.world.status.ledger if d.ask.action == "publish")

    await monitoring.posts("payments", alert("Down", at=at, service="payments", instance="2"))
    await _told(checkout, 3)

    assert await monitoring.incident("payments") == checkout.id


async def test_a_suggestion_is_withdrawn_when_the_other_incident_ends(stage: Stage) -> None:
    """Nobody is led to an incident that is closed, or that goes on in a third one; the room says what became of it."""
    names = ("payments", "checkout", "search")
    rules = Routes(services={name: Service(depends_on=tuple(other for other in names if other != name)) for name in names})
    monitoring = Monitoring(stage, rules)
    at = await _now(stage)
    stories = []
    for name in names:
        await monitoring.posts(name, alert("Down", at=at, service=name))
        stories.append(await monitoring.story(name))
    payments, checkout, search = stories

    async def suggested(story: Story) -> set[str]:
        return {each["incident"] for each in (await story.state())["suggestions"]}

    async def all_suggested() -> bool:
        return await suggested(payments) == {checkout.id, search.id} and len(await suggested(checkout)) == 2

    await eventually(all_suggested, what="the suggestions")
    await payments.does("merge", into=checkout.id, reason="one trouble")
    await eventually(payments.ended, what="the end of the one that gave way")

    async def one_withdrawn() -> bool:
        return await suggested(search) == {checkout.id}

    await eventually(one_withdrawn, what="the suggestion withdrawn")

    assert f"{payments.id} goes on in {checkout.id}" in (await _texts(search, "unrelated"))[0]
    assert await suggested(checkout) == {search.id}
    assert await _texts(checkout, "unrelated") == []

    await checkout.does("dismiss", as_="false_alarm", reason="a broken probe")
    await eventually(checkout.ended, what="the end of the other")

    async def none_left() -> bool:
        return await suggested(search) == set()

    await eventually(none_left, what="both withdrawn")

    assert f"{checkout.id} is closed" in (await _texts(search, "unrelated"))[1]


async def _texts(story: Story, kind: str) -> list[str]:
    return [entry["text"] for entry in await story.timeline() if entry["kind"] == kind]


async def test_who_merges_again_is_told_that_it_is_so(stage: Stage) -> None:
    """Two people press at once, or one presses late: it is merged once, and nobody is refused."""
    gone, other = await Story.open(stage, "SEV2"), await Story.open(stage, "SEV2")
    await gone.settled()
    gone.world.chat.down = True  # it waits for chat after it has closed
    await asyncio.gather(*(gone.does("merge", into=other.id, by=by) for by in ("ana", "ben")))

    async def closed() -> bool:
        return bool((await gone.state())["phase"] == "closed")

    await eventually(closed, what="the merge")
    late = await gone.tries("merge", into=other.id)
    kinds = [entry["kind"] for entry in await gone.timeline()]

    assert (late["accepted"], late["events"]) == (True, [])
    assert (kinds.count("merge_asked"), kinds.count("merged"), kinds.count("refused")) == (1, 1, 0)
    assert (await gone.refused("merge", into="INC-1999-0001"))["code"] == "already-closed"


async def test_an_incident_that_is_not_there_takes_nobody_over(stage: Stage) -> None:
    """A merge into what is closed or was never there leaves the incident as it was, and says why."""
    story = await Story.open(stage, "SEV3")
    other = await Story.open(stage, "SEV3")
    await other.does("merge", into="INC-2026-9999")
    await other.settled()
    await story.does("merge", into=story.id.replace("INC-2026", "INC-1999"))
    await story.settled()

    assert "there is no open incident" in (await _texts(story, "merge_failed"))[0]
    assert (await story.state())["merging_into"] is None
    assert (await other.does("note", text="it goes on"))["accepted"]


async def test_an_alert_that_reaches_a_closed_incident_is_not_lost(stage: Stage) -> None:
    """An incident that has closed and still waits for chat sends a new episode back, and it opens an incident of its own."""
    monitoring = Monitoring(stage)
    at = await _now(stage)
    await monitoring.posts("g", alert("Errors", at=at))
    story = await monitoring.story("g")
    await story.settled()
    story.world.chat.down = True
    await story.does("dismiss", as_="false_alarm", reason="a broken probe")
    await monitoring.posts("g", alert("Errors", at=at, firing=False))
    await monitoring.posts("g", alert("Errors", at=at + timedelta(minutes=1)))

    async def another() -> bool:
        return (await monitoring.group("g"))["incident"] not in (None, story.id)

    await eventually(another, what="an incident of its own")

    assert not await story.ended()


async def test_a_private_incident_is_neither_joined_nor_suggested(stage: Stage) -> None:
    """What nobody else may see draws no alerts of its service to it, and is named to no other incident."""
    monitoring = Monitoring(stage)
    at = await _now(stage)
    service = f"payments-{monitoring.name}"
    await monitoring.posts("one", alert("One", at=at, service=service))
    first = await monitoring.story("one")
    await first.does("restrict", reason="it may be a breach")
    await first.settled()
    await monitoring.posts("two", alert("Two", at=at, service=service))
    second = await monitoring.story("two")

    assert second.id != first.id
    assert (await second.state())["suggestions"] == []


async def test_notes_go_to_the_channel_that_the_policy_names(stage: Stage) -> None:
    """Planned maintenance is noted in the general channel of the policy in force, whatever that is called."""
    stage.board.common = world = World()
    monitoring = Monitoring(stage, general_channel="#operations")
    await monitoring.posts("planned", alert("Planned", maintenance="planned", at=await _now(stage)))
    await eventually(lambda: bool(world.chat.ledger), what="the note")

    assert [delivery.ask.channel for delivery in world.chat.ledger if isinstance(delivery.ask, Post)] == ["#operations"]
