"""The real servers that the tests of several adapters share; and the contract's own assertions explain themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.integrations import roundup_server, synapse_server
from tests.integrations.roundup_server import Roundup
from tests.integrations.synapse_server import Homeserver

pytest.register_assert_rewrite("tests.integrations.contract")


@pytest.fixture(scope="session")
async def homeserver(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Homeserver]:
    """A real homeserver for all tests of this run."""
    async with synapse_server.running(tmp_path_factory.mktemp("synapse")) as running:
        yield running


@pytest.fixture(scope="session")
async def roundup(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Roundup]:
    """A real tracker for all tests of this run."""
    async with roundup_server.running(tmp_path_factory.mktemp("roundup")) as server:
        yield server
