"""The measuring scripts run and give numbers. What the numbers are is for `make bench` to say, on a quiet machine."""

from __future__ import annotations

import json
import math
from collections import Counter

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHistory

from bench import latency
from bench.plan import plan_of
from bench.report import Figure, Pairs, paired, percentile
from tests.workflows.recording import FOLDER


def test_the_twin_does_what_the_product_did() -> None:
    """A plan read from a recorded incident has its activities, its timers and its updates, each as often as they happened."""
    recorded = json.loads(next(FOLDER.glob("*/closed-1.history.json")).read_text())
    events = WorkflowHistory.from_json(recorded["workflow_id"], recorded["history"]).events
    plan = plan_of(events, recorded["workflow_id"])
    happened = Counter(event.event_type for event in events)
    ordered = Counter(order.kind for step in plan.steps for order in step.orders)
    needed = Counter(need.split(":")[0] for step in plan.steps for need in step.needs)

    assert happened[EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED] == ordered["activity"]
    assert happened[EventType.EVENT_TYPE_TIMER_STARTED] == ordered["timer"]
    assert happened[EventType.EVENT_TYPE_TIMER_CANCELED] == ordered["cancel"]
    assert happened[EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED] == needed["update"]
    assert happened[EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED] == needed["word"]
    assert plan.ends


def test_a_figure_says_whether_its_goal_is_met() -> None:
    """The ratio is the median of the rounds' ratios; a goal bounds it, or the product's own value."""
    figure = paired("G0", "made up", "s", Pairs([1.0, 3.0, 2.0], [1.0, 1.0, 1.0]), lambda seconds: seconds, 1.5)

    assert figure.ratio == 2.0
    assert figure.met is False
    assert "NOT MET" in figure.line()
    assert "min 1.00 median 2.00 max 3.00" in figure.line()
    assert Figure("G0", "made up", "kB", 70, 50, 80, absolute=True).met is True
    assert Figure("G0", "made up", "events/s", 90, 100, 0.85, at_least=True).met is True
    assert Figure("G0", "made up", "s", 1).met is None
    assert percentile(list(range(100)), 0.99) == 99


@pytest.mark.server
async def test_the_product_and_its_twin_can_be_measured() -> None:
    """A short measurement, over a server and two workers of its own, gives a ratio for every line."""
    found = await latency.figures(rounds=1, notes=2, burst=3, opened_for=0.1)

    assert {figure.id for figure in found} == {"G10"}
    assert all(figure.ratio is not None and math.isfinite(figure.ratio) and figure.ratio > 0 for figure in found)
