"""The record's proof: exported from a real server, checked without one, and every way to falsify it found out."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails

from incident.policy import Policy
from starter import audit, replay
from starter.audit import Report
from starter.desk import Desk
from starter.reading import Entry
from tests.harness import eventually
from tests.starter.conftest import House
from workflows.guard import Guard

pytestmark = pytest.mark.server

Document = dict[str, Any]


@pytest.fixture(scope="module")
async def exported(house: House) -> Document:
    """The export of a closed incident that continued as new several times."""
    desk = Desk(house.client, policy=Policy(history_limit=50))
    incident = (await desk.open({"by": "ana", "title": "Checkout returns 5xx"}))["incident"]
    for number in range(25):
        await desk.command(incident, "note", {"by": "ana", "text": f"note {number}: 🔥 é"})
    await desk.command(incident, "dismiss", {"by": "ana", "reason": "the probe was misconfigured; all regions answer", "as": "false_alarm"})

    async def ended() -> bool:
        return not (await desk.row(incident))["open"]

    await eventually(ended)
    return await audit.export(desk, incident)


async def checked(document: Document) -> Report:
    """Checked as it comes back from a file."""
    return await audit.verify(json.loads(json.dumps(document)), [Guard()])


def resealed(document: Document) -> Document:
    """What a forger who knows the format would do: every hash is made again."""
    for run in document["runs"]:
        run["sha256"] = audit.digest(run["history"])
    document["chain"] = audit.chained(document["timeline"])
    document["sha256"] = audit.sealed(document)
    return document


async def test_the_record_is_what_the_histories_say(exported: Document) -> None:
    """Every entry, over all runs, is derived again from the raw history, hash for hash."""
    report = await checked(exported)

    assert report.ok, report.lines
    assert len(exported["runs"]) > 1
    assert exported["closed"] is True
    assert report.lines[-1] == f"ok   all {len(exported['timeline'])} entries are what the history says, hash for hash"


async def test_the_record_of_an_open_incident_is_checked_as_far_as_it_goes(house: House) -> None:
    """One need not wait for the end to prove what has happened so far."""
    incident = (await house.desk.open({"by": "ana", "title": "Checkout returns 5xx", "severity": "SEV1"}))["incident"]
    document = await audit.export(house.desk, incident)
    report = await checked(document)

    assert report.ok, report.lines
    assert document["closed"] is False


async def test_the_record_of_an_incident_in_which_it_never_stops_is_whole_as_far_as_it_goes(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What happens between two looks is no gap: the record ends with what both histories and timeline tell."""
    incident = (await house.desk.open({"by": "ana", "title": "Checkout returns 5xx", "severity": "SEV1"}))["incident"]
    looks = 0
    timeline = house.desk.own_timeline

    async def and_a_note_before(name: str, since: int = 0) -> list[Entry]:
        nonlocal looks
        looks += 1
        await house.desk.command(incident, "note", {"by": "ana", "text": f"note {looks}, after the history was read"})
        return await timeline(name, since)

    monkeypatch.setattr(house.desk, "own_timeline", and_a_note_before)
    document = await audit.export(house.desk, incident)
    report = await checked(document)

    assert report.ok, report.lines
    assert document["closed"] is False
    assert looks == audit.STEADY_TRIES
    assert [entry["text"] for entry in document["timeline"] if entry["kind"] == "note"][-1:] == [
        f"note {looks - 1}, after the history was read"
    ]


async def test_a_record_is_no_worse_for_a_machine_that_is_slow(exported: Document, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task that takes longer to replay than a worker would be given proves what it proves."""
    create = replay.Recorder.create_instance

    def slow(self: replay.Recorder, det: WorkflowInstanceDetails) -> WorkflowInstance:
        instance = create(self, det)
        activate, tasks = instance.activate, iter(range(10_000))

        def late(act: WorkflowActivation) -> WorkflowActivationCompletion:
            if not next(tasks):
                time.sleep(2.2)
            return activate(act)

        instance.activate = late  # type: ignore[method-assign]  # as the recorder does
        return instance

    monkeypatch.setattr(replay.Recorder, "create_instance", slow)
    report = await checked(exported)

    assert report.ok, report.lines


def _reword(document: Document) -> None:
    document["timeline"][3]["text"] = "nothing happened"


def _backdate(document: Document) -> None:
    document["timeline"][-1]["at"] = "2026-01-01T00:00:00Z"


def _leave_out(document: Document) -> None:
    del document["timeline"][4]


def _leave_out_and_renumber(document: Document) -> None:
    del document["timeline"][4]
    for seq, entry in enumerate(document["timeline"], start=1):
        entry["seq"] = seq


def _add(document: Document) -> None:
    last = document["timeline"][-1]
    document["timeline"].append({**last, "seq": last["seq"] + 1, "text": "all was approved"})


def _cut_the_end(document: Document) -> None:
    document["timeline"] = document["timeline"][:-1]


def _cut_the_last_run(document: Document) -> None:
    document["runs"] = document["runs"][:-1]


def _cut_the_first_run(document: Document) -> None:
    document["runs"] = document["runs"][1:]


def _swap_runs(document: Document) -> None:
    document["runs"].reverse()


def _reopen(document: Document) -> None:
    document["closed"] = False


@pytest.mark.parametrize(
    "forge",
    [
        _reword,
        _backdate,
        _leave_out,
        _leave_out_and_renumber,
        _add,
        _cut_the_end,
        _cut_the_last_run,
        _cut_the_first_run,
        _swap_runs,
        _reopen,
    ],
)
async def test_a_record_that_was_changed_is_found_out(exported: Document, forge: Callable[[Document], None]) -> None:
    """A changed record fails, also where the forger makes every hash again: the histories tell."""
    forged = copy.deepcopy(exported)
    forge(forged)
    plain = await checked(forged)
    thorough = await checked(resealed(forged))

    assert plain.ok is False
    assert thorough.ok is False
    assert [line for line in thorough.lines if line.startswith("FAIL")]


async def test_a_changed_history_breaks_its_hash(exported: Document) -> None:
    """The raw history can't be touched either."""
    forged = copy.deepcopy(exported)
    forged["runs"][0]["history"]["events"][0]["eventTime"] = "2020-01-01T00:00:00Z"
    report = await checked(forged)

    assert any(line.startswith("FAIL run 1") and "hash" in line for line in report.lines)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "is not JSON"),
        ("{", "is not JSON"),
        ("[]", "holds no JSON object"),
        ("{}", "format: is missing"),
        ('{"format": "tocsin-audit-1", "incident": 7}', "incident: "),
        ('{"format": "somebody else\'s"}', "format: "),
    ],
)
async def test_a_file_that_is_no_record_is_told_so(tmp_path: Path, content: str, told: str) -> None:
    """Whatever file is given, the check says what is wrong with it."""
    file = tmp_path / "record.json"
    file.write_text(content)
    report = await audit.verify_file(file)

    assert report.ok is False
    assert told in "\n".join(report.lines)


async def test_a_file_that_is_not_there_is_told_so(tmp_path: Path) -> None:
    """A wrong path is a sentence, not a traceback."""
    report = await audit.verify_file(tmp_path / "nowhere.json")

    assert report.ok is False
    assert "can't be read" in report.lines[0]


async def test_a_run_without_history_is_told_so(exported: Document) -> None:
    """A record whose history is not one of Temporal's is refused, not believed."""
    forged = copy.deepcopy(exported)
    forged["runs"][0]["history"] = {"events": [{"eventId": "x"}]}
    report = await checked(resealed(forged))

    assert report.ok is False
    assert "FAIL run 1 holds no history of Temporal's" in report.lines


async def test_records_and_plain_histories_replay_against_this_version(house: House, exported: Document, tmp_path: Path) -> None:
    """An export, a history as Temporal's own tools write it, and an incident on the server can each be replayed."""
    record, plain = tmp_path / "record.json", tmp_path / "history.json"
    record.write_text(json.dumps(exported))
    registry = await house.client.get_workflow_handle("registry").fetch_history()
    plain.write_text(registry.to_json())
    reports = [
        await audit.replay_file(record, [Guard()]),
        await audit.replay_file(plain, [Guard()]),
        await audit.replay_incident(house.desk, exported["incident"], [Guard()]),
        await audit.replay_incident(house.desk, "INC-2026-9999", [Guard()]),
    ]

    assert [report.ok for report in reports] == [True, True, True, False], [report.lines for report in reports]
    assert [len(report.lines) for report in reports] == [len(exported["runs"]), 1, len(exported["runs"]), 1]
