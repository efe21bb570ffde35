"""What an incident is: its nouns, as frozen values.

Everything here is data. What may happen to it is in `lifecycle`, what is due when in `clocks`,
and what it asks of the outside world in `effects`.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from incident.effects import Effect, Port
from incident.evidence import Baseline, Evidence, Finding
from incident.policy import Policy, SeverityRule
from incident.queries import Query
from incident.routing import Routed
from incident.vocabulary import Audience, Criterion, Dismissal, MitigationOption, Phase, PublicStatus, Role, Severity

__all__ = [
    "ActionItem",
    "Alert",
    "Audience",
    "CheckState",
    "ChecklistItem",
    "Clock",
    "ClockState",
    "Criterion",
    "Dismissal",
    "Dispatch",
    "Drift",
    "Frozen",
    "Hypothesis",
    "Incident",
    "Joined",
    "Merged",
    "Mitigation",
    "MitigationOption",
    "Pause",
    "Phase",
    "PortHealth",
    "PublicStatus",
    "Publication",
    "Role",
    "Settled",
    "Severity",
    "Suggestion",
    "Update",
]


class Frozen(BaseModel):
    """A value that is never changed, only replaced; unknown fields of a newer version are left out."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class ClockState(StrEnum):
    RUNNING = "running"
    OVERDUE = "overdue"
    MET = "met"
    PAUSED = "paused"


class Clock(Frozen):
    """One obligation with a due time.

    `remind_at` and `escalate_at` are the next moments at which the clock speaks; both are None once it
    has nothing more to say. `times_missed` counts how often it came due without being satisfied.
    """

    name: str
    owner: str
    since: datetime
    due: datetime | None = None
    state: ClockState = ClockState.RUNNING
    remind_at: datetime | None = None
    escalate_at: datetime | None = None
    times_missed: int = 0
    fired_at: datetime | None = None
    met_at: datetime | None = None
    met_by: str | None = None

    @property
    def open(self) -> bool:
        return self.state in (ClockState.RUNNING, ClockState.OVERDUE)

    @property
    def late_by(self) -> timedelta:
        """How late it was satisfied; zero while it is open, or when it was met in time."""
        if self.met_at is None or self.due is None:
            return timedelta(0)
        return max(timedelta(0), self.met_at - self.due)


class CheckState(StrEnum):
    OPEN = "open"
    DONE = "done"
    SKIPPED = "skipped"
    NOT_APPLICABLE = "not_applicable"


class ChecklistItem(Frozen):
    """One line of a phase's checklist. `text` is the process's own wording."""

    item: str
    phase: Phase
    text: str
    state: CheckState = CheckState.OPEN
    by: str | None = None
    at: datetime | None = None
    note: str | None = None


class Alert(Frozen):
    """One alert as monitoring last told it; `fingerprint` and `starts_at` name one firing episode.

    `said_at` is the beginning by its sender's clock, where that was ahead of ours: it then began as it was heard of.
    """

    fingerprint: str
    name: str
    firing: bool
    starts_at: datetime
    ends_at: datetime | None = None
    summary: str = ""
    service: str = ""
    group: str = ""
    flapping: int = 0
    said_at: datetime | None = None


class Joined(Frozen):
    """An alert group that came to an open incident, with what its rules know."""

    group: str
    routed: Routed
    presumed: Severity | None = None
    storm: str = ""


class Suggestion(Frozen):
    """Another open incident that may be the same trouble."""

    incident: str
    title: str
    why: str
    at: datetime


class Withdrawn(Frozen):
    """A suggestion that holds no more: the other incident has ended, or goes on in a third one."""

    incident: str
    into: str | None = None


class Merged(Frozen):
    """An incident that was merged into this one. `items` says which action item there became which one here."""

    incident: str
    title: str
    severity: Severity | None = None
    opened_at: datetime
    at: datetime
    by: str
    items: dict[str, str] = Field(default_factory=dict)


class Update(Frozen):
    """The last status update told to one audience."""

    at: datetime
    by: str
    text: str
    status: PublicStatus | None = None


class Hypothesis(Frozen):
    at: datetime
    by: str
    text: str


class Mitigation(Frozen):
    """One attempt to restore service, with the plan to take it back."""

    number: int
    option: MitigationOption
    action: str
    rationale: str
    owner: str
    verification: tuple[str, ...]
    rollback_plan: str
    started_at: datetime
    approval: Literal["required", "documented_later"]
    approved_by: str | None = None
    approved_at: datetime | None = None
    finished_at: datetime | None = None
    succeeded: bool | None = None
    note: str | None = None

    @property
    def blocked_on_approval(self) -> bool:
        return self.approval == "required" and self.approved_by is None


class Dispatch(Frozen):
    """One request to a specialist and, later, its report."""

    id: str
    specialist: str
    request: str
    by: str
    at: datetime
    accepted_by: str | None = None
    report: str | None = None
    reported_at: datetime | None = None
    reported_by: str | None = None


class ActionItem(Frozen):
    id: str
    item: str
    owner: str
    due: date
    added_at: datetime
    done: bool = False
    done_at: datetime | None = None
    done_by: str | None = None
    waived_by: str | None = None
    ticket: str | None = None
    moved_to: str | None = None

    @property
    def open(self) -> bool:
        return not self.done and self.waived_by is None and self.moved_to is None


class Publication(Frozen):
    """What the status page has last taken from us."""

    status: PublicStatus
    body: str
    at: datetime
    components: tuple[str, ...] = ()


class Drift(Frozen):
    """An outside system that shows something else than it was told, until it is settled; `waived` where somebody lets it be."""

    here: str
    there: str
    system: str
    since: datetime
    waived: bool = False
    settled_at: datetime | None = None

    @property
    def open(self) -> bool:
        return not self.waived and self.settled_at is None


class PortHealth(Frozen):
    """A port whose queue waits because its provider can't be reached; with `vendor`, because that one wants to be left alone so long."""

    port: Port
    down_since: datetime
    retry_at: datetime
    failures: int
    error: str
    told: tuple[int, ...] = ()
    vendor: str = Field(default="", exclude_if=lambda value: not value)


class Pause(Frozen):
    """A port that people have told to wait, for an outage of its vendor. It ends by itself at `until`."""

    port: Port
    by: str
    reason: str
    since: datetime
    until: datetime


class Settled(Frozen):
    """What became of one effect that is not in the outbox any more.

    `reference` is the provider's own. `note` says why it was refused or given up, or by which way it went; `instead` is the key
    of what took its place, `stands_for` the number of the effect that this one went another way for.
    """

    key: str
    port: Port
    action: str
    purpose: str = ""
    state: Literal["delivered", "replaced", "refused", "given_up"]
    at: datetime
    to: str = ""
    reference: str = ""
    note: str = ""
    instead: str = ""
    stands_for: int | None = None


EDITION = 9
"""How incidents are carried out that begin now.

An incident keeps the edition that it began with, so that a history of an earlier one is lived through as it was. 1: as it was.
2: a waived item's ticket is closed; a page that was refused goes to the next person; what waited and is out of date by then is not
sent; while the status page is down, each update is told to the communications lead; what is being tried gives way to a newer message
only once its try has failed; what is made private is public only where an update of it has arrived. 3: the communications
lead is told where an incident that the public was to hear of becomes private; a ticket's words that somebody replaces give way where a
doubtful try had filed them. 4: what went ahead without approval is approved afterwards with a note only; a post-mortem with notes to
oneself (TODO) is not complete; one thing is told in the singular. 5: an item of the status page that somebody ticks while the page has
confirmed nothing says so, until the page has. 6: an opening whose severity its factors contradict is declared by the factors; next
steps may be one text, and a duplicate need not say of what. 7: an approval that may come later does not hold up going on to resolution.
8: what is not resolved within its time is told to the next rung at once. 9: what a query measured before somebody
changed it is not taken for what it measures now.
"""


class Incident(Frozen):
    """The whole state of one incident: the fold of its events."""

    id: str
    title: str
    policy: Policy
    opened_at: datetime
    opened_by: str
    source: Literal["alert", "report"] = "report"
    group: str | None = None
    drill: bool = False
    private: bool = False
    edition: int = 1

    phase: Phase = Phase.DETECTION
    phase_entered_at: datetime
    presumed_severity: Severity = Severity.SEV2
    severity: Severity | None = None
    outcome: str | None = None
    duplicate_of: str | None = None

    summary: str = ""
    symptom: str = ""
    services: tuple[str, ...] = ()
    users_affected: str = ""
    started_at: datetime | None = None
    customer_facing: bool = False
    customer_facing_since: datetime | None = None
    factors: dict[str, Any] | None = None

    roles: dict[Role, str] = Field(default_factory=dict)
    invited: tuple[str, ...] = ()
    channel_wanted: bool = False
    channel: str | None = None
    channel_private: bool = False
    channel_id: str | None = None
    channel_topic: str = ""

    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    declared_at: datetime | None = None
    mitigated_at: datetime | None = None
    resolved_at: datetime | None = None
    closed_at: datetime | None = None
    executives_told_at: datetime | None = None
    reopened_at: datetime | None = None
    times_reopened: int = 0

    internal_update: Update | None = None
    external_update: Update | None = None
    status_page_at: datetime | None = None
    public_since: datetime | None = None
    public_services: tuple[str, ...] = ()
    published: Publication | None = None
    drifts: dict[str, Drift] = Field(default_factory=dict)

    routed: Routed | None = None
    groups: tuple[str, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()
    registered: bool = False
    merging_into: str | None = None
    merged: tuple[Merged, ...] = ()
    promised: datetime | None = None

    alerts: dict[str, Alert] = Field(default_factory=dict)
    hypotheses: tuple[Hypothesis, ...] = ()
    mitigations: tuple[Mitigation, ...] = ()
    criteria: dict[Criterion, datetime] = Field(default_factory=dict)
    verification_since: datetime | None = None
    verification_passed_at: datetime | None = None
    verification_owed: timedelta | None = None
    queries: tuple[Query, ...] = ()
    unmeasured: tuple[str, ...] = ()
    findings: dict[str, Finding] = Field(default_factory=dict)
    baselines: dict[str, Baseline] = Field(default_factory=dict)
    evidence: Evidence | None = None
    monitoring_lost_at: datetime | None = None
    monitoring_back_at: datetime | None = None
    root_cause: str = ""
    fix_applied: str = ""
    next_steps: tuple[str, ...] = ()

    dispatches: tuple[Dispatch, ...] = ()
    action_items: tuple[ActionItem, ...] = ()
    retrospective_at: datetime | None = None
    postmortem: str | None = None
    postmortem_at: datetime | None = None
    postmortem_by: str | None = None

    checklist: dict[str, ChecklistItem] = Field(default_factory=dict)
    clocks: dict[str, Clock] = Field(default_factory=dict)
    waived: tuple[str, ...] = ()

    outbox: tuple[Effect, ...] = ()
    down: dict[Port, PortHealth] = Field(default_factory=dict)
    paused: dict[Port, Pause] = Field(default_factory=dict)
    unsent: tuple[Effect, ...] = ()
    settled: tuple[Settled, ...] = ()
    handed_over: bool = Field(default=False, exclude_if=lambda value: not value)
    effect_number: int = 0
    delivered: int = 0
    page_number: int = 0
    paging: bool = False
    paged: str | None = Field(default=None, exclude_if=lambda value: value is None)
    seq: int = 0

    @property
    def rule(self) -> SeverityRule:
        """The row of the severity matrix in force: the declared severity's, else the presumed one's."""
        return self.policy.severities[self.severity or self.presumed_severity]

    @property
    def verification(self) -> timedelta:
        """How long everything must be green. A period that was owed once is not got round by lowering the severity."""
        return max(self.rule.verification, self.verification_owed or timedelta(0))

    @property
    def open(self) -> bool:
        return self.phase is not Phase.CLOSED

    @property
    def mitigation(self) -> Mitigation | None:
        """The newest mitigation, finished or not."""
        return self.mitigations[-1] if self.mitigations else None

    @property
    def firing(self) -> tuple[Alert, ...]:
        return tuple(alert for alert in self.alerts.values() if alert.firing)

    @property
    def commander(self) -> str | None:
        return self.roles.get(Role.COMMANDER)

    @property
    def members(self) -> tuple[str, ...]:
        """Who is in it: who opened it, who holds a role, and who was invited or paged. A private incident exists for nobody else."""
        return tuple(dict.fromkeys((self.opened_by, *self.roles.values(), *self.invited)))

    @property
    def among_themselves(self) -> bool:
        """Whether its channel is for its members alone, so that what is said there stays there."""
        return not self.private or (self.channel is not None and self.channel_private)

    @property
    def communications(self) -> str | None:
        """Who owes the external updates: the communications lead, else the commander."""
        return self.roles.get(Role.COMMUNICATIONS) or self.commander
