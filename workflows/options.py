"""Time-outs, retries and sizes, each named and with its reason."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from temporalio.common import Priority, RetryPolicy

from incident.effects import Port
from incident.vocabulary import Severity

WORKFLOW_TASK_TIMEOUT = timedelta(seconds=3)
"""A killed worker's task is handed on after this. Replay of the longest history must fit in half of it."""

RETRY = RetryPolicy(initial_interval=timedelta(seconds=1), backoff_coefficient=2.0, maximum_interval=timedelta(seconds=30))
"""Quick enough for a hiccup, slow enough not to hammer a provider that is down."""

LAST_PAGE = timedelta(minutes=3)
"""How long a closing incident waits for the report of a page under way: finding the person and paging them take a minute each at most."""

INVESTIGATION = timedelta(minutes=5)
INVESTIGATION_IN_ALL = timedelta(minutes=20)
"""A report that comes later than half an hour is overdue by the process; the rest of it is for people to report by themselves."""

INVESTIGATION_BEAT = timedelta(seconds=5)

STAND_DOWN_WITHIN = timedelta(hours=1)
"""How long a pager is told again that a page is answered; its own escalation has long reached its end by then."""

OPEN_PAGES_KEPT = 200
"""Of a night on which nobody answers for hours; the oldest are the first to be forgotten."""

PATIENT_RETRY = RetryPolicy(initial_interval=timedelta(seconds=1), backoff_coefficient=2.0, maximum_interval=timedelta(minutes=1))
"""For what must happen some time and nobody waits for."""


class How(NamedTuple):
    """`start_to_close` bounds one attempt: a dead worker is noticed only after it. `schedule_to_close` bounds all
    attempts together: after it the effect is parked and what matters goes another way."""

    start_to_close: timedelta
    schedule_to_close: timedelta
    retry: RetryPolicy = RETRY


TEN_SECONDS = timedelta(seconds=10)

DELIVERY: dict[Port, How] = {
    Port.CHAT: How(TEN_SECONDS, timedelta(minutes=2)),
    Port.STATUS: How(TEN_SECONDS, timedelta(minutes=2)),
    Port.TICKETS: How(TEN_SECONDS, timedelta(minutes=2)),
    # A page that does not go out within a minute must reach the next person instead.
    Port.PAGING: How(TEN_SECONDS, timedelta(minutes=1)),
    Port.ONCALL: How(TEN_SECONDS, timedelta(minutes=1)),
    Port.SPECIALIST: How(TEN_SECONDS, timedelta(minutes=2)),
    Port.ARCHIVE: How(timedelta(seconds=30), timedelta(minutes=5)),
    Port.CALENDAR: How(TEN_SECONDS, timedelta(minutes=2)),
    # Several systems are asked at once, each with its own ten seconds.
    Port.MONITORING: How(timedelta(seconds=30), timedelta(minutes=2)),
}

SLOW_TRY = timedelta(seconds=35)
"""How long what is being tried may go on before the next run begins, while all else is sent as ever: one attempt of the slowest kind."""

LAST_TRIES = timedelta(seconds=5)
"""How long nothing new is begun after that, until what is left is cut short: no page waits longer for the next run, but for an attempt at
the status page, whose end is waited for."""

LOOK = How(timedelta(seconds=30), timedelta(seconds=45))
"""One look at the measurements. The next one is a minute later and fetches what this one could not."""

URGENT = Priority(priority_key=1)
NORMAL = Priority(priority_key=3)
MINOR = Priority(priority_key=4)
ALERTS = Priority(priority_key=5)
"""Alert groups come after every incident, of whatever severity: people wait for an answer there, and a storm has a thousand groups.

The order is strict, so what came after them was not looked at before the storm was over.
"""


REGISTER = URGENT
"""Whoever opens a SEV1 waits for the register; it is one workflow, and its tasks are short."""


def priority(severity: Severity) -> Priority:
    """SEV1 before all else when everything is due at once."""
    return {Severity.SEV1: URGENT, Severity.SEV2: NORMAL, Severity.SEV3: MINOR}[severity]


ANSWERS_KEPT = 300
"""Answers carried to the next run, so that a repeated command is still recognised there."""

ANSWERS_BYTES_CARRIED = 300_000
"""Above it the older answers keep only what was decided, and no longer the entries: the carried state must stay below 2 MB."""

TIMELINE_CARRIED = 400
TIMELINE_BYTES_CARRIED = 150_000
"""The timeline's tail that the next run carries: a payload above 256 kB draws warnings, above 2 MB it is refused."""

PACKED_FROM = 200_000
"""Bytes from which on what is carried to the next run is packed: the server warns from 256 kB on."""

ALERTS_BYTES_CARRIED = 900_000
"""Of alerts, packed, that are carried to the next run; above it they say less, and those that are over are forgotten first.

It takes some twenty thousand alerts of a usual night, or a thousand whose every text is noise.
"""

WAITING_BYTES_CARRIED = 500_000
"""Of alerts that wait in the register for their incidents while it goes on in a new run; more are told before."""

REGISTRY_HISTORY_LIMIT = 1_500
KEYS_KEPT = 5_000
GROUPS_KEPT = 5_000
"""About 400 kB of state at the most."""
EPISODES_KEPT = 3_000
"""Alerts of closed incidents that the next run of the register tells apart, those of the newest groups: some 150 kB more."""

ALERTS_A_SIGNAL = 500
BYTES_A_SIGNAL = 200_000
"""A thousand alerts then cost the incident some twenty events instead of a thousand, and a tenth of the CPU.

The server warns from 256 kB on and refuses 2 MB; five hundred alerts keep a workflow task busy for less than a tenth of a second.
"""

ALERTS_A_SIGNAL_BEFORE = 50
"""Before `patches.FEW_SIGNALS`, whatever their size; in a merge, before `patches.BOUNDED_HANDOVERS`."""

BYTES_A_REGISTRATION = 500_000
"""Of alerts with which an incident is opened; the rest follows them. Each is written with more fields here than in a signal."""

SIGNALS_IN_FLIGHT = 10
"""More at once would make people's commands wait behind a storm; one after the other, each waits for two workflow tasks."""

POSTS_IN_FLIGHT = 3
"""Of a door's messages to alert groups. What it hands over faster than the server writes waits there, before whoever opens an incident:
with ten, a storm of 1,000 groups kept them waiting more than twice as long, and was itself worked off at a third of the pace.
"""

ALERT_GROUP_HISTORY_LIMIT = 1_500

ASIDE_KEPT = 100
"""Lines that an alert group keeps of what it could not read, and of what went to no incident."""

TRACKS_KEPT = 3_000
"""Alerts of one group whose comings and goings are remembered; what comes beside them is passed on as it comes."""

PLANNED_WORK_WITHIN = timedelta(seconds=20)
"""How long an alert waits to hear whether planned work explains it; without an answer it opens its incident."""

TELLING = timedelta(minutes=1)
TELL_AGAIN = timedelta(minutes=1)
"""Lists lag by a moment; whatever began in it hears of a paused channel from this second telling."""

MERGE_WITHIN = timedelta(minutes=5)
"""How long an incident that is to be merged waits for the other one; workers that are all away would wait together."""

RELATED_SHOWN = 5
"""Open incidents that are suggested to a new one, and to which it is suggested."""

FOLLOW_UP_EFFECTS = 1_000_000
"""Where a follow-up begins to number its effects: above whatever the closing incident may still send."""
