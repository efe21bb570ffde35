"""What stands around every page: static files, the settings of the frame, the list of the HTTP interface, and problems."""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from starter.problems import Problem, Unknown
from starter.web.forms import form_of
from starter.web.rendering import KEYS_COOKIE, THEME_COOKIE, THEMES, asset, page

FOR_EVER = "public, max-age=31536000, immutable"
A_YEAR = 365 * 24 * 3600

NOT_PAGES = ("/api/", "/webhooks/", "/openapi.json", "/metrics", "/healthz", "/readyz")


def router() -> APIRouter:
    router = APIRouter()

    @router.get("/static/{version}/{name:path}")
    async def show_static(version: str, name: str, request: Request) -> Response:
        """A static file. One that is asked for by another version's address must not be kept under it."""
        found = asset(name)
        if found is None:
            raise Unknown(f"There is no static file {name[:60]!r}.")
        zipped = "gzip" in request.headers.get("accept-encoding", "")
        headers = {"Cache-Control": FOR_EVER if version == found.version else "no-cache", "Vary": "Accept-Encoding"}
        if zipped:
            headers["Content-Encoding"] = "gzip"
        return Response(found.zipped if zipped else found.body, media_type=found.media_type, headers=headers)

    @router.post("/preferences")
    async def keep_preferences(request: Request) -> Response:
        """Keep how somebody likes the pages: `theme` light, dark or as the system has it; `keys` on or off."""
        form = await form_of(request)
        answer = RedirectResponse(back(request), status_code=303)
        for name, cookie, allowed in (("theme", THEME_COOKIE, THEMES), ("keys", KEYS_COOKIE, ("off",))):
            if name not in form:
                continue
            if form.text(name) in allowed:
                answer.set_cookie(cookie, form.text(name), max_age=A_YEAR, samesite="lax", path="/")
            else:
                answer.delete_cookie(cookie, path="/")
        return answer

    return router


def back(request: Request) -> str:
    """The page of this door that the request came from; home where that is not known."""
    came_from = urlsplit(request.headers.get("referer", ""))
    if came_from.netloc != request.headers.get("host", ""):
        return "/"
    path = "/" + came_from.path.lstrip("/")
    return f"{path}?{came_from.query}" if came_from.query else path


def wants_page(request: Request) -> bool:
    """Whether a problem of this request is read by a person."""
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith(NOT_PAGES)


def problem_page(request: Request, problem: Problem) -> HTMLResponse:
    """The page that tells of a problem, in the words of every other door."""
    answer = page(request, "problem.html", status=problem.status, problem=problem.document(), said=problem.people)
    answer.headers.update(problem.headers)
    return answer
