# ruff: noqa: SIM300 - the house writes what is expected first
"""Who is looked at first when everything is due at once."""

from __future__ import annotations

from incident.vocabulary import Severity
from workflows import options


def test_a_storm_of_alert_groups_comes_after_every_incident() -> None:
    """The server's order is strict: an incident behind the groups would be looked at once the last of a thousand is through."""
    keys = [options.priority(severity).priority_key or 0 for severity in Severity]

    assert sorted(set(keys)) == keys, "the worst first"
    assert max(keys) < (options.ALERTS.priority_key or 0)
    assert 1 == options.URGENT.priority_key
