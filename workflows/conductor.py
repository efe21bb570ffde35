"""Keep one incident's state while its workflow runs: record events, send what they ask for, wake for its clocks.

The incident and its follow-up both run on this. Everything that decides stands in the core; here is only when to
call it. Every method is synchronous but `drained` and the tasks started here, and each of those re-reads the state
after its await, since any handler may have run meanwhile.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from temporalio import workflow
from temporalio.common import SearchAttributeKey
from temporalio.exceptions import ActivityError, ApplicationError, CancelledError
from temporalio.workflow import ActivityCancellationType

with workflow.unsafe.imports_passed_through():
    from incident import clocks, lifecycle, redelivering, snapshot, verifying
    from incident.effects import Effect, Port, Receipt
    from incident.events import Event
    from incident.evidence import SampleReport
    from incident.model import Incident
    from workflows import contract, options, patches
    from workflows.contract import CutShort
    from workflows.steadfast import wait


LOOKING = "looking"
"""The name of the task that looks at the measurements."""

TRIES = {LOOKING, *(port.value for port in Port)}
"""The tasks that ask something of a system outside, which may take its time."""


class Sending(NamedTuple):
    """One effect that is being tried: since when without a word of its end, and how often for an earlier run or owner."""

    handle: workflow.ActivityHandle[Receipt]
    since: datetime
    earlier: int
    port: Port


class Conductor:
    """One incident's state, timeline and outbox, and the tasks that carry the outbox out."""

    def __init__(
        self, incident: Incident, timeline: Iterable[Event], *, lists_row: bool = True, cut_short: Iterable[CutShort] = ()
    ) -> None:
        self.incident = incident
        self.timeline = list(timeline)
        self.holding = False
        self.started = False
        self._lists_row = lists_row
        self._busy: set[str] = set()
        self._fault: BaseException | None = None
        self._sending: dict[int, Sending] = {}
        self._forgotten: set[int] = set()
        self._looking: workflow.ActivityHandle[SampleReport] | None = None
        self._cut_short = {each.number: each for each in cut_short}
        self._tasks: set[asyncio.Task[None]] = set()
        self._shown: tuple[object, ...] = ()
        self._row: dict[str, Any] = {}
        self._attributes: dict[SearchAttributeKey[Any], Any] = {}
        self._row_due = False
        self._marked = 0
        self._looked = 0

    def start(self) -> None:
        """Begin to carry out what is in the outbox."""
        self.started = True
        self._dispatch()
        self._list()
        self._tasks.add(asyncio.create_task(self._leave_no_task_empty()))

    def record(self, events: Iterable[Event]) -> list[Event]:
        """Fold events into the state and set going what they ask for; answers them with their numbers."""
        self.incident, recorded = lifecycle.record(self.incident, map(self._as_it_stands, events))
        self.timeline += recorded
        self._call_off(recorded)
        if self.started and recorded:
            self._dispatch()
            self._list()
        return recorded

    def let_go(self) -> None:
        """Leave all that is owed to the follow-up, which has it from this moment on. Nothing may be under way."""
        self.incident = lifecycle.handed_over(self.incident, workflow.now())
        self._list()

    def _as_it_stands(self, event: Event) -> Event:
        return redelivering.as_it_stands(self.incident, event, self._sending)

    def _call_off(self, recorded: Iterable[Event]) -> None:
        """End the tries of what somebody has taken back; else the server would go on trying, and perhaps tell it."""
        for event in recorded:
            if event.kind in redelivering.TAKES_BACK and event.data["number"] in self._sending:
                self._forgotten.add(event.data["number"])
                self._try_no_more(event.data["number"])
            elif event.kind == "restricted" and self.incident.edition > 2:
                for number in [number for number, sending in self._sending.items() if sending.port is Port.STATUS]:
                    self._try_no_more(number)

    def _try_no_more(self, number: int) -> None:
        self.mark()
        self._sending[number].handle.cancel()

    def tick(self) -> None:
        """Let every clock that has come due speak, and try every port whose wait is over."""
        self.record(lifecycle.tick(self.incident, workflow.now()))
        if self.started:
            self._dispatch()

    def next_wake(self) -> datetime | None:
        """The earliest moment at which `tick` has something to do."""
        trying = {port: health for port, health in self.incident.down.items() if port not in self.incident.paused}
        moments = [health.retry_at for port, health in trying.items() if lifecycle.next_effect(self.incident, port)]
        moments += [each.over_by for each in self._cut_short.values() if self._is_next(each.number)]
        moments = [moment for moment in moments if moment > workflow.now()]
        look = None if self.holding or self.busy(LOOKING) else verifying.next_look(self.incident)
        moments += [moment for moment in (clocks.next_wake(self.incident), look) if moment is not None]
        return min(moments, default=None)

    async def until_wake_or(self, over: Callable[[], bool], summary: str = "", by: datetime | None = None) -> None:
        """Wait until `over`, or until there is something to do: at the earliest clock, or when something moves it earlier.

        At the latest it ends at `by`.

        A clock that moves later costs nothing: the timer that is set fires once for nothing and is set anew.
        """
        armed = min((moment for moment in (self.next_wake(), by) if moment is not None), default=None)

        def disturbed() -> bool:
            if over() or self._fault is not None:
                return True
            earliest = self.next_wake()
            return earliest is not None and (armed is None or earliest < armed)

        timeout = None if armed is None else max(timedelta(0), armed - workflow.now())
        if timeout is not None:
            self.mark()
        try:
            await wait(disturbed, timeout=timeout, timeout_summary=summary or None)
        except TimeoutError:
            return
        self._faultless()

    @property
    def idle(self) -> bool:
        return not self._busy

    async def drained(self, over: Callable[[], bool] = lambda: False) -> bool:
        """Wait until nothing is under way, at most for as long as `options` says; False where `over` came first.

        A slow vendor holds nobody up meanwhile: all else is still sent, and the clocks go on. A try that takes too long is cut
        short; its effect stays in the outbox under its key, and `handed_on` says what whoever goes on with it has to know.
        """
        if not self._still() and not workflow.patched(patches.TRIES_CUT_SHORT):
            await self._drained_whatever_it_takes()
            return True
        await self._keep_on_until(lambda: over() or self._still(), within=options.SLOW_TRY)
        while not self._still():
            self.holding = False
            # What is no try has an end of its own, and nothing waits for it but the next run.
            await self._keep_on_until(lambda: over() or self._only_tries())
            if over():
                return False
            self.holding = True
            await self._keep_on_until(lambda: self._still() or not self._only_tries(), within=options.LAST_TRIES)
            if self._only_tries():
                self._cut_tries_short()
            await self._keep_on_until(lambda: self._still() or not self._only_tries())
        self.holding = True
        return True

    def _still(self) -> bool:
        return self.idle and workflow.all_handlers_finished()

    def _only_tries(self) -> bool:
        return self._busy <= TRIES

    async def _keep_on_until(self, over: Callable[[], bool], within: timedelta | None = None) -> None:
        end = workflow.now() + within if within is not None else None
        while not over() and (end is None or workflow.now() < end):
            self.tick()
            await self.until_wake_or(over, by=end)

    async def _drained_whatever_it_takes(self) -> None:
        """As it was before `patches.TRIES_CUT_SHORT`."""
        self.holding = True
        while not self._still():
            wake = self.next_wake()
            timeout = max(timedelta(0), wake - workflow.now()) if wake is not None else None
            try:
                await wait(lambda: self._fault is not None or self._still(), timeout=timeout)
            except TimeoutError:
                self.tick()
            self._faultless()

    def _cut_tries_short(self) -> None:
        """Give up every try that is being made. Nobody can say whether it arrived; what is made of it later looks first."""
        now = workflow.now()
        for number, sending in self._sending.items():
            effect = next((one for one in self.incident.outbox if one.number == number), None)
            if effect is not None:
                over_by = now + options.DELIVERY[effect.port].start_to_close
                self._cut_short[number] = CutShort(number=number, tries=sending.earlier + 1, since=sending.since, over_by=over_by)
            self._try_no_more(number)
        if self._looking is not None:
            self.mark()
            self._looking.cancel()

    def handed_on(self) -> list[CutShort]:
        """What the next run, or the follow-up, has to know of tries that were cut short."""
        waiting = {effect.number for effect in self.incident.outbox}
        return [each for each in self._cut_short.values() if each.number in waiting]

    def spawn(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` as a task of its own that continue-as-new waits for."""
        self._busy.add(name)

        async def run() -> None:
            try:
                await work
            except asyncio.CancelledError:
                self._busy.discard(name)
                raise
            # After a bug it stays busy: begun again at once it would fail again, for ever, within one workflow task.
            self._busy.discard(name)

        task = asyncio.create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        """Forget a task; a bug in one fails the workflow task (`_faultless`), loudly, and is tried again by the server at its pace."""
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            workflow.logger.error("a task of the incident failed", exc_info=error)
            self._fault = error

    def _faultless(self) -> None:
        if self._fault is not None:
            raise self._fault

    def busy(self, name: str) -> bool:
        return name in self._busy

    def _dispatch(self) -> None:
        """Set a task to work for every port that has something to send and is not being served already."""
        for port in dict.fromkeys(effect.port for effect in self.incident.outbox):
            if not self.busy(port.value) and self._ready(port) is not None:
                self.spawn(port.value, self._serve(port))
        look = verifying.next_look(self.incident)
        if look is not None and look <= workflow.now() and not self.holding and not self.busy(LOOKING):
            self.spawn(LOOKING, self._look())

    async def _look(self) -> None:
        """Look at the measurements once. Handlers run meanwhile: what the look means is decided on the state that it finds then.

        It is no effect of the outbox: nobody is told anything, and a look that failed is made up for by the next one.
        """
        try:
            asked = verifying.request(self.incident, workflow.now())
            self.mark()
            self._looking = workflow.start_activity(
                "sample",
                asked,
                result_type=SampleReport,
                task_queue=contract.port_queue(workflow.info().task_queue, Port.MONITORING),
                start_to_close_timeout=options.LOOK.start_to_close,
                schedule_to_close_timeout=options.LOOK.schedule_to_close,
                retry_policy=options.LOOK.retry,
                priority=options.priority(self.incident.severity or self.incident.presumed_severity),
                summary="verification: look at the measurements",
            )
            found = verifying.sampled(self.incident, asked, await self._looking, workflow.now())
        except ActivityError as error:
            if isinstance(error.cause, CancelledError):
                return  # the next run looks instead
            found = verifying.unreachable(self.incident, _cause(error)[0], workflow.now())
        except Exception as error:  # noqa: BLE001  numbers that no look can be made of must not stop clocks and pages; the entry says so
            workflow.logger.error("a look at the measurements failed", exc_info=error)
            found = verifying.unreachable(self.incident, f"the look failed, {type(error).__name__}: {error}", workflow.now())
        finally:
            self._looking = None
        self.record(found)

    def _ready(self, port: Port) -> Effect | None:
        """The oldest effect of a port, unless it has to wait for its provider, for people, or for the next run."""
        health = self.incident.down.get(port)
        if self.holding or port in self.incident.paused or (health is not None and health.retry_at > workflow.now()):
            return None
        effect = lifecycle.next_effect(self.incident, port)
        before = self._cut_short.get(effect.number) if effect is not None else None
        return effect if before is None or before.over_by <= workflow.now() else None

    def _is_next(self, number: int) -> bool:
        """Whether an effect is the one that its port's queue waits for."""
        effect = next((one for one in self.incident.outbox if one.number == number), None)
        return effect is not None and lifecycle.next_effect(self.incident, effect.port) == effect

    async def _serve(self, port: Port) -> None:
        """Send a port's effects in order, while there are any and the provider takes them.

        Handlers run meanwhile and may add effects, or replace the one under way: the state is read anew after each.
        """
        while (effect := self._ready(port)) is not None:
            self.record(await self._deliver(port, effect))

    async def _deliver(self, port: Port, effect: Effect) -> list[Event]:
        """Carry out one effect; answers with what to record."""
        health = self.incident.down.get(port)
        before = self._cut_short.get(effect.number)
        earlier = before.tries if before is not None else 0
        attempt = (health.failures if health is not None else 0) + earlier + 1
        how = options.DELIVERY[port]
        since = before.since if before is not None else workflow.now()
        self.mark()
        handle: workflow.ActivityHandle[Receipt] = workflow.start_activity(
            effect.ask.action,
            lifecycle.addressed(self.incident, effect, attempt),
            result_type=Receipt,
            task_queue=contract.port_queue(workflow.info().task_queue, port),
            activity_id=effect.key if attempt == 1 else f"{effect.key}#{attempt}",
            start_to_close_timeout=how.start_to_close,
            # What was cut short is parked no later than it would have been.
            schedule_to_close_timeout=max(how.start_to_close, how.schedule_to_close - (workflow.now() - since)),
            retry_policy=how.retry,
            priority=options.priority(self.incident.severity or self.incident.presumed_severity),
            summary=effect.purpose or effect.ask.action,
            # What the public may have been told by the attempt that is under way has to be known; there is no further one.
            cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED
            if port is Port.STATUS and self.incident.edition > 2
            else ActivityCancellationType.TRY_CANCEL,
        )
        self._sending[effect.number] = Sending(handle, since, earlier, port)
        try:
            receipt = await handle
        except ActivityError as error:
            if isinstance(error.cause, CancelledError) or effect.number in self._forgotten:
                return []  # taken back by somebody, which is on record, or cut short: neither says anything of the provider
            if before is not None:
                self._cut_short[effect.number] = before.model_copy(update={"since": workflow.now()})
            return [self._failed(effect, error)]
        finally:
            del self._sending[effect.number]
        if effect.number in self._forgotten:
            return []  # it is on record that it may have arrived
        return lifecycle.delivered(self.incident, effect, receipt, workflow.now())

    def _failed(self, effect: Effect, error: ActivityError) -> Event:
        text, cause = _cause(error)
        now = workflow.now()
        if isinstance(cause, ApplicationError) and cause.non_retryable:
            return lifecycle.undeliverable(effect, text, now)
        wait = cause.next_retry_delay if isinstance(cause, ApplicationError) else None
        return lifecycle.parked(self.incident, effect, text, wait, now, vendor=_vendor(cause))

    def mark(self) -> None:
        """Note that this workflow task has a command."""
        self._marked = workflow.info().get_current_history_length()

    async def _leave_no_task_empty(self) -> None:
        """Give every workflow task at least one command, for as long as the workflow runs.

        A task without any, followed by one with an update, is replayed in another order by a worker that had lost the
        workflow from its cache (temporalio/sdk-rust issue 1146): the update is then handled before what the empty task
        had brought. One small memo for each task that would be empty keeps the order, and histories can be replayed.
        """
        await workflow.wait_condition(self._beat)

    def _beat(self) -> bool:
        """Never true. The first look in a task lets everybody else act; the second adds the command that is missing."""
        length = workflow.info().get_current_history_length()
        if self._marked != length:
            if self._looked != length:
                self._looked = length
                asyncio.get_running_loop().call_soon(_again)
            else:
                self.mark()
                workflow.upsert_memo({contract.BEAT: length})
        return False

    def _list(self) -> None:
        """Publish the row and the search attributes once a workflow task, whatever happened in it."""
        if not self._lists_row or self._row_due:
            return
        self._row_due = True
        asyncio.get_running_loop().call_soon(self._publish)

    def _publish(self) -> None:
        self._row_due = False
        shown = snapshot.shown(self.incident)
        if shown == self._shown:
            return
        self._shown = shown
        row = {name: value for name, value in snapshot.row(self.incident).items() if name not in contract.LISTED}
        told = {name: value for name, value in row.items() if value != self._row.get(name)}
        if told:
            self._row = row
            self.mark()
            workflow.upsert_memo(told)
        attributes = contract.search_attributes(self.incident)
        changed = [
            key.value_unset() if value is None else key.value_set(value)
            for key, value in attributes.items()
            if value != self._attributes.get(key)
        ]
        if changed:
            self._attributes = attributes
            self.mark()
            workflow.upsert_search_attributes(changed)

    def carry_listing(self) -> dict[str, Any]:
        """What has been published, for the next run: it keeps both by itself, and need not say them again."""
        return {"row": self._row}

    def resume_listing(self, carried: dict[str, Any]) -> None:
        # A field that the run before did not know counts as told until it changes: it must not add a command to the first
        # task of an incident that an earlier version has begun.
        told = carried.get("row", {})
        self._row = {**snapshot.row(self.incident), **told} if told else {}
        self._attributes = contract.search_attributes(self.incident)


def _cause(error: ActivityError) -> tuple[str, BaseException | None]:
    """Why an activity failed, in the words of what failed in it."""
    cause = error.cause
    while isinstance(cause, BaseException) and not isinstance(cause, ApplicationError) and cause.__cause__ is not None:
        cause = cause.__cause__
    return str(cause.message if isinstance(cause, ApplicationError) else cause or error), cause


def _vendor(cause: BaseException | None) -> str:
    """Who has asked to be left alone for a while, where that is why nothing was delivered."""
    if not isinstance(cause, ApplicationError) or cause.type != contract.RATE_LIMITED or not cause.details:
        return ""
    return str(cause.details[0])


def _again() -> None:
    """Nothing: that it is called makes the loop look at its conditions once more."""


def tail(timeline: list[Event]) -> list[Event]:
    """The newest entries, as many as a payload holds with ease; the older ones stay with the run that is closing."""
    kept: list[Event] = []
    size = 0
    for event in reversed(timeline):
        size += len(event.model_dump_json().encode())
        if kept and (size > options.TIMELINE_BYTES_CARRIED or len(kept) >= options.TIMELINE_CARRIED):
            break
        kept.append(event)
    return kept[::-1]


def remembered(answers: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The answers that the next run gives again to repeated commands; the older ones, or very long ones, without their entries."""
    kept: list[tuple[str, dict[str, Any]]] = []
    size = 0
    for key, answer in reversed(list(answers.items())[-options.ANSWERS_KEPT :]):
        length = len(json.dumps(answer, ensure_ascii=False).encode())
        if size + length <= options.ANSWERS_BYTES_CARRIED:
            size += length
            kept.append((key, answer))
        else:
            kept.append((key, {**answer, "events": []} if answer["accepted"] else answer))
    return dict(reversed(kept))
