"""The severity matrix: one literal table, and the policy that an incident keeps for its whole life.

Source: the incident process and its severity matrix. An organisation overrides rows in a file
(`docs/policy.md`); an incident carries the policy that it was opened with.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from incident.queries import Watching
from incident.vocabulary import Severity

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

HUMAN_FLOOR = timedelta(seconds=30)
"""The least that a drill's scaled clock leaves a person to act in."""

WRITING_FLOOR = timedelta(seconds=90)
"""The same for what has to be written: a drill must leave the time to fill in a form without being asked for the next update."""

WRITTEN = frozenset({"internal_update_every", "external_update_every", "status_page_within"})


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SeverityRule(Frozen):
    """One column of the severity matrix. None means that the process asks for nothing there."""

    acknowledge_within: timedelta
    next_rung_after: timedelta
    escalation_chain: tuple[str, ...] = Field(min_length=1)
    commander: tuple[str, ...] = Field(min_length=1)
    channel: bool
    notify_executives_within: timedelta | None = None
    status_page_within: timedelta | None = None
    internal_update_every: timedelta
    external_update_every: timedelta | None = None
    approval: Literal["required", "documented_later"]
    verification: timedelta
    resolve_within: timedelta | None = None
    postmortem: Literal["mandatory", "optional"]
    postmortem_within: timedelta


SEVERITY_MATRIX: dict[Severity, SeverityRule] = {
    Severity.SEV1: SeverityRule(
        acknowledge_within=15 * MINUTE,
        next_rung_after=5 * MINUTE,
        escalation_chain=("primary on-call", "engineering lead", "VP engineering", "CTO", "CEO"),
        commander=("senior on-call", "manager"),
        channel=True,
        notify_executives_within=15 * MINUTE,
        status_page_within=15 * MINUTE,
        internal_update_every=10 * MINUTE,
        external_update_every=15 * MINUTE,
        approval="documented_later",
        verification=15 * MINUTE,
        postmortem="mandatory",
        postmortem_within=48 * HOUR,
    ),
    Severity.SEV2: SeverityRule(
        acknowledge_within=30 * MINUTE,
        next_rung_after=10 * MINUTE,
        escalation_chain=("primary on-call", "engineering lead", "VP engineering"),
        commander=("primary on-call",),
        channel=True,
        notify_executives_within=30 * MINUTE,
        status_page_within=30 * MINUTE,
        internal_update_every=15 * MINUTE,
        external_update_every=30 * MINUTE,
        approval="required",
        verification=15 * MINUTE,
        postmortem="mandatory",
        postmortem_within=7 * DAY,
    ),
    Severity.SEV3: SeverityRule(
        acknowledge_within=2 * HOUR,
        next_rung_after=30 * MINUTE,
        escalation_chain=("primary on-call", "engineering lead"),
        commander=("primary on-call",),
        channel=False,
        internal_update_every=30 * MINUTE,
        approval="required",
        verification=timedelta(0),
        resolve_within=8 * HOUR,
        postmortem="optional",
        postmortem_within=14 * DAY,
    ),
}


class Policy(Frozen):
    """What the process asks for, for one incident.

    `remind_fraction` of a cadence before it is due (but at most `remind_at_most`) its owner is reminded.
    `page_again_after` repeats a page to a rung that stays longer than that. `deadline_again_after`: how often
    a missed deadline (not a cadence, whose period is its own) speaks again. `presumed`: the severity whose
    acknowledgement clock an alert gets before anybody has declared, by its `severity` label.
    `invitations`: whether people are invited to the retrospective, where there is a calendar to do it with.
    `history_limit`: continue as new at this many history events. `monitoring`: how measurements are asked for; None where none are.
    """

    severities: dict[Severity, SeverityRule] = Field(default_factory=lambda: dict(SEVERITY_MATRIX))
    presumed: dict[str, Severity] = Field(
        default_factory=lambda: {
            "critical": Severity.SEV1,
            "page": Severity.SEV1,
            "error": Severity.SEV2,
            "major": Severity.SEV2,
            "warning": Severity.SEV3,
            "minor": Severity.SEV3,
            "info": Severity.SEV3,
        }
    )
    presumed_otherwise: Severity = Severity.SEV2
    remind_fraction: float = Field(default=0.2, gt=0, lt=1)
    remind_at_most: timedelta = DAY
    page_again_after: timedelta = 5 * MINUTE
    deadline_again_after: timedelta = DAY
    report_within: timedelta = 30 * MINUTE
    day: timedelta = DAY
    retry_first: timedelta = timedelta(seconds=30)
    retry_most: timedelta = 15 * MINUTE
    general_channel: str = "#incidents"
    stakeholders_channel: str = "#incident-stakeholders"
    invitations: bool = False
    history_limit: int = Field(default=1_700, ge=50, le=2_000)
    monitoring: Watching | None = None

    def measuring(self, possible: bool) -> Policy:
        """The policy where monitoring can be asked, or where it can't."""
        if not possible:
            return self if self.monitoring is None else self.model_copy(update={"monitoring": None})
        return self if self.monitoring is not None else self.model_copy(update={"monitoring": Watching()})

    def inviting(self, possible: bool) -> Policy:
        """The policy where people can be invited, or where they can't."""
        return self if self.invitations == possible else self.model_copy(update={"invitations": possible})

    def remind_before(self, length: timedelta) -> timedelta:
        """How long before the end of a wait of `length` its owner is reminded."""
        return min(length * self.remind_fraction, self.remind_at_most)

    def scaled(self, factor: float) -> Policy:
        """The same process with every wait divided by `factor`; people keep at least HUMAN_FLOOR to act in, WRITING_FLOOR to write.

        The verification period has no floor: nobody has to do anything in it but wait. Nothing is measured: the trouble of
        a drill is played, and monitoring would not see it.
        """

        def shrunk(value: timedelta, floor: timedelta) -> timedelta:
            return min(value, max(value / factor, floor))

        def rule(of: SeverityRule) -> SeverityRule:
            values: dict[str, Any] = {}
            for name in SeverityRule.model_fields:
                value = getattr(of, name)
                if isinstance(value, timedelta):
                    waits = name in {"verification", "next_rung_after"}
                    floor = timedelta(0) if waits else WRITING_FLOOR if name in WRITTEN else HUMAN_FLOOR
                    value = shrunk(value, floor)
                values[name] = value
            return SeverityRule(**values)

        return self.model_copy(
            update={
                "severities": {severity: rule(of) for severity, of in self.severities.items()},
                "remind_at_most": shrunk(self.remind_at_most, HUMAN_FLOOR),
                "page_again_after": shrunk(self.page_again_after, timedelta(seconds=5)),
                "deadline_again_after": shrunk(self.deadline_again_after, HUMAN_FLOOR),
                "report_within": shrunk(self.report_within, HUMAN_FLOOR),
                "day": shrunk(self.day, HUMAN_FLOOR),
                "invitations": False,
                "retry_first": shrunk(self.retry_first, timedelta(seconds=2)),
                "retry_most": shrunk(self.retry_most, timedelta(seconds=15)),
                "monitoring": None,
            }
        )
