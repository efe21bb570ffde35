"""Keep one run of an incident where it outlives the server's retention: raw history, timeline, hashes."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.archiving import ArchiveRequest
    from incident.effects import Port
    from workflows import contract, options


FIRST_LOOK = timedelta(seconds=1)
LAST_LOOK = timedelta(hours=1)
"""A run usually ends at once; one whose messages wait for a provider that is down may take days."""


@workflow.defn(name="Archive")
class Archive:
    """The archiving of one run. It waits until the run has ended, however long that takes."""

    @workflow.run
    async def run(self, request: ArchiveRequest) -> str:
        """Answers with the name under which the run's manifest is kept."""
        pause = FIRST_LOOK
        while (name := await self._archived(request)) is None:
            await workflow.sleep(pause, summary="until the run has ended")
            pause = min(pause * 2, LAST_LOOK)
        return name

    async def _archived(self, request: ArchiveRequest) -> str | None:
        name: str | None = await workflow.execute_activity(
            "archive_run",
            request,
            result_type=str,
            task_queue=contract.port_queue(workflow.info().task_queue, Port.ARCHIVE),
            start_to_close_timeout=timedelta(minutes=1),
            retry_policy=options.PATIENT_RETRY,
        )
        return name
