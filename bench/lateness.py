"""G4: how late a deadline is answered for when many fall into one second, with SEV1s among them.

Late is the time from the due moment to the completion of the workflow task that follows the timer: the time of the
timer's own event says nothing of how long the workers need to get round to it.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio.api.enums.v1 import EventType

from bench.report import Figure, Pairs, interleaved, paired, percentile
from bench.rig import Rig, Subject, rigged
from incident.policy import SEVERITY_MATRIX, Policy
from incident.vocabulary import Severity
from workflows import options

PLAN = "herd"
STARTS_A_SECOND = 15
"""Slow enough for a small, busy machine: a queue of starts would spread the deadlines, which count from the first task."""

SEV1_EVERY = 20


def _policy(within: timedelta) -> Policy:
    """The acknowledgement is due after `within`; nothing else speaks meanwhile."""
    rules = {
        severity: rule.model_copy(update={"acknowledge_within": within, "next_rung_after": timedelta(hours=1)})
        for severity, rule in SEVERITY_MATRIX.items()
    }
    return Policy(severities=rules, page_again_after=timedelta(hours=1))


@dataclass(frozen=True)
class Herd:
    """Seconds late of all, of the SEV1s among them, and how many did not speak exactly once."""

    all: list[float]
    urgent: list[float]
    wrong: int


async def _open(rig: Rig, arm: str, severity: Severity, due: float) -> tuple[Subject, Severity, float]:
    within = timedelta(seconds=due - time.time())
    priority = options.priority(severity)
    subject = await rig.open(arm, PLAN, severity=None, presumed=severity, policy=_policy(within), within=within, priority=priority)
    return subject, severity, within.total_seconds()


async def _late(subject: Subject, within: float) -> float | None:
    """Seconds late; None while the timer has not fired, or its task is not done."""
    began = fired = 0.0
    for event in await subject.events():
        at = event.event_time.ToNanoseconds() / 1e9
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED and not began:
            began = at
        elif event.event_type == EventType.EVENT_TYPE_TIMER_FIRED:
            fired = at
        elif event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED and fired:
            return at - began - within
    return None


async def _herd(rig: Rig, arm: str, count: int, apart: float) -> Herd:
    """`count` incidents whose deadlines fall together, or `apart` seconds after each other."""
    began = time.time()
    due = began + 2 + count / STARTS_A_SECOND
    opened: list[tuple[Subject, Severity, float]] = []
    for number in range(count):
        await asyncio.sleep(max(0.0, began + number / STARTS_A_SECOND - time.time()))
        severity = Severity.SEV1 if number % SEV1_EVERY == 0 else Severity.SEV3
        opened.append(await _open(rig, arm, severity, due + number * apart))
    await asyncio.sleep(max(0.0, due - time.time()) + count * apart + 1 + count / 40)
    late: list[tuple[Severity, float]] = []
    wrong = 0
    for start in range(0, count, 20):
        part = opened[start : start + 20]
        found = await asyncio.gather(*(_late(subject, within) for subject, _, within in part))
        told = await asyncio.gather(*(_times_told(subject) for subject, _, _ in part)) if arm == "product" else [1] * len(part)
        late += [(severity, seconds) for (_, severity, _), seconds in zip(part, found, strict=True) if seconds is not None]
        wrong += sum(seconds is None or times != 1 for seconds, times in zip(found, told, strict=True))
    urgent = [seconds for severity, seconds in late if severity is Severity.SEV1]
    return Herd([seconds for _, seconds in late], urgent, wrong)


async def _times_told(subject: Subject) -> int:
    timeline: list[dict[str, Any]] = await subject.handle.query("timeline")
    return Counter(entry["kind"] for entry in timeline)["overdue"]


async def figures(*, rounds: int = 1, herd: int = 100) -> list[Figure]:
    async with rigged() as rig:
        subject, _, _ = await _open(rig, "product", Severity.SEV3, time.time() + 2)
        await asyncio.sleep(4)
        await rig.plan(subject, PLAN, deadline=True)
        await _herd(rig, "bare", 5, 0.05)
        few = await interleaved(rounds, lambda arm: _herd(rig, arm, 20, 0.05))
        many: Pairs[Herd] = Pairs([], [])
        for number in range(rounds):
            for arm in ("product", "bare") if number % 2 == 0 else ("bare", "product"):
                (many.product if arm == "product" else many.bare).append(await _herd(rig, arm, herd, 0))
    wrong = sum(found.wrong for found in (*few.product, *many.product))
    urgent, everyone = (percentile([late for found in many.product for late in getattr(found, name)], 0.99) for name in ("urgent", "all"))
    return [
        paired("G4", "lateness p99, 20 deadlines in a second", "s", few, lambda found: percentile(found.all, 0.99), 1.2),
        paired("G4", f"lateness p99, {herd} deadlines together", "s", many, lambda found: percentile(found.all, 0.99), 1.15),
        Figure("G4", "lateness p99 of the SEV1s among them", "s", urgent, everyone, 0.15, against="all of them"),
        Figure("G4", "deadlines skipped or doubled", "", wrong, None, 0, absolute=True),
    ]
