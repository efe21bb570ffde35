"""Ask the register of incidents, from where a workflow can't: an update is answered, a signal is not."""

from __future__ import annotations

from datetime import timedelta

from temporalio import activity
from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.common import Priority
from temporalio.exceptions import ApplicationError

from activities.register import Register
from incident.policy import Policy
from incident.registration import Registered, Registration


class OpeningActivities:
    """Open incidents for alert groups, under the policy in force; drills under one whose clocks run faster."""

    def __init__(
        self,
        client: Client,
        policy: Policy,
        *,
        drill_policy: Policy | None = None,
        task_queue: str,
        task_timeout: timedelta,
        priority: Priority,
    ) -> None:
        self._register = Register(client, policy, task_queue=task_queue, task_timeout=task_timeout, priority=priority)
        self._drill_policy = drill_policy or policy

    @activity.defn(name="open_incident")
    async def open_incident(self, request: Registration) -> Registered:
        """Answer with the incident that the request has; the same key always gets the same one.

        A request that the register can't read is final. Everything else is tried again.
        """
        if request.request.drill and request.policy is None:
            request = request.model_copy(update={"policy": self._drill_policy})
        try:
            return await self._register.open(request)
        except WorkflowUpdateFailedError as error:
            cause = error.cause
            if isinstance(cause, ApplicationError) and cause.type == "InvalidInput":
                raise ApplicationError(cause.message, type="InvalidInput", non_retryable=True) from error
            raise
