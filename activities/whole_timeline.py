"""An incident's timeline over all its runs, for activities that read it. (The doors have their own, with their rules of who may.)

A run carries only the tail of what was before it; the rest is asked of the runs themselves, which answer also once they have ended.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from incident.snapshot import every_entry

READ_WITHIN = timedelta(seconds=5)
"""A query that got lost is asked again with the whole activity."""

Entry = dict[str, Any]


async def whole_timeline(client: Client, incident: str) -> list[Entry]:
    """Every entry, oldest first. What a run alone held that the server has let go of is missing at the start."""
    entries = await _of_run(client, incident, None)
    run: str | None = None
    while not entries or entries[0]["seq"] > 1:
        run = await _run_before(client, incident, run)
        if run is None:
            break
        try:
            earlier = await _of_run(client, incident, run)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            break
        first = entries[0]["seq"] if entries else None
        entries = [entry for entry in earlier if first is None or entry["seq"] < first] + entries
    return entries


async def _of_run(client: Client, incident: str, run: str | None) -> list[Entry]:
    return await entries_of(client.get_workflow_handle(incident, run_id=run))


async def entries_of(handle: WorkflowHandle[Any, Any]) -> list[Entry]:
    """The entries that one run holds."""

    async def ask(after: int) -> list[Entry]:
        found: list[Entry] = await handle.query("timeline", {"since": after}, result_type=list[Entry], rpc_timeout=READ_WITHIN)
        return found

    return await every_entry(ask)


async def _run_before(client: Client, incident: str, run: str | None) -> str | None:
    """The run that `run` (the latest, where None) continued; None for the first, and where the server has it no more."""
    handle = client.get_workflow_handle(incident, run_id=run)
    try:
        async for event in handle.fetch_history_events(page_size=1):
            return event.workflow_execution_started_event_attributes.continued_execution_run_id or None
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
    return None
