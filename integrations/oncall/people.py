"""How to reach the people of the rota: the tables `[people]` in its file.

    [people.ana]
    email = "ana@example.org"

Names are compared without regard to case. Who is on call may also be named by address (an iCalendar feed does so): that is then
where mail goes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

ADDRESS = re.compile(r"[^\s@<>,;:\"()\[\]\\]+@[A-Za-z0-9.-]+")


@dataclass(frozen=True)
class Person:
    name: str
    email: str


class Directory(Protocol):
    """Where addresses are looked up. `email_of` answers None for somebody who has none."""

    async def email_of(self, person: str) -> str | None: ...

    async def name_of(self, email: str) -> str | None: ...


class PeopleMistake(Exception):
    """A rule that the table breaks, as a sentence."""


def people_from(table: object) -> dict[str, Person]:
    """Read the table; keys are folded names.

    Raises:
        PeopleMistake
    """
    if not isinstance(table, Mapping):
        raise PeopleMistake('people must be tables like [people.ana] with email = "ana@example.org"')
    found: dict[str, Person] = {}
    for name, fields in table.items():
        email = fields.get("email") if isinstance(fields, Mapping) else None
        if not isinstance(fields, Mapping) or set(fields) != {"email"} or not isinstance(email, str) or not is_address(email):
            raise PeopleMistake(f'people: {name!r} must have email = "name@example.org" and nothing else')
        if folded(name) in found:
            raise PeopleMistake(f"people: {name!r} is there twice, but for its case")
        found[folded(name)] = Person(name, email)
    return found


def is_address(text: str) -> bool:
    return len(text) <= 254 and ADDRESS.fullmatch(text) is not None


def folded(name: str) -> str:
    return " ".join(name.split()).casefold()
