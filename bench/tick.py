"""G3: events of a cadence's tick with its one effect, and of an update that moves every deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from bench.plan import LISTING
from bench.report import Figure
from bench.rig import Rig, Subject, rigged, today
from incident.policy import SEVERITY_MATRIX, Policy
from incident.vocabulary import Severity

EVERY = timedelta(seconds=2)
TICKS = 5

_TIMERS = frozenset({EventType.EVENT_TYPE_TIMER_STARTED, EventType.EVENT_TYPE_TIMER_CANCELED})


def _policy() -> Policy:
    """One cadence that speaks every few seconds; everything else is far away."""
    rule = SEVERITY_MATRIX[Severity.SEV3].model_copy(update={"internal_update_every": EVERY})
    return Policy(severities={**SEVERITY_MATRIX, Severity.SEV3: rule})


async def _ticked(rig: Rig, arm: str, ticks: int) -> tuple[Subject, float]:
    """An incident whose cadence has spoken `ticks` times; the events between two of those, the effect's among them."""
    subject = await rig.open(arm, "ticks", severity=Severity.SEV3, policy=_policy())
    await asyncio.sleep(0.5)
    await subject.send("acknowledge", {})
    while True:
        await asyncio.sleep(0.5)
        events = await subject.events()
        fired = [number for number, event in enumerate(events) if event.event_type == EventType.EVENT_TYPE_TIMER_FIRED]
        if len(fired) > ticks:
            return subject, (fired[ticks] - fired[1]) / (ticks - 1)


async def _moved(rig: Rig, severity: str, reason: str, owed: int) -> tuple[list[HistoryEvent], dict[str, Any]]:
    """The history and the answer of an update that changes the severity, and with it every cadence and deadline.

    `owed` more deadlines, of action items, run beside those.
    """
    subject = await rig.open("product", severity=Severity.SEV2)
    await subject.send("acknowledge", {})
    await subject.send("describe", {"customer_facing": True})
    for number in range(owed):
        await subject.send("add_action_item", {"item": f"Limit the retries of {number}", "owner": "eva", "due": today(10)})
    await _settled(subject)
    answer = await subject.send("change_severity", {"severity": severity, "reason": reason})
    await _settled(subject)
    return list(await subject.events()), answer


async def _settled(subject: Subject) -> None:
    """Wait until the history has stopped growing."""
    length = -1
    while (now := len(await subject.events())) != length:
        length = now
        await asyncio.sleep(0.4)


def _of_update(events: Sequence[HistoryEvent]) -> tuple[int, int]:
    """Events of the last update: its task (3), its acceptance and completion, its timers; and beside them the lists'."""
    accepted = max(n for n, event in enumerate(events) if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED)
    task = events[accepted].workflow_execution_update_accepted_event_attributes.accepted_request_sequencing_event_id
    started = next(n for n, event in enumerate(events) if event.event_id >= task)
    end = next(
        (n for n, event in enumerate(events) if n > accepted and event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED),
        len(events),
    )
    own = events[accepted:end]
    completed = sum(event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED for event in own)
    framing = sum(
        event.event_type
        in (
            EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED,
            EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED,
            EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
        )
        for event in events[started:accepted]
    )
    timers = sum(event.event_type in _TIMERS for event in own)
    return framing + 1 + completed + timers, sum(event.event_type in LISTING for event in own)


def _number_moved(answer: dict[str, Any]) -> int:
    """How many deadlines the update moved, or began, as its entries say."""
    return len({name for entry in answer["events"] for name in entry["data"].get("clocks", {}).get("started", {})})


async def figures(*, rounds: int = 1) -> list[Figure]:
    ticks = TICKS * rounds
    async with rigged() as rig:
        (subject, tick), earlier, later, later_many = await asyncio.gather(
            _ticked(rig, "product", ticks),
            _moved(rig, "SEV1", "the whole shop is down", 0),
            _moved(rig, "SEV3", "workaround in place, under 5 % affected", 0),
            _moved(rig, "SEV3", "workaround in place, under 5 % affected", 20),
        )
        await rig.plan(subject, "ticks")
        _, bare = await _ticked(rig, "bare", ticks)
    found = [Figure("G3", "events a cadence tick, with its effect", "events", tick, bare, 11, absolute=True)]
    for name, (events, answer), floor in (("earlier", earlier, 7), ("later", later, 5), ("later, of 20 more", later_many, 5)):
        own, lists = _of_update(events)
        note = f"{_number_moved(answer)} deadlines moved or began; {lists} more events for lists"
        found.append(Figure("G3", f"events of an update moving deadlines {name}", "events", own, floor, floor, absolute=True, note=note))
    return found
