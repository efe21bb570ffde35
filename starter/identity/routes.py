"""`/api/v1/whoami` and `/api/v1/tokens`: what the command line asks about who it is."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from incident.vocabulary import Access
from starter import openapi
from starter.bodies import json_object
from starter.identity import tokens
from starter.identity.actor import Actor
from starter.identity.arrangement import Arrangement
from starter.identity.store import Store
from starter.problems import Forbidden

NOBODY_SIGNS_IN = "Nobody signs in on this machine, so there are no tokens: the command line needs none here."


class Which(BaseModel):
    model_config = ConfigDict(extra="forbid")

    all: Annotated[bool, Query(description="everybody's; for administrators")] = False


class Me(BaseModel):
    """Who acts in this request."""

    name: str
    roles: list[Access]
    via: str
    mode: str
    signed_in: bool
    until: str | None = Field(description="when the session or the token ends")


def router(prefix: str, arrangement: Arrangement, store: Store | None) -> APIRouter:
    router = APIRouter(prefix=prefix, tags=["identity"])

    @router.get("/whoami", responses={200: {"model": Me}, 401: openapi.SIGN_IN})
    async def who_am_i(request: Request) -> JSONResponse:
        """Who acts in this request, with which roles, through which door."""
        actor: Actor = request.state.actor
        found: dict[str, Any] = {
            "name": actor.name,
            "roles": sorted(actor.roles),
            "via": actor.door.value,
            "mode": arrangement.mode,
            "signed_in": actor.verified,
            "until": actor.until.isoformat(timespec="seconds").replace("+00:00", "Z") if actor.until is not None else None,
        }
        return JSONResponse(found)

    @router.get("/tokens", responses={401: openapi.SIGN_IN, 403: openapi.FORBIDDEN, 422: openapi.MISTAKEN})
    async def list_tokens(request: Request, which: Annotated[Which, Query()]) -> JSONResponse:
        """One's personal tokens, newest first, without what opens."""
        kept = _kept(store)
        found = await tokens.listed(kept, request.state.actor, everybody=which.all)
        return JSONResponse({"tokens": [tokens.row(token, kept.now()) for token in found]})

    @router.post("/tokens", status_code=201, responses=openapi.WRITES, openapi_extra=openapi.takes(openapi.NewToken, keyed=False))
    async def create_token(request: Request) -> JSONResponse:
        """Make a personal token. `token` is what to send as `Authorization: Bearer`; it is told now and never again."""
        kept = _kept(store)
        token, secret = await tokens.create(kept, request.state.actor, await json_object(request))
        return JSONResponse({**tokens.row(token, kept.now()), "token": secret}, status_code=201, headers={"Cache-Control": "no-store"})

    @router.delete("/tokens/{token}", responses={401: openapi.SIGN_IN, 403: openapi.FORBIDDEN, 404: openapi.problem("No such token")})
    async def revoke_token(token: str, request: Request) -> JSONResponse:
        """Revoke one of one's tokens, or, as an administrator, anybody's. Again changes nothing."""
        kept = _kept(store)
        found = await tokens.revoke(kept, request.state.actor, token)
        return JSONResponse(tokens.row(found, kept.now()))

    return router


def _kept(store: Store | None) -> Store:
    if store is None:
        raise Forbidden(NOBODY_SIGNS_IN)
    return store
