"""The doors as a process: `python -m starter.serve`. It starts without Temporal too, says so, and goes on when it is there."""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import FrameType

import structlog
import uvicorn

from incident.policy import Policy
from incident.policy_file import PolicyProblem, in_force, policy_from
from integrations.deployments import DeploymentLog
from integrations.errors import IntegrationError
from integrations.ledger import Ledger
from integrations.monitoring.prometheus import Web
from integrations.monitoring.routes_file import RoutesFile, RoutesUnusable
from integrations.oncall.rota import FileRota
from integrations.paging.links import AckLinks
from integrations.statuspage.embedded import EmbeddedStatusPage
from integrations.statuspage.published import Layout, LayoutProblem, layout_from
from runtime import heap
from runtime.chat_vendors import Slack, SlackCommands
from runtime.logs import configure_logs
from runtime.settings import Settings, SettingsError, load_settings, read_toml, unknown_variables
from runtime.signing import link_key
from runtime.temporal import TemporalUnreachable, connect
from runtime.vendor_group import vendor_settings
from runtime.vendors import GitHub, vendor_variables
from starter import measurable
from starter.api import Door, create_app
from starter.chatops.people import Known
from starter.chatops.slack import SlackDoor
from starter.desk import Desk
from starter.drafts import KeptDrafts
from starter.endtoend import posting_to
from starter.facts import KeptFacts
from starter.guard import is_loopback
from starter.health import Finding, Look
from starter.identity.actor import as_a_name
from starter.identity.arrangement import Arrangement, arranged
from starter.identity.store import Store
from starter.listeners import listeners_in_force, page_answerers_in_force
from starter.live import Rooms
from starter.practice import worker_killer
from starter.web.status_page import PublicSite
from starter.webhook_keys import Keyring, KeysProblem, keyring_from

log = structlog.get_logger("tocsin.door")

PUBLISHED_ON_LOOPBACK = "TOCSIN_BEHIND_LOOPBACK"
"""Set in the compose file: the container listens on all its addresses, and its port is published on loopback only."""

GRACE = 5
"""Seconds that requests under way get when the door stops."""


class Server(uvicorn.Server):
    """Sends the viewers of live rooms away first; they would hold the stop up until its time is over."""

    def __init__(self, config: uvicorn.Config, rooms: Rooms) -> None:
        super().__init__(config)
        self._rooms = rooms

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take signals on the loop, and end with them: uvicorn would raise each again, and a stop that was asked for is no failure."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._rooms.close()
        super().handle_exit(sig, frame)


def policy_in_force(settings: Settings) -> Policy:
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


def rules_in_force(settings: Settings) -> RoutesFile:
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


def keyring(settings: Settings) -> Keyring:
    """What machines that post prove themselves with: a source without a key of its own with the webhooks' token.

    Where nobody signs in, the door serves one machine, and a source without a key is let in.

    Raises:
        SettingsError: the file has mistakes; names each, and no secret.
    """
    tables = read_toml(settings.webhooks) if settings.webhooks else {}
    try:
        return keyring_from(tables, _secret, trusting=settings.auth == "dev", otherwise=settings.secret("webhook_token"))
    except KeysProblem as error:
        raise SettingsError(f"TOCSIN_WEBHOOKS: {settings.webhooks}: {error}") from error


def _secret(where: str) -> str | None:
    """What stands at `env:NAME` or `file:/path`."""
    kind, _, name = where.partition(":")
    if kind == "env":
        return os.environ.get(name)
    try:
        return Path(name).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None


def layout_in_force(settings: Settings) -> Layout:
    """The public status page's name, address and components.

    Raises:
        SettingsError: its file has mistakes; names each.
    """
    if settings.status_page is None:
        return Layout()
    try:
        return layout_from(read_toml(settings.status_page))
    except LayoutProblem as error:
        raise SettingsError(f"{settings.status_page}: {error}") from error


def slack_in_force() -> SlackDoor | None:
    """How Slack's commands come in; None where they don't.

    Raises:
        SettingsError: they can't be read; names each.
    """
    asked = vendor_settings(SlackCommands)
    if asked.signing_secret is None:
        return None
    for id, said in asked.people.items():
        if as_a_name(said["name"]) is None:
            raise SettingsError(f"TOCSIN_SLACK_PEOPLE: {said['name'][:60]!r}, for {id[:60]!r}, is no name under which somebody can act")
    people = {id: Known(said["name"].strip(), tuple(said.get("groups", ()))) for id, said in asked.people.items()}
    vendor = vendor_settings(Slack) if "TOCSIN_SLACK_TOKEN" in os.environ or "TOCSIN_SLACK_TOKEN_FILE" in os.environ else None
    token, url = (vendor.token, vendor.url) if vendor is not None else (None, "https://slack.com/api")
    return SlackDoor(signing_secret=asked.signing_secret, people=people, token=token, url=url)


def main() -> int:
    """Serve until asked to stop; 1 with one sentence where it can't."""
    try:
        settings = load_settings()
        configure_logs(settings.log_format, settings.log_level)
        for sentence in unknown_variables(vendor_variables()):
            log.warning(sentence)
        arrangement = arranged(settings)
        if arrangement.mode == "dev" and not is_loopback(settings.host) and os.environ.get(PUBLISHED_ON_LOOPBACK) != "1":
            raise SettingsError(
                f"TOCSIN_HOST: {settings.host} is reachable from elsewhere, and there is no sign-in (TOCSIN_AUTH=dev). Listen on "
                "127.0.0.1, or let people sign in: TOCSIN_AUTH=proxy or oidc."
            )
        return asyncio.run(_serve(settings, arrangement))
    except (SettingsError, TemporalUnreachable) as error:
        sys.stderr.write(f"tocsin serve: {error}\n")
        return 1


async def _serve(settings: Settings, arrangement: Arrangement) -> int:
    policy = policy_in_force(settings)
    rules, keys = rules_in_force(settings), keyring(settings)
    listening = _listen(settings)
    client = await connect(lazy=True)
    ledger = Ledger(settings.embedded_url)
    desk = Desk(
        client,
        task_queue=settings.task_queue,
        policy=policy,
        drill_policy=policy.scaled(settings.drill_speed),
        related=lambda service: rules.in_force().related(service),
    )
    rooms = Rooms(desk)
    layout = layout_in_force(settings)
    identity = Store(ledger) if arrangement.mode != "dev" else None
    listeners = listeners_in_force(settings, desk, arrangement, identity, ledger)
    looks: tuple[Look, ...] = (
        lambda: _ledger(ledger),
        lambda: _rota(settings),
        lambda: _routes(rules),
        lambda: _measurements(rules, settings),
        *_monitoring(settings),
        *listeners.looks,
    )
    door = Door(
        user=settings.user,
        version=_version(),
        temporal_ui=settings.temporal_ui,
        namespace=client.namespace,
        looks=looks,
        alertmanager=posting_to(settings.alertmanager_url, settings.monitoring_token) if settings.alertmanager_url else None,
        kill_worker=worker_killer(settings.data),
        arrangement=arrangement,
        identity=identity,
        slack=slack_in_force(),
        public=PublicSite(EmbeddedStatusPage(ledger, layout=layout), layout, url=f"{settings.address}/status"),
        links=AckLinks(link_key(settings), settings.address),
        keyring=keys,
        rules=rules,
        deployments=DeploymentLog(ledger),
        answerers=page_answerers_in_force(FileRota(settings.rota_file)),
        repository=os.environ.get(GitHub.variable("repository"), "").strip(),
    )
    app = create_app(desk, door, ledger, rooms=rooms, drafts=KeptDrafts(ledger), ended=KeptFacts(ledger))
    if keys.closed:
        log.warning("webhooks are closed: neither TOCSIN_WEBHOOKS nor TOCSIN_WEBHOOK_TOKEN gives them a key", sources=keys.closed)
    # The peer must stay the peer: whose word is taken follows from it, and `identity.proxy` reads the headers itself.
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=GRACE,
        server_header=False,
        lifespan="on",
        proxy_headers=False,
    )
    heap.freeze()
    log.info("the door is open", url=f"http://{settings.host}:{settings.port}", pid=os.getpid())
    async with listeners.listening():
        await Server(config, rooms).serve(sockets=[listening])
    await ledger.close()
    return 0


def _listen(settings: Settings) -> socket.socket:
    """The listening socket; taken before anything else, so that a taken port is the first thing that one hears of."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # Without the protocol's name asyncio leaves Nagle's algorithm on: the second packet of each answer waits 40 ms for the reader.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
    except OSError as error:
        listening.close()
        raise SettingsError(
            f"port {settings.port} on {settings.host} can't be used ({error.strerror}). Choose another with --port (TOCSIN_PORT)."
        ) from error
    listening.set_inheritable(True)
    return listening


async def _ledger(ledger: Ledger) -> Finding:
    try:
        await ledger.open()
    except IntegrationError as error:
        return Finding(name="embedded parts", ok=False, detail=str(error), fix="Check TOCSIN_DATA and TOCSIN_DATABASE_URL.")
    return Finding(name="embedded parts", ok=True, detail=f"kept in {ledger.where}")


async def _routes(rules: RoutesFile) -> Finding:
    try:
        rules.in_force()
    except RoutesUnusable as error:
        return Finding(name="routing rules", ok=False, detail=str(error), fix="Mend the file (tocsin policy check FILE).")
    if rules.problem is not None:
        fix = "Mend the file (tocsin policy check FILE); until then the last good rules are in force."
        return Finding(name="routing rules", ok=False, detail=rules.problem, fix=fix)
    return Finding(name="routing rules", ok=True, detail=f"{rules.path} can be read" if rules.path else "the built-in ones")


async def _measurements(rules: RoutesFile, settings: Settings) -> Finding:
    try:
        return measurable.finding(rules.in_force(), measuring=settings.prometheus_url is not None)
    except RoutesUnusable as error:
        return Finding(name="measurements", ok=False, detail=str(error), fix=measurable.SET_IT)


def _monitoring(settings: Settings) -> tuple[Look, ...]:
    """A look at each monitoring system that is configured."""
    systems = {"Prometheus": settings.prometheus_url, "Alertmanager": settings.alertmanager_url}
    return tuple(
        functools.partial(_reachable, Web(name, url, settings.monitoring_token), name) for name, url in systems.items() if url is not None
    )


async def _reachable(web: Web, name: str) -> Finding:
    path = "/api/v1/query" if name == "Prometheus" else "/api/v2/status"
    try:
        await web.get(path, **({"query": "1"} if name == "Prometheus" else {}))
    except IntegrationError as error:
        fix = f"Check TOCSIN_{name.upper()}_URL; until it answers, verification waits and the checklist is not looked up."
        return Finding(name=name.lower(), ok=False, detail=str(error), fix=fix)
    return Finding(name=name.lower(), ok=True, detail="answers")


async def _rota(settings: Settings) -> Finding:
    path = settings.rota_file
    try:
        await FileRota(path).refresh()
    except IntegrationError as error:
        return Finding(name="rota", ok=False, detail=str(error), fix=f"Mend {path}; until then nobody can be looked up in it.")
    return Finding(name="rota", ok=True, detail=f"{path} can be read")


def _version() -> str:
    try:
        return version("tocsin")
    except PackageNotFoundError:
        return "0+unknown"


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # The SDK's runtime may crash the interpreter while it winds up; everything is done and flushed by now.
    os._exit(code)
