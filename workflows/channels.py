"""Which channels people have told to wait, for a vendor's outage; it lives for as long as any is.

A change is told to the register, with which new incidents begin, and to every incident that runs; once more after a minute, since the
server's lists lag and an incident may have begun meanwhile. A pause ends by itself when its time is over, and whoever made it is told:
what waits there reaches nobody, and a forgotten pause would keep it so.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel, Field
from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from incident import channels
    from incident.channels import Pauses
    from incident.commands import InvalidInput
    from incident.effects import Delivery, FindOnCall, Page, Port, Receipt
    from incident.events import SYSTEM
    from incident.model import Pause
    from incident.refusals import Refusal
    from workflows import contract, options, patches
    from workflows.steadfast import steadfast, wait


class ChannelsInput(BaseModel):
    """What an earlier run knew."""

    paused: tuple[Pause, ...] = ()
    reminded: dict[Port, int] = Field(default_factory=dict)
    tell_again_at: datetime | None = None

    @property
    def carries(self) -> bool:
        return bool(self.paused) or self.tell_again_at is not None


@workflow.defn(name="Channels")
class Channels:
    """The pauses of all channels."""

    @workflow.init
    def __init__(self, start: ChannelsInput | None = None) -> None:
        start = start or ChannelsInput()
        self.paused = {pause.port: pause for pause in start.paused}
        self.reminded = dict(start.reminded)
        self.tell_again_at = start.tell_again_at
        self.by = SYSTEM
        self.news = False
        self.asked = start.carries
        self.telling: asyncio.Task[None] | None = None

    @workflow.run
    async def run(self, start: ChannelsInput | None = None) -> None:
        """Until nothing is paused any more, and everybody knows."""
        await steadfast(self._see_to_it())

    async def _see_to_it(self) -> None:
        await wait(lambda: self.asked)
        while not self._over():
            self._see_to_telling()
            await self._see_to_those_that_are_over()
            if workflow.info().is_continue_as_new_suggested() and self.telling is None and not self.news:
                await wait(workflow.all_handlers_finished)
                start = ChannelsInput(paused=tuple(self.paused.values()), reminded=self.reminded, tell_again_at=self.tell_again_at)
                workflow.continue_as_new(start)
            await self._until_something_is_due()
        await wait(workflow.all_handlers_finished)

    def _over(self) -> bool:
        return not (self.paused or self.news or self.telling is not None or self.tell_again_at is not None)

    async def _until_something_is_due(self) -> None:
        moments = [self._remind_at(pause) for pause in self.paused.values()]
        moments += [self.tell_again_at] if self.tell_again_at is not None and self.telling is None else []
        earliest = min(moments, default=None)
        timeout = max(timedelta(0), earliest - workflow.now()) if earliest is not None else None
        telling = self.telling

        def disturbed() -> bool:
            return self._over() or telling is not self.telling or (self.news and self.telling is None)

        try:
            await wait(disturbed, timeout=timeout, timeout_summary="the end of a pause")
        except TimeoutError:
            return

    # ------------------------------------------------------------------ telling

    def _see_to_telling(self) -> None:
        """One round at a time, beside the rest: a server that can't list incidents must not keep anybody from being reminded."""
        again = self.tell_again_at is not None and self.tell_again_at <= workflow.now()
        if self.telling is None and (self.news or again):
            self.telling = asyncio.create_task(self._tell())

    async def _tell(self) -> None:
        """A change that comes meanwhile is told by the next round."""
        again_at = workflow.now() + options.TELL_AGAIN if self.news else None
        self.news, self.tell_again_at = False, None
        await workflow.execute_activity(
            "tell_channels",
            Pauses(paused=tuple(self.paused.values()), by=self.by),
            start_to_close_timeout=options.TELLING,
            retry_policy=options.PATIENT_RETRY,
            summary="tell every incident which channels are paused",
        )
        self.tell_again_at = again_at
        self.telling = None

    # ------------------------------------------------------------------ reminding

    def _remind_at(self, pause: Pause) -> datetime:
        return channels.remind_at(pause, self.reminded.get(pause.port, 0))

    def _forgotten(self) -> list[Pause]:
        return [pause for pause in self.paused.values() if self._remind_at(pause) <= workflow.now()]

    async def _see_to_those_that_are_over(self) -> None:
        over = self._forgotten()
        if over and workflow.patched(patches.PAUSES_END):
            for pause in over:
                del self.paused[pause.port]
                self.reminded.pop(pause.port, None)
            self.by, self.news = SYSTEM, True
            self._see_to_telling()
            for pause in over:
                await self._say_over(pause)
            return
        for pause in over:
            await self._remind(pause)

    async def _say_over(self, pause: Pause) -> None:
        """Page whoever made it. It has ended whether they can be told or not."""
        try:
            await self._carry_out(Port.PAGING, f"{_key(pause)}:over", channels.over(pause))
        except ActivityError as error:
            workflow.logger.warning(
                "nobody could be told that a pause is over", extra={"port": pause.port.value, "cause": str(error.cause)}
            )

    async def _remind(self, pause: Pause) -> None:
        """Page about one pause. It may have ended, or been prolonged, while somebody is being looked up."""
        times = channels.times_due(pause, self.reminded.get(pause.port, 0), workflow.now())
        self.reminded[pause.port] = times
        key = f"{_key(pause)}:{times}"
        page = channels.reminder(pause, times, workflow.now())
        try:
            if page.to == page.role:
                found = await self._carry_out(Port.ONCALL, key, FindOnCall(roles=(page.role,)))
                page = page.model_copy(update={"to": found.person or pause.by})
            if self.paused.get(pause.port) == pause:
                await self._carry_out(Port.PAGING, key, page)
        except ActivityError as error:
            workflow.logger.error("nobody could be reminded of a pause", extra={"port": pause.port.value, "cause": str(error.cause)})

    async def _carry_out(self, port: Port, key: str, ask: FindOnCall | Page) -> Receipt:
        how = options.DELIVERY[port]
        receipt: Receipt = await workflow.execute_activity(
            ask.action,
            Delivery(incident=channels.CHANNELS, key=key, at=workflow.now(), ask=ask),
            result_type=Receipt,
            task_queue=contract.port_queue(workflow.info().task_queue, port),
            start_to_close_timeout=how.start_to_close,
            schedule_to_close_timeout=how.schedule_to_close,
            retry_policy=how.retry,
            priority=options.NORMAL,
        )
        return receipt

    # ------------------------------------------------------------------ what is asked

    @workflow.update(name=contract.CHANNELS_PAUSE)
    def pause(self, raw: Any = None, *more: Any) -> dict[str, Any]:
        """Have a channel wait."""
        return self._answer(channels.PauseChannel.verb, raw, more)

    @pause.validator
    def _validate_pause(self, raw: Any = None, *more: Any) -> None:
        _read(channels.PauseChannel.verb, raw, more)

    @workflow.update(name=contract.CHANNELS_RESUME)
    def resume(self, raw: Any = None, *more: Any) -> dict[str, Any]:
        """Let a channel go on."""
        return self._answer(channels.ResumeChannel.verb, raw, more)

    @resume.validator
    def _validate_resume(self, raw: Any = None, *more: Any) -> None:
        _read(channels.ResumeChannel.verb, raw, more)

    def _answer(self, verb: str, raw: Any, more: tuple[Any, ...]) -> dict[str, Any]:
        self.asked = True
        command = _read(verb, raw, more)
        outcome = channels.decide(self.paused, command, workflow.now())
        if isinstance(outcome, Refusal):
            return {"accepted": False, "refusal": outcome.model_dump(mode="json", exclude_none=True), "channels": self._shown()}
        if outcome.news:
            self.paused = {pause.port: pause for pause in outcome.paused}
            self.reminded.pop(command.port, None)
            self.by, self.news = command.by, True
        return {"accepted": True, "text": outcome.text, "news": outcome.news, "channels": self._shown()}

    def _shown(self) -> list[dict[str, Any]]:
        return [pause.model_dump(mode="json") for pause in self.paused.values()]

    @workflow.query(name="state")
    def state(self) -> dict[str, Any]:
        return {"channels": self._shown()}


def _key(pause: Pause) -> str:
    return f"{channels.CHANNELS}:{pause.port.value}@{pause.since.isoformat()}"


def _read(verb: str, raw: Any, more: tuple[Any, ...]) -> channels.PauseChannel | channels.ResumeChannel:
    if more:
        raise ApplicationError(f"{verb}: takes one JSON object", type="InvalidInput", non_retryable=True)
    try:
        return channels.read(verb, raw)
    except InvalidInput as error:
        raise ApplicationError(str(error), {"problems": error.problems}, type="InvalidInput", non_retryable=True) from error
