"""What was told outside, and which channels wait, over HTTP. What is done about one delivery are verbs like all others (`api`)."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from incident import deliveries
from incident.channels import PauseChannel, ResumeChannel
from incident.events import Event
from starter import openapi
from starter.bodies import json_object, key_of
from starter.channels import ChannelDesk
from starter.desk import Desk
from starter.problems import Refused

PREFIX = "/api/v1"

CHANGED: openapi.Responses = {409: openapi.problem("It is refused, with what to do instead"), **openapi.WRITES}


def router(desk: Desk, channels: ChannelDesk) -> APIRouter:
    router = APIRouter(prefix=PREFIX, tags=["deliveries"])

    @router.get("/incidents/{incident}/deliveries", responses=openapi.READS)
    async def show_deliveries(incident: str) -> JSONResponse:
        """Everything that was or is to be told outside: `waiting` in order, `refused`, and all that is `settled`, the newest last."""
        return JSONResponse({"incident": incident, **await whole(desk, incident)})

    @router.get("/channels", responses={401: openapi.SIGN_IN, 503: openapi.NOT_NOW})
    async def list_channels() -> JSONResponse:
        """The channels that people have told to wait."""
        return JSONResponse({"channels": await channels.listed()})

    @router.post("/channels/{port}/pause", responses=CHANGED, openapi_extra=openapi.takes(PauseChannel))
    async def pause_channel(port: str, request: Request) -> JSONResponse:
        """Have an outside system's queue wait, for its vendor's outage; after `minutes` it ends by itself."""
        fields = await json_object(request)
        return _answered(await channels.pause({**fields, "port": port}, key_of(request, fields)))

    @router.post("/channels/{port}/resume", responses=CHANGED, openapi_extra=openapi.takes(ResumeChannel))
    async def resume_channel(port: str, request: Request) -> JSONResponse:
        """Let all that waited go out again, in order, but for what is out of date."""
        fields = await json_object(request)
        return _answered(await channels.resume({**fields, "port": port}, key_of(request, fields)))

    return router


def _answered(answer: dict[str, Any]) -> JSONResponse:
    if not answer["accepted"]:
        raise Refused(answer)
    return JSONResponse(answer)


async def whole(desk: Desk, incident: str) -> dict[str, Any]:
    """How every delivery stands: by the state, and for what that carries no more, by the timeline."""
    state = await desk.state(incident)
    told: dict[str, Any] = state["deliveries"]
    carried = told.get("settled", [])
    known = {(each["key"], each["at"]) for each in carried}
    entries = [Event.model_validate(entry) for entry in await desk.timeline(incident)]
    earlier = [each for each in deliveries.told(incident, entries) if (each["key"], each["at"]) not in known]
    return {**told, "settled": [*earlier, *carried]}
