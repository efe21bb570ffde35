"""`/`: the open incidents, the most urgent clock first, and on top what needs the reader. Works with no worker running."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import ValidationError

from incident.commands import problems
from incident.vocabulary import Phase, Severity
from starter.desk import Desk
from starter.duties import Duties, Duty
from starter.problems import Invalid
from starter.pulse import Pulse
from starter.reading import Filters
from starter.web.command_forms import title_of
from starter.web.rendering import navigation, page, who
from starter.web.ways import POSTMORTEM, Way, href

ROWS_AT_MOST = 300

NEEDS_AT_MOST = 12
"""Duties on top of the list; how many more there are is said."""


def router(desk: Desk, pulse: Pulse) -> APIRouter:
    router = APIRouter()
    duties = Duties(desk)

    @router.get("/")
    async def show_home(request: Request) -> HTMLResponse:
        """The list. What it shows is in the address, so that it can be sent to somebody."""
        filters = filters_of(request.query_params)
        rows, trouble = await asyncio.gather(desk.listing(filters), pulse.trouble())
        now = datetime.now(UTC)
        needs = await duties.of(who(request), rows, now) if filters.open else []
        rows = rows[:ROWS_AT_MOST]
        burning = [row for row in rows if row["phase"] != Phase.POST_INCIDENT.value]
        return page(
            request,
            "home.html",
            needs=[(duty, way_to(duty)) for duty in needs[:NEEDS_AT_MOST]],
            needed=len(needs),
            burning=burning,
            after=[row for row in rows if row["phase"] == Phase.POST_INCIDENT.value],
            filters=filters,
            filtered=any(value is not None for name, value in filters if name != "open"),
            phases=[phase.value for phase in Phase],
            severities=[severity.value for severity in Severity],
            trouble=trouble,
            query=request.url.query,
        )

    @router.get("/jump")
    async def show_jump(request: Request) -> JSONResponse:
        """What the jump palette offers: open incidents and pages."""
        rows = await desk.listing(Filters(open=True))
        incidents = [
            {"label": f"{row['severity'] or ''} {row['incident']} {row['title']}".strip(), "href": f"/incidents/{row['incident']}"}
            for row in rows
        ]
        pages = [{"label": label, "href": path} for label, path in (*navigation(request), ("Declare an incident", "/declare"))]
        return JSONResponse({"jump": incidents + pages}, headers={"Cache-Control": "no-store"})

    return router


def way_to(duty: Duty) -> Way:
    """Where a duty is fulfilled: the form that does it in its incident's room, or the page for it."""
    room = f"/incidents/{duty.incident}"
    if duty.verb == "file_postmortem":
        return Way("Write it", f"{room}/{POSTMORTEM}")
    if duty.verb is None:
        return Way("Open", room)
    label = {"post_update": "Write it", "acknowledge": "Acknowledge", "complete_action_item": "Done"}.get(duty.verb, title_of(duty.verb))
    return Way(label, f"{room}{href(duty.verb, duty.values)}", duty.verb)


def filters_of(query: Mapping[str, str]) -> Filters:
    """The filters of an address; what is left empty filters nothing, and open ones are listed unless it says otherwise.

    Raises:
        Invalid: a filter that there is not, or a word that it does not know.
    """
    said = {name: value for name, value in query.items() if value.strip()}
    try:
        return Filters.model_validate({"open": "true", **said})
    except ValidationError as error:
        raise Invalid(problems(error)) from error
