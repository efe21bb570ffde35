"""The public page as a person reads it: what stands on each of its pages, and in which words.

A view is made of what was published, and of nothing else: no query, no incident's state and no request comes near it.
So it holds no more than the public was told, and reads the same for everybody. The moment is an argument; the same
publications at the same moment give the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby

from markupsafe import Markup

from incident.vocabulary import Severity
from integrations.statuspage.published import (
    DAYS_SHOWN,
    STATE_OF,
    Component,
    ComponentState,
    Day,
    Layout,
    PublicIncident,
    PublicPage,
    bad_days,
)
from starter.web.rendering import environment

RECENT = timedelta(days=14)
RECENT_AT_MOST = 10

UPDATES_SHOWN = 3
TEXT_SHOWN = 600
"""Of each incident on the first page; the rest is one click away, and the page stays small enough for a bad connection."""

COUNTED_IN = timedelta(minutes=5)
"""While something is going on, how long it has lasted is told in steps of this."""

WORDS: dict[ComponentState, str] = {
    "operational": "Operational",
    "degraded_performance": "Degraded performance",
    "partial_outage": "Partial outage",
    "major_outage": "Major outage",
}

HEADLINES: dict[ComponentState, str] = {**WORDS, "operational": "All systems operational"}


def public_id(incident: str) -> str:
    """The name of an incident in public: an address that says nothing of how many there are."""
    return hashlib.sha256(f"tocsin public {incident}".encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Places:
    """Addresses as one page writes them: in the door, or in a folder of files. `file` is for style, script and icon."""

    to: Callable[[str], str]
    file: Callable[[str], str]


@dataclass(frozen=True)
class View:
    """Everything that the templates ask for."""

    page: PublicPage
    layout: Layout
    places: Places
    updates_shown: int = UPDATES_SHOWN
    text_shown: int = TEXT_SHOWN

    @property
    def now(self) -> datetime:
        return self.page.at

    @property
    def name(self) -> str:
        return self.layout.name

    @property
    def version(self) -> str:
        """Changes when there is something new to read."""
        return version_of(self.page)

    def to(self, place: str) -> str:
        return self.places.to(place)

    def file(self, name: str) -> str:
        return self.places.file(name)

    def to_incident(self, incident: PublicIncident) -> str:
        return self.to(f"incidents/{public_id(incident.incident)}")

    def late(self, incident: PublicIncident) -> bool:
        return incident.late(self.now)

    # --- how bad

    @property
    def overall(self) -> ComponentState:
        return STATE_OF[self.page.worst] if self.page.worst else "operational"

    @property
    def headline(self) -> str:
        return HEADLINES[self.overall]

    @property
    def current(self) -> list[PublicIncident]:
        """What is going on, the worst first."""
        return sorted(self.page.current, key=lambda incident: incident.severity.rank)

    def state_of(self, incident: PublicIncident) -> ComponentState:
        return STATE_OF[worst_of(incident)]

    def word(self, state: ComponentState) -> str:
        return WORDS[state]

    # --- components and their days

    @property
    def components(self) -> list[tuple[str, list[tuple[Component, tuple[Day, ...]]]]]:
        """The groups in the layout's order, each component with the days on which it was not well."""
        everything = (*self.page.current, *self.page.past)
        order = list(dict.fromkeys(component.group for component in self.page.components))
        ordered = sorted(self.page.components, key=lambda component: order.index(component.group))
        return [
            (group, [(component, bad_days(component.name, everything, self.now)) for component in members])
            for group, members in groupby(ordered, key=lambda component: component.group)
        ]

    @property
    def unknown_days(self) -> int:
        """How many of the days shown lie before anything was on record: nothing is claimed for them."""
        if self.page.since is None:
            return DAYS_SHOWN
        return max(0, DAYS_SHOWN - 1 - (self.now.date() - self.page.since.astimezone(UTC).date()).days)

    def bars(self, first: int, after: int) -> str:
        """The path of the bars from one day to before another."""
        return "".join(_bar(day) for day in range(first, after))

    def drawn(self, days: tuple[Day, ...]) -> list[tuple[str, str]]:
        """Each state that occurred with the path of its bars, which lie over those of a good day."""
        first = self.now.date() - timedelta(days=DAYS_SHOWN - 1)
        paths: dict[str, str] = {}
        for day in days:
            paths[day.state] = paths.get(day.state, "") + _bar((day.day - first).days)
        return list(paths.items())

    # --- what is over

    @property
    def recent(self) -> list[PublicIncident]:
        return [one for one in self.page.past if one.resolved_at and one.resolved_at > self.now - RECENT][:RECENT_AT_MOST]

    @property
    def years(self) -> list[int]:
        """The years of which there is something to read, newest first, and this one."""
        return sorted({self.now.year, *(incident.started_at.year for incident in self._everything)}, reverse=True)

    def months(self, year: int) -> Iterator[tuple[str, list[PublicIncident]]]:
        """The months of a year that had incidents, newest first, each with its incidents, newest first."""
        of_it = [incident for incident in self._everything if incident.started_at.year == year]
        for month, incidents in groupby(of_it, key=lambda incident: f"{incident.started_at:%B %Y}"):
            yield month, list(incidents)

    @property
    def _everything(self) -> list[PublicIncident]:
        return sorted((*self.page.current, *self.page.past), key=lambda incident: incident.started_at, reverse=True)

    # --- words

    def when(self, at: datetime) -> str:
        """`24 Nov, 03:10 UTC`; without the day where it is today's, with the year where it is not this one."""
        at = at.astimezone(UTC)
        clock = f"{at:%H:%M} UTC"
        if at.date() == self.now.date():
            return clock
        return f"{self.day(at.date())}, {clock}"

    def day(self, day: date) -> str:
        return f"{day.day} {day:%b}" + ("" if day.year == self.now.year else f" {day.year}")

    def length(self, length: timedelta) -> str:
        minutes = max(1, round(length.total_seconds() / 60))
        hours, minutes = divmod(minutes, 60)
        days, hours = divmod(hours, 24)
        parts = [f"{number} {unit}" for number, unit in ((days, "d"), (hours, "h"), (minutes, "min")) if number]
        return " ".join(parts[:2])

    def cut(self, text: str, limit: int | None) -> str:
        """The text, or its beginning where it is longer than there is room for."""
        if limit is None or len(text) <= limit:
            return text
        return text[:limit].rsplit(maxsplit=1)[0][:limit] + " …"

    # --- whole pages

    def index(self) -> str:
        return self._rendered("index.html")

    def history(self, year: int) -> str:
        return self._rendered("history.html", year=year)

    def incident(self, incident: PublicIncident) -> str:
        return self._rendered("incident.html", incident=incident)

    def about(self, incident: PublicIncident) -> Markup:
        """What the first page says of one incident: how bad it is over all, the incident, and its components."""
        return Markup(self._rendered("preview.html", incident=incident))

    def missing(self, headline: str, detail: str) -> str:
        return self._rendered("missing.html", headline=headline, detail=detail)

    def _rendered(self, template: str, **more: object) -> str:
        return environment().get_template(f"status/{template}").render(view=self, **more)


def _bar(day: int) -> str:
    return f"M{day} 0h.7v10h-.7z"


def worst_of(incident: PublicIncident) -> Severity:
    """The worst that the public was told of it, at any time."""
    return min((incident.severity, *(update.severity for update in incident.updates)), key=lambda severity: severity.rank)


def version_of(page: PublicPage) -> str:
    """Tells two pages apart that read differently; the moment counts only as far as one can read it."""
    late = [incident.incident for incident in page.current if incident.late(page.at)]
    today = datetime.combine(page.at.date(), datetime.min.time(), tzinfo=UTC)
    since_midnight = (page.at - today) // COUNTED_IN * COUNTED_IN if page.current else timedelta(0)
    told = page.model_copy(update={"at": today + since_midnight})
    return hashlib.sha256(f"{told.model_dump_json()} {late}".encode()).hexdigest()[:16]
