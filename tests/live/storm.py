"""A storm: groups of alerts at a real Alertmanager, and what Temporal and the incidents hold of them afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from incident.routing import Storm
from tests.live.tee import Tee, Word, words
from workflows import contract

SERVICES = 10
LONE_EVERY = 20
"""Of so many groups one has no service, and can join nobody's incident."""

A_POST = 100
"""Alerts in one call to Alertmanager."""


def group_key(number: int) -> str:
    """As Alertmanager says it of a group by name and service; a label that is not there is left out."""
    named = f', service="{service(number)}"' if service(number) else ""
    return f'{{}}:{{alertname="Storm{number:04d}"{named}}}'


def service(number: int) -> str:
    return "" if number % LONE_EVERY == LONE_EVERY - 1 else f"service-{number % SERVICES}"


def wanted(groups: int) -> int:
    """How many incidents such a storm is to open: one a service, and one each for as many without one as its rule allows."""
    return SERVICES + min(sum(not service(number) for number in range(groups)), Storm().groups)


class Sky:
    """Where the storm comes from: alerts handed to Alertmanager, one a group."""

    def __init__(self, alertmanager: str) -> None:
        self._url = f"{alertmanager}/api/v2/alerts"
        self._began: dict[int, datetime] = {}

    def fires(self, numbers: Iterable[int]) -> None:
        now = datetime.now(UTC)
        self._began |= dict.fromkeys(numbers := list(numbers), now)
        self._post(numbers, now + timedelta(hours=1))

    def ends(self, numbers: Iterable[int]) -> None:
        self._post(list(numbers), datetime.now(UTC))

    def _post(self, numbers: Sequence[int], until: datetime) -> None:
        alerts = [
            {
                "labels": {"alertname": f"Storm{number:04d}", "service": service(number), "severity": "warning"},
                "annotations": {"summary": f"number {number} of the storm"},
                "startsAt": self._began[number].isoformat(),
                "endsAt": until.isoformat(),
            }
            for number in numbers
        ]
        for start in range(0, len(alerts), A_POST):
            httpx2.post(self._url, json=alerts[start : start + A_POST], timeout=30).raise_for_status()

    def firing(self) -> set[str]:
        """The fingerprints of what fires at Alertmanager."""
        found = json.loads(httpx2.get(self._url, params={"active": "true"}, timeout=30).content)
        return {each["fingerprint"] for each in found}


@dataclass
class Held:
    """What there is of the storm in Temporal: what each group was told, and whose incident it became."""

    groups: dict[str, list[Word]] = field(default_factory=dict)
    incidents: dict[str, str] = field(default_factory=dict)
    opened: int = 0


async def held(temporal: str, keys: Iterable[str]) -> Held:
    """Read the histories of all alert groups, whose runs go on, and the register."""
    client = await Client.connect(temporal, data_converter=pydantic_data_converter)
    found = Held()
    names = {contract.alert_group_id(key): key for key in keys}
    async for each in client.list_workflows("WorkflowType = 'AlertGroup'"):
        key = names.get(each.id, each.id)
        history = await client.get_workflow_handle(each.id, run_id=each.run_id).fetch_history()
        told = found.groups.setdefault(key, [])
        for event in history.events:
            if event.HasField("workflow_execution_signaled_event_attributes"):
                for payload in event.workflow_execution_signaled_event_attributes.input.payloads:
                    told += words(json.loads(payload.data)["alerts"])
    register: dict[str, Any] = (await client.get_workflow_handle(contract.REGISTRY_ID).query("state")) or {}
    found.incidents = {key: record["incident"] for key, record in register["groups"].items()}
    found.opened = sum(register["numbers"].values())
    return found


def out_of_order(told: Sequence[Word]) -> list[Word]:
    """What was told of an alert after something newer: an earlier episode, or its beginning after its end."""
    newest: dict[str, tuple[datetime, bool]] = {}
    wrong = []
    for fingerprint, starts_at, status in told:
        word = (datetime.fromisoformat(starts_at), status == "resolved")
        if word < newest.get(fingerprint, word):
            wrong.append((fingerprint, starts_at, status))
        newest[fingerprint] = max(word, newest.get(fingerprint, word))
    return wrong


def within(part: Sequence[Word], whole: Sequence[Word]) -> bool:
    """Whether the one can be made of the other by leaving things out: nothing lost, and in the same order."""
    rest = iter(whole)
    return all(word in rest for word in part)


def lost(tee: Tee, found: Held) -> list[str]:
    """Groups of which something that was answered with 2xx is not held in the order that it came, or that hold what nobody sent."""
    return [
        key
        for key in set(tee.taken) | set(found.groups)
        if not within(tee.taken[key], found.groups.get(key, ())) or not within(found.groups.get(key, ()), tee.tried[key])
    ]
