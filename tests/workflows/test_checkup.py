# ruff: noqa: SIM300 - the house writes what is expected first
"""The doctor's look goes out from the worker, and a port that can't be looked at does not hide the others."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from temporalio import activity
from temporalio.client import Client
from temporalio.worker import Worker

from activities.checkup import CheckupActivities
from activities.read_back import Round
from incident.checkup import Checked, Checkup
from incident.effects import Port
from runtime.temporal import sandboxed_runner
from tests.harness import staged
from workflows import contract
from workflows.checkup import CheckupWorkflow
from workflows.read_back import ReadBackWorkflow


class Looked:
    """An adapter that found this; None: it has a bug."""

    def __init__(self, found: Checked | None) -> None:
        self._found = found

    async def check(self) -> Checked:
        if self._found is None:
            raise ValueError("a bug")
        return self._found


GOOD = Checked(name="tickets: Jira", ok=True, detail="sees OPS")
BAD = Checked(name="status page: Statuspage", ok=False, detail="401", fix="Make a new key.")


@activity.defn(name="read_tickets_back")
async def read_tickets_back() -> Round:
    return Round(incidents=2, told=("INC-2026-0001",))


@activity.defn(name="read_channels_back")
async def read_channels_back() -> Round:
    return Round(incidents=3)


@activity.defn(name="read_page_back")
async def read_page_back() -> Round:
    raise ValueError("a bug")


@pytest.fixture
async def queue_and_client() -> AsyncIterator[tuple[str, Client]]:
    """Workers for every port; the pager's look has a bug, and so has the page's reading back."""
    queue = f"checkup-{uuid.uuid4().hex[:8]}"
    async with staged() as stage, AsyncExitStack() as stack:
        client = stage.client
        found = {Port.TICKETS: [Looked(GOOD)], Port.STATUS: [Looked(BAD)], Port.PAGING: [Looked(None)]}
        for port in Port:
            functions = [CheckupActivities(found.get(port, [])).check]
            more = [read_tickets_back, read_page_back, read_channels_back] if port in (Port.TICKETS, Port.STATUS, Port.CHAT) else []
            worker = Worker(client, task_queue=contract.port_queue(queue, port), activities=[*functions, *more])
            await stack.enter_async_context(worker)
        workflows = [CheckupWorkflow, ReadBackWorkflow]
        await stack.enter_async_context(Worker(client, task_queue=queue, workflows=workflows, workflow_runner=sandboxed_runner()))
        yield queue, client


async def test_every_port_is_looked_at_and_one_that_fails_is_named(queue_and_client: tuple[str, Client]) -> None:
    """What the adapters found comes back, whole; the port that could not be looked at is one finding more."""
    queue, client = queue_and_client
    checkup: Checkup = await client.execute_workflow("Checkup", id="checkup", task_queue=queue, result_type=Checkup)
    paging = [found for found in checkup.found if found.name == "paging"]

    assert {GOOD, BAD} == set(checkup.found) - set(paging)
    assert [False] == [found.ok for found in paging]
    assert "tocsin worker" in (paging[0].fix or "")


async def test_a_page_that_can_not_be_read_does_not_hold_the_tickets_up(queue_and_client: tuple[str, Client]) -> None:
    """One system outside is down; the others are read back all the same."""
    queue, client = queue_and_client
    rounds = await client.execute_workflow("ReadBack", id="read-back", task_queue=queue, result_type=dict[str, Round])

    assert {"tickets": Round(incidents=2, told=("INC-2026-0001",)), "status": Round(), "chat": Round(incidents=3)} == rounds
