"""A worker brings what incidents need to a server that lacks it, or says what is missing."""

from __future__ import annotations

import sysconfig
from pathlib import Path

from temporalio.testing import WorkflowEnvironment

from runtime.settings import load_settings
from worker.__main__ import prepare_server, schedule_read_back
from workflows import contract


async def test_a_worker_works_on_the_server_that_skips_time(tmp_path: Path) -> None:
    """It lists no search attributes and knows no schedules; a second worker finds all that the first has brought, and goes on."""
    binary = Path(sysconfig.get_path("scripts")) / "temporal-test-server"
    async with await WorkflowEnvironment.start_time_skipping(test_server_existing_path=str(binary)) as environment:
        for _ in range(2):
            await prepare_server(environment.client, contract.TASK_QUEUE)
            await schedule_read_back(environment.client, load_settings(data=tmp_path), wanted=False)
        found = await environment.client.get_workflow_handle(contract.REGISTRY_ID).describe()

        assert found.workflow_type == "Registry"
