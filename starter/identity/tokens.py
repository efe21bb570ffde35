"""Personal tokens: `Authorization: Bearer tocsin_…`, for the command line and for scripts."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from incident.vocabulary import Access, Via
from starter.identity.actor import Actor
from starter.identity.store import Store, Token, fresh_secret
from starter.problems import Forbidden, Invalid, Unknown

MARK = "tocsin_"
"""What each begins with, so that a scanner for lost secrets knows one."""

DAYS = 90
MOST_DAYS = 365
MOST_TOKENS = 50
LABEL_LIMIT = 100


def is_token(text: str) -> bool:
    return text.startswith(MARK)


async def create(store: Store, actor: Actor, fields: Mapping[str, Any]) -> tuple[Token, str]:
    """Make a token of `actor`'s, and give it with the text that it is: said now and never again.

    `fields` are `label`, `days?` and `roles?` (some of the actor's own; all, where none are named). One that is made with
    a token ends with that token at the latest.

    Raises:
        Invalid: a field of the wrong shape.
        Forbidden: there are too many.
    """
    label, days, roles = _read(actor, fields)
    now = store.now()
    if sum(token.state(now) == "valid" for token in await store.tokens(actor.name)) >= MOST_TOKENS:
        raise Forbidden(f"{actor.name} has {MOST_TOKENS} tokens that are valid; revoke one first.")
    secret = MARK + fresh_secret()
    ends = now + timedelta(days=days)
    if actor.door is not Via.WEB and actor.until is not None:
        # A token that was lost must not be good for one that lasts longer.
        ends = min(ends, actor.until)
    token = Token(secrets.token_hex(4), actor.name, label, roles, now, ends)
    await store.know(actor.name, actor.roles)
    await store.keep_token(token, secret)
    return token, secret


async def listed(store: Store, actor: Actor, *, everybody: bool = False) -> list[Token]:
    """The actor's tokens; everybody's, for who may manage them.

    Raises:
        NotPermitted: the actor may not.
    """
    if everybody:
        actor.need("manage_tokens_of_others")
    return await store.tokens(None if everybody else actor.name)


async def revoke(store: Store, actor: Actor, id_: str) -> Token:
    """Make a token useless, from the next request on.

    Raises:
        Unknown: the actor has no such token.
    """
    found = await store.revoke(id_, None if actor.may("manage_tokens_of_others") else actor.name)
    if found is None:
        raise Unknown(f"There is no token {id_[:20]!r} of yours.")
    return found


def row(token: Token, now: datetime) -> dict[str, Any]:
    """A token as lists show it."""
    return {
        "id": token.id,
        "label": token.label,
        "owner": token.name,
        "roles": sorted(token.roles),
        "state": token.state(now),
        "created_at": _iso(token.created_at),
        "expires_at": _iso(token.expires_at),
        "last_used_at": _iso(token.last_used_at),
        "revoked_at": _iso(token.revoked_at),
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z") if moment is not None else None


def _read(actor: Actor, fields: Mapping[str, Any]) -> tuple[str, int, frozenset[Access]]:
    mistakes = [
        {"field": name, "message": "is not a field of a token"} for name in fields if name not in ("label", "days", "roles", "by", "key")
    ]
    label = fields.get("label")
    if not isinstance(label, str) or not label.strip() or len(label) > LABEL_LIMIT or not label.isprintable():
        mistakes.append({"field": "label", "message": f"is missing: say in one line of at most {LABEL_LIMIT} characters what it is for"})
    days = fields.get("days", DAYS)
    if not isinstance(days, int) or isinstance(days, bool) or not 1 <= days <= MOST_DAYS:
        mistakes.append({"field": "days", "message": f"must be a whole number from 1 to {MOST_DAYS}"})
    words = fields.get("roles", sorted(actor.roles))
    if not isinstance(words, list) or not words or not all(isinstance(word, str) and word in set(actor.roles) for word in words):
        mistakes.append({"field": "roles", "message": f"must be some of your own: {', '.join(sorted(actor.roles))}"})
    if mistakes:
        raise Invalid(mistakes)
    return str(label).strip(), int(days), frozenset(map(Access, words))
