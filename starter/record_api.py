"""The record over HTTP: post-mortems in work, action items of all incidents, and the numbers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from incident.analytics import action_items, postmortems
from incident.commands import problems
from starter import openapi
from starter.analytics import Asked, Records, as_csv
from starter.bodies import json_object
from starter.desk import Desk
from starter.drafts import Version
from starter.duties import Duties
from starter.postmortem import Postmortems, Saving, told
from starter.problems import Invalid
from starter.reading import Filters

if TYPE_CHECKING:
    from starter.api import Door

PREFIX = "/api/v1"

CSV = "text/csv; charset=utf-8"


class Which(BaseModel):
    """Which text: what was filed, or with `draft` the one in work."""

    model_config = ConfigDict(extra="forbid")

    draft: bool = False


class Wanted(BaseModel):
    """Which action items: with `open` only what is still to do, with `owner` only one person's."""

    model_config = ConfigDict(extra="forbid")

    open: bool = False
    owner: str | None = None


class Asks(BaseModel):
    """Whose duties; without it, those of whoever asks."""

    model_config = ConfigDict(extra="forbid")

    person: str | None = Field(default=None, max_length=300)


def router(desk: Desk, records: Records, writing: Postmortems, door: Door) -> APIRouter:
    router = APIRouter(prefix=PREFIX, tags=["record"])
    duties = Duties(desk)

    @router.get("/incidents/{incident}/postmortem", responses={422: openapi.MISTAKEN, **openapi.READS})
    async def show_postmortem(incident: str, which: Annotated[Which, Query()], accept: Annotated[str, Header()] = "") -> Response:
        """The post-mortem that was filed, else the draft in work; as Markdown where `Accept` asks for it."""
        work = await writing.work(incident)
        document = work["document"] if which.draft or work["filed"] is None else work["filed"]
        if "text/markdown" in accept:
            return PlainTextResponse(document, media_type="text/markdown")
        return JSONResponse(
            {
                "incident": incident,
                "filed": work["filed_at"] is not None,
                "filed_at": work["filed_at"],
                "by": work["by"],
                "state": work["state"],
                "document": document,
                "seen": work["seen"],
            }
        )

    @router.get("/incidents/{incident}/postmortem/draft", responses=openapi.READS)
    async def show_draft(incident: str) -> JSONResponse:
        """The post-mortem in work: each section with its version, the entries it comes from, and what is missing."""
        work = await writing.work(incident)
        return JSONResponse({name: value for name, value in work.items() if name != "filed"})

    @router.put(
        "/incidents/{incident}/postmortem/draft/{section}",
        responses={404: openapi.NO_INCIDENT, 409: openapi.problem("Somebody else wrote it meanwhile: `theirs`"), **openapi.WRITES},
        openapi_extra=openapi.takes(Saving, keyed=False),
    )
    async def save_draft(incident: str, section: str, request: Request) -> JSONResponse:
        """Save one section over the version that it was begun from. The record does not know of it until it is filed."""
        asked = saving(await json_object(request))
        version = await writing.save(incident, section, asked, writer(request, asked.by or door.user))
        return JSONResponse(told(version) | {"section": section})

    @router.get("/incidents/{incident}/postmortem/draft/{section}", responses=openapi.READS)
    async def show_versions(incident: str, section: str) -> JSONResponse:
        """Every version of one section, the newest first."""
        found: list[Version] = await writing.history(incident, section)
        return JSONResponse({"incident": incident, "section": section, "versions": [told(version) for version in found]})

    @router.get("/postmortems", responses={503: openapi.NOT_NOW})
    async def list_postmortems() -> JSONResponse:
        """Where every post-mortem stands: overdue, due, filed or waived, and who wrote at its draft last."""
        return JSONResponse({"postmortems": await standing(records, writing, datetime.now(UTC))})

    @router.get("/actions", responses={422: openapi.MISTAKEN, 503: openapi.NOT_NOW})
    async def list_actions(wanted: Annotated[Wanted, Query()]) -> JSONResponse:
        """The action items of all incidents: what is still to do first, by due date."""
        found = action_items(await records.everything(), datetime.now(UTC).date())
        chosen = [item for item in found if item["status"] == "open" or not wanted.open]
        return JSONResponse({"action_items": [item for item in chosen if wanted.owner in (None, item["owner"])]})

    @router.get("/duties", responses={422: openapi.MISTAKEN, 503: openapi.NOT_NOW})
    async def list_duties(asks: Annotated[Asks, Query()], request: Request) -> JSONResponse:
        """What is asked of one person over all incidents, late ones first; beside it what is late of others."""
        now = datetime.now(UTC)
        person = asks.person or _asker(request, door.user)
        found = await duties.of(person, await desk.listing(Filters(open=True)), now)
        return JSONResponse({"person": person, "duties": [{**duty._asdict(), "overdue": duty.overdue(now)} for duty in found]})

    @router.get("/analytics", responses={422: openapi.MISTAKEN, 503: openapi.NOT_NOW})
    async def show_analytics(asked: Annotated[Asked, Query()]) -> JSONResponse:
        """Times, promises kept, refusals and action items, with the incidents behind each number; drills left out."""
        return JSONResponse(await records.report(asked, datetime.now(UTC)))

    @router.get("/analytics.csv", response_class=PlainTextResponse, responses={422: openapi.MISTAKEN, 503: openapi.NOT_NOW})
    async def export_analytics(asked: Annotated[Asked, Query()]) -> Response:
        """One line an incident, times in seconds. No cell is a formula."""
        return csv_response(await records.report(asked, datetime.now(UTC)))

    return router


def csv_response(made: dict[str, Any]) -> Response:
    headers = {"Content-Disposition": 'attachment; filename="tocsin-incidents.csv"'}
    return Response(as_csv(made), media_type=CSV, headers=headers)


def saving(fields: dict[str, Any]) -> Saving:
    """Read what a save says.

    Raises:
        Invalid: for fields of the wrong shape.
    """
    try:
        return Saving.model_validate(fields)
    except ValidationError as error:
        raise Invalid(problems(error)) from error


def writer(request: Request, otherwise: str) -> str:
    """Who writes: whoever is signed in, and may file a post-mortem; else who the request says."""
    actor = getattr(request.state, "actor", None)
    if actor is None:
        return otherwise
    actor.need("file_postmortem")
    return str(actor.name) if actor.verified else otherwise


async def standing(records: Records, writing: Postmortems, now: datetime) -> list[dict[str, Any]]:
    """Every post-mortem that is or was owed, with the last hand at its draft."""
    begun = await writing.begun()
    rows = postmortems(await records.everything(), now)
    for row in rows:
        last = begun.get(row["incident"])
        row["draft"] = {"by": last.by, "at": told(last)["at"]} if last is not None else None
    return rows


def _asker(request: Request, otherwise: str) -> str:
    """Who asks: whoever is signed in, else the user of this machine."""
    actor = getattr(request.state, "actor", None)
    return str(actor.name) if actor is not None and actor.verified else otherwise
