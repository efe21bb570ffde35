"""`POST /webhooks/alertmanager`: nothing that monitoring tells is lost once it has its 200.

The alerts of a payload go to the workflow of their group, by signal-with-start: that needs the Temporal server,
and no worker. Alertmanager repeats what was answered with 5xx and drops what was answered with 4xx, so a payload
is refused only where nothing in it can be used; a single bad alert goes along, with what is wrong with it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from temporalio.client import Client

from incident import alerts
from incident.commands import problems
from starter.bodies import mended
from starter.calls import patiently
from starter.problems import Invalid
from workflows import contract, options

BODY_LIMIT = 10_000_000
"""Bytes. A storm of a few thousand alerts fits; Temporal takes it in pieces."""

ALERTS_A_SIGNAL = 50
"""A thousand alerts then cost about a hundred events instead of a thousand."""

SIGNALS_IN_FLIGHT = 10
"""More would make people's commands wait behind the storm."""

BYTES_A_SIGNAL = 200_000
"""The server warns from 256 kB and refuses from 2 MB on."""

VALUE_LIMIT = 2_000
"""Characters of one label's or annotation's value; more is no alert but a document."""

VALUES_LIMIT = 100
"""Labels, and annotations, of one alert. With VALUE_LIMIT it keeps the largest alert below what the server takes."""

ACCEPT_WITHIN = timedelta(seconds=10)
"""Alertmanager gives up and posts again after its own time-out, which is longer than this as shipped."""


class Payload(BaseModel):
    """Alertmanager's version 4 payload; newer fields are let pass. `alerts` are read one by one."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    version: Annotated[Literal["4"], BeforeValidator(str)]
    group_key: str = Field(alias="groupKey", min_length=1, max_length=50_000)
    status: Literal["firing", "resolved"]
    receiver: str = ""
    alerts: list[Any] = Field(min_length=1)
    group_labels: dict[str, str] = Field(default_factory=dict, alias="groupLabels")
    common_labels: dict[str, str] = Field(default_factory=dict, alias="commonLabels")
    common_annotations: dict[str, str] = Field(default_factory=dict, alias="commonAnnotations")
    external_url: str = Field(default="", alias="externalURL", max_length=2_000)
    truncated_alerts: int = Field(default=0, alias="truncatedAlerts")


def read(body: dict[str, Any]) -> Payload:
    """Read a payload.

    Raises:
        Invalid: it is not Alertmanager's version 4, or not one alert in it can be used.
    """
    try:
        payload = Payload.model_validate(mended(body))
    except ValidationError as error:
        raise Invalid(problems(error)) from error
    good, bad = alerts.parse(payload.alerts)
    if not good:
        raise Invalid([{"field": "alerts", "message": problem} for problem in bad[:20]])
    return payload


class Intake:
    """What takes a payload to Temporal."""

    def __init__(self, client: Client, *, task_queue: str = contract.TASK_QUEUE) -> None:
        self._client = client
        self._task_queue = task_queue
        self._in_flight = asyncio.Semaphore(SIGNALS_IN_FLIGHT)

    async def take(self, payload: Payload, now: datetime) -> dict[str, Any]:
        """Hand every alert to Temporal; answer with counts once it holds them all.

        Raises:
            Unreachable, Busy: some may be held already; posting the payload again adds nothing to those.
        """
        group = contract.alert_group_id(payload.group_key)
        good, invalid = _sorted(payload.alerts)
        about = {
            "receiver": payload.receiver[:300],
            "status": payload.status,
            "group_labels": _shortened(payload.group_labels),
            "common_labels": _shortened(payload.common_labels),
            "common_annotations": _shortened(payload.common_annotations),
            "external_url": payload.external_url,
            "truncated_alerts": payload.truncated_alerts,
            "received_at": now.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        }
        messages = [{**about, "alerts": batch, "invalid": []} for batch in batches(good)]
        messages[0]["invalid"] = invalid
        await asyncio.gather(*(self._send(group, payload.group_key, message) for message in messages))
        return {"accepted": len(good), "invalid": len(invalid), "groups": [group]}

    async def _send(self, group: str, key: str, message: dict[str, Any]) -> None:
        async def call() -> None:
            await self._client.start_workflow(
                "AlertGroup",
                contract.AlertGroupInput(group=key),
                id=group,
                task_queue=self._task_queue,
                task_timeout=options.WORKFLOW_TASK_TIMEOUT,
                start_signal=contract.ALERTS,
                start_signal_args=[message],
            )

        async with self._in_flight:
            await patiently(self._client, call, within=ACCEPT_WITHIN)


def _sorted(items: list[Any]) -> tuple[list[dict[str, Any]], list[str]]:
    """The alerts that can be used, as they came but shortened, and for each other one what is wrong with it and what it was."""
    good: list[dict[str, Any]] = []
    invalid: list[str] = []
    for number, item in enumerate(items):
        read, bad = alerts.parse([item])
        if bad:
            invalid.append(f"{bad[0].replace('alert 0', f'alert {number}', 1)} in {json.dumps(item)[:300]}")
            continue
        short = {"labels": _shortened(read[0].labels), "annotations": _shortened(read[0].annotations), "fingerprint": read[0].identity}
        good.append(read[0].model_dump(mode="json", by_alias=True) | short | {"generatorURL": read[0].generator_url[:VALUE_LIMIT]})
    return good, invalid


def _shortened(values: dict[str, str]) -> dict[str, str]:
    return {
        name[:300]: value if len(value) <= VALUE_LIMIT else f"{value[:VALUE_LIMIT]}… ({len(value)} characters in all)"
        for name, value in list(values.items())[:VALUES_LIMIT]
    }


def batches(items: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Split alerts so that each batch fits one signal, by count and by size."""
    batch: list[dict[str, Any]] = []
    size = 0
    for item in items:
        length = len(json.dumps(item))
        if batch and (len(batch) >= ALERTS_A_SIGNAL or size + length > BYTES_A_SIGNAL):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += length
    yield batch
