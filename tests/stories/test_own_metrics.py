# ruff: noqa: SIM300 - the house writes what is expected first
"""What Prometheus sees of a bad night, and that it sees the night's end."""

from __future__ import annotations

from collections import defaultdict

import pytest

from starter.backlog import Seen, tally
from tests.harness import Stage, Story, eventually

LATE = 'tocsin_obligation_late_seconds{clock="internal_update",drill="false"}'
OVERDUE = 'tocsin_obligations{clock="internal_update",drill="false",state="overdue"}'
PARKED = 'tocsin_effects_waiting{drill="false",port="chat",state="parked"}'
OLDEST = 'tocsin_effect_oldest_seconds{drill="false",port="chat"}'


@pytest.mark.lengthy
async def test_a_late_obligation_and_a_parked_message_appear_and_go_back_to_nothing(stage: Stage) -> None:
    """While chat is down and an update is late the numbers say so; once both are mended each of them is 0, not gone."""
    story = await Story.open(stage, "SEV2")
    await story.does("acknowledge")
    await story.settled()
    seen: Seen = defaultdict(set)
    before = await _metrics(story, seen)

    assert not {LATE, OVERDUE, PARKED, OLDEST} & before.keys()

    story.world.chat.down = True
    await story.does("note", text="chat is down")
    await story.does("post_update", audience="internal", text="we are at it")
    await story.fast_forward(minutes=70)
    await eventually(story.knows_down("chat"), what="chat known to be down")
    meanwhile = await _metrics(story, seen)

    assert 1 == meanwhile[OVERDUE]
    assert 0 < meanwhile[LATE] < 70 * 60
    assert meanwhile[PARKED] > 0
    assert 60 * 60 < meanwhile[OLDEST] <= 71 * 60

    story.world.chat.down = False
    await story.does("post_update", audience="internal", text="it is better")
    await story.fast_forward(minutes=16)
    await story.does("post_update", audience="internal", text="it is well")
    await story.settled()
    after = await _metrics(story, seen)

    assert {LATE: 0, OVERDUE: 0, PARKED: 0, OLDEST: 0} == {name: after[name] for name in (LATE, OVERDUE, PARKED, OLDEST)}


async def _metrics(story: Story, seen: Seen) -> dict[str, float]:
    lines = tally([await story.state()], await story.now(), seen)
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if not line.startswith("#"))}
