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
from activities.maintenance import MaintenanceActivities
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
from integrations.deployments import DeploymentLog, DeploymentsOf
from integrations.drills import StatusPageOrDrill, TicketingOrDrill
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
from integrations.monitoring.planned_work import PlannedWorkBook
from integrations.monitoring.prometheus import PrometheusDeployments, PrometheusMonitoring, Web
from integrations.monitoring.routes_file import RoutesFile, RoutesUnusable
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
from runtime.temporal import sandboxed_runner
from runtime.vendors import GitHub, Jira, Redmine, Roundup, Statuspage, vendor_settings
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


def load_rules(settings: Settings) -> RoutesFile:
    """The routing rules; a file that changes later is taken up when it is good.

    Raises:
        SettingsError: the file has mistakes; names each.
    """
    rules = RoutesFile(settings.routes)
    try:
        rules.in_force()
    except RoutesUnusable as error:
        raise SettingsError(f"TOCSIN_ROUTES: {error}") from error
    return rules


def monitoring(settings: Settings, kept: Deployments) -> tuple[Monitoring, Deployments]:
    """What measurements and deployments are asked of; `kept` are the deployments that are told to the door."""
    if settings.prometheus_url is None:
        return NoMonitoring(), kept
    token, label = settings.monitoring_token, settings.service_label
    prometheus = Web("Prometheus", settings.prometheus_url, token)
    alertmanager = Web("Alertmanager", settings.alertmanager_url, token) if settings.alertmanager_url else None
    query = settings.deployments_query
    deployments = DeploymentsOf(kept, PrometheusDeployments(prometheus, query, service_label=label)) if query else kept
    return PrometheusMonitoring(prometheus, alertmanager, service_label=label), deployments


def embedded_adapters(settings: Settings, ledger: Ledger, policy: Policy) -> Adapters:
    """The embedded parts, each with the fault switch that drills and tests turn."""
    rota = FaultyOnCall(FileRota(settings.rota_file), ledger)
    pager = FaultyPager(EmbeddedPager(ledger), ledger)
    board = EmbeddedTicketing(ledger)
    measured, deployments = monitoring(settings, DeploymentLog(ledger))
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
    closing = [vendor.close for vendor in (tracker, page) if vendor is not None]
    return replace(embedded, tickets=tickets, status=status, issues=issues, checks=checks, tracker=tracker, page=page, closing=closing)


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
    maintenance = MaintenanceActivities(PlannedWorkBook(load_rules(settings)))
    workers = [
        Worker(
            client,
            task_queue=settings.task_queue,
            workflows=workflow_classes(),
            activities=[opening.open_incident, maintenance.find_maintenance],
            interceptors=[Guard()],
            workflow_runner=sandboxed_runner(),
            max_cached_workflows=settings.max_cached_workflows,
            sticky_queue_schedule_to_start_timeout=STICKY,
            graceful_shutdown_timeout=GRACE,
            on_fatal_error=fatal,
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
