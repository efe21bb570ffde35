"""Each vendor is told things at its own pace, and left alone while it asks for that, whatever the number of incidents."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

import pytest
from temporalio.common import Priority
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from activities.chat import ChatActivities
from incident.effects import Delivery, Port
from integrations.errors import RateLimited, Unavailable
from integrations.waits import Waits
from runtime.settings import load_settings
from tests.fakes import FakeChat
from tests.integrations.asks import delivery, of_port
from worker.pace import BEHIND, OneWait, pace, vendors


def post(key: str) -> Delivery:
    ask = next(ask for ask in of_port(Port.CHAT) if ask.action == "post")
    return delivery(ask, incident=key.partition(":")[0]).model_copy(update={"key": key})


HALF_A_MINUTE = timedelta(seconds=30)


def test_a_queue_has_the_pace_of_its_vendor() -> None:
    """Of several ways to page, the slowest sets the pace; what is embedded, or says nothing of a limit, has none."""
    assert pace(load_settings()) == {}
    assert pace(load_settings(chat="slack", statuspage="statuspage", tickets="jira", paging="pagerduty,email")) == {
        Port.CHAT: 0.8,
        Port.STATUS: 0.4,
        Port.PAGING: 2.0,
    }


def test_people_are_told_which_vendor_is_waited_for() -> None:
    """By its name; what is embedded is nobody's vendor."""
    assert vendors(load_settings()) == {}
    assert vendors(load_settings(chat="slack", tickets="jira", paging="pagerduty,email")) == {
        Port.CHAT: "Slack",
        Port.TICKETS: "Jira",
        Port.PAGING: "PagerDuty and the mail server",
    }


class _Chat(FakeChat):
    """A chat that has had too much, until it is told otherwise."""

    wait: timedelta | None = HALF_A_MINUTE
    kind: type[Unavailable] = RateLimited

    async def post(self, delivery: Delivery) -> Any:
        self.attempts += 1
        if self.wait is not None:
            raise self.kind("429", retry_after=self.wait)
        return await super().post(delivery)


class _Worker:
    """One worker's activity with the interceptor before it, at a time that the test chooses."""

    def __init__(self, *, shared: bool = True) -> None:
        self.now = 100.0
        self.chat = _Chat()
        self.wait = OneWait("Slack", Waits(lambda: self.now), shared=shared)

    async def tells(self, delivery: Delivery, *, urgency: int = 1) -> Any:
        environment = ActivityEnvironment()
        environment.info = dataclasses.replace(environment.default_info(), priority=Priority(priority_key=urgency))
        run = ChatActivities(self.chat).post

        class Last(ActivityInboundInterceptor):
            def __init__(self) -> None:
                pass

            async def execute_activity(self, input: ExecuteActivityInput) -> Any:
                return await run(*input.args)

        asked = ExecuteActivityInput(fn=run, args=[delivery], executor=None, headers={})
        return await environment.run(self.wait.intercept_activity(Last()).execute_activity, asked)


async def _held(worker: _Worker, delivery: Delivery, *, urgency: int = 1) -> ApplicationError:
    with pytest.raises(ApplicationError) as told:
        await worker.tells(delivery, urgency=urgency)
    return told.value


async def test_what_a_vendor_said_to_one_incident_holds_for_all() -> None:
    """Until the wait is over nobody else runs into a 429 of their own; then everything goes on, with no word of it left."""
    worker = _Worker()
    first = await _held(worker, post("INC-2026-0001:1"))
    worker.now += 10
    second = await _held(worker, post("INC-2026-0002:1"))
    asked = worker.chat.attempts
    worker.now += 20
    worker.chat.wait = None
    await worker.tells(post("INC-2026-0002:1"))

    assert asked == 1
    assert (first.type, first.details[0], first.next_retry_delay) == ("RateLimited", "Slack", HALF_A_MINUTE)
    assert (second.type, second.details[0], second.next_retry_delay) == ("RateLimited", "Slack", timedelta(seconds=20))
    assert second.message.startswith("waits for Slack until ")
    assert worker.chat.keys == ["INC-2026-0002:1"]


async def test_a_sev1_goes_on_first() -> None:
    """Of all that was held, the most urgent comes back the moment the wait is over, the others shortly after it."""
    worker = _Worker()
    waits = [(await _held(worker, post("INC-2026-0001:1"), urgency=urgency)).next_retry_delay for urgency in (1, 3, 4)]

    assert waits == [HALF_A_MINUTE, HALF_A_MINUTE + 2 * BEHIND, HALF_A_MINUTE + 3 * BEHIND]


async def test_a_drill_and_another_trouble_hold_nobody() -> None:
    """A drill reaches nobody outside; a vendor that is only down, or gives no time, is found out by each for itself."""
    worker = _Worker()
    await _held(worker, post("INC-2026-0001:1"))
    drilled = await _held(worker, post("INC-2026-0002:1").model_copy(update={"drill": True}))
    down, several = _Worker(), _Worker(shared=False)
    down.chat.kind = Unavailable
    for each in (down, several):
        await _held(each, post("INC-2026-0001:1"))
        await _held(each, post("INC-2026-0002:1"))

    assert drilled.message == "429"
    assert [each.chat.attempts for each in (worker, down, several)] == [2, 2, 2]


async def test_a_shorter_word_does_not_end_a_longer_wait() -> None:
    """Two calls may be limited by two rules, of which the stricter one holds."""
    waits = Waits(lambda: 0.0)
    waits.told("Slack", HALF_A_MINUTE)
    waits.told("Slack", timedelta(seconds=1))
    waits.told("Slack", None)

    assert waits.left("Slack") == HALF_A_MINUTE
    assert waits.left("Jira") == timedelta(0)
