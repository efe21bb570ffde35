"""Who is just writing to the public, told to whoever else is about to: two updates a minute apart say the same, or contradict each other.

It is known from the previews that a composer asks for while one types, and to the server that draws them: with several behind one
address, those at another one are not told. Nothing depends on it, and nothing of it is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

LASTS = timedelta(minutes=1)
"""Somebody thinks about a sentence for less than this; after it they have gone to do something else."""


def _now() -> datetime:
    return datetime.now(UTC)


class Writers:
    """Who writes to the public about which incident, and when they were last seen doing it."""

    def __init__(self, clock: Callable[[], datetime] = _now) -> None:
        self._clock = clock
        self._seen: dict[str, dict[str, datetime]] = {}

    def writes(self, incident: str, name: str) -> None:
        now = self._clock()
        self._seen.setdefault(incident, {})[name] = now
        for each in [known for known, names in self._seen.items() if all(now - at >= LASTS for at in names.values())]:
            del self._seen[each]

    def ends(self, incident: str, name: str) -> None:
        """What they wrote is posted."""
        self._seen.get(incident, {}).pop(name, None)

    def beside(self, incident: str, name: str) -> list[str]:
        """Everybody who writes but `name`."""
        now = self._clock()
        return sorted(other for other, at in self._seen.get(incident, {}).items() if other != name and now - at < LASTS)


class Beside:
    """What one viewer was told of who else is writing."""

    def __init__(self, writers: Writers, incident: str, name: str) -> None:
        self._writers = writers
        self._incident = incident
        self._name = name
        self._told = ""

    def news(self) -> str:
        """An event where it has changed, nothing otherwise."""
        names = self._writers.beside(self._incident, self._name)
        said = f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} writing to the public just now." if names else ""
        if said == self._told:
            return ""
        self._told = said
        return f"event: writing\ndata: {' '.join(said.split())}\n\n"
