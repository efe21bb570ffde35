"""How fast a vendor may be told things: one rate for each queue, kept by the server, whatever the number of workers.

A vendor that answers 429 is waited for as it says, by all that is to go there at once (`OneWait`); the rate is so that it seldom has
to say it. Reading back and the doctor go through the same queues, and so count as well.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from incident.effects import Delivery, Port
from integrations.errors import RateLimited
from integrations.waits import Waits, until, words
from runtime.settings import Settings
from runtime.vendors import ways_to_page

A_SECOND: dict[str, float] = {
    # Looking for a message that may be there already, and reading a channel back, are each 50 calls a minute.
    "slack": 0.8,
    # One call a second and token; an update is looked for, written, and its components are set.
    "statuspage": 0.4,
    # 120 events a minute and key, by the lowest figure that is given.
    "pagerduty": 2.0,
    # 80 new things a minute are taken before it suspects a machine.
    "github": 1.0,
}
"""Deliveries. A vendor that is not here says nothing of a limit, or is the installation's own."""


def pace(settings: Settings) -> dict[Port, float]:
    """The rate of each queue that has one, by the vendors that the settings choose."""
    chosen = {
        Port.CHAT: (settings.chat,),
        Port.STATUS: (settings.statuspage,),
        Port.TICKETS: (settings.tickets,),
        Port.PAGING: settings.pagers,
    }
    rates = {port: [A_SECOND[name] for name in names if name in A_SECOND] for port, names in chosen.items()}
    return {port: min(known) for port, known in rates.items() if known}


NAMES = {
    "slack": "Slack",
    "matrix": "Matrix",
    "webhook": "the chat's webhook",
    "statuspage": "Statuspage",
    "jira": "Jira",
    "github": "GitHub",
    "roundup": "Roundup",
    "redmine": "Redmine",
    "pagerduty": "PagerDuty",
    "email": "the mail server",
    "apprise": "Apprise",
}
"""What people call the vendors."""

BEHIND = timedelta(milliseconds=500)
"""How much later the less urgent go on once a wait is over, for each step of their priority: a SEV1 is then served first."""


def vendors(settings: Settings) -> dict[Port, str]:
    """What people call the vendor behind each port that has one outside; where there are several ways, all of them."""
    ways = " and ".join(NAMES[name] for name in ways_to_page(settings) if name in NAMES)
    chosen = {Port.CHAT: settings.chat, Port.STATUS: settings.statuspage, Port.TICKETS: settings.tickets}
    return {port: NAMES[name] for port, name in chosen.items() if name in NAMES} | ({Port.PAGING: ways} if ways else {})


class OneWait(Interceptor):
    """A vendor's "too many requests" holds for every delivery to it, of whichever incident, until its wait is over.

    What is held fails as if the vendor had said so again, without asking it: the server tries it again at that moment, and the
    most urgent first. `shared` False: there are several ways, each of which is waited for by itself (`paging.pagers`).
    """

    def __init__(self, vendor: str, waits: Waits | None = None, *, shared: bool = True) -> None:
        self.vendor = vendor
        self.waits = waits or Waits()
        self.shared = shared

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Held(next, self)


class _Held(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, wait: OneWait) -> None:
        super().__init__(next)
        self._wait = wait

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        delivery = next((argument for argument in input.args if isinstance(argument, Delivery)), None)
        # Drills reach nobody outside; and the doctor, or a look at what stands there, is to see for itself.
        if delivery is None or delivery.drill:
            return await self.next.execute_activity(input)
        vendor, waits = self._wait.vendor, self._wait.waits
        left = waits.left(vendor)
        if left:
            raise self._held(words(vendor, left), left)
        try:
            return await self.next.execute_activity(input)
        except ApplicationError as error:
            if error.type != RateLimited.__name__ or error.next_retry_delay is None:
                raise
            if self._wait.shared:
                waits.told(vendor, error.next_retry_delay)
            raise self._held(error.message, error.next_retry_delay) from error

    def _held(self, text: str, wait: timedelta) -> ApplicationError:
        urgency = activity.info().priority.priority_key or 1
        return ApplicationError(
            text,
            self._wait.vendor,
            until(wait).isoformat(),
            type=RateLimited.__name__,
            next_retry_delay=wait + (urgency - 1) * BEHIND,
            category=ApplicationErrorCategory.BENIGN,
        )
