"""Settings, from the environment: `TOCSIN_…` for us, `TEMPORAL_…` for the connection (`runtime.temporal`).

A setting that makes no sense stops the process at once, with one sentence that names the variable and the rule.
"""

from __future__ import annotations

import difflib
import getpass
import ipaddress
import json
import os
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "TOCSIN_"

_DATABASE = re.compile(r"(sqlite(\+aiosqlite)?|postgres(ql)?(\+asyncpg)?)://\S+$")

_WEB = re.compile(r"https?://[^\s/]+\S*")
_HOST = re.compile(r"[a-z0-9]([a-z0-9.:-]*[a-z0-9])?$")
_HEADER = re.compile(r"[A-Za-z0-9-]+$")

_SECRET = frozenset(
    {
        "database_url",
        "proxy_secret",
        "oidc_client_secret",
        "webhook_token",
        "link_secret",
        "prometheus_url",
        "alertmanager_url",
        "monitoring_token",
        "heartbeat_url",
    }
)
"""Settings whose value may hold a password and is therefore never shown."""

NOT_SETTINGS = frozenset({"TOCSIN_URL", "TOCSIN_TOKEN", "TOCSIN_TOKEN_FILE", "TOCSIN_BEHIND_LOOPBACK", "TOCSIN_UP"})
"""Variables that other parts read: the command line's server and token, and what the compose file and `tocsin up` tell their doors."""

Words = Annotated[tuple[str, ...], NoDecode]
"""Several words in one variable, with commas between them."""


ACCESS_ROLES = ("viewer", "responder", "commander", "communications", "admin", "auditor")
"""`incident.vocabulary.Access`, which this package may not import; a test holds the two together."""


PAGERS = ("embedded", "pagerduty", "email", "apprise")


class SettingsError(Exception):
    """A setting, or a file that it names, can't be used; the text says which, why, and what would do."""


class Settings(BaseSettings):
    """Every setting with its default. The variable is the name in capitals after `TOCSIN_`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    data: Path = Field(default=Path(".tocsin"), description="folder of everything that is kept on this machine")
    host: str = Field(default="127.0.0.1", description="address that the HTTP server listens on")
    port: int = Field(default=8700, ge=1, le=65_535, description="port of the HTTP server")
    temporal_port: int = Field(default=7233, ge=1, le=65_535, description="port of the embedded Temporal server")
    ui_port: int = Field(default=8233, ge=1, le=65_535, description="port of the embedded Temporal server's own UI")
    temporal_ui: str | None = Field(
        default=None, description="address of Temporal's UI as browsers reach it; the audit view links there (`tocsin up` sets it)"
    )
    task_queue: str = Field(default="incidents", min_length=1, max_length=100, description="task queue; each port's adds `-port`")
    policy: Path | None = Field(default=None, description="TOML file that overrides rows of the severity matrix")
    routes: Path | None = Field(default=None, description="TOML file of the routing rules for alerts (default: the built-in ones)")
    webhooks: Path | None = Field(default=None, description="TOML file of what each webhook's sender proves itself with")
    rota: Path | None = Field(default=None, description="TOML file of the on-call rota (default: rota.toml in the data folder)")
    status_page: Path | None = Field(default=None, description="TOML file with the public status page's name, address and components")
    database_url: str | None = Field(
        default=None, description="where the embedded parts keep their rows (default: a file in the data folder)"
    )
    user: str = Field(default_factory=lambda: _login_name(), description="who acts where nobody is named")
    auth: Literal["dev", "proxy", "oidc"] = Field(
        default="dev",
        description="how people sign in: dev (not at all, on this machine), proxy (a proxy's headers), oidc (OpenID Connect)",
    )
    public_url: str | None = Field(default=None, description="the address that people type, like https://tocsin.example.org")
    hosts: Words = Field(default=(), description="further names by which the server may be asked, with commas between them")
    roles: Annotated[dict[str, tuple[str, ...]], NoDecode] = Field(
        default_factory=dict, description='groups to access roles, as JSON: `{"sre": ["responder"], "*": ["viewer"]}`; `*` is everybody'
    )
    proxies: Words = Field(default=(), description="addresses or networks of the proxies before this server, with commas between them")
    proxy_user_header: str = Field(default="X-Forwarded-User", description="header in which the proxy says who is there")
    proxy_groups_header: str = Field(default="X-Forwarded-Groups", description="header in which it says their groups")
    proxy_secret_header: str = Field(default="X-Tocsin-Proxy-Secret", description="header in which it proves itself, where a secret is set")
    proxy_secret: SecretStr | None = Field(default=None, description="what it says there")
    proxy_secret_file: Path | None = Field(default=None, description="file that holds it")
    oidc_issuer: str | None = Field(default=None, description="the provider's issuer, like https://id.example.org/realms/ops")
    oidc_client_id: str | None = Field(default=None, description="our name at the provider")
    oidc_client_secret: SecretStr | None = Field(default=None, description="our secret there")
    oidc_client_secret_file: Path | None = Field(default=None, description="file that holds it")
    oidc_scopes: str = Field(default="openid profile email", description="what is asked of the provider; add `groups` where it needs that")
    oidc_name_claim: str = Field(default="preferred_username", description="claim with the name under which somebody acts")
    oidc_groups_claim: str = Field(default="groups", description="claim with their groups or roles")
    webhook_token: SecretStr | None = Field(default=None, description="what webhooks must bring as bearer token (proxy and oidc)")
    webhook_token_file: Path | None = Field(default=None, description="file that holds it")
    log_format: Literal["auto", "json", "console"] = Field(default="auto", description="auto: console in a terminal, else JSON")
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="the least that is logged")
    max_cached_workflows: int = Field(
        default=1_000, ge=0, le=100_000, description="open incidents kept in a worker's memory, about 60 kB each"
    )
    drill_speed: float = Field(default=60.0, gt=1, le=3_600, description="how much faster a drill's clocks run")
    chat: Literal["embedded", "matrix", "slack", "webhook"] = Field(default="embedded", description="where incidents have their channels")
    statuspage: Literal["embedded", "statuspage"] = Field(default="embedded", description="where the public is told")
    tickets: Literal["embedded", "jira", "github", "roundup", "redmine"] = Field(
        default="embedded", description="where action items become tickets"
    )
    paging: str = Field(
        default="embedded",
        description="how people are paged: embedded, pagerduty, email, apprise; several with commas between them, tried in "
        "this order; e-mail comes last by itself where a mail server is set",
    )
    oncall: Literal["rota", "icalendar"] = Field(
        default="rota", description="who is on call: by the rota file, or by iCalendar feeds for the roles that have one"
    )
    calendar: Literal["none", "email"] = Field(default="none", description="how people are invited to retrospectives")
    archive: Literal["folder", "git", "s3"] = Field(
        default="folder", description="where post-mortems and audit trails are kept: a folder or a Git repository in the data folder, or S3"
    )
    specialist: Literal["person", "agent"] = Field(
        default="person", description="who is asked for help: whoever holds the specialist's role, or a model that reads and advises"
    )
    link_secret: SecretStr | None = Field(
        default=None, description="what links in mails are signed with, for all processes the same (default: a file in the data folder)"
    )
    link_secret_file: Path | None = Field(default=None, description="file that holds it")
    read_back_every: float = Field(
        default=300.0, ge=10, le=86_400, description="seconds between two looks at what trackers and the status page show"
    )
    prometheus_url: str | None = Field(
        default=None, description="Prometheus: verification then goes by measurements, and the detection checklist looks things up"
    )
    alertmanager_url: str | None = Field(default=None, description="Alertmanager's API: what fires (default: Prometheus's own rules)")
    monitoring_token: str | None = Field(default=None, description="bearer token for both; a user and password may stand in the address")
    service_label: str = Field(
        default="service", pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$", description="the label that names a service in alerts and deployments"
    )
    deployments_query: str | None = Field(
        default=None, description="PromQL whose values are times of deployments; labels `version`, `by`, `note` say what"
    )
    heartbeat_url: str | None = Field(
        default=None, description="asked (GET) by the worker while workflows make progress: a dead-man's switch"
    )
    heartbeat_every: float = Field(default=60.0, ge=5, le=86_400, description="seconds between two heartbeats")
    worker_metrics: str | None = Field(
        default=None, pattern=r"^[^\s:]+:\d{1,5}$", description="host:port on which the worker offers the SDK's metrics to Prometheus"
    )
    connect_within: float = Field(default=30.0, gt=0, le=600, description="seconds that a process waits for Temporal at its start")

    @field_validator("paging")
    @classmethod
    def _pagers(cls, value: str) -> str:
        words = [word.strip().lower() for word in value.split(",")]
        for word in words:
            if word not in PAGERS:
                raise ValueError(f"{word[:60]!r} is no way to page; there are {', '.join(PAGERS)}")
            if words.count(word) > 1:
                raise ValueError(f"{word} is there twice")
        return ",".join(words)

    @field_validator("hosts", "proxies", mode="before")
    @classmethod
    def _words(cls, value: Any) -> Any:
        return tuple(word.strip().lower() for word in value.split(",") if word.strip()) if isinstance(value, str) else value

    @field_validator("hosts")
    @classmethod
    def _host_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for word in value:
            if not _HOST.match(word):
                raise ValueError(f"{word[:60]!r} is no host's name; give names without scheme, port or path, like tocsin.example.org")
        return value

    @field_validator("proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for word in value:
            try:
                ipaddress.ip_network(word)
            except ValueError as error:
                raise ValueError(f"{word[:60]!r} is no address and no network; give them like 10.0.0.5 or 10.0.0.0/24") from error
        return value

    @field_validator("roles", mode="before")
    @classmethod
    def _json(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            found = json.loads(value)
        except ValueError as error:
            raise ValueError('is no JSON; it must look like {"sre": ["responder"], "*": ["viewer"]}') from error
        if not isinstance(found, dict):
            raise ValueError('must be an object like {"sre": ["responder"], "*": ["viewer"]}')
        return {group: tuple(words) if isinstance(words, list) else (words,) for group, words in found.items()}

    @field_validator("roles")
    @classmethod
    def _known_roles(cls, value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        for group, words in value.items():
            for word in words:
                if word not in ACCESS_ROLES:
                    raise ValueError(f"{word[:60]!r}, given to {group[:60]!r}, is no role; there are {', '.join(ACCESS_ROLES)}")
        return value

    @field_validator("public_url", "oidc_issuer")
    @classmethod
    def _an_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.query or parts.fragment or parts.username:
            raise ValueError("must look like https://tocsin.example.org")
        if parts.scheme == "http" and not _loopback(parts.hostname):
            raise ValueError("must be https: what people sign in with would cross the network in the clear")
        return value.rstrip("/")

    @field_validator("public_url")
    @classmethod
    def _without_a_path(cls, value: str | None) -> str | None:
        if value is not None and urlsplit(value).path:
            raise ValueError("must have no path: Tocsin is served at the root of its host")
        return value

    @field_validator("proxy_user_header", "proxy_groups_header", "proxy_secret_header")
    @classmethod
    def _a_header(cls, value: str) -> str:
        if not _HEADER.match(value):
            raise ValueError("is no header's name")
        return value

    @field_validator("data", "policy", "routes", "webhooks", "rota", "status_page", mode="before")
    @classmethod
    def _not_empty(cls, value: Any) -> Any:
        if isinstance(value, str) and not value.strip():
            raise ValueError("is empty; give a path, or leave the variable out")
        return value

    @field_validator("prometheus_url", "alertmanager_url", "heartbeat_url", mode="before")
    @classmethod
    def _a_web_address(cls, value: Any) -> Any:
        """Empty is unset: a compose file passes variables on that way."""
        if isinstance(value, str) and not value.strip():
            return None
        if isinstance(value, str) and not _WEB.fullmatch(value.strip()):
            raise ValueError("must look like http://host:port or https://host/path")
        return value.strip() if isinstance(value, str) else value

    @field_validator("monitoring_token", "deployments_query", "worker_metrics", mode="before")
    @classmethod
    def _empty_is_unset(cls, value: Any) -> Any:
        return None if isinstance(value, str) and not value.strip() else value

    @field_validator("database_url")
    @classmethod
    def _a_database(cls, value: str | None) -> str | None:
        if value is not None and not _DATABASE.match(value):
            raise ValueError("must look like sqlite:////folder/file.db or postgresql://user:password@host/database")
        return value

    @field_validator("temporal_ui")
    @classmethod
    def _a_page(cls, value: str | None) -> str | None:
        if value is not None and not re.match(r"https?://[^\s/]+", value):
            raise ValueError("must look like http://127.0.0.1:8233")
        return value.rstrip("/") if value else None

    @property
    def pagers(self) -> tuple[str, ...]:
        """The ways to page, in the order in which they are tried."""
        return tuple(self.paging.split(","))

    @property
    def address(self) -> str:
        """Where people reach the door."""
        return self.public_url or f"http://{self.host}:{self.port}"

    @property
    def rota_file(self) -> Path:
        return self.rota or self.data / "rota.toml"

    @property
    def archive_folder(self) -> Path:
        return self.data / "archive"

    @property
    def archive_clone(self) -> Path:
        return self.data / "archive.git-clone"

    @property
    def embedded_url(self) -> str:
        """The database of the embedded parts, as SQLAlchemy names it."""
        return self.database_url or f"sqlite+aiosqlite:///{(self.data / 'embedded.db').absolute()}"

    def secret(self, name: Literal["proxy_secret", "oidc_client_secret", "webhook_token", "link_secret"]) -> str | None:
        """A secret, from its variable or from the file that it names; None where neither is set.

        Raises:
            SettingsError: both are set, or the file can't be read or is empty.
        """
        said: SecretStr | None = getattr(self, name)
        file: Path | None = getattr(self, f"{name}_file")
        variable = f"{PREFIX}{name.upper()}"
        if said is not None and file is not None:
            raise SettingsError(f"{variable} and {variable}_FILE are both set; leave one out")
        if file is None:
            found = said.get_secret_value().strip() if said is not None else None
        else:
            try:
                found = file.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise SettingsError(f"{variable}_FILE: {file} can't be read: {error}") from error
        if found == "":
            raise SettingsError(f"{variable} is empty; give a secret, or leave the variable out")
        return found


def _loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def load_settings(**overrides: Any) -> Settings:
    """Read the settings.

    Raises:
        SettingsError: names each variable that can't be used, and its rule.
    """
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})
    except ValidationError as error:
        lines = []
        for item in error.errors(include_url=False):
            name = str(item["loc"][0])
            shown = "" if name in _SECRET else f" (it is {str(item['input'])[:80]!r})"
            lines.append(f"{PREFIX}{name.upper()}: {item['msg'].removeprefix('Value error, ')}{shown}")
        # Without its cause: that holds the values, also those that must not be shown.
        raise SettingsError("; ".join(lines)) from None


def unknown_variables(also: Iterable[str] = ()) -> list[str]:
    """A sentence for each `TOCSIN_…` variable that nobody reads, with the likely meaning. `also` is read by others (`vendors`)."""
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | NOT_SETTINGS | set(also)
    found = []
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            found.append(f"{name} is not a setting" + (f"; did you mean {near[0]}?" if near else ""))
    return found


def read_toml(path: Path) -> dict[str, Any]:
    """The contents of a TOML file.

    Raises:
        SettingsError: it is missing, can't be read or is no TOML; names the line.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} can't be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is no TOML: {error}") from error
