"""What the next run takes along of very many alerts."""

from __future__ import annotations

import random
import string
from datetime import UTC, datetime, timedelta

from incident import lifecycle
from incident.alerts import AlertInput
from incident.carrying import lighter, waiting
from incident.flapping import MOST_CHANGES, brief, calmed, heard, still
from incident.model import Alert, Incident
from incident.routing import Flapping
from tests.incident.walk import OPENED, opening_of

AT = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)


def noise(seed: int, length: int) -> str:
    chance = random.Random(seed)
    return "".join(chance.choice(string.ascii_letters) for _ in range(length))


def told(number: int, *, firing: bool) -> Alert:
    name = f"{number:016x}"
    text = noise(number, 300)
    return Alert(fingerprint=name, name=text, firing=firing, starts_at=AT + timedelta(seconds=number), summary=text[::-1], service="shop")


def incident(*alerts: Alert) -> Incident:
    found, _ = lifecycle.opening(opening_of(), OPENED)
    return found.model_copy(update={"alerts": {alert.fingerprint: alert for alert in alerts}})


def test_what_is_not_too_much_is_taken_along_as_it_is() -> None:
    before = incident(*(told(number, firing=number % 2 == 0) for number in range(100)))

    assert lighter(before, 200_000) is before


def test_of_too_much_the_texts_of_what_is_over_go_first() -> None:
    before = incident(*(told(number, firing=number % 2 == 0) for number in range(100)))
    after = lighter(before, 40_000)

    assert list(after.alerts) == list(before.alerts)
    assert all(after.alerts[name] == alert for name, alert in before.alerts.items() if alert.firing)
    assert all(not alert.summary for alert in after.alerts.values() if not alert.firing)


def test_whatever_else_has_to_go_no_alert_that_fires_is_forgotten() -> None:
    """Nor is any of its beginnings: a repeat must not be news."""
    before = incident(*(told(number, firing=number % 3 == 0) for number in range(300)))
    after = lighter(before, 2_000)

    assert {name: alert.starts_at for name, alert in after.alerts.items()} == {
        name: alert.starts_at for name, alert in before.alerts.items() if alert.firing
    }


def test_the_longest_over_are_forgotten_first() -> None:
    before = incident(*(told(number, firing=False) for number in range(200)))
    after = lighter(before, 12_000)

    assert 0 < len(after.alerts) < 200
    assert list(after.alerts) == list(before.alerts)[-len(after.alerts) :]


def test_what_waits_in_a_group_keeps_its_name_and_service() -> None:
    """The labels are cut until there is room; what an incident is opened from stays."""
    before = {}
    for number in range(50):
        texts = {f"label_{each}": noise(100 * number + each, 300) for each in range(10)}
        before[str(number)] = AlertInput(labels={"alertname": "HighErrorRate", "service": "shop", **texts}, starts_at=AT)
    after = waiting(before, 3_000)

    assert list(after) == list(before)
    assert {(alert.name, alert.service) for alert in after.values()} == {("HighErrorRate", "shop")}
    assert all(len(alert.labels) == 2 for alert in after.values())
    assert waiting(before, 2_000_000) == before


def test_a_track_is_as_good_without_the_changes_that_nobody_asks_for() -> None:
    """Alert by alert, and whatever comes after: the brief one says the same as the whole one, and is small."""
    rule = Flapping(changes=4, within=timedelta(minutes=10))
    chance = random.Random(7)
    whole = short = None
    at = AT
    for number in range(400):
        at += timedelta(seconds=chance.choice((20, 50, 700)))
        whole = heard(whole, firing=number % 2 == 0, starts_at=at, now=at, rule=rule)
        short = heard(short, firing=number % 2 == 0, starts_at=at, now=at, rule=rule)
        assert whole is not None
        assert short is not None
        short = brief(short)
        later = at + timedelta(seconds=650)

        assert still(whole, later, rule) is still(short, later, rule)
        assert brief(whole) == short
        if whole.flapping and still(whole, later, rule) and chance.random() < 0.5:
            whole, short, at = calmed(whole), calmed(short), later

    assert len(short.changes) < MOST_CHANGES if short is not None else False
