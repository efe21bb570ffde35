"""Whatever people, monitoring, providers and time do, in whatever order: what must hold of every incident."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident import alerts, blockers, clocks, lifecycle, merging
from incident.checklists import fresh
from incident.commands import COMMANDS, Open, parse
from incident.effects import Receipt
from incident.events import Event
from incident.lifecycle import Opening
from incident.model import ClockState, Incident
from incident.refusals import Refusal
from incident.vocabulary import Criterion, Phase

START = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)

PEOPLE = st.sampled_from(["ana", "ben", "eva"])
ITEMS = st.sampled_from(sorted(fresh()))
REASONS = st.sampled_from(["primary service restored", "calmer now", "skip the RCA, small incident", "no runbook exists", "document later"])
OPTIONS = st.sampled_from(["rollback", "scale", "restart", "failover", "feature_disable", "hotfix"])

FIELDS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "acknowledge": {},
    "describe": {"symptom": st.just("5xx"), "customer_facing": st.booleans()},
    "declare": {"severity": st.sampled_from(["SEV1", "SEV2", "SEV3"]), "customer_facing": st.booleans()},
    "assign": {"role": st.sampled_from(["commander", "communications"]), "person": PEOPLE},
    "change_severity": {"severity": st.sampled_from(["SEV1", "SEV2", "SEV3"]), "reason": REASONS},
    "check": {"item": ITEMS, "note": st.just("done")},
    "skip": {"item": ITEMS, "reason": REASONS},
    "advance": {"reason": REASONS},
    "post_update": {"audience": st.sampled_from(["internal", "external"]), "text": st.just("update")},
    "note": {"text": st.just("note")},
    "hypothesize": {"text": st.just("cause")},
    "mitigate": {
        "option": OPTIONS,
        "rationale": st.just("the deployment"),
        "owner": PEOPLE,
        "action": st.just("roll back"),
        "verification": st.just(["errors gone"]),
        "rollback_plan": st.just("deploy again"),
    },
    "approve": {},
    "finish_mitigation": {"succeeded": st.booleans()},
    "confirm": {"criterion": st.sampled_from(list(Criterion)).map(str)},
    "withdraw": {"criterion": st.sampled_from(list(Criterion)).map(str), "reason": REASONS},
    "measure": {"name": st.just("error_ratio"), "expression": st.just("error_ratio")},
    "correct": {"finding": st.sampled_from(["deployments", "signals"])},
    "resolve": {"root_cause": st.just("a retry"), "fix_applied": st.just("rolled back")},
    "reopen": {"reason": REASONS},
    "dispatch": {"request": st.just("look")},
    "file_report": {"id": st.sampled_from(["1", "9"]), "text": st.just("found")},
    "schedule_retrospective": {"at": st.just("2026-12-24T10:00:00Z")},
    "add_action_item": {"item": st.just("limit it"), "owner": PEOPLE, "due": st.sampled_from(["2026-11-26", "2026-12-10"])},
    "change_action_item": {"id": st.sampled_from(["AI-1", "AI-2"]), "owner": PEOPLE, "due": st.sampled_from(["2026-11-26", "2026-12-24"])},
    "complete_action_item": {"id": st.sampled_from(["AI-1", "AI-2"])},
    "file_postmortem": {"document": st.just("## Summary\nIt broke.\n## Root Cause\nA retry.\n")},
    "waive": {"obligation": st.sampled_from(["postmortem", "status_page", "internal_update", "AI-1"]), "reason": REASONS},
    "retry_delivery": {"delivery": st.sampled_from(["1", "2", "5"])},
    "replace_delivery": {"delivery": st.sampled_from(["1", "2", "5"]), "text": st.just("another text")},
    "give_up_delivery": {"delivery": st.sampled_from(["1", "3", "4"]), "reason": REASONS},
    "restrict": {"reason": REASONS},
    "invite": {"person": st.sampled_from(["fay", "ana"])},
    "close": {},
    "dismiss": {"reason": REASONS, "as": st.just("false_alarm")},
    "merge": {"into": st.just("INC-2026-0002")},
}

EAGER = ("declare", "advance", "advance", "mitigate", "approve", "finish_mitigation", "confirm", "confirm", "confirm", "resolve", "check")

COMMAND = st.sampled_from([*FIELDS, *EAGER * 3]).flatmap(
    lambda verb: st.fixed_dictionaries({"by": PEOPLE, **FIELDS[verb]}).map(lambda fields: ("command", verb, fields))
)
TIME = st.sampled_from([1, 4, 9, 16, 16, 16, 45, 600, 4_000]).map(lambda minutes: ("time", minutes, None))
ALERT = st.tuples(st.sampled_from(["a", "b"]), st.booleans()).map(lambda pair: ("alert", *pair))
DELIVERY = st.sampled_from(["delivered", "delivered", "parked", "undeliverable"]).map(lambda how: ("delivery", how, None))


def _said(verb: str, **fields: Any) -> tuple[str, str, dict[str, Any]]:
    return ("command", verb, {"by": "ana", **fields})


ROAD = [
    _said("declare", severity="SEV1"),
    _said("advance", reason="service first"),
    _said("mitigate", option="rollback", rationale="v248", owner="ana", action="back", verification=["x"], rollback_plan="again"),
    _said("approve", by="ben"),
    _said("finish_mitigation", succeeded=True),
    _said("advance", reason="it worked"),
]
CONFIRMED = [_said("confirm", criterion=str(criterion)) for criterion in Criterion]
"""The way to where resolving is tried; random nights rarely find it by themselves."""

ENDGAME = st.lists(
    st.one_of(
        st.sampled_from([*CONFIRMED, *CONFIRMED, _said("resolve", root_cause="a retry", fix_applied="rolled back")]),
        st.just(_said("resolve", root_cause="a retry", fix_applied="rolled back")),
        st.sampled_from(list(Criterion)).map(lambda criterion: _said("withdraw", criterion=str(criterion), reason="back again")),
        TIME,
        ALERT,
    ),
    max_size=25,
)
RANDOM = st.lists(st.one_of(COMMAND, COMMAND, COMMAND, TIME, ALERT, DELIVERY), min_size=5, max_size=40)
STEPS = st.one_of(
    RANDOM,
    st.tuples(st.sampled_from([ROAD, ROAD + CONFIRMED]), ENDGAME, RANDOM).map(lambda parts: [*parts[0], *parts[1], *parts[2]]),
)


class Night:
    """One random night, every event of it recorded, and every obligation followed."""

    def __init__(self, severity: str | None) -> None:
        self.now = START
        request = Open(by="ana", title="Checkout", services=("checkout",), severity=severity)
        opened = Opening(id="INC-2026-0001", request=request)
        self.incident, self.events = lifecycle.opening(opened, self.now)
        self.accepted: list[tuple[str, int]] = []

    def record(self, events: list[Event]) -> list[Event]:
        before = self.incident
        self.incident, recorded = lifecycle.record(self.incident, events)
        self.events += recorded
        self.nothing_vanished(before, recorded)
        return recorded

    def nothing_vanished(self, before: Incident, recorded: list[Event]) -> None:
        named: set[str] = set()
        for event in recorded:
            moved = event.data.get("clocks", {})
            named |= set(moved.get("satisfied", {})) | set(moved.get("superseded", {}))
            if event.kind == "waived":
                named.add(event.data["obligation"])
        for name, clock in before.clocks.items():
            after = self.incident.clocks.get(name)
            still = after is not None and after.open and after.since == clock.since
            assert not clock.open or still or name in named, f"{name} vanished: {[event.kind for event in recorded]}"

    def step(self, kind: str, what: Any, more: Any) -> None:
        if kind == "time":
            self.pass_time(timedelta(minutes=what))
        elif kind == "alert":
            alert = alerts.AlertInput.model_validate(
                {
                    "status": "firing" if more else "resolved",
                    "labels": {"alertname": what},
                    "startsAt": self.now if more else START,
                    "fingerprint": what,
                }
            )
            known = self.incident.alerts.get(what)
            if not more and known is not None:
                alert = alert.model_copy(update={"starts_at": known.starts_at})
            self.record(alerts.told(self.incident, [alert.alert()], self.now))
        elif kind == "delivery":
            self.deliver(what)
        elif self.incident.open:
            self.command(what, more)

    def command(self, verb: str, fields: dict[str, Any]) -> None:
        outcome = lifecycle.decide(self.incident, parse(verb, fields), self.now)
        if isinstance(outcome, Refusal):
            assert outcome.message
            assert outcome.required_action
            self.record([lifecycle.refused(verb, fields["by"], outcome, self.now)])
            return
        recorded = self.record(outcome)
        if recorded:
            self.accepted.append((verb, recorded[0].seq))
        if verb == "merge":
            self.record([merging.failed(fields["into"], "it is closed", self.now)])

    def deliver(self, how: str) -> None:
        if not self.incident.outbox:
            return
        effect = self.incident.outbox[0]
        if how == "delivered":
            receipt = Receipt(reference="r", channel="#incident-x", person="ben", role="senior on-call")
            self.record(lifecycle.delivered(self.incident, effect, receipt, self.now))
        elif how == "parked":
            self.record([lifecycle.parked(self.incident, effect, "down", None, self.now)])
        else:
            self.record([lifecycle.undeliverable(effect, "no", self.now)])

    def pass_time(self, length: timedelta) -> None:
        """Wake for each clock, as the workflow does; at most some hundred times, then all at once as after an outage."""
        end = self.now + length
        for _ in range(200):
            wake = clocks.next_wake(self.incident)
            if wake is None or wake > end:
                break
            self.now = max(self.now, wake)
            self.record(lifecycle.tick(self.incident, self.now))

            assert lifecycle.tick(self.incident, self.now) == [], "a clock spoke twice at one moment"
        self.now = end
        self.record(lifecycle.tick(self.incident, self.now))


def green_before(events: list[Event], resolved: Event, length: timedelta) -> bool:
    """Whether everything was green for `length` before the resolution, derived from the entries alone."""
    confirmed: set[str] = set()
    firing: set[str] = set()
    since: datetime | None = None
    for event in events[: events.index(resolved)]:
        if event.kind == "criterion_confirmed":
            confirmed.add(event.data["criterion"])
        elif event.kind == "criterion_withdrawn":
            confirmed.discard(event.data["criterion"])
        elif event.kind == "reopened":
            confirmed.clear()
        elif event.kind == "alert":
            for item in event.data["alerts"]:
                (firing.add if item["firing"] else firing.discard)(item["fingerprint"])
        green = len(confirmed) == len(Criterion) and not firing
        since = (since or event.at) if green else None
    return since is not None and resolved.at - since >= length


@settings(max_examples=250)
@given(st.sampled_from([None, "SEV1", "SEV2", "SEV3"]), STEPS)
def test_what_holds_of_every_night(severity: str | None, steps: list[tuple[str, Any, Any]]) -> None:
    """No way leads to resolved without the criteria and a whole green period; nothing owed vanishes; the record is whole."""
    night = Night(severity)
    for kind, what, more in steps:
        rule = night.incident.rule
        before = night.incident
        night.step(kind, what, more)
        if before.phase is Phase.RESOLUTION and night.incident.phase is Phase.POST_INCIDENT:
            resolved = [event for event in night.events if event.kind == "resolved"][-1]

            assert green_before(night.events, resolved, rule.verification)
    assert [event.seq for event in night.events] == list(range(1, len(night.events) + 1))
    by_seq = {event.seq: event for event in night.events}

    assert all(seq in by_seq for _, seq in night.accepted)
    keys = [effect.key for effect in night.incident.outbox]

    assert len(keys) == len(set(keys))
    stored = Incident.model_validate_json(night.incident.model_dump_json())

    assert stored == night.incident


@settings(max_examples=100)
@given(st.sampled_from([None, "SEV1", "SEV2", "SEV3"]), STEPS)
def test_folding_the_events_gives_the_state(severity: str | None, steps: list[tuple[str, Any, Any]]) -> None:
    """The timeline, read back from JSON and folded from the blank incident, is the incident."""
    night = Night(severity)
    for step in steps:
        night.step(*step)
    read_back = [Event.model_validate_json(event.model_dump_json()) for event in night.events]
    incident = lifecycle.blank(
        Opening(id="INC-2026-0001", request=Open(by="ana", title="Checkout", services=("checkout",), severity=severity)), START
    )
    for event in read_back:
        incident = lifecycle.evolve(incident, event)

    assert incident == night.incident


def test_the_proof_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the verification period taken out of the process, the property above finds it out."""
    monkeypatch.setattr(blockers, "_verification", lambda incident, now: None)

    with pytest.raises(AssertionError):
        test_what_holds_of_every_night()


def test_every_command_takes_part() -> None:
    """A verb that the random nights leave out is not proven."""
    assert set(FIELDS) == set(COMMANDS)


def test_open_clocks_always_have_a_due_time() -> None:
    """A clock that runs is due at some time; only one that waits for something has none."""
    night = Night("SEV1")

    assert all(clock.due is not None for clock in night.incident.clocks.values() if clock.state is not ClockState.PAUSED)
