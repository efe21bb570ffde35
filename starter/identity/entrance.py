"""The entrance: every request gets its actor here, or is turned away.

It stands behind the guard against foreign pages and before every route, so that no route can forget it. Who it is, by
the first that is there: a personal token, then what the mode says: nobody (dev: the user of this machine), the proxy's
headers, or the session behind the cookie.
"""

from __future__ import annotations

from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from incident.vocabulary import Via
from integrations.errors import IntegrationError
from starter.answers import problem_response
from starter.guard import is_loopback
from starter.identity import places, proxy
from starter.identity.actor import EVERYTHING, Actor, acting
from starter.identity.arrangement import Arrangement
from starter.identity.sessions import Cookies
from starter.identity.store import Store
from starter.identity.streams import SignInEnded, StreamWatch
from starter.identity.tokens import is_token
from starter.problems import Problem, SignInNeeded, Unavailable
from starter.web.forms import form_of
from starter.web.frame import back, problem_page, wants_page
from starter.web.rendering import page

CLI = "tocsin-cli"

MONITORING = Actor(name="monitoring", roles=frozenset(), door=Via.WEBHOOK)


class Entrance:
    """Finds who is there. `store` is None where nobody signs in."""

    def __init__(self, app: ASGIApp, arrangement: Arrangement, store: Store | None) -> None:
        self._app = app
        self._arrangement = arrangement
        self._store = store
        self._cookies = Cookies(arrangement.secure)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        scope.setdefault("state", {})["actor"] = None
        try:
            actor = await self._find(request)
            scope["state"]["actor"] = actor
            self._admit(request, actor)
        except SignInNeeded as needed:
            await (await self._asked_in(request, needed))(scope, receive, send)
        except Problem as problem:
            await _told(request, problem)(scope, receive, send)
        except IntegrationError as error:
            await _told(request, Unavailable(str(error)))(scope, receive, send)
        else:
            with acting(actor):
                await self._served(request, actor, send)

    async def _served(self, request: Request, actor: Actor | None, send: Send) -> None:
        """Let the request in. Its answer may be a stream that lasts longer than the sign-in: that is cut then."""
        if self._store is None or actor is None:
            await self._app(request.scope, request.receive, send)
            return
        watch = StreamWatch(send, lambda: self._still_in(request, actor), self._store.now)
        try:
            await self._app(request.scope, request.receive, watch)
        except (SignInEnded, ClientDisconnect):
            if not watch.ended:
                raise

    async def _still_in(self, request: Request, actor: Actor) -> bool:
        """Whether the one who asked would be let in again."""
        try:
            found = await self._find(request)
            self._admit(request, found)
        except (Problem, IntegrationError):
            return False
        return found is not None and found.name == actor.name

    async def _find(self, request: Request) -> Actor | None:
        """Who is there; None where nobody says so.

        Raises:
            SignInNeeded: a token was shown that is not taken. What the mode says does not count then.
            Forbidden: a proxy's headers came from somewhere else.
        """
        arrangement, headers = self._arrangement, request.headers
        if arrangement.mode == "dev" or self._store is None:
            return Actor(arrangement.user, EVERYTHING, _door(request), verified=False)
        if request.url.path.startswith(places.SIGNED):
            return None
        if request.url.path.startswith(places.WEBHOOKS):
            return MONITORING  # a machine: the webhooks hold what it brings against its key themselves
        bearer = bearer_of(headers)
        if bearer is not None and is_token(bearer):
            return await self._by_token(bearer, headers)
        if arrangement.mode == "proxy":
            actor = proxy.actor_from(arrangement, _peer(request), headers, _door(request))
            if actor is not None:
                await self._store.know(actor.name, actor.roles)
            return actor
        secret = request.cookies.get(self._cookies.session)
        session = await self._store.session(secret) if secret else None
        return Actor(session.name, session.roles, Via.WEB, until=session.expires_at) if session is not None else None

    async def _by_token(self, bearer: str, headers: Headers) -> Actor:
        token = await self._store.token(bearer) if self._store is not None else None
        if token is None:
            raise SignInNeeded("This token is not known, has expired or was revoked. Make a new one at /login/tokens.")
        door = Via.CLI if headers.get("user-agent", "").startswith(CLI) else Via.API
        return Actor(token.name, token.roles, door, until=token.expires_at)

    def _admit(self, request: Request, actor: Actor | None) -> None:
        path = request.url.path
        if places.is_public(path) or actor is MONITORING or (path == places.METRICS and self._near(request)):
            return
        if actor is None:
            raise SignInNeeded("Nobody is signed in. Sign in at /login, or send a personal token: Authorization: Bearer tocsin_…")
        actor.need("read")

    def _near(self, request: Request) -> bool:
        """Whether a request comes from this machine or a listed peer itself, and not through it from elsewhere."""
        passed_on = "x-forwarded-for" in request.headers or "forwarded" in request.headers
        peer = _peer(request)
        return not passed_on and (is_loopback(peer) or self._arrangement.trusts(peer))

    async def _asked_in(self, request: Request, needed: SignInNeeded) -> Response:
        """A page goes to the sign-in and comes back; what was typed into a form is kept; a program is told."""
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        here = path if request.method in ("GET", "HEAD") else back(request)
        sign_in = f"/login?next={quote(here, safe='/')}"
        if "hx-request" in request.headers or not wants_page(request):
            needed.more["sign_in"] = sign_in
            return problem_response(needed)
        if request.method in ("GET", "HEAD"):
            return RedirectResponse(sign_in, status_code=303, headers={"Cache-Control": "no-store"})
        typed: list[tuple[str, str]] = []
        if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            try:
                form = await form_of(request)
            except Problem as problem:
                return _told(request, problem)
            typed = [(name, value) for name, values in form.items() for value in values]
        return page(request, "signed_out.html", status=401, sign_in=places.SIGN_IN_BESIDE, again=path, typed=typed)


def bearer_of(headers: Headers) -> str | None:
    """What stands in `Authorization: Bearer …`; None where nothing does."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" and value.strip() else None


def _told(request: Request, problem: Problem) -> Response:
    return problem_page(request, problem) if wants_page(request) else problem_response(problem)


def _peer(request: Request) -> str:
    return request.client.host if request.client is not None else ""


def _door(request: Request) -> Via:
    """The door, as far as a request shows it: the command line says its name, browsers say how they fetch, pages are for people."""
    if request.headers.get("user-agent", "").startswith(CLI):
        return Via.CLI
    return Via.WEB if "sec-fetch-mode" in request.headers or not request.url.path.startswith("/api/") else Via.API
