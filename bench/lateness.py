"""G4: how late a deadline is noticed when many fall into one second, SEV1 among them."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

from bench.report import Figure, percentile
from bench.rig import Rig, Subject, rigged
from incident.policy import SEVERITY_MATRIX, Policy
from incident.vocabulary import Severity

LENGTH = timedelta(seconds=25)
HERD = 150


def _policy() -> Policy:
    """The acknowledgement is due after 25 s; nothing else speaks meanwhile."""
    rules = {
        severity: rule.model_copy(update={"acknowledge_within": LENGTH, "next_rung_after": timedelta(hours=1)})
        for severity, rule in SEVERITY_MATRIX.items()
    }
    return Policy(severities=rules, page_again_after=timedelta(hours=1))


async def _late(subject: Subject) -> list[float]:
    """Seconds between each due time and the entry that says so."""
    timeline: list[dict[str, Any]] = await subject.handle.query("timeline")
    return [
        (datetime.fromisoformat(entry["at"]) - datetime.fromisoformat(entry["data"]["due"])).total_seconds()
        for entry in timeline
        if entry["kind"] == "overdue"
    ]


async def _herd(rig: Rig, count: int) -> tuple[list[float], list[float], int]:
    """Lateness of all, of the SEV1s among them (every 20th), and how many spoke not exactly once."""
    severities = [Severity.SEV1 if number % 20 == 0 else Severity.SEV3 for number in range(count)]
    opened = [rig.open("product", severity=None, presumed=severity, policy=_policy()) for severity in severities]
    subjects: list[Subject] = []
    for start in range(0, count, 25):
        subjects += await asyncio.gather(*opened[start : start + 25])
    await asyncio.sleep(LENGTH.total_seconds() + 8)
    found = [await _late(subject) for subject in subjects]
    late = [values[0] for values in found if values]
    urgent = [values[0] for values, severity in zip(found, severities, strict=True) if values and severity is Severity.SEV1]
    return late, urgent, sum(len(values) != 1 for values in found)


async def figures(*, rounds: int = 1) -> list[Figure]:
    async with rigged() as rig:
        few, _, few_wrong = await _herd(rig, 20)
        many, urgent, many_wrong = await _herd(rig, HERD * rounds)
    wrong = few_wrong + many_wrong
    return [
        Figure("G4", "lateness p99, 20 deadlines in a second", "s", percentile(few, 0.99), None, None),
        Figure("G4", f"lateness p99, {len(many)} deadlines together", "s", percentile(many, 0.99), None, None),
        Figure(
            "G4", "lateness p99 of the SEV1s among them", "s", percentile(urgent, 0.99), percentile(many, 0.99), None, note="beside all"
        ),
        Figure("G4", "deadlines skipped or doubled", "deadlines", wrong, None, 0, judged=wrong, goal_text="0"),
    ]
