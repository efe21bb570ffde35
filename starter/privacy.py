"""Who may see a private incident: the one rule, for every door.

A private incident exists for those in it (`incident.model.Incident.members`) and for nobody else: whoever is not is
answered as for an id that was never given, in the same words and after the same question to Temporal. Lists, numbers
and read-backs leave it out.

Who looks is known to the request, not to every call on the way to Temporal: `Looking`, the innermost layer of the
application, keeps it for the length of the request, and `starter.reading` asks for it in the few places through which
everything is read. What a door does on its own account (a room's watcher) it does as `EVERYBODY`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send


@dataclass(frozen=True)
class Viewer:
    """Who looks. With `all_seeing` nothing is kept from them: so it is where nobody signs in, and for the door itself."""

    name: str = ""
    all_seeing: bool = False


EVERYBODY = Viewer(all_seeing=True)
"""One machine, one person: nobody signs in there, so there is nobody to keep a secret from."""

STRANGER = Viewer()
"""Somebody who has not signed in where people do: in no incident."""

_viewer: ContextVar[Viewer] = ContextVar("viewer", default=EVERYBODY)


def viewer() -> Viewer:
    """Who looks now."""
    return _viewer.get()


@contextmanager
def looking(who: Viewer) -> Iterator[None]:
    """Look as `who` for a while."""
    before = _viewer.set(who)
    try:
        yield
    finally:
        _viewer.reset(before)


def may_see(row: Mapping[str, Any]) -> bool:
    """Whether the one who looks may know of the incident of this row (or state)."""
    who = viewer()
    if who.all_seeing or not row.get("private"):
        return True
    return _same(who.name) in {_same(member) for member in members_of(row)}


def members_of(row: Mapping[str, Any]) -> list[str]:
    """Who is in it; what an incident that has only just begun has not said yet is known from who opened it."""
    members: Iterable[str] = row.get("members") or filter(None, (row.get("opened_by"), row.get("commander")))
    return [member for member in members if _same(member)]


def _same(name: str) -> str:
    return name.strip().lstrip("@").casefold()


class Looking:
    """Keeps who looks, for the length of a request. `who` says it from what the entrance left in the request's state."""

    def __init__(self, app: ASGIApp, who: Callable[[Scope], Viewer]) -> None:
        self._app = app
        self._who = who

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with looking(self._who(scope)):
            await self._app(scope, receive, send)


def signed_in(scope: Scope) -> Viewer:
    """The viewer where people sign in: the actor by its name. Without one it is a stranger, whatever let the request in."""
    actor = scope.get("state", {}).get("actor")
    return Viewer(str(actor.name)) if actor is not None and actor.verified else STRANGER


def open_house(_: Scope) -> Viewer:
    """The viewer where nobody signs in."""
    return EVERYBODY
