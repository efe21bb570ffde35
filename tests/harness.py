"""Stories told to a real Temporal server that skips time: what each of them needs to be told shortly.

    story = await Story.open(stage, "SEV1", title="Checkout returns 5xx")
    await story.does("acknowledge")
    await story.fast_forward(minutes=15)
    story.expect_page("engineering lead")

One server and one set of workers serve all stories; each story has a world of its own (the fakes), told apart by the
incident's id.
"""

from __future__ import annotations

import asyncio
import itertools
import sysconfig
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, IndexedValueType, PendingActivityState
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.api.testservice.v1 import UnlockTimeSkippingRequest
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest, DescribeWorkflowExecutionResponse
from temporalio.client import Client, WorkflowHandle, WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Interceptor, Replayer, Worker

from activities.archive import ArchiveActivities
from activities.archiving import ArchivingActivities
from activities.channels import ChannelActivities
from activities.chat import ChatActivities
from activities.investigating import InvestigationActivities
from activities.invitations import InvitationActivities
from activities.maintenance import MaintenanceActivities
from activities.monitoring import MonitoringActivities
from activities.oncall import OnCallActivities
from activities.opening import OpeningActivities
from activities.paging import PagingActivities
from activities.statuspage import StatusPageActivities
from activities.ticketing import TicketingActivities
from incident.commands import Open
from incident.effects import Delivery, Page, Port, Post, Receipt
from incident.investigation import InvestigationInput, Report
from incident.lifecycle import Opening
from incident.model import EDITION
from incident.paging import OpenPage
from incident.policy import Policy
from incident.routing import Planned, PlannedWork, Window, latest
from integrations.errors import Unavailable
from runtime.temporal import in_one_batch, sandboxed_runner
from tests.fakes import (
    FakeArchive,
    FakeCalendar,
    FakeChat,
    FakeMonitoring,
    FakeOnCall,
    FakePager,
    FakeSpecialist,
    FakeStatusPage,
    FakeTicketing,
)
from workflows import contract, options
from workflows.alert_group import AlertGroup
from workflows.archive import Archive
from workflows.channels import Channels
from workflows.follow_up import FollowUp
from workflows.guard import Guard
from workflows.incident import Incident, IncidentInput
from workflows.investigation import Investigation
from workflows.paging import Paging
from workflows.registry import Registry

WORKFLOWS = [Incident, Paging, Registry, AlertGroup, FollowUp, Archive, Investigation, Channels]

ROTA = {
    "primary on-call": "ana",
    "senior on-call": "ben",
    "engineering lead": "eva",
    "VP engineering": "vic",
    "CTO": "cleo",
    "CEO": "zoe",
    "manager": "max",
}

PATIENCE = 60.0
"""Seconds of real time after which a story that gets no answer fails instead of waiting for ever."""

QUERY_WITHIN = 2.0
"""Seconds of real time for one query; living through the longest story takes a tenth of it."""

STUCK = 2.0
"""Seconds of real time in which a clock that skips time moves on, however long the histories that are lived through."""

UNDER_WAY = {EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED, EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED}
WORKFLOW_TASK = UNDER_WAY | {
    EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
    EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED,
    EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT,
}

_numbers = itertools.count(1)


async def eventually(
    condition: Callable[[], bool | Awaitable[bool]], *, within: float = PATIENCE, every: float = 0.02, what: str = ""
) -> None:
    """Wait until `condition` holds; AssertionError with `what` after `within` seconds of real time."""
    deadline = asyncio.get_running_loop().time() + within
    while True:
        result = condition()
        if (await result) if isinstance(result, Awaitable) else result:
            return
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"did not happen within {within} s: {what or condition}")
        await asyncio.sleep(every)


async def ask(handle: WorkflowHandle[Any, Any], query: str) -> Any:
    """What a workflow answers to a query.

    The test server now and then loses the query of a workflow that has just ended (the real one does not); it is asked again.
    """
    for _ in range(int(PATIENCE / QUERY_WITHIN)):
        try:
            return await handle.query(query, rpc_timeout=timedelta(seconds=QUERY_WITHIN))
        except RPCError as error:
            if error.status not in (RPCStatusCode.CANCELLED, RPCStatusCode.DEADLINE_EXCEEDED):
                raise
    raise AssertionError(f"no answer to {query} within {PATIENCE} s")


async def runs(client: Client, id: str) -> list[WorkflowHandle[Any, Any]]:
    """All runs of a workflow that continued as new, the first one first."""
    found: list[WorkflowHandle[Any, Any]] = []
    run: str | None = None
    while True:
        handle = client.get_workflow_handle(id, run_id=run)
        started = (await handle.fetch_history()).events[0].workflow_execution_started_event_attributes
        found.insert(0, client.get_workflow_handle(id, run_id=started.original_execution_run_id))
        run = started.continued_execution_run_id or None
        if run is None:
            return found


POSTMORTEM = "# Incident Post-Mortem: Checkout\n\n## Summary\nCheckout failed.\n\n## Root Cause\nA retry without a limit.\n"


def alert(name: str = "HighErrorRate", *, firing: bool = True, at: datetime | None = None, **labels: str) -> dict[str, Any]:
    """One alert as Alertmanager has it."""
    starts = at or datetime(2026, 1, 1, tzinfo=UTC)
    return {
        "status": "firing" if firing else "resolved",
        "labels": {"alertname": name, "service": "checkout", "severity": "critical", **labels},
        "annotations": {"summary": "error ratio 25 %"},
        "startsAt": starts.isoformat(),
        "endsAt": "0001-01-01T00:00:00Z" if firing else (starts + timedelta(minutes=5)).isoformat(),
        "fingerprint": f"{name}-{labels.get('instance', '1')}",
    }


async def nothing_found(asked: InvestigationInput, entries: Sequence[Mapping[str, Any]]) -> Report:
    return Report(by="machine", text=f"Read {len(entries)} entries, found nothing.")


class World:
    """The outside world of one story."""

    def __init__(self) -> None:
        self.chat = FakeChat()
        self.status = FakeStatusPage()
        self.tickets = FakeTicketing()
        self.pager = FakePager()
        self.rota = FakeOnCall(ROTA)
        self.specialist = FakeSpecialist()
        self.archive = FakeArchive()
        self.calendar = FakeCalendar()
        self.investigator: Callable[[InvestigationInput, Sequence[Mapping[str, Any]]], Awaitable[Report]] = nothing_found

    @property
    def everything(self) -> list[Delivery]:
        """What all ports have accepted, port by port."""
        ports = (self.chat, self.status, self.tickets, self.pager, self.rota, self.specialist, self.archive, self.calendar)
        return [delivery for port in ports for delivery in port.ledger]


class Switchboard:
    """Every port at once, each delivery going to the world of its incident."""

    def __init__(self) -> None:
        self.worlds: dict[str, World] = {}
        self.windows: list[Window] = []
        self.nobody_knows = False
        self.common = World()
        self.monitoring = FakeMonitoring()

    def world(self, delivery: Delivery) -> World:
        return self.worlds.get(delivery.incident, self.common)

    async def open_channel(self, delivery: Delivery) -> Receipt:
        return await self.world(delivery).chat.open_channel(delivery)

    async def post(self, delivery: Delivery) -> Receipt:
        return await self.world(delivery).chat.post(delivery)

    async def publish(self, delivery: Delivery) -> Receipt:
        return await self.world(delivery).status.publish(delivery)

    async def open_ticket(self, delivery: Delivery) -> Receipt:
        return await self.world(delivery).tickets.open_ticket(delivery)

    async def change_ticket(self, delivery: Delivery) -> Receipt:
        return await self.world(delivery).tickets.change_ticket(delivery)

    async def close_ticket(self, delivery: Delivery) -> Receipt:
        return await self.world(delivery).tickets.close_ticket(delivery)

    async def page(self, delivery: Delivery) -> Receipt:
        return await self.world(delivery).pager.page(delivery)

    async def stand_down(self, pages: Sequence[OpenPage]) -> None:
        for world in (self.common, *self.worlds.values()):
            if set(world.pager.open) & {page.reference for page in pages}:
                await world.pager.stand_down(pages)

    async def find_on_call(self, delivery: Delivery) -> Receipt:
        return await self.world(delivery).rota.find_on_call(delivery)

    async def of(self, role: str, at: datetime) -> str | None:
        return ROTA.get(role)

    async def planned(self, asked: PlannedWork) -> Planned:
        """The planned work that the stories agree on; `nobody_knows` while no calendar can be read."""
        if self.nobody_knows:
            raise Unavailable("no calendar can be read")
        return Planned(window=latest(self.windows, asked.service, asked.environment, asked.at))

    async def brief(self, delivery: Delivery) -> Receipt:
        return await self.world(delivery).specialist.brief(delivery)

    @property
    def by(self) -> str:
        return "machine"

    async def investigate(self, asked: InvestigationInput, entries: Sequence[Mapping[str, Any]]) -> Report:
        world = self.worlds.get(asked.incident, self.common)
        return await world.investigator(asked, entries)

    async def invite(self, delivery: Delivery) -> Receipt:
        return await self.world(delivery).calendar.invite(delivery)

    async def store_document(self, delivery: Delivery) -> Receipt:
        return await self.world(delivery).archive.store_document(delivery)


class Known(ChannelActivities):
    """Tells the stories of the board: the server that skips time can't list workflows."""

    board: Switchboard

    async def _running(self) -> AsyncIterator[str]:
        for id in self.board.worlds:
            yield id


@asynccontextmanager
async def working(
    client: Client,
    board: Switchboard,
    queue: str,
    *,
    cached: int = 500,
    lists: bool = True,
    interceptors: Mapping[Port, Interceptor] = {},
) -> AsyncIterator[None]:
    """All workers of the product on `queue`, with fakes behind the ports. `lists`: whether the server can list workflows.

    `interceptors`: what stands before a port's activities.
    """
    paging, tickets = PagingActivities(board, board, board), TicketingActivities(board)
    work = InvestigationActivities(client, board, board, ["machine"], queue)
    activities: dict[Port, list[Callable[..., Any]]] = {
        Port.CHAT: [ChatActivities(board).open_channel, ChatActivities(board).post],
        Port.STATUS: [StatusPageActivities(board).publish],
        Port.TICKETS: [tickets.open_ticket, tickets.change_ticket, tickets.close_ticket],
        Port.PAGING: [paging.page, paging.stand_down],
        Port.ONCALL: [OnCallActivities(board).find_on_call],
        Port.SPECIALIST: [work.brief, work.investigate],
        Port.ARCHIVE: [ArchiveActivities(board).store_document, ArchivingActivities(client, board).archive_run],
        Port.CALENDAR: [InvitationActivities(board).invite],
        Port.MONITORING: [MonitoringActivities(board.monitoring).look_up, MonitoringActivities(board.monitoring).sample],
    }
    opening = OpeningActivities(client, Policy(), task_queue=queue, task_timeout=options.WORKFLOW_TASK_TIMEOUT, priority=options.REGISTER)
    telling = (ChannelActivities if lists else Known)(
        client, task_queue=queue, task_timeout=options.WORKFLOW_TASK_TIMEOUT, priority=options.REGISTER
    )
    if isinstance(telling, Known):
        telling.board = board
    async with AsyncExitStack() as stack:
        for port, functions in activities.items():
            await stack.enter_async_context(
                Worker(
                    client,
                    task_queue=contract.port_queue(queue, port),
                    activities=functions,
                    max_concurrent_activity_task_polls=2,
                    interceptors=[interceptors[port]] if port in interceptors else [],
                )
            )
        await stack.enter_async_context(
            in_one_batch(
                Worker(
                    client,
                    task_queue=queue,
                    workflows=WORKFLOWS,
                    activities=[opening.open_incident, MaintenanceActivities(board).find_maintenance, telling.tell_channels],
                    interceptors=[Guard()],
                    workflow_runner=sandboxed_runner(),
                    max_cached_workflows=cached,
                    max_concurrent_workflow_task_polls=4,
                )
            )
        )
        yield


class Stage:
    """A server that skips time, and the workers on it."""

    def __init__(self, environment: WorkflowEnvironment, board: Switchboard, queue: str) -> None:
        self.environment = environment
        self.client = environment.client
        self.board = board
        self.queue = queue
        self.opened: list[tuple[str, str | None]] = []
        """The incidents that stories opened here: identifier and first run."""

    async def histories(self) -> AsyncIterator[WorkflowHistory]:
        """Each run so far of what was opened here, and of its children; AssertionError where nothing was opened."""
        assert self.opened, "nothing to replay"
        left, seen = list(self.opened), set(self.opened)
        while left:
            id, run = left.pop()
            history = await self.client.get_workflow_handle(id, run_id=run).fetch_history()
            yield history
            for event in history.events:
                child = event.child_workflow_execution_started_event_attributes.workflow_execution
                again = event.workflow_execution_continued_as_new_event_attributes.new_execution_run_id
                for found in [(child.workflow_id, child.run_id)] if child.run_id else [(id, again)] if again else []:
                    if found not in seen:
                        seen.add(found)
                        left.append(found)

    async def skip(self, length: timedelta) -> None:
        """Let `length` pass.

        The test server forgets to let go of its clock, once for each workflow that ends before a child that outlives it: a
        clock that stands still for `STUCK` seconds shows it, and it is given free by hand until it moves. Where the server
        says that there is nothing to give free, something is under way and the clock waits for its end.
        """
        sleeping = asyncio.create_task(self.environment.sleep(length))
        before, pause = await self.environment.get_current_time(), STUCK
        while not (await asyncio.wait((sleeping,), timeout=pause))[0]:
            now = await self.environment.get_current_time()
            if now - before < timedelta(seconds=2 * STUCK):
                pause = 0.05 if await self._freed() else STUCK
            else:
                before, pause = now, STUCK
        await sleeping

    async def _freed(self) -> bool:
        try:
            await self.client.test_service.unlock_time_skipping(UnlockTimeSkippingRequest())
        except RPCError as error:
            if error.status is not RPCStatusCode.UNKNOWN:
                raise
            return False
        return True


async def register_search_attributes(client: Client) -> None:
    types = {"Keyword": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD, "Bool": IndexedValueType.INDEXED_VALUE_TYPE_BOOL}
    types["Datetime"] = IndexedValueType.INDEXED_VALUE_TYPE_DATETIME
    request = AddSearchAttributesRequest(namespace=client.namespace)
    for name, kind in contract.SEARCH_ATTRIBUTES.items():
        request.search_attributes[name] = types[kind]
    await client.operator_service.add_search_attributes(request)


async def replays(stage: Stage) -> None:
    """Replay all that was lived through on `stage`; AssertionError where a history no longer says what its workflow does."""
    replayer = Replayer(
        workflows=WORKFLOWS, data_converter=pydantic_data_converter, interceptors=[Guard()], workflow_runner=sandboxed_runner()
    )
    async for history in stage.histories():
        result = await replayer.replay_workflow(history, raise_on_replay_failure=False)

        assert result.replay_failure is None, f"{history.workflow_id}: {result.replay_failure}"


@asynccontextmanager
async def staged(*, cached: int = 500) -> AsyncIterator[Stage]:
    """One time-skipping server with all workers."""
    binary = Path(sysconfig.get_path("scripts")) / "temporal-test-server"
    environment = await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=str(binary), data_converter=pydantic_data_converter
    )
    async with environment:
        await register_search_attributes(environment.client)
        board = Switchboard()
        queue = f"stories-{uuid.uuid4().hex[:8]}"
        async with working(environment.client, board, queue, cached=cached, lists=False):
            yield Stage(environment, board, queue)


class Story:
    """One incident, told step by step."""

    def __init__(self, stage: Stage, id: str, world: World, handle: WorkflowHandle[Any, Any]) -> None:
        self.stage = stage
        self.id = id
        self.world = world
        self.handle = handle

    @classmethod
    async def open(
        cls,
        stage: Stage,
        severity: str | None = None,
        *,
        policy: Policy | None = None,
        world: World | None = None,
        queue: str | None = None,
        **fields: Any,
    ) -> Story:
        """A new incident; declared at once where a severity is given. `queue`: whose workers see to it, where not the stage's own."""
        id = f"INC-2026-{next(_numbers):04d}"
        world = stage.board.worlds[id] = world or World()
        request = {"by": "ana", "title": "Checkout returns 5xx", "services": ["checkout"], **fields}
        if severity is not None:
            request["severity"] = severity
        extra = {name: request.pop(name) for name in ("alerts", "source", "presumed", "group", "paused") if name in request}
        opening = Opening(id=id, request=Open.model_validate(request), policy=policy or Policy(), edition=EDITION, **extra)
        started = await stage.client.start_workflow(
            Incident.run,
            IncidentInput(opening=opening),
            id=id,
            task_queue=queue or stage.queue,
            task_timeout=options.WORKFLOW_TASK_TIMEOUT,
        )
        stage.opened.append((id, started.first_execution_run_id))
        return cls(stage, id, world, stage.client.get_workflow_handle(id))

    async def does(self, verb: str, *, by: str = "ana", update_id: str | None = None, **fields: Any) -> dict[str, Any]:
        """Send one command; AssertionError where it is refused."""
        answer = await self.tries(verb, by=by, update_id=update_id, **fields)
        assert answer["accepted"], answer["refusal"]
        return answer

    async def tries(self, verb: str, *, by: str = "ana", update_id: str | None = None, **fields: Any) -> dict[str, Any]:
        """Send one command and answer whatever the incident says."""
        fields = {"as" if name == "as_" else name: value for name, value in fields.items()}
        async with asyncio.timeout(PATIENCE):
            answer: dict[str, Any] = await self.handle.execute_update(
                verb, {"by": by, **fields}, id=update_id or f"{self.id}-{uuid.uuid4().hex}"
            )
        return answer

    async def refused(self, verb: str, **fields: Any) -> dict[str, Any]:
        """Send one command that the process forbids; answers with the refusal."""
        answer = await self.tries(verb, **fields)
        assert not answer["accepted"], answer
        refusal: dict[str, Any] = answer["refusal"]
        return refusal

    async def fast_forward(self, **length: float) -> None:
        """Let time pass, and what it brings about happen."""
        await self.settled()
        await self.stage.skip(timedelta(**length))
        await self.settled()

    async def settled(self) -> None:
        """Wait until nothing moves: no history grows, the incident's and its pagers', and all that is left waits for time to pass.

        An activity that is tried again and again is not seen to move, so the quiet has to last longer while there is one.
        """
        loop = asyncio.get_running_loop()
        last, since = await self._motion(), loop.time()
        while True:
            await asyncio.sleep(0.01)
            motion = await self._motion()
            if motion != last:
                last, since = motion, loop.time()
            elif loop.time() - since > (3.0 if any(map(_on_its_way, motion[1])) else 0.5 if motion[1] else 0.06):
                if not await self._thinking():
                    return
                since = loop.time()

    async def between_tries(self) -> None:
        """Let time pass until no activity is being tried: one that is would hold up what waits for the incident to be idle."""
        for _ in range(30):
            if not (await self._motion())[1]:
                return
            await self.fast_forward(seconds=20)
        raise AssertionError("something is tried without a pause")

    async def _thinking(self) -> bool:
        """Whether a workflow task of the incident or its pager is under way; no history grows while a long one is lived through."""
        for id in (self.id, *await self._pagers()):
            history = await self.stage.client.get_workflow_handle(id).fetch_history()
            tasks = [event.event_type for event in history.events if event.event_type in WORKFLOW_TASK]
            if tasks[-1:] != [] and tasks[-1] in UNDER_WAY:
                return True
        return False

    async def _motion(self) -> tuple[int, tuple[str, ...]]:
        """How long the histories are by now, and which activities are being tried."""
        found = [await self._described(self.id)]
        beginning = 0
        for id in _pagers(found[0]):
            try:
                found.append(await self._described(id))
            except RPCError as error:
                # It is on its way: the incident has asked for it already.
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise
                beginning += 1
        length = beginning + sum(described.workflow_execution_info.history_length for described in found)
        pending = [activity for described in found for activity in described.pending_activities]
        return length, tuple(sorted(f"{each.activity_id} {each.attempt} {PendingActivityState.Name(each.state)}" for each in pending))

    async def _pagers(self) -> list[str]:
        return _pagers(await self._described(self.id))

    async def _described(self, id: str) -> DescribeWorkflowExecutionResponse:
        """Asked for by hand: the test server calls an attribute that was unset null, which the SDK does not read."""
        client = self.stage.client
        request = DescribeWorkflowExecutionRequest(namespace=client.namespace, execution=WorkflowExecution(workflow_id=id))
        return await client.workflow_service.describe_workflow_execution(request)

    async def state(self) -> dict[str, Any]:
        state: dict[str, Any] = await ask(self.handle, "state")
        return state

    def knows_down(self, port: str) -> Callable[[], Awaitable[bool]]:
        """Whether the incident has given `port` up for now."""

        async def known() -> bool:
            return port in (await self.state())["deliveries"]["down"]

        return known

    async def timeline(self) -> list[dict[str, Any]]:
        timeline: list[dict[str, Any]] = await ask(self.handle, "timeline")
        return timeline

    async def kinds(self) -> list[str]:
        return [entry["kind"] for entry in await self.timeline()]

    async def clock(self, name: str) -> dict[str, Any]:
        found: list[dict[str, Any]] = [clock for clock in (await self.state())["clocks"] if clock["name"] == name]
        assert found, f"no clock {name}"
        return found[0]

    async def now(self) -> datetime:
        return (await self.stage.environment.get_current_time()).astimezone(UTC)

    def expect_page(self, role: str) -> Page:
        """Somebody was paged as `role`; answers with the last such page."""
        pages = [delivery.ask for delivery in self.world.pager.ledger if isinstance(delivery.ask, Page) and delivery.ask.role == role]
        assert pages, f"nobody was paged as {role}; paged: {self.paged_roles()}"
        return pages[-1]

    def paged_roles(self) -> list[str]:
        return [delivery.ask.role for delivery in self.world.pager.ledger if isinstance(delivery.ask, Page)]

    def posts(self, room: str = "incident") -> list[str]:
        return [d.ask.text for d in self.world.chat.ledger if isinstance(d.ask, Post) and d.ask.room == room]

    async def ended(self) -> bool:
        """Whether the incident's workflow has run to its end."""
        events = (await self.handle.fetch_history()).events
        return events[-1].event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED

    def follow_up(self) -> Story:
        """Whoever sees to what the closed incident owes, in the same world."""
        id = contract.follow_up_id(self.id)
        return Story(self.stage, id, self.world, self.stage.client.get_workflow_handle(id))

    async def mitigates(self, **changes: Any) -> None:
        """A mitigation from proposal to success, with its approval where the severity asks for one."""
        plan = {
            "option": "rollback",
            "rationale": "the 02:55 deployment broke it",
            "owner": "ana",
            "action": "Roll back to v247",
            "verification": ["error rate under 1 %"],
            "rollback_plan": "Deploy v248 again",
        }
        await self.does("mitigate", **(plan | changes))
        if (await self.state())["severity"] != "SEV1":
            await self.does("approve", by="ben")
        await self.does("finish_mitigation", succeeded=True)

    async def reaches(self, phase: str) -> None:
        """Advance, leaving items open, until the incident is in `phase`."""
        while (await self.state())["phase"] != phase:
            await self.does("advance", reason="service first; the list is worked off afterwards by ana")

    async def confirms_everything(self) -> None:
        criteria = ("symptom_resolved", "metrics_at_baseline", "alerts_cleared")
        await asyncio.gather(*(self.does("confirm", criterion=criterion, evidence="dashboard") for criterion in criteria))

    async def finishes_paperwork(self) -> None:
        """Everything that stands in the way of closing, but for the post-mortem, the action items and the approval."""
        left = ("rca_document_created", "action_items_assigned", "change_approved")
        checklist = (await self.state())["checklist"]
        pending = [item["item"] for item in checklist if item["state"] == "open" and item["item"] not in left]
        await asyncio.gather(*(self.does("check", item=item, note="done") for item in pending))

    async def _on_record(self) -> bool:
        """Whether the timeline has caught up with the world: on a busy machine the end of a try takes its time to be heard."""
        told = {key.removeprefix(f"{self.id}:") for key in (delivery.key for delivery in self.world.everything)}
        kinds = ("delivered", "channel_opened")
        said = {str(entry["data"]["number"]) for entry in await self.timeline() if entry["kind"] in kinds}
        return {number for number in told if number.isdecimal()} <= said

    def _held(self) -> Counter[str]:
        """How often the outside world holds each message."""
        return Counter(delivery.key for delivery in self.world.everything if ":page-" not in delivery.key or delivery.ask.action == "page")

    async def told_everything_once(self) -> None:
        """What the timeline calls delivered and what the outside world holds are the same, and nothing is held twice.

        Also: the entries are numbered from 1 without a gap. AssertionError names what is missing or too much.
        """
        await self.settled()
        held: Counter[str] = Counter()
        entries: list[dict[str, Any]] = []
        while not entries or held != self._held():  # a try that ends in between is held, and not yet on record
            held = self._held()
            await eventually(self._on_record, what="all that was told to be on record")
            entries = await self.timeline()
        seqs = [entry["seq"] for entry in entries]
        assert seqs == list(range(1, len(seqs) + 1)), f"the timeline has gaps or repeats: {seqs}"
        twice = [key for key, count in held.items() if count > 1]
        assert not twice, f"told twice: {twice}"
        own = {key for key in held if key.removeprefix(f"{self.id}:").isdecimal()}
        arrived = [entry["data"] for entry in entries if entry["kind"] in ("delivered", "channel_opened")]
        said = {f"{self.id}:{data['number']}" for data in arrived}
        again = {f"{self.id}:{data['number']}" for data in arrived if data.get("repeated")}
        assert own <= said, f"told, and not on record: {own - said}"
        assert said - own <= again, f"on record, and never told: {said - own}"
        paged = {entry["data"]["key"] for entry in entries if entry["kind"] == "paged"}
        sent = {delivery.key for delivery in self.world.pager.ledger if ":page-" in delivery.key}
        assert sent == paged, f"pages sent and pages on record differ: {sent ^ paged}"


def _pagers(described: DescribeWorkflowExecutionResponse) -> list[str]:
    return [child.workflow_id for child in described.pending_children if child.workflow_type_name == "Paging"]


def _on_its_way(activity: str) -> bool:
    """Whether an activity is being tried, or waits for a worker for the first time; one that waits for its next try is not."""
    return "STARTED" in activity or " 1 PENDING_ACTIVITY_STATE_SCHEDULED" in activity
