"""Who may talk to a door at all: whoever asks it by its own names, and, to change something, pages that it served itself.

A web page from elsewhere that is open in a browser on this machine can send requests here as well. Two marks
tell: the `Host` that the browser thinks it talks to (a rebound DNS name is not this machine's), and where the
request came from (`Sec-Fetch-Site`, else `Origin`). Command lines send neither, and pass.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from starter.answers import problem_response
from starter.problems import Forbidden

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
FRIENDLY_SITES = frozenset({"same-origin", "none"})


def is_loopback(host: str) -> bool:
    """Whether a host's name or address is this machine's own and nobody else's."""
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def host_name(host: str) -> str:
    """The name in a `Host` header, without the port; empty where it is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


class Guard:
    """Turns away, before anything is read, what came by a foreign name or from a foreign page.

    `also` are names by which the door is known beside the loopback ones; `origin` is the address that people type, where
    a proxy asks by another name. Where people sign in (`tokens`), a request with a personal token passes: no page of
    another site has one, and no browser adds it by itself.
    """

    def __init__(self, app: ASGIApp, also: Iterable[str] = (), origin: str | None = None, tokens: bool = False) -> None:
        self._app = app
        self._also = frozenset(name.lower() for name in also)
        self._origin = origin
        self._tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        problem = self._objection(scope["method"], Headers(scope=scope))
        if problem is None:
            await self._app(scope, receive, send)
        else:
            await problem_response(problem)(scope, receive, send)

    def _objection(self, method: str, headers: Headers) -> Forbidden | None:
        host = headers.get("host", "")
        name = host_name(host)
        if not is_loopback(name) and name not in self._also:
            return Forbidden(
                f"This door does not know the name {host[:100]!r}. Ask it as localhost or 127.0.0.1; other names are for "
                "TOCSIN_PUBLIC_URL and TOCSIN_HOSTS to say."
            )
        if method in SAFE or (self._tokens and headers.get("authorization", "").startswith("Bearer tocsin_")):
            return None
        site = headers.get("sec-fetch-site")
        if site is not None:
            foreign = site not in FRIENDLY_SITES
        else:
            origin = headers.get("origin")
            foreign = origin is not None and origin.partition("://")[2] != host and origin != self._origin
        return Forbidden("A page of another site may not change anything here.") if foreign else None
