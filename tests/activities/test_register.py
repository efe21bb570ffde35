# ruff: noqa: SIM300 - the house writes what is expected first
"""The register is asked one question at a time; whoever comes meanwhile goes with the next one, and has an answer of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

import pytest
from temporalio.client import Client, WithStartWorkflowOperation, WorkflowUpdateFailedError
from temporalio.common import Priority
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import ActivityEnvironment

from activities import register
from activities.opening import OpeningActivities
from activities.register import BYTES_TOGETHER, MOST_TOGETHER, Register
from incident.commands import Open
from incident.policy import Policy
from incident.registration import Registered, Registration, Registrations
from tests.harness import eventually
from tests.incident.walk import alert

FIRST = Priority(priority_key=1)
POLICY = Policy(general_channel="#operations")


def asked(key: str, *, drill: bool = False, **more: Any) -> Registration:
    return Registration(key=key, request=Open(by="ana", title=key, drill=drill), **more)


class FakeRegister:
    """A register that answers each request with its own key.

    `held` keeps it from answering, `silent_at` is the question that it never answers, `objects` says why it can't take one.
    """

    def __init__(self) -> None:
        self.questions: list[tuple[str, list[Registration]]] = []
        self.ids: set[str] = set()
        self.starts: list[Priority] = []
        self.silent_at = 0
        self.held = asyncio.Event()
        self.held.set()
        self.objects: Callable[[list[Registration]], Exception | None] = lambda _: None

    async def execute_update_with_start_workflow(
        self, name: str, argument: Any, *, start_workflow_operation: WithStartWorkflowOperation[Any, Any], id: str, result_type: Any
    ) -> Any:
        requests = list(argument.each()) if isinstance(argument, Registrations) else [argument]
        self.questions.append((name, requests))
        self.ids.add(id)
        self.starts.append(start_workflow_operation._start_workflow_input.priority)
        await (asyncio.Event() if len(self.questions) == self.silent_at else self.held).wait()
        if (error := self.objects(requests)) is not None:
            raise error
        answers = [Registered(incident=each.key, new=True) for each in requests]
        return answers if name == "open_all" else answers[0]

    @property
    def keys(self) -> list[list[str]]:
        return [[each.key for each in requests] for _, requests in self.questions]


@pytest.fixture
def fake() -> FakeRegister:
    return FakeRegister()


@pytest.fixture
def counter(fake: FakeRegister) -> Register:
    return Register(cast(Client, fake), POLICY, task_queue="incidents", task_timeout=timedelta(seconds=3), priority=FIRST)


async def _in_line(counter: Register, *requests: Registration) -> list[asyncio.Task[Registered]]:
    """Those who ask, each having come after the one before."""
    tasks = []
    for request in requests:
        tasks.append(asyncio.create_task(counter.open(request)))
        await asyncio.sleep(0)
    return tasks


async def test_who_comes_alone_is_asked_for_alone(fake: FakeRegister, counter: Register) -> None:
    """One request after the other is one question each, with the policy in force and an id that no other had."""
    answers = [await counter.open(asked(key)) for key in ("a", "b")]

    assert ["a", "b"] == [answer.incident for answer in answers]
    assert ["open", "open"] == [name for name, _ in fake.questions]
    assert [POLICY, POLICY] == [requests[0].policy for _, requests in fake.questions]
    assert 2 == len(fake.ids)


async def test_who_comes_while_it_is_asked_goes_with_the_next_question(fake: FakeRegister, counter: Register) -> None:
    """A hundred and twenty at once are four questions, in the order in which they came; each has its own answer."""
    fake.held.clear()
    keys = [f"{number}" for number in range(2 * MOST_TOGETHER + 20)]
    waiting = await _in_line(counter, *(asked(key) for key in keys))
    fake.held.set()

    assert keys == [answer.incident for answer in await asyncio.gather(*waiting)]
    assert [1, MOST_TOGETHER, MOST_TOGETHER, 19] == [len(each) for each in fake.keys]
    assert keys == [key for each in fake.keys for key in each]
    assert {POLICY.general_channel} == {one.policy.general_channel for _, requests in fake.questions for one in requests if one.policy}


async def test_a_question_is_small_enough_for_the_server(fake: FakeRegister, counter: Register) -> None:
    """Requests with many alerts go in smaller company."""
    fake.held.clear()
    large = tuple(alert(f"Alert{number}").model_copy(update={"annotations": {"summary": "x" * 1_000}}) for number in range(110))
    waiting = await _in_line(counter, *(asked(f"{number}", alerts=large) for number in range(5)))
    fake.held.set()
    await asyncio.gather(*waiting)

    assert [1, 1, 1, 1, 1] == [len(each) for each in fake.keys]
    assert BYTES_TOGETHER < 2 * len(large) * 1_000


async def test_one_that_it_can_not_take_costs_the_others_nothing(fake: FakeRegister, counter: Register) -> None:
    """Where the register turns several away, each is asked for alone, and only the one to blame hears no."""
    no = WorkflowUpdateFailedError(ApplicationError("no", type="InvalidInput", non_retryable=True))
    fake.objects = lambda requests: no if "bad" in [each.key for each in requests] else None
    fake.held.clear()
    waiting = await _in_line(counter, *(asked(key) for key in ("first", "bad", "good", "last")))
    fake.held.set()
    answers = await asyncio.gather(*waiting, return_exceptions=True)

    assert ["first", "good", "last"] == [answer.incident for answer in answers if isinstance(answer, Registered)]
    assert no is answers[1]
    assert [["first"], ["bad", "good", "last"], ["bad"], ["good", "last"]] == fake.keys


async def test_a_server_that_is_away_is_one_request_s_trouble(fake: FakeRegister, counter: Register) -> None:
    """Whose question fails is told so, and asks again by its activity's retries; those behind get their turn."""
    away = [RPCError("connection refused", RPCStatusCode.UNAVAILABLE, b"")]
    fake.objects = lambda _: away.pop() if away else None
    answers = await asyncio.gather(*(counter.open(asked(key)) for key in ("first", "second", "third")), return_exceptions=True)

    assert [RPCError, Registered, Registered] == [type(answer) for answer in answers]


async def test_who_gives_up_keeps_nobody_from_an_answer(fake: FakeRegister, counter: Register) -> None:
    """The one whose turn it is may be stopped in the middle of its question: what waits is asked for by the next."""
    fake.silent_at = 2
    fake.held.clear()
    _, leader, follower = await _in_line(counter, asked("first"), asked("leader"), asked("follower"))
    fake.held.set()
    await eventually(lambda: len(fake.questions) == 2, what="the leader's question")
    leader.cancel()

    assert "follower" == (await follower).incident
    assert [["first"], ["leader", "follower"], ["follower"]] == fake.keys


async def test_nobody_waits_longer_than_an_activity_may(fake: FakeRegister, counter: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    """A register that does not answer is given up in time, also by those who have only waited in line; then all is as before."""
    monkeypatch.setattr(register, "ANSWERED_WITHIN", timedelta(milliseconds=20))
    fake.held.clear()
    outcomes = await asyncio.gather(*(counter.open(asked(f"{number}")) for number in range(3)), return_exceptions=True)
    fake.held.set()

    assert [TimeoutError] * 3 == [type(outcome) for outcome in outcomes]
    assert "after" == (await counter.open(asked("after"))).incident
    assert ["after"] == fake.keys[-1], "nobody is left in line"


async def test_a_drill_has_clocks_of_its_own(fake: FakeRegister) -> None:
    """A practice incident gets the policy whose clocks run faster; what can't be read is final, all else is tried again."""
    fast = POLICY.scaled(60)
    doing = OpeningActivities(
        cast(Client, fake), POLICY, drill_policy=fast, task_queue="incidents", task_timeout=timedelta(seconds=3), priority=FIRST
    )
    environment = ActivityEnvironment()
    for drill in (True, False):
        await environment.run(doing.open_incident, asked("a", drill=drill))
    fake.objects = lambda _: WorkflowUpdateFailedError(ApplicationError("key: is missing", type="InvalidInput"))
    with pytest.raises(ApplicationError) as final:
        await environment.run(doing.open_incident, asked("b"))

    assert [fast, POLICY] == [requests[0].policy for _, requests in fake.questions[:2]]
    assert final.value.non_retryable


async def test_the_register_is_started_as_urgent_as_its_starter_says(fake: FakeRegister, counter: Register) -> None:
    """Where a storm's alert group is the first to ask, the register does not become as little urgent as the group."""
    await counter.open(asked("a"))

    assert fake.starts == [FIRST]
