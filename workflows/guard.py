"""No message may stop a workflow: what a handler did not foresee is recorded, or fails the one update it came with."""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError
from temporalio.worker import (
    HandleSignalInput,
    HandleUpdateInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)


class Guarded(WorkflowInboundInterceptor):
    """Stands before every handler. Cancellation and continue-as-new are no `Exception` and pass through."""

    async def handle_signal(self, input: HandleSignalInput) -> None:
        try:
            await super().handle_signal(input)
        except workflow.NondeterminismError:
            raise
        except Exception as error:  # noqa: BLE001  a signal that raises would fail the workflow task for ever
            workflow.logger.error("a signal could not be handled", extra={"signal": input.signal}, exc_info=error)
            note = getattr(workflow.instance(), "note_invalid", None)
            if note is not None:
                note(input.signal, f"{type(error).__name__}: {error}"[:300])

    async def handle_update_handler(self, input: HandleUpdateInput) -> Any:
        try:
            return await super().handle_update_handler(input)
        except (FailureError, workflow.NondeterminismError):
            raise
        except Exception as error:
            workflow.logger.error("an update could not be handled", extra={"update": input.update}, exc_info=error)
            raise ApplicationError(f"internal error in {input.update}: {type(error).__name__}", non_retryable=True) from error


class Guard(Interceptor):
    """Puts `Guarded` before the handlers of every workflow."""

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor] | None:
        return Guarded
