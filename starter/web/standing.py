"""What the one who looks may do here, said up front: a page tells before a press what a refusal would tell after it.

Nothing is disabled by it. Every button can be pressed, and whoever may not is refused by the core, in full and on
record; a link that would only lead to a refusal names the roles that it opens for instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from fastapi import Request

from incident.permissions import allows, enough, worth
from incident.vocabulary import Access, Role
from starter.identity.actor import Actor

MEANS = {
    Access.VIEWER: "reads everything but the exported record",
    Access.RESPONDER: "works on incidents and tells the responders",
    Access.COMMUNICATIONS: "works on incidents and tells the public",
    Access.COMMANDER: "commands: approves, resolves, closes, and exports the record",
    Access.ADMIN: "does everything, and manages everybody's tokens",
    Access.AUDITOR: "reads everything, and exports the record",
}
"""Each access role in a line, for who holds it; `incident.permissions` is the rule."""

TO_ACT = "note"
"""What stands for working on an incident: whoever may not even note something reads."""


class Standing(NamedTuple):
    """Somebody who may only read: with which roles, what acting needs, and who can give it."""

    roles: str
    needs: str
    ask: str


def standing(request: Request, holders: Mapping[str, str | None] | None = None) -> Standing | None:
    """Why the one who looks may only read; None for who may act, where nobody signs in, and before signing in.

    `holders` are the roles of the incident that the page is about: whoever holds one may do there what it may.
    """
    actor = _signed_in(request)
    if actor is None or may(request, TO_ACT, holders):
        return None
    commander = (holders or {}).get(Role.COMMANDER.value)
    ask = (
        f"{commander}, who commands here, or an administrator of Tocsin"
        if commander
        else "an incident's commander, or an administrator of Tocsin"
    )
    return Standing(", ".join(sorted(actor.roles)), enough(TO_ACT), ask)


def may(request: Request, act: str, holders: Mapping[str, str | None] | None = None) -> bool:
    """Whether the one who looks satisfies this row of `incident.permissions`. Where nobody signs in everybody does."""
    actor = _signed_in(request)
    if actor is None:
        return True
    return allows(worth(actor.roles, {Role(name): holder for name, holder in (holders or {}).items()}, actor.name), act)


def lacking(request: Request, act: str, holders: Mapping[str, str | None] | None = None) -> str | None:
    """The roles that would do, for who has none of them."""
    return None if may(request, act, holders) else enough(act)


def _signed_in(request: Request) -> Actor | None:
    actor: Actor | None = getattr(request.state, "actor", None)
    return actor if actor is not None and actor.verified else None
