"""Every verb once, over Temporal handles: what all doors share.

What the door knows of who acts is laid over every command here (`starter.identity.actor`), so that no page and no route
can forget it. A command carries a key, which is both in its update id and a field of its payload. The first recognises a repeat
within a run, the second after the incident has continued as new. The id also says what is asked: another request under a key
that is spent is another update, which the incident turns away.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError
from temporalio.client import Client, WithStartWorkflowOperation, WorkflowExecutionStatus, WorkflowUpdateFailedError
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError, TemporalError
from temporalio.service import RPCError, RPCStatusCode

from incident import lifecycle, repeats
from incident.commands import AFTER_THE_END, InvalidInput, Open, parse, problems
from incident.permissions import refusal_of
from incident.policy import Policy
from incident.refusals import refuse
from incident.registration import Registration
from incident.vocabulary import Phase
from starter.calls import patiently, polled
from starter.identity.actor import vouched
from starter.mistakes import located
from starter.problems import Broken, Busy, Invalid, NotPermitted, NoWorker, Problem, UnknownIncident
from starter.reading import Reading, checked
from workflows import contract, options

COMMAND_WITHIN = timedelta(seconds=10)
"""How long a command waits for its answer: a server's restart is over in 3 s, a worker's in about 1 s."""

LONGER_TO_OPEN = 2
"""How many times as long an opening waits: the one register gives the numbers, and a storm's alert groups ask it too."""

DRILL_SPEED = 60
"""How much shorter a drill's waits are: an hour of the process becomes a minute of practice."""

LooksFirst = Callable[[str, Mapping[str, Any], str | None], Awaitable[dict[str, Any]]]
"""What a door looks at before it asks an incident for one verb: it gives the fields to ask with, or raises a `Problem`."""

RACES = 5
"""How often a command follows an incident that continues as new under it."""


class Desk(Reading):
    """What people and machines may do, for every door alike.

    `policy` is the one in force: an incident keeps the policy that it was opened with, a drill keeps `drill_policy`.
    `related` gives the services that one depends on or that depend on it, by the routing rules.
    """

    def __init__(
        self,
        client: Client,
        *,
        task_queue: str = contract.TASK_QUEUE,
        policy: Policy | None = None,
        drill_policy: Policy | None = None,
        within: timedelta = COMMAND_WITHIN,
        related: Callable[[str], tuple[str, ...]] | None = None,
    ) -> None:
        super().__init__(client)
        self.task_queue = task_queue
        self.policy = policy or Policy()
        self.drill_policy = drill_policy or self.policy.scaled(DRILL_SPEED)
        self.within = within
        self._related = related or (lambda _: ())
        self.looks_first: dict[str, LooksFirst] = {}

    async def open(self, fields: Mapping[str, Any], key: str | None = None) -> dict[str, Any]:
        """Open an incident and give its state; the same key gives the same incident.

        Raises:
            Invalid: for fields of the wrong shape; nothing has happened.
            Unreachable, NoWorker, Busy: repeating it with the same key is safe.
        """
        asked = opening(fields, key or fresh_key(), datetime.now(UTC))
        related = tuple(dict.fromkeys(name for service in asked.services for name in self._related(service)))
        policy = self.drill_policy if asked.drill else self.policy
        registration = Registration(key=asked.key or "", request=asked, policy=policy, related=related, connect=True)

        async def call() -> dict[str, Any]:
            registry: WithStartWorkflowOperation[Any, Any] = WithStartWorkflowOperation(
                "Registry",
                id=contract.REGISTRY_ID,
                task_queue=self.task_queue,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                task_timeout=options.WORKFLOW_TASK_TIMEOUT,
                priority=options.REGISTER,
            )
            try:
                answer: dict[str, Any] = await self.client.execute_update_with_start_workflow(
                    contract.REGISTRY_OPEN,
                    registration,
                    id=repeats.update_id(registration.key, asked),
                    result_type=dict[str, Any],
                    start_workflow_operation=registry,
                )
            except (TemporalError, RPCError):
                # The operation keeps the failure as well, and asyncio complains of a failure that nobody looks at.
                await asyncio.gather(registry.workflow_handle(), return_exceptions=True)
                raise
            return answer

        try:
            answer = await patiently(self.client, call, within=LONGER_TO_OPEN * self.within, unless=self._busy_register)
        except WorkflowUpdateFailedError as error:
            raise _as_problem(error, "open") from error
        try:
            return await self.state(answer["incident"])
        except NoWorker as problem:
            raise Busy(
                f"{answer['incident']} is open, and can't be read yet: its worker is busy, as in a storm of alerts, or has just gone. "
                "Look at it in a moment, or repeat the request with the same key, which gives the same incident.",
                **problem.more,
            ) from problem

    async def _busy_register(self, within: timedelta) -> Problem | None:
        """Why an opening had no answer though somebody is at work; None where nobody is."""
        if not await polled(self.client, self.task_queue):
            return None
        return Busy(
            "Temporal is there and workers ask it for work, but the register of incidents has not answered within "
            f"{within.total_seconds():g} s: it is busy, as in a storm of alerts, or its worker has just gone. The incident may be open "
            "already or still be opened; repeat the request with the same key, which gives the same incident and never a second one.",
            people="The register of incidents is busy and has not answered yet. Your incident may be open already or still be opened. "
            "Press again: that never opens a second one.",
        )

    async def command(self, incident: str, verb: str, fields: Mapping[str, Any], key: str | None = None) -> dict[str, Any]:
        """Carry out one verb and give what the incident answers: accepted with its entries, or refused with the reason.

        Raises:
            UnknownIncident, Invalid: nothing has happened.
            Unreachable, NoWorker, Busy: repeating it with the same key is safe.
        """
        checked(incident)
        fields = await self.looked_at(incident, verb, fields, key)
        asked = request(verb, fields, key or fresh_key())
        await self.admit(incident)
        refused: dict[str, Any] | None = None
        for _ in range(RACES):
            try:
                answer = await self._update(incident, verb, asked)
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise
            else:
                if verb not in AFTER_THE_END or not _closed(answer):
                    return answer
                followed = await self._followed_up(incident, verb, asked, answer)
                if followed is not answer:
                    return followed
                refused = answer  # asked just while it was handed over: its follow-up is there in a moment
            if await self._ended(incident):
                return await self._late(incident, verb, asked)
        if refused is not None:
            return refused
        raise Broken(f"{incident} continued as new {RACES} times under one command. Repeat it with the key {asked['key']}.")

    async def looked_at(self, incident: str, verb: str, fields: Mapping[str, Any], key: str | None) -> Mapping[str, Any]:
        """The fields to ask with, once the door has looked at what it alone knows of (drafts, for one)."""
        look = self.looks_first.get(verb)
        return fields if look is None else await look(incident, fields, key)

    async def answered(self, incident: str, verb: str, fields: Mapping[str, Any], key: str) -> bool:
        """Whether this very request was carried out already, under its key."""
        return await self._former_answer(incident, _update_id(verb, request(verb, fields, key))) is not None

    async def alert(self, incident: str, alerts: list[dict[str, Any]]) -> None:
        """Hand alerts to one incident, as monitoring does; they are recorded, valid or not."""
        handle = self.client.get_workflow_handle(checked(incident))
        await self.admit(incident)

        async def call() -> None:
            await handle.signal(contract.ALERT, alerts)

        try:
            await patiently(self.client, call, within=self.within)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            raise UnknownIncident(incident) from error

    async def _update(self, workflow_id: str, verb: str, asked: dict[str, Any]) -> dict[str, Any]:
        handle = self.client.get_workflow_handle(workflow_id)

        async def call() -> dict[str, Any]:
            answer: dict[str, Any] = await handle.execute_update(verb, asked, id=_update_id(verb, asked), result_type=dict[str, Any])
            return answer

        try:
            return await patiently(self.client, call, within=self.within)
        except WorkflowUpdateFailedError as error:
            raise _as_problem(error, verb) from error

    async def _ended(self, incident: str) -> bool:
        status = (await self.describe(incident)).status
        return status not in (WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.CONTINUED_AS_NEW)

    async def _late(self, incident: str, verb: str, asked: dict[str, Any]) -> dict[str, Any]:
        """Answer a command that came after the end: as before where it is a repeat, else by the follow-up, else no."""
        repeated = await self._former_answer(incident, _update_id(verb, asked)) or await self._former_answer(incident, asked["key"])
        if repeated is not None and not (verb in AFTER_THE_END and _closed(repeated)):
            return repeated
        if verb == "merge" and await self._merged_already(incident, asked):
            return {"incident": incident, "phase": Phase.CLOSED.value, "accepted": True, "events": []}
        refusal = refuse("already-closed").model_dump(mode="json", exclude_none=True)
        no = {"incident": incident, "phase": Phase.CLOSED.value, "accepted": False, "refusal": refusal}
        return await self._followed_up(incident, verb, asked, repeated or no) if verb in AFTER_THE_END else no

    async def _merged_already(self, incident: str, asked: dict[str, Any]) -> bool:
        """Whether a merge that somebody who may asks for after the end is what ended the incident."""
        if refusal_of(parse("merge", asked), "merge") is not None:
            return False
        return bool((await self.state(incident))["duplicate_of"] == asked["into"])

    async def _followed_up(self, incident: str, verb: str, asked: dict[str, Any], otherwise: dict[str, Any]) -> dict[str, Any]:
        """What the incident's follow-up answers, which may run before a closed incident has sent all it owes; `otherwise` without one."""
        try:
            return await self._update(contract.follow_up_id(incident), verb, asked)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
        return otherwise

    async def _former_answer(self, incident: str, update_id: str) -> dict[str, Any] | None:
        """What an update was answered; None for an id that nobody has used."""
        handle = self.client.get_workflow_handle(incident).get_update_handle(update_id, result_type=dict[str, Any])

        async def call() -> dict[str, Any]:
            answer: dict[str, Any] = await handle.result()
            return answer

        try:
            return await patiently(self.client, call, within=self.within)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return None
        except WorkflowUpdateFailedError as error:
            raise _as_problem(error, "the command") from error


def _closed(answer: Mapping[str, Any]) -> bool:
    return not answer["accepted"] and answer["refusal"]["code"] == "already-closed"


def fresh_key() -> str:
    """A key for a command that came without one: it is asked once, whatever is repeated below."""
    return uuid.uuid4().hex


def _update_id(verb: str, asked: Mapping[str, Any]) -> str:
    return repeats.update_id(str(asked["key"]), parse(verb, dict(asked)))


def request(verb: str, fields: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The JSON that the update `verb` takes.

    Raises:
        Invalid: for fields of the wrong shape.
    """
    try:
        command = parse(verb, {**vouched(fields), "key": key})
    except InvalidInput as error:
        raise Invalid(located(verb, error.problems)) from error
    return command.model_dump(mode="json", by_alias=True, exclude_none=True)


def opening(fields: Mapping[str, Any], key: str, now: datetime) -> Open:
    """Read what opens an incident, under its key.

    Raises:
        Invalid: for fields of the wrong shape, and a start that can't be.
    """
    try:
        asked = Open.model_validate({**vouched(fields), "key": key})
        lifecycle.check_start(asked.started_at, now)
    except ValidationError as error:
        raise Invalid(problems(error)) from error
    except InvalidInput as error:
        raise Invalid(error.problems) from error
    return asked


def _as_problem(error: WorkflowUpdateFailedError, verb: str) -> Problem:
    """What a failed update means: the validator's word on the shape, or a mistake of ours."""
    cause = error.cause
    if isinstance(cause, ApplicationError) and cause.type == InvalidInput.__name__:
        found = cause.details[0].get("problems") if cause.details and isinstance(cause.details[0], dict) else None
        return Invalid(found or [{"field": verb, "message": cause.message}])
    if isinstance(cause, ApplicationError) and cause.type == contract.NOT_PERMITTED:
        return NotPermitted(cause.message, refusal=cause.details[0]["refusal"])
    if isinstance(cause, ApplicationError):
        return Broken(f"{verb} failed: {cause.message}. Nothing was changed; the worker's log has the rest.")
    return Broken(f"{verb} failed inside the workflow. Nothing was changed; the worker's log has the rest.")
