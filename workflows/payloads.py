"""Read what foreign hands put into a payload, and answer what can't be read."""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from incident.commands import Command, InvalidInput


def decoded(arg: RawValue) -> Any:
    """The JSON value of one argument.

    Raises:
        InvalidInput: it is no JSON.
    """
    try:
        return workflow.payload_converter().from_payload(arg.payload, Any)
    except Exception as error:
        raise InvalidInput([{"field": "input", "message": f"is not JSON ({type(error).__name__})"}]) from error


def key_of(request: Command) -> str | None:
    """The key under which an update is asked once: its own, else the update's id."""
    info = workflow.current_update_info()
    return request.key or (info.id if info is not None else None)


def mistaken(error: InvalidInput) -> ApplicationError:
    """The wrong shape, as an update's sender hears of it."""
    return ApplicationError(str(error), {"problems": error.problems}, type="InvalidInput", non_retryable=True)
