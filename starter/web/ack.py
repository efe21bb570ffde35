"""`/ack/TOKEN`: acknowledge from a page that came by mail, without signing in.

The token says who was paged for what, and is the whole permission: it lets its holder acknowledge this one incident, in that
person's name, and nothing else. Opening the page changes nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from incident.vocabulary import Access, Via
from integrations.paging.links import AckLinks, LinkExpired, LinkInvalid, Paged
from starter import privacy
from starter.desk import Desk
from starter.identity.actor import Actor, acting, as_a_name
from starter.problems import Problem
from starter.web.rendering import page

HEADERS = {"Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"}
"""The address itself opens something: it is told to nobody else."""


def router(desk: Desk, links: AckLinks | None) -> APIRouter:
    """The page of each link; none where this door knows no key."""
    router = APIRouter()
    if links is None:
        return router

    def show(request: Request, status: int, **more: Any) -> HTMLResponse:
        context: dict[str, Any] = {"paged": None, "done": False, "problem": None, **more}
        answer = page(request, "ack.html", status=status, **context)
        answer.headers.update(HEADERS)
        return answer

    def read(token: str) -> Paged | tuple[int, str]:
        try:
            paged = links.read(token, datetime.now(UTC))
        except LinkExpired:
            return 410, "This link was good for a day, and that is over. Acknowledge in the incident's room, or: tocsin ack"
        except LinkInvalid:
            return 404, "This link is not one of ours, or a part of it is missing. Copy the whole of it from the mail."
        if as_a_name(paged.person) is None:
            return 404, "This link names nobody who could acknowledge."
        return paged

    @router.get("/ack/{token}")
    async def show_ack(token: str, request: Request) -> HTMLResponse:
        """Ask whether to acknowledge. Mail scanners open links, so that alone does nothing."""
        paged = read(token)
        return show(request, paged[0], problem=paged[1]) if isinstance(paged, tuple) else show(request, 200, paged=paged)

    @router.post("/ack/{token}")
    async def acknowledge(token: str, request: Request) -> HTMLResponse:
        """Acknowledge, once a page however often it is pressed."""
        paged = read(token)
        if isinstance(paged, tuple):
            return show(request, paged[0], problem=paged[1])
        actor = Actor(paged.person, frozenset({Access.RESPONDER}), Via.LINK)
        try:
            with acting(actor), privacy.looking(privacy.EVERYBODY):
                answer = await desk.command(paged.incident, "acknowledge", {"by": paged.person}, f"ack:{paged.key}")
        except Problem as problem:
            return show(request, problem.status, paged=paged, problem=f"{problem.title}. {problem.detail}")
        if not answer["accepted"]:
            return show(request, 409, paged=paged, problem=answer["refusal"]["message"])
        return show(request, 200, paged=paged, done=True)

    return router
