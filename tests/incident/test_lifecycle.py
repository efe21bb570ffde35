# ruff: noqa: SIM300 - the house writes what is expected first
"""An incident opens, lives through its phases, and every step of it is a numbered entry that gives the state again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from incident import blockers, lifecycle
from incident.commands import InvalidInput, parse
from incident.effects import Port
from incident.events import KINDS, Event
from incident.model import CheckState, Incident
from incident.refusals import Refusal
from incident.vocabulary import Criterion, Phase, Severity
from tests.incident.walk import BETTER, OPENED, PLAN, Walk, alert, opening_of

RESOLVE = {"root_cause": "The retry budget was exhausted.", "fix_applied": "Rolled back."}


def folded(walk: Walk) -> Incident:
    incident = lifecycle.blank(walk.start, OPENED)
    for event in walk.timeline:
        incident = lifecycle.evolve(incident, Event.model_validate_json(event.model_dump_json()))
    return incident


# ---------------------------------------------------------------------- opening


def test_a_report_opens_in_detection() -> None:
    """Without severity or factors an incident waits for somebody to acknowledge and declare it."""
    walk = Walk.open(None)

    assert (Phase.DETECTION, None, True) == (walk.incident.phase, walk.incident.severity, walk.incident.paging)
    assert {"acknowledge"} == walk.open_clocks()


def test_an_opening_that_says_how_severe_it_is_declares_at_once() -> None:
    """`tocsin declare` opens and declares in one go."""
    walk = Walk.open("SEV1", summary="Checkout fails.", services=("checkout",), customer_facing=True)

    assert ["opened", "described", "declared", "phase_entered"] == walk.kinds()
    assert (Phase.DECLARATION, "SEV1", True) == (walk.incident.phase, walk.incident.severity, walk.incident.customer_facing)


def test_an_opening_with_factors_is_declared_with_the_severity_that_they_give() -> None:
    """The matrix decides at the door as well."""
    assert "SEV2" == Walk.open(None, factors={"users_affected_percent": 80}).incident.severity


def test_nobody_affected_is_a_ticket_and_no_incident() -> None:
    """SEV4 opens, becomes a ticket and is closed in the same moment, and nobody is paged."""
    walk = Walk.open(None, factors={"workaround": True})

    assert (Phase.CLOSED, "ticket", False) == (walk.incident.phase, walk.incident.outcome, walk.incident.paging)
    assert "open_ticket" in [effect.ask.action for effect in walk.incident.outbox]
    assert set() == walk.open_clocks()


@pytest.mark.parametrize(
    ("asked", "factors", "reason", "code", "decided"),
    [
        ("SEV3", {"complete_outage": True}, None, "severity-downgrade-unjustified", "SEV1"),
        ("SEV3", {"complete_outage": True}, "only a few users", "severity-downgrade-unjustified", "SEV1"),
        ("SEV1", {"users_affected_percent": 10}, None, "undocumented", "SEV3"),
    ],
)
def test_an_opening_with_a_severity_that_its_factors_contradict_is_declared_by_the_factors(
    asked: str, factors: dict[str, Any], reason: str | None, code: str, decided: str
) -> None:
    """An outage does not wait undeclared because somebody chose another severity; that this was refused is on record."""
    walk = Walk.open(asked, factors=factors, **({"reason": reason} if reason else {}))

    assert ["opened", "refused", "declared", "phase_entered"] == walk.kinds()
    assert code == walk.timeline[1].data["refusal"]["code"]
    assert (Phase.DECLARATION, decided) == (walk.incident.phase, walk.incident.severity)
    assert folded(walk) == walk.incident


def test_an_incident_of_an_earlier_edition_whose_severity_was_refused_waits_in_detection() -> None:
    """Its history holds no declaration."""
    walk = Walk(opening_of("SEV3", factors={"complete_outage": True}).model_copy(update={"edition": 5}))

    assert ["opened", "refused"] == walk.kinds()
    assert (Phase.DETECTION, True) == (walk.incident.phase, walk.incident.paging)


def test_an_opening_keeps_the_alerts_that_caused_it() -> None:
    """The alert that opened the incident is its first news, and its service is affected."""
    walk = Walk.open(None, from_alert=True, alerts=[alert(service="checkout")])

    assert ["opened", "alert"] == walk.kinds()
    assert ("alert", ("checkout",), 1) == (walk.incident.source, walk.incident.services, len(walk.incident.firing))


def test_a_channel_asked_for_at_the_opening_is_wanted_when_it_is_declared_later() -> None:
    """A SEV3 has a channel where somebody asked for one, whenever they did."""
    walk = Walk.open(None, channel=True)
    walk.does("declare", severity="SEV3")

    assert CheckState.OPEN is walk.incident.checklist["channel_created"].state
    assert "open_channel" in [effect.ask.action for effect in walk.incident.outbox]


# ---------------------------------------------------------------------- the record


def test_a_whole_life_is_numbered_without_a_gap_and_gives_the_state_again() -> None:
    """From the first entry to the closing, the timeline alone, read back from JSON, is the incident."""
    walk = Walk.open("SEV1", customer_facing=True, services=("checkout",))
    walk.does("acknowledge")
    walk.deliver_all()
    walk.told(alert())
    walk.reaches(Phase.MITIGATION).mitigates()
    walk.told(alert(firing=False))
    walk.reaches(Phase.POST_INCIDENT)
    walk.does("reopen", reason="errors are back")
    walk.reaches(Phase.CLOSED)

    assert list(range(1, len(walk.timeline) + 1)) == [event.seq for event in walk.timeline]
    assert walk.incident == folded(walk)
    assert walk.incident == Incident.model_validate_json(walk.incident.model_dump_json())
    assert set(walk.kinds()) <= set(KINDS)


def test_a_refused_signal_and_one_that_nobody_understands_are_entries() -> None:
    """What was asked in vain is on record, with a hostile name cut short and quoted."""
    event = lifecycle.invalid("x" * 500, "y" * 5_000, "ana", OPENED)

    assert ("invalid", "ana", "x" * 200) == (event.kind, event.by, event.data["signal"])
    assert len(event.text) < 700


@pytest.mark.parametrize(
    ("verb", "fields", "problem"),
    [
        ("add_action_item", {"item": "x", "owner": "ben", "due": "2026-11-23"}, "due: 2026-11-23 is in the past; today is 2026-11-24"),
        ("add_action_item", {"item": "x", "owner": "ben", "due": "2206-11-23"}, "due: 2206-11-23 is more than ten years away"),
        ("schedule_retrospective", {"at": "2026-11-24T02:59:00Z"}, "at: 2026-11-24 02:59 UTC is in the past"),
        ("describe", {"started_at": "2026-11-24T03:01:00Z"}, "started_at: 2026-11-24 03:01 UTC is in the future"),
    ],
)
def test_dates_that_cannot_be_are_named(verb: str, fields: dict[str, Any], problem: str) -> None:
    """A date with a mistake in it changes nothing, and the message says which field it is."""
    with pytest.raises(InvalidInput) as refused:
        lifecycle.check_dates(parse(verb, {"by": "ana", **fields}), OPENED)

    assert str(refused.value).startswith(problem)


@pytest.mark.parametrize(
    ("started_at", "problem"),
    [
        (datetime(1, 1, 1, tzinfo=UTC), "started_at: 0001-01-01 is before the year 2000; today is 2026-11-24"),
        (OPENED + timedelta(minutes=1), "started_at: 2026-11-24 03:01 UTC is in the future"),
    ],
)
def test_a_start_that_nobody_meant_is_named(started_at: datetime, problem: str) -> None:
    """A start of year 1 is refused at the doors; no start, and one of years ago, are fine."""
    for fine in (None, OPENED, datetime(2000, 1, 1, tzinfo=UTC)):
        lifecycle.check_start(fine, OPENED)

    with pytest.raises(InvalidInput) as refused:
        lifecycle.check_start(started_at, OPENED)

    assert str(refused.value) == problem


def test_dates_that_can_be_pass() -> None:
    """Due today, a retrospective in a minute and a start just now are all fine."""
    for verb, fields in (
        ("add_action_item", {"item": "x", "owner": "ben", "due": "2026-11-24"}),
        ("schedule_retrospective", {"at": "2026-11-24T03:01:00Z"}),
        ("describe", {"started_at": "2026-11-24T03:00:00Z"}),
    ):
        lifecycle.check_dates(parse(verb, {"by": "ana", **fields}), OPENED)


def test_the_calendars_last_day_stops_nothing() -> None:
    """A due date that got past the doors is one more clock, and no crash."""
    walk = Walk.open("SEV2")
    walk.does("add_action_item", item="x", owner="ben", due="9999-12-31")

    assert "action_item:AI-1" in walk.open_clocks()


# ---------------------------------------------------------------------- verification


def verifying(severity: str) -> Walk:
    walk = Walk.open(severity).reaches(Phase.RESOLUTION)
    walk.confirms()
    return walk


@pytest.mark.parametrize("severity", ["SEV1", "SEV2"])
def test_resolved_takes_a_whole_verification_period(severity: str) -> None:
    """A second before the fifteen minutes are over it is refused, with the moment at which it clears; then it is not."""
    walk = verifying(severity)
    walk.forward(minutes=14, seconds=59)
    refusal = walk.refused("resolve", **RESOLVE)

    assert ("verification-incomplete", walk.now + timedelta(seconds=1)) == (refusal.code, refusal.blockers[0].until)
    assert ["verification_passed"] == [event.kind for event in walk.forward(seconds=1) if event.kind == "verification_passed"]

    walk.does("resolve", **RESOLVE)

    assert Phase.POST_INCIDENT is walk.incident.phase


def test_a_sev3_needs_no_verification_period() -> None:
    """With the three criteria confirmed, a SEV3 is resolved at once."""
    walk = verifying("SEV3")

    assert "verification" not in walk.incident.clocks

    walk.does("resolve", **RESOLVE)

    assert Phase.POST_INCIDENT is walk.incident.phase


def test_a_period_that_passed_while_nobody_looked_counts() -> None:
    """Resolving after the period is right although no clock has spoken, and the passing is on record before it."""
    walk = verifying("SEV2")
    walk.now += timedelta(minutes=15)

    assert ["verification_passed", "resolved", "phase_entered"] == [event.kind for event in walk.does("resolve", **RESOLVE)]


@pytest.mark.parametrize("minutes", [10, 20])
def test_a_firing_alert_starts_the_verification_again(minutes: int) -> None:
    """Whether the period is running or over, an alert takes the criterion back, and fifteen whole minutes follow."""
    walk = verifying("SEV2")
    walk.forward(minutes=minutes)
    told = walk.told(alert(starts_at=walk.now))

    assert ["alert", "criterion_withdrawn"] == [event.kind for event in told]
    assert (None, None) == (walk.incident.verification_since, walk.incident.verification_passed_at)
    assert "alerts-still-firing" == walk.refused("confirm", criterion="alerts_cleared").code

    walk.told(alert(starts_at=walk.now, firing=False))
    walk.does("confirm", criterion="alerts_cleared")
    walk.forward(minutes=14)

    assert "verification-incomplete" == walk.refused("resolve", **RESOLVE).code

    walk.forward(minutes=1)
    walk.does("resolve", **RESOLVE)


@pytest.mark.parametrize("criterion", list(Criterion))
def test_a_withdrawn_criterion_starts_the_verification_again(criterion: Criterion) -> None:
    """Whoever takes a criterion back stops the period; confirming it starts a new one from nothing."""
    walk = verifying("SEV2")
    walk.forward(minutes=10)
    walk.does("withdraw", criterion=criterion.value, reason="a customer calls")

    assert (None, CheckState.OPEN) == (walk.incident.verification_since, walk.incident.checklist["verification_completed"].state)

    walk.does("confirm", criterion=criterion.value)

    assert walk.now == walk.incident.verification_since


def test_raising_a_verified_sev3_asks_for_the_period_it_skipped() -> None:
    """A severity raised in resolution can't be resolved without the fifteen minutes of its own, counted from green."""
    walk = verifying("SEV3")
    walk.forward(minutes=5)
    walk.does("change_severity", severity="SEV1", reason="it was everybody")
    refusal = walk.refused("resolve", **RESOLVE)

    assert ("verification-incomplete", walk.now + timedelta(minutes=10)) == (refusal.code, refusal.blockers[0].until)
    assert CheckState.OPEN is walk.incident.checklist["verification_completed"].state

    walk.forward(minutes=10)
    walk.does("resolve", **RESOLVE)


def test_lowering_to_sev3_in_resolution_does_not_get_round_the_period() -> None:
    """A period that was owed once is waited out, whatever the severity is called by then; reopened, the new one's counts."""
    walk = verifying("SEV2")
    walk.does("change_severity", severity="SEV3", reason="under 10 % of users remain affected, a workaround is in place")

    assert "verification-incomplete" == walk.refused("resolve", **RESOLVE).code

    walk.forward(minutes=15)
    walk.does("resolve", **RESOLVE)

    assert CheckState.DONE is walk.incident.checklist["verification_completed"].state

    walk.does("reopen", reason="it is back")

    assert timedelta(0) == walk.incident.verification


# ---------------------------------------------------------------------- approval


def proposed(severity: str, **plan: Any) -> Walk:
    walk = Walk.open(severity).reaches(Phase.MITIGATION)
    walk.does("mitigate", **{**PLAN, **plan})
    return walk


@pytest.mark.parametrize("severity", ["SEV2", "SEV3"])
def test_sev2_and_sev3_need_an_approval_by_somebody_else(severity: str) -> None:
    """The owner may not approve, under any spelling of their name; a failed change needs no approval to be told so."""
    walk = proposed(severity)

    assert "change-not-approved" == walk.refused("finish_mitigation", succeeded=True).code
    assert {"not-permitted"} == {walk.refused("approve", by=by).code for by in ("ben", "@ben", "BEN")}

    walk.does("approve", by="dana")
    walk.does("finish_mitigation", succeeded=True)

    assert walk.now == walk.incident.mitigated_at


def test_a_change_that_did_not_work_can_be_told_without_an_approval() -> None:
    """Saying that something failed is never held up."""
    walk = proposed("SEV2")
    walk.does("finish_mitigation", succeeded=False)

    assert (False, None) == (walk.incident.mitigations[0].succeeded, walk.incident.mitigated_at)


def test_sev1_goes_ahead_without_approval_and_owes_it_afterwards() -> None:
    """The change is made at once; closing waits until somebody other than its owner has documented it."""
    walk = proposed("SEV1")
    walk.does("finish_mitigation", succeeded=True)
    walk.reaches(Phase.POST_INCIDENT)

    assert "change_documentation" in walk.open_clocks()

    walk.does("file_postmortem", document="## Root Cause\nThe release.")
    walk.does("add_action_item", item="x", owner="ben", due="2026-12-01")

    assert "went ahead without formal approval" in walk.refused("close").blockers[0].message
    assert "not-permitted" == walk.refused("approve", by="ben").code

    bare = walk.refused("approve", by="dana")

    assert ("undocumented", "Approve it with a note: what was changed, and who looked at it.") == (bare.code, bare.required_action)
    assert "change_documentation" in walk.open_clocks()

    walk.does("approve", by="dana", note="rolled back v248 at 03:20")

    assert "change_documentation" not in walk.open_clocks()


def test_an_incident_of_an_earlier_edition_is_approved_afterwards_as_it_was() -> None:
    """Its history holds approvals without a note; a change that waits for its approval needs none in any edition."""
    earlier = Walk(opening_of("SEV1").model_copy(update={"edition": 3}))
    for walk in (earlier, Walk.open("SEV2")):
        walk.does("advance", reason="service first")
        walk.does("mitigate", **PLAN)
        walk.does("approve", by="dana")

        assert "dana" == walk.incident.mitigations[0].approved_by


def test_every_change_that_went_ahead_is_documented_not_only_the_last() -> None:
    """A second mitigation does not make the first one forgotten, whatever the severity is by then."""
    walk = proposed("SEV1")
    walk.does("finish_mitigation", succeeded=False)
    walk.does("change_severity", severity="SEV2", reason=BETTER)
    walk.does("mitigate", **{**PLAN, "owner": "eva"})

    assert "ben" == walk.clock("change_documentation").owner

    walk.does("approve", by="dana", note="both as they were made")

    assert ["dana", "dana"] == [mitigation.approved_by for mitigation in walk.incident.mitigations]
    assert "change_documentation" not in walk.open_clocks()


def test_the_owner_of_a_pending_change_does_not_slip_through_by_approving_another() -> None:
    """Whoever owns the change under way is refused, also while an older one waits for its documentation."""
    walk = proposed("SEV1")
    walk.does("mitigate", **{**PLAN, "owner": "eva"})

    assert "not-permitted" == walk.refused("approve", by="eva").code

    walk.does("approve", by="ben", note="restarted the queue; seen by me")

    assert [None, "ben"] == [mitigation.approved_by for mitigation in walk.incident.mitigations]
    assert "change_documentation" in walk.open_clocks()


@pytest.mark.parametrize(("edition", "accepted"), [(6, False), (7, True)])
def test_an_approval_that_may_come_later_does_not_hold_up_going_on(edition: int, accepted: bool) -> None:
    """SEV1: skip formal, document later. With the rest done, one goes on without a reason; the item stays owed until closing."""
    walk = Walk(opening_of("SEV1").model_copy(update={"edition": edition})).reaches(Phase.MITIGATION)
    walk.mitigates()
    for item in ("implementation_tracked", "verification_criteria_defined", "rollback_plan_ready", "option_selected"):
        walk.does("check", item=item)
    outcome = walk.asks("advance")

    assert accepted is not isinstance(outcome, Refusal)
    if accepted:
        walk.does("advance")
        walk.reaches(Phase.POST_INCIDENT)

        assert "change_approved" in [item.item for item in blockers.items_of_closing(walk.incident)]


def test_an_incident_that_heals_itself_can_be_closed() -> None:
    """With no change made there is nothing to approve: the item is skipped with that reason."""
    walk = Walk.open("SEV3").reaches(Phase.MITIGATION)
    walk.does("advance", reason="it healed itself")
    walk.reaches(Phase.POST_INCIDENT)

    assert "change-not-approved" == walk.refused("check", item="change_approved").code

    walk.does("skip", item="change_approved", reason="nothing was changed")

    assert CheckState.SKIPPED is walk.incident.checklist["change_approved"].state


@pytest.mark.parametrize("severity", ["SEV1", "SEV2"])
def test_what_waits_for_its_approval_is_not_skipped(severity: str) -> None:
    """The item of a change under way, or of one that went ahead, is done and not put aside."""
    walk = proposed(severity)

    assert walk.refused("skip", item="change_approved", reason="we agreed on the phone").code in {"undocumented", "change-not-approved"}


# ---------------------------------------------------------------------- reopening and closing


def test_reopening_takes_back_what_was_settled() -> None:
    """The criteria, the verification, the post-mortem and the success of the mitigation are owed again."""
    walk = Walk.open("SEV2").reaches(Phase.POST_INCIDENT)
    walk.settles_everything()
    walk.does("reopen", reason="errors are back")
    incident = walk.incident
    mitigation = incident.mitigation

    assert (Phase.TRIAGE, {}, None, None) == (incident.phase, incident.criteria, incident.verification_since, incident.resolved_at)
    assert (None, None, None) == (incident.postmortem, incident.postmortem_at, incident.postmortem_by)
    assert mitigation is not None
    assert mitigation.succeeded is False
    assert {CheckState.OPEN} == {
        incident.checklist[item].state
        for item in ("initial_hypothesis_formed", "option_selected", "symptom_verified_resolved", "rca_document_created")
    }
    assert 1 == incident.times_reopened


def test_a_reopened_incident_cannot_be_confirmed_on_the_mitigation_that_failed() -> None:
    """It was not over: resolution begins again with a mitigation that works."""
    walk = Walk.open("SEV2").reaches(Phase.POST_INCIDENT)
    walk.does("reopen", reason="errors are back")
    walk.does("advance", reason="service first")

    assert "wrong-phase" == walk.refused("confirm", criterion="symptom_resolved").code


def test_reopening_brings_back_what_was_waived_of_the_round_before() -> None:
    """A post-mortem waived as optional is mandatory once the reopened incident turns out to be a SEV1."""
    walk = Walk.open("SEV3").reaches(Phase.POST_INCIDENT)
    walk.does("waive", obligation="postmortem", reason="the same as last week's, which is written")
    walk.does("reopen", reason="everybody is affected now")
    walk.does("change_severity", severity="SEV1", reason="everybody is affected now")
    walk.reaches(Phase.POST_INCIDENT)

    assert "postmortem" in walk.open_clocks()
    assert timedelta(hours=48) == walk.due_in("postmortem", walk.now)


def test_closing_is_held_up_by_each_thing_that_is_owed() -> None:
    """Post-mortem, action items, documentation of the change and open checklist items, each with its own code."""
    walk = Walk.open("SEV1").reaches(Phase.POST_INCIDENT)
    found = walk.refused("close").blockers

    assert ["postmortem-mandatory", "action-items-untracked", "undocumented"] == [blocker.code for blocker in found[:3]]
    assert {"undocumented"} == {blocker.code for blocker in found[3:]}

    walk.settles_everything()
    walk.does("close")

    assert ("resolved", walk.now) == (walk.incident.outcome, walk.incident.closed_at)


def test_having_no_action_items_takes_saying_why() -> None:
    """Skipping the item with its reason is how an incident without action items is closed."""
    walk = Walk.open("SEV2").reaches(Phase.POST_INCIDENT)
    walk.does("file_postmortem", document="## Root Cause\nThe release.")
    walk.does("skip", item="action_items_assigned", reason="the release process was fixed on the night")

    assert "action-items-untracked" not in [blocker.code for blocker in walk.refused("close").blockers]


def test_a_sev3_closes_without_a_post_mortem() -> None:
    """The post-mortem of a SEV3 is optional: it may be skipped by name, or never come."""
    walk = Walk.open("SEV3").reaches(Phase.POST_INCIDENT)
    walk.does("skip", item="rca_document_created", reason="the same as last week's, which is written")
    for item in walk.incident.checklist.values():
        if item.state is CheckState.OPEN and item.item != "action_items_assigned":
            walk.does("check", item=item.item)
    closed = walk.does("close")[0]

    assert "closed" == closed.kind


def test_open_action_items_outlive_the_incident() -> None:
    """Closing hands them over by name, and their clocks go on."""
    walk = Walk.open("SEV2").reaches(Phase.POST_INCIDENT)
    walk.settles_everything()
    closed = walk.does("close")[0]

    assert ["AI-1"] == closed.data["handed_over"]
    assert {"action_item:AI-1"} == walk.open_clocks()


def test_a_post_mortem_that_explains_nothing_is_refused_part_by_part() -> None:
    """The refusal lists what is missing; filing again replaces the document and keeps the first time."""
    walk = Walk.open("SEV2").reaches(Phase.POST_INCIDENT)
    refusal = walk.refused("file_postmortem", document="it broke and we fixed it")

    assert ("undocumented", 1) == (refusal.code, len(refusal.blockers))

    walk.does("file_postmortem", document="## Root Cause\nThe release.")
    first = walk.incident.postmortem_at
    walk.forward(hours=1)
    walk.does("file_postmortem", by="ben", document="## Root Cause\nThe release, in detail.")

    assert (first, "ana") == (walk.incident.postmortem_at, walk.incident.postmortem_by)
    assert "in detail" in (walk.incident.postmortem or "")


# ---------------------------------------------------------------------- waiving


@pytest.mark.parametrize(
    ("severity", "obligation", "code"),
    [
        ("SEV1", "notify_executives", None),
        ("SEV1", "status_page", None),
        ("SEV3", "resolution", None),
        ("SEV1", "acknowledge", "not-waivable"),
        ("SEV1", "internal_update", "not-waivable"),
        ("SEV1", "external_update", "not-waivable"),
    ],
)
def test_only_some_obligations_can_be_given_up(severity: str, obligation: str, code: str | None) -> None:
    """What the process lets go is waived by name and reason; the rest stays owed."""
    walk = Walk.open(severity, customer_facing=True)
    if code is not None:
        assert code == walk.refused("waive", obligation=obligation, reason="the executives are in the room").code
        assert obligation in walk.open_clocks()
    else:
        waived = walk.does("waive", obligation=obligation, reason="the executives are in the room")[0]

        assert (obligation, "ana") == (waived.data["obligation"], waived.by)
        assert obligation not in walk.open_clocks()


def test_a_mandatory_post_mortem_is_not_waived_and_no_excuse_waives_anything() -> None:
    """“Skip the RCA, we know what happened” is answered in the process's words."""
    walk = Walk.open("SEV2").reaches(Phase.POST_INCIDENT)

    assert "postmortem-mandatory" == walk.refused("waive", obligation="postmortem", reason="the team is on holiday").code
    assert "postmortem-mandatory" == walk.refused("waive", obligation="postmortem", reason="skip the RCA, we know what happened").code


def test_an_action_item_is_waived_by_its_id() -> None:
    """An item that nobody will do is given up by name, and no longer chased."""
    walk = Walk.open("SEV2")
    walk.does("add_action_item", item="x", owner="ben", due="2026-12-01")
    walk.does("waive", obligation="AI-1", reason="the service is retired next month")

    assert ("ana", False) == (walk.incident.action_items[0].waived_by, walk.incident.action_items[0].open)
    assert "action_item:AI-1" not in walk.incident.clocks


def test_a_severity_can_be_changed_before_the_declaration() -> None:
    """In detection it is the presumed severity: raised, the chain of the worse one is paged from its start."""
    walk = Walk.open(None)
    before = walk.incident.page_number
    walk.does("change_severity", severity="SEV1", reason="everybody is affected")

    assert Severity.SEV1 is walk.incident.presumed_severity
    assert walk.incident.severity is None
    assert before + 1 == walk.incident.page_number
    assert walk.incident.rule == walk.incident.policy.severities[Severity.SEV1]


def test_a_message_that_is_replaced_leaves_an_entry() -> None:
    """While chat is down a newer update takes the older one's place, and the record says which was never sent."""
    walk = Walk.open("SEV1")
    walk.park(Port.CHAT)
    walk.does("post_update", audience="internal", text="first")
    [first] = [effect for effect in walk.incident.outbox if effect.collapse == "internal_update"]
    walk.does("post_update", audience="internal", text="second")
    [entry] = [event for event in walk.timeline if event.kind == "replaced" and event.data["number"] == first.number]
    [waiting] = [effect for effect in walk.incident.outbox if effect.collapse == "internal_update"]

    assert first.number != waiting.number
    assert list(range(1, walk.incident.seq + 1)) == [event.seq for event in walk.timeline]
    assert "was not sent" in entry.text
