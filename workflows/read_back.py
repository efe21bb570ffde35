"""One round of reading outside systems back; a schedule starts it where a vendor is configured."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.read_back import Round
    from incident.effects import Port
    from workflows import contract, patches

ROUND = timedelta(minutes=2)
"""The next round begins where this one has not ended by then; what it missed, that one sees."""


@workflow.defn(name="ReadBack")
class ReadBackWorkflow:
    """Tickets, the status page and channels, each from its own queue; one that can't be read does not hold the others up."""

    @workflow.run
    async def run(self) -> dict[str, Round]:
        systems = {Port.TICKETS: "read_tickets_back", Port.STATUS: "read_page_back"}
        if workflow.patched(patches.READ_CHANNELS_BACK):
            systems[Port.CHAT] = "read_channels_back"
        rounds = await asyncio.gather(*(self._read(name, port) for port, name in systems.items()))
        return {port.value: read for port, read in zip(systems, rounds, strict=True)}

    async def _read(self, name: str, port: Port) -> Round:
        try:
            read: Round = await workflow.execute_activity(
                name,
                result_type=Round,
                task_queue=contract.port_queue(workflow.info().task_queue, port),
                schedule_to_close_timeout=ROUND,
                heartbeat_timeout=timedelta(seconds=30),
                retry_policy=RetryPolicy(maximum_attempts=1),
            )
        except ActivityError as error:
            workflow.logger.warning("%s could not be read back: %s", port.value, error.cause)
            return Round()
        return read
