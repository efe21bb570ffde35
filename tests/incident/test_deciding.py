# ruff: noqa: SIM300 - the house writes what is expected first
"""Every verb in every phase: taken, or refused with the code and the way forward."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from incident import channels, lifecycle
from incident.commands import COMMANDS, InvalidInput, parse
from incident.effects import Port
from incident.events import Event
from incident.model import CheckState, Pause
from incident.refusals import CODES, Refusal
from incident.vocabulary import Criterion, Phase
from tests.incident.walk import BETTER, DOCUMENT, PLAN, Walk, alert

FIELDS: dict[str, dict[str, Any]] = {
    "acknowledge": {},
    "describe": {"symptom": "502 from the checkout"},
    "declare": {"severity": "SEV1"},
    "assign": {"role": "scribe", "person": "eva"},
    "change_severity": {"severity": "SEV1", "reason": "everybody is affected"},
    "check": {"item": "related_alerts_checked"},
    "skip": {"item": "recent_deployments_checked", "reason": "the deploy log is down"},
    "advance": {"reason": "service first"},
    "post_update": {"audience": "internal", "text": "still looking"},
    "note": {"text": "the graphs are flat"},
    "hypothesize": {"text": "the release"},
    "mitigate": PLAN,
    "approve": {"by": "dana"},
    "finish_mitigation": {"succeeded": True},
    "confirm": {"criterion": "symptom_resolved"},
    "withdraw": {"criterion": "symptom_resolved", "reason": "a customer calls"},
    "measure": {"name": "error_ratio", "expression": "error_ratio"},
    "correct": {"finding": "deployments"},
    "resolve": {"root_cause": "the release", "fix_applied": "rolled back"},
    "reopen": {"reason": "errors are back"},
    "dispatch": {"request": "read the logs"},
    "file_report": {"id": "1", "text": "found nothing"},
    "schedule_retrospective": {"at": "2026-12-01T10:00:00Z"},
    "add_action_item": {"item": "alert on retries", "owner": "ben", "due": "2026-12-01"},
    "change_action_item": {"id": "AI-1", "owner": "eva"},
    "complete_action_item": {"id": "AI-1"},
    "file_postmortem": {"document": DOCUMENT},
    "waive": {"obligation": "notify_executives", "reason": "the executives are in the room"},
    "retry_delivery": {"delivery": "1"},
    "replace_delivery": {"delivery": "1", "text": "we look into it"},
    "give_up_delivery": {"delivery": "1", "reason": "told by phone"},
    "restrict": {"reason": "it may be a breach"},
    "invite": {"person": "fay"},
    "close": {},
    "dismiss": {"reason": "a test fired", "as": "false_alarm"},
    "merge": {"into": "INC-2026-0002"},
}

WRONG, GONE, NOT = "wrong-phase", "unknown-item", "not-permitted"

TABLE: dict[str, tuple[str, ...]] = {
    # verb:                  detection, declaration, triage, mitigation, resolution, post-incident
    "acknowledge": ("ok", "ok", "ok", "ok", "ok", "ok"),
    "describe": ("ok", "ok", "ok", "ok", "ok", "ok"),
    "declare": ("ok", WRONG, WRONG, WRONG, WRONG, WRONG),
    "assign": ("ok", "ok", "ok", "ok", "ok", "ok"),
    "change_severity": ("ok", "ok", "ok", "ok", "ok", WRONG),
    "check": ("ok", "ok", "ok", "ok", "ok", "ok"),
    "skip": ("ok", "ok", "ok", "ok", "ok", "ok"),
    "advance": (WRONG, "ok", "ok", "change-not-approved", "verification-incomplete", "postmortem-mandatory"),
    "post_update": (WRONG, "ok", "ok", "ok", "ok", "ok"),
    "note": ("ok", "ok", "ok", "ok", "ok", "ok"),
    "hypothesize": (WRONG, WRONG, "ok", "ok", "ok", "ok"),
    "mitigate": (WRONG, WRONG, "ok", "ok", "ok", WRONG),
    "approve": (WRONG, WRONG, "no-mitigation", "ok", "nothing new", "nothing new"),
    "finish_mitigation": (WRONG, WRONG, "no-mitigation", "change-not-approved", "no-mitigation", WRONG),
    "confirm": (WRONG, WRONG, WRONG, WRONG, "ok", WRONG),
    "withdraw": (WRONG, WRONG, WRONG, WRONG, "nothing new", WRONG),
    "measure": (NOT, NOT, NOT, NOT, NOT, WRONG),
    "correct": (GONE, GONE, GONE, GONE, GONE, GONE),
    "resolve": (WRONG, WRONG, WRONG, WRONG, "verification-incomplete", WRONG),
    "reopen": (WRONG, WRONG, WRONG, WRONG, "ok", "ok"),
    "dispatch": (WRONG, "ok", "ok", "ok", "ok", "ok"),
    "file_report": (GONE, GONE, GONE, GONE, GONE, GONE),
    "schedule_retrospective": (WRONG, WRONG, WRONG, WRONG, WRONG, "ok"),
    "add_action_item": (WRONG, "ok", "ok", "ok", "ok", "ok"),
    "change_action_item": (GONE, GONE, GONE, GONE, GONE, GONE),
    "complete_action_item": (GONE, GONE, GONE, GONE, GONE, GONE),
    "file_postmortem": (WRONG, WRONG, WRONG, WRONG, WRONG, "ok"),
    "waive": ("unknown-obligation", "ok", "ok", "ok", "ok", "unknown-obligation"),
    "retry_delivery": ("nothing new",) * 6,
    "replace_delivery": ("ok", "ok", "ok", "ok", "ok", "ok"),
    "give_up_delivery": ("ok", "ok", "ok", "ok", "ok", "ok"),
    "restrict": ("ok", "ok", "ok", "ok", "ok", "ok"),
    "invite": ("ok", "ok", "ok", "ok", "ok", "ok"),
    "close": (WRONG, WRONG, WRONG, WRONG, WRONG, "postmortem-mandatory"),
    "dismiss": ("ok", "ok", WRONG, WRONG, WRONG, WRONG),
    "merge": ("ok", "ok", "ok", "ok", "ok", WRONG),
}
"""A SEV2 that came the shortest way; a mitigation waits for its approval in mitigation, nothing is confirmed in resolution."""


def arrived(phase: Phase) -> Walk:
    walk = Walk.open(None).reaches(phase)
    if phase is Phase.MITIGATION:
        walk.does("mitigate", **PLAN)
    return walk


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.CLOSED])
@pytest.mark.parametrize("verb", TABLE)
def test_each_verb_belongs_to_its_phases(verb: str, phase: Phase) -> None:
    """What may be asked in which phase is the contract's table, and a refusal says why and what to do."""
    outcome = arrived(phase).asks(verb, **FIELDS[verb])

    assert TABLE[verb][phase.number - 1] == answer(outcome)
    assert not isinstance(outcome, Refusal) or (outcome.message and outcome.required_action)


def answer(outcome: Any) -> str:
    return outcome.code if isinstance(outcome, Refusal) else "ok" if outcome else "nothing new"


def test_the_table_knows_every_verb() -> None:
    """No command exists that this table does not speak of."""
    assert set(COMMANDS) == set(TABLE) == set(FIELDS)


def test_a_closed_incident_takes_nothing_more() -> None:
    """Once closed, every verb is refused the same way: the record is complete."""
    walk = Walk.open("SEV2").reaches(Phase.CLOSED)
    walk.deliver_all()

    assert {"already-closed"} == {answer(walk.asks(verb, **fields)) for verb, fields in FIELDS.items()}


# ---------------------------------------------------------------------- every code, and what to do instead


def superseded() -> Walk:
    """A public update was refused, and a newer one is on its way."""
    walk = Walk.open("SEV3", customer_facing=True)
    walk.does("post_update", audience="external", text="We look into it.")
    (old,) = walk.waiting(Port.STATUS)
    walk.record([lifecycle.undeliverable(old, "401 unauthorised", walk.now)])
    walk.does("post_update", audience="external", text="It is the database.")
    return walk


def paused() -> Walk:
    walk = Walk.open("SEV3")
    pause = Pause(port=Port.CHAT, by="ana", reason="the vendor is out", since=walk.now, until=walk.now + timedelta(hours=1))
    walk.record(channels.told(walk.incident, channels.Pauses(paused=(pause,), by="ana"), walk.now))
    return walk


def _verifying() -> Walk:
    walk = Walk.open("SEV2").reaches(Phase.RESOLUTION)
    walk.confirms()
    return walk


def _giving_way() -> Walk:
    walk = Walk.open("SEV2")
    walk.does("merge", into="INC-2026-0002")
    return walk


def _verified(*but: Criterion, severity: str = "SEV3") -> Walk:
    walk = Walk.open(severity).reaches(Phase.RESOLUTION)
    walk.confirms(*but)
    return walk


def _firing() -> Walk:
    walk = _verified()
    walk.told(alert())
    return walk


def _closable(*, item: bool = True) -> Walk:
    walk = Walk.open("SEV2").reaches(Phase.POST_INCIDENT)
    walk.does("file_postmortem", document=DOCUMENT)
    if item:
        walk.does("add_action_item", item="alert on retries", owner="ben", due="2026-12-01")
    return walk


RESOLVE = FIELDS["resolve"]


def contradicted(walk: Walk) -> Walk:
    """The status page shows what it was never told."""
    found = {"name": "status_page", "here": "resolved: All is well.", "there": "investigating: We are looking."}
    walk.record([Event(kind="drift", by="Statuspage", at=walk.now, text="it contradicts", data=found)])
    return walk


REFUSALS: dict[str, tuple[Callable[[], Walk], str, dict[str, Any], str]] = {
    "verification-incomplete": (_verifying, "resolve", RESOLVE, "Wait full verification period, then resolve again."),
    "symptom-not-resolved": (
        lambda: _verified(Criterion.SYMPTOM_RESOLVED),
        "resolve",
        RESOLVE,
        "Check that users are no longer affected, then confirm symptom_resolved with the evidence.",
    ),
    "metrics-not-at-baseline": (
        lambda: _verified(Criterion.METRICS_AT_BASELINE),
        "resolve",
        RESOLVE,
        "Check the metrics against their baseline, then confirm metrics_at_baseline with the evidence.",
    ),
    "alerts-still-firing": (_firing, "resolve", RESOLVE, "Clear the alerts that still fire, then confirm alerts_cleared."),
    "postmortem-mandatory": (
        lambda: Walk.open("SEV2").reaches(Phase.POST_INCIDENT),
        "close",
        {},
        "Write the post-mortem and file it with file_postmortem.",
    ),
    "action-items-untracked": (
        lambda: _closable(item=False),
        "close",
        {},
        "Add each action item with an owner and a due date (add_action_item).",
    ),
    "change-not-approved": (
        lambda: arrived(Phase.MITIGATION),
        "finish_mitigation",
        {"succeeded": True},
        "Ask someone other than the owner to approve the change (approve).",
    ),
    "undocumented": (_closable, "close", {}, "Document AS you fix: write the missing part down now, then ask again."),
    "severity-downgrade-unjustified": (
        lambda: Walk.open("SEV1"),
        "change_severity",
        {"severity": "SEV2", "reason": "calmer now"},
        "Say which conditions for the lower severity hold now, or keep the severity.",
    ),
    "wrong-phase": (lambda: Walk.open(None), "hypothesize", {"text": "the release"}, "Declare it first, then try again."),
    "unknown-item": (
        lambda: Walk.open("SEV2").reaches(Phase.TRIAGE),
        "check",
        {"item": "coffee_made"},
        "Items of triage: dependencies_mapped, recent_changes_identified, error_patterns_analyzed, "
        "resource_utilization_checked, initial_hypothesis_formed.",
    ),
    "already-closed": (
        lambda: Walk.open("SEV2").reaches(Phase.CLOSED),
        "note",
        {"text": "x"},
        "Open a new incident, and name this one in its summary.",
    ),
    "not-permitted": (
        lambda: arrived(Phase.MITIGATION),
        "approve",
        {"by": "@Ben"},
        "Ask somebody else on the response team to approve it.",
    ),
    "no-mitigation": (
        lambda: Walk.open("SEV2").reaches(Phase.MITIGATION),
        "approve",
        {"by": "dana"},
        "Start one with mitigate: the option and its rationale, the owner, how to verify it and the rollback plan.",
    ),
    "not-an-incident": (
        lambda: Walk.open(None),
        "declare",
        {"factors": {"workaround": True}},
        "Dismiss it so that it becomes a ticket, or give the factors that make it an incident.",
    ),
    "not-waivable": (
        lambda: Walk.open("SEV2"),
        "waive",
        {"obligation": "internal_update", "reason": "everybody is in the room"},
        "Fulfil it; it stays owed until then.",
    ),
    "being-merged": (
        _giving_way,
        "note",
        {"text": "one more thing"},
        "Ask it of the other incident; if the merge fails, this one goes on.",
    ),
    "unknown-obligation": (
        lambda: Walk.open("SEV3"),
        "waive",
        {"obligation": "coffee", "reason": "everybody has one"},
        "Owed now: acknowledge, internal_update, resolution.",
    ),
    "drift-unsettled": (
        lambda: contradicted(Walk.open("SEV3").reaches(Phase.POST_INCIDENT)),
        "close",
        {},
        "Mend one of the two, or waive the contradiction with the reason for which it may stay.",
    ),
    "unknown-delivery": (
        lambda: Walk.open("SEV3"),
        "retry_delivery",
        {"delivery": "99"},
        "Not delivered yet: INC-2026-0001:1, INC-2026-0001:2, INC-2026-0001:3.",
    ),
    "item-ended": (
        lambda: done_item(),
        "change_action_item",
        {"id": "AI-1", "owner": "eva"},
        "Add a new action item (add_action_item).",
    ),
    "not-replaceable": (
        lambda: Walk.open("SEV3"),
        "replace_delivery",
        {"delivery": "1", "to": "the moon"},
        "Give it another text, or send it to incident, general or stakeholders; or page somebody by assigning the role.",
    ),
    "channel-paused": (
        paused,
        "retry_delivery",
        {"delivery": "1"},
        "Resume it (tocsin channel resume chat); all that waits goes out in order. Or replace INC-2026-0001:1.",
    ),
    "superseded": (
        superseded,
        "retry_delivery",
        {"delivery": "4"},
        "See to INC-2026-0001:7, which has not arrived yet, and give INC-2026-0001:4 up.",
    ),
}


def done_item() -> Walk:
    walk = Walk.open("SEV2")
    walk.does("add_action_item", item="alert on retries", owner="ben", due="2026-12-01")
    walk.does("complete_action_item", id="AI-1")
    return walk


@pytest.mark.parametrize("code", REFUSALS)
def test_each_refusal_says_what_to_do_instead(code: str) -> None:
    """Whoever is refused is told the required action, and the attempt is on record with who, what and why."""
    made, verb, fields, action = REFUSALS[code]
    walk = made()
    by = fields.get("by", "ana")
    refusal = walk.refused(verb, **fields)
    entry = walk.timeline[-1]

    assert (code, action) == (refusal.code, refusal.required_action)
    assert ("refused", by, verb, code) == (entry.kind, entry.by, entry.data["verb"], entry.data["refusal"]["code"])
    assert refusal.message in entry.text


def test_every_code_is_said_by_some_command() -> None:
    """There is no code that nobody can be refused with; channels are not an incident's own, and say theirs themselves."""
    assert set(CODES) - {"not-pausable"} == set(REFUSALS)


def test_a_refusal_changes_nothing_but_the_record() -> None:
    """After a refusal the incident is what it was, one timeline entry later."""
    walk = Walk.open("SEV2").reaches(Phase.RESOLUTION)
    before = walk.incident
    walk.refused("resolve", **RESOLVE)

    assert before == walk.incident.model_copy(update={"seq": before.seq})


# ---------------------------------------------------------------------- what is done already


REPEATS: list[tuple[Phase, str, dict[str, Any]]] = [
    (Phase.DETECTION, "acknowledge", {}),
    (Phase.DETECTION, "check", FIELDS["check"]),
    (Phase.DETECTION, "skip", FIELDS["skip"]),
    (Phase.DECLARATION, "assign", FIELDS["assign"]),
    (Phase.DECLARATION, "change_severity", FIELDS["change_severity"]),
    (Phase.MITIGATION, "approve", {"by": "dana"}),
    (Phase.RESOLUTION, "confirm", FIELDS["confirm"]),
]


@pytest.mark.parametrize(("phase", "verb", "fields"), REPEATS)
def test_what_is_done_already_is_accepted_and_adds_nothing(phase: Phase, verb: str, fields: dict[str, Any]) -> None:
    """Asking twice for the same thing is no mistake, and no second entry."""
    walk = arrived(phase)

    assert walk.does(verb, **fields)
    assert [] == walk.does(verb, **fields)


def test_a_second_person_who_acknowledges_changes_nothing() -> None:
    """Who acknowledged, and when, is the first one."""
    walk = Walk.open(None)
    walk.does("acknowledge", by="ana")
    walk.forward(minutes=1)
    walk.does("acknowledge", by="ben")

    assert "ana" == walk.incident.acknowledged_by


def test_a_completed_or_waived_action_item_is_completed_once() -> None:
    """Completing an item again adds nothing, in whatever case its id is typed."""
    walk = Walk.open("SEV2")
    walk.does("add_action_item", item="alert on retries", owner="ben", due="2026-12-01")
    walk.does("add_action_item", item="write it down", owner="ben", due="2026-12-01")

    assert walk.does("complete_action_item", id="ai-1")
    assert [] == walk.does("complete_action_item", id="AI-1")
    assert walk.does("waive", obligation="AI-2", reason="the service is retired next month")
    assert [] == walk.does("complete_action_item", id="AI-2")


def test_a_change_of_an_action_item_says_what_it_was_and_what_it_is() -> None:
    """Whoever reads the record sees the old and the new, by whom and why; what is the same already is no change."""
    walk = Walk.open("SEV2")
    walk.does("add_action_item", item="alert on retries", owner="ben", due="2026-12-01")
    (changed,) = walk.does("change_action_item", id="ai-1", owner="eva", due="2026-12-08", item="alert on retries", reason="ben is away")

    assert "ana changed AI-1 (ben is away): owner ben → eva, due 2026-12-01 → 2026-12-08" == changed.text
    assert {"owner": "ben", "due": "2026-12-01"} == changed.data["before"]
    (item,) = walk.incident.action_items
    assert ("alert on retries", "eva", date(2026, 12, 8)) == (item.item, item.owner, item.due)
    assert [] == walk.does("change_action_item", id="AI-1", owner="eva")


def test_what_is_done_or_waived_stays_as_it_was() -> None:
    """An item that has ended is not changed any more, and a date that can't be is not taken."""
    walk = Walk.open("SEV2")
    for _ in range(2):
        walk.does("add_action_item", item="alert on retries", owner="ben", due="2026-12-01")
    walk.does("complete_action_item", id="AI-1")
    walk.does("waive", obligation="AI-2", reason="the service is retired next month")
    refusals = [walk.refused("change_action_item", id=id, owner="eva") for id in ("AI-1", "AI-2", "AI-9")]

    assert ["item-ended", "item-ended", "unknown-item"] == [refusal.code for refusal in refusals]
    assert ["AI-1 is done.", "AI-2 is waived."] == [refusal.message for refusal in refusals[:2]]
    with pytest.raises(InvalidInput, match="is in the past"):
        lifecycle.check_dates(parse("change_action_item", {"by": "ana", "id": "AI-1", "due": "2020-01-01"}), walk.now)
    with pytest.raises(InvalidInput, match="at least one of item, owner, due"):
        parse("change_action_item", {"by": "ana", "id": "AI-1", "reason": "because"})


# ---------------------------------------------------------------------- declaring


def test_the_factors_decide_the_severity() -> None:
    """Whoever declares with factors alone gets the matrix's severity, and the reason stands in the timeline."""
    walk = Walk.open(None)
    walk.does("declare", factors={"users_affected_percent": 60})

    assert "SEV2" == walk.incident.severity
    assert "60 % of users affected" in next(event.text for event in walk.timeline if event.kind == "declared")


@pytest.mark.parametrize(
    ("severity", "factors", "reason", "code"),
    [
        ("SEV3", {"complete_outage": True}, None, "severity-downgrade-unjustified"),
        ("SEV2", {"data_loss_risk": True}, None, "severity-downgrade-unjustified"),
        ("SEV3", {"complete_outage": True}, "only a few users", "severity-downgrade-unjustified"),
        ("SEV3", {"complete_outage": True}, "only the canary is out; it takes no traffic", "ok"),
        ("SEV1", {"users_affected_percent": 10}, None, "undocumented"),
        ("SEV1", {"users_affected_percent": 10}, "they are all of our banks", "ok"),
        ("SEV2", {"users_affected_percent": 60}, None, "ok"),
        ("SEV3", {}, None, "ok"),
    ],
)
def test_a_severity_that_disagrees_with_the_factors_needs_a_reason(
    severity: str, factors: dict[str, Any], reason: str | None, code: str
) -> None:
    """The factors win, unless somebody says why not, and an excuse is no reason."""
    given = {"reason": reason} if reason else {}

    assert code == answer(Walk.open(None).asks("declare", severity=severity, factors=factors, **given))


def test_declaring_what_somebody_else_opened_acknowledges_it() -> None:
    """Whoever declares is on it; the reporter's own declaration is no acknowledgement."""
    theirs = Walk.open(None)
    theirs.does("declare", by="ben", severity="SEV2")
    own = Walk.open(None)
    own.does("declare", by="ana", severity="SEV2")

    assert ("ben", None) == (theirs.incident.acknowledged_by, own.incident.acknowledged_by)


# ---------------------------------------------------------------------- severity


@pytest.mark.parametrize(
    ("start", "to", "reason", "code"),
    [
        ("SEV3", "SEV1", "it spreads", "ok"),
        ("SEV2", "SEV1", "it spreads", "ok"),
        ("SEV1", "SEV2", BETTER, "ok"),
        ("SEV1", "SEV2", "nobody has complained", "severity-downgrade-unjustified"),
        ("SEV1", "SEV3", "it works for me", "severity-downgrade-unjustified"),
        ("SEV2", "SEV2", "just so", "nothing new"),
    ],
)
def test_raising_needs_a_reason_and_lowering_a_good_one(start: str, to: str, reason: str, code: str) -> None:
    """Going up is always possible; going down takes saying what has improved."""
    assert code == answer(Walk.open(start).asks("change_severity", severity=to, reason=reason))


# ---------------------------------------------------------------------- checklists


def test_an_item_of_a_later_phase_waits_for_its_phase() -> None:
    """What belongs to mitigation can't be ticked in triage."""
    walk = Walk.open("SEV2").reaches(Phase.TRIAGE)

    assert "wrong-phase" == walk.refused("check", item="rollback_plan_ready").code


def test_an_earlier_item_can_still_be_checked() -> None:
    """What was left open on the way is caught up later."""
    walk = Walk.open("SEV2").reaches(Phase.MITIGATION)
    walk.does("check", item="related_alerts_checked")

    assert CheckState.DONE is walk.incident.checklist["related_alerts_checked"].state


def test_a_skipped_item_can_be_done_after_all_and_a_done_one_not_skipped() -> None:
    """Skipping is undone by doing; what is done stays done."""
    walk = Walk.open("SEV2")
    walk.does("skip", item="related_alerts_checked", reason="monitoring is down")
    walk.does("check", item="related_alerts_checked")

    assert CheckState.DONE is walk.incident.checklist["related_alerts_checked"].state
    assert "unknown-item" == walk.refused("skip", item="related_alerts_checked", reason="it is noise").code


@pytest.mark.parametrize(
    ("item", "code"),
    [
        ("symptom_verified_resolved", "symptom-not-resolved"),
        ("metrics_normal", "metrics-not-at-baseline"),
        ("related_alerts_resolved", "alerts-still-firing"),
        ("verification_completed", "verification-incomplete"),
    ],
)
@pytest.mark.parametrize("verb", ["check", "skip"])
def test_items_of_resolution_hold_by_fact_only(verb: str, item: str, code: str) -> None:
    """Nobody ticks or skips what the incident itself can tell to be untrue."""
    walk = Walk.open("SEV2").reaches(Phase.RESOLUTION)
    reason = {"reason": "we are sure enough"} if verb == "skip" else {}

    assert code == walk.refused(verb, item=item, **reason).code


def test_an_excuse_does_not_skip_an_item() -> None:
    """“No time for documentation” is answered in the process's own words."""
    refusal = Walk.open("SEV2").refused("skip", item="initial_symptom_documented", reason="no time for documentation")

    assert ("undocumented", "Document AS you fix") == (refusal.code, refusal.required_action)


def test_a_persons_tick_counts_for_an_item_that_did_not_apply() -> None:
    """A SEV3 has no channel by itself; whoever made one and ticks it is believed."""
    walk = Walk.open("SEV3")
    item = walk.incident.checklist["channel_created"]
    walk.does("check", item="channel_created", note="#war-room")

    assert CheckState.NOT_APPLICABLE is item.state
    assert CheckState.DONE is walk.incident.checklist["channel_created"].state


# ---------------------------------------------------------------------- going on


def test_going_on_with_open_items_takes_a_reason_and_they_stay_owed() -> None:
    """Help is not blocked by paperwork, and the paperwork is not forgotten."""
    walk = Walk.open("SEV2").reaches(Phase.TRIAGE)
    walk.does("hypothesize", text="the release")
    refusal = walk.refused("advance")
    entered = walk.does("advance", reason="service first")[0]
    left = ["dependencies_mapped", "recent_changes_identified", "error_patterns_analyzed", "resource_utilization_checked"]

    assert ("undocumented", len(left)) == (refusal.code, len(refusal.blockers))
    assert ("ana", "service first", left) == (entered.by, entered.data["reason"], entered.data["left_open"])
    assert all(walk.incident.checklist[item].state is CheckState.OPEN for item in left)


def test_going_on_without_open_items_takes_no_reason() -> None:
    """Whoever has done everything just goes on."""
    walk = Walk.open("SEV2").reaches(Phase.TRIAGE)
    for item in ("dependencies_mapped", "recent_changes_identified", "error_patterns_analyzed", "resource_utilization_checked"):
        walk.does("check", item=item)
    walk.does("hypothesize", text="the release")
    walk.does("advance")

    assert Phase.MITIGATION is walk.incident.phase


def test_an_excuse_does_not_lead_from_mitigation_to_resolution() -> None:
    """“Skip verification” is no reason to go on."""
    walk = Walk.open("SEV2").reaches(Phase.MITIGATION)
    walk.mitigates()

    assert "verification-incomplete" == walk.refused("advance", reason="skip the verification period").code


def test_confirming_takes_a_working_mitigation_into_resolution() -> None:
    """Whoever confirms that the symptom is gone has gone on to resolution, open items and all."""
    walk = Walk.open("SEV2").reaches(Phase.MITIGATION)
    walk.mitigates()
    entered, confirmed = walk.does("confirm", criterion="symptom_resolved")

    assert ("phase_entered", "criterion_confirmed") == (entered.kind, confirmed.kind)
    assert entered.data["left_open"] == ["implementation_tracked"]


# ---------------------------------------------------------------------- updates


@pytest.mark.parametrize("phase", [Phase.TRIAGE, Phase.RESOLUTION])
def test_the_public_is_not_told_resolved_before_it_is(phase: Phase) -> None:
    """Nobody posts “resolved” while the incident is not, whatever they call the update."""
    walk = Walk.open("SEV2", customer_facing=True).reaches(phase)

    for audience in ("external", "internal"):
        refusal = walk.refused("post_update", audience=audience, text="all fine", status="resolved")

        assert "verification-incomplete" == refusal.code


def test_resolving_is_what_tells_the_public_resolved() -> None:
    """Once everything is verified, an update that says so is sent to the verb that does it."""
    walk = _verified()
    refusal = walk.refused("post_update", audience="external", text="all fine", status="resolved")

    assert ("undocumented", True) == (refusal.code, "resolve" in refusal.required_action)


def test_a_private_incident_tells_the_public_nothing() -> None:
    """What is private does not reach the status page."""
    walk = Walk.open("SEV2")
    walk.incident = walk.incident.model_copy(update={"private": True})

    assert "not-permitted" == walk.refused("post_update", audience="external", text="hello").code


# ---------------------------------------------------------------------- dismissing


@pytest.mark.parametrize("outcome", ["false_alarm", "duplicate", "not_production", "planned_maintenance"])
@pytest.mark.parametrize("phase", [Phase.DETECTION, Phase.DECLARATION])
def test_what_is_no_incident_is_dismissed_and_closed(phase: Phase, outcome: str) -> None:
    """Before work has begun, an incident can turn out to be none, and nothing is owed then."""
    walk = Walk.open(None).reaches(phase)
    extra = {"duplicate_of": "INC-2026-0009"} if outcome == "duplicate" else {}
    walk.does("dismiss", reason="a test fired", **{"as": outcome}, **extra)

    assert (outcome, Phase.CLOSED, walk.now) == (walk.incident.outcome, walk.incident.phase, walk.incident.closed_at)
    assert (set(), False) == (walk.open_clocks(), walk.incident.paging)


def test_an_incident_is_no_duplicate_of_itself() -> None:
    """A duplicate names the other incident."""
    refusal = Walk.open(None).refused("dismiss", reason="seen before", **{"as": "duplicate"}, duplicate_of="INC-2026-0001")

    assert "not-permitted" == refusal.code


# ---------------------------------------------------------------------- specialists


def test_a_report_names_its_dispatch() -> None:
    """A report that belongs to no dispatch is told which there are."""
    walk = Walk.open("SEV2")
    walk.does("dispatch", request="read the logs")
    walk.does("dispatch", specialist="dba", request="read the slow queries")
    walk.does("file_report", by="dba", id="2", text="an index is missing")

    assert "Dispatches: 1, 2." == walk.refused("file_report", id="3", text="x").required_action
    assert [None, "an index is missing"] == [one.report for one in walk.incident.dispatches]


# ---------------------------------------------------------------------- nothing escapes the caller


def test_every_verb_has_its_decider_and_nothing_is_asked_of_the_world_twice() -> None:
    """Deciding changes nothing: asking the same question again gets the same answer."""
    walk = Walk.open("SEV2").reaches(Phase.TRIAGE)
    first = {verb: walk.asks(verb, **fields) for verb, fields in FIELDS.items()}

    assert first == {verb: walk.asks(verb, **fields) for verb, fields in FIELDS.items()}
