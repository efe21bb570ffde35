# ruff: noqa: SIM300 - the house writes what is expected first
"""Verification believes measurements: what confirms itself, what starts again, and what nobody may say against the evidence."""

from __future__ import annotations

from datetime import timedelta

import pytest

from incident import clocks, evidence, lifecycle, snapshot, verifying
from incident.events import Event
from incident.evidence import POINTS_KEPT, SampleReport
from incident.guidance import next_step
from incident.model import CheckState, ClockState, Incident
from incident.policy import Policy
from incident.queries import Watching
from incident.routing import Query as Ruled
from incident.routing import Routed
from incident.vocabulary import Criterion, Phase
from tests.incident.measurements import BUSY, ERRORS, kinds, look, measured_walk, watched
from tests.incident.walk import Walk, alert, opening_of

OF = {"root_cause": "a retry", "fix_applied": "rolled back"}


def test_metrics_and_alerts_confirm_themselves() -> None:
    """A whole green look is the evidence: nobody has to type it, and the timeline holds the numbers."""
    walk = measured_walk()
    told = look(walk, {"error_ratio": (0.01,)})

    assert ["evidence", "criterion_confirmed", "criterion_confirmed"] == kinds(told)
    assert "error_ratio is 0.01, at most 0.05 is well" in told[1].text
    assert {Criterion.METRICS_AT_BASELINE, Criterion.ALERTS_CLEARED} == set(walk.incident.criteria)
    assert CheckState.DONE is walk.incident.checklist["metrics_normal"].state


def test_a_whole_green_period_resolves() -> None:
    """From the last confirmation on, every minute was measured and green; only then the period has passed."""
    walk = measured_walk()
    watched(walk, 1)
    walk.does("confirm", criterion="symptom_resolved")
    since = walk.now

    assert "verification_passed" not in kinds(watched(walk, 14.9))
    passed = watched(walk, 0.2)

    assert kinds(passed) == ["evidence", "verification_passed"]
    assert passed[-1].at == since + timedelta(minutes=15)
    walk.does("resolve", **OF)


def test_rules_with_queries_bind_where_nobody_can_be_asked_them() -> None:
    """No monitoring is configured: that is monitoring out of reach, an obligation that is owed, and never a green; dropping the
    queries, on record, is the way out. A drill is not bound."""
    ruled = Routed(queries=(Ruled(name="errors", query="errors", at_most=0.01),), binds=True)
    walk = Walk(opening_of(services=["checkout"]).model_copy(update={"routed": ruled})).reaches(Phase.RESOLUTION)
    walk.does("confirm", criterion="symptom_resolved")
    walk.record(verifying.unreachable(walk.incident, "no monitoring is configured (TOCSIN_PROMETHEUS_URL)", walk.now))
    refused = walk.refused("confirm", criterion="metrics_at_baseline", evidence="looks fine")
    owed = walk.incident.clocks[clocks.MONITORING]

    assert "metrics-not-at-baseline" == refused.code
    assert owed.open
    assert "no monitoring is configured" in snapshot.state(walk.incident, walk.now)["evidence"]["error"]
    assert 1 == walk.forward(minutes=11).count(next(e for e in walk.timeline if e.kind == "overdue" and e.data["clock"] == "monitoring"))

    walk.does("measure", name="errors", drop=True, reason="there is no Prometheus here yet; the shop's own log shows no errors since 03:10")
    walk.does("confirm", criterion="metrics_at_baseline", evidence="the log")

    assert Criterion.METRICS_AT_BASELINE in walk.incident.criteria

    drill = Walk(opening_of(services=["checkout"], drill=True).model_copy(update={"routed": ruled}))

    assert not evidence.binds(drill.incident)


def test_a_lower_severity_does_not_shorten_what_is_measured() -> None:
    """SEV3 has no verification period; lowering to it within one gives nothing for nothing."""
    walk = measured_walk()
    watched(walk, 1)
    walk.does("confirm", criterion="symptom_resolved")
    since = walk.now
    watched(walk, 5)
    walk.does(
        "change_severity",
        severity="SEV3",
        reason="under 10 % remain affected, with a workaround",
    )

    assert "verification_passed" not in kinds(watched(walk, 9.9))
    assert "verification-incomplete" == walk.refused("resolve", **OF).code
    passed = watched(walk, 0.2)

    assert kinds(passed)[-1] == "verification_passed"
    assert passed[-1].at == since + timedelta(minutes=15)
    walk.does("resolve", **OF)


def test_time_alone_passes_nothing() -> None:
    """Where measurements are believed, a period in which nobody looked has not been green."""
    walk = measured_walk()
    look(walk, {"error_ratio": (0.01,)})
    walk.does("confirm", criterion="symptom_resolved")
    told = walk.forward(hours=2)

    assert "verification_passed" not in kinds(told)
    assert "verification-incomplete" == walk.refused("resolve", **OF).code
    look(walk, {"error_ratio": (0.01,)})

    assert walk.incident.verification_passed_at == walk.now


@pytest.mark.parametrize(
    ("values", "why", "minutes"),
    [((0.01, 0.31, 0.01), "error_ratio is 0.31", 1), ((None,), "no data from", 2)],
    ids=["a red sample", "a gap, which ends in the look after it"],
)
def test_red_and_gaps_start_the_period_again_and_say_why(values: tuple[float | None, ...], why: str, minutes: int) -> None:
    """One bad sample in the fourteenth minute costs the whole period, and the channel reads the number."""
    walk = measured_walk()
    watched(walk, 1)
    walk.does("confirm", criterion="symptom_resolved")
    watched(walk, 13)
    walk.now += timedelta(minutes=2)
    told = look(walk, {"error_ratio": values})

    assert ["evidence", "criterion_withdrawn"] == kinds(told)
    assert why in told[-1].data["reason"]
    assert walk.incident.verification_since is None
    posts = [str(effect.ask) for effect in walk.incident.outbox if effect.purpose == "verification"]

    assert why in posts[-1]
    assert "It confirms itself" in posts[-1]
    again = walk.now + timedelta(minutes=minutes)
    watched(walk, minutes)

    assert walk.incident.verification_since == again


def test_a_related_alert_starts_the_period_again() -> None:
    """An alert of the service fires that was never posted to us: monitoring itself was asked."""
    walk = measured_walk()
    watched(walk, 1)
    walk.does("confirm", criterion="symptom_resolved")
    walk.now += timedelta(minutes=1)
    told = look(walk, {"error_ratio": (0.01,)}, firing=("PaymentsSlow",))

    assert ["evidence", "criterion_withdrawn"] == kinds(told)
    assert "PaymentsSlow (checkout) fires" == told[-1].data["reason"]
    refusal = walk.refused("confirm", criterion="alerts_cleared", evidence="it is unrelated")

    assert ("alerts-still-firing", True) == (refusal.code, "PaymentsSlow" in refusal.message)


def test_a_persons_word_against_the_measurements_is_refused_with_the_numbers() -> None:
    """Nobody talks the metrics back to baseline."""
    walk = measured_walk()
    look(walk, {"error_ratio": (0.31,)})
    for refusal in (
        walk.refused("confirm", criterion="metrics_at_baseline", evidence="looks fine to me"),
        walk.refused("check", item="metrics_normal"),
    ):
        assert "metrics-not-at-baseline" == refusal.code
        assert ["error_ratio is 0.31 at 03:00:00, at most 0.05 is well"] == [blocker.message for blocker in refusal.blockers]


def test_before_the_first_look_nothing_can_be_said() -> None:
    """In mitigation nothing is sampled yet: a word on the metrics is refused with where they are looked at."""
    walk = measured_walk(phase=Phase.MITIGATION)
    walk.does("mitigate", option="rollback", rationale="x", owner="ben", action="x", verification=["x"], rollback_plan="x")
    walk.does("approve", by="dana")
    walk.does("finish_mitigation", succeeded=True)
    refusal = walk.refused("confirm", criterion="metrics_at_baseline")

    assert ("metrics-not-at-baseline", Phase.MITIGATION) == (refusal.code, walk.incident.phase)
    walk.does("confirm", criterion="symptom_resolved")

    assert verifying.next_look(walk.incident) == walk.now


def test_without_queries_people_are_believed_as_ever() -> None:
    """Monitoring that has nothing to measure binds nobody."""
    walk = measured_walk(ERRORS)
    walk.does("measure", name="error_ratio", drop=True, reason="it counts health checks")
    for criterion in Criterion:
        walk.does("confirm", criterion=criterion.value)

    assert verifying.next_look(walk.incident) is None
    assert "verification_passed" in kinds(walk.forward(minutes=16))


def test_dropping_a_query_needs_a_reason_and_starts_the_period_again() -> None:
    """The way out when a query is wrong is on record, and never a way to shorten the period."""
    walk = measured_walk(ERRORS, BUSY)
    look(walk, {"error_ratio": (0.01,), "cpu": (10.0,)})
    walk.does("confirm", criterion="symptom_resolved")

    assert "undocumented" == walk.refused("measure", name="cpu", drop=True).code
    told = walk.does("measure", name="cpu", drop=True, reason="the exporter is broken")

    assert ["measured", "criterion_withdrawn"] == kinds(told)
    assert walk.incident.verification_since is None
    assert verifying.next_look(walk.incident) == walk.now


def test_the_baseline_decides_where_there_is_no_threshold() -> None:
    """Back to what was normal before it began: a fifth above the median, and not a percent more."""
    walk = measured_walk(BUSY)
    told = look(walk, {"cpu": (12.5,)}, normal=10.0)

    assert "cpu is 12.5 % at 03:00:00, at most 12 is well" in told[0].text
    assert 10.0 == walk.incident.baselines["cpu"].median
    walk.now += timedelta(minutes=1)

    assert () == verifying.request(walk.incident, walk.now).baseline_of, "a baseline is fetched once"
    look(walk, {"cpu": (11.9,)})

    assert Criterion.METRICS_AT_BASELINE in walk.incident.criteria


def _unreachable(walk: Walk, minutes: int) -> list[Event]:
    told: list[Event] = []
    for _ in range(minutes):
        walk.now += timedelta(minutes=1)
        told += walk.record(verifying.unreachable(walk.incident, "Prometheus can't be reached: ConnectError", walk.now))
    return told


def test_what_a_query_measured_before_it_was_changed_is_not_taken_for_what_it_measures_now() -> None:
    """Changed while a look is under way: neither its numbers nor its baseline are those of the new expression."""
    walk = measured_walk(BUSY)

    def changed() -> None:
        walk.does("measure", name="cpu", expression="busiest_cpu", reason="one machine is enough")

    told = look(walk, {"cpu": (11.0,)}, normal=10.0, meanwhile=changed)

    assert "cpu has not been measured yet" in told[0].text
    assert Criterion.METRICS_AT_BASELINE not in walk.incident.criteria
    assert {} == walk.incident.baselines

    look(walk, {"cpu": (11.0,)}, normal=90.0)

    assert 90.0 == walk.incident.baselines["cpu"].median


def test_a_beginning_that_is_corrected_gives_another_baseline() -> None:
    """The window moves with the beginning: what was normal is asked for again, and is not taken from within the trouble."""
    walk = measured_walk(BUSY)
    look(walk, {"cpu": (11.0,)}, normal=10.0)
    before = walk.incident.baselines["cpu"]
    walk.does("describe", started_at=(walk.incident.opened_at - timedelta(hours=1)).isoformat())
    look(walk, {"cpu": (11.0,)}, normal=8.0)
    now = walk.incident.baselines["cpu"]

    assert (10.0, 8.0) == (before.median, now.median)
    assert now.until < before.until


def test_an_end_that_was_not_looked_at_is_not_passed() -> None:
    """A look that was asked for before the period's end and is answered after it covers nothing of what is between."""
    walk = measured_walk()
    watched(walk, 1)
    walk.does("confirm", criterion="symptom_resolved")
    watched(walk, 14.5)

    def late() -> None:
        walk.now += timedelta(minutes=1)

    assert "verification_passed" not in kinds(look(walk, {"error_ratio": (0.01,)}, meanwhile=late))
    assert "verification_passed" in kinds(watched(walk, 1))


def test_monitoring_that_is_away_for_a_moment_costs_nothing() -> None:
    """One look that fails is made up for by the next, which fetches what the first could not."""
    walk = measured_walk()
    watched(walk, 1)
    walk.does("confirm", criterion="symptom_resolved")
    through = walk.incident.evidence.through if walk.incident.evidence else None

    assert ["evidence"] == kinds(_unreachable(walk, 1))
    walk.now += timedelta(minutes=1)

    assert through == verifying.request(walk.incident, walk.now).since
    assert ["evidence"] == kinds(look(walk, {"error_ratio": (0.01,)}))
    assert walk.incident.verification_since is not None


@pytest.mark.parametrize(("seconds", "held"), [(120, True), (121, False)])
def test_what_held_is_taken_back_once_no_next_look_can_make_up_for_the_silence(seconds: int, held: bool) -> None:
    """A minute may lack, and the look that would have fetched it comes a minute later: that long and not longer."""
    walk = measured_walk()
    look(walk, {"error_ratio": (0.01,)})
    walk.now += timedelta(seconds=seconds)
    walk.record(verifying.unreachable(walk.incident, "connection refused", walk.now))

    assert held == (Criterion.METRICS_AT_BASELINE in walk.incident.criteria)


def test_monitoring_that_stays_away_is_owed_and_never_a_green() -> None:
    """The period starts again, nobody's word replaces it, and reaching monitoring is an obligation that pages."""
    walk = measured_walk()
    watched(walk, 1)
    walk.does("confirm", criterion="symptom_resolved")
    told = _unreachable(walk, 3)

    assert 2 == kinds(told).count("criterion_withdrawn")
    assert "metrics-not-at-baseline" == walk.refused("confirm", criterion="metrics_at_baseline").code
    assert "alerts-still-firing" == walk.refused("confirm", criterion="alerts_cleared").code
    clock = walk.incident.clocks[clocks.MONITORING]

    assert (ClockState.RUNNING, timedelta(minutes=10)) == (clock.state, clock.due - clock.since if clock.due else None)
    assert [clocks.MONITORING] == [event.data["clock"] for event in walk.forward(minutes=9) if event.data.get("clock") == clocks.MONITORING]
    assert any(effect.purpose == "overdue" for effect in walk.incident.outbox)
    look(walk, {"error_ratio": (0.01,)})

    assert ClockState.MET is walk.incident.clocks[clocks.MONITORING].state
    assert walk.now == walk.incident.verification_since, "from here the whole period counts again"


def test_a_worker_that_was_away_leaves_no_hole() -> None:
    """After an hour without a worker the next look asks for the whole hour, and the period holds if it was green."""
    walk = measured_walk()
    watched(walk, 1)
    walk.does("confirm", criterion="symptom_resolved")
    walk.now += timedelta(hours=1)
    told = look(walk, {"error_ratio": (0.01,)})

    assert ["evidence", "verification_passed"] == kinds(told)


def test_a_red_minute_during_that_hour_is_found() -> None:
    """What happened while nobody looked counts as if somebody had."""
    walk = measured_walk()
    watched(walk, 1)
    walk.does("confirm", criterion="symptom_resolved")
    walk.now += timedelta(hours=1)

    assert ["evidence", "criterion_withdrawn"] == kinds(look(walk, {"error_ratio": (*[0.01] * 100, 0.31, 0.01)}))


def test_looking_goes_on_until_it_is_resolved() -> None:
    """A passed period is taken back by a red sample; an answer that arrives after resolving changes nothing."""
    walk = measured_walk()
    watched(walk, 1)
    walk.does("confirm", criterion="symptom_resolved")

    assert "verification_passed" in kinds(watched(walk, 16))
    walk.now += timedelta(minutes=1)
    look(walk, {"error_ratio": (0.31,)})

    assert walk.incident.verification_passed_at is None
    watched(walk, 17)
    asked = verifying.request(walk.incident, walk.now)
    walk.does("resolve", **OF)

    assert [] == verifying.sampled(walk.incident, asked, SampleReport(), walk.now)
    assert [] == verifying.unreachable(walk.incident, "late", walk.now)
    assert verifying.next_look(walk.incident) is None


def test_reopening_begins_the_evidence_anew() -> None:
    """What was measured of the round that is over does not count for the next."""
    walk = measured_walk()
    watched(walk, 1)
    walk.does("reopen", reason="errors are back")

    assert (None, {}) == (walk.incident.evidence, walk.incident.criteria)


def test_an_alert_that_arrives_takes_its_criterion_back_and_a_look_gives_it_again() -> None:
    """The webhook and monitoring's own answer are believed alike; the one that says firing wins."""
    walk = measured_walk()
    watched(walk, 1)
    walk.told(alert(service="checkout", starts_at=walk.now))

    assert Criterion.ALERTS_CLEARED not in walk.incident.criteria
    watched(walk, 2)

    assert Criterion.ALERTS_CLEARED not in walk.incident.criteria
    walk.told(alert(service="checkout", starts_at=walk.now - timedelta(minutes=2), firing=False))
    watched(walk, 1)

    assert Criterion.ALERTS_CLEARED in walk.incident.criteria


def test_the_state_stays_small_however_long_it_takes() -> None:
    """A day in resolution leaves sixty points and some counts, and looks become rarer while nothing changes."""
    walk = measured_walk()
    told = watched(walk, 24 * 60, value=0.31)
    known = walk.incident.evidence

    assert known is not None
    assert len(known.readings["error_ratio"].points) == POINTS_KEPT
    assert len(told) < 350
    assert len(Incident.model_validate_json(walk.incident.model_dump_json()).model_dump_json()) < 60_000


def test_the_timeline_still_gives_the_state() -> None:
    """Everything that evidence changes is in the entries: folding them gives the same incident."""
    walk = measured_walk()
    watched(walk, 2)
    watched(walk, 2, value=0.31)
    _unreachable(walk, 3)
    walk.does("measure", name="error_ratio", drop=True, reason="it counts health checks")
    folded = lifecycle.blank(walk.start, walk.timeline[0].at)
    for event in walk.timeline:
        folded = lifecycle.evolve(folded, event)

    assert walk.incident == folded


def test_what_to_do_now_is_to_wait_for_the_numbers() -> None:
    """Nobody is asked to confirm what confirms itself; the reason names the measurement."""
    walk = measured_walk()
    walk.does("acknowledge")
    look(walk, {"error_ratio": (0.31,)})
    walk.does("confirm", criterion="symptom_resolved")
    step = next_step(walk.incident, walk.now)

    assert (None, True) == (step.verb, "error_ratio is 0.31" in step.why)


def test_the_state_shows_the_evidence() -> None:
    """Outsiders see what is measured, how it stands and what normal is."""
    walk = measured_walk(ERRORS, BUSY)
    look(walk, {"error_ratio": (0.31,), "cpu": (10.0,)})
    shown = snapshot.state(walk.incident, walk.now)

    assert ("red", 12.0) == (shown["evidence"]["verdict"], shown["baselines"]["cpu"]["limit"])
    assert ["error_ratio", "cpu"] == [query["name"] for query in shown["queries"]]
    assert ["error_ratio is 0.31 at 03:00:00, at most 0.05 is well"] == [
        blocker["message"] for blocker in shown["blockers"] if blocker["code"] == "metrics-not-at-baseline"
    ]


def test_without_a_service_monitoring_cannot_say_which_alerts_are_related() -> None:
    """Nobody was asked about alerts, so nothing is concluded from silence: the word on them stays a person's."""
    start = opening_of("SEV2").model_copy(update={"policy": Policy(monitoring=Watching())})
    walk = Walk(start).reaches(Phase.RESOLUTION)
    walk.does("measure", name="error_ratio", expression="error_ratio", threshold=0.05)
    look(walk, {"error_ratio": (0.01,)})

    assert {Criterion.METRICS_AT_BASELINE} == set(walk.incident.criteria)
    walk.does("confirm", criterion="alerts_cleared", evidence="the board is empty")
