# ruff: noqa: SIM300 - the house writes what is expected first
"""What is normal, what is red and what is a gap: the arithmetic of evidence, as a table."""

from __future__ import annotations

import sys
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident import evidence, lookups
from incident.evidence import Baseline, Point
from incident.policy import Policy
from incident.queries import Query, Watching
from incident.routing import Query as Ruled
from incident.routing import Routed
from tests.incident.measurements import measured_walk
from tests.incident.walk import OPENED, Walk, alert, opening_of

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


def query(**changes: Any) -> Query:
    return Query.model_validate({"name": "q", "expression": "q", **changes})


def points(*given: float | None, every: timedelta = 15 * SECOND) -> tuple[Point, ...]:
    return tuple((OPENED + every * number, value) for number, value in enumerate(given, start=1))


@pytest.mark.parametrize(
    ("better", "before", "limit"),
    [
        ("lower", [10.0] * 20, 12.0),
        ("higher", [10.0] * 20, 8.0),
        ("lower", [0.0] * 20, 0.0),
        ("lower", [10.0] * 18 + [30.0, 31.0], 31.0),
        ("lower", [10.0] * 39 + [500.0], 12.0),
        ("higher", [1.0] * 18 + [0.5, 0.4], 0.4),
        ("lower", [-10.0] * 20, -8.0),
    ],
    ids=["a fifth more", "a fifth less", "nothing stays nothing", "what is common is normal", "one peak is not", "a dip", "below zero"],
)
def test_the_baseline_is_the_median_with_a_fifth_or_what_was_common(better: str, before: list[float], limit: float) -> None:
    """The worst value that counts as back: the median and its tolerance, or what one sample in twenty already was before."""
    found = evidence.baseline(points(*before), query(better=better), OPENED, OPENED, 0.2)

    assert found is not None
    assert pytest.approx(limit) == found.limit


def test_too_little_from_before_says_nothing_about_what_is_normal() -> None:
    """A service that is new has no baseline, and none is made up."""
    assert evidence.baseline(points(1.0, 1.0, None, 1.0, 1.0, None), query(), OPENED, OPENED, 0.2) is None


@pytest.mark.parametrize("better", ["lower", "higher"])
@pytest.mark.parametrize("endless", [sys.float_info.max, -sys.float_info.max])
@pytest.mark.parametrize("share", [2, 12, 20])
def test_an_infinite_value_from_before_makes_nothing_normal(better: str, endless: float, share: int) -> None:
    """A division by zero now and then is no reason to call everything well; where hardly anything else was measured, nobody knows."""
    found = evidence.baseline(points(*[10.0] * (20 - share), *[endless] * share), query(better=better), OPENED, OPENED, 0.2)

    assert (found and found.limit) == (None if share == 20 else 12.0 if better == "lower" else 8.0)
    assert found is None or Baseline.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize(("value", "said"), [(sys.float_info.max, "q is infinite at"), (-sys.float_info.max, "q is minus infinite at")])
def test_an_infinite_sample_is_red_and_is_called_so(value: float, said: str) -> None:
    """No number of 309 digits is put before people."""
    asked = query(better="lower" if value > 0 else "higher", threshold=0.5)
    reading = evidence.judged(asked, points(0.5, value), None, data_at=OPENED, until=OPENED + 30 * SECOND, gap=MINUTE)

    assert reading.verdict == "red"
    assert reading.said.startswith(said)


def test_a_query_own_threshold_goes_before_the_baseline() -> None:
    """Who has said what is well is not overruled by what was usual."""
    known = Baseline(since=OPENED, until=OPENED, median=1, limit=9, count=20)

    assert 0.5 == evidence.limit_of(query(threshold=0.5), known)
    assert 9 == evidence.limit_of(query(), known)


@pytest.mark.parametrize(
    ("given", "verdict", "said"),
    [
        ((0.01, 0.02, 0.05, 0.01), "green", "q is 0.01"),
        ((0.01, 0.31, 0.01, 0.01), "red", "q is 0.31 at 03:00:30, at most 0.05 is well"),
        ((0.01, None, None, 0.01), "green", "q is 0.01"),
        ((None, None, None, None, None), "gap", "no data from 03:00:00 to 03:01:15"),
        ((0.01, None, None, None, None, 0.01), "gap", "no data from 03:00:15 to 03:01:30"),
        ((None, None, None, None, None, 0.31), "red", "q is 0.31"),
        ((), "green", "q is no data"),
    ],
    ids=["green", "one red sample", "a late sample", "no data at all", "a hole", "red goes before a gap", "nothing to say yet"],
)
def test_one_red_sample_is_red_and_a_minute_without_data_is_a_gap(given: tuple[float | None, ...], verdict: str, said: str) -> None:
    """A single bad sample is enough; a sample that is late is not a gap, a minute without any is."""
    found = points(*given)
    until = found[-1][0] if found else OPENED
    reading = evidence.judged(query(threshold=0.05), found, None, data_at=OPENED, until=until, gap=MINUTE)

    assert (verdict, True) == (reading.verdict, said in reading.said), reading.said


def test_a_gap_is_seen_across_two_looks() -> None:
    """Half a gap in each of two looks is one gap: when there last was data is remembered."""
    before, until = OPENED - 45 * SECOND, OPENED + 30 * SECOND
    reading = evidence.judged(query(threshold=1), points(None, None), None, data_at=before, until=until, gap=MINUTE)

    assert "gap" == reading.verdict


def test_where_more_is_better_too_little_is_red() -> None:
    """`up` at 0 is an outage, whatever number is small elsewhere."""
    reading = evidence.judged(
        query(better="higher", threshold=1), points(1.0, 0.0, 1.0), None, data_at=OPENED, until=OPENED + 45 * SECOND, gap=MINUTE
    )

    assert ("red", "at least 1 is well") == (reading.verdict, reading.said.rpartition(", ")[2])


@pytest.mark.parametrize(("seconds", "verdict"), [(60, "green"), (61, "gap")])
def test_a_gap_is_longer_than_what_may_lack(seconds: int, verdict: str) -> None:
    """Exactly the time that may pass without data is none, between two samples as at the end; a second more is one."""
    between = ((OPENED, 0.1), (OPENED + seconds * SECOND, 0.1))
    for samples, until in ((between, OPENED + seconds * SECOND), (between[:1], OPENED + seconds * SECOND)):
        assert verdict == evidence.judged(query(threshold=0.5), samples, None, data_at=OPENED, until=until, gap=MINUTE).verdict


def test_no_baseline_and_no_threshold_is_never_green() -> None:
    """What nobody can judge does not pass for well."""
    reading = evidence.judged(query(), points(1.0, 1.0), None, data_at=OPENED, until=OPENED + 30 * SECOND, gap=MINUTE)

    assert "gap" == reading.verdict
    assert "threshold" in reading.said


def test_of_several_series_the_worst_counts() -> None:
    """One sick instance among ten is not averaged away."""
    asked = evidence.moments(OPENED, OPENED + 30 * SECOND, 15 * SECOND)
    series = [[(asked[0], 0.0), (asked[1], 0.2)], [(asked[0], 0.4)]]

    assert ((asked[0], 0.4), (asked[1], 0.2)) == evidence.worst_series(series, query(), asked)
    assert ((asked[0], 0.0), (asked[1], 0.2)) == evidence.worst_series(series, query(better="higher"), asked)


@given(st.integers(0, 100_000), st.integers(1, 900))
def test_samples_reach_from_the_last_look_to_this_one(span: int, every: int) -> None:
    """No moment between two looks is farther than one sample from the next, and this look's own moment is always sampled."""
    until = OPENED + span * SECOND
    found = evidence.moments(OPENED, until, every * SECOND)

    assert until == found[-1]
    assert all(later - earlier == every * SECOND for earlier, later in pairwise(found))
    assert found[0] - OPENED <= every * SECOND


@given(st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), max_size=400))
def test_a_picture_keeps_the_worst_and_never_grows(given: list[float | None]) -> None:
    """However long it went on, a picture has sixty points at most, and the peak is among them."""
    found = evidence.thinned(points(*given), query())
    known = [value for value in given if value is not None]

    assert len(found) <= evidence.POINTS_KEPT
    assert max(known, default=None) == max((value for _, value in found if value is not None), default=None)


def test_the_baseline_ends_before_the_incident_began() -> None:
    """The first alert came before anybody opened the incident; what is normal is taken from before that alert."""
    walk = measured_walk()
    watching = Watching()

    assert evidence.baseline_window(walk.incident, watching)[1] == OPENED - watching.baseline_margin
    walk.told(alert(starts_at=OPENED - 20 * MINUTE, service="checkout"))

    assert evidence.baseline_window(walk.incident, watching) == (OPENED - 55 * MINUTE, OPENED - 25 * MINUTE)
    walk.does("describe", started_at=(OPENED - 60 * MINUTE).isoformat())

    assert evidence.baseline_window(walk.incident, watching)[1] == OPENED - 65 * MINUTE


def test_what_is_measured_is_the_services_queries_and_what_people_add() -> None:
    """Queries come with the services; one that was dropped stays dropped."""
    walk = measured_walk()
    walk.does("measure", name="p99", expression="p99", unit="s", signal="latency")

    assert ["error_ratio", "p99"] == [one.name for one in evidence.queries(walk.incident)]
    walk.does("measure", name="error_ratio", drop=True, reason="it counts health checks")

    assert ["p99"] == [one.name for one in evidence.queries(walk.incident)]
    walk.does("describe", affected=["search"])

    assert ["p99"] == [one.name for one in evidence.queries(walk.incident)]


RULED = (
    Ruled(name="error ratio", query="errors / requests", at_most=0.01),
    Ruled(name="up", query="up", at_least=1),
    Ruled(name="load", query="load", at_most=9, at_least=1),
    Ruled(name="latency", query="latency"),
)


def test_what_the_routing_rules_say_of_a_service_is_measured() -> None:
    """Each bound is a measurement with a side that is worse; without one the baseline decides. A person's word goes before the rules'."""
    start = opening_of().model_copy(update={"policy": Policy(monitoring=Watching()), "routed": Routed(queries=RULED)})
    walk = Walk(start)
    walk.does("measure", name="latency", expression="latency_p99", threshold=2, reason="the rules' query has no data")
    measured = [(each.name, each.expression, each.threshold, each.better.value) for each in evidence.queries(walk.incident)]

    assert [
        ("error ratio", "errors / requests", 0.01, "lower"),
        ("up", "up", 1.0, "higher"),
        ("load", "load", 9.0, "lower"),
        ("load, at least", "load", 1.0, "higher"),
        ("latency", "latency_p99", 2.0, "lower"),
    ] == measured


def test_without_monitoring_what_the_rules_say_is_only_shown() -> None:
    """An incident that nobody can be asked about is verified on people's word."""
    walk = Walk(opening_of().model_copy(update={"routed": Routed(queries=RULED)}))

    assert () == evidence.queries(walk.incident)


def test_an_exporter_that_has_died_is_not_reported_as_well() -> None:
    """The newest value is the one of now; where there is none any more, the last one is given with its time and that it was the last."""
    query = Query(name="errors", expression="errors", unit="%")
    at = [OPENED + timedelta(seconds=30 * number) for number in range(3)]

    assert "errors is 2 %" == evidence.newest([(at[0], 1.0), (at[1], None), (at[2], 2.0)], query)
    assert "errors is 1 % at 03:00:00 UTC, no data since" == evidence.newest([(at[0], 1.0), (at[1], None), (at[2], None)], query)
    assert "no data" in evidence.newest([(at[0], None)], query)
    assert "no data" in evidence.newest([], query)


@pytest.mark.parametrize("said", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"], ids=["year 1", "year 9999"])
def test_a_date_that_nobody_meant_is_no_beginning(said: str) -> None:
    """What is looked at before the incident stays within what can be counted and what is kept."""
    walk = measured_walk()
    walk.does("describe", started_at=said)
    asked = lookups.ask(walk.incident, ("signals",), walk.now)

    assert evidence.baseline_window(walk.incident, Watching())[0] >= OPENED - timedelta(days=401)
    assert OPENED - timedelta(days=401) <= asked.since <= OPENED
