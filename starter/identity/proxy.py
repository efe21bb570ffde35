"""What a proxy in front says: who is there, in which groups, and from which address they come."""

from __future__ import annotations

import hmac

from starlette.datastructures import Headers

from incident.vocabulary import Via
from starter.identity.actor import Actor, as_a_name
from starter.identity.arrangement import Arrangement
from starter.problems import Forbidden


def actor_from(arrangement: Arrangement, peer: str, headers: Headers, door: Via) -> Actor | None:
    """Who the proxy says is there; None where nothing is said.

    Raises:
        Forbidden: it is said by somebody whose word is not taken, or in a way that can't be meant.
    """
    wanted = arrangement.headers
    if wanted is None:
        return None
    said = headers.getlist(wanted.user)
    if not said:
        return None
    if not arrangement.trusts(peer):
        raise Forbidden(
            f"{wanted.user} came from {peer[:60]}, which is none of the proxies that are trusted. "
            "Open Tocsin by its usual address; whoever runs it adds the proxy's address to TOCSIN_PROXIES."
        )
    if wanted.secret is not None:
        given = headers.getlist(wanted.secret_header)
        if len(given) != 1 or not hmac.compare_digest(given[0].encode(), wanted.secret.encode()):
            raise Forbidden(f"The proxy at {peer[:60]} did not prove itself: {wanted.secret_header} is missing or wrong.")
    if len(said) > 1 or len(headers.getlist(wanted.groups)) > 1:
        raise Forbidden(f"{wanted.user} or {wanted.groups} came twice: the proxy must replace what a client sends, not add to it.")
    name = as_a_name(said[0])
    if name is None:
        raise Forbidden(f"{wanted.user} holds no name under which somebody can act here.")
    groups = [group.strip() for group in headers.get(wanted.groups, "").split(",") if group.strip()]
    return Actor(name=name, roles=arrangement.roles_of(groups), door=door)


def client_address(arrangement: Arrangement, peer: str, headers: Headers) -> str:
    """Where a request comes from: the nearest address on its way that is none of our proxies'."""
    if not arrangement.trusts(peer):
        return peer
    way = [hop.strip() for line in headers.getlist("x-forwarded-for") for hop in line.split(",")]
    return next((hop for hop in reversed(way) if hop and not arrangement.trusts(hop)), peer)
