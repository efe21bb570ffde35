"""What is being tried at this moment: the server knows why the last try failed, and when the next one is.

An incident hears of a delivery only when all its tries are over, after minutes. What is asked here is Temporal's own list of
pending activities, so no worker is needed for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypedDict

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.client import WorkflowExecutionDescription
from temporalio.exceptions import ApplicationError

from workflows import contract

A_MOMENT = timedelta(seconds=2)
"""What was queued later than that is most likely arriving just now, and not worth a question."""


class Try(TypedDict, total=False):
    """Why the last try of one delivery failed, when the next one is, and who has asked for that wait."""

    error: str
    retry_at: str
    waits_for: str


def doubtful(told: Mapping[str, Any], now: datetime) -> bool:
    """Whether something has been queued for longer than a moment."""
    queued = (each for each in told["waiting"] if each["state"] == "queued")
    return any(datetime.fromisoformat(each["at"]) < now - A_MOMENT for each in queued)


async def tries(found: WorkflowExecutionDescription) -> dict[str, Try]:
    """The failing tries of a workflow's deliveries, by the delivery's key."""
    failing: dict[str, Try] = {}
    for pending in found.raw_description.pending_activities:
        if not pending.HasField("last_failure"):
            continue
        failure = await found.data_converter.decode_failure(pending.last_failure)
        known: Try = {"error": str(failure.message if isinstance(failure, ApplicationError) else failure)[:500]}
        if pending.HasField("next_attempt_schedule_time"):
            known["retry_at"] = _iso(pending.next_attempt_schedule_time)
        if isinstance(failure, ApplicationError) and failure.type == contract.RATE_LIMITED and failure.details:
            known["waits_for"] = str(failure.details[0])
        failing[pending.activity_id.partition("#")[0]] = known
    return failing


def with_tries(told: Mapping[str, Any], failing: Mapping[str, Try]) -> dict[str, Any]:
    """The deliveries with what is known of the tries of those that are queued."""
    waiting = [{**each, **failing.get(each["key"], {})} if each["state"] == "queued" else each for each in told["waiting"]]
    return {**told, "waiting": waiting}


def _iso(moment: Timestamp) -> str:
    return moment.ToDatetime(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
