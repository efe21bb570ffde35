"""The fault switch: make a port fail on purpose, in drills and tests.

A fault is set for a port by anybody who can reach the ledger, also from another process, and holds from the next call
on: `await ledger.set_fault(Port.CHAT, Fault(mode=Mode.DOWN, times=3))`. Around each adapter stands the wrapper of
its port (`FaultyChat`, `FaultyPager` …), which asks the switch before every call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from incident.effects import Delivery, Port, Receipt
from incident.evidence import Point
from incident.queries import Query
from integrations.errors import RateLimited, Rejected, Unavailable
from integrations.ports import Archive, Chat, FiringAlert, Monitoring, OnCall, Paging, Specialist, StatusPage, Ticketing

TIMEOUT = timedelta(seconds=10)
"""What every adapter keeps to (see `ports`): a slower answer counts as none."""

Answer = TypeVar("Answer")


class Mode(StrEnum):
    DOWN = "down"
    SLOW = "slow"
    ACCEPT_THEN_TIMEOUT = "accept_then_timeout"
    REFUSE = "refuse"
    RATE_LIMITED = "rate_limited"


class Fault(BaseModel):
    """How a port fails. `times`: for so many calls, None until it is cleared.

    `seconds` is how long a SLOW port takes; `retry_after`, in seconds, is what a RATE_LIMITED port (or one that is
    DOWN) says about when to come back.
    """

    model_config = ConfigDict(frozen=True)

    mode: Mode
    times: int | None = Field(default=None, ge=1)
    seconds: float = Field(default=1.0, ge=0)
    retry_after: float | None = Field(default=None, ge=0)


class Switch(Protocol):
    """Where faults are set. `take_fault` gives the fault of this call, counting it down where it is counted."""

    async def take_fault(self, port: Port) -> Fault | None: ...


class _Faulty:
    port: Port

    def __init__(self, switch: Switch) -> None:
        self._switch = switch

    async def _through(self, call: Callable[[], Awaitable[Answer]]) -> Answer:
        """Make the call as the port's fault says; without one, as it is."""
        fault = await self._switch.take_fault(self.port)
        if fault is None:
            return await call()
        told = f"{self.port} is switched to {fault.mode}"
        retry_after = None if fault.retry_after is None else timedelta(seconds=fault.retry_after)
        match fault.mode:
            case Mode.DOWN:
                raise Unavailable(told, retry_after=retry_after)
            case Mode.RATE_LIMITED:
                raise RateLimited(told, retry_after=retry_after)
            case Mode.REFUSE:
                raise Rejected(told)
            case Mode.SLOW:
                await asyncio.sleep(min(fault.seconds, TIMEOUT.total_seconds()))
                if fault.seconds >= TIMEOUT.total_seconds():
                    raise Unavailable(f"{told}: no answer within {TIMEOUT.total_seconds():g} s")
                return await call()
            case Mode.ACCEPT_THEN_TIMEOUT:
                await call()
                raise Unavailable(f"{told}: accepted, and the answer lost")


class FaultyChat(_Faulty):
    port = Port.CHAT

    def __init__(self, chat: Chat, switch: Switch) -> None:
        super().__init__(switch)
        self._chat = chat

    async def open_channel(self, delivery: Delivery) -> Receipt:
        return await self._through(lambda: self._chat.open_channel(delivery))

    async def post(self, delivery: Delivery) -> Receipt:
        return await self._through(lambda: self._chat.post(delivery))


class FaultyStatusPage(_Faulty):
    port = Port.STATUS

    def __init__(self, page: StatusPage, switch: Switch) -> None:
        super().__init__(switch)
        self._page = page

    async def publish(self, delivery: Delivery) -> Receipt:
        return await self._through(lambda: self._page.publish(delivery))


class FaultyTicketing(_Faulty):
    port = Port.TICKETS

    def __init__(self, board: Ticketing, switch: Switch) -> None:
        super().__init__(switch)
        self._board = board

    async def open_ticket(self, delivery: Delivery) -> Receipt:
        return await self._through(lambda: self._board.open_ticket(delivery))

    async def change_ticket(self, delivery: Delivery) -> Receipt:
        return await self._through(lambda: self._board.change_ticket(delivery))

    async def close_ticket(self, delivery: Delivery) -> Receipt:
        return await self._through(lambda: self._board.close_ticket(delivery))


class FaultyPager(_Faulty):
    port = Port.PAGING

    def __init__(self, pager: Paging, switch: Switch) -> None:
        super().__init__(switch)
        self._pager = pager

    async def page(self, delivery: Delivery) -> Receipt:
        return await self._through(lambda: self._pager.page(delivery))


class FaultyOnCall(_Faulty):
    port = Port.ONCALL

    def __init__(self, rota: OnCall, switch: Switch) -> None:
        super().__init__(switch)
        self._rota = rota

    async def find_on_call(self, delivery: Delivery) -> Receipt:
        return await self._through(lambda: self._rota.find_on_call(delivery))

    async def of(self, role: str, at: datetime) -> str | None:
        return await self._through(lambda: self._rota.of(role, at))


class FaultySpecialist(_Faulty):
    port = Port.SPECIALIST

    def __init__(self, specialist: Specialist, switch: Switch) -> None:
        super().__init__(switch)
        self._specialist = specialist

    async def brief(self, delivery: Delivery) -> Receipt:
        return await self._through(lambda: self._specialist.brief(delivery))


class FaultyArchive(_Faulty):
    port = Port.ARCHIVE

    def __init__(self, archive: Archive, switch: Switch) -> None:
        super().__init__(switch)
        self._archive = archive

    async def store_document(self, delivery: Delivery) -> Receipt:
        return await self._through(lambda: self._archive.store_document(delivery))


class FaultyMonitoring(_Faulty):
    port = Port.MONITORING

    def __init__(self, monitoring: Monitoring, switch: Switch) -> None:
        super().__init__(switch)
        self._monitoring = monitoring

    async def firing_alerts(self, services: tuple[str, ...]) -> tuple[FiringAlert, ...]:
        return await self._through(lambda: self._monitoring.firing_alerts(services))

    async def measure(self, query: Query, since: datetime, until: datetime, every: timedelta) -> tuple[Point, ...]:
        return await self._through(lambda: self._monitoring.measure(query, since, until, every))
