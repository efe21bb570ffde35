"""How often one address may try to sign in."""

from __future__ import annotations

import ipaddress
from datetime import timedelta

from starter.identity.store import Store
from starter.problems import TooMany

WINDOW = timedelta(minutes=5)
TRIES = 30
"""A team behind one address signs in at the start of a night all at once; a program that guesses needs far more."""


async def allow_try(store: Store, address: str) -> None:
    """Count one try.

    Raises:
        TooMany: this address has made too many.
    """
    if await store.count_try(_counted(address), WINDOW) > TRIES:
        left = int(WINDOW.total_seconds() - store.now().timestamp() % WINDOW.total_seconds()) + 1
        raise TooMany(f"Too many attempts to sign in from your address. Try again in {left} seconds.", left)


def _counted(address: str) -> str:
    """An IPv6 network as one: whoever has one address there has all of them."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    return str(ipaddress.ip_network(f"{found}/64", strict=False)) if found.version == 6 else str(found)
