"""One production incident, from the first alert to the closed post-mortem.

`run` is the life of an incident: six phases, each ended by what people do, with one loop that wakes for the
earliest clock. Handlers answer at once: they compute first, assign last and never await. One dynamic handler takes
every command, as an update (which answers) and as a signal (which records what it refuses), so that no name,
argument or type that somebody sends can stop the workflow.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError

with workflow.unsafe.imports_passed_through():
    from pydantic import ValidationError  # passed through: the core raises this very class

    from activities.archiving import ArchiveRequest
    from incident import alerts, carrying, channels, commands, drift, lifecycle, merging, repeats, snapshot
    from incident.alerts import AlertInput
    from incident.commands import AFTER_THE_END, COMMANDS, Command, Describe, FilePostmortem, InvalidInput, Merge
    from incident.events import MONITORING, SYSTEM, Event
    from incident.lifecycle import Opening
    from incident.merging import Handover, Taken
    from incident.model import Incident as IncidentState
    from incident.model import Suggestion, Withdrawn
    from incident.paging import PageReport, paging_for
    from incident.refusals import Refusal, refuse
    from incident.registration import Closed, Registered, Takes
    from incident.vocabulary import Phase
    from workflows import contract, options, patches
    from workflows.conductor import Conductor, remembered, tail
    from workflows.handing_on import few
    from workflows.packing import Packing
    from workflows.payloads import decoded, key_of, mistaken
    from workflows.steadfast import steadfast, wait


class Answer(BaseModel):
    """What a command answers: the new timeline entries, or the refusal."""

    model_config = ConfigDict(frozen=True)

    incident: str
    phase: Phase
    accepted: bool
    events: list[Event] | None = None
    refusal: Refusal | None = None

    def wire(self) -> dict[str, Any]:
        return self.model_dump(mode="json", exclude_none=True)


class Carried(Packing):
    """What one run hands to the next; nothing else survives."""

    incident: IncidentState
    timeline: list[Event]
    answers: dict[str, dict[str, Any]] = Field(default_factory=dict)
    marks: dict[str, str] = Field(default_factory=dict)
    paged_through: int = 0
    takes: bool = True
    run: int = 1
    previous_run_id: str = ""
    listing: dict[str, Any] = Field(default_factory=dict)
    cut_short: list[contract.CutShort] = Field(default_factory=list)


class IncidentInput(BaseModel):
    """A new incident (`opening`), or one that continues (`carried`)."""

    opening: Opening | None = None
    carried: Carried | None = None


@workflow.defn(name="Incident")
class Incident:
    """Durable coordination of one incident."""

    @workflow.init
    def __init__(self, start: IncidentInput) -> None:
        self.answers: dict[str, dict[str, Any]] = {}
        self.marks: dict[str, str] = {}
        self.paged_through = 0
        self.paging_over = False
        self.takes = True
        self.taken: Taken | None = None
        self.kept_back: list[AlertInput] = []
        self.register_told = False
        self.one_owner = False
        self.passed_on = 0
        self.run_number = 1
        self.previous_run_id = ""
        if start.carried is not None:
            carried = start.carried
            self.conductor = Conductor(carried.incident, carried.timeline, cut_short=carried.cut_short)
            self.conductor.resume_listing(carried.listing)
            self.answers = dict(carried.answers)
            self.marks = dict(carried.marks)
            self.paged_through = carried.paged_through
            self.takes = carried.takes
            self.run_number = carried.run
            self.previous_run_id = carried.previous_run_id
        elif start.opening is not None:
            incident, events = lifecycle.opening(start.opening, workflow.now())
            self.conductor = Conductor(incident, events)
        else:
            raise ApplicationError("an incident begins with `opening` or goes on with `carried`", non_retryable=True)

    @property
    def incident(self) -> IncidentState:
        return self.conductor.incident

    @property
    def timeline(self) -> list[Event]:
        return self.conductor.timeline

    @workflow.run
    async def run(self, start: IncidentInput) -> dict[str, Any]:
        """Live through the six phases; answer with the row that lists keep."""
        return await steadfast(self._live(), self._refuse_to_be_cancelled)

    async def _live(self) -> dict[str, Any]:
        self.conductor.start()
        self._see_to_paging()
        self._see_to_taking()
        await self._archive_previous_run()

        await self._until_left(Phase.DETECTION)
        await self._until_left(Phase.DECLARATION)
        await self._until_left(Phase.TRIAGE)
        await self._until_left(Phase.MITIGATION)
        await self._until_left(Phase.RESOLUTION)
        await self._until_left(Phase.POST_INCIDENT)

        await self._wind_up()
        return snapshot.row(self.incident)

    # ------------------------------------------------------------------ waiting

    async def _until_left(self, phase: Phase) -> None:
        """Stay while the incident is in this phase or, reopened, in an earlier one."""
        while self.incident.open and self.incident.phase.number <= phase.number:
            await self._wait()

    async def _wait(self) -> None:
        """Let the clocks speak, and sleep until the earliest one or the end of the phase."""
        self.conductor.tick()
        if self._long_enough():
            await self._continue_as_new()
        phase = self.incident.phase
        await self.conductor.until_wake_or(lambda: self.incident.phase is not phase or self._long_enough(), "the next clock")

    def _refuse_to_be_cancelled(self) -> None:
        """A cancelled incident would forget what it owes: cancelling is refused, on record."""
        reason = "an incident can't be cancelled; dismiss it, or take it through resolution and close it"
        self.conductor.record([lifecycle.invalid("cancel", reason, SYSTEM, workflow.now())])

    async def _wind_up(self) -> None:
        """Closed: tell the register, send what can be sent, and hand over what is still owed.

        What is owed has one owner at any time: the incident, which takes commands for it (`_answer`), until everything has been
        tried once and nothing is under way; from then on the follow-up, with all that waits and under the same keys.
        """
        self.one_owner = workflow.patched(patches.ONE_OWNER)
        self._see_to_paging()
        self.conductor.spawn("register", self._tell_register())
        self.conductor.spawn("archive", self._start_archive(final=True))
        if not self.one_owner:
            await self._wind_up_beside()
            return
        await self._keep_on_until(lambda: lifecycle.tried(self.incident))
        await self.conductor.drained()
        if lifecycle.owes(self.incident):
            await self._hand_over()
        self.conductor.holding = False
        await self._keep_on_until(self._wound_up)

    async def _wind_up_beside(self) -> None:
        """As it was before `patches.ONE_OWNER`: the follow-up has the action items at once, and what is parked is sent from here."""
        if any(item.open for item in self.incident.action_items):
            self.conductor.spawn("follow-up", self._start_follow_up())
        await self._keep_on_until(self._wound_up)

    async def _keep_on_until(self, over: Callable[[], bool]) -> None:
        while not over():
            self.conductor.tick()
            await self.conductor.until_wake_or(over)

    def _wound_up(self) -> bool:
        return self.conductor.idle and not self.incident.outbox and workflow.all_handlers_finished()

    # ------------------------------------------------------------------ the next run

    def _long_enough(self) -> bool:
        info = workflow.info()
        limit = self.incident.policy.history_limit
        return info.get_current_history_length() >= limit or info.is_continue_as_new_suggested()

    async def _continue_as_new(self) -> None:
        """Go on in a new run with an empty history. Nothing is under way when it happens, and nothing is left out.

        An incident that is closed while it waits for that winds up in this run.
        """
        if not await self.conductor.drained(lambda: not self.incident.open):
            return
        self.conductor.tick()
        answers = remembered(self.answers)
        carried = Carried(
            incident=carrying.lighter(self.incident, options.ALERTS_BYTES_CARRIED),
            timeline=tail(self.timeline),
            answers=answers,
            marks={key: self.marks[key] for key in answers if key in self.marks},
            paged_through=self.paged_through,
            takes=self.takes,
            run=self.run_number + 1,
            previous_run_id=workflow.info().run_id,
            listing=self.conductor.carry_listing(),
            cut_short=self.conductor.handed_on(),
        )
        workflow.continue_as_new(IncidentInput(carried=carried))

    async def _archive_previous_run(self) -> None:
        if self.previous_run_id:
            self.conductor.spawn("archive", self._start_archive(final=False))

    async def _start_archive(self, *, final: bool) -> None:
        run_id = workflow.info().run_id if final else self.previous_run_id
        number = self.run_number if final else self.run_number - 1
        request = ArchiveRequest(incident=self.incident.id, run_id=run_id, run=number, final=final, drill=self.incident.drill)
        await self._start_child("Archive", request, contract.archive_id(self.incident.id, number))

    async def _hand_over(self) -> None:
        """Give everything that is still owed to the follow-up. From the first line on it is the only one who sees to it.

        It counts its own effects from far above, so that what a late message may yet ask for here has no key of its own.
        """
        answers = remembered(self.answers)
        incident = carrying.lighter(self.incident, options.ALERTS_BYTES_CARRIED)
        request = contract.FollowUpInput(
            incident=incident.model_copy(update={"effect_number": incident.effect_number + options.FOLLOW_UP_EFFECTS}),
            answers=answers,
            marks={key: self.marks[key] for key in answers if key in self.marks},
            cut_short=self.conductor.handed_on(),
        )
        self.conductor.let_go()
        await self._start_child("FollowUp", request, contract.follow_up_id(self.incident.id))

    async def _start_follow_up(self) -> None:
        # What still waits here is sent from here; the follow-up counts its own effects from far above, so that no key is used twice.
        handed_over = {"outbox": (), "down": {}, "effect_number": self.incident.effect_number + options.FOLLOW_UP_EFFECTS}
        request = contract.FollowUpInput(incident=self.incident.model_copy(update=handed_over))
        await self._start_child("FollowUp", request, contract.follow_up_id(self.incident.id))

    async def _start_child(self, type_: str, request: BaseModel, id_: str) -> None:
        """Start a fellow workflow that outlives this one; one that is there already is the one that was wanted."""
        self.conductor.mark()
        try:
            await workflow.start_child_workflow(
                type_,
                request,
                id=id_,
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                task_timeout=options.WORKFLOW_TASK_TIMEOUT,
                priority=options.priority(self.incident.severity or self.incident.presumed_severity),
            )
        except WorkflowAlreadyStartedError:
            workflow.logger.info("already started", extra={"fellow": id_})

    async def _tell_register(self) -> None:
        incident = self.incident
        episodes = alerts.newest_episodes(incident)
        own = contract.alert_group_id(incident.group or incident.id)
        newest = max((alert.starts_at for alert in incident.alerts.values() if not alert.group), default=None)
        if newest is not None:
            episodes[own] = max(newest, episodes.get(own, newest))
        closed = Closed(incident=incident.id, at=workflow.now(), merged_into=incident.duplicate_of, episodes=episodes)
        closed = closed.model_copy(update={"alerts": alerts.known_episodes(incident, own)})
        await self._signal(contract.REGISTRY_ID, contract.REGISTRY_CLOSED, closed)
        self.register_told = True

    def _see_to_taking(self) -> None:
        """Tell the register whether more alert groups may join: not what is resolved, private, or about to be merged."""
        incident = self.incident
        if not incident.registered or not incident.open or not self.conductor.started:
            return
        takes = incident.phase.number < Phase.POST_INCIDENT.number and incident.merging_into is None and not incident.private
        if takes is not self.takes and not self.conductor.busy("taking") and not self.conductor.holding:
            self.conductor.spawn("taking", self._tell_taking(takes))

    async def _tell_taking(self, takes: bool) -> None:
        await self._signal(contract.REGISTRY_ID, contract.REGISTRY_TAKES, Takes(incident=self.incident.id, takes=takes))
        self.takes = takes
        asyncio.get_running_loop().call_soon(self._see_to_taking)

    # ------------------------------------------------------------------ two incidents that are one trouble

    async def _merge(self, command: Merge) -> None:
        """Hand everything over to the other incident; closed once it has taken it, or going on as it was.

        Alerts that arrive meanwhile are kept back: they go along, or are taken here if nothing comes of it.
        """
        self.taken = None
        given = merging.handover(self.incident, command.by, command.reason or "", self.timeline, workflow.now())
        there = await self._signal(command.into, contract.ABSORB, given)
        taken = await self._answer_of(command.into) if there else None
        if taken is None or taken.refused is not None:
            why = merging.why_not(command.into, taken, there=there)
            self.conductor.record([merging.failed(command.into, why, workflow.now())])
            kept, self.kept_back = self.kept_back, []
            self._record_alerts(kept)
        else:
            await self._hand_over_alerts(command.into)
            self.conductor.record(merging.given_way(self.incident, taken, command.by, workflow.now()))
            self._see_to_paging()
        self._see_to_taking()

    async def _answer_of(self, other: str) -> Taken | None:
        self.conductor.mark()
        try:
            await wait(
                lambda: self.taken is not None and self.taken.incident == other,
                timeout=options.MERGE_WITHIN,
                timeout_summary="the other incident's answer",
            )
        except TimeoutError:
            return None
        return self.taken

    async def _hand_over_alerts(self, into: str) -> None:
        """Until none is left: more may be kept back while the last ones are on their way."""
        waiting = merging.wire(tuple(self.incident.alerts.values()))
        while waiting or self.kept_back:
            waiting += [alert.model_dump(mode="json", by_alias=True, exclude_defaults=True) for alert in self.kept_back]
            self.kept_back = []
            batch = waiting[: few(waiting, patches.BOUNDED_HANDOVERS, options.ALERTS_A_SIGNAL_BEFORE)]
            del waiting[: len(batch)]
            await self._signal_batch(into, batch)

    async def _signal_batch(self, workflow_id: str, batch: list[dict[str, Any]]) -> None:
        self.conductor.mark()
        try:
            await workflow.get_external_workflow_handle(workflow_id).signal(contract.ALERT, batch)
        except ApplicationError as error:
            workflow.logger.warning("alerts of a merged incident came too late", extra={"into": workflow_id, "cause": str(error)})

    def _take_handover(self, payloads: list[Any]) -> None:
        """Take another incident over, or say why not; a handover that comes again adds nothing."""
        given = _one(contract.ABSORB, payloads, Handover)
        self.conductor.tick()
        outcome = merging.absorb(self.incident, given, workflow.now())
        if isinstance(outcome, str):
            answer = Taken(incident=self.incident.id, refused=outcome)
        else:
            self.conductor.record(outcome)
            self._see_to_paging()
            incident = self.incident
            answer = Taken(incident=incident.id, title="" if incident.private else incident.title, channel=incident.channel)
        self.conductor.spawn(f"answer {given.incident}", self._reply(given.incident, answer))

    async def _reply(self, other: str, answer: Taken) -> None:
        await self._signal(other, contract.ABSORBED, answer)

    def _take_suggestion(self, payloads: list[Any]) -> None:
        suggestion = _one(contract.RELATED, payloads, Suggestion)
        if self.incident.open and suggestion.incident not in {each.incident for each in self.incident.suggestions}:
            self.conductor.record([lifecycle.related(self.incident.id, suggestion, workflow.now())])

    def _withdraw_suggestion(self, payloads: list[Any]) -> None:
        withdrawn = _one(contract.UNRELATED, payloads, Withdrawn)
        if self.incident.open:
            self.conductor.record(lifecycle.unrelated(self.incident, withdrawn, workflow.now()))

    async def _return_to_groups(self, late: list[AlertInput]) -> None:
        """Alerts that reached a closed incident go back to their groups, once the register knows; it says where they belong."""
        self.conductor.mark()
        await wait(lambda: self.register_told)
        for group in dict.fromkeys(alert.group for alert in late):
            wire = [alert.model_dump(mode="json", by_alias=True, exclude_defaults=True) for alert in late if alert.group == group]
            try:
                while wire:
                    batch = wire[: few(wire, patches.BOUNDED_HANDOVERS)]
                    del wire[: len(batch)]
                    self.conductor.mark()
                    message = {"alerts": batch, contract.RETURNED_BY: self.incident.id}
                    await workflow.get_external_workflow_handle(group).signal(contract.ALERTS, message)
            except ApplicationError as error:
                workflow.logger.warning("an alert group has ended before its alerts came back", extra={"cause": str(error)})
                newer = self._newer([alert for alert in late if alert.group == group])
                if newer:
                    await self._pass_on(newer)

    async def _signal(self, workflow_id: str, name: str, message: BaseModel | str | list[dict[str, Any]] | None) -> bool:
        """Signal a fellow workflow; False where it has ended, and needs no telling."""
        handle = workflow.get_external_workflow_handle(workflow_id)
        self.conductor.mark()
        try:
            await handle.signal(name, message) if message is not None else await handle.signal(name)
        except ApplicationError as error:
            workflow.logger.info("nobody to signal", extra={"workflow_id": workflow_id, "signal": name, "cause": str(error)})
            return False
        return True

    # ------------------------------------------------------------------ paging

    def _see_to_paging(self) -> None:
        """Page while nobody has acknowledged; stop once somebody has. The pages have a workflow of their own."""
        if not self.conductor.started or self.conductor.busy("paging") or self.conductor.holding:
            return
        wanted = self.incident.page_number if self.incident.paging else 0
        if wanted > abs(self.paged_through):
            self.conductor.spawn("paging", self._start_paging(wanted))
        elif not self.incident.paging and self.paged_through > 0:
            self.conductor.spawn("paging", self._stop_paging(self.paged_through))

    async def _start_paging(self, number: int) -> None:
        before = self.paged_through
        if before > 0:
            await self._signal(contract.paging_id(self.incident.id, before), contract.PAGING_STOP, None)
        await self._start_child("Paging", paging_for(self.incident, number), contract.paging_id(self.incident.id, number))
        self.paged_through = number
        asyncio.get_running_loop().call_soon(self._see_to_paging)

    async def _stop_paging(self, number: int) -> None:
        closing = self.incident.phase is Phase.CLOSED
        answer = contract.PAGING_ANSWER if closing else None
        there = await self._signal(contract.paging_id(self.incident.id, number), contract.PAGING_STOP, answer)
        self.paged_through = -number
        if closing and there:
            await self._last_page_told()

    async def _last_page_told(self) -> None:
        """Wait to hear what became of a page that is under way; it is part of the record."""
        self.conductor.mark()
        try:
            await wait(lambda: self.paging_over, timeout=options.LAST_PAGE, timeout_summary="the last page's report")
        except TimeoutError:
            self.note_invalid(contract.PAGED, "the paging did not say what became of its last page", by=SYSTEM)

    # ------------------------------------------------------------------ commands

    @workflow.update(dynamic=True)
    def command(self, name: str, args: Sequence[RawValue]) -> dict[str, Any]:
        """Carry out one command of the process and say what followed, or why not."""
        request = self._read(name, args)
        return self._answer(request, key_of(request), asked=True)

    @command.validator
    def _validate(self, name: str, args: Sequence[RawValue]) -> None:
        """Check the shape, and that the key is not another request's; what the process allows is the handler's business, and on record."""
        request = self._read(name, args)
        try:
            lifecycle.check_start(request.started_at if isinstance(request, Describe) else None, workflow.now())
            repeats.check(self.marks, key_of(request), request)
        except InvalidInput as error:
            raise mistaken(error) from error

    @workflow.signal(dynamic=True)
    def told(self, name: str, args: Sequence[RawValue]) -> None:
        """Take a command, or a machine's word, that nobody waits for; what it forbids or can't read is on record."""
        payloads: list[Any] = []
        try:
            payloads += [decoded(arg) for arg in args]
            if name == contract.ALERT:
                self._take_alerts(payloads)
            elif name == contract.READ_BACK:
                self._take_read_back(payloads)
            elif name == contract.PAGED:
                self._take_page_report(payloads)
            elif name == contract.ABSORB:
                self._take_handover(payloads)
            elif name == contract.ABSORBED:
                self.taken = _one(contract.ABSORBED, payloads, Taken)
            elif name == contract.RELATED:
                self._take_suggestion(payloads)
            elif name == contract.UNRELATED:
                self._withdraw_suggestion(payloads)
            elif name == contract.CHANNELS:
                self._take_pauses(payloads)
            else:
                request = self._command(name, payloads)
                if repeats.reused(self.marks, request.key, request) and workflow.patched(patches.ONE_KEY_ONE_REQUEST):
                    repeats.check(self.marks, request.key, request)
                self._answer(request, request.key)
        except InvalidInput as error:
            by = next((p["by"] for p in payloads if isinstance(p, dict) and isinstance(p.get("by"), str)), "unknown")
            self.note_invalid(name, str(error), by=by[:100] or "unknown")

    def note_invalid(self, name: str, reason: str, by: str = "unknown") -> None:
        """Keep on record that a message could not be understood."""
        self.conductor.record([lifecycle.invalid(name, reason, by, workflow.now())])

    def _read(self, name: str, args: Sequence[RawValue]) -> Command:
        try:
            return self._command(name, [decoded(arg) for arg in args])
        except InvalidInput as error:
            raise mistaken(error) from error

    def _command(self, name: str, payloads: list[Any]) -> Command:
        if name in COMMANDS and len(payloads) != 1:
            raise InvalidInput([{"field": name, "message": f"takes one JSON object, not {len(payloads)} arguments"}])
        command = commands.parse(name, payloads[0] if payloads else None, earlier=self.incident.edition < 6)
        lifecycle.check_dates(command, workflow.now())
        return command

    def _answer(self, command: Command, key: str | None, *, asked: bool = False) -> dict[str, Any]:
        """Decide and record one command; a repeat of its key answers as the first did and adds nothing.

        `asked`: somebody hears the answer, and goes on to the follow-up where that has what is owed. No refusal is on record then.
        """
        if asked and self.incident.handed_over and command.verb in AFTER_THE_END:
            return Answer(incident=self.incident.id, phase=self.incident.phase, accepted=False, refusal=refuse("already-closed")).wire()
        if key is not None and key in self.answers:
            return self.answers[key]
        self.conductor.tick()
        now = workflow.now()
        outcome = self._decide(command)
        if isinstance(command, FilePostmortem) and isinstance(outcome, Refusal) and not workflow.patched(patches.FILLED_POSTMORTEM):
            outcome = lifecycle.decide(self.incident, command, now, earlier=True)
        if isinstance(outcome, Refusal) and merging.is_so(self.incident, command) and workflow.patched(patches.MERGED_ALREADY):
            outcome = []
        if isinstance(outcome, Refusal):
            self.conductor.record([lifecycle.refused(command.verb, command.by, outcome, now, via=command.via)])
            answer = Answer(incident=self.incident.id, phase=self.incident.phase, accepted=False, refusal=outcome).wire()
        else:
            events = self.conductor.record(outcome)
            self._see_to_paging()
            self._see_to_taking()
            if isinstance(command, Merge) and outcome:
                self.conductor.spawn("merging", self._merge(command))
            answer = Answer(incident=self.incident.id, phase=self.incident.phase, accepted=True, events=events).wire()
        if key is not None:
            self.answers[key] = answer
            self.marks[key] = repeats.mark(command)
        return answer

    def _decide(self, command: Command) -> list[Event] | Refusal:
        """What follows from a command. Once closed, what is still owed can be seen to here until the follow-up has it."""
        if self.one_owner and command.verb in AFTER_THE_END and not self.incident.handed_over and lifecycle.owes(self.incident):
            return lifecycle.permitted(self.incident, command, workflow.now())
        return lifecycle.decide(self.incident, command, workflow.now())

    def _take_alerts(self, payloads: list[Any]) -> None:
        if len(payloads) != 1:
            raise InvalidInput([{"field": contract.ALERT, "message": f"takes one alert or a list of them, not {len(payloads)} arguments"}])
        good, bad = alerts.parse(payloads[0], earlier=self.incident.edition < 6)
        for problem in bad[:10]:
            self.note_invalid(contract.ALERT, problem, by=MONITORING)
        late = [alert for alert in good if alert.group] if not self.incident.open else []
        if late:
            self._beside(self._return_to_groups(late))
        rest = [alert for alert in good if not alert.group] if late else good
        if self.incident.merging_into is not None:
            self.kept_back += rest
        elif rest:
            self._record_alerts(rest)

    def _record_alerts(self, good: list[AlertInput]) -> None:
        """Put them on record, in entries that can be read: one of very many alerts would be larger than any answer may be."""
        few = options.ALERTS_A_SIGNAL
        if len(good) > few and workflow.patched(patches.BOUNDED_HANDOVERS):
            for first in range(0, len(good), few):
                self._record_some(good[first : first + few])
        else:
            self._record_some(good)

    def _record_some(self, good: list[AlertInput]) -> None:
        self.conductor.tick()
        newer = self._newer(good)
        joined = alerts.joining(good, self.incident.policy)
        self.conductor.record(alerts.told(self.incident, [item.alert() for item in good], workflow.now(), joined))
        if joined:
            self._see_to_paging()
        if newer:
            self._beside(self._pass_on(newer))

    def _newer(self, batch: list[AlertInput]) -> list[AlertInput]:
        newer = alerts.after_the_end(self.incident, batch)
        before = alerts.after_the_end(self.incident, batch, earlier=True)
        return newer if newer == before or workflow.patched(patches.EPISODES_BY_ALERT) else before

    async def _pass_on(self, newer: list[AlertInput]) -> None:
        """Alerts of a new trouble that reach a closed incident, and can't go back to a group.

        They go to the incident that goes on with this one's trouble, or open the next one.
        """
        self.conductor.mark()
        await wait(lambda: self.register_told)
        wire = alerts.wire(newer)
        into = self.incident.duplicate_of
        if into is not None and await self._signal(into, contract.ALERT, wire):
            return
        registered: Registered = await workflow.execute_activity(
            "open_incident",
            lifecycle.registration_after(self.incident, newer),
            result_type=Registered,
            start_to_close_timeout=options.TEN_SECONDS,
            retry_policy=options.PATIENT_RETRY,
        )
        if registered.incident is not None and registered.open and not registered.new:
            await self._signal(registered.incident, contract.ALERT, wire)

    def _beside(self, work: Coroutine[Any, Any, None]) -> None:
        self.passed_on += 1
        self.conductor.spawn(f"late alerts {self.passed_on}", work)

    def _take_read_back(self, payloads: list[Any]) -> None:
        if len(payloads) != 1:
            raise InvalidInput([{"field": contract.READ_BACK, "message": f"takes what one system shows, not {len(payloads)} arguments"}])
        seen = drift.ReadBack.read(payloads[0])
        if self.incident.handed_over:
            return  # the follow-up hears of it as well
        self.conductor.tick()
        self.conductor.record(drift.told(self.incident, seen, workflow.now()))

    def _take_pauses(self, payloads: list[Any]) -> None:
        """The whole set of channels that people have paused; what is known already adds nothing."""
        if len(payloads) != 1:
            raise InvalidInput([{"field": contract.CHANNELS, "message": f"takes the paused channels, not {len(payloads)} arguments"}])
        pauses = channels.Pauses.read(payloads[0])
        self.conductor.tick()
        self.conductor.record(channels.told(self.incident, pauses, workflow.now()))

    def _take_page_report(self, payloads: list[Any]) -> None:
        if len(payloads) != 1:
            raise InvalidInput([{"field": contract.PAGED, "message": "takes one report"}])
        report = PageReport.read(payloads[0])
        self.paging_over = self.paging_over or report.outcome == "stopped"
        self.conductor.record([report.event(workflow.now())])

    # ------------------------------------------------------------------ queries

    @workflow.query(name="state")
    def state(self) -> dict[str, Any]:
        """The whole snapshot."""
        return snapshot.state(self.incident, workflow.now())

    @workflow.query(name="timeline")
    def timeline_since(self, since: contract.TimelineFilter | None = None) -> list[dict[str, Any]]:
        """The entries after `since` that this run holds, as many as an answer takes; earlier runs hold the earlier ones."""
        return snapshot.entries(self.timeline, since.since if since is not None else 0)

    @workflow.query(name="model")
    def model(self) -> IncidentState:
        """The state in the core's own shape, for drafting; of very many alerts not all."""
        return snapshot.brief(self.incident)


Model = TypeVar("Model", bound=BaseModel)


def _one(name: str, payloads: list[Any], model: type[Model]) -> Model:
    """The one argument of a machine's signal.

    Raises:
        InvalidInput: it is something else.
    """
    if len(payloads) != 1:
        raise InvalidInput([{"field": name, "message": f"takes one JSON object, not {len(payloads)} arguments"}])
    try:
        return model.model_validate(payloads[0])
    except ValidationError as error:
        raise InvalidInput(commands.problems(error)) from error
