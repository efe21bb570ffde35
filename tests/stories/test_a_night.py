"""Nights, told from the first alert to the closed post-mortem."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from incident.alerts import AlertInput
from incident.vocabulary import Severity
from tests.harness import POSTMORTEM, Stage, Story, alert, eventually


@pytest.mark.lengthy
async def test_sev1_from_alert_to_closed_postmortem_two_weeks_later(stage: Stage) -> None:
    """A SEV1 goes from its alert through all six phases, and its last action item is chased until it is done."""
    first = AlertInput.model_validate(alert())
    story = await Story.open(stage, alerts=(first,), source="alert", presumed=Severity.SEV1, title="HighErrorRate", customer_facing=True)
    await story.settled()

    await eventually(lambda: "primary on-call" in story.paged_roles(), what="a page to the primary on-call")

    await story.does("acknowledge")
    await story.does("declare", severity="SEV1", title="Checkout returns 5xx", customer_facing=True, summary="Payments fail")
    await story.settled()
    state = await story.state()

    assert state["roles"]["commander"] == "ben"
    assert state["channel"].startswith("#incident-")
    assert state["channel"].endswith("checkout-returns-5xx")
    assert len(story.posts("stakeholders")) == 1, "the executives are told once"

    for _ in range(2):
        await story.does("post_update", audience="external", text="Some payments fail.", status="investigating")
        await story.does("post_update", audience="internal", text="Looking at v248")
        await story.fast_forward(minutes=7)
        await story.does("post_update", audience="internal", text="Still looking")
        await story.fast_forward(minutes=7)

    assert not any("internal update is due in" in post for post in story.posts())

    await story.does("post_update", audience="external", text="We know the cause.", status="identified")
    await story.fast_forward(minutes=1, seconds=30)

    assert any("internal update is due in" in post for post in story.posts())

    await story.does("post_update", audience="internal", text="Rolling back")
    await story.reaches("triage")
    await story.does("hypothesize", text="v248 broke the retry")
    await story.mitigates()
    await story.reaches("resolution")
    await story.does("post_update", audience="external", text="A fix is in place.", status="monitoring")
    assert (await story.refused("confirm", criterion="alerts_cleared"))["code"] == "alerts-still-firing"
    await story.handle.signal("alert", alert(firing=False))
    await story.confirms_everything()
    early = await story.refused("resolve", root_cause="v248", fix_applied="rolled back")

    assert early["code"] == "verification-incomplete"
    assert early["blockers"][0]["until"]

    await story.fast_forward(minutes=9)
    await story.handle.signal("alert", alert(at=datetime(2026, 1, 2, tzinfo=UTC)))
    await story.handle.signal("alert", alert(at=datetime(2026, 1, 2, tzinfo=UTC), firing=False))
    await story.settled()  # the test server may hand an update on before a signal that was accepted earlier
    await story.does("confirm", criterion="alerts_cleared")
    await story.does("post_update", audience="internal", text="It fired once more; waiting again")
    await story.does("post_update", audience="external", text="We are watching the fix.", status="monitoring")
    await story.fast_forward(minutes=9)

    assert (await story.refused("resolve", root_cause="v248", fix_applied="rolled back"))["code"] == "verification-incomplete"

    await story.does("post_update", audience="internal", text="Quiet for nine minutes")
    await story.does("post_update", audience="external", text="It looks good.", status="monitoring")
    await story.fast_forward(minutes=5)

    assert (await story.state())["verification"]["passed_at"] is None

    await story.fast_forward(minutes=1)
    await story.does("resolve", root_cause="A retry without a limit", fix_applied="Rolled back to v247", next_steps=["Limit it"])
    await story.settled()
    kinds = await story.kinds()

    assert [entry["text"] for entry in await story.timeline() if entry["kind"] == "overdue"] == []
    assert kinds.count("verification_passed") == 1
    assert kinds.count("criterion_withdrawn") == 1
    assert story.world.status.ledger[-1].ask.status == "resolved"  # type: ignore[union-attr]
    assert (await story.state())["phase"] == "post_incident"
    assert (await story.refused("close"))["code"] == "postmortem-mandatory"

    now = await story.now()
    await story.does("add_action_item", item="Limit the retries", owner="eva", due=(now + timedelta(days=10)).date().isoformat())
    await story.does("schedule_retrospective", at=(now + timedelta(days=1)).isoformat())
    await story.fast_forward(hours=47)

    assert (await story.clock("postmortem"))["state"] == "running"

    await story.fast_forward(hours=2)

    assert (await story.clock("postmortem"))["state"] == "overdue"

    await story.does("file_postmortem", document=POSTMORTEM)
    await story.finishes_paperwork()
    assert (await story.refused("close"))["code"] == "undocumented"
    await story.does("approve", by="vic", note="rolled back a deployment; reviewed")
    await story.told_everything_once()
    await story.does("close")
    await eventually(story.ended, what="the incident's workflow to end")

    assert story.world.archive.documents[(story.id, "postmortem.md")].strip() == POSTMORTEM.strip()
    assert (await story.kinds()).count("resolved") == 1

    follow_up = stage.client.get_workflow_handle(f"{story.id}/follow-up")
    pages = len(story.world.pager.ledger)
    await stage.skip(timedelta(days=12))

    assert (story.id, "audit/run-001.manifest.json") in story.world.archive.documents

    await eventually(lambda: len(story.world.pager.ledger) > pages, what="somebody reminded of the action item")

    assert story.world.pager.paged[pages][0] == "eva", "the owner is reminded first"
    answer = await follow_up.execute_update("complete_action_item", {"by": "eva", "id": "AI-1"})

    assert answer["accepted"]
    assert (await follow_up.result())["action_items"][0]["status"] == "done"
    assert story.world.tickets.open == []


async def test_sev2_needs_an_approval_by_somebody_else(stage: Stage) -> None:
    """A SEV2's mitigation waits for the approval of someone other than its owner."""
    story = await Story.open(stage, "SEV2")
    await story.does("acknowledge", by="ana")
    await story.settled()

    assert (await story.state())["roles"]["commander"] == "ana"

    await story.reaches("triage")
    await story.does(
        "mitigate",
        option="restart",
        rationale="stuck queue",
        owner="ana",
        action="Restart the queue",
        verification=["queue drains"],
        rollback_plan="none needed",
    )

    assert (await story.refused("finish_mitigation", succeeded=True))["code"] == "change-not-approved"
    assert (await story.refused("approve", by="@Ana"))["code"] == "not-permitted"

    await story.does("approve", by="ben")
    await story.does("finish_mitigation", succeeded=True)
    await story.confirms_everything()

    assert (await story.state())["phase"] == "resolution"
    warnings = next(entry for entry in await story.timeline() if entry["kind"] == "mitigation_proposed")["data"]["warnings"]

    assert [warning.split()[0] for warning in warnings] == ["Rollback", "Scale"]
    await story.told_everything_once()


@pytest.mark.lengthy
async def test_sev3_without_a_channel(stage: Stage) -> None:
    """A SEV3 gets no channel, no verification wait and an optional post-mortem, and escalates after eight hours."""
    story = await Story.open(stage, "SEV3")
    await story.does("acknowledge")
    await story.fast_forward(hours=8, minutes=1)
    state = await story.state()

    assert state["channel"] is None
    assert (await story.clock("resolution"))["state"] == "overdue"
    assert story.posts("incident"), "nothing was said in the general channel"

    await story.reaches("triage")
    await story.mitigates()
    await story.reaches("resolution")
    await story.confirms_everything()
    await story.does("resolve", root_cause="disk full", fix_applied="rotated logs")
    await story.finishes_paperwork()
    await story.does("waive", obligation="postmortem", reason="optional for SEV3, and written up in the ticket")
    await story.told_everything_once()
    await story.does("close")
    await eventually(story.ended, what="the end")


@pytest.mark.lengthy
async def test_nobody_answers(stage: Stage) -> None:
    """While nobody acknowledges a SEV1, the whole chain is paged, rung by rung, and the last one again and again."""
    story = await Story.open(stage, "SEV1")
    story.world.rota.roles["VP engineering"] = None
    await story.fast_forward(minutes=5)
    story.expect_page("engineering lead")
    await story.fast_forward(minutes=5)

    assert "CTO" in story.paged_roles(), "a rung that nobody holds must be passed over at once"
    failed = [entry for entry in await story.timeline() if entry["kind"] == "paging_failed"]

    assert "VP engineering" in failed[0]["text"]

    await story.fast_forward(minutes=30)

    assert story.paged_roles().count("CEO") >= 3
    assert (await story.clock("acknowledge"))["state"] == "overdue"

    await story.does("acknowledge", by="zoe")
    await story.settled()
    asked = [text for _, text in story.world.pager.paged if "Acknowledge now" in text]
    await story.fast_forward(minutes=30)

    assert [text for _, text in story.world.pager.paged if "Acknowledge now" in text] == asked
    await story.told_everything_once()


async def test_a_pager_that_pages_by_itself_hears_of_the_answer(stage: Stage) -> None:
    """A vendor that escalates on its own is told once somebody is on it, though it is away at that moment; nobody else is woken."""
    story = await Story.open(stage)
    story.world.pager.keeps_open = True
    await story.fast_forward(minutes=6)
    waiting = len(story.world.pager.open)
    story.world.pager.fail_times = 2
    await story.does("acknowledge")
    await story.fast_forward(minutes=1)
    await eventually(lambda: not story.world.pager.open)

    assert waiting >= 1


async def test_pager_down_goes_on_to_the_next(stage: Stage) -> None:
    """A page that can't go out is on record, told in chat, and the next rung is tried at once."""
    story = await Story.open(stage)
    story.world.pager.down = True
    await story.fast_forward(minutes=12)
    failed = [entry["data"]["role"] for entry in await story.timeline() if entry["kind"] == "paging_failed"]

    assert failed[:2] == ["primary on-call", "engineering lead"]
    assert any("Could not page" in post for post in story.posts("general"))

    story.world.pager.down = False
    await story.fast_forward(minutes=15)

    assert story.paged_roles()

    await story.told_everything_once()


@pytest.mark.lengthy
async def test_chat_down_for_an_hour(stage: Stage) -> None:
    """While chat is down what matters is paged, everything else goes on, and the backlog arrives in order, once."""
    story = await Story.open(stage, "SEV2", customer_facing=True)
    await story.does("acknowledge")
    await story.settled()
    story.world.chat.down = True
    await story.does("post_update", audience="internal", text="first")
    await story.fast_forward(minutes=5)

    await eventually(story.knows_down("chat"), what="chat known to be down")
    await eventually(lambda: any("Chat can not be reached" in text for _, text in story.world.pager.paged), what="a page instead")

    await story.does("post_update", audience="external", text="We are on it.")
    await story.reaches("triage")
    await story.mitigates()
    await story.fast_forward(minutes=55)

    assert story.world.status.ledger, "the status page waited for chat"
    before = len(story.world.chat.ledger)
    story.world.chat.down = False
    await story.fast_forward(minutes=16)
    numbers = [int(key.rsplit(":", 1)[1]) for key in story.world.chat.keys[before:]]

    assert numbers == sorted(numbers)
    assert (await story.state())["deliveries"]["waiting"] == []
    assert (await story.state())["deliveries"]["down"] == {}
    assert any("MITIGATION IN PROGRESS" in post for post in story.posts())
    await story.told_everything_once()


async def test_an_answer_that_is_lost_is_not_told_twice(stage: Stage) -> None:
    """A provider that accepts and then fails to answer is asked again under the same key, and shows it once."""
    story = await Story.open(stage, "SEV1", customer_facing=True)
    story.world.chat.accept_then_lose = 3
    story.world.status.accept_then_lose = 1
    await story.does("acknowledge")
    await story.does("post_update", audience="external", text="We are on it.")
    await story.fast_forward(minutes=3)

    assert story.world.chat.attempts > len(story.world.chat.ledger)
    assert (await story.state())["deliveries"]["waiting"] == []
    await story.told_everything_once()


async def test_a_final_refusal_does_not_hold_up_the_others(stage: Stage) -> None:
    """What a provider refuses for good is named, and the next message goes out."""
    story = await Story.open(stage, "SEV2")
    await story.does("acknowledge")
    await story.settled()
    story.world.tickets.refuse = True
    due = ((await story.now()) + timedelta(days=3)).date().isoformat()
    await story.does("add_action_item", item="Write the runbook", owner="eva", due=due)
    await story.settled()
    kinds = await story.kinds()

    assert "undeliverable" in kinds
    assert any("see to it by hand" in post for post in story.posts())

    story.world.tickets.refuse = False
    await story.does("add_action_item", item="Limit the retries", owner="eva", due=due)
    await story.told_everything_once()

    assert story.world.tickets.open == [(story.id, "AI-2")]


async def test_severity_raised_and_lowered(stage: Stage) -> None:
    """Raising re-plans every clock from what was last done; lowering needs to say what has improved."""
    story = await Story.open(stage, "SEV3", customer_facing=True)
    await story.does("acknowledge")
    await story.fast_forward(minutes=20)
    await story.does("change_severity", severity="SEV1", reason="the whole shop is down")
    await story.settled()

    assert (await story.clock("internal_update"))["state"] == "overdue"
    assert (await story.state())["channel"]
    assert {"status_page", "notify_executives"} <= {clock["name"] for clock in (await story.state())["clocks"]}
    assert (await story.refused("change_severity", severity="SEV2", reason="only a few users"))["code"] == "severity-downgrade-unjustified"
    assert (await story.refused("change_severity", severity="SEV2", reason="calmer now"))["code"] == "severity-downgrade-unjustified"

    await story.does("change_severity", severity="SEV2", reason="primary service restored, no data is being lost")

    assert (await story.state())["severity"] == "SEV2"
    await story.told_everything_once()


@pytest.mark.lengthy
async def test_a_reopened_incident(stage: Stage) -> None:
    """Reopening takes everything that was confirmed back, restarts the cadences, and wants a new verification."""
    story = await Story.open(stage, "SEV2")
    await story.does("acknowledge")
    await story.reaches("triage")
    await story.mitigates()
    await story.reaches("resolution")
    await story.confirms_everything()
    await story.fast_forward(minutes=16)
    await story.does("resolve", root_cause="x", fix_applied="y")
    await story.does("reopen", reason="errors are back")
    state = await story.state()

    assert state["phase"] == "triage"
    assert set(state["criteria"].values()) == {None}
    assert (await story.clock("internal_update"))["state"] == "running"
    assert not [clock for clock in state["clocks"] if clock["name"] == "postmortem"]

    await story.mitigates(rationale="the deployment again")
    await story.reaches("resolution")
    await story.confirms_everything()

    assert (await story.refused("resolve", root_cause="x", fix_applied="y"))["code"] == "verification-incomplete"

    await story.fast_forward(minutes=16)
    await story.does("resolve", root_cause="x", fix_applied="y")

    assert (await story.state())["times_reopened"] == 1
    await story.told_everything_once()


async def test_the_three_pressures(stage: Stage) -> None:
    """What people say under pressure is answered in the process's own words, and is on record."""
    story = await Story.open(stage, "SEV1")
    await story.does("acknowledge")
    await story.reaches("triage")
    await story.mitigates()
    await story.reaches("resolution")
    await story.confirms_everything()
    now = await story.refused("resolve", root_cause="Mark resolved now, verify later", fix_applied="rolled back")
    skip = await story.refused("skip", item="verification_completed", reason="Skip verification period")
    await story.fast_forward(minutes=16)
    await story.does("resolve", root_cause="a retry", fix_applied="rolled back")
    rca = await story.refused("skip", item="rca_document_created", reason="Skip the RCA, we know what happened")
    paper = await story.refused("skip", item="runbook_updated", reason="No time for documentation")

    assert now["message"] == "Cannot mark resolved until verification complete. This prevents reopened incidents."
    assert skip["code"] == "verification-incomplete"
    assert rca["message"] == "RCA is mandatory for this severity. Schedule within required timeline."
    assert paper["message"] == "Real-time documentation takes 30 seconds per event. Memory loss causes worse rework."
    assert (await story.kinds()).count("refused") == 4


async def test_dismissals(stage: Stage) -> None:
    """What is no incident is closed with its reason and pages nobody any more; what is not production becomes a ticket."""
    ticket = await Story.open(stage)
    duplicate = await Story.open(stage)
    false_alarm = await Story.open(stage)
    planned = await Story.open(stage, "SEV2")
    stories = (ticket, duplicate, false_alarm, planned)
    for story in stories:
        await story.settled()
    await ticket.does("dismiss", as_="not_production", reason="the staging cluster")
    await duplicate.does("dismiss", as_="duplicate", reason="same outage", duplicate_of=ticket.id)
    await false_alarm.does("dismiss", as_="false_alarm", reason="the probe was broken")
    await planned.does("dismiss", as_="planned_maintenance", reason="the database is being moved, as announced")
    for story in stories:
        await eventually(story.ended, what="the end")
        await story.told_everything_once()
    pages = [len(story.world.pager.ledger) for story in stories]
    await stage.skip(timedelta(hours=1))

    assert ticket.world.tickets.open == [(ticket.id, "dismissed")]
    assert (await duplicate.state())["outcome"] == "duplicate"
    assert (await duplicate.state())["duplicate_of"] == ticket.id
    assert (await false_alarm.state())["outcome"] == "false_alarm"
    assert (await planned.state())["outcome"] == "planned_maintenance"
    assert [len(story.world.tickets.ledger) for story in (duplicate, false_alarm, planned)] == [0, 0, 0]
    assert [len(story.world.pager.ledger) for story in stories] == pages


async def test_a_specialist_is_asked_and_reports(stage: Stage) -> None:
    """A dispatch sends the process's four-part request; the report arrives by a command and satisfies its clock."""
    story = await Story.open(stage, "SEV1", summary="Payments fail")
    await story.does("dispatch", request="Find what changed in the retry")
    await story.settled()
    brief: Any = story.world.specialist.ledger[-1].ask

    assert (brief.severity, brief.request) == ("SEV1", "Find what changed in the retry")
    assert story.id in brief.incident

    await story.does("file_report", id="1", text="The limit was removed")

    assert (await story.clock("dispatch:1"))["state"] == "met"
    assert (await story.refused("file_report", id="7", text="x"))["code"] == "unknown-item"


async def test_nobody_is_senior_on_call(stage: Stage) -> None:
    """A SEV1 without a senior on-call gets the manager as commander; without either, the engineering lead is paged."""
    story = await Story.open(stage)
    story.world.rota.roles["senior on-call"] = None
    await story.does("declare", severity="SEV1")
    await story.settled()

    assert (await story.state())["roles"]["commander"] == "max"
    story.expect_page("manager")

    other = await Story.open(stage)
    other.world.rota.roles |= {"senior on-call": None, "manager": None}
    await other.does("declare", severity="SEV1")
    await other.settled()

    assert "role_unfilled" in await other.kinds()
    assert (await other.state())["roles"]["commander"] is None
