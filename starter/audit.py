"""The record, proven: exported with the raw history of every run, and derived from it again without a server.

An export is one JSON document:

    {"format", "incident", "exported_at", "closed",
     "runs": [{"run_id", "events", "sha256", "history"}],
     "timeline": [entries], "chain": [one hash an entry], "sha256"}

`chain[n]` is the SHA-256 of `chain[n-1]` and entry n, so that one changed entry changes every hash after it; the
document's `sha256` ties the incident, its runs and the end of the chain together. `verify` replays each run's
history through the workflow's own code, and compares what it says with the timeline, entry by entry.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from temporalio import workflow
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.client import WorkflowExecutionStatus, WorkflowHistory
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import (
    ExecuteWorkflowInput,
    Interceptor,
    Replayer,
    UnsandboxedWorkflowRunner,
    WorkflowInboundInterceptor,
    WorkflowInstance,
    WorkflowInstanceDetails,
    WorkflowInterceptorClassInput,
)

from runtime.temporal import DATA_CONVERTER
from starter.problems import Problem
from starter.reading import Entry, Reading

FORMAT = "tocsin-audit-1"

STEADY_TRIES = 5
"""An incident in which much happens is read again until nothing has happened meanwhile."""


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
    return {**document, "sha256": sealed(document)}


async def _steady(reading: Reading, incident: str) -> tuple[list[WorkflowHistory], list[Entry], bool]:
    """Histories and timeline of one moment: the timeline is asked for between two looks at the same history."""
    histories = await histories_of(reading, incident)
    for _ in range(STEADY_TRIES):
        timeline = await reading.own_timeline(incident)
        status = (await reading.describe(incident)).status
        again = await histories_of(reading, incident)
        if [len(history.events) for history in again] == [len(history.events) for history in histories]:
            break
        histories = again
    return histories, timeline, status is not WorkflowExecutionStatus.RUNNING


async def histories_of(reading: Reading, incident: str) -> list[WorkflowHistory]:
    """The raw histories of all runs that the server still has, first to last."""
    await reading.describe(incident)
    found: list[WorkflowHistory] = []
    run: str | None = None
    while True:
        try:
            history = await reading.client.get_workflow_handle(incident, run_id=run).fetch_history()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND and found:
                return found
            raise
        found.insert(0, history)
        run = _continued(history)
        if not run:
            return found


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


async def verify_file(path: Path, guards: Sequence[Interceptor] = ()) -> Report:
    """Check an exported document, offline. The report says what does not hold; a file that can't be read is one line."""
    document, trouble = _loaded(path)
    if trouble is None and document.get("format") != FORMAT:
        trouble = f"{path} is no {FORMAT} document; export one with tocsin audit ID"
    missing = [name for name in ("incident", "closed", "runs", "timeline", "chain", "sha256") if name not in document]
    if trouble is None and missing:
        trouble = f"{path} lacks {', '.join(missing)}"
    if trouble is not None:
        report = Report()
        report.note(False, trouble)
        return report
    return await verify(document, guards)


def _loaded(path: Path) -> tuple[dict[str, Any], str | None]:
    """The JSON object in a file, and why there is none."""
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        return {}, f"{path} can't be read: {error.strerror}"
    except ValueError as error:
        return {}, f"{path} is not JSON: {error}"
    return (document, None) if isinstance(document, dict) else ({}, f"{path} holds no JSON object")


async def verify(document: dict[str, Any], guards: Sequence[Interceptor] = ()) -> Report:
    """Check an export against itself, and its timeline against what the histories give when replayed."""
    report = Report()
    timeline: list[Entry] = document["timeline"]
    report.note(document["sha256"] == sealed(document), "the document is sealed with its own hash")
    report.note(document["chain"] == chained(timeline), f"the chain of {len(timeline)} entries is unbroken")
    report.note([entry["seq"] for entry in timeline] == list(range(1, len(timeline) + 1)), "the entries are numbered from 1 without a gap")
    histories: list[WorkflowHistory] = []
    for number, run in enumerate(document["runs"], start=1):
        report.note(
            run["sha256"] == digest(run["history"]), f"run {number} ({run['run_id']}): the history has the hash it was exported with"
        )
        try:
            histories.append(WorkflowHistory.from_json(document["incident"], run["history"]))
        except (ValueError, KeyError, TypeError) as error:
            report.note(False, f"run {number} is no history: {error}")
            return report
    report.note(_unbroken(histories), f"the {len(histories)} runs follow one another, and the first is there")
    await _compare(report, histories, timeline, guards)
    return report


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


async def replay_file(path: Path, guards: Sequence[Interceptor] = ()) -> Report:
    """Replay an export, or one history as Temporal's own tools write it, against this version's code."""
    report = Report()
    document, trouble = _loaded(path)
    if trouble is not None:
        report.note(False, trouble)
        return report
    runs = [run["history"] for run in document["runs"]] if "runs" in document else [document]
    for number, raw in enumerate(runs, start=1):
        try:
            history = WorkflowHistory.from_json(document.get("incident", "INC-0000-0000"), raw)
        except (ValueError, KeyError, TypeError) as error:
            report.note(False, f"run {number} is no history: {error}")
            continue
        await _replay_one(report, number, history, guards)
    return report


async def replay_incident(reading: Reading, incident: str, guards: Sequence[Interceptor] = ()) -> Report:
    """Replay an incident's runs, as the server has them, against this version's code."""
    report = Report()
    try:
        histories = await histories_of(reading, incident)
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


async def replayed(history: WorkflowHistory, guards: Sequence[Interceptor] = ()) -> tuple[list[Entry], Exception | None]:
    """The timeline that one run holds at the end of its history, derived by replaying it; and what failed, if anything.

    `guards` are the interceptors that the worker ran with.
    """
    from workflows.incident import Incident

    witness = Witness()
    replayer = Replayer(
        workflows=[Incident], data_converter=DATA_CONVERTER, interceptors=[*guards, witness], workflow_runner=Recorder(witness)
    )
    result = await replayer.replay_workflow(history, raise_on_replay_failure=False)
    return [event.model_dump(mode="json") for event in witness.timeline], result.replay_failure


class Witness(Interceptor):
    """Gets hold of the workflow's own object, and keeps its timeline as it was after each task."""

    def __init__(self) -> None:
        self.instance: Any = None
        self.timeline: list[Any] = []

    def look(self) -> None:
        if self.instance is not None:
            self.timeline = list(self.instance.timeline)

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor] | None:
        witness = self

        class Present(WorkflowInboundInterceptor):
            async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
                witness.instance = workflow.instance()
                return await super().execute_workflow(input)

        return Present


class Recorder(UnsandboxedWorkflowRunner):
    """Runs the workflow in the open, and lets the witness look after each of its tasks.

    Not after the last one, which throws the workflow out of the cache: that cancels what it waits for, and the
    workflow may put on record that it will not be cancelled.
    """

    def __init__(self, witness: Witness) -> None:
        self._witness = witness

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        instance = super().create_instance(det)
        activate = instance.activate

        def recorded(act: WorkflowActivation) -> WorkflowActivationCompletion:
            completion = activate(act)
            if not any(job.HasField("remove_from_cache") for job in act.jobs):
                self._witness.look()
            return completion

        instance.activate = recorded  # type: ignore[method-assign]  # the one place to stand between two tasks
        return instance
