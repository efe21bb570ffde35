"""What each vendor needs to be known: a group of settings a vendor, read only where the vendor is chosen.

Every secret may also come from a file: `TOCSIN_JIRA_TOKEN_FILE=/run/secrets/jira` instead of `TOCSIN_JIRA_TOKEN`. A secret is a
`SecretStr`: printed, logged or dumped, it shows as asterisks.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import AfterValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from runtime.settings import PREFIX, SettingsError

FILE = "_FILE"
"""What a secret's variable ends with where it names a file that holds the secret."""

_LOOPBACK = re.compile(r"http://(127\.[0-9.]+|localhost|\[::1\])(:\d+)?(/|$)")


def _address(value: str) -> str:
    if not re.match(r"https?://[^/\s]+", value) or "@" in value.split("/")[2]:
        raise ValueError("must look like https://host/path, without user and password")
    return value.rstrip("/")


def _private_address(value: str) -> str:
    value = _address(value)
    if not value.startswith("https://") and not _LOOPBACK.match(value):
        raise ValueError("must begin with https://, or the credentials could be read on the way")
    return value


Address = Annotated[str, AfterValidator(_address)]
"""Of what somebody hosts: http inside one's own network is their choice."""

CloudAddress = Annotated[str, AfterValidator(_private_address)]


class Vendor(BaseSettings):
    """A group: `chosen` are the values of `TOCSIN_<PORT>` that make it needed, `permissions` what the credentials must allow."""

    chosen: ClassVar[tuple[str, str]]
    permissions: ClassVar[tuple[tuple[str, str], ...]] = ()

    @classmethod
    def variable(cls, field: str) -> str:
        return f"{cls.model_config['env_prefix']}{field.upper()}"

    @classmethod
    def variables(cls) -> Iterator[str]:
        for name in cls.model_fields:
            yield cls.variable(name)
            if cls.is_secret(name):
                yield cls.variable(name) + FILE

    @classmethod
    def is_secret(cls, field: str) -> bool:
        return cls.model_fields[field].annotation is SecretStr


class Jira(Vendor):
    """Jira Cloud."""

    model_config = SettingsConfigDict(env_prefix=f"{PREFIX}JIRA_", extra="ignore", frozen=True)
    chosen = ("tickets", "jira")
    permissions = (
        ("open tickets, find them again", "Browse projects, Create issues (scopes read:jira-work, write:jira-work)"),
        ("close tickets", "Transition issues, Add comments"),
    )

    url: CloudAddress = Field(description="the site, https://your-company.atlassian.net")
    user: str = Field(min_length=1, description="e-mail address of the account that the token belongs to")
    token: SecretStr = Field(min_length=1, description="API token of that account")
    project: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", description="key of the project that tickets go to, as OPS")
    issue_type: str = Field(default="Task", min_length=1, description="name of the issue type that tickets get")


class GitHub(Vendor):
    """GitHub Issues."""

    model_config = SettingsConfigDict(env_prefix=f"{PREFIX}GITHUB_", extra="ignore", frozen=True)
    chosen = ("tickets", "github")
    permissions = (("open, find and close issues, make labels", "fine-grained token with Issues: read and write on the repository"),)

    url: CloudAddress = Field(default="https://api.github.com", description="the API; https://HOST/api/v3 for GitHub Enterprise Server")
    token: SecretStr = Field(min_length=1, description="fine-grained personal access token, or an app's installation token")
    repository: str = Field(pattern=r"^[\w.-]+/[\w.-]+$", description="owner/name of the repository that issues go to")


class Roundup(Vendor):
    """Roundup."""

    model_config = SettingsConfigDict(env_prefix=f"{PREFIX}ROUNDUP_", extra="ignore", frozen=True)
    chosen = ("tickets", "roundup")
    permissions = (("open, find and close issues", "Rest Access; View, Create and Edit on issue; Create on msg; View on status and user"),)

    url: Address = Field(description="the tracker, https://host/tracker")
    user: str = Field(min_length=1, description="login name")
    password: SecretStr = Field(min_length=1, description="its password")
    key_property: str = Field(
        default="external_key",
        pattern=r"^\w+$",
        description="String property of issue that holds our key; make it the class's key (setkey)",
    )
    closed: str = Field(
        default="resolved,done-cbb", min_length=1, description="names of the statuses that count as closed; the first is the one we set"
    )


class Redmine(Vendor):
    """Redmine."""

    model_config = SettingsConfigDict(env_prefix=f"{PREFIX}REDMINE_", extra="ignore", frozen=True)
    chosen = ("tickets", "redmine")
    permissions = (("open, find and close issues", "View issues, Add issues, Edit issues, Add notes; REST web service enabled"),)

    url: Address = Field(description="the server, https://redmine.example.com")
    key: SecretStr = Field(min_length=1, description="API access key of the account that acts")
    project: str = Field(min_length=1, pattern=r"^[\w-]+$", description="identifier of the project that tickets go to")
    key_field: int = Field(ge=1, description="id of the issue custom field (text, used as a filter) that holds our key")
    closed_status: int | None = Field(
        default=None, ge=1, description="id of the status that closes a ticket (default: the first closed one)"
    )


class Statuspage(Vendor):
    """Atlassian Statuspage."""

    model_config = SettingsConfigDict(env_prefix=f"{PREFIX}STATUSPAGE_", extra="ignore", frozen=True)
    chosen = ("statuspage", "statuspage")
    permissions = (("publish, read back, set components", "the page's API key (it can do everything on the page)"),)

    url: CloudAddress = Field(default="https://api.statuspage.io/v1", description="the API")
    key: SecretStr = Field(min_length=1, description="API key, from the account's API info")
    page: str = Field(pattern=r"^\w+$", description="id of the page")
    components: Annotated[dict[str, str], NoDecode] = Field(
        default_factory=dict, description="component id of each service, as checkout=8kbf7d35c070,search=vtnh60py4yd7"
    )
    notify: bool = Field(default=True, description="whether the page tells its subscribers")

    @field_validator("components", mode="before")
    @classmethod
    def _pairs(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        pairs = [each.partition("=") for each in value.split(",") if each.strip()]
        if not all(service.strip() and re.fullmatch(r"\w+", id.strip()) for service, _, id in pairs):
            raise ValueError("must look like service=component_id,service=component_id")
        return {service.strip(): id.strip() for service, _, id in pairs}


VENDORS: tuple[type[Vendor], ...] = (Jira, GitHub, Roundup, Redmine, Statuspage)

AVendor = TypeVar("AVendor", bound=Vendor)


def vendor_settings(group: type[AVendor]) -> AVendor:
    """Read a vendor's group.

    Raises:
        SettingsError: names each variable that is missing or can't be used, never a secret.
    """
    try:
        values: dict[str, Any] = dict(_from_files(group))
        return group(**values)
    except ValidationError as error:
        port, value = group.chosen
        lines = []
        for item in error.errors(include_url=False, include_input=False, include_context=False):
            name = str(item["loc"][0])
            variable = group.variable(name)
            if item["type"] == "missing":
                or_file = f" (or {variable}{FILE})" if group.is_secret(name) else ""
                lines.append(f"{variable}{or_file} is needed with {PREFIX}{port.upper()}={value}: {group.model_fields[name].description}")
            else:
                lines.append(f"{variable}: {item['msg'].removeprefix('Value error, ')}")
        raise SettingsError("; ".join(lines)) from None


def _from_files(group: type[Vendor]) -> Iterator[tuple[str, Any]]:
    for name in group.model_fields:
        variable = group.variable(name)
        path = os.environ.get(variable + FILE)
        if not group.is_secret(name) or path is None:
            continue
        if variable in os.environ:
            raise SettingsError(f"{variable} and {variable}{FILE} are both set; leave one out")
        try:
            yield name, Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{variable}{FILE}: {path} can't be read ({type(error).__name__})") from None


def vendor_variables() -> set[str]:
    """Every variable that some vendor's group reads."""
    return {variable for group in VENDORS for variable in group.variables()}
