"""Keep a run of an incident in the archive: its raw history, its timeline, and a manifest of hashes.

The manifests are chained: each names the hash of the one before it, so that neither a run nor an entry can be left
out or changed unnoticed.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pydantic import BaseModel, ConfigDict
from temporalio import activity
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from activities.failures import translated
from activities.whole_timeline import entries_of
from incident.effects import Delivery, StoreDocument
from integrations.ports import Archive

ENDINGS = frozenset(
    {
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT,
    }
)
"""What the last event of a run that has ended can be."""


class ArchiveRequest(BaseModel):
    """One run of an incident. `final`: the run ends with the incident."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    incident: str
    run_id: str
    run: int
    final: bool
    drill: bool = False


class ArchivingActivities:
    """Reads histories from the server, writes them through the archive port."""

    def __init__(self, client: Client, archive: Archive) -> None:
        self._client = client
        self._archive = archive

    @activity.defn(name="archive_run")
    async def archive_run(self, request: ArchiveRequest) -> str | None:
        """Store the run; answers with the manifest's name, None while the run has not ended.

        Repeating it replaces equal files by equal ones.
        """
        handle = self._client.get_workflow_handle(request.incident, run_id=request.run_id)
        recorded = await handle.fetch_history()
        if recorded.events[-1].event_type not in ENDINGS:
            return None
        history = recorded.to_json()
        timeline = await entries_of(handle)
        entries = "".join(json.dumps(entry, sort_keys=True, ensure_ascii=False) + "\n" for entry in timeline)
        manifest = {
            "incident": request.incident,
            "run": request.run,
            "run_id": request.run_id,
            "final": request.final,
            "history_sha256": hashlib.sha256(history.encode()).hexdigest(),
            "timeline_sha256": hashlib.sha256(entries.encode()).hexdigest(),
            "entries": len(timeline),
            "previous_run_id": _previous_run(history),
        }
        name = f"audit/run-{request.run:03d}.manifest.json"
        await self._store(request, f"audit/run-{request.run:03d}.history.json", history)
        await self._store(request, f"audit/run-{request.run:03d}.timeline.jsonl", entries)
        await self._store(request, name, json.dumps(manifest, indent=1, sort_keys=True) + "\n")
        return name

    async def _store(self, request: ArchiveRequest, name: str, content: str) -> None:
        delivery = Delivery(
            incident=request.incident,
            key=f"{request.incident}:{name}",
            drill=request.drill,
            at=activity.info().scheduled_time,
            ask=StoreDocument(name=name, content=content),
        )
        with translated():
            await self._archive.store_document(delivery)


def _previous_run(history: str) -> str | None:
    """The run that this one continues, as its first event says."""
    first: dict[str, Any] = json.loads(history)["events"][0]["workflowExecutionStartedEventAttributes"]
    previous = first.get("continuedExecutionRunId")
    return str(previous) if previous else None
