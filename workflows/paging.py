"""Page until somebody acknowledges: each rung of the escalation chain in turn, the last one again and again.

A rung that nobody holds, or that can't be reached, is itself a reason to go on to the next at once. What became of
each page is told to the incident, where it is on record. Where a provider keeps pages open until it hears of an answer, it is
told at the end.
"""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from incident.effects import Delivery, FindOnCall, Page, Port, Receipt
    from incident.paging import PageReport, PagingInput, StandDown, stays_open
    from workflows import contract, options
    from workflows.steadfast import steadfast, wait


@workflow.defn(name="Paging")
class Paging:
    """One climb up the escalation chain."""

    @workflow.init
    def __init__(self, start: PagingInput) -> None:
        self.stopped = False
        self.answer = False
        self.start = start
        self.rung = start.rung
        self.pages = start.pages
        self.open_pages = start.open_pages

    @workflow.signal(name=contract.PAGING_STOP)
    def stop(self, reason: object = None, *_more: object) -> None:
        """Somebody has acknowledged, or there is nothing to acknowledge any more. An incident that closes waits for an answer."""
        self.stopped = True
        self.answer = self.answer or reason == contract.PAGING_ANSWER

    @workflow.run
    async def run(self, start: PagingInput) -> int:
        """Climb until stopped; answers with the number of pages that went out."""
        return await steadfast(self._climb(start))

    async def _climb(self, start: PagingInput) -> int:
        while not self.stopped:
            reached = await self._page(start.rungs[self.rung])
            if self.rung < len(start.rungs) - 1:
                await self._wait_on_rung(start, reached)
                self.rung += 1
            else:
                await self._pause(start.next_rung_after)
                if workflow.info().is_continue_as_new_suggested():
                    workflow.continue_as_new(
                        start.model_copy(update={"rung": self.rung, "pages": self.pages, "open_pages": self.open_pages})
                    )
        if self.answer:
            await self._report(PageReport(outcome="stopped", role=start.rungs[self.rung], rung=self.rung))
        await self._stand_down()
        return self.pages

    async def _stand_down(self) -> None:
        """Let the provider's own escalation end with ours. What can't be told within an hour stays open there, for people to see."""
        if not self.open_pages:
            return
        try:
            await workflow.execute_activity(
                "stand_down",
                StandDown(incident=self.start.incident, pages=self.open_pages),
                task_queue=contract.port_queue(workflow.info().task_queue, Port.PAGING),
                start_to_close_timeout=options.TEN_SECONDS,
                schedule_to_close_timeout=options.STAND_DOWN_WITHIN,
                retry_policy=options.PATIENT_RETRY,
                summary="somebody has answered",
            )
        except ActivityError as error:
            workflow.logger.warning("pages stay open at the pager: %s", error.cause or error)

    async def _wait_on_rung(self, start: PagingInput, reached: bool) -> None:
        """Give the rung its time, repeating the page; no time at all where nobody was reached."""
        if not reached:
            return
        left = start.next_rung_after
        while left > timedelta(0) and not self.stopped:
            step = min(left, start.again_after)
            await self._pause(step)
            left -= step
            if left > timedelta(0) and not self.stopped:
                await self._page(start.rungs[self.rung])

    async def _pause(self, length: timedelta) -> None:
        try:
            await wait(lambda: self.stopped, timeout=length, timeout_summary="until the next page")
        except TimeoutError:
            return

    def _acknowledged(self) -> bool:
        """Read anew after an await: the stop may have come meanwhile."""
        return self.stopped

    async def _page(self, role: str) -> bool:
        """Page whoever holds the role; False where nobody does or nobody could be reached."""
        if self.stopped:
            return False
        person: str | None = None
        self.pages += 1
        key = f"{self.start.incident}:page-{self.start.number}.{self.pages}"
        try:
            found = await self._carry_out(Port.ONCALL, key, FindOnCall(roles=(role,)))
            person = found.person
            if person is None:
                await self._report(PageReport(outcome="nobody", role=role, rung=self.rung, key=key))
                return False
            if self._acknowledged():
                return False
            receipt = await self._carry_out(Port.PAGING, key, Page(to=person, role=role, text=self.start.text))
            self.open_pages = (*self.open_pages, *stays_open(receipt, role))[-options.OPEN_PAGES_KEPT :]
        except ActivityError as error:
            cause = error.cause
            text = cause.message if isinstance(cause, ApplicationError) else str(cause or error)
            await self._report(PageReport(outcome="failed", role=role, person=person, rung=self.rung, key=key, error=text[:500]))
            return False
        pager = str(receipt.detail.get("pager", ""))[:100]
        report = PageReport(
            outcome="paged", role=role, person=person, rung=self.rung, key=key, reference=receipt.reference[:300], pager=pager
        )
        await self._report(report)
        return True

    async def _carry_out(self, port: Port, key: str, ask: FindOnCall | Page) -> Receipt:
        how = options.DELIVERY[port]
        delivery = Delivery(incident=self.start.incident, key=key, drill=self.start.drill, at=workflow.now(), ask=ask)
        receipt: Receipt = await workflow.execute_activity(
            ask.action,
            delivery,
            result_type=Receipt,
            task_queue=contract.port_queue(workflow.info().task_queue, port),
            activity_id=f"{key}/{ask.action}",
            start_to_close_timeout=how.start_to_close,
            schedule_to_close_timeout=how.schedule_to_close,
            retry_policy=how.retry,
            priority=options.URGENT if self.start.urgent else options.NORMAL,
        )
        return receipt

    async def _report(self, report: PageReport) -> None:
        """Tell the incident. One that has ended since needs no more pages."""
        try:
            await workflow.get_external_workflow_handle(self.start.incident).signal(contract.PAGED, report)
        except ApplicationError:
            self.stopped = True
