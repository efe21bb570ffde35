# ruff: noqa: SIM300 - the house writes what is expected first
"""A storm of groups that nothing holds together goes to one incident, and no longer than it lasts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from incident import alerts, storms
from incident.commands import Open
from incident.registration import About, Registration
from incident.routing import Routed, Routes, Storm, route
from incident.storms import Weather
from tests.incident.walk import Walk, alert

NOW = datetime(2026, 11, 25, 2, 0, tzinfo=UTC)
RULE = Storm(groups=3, within=timedelta(minutes=5))


def _weather(*seconds_ago: int) -> Weather:
    weather = Weather()
    for number, ago in enumerate(seconds_ago, start=1):
        weather = storms.opened(weather, f"INC-{number}", NOW - timedelta(seconds=ago))
    return weather


def _about(*incidents: str, takes: bool = True) -> dict[str, About]:
    return {incident: About(title="x", takes=takes) for incident in incidents}


def test_the_group_after_the_last_one_allowed_joins_the_newest() -> None:
    """Three may open their own within five minutes; the fourth goes to the newest of these, and so does whatever follows."""
    weather = storms.gathered(_weather(60, 30, 10), RULE, _about("INC-1", "INC-2", "INC-3"), NOW)

    assert weather is not None
    assert weather.gathering is not None
    assert ("INC-3", 3) == (weather.gathering.incident, weather.gathering.opened)
    later = storms.gathered(weather, RULE, _about("INC-3"), NOW + timedelta(minutes=4))
    assert later is not None
    still = storms.gathered(later, RULE, _about("INC-3"), NOW + timedelta(minutes=8))

    assert still is not None
    assert still.gathering is not None
    assert "INC-3" == still.gathering.incident


@pytest.mark.parametrize(
    ("ago", "taking"),
    [
        ((60, 30), _about("INC-1", "INC-2")),
        ((301, 30, 10), _about("INC-1", "INC-2", "INC-3")),
        ((60, 30, 10), {}),
        ((60, 30, 10), _about("INC-1", "INC-2", "INC-3", takes=False)),
    ],
    ids=["too few", "too slow", "all closed", "all resolved"],
)
def test_without_a_storm_everybody_has_an_incident_of_their_own(ago: tuple[int, ...], taking: dict[str, About]) -> None:
    """Neither few groups, nor many over a long time, nor incidents that take nothing any more make a storm."""
    assert storms.gathered(_weather(*ago), RULE, taking, NOW) is None


def test_a_storm_is_over_when_it_has_been_quiet() -> None:
    """Five quiet minutes later a group opens its own incident again."""
    weather = storms.gathered(_weather(60, 30, 10), RULE, _about("INC-3"), NOW)

    assert weather is not None
    assert storms.gathered(weather, RULE, _about("INC-3"), NOW + timedelta(minutes=5)) is None


def test_a_storm_whose_incident_is_resolved_goes_to_another_one_that_takes_it() -> None:
    """The newest of those that are open is the storm's, and the resolved one is left alone."""
    weather = storms.gathered(_weather(60, 30, 10), RULE, _about("INC-3"), NOW)
    assert weather is not None
    taking = {**_about("INC-1", "INC-2"), **_about("INC-3", takes=False)}
    moved = storms.gathered(weather, RULE, taking, NOW + timedelta(seconds=1))

    assert moved is not None
    assert moved.gathering is not None
    assert "INC-2" == moved.gathering.incident


@pytest.mark.parametrize(
    ("routed", "under"),
    [
        (Routed(storm=RULE), True),
        (Routed(storm=RULE, service="checkout"), False),
        (Routed(storm=RULE.model_copy(update={"every_service": True}), service="checkout"), True),
        (Routed(storm=RULE, attach=False), False),
        (Routed(), False),
        (None, False),
    ],
)
def test_whom_the_rule_is_for(routed: Routed | None, under: bool) -> None:
    """Groups without a service; all of them where the rule says so; none that is to have its own, or of an earlier version."""
    request = Registration(key="k", request=Open(by="monitoring", title="x"), source="alert", routed=routed)

    assert under is (storms.rule_for(request) is not None)


def test_the_room_says_why_a_strangers_alerts_came() -> None:
    """The entry by which a group joins names the storm, and not the service that it has not."""
    walk = Walk.open("SEV2", from_alert=True)
    stranger = alert("Strange").model_copy(update={"group": "alerts/1", "joins": True, "routed": Routed(), "storm": "there is a storm"})
    joined = alerts.joining([stranger], walk.incident.policy)
    told = walk.record(alerts.told(walk.incident, [stranger.alert()], NOW, joined))

    assert "1 more alert group of no service joined, since there is a storm" in told[0].text


def test_rules_say_what_a_storm_is() -> None:
    """What becomes an incident is under the storm's rule; a ticket is not."""
    rules = Routes(storm=RULE)

    assert RULE == route(rules, {"alertname": "X"}, NOW).storm
    assert route(rules, {"alertname": "X", "env": "staging"}, NOW).storm is None
