"""Which event of a workflow's history each timeline entry comes from.

A workflow acts only in its tasks, and every entry bears the time at which its task began: that finds the task, to the
microsecond. What made the task happen stands beside it: the update that was accepted in it (whose answer repeats the entries
that it made), a signal, a timer, an activity's end. Nothing here needs a worker or a server.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from temporalio.api.common.v1 import Payloads
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import ActivityTaskScheduledEventAttributes, HistoryEvent
from temporalio.client import WorkflowHistory

from starter.reading import Entry

TASK_STARTED = EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED
TASK_COMPLETED = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
ACCEPTED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED
SCHEDULED = EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
ANSWERED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED
SIGNALED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
STARTED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED

CAUSES = frozenset(
    {
        STARTED,
        SIGNALED,
        EventType.EVENT_TYPE_TIMER_FIRED,
        EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED,
        EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED,
        EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT,
        EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED,
        EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED,
    }
)
"""What a task can be scheduled for, updates aside."""

CLOCK_KINDS = frozenset({"overdue", "reminder", "verification_passed"})
"""Kinds that clocks make."""

DELIVERY_KINDS = frozenset({"delivered", "channel_opened", "parked", "undeliverable", "paged", "paging_failed"})
"""Kinds that an activity's, a child's or a page's end makes."""

VERB_OF: dict[str, str] = {
    "acknowledged": "acknowledge",
    "described": "describe",
    "declared": "declare",
    "severity_changed": "change_severity",
    "role_assigned": "assign",
    "item_checked": "check",
    "item_skipped": "skip",
    "internal_update": "post_update",
    "external_update": "post_update",
    "note": "note",
    "hypothesis": "hypothesize",
    "mitigation_proposed": "mitigate",
    "mitigation_approved": "approve",
    "mitigation_finished": "finish_mitigation",
    "criterion_confirmed": "confirm",
    "criterion_withdrawn": "withdraw",
    "resolved": "resolve",
    "reopened": "reopen",
    "dispatched": "dispatch",
    "report_filed": "file_report",
    "retrospective_scheduled": "schedule_retrospective",
    "action_item_added": "add_action_item",
    "action_item_changed": "change_action_item",
    "action_item_completed": "complete_action_item",
    "postmortem_filed": "file_postmortem",
    "waived": "waive",
    "closed": "close",
    "dismissed": "dismiss",
    "alert": "alert",
}
"""The message that asks for an entry of each kind: as a signal it has no answer that would name its entries."""


@dataclass(frozen=True)
class Origin:
    """One event of one run: its number there, its type as Temporal names it, and what it was called by."""

    workflow: str
    run_id: str
    event_id: int
    type: str
    name: str | None = None

    def document(self) -> dict[str, Any]:
        return {"run_id": self.run_id, "event_id": self.event_id, "type": self.type, "name": self.name}


@dataclass
class _Task:
    """One workflow task: what it was scheduled for, when it began, and the updates that it accepted and answered."""

    at: str
    started: HistoryEvent
    causes: list[HistoryEvent]
    accepted: list[HistoryEvent] = field(default_factory=list)
    used: set[int] = field(default_factory=set)


def origins(histories: Sequence[WorkflowHistory], timeline: Sequence[Entry]) -> dict[int, Origin]:
    """The origin of each entry, by its `seq`; an entry whose run is not among the histories has none."""
    found: dict[int, Origin] = {}
    waiting = {entry["seq"]: entry for entry in timeline}
    for history in histories:
        tasks = list(_tasks(history))
        at_of = {task.at: task for task in tasks}
        answered = _answered(history)
        activities = {
            event.event_id: event.activity_task_scheduled_event_attributes for event in history.events if event.event_type == SCHEDULED
        }
        for seq, entry in list(waiting.items()):
            task = at_of.get(_moment(entry["at"]))
            if task is not None:
                event = answered.get(seq) or _delivery(task, entry, activities) or _cause(task, entry)
                activity = activities.get(_scheduled_by(event))
                name = activity.activity_type.name if activity is not None else _name(event)
                found[seq] = Origin(history.workflow_id, history.run_id, event.event_id, _type(event), name)
                del waiting[seq]
    return found


def _tasks(history: WorkflowHistory) -> Iterator[_Task]:
    """The tasks that were completed; a failed or lost one has left nothing behind, and its causes wait for the next."""
    causes: list[HistoryEvent] = []
    task: _Task | None = None
    began: HistoryEvent | None = None
    taken = 0
    for event in history.events:
        if event.event_type == TASK_STARTED:
            began, taken = event, len(causes)
        elif event.event_type == TASK_COMPLETED and began is not None:
            if task is not None:
                yield task
            task = _Task(_time(began), began, causes[:taken])
            causes = causes[taken:]
        elif event.event_type == ACCEPTED and task is not None:
            task.accepted.append(event)
        elif event.event_type in CAUSES:
            causes.append(event)
    if task is not None:
        yield task


def _answered(history: WorkflowHistory) -> dict[int, HistoryEvent]:
    """Each entry that an update's answer repeats, to the event in which that update was accepted."""
    by_id = {event.event_id: event for event in history.events if event.event_type == ACCEPTED}
    found: dict[int, HistoryEvent] = {}
    for event in history.events:
        if event.event_type == ANSWERED:
            attributes = event.workflow_execution_update_completed_event_attributes
            for value in _values(attributes.outcome.success):
                made = value.get("events") if isinstance(value, dict) else None
                for entry in made if isinstance(made, list) else []:
                    if attributes.accepted_event_id in by_id and isinstance(entry, dict) and isinstance(entry.get("seq"), int):
                        found.setdefault(entry["seq"], by_id[attributes.accepted_event_id])
    return found


def _scheduled_by(event: HistoryEvent) -> int:
    """The event that scheduled the activity whose end this is; 0 where it is no activity's end."""
    ends = (
        event.activity_task_completed_event_attributes,
        event.activity_task_failed_event_attributes,
        event.activity_task_timed_out_event_attributes,
    )
    return next((end.scheduled_event_id for end in ends if end.scheduled_event_id), 0)


def _delivery(task: _Task, entry: Entry, activities: Mapping[int, ActivityTaskScheduledEventAttributes]) -> HistoryEvent | None:
    """The end of the activity that carried out the effect which the entry names by its number; its id is the effect's key."""
    number = (entry.get("data") or {}).get("number")
    if not isinstance(number, int):
        return None
    for event in task.causes:
        activity = activities.get(_scheduled_by(event))
        if activity is not None and activity.activity_id.partition("#")[0].rpartition(":")[2] == str(number):
            return event
    return None


def _cause(task: _Task, entry: Entry) -> HistoryEvent:
    """The likeliest of what the task was scheduled for; the task itself where nothing tells."""
    kind = entry["kind"]
    data = entry.get("data") or {}
    name = {"refused": data.get("verb"), "invalid": data.get("signal")}.get(kind, VERB_OF.get(kind))
    asked = [event for event in (*task.accepted, *task.causes) if name is not None and _name(event) == name]
    if asked:
        # Of several alike in one task each is told once, in their order.
        event = next((event for event in asked if event.event_id not in task.used), asked[-1])
        task.used.add(event.event_id)
        return event
    if kind in CLOCK_KINDS:
        return _first(task, EventType.EVENT_TYPE_TIMER_FIRED) or task.started
    if kind in DELIVERY_KINDS:
        ended = [event for event in task.causes if event.event_type not in {STARTED, SIGNALED, EventType.EVENT_TYPE_TIMER_FIRED}]
        return (ended or task.causes or [task.started])[0]
    return _first(task, STARTED) or (task.causes or task.accepted or [task.started])[0]


def _first(task: _Task, *types: int) -> HistoryEvent | None:
    return next((event for wanted in types for event in task.causes if event.event_type == wanted), None)


def _values(payloads: Payloads) -> Iterator[Any]:
    """The JSON values of payloads; an encrypted one is none that can be read here."""
    for payload in payloads.payloads:
        try:
            yield json.loads(payload.data)
        except ValueError:
            continue


def _time(event: HistoryEvent) -> str:
    """The moment as a workflow reads it in the task that began with this event: the same arithmetic, to the microsecond."""
    return datetime.fromtimestamp(event.event_time.ToNanoseconds() / 1e9, tz=UTC).isoformat()


def _moment(at: str) -> str:
    return datetime.fromisoformat(at).astimezone(UTC).isoformat()


def _type(event: HistoryEvent) -> str:
    return "".join(word.capitalize() for word in EventType.Name(event.event_type).removeprefix("EVENT_TYPE_").split("_"))


def _name(event: HistoryEvent) -> str | None:
    if event.event_type == ACCEPTED:
        return event.workflow_execution_update_accepted_event_attributes.accepted_request.input.name or None
    if event.event_type == SIGNALED:
        return event.workflow_execution_signaled_event_attributes.signal_name or None
    return None
