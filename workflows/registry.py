"""The register of incidents: their numbers, and which incident a key or an alert group belongs to.

It starts the incidents itself, so that a number is never given without its incident: both are in one history.
The same key always gets the same answer. Numbers count per year of opening (UTC), from 1, without a gap.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import datetime
from typing import Any, TypeVar

from pydantic import BaseModel, Field
from temporalio import workflow
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError

with workflow.unsafe.imports_passed_through():
    from pydantic import ValidationError  # passed through: the core raises this very class

    from incident import repeats, storms
    from incident.alerts import AlertInput, is_known, presumed_by
    from incident.channels import Pauses
    from incident.commands import InvalidInput, problems
    from incident.lifecycle import Opening
    from incident.model import EDITION, Pause, Suggestion, Withdrawn
    from incident.permissions import objection_to_opening
    from incident.policy import Policy
    from incident.registration import About, Closed, Registered, Registration, Registrations, Takes, relation
    from incident.routing import PRODUCTION
    from incident.storms import Weather
    from workflows import contract, options, patches
    from workflows.handing_on import few
    from workflows.packing import Packing
    from workflows.payloads import mistaken
    from workflows.steadfast import steadfast, wait

M = TypeVar("M", bound=BaseModel)


class GroupRecord(BaseModel):
    """Which incident a group belongs to. Once it is closed: when, and the newest episode of the group that it knew.

    `alerts`: the newest one of each fingerprint; None where nobody said, or it is too long ago.
    """

    incident: str
    closed_at: datetime | None = None
    episode_at: datetime | None = None
    alerts: dict[str, datetime] | None = None


class RegistryState(BaseModel):
    """What the register carries from run to run. Keys and groups of long ago are forgotten, oldest first."""

    numbers: dict[str, int] = Field(default_factory=dict)
    keys: dict[str, str] = Field(default_factory=dict)
    groups: dict[str, GroupRecord] = Field(default_factory=dict)
    open: dict[str, str | None] = Field(default_factory=dict)
    about: dict[str, About] = Field(default_factory=dict)
    waiting: dict[str, list[AlertInput]] = Field(default_factory=dict)
    marks: dict[str, str] = Field(default_factory=dict)
    weather: Weather = Field(default_factory=Weather)
    suggested: dict[str, list[str]] = Field(default_factory=dict)
    paused: tuple[Pause, ...] = ()


class RegistryInput(Packing):
    state: RegistryState | None = None


@workflow.defn(name="Registry")
class Registry:
    """The one register."""

    @workflow.init
    def __init__(self, start: RegistryInput | None = None) -> None:
        self.state = (start.state if start is not None else None) or RegistryState()
        self.starting: set[str] = set()
        self.telling: dict[str, asyncio.Task[None]] = {}
        self.asides: set[asyncio.Task[None]] = set()

    @workflow.run
    async def run(self, start: RegistryInput | None = None) -> None:
        """Serve for ever, in runs of bounded length."""
        await steadfast(self._serve())

    async def _serve(self) -> None:
        for incident in self.state.waiting:
            self._see_to(incident)
        await wait(self._long_enough)
        await wait(lambda: workflow.all_handlers_finished() and not self.starting and not self.telling and not self.asides)
        self._forget()
        workflow.continue_as_new(RegistryInput(state=self.state))

    def _long_enough(self) -> bool:
        info = workflow.info()
        return info.get_current_history_length() >= options.REGISTRY_HISTORY_LIMIT or info.is_continue_as_new_suggested()

    def _forget(self) -> None:
        self.state.keys = dict(list(self.state.keys.items())[-options.KEYS_KEPT :])
        self.state.marks = {key: mark for key, mark in self.state.marks.items() if key in self.state.keys}
        self.state.groups = dict(list(self.state.groups.items())[-options.GROUPS_KEPT :])
        room = options.EPISODES_KEPT
        for group, record in reversed(list(self.state.groups.items())):
            room -= len(record.alerts or ())
            if record.alerts is not None and room < 0:
                self.state.groups[group] = record.model_copy(update={"alerts": None})

    @workflow.update(name=contract.REGISTRY_OPEN)
    async def open(self, raw: Any = None, *more: Any) -> dict[str, Any]:
        """Answer with the incident that this request has, opening it where it has none.

        Other requests may be answered while this one waits for its incident to start; each has its number by then,
        and a repeat of this one waits for the same start.
        """
        return (await self._opened(_read(raw, more))).model_dump(mode="json")

    @workflow.update(name=contract.REGISTRY_OPEN_ALL)
    async def open_all(self, raw: Any = None, *more: Any) -> list[dict[str, Any]]:
        """Answer each of several requests as if it came alone: a storm's alert groups ask together, and keep nobody else waiting."""
        answers = await asyncio.gather(*(self._opened(request) for request in _read_all(raw, more)))
        return [answer.model_dump(mode="json") for answer in answers]

    async def _opened(self, request: Registration) -> Registered:
        if request.gone is not None:
            self._ended(request.gone)
        known = self._known(request)
        while known is not None and known.incident in self.starting:
            await self._started(known.incident)
            known = self._known(request)  # it may have got another number meanwhile
        if known is not None:
            return known
        if request.existing_only:
            return Registered(incident=None, new=False, open=False)
        joins, handed = self._incident_to_join(request), request.alerts
        if joins is None:
            joins, handed = self._blown_along(request)
        if joins is not None:
            self._belongs(joins, request)
            self._hand_on(joins, handed)
            while (joined := self.state.keys[request.key]) in self.starting:
                await self._started(joined)
            return Registered(incident=joined, new=False, attached=True)
        related = self._related(request)
        incident = self._next_number()
        self._remember(incident, request)
        if storms.rule_for(request) is not None:
            self.state.weather = storms.opened(self.state.weather, incident, workflow.now())
        incident = await self._start(incident, request, related)
        await self._suggest(incident, request, related)
        return Registered(incident=incident, new=True)

    async def _started(self, incident: str) -> None:
        await wait(lambda: incident not in self.starting)

    @open.validator
    def _validate(self, raw: Any = None, *more: Any) -> None:
        self._check(_read(raw, more))

    @open_all.validator
    def _validate_all(self, raw: Any = None, *more: Any) -> None:
        for request in _read_all(raw, more):
            self._check(request)

    def _check(self, request: Registration) -> None:
        if request.source == "report":
            try:
                repeats.check(self.state.marks, request.key, request.request, told=f"opened {self.state.keys.get(request.key)}")
            except InvalidInput as error:
                raise mistaken(error) from error

    @workflow.signal(name=contract.REGISTRY_CLOSED)
    def closed(self, raw: Any = None, *_more: Any) -> None:
        """An incident takes no more alerts; its group's next episode opens a new one."""
        try:
            word = Closed.model_validate(raw)
        except ValidationError as error:
            workflow.logger.warning("a word of closing that can't be read", extra={"problem": str(problems(error))})
            return
        self.state.open.pop(word.incident, None)
        self.state.about.pop(word.incident, None)
        goes_on = word.merged_into if word.merged_into in self.state.open else None
        self._withdraw(word.incident, goes_on)
        for group, record in self.state.groups.items():
            if record.incident != word.incident or record.closed_at is not None:
                continue
            if goes_on is not None:
                self.state.groups[group] = GroupRecord(incident=goes_on)
            else:
                id = contract.alert_group_id(group)
                self.state.groups[group] = GroupRecord(
                    incident=word.incident, closed_at=word.at, episode_at=word.episodes.get(id), alerts=word.alerts.get(id)
                )

    @workflow.signal(name=contract.REGISTRY_TAKES)
    def takes(self, raw: Any = None, *_more: Any) -> None:
        """Whether more alert groups may join an incident: not once it is resolved, again where it is reopened."""
        try:
            word = Takes.model_validate(raw)
        except ValidationError as error:
            workflow.logger.warning("a word of an incident that can't be read", extra={"problem": str(problems(error))})
            return
        about = self.state.about.get(word.incident)
        if about is not None:
            self.state.about[word.incident] = about.model_copy(update={"takes": word.takes})

    @workflow.signal(name=contract.CHANNELS)
    def channels(self, raw: Any = None, *_more: Any) -> None:
        """Which channels people have paused: an incident that is opened meanwhile begins with it."""
        try:
            self.state.paused = Pauses.read(raw).paused
        except InvalidInput as error:
            workflow.logger.warning("a word of paused channels that can't be read", extra={"problem": str(error)})

    @workflow.query(name="state")
    def snapshot(self) -> RegistryState:
        return self.state

    def _known(self, request: Registration) -> Registered | None:
        """What is registered already. A group's open incident comes first: an episode goes on in the newest one."""
        record = self.state.groups.get(request.group) if request.group is not None else None
        if record is not None and record.closed_at is None:
            return Registered(incident=record.incident, new=False)
        by_key = self.state.keys.get(request.key)
        if by_key is not None:
            return Registered(incident=by_key, new=False, open=by_key in self.state.open)
        if record is not None and _told(record, request):
            return Registered(incident=record.incident, new=False, open=False)
        return None

    def _next_number(self) -> str:
        year = f"{workflow.now():%Y}"
        number = self.state.numbers.get(year, 0) + 1
        self.state.numbers[year] = number
        return contract.incident_id(year, number)

    def _ended(self, incident: str) -> None:
        """Forget an incident that was ended by force: nothing may be told to it any more."""
        if self.state.open.pop(incident, None) is None and incident not in self.state.about:
            return
        workflow.logger.warning("an incident has ended without a word", extra={"incident": incident})
        self._withdraw(incident, None)
        self.state.about.pop(incident, None)
        self.state.groups = {group: record for group, record in self.state.groups.items() if record.incident != incident}

    def _hand_on(self, incident: str, alerts: tuple[AlertInput, ...]) -> None:
        """Tell an incident the alerts of groups that join it: many at once, and one message at a time.

        A thousand groups that each told it themselves would keep the server so busy with that one workflow that its own
        tasks, and whoever asks it something, had to wait for the last of them.
        """
        self.state.waiting.setdefault(incident, []).extend(alerts)
        self._see_to(incident)

    def _see_to(self, incident: str) -> None:
        if incident not in self.telling:
            self.telling[incident] = asyncio.create_task(self._tell(incident))

    async def _tell(self, incident: str) -> None:
        """More may come to wait while a message is on its way; they go with the next, if need be from the next run."""
        await wait(lambda: incident not in self.starting)
        handle = workflow.get_external_workflow_handle(incident)
        while self.state.waiting.get(incident) and (not self._long_enough() or self._too_many_wait()):
            batch, wire = self._next_batch(self.state.waiting[incident])
            del self.state.waiting[incident][: len(batch)]
            try:
                await handle.signal(contract.ALERT, wire)
            except ApplicationError:
                self._ended(incident)
                await self._give_back(incident, [*batch, *self.state.waiting.pop(incident, [])])
        if not self.state.waiting.get(incident):
            self.state.waiting.pop(incident, None)
        del self.telling[incident]

    def _too_many_wait(self) -> bool:
        """Whether more wait than the next run can be handed; asked only once this one is long enough."""
        size = 0
        for alerts in self.state.waiting.values():
            for alert in alerts:
                size += len(alert.model_dump_json().encode())
                if size > options.WAITING_BYTES_CARRIED:
                    return workflow.patched(patches.BOUNDED_HANDOVERS)
        return False

    def _next_batch(self, waiting: list[AlertInput]) -> tuple[list[AlertInput], list[dict[str, Any]]]:
        """As many of those that wait as one message takes, and the message."""
        wire = [alert.model_dump(mode="json", by_alias=True, exclude_defaults=True) for alert in waiting[: options.ALERTS_A_SIGNAL]]
        number = few(wire, patches.FEW_SIGNALS, options.ALERTS_A_SIGNAL_BEFORE)
        return waiting[:number], wire[:number]

    async def _give_back(self, incident: str, alerts: list[AlertInput]) -> None:
        """Alerts that an incident could not take any more go back to their groups, which ask again."""
        for group in dict.fromkeys(alert.group for alert in alerts):
            wire = [alert.model_dump(mode="json", by_alias=True, exclude_defaults=True) for alert in alerts if alert.group == group]
            handle = workflow.get_external_workflow_handle(group)
            try:
                while wire:
                    batch = wire[: few(wire, patches.BOUNDED_HANDOVERS)]
                    del wire[: len(batch)]
                    await handle.signal(contract.ALERTS, {"alerts": batch, contract.RETURNED_BY: incident})
            except ApplicationError as error:
                # A group ends by itself only once all its alerts have ended: nothing of what comes back fires any more.
                names = sorted({alert.name for alert in alerts if alert.group == group})
                said = {"group": group, "alerts": names[: options.ASIDE_KEPT], "cause": str(error)}
                workflow.logger.error("an alert group has ended before its alerts came back", extra=said)

    def _incident_to_join(self, request: Registration) -> str | None:
        """The open incident of the service that an alert group is of, the oldest one; None where it gets its own."""
        routed = request.routed
        if not request.connect or request.source != "alert" or request.request.drill:
            return None
        if routed is None or not routed.attach or not routed.service:
            return None
        for incident, about in self.state.about.items():
            if about.takes and routed.service in about.services and routed.environment == about.environment:
                return incident
        return None

    def _blown_along(self, request: Registration) -> tuple[str | None, tuple[AlertInput, ...]]:
        """The incident that a storm takes this group to, and its alerts, which say so there; None where it gets its own."""
        rule = storms.rule_for(request) if request.connect else None
        found = storms.gathered(self.state.weather, rule, self.state.about, workflow.now()) if rule is not None else None
        if rule is None or found is None or found.gathering is None:
            return None, request.alerts
        self.state.weather = found
        why = storms.why(found.gathering, rule)
        said = tuple(alert.model_copy(update={"storm": why}) if alert.joins else alert for alert in request.alerts)
        return found.gathering.incident, said

    def _related(self, request: Registration) -> list[tuple[str, About, str]]:
        """Open incidents that may be the same trouble, the newest first, each with the reason."""
        if not request.connect or request.request.drill or request.request.private:
            return []
        wanted = (*request.related, *(request.routed.related if request.routed is not None else ()))
        found = []
        for incident, about in reversed(self.state.about.items()):
            why = relation(request.request.services, wanted, about.services)
            if why is not None and about.takes:
                found.append((incident, about, why))
        return found[: options.RELATED_SHOWN]

    async def _suggest(self, incident: str, request: Registration, related: list[tuple[str, About, str]]) -> None:
        """Suggest the new incident to those that it may belong to; whoever opened it does not wait for that."""
        if related and workflow.patched(patches.SUGGESTED_ASIDE):
            self._aside(self._tell_related(incident, request, related))
        else:
            await self._tell_related(incident, request, related)

    async def _tell_related(self, incident: str, request: Registration, related: list[tuple[str, About, str]]) -> None:
        """One that has ended meanwhile needs no telling, nor does anybody of a new one that has."""
        for other, _, why in related:
            if incident not in self.state.open and workflow.patched(patches.SUGGESTED_ASIDE):
                return
            self.state.suggested.setdefault(incident, []).append(other)
            self.state.suggested.setdefault(other, []).append(incident)
            word = Suggestion(incident=incident, title=request.request.title, why=why, at=workflow.now())
            try:
                await workflow.get_external_workflow_handle(other).signal(contract.RELATED, word)
            except ApplicationError as error:
                workflow.logger.info("nobody to suggest it to", extra={"incident": other, "cause": str(error)})

    def _withdraw(self, incident: str, into: str | None) -> None:
        """Those that an incident was suggested to need not think of it any more once it has ended."""
        told = [other for other in self.state.suggested.pop(incident, []) if other in self.state.open and other != into]
        for others in self.state.suggested.values():
            if incident in others:
                others.remove(incident)
        if told and workflow.patched(patches.SUGGESTIONS_WITHDRAWN):
            self._aside(self._tell_withdrawn(told, Withdrawn(incident=incident, into=into)))

    def _aside(self, work: Coroutine[Any, Any, None]) -> None:
        """Beside the rest; the run goes on until it is done."""
        task = asyncio.create_task(work)
        self.asides.add(task)
        task.add_done_callback(self.asides.discard)

    async def _tell_withdrawn(self, told: list[str], word: Withdrawn) -> None:
        for other in told:
            try:
                await workflow.get_external_workflow_handle(other).signal(contract.UNRELATED, word)
            except ApplicationError as error:
                workflow.logger.info("nobody to withdraw it from", extra={"incident": other, "cause": str(error)})

    async def _start(self, incident: str, request: Registration, related: list[tuple[str, About, str]]) -> str:
        """Start the incident under its number.

        A number that is taken was given by a register whose memory was lost: it is counted, and the next one tried.
        """
        while True:
            self.starting.add(incident)
            try:
                await self._start_incident(incident, request, related)
            except WorkflowAlreadyStartedError:
                workflow.logger.warning("a number was given before, by a register that has lost its memory", extra={"number": incident})
                self.starting.discard(incident)
                self.state.open.pop(incident, None)
                self.state.about.pop(incident, None)
                taken, incident = incident, self._next_number()
                self._remember(incident, request)
                self._renumber(taken, incident)
            else:
                self.starting.discard(incident)
                return incident

    def _renumber(self, before: str, after: str) -> None:
        """Whoever asked while the incident was being started was told, or waits for, its first number."""
        self.state.keys = {key: after if incident == before else incident for key, incident in self.state.keys.items()}
        for group, record in self.state.groups.items():
            if record.incident == before:
                self.state.groups[group] = record.model_copy(update={"incident": after})
        self.state.weather = storms.renumbered(self.state.weather, before, after)
        waiting = self.state.waiting.pop(before, None)
        if waiting:
            self.starting.add(after)
            self._hand_on(after, tuple(waiting))

    async def _start_incident(self, incident: str, request: Registration, related: list[tuple[str, About, str]]) -> None:
        policy = request.policy or Policy()
        opening = Opening(
            id=incident,
            request=request.request,
            source=request.source,
            group=request.group,
            presumed=request.presumed or presumed_by(request.alerts, policy),
            alerts=request.alerts,
            policy=policy,
            routed=request.routed,
            related=tuple(Suggestion(incident=other, title=about.title, why=why, at=workflow.now()) for other, about, why in related),
            registered=request.connect,
            edition=EDITION,
            paused=() if request.request.drill else self.state.paused,
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
        self.state.open[incident] = request.group
        self._belongs(incident, request)
        if request.connect and not request.request.drill and not request.request.private:
            routed = request.routed
            services = tuple(
                dict.fromkeys((*([routed.service] if routed is not None and routed.service else []), *request.request.services))
            )
            environment = routed.environment if routed is not None else PRODUCTION
            self.state.about[incident] = About(title=request.request.title, services=services, environment=environment)

    def _belongs(self, incident: str, request: Registration) -> None:
        self.state.keys[request.key] = incident
        if request.source == "report":
            self.state.marks[request.key] = repeats.mark(request.request)
        if request.group is not None:
            self.state.groups.pop(request.group, None)
            self.state.groups[request.group] = GroupRecord(incident=incident)


def _told(record: GroupRecord, request: Registration) -> bool:
    """Whether the group's closed incident knew all that the request tells; by monitoring's own clock, ours may be an hour off it."""
    newest = record.episode_at or record.closed_at
    before = newest is not None and request.episode_at is not None and request.episode_at <= newest
    firing = [alert for alert in request.alerts if alert.status == "firing"]
    if record.alerts is None or not firing:
        return before
    known = all(is_known(alert, record.alerts) for alert in firing)
    return known if known is before or workflow.patched(patches.EPISODES_BY_ALERT) else before


def _read(raw: Any, more: tuple[Any, ...]) -> Registration:
    return _admitted(_parsed(Registration, raw, more))


def _read_all(raw: Any, more: tuple[Any, ...]) -> tuple[Registration, ...]:
    return tuple(_admitted(request) for request in _parsed(Registrations, raw, more).each())


def _parsed(kind: type[M], raw: Any, more: tuple[Any, ...]) -> M:
    if more:
        raise ApplicationError("open: takes one JSON object", type="InvalidInput", non_retryable=True)
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        found = problems(error)
        text = "; ".join(f"{problem['field']}: {problem['message']}" for problem in found)
        raise ApplicationError(text, {"problems": found}, type="InvalidInput", non_retryable=True) from error


def _admitted(request: Registration) -> Registration:
    refusal = objection_to_opening(request.request)
    if refusal is not None:
        said = refusal.model_dump(mode="json", exclude_none=True)
        raise ApplicationError(refusal.message, {"refusal": said}, type=contract.NOT_PERMITTED, non_retryable=True)
    return request
