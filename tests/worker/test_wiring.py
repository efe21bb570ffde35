"""Every port has an adapter, every effect an activity, and every queue one worker."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio import activity, workflow

from incident.deployments import Deployment
from incident.effects import PORT_OF, Page, Port
from incident.policy import Policy
from incident.queries import Watching
from incident.vocabulary import Severity
from integrations.deployments import DeploymentLog
from integrations.http import Unanswered
from integrations.ledger import Ledger
from integrations.paging.pagerduty import PagerDuty as PagerDutyPager
from integrations.paging.pagers import PATIENCE
from integrations.ticketing.tracker import TrackerTicketing
from runtime.settings import Settings, SettingsError, load_settings
from runtime.temporal import connect
from starter.serve import policy_in_force
from tests.integrations.asks import delivery, of_port
from tests.integrations.mail_server import MailServer
from worker.wiring import activities_by_port, configured_adapters, embedded_adapters, load_policy, load_rules, workflow_classes


async def test_every_effect_is_carried_out_on_its_ports_queue(tmp_path: Path) -> None:
    """Nothing that an incident asks for waits on a queue that nobody serves."""
    settings = load_settings(data=tmp_path)
    adapters = embedded_adapters(settings, Ledger(settings.embedded_url), Policy())
    served = activities_by_port(await connect(lazy=True), adapters)
    names = {activity._Definition.must_from_callable(function).name: port for port, functions in served.items() for function in functions}

    assert dict(PORT_OF) == {name: port for name, port in names.items() if name in PORT_OF}


def test_every_workflow_is_served() -> None:
    """A worker carries out all workflows, under the names that others start them by."""
    names = {workflow._Definition.must_from_class(cls).name for cls in workflow_classes()}

    assert {"Incident", "Paging", "Registry", "AlertGroup", "FollowUp", "Archive"} <= names


def test_without_a_policy_file_the_matrix_stays_as_it_is(tmp_path: Path) -> None:
    """An organisation that changes nothing gets the severity matrix as it was laid down."""
    assert Policy() == load_policy(load_settings(data=tmp_path))


def test_a_policy_file_lays_its_rows_over_the_matrix(tmp_path: Path) -> None:
    """What the file names is changed; the rest of the matrix stays."""
    path = tmp_path / "policy.toml"
    path.write_text('[SEV1]\nacknowledge_within = "10m"\n')
    rules = load_policy(load_settings(policy=path)).severities

    assert timedelta(minutes=10) == rules[Severity.SEV1].acknowledge_within
    assert Policy().severities[Severity.SEV2] == rules[Severity.SEV2]


def test_a_mistake_in_the_policy_file_is_told_with_file_row_and_field(tmp_path: Path) -> None:
    """Whoever wrote the file hears which file, which row, which field and which rule."""
    path = tmp_path / "policy.toml"
    path.write_text('[SEV1]\nacknowledge_within = "soon"\n[SEV9]\n')

    with pytest.raises(SettingsError) as told:
        load_policy(load_settings(policy=path))

    assert str(path) in str(told.value)
    assert "[SEV1] acknowledge_within" in str(told.value)
    assert "[SEV9]" in str(told.value)


def test_routing_rules_with_a_mistake_stop_the_worker_with_their_place(tmp_path: Path) -> None:
    """A worker that can't tell where alerts go does not start; without a file the process's own rules hold."""
    path = tmp_path / "routes.toml"
    path.write_text('[[route]]\nname = "a"\naction = "page"\n')

    with pytest.raises(SettingsError, match=r'TOCSIN_ROUTES.*\[\[route\]\] 1 "a": action must be one of'):
        load_rules(load_settings(routes=path))
    assert load_rules(load_settings(data=tmp_path)).in_force().routes == ()


QUERIES = "[queries.checkout.error_ratio]\nexpression = 'error_ratio'\nthreshold = 0.05\n"


def test_queries_are_measured_where_there_is_somebody_to_ask(tmp_path: Path) -> None:
    """The policy file's queries travel with each incident; a drill measures nothing."""
    path = tmp_path / "policy.toml"
    path.write_text(QUERIES)
    policy = load_policy(load_settings(policy=path, prometheus_url="http://127.0.0.1:9090"))

    assert policy.monitoring is not None
    assert [query.name for query in policy.monitoring.queries["checkout"]] == ["checkout/error_ratio"]
    assert policy.scaled(60).monitoring is None


@pytest.mark.parametrize("loaded", [load_policy, policy_in_force])
def test_queries_that_nobody_can_be_asked_stop_the_start(loaded: Callable[[Settings], Policy], tmp_path: Path) -> None:
    """A forgotten address must not quietly turn measurements into people's word, in the worker or at the door."""
    path = tmp_path / "policy.toml"
    path.write_text(QUERIES)

    with pytest.raises(SettingsError, match="TOCSIN_PROMETHEUS_URL"):
        loaded(load_settings(policy=path))


def test_without_monitoring_nothing_is_measured(tmp_path: Path) -> None:
    """Who has configured none has the process as ever."""
    assert load_policy(load_settings(data=tmp_path)).monitoring is None
    assert load_policy(load_settings(data=tmp_path, prometheus_url="http://127.0.0.1:9090")).monitoring == Watching()


async def test_what_is_told_to_the_door_is_found_by_the_worker(tmp_path: Path) -> None:
    """With Prometheus or without, the checklist's question for deployments is answered from those that were posted."""
    now = datetime.now(UTC)
    found = []
    for settings in (load_settings(data=tmp_path), load_settings(data=tmp_path, prometheus_url="http://127.0.0.1:9090")):
        ledger = Ledger(settings.embedded_url)
        await DeploymentLog(ledger).record([Deployment(service="checkout", version="v248", at=now)])
        deployments = configured_adapters(settings, ledger, Policy()).deployments
        found.append(await deployments.recent(("checkout",), now - timedelta(hours=1), now) if deployments is not None else ())
        await ledger.close()

    assert [[each.version for each in told] for told in found] == [["v248"], ["v248"]]


async def test_a_vendor_that_is_chosen_without_its_settings_stops_the_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that could not file a ticket at night does not start by day; it says which setting is missing."""
    settings = load_settings(data=tmp_path, tickets="github")

    with pytest.raises(SettingsError, match=r"TOCSIN_GITHUB_TOKEN .* is needed with TOCSIN_TICKETS=github"):
        configured_adapters(settings, Ledger(settings.embedded_url), Policy())


VENDORS = {
    "TOCSIN_JIRA_URL": "https://acme.atlassian.net",
    "TOCSIN_JIRA_USER": "bot",
    "TOCSIN_JIRA_TOKEN": "t",
    "TOCSIN_JIRA_PROJECT": "OPS",
    "TOCSIN_GITHUB_TOKEN": "t",
    "TOCSIN_GITHUB_REPOSITORY": "acme/ops",
    "TOCSIN_ROUNDUP_URL": "http://tracker",
    "TOCSIN_ROUNDUP_USER": "bot",
    "TOCSIN_ROUNDUP_PASSWORD": "p",
    "TOCSIN_REDMINE_URL": "http://redmine",
    "TOCSIN_REDMINE_KEY": "k",
    "TOCSIN_REDMINE_PROJECT": "ops",
    "TOCSIN_REDMINE_KEY_FIELD": "3",
    "TOCSIN_STATUSPAGE_KEY": "k",
    "TOCSIN_STATUSPAGE_PAGE": "kctbh9vrtdwd",
    "TOCSIN_PAGERDUTY_ROUTING_KEY": "k",
    "TOCSIN_PAGERDUTY_ROLES": "CTO=k2; engineering lead=k3",
    "TOCSIN_MAIL_HOST": "mail.example.org",
    "TOCSIN_MAIL_SENDER": "tocsin@example.org",
    "TOCSIN_APPRISE_URLS": "ana=json://127.0.0.1:1/a\n*=json://127.0.0.1:1/b",
    "TOCSIN_MATRIX_URL": "http://127.0.0.1:9",
    "TOCSIN_MATRIX_TOKEN": "t",
    "TOCSIN_SLACK_URL": "http://127.0.0.1:9",
    "TOCSIN_SLACK_TOKEN": "t",
    "TOCSIN_CHAT_WEBHOOK_URL": "http://127.0.0.1:9/hooks/x",
}


@pytest.mark.parametrize("vendor", ["jira", "github", "roundup", "redmine"])
async def test_the_settings_choose_the_adapter(vendor: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each vendor that the settings can name is wired, can be looked at by the doctor and is read back."""
    for name, value in VENDORS.items():
        monkeypatch.setenv(name, value)
    settings = load_settings(data=tmp_path, tickets=vendor, statuspage="statuspage")
    adapters = configured_adapters(settings, Ledger(settings.embedded_url), Policy())

    assert {Port.TICKETS, Port.STATUS} == set(adapters.checks)
    assert isinstance(adapters.issues, TrackerTicketing), "known issues are looked for where tickets are"
    looked_at: list[object] = [check for port in (Port.TICKETS, Port.STATUS) for check in adapters.checks[port]]

    await adapters.close()

    assert [adapters.tracker, adapters.page] == looked_at


@pytest.mark.parametrize("vendor", ["matrix", "slack", "webhook"])
async def test_the_settings_choose_the_chat(vendor: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each chat that the settings can name is wired, can be looked at by the doctor, and hears of no drill."""
    for name, value in VENDORS.items():
        monkeypatch.setenv(name, value)
    settings = load_settings(data=tmp_path, chat=vendor)
    ledger = Ledger(settings.embedded_url)
    adapters = configured_adapters(settings, ledger, Policy())
    for number, ask in enumerate(of_port(Port.CHAT), start=1):
        await getattr(adapters.chat, ask.action)(delivery(ask, number, drill=True))
    told = await ledger.delivered("chat")
    await ledger.close()

    assert [f"chat: {vendor}"] == [(await check.check()).name.lower() for check in adapters.checks[Port.CHAT]]
    assert len(told) == 2


async def test_a_drill_stays_with_the_embedded_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Practice reaches nobody real: whatever is configured, a drill's tickets and updates are told to the embedded parts."""
    for name, value in VENDORS.items():
        monkeypatch.setenv(name, value)
    settings = load_settings(data=tmp_path, tickets="jira", statuspage="statuspage")
    ledger = Ledger(settings.embedded_url)
    adapters = configured_adapters(settings, ledger, Policy())
    for number, ask in enumerate((*of_port(Port.TICKETS), *of_port(Port.STATUS)), start=1):
        call = getattr(adapters.status if ask.action == "publish" else adapters.tickets, ask.action)
        await call(delivery(ask, number, drill=True))
    told = [len(await ledger.delivered("tickets")), len(await ledger.delivered("status"))]
    await ledger.close()

    assert told == [1, 1]


async def test_the_ways_to_page_are_wired_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each way that the settings name is looked at by the doctor, in the order in which they are tried."""
    for name, value in VENDORS.items():
        monkeypatch.setenv(name, value)
    settings = load_settings(data=tmp_path, paging="email, pagerduty,apprise,embedded")
    adapters = configured_adapters(settings, Ledger(settings.embedded_url), Policy())

    assert [getattr(each, "name", "") for each in adapters.checks[Port.PAGING]] == ["email", "pagerduty", "apprise", "embedded"]


@pytest.mark.parametrize(
    ("paging", "ways"),
    [
        ("pagerduty", ["pagerduty", "email"]),
        ("email,pagerduty", ["email", "pagerduty"]),
        ("pagerduty,embedded", ["pagerduty", "email", "embedded"]),
        ("embedded", []),
    ],
)
def test_mail_is_the_last_way_to_page_where_a_mail_server_is_set(
    paging: str, ways: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has to think of it; where pages stay in the embedded log, they do."""
    for name, value in VENDORS.items():
        monkeypatch.setenv(name, value)
    settings = load_settings(data=tmp_path, paging=paging)
    adapters = configured_adapters(settings, Ledger(settings.embedded_url), Policy())

    assert [getattr(each, "name", "") for each in adapters.checks.get(Port.PAGING, ())] == ways


def test_without_a_mail_server_the_ways_are_those_that_were_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host alone is not enough to send in anybody's name, and stops no worker."""
    for name, value in VENDORS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("TOCSIN_MAIL_SENDER")
    settings = load_settings(data=tmp_path, paging="pagerduty")
    adapters = configured_adapters(settings, Ledger(settings.embedded_url), Policy())

    assert [getattr(each, "name", "") for each in adapters.checks[Port.PAGING]] == ["pagerduty"]


async def test_a_page_that_its_provider_does_not_take_goes_out_by_mail_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody answers at PagerDuty's address: the page is in the mailbox, and the receipt says why."""
    monkeypatch.setenv("TOCSIN_PAGERDUTY_ROUTING_KEY", "k" * 32)
    monkeypatch.setenv("TOCSIN_PAGERDUTY_URL", "http://127.0.0.1:1")
    async with MailServer.running() as server:
        mail = {"HOST": "127.0.0.1", "PORT": str(server.port), "SECURITY": "none", "SENDER": "tocsin@example.org"}
        for name, value in mail.items():
            monkeypatch.setenv(f"TOCSIN_MAIL_{name}", value)
        settings = load_settings(data=tmp_path, paging="pagerduty")
        ledger = Ledger(settings.embedded_url)
        pager = configured_adapters(settings, ledger, Policy()).pager
        for _ in range(PATIENCE):
            with contextlib.suppress(Unanswered):
                receipt = await pager.page(delivery(Page(to="ana@example.org", role="primary on-call", text="down")))
        await ledger.close()

    assert (receipt.detail["pager"], list(receipt.detail["instead_of"])) == ("email", ["pagerduty"])
    assert len(server.taken) == 1


async def test_answers_to_a_page_go_where_the_settings_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an address for answers, an urgent page can be answered by mail; without, it asks for no answer that nobody would hear."""
    found: list[str] = []
    async with MailServer.running() as server:
        mail = {"HOST": "127.0.0.1", "PORT": str(server.port), "SECURITY": "none", "SENDER": "tocsin@example.org"}
        for answered_at in (None, "ack@tocsin.example.org"):
            for name, value in {**mail, "REPLY_ADDRESS": answered_at or ""}.items():
                if value:
                    monkeypatch.setenv(f"TOCSIN_MAIL_{name}", value)
            settings = load_settings(data=tmp_path, paging="email")
            ledger = Ledger(settings.embedded_url)
            page = Page(to="ana@example.org", role="primary on-call", text="down")
            await configured_adapters(settings, ledger, Policy()).pager.page(delivery(page, len(found) + 1))
            found.append(str(server.taken[-1]["Reply-To"] or "none").partition("+")[0])
            await ledger.close()

    assert found == ["none", "ack"]


async def test_a_stopping_worker_lets_go_of_its_pagers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection to a pager that stays open would keep a stopping worker, and the vendor's side, waiting."""
    for name, value in VENDORS.items():
        monkeypatch.setenv(name, value)
    settings = load_settings(data=tmp_path, paging="pagerduty,email")
    adapters = configured_adapters(settings, Ledger(settings.embedded_url), Policy())
    pager = next(check for check in adapters.checks[Port.PAGING] if isinstance(check, PagerDutyPager))
    await adapters.close()

    with pytest.raises(RuntimeError, match="closed"):
        await pager.page(delivery(of_port(Port.PAGING)[0]))


@pytest.mark.parametrize(("chat", "read"), [("embedded", True), ("matrix", True), ("slack", True), ("webhook", False)])
def test_a_chat_with_channels_is_read_back(chat: str, read: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A webhook has none to read; what is embedded is read, but for its sake alone no round begins."""
    for name, value in VENDORS.items():
        monkeypatch.setenv(name, value)
    settings = load_settings(data=tmp_path, chat=chat)
    adapters = configured_adapters(settings, Ledger(settings.embedded_url), Policy())

    assert (adapters.channels is not None) is read
    assert adapters.is_read_back is (read and chat != "embedded")


async def test_calendars_are_wired_and_the_other_roles_stay_with_the_rota(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A feed's role is looked up in the feed; the doctor looks at the feeds."""
    (tmp_path / "rota.toml").write_text('[roles]\nCTO = "cleo"\n')
    monkeypatch.setenv("TOCSIN_ICALENDAR_FEEDS", f"primary on-call={tmp_path / 'none.ics'}")
    settings = load_settings(data=tmp_path, oncall="icalendar")
    ledger = Ledger(settings.embedded_url)
    adapters = configured_adapters(settings, ledger, Policy())
    found = [await check.check() for check in adapters.checks[Port.ONCALL]]
    held = await adapters.rota.of("CTO", datetime.now(UTC))
    await ledger.close()

    assert [each.ok for each in found] == [False]
    assert held == "cleo"


@pytest.mark.parametrize("archive", ["git", "s3"])
async def test_the_archive_is_wired(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, archive: str) -> None:
    """Either archive outside is looked at by the doctor."""
    monkeypatch.setenv("TOCSIN_S3_BUCKET", "incidents")
    settings = load_settings(data=tmp_path, archive=archive)
    adapters = configured_adapters(settings, Ledger(settings.embedded_url), Policy())

    assert list(adapters.checks) == [Port.ARCHIVE]


async def test_invitations_are_wired_and_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a calendar, new incidents get a policy that invites, and the doctor looks at the mail server."""
    for name, value in VENDORS.items():
        monkeypatch.setenv(name, value)
    settings = load_settings(data=tmp_path, calendar="email")
    adapters = configured_adapters(settings, Ledger(settings.embedded_url), Policy())

    assert load_policy(settings).invitations
    assert list(adapters.checks) == [Port.CALENDAR]


async def test_a_drill_pages_nobody_real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A drill's page is written to the embedded log, whatever is configured."""
    for name, value in VENDORS.items():
        monkeypatch.setenv(name, value)
    settings = load_settings(data=tmp_path, paging="email")
    ledger = Ledger(settings.embedded_url)
    await configured_adapters(settings, ledger, Policy()).pager.page(delivery(of_port(Port.PAGING)[0], drill=True))
    told = await ledger.delivered("pages")
    await ledger.close()

    assert [row["to"] for row in told] == ["ana"]


@pytest.mark.parametrize(
    ("paging", "variables", "told"),
    [
        ("pigeon", {}, "TOCSIN_PAGING: 'pigeon' is no way to page; there are embedded, pagerduty, email, apprise"),
        ("email,email", {}, "TOCSIN_PAGING: email is there twice"),
        ("email", {"TOCSIN_MAIL_HOST": "m"}, "TOCSIN_MAIL_SENDER is needed with TOCSIN_PAGING=email"),
        ("apprise", {"TOCSIN_APPRISE_URLS": "s3cret"}, "TOCSIN_APPRISE_URLS must look like person=ADDRESS"),
        ("apprise", {"TOCSIN_APPRISE_URLS": "ana=s3cret"}, "TOCSIN_APPRISE_URLS: address 1 of ana"),
        ("pagerduty", {"TOCSIN_PAGERDUTY_ROUTING_KEY": "k", "TOCSIN_PAGERDUTY_ROLES": "s3cret"}, "TOCSIN_PAGERDUTY_ROLES must look like"),
    ],
)
async def test_a_way_to_page_that_can_not_work_stops_the_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, paging: str, variables: dict[str, str], told: str
) -> None:
    """What would keep a page from going out at night is told by day, without what is secret."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    def wired() -> None:
        configured_adapters(load_settings(data=tmp_path, paging=paging), Ledger(tmp_path / "embedded.db"), Policy())

    with pytest.raises(SettingsError) as error:
        wired()

    assert told in str(error.value)
    assert "s3cret" not in str(error.value)


async def test_a_library_that_is_not_there_is_named_with_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever chooses mail without its library reads what to install."""
    for name, value in VENDORS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setitem(sys.modules, "aiosmtplib", None)
    settings = load_settings(data=tmp_path, paging="email")

    with pytest.raises(SettingsError, match=r"TOCSIN_PAGING=email: .*aiosmtplib is not installed: pip install 'tocsin\[mail\]'"):
        configured_adapters(settings, Ledger(settings.embedded_url), Policy())
