"""`/`: the open incidents, the most urgent clock first, and on top what needs the reader. Works with no worker running."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import ValidationError

from incident import clocks
from incident.commands import problems
from incident.vocabulary import Phase, Severity
from starter.desk import Desk
from starter.problems import Invalid
from starter.pulse import Pulse
from starter.reading import Filters, Row
from starter.web.rendering import moment, navigation, page, who

ROWS_AT_MOST = 300

OWED_BY_THE_COMMANDER = frozenset({clocks.INTERNAL_UPDATE, clocks.NOTIFY_EXECUTIVES, clocks.RESOLUTION, clocks.POSTMORTEM})


def router(desk: Desk, pulse: Pulse) -> APIRouter:
    router = APIRouter()

    @router.get("/")
    async def show_home(request: Request) -> HTMLResponse:
        """The list. What it shows is in the address, so that it can be sent to somebody."""
        filters = filters_of(request.query_params)
        rows, trouble = await asyncio.gather(desk.listing(filters), pulse.trouble())
        now = datetime.now(UTC)
        actor = who(request)
        rows = rows[:ROWS_AT_MOST]
        burning = [row for row in rows if row["phase"] != Phase.POST_INCIDENT.value]
        return page(
            request,
            "home.html",
            needs=[row for row in rows if needs(row, actor, now)],
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


def needs(row: Row, actor: str, now: datetime) -> bool:
    """Whether somebody should look at once: a clock is overdue, or the next one is the reader's own.

    A row says who commands and not who owes the next clock; so it tells the reader's own where the commander owes it.
    """
    due = row.get("next_due")
    if not row["open"] or due is None:
        return False
    return moment(due) <= now or (actor == row.get("commander") and row.get("next_clock") in OWED_BY_THE_COMMANDER)
