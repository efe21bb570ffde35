"""How fast a vendor may be told things: one rate for each queue, kept by the server, whatever the number of workers.

A vendor that answers 429 is waited for as it says; this is so that it seldom has to. Reading back and the doctor go through the same
queues, and so count as well.
"""

from __future__ import annotations

from incident.effects import Port
from runtime.settings import Settings

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
