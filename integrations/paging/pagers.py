"""Several ways to page, one after the other: the first that takes the page has it.

What happens when a pager fails decides whether the next one is asked:

| the first pager | then |
|---|---|
| is not there, fails, has too much to do | it has not taken the page: the next one is asked at once |
| has said "too many requests", to whichever page | until its wait is over the next one is asked without asking it |
| refuses: wrong credentials, no address for this person | the next one is asked at once, and the receipt says so |
| gives no answer: it may have taken the page | it alone is asked again, under the same key; still no answer: the next one |

So a page whose answer got lost once is not sent twice by two ways; and a pager that stays silent twice does not keep the night
quiet: somebody may then be paged by both, which is the lesser evil. Every acceptance is kept (`memory`), so a repeat of the key is
answered from there, whichever pager had it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from incident.checkup import Checked
from incident.effects import Delivery, Page, Receipt
from incident.paging import OpenPage
from integrations.deliveries import asked
from integrations.errors import IntegrationError, RateLimited, Refused, Unavailable
from integrations.http import LIMIT, Unanswered
from integrations.once import OneAtATime
from integrations.paging.memory import Asked, PageMemory
from integrations.paging.pagerduty import PagerDuty
from integrations.waits import NOTHING, Waits, words

PATIENCE = 2
"""How often a pager may leave a page without an answer before the next one is asked."""

LONGEST_HELD = timedelta(minutes=1)
"""No page is kept from its pager for longer because of what was said to another one: asking too early costs nothing."""


class Pager(Protocol):
    """One way to page. `name` is the word for it in settings and receipts.

    `page` may be asked again with the same key after `Unanswered`; what people then see twice, if anything, its docstring says.
    """

    @property
    def name(self) -> str: ...

    async def page(self, delivery: Delivery) -> Receipt: ...

    async def check(self) -> Checked: ...


class Pagers:
    """Pagers in the order in which they are tried. A repeat is recognised by its key in the memory."""

    def __init__(self, pagers: Sequence[Pager], memory: PageMemory, *, limit: timedelta = LIMIT, waits: Waits | None = None) -> None:
        self._pagers = tuple(pagers)
        self._memory = memory
        # Together they must be done before the caller takes the page for lost.
        self._share = limit / len(self._pagers)
        self._one_at_a_time = OneAtATime()
        self._waits = waits

    async def page(self, delivery: Delivery) -> Receipt:
        asked(delivery, Page)
        async with self._one_at_a_time.of(delivery.key):
            return await self._page(delivery)

    async def _page(self, delivery: Delivery) -> Receipt:
        known = await self._memory.of(delivery.key)
        for before in known.values():
            if before.receipt is not None:
                return before.receipt.model_copy(update={"repeated": True})
        failures: dict[str, IntegrationError] = {}
        # A pager that may have the page already is asked before one that can't have it.
        for pager in sorted(self._pagers, key=lambda each: each.name not in known):
            before = known.get(pager.name, Asked())
            left = self._waits.left(pager.name) if self._waits is not None else NOTHING
            if left:
                failures[pager.name] = RateLimited(words(pager.name, left), retry_after=left)
                continue
            try:
                receipt = await self._ask(pager, delivery)
            except Unanswered as error:
                await self._memory.keep(delivery.key, pager.name, Asked(before.unanswered + 1))
                if before.unanswered + 1 < PATIENCE:
                    raise
                failures[pager.name] = error
            except IntegrationError as error:
                failures[pager.name] = error
                if isinstance(error, RateLimited) and error.retry_after is not None and self._waits is not None:
                    self._waits.told(pager.name, min(error.retry_after, LONGEST_HELD))
            else:
                receipt = _told(receipt, pager, failures, asked_before=before.unanswered > 0)
                kept = receipt.model_copy(update={"repeated": False})
                await self._memory.keep(delivery.key, pager.name, Asked(before.unanswered, kept))
                return receipt
        raise _together(failures)

    async def stand_down(self, pages: Sequence[OpenPage]) -> None:
        """Tell each pager that keeps pages open of those that it had."""
        for pager in self._pagers:
            if isinstance(pager, PagerDuty):
                await pager.stand_down([page for page in pages if page.pager == pager.name])

    async def close(self) -> None:
        """Let go of the connections; the other ways to page hold none between two pages."""
        for pager in self._pagers:
            if isinstance(pager, PagerDuty):
                await pager.http.close()

    async def _ask(self, pager: Pager, delivery: Delivery) -> Receipt:
        try:
            async with asyncio.timeout(self._share.total_seconds()):
                return await pager.page(delivery)
        except TimeoutError:
            raise Unanswered(f"{pager.name} did not answer within {self._share.total_seconds():g} s") from None


def _told(receipt: Receipt, pager: Pager, failures: dict[str, IntegrationError], *, asked_before: bool) -> Receipt:
    """The receipt with which pager had it, and why not an earlier one."""
    detail = {**receipt.detail, "pager": pager.name}
    if failures:
        detail["instead_of"] = {name: str(error)[:200] for name, error in failures.items()}
    return receipt.model_copy(update={"detail": detail, "repeated": receipt.repeated or asked_before})


def _together(failures: dict[str, IntegrationError]) -> IntegrationError:
    """One error for all: what may work later wins over what is final, at the earliest moment that a pager has named."""
    if len(failures) == 1:
        return next(iter(failures.values()))
    text = "; ".join(f"{name}: {error}" for name, error in failures.items())
    later = [error for error in failures.values() if isinstance(error, Unavailable)]
    if later:
        kind = RateLimited if all(isinstance(error, RateLimited) for error in later) else Unavailable
        return kind(text, retry_after=min((error.retry_after for error in later if error.retry_after is not None), default=None))
    first = next(error for error in failures.values() if isinstance(error, Refused))
    return type(first)(text)
