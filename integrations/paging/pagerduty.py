"""PagerDuty, Events API version 2.

Our key is the alert's `dedup_key`: told again, also by another process, PagerDuty has it already and pages nobody anew. Whom an alert
reaches is the service's own escalation policy to say, so a role may have a service (a routing key) of its own; the alert's details
name the person whom our rota has found. What a page asks for is an acknowledgement, so its alert is resolved once there is one,
at whichever door: PagerDuty would otherwise go on to page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import httpx2
from pydantic import SecretStr

from incident.checkup import Checked
from incident.effects import Delivery, Page, Receipt
from incident.paging import OpenPage
from integrations.deliveries import address, asked, clipped, defused, marked
from integrations.errors import IntegrationError, Refused, Rejected, Unauthorized
from integrations.http import Http, Unanswered

SUMMARY_LIMIT = 1_024
"""Characters, by its documentation."""

KEY_LIMIT = 255

TEXT_LIMIT = 50_000
"""An event may have 512 kB; nobody reads that much on a phone."""

DOCTOR = "tocsin-doctor"

Action = Literal["trigger", "acknowledge", "resolve"]

_ROUTING_KEY = "routing key"
"""What PagerDuty's 400 speaks of where a key is wrong, or was deleted."""

ANSWERED: tuple[Action, ...] = ("acknowledge", "resolve")
"""What an alert is told once somebody has answered."""


class PagerDuty:
    """One account. `roles` has the routing key of each role that has a service of its own; the others share `routing_key`."""

    name = "pagerduty"

    def __init__(
        self,
        url: str,
        *,
        routing_key: SecretStr,
        roles: Mapping[str, SecretStr] | None = None,
        public_url: str | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        by_role = {_folded(role): key for role, key in (roles or {}).items()}
        secrets = [routing_key, *by_role.values()]
        self.http = Http("PagerDuty", url, secrets=secrets, setting="TOCSIN_PAGERDUTY_ROUTING_KEY", transport=transport)
        self._routing_key = routing_key
        self._by_role = by_role
        self._public_url = public_url

    async def page(self, delivery: Delivery) -> Receipt:
        ask = asked(delivery, Page)
        text = defused(marked(delivery, ask.text))
        first, _, _ = text.partition("\n")
        event: dict[str, Any] = {
            "payload": {
                "summary": clipped(first, SUMMARY_LIMIT),
                "source": "tocsin",
                "severity": "critical" if ask.urgency == "high" else "info",
                "group": delivery.incident,
                "custom_details": {
                    "text": clipped(text, TEXT_LIMIT),
                    "incident": delivery.incident,
                    "asked": f"{ask.to} ({ask.role})",
                },
            },
            "client": "Tocsin",
        }
        if self._public_url:
            more = address(self._public_url, delivery.incident)
            event |= {"client_url": more, "links": [{"href": more, "text": delivery.incident}]}
        key = dedup_key(delivery)
        async with self.http.one_ask():
            answer = await self._tell("trigger", key, self._by_role.get(_folded(ask.role), self._routing_key), event)
        # PagerDuty goes on to page by itself until it hears of an answer: see `stand_down`.
        detail = {"stays_open": True}
        return Receipt(reference=str(answer.get("dedup_key") or key), person=ask.to, role=ask.role, detail=detail)

    async def stand_down(self, pages: Sequence[OpenPage]) -> None:
        """Acknowledge the alerts, so that its own record says so, and resolve them. One that is resolved, or gone, stays as it is."""
        for page in pages:
            async with self.http.one_ask():
                for action in ANSWERED:
                    await self._tell(action, page.reference, self._by_role.get(_folded(page.role), self._routing_key))

    async def _tell(self, action: Action, key: str, routing_key: SecretStr, event: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        body = {"routing_key": routing_key.get_secret_value(), "event_action": action, "dedup_key": key, **(event or {})}
        try:
            answer = await self.http.call("POST", "/enqueue", json=body)
        except Rejected as error:
            if _ROUTING_KEY not in str(error).lower():
                raise
            raise Unauthorized(
                f"{error} (renew TOCSIN_PAGERDUTY_ROUTING_KEY, or the role's in …_ROLES; `tocsin doctor` tries them)"
            ) from None
        if not isinstance(answer.data, Mapping) or "status" not in answer.data:
            raise Unanswered(f"PagerDuty answered {action} with {answer.status} and does not say whether it has taken it")
        if answer.data["status"] != "success":
            raise Rejected(f"PagerDuty did not take the {action}: {str(answer.data)[:300]}")
        return answer.data

    async def check(self) -> Checked:
        """Resolve an alert that does not exist: that changes nothing, and a wrong routing key is refused."""
        wrong: list[str] = []
        try:
            async with self.http.one_ask():
                for role, key in {"every role": self._routing_key, **self._by_role}.items():
                    try:
                        await self._tell("resolve", DOCTOR, key)
                    except Refused as error:
                        wrong.append(f"{role}: {error}")
        except IntegrationError as error:
            fix = "See whether PagerDuty works, and whether this machine reaches TOCSIN_PAGERDUTY_URL."
            return Checked(name="paging: PagerDuty", ok=False, detail=str(error), fix=fix)
        if wrong:
            fix = "Copy the integration key of an Events API v2 integration into TOCSIN_PAGERDUTY_ROUTING_KEY (or …_ROLES)."
            return Checked(name="paging: PagerDuty", ok=False, detail="; ".join(wrong), fix=fix)
        return Checked(name="paging: PagerDuty", ok=True, detail=f"takes events with {1 + len(self._by_role)} routing key(s)")


def dedup_key(delivery: Delivery) -> str:
    return delivery.key[:KEY_LIMIT]


def _folded(role: str) -> str:
    return " ".join(role.split()).casefold()
