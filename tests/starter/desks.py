"""A desk without Temporal behind it, for what the HTTP door does with its answers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from temporalio.client import Client, WorkflowExecutionDescription

from incident.refusals import refuse
from starter import privacy
from starter.desk import Desk, opening, request
from starter.problems import NotPermitted, NoWorker, UnknownIncident
from starter.reading import Entry, Filters, Row, by_urgency

NOBODY = "127.0.0.1:1"
"""An address at which nobody listens."""


class FakeDesk(Desk):
    """Opens incidents in memory, checks the shape of every command as the real one does, and accepts or refuses as told.

    `refuses` maps verbs to the code with which they are refused; `working` is whether a worker answers; `turns_away` is why
    nobody may open an incident.
    """

    def __init__(self, client: Client) -> None:
        super().__init__(client)
        self.states: dict[str, dict[str, Any]] = {}
        self.timelines: dict[str, list[Entry]] = {}
        self.asked: list[tuple[str, str, dict[str, Any]]] = []
        self.alerts: list[Any] = []
        self.refuses: dict[str, str] = {}
        self.by_factors = False
        self.working = True
        self.models: dict[str, dict[str, Any]] = {}
        self.turns_away = ""
        self._keys: dict[str, str] = {}

    @classmethod
    async def made(cls) -> FakeDesk:
        return cls(await Client.connect(NOBODY, lazy=True))

    async def failing(self) -> int:
        return 0

    async def open(self, fields: Mapping[str, Any], key: str | None = None) -> dict[str, Any]:
        if self.turns_away:
            raise NotPermitted(self.turns_away)
        asked = opening(fields, key or f"key {len(self.states)}", datetime.now(UTC))
        if asked.key in self._keys:
            return dict(self.states[self._keys[asked.key]])
        incident = f"INC-2026-{len(self.states) + 1:04d}"
        self._keys[asked.key or ""] = incident
        severity = None if "open" in self.refuses and not self.by_factors else asked.severity
        self.states[incident] = {
            "incident": incident,
            "title": asked.title,
            "severity": severity,
            "phase": "declaration" if severity else "detection",
            "services": list(asked.services),
            "opened_by": asked.by,
            "opened_at": f"2026-11-24T03:{len(self.states):02d}:00Z",
            "drill": asked.drill,
            "clocks": [],
            "deliveries": {"refused": [], "settled": [], "paused": {}, "delivered": 0, "waiting": [], "down": {}},
            "private": asked.private,
            "members": [asked.by] if asked.private else [],
        }
        refusal = {"verb": "declare", "refusal": refuse("undocumented").model_dump(mode="json")}
        entries = [("opened", {}), *([("refused", refusal)] if "open" in self.refuses else [])]
        self.timelines[incident] = [_entry(seq, kind, asked.by, data) for seq, (kind, data) in enumerate(entries, start=1)]
        return dict(self.states[incident])

    async def command(self, incident: str, verb: str, fields: Mapping[str, Any], key: str | None = None) -> dict[str, Any]:
        asked = request(verb, fields, key or "a key")
        phase = self._known(incident)["phase"]
        self.asked.append((incident, verb, asked))
        if verb in self.refuses:
            refusal = refuse(self.refuses[verb]).model_dump(mode="json")  # type: ignore[arg-type]  # a test's own code
            return {"incident": incident, "phase": phase, "accepted": False, "refusal": refusal}
        timeline = self.timelines[incident]
        timeline.append(_entry(len(timeline) + 1, verb, asked["by"], {}))
        return {"incident": incident, "phase": phase, "accepted": True, "events": timeline[-1:]}

    async def alert(self, incident: str, alerts: list[dict[str, Any]]) -> None:
        self._known(incident)
        self.alerts += alerts

    async def listing(self, filters: Filters | None = None) -> list[Row]:
        wanted = filters or Filters()
        rows = [{**state, "open": state["phase"] != "closed", "next_due": state.get("next_due")} for state in self.states.values()]
        return sorted((row for row in rows if wanted.admit(row) and privacy.may_see(row)), key=by_urgency)

    async def describe(self, incident: str) -> WorkflowExecutionDescription:
        self._known(incident)
        return await super().describe(incident)

    async def admit(self, incident: str) -> None:
        self._known(incident)

    async def row(self, incident: str) -> Row:
        return {**self._known(incident), "open": True, "next_due": None}

    async def state(self, incident: str) -> dict[str, Any]:
        known = self._known(incident)
        if not self.working:
            raise NoWorker("No worker answers.", incident=incident, stale=True, last_known=await self.row(incident))
        return dict(known)

    async def model(self, incident: str) -> dict[str, Any]:
        self._known(incident)
        return self.models[incident]

    async def timeline(self, incident: str, since: int = 0) -> list[Entry]:
        self._known(incident)
        return [entry for entry in self.timelines[incident] if entry["seq"] > since]

    def _known(self, incident: str) -> dict[str, Any]:
        if incident not in self.states or not privacy.may_see(self.states[incident]):
            raise UnknownIncident(incident)
        return self.states[incident]


def _entry(seq: int, kind: str, by: str, data: dict[str, Any]) -> Entry:
    return {"seq": seq, "at": "2026-11-24T03:00:00Z", "kind": kind, "by": by, "text": f"{by}: {kind}", "data": data}
