"""What the register takes along into its next run stays small."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from workflows import options
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
    assert AT == register.state.groups["older"].episode_at
