"""The public page for machines: JSON in Statuspage's shape, which monitors and chat bots read already, an RSS and an Atom feed.

Ids are hashes of names, so that they stay the same and say nothing. Times are UTC with milliseconds.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from html import escape
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element, SubElement, tostring

from incident.vocabulary import PublicStatus, Severity
from integrations.statuspage.published import STATE_OF, Component, ComponentState, Layout, PublicIncident, PublicPage, PublicUpdate
from starter.web.status_views import HEADLINES, public_id, worst_of

INDICATORS: dict[ComponentState, str] = {
    "operational": "none",
    "degraded_performance": "minor",
    "partial_outage": "major",
    "major_outage": "critical",
}

LISTED = 50
"""How many incidents the list and the feed go back."""

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class News(NamedTuple):
    """One update as feeds tell it."""

    at: datetime
    id: str
    link: str
    title: str
    text: str


class Machines:
    """What was published, for machines."""

    def __init__(self, page: PublicPage, layout: Layout, url: str) -> None:
        self._page = page
        self._layout = layout
        self._url = url
        self._id = _id("page", layout.name)
        self._since = page.since or datetime(page.at.year, 1, 1, tzinfo=UTC)
        self._everything = sorted((*page.current, *page.past), key=lambda incident: incident.started_at, reverse=True)
        self._changed = max((incident.updated_at for incident in self._everything), default=self._since)

    def documents(self) -> dict[str, dict[str, Any]]:
        """Each document by its name below `api/v2/`."""
        page, status = {"page": self._about()}, {"status": self._status()}
        components = {"components": self._components()}
        unresolved = [self._incident(incident) for incident in self._page.current]
        return {
            "summary.json": {**page, **components, "incidents": unresolved, "scheduled_maintenances": [], **status},
            "status.json": {**page, **status},
            "components.json": {**page, **components},
            "incidents.json": {**page, "incidents": [self._incident(incident) for incident in self._everything[:LISTED]]},
            "incidents/unresolved.json": {**page, "incidents": unresolved},
            "scheduled-maintenances.json": {**page, "scheduled_maintenances": []},
            "scheduled-maintenances/upcoming.json": {**page, "scheduled_maintenances": []},
            "scheduled-maintenances/active.json": {**page, "scheduled_maintenances": []},
        }

    def _about(self) -> dict[str, Any]:
        return {"id": self._id, "name": self._layout.name, "url": self._url, "time_zone": "Etc/UTC", "updated_at": _at(self._changed)}

    def _status(self) -> dict[str, Any]:
        state = STATE_OF[self._page.worst] if self._page.worst else "operational"
        return {"indicator": INDICATORS[state], "description": HEADLINES[state]}

    def _components(self) -> list[dict[str, Any]]:
        groups = list(dict.fromkeys(component.group for component in self._page.components if component.group))
        rows = [self._component(component, number) for number, component in enumerate(self._page.components, start=1)]
        return rows + [self._group(group, number) for number, group in enumerate(groups, start=len(rows) + 1)]

    def _group(self, name: str, position: int) -> dict[str, Any]:
        members = [component for component in self._page.components if component.group == name]
        worst = max((component.state for component in members), key=list(INDICATORS).index)
        row = self._row(_id("group", name), name, worst, position, self._since)
        return {**row, "group": True, "components": [_id("component", member.name) for member in members]}

    def _component(self, component: Component, position: int) -> dict[str, Any]:
        touched = (incident.updated_at for incident in self._everything if component.name in incident.components)
        row = self._row(_id("component", component.name), component.name, component.state, position, max(touched, default=self._since))
        group = _id("group", component.group) if component.group else None
        return {**row, "description": component.description or None, "group_id": group}

    def _row(self, id: str, name: str, state: ComponentState, position: int, updated_at: datetime) -> dict[str, Any]:
        return {
            "id": id,
            "name": name,
            "status": state,
            "created_at": _at(self._since),
            "updated_at": _at(updated_at),
            "position": position,
            "description": None,
            "showcase": True,
            "start_date": f"{self._since:%Y-%m-%d}",
            "group_id": None,
            "page_id": self._id,
            "group": False,
            "only_show_if_degraded": False,
        }

    def _incident(self, incident: PublicIncident) -> dict[str, Any]:
        id = public_id(incident.incident)
        monitoring = next((update.at for update in reversed(incident.updates) if update.status is PublicStatus.MONITORING), None)
        affected = [component for component in self._page.components if component.name in incident.components]
        return {
            "id": id,
            "name": incident.title,
            "status": incident.status.value,
            "created_at": _at(incident.started_at),
            "updated_at": _at(incident.updated_at),
            "monitoring_at": _at(monitoring) if monitoring else None,
            "resolved_at": _at(incident.resolved_at) if incident.resolved_at else None,
            "impact": INDICATORS[STATE_OF[worst_of(incident)]],
            "shortlink": f"{self._url}/incidents/{id}",
            "started_at": _at(incident.started_at),
            "page_id": self._id,
            "incident_updates": [
                self._update(id, update, before, len(incident.updates) - number)
                for number, (update, before) in enumerate(zip(incident.updates, (*incident.updates[1:], None), strict=True))
            ],
            "components": [self._component(component, number) for number, component in enumerate(affected, start=1)],
            "reminder_intervals": None,
            "next_update_by": _at(incident.next_update_by) if incident.next_update_by and not incident.resolved_at else None,
        }

    def _update(self, incident: str, update: PublicUpdate, before: PublicUpdate | None, number: int) -> dict[str, Any]:
        return {
            "id": _id("update", f"{incident} {number}"),
            "status": update.status.value,
            "body": update.text,
            "incident_id": incident,
            "created_at": _at(update.at),
            "updated_at": _at(update.at),
            "display_at": _at(update.at),
            "affected_components": _affected(update, before),
            "deliver_notifications": True,
            "custom_tweet": None,
            "tweet_id": None,
        }

    def feed(self) -> bytes:
        """RSS 2.0: one item an update, newest first, so that readers tell of each."""
        rss = Element("rss", {"version": "2.0", "xmlns:atom": "http://www.w3.org/2005/Atom"})
        channel = SubElement(rss, "channel")
        _put(channel, "title", f"{self._layout.name} status")
        _put(channel, "link", self._url)
        _put(channel, "description", "Incidents and their updates")
        SubElement(channel, "atom:link", {"href": f"{self._url}/feed.rss", "rel": "self", "type": "application/rss+xml"})
        _put(channel, "lastBuildDate", format_datetime(self._changed.astimezone(UTC), usegmt=True))
        for news in self._news():
            item = SubElement(channel, "item")
            _put(item, "title", news.title)
            _put(item, "link", news.link)
            # Readers take this for HTML, so what people wrote is escaped for that too: "p95 < 300 ms" would lose its end.
            _put(item, "description", escape(news.text, quote=False).replace("\n", "<br>\n"))
            _put(item, "pubDate", format_datetime(news.at, usegmt=True))
            SubElement(item, "guid", {"isPermaLink": "false"}).text = news.id
        return bytes(tostring(rss, encoding="utf-8", xml_declaration=True))

    def atom(self) -> bytes:
        """The same as Atom 1.0, which says of a text that it is text."""
        feed = Element("feed", {"xmlns": "http://www.w3.org/2005/Atom"})
        _put(feed, "id", f"{self._url}/feed.atom")
        _put(feed, "title", f"{self._layout.name} status")
        _put(feed, "updated", _at(self._changed))
        SubElement(feed, "link", {"href": f"{self._url}/feed.atom", "rel": "self", "type": "application/atom+xml"})
        SubElement(feed, "link", {"href": self._url, "rel": "alternate", "type": "text/html"})
        _put(SubElement(feed, "author"), "name", self._layout.name)
        for news in self._news():
            entry = SubElement(feed, "entry")
            _put(entry, "id", f"{news.link}#{news.id}")
            _put(entry, "title", news.title)
            _put(entry, "updated", _at(news.at))
            SubElement(entry, "link", {"href": news.link})
            _put(entry, "content", news.text)
        return bytes(tostring(feed, encoding="utf-8", xml_declaration=True))

    def _news(self) -> list[News]:
        """The latest updates, newest first."""
        found = [
            News(
                at=update.at.astimezone(UTC),
                id=f"{public_id(incident.incident)}-{len(incident.updates) - number}",
                link=f"{self._url}/incidents/{public_id(incident.incident)}",
                title=f"{update.status.value.capitalize()}: {incident.title}",
                text=update.text,
            )
            for incident in self._everything[:LISTED]
            for number, update in enumerate(incident.updates)
        ]
        return sorted(found, key=lambda news: news.at, reverse=True)[:LISTED]


def _affected(update: PublicUpdate, before: PublicUpdate | None) -> list[dict[str, str]]:
    """What this update changed, or said again, of each component."""
    named: Sequence[str] = tuple(dict.fromkeys((*update.components, *(before.components if before else ()))))
    return [
        {"code": _id("component", name), "name": name, "old_status": _state(before, name), "new_status": _state(update, name)}
        for name in named
    ]


def _state(update: PublicUpdate | None, name: str) -> ComponentState:
    if update is None or update.status is PublicStatus.RESOLVED or name not in update.components:
        return "operational"
    return STATE_OF[Severity(update.severity)]


def _put(parent: Element, name: str, text: str) -> None:
    SubElement(parent, name).text = _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)


def _id(kind: str, name: str) -> str:
    return hashlib.sha256(f"{kind} {name}".encode()).hexdigest()[:12]


def _at(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
