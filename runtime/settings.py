"""Settings, from the environment: `TOCSIN_…` for us, `TEMPORAL_…` for the connection (`runtime.temporal`).

A setting that makes no sense stops the process at once, with one sentence that names the variable and the rule.
"""

from __future__ import annotations

import difflib
import getpass
import os
import re
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "TOCSIN_"

_DATABASE = re.compile(r"(sqlite(\+aiosqlite)?|postgres(ql)?(\+asyncpg)?)://\S+$")

_SECRET = frozenset({"database_url"})
"""Settings whose value may hold a password and is therefore never shown."""

NOT_SETTINGS = frozenset({"TOCSIN_URL", "TOCSIN_BEHIND_LOOPBACK"})
"""Variables that other parts read: the command line's server, and the compose file's word on its port."""


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
    task_queue: str = Field(default="incidents", min_length=1, max_length=100, description="task queue; each port's adds `-port`")
    policy: Path | None = Field(default=None, description="TOML file that overrides rows of the severity matrix")
    routes: Path | None = Field(default=None, description="TOML file of the routing rules for alerts (default: the built-in ones)")
    webhooks: Path | None = Field(default=None, description="TOML file of what each webhook's sender proves itself with")
    rota: Path | None = Field(default=None, description="TOML file of the on-call rota (default: rota.toml in the data folder)")
    database_url: str | None = Field(
        default=None, description="where the embedded parts keep their rows (default: a file in the data folder)"
    )
    user: str = Field(default_factory=lambda: _login_name(), description="who acts where nobody is named")
    log_format: Literal["auto", "json", "console"] = Field(default="auto", description="auto: console in a terminal, else JSON")
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="the least that is logged")
    max_cached_workflows: int = Field(
        default=1_000, ge=0, le=100_000, description="open incidents kept in a worker's memory, about 60 kB each"
    )
    drill_speed: float = Field(default=60.0, gt=1, le=3_600, description="how much faster a drill's clocks run")
    connect_within: float = Field(default=30.0, gt=0, le=600, description="seconds that a process waits for Temporal at its start")

    @field_validator("data", "policy", "routes", "webhooks", "rota", mode="before")
    @classmethod
    def _not_empty(cls, value: Any) -> Any:
        if isinstance(value, str) and not value.strip():
            raise ValueError("is empty; give a path, or leave the variable out")
        return value

    @field_validator("database_url")
    @classmethod
    def _a_database(cls, value: str | None) -> str | None:
        if value is not None and not _DATABASE.match(value):
            raise ValueError("must look like sqlite:////folder/file.db or postgresql://user:password@host/database")
        return value

    @property
    def rota_file(self) -> Path:
        return self.rota or self.data / "rota.toml"

    @property
    def archive_folder(self) -> Path:
        return self.data / "archive"

    @property
    def embedded_url(self) -> str:
        """The database of the embedded parts, as SQLAlchemy names it."""
        return self.database_url or f"sqlite+aiosqlite:///{(self.data / 'embedded.db').absolute()}"


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


def unknown_variables() -> list[str]:
    """A sentence for each `TOCSIN_…` variable that nobody reads, with the likely meaning."""
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | NOT_SETTINGS
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
