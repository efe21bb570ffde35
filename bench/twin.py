"""The bare twin: a workflow that does what a plan says and knows nothing.

A plan is a list of steps; a step's commands are given once everything that it needs has happened. Plans come from the
product's own histories (`bench.plan`) and lie in a file beside the run, so that they weigh nothing in the twin's own
history. What crosses the wire is what no product could leave out: the same requests, the same words to the world.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field
from temporalio import activity, workflow
from temporalio.exceptions import ApplicationError

from bench.world import Accepting


class Order(BaseModel):
    """One command: an `activity`, a `timer`, a `cancel` of a timer, a `child` or a `signal`. `number` counts from 1 per kind."""

    kind: str
    number: int
    queue: str = ""
    seconds: float = 0
    to: str = ""
    words: dict[str, Any] = Field(default_factory=dict)


class Step(BaseModel):
    """Commands that follow once everything in `needs` has happened: `start`, `update:3`, `timer:1`, …"""

    needs: list[str]
    orders: list[Order]


class Plan(BaseModel):
    """All steps of one workflow. `deadline` numbers the timer whose length the start gives instead."""

    steps: list[Step]
    deadline: int = 0
    ends: bool = True


class TwinInput(BaseModel):
    """Which plan, of which of its workflows (`suffix` of the id), and the product's own request."""

    plan: str
    suffix: str = ""
    request: Any = None
    within: float = 0


PLANS = Path()
"""The folder of the plans; set once a process."""


def use_plans(folder: Path) -> None:
    global PLANS
    PLANS = folder


def plan_file(folder: Path, name: str, suffix: str) -> Path:
    return folder / f"{name}{suffix.replace('/', '~')}.plan.json"


@cache
def _plan(name: str, suffix: str) -> Plan:
    return Plan.model_validate_json(plan_file(PLANS, name, suffix).read_text())


@workflow.defn(name="Twin")
class Twin:
    """Carries out one plan."""

    @workflow.init
    def __init__(self, start: TwinInput) -> None:
        self.input = start
        self.plan = _plan(start.plan, start.suffix)
        self.missing = [len(set(step.needs)) for step in self.plan.steps]
        self.steps: dict[str, list[int]] = defaultdict(list)
        for index, step in enumerate(self.plan.steps):
            for need in set(step.needs):
                self.steps[need].append(index)
        self.left = len(self.plan.steps)
        self.updates = 0
        self.words = 0
        self.timers: dict[int, asyncio.Task[None]] = {}
        self.tasks: set[asyncio.Task[None]] = set()

    @workflow.run
    async def run(self, start: TwinInput) -> None:
        self._happened("start")
        await workflow.wait_condition(lambda: self.plan.ends and not self.left and not self.tasks and workflow.all_handlers_finished())

    @workflow.update
    def command(self, request: dict[str, Any]) -> dict[str, Any]:
        self.updates += 1
        self._happened(f"update:{self.updates}")
        return {"accepted": True}

    @workflow.signal
    def told(self, words: Any = None) -> None:
        self.words += 1
        self._happened(f"word:{self.words}")

    def _happened(self, what: str) -> None:
        for index in self.steps.pop(what, ()):
            self.missing[index] -= 1
            if not self.missing[index]:
                self.left -= 1
                for order in self.plan.steps[index].orders:
                    self._give(order)

    def _give(self, order: Order) -> None:
        if order.kind == "cancel":
            if (timer := self.timers.pop(order.number, None)) is not None:
                timer.cancel()
            return
        task = asyncio.create_task(self._carry_out(order))
        if order.kind == "timer":
            self.timers[order.number] = task
        else:
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def _carry_out(self, order: Order) -> None:
        if order.kind == "activity":
            await workflow.execute_activity(
                carry,
                {"key": f"{order.number}", **order.words},
                task_queue=f"{workflow.info().task_queue}-{order.queue}",
                start_to_close_timeout=timedelta(seconds=10),
            )
        elif order.kind == "timer":
            length = self.input.within if order.number == self.plan.deadline else order.seconds
            try:
                await asyncio.sleep(length)
            except asyncio.CancelledError:
                return
            self.timers.pop(order.number, None)
        elif order.kind == "child":
            await self._start_child(order)
        else:
            await self._signal(order)
        self._happened(f"{order.kind}:{order.number}")

    async def _start_child(self, order: Order) -> None:
        info = workflow.info()
        await workflow.start_child_workflow(
            Twin.run,
            TwinInput(plan=self.input.plan, suffix=order.to, request=order.words),
            id=info.workflow_id.removesuffix(self.input.suffix) + order.to,
            parent_close_policy=workflow.ParentClosePolicy.ABANDON,
            task_timeout=info.task_timeout,
        )

    async def _signal(self, order: Order) -> None:
        to = order.to.removeprefix("+")
        id = to if to != order.to else workflow.info().workflow_id.removesuffix(self.input.suffix) + to
        try:
            await workflow.get_external_workflow_handle(id).signal("told", order.words)
        except ApplicationError:
            return


@workflow.defn(name="Sink")
class Sink:
    """Takes signals, as the register takes the word that an incident is closed."""

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False)

    @workflow.signal
    def told(self, words: Any = None) -> None:
        return


WORLD = Accepting()


def use_world(world: Accepting) -> None:
    global WORLD
    WORLD = world


@activity.defn(name="carry")
async def carry(delivery: dict[str, Any]) -> dict[str, Any]:
    WORLD.arrived("")
    return {"reference": delivery["key"]}
