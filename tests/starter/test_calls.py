"""What a call to Temporal does when it fails: again, or not, and never for ever."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import cast

import pytest
from temporalio.client import Client, WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from starter.calls import CLOSED_TOO_SOON, patiently
from starter.problems import Busy, NoWorker, Unreachable

WITHIN = timedelta(milliseconds=400)


class Server:
    """A server that says whether it serves."""

    def __init__(self, serves: bool = True) -> None:
        self.serves = serves
        self.service_client = self

    async def check_health(self, **_: object) -> bool:
        if not self.serves:
            raise RPCError("connection refused", RPCStatusCode.UNAVAILABLE, b"")
        return True


class Call:
    """A call that fails as it is told, one failure after the other, and then works."""

    def __init__(self, *failures: BaseException, for_ever: bool = False) -> None:
        self.failures = list(failures)
        self.for_ever = for_ever
        self.count = 0

    async def __call__(self) -> str:
        self.count += 1
        if self.for_ever:
            raise self.failures[0]
        if self.failures:
            raise self.failures.pop(0)
        return "done"


async def asked(call: Call, *, serves: bool = True) -> str:
    return await patiently(cast(Client, Server(serves)), call, within=WITHIN)


def status(code: RPCStatusCode) -> RPCError:
    return RPCError(code.name, code, b"")


async def test_what_passes_is_tried_again() -> None:
    """A race with continue-as-new, a full queue and a broken connection cost one more try each."""
    ended = WorkflowUpdateFailedError(ApplicationError("ended", type=CLOSED_TOO_SOON))
    call = Call(status(RPCStatusCode.FAILED_PRECONDITION), status(RPCStatusCode.UNAVAILABLE), ended)

    assert await asked(call) == "done"
    assert call.count == 4


@pytest.mark.parametrize(
    "failure",
    [
        status(RPCStatusCode.NOT_FOUND),
        status(RPCStatusCode.INVALID_ARGUMENT),
        WorkflowUpdateFailedError(ApplicationError("wrong shape", type="InvalidInput")),
        RuntimeError("a mistake of ours"),
    ],
)
async def test_what_does_not_pass_is_not_tried_again(failure: Exception) -> None:
    """An answer is an answer."""
    call = Call(failure)
    with pytest.raises(type(failure)):
        await asked(call)

    assert call.count == 1


@pytest.mark.parametrize(
    ("failure", "serves", "told"),
    [
        (WorkflowUpdateRPCTimeoutOrCancelledError(), True, NoWorker),
        (status(RPCStatusCode.FAILED_PRECONDITION), True, NoWorker),
        (status(RPCStatusCode.RESOURCE_EXHAUSTED), True, Busy),
        (status(RPCStatusCode.UNAVAILABLE), False, Unreachable),
        (RuntimeError("Failed client connect: connection refused"), False, Unreachable),
    ],
)
async def test_when_the_time_is_up_it_says_what_stood_in_the_way(failure: Exception, serves: bool, told: type[Exception]) -> None:
    """Nobody waits for ever, and what is missing has a name."""
    with pytest.raises(told):
        await asked(Call(failure, for_ever=True), serves=serves)


async def test_a_call_that_never_answers_is_given_up() -> None:
    """A command to an incident that nobody works on ends with the word that repeating it is safe."""
    with pytest.raises(NoWorker, match="same key is safe"):
        await patiently(cast(Client, Server()), asyncio.Event().wait, within=WITHIN)


async def test_a_door_that_stops_does_not_try_again() -> None:
    """Being cancelled is not a time-out, though the SDK says so."""
    calls = 0

    async def call() -> None:
        nonlocal calls
        calls += 1
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as error:
            raise WorkflowUpdateRPCTimeoutOrCancelledError from error

    task = asyncio.create_task(patiently(cast(Client, Server()), call, within=timedelta(seconds=30)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert calls == 1
