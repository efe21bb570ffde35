"""`/actions`: the action items of all incidents, the overdue ones first."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict

from incident.analytics import action_items
from starter.analytics import Records
from starter.desk import Desk
from starter.problems import Invalid, Problem, Refused, Unavailable
from starter.web.forms import form_of
from starter.web.rendering import page, who


class Shown(BaseModel):
    """Which items the page shows; every filter stands in its address."""

    model_config = ConfigDict(extra="ignore")

    show: str = "open"
    owner: str = ""

    def address(self) -> str:
        said = {name: value for name, value in self.model_dump().items() if value and value != "open"}
        return "/actions" + (f"?{urlencode(said)}" if said else "")


def router(desk: Desk, records: Records) -> APIRouter:
    router = APIRouter()

    @router.get("/actions")
    async def list_actions(request: Request, shown: Annotated[Shown, Query()]) -> HTMLResponse:
        return await rendered(request, shown, None)

    @router.post("/actions")
    async def complete(request: Request, shown: Annotated[Shown, Query()]) -> Response:
        """Say that one item is done; then the same list again."""
        form = await form_of(request)
        try:
            answer = await desk.command(form.text("incident"), "complete_action_item", {"by": who(request), "id": form.text("id")})
            if not answer["accepted"]:
                raise Refused(answer)
        except (Refused, Invalid, Unavailable) as problem:
            return await rendered(request, shown, problem)
        return RedirectResponse(shown.address(), status_code=303)

    async def rendered(request: Request, shown: Shown, problem: Problem | None) -> HTMLResponse:
        found = action_items(await records.everything(), datetime.now(UTC).date())
        pending = [item for item in found if item["status"] == "open"]
        chosen = pending if shown.show == "open" else [item for item in pending if item["overdue"]] if shown.show == "overdue" else found
        return page(
            request,
            "actions.html",
            status=problem.status if problem is not None else 200,
            items=[item for item in chosen if not shown.owner or item["owner"] == shown.owner],
            open=len(pending),
            overdue=sum(item["overdue"] for item in pending),
            total=len(found),
            owners=sorted({item["owner"] for item in found}),
            shown=shown,
            here=shown.address(),
            problem=problem.document() if problem is not None else None,
        )

    return router
