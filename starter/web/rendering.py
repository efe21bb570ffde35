"""Templates and what all of them may use: the person, the moment, static files, and how times are written.

Everything that enters a template is escaped, and a name that nobody gave is an error instead of nothing. What would turn a text's
direction is shown instead.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from incident import clocks
from incident.durations import lasted, roughly
from incident.invisible import shown
from incident.telling import told
from incident.vocabulary import Dismissal, Phase
from starter.desk import fresh_key
from starter.web.headers import FOR_PAGES
from starter.web.standing import lacking, standing

HERE = Path(__file__).parent
TEMPLATES = HERE / "templates"
STATIC = HERE / "static"

THEME_COOKIE = "tocsin_theme"
KEYS_COOKIE = "tocsin_keys"
THEMES = ("light", "dark")

WORTH_ZIPPING = 1_000
"""Bytes. A phone on a bad line waits for each packet; a smaller page fits into one anyway."""

NAVIGATION = (("Incidents", "/"), ("Post-mortems", "/postmortems"), ("Actions", "/actions"), ("Analytics", "/analytics"))
"""What the frame links to, as far as this door has it."""


class Who(Protocol):
    """Who acts: `starter.identity.Actor` where people sign in."""

    @property
    def name(self) -> str: ...


class Local(NamedTuple):
    """Who acts where nobody signs in; with the door `none`, somebody who has not signed in where people do."""

    name: str
    roles: frozenset[str] = frozenset()
    door: str = "web"


def actor_of(request: Request) -> Who:
    """Who acts in this request: whoever is signed in, else the user of this machine."""
    if not hasattr(request.state, "actor"):
        return Local(str(request.app.state.door.user))
    actor: Who | None = request.state.actor
    return actor if actor is not None else Local("not signed in", door="none")


def who(request: Request) -> str:
    """The name under which a command of this request is recorded."""
    return actor_of(request).name


def page(request: Request, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """Render a whole page.

    It brings its own security headers: the answer to a mistake of ours is sent from outside the middleware.
    """
    body = fragment(request, template, **context).encode()
    headers = {**FOR_PAGES, "Cache-Control": "no-store", "Vary": "Accept-Encoding, Cookie"}
    if len(body) > WORTH_ZIPPING and "gzip" in request.headers.get("accept-encoding", ""):
        body = gzip.compress(body, 5, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return HTMLResponse(body, status_code=status, headers=headers)


def fragment(request: Request, template: str, **context: Any) -> str:
    """Render a template to text, with what all of them may use."""
    theme = request.cookies.get(THEME_COOKIE)
    mode = request.app.state.door.signing_in.mode
    common = {
        "request": request,
        "actor": actor_of(request),
        "now": datetime.now(UTC),
        "theme": theme if theme in THEMES else None,
        "keys_off": request.cookies.get(KEYS_COOKIE) == "off",
        "path": request.url.path,
        "navigation": navigation(request),
        "signs_in": mode != "dev",
        "sessions": mode == "oidc",
    }
    return environment().get_template(template).render({**common, **context})


def navigation(request: Request) -> list[tuple[str, str]]:
    """The entries whose pages this door has; found out once."""
    state = request.app.state
    if not hasattr(state, "navigation"):
        paths = set(_paths(request.app.routes))
        state.navigation = [(label, path) for label, path in NAVIGATION if path in paths]
    found: list[tuple[str, str]] = state.navigation
    return found


def _paths(routes: Any) -> list[str]:
    """The addresses of all routes, those of included routers among them."""
    found: list[str] = []
    for route in routes:
        path = getattr(route, "path", None)
        if isinstance(path, str):
            found.append(path)
        inner = getattr(getattr(route, "original_router", None), "routes", None) or getattr(route, "routes", None)
        if inner:
            found += _paths(inner)
    return found


@lru_cache(maxsize=1)
def environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=readable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(utc=utc, span=span, lasted=lasted, iso=iso, moment=moment, words=words, clock_label=clocks.label, typed=typed)
    made.filters.update(phase_label=phase_label, outcome_label=outcome_label, told=told, roughly=roughly)
    made.filters.update(in_words=_in_words)
    made.globals.update(static=static, fresh_key=fresh_key, standing=standing, lacking=lacking)
    return made


def _in_words(sentence: str) -> str:
    """A sentence of the core where buttons stand beside it: without the names of commands."""
    from starter.web.ways import plain  # it needs the forms, whose module needs this one

    return plain(sentence)


def readable(value: Any) -> Any:
    """What a template writes: characters that turn the direction of a text stand there by their number, so that nobody is misled."""
    return shown(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def typed(value: str) -> Markup:
    """What somebody typed, for the box in which they go on typing: as it is, since it comes back as it stands there."""
    return escape(value)


class Asset(NamedTuple):
    """One static file as it is sent."""

    body: bytes
    zipped: bytes
    media_type: str
    version: str


@lru_cache(maxsize=64)
def asset(name: str) -> Asset | None:
    """A static file by its name; None where there is none, and for whatever leads out of the folder."""
    path = (STATIC / name).resolve()
    if not path.is_relative_to(STATIC) or not path.is_file():
        return None
    body = path.read_bytes()
    media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return Asset(body, gzip.compress(body, 9, mtime=0), media_type, hashlib.sha256(body).hexdigest()[:12])


def static(name: str) -> str:
    """The address of a static file; it changes with the content, so that browsers may keep it for ever.

    Raises:
        LookupError: there is no such file; a template's mistake.
    """
    found = asset(name)
    if found is None:
        raise LookupError(f"there is no static file {name!r}")
    return f"/static/{found.version}/{name}"


def moment(value: datetime | str) -> datetime:
    """A moment from its ISO form, in UTC."""
    return (datetime.fromisoformat(value) if isinstance(value, str) else value).astimezone(UTC)


def utc(value: datetime | str, now: datetime | None = None, *, seconds: bool = False) -> str:
    """`02:35 UTC`, with the date where that is not today's."""
    at = moment(value)
    today = (now or datetime.now(UTC)).date()
    clock = f"{at:%H:%M:%S}" if seconds else f"{at:%H:%M}"
    if at.date() == today:
        return f"{clock} UTC"
    day = f"{at.day} {at:%b}" + ("" if at.year == today.year else f" {at.year}")
    return f"{day} {clock} UTC"


def span(value: timedelta | float) -> str:
    """How long: `5:00`, `1 h 12`, `2 d 4 h`; never negative, the words around it say late or left."""
    seconds = round(abs(value.total_seconds() if isinstance(value, timedelta) else value))
    if seconds < 3600:
        return f"{seconds // 60}:{seconds % 60:02d}"
    minutes = seconds // 60
    if minutes < 24 * 60:
        return f"{minutes // 60} h {minutes % 60:02d}"
    hours = minutes // 60
    return f"{hours // 24} d {hours % 24} h"


def iso(value: datetime | str) -> str:
    """The moment as machines read it."""
    return moment(value).isoformat().replace("+00:00", "Z")


def words(value: str) -> str:
    """`feature_disable` as people say it."""
    return value.replace("_", " ")


def phase_label(value: str) -> str:
    return Phase(value).label


OUTCOMES = {
    "resolved": "Resolved and closed",
    Dismissal.FALSE_ALARM.value: "Dismissed: false alarm",
    Dismissal.DUPLICATE.value: "Closed: duplicate",
    Dismissal.NOT_PRODUCTION.value: "Dismissed: not production",
    Dismissal.PLANNED_MAINTENANCE.value: "Dismissed: planned maintenance",
    "ticket": "Dismissed: no incident, it became a ticket",
}
"""How an incident ended, as people read it."""


def outcome_label(value: str | None) -> str:
    """What became of a closed incident; a word that this version does not know is said as it is."""
    return OUTCOMES.get(value, words(value).capitalize()) if value else "Closed"
