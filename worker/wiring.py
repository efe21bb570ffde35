"""From settings to workers: which adapter stands behind which port, and which queue serves it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from temporalio.client import Client
from temporalio.worker import PollerBehaviorSimpleMaximum, Worker

from activities.archive import ArchiveActivities
from activities.archiving import ArchivingActivities
from activities.chat import ChatActivities
from activities.checkup import CheckupActivities
from activities.monitoring import MonitoringActivities
from activities.oncall import OnCallActivities
from activities.opening import OpeningActivities
from activities.paging import PagingActivities
from activities.read_back import ReadBackActivities
from activities.specialist import SpecialistActivities
from activities.statuspage import StatusPageActivities
from activities.ticketing import TicketingActivities
from incident.effects import Port
from incident.policy import Policy
from incident.policy_file import PolicyProblem, in_force, policy_from
from integrations.archive.folder import FolderArchive
from integrations.chat.embedded import EmbeddedChat
from integrations.chat.layout import Rooms
from integrations.chat.matrix import MatrixChat
from integrations.chat.slack import SlackChat
from integrations.chat.webhook import WebhookChat
from integrations.drills import ChatOrDrill, StatusPageOrDrill, TicketingOrDrill
from integrations.faults import (
    FaultyArchive,
    FaultyChat,
    FaultyMonitoring,
    FaultyOnCall,
    FaultyPager,
    FaultySpecialist,
    FaultyStatusPage,
    FaultyTicketing,
)
from integrations.ledger import Ledger
from integrations.monitoring.none import NoMonitoring
from integrations.monitoring.prometheus import PrometheusDeployments, PrometheusMonitoring, Web
from integrations.oncall.rota import FileRota
from integrations.paging.embedded import EmbeddedPager
from integrations.ports import (
    Archive,
    Chat,
    Checkable,
    Deployments,
    KnownIssues,
    Monitoring,
    OnCall,
    Paging,
    Specialist,
    StatusPage,
    StatusReading,
    Ticketing,
    TicketReading,
)
from integrations.specialist.embedded import PagedSpecialist
from integrations.statuspage.embedded import EmbeddedStatusPage
from integrations.statuspage.statuspage import StatuspageStatus
from integrations.ticketing.embedded import EmbeddedTicketing
from integrations.ticketing.github import GitHubTracker
from integrations.ticketing.jira import JiraTracker
from integrations.ticketing.redmine import RedmineTracker
from integrations.ticketing.roundup import RoundupTracker
from integrations.ticketing.tracker import TrackerTicketing
from runtime.settings import Settings, SettingsError, read_toml
from runtime.temporal import in_one_batch, sandboxed_runner
from runtime.vendors import ChatWebhook, GitHub, Jira, Matrix, Redmine, Roundup, Slack, SlackCommands, Statuspage, vendor_settings
from workflows import contract, options
from workflows.guard import Guard

GRACE = timedelta(seconds=30)
"""How long a stopping worker lets its activities finish; the default is not at all."""

STICKY = timedelta(seconds=1)
"""How long a task waits for the worker that has the workflow in its cache; the default of 10 s delays every takeover."""


@dataclass(frozen=True)
class Adapters:
    """One adapter a port. `deployments` and `issues` are what monitoring's port asks beside; not every installation has them."""

    chat: Chat
    status: StatusPage
    tickets: Ticketing
    pager: Paging
    rota: OnCall
    specialist: Specialist
    archive: Archive
    monitoring: Monitoring = field(default_factory=NoMonitoring)
    deployments: Deployments | None = None
    issues: KnownIssues | None = None
    checks: Mapping[Port, Sequence[Checkable]] = field(default_factory=dict)
    """The vendors' adapters, for the doctor."""
    tracker: TicketReading | None = None
    page: StatusReading | None = None
    """The vendors' adapters that are read back; None where the port's part is embedded."""
    closing: Sequence[Callable[[], Awaitable[None]]] = ()

    async def close(self) -> None:
        """Let go of the vendors' connections."""
        for close in self.closing:
            await close()


def load_policy(settings: Settings) -> Policy:
    """The policy that new incidents get.

    Raises:
        SettingsError: the policy file has mistakes; names each.
    """
    measuring = settings.prometheus_url is not None
    if settings.policy is None:
        return in_force(Policy(), measuring=measuring)
    try:
        return in_force(policy_from(read_toml(settings.policy)), measuring=measuring)
    except PolicyProblem as error:
        raise SettingsError(f"{settings.policy}: {error}") from error


def monitoring(settings: Settings) -> tuple[Monitoring, Deployments | None]:
    """What measurements and deployments are asked of."""
    if settings.prometheus_url is None:
        return NoMonitoring(), None
    token, label = settings.monitoring_token, settings.service_label
    prometheus = Web("Prometheus", settings.prometheus_url, token)
    alertmanager = Web("Alertmanager", settings.alertmanager_url, token) if settings.alertmanager_url else None
    query = settings.deployments_query
    deployments = PrometheusDeployments(prometheus, query, service_label=label) if query else None
    return PrometheusMonitoring(prometheus, alertmanager, service_label=label), deployments


def embedded_adapters(settings: Settings, ledger: Ledger, policy: Policy) -> Adapters:
    """The embedded parts, each with the fault switch that drills and tests turn."""
    rota = FaultyOnCall(FileRota(settings.rota_file), ledger)
    pager = FaultyPager(EmbeddedPager(ledger), ledger)
    board = EmbeddedTicketing(ledger)
    measured, deployments = monitoring(settings)
    return Adapters(
        chat=FaultyChat(EmbeddedChat(ledger, general=policy.general_channel, stakeholders=policy.stakeholders_channel), ledger),
        status=FaultyStatusPage(EmbeddedStatusPage(ledger), ledger),
        tickets=FaultyTicketing(board, ledger),
        pager=pager,
        rota=rota,
        specialist=FaultySpecialist(PagedSpecialist(pager, rota), ledger),
        archive=FaultyArchive(FolderArchive(settings.archive_folder), ledger),
        monitoring=FaultyMonitoring(measured, ledger),
        deployments=deployments,
        issues=board,
    )


def configured_adapters(settings: Settings, ledger: Ledger, policy: Policy) -> Adapters:
    """The adapter that the settings choose for each port. Drills stay with the embedded parts.

    Raises:
        SettingsError: a vendor is chosen and its settings are not there.
    """
    embedded = embedded_adapters(settings, ledger, policy)
    issues = embedded.issues
    checks: dict[Port, Sequence[Checkable]] = {}
    chat, outside = embedded.chat, _chat(settings, ledger, policy)
    if outside is not None:
        chat = ChatOrDrill(FaultyChat(outside, ledger), embedded.chat)
        checks[Port.CHAT] = (outside,)
    tickets, tracker = embedded.tickets, _tracker(settings)
    if tracker is not None:
        tickets = TicketingOrDrill(FaultyTicketing(tracker, ledger), embedded.tickets)
        checks[Port.TICKETS] = (tracker,)
        # The embedded board knows nothing of what is known there; that nobody looked is said, and a person looks.
        issues = None
    status, page = embedded.status, _status_page(settings)
    if page is not None:
        status = StatusPageOrDrill(FaultyStatusPage(page, ledger), embedded.status)
        checks[Port.STATUS] = (page,)
    closing = [vendor.close for vendor in (outside, tracker, page) if vendor is not None]
    return replace(
        embedded, chat=chat, tickets=tickets, status=status, issues=issues, checks=checks, tracker=tracker, page=page, closing=closing
    )


def _chat(settings: Settings, ledger: Ledger, policy: Policy) -> MatrixChat | SlackChat | WebhookChat | None:
    rooms = Rooms(general=policy.general_channel, stakeholders=policy.stakeholders_channel, link=settings.public_url)
    match settings.chat:
        case "embedded":
            return None
        case "matrix":
            matrix = vendor_settings(Matrix)
            return MatrixChat(matrix.url, token=matrix.token, rooms=rooms, invite=matrix.invite, people=matrix.people)
        case "slack":
            slack = vendor_settings(Slack)
            known = vendor_settings(SlackCommands).people
            # Who is known by an address only is not asked in: an invitation needs the id.
            ids = {said["name"].strip(): id for id, said in known.items() if "@" not in id}
            return SlackChat(slack.url, token=slack.token, rooms=rooms, invite=slack.invite, people=ids, pressed=slack.buttons)
        case "webhook":
            hook = vendor_settings(ChatWebhook)
            return WebhookChat(hook.url, stakeholders_url=hook.stakeholders_url, rooms=rooms, ledger=ledger)


def _tracker(settings: Settings) -> TrackerTicketing | None:
    match settings.tickets:
        case "embedded":
            return None
        case "jira":
            jira = vendor_settings(Jira)
            return TrackerTicketing(
                JiraTracker(jira.url, user=jira.user, token=jira.token, project=jira.project, issue_type=jira.issue_type)
            )
        case "github":
            github = vendor_settings(GitHub)
            return TrackerTicketing(GitHubTracker(github.url, token=github.token, repository=github.repository))
        case "roundup":
            roundup = vendor_settings(Roundup)
            closed = [name.strip() for name in roundup.closed.split(",")]
            return TrackerTicketing(
                RoundupTracker(roundup.url, user=roundup.user, password=roundup.password, key_property=roundup.key_property, closed=closed)
            )
        case "redmine":
            redmine = vendor_settings(Redmine)
            return TrackerTicketing(
                RedmineTracker(
                    redmine.url,
                    key=redmine.key,
                    project=redmine.project,
                    key_field=redmine.key_field,
                    closed_status=redmine.closed_status,
                )
            )


def _status_page(settings: Settings) -> StatuspageStatus | None:
    match settings.statuspage:
        case "embedded":
            return None
        case "statuspage":
            page = vendor_settings(Statuspage)
            return StatuspageStatus(page.url, key=page.key, page=page.page, components=page.components, notify=page.notify)


def workflow_classes() -> list[type]:
    from workflows.alert_group import AlertGroup
    from workflows.archive import Archive as ArchiveWorkflow
    from workflows.checkup import CheckupWorkflow
    from workflows.follow_up import FollowUp
    from workflows.incident import Incident
    from workflows.paging import Paging as PagingWorkflow
    from workflows.read_back import ReadBackWorkflow
    from workflows.registry import Registry

    return [Incident, PagingWorkflow, Registry, AlertGroup, FollowUp, ArchiveWorkflow, CheckupWorkflow, ReadBackWorkflow]


def activities_by_port(client: Client, adapters: Adapters) -> dict[Port, Sequence[Callable[..., Any]]]:
    """Which functions serve which port's queue."""
    chat, tickets = ChatActivities(adapters.chat), TicketingActivities(adapters.tickets)
    asked = MonitoringActivities(adapters.monitoring, adapters.deployments, adapters.issues)
    read_back = ReadBackActivities(client, tracker=adapters.tracker, page=adapters.page)
    functions: dict[Port, Sequence[Callable[..., Any]]] = {
        Port.CHAT: [chat.open_channel, chat.post],
        Port.STATUS: [StatusPageActivities(adapters.status).publish, read_back.read_page_back],
        Port.TICKETS: [tickets.open_ticket, tickets.close_ticket, read_back.read_tickets_back],
        Port.PAGING: [PagingActivities(adapters.pager, adapters.rota).page],
        Port.ONCALL: [OnCallActivities(adapters.rota).find_on_call],
        Port.SPECIALIST: [SpecialistActivities(adapters.specialist).brief],
        Port.ARCHIVE: [ArchiveActivities(adapters.archive).store_document, ArchivingActivities(client, adapters.archive).archive_run],
        Port.MONITORING: [asked.look_up, asked.sample],
    }
    return {port: [*of_port, CheckupActivities(adapters.checks.get(port, ())).check] for port, of_port in functions.items()}


def build_workers(
    client: Client, settings: Settings, adapters: Adapters, policy: Policy, on_fatal: Callable[[BaseException], Any]
) -> list[Worker]:
    """One worker for the workflows and one for each port, so that no port waits for another."""

    async def fatal(error: BaseException) -> None:
        on_fatal(error)

    opening = OpeningActivities(
        client,
        policy,
        drill_policy=policy.scaled(settings.drill_speed),
        task_queue=settings.task_queue,
        task_timeout=options.WORKFLOW_TASK_TIMEOUT,
    )
    workers = [
        in_one_batch(
            Worker(
                client,
                task_queue=settings.task_queue,
                workflows=workflow_classes(),
                activities=[opening.open_incident],
                interceptors=[Guard()],
                workflow_runner=sandboxed_runner(),
                max_cached_workflows=settings.max_cached_workflows,
                sticky_queue_schedule_to_start_timeout=STICKY,
                graceful_shutdown_timeout=GRACE,
                on_fatal_error=fatal,
            )
        )
    ]
    for port, functions in activities_by_port(client, adapters).items():
        workers.append(
            Worker(
                client,
                task_queue=contract.port_queue(settings.task_queue, port),
                activities=functions,
                activity_task_poller_behavior=PollerBehaviorSimpleMaximum(maximum=2),
                graceful_shutdown_timeout=GRACE,
                on_fatal_error=fatal,
            )
        )
    return workers
