"""Look at every outside system that a worker uses: the doctor's way to ask from where the calls are made."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from incident.checkup import Checked, Checkup
    from incident.effects import Port
    from workflows import contract

CHECK_WITHIN = timedelta(seconds=10)
"""For one port; whoever asked the doctor waits."""


@workflow.defn(name="Checkup")
class CheckupWorkflow:
    """One round over all ports."""

    @workflow.run
    async def run(self) -> Checkup:
        rounds = await asyncio.gather(*(self._look(port) for port in Port))
        return Checkup(found=tuple(found for each in rounds for found in each))

    async def _look(self, port: Port) -> tuple[Checked, ...]:
        try:
            checkup: Checkup = await workflow.execute_activity(
                "check",
                result_type=Checkup,
                task_queue=contract.port_queue(workflow.info().task_queue, port),
                schedule_to_close_timeout=CHECK_WITHIN,
                retry_policy=RetryPolicy(maximum_attempts=1),
                summary=f"look at {port.value}",
            )
        except ActivityError as error:
            told = f"could not be looked at within {CHECK_WITHIN.total_seconds():g} s: {error.cause or error}"
            return (Checked(name=port.value, ok=False, detail=told, fix="See that a worker of this version runs (tocsin worker)."),)
        return checkup.found
