"""The record, proven: exported with the raw history of every run, and derived from it again without a server.

An export is one JSON document:

    {"format", "incident", "exported_at", "closed",
     "runs": [{"run_id", "events", "sha256", "history"}],
     "timeline": [entries], "chain": [one hash an entry], "sha256",
     "origins": [{"seq", "run_id", "event_id", "type", "name"}]}

`chain[n]` is the SHA-256 of `chain[n-1]` and entry n, so that one changed entry changes every hash after it; the
document's `sha256` ties the incident, its runs and the end of the chain together. `origins` names the event of a run that
each entry comes from. `verify` replays each run's history through the workflow's own code, and compares what it says with the
timeline, entry by entry.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from google.protobuf.json_format import ParseError
from pydantic import BaseModel, Field, ValidationError
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowExecutionStatus, WorkflowHistory
from temporalio.worker import Interceptor

from incident.commands import problems
from starter.origins import origins
from starter.problems import Broken, Problem
from starter.reading import Entry, Reading
from starter.replay import replayed
from workflows.guard import Guard

FORMAT = "tocsin-audit-1"

STEADY_TRIES = 5
"""An incident in which something has happened meanwhile is read again; one in which it never stops is exported as far as one look goes."""


TASK_SCHEDULED = EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED
TASK_DONE = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED


@dataclass
class Report:
    """What a check found: one line a thing looked at, and whether all of them hold."""

    lines: list[str] = field(default_factory=list)
    ok: bool = True

    def note(self, holds: bool, text: str) -> None:
        self.lines.append(f"{'ok  ' if holds else 'FAIL'} {text}")
        self.ok = self.ok and holds


async def export(reading: Reading, incident: str) -> dict[str, Any]:
    """Everything that proves one incident's record, open or closed.

    Raises:
        UnknownIncident, Unreachable, NoWorker.
    """
    histories, timeline, closed = await _steady(reading, incident)
    runs = [_run(history) for history in histories]
    chain = chained(timeline)
    document = {
        "format": FORMAT,
        "incident": incident,
        "exported_at": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        "closed": closed,
        "runs": runs,
        "timeline": timeline,
        "chain": chain,
    }
    return {**document, "sha256": sealed(document), "origins": _origins(histories, timeline)}


def _origins(histories: Sequence[WorkflowHistory], timeline: Sequence[Entry]) -> list[dict[str, Any]]:
    return [{"seq": seq, **origin.document()} for seq, origin in sorted(origins(histories, timeline).items())]


async def derived(reading: Reading, incident: str, guards: Sequence[Interceptor] = (Guard(),)) -> tuple[list[WorkflowHistory], list[Entry]]:
    """The histories of an incident and the timeline that they give when they are replayed here: it needs no worker.

    Raises:
        UnknownIncident, Unreachable.
        Broken: a history can't be replayed by this version's code.
    """
    histories = await reading.histories(incident)
    entries: dict[int, Entry] = {}
    for history in histories:
        told, failure = await replayed(history, guards)
        if failure is not None:
            raise Broken(f"The history of {incident} can't be replayed here: {failure}", incident=incident)
        for entry in told:
            entries.setdefault(entry["seq"], entry)
    return histories, [entries[seq] for seq in sorted(entries)]


async def _steady(reading: Reading, incident: str) -> tuple[list[WorkflowHistory], list[Entry], bool]:
    """Histories and timeline of one moment: the timeline is asked for between two looks at the same history."""
    again = await reading.histories(incident)
    for _ in range(STEADY_TRIES):
        histories = again
        timeline = await reading.own_timeline(incident)
        status = (await reading.describe(incident)).status
        again = await reading.histories(incident)
        if [len(history.events) for history in again] == [len(history.events) for history in histories]:
            return histories, timeline, status is not WorkflowExecutionStatus.RUNNING
    return await _as_far_as_it_goes(histories, timeline)


async def _as_far_as_it_goes(histories: list[WorkflowHistory], timeline: list[Entry]) -> tuple[list[WorkflowHistory], list[Entry], bool]:
    """Of an incident that never stood still: the histories up to their last whole task, and as much of the later timeline as they tell."""
    *ended, last = histories
    whole = _whole_tasks(last)
    kept = [*ended, whole] if whole.events else ended
    told = [entry["seq"] for history in kept for entry in (await replayed(history))[0]]
    return kept, [entry for entry in timeline if entry["seq"] <= max(told, default=0)], False


def _whole_tasks(history: WorkflowHistory) -> WorkflowHistory:
    """The history without a task that was under way when it was read: what came of that is not in it."""
    types = [event.event_type for event in history.events]
    done = len(types) - types[::-1].index(TASK_DONE) if TASK_DONE in types else 0
    under_way = types.index(TASK_SCHEDULED, done) if TASK_SCHEDULED in types[done:] else len(types)
    return WorkflowHistory(history.workflow_id, history.events[: under_way if done else 0])


def _continued(history: WorkflowHistory) -> str:
    return history.events[0].workflow_execution_started_event_attributes.continued_execution_run_id


def _run(history: WorkflowHistory) -> dict[str, Any]:
    raw = history.to_json_dict()
    return {"run_id": history.run_id, "events": len(history.events), "sha256": digest(raw), "history": raw}


def canonical(value: Any) -> bytes:
    """The one way to write a JSON value down for hashing."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(value: Any) -> str:
    return hashlib.sha256(canonical(value)).hexdigest()


def chained(timeline: Sequence[Entry]) -> list[str]:
    """One hash an entry, each over the one before it."""
    chain: list[str] = []
    before = ""
    for entry in timeline:
        before = digest([before, entry])
        chain.append(before)
    return chain


def sealed(document: dict[str, Any]) -> str:
    """The hash that ties a document's parts together."""
    chain = document["chain"]
    runs = [run["sha256"] for run in document["runs"]]
    return digest([document["format"], document["incident"], document["closed"], runs, chain[-1] if chain else ""])


class _Run(BaseModel):
    run_id: str
    sha256: str
    history: dict[str, Any]


class _Entry(BaseModel):
    seq: int
    kind: str


class _Export(BaseModel):
    """What a document must have to be checked at all."""

    format: Literal["tocsin-audit-1"]
    incident: str
    closed: bool
    runs: list[_Run] = Field(min_length=1)
    timeline: list[_Entry]
    chain: list[str]
    sha256: str


async def verify_file(path: Path, guards: Sequence[Interceptor] = (Guard(),)) -> Report:
    """Check an exported document, offline. The report says what does not hold; a file that can't be read is one line."""
    document, trouble = _loaded(path)
    if trouble is None:
        return await verify(document, guards)
    report = Report()
    report.note(False, trouble)
    return report


def _loaded(path: Path) -> tuple[dict[str, Any], str | None]:
    """The JSON object in a file, and why there is none."""
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        return {}, f"{path} can't be read: {error.strerror}"
    except (ValueError, RecursionError) as error:
        return {}, f"{path} is not JSON: {error}"
    return (document, None) if isinstance(document, dict) else ({}, f"{path} holds no JSON object")


async def verify(document: dict[str, Any], guards: Sequence[Interceptor] = (Guard(),)) -> Report:
    """Check an export against itself, and its timeline against what the histories give when replayed."""
    report = Report()
    try:
        export = _Export.model_validate(document)
    except ValidationError as error:
        for problem in problems(error)[:10]:
            report.note(False, f"this is no {FORMAT} document: {problem['field']}: {problem['message']}")
        return report
    timeline: list[Entry] = document["timeline"]
    report.note(export.sha256 == sealed(document), "the document is sealed with its own hash")
    report.note(export.chain == chained(timeline), f"the chain of {len(timeline)} entries is unbroken")
    report.note(
        [entry.seq for entry in export.timeline] == list(range(1, len(timeline) + 1)), "the entries are numbered from 1 without a gap"
    )
    histories: list[WorkflowHistory] = []
    for number, run in enumerate(export.runs, start=1):
        report.note(run.sha256 == digest(run.history), f"run {number} ({run.run_id}): the history has the hash it was exported with")
        history = _history(export.incident, run.history)
        if history is None:
            report.note(False, f"run {number} holds no history of Temporal's")
            return report
        histories.append(history)
    report.note(_unbroken(histories), f"the {len(histories)} runs follow one another, and the first is there")
    report.note(
        _ended(histories[-1]) is export.closed, "the last run ends as the incident does" if export.closed else "the incident is open"
    )
    if "origins" in document:
        told = (
            {one.get("seq"): one for one in document["origins"] if isinstance(one, dict)} if isinstance(document["origins"], list) else {}
        )
        wrong = [one["seq"] for one in _origins(histories, timeline) if told.pop(one["seq"], None) != one]
        report.note(
            not wrong and not told,
            "each entry names the event of its history"
            if not wrong and not told
            else f"entries name another event: {(wrong or list(told))[:20]}",
        )
    await _compare(report, histories, timeline, guards)
    return report


def _history(incident: str, raw: Any) -> WorkflowHistory | None:
    """A history from its JSON; None where it is none."""
    try:
        history = WorkflowHistory.from_json(incident, raw)
    except (ParseError, ValueError, KeyError, TypeError, AttributeError):
        return None
    begins = history.events and history.events[0].HasField("workflow_execution_started_event_attributes")
    return history if begins else None


def _ended(history: WorkflowHistory) -> bool:
    """Whether the incident ended with this run: a run that was continued is not the last."""
    return history.events[-1].event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED


def _unbroken(histories: list[WorkflowHistory]) -> bool:
    before = ""
    for history in histories:
        if not history.events or _continued(history) != before:
            return False
        before = history.run_id
    return bool(histories)


async def _compare(report: Report, histories: list[WorkflowHistory], timeline: list[Entry], guards: Sequence[Interceptor]) -> None:
    """Replay every run, and hold what it says against the timeline."""
    derived: dict[int, Entry] = {}
    for number, history in enumerate(histories, start=1):
        entries, failure = await replayed(history, guards)
        report.note(failure is None, f"run {number}: {len(history.events)} events replay" + (f"; {failure}" if failure is not None else ""))
        for entry in entries:
            known = derived.setdefault(entry["seq"], entry)
            if known != entry:
                report.note(False, f"run {number} tells entry {entry['seq']} otherwise than the run before it")
    for entry in timeline:
        if digest(derived.get(entry["seq"])) != digest(entry):
            told = "is not in the history" if entry["seq"] not in derived else "differs from the history"
            report.note(False, f"entry {entry['seq']} ({entry['kind']}) {told}")
    left_out = sorted(set(derived) - {entry["seq"] for entry in timeline})
    report.note(not left_out, "no entry is left out" if not left_out else f"left out of the timeline: entries {left_out[:20]}")
    if report.ok:
        report.lines.append(f"ok   all {len(timeline)} entries are what the history says, hash for hash")


async def replay_file(path: Path, guards: Sequence[Interceptor] = (Guard(),)) -> Report:
    """Replay an export, or one history as Temporal's own tools write it, against this version's code."""
    report = Report()
    document, trouble = _loaded(path)
    if trouble is not None:
        report.note(False, trouble)
        return report
    exported = document.get("runs")
    runs = [run.get("history") if isinstance(run, dict) else run for run in exported] if isinstance(exported, list) else [document]
    for number, raw in enumerate(runs, start=1):
        history = _history(str(document.get("incident", "replayed")), raw)
        if history is None:
            report.note(False, f"run {number} holds no history of Temporal's")
        else:
            await _replay_one(report, number, history, guards)
    return report


async def replay_incident(reading: Reading, incident: str, guards: Sequence[Interceptor] = (Guard(),)) -> Report:
    """Replay an incident's runs, as the server has them, against this version's code."""
    report = Report()
    try:
        histories = await reading.histories(incident)
    except Problem as problem:
        report.note(False, problem.detail)
        return report
    for number, history in enumerate(histories, start=1):
        await _replay_one(report, number, history, guards)
    return report


async def _replay_one(report: Report, number: int, history: WorkflowHistory, guards: Sequence[Interceptor]) -> None:
    entries, failure = await replayed(history, guards)
    report.note(
        failure is None, f"run {number}: {len(history.events)} events, {len(entries)} entries" + (f"; {failure}" if failure else "")
    )
