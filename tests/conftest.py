"""What all tests share: a time-skipping server for each story, with the workflow cache on and off."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

import pytest
from hypothesis import settings

from runtime.temporal import quiet_runtime
from tests.harness import Stage, staged

settings.register_profile("suite", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("suite")


@pytest.fixture(scope="session", autouse=True)
def _quiet() -> None:
    """Temporal's own logs go through logging, not to standard output."""
    quiet_runtime()
    for name in ("temporalio.core", "temporalio.activity"):
        logging.getLogger(name).setLevel(logging.ERROR)


@pytest.fixture(params=["cached", "replayed"])
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    """A server that skips time, one for each story: time is the server's, and no story may live on another's.

    `replayed`: nothing is cached, so every task replays the whole history.
    """
    async with staged(cached=500 if request.param == "cached" else 0) as made:
        yield made
