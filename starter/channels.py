"""Pausing and resuming channels, for every door alike: over the one workflow that keeps the pauses.

It runs for as long as anything is paused, so that no worker is needed to know that nothing is.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.client import Client, WithStartWorkflowOperation, WorkflowExecutionStatus, WorkflowUpdateFailedError
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from incident import channels
from incident.commands import InvalidInput
from incident.model import Pause
from incident.refusals import Refusal
from starter.calls import patiently
from starter.desk import COMMAND_WITHIN, fresh_key
from starter.health import Finding
from starter.identity.actor import vouched
from starter.problems import Broken, Invalid, Problem
from starter.reading import READ_WITHIN
from workflows import contract, options


class ChannelDesk:
    """Pause, resume, and say what is paused."""

    def __init__(self, client: Client, *, task_queue: str = contract.TASK_QUEUE, within: timedelta = COMMAND_WITHIN) -> None:
        self._client = client
        self._task_queue = task_queue
        self._within = within

    async def listed(self) -> list[dict[str, Any]]:
        """The pauses that there are, each with whether it is overdue."""
        now = datetime.now(UTC)
        return [{**pause, "overdue": datetime.fromisoformat(pause["until"]) <= now} for pause in await self._paused()]

    async def pause(self, fields: Mapping[str, Any], key: str | None = None) -> dict[str, Any]:
        """Have a channel wait; `accepted`, or the refusal.

        Raises:
            Invalid: for fields of the wrong shape; nothing has happened.
            Unreachable, NoWorker, Busy: repeating it with the same key is safe.
        """
        asked = _asked(channels.PauseChannel.verb, fields, key)
        return await self._update(contract.CHANNELS_PAUSE, asked)

    async def resume(self, fields: Mapping[str, Any], key: str | None = None) -> dict[str, Any]:
        """Let a channel go on; one that is not paused is so already."""
        asked = _asked(channels.ResumeChannel.verb, fields, key)
        if not await self._kept():
            outcome = channels.decide({}, channels.read(channels.ResumeChannel.verb, asked), datetime.now(UTC))
            if isinstance(outcome, Refusal):
                return {"accepted": False, "refusal": outcome.model_dump(mode="json", exclude_none=True), "channels": []}
            return {"accepted": True, "text": outcome.text, "news": False, "channels": []}
        return await self._update(contract.CHANNELS_RESUME, asked)

    async def look(self) -> Finding:
        """For the doctor: a channel that waits is well only as long as somebody means it to."""
        try:
            found = [Pause.model_validate(each) for each in await self._paused()]
        except Problem as problem:
            return Finding(name="channels", ok=False, detail=f"can't be looked at: {problem.detail}")
        if not found:
            return Finding(name="channels", ok=True, detail="none is paused")
        now = datetime.now(UTC)
        told = "; ".join(
            f"{pause.port.value} is paused by {pause.by} since {pause.since:%Y-%m-%d %H:%M} UTC"
            f"{', overdue' if pause.until <= now else ''}: {pause.reason}"
            for pause in found
        )
        fix = " and ".join(f"tocsin channel resume {pause.port.value}" for pause in found)
        return Finding(name="channels", ok=False, detail=told, fix=f"Once the vendor is back: {fix}")

    async def _kept(self) -> bool:
        """Whether anything may be paused: whether the workflow runs. No worker is asked."""
        handle = self._client.get_workflow_handle(contract.CHANNELS_ID)
        try:
            return (await patiently(self._client, handle.describe, within=READ_WITHIN)).status is WorkflowExecutionStatus.RUNNING
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return False

    async def _paused(self) -> list[dict[str, Any]]:
        if not await self._kept():
            return []
        handle = self._client.get_workflow_handle(contract.CHANNELS_ID)

        async def call() -> dict[str, Any]:
            state: dict[str, Any] = await handle.query("state")
            return state

        return list((await patiently(self._client, call, within=READ_WITHIN))["channels"])

    async def _update(self, name: str, asked: dict[str, Any]) -> dict[str, Any]:
        async def call() -> dict[str, Any]:
            start: WithStartWorkflowOperation[Any, Any] = WithStartWorkflowOperation(
                "Channels",
                id=contract.CHANNELS_ID,
                task_queue=self._task_queue,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                task_timeout=options.WORKFLOW_TASK_TIMEOUT,
            )
            answer: dict[str, Any] = await self._client.execute_update_with_start_workflow(
                name, asked, id=asked["key"], result_type=dict[str, Any], start_workflow_operation=start
            )
            return answer

        try:
            return await patiently(self._client, call, within=self._within)
        except WorkflowUpdateFailedError as error:
            cause = error.cause
            if isinstance(cause, ApplicationError) and cause.type == InvalidInput.__name__:
                raise Invalid([{"field": name, "message": cause.message}]) from error
            raise Broken(f"{name} failed: {cause}. Nothing was changed; the worker's log has the rest.") from error


def _asked(verb: str, fields: Mapping[str, Any], key: str | None) -> dict[str, Any]:
    try:
        command = channels.read(verb, {**vouched(fields), "key": key or fresh_key()})
    except InvalidInput as error:
        raise Invalid(error.problems) from error
    return command.model_dump(mode="json", exclude_none=True)
