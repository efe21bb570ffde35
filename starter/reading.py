"""What the doors read: rows from visibility, one incident from its queries, its whole timeline across runs.

Rows need no worker; the queries do. Where no worker answers in time, the problem carries the row that lists know.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict
from temporalio.client import (
    Client,
    WorkflowExecution,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowHistory,
    WorkflowQueryFailedError,
)
from temporalio.service import RPCError, RPCStatusCode

from incident import deliveries, snapshot
from incident.commands import SeverityField
from incident.vocabulary import Phase
from starter import privacy, under_way
from starter.calls import patiently
from starter.problems import Broken, NoWorker, UnknownIncident
from workflows import contract

READ_WITHIN = timedelta(seconds=3)
"""How long a page waits for an answer before it shows what lists know; a worker's death is over in about 1 s."""

LIST_WITHIN = timedelta(seconds=5)

KEPT_RUNS = 256
"""Runs that have ended never change; this many of their timelines are kept."""

INCIDENT_ID = re.compile(r"INC-\d{4}-\d{4,}")

Entry = dict[str, Any]
Row = dict[str, Any]

FAR_OFF = datetime.max.replace(tzinfo=UTC)


class Filters(BaseModel):
    """Which incidents to list; None lets all pass."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    severity: SeverityField | None = None
    phase: Phase | None = None
    service: str | None = None
    open: bool | None = None
    drill: bool | None = None

    def query(self) -> str:
        """The visibility query for these filters. Only closed sets of words enter it, never a text from outside."""
        parts = ["WorkflowType = 'Incident'", "ExecutionStatus != 'ContinuedAsNew'"]
        if self.severity is not None:
            parts.append(f"IncidentSeverity = '{self.severity.value}'")
        if self.phase is not None:
            parts.append(f"IncidentPhase = '{self.phase.value}'")
        if self.drill is not None:
            parts.append(f"IncidentDrill = {str(self.drill).lower()}")
        if self.open is True:
            parts.append("ExecutionStatus = 'Running'")
        return " AND ".join(parts)

    def admit(self, row: Row) -> bool:
        """What the query can't say: the service (a text from outside), and a workflow that still tells after its end."""
        if self.service is not None and self.service not in (row.get("services") or ()):
            return False
        return self.open is None or self.open is row["open"]


def by_urgency(row: Row) -> tuple[bool, datetime, float]:
    """Sort key: open ones by the clock that is due first, then those that owe nothing, newest first; then those closed last."""
    due = row.get("next_due")
    since = row.get("opened_at") if row["open"] else row.get("closed_at") or row.get("opened_at")
    age = datetime.fromisoformat(since).timestamp() if since else 0.0
    return (not row["open"], datetime.fromisoformat(due) if due and row["open"] else FAR_OFF, -age)


class Reading:
    """The reading half of the desk."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._ended_runs: OrderedDict[tuple[str, str], list[Entry]] = OrderedDict()

    async def listing(self, filters: Filters | None = None) -> list[Row]:
        """The rows of all incidents that `filters` let pass, the most urgent clock first."""
        wanted = filters or Filters()

        async def call() -> list[Row]:
            found = self.client.list_workflows(wanted.query())
            return [await _row(each) async for each in found]

        rows = await patiently(self.client, call, within=LIST_WITHIN)
        return sorted((row for row in rows if wanted.admit(row) and privacy.may_see(row)), key=by_urgency)

    async def followed_up(self, *, within: timedelta = LIST_WITHIN) -> list[str]:
        """The incidents that have ended and whose action items are still chased. Whoever shows them asks `admit` before."""

        async def call() -> list[str]:
            found = self.client.list_workflows(contract.FOLLOWED_UP)
            return [each.id.removesuffix(contract.follow_up_id("")) async for each in found]

        return await patiently(self.client, call, within=within)

    async def visible(self, incidents: set[str]) -> set[str]:
        """Those of `incidents` that the one who looks may know of.

        An incident that the lists do not know yet is left out: it may turn out to be private. What is no incident's id
        (an alert group's) is kept.
        """
        if privacy.viewer().all_seeing or not incidents:
            return incidents
        listed = {row["incident"] for row in await self.listing()}
        return {name for name in incidents if name in listed or not INCIDENT_ID.fullmatch(name)}

    async def admit(self, incident: str) -> None:
        """Let those pass who may know of the incident.

        Raises:
            UnknownIncident: for everybody else, as where there is none.
        """
        if not privacy.viewer().all_seeing:
            await self.describe(incident)

    async def failing(self) -> int:
        """How many workflows have tasks that fail again and again."""

        async def call() -> int:
            return (await self.client.count_workflows(contract.FAILING)).count

        return await patiently(self.client, call, within=READ_WITHIN)

    async def row(self, incident: str) -> Row:
        """What lists know of one incident; works with no worker."""
        return await _row(await self.describe(incident))

    async def describe(self, incident: str) -> WorkflowExecutionDescription:
        """The latest run of the incident as Temporal sees it.

        Raises:
            UnknownIncident: where there is none, and where the one who looks may not know that there is.
        """
        handle = self.client.get_workflow_handle(checked(incident))
        try:
            found = await patiently(self.client, handle.describe, within=READ_WITHIN)
        except RPCError as error:
            raise _as_unknown(error, incident) from error
        if not privacy.may_see(await found.memo()):
            raise UnknownIncident(incident)
        return found

    async def state(self, incident: str) -> dict[str, Any]:
        """The whole snapshot of one incident, open or closed; what its follow-up did since is in it."""
        state = dict(await self._query(incident, "state"))
        if under_way.doubtful(state["deliveries"], datetime.now(UTC)):
            failing = await under_way.tries(await self.describe(incident))
            state["deliveries"] = under_way.with_tries(state["deliveries"], failing)
        if state["phase"] == Phase.CLOSED.value:
            later = await self._follow_up(incident, "state")
            if later is not None:
                state |= {name: later[name] for name in ("action_items", "clocks", "next")}
                state["deliveries"] = deliveries.joined(state["deliveries"], later["deliveries"])
        return state

    async def model(self, incident: str) -> dict[str, Any]:
        """The incident as the core holds it (`incident.model.Incident` as JSON)."""
        return dict(await self._query(incident, "model"))

    async def timeline(self, incident: str, since: int = 0) -> list[Entry]:
        """The entries after `since`, oldest first: the incident's own and, once it is closed, those of its follow-up."""
        entries = await self.own_timeline(incident, since)
        if any(entry["kind"] == "closed" for entry in entries):
            later = await self.follow_up_timeline(incident)
            last = entries[-1]["seq"]
            entries += [{**entry, "seq": last + number} for number, entry in enumerate(later, start=1)]
        return entries

    async def follow_up_timeline(self, incident: str) -> list[Entry]:
        """What the follow-up of a closed incident has seen, by its own numbers; nothing where there is no follow-up."""

        async def ask(after: int) -> list[Entry]:
            return list(await self._follow_up(incident, "timeline", *([{"since": after}] if after else [])) or [])

        return await snapshot.every_entry(ask)

    async def own_timeline(self, incident: str, since: int = 0) -> list[Entry]:
        """The entries after `since`, oldest first, over all runs of the incident.

        The latest run holds the tail; the older entries are asked of the runs before it. Where the server has let
        go of a run (its retention is over), what that run alone held is missing at the start.
        """
        entries = await self._entries(incident, None, since)
        if not entries and since:
            entries = await self._entries(incident, None, 0)
            if entries and entries[-1]["seq"] <= since:
                return []
        run: str | None = None
        while not entries or entries[0]["seq"] > since + 1:
            run = await self.previous_run(incident, run)
            if run is None:
                break
            earlier = await self._ended_run(incident, run)
            first = entries[0]["seq"] if entries else None
            entries = [entry for entry in earlier if first is None or entry["seq"] < first] + entries
        return [entry for entry in entries if entry["seq"] > since]

    async def _follow_up(self, incident: str, name: str, *args: Any) -> Any:
        """What the incident's follow-up answers to a query; None where there is no follow-up."""
        await self.admit(incident)
        handle = self.client.get_workflow_handle(contract.follow_up_id(incident))

        async def call() -> Any:
            return await handle.query(name, args=args)

        try:
            return await patiently(self.client, call, within=READ_WITHIN)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return None

    async def histories(self, incident: str) -> list[WorkflowHistory]:
        """The raw histories of all runs that the server still has, first to last. No worker is needed."""
        await self.describe(incident)
        return await self._runs(incident)

    async def latest_history(self, incident: str) -> WorkflowHistory | None:
        """The raw history of the latest run. No worker is needed; None where the server has let go of it.

        Raises:
            UnknownIncident, Unreachable.
        """
        run = (await self.describe(incident)).run_id
        handle = self.client.get_workflow_handle(incident, run_id=run)
        try:
            return await patiently(self.client, handle.fetch_history, within=LIST_WITHIN)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return None

    async def follow_up_histories(self, incident: str) -> list[WorkflowHistory]:
        """The raw history of the incident's follow-up; none where there is no follow-up."""
        await self.admit(checked(incident))
        return await self._runs(contract.follow_up_id(incident))

    async def _runs(self, workflow_id: str) -> list[WorkflowHistory]:
        found: list[WorkflowHistory] = []
        run: str | None = None
        while run is None or run:
            handle = self.client.get_workflow_handle(workflow_id, run_id=run)
            try:
                history = await patiently(self.client, handle.fetch_history, within=LIST_WITHIN)
            except RPCError as error:
                if error.status is RPCStatusCode.NOT_FOUND:
                    break
                raise
            found.insert(0, history)
            run = history.events[0].workflow_execution_started_event_attributes.continued_execution_run_id
        return found

    async def previous_run(self, incident: str, run: str | None) -> str | None:
        """The run that `run` (the latest, where None) continued; None for the first, and where the server has it no more."""
        await self.admit(incident)
        handle = self.client.get_workflow_handle(incident, run_id=run)

        async def call() -> str:
            async for event in handle.fetch_history_events(page_size=1):
                return event.workflow_execution_started_event_attributes.continued_execution_run_id
            return ""

        try:
            return await patiently(self.client, call, within=READ_WITHIN) or None
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return None
            raise

    async def _ended_run(self, incident: str, run: str) -> list[Entry]:
        name = (incident, run)
        await self.admit(incident)
        if name in self._ended_runs:
            self._ended_runs.move_to_end(name)
            return self._ended_runs[name]
        try:
            entries = await self._entries(incident, run, 0)
        except UnknownIncident:
            return []
        self._ended_runs[name] = entries
        if len(self._ended_runs) > KEPT_RUNS:
            self._ended_runs.popitem(last=False)
        return entries

    async def _entries(self, incident: str, run: str | None, since: int) -> list[Entry]:
        async def ask(after: int) -> list[Entry]:
            return list(await self._query(incident, "timeline", {"since": after}, run=run))

        return await snapshot.every_entry(ask, since)

    async def _query(self, incident: str, name: str, *args: Any, run: str | None = None) -> Any:
        await self.admit(incident)
        handle = self.client.get_workflow_handle(checked(incident), run_id=run)

        async def call() -> Any:
            return await handle.query(name, args=args)

        try:
            return await patiently(self.client, call, within=READ_WITHIN)
        except RPCError as error:
            raise _as_unknown(error, incident) from error
        except WorkflowQueryFailedError as error:
            raise Broken(f"{incident} could not answer the query {name!r}: {error}", incident=incident) from error
        except NoWorker as problem:
            raise NoWorker(
                f"No worker answers for {incident}; what lists know of it is in last_known. Start a worker (tocsin up, or tocsin worker).",
                incident=incident,
                stale=True,
                last_known=await self.row(incident),
            ) from problem


def checked(incident: str) -> str:
    """Let incident ids pass; anything else names no incident, and must not reach another workflow.

    Raises:
        UnknownIncident: for everything that is not like INC-2026-0001.
    """
    if not INCIDENT_ID.fullmatch(incident):
        raise UnknownIncident(incident)
    return incident


def _as_unknown(error: RPCError, incident: str) -> Exception:
    return UnknownIncident(incident) if error.status is RPCStatusCode.NOT_FOUND else error


async def _row(execution: WorkflowExecution) -> Row:
    """A row with what every reader relies on, also for an incident that has not written its own yet."""
    written = await execution.memo()
    found = execution.typed_search_attributes
    known: Row = {name: written.get(name, value) for name, value in snapshot.BLANK_ROW.items()}
    known |= {name: value for name, key in contract.LISTED.items() if (value := found.get(key)) is not None}
    known["opened_at"] = _iso(known["opened_at"]) if isinstance(known["opened_at"], datetime) else known["opened_at"]
    running = execution.status is WorkflowExecutionStatus.RUNNING
    due = execution.typed_search_attributes.get(contract.NEXT_DUE)
    return {
        **known,
        **({"members": privacy.members_of(written)} if known["private"] else {}),
        "incident": execution.id,
        "run_id": execution.run_id,
        "opened_at": known.get("opened_at") or _iso(execution.start_time),
        "next_due": _iso(due) if due is not None else None,
        "open": running and known["phase"] != Phase.CLOSED.value,
    }


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
