"""A run, lived through again from its history: what the workflow's own code says of it, without a server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from temporalio import workflow
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.client import WorkflowHistory
from temporalio.worker import (
    ExecuteWorkflowInput,
    Interceptor,
    Replayer,
    UnsandboxedWorkflowRunner,
    WorkflowInboundInterceptor,
    WorkflowInstance,
    WorkflowInstanceDetails,
    WorkflowInterceptorClassInput,
)

from runtime.temporal import DATA_CONVERTER
from starter.reading import Entry
from workflows.guard import Guard


async def replayed(history: WorkflowHistory, guards: Sequence[Interceptor] = (Guard(),)) -> tuple[list[Entry], Exception | None]:
    """The timeline that one run holds at the end of its history, derived by replaying it; and what failed, if anything.

    `guards` are the interceptors that the worker ran with.
    """
    _, timeline, failure = await restored(history, guards)
    return timeline, failure


async def restored(history: WorkflowHistory, guards: Sequence[Interceptor] = (Guard(),)) -> tuple[Any, list[Entry], Exception | None]:
    """The incident (`incident.model.Incident`) as it is at the end of one run's history, with the timeline that the run holds.

    None for the incident where the history is not that of one, or can't be replayed.
    """
    witness = Witness()
    # Nobody waits for a replay's tasks: what takes long here, on a busy machine, is no deadlock.
    replayer = Replayer(
        workflows=_workflows(),
        data_converter=DATA_CONVERTER,
        interceptors=[*guards, witness],
        workflow_runner=Recorder(witness),
        debug_mode=True,
    )
    result = await replayer.replay_workflow(history, raise_on_replay_failure=False)
    return witness.incident, [event.model_dump(mode="json") for event in witness.timeline], result.replay_failure


def _workflows() -> list[type]:
    """Every workflow whose history somebody may hold; loaded here, since a door that only serves needs none of them."""
    from workflows.alert_group import AlertGroup
    from workflows.archive import Archive
    from workflows.follow_up import FollowUp
    from workflows.incident import Incident
    from workflows.paging import Paging
    from workflows.registry import Registry

    return [Incident, Paging, Registry, AlertGroup, FollowUp, Archive]


class Witness(Interceptor):
    """Gets hold of the workflow's own object, and keeps its timeline and its incident as they were after each task."""

    def __init__(self) -> None:
        self.instance: Any = None
        self.timeline: list[Any] = []
        self.incident: Any = None

    def look(self) -> None:
        if self.instance is not None:
            self.timeline = list(getattr(self.instance, "timeline", ()))
            self.incident = getattr(self.instance, "incident", None)

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor] | None:
        witness = self

        class Present(WorkflowInboundInterceptor):
            async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
                witness.instance = workflow.instance()
                return await super().execute_workflow(input)

        return Present


class Recorder(UnsandboxedWorkflowRunner):
    """Runs the workflow in the open, and lets the witness look after each of its tasks.

    Not after the last one, which throws the workflow out of the cache: that cancels what it waits for, and the
    workflow may put on record that it will not be cancelled.
    """

    def __init__(self, witness: Witness) -> None:
        self._witness = witness

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        instance = super().create_instance(det)
        activate = instance.activate

        def recorded(act: WorkflowActivation) -> WorkflowActivationCompletion:
            completion = activate(act)
            if not any(job.HasField("remove_from_cache") for job in act.jobs):
                self._witness.look()
            return completion

        instance.activate = recorded  # type: ignore[method-assign]  # the one place to stand between two tasks
        return instance
