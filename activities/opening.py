"""Ask the register of incidents, from where a workflow can't: an update is answered, a signal is not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio import activity
from temporalio.client import Client, WithStartWorkflowOperation, WorkflowUpdateFailedError
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError

from incident.policy import Policy
from incident.registration import Registered, Registration


class OpeningActivities:
    """Open incidents for alert groups, under the policy in force; drills under one whose clocks run faster."""

    def __init__(
        self, client: Client, policy: Policy, *, drill_policy: Policy | None = None, task_queue: str, task_timeout: timedelta
    ) -> None:
        self._client = client
        self._policy = policy
        self._drill_policy = drill_policy or policy
        self._task_queue = task_queue
        self._task_timeout = task_timeout

    @activity.defn(name="open_incident")
    async def open_incident(self, request: Registration) -> Registered:
        """Answer with the incident that the request has; the same key always gets the same one.

        A request that the register can't read is final. Everything else is tried again.
        """
        start: WithStartWorkflowOperation[Any, Any] = WithStartWorkflowOperation(
            "Registry",
            id="registry",
            task_queue=self._task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            task_timeout=self._task_timeout,
        )
        policy = self._drill_policy if request.request.drill else self._policy
        asked = request if request.policy is not None else request.model_copy(update={"policy": policy})
        # An id of its own for every ask: the answer to an earlier one may be out of date. The register knows repeats by their key.
        about = activity.info()
        asking = f"open-{about.workflow_run_id}-{about.activity_id}-{about.attempt}"
        try:
            registered: Registered = await self._client.execute_update_with_start_workflow(
                "open", asked, start_workflow_operation=start, id=asking, result_type=Registered
            )
        except WorkflowUpdateFailedError as error:
            cause = error.cause
            if isinstance(cause, ApplicationError) and cause.type == "InvalidInput":
                raise ApplicationError(cause.message, type="InvalidInput", non_retryable=True) from error
            raise
        return registered
