# ruff: noqa: SIM300 - the house writes what is expected first
"""The guard: no message stops a workflow, and what it could not handle is on record."""

from __future__ import annotations

import json
import logging
import sysconfig
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog
from temporalio.client import Client, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from runtime.logs import configure_logs
from runtime.temporal import DATA_CONVERTER, sandboxed_runner
from tests.worker.noted import Noted
from workflows.guard import Guard

QUEUE = "guarded"

Handle = WorkflowHandle[Noted, list[str]]


@pytest.fixture(scope="module")
async def client() -> AsyncIterator[Client]:
    """A server, and a worker that caches nothing, so that each task replays all that was before."""
    binary = Path(sysconfig.get_path("scripts")) / "temporal-test-server"
    async with (
        await WorkflowEnvironment.start_time_skipping(test_server_existing_path=str(binary), data_converter=DATA_CONVERTER) as environment,
        Worker(
            environment.client,
            task_queue=QUEUE,
            workflows=[Noted],
            interceptors=[Guard()],
            workflow_runner=sandboxed_runner(),
            max_cached_workflows=0,
            max_concurrent_workflow_task_polls=1,
        ),
    ):
        yield environment.client


@pytest.fixture
async def noted(client: Client) -> Handle:
    return await client.start_workflow(Noted.run, id=f"INC-2026-{uuid.uuid4().hex[:8]}", task_queue=QUEUE)


@pytest.mark.parametrize(
    ("signal", "words", "record"),
    [
        ("broken_signal", [], "broken_signal: KeyError: 'nobody'"),
        ("refusing_signal", [], "refusing_signal: ApplicationError: no"),
        ("one_word", [], "one_word: TypeError: "),
        ("one_word", ["two", "words"], "one_word: TypeError: "),
    ],
)
async def test_a_signal_that_breaks_its_handler_is_recorded(noted: Handle, signal: str, words: list[str], record: str) -> None:
    """A signal that its handler can't take leaves the workflow running, and an entry that says what was wrong with it."""
    await noted.signal(signal, args=words)
    assert "ended" == await noted.execute_update(Noted.end)

    [kept] = await noted.result()

    assert kept.startswith(record)


async def test_a_broken_update_fails_alone(noted: Handle) -> None:
    """An update whose handler has a bug fails with a sentence for its caller; the next one is answered."""
    with pytest.raises(WorkflowUpdateFailedError) as failed:
        await noted.execute_update(Noted.broken_update)

    assert isinstance(failed.value.cause, ApplicationError)
    assert "internal error in broken_update: KeyError" == failed.value.cause.message
    assert "ended" == await noted.execute_update(Noted.end)


async def test_an_update_that_refuses_is_left_as_it_is(noted: Handle) -> None:
    """What a handler says on purpose reaches its caller unchanged."""
    with pytest.raises(WorkflowUpdateFailedError) as failed:
        await noted.execute_update(Noted.refusing_update)

    assert isinstance(failed.value.cause, ApplicationError)
    assert ("not today", "InvalidInput") == (failed.value.cause.message, failed.value.cause.type)
    assert "ended" == await noted.execute_update(Noted.end)


async def test_what_a_workflow_logs_is_logged_once(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    """However often a workflow is replayed, each of its lines is in the log once, with the incident on it."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    try:
        configure_logs("json", "warning")
        noted = await client.start_workflow(Noted.run, id="INC-2026-0001", task_queue=QUEUE)
        for word in ("one", "two", "three"):
            await noted.signal(Noted.one_word, word)
        # Not by an update: a task that brings nothing but one makes the SDK take the task before it for new as well.
        await noted.signal(Noted.finish)
        await noted.result()
    finally:
        root.handlers = handlers
        root.setLevel(level)
        structlog.reset_defaults()
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]

    assert ["began", "began", "heard", "heard", "heard"] == sorted(line["event"] for line in lines)
    assert {("INC-2026-0001", "Noted")} == {(line["incident"], line["workflow"]) for line in lines}
