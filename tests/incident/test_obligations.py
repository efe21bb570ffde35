# ruff: noqa: SIM300 - the house writes what is expected first
"""Random nights, step by step: after every single step nothing owed is lost, mute, or told under a key used before."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from incident import channels, clocks, deliveries, lifecycle, merging, snapshot
from incident.commands import COMMANDS
from incident.effects import Effect, OpenChannel, Port, Publish
from incident.events import KINDS, Event
from incident.guidance import next_step
from incident.merging import Handover, Owed, Taken
from incident.model import Clock, ClockState, Incident, Pause, Update
from incident.policy import SEVERITY_MATRIX
from incident.refusals import CODES, Refusal
from incident.vocabulary import Criterion, Phase, Severity
from tests.incident.test_deciding import FIELDS
from tests.incident.walk import BETTER, OPENED, PLAN, Walk, alert, opening_of

OTHERS: dict[str, list[dict[str, Any]]] = {
    "describe": [{"customer_facing": True}, {"customer_facing": False}],
    "declare": [{"severity": "SEV3"}, {"factors": {"complete_outage": True}, "customer_facing": True}, {"factors": {}}],
    "assign": [{"role": "commander", "person": "eva"}, {"role": "communications", "person": "cem"}],
    "change_severity": [{"severity": severity, "reason": BETTER} for severity in ("SEV1", "SEV2", "SEV3")],
    "check": [{"item": item, "note": "done"} for item in ("change_approved", "rca_document_created", "channel_created")],
    "skip": [
        {"item": item, "reason": "it does not apply"} for item in ("change_approved", "action_items_assigned", "rca_document_created")
    ],
    "advance": [{}],
    "post_update": [{"audience": "external", "text": "we know"}, {"audience": "external", "text": "over", "status": "resolved"}],
    "mitigate": [{**PLAN, "owner": "dana", "option": "hotfix"}],
    "approve": [{}, {"note": "reviewed"}],
    "finish_mitigation": [{"succeeded": False}],
    "confirm": [{"criterion": criterion.value} for criterion in Criterion],
    "withdraw": [{"criterion": criterion.value, "reason": "back again"} for criterion in Criterion],
    "change_action_item": [{"id": "AI-1", "due": "2026-12-24"}, {"id": "AI-2", "owner": "eva"}],
    "complete_action_item": [{"id": "AI-2"}],
    "merge": [{"into": "INC-2026-0003", "reason": "the same cause"}],
    "waive": [{"obligation": name, "reason": "agreed with the owner"} for name in ("postmortem", "status_page", "AI-1", "dispatch:1")],
    "retry_delivery": [{"delivery": str(number)} for number in (2, 3, 5, 8)],
    "replace_delivery": [{"delivery": str(number), "text": "another text"} for number in (2, 5)] + [{"delivery": "4", "to": "eva"}],
    "give_up_delivery": [{"delivery": str(number), "reason": "told by phone"} for number in (2, 3, 5, 8)],
}

COMMAND = st.sampled_from([(verb, fields) for verb in COMMANDS for fields in [FIELDS[verb], *OTHERS.get(verb, [])]])
PEOPLE = st.sampled_from(["ana", "ben", "dana"])
MINUTES = st.sampled_from([1, 4, 8, 15, 40])
HOURS = st.sampled_from([1, 9, 100])


class Nights(RuleBasedStateMachine):
    """One incident under everything that can happen to it."""

    walk: Walk

    @initialize(severity=st.sampled_from([None, "SEV1", "SEV2", "SEV3"]), facing=st.booleans(), firing=st.booleans())
    def opens(self, severity: str | None, facing: bool, firing: bool) -> None:
        start = opening_of(severity, customer_facing=facing, alerts=[alert(service="checkout")] if firing else [])
        self.walk = Walk(start)
        self.effects: dict[str, Effect] = {}
        self.checked = 0
        self.state = lifecycle.blank(start, self.walk.now)

    # ------------------------------------------------------------------ what happens

    @rule(command=COMMAND, by=PEOPLE)
    def somebody_asks(self, command: tuple[str, dict[str, Any]], by: str) -> None:
        verb, fields = command
        self._asks(verb, {"by": by, **fields})

    @rule()
    def somebody_follows_the_guidance(self) -> None:
        self._follow()

    @rule(steps=st.integers(2, 12))
    def somebody_follows_the_guidance_for_a_while(self, steps: int) -> None:
        for _ in range(steps):
            self._follow()

    @rule(minutes=MINUTES)
    def time_passes(self, minutes: int) -> None:
        self.walk.forward(minutes=minutes)

    @rule(hours=HOURS)
    def nothing_runs_for_a_while(self, hours: int) -> None:
        self.walk.pause(hours=hours)

        assert [] == self.walk.tick()

    @rule(name=st.sampled_from(["Errors", "Latency"]), firing=st.booleans(), age=st.integers(0, 3))
    def monitoring_tells(self, name: str, firing: bool, age: int) -> None:
        self.walk.told(alert(name, firing=firing, starts_at=self.walk.now - timedelta(minutes=age)))

    @precondition(lambda self: self.walk.incident.outbox)
    @rule(which=st.integers(0, 3), how=st.sampled_from(["delivered", "delivered", "delivered", "parked", "refused", "nobody"]))
    def a_provider_answers(self, which: int, how: str) -> None:
        effect = self.walk.incident.outbox[which % len(self.walk.incident.outbox)]
        if how == "parked" and lifecycle.next_effect(self.walk.incident, effect.port) is None:
            return  # the declaration waits for its commander's name, and nothing was sent that could fail
        if how == "parked":
            self.walk.park(effect.port)
        elif how == "refused":
            self.walk.record([lifecycle.undeliverable(effect, "no", self.walk.now)])
        else:
            self.walk.deliver(effect, person=None if how == "nobody" else "eva")

    @rule(ports=st.sets(st.sampled_from([Port.CHAT, Port.STATUS, Port.TICKETS])), hours=st.integers(1, 3))
    def people_pause_channels(self, ports: set[Port], hours: int) -> None:
        until = self.walk.now + timedelta(hours=hours)
        pauses = [Pause(port=port, by="ana", reason="the vendor is out", since=OPENED, until=until) for port in sorted(ports)]
        self.walk.record(channels.told(self.walk.incident, channels.Pauses(paused=tuple(pauses), by="ana"), self.walk.now))

        assert ports == self.walk.incident.paused.keys()

    @precondition(lambda self: self.walk.incident.merging_into is not None)
    @rule(takes=st.booleans())
    def the_other_incident_answers(self, takes: bool) -> None:
        into = self.walk.incident.merging_into or ""
        taken = Taken(incident=into, title="Payments fail", channel="#incident-payments")
        if takes:
            self.walk.record(merging.given_way(self.walk.incident, taken, "ana", self.walk.now))
        else:
            self.walk.record([merging.failed(into, "it is closed", self.walk.now)])

    @rule(number=st.integers(2, 4), item=st.booleans(), facing=st.booleans())
    def another_incident_is_merged_in(self, number: int, item: bool, facing: bool) -> None:
        due = self.walk.now.date()
        given = Handover(
            incident=f"INC-2026-{number:04d}",
            title="Payments fail",
            by="ana",
            severity=Severity.SEV1 if facing else None,
            presumed=Severity.SEV2,
            opened_at=self.walk.now,
            customer_facing=facing,
            external_update=Update(at=self.walk.now, by="ana", text="We know.") if facing else None,
            promised=self.walk.now + timedelta(minutes=5) if facing else None,
            on_status_page=facing,
            items=(Owed(origin="AI-1", item="Limit the retries", owner="ben", due=due),) if item else (),
        )
        outcome = merging.absorb(self.walk.incident, given, self.walk.now)
        if not isinstance(outcome, str):
            self.walk.record(outcome)

    def _asks(self, verb: str, fields: dict[str, Any]) -> bool:
        """Ask as the workflow does: the clocks speak first, a refusal is recorded; True where it was accepted."""
        self.walk.tick()
        outcome = self.walk.asks(verb, **fields)
        if isinstance(outcome, Refusal):
            assert outcome.code in CODES
            assert outcome.message
            assert outcome.required_action
            self.walk.record([lifecycle.refused(verb, fields.get("by", "ana"), outcome, self.walk.now)])
            return False
        recorded = self.walk.record(outcome)

        assert not recorded or fields.get("by", "ana") in {event.by for event in recorded}
        return True

    def _follow(self) -> None:
        """Do what the next step says; it is never refused."""
        self.walk.tick()
        found = next_step(self.walk.incident, self.walk.now)
        if found.verb is None:
            self.walk.forward(minutes=15)
            return
        fields: dict[str, Any] = {**FIELDS[found.verb], **_named_in(found.command or ""), "by": "eva"}
        if "--note" in (found.command or ""):
            fields["note"] = "reviewed"
        assert self._asks(found.verb, fields), f"{found} was refused"

    # ------------------------------------------------------------------ what holds after every step

    @invariant()
    def every_entry_follows_from_the_one_before(self) -> None:
        """Replays the new entries one by one, from JSON, and holds each against what was owed before it."""
        for event in self.walk.timeline[self.checked :]:
            before = self.state
            self.state = lifecycle.evolve(before, Event.model_validate_json(event.model_dump_json()))

            assert before.seq + 1 == event.seq
            assert event.kind in KINDS
            self._owes_what_it_owed(before, event)
            self._sends_what_it_has_to(before, event)
            if event.kind == "resolved":
                self._was_green(event, before.severity)
            if event.kind == "closed":
                self._owed_nothing(before)
        self.checked = len(self.walk.timeline)

        assert self.walk.incident == self.state

    def _owes_what_it_owed(self, before: Incident, event: Event) -> None:
        moved = event.data.get("clocks", {})
        named = {*moved.get("satisfied", {}), *moved.get("superseded", {})}
        if event.kind == "waived":
            named.add(event.data["obligation"])
        for name, clock in before.clocks.items():
            after = self.state.clocks.get(name)
            kept = after is not None and after.open and after.due == clock.due

            assert not clock.open or kept or name in named, f"{event.kind} lost {name}"

    def _sends_what_it_has_to(self, before: Incident, event: Event) -> None:
        if before.outbox is self.state.outbox:
            return
        waited = {effect.key: effect for effect in before.outbox}
        waits = {effect.key: effect for effect in self.state.outbox}
        for key in waits.keys() - waited.keys():
            again = event.kind == "delivery_retried" and waits[key] == self.effects.get(key)

            assert again or key not in self.effects, f"{key} names two messages"
            self.effects[key] = waits[key]
        for effect in (waited[key] for key in waited.keys() - waits.keys()):
            answered = event.kind in ("delivered", "channel_opened", "undeliverable") and event.data["number"] == effect.number
            newer = [other for other in self.state.outbox if other.collapse == effect.collapse and other.number > effect.number]

            held_up = effect.port in self.state.down or effect.port in self.state.paused
            replaced = bool(effect.collapse and held_up and newer)
            # By a person, by name; or it was out of date when the port's queue moved again.
            replaced = replaced or (event.kind in ("delivery_replaced", "delivery_given_up") and event.data["number"] == effect.number)
            moves = event.kind in ("delivered", "channel_opened", "channel_resumed") and event.data["port"] == effect.port.value
            replaced = replaced or (moves and deliveries.stale(self.state, effect))
            # Made private, it takes back what would have told everybody.
            taken_back = event.kind == "restricted" and isinstance(effect.ask, OpenChannel | Publish)

            assert answered or replaced or taken_back, f"{event.kind} lost {effect.key}"

    def _was_green(self, resolved: Event, severity: Severity | None) -> None:
        """From the entries alone: all confirmed, nothing firing, for the whole period of the severity in force."""
        confirmed: set[str] = set()
        episodes: dict[str, bool] = {}
        since: datetime | None = None
        for event in self.walk.timeline[: resolved.seq - 1]:
            if event.kind == "criterion_confirmed":
                confirmed.add(event.data["criterion"])
            elif event.kind == "criterion_withdrawn":
                confirmed.discard(event.data["criterion"])
            elif event.kind == "reopened":
                confirmed.clear()
            elif event.kind == "alert":
                episodes |= {item["fingerprint"]: item["firing"] for item in event.data["alerts"]}
            green = confirmed == {criterion.value for criterion in Criterion} and not any(episodes.values())
            since = (since or event.at) if green else None

        assert severity is not None
        assert since is not None, "resolved while a criterion did not hold"
        assert resolved.at - since >= SEVERITY_MATRIX[severity].verification, "resolved before the period was over"

    def _owed_nothing(self, before: Incident) -> None:
        mandatory = before.severity in (Severity.SEV1, Severity.SEV2)

        assert before.phase is Phase.POST_INCIDENT
        assert before.postmortem or not mandatory
        assert not [one for one in before.mitigations if one.approval == "documented_later" and one.approved_by is None]

    @invariant()
    def no_clock_is_mute(self) -> None:
        """A clock that is owed will speak, but for the two that something else speaks for."""
        incident = self.walk.incident
        for clock in incident.clocks.values():
            assert clock.due is not None or clock.state is ClockState.PAUSED
            if clock.open and clock.remind_at is None and clock.escalate_at is None:
                assert _spoken_for(clock, incident), f"{clock} is owed and will never say so"
        wake = clocks.next_wake(incident)

        assert wake is None or wake > self.walk.now or lifecycle.tick(incident, self.walk.now)

    @invariant()
    def everybody_gets_an_answer(self) -> None:
        """Every verb is decided and the state is shown, in whatever state the incident is, without an exception."""
        for verb, fields in FIELDS.items():
            self.walk.asks(verb, **fields)
        json.dumps(snapshot.state(self.walk.incident, self.walk.now))
        json.dumps(snapshot.row(self.walk.incident))

    def teardown(self) -> None:
        """The state survives being carried to the next run."""
        if hasattr(self, "walk"):
            assert self.walk.incident == Incident.model_validate_json(self.walk.incident.model_dump_json())


def _spoken_for(clock: Clock, incident: Incident) -> bool:
    """The pages go on for an acknowledgement that is overdue; the first public word comes before the next."""
    if clock.name == clocks.ACKNOWLEDGE:
        return clock.state is ClockState.OVERDUE
    first_word = incident.clocks.get(clocks.STATUS_PAGE)
    return clock.name == clocks.EXTERNAL_UPDATE and first_word is not None and first_word.open


def _named_in(command: str) -> dict[str, Any]:
    """What the command that the step shows has filled in already."""
    if "--external" in command:
        return {"audience": "external"}
    if "--criterion" in command:
        return {"criterion": command.split()[-1]}
    if "--item" in command:
        return {"item": command.split("--item ")[1].split()[0]}
    return {}


TestNights = Nights.TestCase
TestNights.settings = settings(max_examples=60, stateful_step_count=30)
