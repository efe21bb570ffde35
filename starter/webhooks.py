"""What monitoring posts, on its way to Temporal: nothing is lost once it has its 200.

The alerts of a post go to the workflow of their group, by signal-with-start: that needs the Temporal server, and no
worker. What the routing rules make of each goes along as data, so that no workflow ever reads a file. Most senders
repeat what was answered with 5xx and drop what was answered with 4xx, so a post is refused only where nothing in it
can be used; a single bad alert goes along, with what is wrong with it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.client import Client

from incident import parcels
from incident.alerts import AlertInput, believed
from incident.policy import Policy
from incident.routing import Routes, likeness, route
from integrations.monitoring.alertmanager import Payload
from integrations.monitoring.posted import Group, Posted
from starter.calls import patiently
from workflows import contract, options

__all__ = ["BODY_LIMIT", "Intake", "Payload", "batches"]

BODY_LIMIT = 10_000_000
"""Bytes. A storm of a few thousand alerts fits; Temporal takes it in pieces."""

VALUE_LIMIT = 2_000
"""Characters of one label's or annotation's value; more is no alert but a document."""

VALUES_LIMIT = 100
"""Labels, and annotations, of one alert. With VALUE_LIMIT it keeps the largest alert below what the server takes."""

INVALID_TOLD = options.ASIDE_KEPT - 1

ACCEPT_WITHIN = timedelta(seconds=10)
"""Alertmanager gives up and posts again after its own time-out, which is longer than this as shipped."""


class Intake:
    """What takes a post to Temporal. `rules` gives the routing rules in force; notes go to the `general_channel` of the policy."""

    def __init__(
        self,
        client: Client,
        *,
        task_queue: str = contract.TASK_QUEUE,
        rules: Callable[[], Routes] = Routes,
        general_channel: str = Policy().general_channel,
        within: timedelta = ACCEPT_WITHIN,
    ) -> None:
        self._client = client
        self._task_queue = task_queue
        self._rules = rules
        self._general_channel = general_channel
        self._within = within
        self._in_flight = asyncio.Semaphore(options.POSTS_IN_FLIGHT)

    async def take(self, posted: Posted, now: datetime) -> dict[str, Any]:
        """Hand every alert to Temporal; answer with counts once it holds them all.

        Raises:
            Unreachable, Busy: some may be held already; posting it again adds nothing to those.
            Unavailable: there are no routing rules to go by.
        """
        rules = self._rules()
        await asyncio.gather(*(self._send_all(group.key, messages_of(group, rules, now)) for group in posted.groups))
        answer: dict[str, Any] = {
            "accepted": sum(len(group.alerts) for group in posted.groups),
            "invalid": sum(len(group.invalid) for group in posted.groups),
            "groups": [contract.alert_group_id(group.key) for group in posted.groups],
        }
        return answer if posted.ignored is None else {**answer, "ignored": posted.ignored}

    async def _send_all(self, key: str, messages: Sequence[dict[str, Any]]) -> None:
        """One after the other, as they were posted: signals under way together may pass each other, and an end its beginning."""
        for message in messages:
            await self._send(contract.alert_group_id(key), key, message)

    async def _send(self, group: str, key: str, message: dict[str, Any]) -> None:
        async def call() -> None:
            await self._client.start_workflow(
                "AlertGroup",
                contract.AlertGroupInput(group=key, general_channel=self._general_channel),
                id=group,
                task_queue=self._task_queue,
                task_timeout=options.WORKFLOW_TASK_TIMEOUT,
                priority=options.ALERTS,
                start_signal=contract.ALERTS,
                start_signal_args=[message],
            )

        async with self._in_flight:
            await patiently(self._client, call, within=self._within)


def messages_of(group: Group, rules: Routes, now: datetime) -> list[dict[str, Any]]:
    """One group's alerts as signals that are small enough, each with what the rules make of its alerts."""
    about = {name: _shortened(value) if isinstance(value, dict) else value for name, value in group.about.items()}
    about["received_at"] = now.astimezone(UTC).isoformat().replace("+00:00", "Z")
    ask = _asking(rules, now)
    found = [(alert, ask(alert)) for alert in (_wire(believed(alert, now)) for alert in group.alerts)]
    messages = [{**about, "alerts": alerts, "invalid": [], "routed": table} for alerts, table in batches(found)]
    messages[0]["invalid"] = _some(group.invalid)
    return messages


def batches(found: Sequence[tuple[dict[str, Any], str]]) -> Iterator[tuple[list[dict[str, Any]], list[dict[str, Any]]]]:
    """Alerts, each with what the rules make of it as JSON, in batches that fit one signal each by count and by size.

    Many of a batch say the same of the rules: it is sent once, and each of them has its number.
    """
    batch: list[dict[str, Any]] = []
    numbers: dict[str, int] = {}
    size = 0
    for alert, said in found:
        length = parcels.weight(alert)
        if batch and (len(batch) >= options.ALERTS_A_SIGNAL or size + length + _added(said, numbers) > options.BYTES_A_SIGNAL):
            yield batch, [json.loads(said) for said in numbers]
            batch, numbers, size = [], {}, 0
        size += length + _added(said, numbers)
        batch.append({**alert, "routed": numbers.setdefault(said, len(numbers))})
    yield batch, [json.loads(said) for said in numbers]


def _added(said: str, numbers: dict[str, int]) -> int:
    return 0 if said in numbers else len(said.encode())


def _some(invalid: Sequence[str]) -> list[str]:
    """As much of what could not be read as a group keeps; a post of nothing but rubbish must not be too large to be taken."""
    more = len(invalid) - INVALID_TOLD
    return [*invalid[:INVALID_TOLD], *([f"{more} more alerts could not be read"] if more > 0 else [])]


def _asking(rules: Routes, now: datetime) -> Callable[[dict[str, Any]], str]:
    """What the rules make of an alert, as JSON: asked once for all that are alike."""
    alike = likeness(rules)
    answers: dict[tuple[object, ...], str] = {}

    def ask(alert: dict[str, Any]) -> str:
        labels, annotations = alert["labels"], alert["annotations"]
        these = alike(labels, annotations)
        if (said := answers.get(these)) is None:
            said = answers[these] = route(rules, labels, now, annotations).model_dump_json(exclude_defaults=True)
        return said

    return ask


def _wire(alert: AlertInput) -> dict[str, Any]:
    """The alert as it came, but shortened, and with a name of its own."""
    short = {"labels": _shortened(alert.labels), "annotations": _shortened(alert.annotations), "fingerprint": alert.identity}
    plain = alert.model_dump(mode="json", by_alias=True, include={"status", "starts_at", "ends_at"})
    ahead = {} if alert.said_at is None else {"saidAt": alert.said_at.isoformat()}
    return plain | short | ahead | {"generatorURL": alert.generator_url[:VALUE_LIMIT]}


def _shortened(values: dict[str, str]) -> dict[str, str]:
    return {
        name[:300]: value if len(value) <= VALUE_LIMIT else f"{value[:VALUE_LIMIT]}… ({len(value)} characters in all)"
        for name, value in list(values.items())[:VALUES_LIMIT]
    }
