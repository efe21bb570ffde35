"""Read a plan for the twin out of the product's own history."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from temporalio.api.common.v1 import Payloads
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

from bench.twin import Order, Plan, Step, plan_file

LISTING = frozenset({EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES, EventType.EVENT_TYPE_WORKFLOW_PROPERTIES_MODIFIED})
"""What the product adds for its lists."""

SINK = "sink"


def plan_of(events: Sequence[HistoryEvent], id: str) -> Plan:
    """The steps that a history shows: what each workflow task was told, and the commands that it gave."""
    reading = _Reading(id)
    for event in events:
        reading.read(event)
    reading.close_step()
    return Plan(steps=reading.steps, ends=reading.ends)


class _Reading:
    """One pass over a history.

    What arrives while a task is under way belongs to the next one, but for the updates that it accepts itself.
    """

    def __init__(self, id: str) -> None:
        self.id = id
        self.steps: list[Step] = []
        self.ends = False
        self._arrived: list[str] = ["start"]
        self._taken: list[str] = []
        self._orders: list[Order] = []
        self._counts: dict[str, int] = {}
        self._names: dict[int | str, str] = {}
        self._timers: dict[str, int] = {}

    def read(self, event: HistoryEvent) -> None:
        match event.event_type:
            case EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED:
                self.close_step()
                self._taken, self._arrived = self._arrived, []
            case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
                self._arrived.append(self._next("word"))
            case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED:
                self._taken.append(self._next("update"))
            case EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
                activity = event.activity_task_scheduled_event_attributes
                queue = activity.task_queue.name.rsplit("-", 1)[1]
                self._order("activity", event.event_id, queue=queue, words=_words(activity.input))
            case EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
                self._arrived.append(self._names[event.activity_task_completed_event_attributes.scheduled_event_id])
            case EventType.EVENT_TYPE_TIMER_STARTED:
                timer = event.timer_started_event_attributes
                order = self._order("timer", f"timer {timer.timer_id}", seconds=timer.start_to_fire_timeout.ToMicroseconds() / 1e6)
                self._timers[timer.timer_id] = order.number
            case EventType.EVENT_TYPE_TIMER_FIRED:
                self._arrived.append(self._names[f"timer {event.timer_fired_event_attributes.timer_id}"])
            case EventType.EVENT_TYPE_TIMER_CANCELED:
                number = self._timers[event.timer_canceled_event_attributes.timer_id]
                self._orders.append(Order(kind="cancel", number=number))
            case EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED:
                child = event.start_child_workflow_execution_initiated_event_attributes
                self._order("child", event.event_id, to=child.workflow_id.removeprefix(self._root), words=_words(child.input))
            case EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED:
                self._arrived.append(self._names[event.child_workflow_execution_started_event_attributes.initiated_event_id])
            case EventType.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED:
                signal = event.signal_external_workflow_execution_initiated_event_attributes
                target = signal.workflow_execution.workflow_id
                to = target.removeprefix(self._root) if target.startswith(self._root) else f"+{SINK}"
                self._order("signal", event.event_id, to=to, words=_words(signal.input))
            case EventType.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_SIGNALED:
                self._arrived.append(self._names[event.external_workflow_execution_signaled_event_attributes.initiated_event_id])
            case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED | EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
                self.ends = True

    @property
    def _root(self) -> str:
        return self.id.split("/")[0]

    def _next(self, kind: str) -> str:
        self._counts[kind] = self._counts.get(kind, 0) + 1
        return f"{kind}:{self._counts[kind]}"

    def _order(self, kind: str, known_as: int | str, **fields: Any) -> Order:
        name = self._next(kind)
        self._names[known_as] = name
        order = Order(kind=kind, number=self._counts[kind], **fields)
        self._orders.append(order)
        return order

    def close_step(self) -> None:
        if self._taken:
            self.steps.append(Step(needs=self._taken, orders=self._orders))
        self._taken, self._orders = [], []


def _words(payloads: Payloads) -> dict[str, Any]:
    """What the product says to the world in these payloads, without the envelope that it says it in."""
    words: dict[str, Any] = {}
    for payload in payloads.payloads:
        value = json.loads(payload.data or b"null")
        said = value.get("ask", value) if isinstance(value, dict) else {}
        words |= {name: part for name, part in said.items() if name != "action" and part not in (None, "", [], {}, False) and _plain(part)}
    return words


def _plain(part: Any) -> bool:
    return isinstance(part, str | int | float) or (isinstance(part, list) and all(isinstance(item, str) for item in part))


def fellows_of(events: Sequence[HistoryEvent]) -> list[str]:
    """The ids of the workflows that this one started."""
    initiated = EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED
    return [
        event.start_child_workflow_execution_initiated_event_attributes.workflow_id for event in events if event.event_type == initiated
    ]


async def write_plans(client: Client, id: str, name: str, folder: Path, *, ended: bool, deadline: bool = False) -> list[str]:
    """Plans of an incident and of all its fellows, for the twin; answers with their suffixes.

    `ended`: wait until each of them has ended. `deadline`: the incident's longest timer takes its length from the
    twin's start.
    """
    suffixes = []
    queue = [id]
    while queue:
        current = queue.pop()
        handle = client.get_workflow_handle(current)
        if ended:
            await handle.result()
        history = await handle.fetch_history()
        plan = plan_of(history.events, current)
        if deadline and current == id:
            timers = [order for step in plan.steps for order in step.orders if order.kind == "timer"]
            plan = plan.model_copy(update={"deadline": max(timers, key=lambda order: order.seconds).number})
        suffix = current.removeprefix(id)
        plan_file(folder, name, suffix).write_text(plan.model_dump_json(exclude_defaults=True))
        suffixes.append(suffix)
        queue += fellows_of(history.events)
    return suffixes
