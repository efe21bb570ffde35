"""What the public will read, before it does: an external update on the public page, drawn by that page's own templates.

The core decides and publishes it as it would if it were posted now; the page is the one that stands there, with that publication
on it. So the preview can't say anything else than the page will.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse
from markupsafe import Markup

from incident.commands import LINE_LIMIT, PostUpdate
from incident.effects import Publish
from incident.model import Incident
from incident.previewing import publication
from incident.refusals import Refusal
from incident.vocabulary import Audience
from integrations.statuspage.foretold import foretold
from integrations.statuspage.published import Layout, PublicIncident, PublicPage
from starter import openapi
from starter.bodies import json_object
from starter.desk import Desk
from starter.problems import Problem, Unknown
from starter.web.forms import form_of
from starter.web.rendering import fragment, who
from starter.web.status_page import IN_THE_DOOR, PublicSite, Unread
from starter.web.status_views import View
from starter.web.writing import Writers
from starter.wording import Wording, wording

if TYPE_CHECKING:
    from starter.api import Door

NOTHING_YET = "…"
"""What stands for the text while none is typed."""


@dataclass(frozen=True)
class Preview:
    """What the page would be, or why it would not."""

    incident: Incident
    page: PublicPage
    layout: Layout
    outcome: Publish | Refusal

    @property
    def view(self) -> View:
        return View(self.page, self.layout, IN_THE_DOOR)

    @property
    def shown(self) -> PublicIncident | None:
        return next((one for one in (*self.page.current, *self.page.past) if one.incident == self.incident.id), None)

    def html(self) -> Markup:
        """The part of the first page that is about this incident."""
        return self.view.about(self.shown) if self.shown is not None else Markup("")

    def told(self) -> dict[str, Any]:
        """The same for programs."""
        reaches = isinstance(self.outcome, Publish) and not self.incident.drill
        told: dict[str, Any] = {"incident": self.incident.id, "reaches_the_public": reaches, "drill": self.incident.drill}
        if isinstance(self.outcome, Refusal):
            return {**told, "refusal": self.outcome.model_dump(mode="json", exclude_none=True)}
        shown = self.shown
        if shown is None:
            return told
        update = shown.updates[0]
        states = {component.name: component.state for component in self.page.components}
        return {
            **told,
            "headline": self.view.headline,
            "title": shown.title,
            "components": [{"name": name, "status": states.get(name)} for name in shown.components],
            **update.model_dump(mode="json", include={"status", "text", "next_update_by"}),
        }


class Previewing:
    """Makes previews. Without a page of its own, what another one was told before is not known, and not shown."""

    def __init__(self, desk: Desk, site: PublicSite | None, writers: Writers | None = None) -> None:
        self._desk = desk
        self._site = site
        self.writers = writers or Writers()

    async def look(self, incident: str, said: Wording, by: str) -> Preview:
        """Look ahead.

        Raises:
            Unavailable: the incident can't be asked now.
        """
        known = Incident.model_validate(await self._desk.model(incident))
        now = datetime.now(UTC)
        update = PostUpdate(by=by[:LINE_LIMIT] or "somebody", audience=Audience.EXTERNAL, text=said.text, status=said.status)
        outcome = publication(known, update, now)
        layout = self._site.layout if self._site is not None else Layout()
        page = await self._page(now)
        if isinstance(outcome, Publish):
            page = foretold(page, layout, known.id, outcome, now)
        return Preview(known, page, layout, outcome)

    async def _page(self, now: datetime) -> PublicPage:
        nothing = PublicPage(at=now, current=(), past=(), components=())
        if self._site is None:
            return nothing
        try:
            return await self._site.page()
        except Unread:
            return nothing

    async def drawn(self, request: Request, incident: str, text: str, status: str) -> Markup:
        """The preview as a part of a page; what stands in its way, in words.

        Raises:
            Unknown: nobody has such an incident, or this one may not be seen.
        """
        try:
            said = wording({"text": text.strip() or NOTHING_YET, **({"status": status} if status else {})})
            preview, problem = await self.look(incident, said, who(request)), ""
            if text.strip() and isinstance(preview.outcome, Publish):
                self.writers.writes(incident, who(request))
        except Unknown:
            raise
        except Problem as error:
            preview, problem = None, error.detail
        return Markup(fragment(request, "room/preview.html", preview=preview, problem=problem))


def router(previewing: Previewing) -> APIRouter:
    router = APIRouter()

    @router.post("/incidents/{incident}/preview")
    async def show_preview(incident: str, request: Request) -> HTMLResponse:
        """What the public would read of what is typed now. Nothing is posted."""
        form = await form_of(request)
        drawn = await previewing.drawn(request, incident, form.text("text"), form.text("status"))
        return HTMLResponse(drawn, headers={"Cache-Control": "no-store"})

    return router


def api(desk: Desk, door: Door, prefix: str) -> APIRouter:
    router = APIRouter(prefix=prefix, tags=["reading"])
    previewing = Previewing(desk, door.public)

    @router.post(
        "/incidents/{incident}/preview",
        responses={404: openapi.NO_INCIDENT, **openapi.WRITES},
        openapi_extra=openapi.takes(Wording, keyed=False),
    )
    async def preview(incident: str, request: Request) -> JSONResponse:
        """What the public would read if this were posted now as an external update, or why it would be refused. Nothing is posted."""
        said = wording(await json_object(request))
        return JSONResponse((await previewing.look(incident, said, said.by or door.user)).told())

    return router
