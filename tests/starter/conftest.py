"""One real server for the tests of the doors, with every worker of the product on it and fakes behind the ports."""

from __future__ import annotations

import sysconfig
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Interceptor

from incident.effects import Port
from runtime.temporal import DATA_CONVERTER
from starter.desk import Desk
from tests.harness import Switchboard, register_search_attributes, working
from workflows import contract


class House:
    """A server, its client, and a desk. `staffed` is a worker's shift; without one, nobody works."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.board = Switchboard()
        self.desk = Desk(client)

    @asynccontextmanager
    async def staffed(self, interceptors: Mapping[Port, Interceptor] | None = None) -> AsyncIterator[None]:
        async with working(self.client, self.board, contract.TASK_QUEUE, interceptors=interceptors or {}):
            yield


@asynccontextmanager
async def housed() -> AsyncIterator[House]:
    binary = Path(sysconfig.get_path("scripts")) / "temporal"
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(binary),
        data_converter=DATA_CONVERTER,
        dev_server_log_level="never",
        dev_server_extra_args=["--dynamic-config-value", "history.maxInFlightUpdates=1000"],
    ) as environment:
        await register_search_attributes(environment.client)
        yield House(environment.client)


@pytest.fixture(scope="session")
async def house() -> AsyncIterator[House]:
    """A house where somebody works all the time; the tests tell their incidents apart."""
    async with housed() as made, made.staffed():
        yield made


@pytest.fixture
async def empty_house() -> AsyncIterator[House]:
    """A house where nobody works, unless the test says so."""
    async with housed() as made:
        yield made
