"""`/status`: the public page, its JSON and its feed.

It takes what was published and a moment, and gives the same bytes to everybody: no sign-in, no cookie, no query to
Temporal. The publications are read at most once in a few seconds, however many ask; pages are rendered when something
has changed, and kept. Where the publications can't be read, what was read last is shown.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import NamedTuple, Protocol

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic_core import to_json

from integrations.errors import IntegrationError
from integrations.statuspage.published import Layout, PublicIncident, PublicPage
from starter.problems import Unknown
from starter.web.rendering import asset, static
from starter.web.status_feeds import Machines
from starter.web.status_views import Places, View, public_id, version_of

log = structlog.get_logger()

FRESH = timedelta(seconds=2)
"""How old what is shown may be: an update is there within 5 s, and ten thousand readers a second cost one reading."""

MAX_AGE = 2
"""Seconds for which a browser or a cache on the way may keep a page."""

HTML, JSON, RSS = "text/html; charset=utf-8", "application/json", "application/rss+xml; charset=utf-8"
ATOM = "application/atom+xml; charset=utf-8"


class Published(Protocol):
    """Where the publications are read."""

    async def public_page(self, remembered: timedelta | None = None) -> PublicPage: ...


class Kept(NamedTuple):
    """One answer as it is sent."""

    body: bytes
    media_type: str
    etag: str
    status: int = 200


class PublicSite:
    """All pages of the public site, rendered as they are asked for. `url` is where the public finds it."""

    def __init__(
        self, published: Published, layout: Layout | None = None, *, url: str = "", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._published = published
        self.layout = layout or Layout()
        self._url = self.layout.url or url
        self._clock = clock
        self._reading = asyncio.Lock()
        self._read_at: float | None = None
        self._page: PublicPage | None = None
        self._version = ""
        self._kept: dict[str, Kept] = {}

    async def page(self) -> PublicPage:
        """What stands on the page now.

        Raises:
            Unread: nothing could be read since the start.
        """
        return await self._current()

    async def answer(self, place: str) -> Kept:
        """The page at a place below the site; a page that says so where there is none."""
        page = await self._current()
        kept = self._kept.get(place)
        if kept is None:
            made = self._made(place, page)
            if made is None:
                return self.missing(page)
            kept = self._kept[place] = made
        return kept

    async def files(self) -> dict[str, bytes]:
        """The whole site as files that any web server can show: every page, document and feed by its path."""
        page = await self._current()
        view = View(page, self.layout, _in_a_folder(0))
        found = {"index.html": view.index().encode()}
        deeper = View(page, self.layout, _in_a_folder(1))
        found["history/index.html"] = deeper.history(page.at.year).encode()
        deepest = View(page, self.layout, _in_a_folder(2))
        for year in view.years:
            found[f"history/{year}/index.html"] = deepest.history(year).encode()
        for incident in (*page.current, *page.past):
            found[f"incidents/{public_id(incident.incident)}/index.html"] = deepest.incident(incident).encode()
        machines = self._machines(page)
        found |= {f"api/v2/{name}": to_json(document) for name, document in machines.documents().items()}
        found |= {"feed.rss": machines.feed(), "feed.atom": machines.atom()}
        for name in ("status.css", "status.js", "icon.svg"):
            kept = asset(name)
            if kept is not None:
                found[name] = kept.body
        return found

    def missing(self, page: PublicPage) -> Kept:
        body = View(page, self.layout, IN_THE_DOOR).missing("Nothing here", "There is no such page, or it is not there any more.")
        return _kept(body.encode(), HTML, status=404)

    def _machines(self, page: PublicPage) -> Machines:
        return Machines(page, self.layout, self._url)

    def _made(self, place: str, page: PublicPage) -> Kept | None:
        view = View(page, self.layout, IN_THE_DOOR)
        kind, _, name = place.partition("/")
        match kind, name:
            case "", "":
                return _kept(view.index().encode(), HTML)
            case "history", "":
                return _kept(view.history(page.at.year).encode(), HTML)
            case "history", year if year in {str(one) for one in view.years}:
                return _kept(view.history(int(year)).encode(), HTML)
            case "incidents", id if (incident := _found(page, id)) is not None:
                return _kept(view.incident(incident).encode(), HTML)
            case "feed.rss", "":
                return _kept(self._machines(page).feed(), RSS)
            case "feed.atom", "":
                return _kept(self._machines(page).atom(), ATOM)
            case "api", document if (found := self._machines(page).documents().get(document.removeprefix("v2/"))) is not None:
                return _kept(to_json(found), JSON)
        return None

    async def _current(self) -> PublicPage:
        """The publications, read anew where they are older than `FRESH`; by one reader, for all who wait."""
        async with self._reading:
            now = self._clock()
            if self._page is None or self._read_at is None or now - self._read_at >= FRESH.total_seconds():
                await self._read()
                self._read_at = now
            if self._page is None:
                raise Unread
            return self._page

    async def _read(self) -> None:
        try:
            page = await self._published.public_page(remembered=None)
        except IntegrationError as error:
            log.warning("the public page shows what was published last", cause=str(error))
            return
        version = version_of(page)
        if version != self._version:
            self._kept.clear()
            self._version = version
        self._page = page


class Unread(Exception):
    """Nothing could be read since the start, so nothing can be said."""


def _found(page: PublicPage, id: str) -> PublicIncident | None:
    return next((incident for incident in (*page.current, *page.past) if public_id(incident.incident) == id), None)


def _kept(body: bytes, media_type: str, *, status: int = 200) -> Kept:
    return Kept(body, media_type, f'"{hashlib.sha256(body).hexdigest()[:20]}"', status)


IN_THE_DOOR = Places(to=lambda place: f"/status/{place}".rstrip("/"), file=static)


def _in_a_folder(depth: int) -> Places:
    """Addresses from `depth` folders down in the exported site."""
    up = "../" * depth or "./"

    def to(place: str) -> str:
        return f"{up}{place}" if not place or "." in place.rpartition("/")[2] else f"{up}{place}/"

    return Places(to=to, file=lambda name: f"{up}{name}")


UNREADABLE = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Status unknown</title>
<noscript><meta http-equiv="refresh" content="60"></noscript>
<link rel="stylesheet" href="{IN_THE_DOOR.file("status.css")}">
<script src="{IN_THE_DOOR.file("status.js")}" defer></script>
</head>
<body>
<main data-version="unread"><h1>The status can't be shown right now</h1>
<p>This page itself has trouble. It looks again by itself; you can also try again in a minute.</p></main>
<footer><span id="zone">All times are UTC.</span></footer>
</body>
</html>""".encode()
"""It brings the script of the page that can't be shown, which puts that in its place as soon as it can be."""


def router(site: PublicSite | None) -> APIRouter:
    """The public addresses. Without a site of its own, this installation publishes elsewhere, and says so."""
    router = APIRouter()

    async def show(request: Request, place: str) -> Response:
        if site is None:
            raise Unknown("Nothing is published from here: this installation tells another status page.")
        try:
            kept = await site.answer(place)
        except Unread:
            return Response(UNREADABLE, 503, media_type=HTML, headers={"Retry-After": "30", "Cache-Control": "no-store"})
        headers = {
            "ETag": kept.etag,
            "Cache-Control": f"public, max-age={MAX_AGE}" if kept.status == 200 else "no-store",
            # Monitors and other people's pages read it from the browser; there is nothing in it that is not public.
            "Access-Control-Allow-Origin": "*",
        }
        if kept.status == 200 and kept.etag in _named(request.headers.get("if-none-match", "")):
            return Response(status_code=304, headers=headers)
        return Response(kept.body, kept.status, media_type=kept.media_type, headers=headers)

    def at(place: str) -> Callable[[Request], Awaitable[Response]]:
        async def shown(request: Request) -> Response:
            return await show(request, place)

        return shown

    router.add_api_route("/status", at(""), methods=["GET", "HEAD"])

    @router.api_route("/status/{place:path}", methods=["GET", "HEAD"])
    async def show_place(place: str, request: Request) -> Response:
        return await show(request, place.rstrip("/"))

    return router


def _named(header: str) -> set[str]:
    """The tags of an If-None-Match header, without their mark of weakness."""
    return {tag.strip().removeprefix("W/") for tag in header.split(",")}
