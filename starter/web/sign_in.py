"""`/login` and what is below it: signing in and out, and personal tokens."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from incident.vocabulary import Access
from starter.identity import tokens
from starter.identity.actor import Actor
from starter.identity.arrangement import Arrangement
from starter.identity.limits import allow_try
from starter.identity.places import BESIDE, local
from starter.identity.provider import CALLBACK, OpenIdConnect
from starter.identity.proxy import client_address
from starter.identity.sessions import ATTEMPT_LASTS, LASTING, Cookies
from starter.identity.store import Store
from starter.problems import Invalid, Problem, SignInFailed, Unknown
from starter.web.forms import Form, form_of
from starter.web.rendering import page
from starter.web.standing import MEANS

log = structlog.get_logger()


def router(arrangement: Arrangement, store: Store | None) -> APIRouter:
    """The pages of signing in. `store` is None where nobody does."""
    router = APIRouter()
    router.include_router(_in_and_out(arrangement, store))
    if store is not None:
        router.include_router(_tokens(arrangement, store))
    return router


def _in_and_out(arrangement: Arrangement, store: Store | None) -> APIRouter:
    router = APIRouter()
    cookies = Cookies(arrangement.secure)
    provider = OpenIdConnect(arrangement, arrangement.provider, store) if arrangement.provider is not None and store is not None else None

    def login(request: Request, next_: str, status: int = 200, problem: Problem | None = None, signed_out: bool = False) -> HTMLResponse:
        signed_in: Actor | None = request.state.actor
        return page(
            request,
            "login.html",
            status=status,
            mode=arrangement.mode,
            signed_in=signed_in,
            means=MEANS,
            next=next_,
            start=f"/login/start?next={quote(next_, safe='/')}",
            problem=problem,
            public_url=arrangement.public_url,
            user_header=arrangement.headers.user if arrangement.headers is not None else "",
            signed_out=signed_out,
            beside="beside" in request.query_params or next_ == BESIDE,
        )

    @router.get("/login")
    async def show_login(request: Request) -> HTMLResponse:
        """Who is signed in, and how to sign in."""
        return login(request, local(request.query_params.get("next", "/")), signed_out="signed_out" in request.query_params)

    @router.get("/login/start")
    async def start(request: Request) -> Response:
        """Go to the provider. The page that was wanted is kept on this side."""
        if provider is None or store is None:
            raise Unknown("There is nothing to start here: see /login.")
        next_ = local(request.query_params.get("next", "/"))
        await allow_try(store, _address(arrangement, request))
        where, attempt = await provider.leave(request, next_)
        answer = RedirectResponse(where, status_code=303, headers={"Cache-Control": "no-store"})
        cookies.give(answer, cookies.attempt, attempt, ATTEMPT_LASTS)
        return answer

    @router.get(CALLBACK)
    async def callback(request: Request) -> Response:
        """Come back from the provider: a session begins, in the place of the one that was."""
        if provider is None or store is None:
            raise Unknown("There is nothing to come back to here: see /login.")
        await allow_try(store, _address(arrangement, request))
        brought = request.cookies.get(cookies.attempt)
        attempt = await store.take_attempt(brought) if brought else None
        next_ = attempt.next if attempt is not None else "/"
        try:
            name, groups = await provider.arrive(request, attempt)
            roles = arrangement.roles_of(groups)
            if not roles:
                log.warning("signed in without a role", name=name, groups=groups)
                raise SignInFailed(f"You are {name}, and none of your groups has a role here. An administrator maps them (TOCSIN_ROLES).")
        except SignInFailed as problem:
            log.warning("a sign-in failed", detail=problem.detail, address=_address(arrangement, request))
            answer: Response = login(request, next_, problem.status, problem)
            cookies.take(answer, cookies.attempt)
            return answer
        former = request.cookies.get(cookies.session)
        if former:
            await store.end_session(former)
        secret = await store.begin_session(name, roles, LASTING)
        log.info("signed in", name=name, roles=sorted(role.value for role in roles))
        answer = RedirectResponse(local(next_), status_code=303, headers={"Cache-Control": "no-store"})
        cookies.take(answer, cookies.attempt)
        cookies.give(answer, cookies.session, secret, LASTING)
        return answer

    @router.post("/logout")
    async def logout(request: Request) -> Response:
        """End the session on this side; the cookie that is left opens nothing, and the browser forgets what was typed and not sent."""
        secret = request.cookies.get(cookies.session)
        if secret and store is not None:
            await store.end_session(secret)
        answer = RedirectResponse("/login?signed_out=1", status_code=303, headers={"Clear-Site-Data": '"cache", "storage"'})
        cookies.take(answer, cookies.session)
        return answer

    return router


def _address(arrangement: Arrangement, request: Request) -> str:
    peer = request.client.host if request.client is not None else ""
    return client_address(arrangement, peer, request.headers)


def _tokens(arrangement: Arrangement, store: Store) -> APIRouter:
    router = APIRouter()

    async def shown(request: Request, status: int = 200, **more: Any) -> HTMLResponse:
        actor: Actor = request.state.actor
        manages = actor.may("manage_tokens_of_others")
        found = await tokens.listed(store, actor, everybody=manages)
        now = store.now()
        context: dict[str, Any] = {"secret": None, "made": None, "problems": {}, "typed": Form([])}
        context |= {
            "tokens": [tokens.row(token, now) for token in found],
            "own": [role.value for role in Access if role in actor.roles],
            "manages": manages,
            "days": tokens.DAYS,
            "most_days": tokens.MOST_DAYS,
            "public_url": arrangement.public_url or str(request.base_url).rstrip("/"),
        }
        return page(request, "tokens.html", status=status, **{**context, **more})

    @router.get("/login/tokens")
    async def show_tokens(request: Request) -> HTMLResponse:
        """One's personal tokens; everybody's, for an administrator."""
        return await shown(request)

    @router.post("/login/tokens")
    async def create_token(request: Request) -> HTMLResponse:
        """Make a token, and show it this once: it is not kept, so there is nothing to redirect to."""
        form = await form_of(request)
        days = form.text("days", str(tokens.DAYS))
        fields: dict[str, Any] = {"label": form.text("label"), "days": int(days) if days.isdecimal() and len(days) < 6 else days}
        if "roles" in form:
            fields["roles"] = list(form["roles"])
        try:
            token, secret = await tokens.create(store, request.state.actor, fields)
        except Invalid as problem:
            found = {error["field"]: error["message"] for error in problem.errors}
            return await shown(request, problem.status, problems=found, typed=form)
        return await shown(request, 201, secret=secret, made=tokens.row(token, store.now()))

    @router.post("/login/tokens/{token}/revoke")
    async def revoke_token(token: str, request: Request) -> Response:
        await tokens.revoke(store, request.state.actor, token)
        return RedirectResponse("/login/tokens", status_code=303)

    return router
