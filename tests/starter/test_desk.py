"""The desk on a real server: what comes of each command, repeated, raced, too late, and with nobody there."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import PollWorkflowTaskQueueRequest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from incident.events import SYSTEM
from incident.policy import Policy
from incident.routing import Routes
from incident.vocabulary import Access, Via
from integrations.monitoring.alertmanager import read
from integrations.monitoring.posted import Posted
from starter.desk import Desk
from starter.health import Health
from starter.identity.actor import Actor, acting
from starter.live import Rooms
from starter.problems import Busy, Invalid, NotPermitted, NoWorker, UnknownIncident
from starter.reading import Entry, Filters
from starter.webhooks import Intake
from tests.harness import World, eventually
from tests.starter.conftest import House
from workflows import contract, options

pytestmark = pytest.mark.server

PAYLOADS = Path(os.environ.get("TOCSIN_SPECS") or Path(__file__).parents[3] / "shared" / "specs") / "alertmanager"

FALSE_ALARM = {"by": "ana", "reason": "the probe was misconfigured; all regions answer", "as": "false_alarm"}


async def opened(desk: Desk, **fields: Any) -> str:
    state = await desk.open({"by": "ana", "title": "Checkout returns 5xx", "services": ["checkout"], **fields})
    return str(state["incident"])


async def closed(desk: Desk, incident: str) -> None:
    await desk.command(incident, "dismiss", FALSE_ALARM, f"dismiss {incident}")

    async def ended() -> bool:
        return not (await desk.row(incident))["open"]

    await eventually(ended)


async def test_the_same_key_opens_one_incident(house: House) -> None:
    """However often an opening is repeated, at once or later, there is one incident."""
    body = {"by": "ana", "title": "Checkout returns 5xx", "severity": "SEV2"}
    states = await asyncio.gather(*(house.desk.open(body, "the same") for _ in range(8)))

    assert {state["incident"] for state in states} == {(await house.desk.open(body, "the same"))["incident"]}
    assert states[0]["severity"] == "SEV2"


async def test_what_a_door_vouches_for_is_held_by_the_incident_itself(house: House) -> None:
    """A viewer opens nothing and changes nothing, whatever the door forgot; the refusal and the door are on record."""
    viewer = Actor("zoe", frozenset({Access.VIEWER}), Via.WEB)
    incident = await opened(house.desk)
    with acting(viewer):
        with pytest.raises(NotPermitted) as turned_away:
            await house.desk.open({"title": "Checkout returns 5xx"})
        answer = await house.desk.command(incident, "note", {"text": "hello"})
    with acting(Actor("ana", frozenset({Access.RESPONDER}), Via.CLI)):
        noted = await house.desk.command(incident, "note", {"text": "hello"})
    told = {entry["kind"]: (entry["by"], entry["data"].get("via")) for entry in await house.desk.timeline(incident)}

    assert turned_away.value.more["refusal"]["code"] == "not-permitted"
    assert (answer["accepted"], answer["refusal"]["code"]) == (False, "not-permitted")
    assert (noted["events"][0]["by"], noted["events"][0]["data"]["via"]) == ("ana", "cli")
    assert (told["refused"], told["note"]) == (("zoe", "web"), ("ana", "cli"))


def _by_people(timeline: list[Entry]) -> list[Entry]:
    """What somebody said; the house pages and posts meanwhile."""
    return [entry for entry in timeline if entry["by"] != SYSTEM]


async def test_one_key_is_one_request(house: House) -> None:
    """Another verb, other words or another incident to open under a key that is spent is refused by name, and nothing happens."""
    body = {"by": "ana", "title": "Checkout returns 5xx"}
    incident = (await house.desk.open(body, "open it"))["incident"]
    await house.desk.command(incident, "note", {"by": "ana", "text": "rolled back"}, "say it")
    before = _by_people(await house.desk.timeline(incident))
    with pytest.raises(Invalid, match=r"used already for another request \(note\)") as other_words:
        await house.desk.command(incident, "note", {"by": "ana", "text": "rolled forward"}, "say it")
    with pytest.raises(Invalid, match="send this one under a new key"):
        await house.desk.command(incident, "acknowledge", {"by": "ana"}, "say it")
    with pytest.raises(Invalid, match=f"opened {incident}"):
        await house.desk.open({**body, "title": "Search is slow"}, "open it")

    assert [error["field"] for error in other_words.value.errors] == ["key"]
    assert _by_people(await house.desk.timeline(incident)) == before
    assert (await house.desk.open(body, "open it"))["incident"] == incident


async def test_a_repeated_command_is_carried_out_once(house: House) -> None:
    """The same key gives the same answer and adds nothing."""
    incident = await opened(house.desk)
    note = {"by": "ana", "text": "rolled back"}
    answers = await asyncio.gather(*(house.desk.command(incident, "note", note, "n-1") for _ in range(5)))
    kinds = [entry["kind"] for entry in await house.desk.timeline(incident)]

    assert all(answer == answers[0] for answer in answers)
    assert kinds.count("note") == 1


async def test_a_refusal_is_an_answer(house: House) -> None:
    """What the process forbids comes back with its code, and is on record."""
    incident = await opened(house.desk)
    answer = await house.desk.command(incident, "resolve", {"by": "ana", "root_cause": "x", "fix_applied": "y"})
    kinds = [entry["kind"] for entry in await house.desk.timeline(incident)]

    assert (answer["accepted"], answer["refusal"]["code"]) == (False, "wrong-phase")
    assert kinds.count("refused") == 1


@pytest.mark.parametrize("incident", ["INC-2026-9999", "registry", "INC-2026-0001/follow-up", "", "INC-2026-1' OR ''='"])
async def test_what_is_no_incident_is_unknown(house: House, incident: str) -> None:
    """Only incidents are reached; other workflows are nobody's business here."""
    for asked in (house.desk.state(incident), house.desk.timeline(incident), house.desk.row(incident)):
        with pytest.raises(UnknownIncident):
            await asked
    with pytest.raises(UnknownIncident):
        await house.desk.command(incident, "note", {"by": "ana", "text": "x"})

    assert (await house.desk.client.get_workflow_handle("registry").describe()).status is not None


async def test_the_incidents_own_word_on_a_field_reaches_the_door(house: House) -> None:
    """What only the incident can check, a due date in the past, is told by its field too."""
    incident = await opened(house.desk, severity="SEV3")
    with pytest.raises(Invalid) as refused:
        await house.desk.command(incident, "add_action_item", {"by": "ana", "item": "x", "owner": "ana", "due": "2001-01-01"})

    assert [error["field"] for error in refused.value.errors] == ["due"]


async def test_after_the_end_repeats_are_answered_and_the_rest_is_refused(house: House) -> None:
    """A closed incident still knows its answers, and takes nothing new."""
    incident = await opened(house.desk)
    first = await house.desk.command(incident, "note", {"by": "ana", "text": "x"}, f"{incident} first")
    await closed(house.desk, incident)
    again = await house.desk.command(incident, "note", {"by": "ana", "text": "x"}, f"{incident} first")
    late = await house.desk.command(incident, "acknowledge", {"by": "ana"})

    assert again == first
    assert (late["accepted"], late["phase"], late["refusal"]["code"]) == (False, "closed", "already-closed")
    assert (await house.desk.state(incident))["phase"] == "closed"


async def test_merging_again_after_the_end_is_so_already(house: House) -> None:
    """Whoever asks late for what was done is no conflict; for another target, or without the right to it, it stays one."""
    incident, other = await opened(house.desk), await opened(house.desk)
    await house.desk.command(incident, "merge", {"by": "ana", "into": other})

    async def ended() -> bool:
        return (await house.client.get_workflow_handle(incident).describe()).status is WorkflowExecutionStatus.COMPLETED

    await eventually(ended)
    again = await house.desk.command(incident, "merge", {"by": "ben", "into": other})
    elsewhere = await house.desk.command(incident, "merge", {"by": "ben", "into": "INC-1999-0001"})
    viewer = await house.desk.command(incident, "merge", {"by": "vic", "into": other, "roles": ["viewer"]})

    assert (again["accepted"], again["phase"], again["events"]) == (True, "closed", [])
    assert {"already-closed"} == {answer["refusal"]["code"] for answer in (elsewhere, viewer)}


async def test_what_a_closed_incident_owes_is_shown_and_seen_to_like_before(house: House) -> None:
    """Its refused deliveries stay listed, can be given up at the same door, and nothing is refused that is carried out after all."""
    incident = await opened(house.desk)
    house.board.worlds[incident] = world = World()
    world.chat.refuse = True
    await closed(house.desk, incident)
    follow_up = house.client.get_workflow_handle(contract.follow_up_id(incident))

    async def handed_over() -> bool:
        return (await house.client.get_workflow_handle(incident).describe()).status is WorkflowExecutionStatus.COMPLETED

    await eventually(handed_over)
    refused = (await house.desk.state(incident))["deliveries"]["refused"]
    assert refused
    for each in refused:
        answer = await house.desk.command(incident, "give_up_delivery", {"by": "ana", "delivery": each["key"], "reason": "no such room"})
        assert answer["accepted"]
    await follow_up.result()
    told = (await house.desk.state(incident))["deliveries"]

    assert told["refused"] == []
    assert {each["key"] for each in refused} <= {each["key"] for each in told["settled"] if each["state"] == "given_up"}
    assert "refused" not in [entry["kind"] for entry in await house.desk.timeline(incident)]


class HandingOver(Desk):
    """A desk that asks just while an incident hands over: it refuses already, and its follow-up is there at the second try."""

    def __init__(self, client: Client) -> None:
        super().__init__(client)
        self.asked: list[str] = []

    async def _update(self, workflow_id: str, verb: str, asked: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(workflow_id)
        if workflow_id == "INC-2026-0001":
            return {"accepted": False, "refusal": {"code": "already-closed"}}
        if self.asked.count(workflow_id) < 2:
            raise RPCError("workflow not found", RPCStatusCode.NOT_FOUND, b"")
        return {"accepted": True, "events": []}

    async def _ended(self, incident: str) -> bool:
        return False


async def test_a_command_finds_the_follow_up_that_is_just_being_started(house: House) -> None:
    """Nobody is told that it is too late for what can still be done."""
    desk = HandingOver(house.client)
    answer = await desk.command("INC-2026-0001", "complete_action_item", {"by": "ana", "id": "AI-1"})

    assert answer["accepted"]


async def test_nothing_is_lost_or_doubled_while_an_incident_continues_as_new(house: House) -> None:
    """Commands that race the change of runs are carried out once each, the timeline has no gap, and a viewer hears it all."""
    desk = Desk(house.client, policy=Policy(history_limit=60))
    incident = await opened(desk)
    heard: list[int] = []

    async def watch(rooms: Rooms) -> None:
        async for entry in rooms.entries(incident):
            if entry is not None:
                heard.append(entry["seq"])

    rooms = Rooms(desk)
    watching = asyncio.create_task(watch(rooms))
    for batch in range(4):
        notes = [{"by": "ana", "text": f"{batch}.{number}"} for number in range(20)]
        await asyncio.gather(*(desk.command(incident, "note", note, f"{incident} {note['text']}") for note in notes))
    await desk.command(incident, "note", {"by": "ana", "text": "0.0"}, f"{incident} 0.0")
    timeline = await desk.timeline(incident)
    await eventually(lambda: len(heard) >= len(timeline), what="the viewer hears all")
    rooms.close()
    await watching

    assert [entry["seq"] for entry in timeline] == list(range(1, len(timeline) + 1))
    assert sum(entry["kind"] == "note" for entry in timeline) == 80
    assert len({entry["text"] for entry in timeline if entry["kind"] == "note"}) == 80
    assert heard[: len(timeline)] == [entry["seq"] for entry in timeline]

    async def went_on() -> bool:
        return await desk.previous_run(incident, None) is not None

    await eventually(went_on, what="a second run: it waits until nothing is under way")

    after = [entry for entry in await desk.timeline(incident, len(timeline) - 3) if entry["seq"] <= len(timeline)]

    assert after == timeline[-3:]


async def test_lists_are_filtered_by_the_server_and_know_the_next_clock(house: House) -> None:
    """A row says what is due next, and filters narrow the list."""
    incident = await opened(house.desk, severity="SEV1", services=["ledger"])

    async def listed(**filters: Any) -> list[str]:
        return [row["incident"] for row in await house.desk.listing(Filters(**filters))]

    async def there() -> bool:
        return incident in await listed(service="ledger", severity="sev1", phase="declaration", open=True, drill=False)

    await eventually(there)
    row = next(row for row in await house.desk.listing() if row["incident"] == incident)

    assert datetime.fromisoformat(row["next_due"]) > datetime.now(UTC) - timedelta(minutes=1)
    assert (row["severity"], row["services"], row["open"]) == ("SEV1", ["ledger"], True)
    assert incident not in await listed(open=False)
    assert incident not in await listed(severity="SEV2")
    assert incident not in await listed(drill=True)


async def test_a_drill_keeps_the_scaled_policy(house: House) -> None:
    """A drill runs the same process on a faster clock, and is marked."""
    state = await house.desk.open({"by": "ana", "title": "Practice", "severity": "SEV1", "drill": True})
    clock = next(clock for clock in state["clocks"] if clock["name"] == "internal_update")

    assert state["drill"] is True
    assert datetime.fromisoformat(clock["due"]) - datetime.fromisoformat(clock["since"]) == timedelta(seconds=90)


async def test_a_storm_waits_in_temporal_while_nobody_works(empty_house: House) -> None:
    """Alerts posted while every worker is down are held, and open one incident once somebody works; a repeat adds nothing."""
    intake = Intake(empty_house.client)
    await intake.take(storm(*range(120)), datetime.now(UTC))
    async with empty_house.staffed():

        async def alerts() -> list[str]:
            rows = await empty_house.desk.listing()
            return [alert["fingerprint"] for row in rows for alert in (await empty_house.desk.state(row["incident"]))["alerts"]]

        async def all_there() -> bool:
            return len(await alerts()) == 120

        async def one_more_there() -> bool:
            return len(await alerts()) == 121

        await eventually(all_there)
        await intake.take(storm(*range(120)), datetime.now(UTC))
        await intake.take(storm(120), datetime.now(UTC))
        await eventually(one_more_there)
        rows = await empty_house.desk.listing()
        timeline = await empty_house.desk.timeline(rows[0]["incident"])
        told = [alert["fingerprint"] for entry in timeline if entry["kind"] == "alert" for alert in entry["data"]["alerts"]]

    assert len(rows) == 1
    assert sorted(told, key=int) == [str(number) for number in range(121)]


async def test_a_hundred_identical_posts_are_one_incident_and_one_channel(empty_house: House) -> None:
    """However often monitoring says it, at once and afterwards, there is one incident, and declaring it opens one channel."""
    intake = Intake(empty_house.client)
    async with empty_house.staffed():
        await asyncio.gather(*(intake.take(storm(1), datetime.now(UTC)) for _ in range(100)))

        async def there() -> bool:
            return len(await empty_house.desk.listing()) == 1

        await eventually(there, what="the incident")
        incident = (await empty_house.desk.listing())[0]["incident"]
        await empty_house.desk.command(incident, "declare", {"by": "ana", "severity": "SEV1"})
        await asyncio.gather(*(intake.take(storm(1), datetime.now(UTC)) for _ in range(20)))

        async def channel() -> bool:
            return (await empty_house.desk.state(incident))["channel"] is not None

        await eventually(channel, what="the channel")
        state = await empty_house.desk.state(incident)

    channels = [each for each in empty_house.board.common.chat.ledger if each.ask.action == "open_channel"]

    assert [len(await empty_house.desk.listing()), len(state["alerts"]), len(channels)] == [1, 1, 1]


def storm(*numbers: int) -> Posted:
    labels = {"alertname": "Storm", "service": "checkout"}
    alerts = [
        {"status": "firing", "labels": {**labels, "n": str(n)}, "startsAt": "2026-11-24T03:00:00Z", "fingerprint": str(n)} for n in numbers
    ]
    return read({"version": "4", "groupKey": "storm", "status": "firing", "alerts": alerts})


@asynccontextmanager
async def overwhelmed(house: House) -> AsyncIterator[None]:
    """Somebody who takes the first piece of work and never brings it to an end."""
    asked = PollWorkflowTaskQueueRequest(namespace=house.client.namespace, task_queue=TaskQueue(name=contract.TASK_QUEUE), identity="slow")
    polling = asyncio.create_task(house.client.workflow_service.poll_workflow_task_queue(asked, timeout=timedelta(seconds=60)))
    await asyncio.sleep(0)
    try:
        yield
    finally:
        polling.cancel()
        await asyncio.gather(polling, return_exceptions=True)


async def test_an_opening_that_a_busy_register_keeps_waiting_is_told_so(empty_house: House) -> None:
    """Nobody is told to start a worker where one is at work; the same key then gives the one incident, and the register goes first."""
    brief = Desk(empty_house.client, within=timedelta(seconds=1))
    fields = {"by": "ana", "title": "Checkout returns 5xx"}
    with pytest.raises(NoWorker, match="within 2 s"):
        await brief.open(fields, "o-1")
    async with overwhelmed(empty_house):
        with pytest.raises(Busy, match="register of incidents has not answered within 2 s") as told:
            await brief.open(fields, "o-1")
    async with empty_house.staffed():
        first = await empty_house.desk.open(fields, "o-1")
        again = await empty_house.desk.open(fields, "o-1")
    register = await empty_house.client.get_workflow_handle(contract.REGISTRY_ID).describe()

    assert "worker runs" not in told.value.detail
    assert told.value.code == "busy"
    assert (first["incident"], len(await empty_house.desk.listing())) == (again["incident"], 1)
    assert register.raw_description.workflow_execution_info.priority.priority_key == options.REGISTER.priority_key


async def test_an_opening_whose_incident_cannot_be_read_yet_says_that_it_is_open(
    empty_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker went, or was busy, between the two: nobody is left in doubt whether there is an incident, or which."""

    async def unread(incident: str) -> dict[str, Any]:
        raise NoWorker("No worker answers.", incident=incident, stale=True)

    async with empty_house.staffed():
        monkeypatch.setattr(empty_house.desk, "state", unread)
        with pytest.raises(Busy, match=r"INC-\d{4}-0001 is open") as told:
            await empty_house.desk.open({"by": "ana", "title": "Checkout returns 5xx"}, "o-1")

    assert told.value.document()["incident"] == (await empty_house.desk.listing())[0]["incident"]


async def test_with_nobody_at_work_lists_go_on_and_commands_say_so(empty_house: House) -> None:
    """Without a worker: rows are listed, a room shows the last known row, a command says that repeating it is safe, and then it is."""
    brief = Desk(empty_house.client, within=timedelta(seconds=1))
    health = Health(empty_house.client)
    async with empty_house.staffed():
        incident = await opened(empty_house.desk)

        assert (await health.ready())["ok"] is True

    with pytest.raises(NoWorker) as read_problem:
        await brief.state(incident)
    with pytest.raises(NoWorker, match="same key is safe"):
        await brief.command(incident, "note", {"by": "ana", "text": "x"}, "n-1")

    assert [row["incident"] for row in await brief.listing()] == [incident]
    assert read_problem.value.document()["last_known"]["title"] == "Checkout returns 5xx"
    assert (await health.ready())["ok"] is False

    async with empty_house.staffed():
        answer = await empty_house.desk.command(incident, "note", {"by": "ana", "text": "x"}, "n-1")
        notes = [entry for entry in await empty_house.desk.timeline(incident) if entry["kind"] == "note"]

    assert answer["accepted"] is True
    assert len(notes) == 1


@pytest.mark.skipif(not PAYLOADS.is_dir(), reason="the captured Alertmanager payloads are not here; TOCSIN_SPECS names their folder")
async def test_what_a_real_alertmanager_posted_opens_one_incident_a_group(house: House) -> None:
    """The payloads of a real Alertmanager open one incident, attach to it and resolve; posting them again changes nothing."""
    intake = Intake(house.client, rules=lambda: Routes(attach=False))
    before = len(await house.desk.listing())

    posted = 0

    async def post_all() -> None:
        nonlocal posted
        for name in ("firing", "grouped-2-firing", "grouped-partial-resolve", "resolved"):
            body = json.loads((PAYLOADS / f"webhook-{name}.json").read_text())
            answer = await intake.take(read(body), datetime.now(UTC))
            posted += answer["accepted"]
        group = answer["groups"][0]

        async def done() -> bool:
            state = await house.client.get_workflow_handle(group).query("state")
            return state["taken"] >= posted and not state["firing"]

        await eventually(done, what="every alert of the group has resolved")

    async def told() -> list[tuple[str, list[bool], int]]:
        """Each incident of the group, whether its alerts fire, and how often it heard of them."""
        found = []
        for row in await house.desk.listing():
            if row["title"].startswith("HighErrorRate"):
                alerts = (await house.desk.state(row["incident"]))["alerts"]
                timeline = await house.desk.timeline(row["incident"])
                found.append((row["incident"], [alert["firing"] for alert in alerts], sum(entry["kind"] == "alert" for entry in timeline)))
        return found

    await post_all()
    first = await told()
    await post_all()

    assert [firing for _, firing, _ in first] == [[False, False]]
    assert await told() == first
    assert len(await house.desk.listing()) == before + 1
