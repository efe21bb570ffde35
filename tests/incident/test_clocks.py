# ruff: noqa: SIM300 - the house writes what is expected first
"""What is due when, how it speaks, and that nothing owed is forgotten or told twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from incident import clocks
from incident.effects import Page, Port
from incident.model import ClockState
from incident.policy import Policy, SeverityRule
from incident.vocabulary import Phase, Severity
from tests.incident.walk import BETTER, DOCUMENT, OPENED, PLAN, Walk, alert, opening_of, spoke

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.mark.parametrize(
    ("severity", "due"),
    [
        (
            "SEV1",
            {
                "acknowledge": 15 * MINUTE,
                "internal_update": 10 * MINUTE,
                "status_page": 15 * MINUTE,
                "external_update": 15 * MINUTE,
                "notify_executives": 15 * MINUTE,
            },
        ),
        (
            "SEV2",
            {
                "acknowledge": 30 * MINUTE,
                "internal_update": 15 * MINUTE,
                "status_page": 30 * MINUTE,
                "external_update": 30 * MINUTE,
                "notify_executives": 30 * MINUTE,
            },
        ),
        ("SEV3", {"acknowledge": 2 * HOUR, "internal_update": 30 * MINUTE, "resolution": 8 * HOUR}),
    ],
)
def test_declaring_starts_the_clocks_of_the_severity(severity: str, due: dict[str, timedelta]) -> None:
    """Each severity has its own obligations, counted from the declaration."""
    walk = Walk.open(severity, customer_facing=True)

    assert due == {name: walk.due_in(name) for name in walk.open_clocks()}


def test_what_the_public_does_not_see_has_no_public_clocks() -> None:
    """Without customers concerned, neither status page nor external updates are owed."""
    assert {"acknowledge", "internal_update", "notify_executives"} == Walk.open("SEV1").open_clocks()


def test_the_public_clocks_start_when_customers_turn_out_to_be_concerned() -> None:
    """Customer-facing switched on later counts from then, and switched off again lets both clocks go by name."""
    walk = Walk.open("SEV1")
    walk.forward(minutes=7)
    on = walk.does("describe", customer_facing=True)[0]

    assert {"status_page": 15 * MINUTE, "external_update": 15 * MINUTE} == {
        name: walk.due_in(name, walk.now) for name in on.data["clocks"]["started"]
    }

    off = walk.does("describe", customer_facing=False)[0]

    assert {"status_page", "external_update"} == set(off.data["clocks"]["superseded"])


@pytest.mark.parametrize(
    ("label", "within"),
    [("critical", 15 * MINUTE), ("error", 30 * MINUTE), ("warning", 2 * HOUR)],
)
def test_before_anybody_declares_the_presumed_severity_sets_the_acknowledgement(label: str, within: timedelta) -> None:
    """An alert's own word says how fast somebody must be on it."""
    start = opening_of(None).model_copy(update={"presumed": Policy().presumed[label]})

    assert within == Walk(start).due_in("acknowledge")


# ---------------------------------------------------------------------- cadences


@pytest.mark.parametrize(("severity", "every"), [("SEV1", 10), ("SEV2", 15), ("SEV3", 30)])
def test_an_internal_update_is_reminded_once_and_escalates_once_a_period(severity: str, every: int) -> None:
    """One reminder a fifth before, then one escalation each period until somebody writes."""
    walk = Walk.open(severity)
    walk.does("acknowledge")
    said = [event for event in walk.forward(minutes=3 * every) if event.data["clock"] == "internal_update"]

    assert [("reminder", 0.8 * every), ("overdue", every), ("overdue", 2 * every), ("overdue", 3 * every)] == [
        (event.kind, (event.at - OPENED) / MINUTE) for event in said
    ]
    assert [1, 2, 3] == [event.data["times"] for event in said if event.kind == "overdue"]
    assert not any("late" in event.data for event in said)


def test_an_update_starts_the_cadence_again_and_says_how_late_it_was() -> None:
    """The next update counts from this one, and the timeline keeps by how much this one missed its time."""
    walk = Walk.open("SEV1")
    walk.forward(minutes=12)
    update = walk.does("post_update", audience="internal", text="still looking")[0]

    assert 120 == update.data["clocks"]["satisfied"]["internal_update"]
    assert 10 * MINUTE == walk.due_in("internal_update", walk.now)
    assert (ClockState.RUNNING, 0) == (walk.clock("internal_update").state, walk.clock("internal_update").times_missed)


def test_an_update_in_time_was_not_late() -> None:
    """An update before its time has satisfied the clock with nothing late."""
    walk = Walk.open("SEV1")
    walk.forward(minutes=5)

    assert 0 == walk.does("post_update", audience="internal", text="x")[0].data["clocks"]["satisfied"]["internal_update"]


@pytest.mark.parametrize(("severity", "every"), [("SEV1", 15), ("SEV2", 30)])
def test_the_first_public_word_is_one_duty_and_then_the_cadence_begins(severity: str, every: int) -> None:
    """Until the status page has its first entry only that speaks; from then on external updates are due every period."""
    walk = Walk.open(severity, customer_facing=True)
    said = [event.data["clock"] for event in walk.forward(minutes=every) if event.kind == "overdue"]

    assert "status_page" in said
    assert "external_update" not in said

    walk.does("post_update", audience="external", text="We are looking into it.")

    assert walk.clock("status_page").state is ClockState.MET
    assert every * MINUTE == walk.due_in("external_update", walk.now)
    assert "external_update" in spoke(walk.forward(minutes=every), "overdue")


def test_waiving_the_first_public_word_does_not_silence_the_cadence() -> None:
    """Whoever lets the status page go still owes external updates, and is told so."""
    walk = Walk.open("SEV1", customer_facing=True)
    walk.does("waive", obligation="status_page", reason="the page's owner tells it by telephone")

    assert "external_update" in spoke(walk.forward(minutes=15), "overdue")


def test_a_pause_gives_one_late_word_for_each_clock_and_no_storm() -> None:
    """After six hours with nothing running each clock speaks once, says that it is late, and counts the next from now."""
    walk = Walk.open("SEV1", customer_facing=True)
    said = walk.pause(hours=6)

    assert {"acknowledge", "internal_update", "status_page", "notify_executives"} == set(spoke(said, "overdue"))
    assert len(said) == 4
    assert 6 * 3_600 - 600 == next(event.data["late"] for event in said if event.data["clock"] == "internal_update")
    assert all("nothing was running" in event.text for event in said)
    assert walk.now + 10 * MINUTE == walk.clock("internal_update").escalate_at


def test_a_clock_says_nothing_twice_at_one_moment() -> None:
    """Looking again at the same instant hears nothing new."""
    walk = Walk.open("SEV1", customer_facing=True)
    walk.pause(hours=6)

    assert [] == walk.tick()


def test_clocks_speak_in_the_order_of_their_times() -> None:
    """What was due first is told first, also when all is noticed at once."""
    walk = Walk.open("SEV2", customer_facing=True)
    walk.does("add_action_item", item="x", owner="ben", due="2026-11-24")
    said = spoke(walk.pause(days=3), "overdue")

    assert ["internal_update", "acknowledge", "notify_executives", "status_page", "action_item:AI-1"] == said


# ---------------------------------------------------------------------- a changed severity


def test_raising_counts_from_the_last_update_and_not_from_the_change() -> None:
    """SEV3 to SEV1 twenty minutes after the last update: the internal update was due ten minutes ago, so it is due now."""
    walk = Walk.open("SEV3").reaches(Phase.TRIAGE)
    walk.does("post_update", audience="internal", text="looking")
    told = walk.now
    walk.forward(minutes=20)
    changed = walk.does("change_severity", severity="SEV1", reason="it spreads")[0]
    said = walk.tick()

    assert told + 10 * MINUTE == walk.clock("internal_update").due
    assert ["internal_update"] == [name for name in spoke(said, "overdue") if name == "internal_update"]
    assert {"internal_update", "resolution", "acknowledge"} == set(changed.data["clocks"]["superseded"])


def test_what_a_raise_makes_due_at_once_is_not_called_unnoticed() -> None:
    """Nothing was down: the clock could not have spoken before the severity was raised."""
    walk = Walk.open("SEV3")
    walk.forward(minutes=20)
    walk.does("change_severity", severity="SEV1", reason="it spreads")

    assert not any("late" in event.data for event in walk.tick())


def test_a_clock_that_is_overdue_keeps_to_the_new_period_after_a_raise() -> None:
    """A missed update of a SEV3 would speak again in half an hour; as a SEV1 it does within ten minutes."""
    walk = Walk.open("SEV3")
    walk.does("acknowledge")
    walk.forward(minutes=31)
    walk.does("change_severity", severity="SEV1", reason="it spreads")
    said = [event for event in walk.forward(minutes=10) if event.data["clock"] == "internal_update"]

    assert [41.0] == [(event.at - OPENED) / MINUTE for event in said]
    assert 2 == said[0].data["times"]


def test_lowering_grants_no_time_from_the_change() -> None:
    """SEV1 to SEV2 after eight minutes: the update is due at fifteen minutes and not at twenty-three."""
    walk = Walk.open("SEV1")
    walk.forward(minutes=8)
    walk.does("change_severity", severity="SEV2", reason=BETTER)

    assert 15 * MINUTE == walk.due_in("internal_update")
    assert 30 * MINUTE == walk.due_in("notify_executives")


def test_a_raise_in_the_middle_starts_the_one_time_duties_from_then() -> None:
    """Executives and the status page can't have been told as a SEV1 before it was one."""
    walk = Walk.open("SEV3", customer_facing=True).reaches(Phase.TRIAGE)
    walk.forward(hours=1)
    walk.does("change_severity", severity="SEV1", reason="it spreads")

    assert 15 * MINUTE == walk.due_in("notify_executives", walk.now)
    assert 15 * MINUTE == walk.due_in("status_page", walk.now)


def test_a_raise_before_anybody_acknowledged_moves_the_acknowledgement_and_pages_anew() -> None:
    """The acknowledgement counts from the opening by the new severity, and another climb begins."""
    walk = Walk.open("SEV3")
    walk.forward(minutes=5)
    walk.does("change_severity", severity="SEV1", reason="it spreads")

    assert (15 * MINUTE, 2) == (walk.due_in("acknowledge"), walk.incident.page_number)


# ---------------------------------------------------------------------- the long ones


def test_a_sev3_that_is_not_resolved_within_eight_hours_escalates_again_and_again() -> None:
    """Its clock is due eight hours after the declaration, and resolving meets it."""
    walk = Walk.open("SEV3")
    walk.does("acknowledge")
    said = [event for event in walk.forward(hours=16) if event.data["clock"] == "resolution"]

    assert [("reminder", 6.4), ("overdue", 8.0), ("overdue", 16.0)] == [(event.kind, (event.at - OPENED) / HOUR) for event in said]

    walk.reaches(Phase.POST_INCIDENT)

    assert (ClockState.MET, 8 * HOUR) == (walk.clock("resolution").state, walk.clock("resolution").late_by)


@pytest.mark.parametrize(("severity", "within"), [("SEV1", 48 * HOUR), ("SEV2", 7 * DAY), ("SEV3", 14 * DAY)])
def test_the_post_mortem_is_due_by_severity_from_the_resolution(severity: str, within: timedelta) -> None:
    """48 hours, a week, two weeks; reminded at most a day before, then once a day; filing it meets the clock."""
    walk = Walk.open(severity).reaches(Phase.POST_INCIDENT)
    resolved = walk.now
    said = [event for event in walk.forward(seconds=(within + DAY).total_seconds()) if event.data["clock"] == "postmortem"]
    before = min(within * 0.2, DAY)

    assert [("reminder", within - before), ("overdue", within), ("overdue", within + DAY)] == [
        (event.kind, event.at - resolved) for event in said
    ]

    walk.does("file_postmortem", document=DOCUMENT)

    assert (ClockState.MET, DAY) == (walk.clock("postmortem").state, walk.clock("postmortem").late_by)


def test_an_action_item_is_due_at_the_end_of_its_day() -> None:
    """Owners have the whole day, in UTC; then they are asked every day until it is done."""
    walk = Walk.open("SEV2")
    walk.does("add_action_item", item="x", owner="ben", due="2026-11-26")

    assert datetime(2026, 11, 27, tzinfo=UTC) == walk.clock("action_item:AI-1").due

    said = [event.kind for event in walk.forward(days=4, hours=1) if event.data["clock"] == "action_item:AI-1"]

    assert ["reminder", "overdue", "overdue"] == said

    done = walk.does("complete_action_item", id="AI-1")[0]

    assert {"action_item:AI-1": round((walk.now - datetime(2026, 11, 27, tzinfo=UTC)).total_seconds())} == done.data["clocks"]["satisfied"]


def test_an_action_item_that_is_put_off_is_asked_for_later_and_of_its_new_owner() -> None:
    """The clock goes with the item: what was overdue is not any more, and the next reminder goes to whoever owns it now."""
    walk = Walk.open("SEV2")
    walk.does("add_action_item", item="x", owner="ben", due="2026-11-26")
    walk.forward(days=3, hours=2)
    overdue = walk.clock("action_item:AI-1").state
    changed = walk.does("change_action_item", id="AI-1", owner="eva", due="2026-11-30")[0]
    clock = walk.clock("action_item:AI-1")

    assert ClockState.OVERDUE is overdue
    assert (ClockState.RUNNING, "eva", datetime(2026, 12, 1, tzinfo=UTC)) == (clock.state, clock.owner, clock.due)
    assert {"action_item:AI-1": "2026-12-01T00:00:00+00:00"} == changed.data["clocks"]["started"]

    walk.deliver_all()
    said = [event.kind for event in walk.forward(days=4) if event.data["clock"] == "action_item:AI-1"]
    pages = [effect.ask for effect in walk.waiting(Port.PAGING) if isinstance(effect.ask, Page) and effect.about == "action_item:AI-1"]

    assert ["reminder", "overdue"] == said[:2]
    assert {"eva"} == {page.to for page in pages[:2]}


def test_a_specialists_report_is_due_in_half_an_hour() -> None:
    """It is asked for every half hour until it arrives, or until the incident is resolved."""
    walk = Walk.open("SEV2")
    walk.does("dispatch", request="read the logs")
    said = [event for event in walk.forward(hours=1) if event.data["clock"] == "dispatch:1"]

    assert [30.0, 60.0] == [(event.at - OPENED) / MINUTE for event in said]

    walk.does("file_report", id="1", text="nothing")

    assert ClockState.MET is walk.clock("dispatch:1").state


def test_a_report_asked_for_after_the_resolution_is_due_as_well() -> None:
    """Help with the post-mortem has its time like any other; being resolved already does not meet it."""
    walk = Walk.open("SEV2").reaches(Phase.POST_INCIDENT)
    walk.forward(minutes=1)
    walk.does("dispatch", request="explain the heap dump")

    assert "dispatch:1" in walk.open_clocks()


# ---------------------------------------------------------------------- what ends and what begins again


def test_resolving_meets_what_was_owed_while_it_burned() -> None:
    """After the resolution only the post-mortem, the documentation and the action items are owed."""
    walk = Walk.open("SEV1", customer_facing=True)
    walk.does("acknowledge")
    walk.does("dispatch", request="read the logs")
    walk.reaches(Phase.POST_INCIDENT)

    assert {"postmortem", "change_documentation"} == walk.open_clocks()


def test_reopening_starts_the_cadences_again_and_supersedes_the_post_mortem() -> None:
    """Updates are owed again from the reopening; the post-mortem waits for the next resolution."""
    walk = Walk.open("SEV1", customer_facing=True).reaches(Phase.POST_INCIDENT)
    walk.forward(hours=5)
    reopened = walk.does("reopen", reason="errors are back")[0]

    assert (10 * MINUTE, 15 * MINUTE) == (walk.due_in("internal_update", walk.now), walk.due_in("external_update", walk.now))
    assert ["postmortem"] == list(reopened.data["clocks"]["superseded"])


def test_reopening_what_was_not_resolved_yet_puts_off_nothing() -> None:
    """Going back from resolution is no way to a fresh cadence, and not called an update."""
    walk = Walk.open("SEV2").reaches(Phase.RESOLUTION)
    walk.forward(minutes=14)
    before = walk.clock("internal_update")
    reopened = walk.does("reopen", reason="it was the wrong graph")[0]

    assert before == walk.clock("internal_update")
    assert "internal_update" not in reopened.data.get("clocks", {}).get("satisfied", {})


def test_a_report_that_never_came_is_asked_for_again_from_the_reopening() -> None:
    """Resolving had ended the wait; reopening begins it anew, not in the past."""
    walk = Walk.open("SEV3")
    walk.does("dispatch", request="read the logs")
    walk.reaches(Phase.POST_INCIDENT)
    walk.forward(hours=5)
    walk.does("reopen", reason="errors are back")

    assert 30 * MINUTE == walk.due_in("dispatch:1", walk.now)


def test_the_verification_clock_waits_while_something_is_not_green() -> None:
    """It is paused without a due time until all is confirmed, runs, is paused again by an alert, and is met when it passed."""
    walk = Walk.open("SEV2").reaches(Phase.RESOLUTION)
    states = [walk.clock("verification").state]
    walk.confirms()
    states.append(walk.clock("verification").state)
    walk.told(alert(starts_at=walk.now))
    states.append(walk.clock("verification").state)
    walk.told(alert(starts_at=walk.now, firing=False))
    walk.does("confirm", criterion="alerts_cleared")
    walk.forward(minutes=15)
    states.append(walk.clock("verification").state)

    assert [ClockState.PAUSED, ClockState.RUNNING, ClockState.PAUSED, ClockState.MET] == states


def test_acknowledging_stops_the_pages_and_meets_its_clock() -> None:
    """Late or in time, the clock keeps who it was and by how much."""
    walk = Walk.open("SEV1")
    walk.forward(minutes=17)
    walk.does("acknowledge", by="ben")
    clock = walk.clock("acknowledge")

    assert (ClockState.MET, "ben", 2 * MINUTE, False) == (clock.state, clock.met_by, clock.late_by, walk.incident.paging)


def test_a_new_owner_takes_the_clock_over_as_it_is() -> None:
    """Handing command over mid-way changes who is asked and not when."""
    walk = Walk.open("SEV1")
    walk.forward(minutes=12)
    before = walk.clock("internal_update")
    walk.does("assign", role="commander", person="eva")
    after = walk.clock("internal_update")

    assert before.model_copy(update={"owner": "eva"}) == after


def test_communications_owe_the_public_and_the_commander_owes_the_rest() -> None:
    """Who is asked for what follows from the roles; without a communications lead it is the commander."""
    walk = Walk.open("SEV1", customer_facing=True)
    walk.does("assign", role="commander", person="eva")

    assert {"eva"} == {walk.clock(name).owner for name in ("internal_update", "external_update", "status_page", "notify_executives")}

    walk.does("assign", role="communications", person="cem")

    assert ("eva", "cem") == (walk.clock("internal_update").owner, walk.clock("external_update").owner)


def test_telling_the_executives_counts_when_they_were_told() -> None:
    """The clock is met by the delivery, not by the wish to tell."""
    walk = Walk.open("SEV1")

    assert "notify_executives" in walk.open_clocks()

    walk.forward(minutes=3)
    walk.deliver_all()

    assert (ClockState.MET, walk.now) == (walk.clock("notify_executives").state, walk.clock("notify_executives").met_at)


def test_a_second_change_without_approval_keeps_the_first_ones_clock() -> None:
    """The documentation of a change is owed from when that change was made."""
    walk = Walk.open("SEV1").reaches(Phase.MITIGATION)
    walk.does("mitigate", **PLAN)
    first = walk.clock("change_documentation")
    walk.forward(minutes=20)
    walk.does("mitigate", **{**PLAN, "owner": "eva"})

    assert first == walk.clock("change_documentation")


# ---------------------------------------------------------------------- looking at the clocks


def test_the_next_wake_is_the_earliest_thing_that_a_clock_has_to_say() -> None:
    """A SEV1 is first heard of two minutes before its first update."""
    walk = Walk.open("SEV1")
    most_urgent = clocks.most_urgent(walk.incident)

    assert OPENED + 8 * MINUTE == clocks.next_wake(walk.incident)
    assert most_urgent is not None
    assert "internal_update" == most_urgent.name


def test_nothing_is_awaited_of_a_closed_incident_that_owes_nothing() -> None:
    """A dismissed incident has no wake and no urgent clock."""
    walk = Walk.open("SEV2")
    walk.does("dismiss", reason="a test fired", **{"as": "false_alarm"})

    assert (None, None) == (clocks.next_wake(walk.incident), clocks.most_urgent(walk.incident))


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("internal_update", "internal update"),
        ("action_item:AI-2", "action item AI-2"),
        ("dispatch:1", "report of dispatch 1"),
        ("something_new", "something_new"),
    ],
)
def test_clocks_have_names_that_people_use(name: str, called: str) -> None:
    """What is told to people is not the clock's technical name."""
    assert called == clocks.label(name)


def test_an_organisations_own_figures_are_kept_by_the_incident() -> None:
    """The policy that an incident was opened with decides, and no other."""
    rules = Policy().severities
    quick = SeverityRule.model_validate({**rules[Severity.SEV2].model_dump(), "internal_update_every": 5 * MINUTE})
    start = opening_of("SEV2").model_copy(update={"policy": Policy(severities={**rules, Severity.SEV2: quick})})

    assert 5 * MINUTE == Walk(start).due_in("internal_update")
