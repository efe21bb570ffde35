"""G3: events of a cadence's tick with its one effect, and of an update that moves every deadline."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from bench.report import Figure
from bench.rig import Rig, Subject, rigged
from incident.policy import SEVERITY_MATRIX, Policy
from incident.vocabulary import Severity

EVERY = timedelta(seconds=3)
TICKS = 4


def _policy() -> Policy:
    """One cadence that is missed every three seconds; everything else is far away."""
    rule = SEVERITY_MATRIX[Severity.SEV2].model_copy(update={"internal_update_every": EVERY, "notify_executives_within": None})
    return Policy(severities={**SEVERITY_MATRIX, Severity.SEV2: rule})


async def _settled(subject: Subject) -> int:
    """The history's length once it has stopped growing."""
    length = -1
    while (now := len(await subject.events())) != length:
        length = now
        await asyncio.sleep(0.6)
    return length


async def _tick(rig: Rig) -> float:
    subject = await rig.open("product", severity=Severity.SEV2, policy=_policy())
    await subject.send("acknowledge", {})
    await asyncio.sleep(EVERY.total_seconds() * 1.5)
    before = len(await subject.events())
    await asyncio.sleep(EVERY.total_seconds() * TICKS)
    return (len(await subject.events()) - before) / TICKS


async def _moved(rig: Rig, severity: str, reason: str) -> int:
    """Events of one change of severity, its effects' left out: the update, the timer, the lists."""
    subject = await rig.open("product", severity=Severity.SEV2)
    await subject.send("acknowledge", {})
    before = await _settled(subject)
    await subject.send("change_severity", {"severity": severity, "reason": reason})
    await _settled(subject)
    events = (await subject.events())[before:]
    until = next((number for number, event in enumerate(events) if event.HasField("activity_task_scheduled_event_attributes")), len(events))
    return until


async def figures(*, rounds: int = 1) -> list[Figure]:
    async with rigged() as rig:
        tick = await _tick(rig)
        earlier = await _moved(rig, "SEV1", "the whole shop is down")
        later = await _moved(rig, "SEV3", "workaround in place, under 5 % affected")
    return [
        Figure("G3", "events a cadence tick, with its effect", "events", tick, 11, 11, judged=tick, goal_text="<= 11 events"),
        Figure("G3", "events of an update moving all deadlines earlier", "events", earlier, 7, 7, judged=earlier, goal_text="<= 7 events"),
        Figure("G3", "events of an update moving all deadlines later", "events", later, 5, 5, judged=later, goal_text="<= 5 events"),
    ]
