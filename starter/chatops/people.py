"""Who somebody in the chat is to us: a name, and what that name may do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from incident.vocabulary import Access, Via
from starter.identity.actor import EVERYTHING, Actor
from starter.identity.arrangement import Arrangement
from starter.identity.store import Store
from starter.problems import NotPermitted


@dataclass(frozen=True)
class Known:
    """Somebody in the settings. `groups` are as the sign-in has them; without any, what they had when they last signed in counts."""

    name: str
    groups: Sequence[str] = ()


class People:
    """`known` by chat id or by e-mail address, from `setting`; `address_of` asks the chat for somebody's address, where it can."""

    def __init__(
        self,
        known: Mapping[str, Known],
        arrangement: Arrangement,
        store: Store | None,
        setting: str,
        address_of: Callable[[str], Awaitable[str | None]] | None = None,
    ) -> None:
        self._known = {key.casefold(): person for key, person in known.items()}
        self._arrangement = arrangement
        self._store = store
        self._setting = setting
        self._address_of = address_of
        self._addressed: dict[str, Known] = {}

    async def actor(self, id: str) -> Actor:
        """The actor behind a chat id.

        Raises:
            NotPermitted: nobody has said who that is.
        """
        person = self._known.get(id.casefold()) or self._addressed.get(id) or await self._by_address(id)
        if person is None:
            raise NotPermitted(
                f"Tocsin does not know who you are here: your id is {id[:80]}. Ask an administrator to add it to {self._setting}."
            )
        if self._arrangement.mode == "dev":
            # Nobody signs in there, and who is at the chat is known all the same.
            return Actor(person.name, EVERYTHING, Via.CHAT)
        return Actor(person.name, await self._roles(person), Via.CHAT)

    async def _by_address(self, id: str) -> Known | None:
        if self._address_of is None or not any("@" in key for key in self._known):
            return None
        address = await self._address_of(id)
        found = self._known.get(address.casefold()) if address else None
        if found is not None:
            self._addressed[id] = found
        return found

    async def _roles(self, person: Known) -> frozenset[Access]:
        if person.groups or self._store is None:
            return self._arrangement.roles_of(person.groups)
        last = await self._store.roles_of(person.name)
        return self._arrangement.roles_of(()) if last is None else last
