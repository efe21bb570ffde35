"""Names and shapes that workflows, workers and doors share: ids, queues, signals, search attributes.

Ids, search attributes and signal names never hold personal data.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from temporalio.common import SearchAttributeKey

from incident import clocks
from incident.alerts import AlertInput
from incident.effects import Port
from incident.events import Event
from incident.flapping import Track
from incident.model import Incident
from incident.policy import Policy
from incident.routing import Routed
from workflows.packing import Packing

TASK_QUEUE = "incidents"

REGISTRY_ID = "registry"
REGISTRY_OPEN = "open"
REGISTRY_OPEN_ALL = "open_all"
REGISTRY_CLOSED = "incident_closed"

REGISTRY_TAKES = "incident_takes"

NOT_PERMITTED = "NotPermitted"
"""The type of failure with which the register turns somebody away who may not open an incident."""
CHECKUP_ID = "checkup"

RATE_LIMITED = "RateLimited"
"""The type of failure of a delivery that a vendor wants to have later; its details say which vendor, and when."""

ALERTS = "alerts"
"""The signal by which an alert group takes what monitoring posts."""

ALERT = "alert"
"""The signal by which an incident takes alerts."""

RELATED = "related"
"""The signal by which an incident hears of another one that may be the same trouble."""

UNRELATED = "unrelated"
"""The signal by which an incident hears that such another one has ended."""

ABSORB = "absorb"
ABSORBED = "absorbed"
"""The signals between two incidents of which one goes on: the handover, and the answer to it."""

RETURNED_BY = "returned_by"
"""The field of an alert group's message that brings back alerts which a closed incident could not take."""

CHANNELS = "channels"
"""The signal by which incidents and the register hear which channels people have paused."""

CHANNELS_ID = "channels"
CHANNELS_PAUSE = "pause"
CHANNELS_RESUME = "resume"

FIND_MAINTENANCE = "find_maintenance"
READ_BACK = "read_back"
"""The signal by which an incident hears what an outside system shows."""

READ_BACK_SCHEDULE = "read-back"

PAGED = "page_report"
PAGING_STOP = "stop"
PAGING_ANSWER = "answer"
"""What the stop signal says where the incident ends, and waits to hear of the page that is under way."""

BEAT = "beat"
"""The memo field of a workflow task that had nothing else to say."""

FAILING = "ExecutionStatus = 'Running' AND TemporalReportedProblems IS NOT NULL"
"""The visibility query for workflows whose tasks fail again and again: nothing moves them on until somebody looks."""

FOLLOWED_UP = "WorkflowType = 'FollowUp' AND ExecutionStatus = 'Running'"
"""The visibility query for closed incidents whose action items are still chased."""

SEVERITY = SearchAttributeKey.for_keyword("IncidentSeverity")
PHASE = SearchAttributeKey.for_keyword("IncidentPhase")
SERVICE = SearchAttributeKey.for_keyword("IncidentService")
COMMANDER = SearchAttributeKey.for_keyword("IncidentCommander")
DRILL = SearchAttributeKey.for_bool("IncidentDrill")
NEXT_DUE = SearchAttributeKey.for_datetime("IncidentNextDue")
NEXT_CLOCK = SearchAttributeKey.for_keyword("IncidentNextClock")
OPENED_AT = SearchAttributeKey.for_datetime("IncidentOpenedAt")

SEARCH_ATTRIBUTES: dict[str, str] = {
    "IncidentSeverity": "Keyword",
    "IncidentPhase": "Keyword",
    "IncidentService": "Keyword",
    "IncidentCommander": "Keyword",
    "IncidentDrill": "Bool",
    "IncidentNextDue": "Datetime",
    "IncidentNextClock": "Keyword",
    "IncidentOpenedAt": "Datetime",
}
"""Each search attribute with its type, as the server registers it."""

LISTED: dict[str, SearchAttributeKey[Any]] = {
    "severity": SEVERITY,
    "phase": PHASE,
    "commander": COMMANDER,
    "drill": DRILL,
    "next_clock": NEXT_CLOCK,
    "opened_at": OPENED_AT,
}
"""What a list's row reads from the search attributes. The memo does not say it again: each saying is an event."""


def port_queue(queue: str, port: Port) -> str:
    """The task queue of one port: each has its own, so that nothing starves paging."""
    return f"{queue}-{port.value}"


def incident_id(year: str, number: int) -> str:
    return f"INC-{year}-{number:04d}"


def paging_id(incident: str, number: int) -> str:
    return f"{incident}/page-{number}"


def follow_up_id(incident: str) -> str:
    return f"{incident}/follow-up"


def archive_id(incident: str, run: int) -> str:
    return f"{incident}/archive-{run}"


def alert_group_id(group_key: str) -> str:
    """The workflow of one alert group, by a hash: group keys hold labels, which ids must not."""
    return f"alerts/{hashlib.sha256(group_key.encode()).hexdigest()[:24]}"


def search_attributes(incident: Incident) -> dict[SearchAttributeKey[Any], Any]:
    """What the server's lists can be searched by; None where there is nothing to say."""
    urgent = clocks.most_urgent(incident)
    return {
        SEVERITY: incident.severity.value if incident.severity else None,
        PHASE: incident.phase.value,
        SERVICE: incident.services[0][:200] if incident.services else None,
        COMMANDER: incident.commander[:200] if incident.commander else None,
        DRILL: incident.drill,
        NEXT_DUE: urgent.due if urgent is not None else None,
        NEXT_CLOCK: urgent.name[:200] if urgent is not None else None,
        OPENED_AT: incident.opened_at,
    }


class CutShort(BaseModel):
    """A try that its run could not wait for: it may have arrived.

    Its effect is tried again from `over_by` on, when the old try is over wherever it went on, and as one that was tried `tries`
    times; the time until it is parked counts from `since`.
    """

    number: int
    tries: int
    since: datetime
    over_by: datetime


class FollowUpInput(Packing):
    """What a closed incident still owes: its state, with the open action items in it; and what an earlier run of the follow-up knew."""

    incident: Incident
    timeline: list[Event] = Field(default_factory=list)
    answers: dict[str, dict[str, Any]] = Field(default_factory=dict)
    marks: dict[str, str] = Field(default_factory=dict)
    cut_short: list[CutShort] = Field(default_factory=list)


class TimelineFilter(BaseModel):
    """Which entries a `timeline` query answers: those after number `since`."""

    since: int = 0


class HeldAlert(BaseModel):
    """An alert that planned work holds back until it ends."""

    alert: AlertInput
    until: datetime
    work: str = ""


class AlertGroupInput(Packing):
    """One group of alerts, by the monitoring system's own key, the channel for notes on it, and what an earlier run of it knew.

    It outlives its last firing alert for a while, so that it tells news from repeats and notices flapping.
    `elsewhere`: what went to no incident, and why; of both that and what is `unreadable`, the latest.
    """

    model_config = ConfigDict(extra="ignore")

    group: str
    general_channel: str = Policy().general_channel
    incident: str | None = None
    firing: dict[str, datetime] = Field(default_factory=dict)
    ticketed: bool = False
    noted: bool = False
    tracks: dict[str, Track] = Field(default_factory=dict)
    latest: dict[str, AlertInput] = Field(default_factory=dict)
    held: dict[str, HeldAlert] = Field(default_factory=dict)
    joined: bool = False
    known: Routed | None = None
    taken: int = 0
    unreadable: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
