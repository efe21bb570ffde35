"""`/incidents/{id}/audit`: the record as it is, with who, through which door, when, and the history event behind each entry.

Nothing here edits or deletes: a correction is one more entry.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response
from markupsafe import Markup, escape
from pydantic import BaseModel, ConfigDict
from pydantic_core import to_json
from temporalio.client import WorkflowHistory

from incident.events import BEHIND_THE_SCENES, KINDS, SYSTEM
from incident.invisible import shown
from incident.telling import told
from starter import audit
from starter.desk import Desk
from starter.identity.actor import need_to_examine
from starter.origins import Origin, origins
from starter.problems import NoWorker
from starter.reading import Entry
from starter.web.rendering import page

if TYPE_CHECKING:
    from starter.api import Door


class Shown(BaseModel):
    """Which entries the page shows; every filter stands in its address."""

    model_config = ConfigDict(extra="ignore")

    kind: str = ""
    by: str = ""
    text: str = ""
    who: str = "all"

    def admits(self, entry: Entry) -> bool:
        if self.who == "people" and (entry["by"] in {SYSTEM, "monitoring"} or entry["kind"] in BEHIND_THE_SCENES):
            return False
        return (
            self.kind in ("", entry["kind"])
            and self.by in ("", entry["by"])
            and (not self.text or self.text.casefold() in f"{entry['text']} {told(entry)} {entry['kind']}".casefold())
        )


def router(desk: Desk, door: Door) -> APIRouter:
    router = APIRouter()

    @router.get("/incidents/{incident}/audit")
    async def show_audit(incident: str, request: Request, shown: Annotated[Shown, Query()]) -> HTMLResponse:
        row = await desk.row(incident)
        need_to_examine(request.state.actor, row)
        silent = False
        try:
            timeline = await desk.timeline(incident)
            histories = [*await desk.histories(incident), *await desk.follow_up_histories(incident)]
            found = origins(histories, timeline)
        except NoWorker:
            silent = True
            histories, timeline = await audit.derived(desk, incident)
            found = origins(histories, timeline)
        runs = {history.run_id: number for number, history in enumerate(histories, start=1)}
        corrections = _corrections(timeline)
        entries = [_told(entry, found.get(entry["seq"]), runs, corrections) for entry in timeline]
        return page(
            request,
            "audit.html",
            incident=incident,
            row=row,
            silent=silent,
            entries=[entry for entry in entries if shown.admits(entry)],
            total=len(entries),
            runs=[_run(history, number, door) for number, history in enumerate(histories, start=1)],
            kinds=[(kind, KINDS.get(kind, kind)) for kind in dict.fromkeys(entry["kind"] for entry in entries)],
            people=sorted({entry["by"] for entry in entries}),
            shown=shown,
        )

    @router.get("/incidents/{incident}/audit/download")
    async def download(incident: str, request: Request) -> Response:
        """The record with its proof, as a file that `tocsin verify` checks."""
        need_to_examine(request.state.actor, await desk.row(incident))
        document = await audit.export(desk, incident)
        headers = {"Content-Disposition": f'attachment; filename="{incident}-audit.json"'}
        return Response(to_json(document), media_type="application/json", headers=headers)

    return router


def _told(entry: Entry, origin: Origin | None, runs: Mapping[str, int], corrections: Mapping[int, list[int]]) -> dict[str, Any]:
    data = entry.get("data") or {}
    return {
        **entry,
        "via": data.get("via"),
        "origin": origin,
        "run": runs.get(origin.run_id) if origin is not None else None,
        "linked": linked(told(entry), entry["seq"]),
        "corrected_by": corrections.get(entry["seq"], []),
    }


_NAMED = re.compile(r"\bentry (\d{1,9})\b")


def linked(text: str, seq: int) -> Markup:
    """The text with the earlier entries that it names as links; everything else in it stays text."""

    def link(found: re.Match[str]) -> str:
        named = int(found[1])
        return f'<a href="#entry-{named}">{found[0]}</a>' if 0 < named < seq else found[0]

    return Markup(_NAMED.sub(link, str(escape(shown(text)))))  # escaped first; what is put in is a number


def _corrections(timeline: Sequence[Entry]) -> dict[int, list[int]]:
    """Each entry that a later note names, with those notes: a reader of the one must find the other."""
    found: dict[int, list[int]] = {}
    for entry in timeline:
        if entry["kind"] != "note":
            continue
        for named in dict.fromkeys(map(int, _NAMED.findall(entry["text"]))):
            if named < entry["seq"]:
                found.setdefault(named, []).append(entry["seq"])
    return found


def _run(history: WorkflowHistory, number: int, door: Door) -> dict[str, Any]:
    ui = door.temporal_ui
    place = f"namespaces/{quote(door.namespace, safe='')}/workflows/{quote(history.workflow_id, safe='')}/{history.run_id}/history"
    return {
        "number": number,
        "workflow": history.workflow_id,
        "run_id": history.run_id,
        "events": len(history.events),
        "address": f"{ui}/{place}" if ui else None,
    }
