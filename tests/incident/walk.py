"""An incident walked through the core, minute by minute: no server, no waiting, time is an argument.

    walk = Walk.open("SEV1", customer_facing=True)
    walk.does("acknowledge")
    events = walk.forward(minutes=10)
    assert ["internal_update"] == spoke(events, "overdue")

Every event on the way is kept, so that a test can fold or read the whole timeline.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from incident import alerts, clocks, lifecycle
from incident.alerts import AlertInput
from incident.commands import Open, parse
from incident.deciding import Outcome
from incident.effects import Effect, Port, Receipt
from incident.events import Event
from incident.lifecycle import Opening
from incident.model import EDITION, CheckState, Clock
from incident.refusals import Refusal
from incident.vocabulary import Criterion, Phase

OPENED = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)

DOCUMENT = "# Post-mortem\n\n## Summary\nCheckout failed.\n\n## Root Cause\nThe retry budget was exhausted.\n"

PLAN: dict[str, Any] = {
    "option": "rollback",
    "rationale": "the errors began with the release",
    "owner": "ben",
    "action": "roll back to v247",
    "verification": ["error rate under 1 %"],
    "rollback_plan": "deploy v248 again",
}

BETTER = "primary service restored, no data is being lost"
"""A reason for lowering a severity that the process takes."""


def opening_of(severity: str | None = "SEV2", *, alerts: Iterable[AlertInput] = (), **fields: Any) -> Opening:
    """What `Walk.open` begins with; `fields` are those of the opening request."""
    source = "alert" if fields.pop("from_alert", False) else "report"
    request = Open(**{"by": "ana", "title": "Checkout returns 5xx", "severity": severity, **fields})
    return Opening.model_validate(
        {"id": "INC-2026-0001", "request": request, "source": source, "alerts": tuple(alerts), "edition": EDITION}
    )


def alert(name: str = "HighErrorRate", *, firing: bool = True, starts_at: datetime = OPENED, **labels: str) -> AlertInput:
    """One alert as monitoring posts it; the fingerprint is made of the labels."""
    return AlertInput.model_validate(
        {
            "status": "firing" if firing else "resolved",
            "labels": {"alertname": name, **labels},
            "startsAt": starts_at.isoformat(),
            "endsAt": "0001-01-01T00:00:00Z" if firing else (starts_at + timedelta(minutes=5)).isoformat(),
        }
    )


class Walk:
    """One incident, the moment it is at, and everything that happened to it."""

    def __init__(self, start: Opening, now: datetime = OPENED) -> None:
        self.start = start
        self.now = now
        self.incident, self.timeline = lifecycle.opening(start, now)

    @classmethod
    def open(cls, severity: str | None = "SEV2", **fields: Any) -> Walk:
        return cls(opening_of(severity, **fields))

    # ------------------------------------------------------------------ what people and machines do

    def record(self, events: Iterable[Event]) -> list[Event]:
        self.incident, recorded = lifecycle.record(self.incident, events)
        self.timeline += recorded
        return recorded

    def asks(self, verb: str, *, by: str = "ana", **fields: Any) -> Outcome:
        """What the process answers, with nothing recorded."""
        return lifecycle.decide(self.incident, parse(verb, {"by": by, **fields}), self.now)

    def does(self, verb: str, *, by: str = "ana", **fields: Any) -> list[Event]:
        """Carry a command out; it must be accepted."""
        outcome = self.asks(verb, by=by, **fields)
        assert not isinstance(outcome, Refusal), f"{verb} was refused: {outcome}"
        return self.record(outcome)

    def refused(self, verb: str, *, by: str = "ana", **fields: Any) -> Refusal:
        """Ask for what the process forbids; the refusal is on record, and nothing else."""
        outcome = self.asks(verb, by=by, **fields)
        assert isinstance(outcome, Refusal), f"{verb} was accepted: {outcome}"
        self.record([lifecycle.refused(verb, by, outcome, self.now)])
        return outcome

    def told(self, *told: AlertInput) -> list[Event]:
        """Alerts arrive."""
        return self.record(alerts.told(self.incident, [one.alert() for one in told], self.now))

    # ------------------------------------------------------------------ time

    def tick(self) -> list[Event]:
        return self.record(lifecycle.tick(self.incident, self.now))

    def forward(self, **length: float) -> list[Event]:
        """Let time pass with somebody looking at every clock's moment; answers with what the clocks said."""
        until = self.now + timedelta(**length)
        said: list[Event] = []
        while (wake := clocks.next_wake(self.incident)) is not None and wake <= until:
            self.now = max(self.now, wake)
            said += self.tick()
        self.now = until
        return said

    def pause(self, **length: float) -> list[Event]:
        """Let time pass while nothing runs; the clocks speak once afterwards."""
        self.now += timedelta(**length)
        return self.tick()

    # ------------------------------------------------------------------ the world

    def waiting(self, port: Port) -> list[Effect]:
        return [effect for effect in self.incident.outbox if effect.port is port]

    def deliver(self, effect: Effect, **receipt: Any) -> list[Event]:
        accepted = Receipt(**{"reference": f"ref-{effect.number}", **receipt})
        return self.record(lifecycle.delivered(self.incident, effect, accepted, self.now))

    def deliver_all(self) -> list[Event]:
        """Everything in the outbox arrives; nobody is found on call but cem."""
        said: list[Event] = []
        while self.incident.outbox:
            said += self.deliver(self.incident.outbox[0], person="cem")
        return said

    def park(self, port: Port) -> list[Event]:
        """The port's provider can't be reached."""
        effect = lifecycle.next_effect(self.incident, port)
        assert effect is not None, f"nothing waits for {port}"
        return self.record([lifecycle.parked(self.incident, effect, "connection refused", None, self.now)])

    # ------------------------------------------------------------------ whole stretches

    def mitigates(self, **plan: Any) -> None:
        """A mitigation from its proposal to its success, approved where the severity wants that first."""
        self.does("mitigate", **{**PLAN, **plan})
        if self.incident.mitigation is not None and self.incident.mitigation.blocked_on_approval:
            self.does("approve", by="dana")
        self.does("finish_mitigation", succeeded=True)

    def confirms(self, *but: Criterion) -> None:
        """Every criterion of resolution, except `but`."""
        for criterion in Criterion:
            if criterion not in but:
                self.does("confirm", criterion=criterion.value)

    def reaches(self, phase: Phase) -> Walk:
        """The shortest honest way into `phase`."""
        while self.incident.phase.number < phase.number:
            self._onwards()
        return self

    def _onwards(self) -> None:
        match self.incident.phase:
            case Phase.DETECTION:
                self.does("declare", severity="SEV2")
            case Phase.MITIGATION:
                self.mitigates()
                self.does("advance", reason="the rest is done while we verify")
            case Phase.RESOLUTION:
                self.confirms()
                self.forward(seconds=self.incident.rule.verification.total_seconds())
                self.does("resolve", root_cause="The retry budget was exhausted.", fix_applied="Rolled back.")
            case Phase.POST_INCIDENT:
                self.settles_everything()
                self.does("close")
            case _:
                self.does("advance", reason="service first")

    def settles_everything(self) -> None:
        """What stands in the way of closing, done one by one."""
        self.does("file_postmortem", document=DOCUMENT)
        self.does("add_action_item", item="Alert on retries", owner="ben", due="2026-12-01")
        self.does("approve", by="dana", note="the change as it was made")
        for item in self.incident.checklist.values():
            if item.state is CheckState.OPEN:
                self.does("check", item=item.item, note="done on the night")

    # ------------------------------------------------------------------ looking

    def clock(self, name: str) -> Clock:
        return self.incident.clocks[name]

    def open_clocks(self) -> set[str]:
        return {name for name, clock in self.incident.clocks.items() if clock.open}

    def kinds(self) -> list[str]:
        return [event.kind for event in self.timeline]

    def due_in(self, name: str, since: datetime = OPENED) -> timedelta:
        """How long after `since` a clock is due."""
        due = self.clock(name).due
        assert due is not None, f"{name} is paused"
        return due - since


def spoke(events: Iterable[Event], kind: str) -> list[str]:
    """The names of the clocks that spoke in these events, in order: `reminder` or `overdue`."""
    return [event.data["clock"] for event in events if event.kind == kind]
