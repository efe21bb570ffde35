"""What the register and alert groups take along into their next run: all that is asked of them later, and no more."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from incident.flapping import Track
from workflows import options
from workflows.alert_group import AlertGroup
from workflows.contract import AlertGroupInput
from workflows.registry import GroupRecord, Registry, RegistryInput, RegistryState

AT = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)


def test_the_next_run_tells_the_alerts_of_the_newest_groups_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of groups of longer ago it keeps when the newest alert began, and goes by that."""
    monkeypatch.setattr(options, "EPISODES_KEPT", 3)
    knew = {"a": AT, "b": AT}
    closed = GroupRecord(incident="INC-2026-0001", closed_at=AT, episode_at=AT, alerts=knew)
    register = Registry(RegistryInput(state=RegistryState(groups={"older": closed, "newer": closed})))
    register._forget()

    assert {"older": None, "newer": knew} == {group: record.alerts for group, record in register.state.groups.items()}
    assert register.state.groups["older"].episode_at == AT


def test_an_alert_group_forgets_nothing_between_its_runs() -> None:
    """What could not be read, and what went to no incident and why, can still be asked for after a storm."""
    start = AlertGroupInput(
        group="g",
        general_channel="#all",
        incident="INC-2026-0001",
        firing={"a": AT},
        ticketed=True,
        noted=True,
        tracks={"b": Track(starts_at=AT, firing=True, changes=(AT,))},
        joined=True,
        taken=7,
        unreadable=("alert 0: labels: is missing",),
        elsewhere=("Errors (a): by the rules a note",),
    )
    group = AlertGroup(start)

    assert group._carried() == start
    assert group.state()["firing"] == {"a": AT.isoformat(), "b": AT.isoformat()}
    assert group.state()["elsewhere"] == list(start.elsewhere)
