"""The register of incidents: their numbers, and which incident a key or an alert group belongs to.

It starts the incidents itself, so that a number is never given without its incident: both are in one history.
The same key always gets the same answer. Numbers count per year of opening (UTC), from 1, without a gap.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field
from temporalio import workflow
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError

with workflow.unsafe.imports_passed_through():
    from pydantic import ValidationError  # passed through: the core raises this very class

    from incident.alerts import presumed_by
    from incident.commands import problems
    from incident.lifecycle import Opening
    from incident.permissions import objection_to_opening
    from incident.policy import Policy
    from incident.registration import Closed, Registered, Registration
    from workflows import contract, options
    from workflows.steadfast import steadfast


class GroupRecord(BaseModel):
    incident: str
    closed_at: datetime | None = None


class RegistryState(BaseModel):
    """What the register carries from run to run. Keys and groups of long ago are forgotten, oldest first."""

    numbers: dict[str, int] = Field(default_factory=dict)
    keys: dict[str, str] = Field(default_factory=dict)
    groups: dict[str, GroupRecord] = Field(default_factory=dict)
    open: dict[str, str | None] = Field(default_factory=dict)


class RegistryInput(BaseModel):
    state: RegistryState | None = None


@workflow.defn(name="Registry")
class Registry:
    """The one register."""

    @workflow.init
    def __init__(self, start: RegistryInput | None = None) -> None:
        self.state = (start.state if start is not None else None) or RegistryState()
        self.starting: set[str] = set()

    @workflow.run
    async def run(self, start: RegistryInput | None = None) -> None:
        """Serve for ever, in runs of bounded length."""
        await steadfast(self._serve())

    async def _serve(self) -> None:
        await workflow.wait_condition(self._long_enough)
        await workflow.wait_condition(lambda: workflow.all_handlers_finished() and not self.starting)
        self._forget()
        workflow.continue_as_new(RegistryInput(state=self.state))

    def _long_enough(self) -> bool:
        info = workflow.info()
        return info.get_current_history_length() >= options.REGISTRY_HISTORY_LIMIT or info.is_continue_as_new_suggested()

    def _forget(self) -> None:
        self.state.keys = dict(list(self.state.keys.items())[-options.KEYS_KEPT :])
        self.state.groups = dict(list(self.state.groups.items())[-options.GROUPS_KEPT :])

    @workflow.update(name=contract.REGISTRY_OPEN)
    async def open(self, raw: Any = None, *more: Any) -> dict[str, Any]:
        """Answer with the incident that this request has, opening it where it has none.

        Other requests may be answered while this one waits for its incident to start; each has its number by then,
        and a repeat of this one waits for the same start.
        """
        request = _read(raw, more)
        known = self._known(request)
        if known is not None:
            incident = known.incident
            await workflow.wait_condition(lambda: incident not in self.starting)
            return known.model_dump(mode="json")
        if request.find_only:
            return Registered(incident=None, new=False, open=False).model_dump(mode="json")
        incident = self._next_number()
        self._remember(incident, request)
        incident = await self._start(incident, request)
        return Registered(incident=incident, new=True).model_dump(mode="json")

    @open.validator
    def _validate(self, raw: Any = None, *more: Any) -> None:
        _read(raw, more)

    @workflow.signal(name=contract.REGISTRY_CLOSED)
    def closed(self, raw: Any = None, *_more: Any) -> None:
        """An incident takes no more alerts; its group's next episode opens a new one."""
        try:
            word = Closed.model_validate(raw)
        except ValidationError as error:
            workflow.logger.warning("a word of closing that can't be read", extra={"problem": str(problems(error))})
            return
        group = self.state.open.pop(word.incident, None)
        if group is not None and group in self.state.groups and self.state.groups[group].incident == word.incident:
            self.state.groups[group] = GroupRecord(incident=word.incident, closed_at=word.at)

    @workflow.query(name="state")
    def snapshot(self) -> RegistryState:
        return self.state

    def _known(self, request: Registration) -> Registered | None:
        """What is registered already. A group's open incident comes first: an episode goes on in the newest one."""
        record = self.state.groups.get(request.group) if request.group is not None else None
        if record is not None and record.closed_at is None:
            return Registered(incident=record.incident, new=False)
        closed_at = record.closed_at if record is not None else None
        by_key = self.state.keys.get(request.key)
        if by_key is not None:
            return Registered(incident=by_key, new=False, open=by_key in self.state.open, closed_at=closed_at)
        if record is not None and closed_at is not None and request.episode_at is not None and request.episode_at <= closed_at:
            return Registered(incident=record.incident, new=False, open=False, closed_at=closed_at)
        return None

    def _next_number(self) -> str:
        year = f"{workflow.now():%Y}"
        number = self.state.numbers.get(year, 0) + 1
        self.state.numbers[year] = number
        return contract.incident_id(year, number)

    async def _start(self, incident: str, request: Registration) -> str:
        """Start the incident under its number.

        A number that is taken was given by a register whose memory was lost: it is counted, and the next one tried.
        """
        while True:
            self.starting.add(incident)
            try:
                await self._start_incident(incident, request)
            except WorkflowAlreadyStartedError:
                workflow.logger.warning("a number was given before, by a register that has lost its memory", extra={"number": incident})
                self.starting.discard(incident)
                self.state.open.pop(incident, None)
                incident = self._next_number()
                self._remember(incident, request)
            else:
                self.starting.discard(incident)
                return incident

    async def _start_incident(self, incident: str, request: Registration) -> None:
        policy = request.policy or Policy()
        opening = Opening(
            id=incident,
            request=request.request,
            source=request.source,
            group=request.group,
            presumed=request.presumed or presumed_by(request.alerts, policy),
            alerts=request.alerts,
            policy=policy,
            queries=request.queries,
        )
        severity = request.request.severity or opening.presumed or policy.presumed_otherwise
        # Lists know that it is private before its first task has run: until then, nothing else keeps it from anybody.
        memo = {"private": True, "opened_by": opening.request.by, "members": [opening.request.by]} if opening.request.private else None
        await workflow.start_child_workflow(
            "Incident",
            {"opening": opening.model_dump(mode="json", exclude_defaults=True)},
            id=incident,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            parent_close_policy=workflow.ParentClosePolicy.ABANDON,
            task_timeout=options.WORKFLOW_TASK_TIMEOUT,
            priority=options.priority(severity),
            memo=memo,
        )

    def _remember(self, incident: str, request: Registration) -> None:
        self.state.keys[request.key] = incident
        self.state.open[incident] = request.group
        if request.group is not None:
            self.state.groups.pop(request.group, None)
            self.state.groups[request.group] = GroupRecord(incident=incident)


def _read(raw: Any, more: tuple[Any, ...]) -> Registration:
    if more:
        raise ApplicationError("open: takes one JSON object", type="InvalidInput", non_retryable=True)
    try:
        request = Registration.model_validate(raw)
    except ValidationError as error:
        found = problems(error)
        text = "; ".join(f"{problem['field']}: {problem['message']}" for problem in found)
        raise ApplicationError(text, {"problems": found}, type="InvalidInput", non_retryable=True) from error
    refusal = objection_to_opening(request.request)
    if refusal is not None:
        said = refusal.model_dump(mode="json", exclude_none=True)
        raise ApplicationError(refusal.message, {"refusal": said}, type=contract.NOT_PERMITTED, non_retryable=True)
    return request
