"""The many others (SMS gateways, push services, chat hooks …) by way of the library Apprise.

Apprise says whether a service took a message, and nothing more: neither the status nor when to come back, and it knows no keys. So
every failure counts as "may be tried again", and a page whose acceptance got lost is shown twice. Put it last.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import apprise
from pydantic import SecretStr

from incident.checkup import Checked
from incident.effects import Delivery, Page, Receipt
from integrations.deliveries import asked, clipped, marked, unlinked
from integrations.errors import NotFound, Unavailable
from integrations.oncall.people import folded

EVERYBODY = "*"
TEXT_LIMIT = 4_000

logging.getLogger("apprise").setLevel(logging.CRITICAL)
"""It logs addresses, and those hold tokens."""


class AddressUnusable(Exception):
    """An address that the library does not know; the text does not show it."""


class NotifierPager:
    """Pages by Apprise. `addresses` has each person's; those of `*` are for everybody without any."""

    name = "apprise"

    def __init__(self, addresses: Mapping[str, Sequence[SecretStr]]) -> None:
        self._services: dict[str, apprise.Apprise] = {}
        for person, urls in addresses.items():
            services = apprise.Apprise()
            for number, url in enumerate(urls, start=1):
                if not services.add(url.get_secret_value()):
                    raise AddressUnusable(f"address {number} of {person} is none that Apprise knows")
            self._services[folded(person)] = services

    async def page(self, delivery: Delivery) -> Receipt:
        ask = asked(delivery, Page)
        services = self._services.get(folded(ask.to)) or self._services.get(EVERYBODY)
        if services is None:
            raise NotFound(f"no Apprise address for {ask.to}, and none for everybody: set TOCSIN_APPRISE_URLS")
        text = clipped(unlinked(marked(delivery, ask.text)), TEXT_LIMIT)
        title, _, rest = text.partition("\n")
        kind = apprise.NotifyType.FAILURE if ask.urgency == "high" else apprise.NotifyType.INFO
        taken = await services.async_notify(title=title, body=rest or title, notify_type=kind, body_format=apprise.NotifyFormat.TEXT)
        # One that took it is enough: trying again would tell that one twice.
        if taken.success_count == 0:
            raise Unavailable(f"none of the {len(services)} Apprise service(s) of {ask.to} took the page")
        detail = {"failed": taken.failed_count} if taken.failed_count else {}
        return Receipt(reference=delivery.key, person=ask.to, role=ask.role, detail=detail)

    async def check(self) -> Checked:
        """Nothing is sent: the library has no harmless call."""
        people = ", ".join(sorted(self._services))
        return Checked(name="paging: Apprise", ok=True, detail=f"addresses for {people}; not tried, since that would page")
