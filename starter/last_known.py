"""An incident while nobody works on it: lived through again, here, from the history that Temporal keeps.

Where no worker answers, the latest run's history is replayed through the workflow's own code. What comes out is exact:
the incident as it was after the last task that a worker has finished. Nothing has changed since but the time, and what
has arrived and waits.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory

from incident import snapshot
from incident.model import Incident
from starter.reading import Entry, Reading
from starter.replay import restored

log = structlog.get_logger()

BEGUN = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED
DONE = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
SIGNALED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
ANSWERED = frozenset({EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED, EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED})
"""Events that a task writes and that do not name it."""

WITHIN = timedelta(seconds=20)
"""How long a replay may take; a run is continued as new long before it would take this long."""

KEPT = 32
"""Incidents whose replay is kept; the next look costs nothing unless something has arrived meanwhile."""


@dataclass(frozen=True)
class Known:
    """What is known: `at` is when a worker did its last step, `waiting` how much has arrived since and is not carried out."""

    incident: Incident
    timeline: list[Entry]
    at: datetime
    waiting: int

    def state(self, now: datetime) -> dict[str, Any]:
        """The snapshot with its clocks as they stand now: they go on, whether or not anybody looks at them."""
        return snapshot.state(self.incident, now)


class LastKnown:
    """The last known states of one door's incidents, each replayed once for all who look."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._kept: OrderedDict[str, tuple[tuple[str, int], asyncio.Task[Known | None]]] = OrderedDict()

    async def of(self, incident: str) -> Known | None:
        """What is known of the incident; None where its history is gone or this version can't replay it.

        Raises:
            UnknownIncident, Unreachable.
        """
        history = await self._reading.latest_history(incident)
        if history is None:
            return None
        state = (history.run_id, len(history.events))
        kept = self._kept.get(incident)
        if kept is None or kept[0] != state or (kept[1].done() and (kept[1].cancelled() or kept[1].exception() is not None)):
            kept = (state, asyncio.create_task(_replay(incident, history)))
            self._kept[incident] = kept
            self._kept.move_to_end(incident)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        # One reader who leaves must not take it from the others.
        return await asyncio.shield(kept[1])


async def _replay(incident: str, history: WorkflowHistory) -> Known | None:
    kept, waiting = _as_left(history.events)
    try:
        async with asyncio.timeout(WITHIN.total_seconds()):
            found, timeline, failure = await restored(WorkflowHistory(history.workflow_id, kept))
    except TimeoutError as error:
        found, timeline, failure = None, [], error
    if failure is not None or not isinstance(found, Incident):
        log.warning("the last known state can't be derived", incident=incident, cause=repr(failure))
        return None
    at = next(event for event in reversed(kept) if event.event_type in (DONE, BEGUN)).event_time.ToDatetime(tzinfo=UTC)
    return Known(found, timeline, at, waiting)


def _as_left(events: Sequence[HistoryEvent]) -> tuple[list[HistoryEvent], int]:
    """The history up to what the last finished task has written, and how many signals have arrived since.

    A replay would go on with what has arrived since as a worker will, and show what has not happened yet.
    """
    last = max((number for number, event in enumerate(events) if event.event_type == DONE), default=None)
    if last is None:
        return list(events), 0
    end = last + 1
    while end < len(events) and _written_by_a_task(events[end]):
        end += 1
    return list(events[:end]), sum(event.event_type == SIGNALED for event in events[end:])


def _written_by_a_task(event: HistoryEvent) -> bool:
    attributes = getattr(event, event.WhichOneof("attributes") or "", None)
    return event.event_type in ANSWERED or bool(getattr(attributes, "workflow_task_completed_event_id", 0))
