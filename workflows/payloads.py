"""Read what foreign hands put into a payload."""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

with workflow.unsafe.imports_passed_through():
    from incident.commands import InvalidInput


def decoded(arg: RawValue) -> Any:
    """The JSON value of one argument.

    Raises:
        InvalidInput: it is no JSON.
    """
    try:
        return workflow.payload_converter().from_payload(arg.payload, Any)
    except Exception as error:
        raise InvalidInput([{"field": "input", "message": f"is not JSON ({type(error).__name__})"}]) from error
