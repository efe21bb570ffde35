"""A desk whose incidents are walked through the real core, in memory: what the record's pages and routes are asked about."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx2
from temporalio.client import WorkflowHistory

from incident import lifecycle, snapshot
from incident.commands import InvalidInput
from incident.refusals import Refusal
from incident.vocabulary import Phase
from starter.api import Door, create_app
from starter.desk import request
from starter.drafts import Stale, Version
from starter.live import Rooms
from starter.problems import Invalid, NoWorker, UnknownIncident
from starter.reading import Entry, Filters, Row, by_urgency
from tests.incident.walk import Walk
from tests.starter.desks import FakeDesk
from tests.starter.test_api import HERE, no_history

ONE = "INC-2026-0001"


class WalkedDesk(FakeDesk):
    """Answers from walks; a command is decided by the core. `read` and `chased` count the timelines that were asked for;
    `later` is what the follow-ups of closed ones have seen."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.walks: dict[str, Walk] = {}
        self.runs: dict[str, list[WorkflowHistory]] = {}
        self.read: list[str] = []
        self.chased: list[str] = []
        self.later: dict[str, list[Entry]] = {}

    def holds(self, walk: Walk, incident: str = ONE) -> Walk:
        """This incident exists. Its id is written over the walk's own."""
        walk.incident = walk.incident.model_copy(update={"id": incident})
        self.walks[incident] = walk
        return walk

    async def row(self, incident: str) -> Row:
        walk = self._walk(incident)
        due = min((clock.due for clock in walk.incident.clocks.values() if clock.open and clock.due), default=None)
        known = snapshot.row(walk.incident)
        return {**known, "run_id": f"run-{incident}", "open": walk.incident.open, "next_due": due.isoformat() if due else None}

    async def listing(self, filters: Filters | None = None) -> list[Row]:
        wanted = filters or Filters()
        rows = [await self.row(incident) for incident in self.walks]
        return sorted((row for row in rows if wanted.admit(row)), key=by_urgency)

    async def state(self, incident: str) -> dict[str, Any]:
        walk = await self._heard(incident)
        return snapshot.state(walk.incident, walk.now)

    async def model(self, incident: str) -> dict[str, Any]:
        return (await self._heard(incident)).incident.model_dump(mode="json")

    async def timeline(self, incident: str, since: int = 0) -> list[Entry]:
        walk = await self._heard(incident)
        self.read.append(incident)
        return [event.model_dump(mode="json") for event in walk.timeline if event.seq > since]

    async def own_timeline(self, incident: str, since: int = 0) -> list[Entry]:
        return await self.timeline(incident, since)

    async def follow_up_timeline(self, incident: str) -> list[Entry]:
        self.chased.append(incident)
        return self.later.get(incident, [])

    async def histories(self, incident: str) -> list[WorkflowHistory]:
        self._walk(incident)
        return self.runs.get(incident, [])

    async def follow_up_histories(self, incident: str) -> list[WorkflowHistory]:
        return []

    async def command(self, incident: str, verb: str, fields: Mapping[str, Any], key: str | None = None) -> dict[str, Any]:
        fields = await self.looked_at(incident, verb, fields, key)
        asked = request(verb, fields, key or "a key")
        walk = await self._heard(incident)
        self.asked.append((incident, verb, asked))
        try:
            outcome = walk.asks(verb, **{name: value for name, value in asked.items() if name != "key"})
        except InvalidInput as error:
            raise Invalid(error.problems) from error
        answer = {"incident": incident, "phase": walk.incident.phase.value}
        if isinstance(outcome, Refusal):
            walk.record([lifecycle.refused(verb, asked["by"], outcome, walk.now)])
            return {**answer, "accepted": False, "refusal": outcome.model_dump(mode="json", exclude_none=True)}
        events = walk.record(outcome)
        return {**answer, "accepted": True, "events": [event.model_dump(mode="json") for event in events]}

    def _walk(self, incident: str) -> Walk:
        if incident not in self.walks:
            raise UnknownIncident(incident)
        return self.walks[incident]

    async def _heard(self, incident: str) -> Walk:
        walk = self._walk(incident)
        if not self.working:
            raise NoWorker("No worker answers.", incident=incident, stale=True, last_known=await self.row(incident))
        return walk


class HeldDrafts:
    """Drafts in memory, by the contract of `starter.drafts.Drafts`."""

    def __init__(self) -> None:
        self.versions: dict[tuple[str, str], list[Version]] = {}

    async def latest(self, incident: str) -> dict[str, Version]:
        return {section: versions[-1] for (of, section), versions in self.versions.items() if of == incident}

    async def history(self, incident: str, section: str) -> list[Version]:
        return self.versions.get((incident, section), [])[::-1]

    async def save(self, incident: str, section: str, text: str, *, base: int, filing: int, by: str) -> Version:
        versions = self.versions.setdefault((incident, section), [])
        if versions and (versions[-1].text, versions[-1].filing) == (text, filing):
            return versions[-1]
        if versions and versions[-1].version != base:
            raise Stale(versions[-1])
        versions.append(Version(section, len(versions) + 1, filing, text, by, datetime.now(UTC)))
        return versions[-1]

    async def begun(self) -> dict[str, Version]:
        newest: dict[str, Version] = {}
        for (incident, _), versions in self.versions.items():
            newest[incident] = max([versions[-1], *([newest[incident]] if incident in newest else [])], key=lambda version: version.at)
        return newest


def after(severity: str = "SEV1", **fields: Any) -> Walk:
    """An incident whose post-mortem is to be written."""
    walk = Walk.open(severity, **{"summary": "Checkout fails for everybody.", **fields}).reaches(Phase.TRIAGE)
    walk.does("hypothesize", text="The release doubled the retries")
    return walk.reaches(Phase.POST_INCIDENT)


@asynccontextmanager
async def opened(desk: WalkedDesk, drafts: HeldDrafts | None, **door: Any) -> AsyncIterator[httpx2.AsyncClient]:
    """The door on this desk, asked as a browser asks it."""
    app = create_app(desk, Door(user="ana", version="0", **door), rooms=Rooms(desk, no_history), drafts=drafts)
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url=HERE, headers={"Accept": "text/html"}) as client:
        yield client
