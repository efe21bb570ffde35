"""Who acts. Every request has an actor, and every command says who that is.

The entrance puts the actor into `request.state.actor`, and here for as long as the request is served; the desk lays it
over the fields of each command (`vouched`). So a client can say neither what it may do nor through which door it came,
and where people sign in, no other name than its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from incident.events import MONITORING, SYSTEM
from incident.permissions import allows, doing, enough, worth
from incident.vocabulary import Access, Role, Via
from starter.problems import Invalid, NotPermitted

EVERYTHING = frozenset(Access)

NAME_LIMIT = 300
"""What the timeline takes for who did something."""

NOT_A_PERSON = frozenset({SYSTEM, MONITORING})
"""Who acts when nobody does. Whoever is called so elsewhere would write entries that look like the process's own."""


@dataclass(frozen=True)
class Actor:
    """Somebody at a door. `verified`: they signed in, so that the name is theirs; else the body of a command says who.

    `until` is when what they came in with ends: a session, or a token.
    """

    name: str
    roles: frozenset[Access]
    door: Via
    verified: bool = True
    until: datetime | None = None

    def may(self, act: str) -> bool:
        """Whether a role that this actor has, whatever the incident, is enough for a row of `incident.permissions`."""
        return allows(self.roles, act)

    def need(self, act: str) -> None:
        """Insist on it.

        Raises:
            NotPermitted: says which roles would do.
        """
        if not self.may(act):
            has = ", ".join(sorted(self.roles)) or "no role"
            raise NotPermitted(
                f"{self.name} has {has}; {doing(act)} needs {enough(act)}. An administrator maps groups to roles (TOCSIN_ROLES)."
            )


def need_to_examine(actor: Actor | None, row: Mapping[str, Any]) -> None:
    """Insist that somebody may read this incident's record with its proof: by a role of theirs, or because they command it.

    Raises:
        NotPermitted: says which roles would do, and who commands the incident.
    """
    act = "export_audit"
    commander = row.get("commander") or None
    if actor is not None and allows(worth(actor.roles, {Role.COMMANDER: commander}, actor.name), act):
        return
    name, roles = (actor.name, ", ".join(sorted(actor.roles)) or "no role") if actor is not None else ("Nobody", "no role")
    here = f"so does commanding {row['incident']}, as {commander} does" if commander else f"so does commanding {row['incident']}"
    raise NotPermitted(
        f"{name} has {roles}; {doing(act)} needs {enough(act)}; {here}. An administrator maps groups to roles (TOCSIN_ROLES)."
    )


def as_a_name(said: object) -> str | None:
    """A name under which somebody can act; None for what is none.

    `@ana` is `ana` to the process, so that nobody may be called that beside her.
    """
    if not isinstance(said, str):
        return None
    name = said.strip()
    usable = name and len(name) <= NAME_LIMIT and name.isprintable() and not name.startswith("@") and name.casefold() not in NOT_A_PERSON
    return name if usable else None


_CURRENT: ContextVar[Actor | None] = ContextVar("actor", default=None)


@contextmanager
def acting(actor: Actor | None) -> Iterator[None]:
    """Let everything that is asked of the desk meanwhile be asked by this actor."""
    token = _CURRENT.set(actor)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def vouched(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a command with what the door knows of who asks. Where no door is involved, as they are.

    Raises:
        Invalid: they say what only the door may say, or another name than that of who is signed in.
    """
    actor = _CURRENT.get()
    if actor is None:
        return dict(fields)
    found = [
        {"field": name, "message": "is the door's to say, from who is signed in; leave it out"}
        for name in ("roles", "via")
        if name in fields
    ]
    by = fields.get("by", actor.name)
    if actor.verified and by != actor.name:
        found.append({"field": "by", "message": f"is {actor.name} here, who is signed in; leave it out, or sign in as somebody else"})
    if found:
        raise Invalid(found)
    if not actor.verified:
        return {"by": actor.name, **fields, "via": actor.door.value}
    return {**fields, "by": actor.name, "roles": sorted(role.value for role in actor.roles), "via": actor.door.value}
