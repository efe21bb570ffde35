"""The on-call rota from a TOML file: who holds which role, and when.

    [roles]
    "primary on-call" = { people = ["ana", "ben"], start = 2026-01-05T09:00:00Z, every = "1w" }
    "engineering lead" = "eva"
    manager = [
        { person = "max", from = 2026-01-01T00:00:00Z, until = 2026-07-01T00:00:00Z },
        { person = "mia", from = 2026-07-01T00:00:00Z, until = 2027-01-01T00:00:00Z },
    ]

A role is held by one person always, by shifts, or by people in turn from `start` on, each for `every` (`12h`, `1d`,
`1w`). Roles are compared without regard to case. Every time has a zone. Turns are counted in UTC; with `zone = "Europe/Berlin"` they
are counted by the clocks there, so that people hand over at the same hour in summer and in winter. The file is read again when it has
changed. How people are reached stands in tables `[people.NAME]` (see `people`).
"""

from __future__ import annotations

import asyncio
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from incident.effects import Delivery, FindOnCall, Receipt
from integrations.deliveries import asked
from integrations.errors import Unavailable
from integrations.oncall.people import PeopleMistake, Person, people_from
from integrations.oncall.people import folded as _folded

DEFAULT_ROTA = """\
# Who is on call. Tocsin reads this file again whenever it changes; `tocsin doctor` says whether it is well formed.
#
# A role is held by one person:       manager = "max"
# or by people in turn:               "primary on-call" = { people = ["ana", "ben"], start = 2026-01-05T09:00:00Z, every = "1w" }
# at nine o'clock there all year:     … start = 2026-01-05T09:00:00+01:00, every = "1w", zone = "Europe/Berlin" }
# or by shifts, one after the other:  CTO = [ { person = "cleo", from = 2026-01-01T00:00:00Z, until = 2026-07-01T00:00:00Z } ]
#
# The names below stand for nobody in particular: put your people in their place.

[roles]
"primary on-call" = "primary-on-call"
"senior on-call" = "senior-on-call"
"engineering lead" = "engineering-lead"
"VP engineering" = "vp-engineering"
CTO = "cto"
CEO = "ceo"
manager = "manager"

# Where people are reached, where pages go out by mail:
# [people.max]
# email = "max@example.org"
"""

_EVERY = re.compile(r"(\d{1,4})([hdw])")
SHORTEST = timedelta(hours=3)
"""A turn with a zone is longer: no change of the clocks is."""

_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


class RotaUnusable(Unavailable):
    """The file can't be read, or has a mistake. The message names the file, the role and the rule."""


@dataclass(frozen=True)
class Shift:
    person: str
    since: datetime
    until: datetime


@dataclass(frozen=True)
class Always:
    person: str

    def at(self, moment: datetime) -> str | None:
        return self.person


@dataclass(frozen=True)
class Shifts:
    shifts: tuple[Shift, ...]

    def at(self, moment: datetime) -> str | None:
        return next((shift.person for shift in self.shifts if shift.since <= moment < shift.until), None)


@dataclass(frozen=True)
class Turns:
    people: tuple[str, ...]
    start: datetime
    every: timedelta
    zone: ZoneInfo | None = None

    def at(self, moment: datetime) -> str | None:
        turn = (moment - self.start) // self.every
        if self.zone is not None:
            # A change of the clocks moves a handover by less than a turn.
            turn = max(number for number in range(turn - 1, turn + 2) if self._handover(number, self.zone) <= moment)
        return self.people[turn % len(self.people)] if turn >= 0 else None

    def _handover(self, turn: int, zone: ZoneInfo) -> datetime:
        """When a turn begins. An hour that comes twice counts the first time; one that is left out, as if it were there."""
        begins = self.start.astimezone(zone).replace(tzinfo=None) + turn * self.every
        return begins.replace(tzinfo=zone).astimezone(UTC)


Holding = Always | Shifts | Turns


class FileRota:
    """The rota in a file. Looking somebody up changes nothing, so a repeat is simply looked up again, for the same time.

    A broken edit takes nobody off call: the last good rota stays in force, and `problem` says what is wrong.
    Where there never was a good one, a call raises RotaUnusable.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._seen: tuple[int, ...] | None = None
        self._roles: Mapping[str, Holding] | None = None
        self._people: Mapping[str, Person] = {}
        self._problem: str | None = None

    @property
    def problem(self) -> str | None:
        """What is wrong with the file as it was last looked at; None where it is in force."""
        return self._problem

    async def refresh(self) -> None:
        """Take the file up if it has changed. RotaUnusable where there is no good rota to go by."""
        try:
            seen, text = await asyncio.to_thread(self._changed)
            if text is not None:
                self._roles, self._people = read(text, str(self._path))
                self._seen, self._problem = seen, None
        except RotaUnusable as error:
            self._seen, self._problem = None, str(error)
            if self._roles is None:
                raise

    async def find_on_call(self, delivery: Delivery) -> Receipt:
        ask = asked(delivery, FindOnCall)
        for role in ask.roles:
            person = await self.of(role, delivery.at)
            if person is not None:
                return Receipt(reference=person, person=person, role=role)
        return Receipt(reference="nobody")

    async def of(self, role: str, at: datetime) -> str | None:
        await self.refresh()
        holding = (self._roles or {}).get(_folded(role))
        return None if holding is None else holding.at(at if at.tzinfo else at.replace(tzinfo=UTC))

    async def email_of(self, person: str) -> str | None:
        """The address of somebody in the rota; None where it has none for them."""
        await self.refresh()
        found = self._people.get(_folded(person))
        return None if found is None else found.email

    async def name_of(self, email: str) -> str | None:
        """Whose address it is; None where it is nobody's in the rota."""
        await self.refresh()
        return next((person.name for person in self._people.values() if person.email.casefold() == email.casefold()), None)

    def _changed(self) -> tuple[tuple[int, ...], str | None]:
        try:
            status = self._path.stat()
            seen = (status.st_mtime_ns, status.st_size, status.st_ino)
            return seen, None if seen == self._seen else self._path.read_text(encoding="utf-8")
        except FileNotFoundError as error:
            raise RotaUnusable(f"there is no rota at {self._path}: write one, with a table [roles]") from error
        except (OSError, UnicodeDecodeError) as error:
            raise RotaUnusable(f"the rota {self._path} can't be read: {error}") from error


def parsed(text: str, file: str) -> dict[str, Holding]:
    """Read who holds the roles; see `read`."""
    return read(text, file)[0]


def read(text: str, file: str) -> tuple[dict[str, Holding], dict[str, Person]]:
    """Read a rota and how its people are reached; names are folded. RotaUnusable names `file`, the role or person and the rule."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RotaUnusable(f"{file} is not TOML: {error}") from error
    roles = document.pop("roles", None)
    if not isinstance(roles, dict):
        raise RotaUnusable(f"{file} has no table [roles]")
    try:
        people = people_from(document.pop("people", {}))
    except PeopleMistake as error:
        raise RotaUnusable(f"{file}: {error}") from error
    if document:
        raise RotaUnusable(f"{file}: {', '.join(sorted(document))} stands outside the table [roles]")
    found: dict[str, Holding] = {}
    for role, value in roles.items():
        try:
            _must(_folded(role) not in found, "is there twice, but for its case")
            found[_folded(role)] = _holding(value)
        except _Mistake as mistake:
            raise RotaUnusable(f"{file}: role {role!r} {mistake}") from mistake
    return found, people


class _Mistake(Exception):
    """A rule that a role breaks, as the end of a sentence that begins with the role."""


def _must(holds: bool, otherwise: str) -> None:
    if not holds:
        raise _Mistake(otherwise)


def _holding(value: object) -> Holding:
    match value:
        case str():
            return Always(_person(value))
        case list():
            return _shifts(value)
        case dict():
            return _turns(value)
        case _:
            raise _Mistake('must be a name, a list of shifts, or { people = [...], start = ..., every = "1w" }')


def _person(value: object) -> str:
    _must(
        isinstance(value, str) and bool(value.strip()),
        f"has {value!r} where a person's name must be; leave the role out if nobody holds it",
    )
    return str(value).strip()


def _shifts(values: list[Any]) -> Shifts:
    shifts = sorted((_shift(value) for value in values), key=lambda shift: shift.since)
    _must(bool(shifts), "has no shift; leave the role out if nobody holds it")
    for earlier, later in pairwise(shifts):
        _must(
            earlier.until <= later.since,
            f"has two shifts at the same time: {earlier.person} and {later.person} from {later.since.isoformat()}",
        )
    return Shifts(tuple(shifts))


def _shift(value: object) -> Shift:
    fields = _fields(value, "shift", {"person", "from", "until"})
    shift = Shift(_person(fields["person"]), _time(fields["from"], "from"), _time(fields["until"], "until"))
    _must(shift.since < shift.until, f"has a shift of {shift.person} that ends before it begins")
    return shift


def _turns(value: dict[str, Any]) -> Turns:
    zone = _zone(value["zone"]) if "zone" in value else None
    fields = _fields({"every": "1w"} | {name: value[name] for name in value if name != "zone"}, "rotation", {"people", "start", "every"})
    people = fields["people"]
    _must(isinstance(people, list) and bool(people), "must have at least one name in `people`")
    every = _EVERY.fullmatch(str(fields["every"]))
    _must(every is not None and int(every[1]) > 0, f"has every = {fields['every']!r}; it must be a number and h, d or w, such as 12h or 1w")
    assert every is not None, "checked one line above"
    length = int(every[1]) * _UNITS[every[2]]
    _must(zone is None or length > SHORTEST, f"has every = {fields['every']!r} with a zone, whose clocks may change by that much")
    return Turns(tuple(_person(person) for person in people), _time(fields["start"], "start"), length, zone)


def _zone(value: object) -> ZoneInfo:
    try:
        return ZoneInfo(str(value))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise _Mistake(f"has zone = {str(value)!r}, which is none that this machine knows; write it as Europe/Berlin") from error


def _fields(value: object, what: str, names: set[str]) -> dict[str, Any]:
    _must(isinstance(value, dict), f"has {value!r} where a {what} must be, with {_listed(names)}")
    assert isinstance(value, dict), "checked one line above"
    _must(value.keys() == names, f"has a {what} with {_listed(value) or 'nothing'}; it must have {_listed(names)}")
    return value


def _listed(names: set[str] | dict[str, Any]) -> str:
    return ", ".join(sorted(names))


def _time(value: object, name: str) -> datetime:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError as error:
            raise _Mistake(f"has {name} = {value!r}, which is no time; write it as 2026-01-05T09:00:00Z") from error
    _must(
        isinstance(value, datetime) and value.tzinfo is not None,
        f"has {name} = {str(value)!r}; a time needs its zone, as in 2026-01-05T09:00:00Z",
    )
    assert isinstance(value, datetime), "checked one line above"
    return value.astimezone(UTC)
