"""Each vendor is told things at its own pace, whatever the number of workers."""

from __future__ import annotations

from incident.effects import Port
from runtime.settings import load_settings
from worker.pace import pace


def test_a_queue_has_the_pace_of_its_vendor() -> None:
    """Of several ways to page, the slowest sets the pace; what is embedded, or says nothing of a limit, has none."""
    assert pace(load_settings()) == {}
    assert pace(load_settings(chat="slack", statuspage="statuspage", tickets="jira", paging="pagerduty,email")) == {
        Port.CHAT: 0.8,
        Port.STATUS: 0.4,
        Port.PAGING: 2.0,
    }
