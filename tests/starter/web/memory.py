"""A desk whose incidents live in this process: the real core decides, and no Temporal is needed.

What a page shows and what a button is answered are then the process's own, in milliseconds. Time goes on as it
does; `MemoryDesk.ahead` puts the desk's own clock forward.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHistory

from incident import lifecycle, snapshot
from incident.commands import parse
from incident.events import Event
from incident.lifecycle import Opening
from incident.model import Incident
from incident.policy import Policy
from incident.refusals import Refusal
from incident.vocabulary import Phase
from starter import privacy
from starter.desk import Desk, fresh_key, opening, request
from starter.problems import NoWorker, UnknownIncident
from starter.reading import Entry, Filters, Row, by_urgency

NOBODY = "127.0.0.1:1"
"""An address at which nobody listens."""

TASK_DONE = HistoryEvent(event_type=EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED)


class MemoryDesk(Desk):
    """`working` is whether a worker answers; `asked` counts the commands that reached an incident."""

    def __init__(self, client: Client, policy: Policy | None = None) -> None:
        super().__init__(client, policy=policy)
        self.incidents: dict[str, Incident] = {}
        self.entries: dict[str, list[Event]] = {}
        self.working = True
        self.latest: dict[str, WorkflowHistory] = {}
        self.ahead = timedelta(0)
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self._answers: dict[str, dict[str, Any]] = {}
        self._listeners: set[asyncio.Queue[str]] = set()

    @classmethod
    async def made(cls, policy: Policy | None = None) -> MemoryDesk:
        return cls(await Client.connect(NOBODY, lazy=True), policy)

    @property
    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    async def open(self, fields: Mapping[str, Any], key: str | None = None) -> dict[str, Any]:
        asked = opening(fields, key or fresh_key(), self.now)
        if asked.key not in self._answers:
            incident_id = f"INC-2026-{len(self.incidents) + 1:04d}"
            policy = self.drill_policy if asked.drill else self.policy
            start = Opening(id=incident_id, request=asked, policy=policy)
            self.incidents[incident_id], self.entries[incident_id] = lifecycle.opening(start, self.now)
            self._answers[asked.key or ""] = {"incident": incident_id}
        return await self.state(self._answers[asked.key or ""]["incident"])

    async def command(self, incident: str, verb: str, fields: Mapping[str, Any], key: str | None = None) -> dict[str, Any]:
        fields = await self.looked_at(incident, verb, fields, key)
        asked = request(verb, fields, key or fresh_key())
        known = self._known(incident)
        if not self.working:
            raise NoWorker("Temporal is there, and no worker answered.")
        if asked["key"] in self._answers:
            return self._answers[asked["key"]]
        self.asked.append((verb, asked))
        outcome = lifecycle.decide(known, parse(verb, asked), self.now)
        if isinstance(outcome, Refusal):
            self.record(incident, [lifecycle.refused(verb, asked["by"], outcome, self.now)])
            said = {"accepted": False, "refusal": outcome.model_dump(mode="json", exclude_none=True)}
        else:
            said = {"accepted": True, "events": [event.model_dump(mode="json") for event in self.record(incident, outcome)]}
        answer = {"incident": incident, "phase": self.incidents[incident].phase.value, **said}
        self._answers[asked["key"]] = answer
        return answer

    def record(self, incident: str, events: list[Event]) -> list[Event]:
        """Something happens to an incident; everybody who watches hears of it."""
        self.incidents[incident], recorded = lifecycle.record(self.incidents[incident], events)
        self.entries[incident] += recorded
        for listener in self._listeners:
            listener.put_nowait(incident)
        return recorded

    def tick(self, incident: str) -> list[Event]:
        """Somebody looks at the clocks."""
        return self.record(incident, lifecycle.tick(self.incidents[incident], self.now))

    async def listing(self, filters: Filters | None = None) -> list[Row]:
        wanted = filters or Filters()
        rows = [self._row(incident) for incident in self.incidents.values()]
        fits = [
            row
            for row in rows
            if wanted.admit(row)
            and privacy.may_see(row)
            and (wanted.severity is None or wanted.severity == row["severity"])
            and (wanted.phase is None or wanted.phase == row["phase"])
            and (wanted.drill is None or wanted.drill is row["drill"])
        ]
        return sorted(fits, key=by_urgency)

    async def followed_up(self, *, within: timedelta = timedelta(0)) -> list[str]:
        return [each.id for each in self.incidents.values() if not each.open and any(item.open for item in each.action_items)]

    async def admit(self, incident: str) -> None:
        self._known(incident)

    async def row(self, incident: str) -> Row:
        return self._row(self._known(incident))

    async def state(self, incident: str) -> dict[str, Any]:
        known = self._known(incident)
        if not self.working:
            raise NoWorker("No worker answers.", incident=incident, stale=True, last_known=self._row(known))
        return snapshot.state(known, self.now)

    async def timeline(self, incident: str, since: int = 0) -> list[Entry]:
        self._known(incident)
        return [event.model_dump(mode="json") for event in self.entries[incident] if event.seq > since]

    async def model(self, incident: str) -> dict[str, Any]:
        return self._known(incident).model_dump(mode="json")

    async def histories(self, incident: str) -> list[WorkflowHistory]:
        self._known(incident)
        return []

    async def latest_history(self, incident: str) -> WorkflowHistory | None:
        self._known(incident)
        return self.latest.get(incident)

    async def follow_up_histories(self, incident: str) -> list[WorkflowHistory]:
        return []

    async def history(self, _: Client, incident: str) -> AsyncIterator[list[HistoryEvent]]:
        """What a room watches: one task done for each change."""
        listener: asyncio.Queue[str] = asyncio.Queue()
        self._listeners.add(listener)
        try:
            while True:
                if await listener.get() == incident:
                    yield [TASK_DONE]
        finally:
            self._listeners.discard(listener)

    def _known(self, incident: str) -> Incident:
        if incident not in self.incidents or not privacy.may_see(self._row(self.incidents[incident])):
            raise UnknownIncident(incident)
        return self.incidents[incident]

    def _row(self, incident: Incident) -> Row:
        row = snapshot.row(incident)
        due = next((clock.due for clock in incident.clocks.values() if clock.name == row["next_clock"]), None)
        return {**row, "open": incident.phase is not Phase.CLOSED, "next_due": due.isoformat() if due else None}
