"""Atlassian Statuspage, manage API version 1.

Our entry is known by its metadata: the incident's id and the key of the last update, set by the same call as the update, so that
a repeat is recognised exactly. Keys of one incident count upwards; what is not newer than the last one has been told.

The page allows sixty calls a minute a token; what goes beyond is `Unavailable`, and the port waits. A component that is gone does
not silence the page: the update goes out without it, and the receipt and the doctor say so.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import httpx2
from pydantic import SecretStr

from incident.checkup import Checked
from incident.effects import Delivery, Publish, Receipt
from incident.vocabulary import PublicStatus, Severity
from integrations.deliveries import asked, clipped, defused, marked
from integrations.errors import IntegrationError
from integrations.http import Answer, Http
from integrations.once import OneAtATime
from integrations.ports import Published
from integrations.remedies import remedy

NAMESPACE = "tocsin"
"""The name of our object in an entry's metadata; Statuspage wants objects at the top."""

NAME_LIMIT = 255
BODY_LIMIT = 25_000
"""Characters, both by its description."""

PAGE = 100
PAGES = 3
"""How far back a resolved entry is looked for: three hundred entries."""

IMPACT: dict[Severity, str] = {Severity.SEV1: "critical", Severity.SEV2: "major", Severity.SEV3: "minor"}
COMPONENT: dict[Severity, str] = {Severity.SEV1: "major_outage", Severity.SEV2: "partial_outage", Severity.SEV3: "degraded_performance"}
OPERATIONAL = "operational"


class StatuspageStatus:
    """One page. `components` has the id of each of our services that the page knows."""

    def __init__(
        self,
        url: str,
        *,
        key: SecretStr,
        page: str,
        components: Mapping[str, str],
        notify: bool = True,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        headers = {"Authorization": f"OAuth {key.get_secret_value()}"}
        self.http = Http("Statuspage", url, headers=headers, secrets=[key], setting="TOCSIN_STATUSPAGE_KEY", transport=transport)
        self.vendor = self.http.vendor
        self._page = f"/pages/{page}"
        self._components = dict(components)
        self._notify = notify
        self._one_at_a_time = OneAtATime()

    async def publish(self, delivery: Delivery) -> Receipt:
        ask = asked(delivery, Publish)
        async with self._one_at_a_time.of(delivery.incident), self.http.one_ask():
            unresolved = await self._unresolved()
            entry = _ours(unresolved, delivery.incident) or await self._earlier(delivery.incident)
            if entry is not None and _number(_told(entry)) >= _number(delivery.key):
                return Receipt(reference=entry["id"], repeated=True)
            components = self._states(ask, unresolved, delivery.incident)
            answer = await self._write(entry, delivery, ask, components, last=not components)
            gone: list[str] = []
            if answer.status >= 400:
                gone = await self._gone(components)
                components = {id: state for id, state in components.items() if id not in gone}
                answer = await self._write(entry, delivery, ask, components, last=True)
            return Receipt(reference=answer.data["id"], detail={"components_gone": gone} if gone else {})

    async def _write(
        self, entry: Mapping[str, Any] | None, delivery: Delivery, ask: Publish, components: Mapping[str, str], *, last: bool
    ) -> Answer:
        """Open or update the entry. A refusal is answered, since a component may be gone, unless this is the `last` try."""
        incident: dict[str, Any] = {
            "name": clipped(marked(delivery, defused(ask.title)), NAME_LIMIT),
            "status": ask.status.value,
            "body": clipped(marked(delivery, defused(ask.body)), BODY_LIMIT),
            "impact_override": IMPACT[ask.severity],
            "metadata": {NAMESPACE: {"incident": delivery.incident, "key": delivery.key}},
            "deliver_notifications": self._notify,
        }
        if components:
            incident |= {"components": dict(components), "component_ids": list(components)}
        method, path = ("POST", f"{self._page}/incidents")
        if entry is not None:
            method, path = ("PATCH", f"{self._page}/incidents/{entry['id']}")
        return await self.http.call(method, path, json={"incident": incident}, also=() if last else (400, 404, 422))

    def _states(self, ask: Publish, unresolved: Sequence[Mapping[str, Any]], incident: str) -> dict[str, str]:
        """What each component is to show. One that another open entry concerns as well stays as that entry has left it."""
        wanted = [self._components[service] for service in ask.components if service in self._components]
        if ask.status is not PublicStatus.RESOLVED:
            return dict.fromkeys(wanted, COMPONENT[ask.severity])
        others = (entry for entry in unresolved if _about(entry).get("incident") != incident)
        held = {component["id"] for entry in others for component in entry.get("components") or []}
        return dict.fromkeys((id for id in wanted if id not in held), OPERATIONAL)

    async def _unresolved(self) -> Sequence[Mapping[str, Any]]:
        found: Sequence[Mapping[str, Any]] = (await self.http.call("GET", f"{self._page}/incidents/unresolved")).data
        return found

    async def _earlier(self, incident: str) -> Mapping[str, Any] | None:
        """The entry of an incident that the page shows as resolved: it may have been reopened."""
        for page in range(1, PAGES + 1):
            answer = await self.http.call("GET", f"{self._page}/incidents", params={"limit": PAGE, "page": page})
            found = _ours(answer.data, incident)
            if found is not None or len(answer.data) < PAGE:
                return found
        return None

    async def _gone(self, wanted: Mapping[str, str]) -> list[str]:
        """Which of these components the page does not have."""
        answer = await self.http.call("GET", f"{self._page}/components")
        there = {component["id"] for component in answer.data}
        return sorted(id for id in wanted if id not in there)

    async def read_page(self, incidents: Collection[str]) -> Mapping[str, Published]:
        async with self.http.one_ask():
            entries = list(await self._unresolved())
            missing = [incident for incident in incidents if _ours(entries, incident) is None]
            for page in range(1, PAGES + 1):
                if not missing:
                    break
                more = (await self.http.call("GET", f"{self._page}/incidents", params={"limit": PAGE, "page": page})).data
                entries += more
                missing = [incident for incident in missing if _ours(more, incident) is None] if len(more) == PAGE else []
        return {incident: self._published(_ours(entries, incident)) for incident in incidents}

    def _published(self, entry: Mapping[str, Any] | None) -> Published:
        if entry is None:
            return Published()
        updates = entry.get("incident_updates") or []
        well = {component["id"] for component in entry.get("components") or [] if component.get("status") == OPERATIONAL}
        return Published(
            status=entry["status"],
            body=(updates[0].get("body") or "") if updates else "",
            operational=tuple(service for service, id in self._components.items() if id in well),
        )

    async def check(self) -> Checked:
        name = "status page: Statuspage"
        try:
            async with self.http.one_ask():
                page = await self.http.call("GET", self._page)
                gone = await self._gone(dict.fromkeys(self._components.values(), OPERATIONAL))
        except IntegrationError as error:
            refused = "Check TOCSIN_STATUSPAGE_KEY (an API key of a user who may edit the page) and TOCSIN_STATUSPAGE_PAGE."
            fix = remedy(error, "Statuspage", "TOCSIN_STATUSPAGE_URL", refused)
            return Checked(name=name, ok=False, detail=str(error), fix=fix)
        if gone:
            services = ", ".join(f"{service} ({id})" for service, id in self._components.items() if id in gone)
            fix = "Give each service the id of a component that is there, in TOCSIN_STATUSPAGE_COMPONENTS."
            return Checked(name=name, ok=False, detail=f"the page has no component for {services}", fix=fix)
        return Checked(name=name, ok=True, detail=f"page {page.data.get('name')!r} can be written, {len(self._components)} components")

    async def close(self) -> None:
        """Let go of the connections."""
        await self.http.close()


def _about(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Any = (entry.get("metadata") or {}).get(NAMESPACE)
    return found if isinstance(found, Mapping) else {}


def _told(entry: Mapping[str, Any]) -> str:
    return str(_about(entry).get("key", ""))


def _ours(entries: Sequence[Mapping[str, Any]], incident: str) -> Mapping[str, Any] | None:
    return next((entry for entry in entries if _about(entry).get("incident") == incident), None)


def _number(key: str) -> int:
    """The number in `INC-2026-0007:12`; 0 where there is none."""
    digits = key.rpartition(":")[2]
    return int(digits) if digits.isdecimal() else 0
