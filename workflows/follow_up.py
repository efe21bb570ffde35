"""What a closed incident still owes: its action items, chased until each is done or waived by name, and what was not delivered.

Reminders go to the owner, then the commander, then the manager. The state is the incident's own, so the same
clocks and the same decisions serve here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

with workflow.unsafe.imports_passed_through():
    from incident import channels, commands, drift, lifecycle, repeats, snapshot
    from incident.commands import AFTER_THE_END, Command, InvalidInput
    from incident.events import Event
    from incident.model import Incident as IncidentState
    from incident.refusals import Refusal, refuse
    from workflows import contract, patches
    from workflows.conductor import Conductor, remembered, tail
    from workflows.payloads import decoded, key_of, mistaken
    from workflows.steadfast import steadfast


@workflow.defn(name="FollowUp")
class FollowUp:
    """The action items of one closed incident, and its deliveries that have not arrived."""

    @workflow.init
    def __init__(self, start: contract.FollowUpInput) -> None:
        self.conductor = Conductor(start.incident, start.timeline, lists_row=False, cut_short=start.cut_short)
        self.answers: dict[str, dict[str, Any]] = dict(start.answers)
        self.marks: dict[str, str] = dict(start.marks)

    @property
    def incident(self) -> IncidentState:
        return self.conductor.incident

    @property
    def timeline(self) -> list[Event]:
        return self.conductor.timeline

    @workflow.run
    async def run(self, start: contract.FollowUpInput) -> dict[str, Any]:
        """Chase the open action items and send what waits, until each is seen to; answers with what became of them."""
        return await steadfast(self._chase())

    async def _chase(self) -> dict[str, Any]:
        self.conductor.start()
        while not self._over():
            self.conductor.tick()
            if self._long_enough():
                await self._continue_as_new()
            await self.conductor.until_wake_or(self._disturbed, "the next action item")
        return {"action_items": snapshot.state(self.incident, workflow.now())["action_items"]}

    def _disturbed(self) -> bool:
        return self._over() or self._long_enough()

    def _long_enough(self) -> bool:
        info = workflow.info()
        return info.get_current_history_length() >= self.incident.policy.history_limit or info.is_continue_as_new_suggested()

    async def _continue_as_new(self) -> None:
        """Go on in a new run with an empty history, with all that this one knows that still matters."""
        await self.conductor.drained()
        answers = remembered(self.answers)
        marks = {key: self.marks[key] for key in answers if key in self.marks}
        request = contract.FollowUpInput(
            incident=self.incident,
            timeline=tail(self.timeline),
            answers=answers,
            marks=marks,
            cut_short=self.conductor.handed_on(),
        )
        workflow.continue_as_new(request)

    def _over(self) -> bool:
        return not lifecycle.owes(self.incident) and self.conductor.idle and workflow.all_handlers_finished()

    @workflow.update(dynamic=True)
    def command(self, name: str, args: Sequence[RawValue]) -> dict[str, Any]:
        """Complete or waive an action item, write a note, or see to a delivery."""
        request = self._read(name, args)
        return self._answer(request, key_of(request))

    @command.validator
    def _validate(self, name: str, args: Sequence[RawValue]) -> None:
        request = self._read(name, args)
        try:
            repeats.check(self.marks, key_of(request), request)
        except InvalidInput as error:
            raise mistaken(error) from error

    @workflow.signal(dynamic=True)
    def told(self, name: str, args: Sequence[RawValue]) -> None:
        try:
            if name == contract.READ_BACK:
                self._take_read_back(args)
                return
            if name == contract.CHANNELS:
                self._take_pauses(args)
                return
            request = self._command(name, args)
            if repeats.reused(self.marks, request.key, request) and workflow.patched(patches.ONE_KEY_ONE_REQUEST):
                repeats.check(self.marks, request.key, request)
            self._answer(request, request.key)
        except InvalidInput as error:
            self.note_invalid(name, str(error))

    def _take_read_back(self, args: Sequence[RawValue]) -> None:
        """A ticket that was closed at the tracker is an action item done."""
        if len(args) != 1:
            raise InvalidInput([{"field": contract.READ_BACK, "message": f"takes what one system shows, not {len(args)} arguments"}])
        seen = drift.ReadBack.read(decoded(args[0])).model_copy(update={"page": None, "channel": None})
        self.conductor.record(drift.told(self.incident, seen, workflow.now()))

    def _take_pauses(self, args: Sequence[RawValue]) -> None:
        if len(args) != 1:
            raise InvalidInput([{"field": contract.CHANNELS, "message": f"takes the paused channels, not {len(args)} arguments"}])
        self.conductor.record(channels.told(self.incident, channels.Pauses.read(decoded(args[0])), workflow.now()))

    def note_invalid(self, name: str, reason: str) -> None:
        """Keep on record that a message could not be understood."""
        self.conductor.record([lifecycle.invalid(name, reason, "unknown", workflow.now())])

    def _read(self, name: str, args: Sequence[RawValue]) -> Command:
        try:
            return self._command(name, args)
        except InvalidInput as error:
            raise mistaken(error) from error

    def _command(self, name: str, args: Sequence[RawValue]) -> Command:
        payloads = [decoded(arg) for arg in args]
        if len(payloads) != 1:
            raise InvalidInput([{"field": name, "message": f"takes one JSON object, not {len(payloads)} arguments"}])
        return commands.parse(name, payloads[0])

    def _answer(self, command: Command, key: str | None) -> dict[str, Any]:
        if key is not None and key in self.answers:
            return self.answers[key]
        now = workflow.now()
        allowed = command.verb in AFTER_THE_END
        outcome = lifecycle.permitted(self.incident, command, now) if allowed else refuse("already-closed")
        answer: dict[str, Any] = {"incident": self.incident.id, "phase": self.incident.phase.value}
        if isinstance(outcome, Refusal):
            self.conductor.record([lifecycle.refused(command.verb, command.by, outcome, now, via=command.via)])
            answer |= {"accepted": False, "refusal": outcome.model_dump(mode="json", exclude_none=True)}
        else:
            events = self.conductor.record(outcome)
            answer |= {"accepted": True, "events": [event.model_dump(mode="json") for event in events]}
        if key is not None:
            self.answers[key] = answer
            self.marks[key] = repeats.mark(command)
        return answer

    @workflow.query(name="state")
    def state(self) -> dict[str, Any]:
        return snapshot.state(self.incident, workflow.now())

    @workflow.query(name="model")
    def model(self) -> IncidentState:
        """The state in the core's own shape; of very many alerts not all."""
        return snapshot.brief(self.incident)

    @workflow.query(name="timeline")
    def entries(self, since: contract.TimelineFilter | None = None) -> list[dict[str, Any]]:
        """The entries after `since`, as many as an answer takes."""
        return snapshot.entries(self.timeline, since.since if since is not None else 0)
