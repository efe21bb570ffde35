"""`/channels`: outside systems whose queue people have told to wait; pause one, resume one."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from incident.channels import AN_HOUR, PAUSABLE
from starter.channels import ChannelDesk
from starter.mistakes import by_field
from starter.problems import Invalid, Problem, Refused, Unavailable
from starter.web.forms import form_of
from starter.web.rendering import page, who

LABELS = {"port": "Which", "minutes": "For how many minutes", "reason": "Why"}


def router(channels: ChannelDesk) -> APIRouter:
    router = APIRouter()

    @router.get("/channels")
    async def show_channels(request: Request) -> HTMLResponse:
        return await rendered(request, {}, None)

    @router.post("/channels")
    async def change(request: Request) -> Response:
        """Pause or resume one, by which button was pressed; then the same page again."""
        form = await form_of(request)
        typed = {name: form.text(name) for name in ("port", "reason", "minutes") if form.text(name).strip()}
        asked: dict[str, Any] = {"by": who(request), **typed}
        key = form.text("key") or None
        try:
            resuming = form.text("do") == "resume"
            answer = await (
                channels.resume({"by": asked["by"], "port": asked.get("port")}, key) if resuming else channels.pause(asked, key)
            )
            if not answer["accepted"]:
                raise Refused(answer)
        except (Refused, Invalid, Unavailable) as problem:
            return await rendered(request, typed, problem)
        return RedirectResponse("/channels", status_code=303)

    async def rendered(request: Request, typed: dict[str, str], problem: Problem | None) -> HTMLResponse:
        return page(
            request,
            "channels.html",
            status=problem.status if problem is not None else 200,
            paused=[] if isinstance(problem, Unavailable) else await channels.listed(),
            unknown=isinstance(problem, Unavailable),
            errors=by_field(problem.errors, LABELS) if isinstance(problem, Invalid) else {},
            labels=LABELS,
            ports=sorted(port.value for port in PAUSABLE),
            typed=typed,
            minutes=AN_HOUR,
            problem=problem.document() if problem is not None else None,
        )

    return router
