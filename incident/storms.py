"""A storm of alert groups that nothing holds together: after so many incidents of their own, the rest join one.

A group without a service can join no service's incident, so a thousand of them would open a thousand and page for each.
The register counts the incidents that such groups open; from the rule's number on, further groups join the newest of those
that still takes alerts, until there has been no such group for as long as the rule says. No alert is left out: a storm decides
where a group goes, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from pydantic import BaseModel

from incident.registration import About, Registration
from incident.routing import Storm

KEPT = 1_000
"""As many groups as a rule may ask for."""


class Lone(BaseModel):
    """An incident that a group without another one's opened, and when."""

    incident: str
    at: datetime


class Gathering(BaseModel):
    """The incident that a storm goes to, how many opened one before it did, and when the last group came."""

    incident: str
    opened: int
    at: datetime


class Weather(BaseModel):
    """What the register remembers of storms."""

    lone: tuple[Lone, ...] = ()
    gathering: Gathering | None = None


def rule_for(request: Registration) -> Storm | None:
    """The rule that this group is under; None where it always gets an incident of its own, unless it joins its service's."""
    routed = request.routed
    if routed is None or routed.storm is None or not routed.attach or request.source != "alert" or request.request.drill:
        return None
    return routed.storm if routed.storm.every_service or not routed.service else None


def opened(weather: Weather, incident: str, now: datetime) -> Weather:
    """One more group has opened an incident of its own."""
    return weather.model_copy(update={"lone": (*weather.lone, Lone(incident=incident, at=now))[-KEPT:]})


def gathered(weather: Weather, rule: Storm, taking: Mapping[str, About], now: datetime) -> Weather | None:
    """The weather once one more group has joined the storm's incident, `gathering`; None where there is no storm."""
    known = weather.gathering
    if known is not None and now - known.at < rule.within and known.incident in taking and taking[known.incident].takes:
        return weather.model_copy(update={"gathering": known.model_copy(update={"at": now})})
    lately = [each for each in weather.lone if now - each.at < rule.within]
    into = next((each.incident for each in reversed(lately) if each.incident in taking and taking[each.incident].takes), None)
    if len(lately) < rule.groups or into is None:
        return None
    return Weather(lone=tuple(lately), gathering=Gathering(incident=into, opened=len(lately), at=now))


def renumbered(weather: Weather, before: str, after: str) -> Weather:
    """The number that an incident was to get was taken."""
    lone = tuple(each.model_copy(update={"incident": after}) if each.incident == before else each for each in weather.lone)
    known = weather.gathering
    if known is not None and known.incident == before:
        known = known.model_copy(update={"incident": after})
    return Weather(lone=lone, gathering=known)


def why(gathering: Gathering, rule: Storm) -> str:
    """What the room of the incident reads."""
    minutes = f"{rule.within.total_seconds() / 60:g} min"
    return f"there is an alert storm ({gathering.opened} groups opened an incident each within {minutes}; more of them come here)"
