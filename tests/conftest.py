"""What all tests share: a time-skipping server for each story, with the workflow cache on and off."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import settings

from runtime.temporal import quiet_runtime
from tests.harness import Stage, replays, staged
from tests.integrations import synapse_server
from tests.integrations.synapse_server import Homeserver

settings.register_profile("suite", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("suite")

GOES_WRONG = ("Failed ", "Timed out ", "a signal could not be handled", "an update could not be handled", "a task of the incident failed")
"""How the log begins to tell of a workflow task that failed: the server would try it again, and no story would notice."""


@pytest.fixture(scope="session", autouse=True)
async def _quiet() -> AsyncIterator[None]:
    """Temporal's own logs go through logging, not to standard output.

    The pause in the end: threads of Temporal's that still hold Python while it goes down take the exit code with them.
    """
    quiet_runtime()
    for name in ("temporalio.core", "temporalio.activity"):
        logging.getLogger(name).setLevel(logging.ERROR)
    yield
    await asyncio.sleep(0.2)


@pytest.fixture(scope="session")
async def homeserver(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Homeserver]:
    """A real Matrix homeserver for all tests of this run that ask for one."""
    async with synapse_server.running(tmp_path_factory.mktemp("synapse")) as running:
        yield running


class Faults(logging.Handler):
    """Keeps what is said of workflow tasks that failed."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith("temporalio.work") and record.getMessage().startswith(GOES_WRONG):
            self.found.append(self.format(record))


@pytest.fixture
def _no_task_fails(request: pytest.FixtureRequest) -> Iterator[None]:
    """No workflow task of the story may fail, not even one that works the second time, but by the mistake that the story makes."""
    meant = request.node.get_closest_marker("mistake")
    faults = Faults()
    logging.getLogger("temporalio").addHandler(faults)
    yield
    logging.getLogger("temporalio").removeHandler(faults)

    assert [fault for fault in faults.found if meant is None or meant.args[0] not in fault] == []
    assert meant is None or faults.found, "the mistake was not loud"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long with nothing cached is left to `make stories`."""
    for item in items:
        if item.get_closest_marker("lengthy") and item.callspec.params.get("stage") == "replayed":  # type: ignore[attr-defined]
            item.add_marker("long")


@pytest.fixture(params=["cached", "replayed"])
async def stage(request: pytest.FixtureRequest, _no_task_fails: None) -> AsyncIterator[Stage]:
    """A server that skips time, one for each story: time is the server's, and no story may live on another's.

    `replayed`: nothing is cached, so every task replays the whole history. Where this is `lengthy`, the histories of the other
    form are replayed in the end of each run instead, but for `mistaken` ones, whose mistake is made only once.
    """
    async with staged(cached=500 if request.param == "cached" else 0) as made:
        yield made
        lengthy = request.node.get_closest_marker("lengthy")
        if request.param == "cached" and lengthy and not lengthy.kwargs.get("mistaken"):
            await replays(made)
