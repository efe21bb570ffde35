"""One dispatch that a machine works on: it reads, and its report is filed with the incident, where people decide what it is worth.

It can be cancelled, and says so in its report's place; so it does where the work fails. It can do nothing else to the incident.
"""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from incident.effects import Port
    from incident.events import SYSTEM
    from incident.investigation import InvestigationInput, Report
    from workflows import contract, options


@workflow.defn(name="Investigation")
class Investigation:
    """The work on one dispatch, from the request to the report."""

    @workflow.run
    async def run(self, asked: InvestigationInput) -> bool:
        """Investigate and report; False where there was no incident any more to report to."""
        return await self._file(asked, await self._report(asked))

    async def _report(self, asked: InvestigationInput) -> Report:
        try:
            report: Report = await workflow.execute_activity(
                "investigate",
                asked,
                result_type=Report,
                task_queue=contract.port_queue(workflow.info().task_queue, Port.SPECIALIST),
                start_to_close_timeout=options.INVESTIGATION,
                schedule_to_close_timeout=options.INVESTIGATION_IN_ALL,
                heartbeat_timeout=options.INVESTIGATION_BEAT,
                retry_policy=options.PATIENT_RETRY,
                cancellation_type=workflow.ActivityCancellationType.TRY_CANCEL,
                summary=f"dispatch {asked.brief.dispatch}",
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                return Report(by=SYSTEM, text="The investigation was cancelled; nothing was found.")
            cause = error.cause
            why = cause.message if isinstance(cause, ApplicationError) else str(cause or error)
            return Report(by=SYSTEM, text=f"The investigation failed, ask a person: {why[:500]}")
        return report

    async def _file(self, asked: InvestigationInput, report: Report) -> bool:
        command: dict[str, Any] = {
            "by": report.by,
            "id": asked.brief.dispatch,
            "text": report.text,
            "key": workflow.info().workflow_id,
        }
        try:
            await workflow.get_external_workflow_handle(asked.incident).signal("file_report", command)
        except ApplicationError:
            return False
        return True
