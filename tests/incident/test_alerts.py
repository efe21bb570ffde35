# ruff: noqa: SIM300 - the house writes what is expected first
"""Monitoring delivers at least once and out of order; the incident learns each thing once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident import alerts
from incident.policy import Policy
from incident.vocabulary import Phase
from tests.incident.walk import OPENED, Walk, alert

ONE = {"status": "firing", "labels": {"alertname": "HighErrorRate", "service": "checkout"}, "startsAt": "2026-11-24T02:58:00Z"}


# ---------------------------------------------------------------------- reading


def test_an_alert_is_read_as_alertmanager_posts_it() -> None:
    """The year one that Alertmanager writes while an alert fires is no end, and fields of newer versions do no harm."""
    good, bad = alerts.parse(
        {**ONE, "endsAt": "0001-01-01T00:00:00Z", "fingerprint": "f1", "annotations": {"summary": "5xx  over\n2 %"}, "x": 1}
    )
    read = good[0].alert()

    assert [] == bad
    assert ("f1", "HighErrorRate", True, None, "5xx over 2 %", "checkout") == (
        read.fingerprint,
        read.name,
        read.firing,
        read.ends_at,
        read.summary,
        read.service,
    )


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ([], "the list of alerts is empty"),
        (None, "alert 0: command"),
        ("firing", "alert 0: command"),
        ({**ONE, "labels": {}}, "alert 0: labels"),
        ({**ONE, "labels": {"alertname": 5}}, "alert 0: labels.alertname"),
        ({**ONE, "status": "smouldering"}, "alert 0: status"),
        ({**ONE, "startsAt": "yesterday"}, "alert 0: startsAt"),
        ({**ONE, "startsAt": "2026-11-24T02:58:00"}, "alert 0: startsAt"),
        ({**ONE, "startsAt": "0001-01-01T00:00:00+05:00"}, "alert 0: startsAt: is so close to the end of the calendar"),
        ({**ONE, "endsAt": "9999-12-31T23:59:59-05:00"}, "alert 0: endsAt: is so close to the end of the calendar"),
        ({"labels": {"a": "b"}}, "alert 0: startsAt: is missing"),
    ],
)
def test_a_bad_alert_is_named_with_its_field(raw: Any, problem: str) -> None:
    """Whatever is posted as an alert, the answer says what is wrong with it."""
    good, bad = alerts.parse(raw)

    assert ([], 1) == (good, len(bad))
    assert bad[0].startswith(problem)


def test_a_bad_alert_does_not_hold_up_the_good_ones() -> None:
    """One mistake in a list costs one alert."""
    good, bad = alerts.parse([ONE, {"labels": "none"}, {**ONE, "labels": {"alertname": "Slow"}}])

    assert (["HighErrorRate", "Slow"], 1) == ([one.name for one in good], len(bad))


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))
)
def test_reading_alerts_never_fails(raw: Any) -> None:
    """No JSON that somebody sends as an alert stops the incident."""
    good, bad = alerts.parse(raw)

    assert good or bad


def test_without_a_fingerprint_the_labels_are_the_identity() -> None:
    """The same labels are the same alert, in whatever order they come; a different value is another."""
    one, same, other = (
        alerts.parse({**ONE, "labels": labels})[0][0] for labels in ({"a": "1", "b": "2"}, {"b": "2", "a": "1"}, {"a": "1", "b": "3"})
    )

    assert one.identity == same.identity != other.identity


@pytest.mark.parametrize(
    ("labels", "where"),
    [
        ({}, "incident"),
        ({"environment": "production"}, "incident"),
        ({"environment": "Staging"}, "not_production"),
        ({"env": "dev"}, "not_production"),
        ({"maintenance": "true"}, "planned_maintenance"),
        ({"maintenance": "true", "env": "dev"}, "planned_maintenance"),
        ({"maintenance": "no"}, "incident"),
    ],
)
def test_an_alert_goes_where_its_labels_say(labels: dict[str, str], where: str) -> None:
    """Production opens incidents; the rest is a ticket, and planned maintenance is only noted."""
    assert where == alerts.routed(labels)


def test_the_worst_firing_alert_is_presumed() -> None:
    """Before anybody declares, the gravest label sets the clock; a resolved alert sets none."""
    told = [alert("a", severity="warning"), alert("b", severity="critical"), alert("c", severity="critical", firing=False)]

    assert "SEV1" == alerts.presumed_by(told, Policy())
    assert "SEV3" == alerts.presumed_by(told[:1], Policy())
    assert "SEV2" == alerts.presumed_by([alert("d", severity="odd")], Policy())
    assert alerts.presumed_by(told[2:], Policy()) is None


# ---------------------------------------------------------------------- once


def test_the_same_alert_posted_twice_is_one_entry() -> None:
    """A repeat, in the same batch or a later one, changes nothing."""
    walk = Walk.open("SEV2")

    assert ["alert"] == [event.kind for event in walk.told(alert(), alert())]
    assert [] == walk.told(alert())
    assert 1 == len(walk.incident.alerts)


def test_a_batch_is_one_entry() -> None:
    """Fifty alerts at once are one line in the timeline, which counts them and names three."""
    walk = Walk.open("SEV2")
    event = walk.told(*(alert(f"Alert{number:02}") for number in range(50)))[0]

    assert "50 alerts firing: Alert00, Alert01, Alert02 and 47 more" == event.text
    assert 50 == len(walk.incident.firing)


def test_an_alert_that_resolves_is_news_once() -> None:
    """Firing and then resolved: the incident knows that it is over, and hearing so again adds nothing."""
    walk = Walk.open("SEV2")
    walk.told(alert())

    assert ["alert"] == [event.kind for event in walk.told(alert(firing=False))]
    assert ((), []) == (walk.incident.firing, walk.told(alert(firing=False)))


def test_firing_that_arrives_after_its_own_end_does_not_burn_again() -> None:
    """Out of order: the end of an episode is the last word on it."""
    walk = Walk.open("SEV2")
    walk.told(alert(firing=False))

    assert [] == walk.told(alert())
    assert () == walk.incident.firing


def test_an_older_episode_says_nothing_about_a_newer_one() -> None:
    """A stale “resolved” of yesterday's episode does not put out today's fire."""
    walk = Walk.open("SEV2")
    walk.told(alert(starts_at=OPENED))

    assert [] == walk.told(alert(starts_at=OPENED - timedelta(days=1), firing=False))
    assert 1 == len(walk.incident.firing)


def test_a_new_episode_of_the_same_alert_is_news() -> None:
    """It fired, it cleared, it fires again: three entries."""
    walk = Walk.open("SEV2")
    later = OPENED + timedelta(minutes=10)
    entries = [walk.told(told) for told in (alert(), alert(firing=False), alert(starts_at=later))]

    assert [1, 1, 1] == [len(entry) for entry in entries]
    assert [later] == [one.starts_at for one in walk.incident.firing]


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=12), st.randoms(use_true_random=False))
def test_the_order_of_delivery_does_not_decide_what_fires(told: list[tuple[int, bool]], random: Any) -> None:
    """However the same words are shuffled and repeated, the incident ends up knowing the same."""
    words = [alert(starts_at=OPENED + timedelta(minutes=episode), firing=firing) for episode, firing in told]
    shuffled = [*words, *words]
    random.shuffle(shuffled)
    one, other = Walk.open(None), Walk.open(None)
    for word in words:
        one.told(word)
    for word in shuffled:
        other.told(word)

    assert one.incident.alerts == other.incident.alerts


# ---------------------------------------------------------------------- what follows


def test_a_service_that_alerts_is_affected() -> None:
    """The services of the alerts join those that people named, each once."""
    walk = Walk.open("SEV2", services=("checkout",))
    walk.told(alert(service="payments"), alert("Slow", service="checkout"))

    assert ("checkout", "payments") == walk.incident.services


def test_an_alert_after_the_resolution_pages_and_reopens_nothing_by_itself() -> None:
    """Whether it is the same trouble is for the commander to say, who is paged."""
    walk = Walk.open("SEV2").reaches(Phase.POST_INCIDENT)
    event = walk.told(alert(starts_at=walk.now))[0]

    assert "reopen it if this is the same trouble" in event.text
    assert (Phase.POST_INCIDENT, "fires_again") == (walk.incident.phase, walk.incident.outbox[-1].purpose)


def test_an_alert_before_its_criterion_is_confirmed_withdraws_nothing() -> None:
    """There is nothing to take back yet; the alert alone stands in the way."""
    walk = Walk.open("SEV2").reaches(Phase.RESOLUTION)

    assert ["alert"] == [event.kind for event in walk.told(alert(starts_at=walk.now))]
    assert "alerts-still-firing" == walk.refused("confirm", criterion="alerts_cleared").code


def test_a_closed_incident_passes_on_what_it_never_heard_of() -> None:
    """What it knew stays with it; another alert, or a newer episode of the same, is a new trouble, whenever it began."""
    walk = Walk.open("SEV1")
    walk.told(alert("Known", starts_at=OPENED))
    walk.does("dismiss", reason="a broken probe", **{"as": "false_alarm"})
    repeat, silenced = alert("Known", starts_at=OPENED), alert("Silenced", starts_at=OPENED - timedelta(hours=1))
    again, over = alert("Known", starts_at=OPENED + timedelta(minutes=1)), alert("Over", starts_at=OPENED, firing=False)

    assert [silenced, again] == alerts.after_the_end(walk.incident, [repeat, silenced, again, over])
    assert [again] == alerts.after_the_end(walk.incident, [repeat, silenced, again, over], earlier=True)


def test_an_incident_names_what_it_knew_of_each_group_that_is_not_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """An incomplete list would make a repeat look new; so a group is told of whole, or not at all."""
    given = [
        alert(name, starts_at=OPENED).model_copy(update={"group": group}) for name, group in (("A", "g"), ("B", "g"), ("C", ""), ("D", "h"))
    ]
    walk = Walk.open("SEV1")
    walk.told(*given)
    known = {one.name: one.identity for one in given}

    assert {"g": {known["A"], known["B"]}, "own": {known["C"]}, "h": {known["D"]}} == {
        group: set(episodes) for group, episodes in alerts.known_episodes(walk.incident, "own").items()
    }

    monkeypatch.setattr(alerts, "EPISODES_TOLD", 2)

    assert ["g"] == list(alerts.known_episodes(walk.incident, "own"))
