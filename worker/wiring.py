"""From settings to workers: which adapter stands behind which port, and which queue serves it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from temporalio.client import Client
from temporalio.worker import PollerBehaviorSimpleMaximum, Worker

from activities.archive import ArchiveActivities
from activities.archiving import ArchivingActivities
from activities.channels import ChannelActivities
from activities.chat import ChatActivities
from activities.checkup import CheckupActivities
from activities.investigating import InvestigationActivities, Investigator
from activities.invitations import InvitationActivities
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
from integrations.archive.git import GitArchive
from integrations.calendar.none import NoInvitations
from integrations.chat.embedded import EmbeddedChat
from integrations.chat.layout import Rooms
from integrations.chat.matrix import MatrixChat
from integrations.chat.slack import SlackChat
from integrations.chat.webhook import WebhookChat
from integrations.deployments import DeploymentLog, DeploymentsOf
from integrations.drills import ChatOrDrill, PagingOrDrill, StatusPageOrDrill, TicketingOrDrill
from integrations.extras import ExtraMissing, library
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
from integrations.paging.links import AckLinks
from integrations.paging.memory import PageMemory
from integrations.paging.pagerduty import PagerDuty as PagerDutyPager
from integrations.paging.pagers import Pager, Pagers
from integrations.paging.replies import ReplyAddresses
from integrations.ports import (
    Archive,
    Calendar,
    Chat,
    ChatReading,
    Checkable,
    Deployments,
    KnownIssues,
    Monitoring,
    OnCall,
    Paging,
    Specialist,
    StandingDown,
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
from integrations.waits import Waits
from runtime.chat_vendors import ChatWebhook, Matrix, Slack, SlackCommands
from runtime.settings import Settings, SettingsError, read_toml
from runtime.signing import link_key
from runtime.temporal import in_one_batch, sandboxed_runner
from runtime.vendor_group import vendor_settings
from runtime.vendors import (
    S3,
    Apprise,
    Git,
    GitHub,
    ICalendar,
    Jira,
    Mail,
    MailReplies,
    ModelAgent,
    PagerDuty,
    Redmine,
    Roundup,
    Statuspage,
    ways_to_page,
)
from worker.pace import OneWait, pace, vendors
from workflows import contract, options
from workflows.guard import Guard

if TYPE_CHECKING:
    from integrations.archive.s3 import S3Archive
    from integrations.calendar.mail import MailedInvitations
    from integrations.mail import Mailer
    from integrations.oncall.icalendar import ICalendarRota
    from integrations.specialist.agent import ModelInvestigator

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
    calendar: Calendar = field(default_factory=NoInvitations)
    investigator: Investigator | None = None
    """Who does the work of the `specialists`; None where people do."""
    specialists: tuple[str, ...] = ()
    monitoring: Monitoring = field(default_factory=NoMonitoring)
    deployments: Deployments | None = None
    issues: KnownIssues | None = None
    checks: Mapping[Port, Sequence[Checkable]] = field(default_factory=dict)
    """The vendors' adapters, for the doctor."""
    tracker: TicketReading | None = None
    page: StatusReading | None = None
    channels: ChatReading | None = None
    standing: StandingDown | None = None
    """The pagers that keep pages open until they hear of an answer."""
    """The vendors' adapters that are read back; None where the port's part is embedded."""
    closing: Sequence[Callable[[], Awaitable[None]]] = ()

    @property
    def is_read_back(self) -> bool:
        """Whether anything is read back that people can change: what is embedded shows what it was told."""
        outside = self.channels is not None and not isinstance(self.channels, EmbeddedChat)
        return outside or self.tracker is not None or self.page is not None

    async def close(self) -> None:
        """Let go of the vendors' connections."""
        for close in self.closing:
            await close()


def load_policy(settings: Settings) -> Policy:
    """The policy that new incidents get.

    Raises:
        SettingsError: the policy file has mistakes; names each.
    """
    possible, measuring = settings.calendar != "none", settings.prometheus_url is not None
    if settings.policy is None:
        return in_force(Policy(), measuring=measuring).inviting(possible)
    try:
        return in_force(policy_from(read_toml(settings.policy)), measuring=measuring).inviting(possible)
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
    calendars = _calendars(settings)
    if calendars is not None:
        embedded = replace(embedded, rota=FaultyOnCall(calendars, ledger))
        checks[Port.ONCALL] = (calendars,)
    chat, outside = embedded.chat, _chat(settings, ledger, policy)
    read = outside or EmbeddedChat(ledger, general=policy.general_channel, stakeholders=policy.stakeholders_channel)
    if outside is not None:
        chat = ChatOrDrill(FaultyChat(outside, ledger), embedded.chat)
        checks[Port.CHAT] = (outside,)
    tickets, tracker = embedded.tickets, _tracker(settings)
    if tracker is not None:
        tickets = TicketingOrDrill(FaultyTicketing(tracker, ledger), embedded.tickets)
        checks[Port.TICKETS] = (tracker,)
        issues = tracker
    status, page = embedded.status, _status_page(settings)
    if page is not None:
        status = StatusPageOrDrill(FaultyStatusPage(page, ledger), embedded.status)
        checks[Port.STATUS] = (page,)
    pager, standing, pagers = embedded.pager, None, _pagers(settings, ledger)
    if pagers:
        standing = Pagers(pagers, PageMemory(ledger), waits=Waits())
        pager = PagingOrDrill(FaultyPager(standing, ledger), embedded.pager)
        checks[Port.PAGING] = pagers
    if settings.calendar == "email":
        invitations = _invitations(settings, ledger)
        embedded = replace(embedded, calendar=invitations)
        checks[Port.CALENDAR] = (invitations,)
    archive = _archive(settings)
    if archive is not None:
        embedded = replace(embedded, archive=FaultyArchive(archive, ledger))
        checks[Port.ARCHIVE] = (archive,)
    investigator = _investigator(settings, embedded.monitoring)
    if investigator is not None:
        embedded = replace(embedded, investigator=investigator, specialists=_specialists())
        checks[Port.SPECIALIST] = (investigator,)
    specialist = FaultySpecialist(PagedSpecialist(pager, embedded.rota), ledger)
    return replace(
        embedded,
        chat=chat,
        tickets=tickets,
        status=status,
        pager=pager,
        specialist=specialist,
        checks=checks,
        tracker=tracker,
        page=page,
        standing=standing,
        issues=issues,
        channels=read if isinstance(read, MatrixChat | SlackChat | EmbeddedChat) else None,
        closing=[vendor.close for vendor in (outside, tracker, page, standing, investigator) if vendor is not None],
    )


def _investigator(settings: Settings, measured: Monitoring) -> ModelInvestigator | None:
    match settings.specialist:
        case "person":
            return None
        case "agent":
            for name in ("anthropic", "pydantic_ai"):
                _extra(name, "ai", "TOCSIN_SPECIALIST=agent")
            from integrations.specialist.agent import ModelInvestigator

            agent = vendor_settings(ModelAgent)
            return ModelInvestigator(
                agent.url, key=agent.key, model=agent.model, monitoring=None if settings.prometheus_url is None else measured
            )


def _specialists() -> tuple[str, ...]:
    return tuple(name.strip() for name in vendor_settings(ModelAgent).specialists.split(",") if name.strip())


def _archive(settings: Settings) -> GitArchive | S3Archive | None:
    match settings.archive:
        case "folder":
            return None
        case "git":
            git = vendor_settings(Git)
            remote = git.remote if git.remote.get_secret_value() else None
            return GitArchive(settings.archive_clone, remote=remote, branch=git.branch, author=git.author)
        case "s3":
            _extra("boto3", "s3", "TOCSIN_ARCHIVE=s3")
            from integrations.archive.s3 import S3Archive

            s3 = vendor_settings(S3)
            return S3Archive(
                s3.bucket,
                endpoint=s3.endpoint,
                region=s3.region,
                access_key=s3.access_key.get_secret_value(),
                secret_key=s3.secret_key,
                prefix=s3.prefix,
            )


def _calendars(settings: Settings) -> ICalendarRota | None:
    match settings.oncall:
        case "rota":
            return None
        case "icalendar":
            for name in ("icalendar", "recurring_ical_events"):
                _extra(name, "icalendar", "TOCSIN_ONCALL=icalendar")
            from integrations.oncall.icalendar import ICalendarRota

            rota = FileRota(settings.rota_file)
            return ICalendarRota(vendor_settings(ICalendar).by_role, rota, rota, folder=settings.data / "calendars")


def _pagers(settings: Settings, ledger: Ledger) -> list[Pager]:
    """The ways to page that are chosen, in their order; none where pages stay in the embedded log."""
    return [] if settings.pagers == ("embedded",) else [_pager(name, settings, ledger) for name in ways_to_page(settings)]


def _pager(name: str, settings: Settings, ledger: Ledger) -> Pager:
    match name:
        case "pagerduty":
            duty = vendor_settings(PagerDuty)
            return PagerDutyPager(duty.url, routing_key=duty.routing_key, roles=duty.by_role, public_url=settings.address)
        case "email":
            _extra("aiosmtplib", "mail", "TOCSIN_PAGING=email")
            from integrations.paging.mail import EmailPager

            key, answered_at = link_key(settings), vendor_settings(MailReplies).address
            replies = ReplyAddresses(key, answered_at) if answered_at is not None else None
            return EmailPager(_mailer(), FileRota(settings.rota_file), AckLinks(key, settings.address), replies=replies)
        case "apprise":
            _extra("apprise", "apprise", "TOCSIN_PAGING=apprise")
            from integrations.paging.notifier import AddressUnusable, NotifierPager

            try:
                return NotifierPager(vendor_settings(Apprise).by_person)
            except AddressUnusable as error:
                raise SettingsError(f"TOCSIN_APPRISE_URLS: {error}") from error
        case _:
            return EmbeddedPager(ledger)


def _invitations(settings: Settings, ledger: Ledger) -> MailedInvitations:
    for name, extra in (("aiosmtplib", "mail"), ("icalendar", "icalendar")):
        _extra(name, extra, "TOCSIN_CALENDAR=email")
    from integrations.calendar.mail import MailedInvitations

    return MailedInvitations(_mailer(), FileRota(settings.rota_file), PageMemory(ledger), public_url=settings.address)


def _mailer() -> Mailer:
    from integrations.mail import Mailer

    mail = vendor_settings(Mail)
    return Mailer(mail.host, mail.port, sender=mail.sender, user=mail.user, password=mail.password, security=mail.security)


def _extra(name: str, extra: str, setting: str) -> None:
    try:
        library(name, extra=extra)
    except ExtraMissing as error:
        raise SettingsError(f"{setting}: {error}") from error


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
    from workflows.channels import Channels
    from workflows.checkup import CheckupWorkflow
    from workflows.follow_up import FollowUp
    from workflows.incident import Incident
    from workflows.investigation import Investigation
    from workflows.paging import Paging as PagingWorkflow
    from workflows.read_back import ReadBackWorkflow
    from workflows.registry import Registry

    return [
        *(Incident, PagingWorkflow, Registry, AlertGroup, FollowUp, ArchiveWorkflow),
        *(CheckupWorkflow, ReadBackWorkflow, Investigation, Channels),
    ]


def activities_by_port(client: Client, adapters: Adapters, queue: str = contract.TASK_QUEUE) -> dict[Port, Sequence[Callable[..., Any]]]:
    """Which functions serve which port's queue."""
    chat, tickets = ChatActivities(adapters.chat), TicketingActivities(adapters.tickets)
    asked = MonitoringActivities(adapters.monitoring, adapters.deployments, adapters.issues)
    read_back = ReadBackActivities(client, tracker=adapters.tracker, page=adapters.page, chat=adapters.channels)
    paging = PagingActivities(adapters.pager, adapters.rota, adapters.standing)
    functions: dict[Port, Sequence[Callable[..., Any]]] = {
        Port.CHAT: [chat.open_channel, chat.post, read_back.read_channels_back],
        Port.STATUS: [StatusPageActivities(adapters.status).publish, read_back.read_page_back],
        Port.TICKETS: [tickets.open_ticket, tickets.change_ticket, tickets.close_ticket, read_back.read_tickets_back],
        Port.PAGING: [paging.page, paging.stand_down],
        Port.ONCALL: [OnCallActivities(adapters.rota).find_on_call],
        Port.SPECIALIST: [SpecialistActivities(adapters.specialist).brief],
        Port.ARCHIVE: [ArchiveActivities(adapters.archive).store_document, ArchivingActivities(client, adapters.archive).archive_run],
        Port.CALENDAR: [InvitationActivities(adapters.calendar).invite],
        Port.MONITORING: [asked.look_up, asked.sample],
    }
    if adapters.investigator is not None:
        work = InvestigationActivities(client, adapters.investigator, adapters.specialist, adapters.specialists, queue)
        functions[Port.SPECIALIST] = [work.brief, work.investigate]
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
        priority=options.REGISTER,
    )
    maintenance = MaintenanceActivities(PlannedWorkBook(load_rules(settings)))
    paused = ChannelActivities(
        client, task_queue=settings.task_queue, task_timeout=options.WORKFLOW_TASK_TIMEOUT, priority=options.REGISTER
    )
    workers = [
        in_one_batch(
            Worker(
                client,
                task_queue=settings.task_queue,
                workflows=workflow_classes(),
                activities=[opening.open_incident, maintenance.find_maintenance, paused.tell_channels],
                interceptors=[Guard()],
                workflow_runner=sandboxed_runner(),
                max_cached_workflows=settings.max_cached_workflows,
                sticky_queue_schedule_to_start_timeout=STICKY,
                graceful_shutdown_timeout=GRACE,
                on_fatal_error=fatal,
            )
        )
    ]
    rates, outside = pace(settings), vendors(settings)
    for port, functions in activities_by_port(client, adapters, settings.task_queue).items():
        workers.append(
            Worker(
                client,
                task_queue=contract.port_queue(settings.task_queue, port),
                activities=functions,
                activity_task_poller_behavior=PollerBehaviorSimpleMaximum(maximum=2),
                max_task_queue_activities_per_second=rates.get(port),
                interceptors=[OneWait(outside[port], shared=port is not Port.PAGING)] if port in outside else [],
                graceful_shutdown_timeout=GRACE,
                on_fatal_error=fatal,
            )
        )
    return workers
