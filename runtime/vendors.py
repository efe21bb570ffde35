"""What each vendor needs to be known: a group of settings a vendor, read only where the vendor is chosen.

Every secret may also come from a file: `TOCSIN_JIRA_TOKEN_FILE=/run/secrets/jira` instead of `TOCSIN_JIRA_TOKEN`. A secret is a
`SecretStr`: printed, logged or dumped, it shows as asterisks.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from runtime.settings import PREFIX, Settings, SettingsError

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


def _names(value: Any) -> Any:
    return tuple(word.strip() for word in value.split(",") if word.strip()) if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names)]
"""Several names in one variable, with commas between them."""


def _each_like(value: tuple[str, ...], pattern: str, rule: str) -> tuple[str, ...]:
    if not all(re.fullmatch(pattern, name) for name in value):
        raise ValueError(rule)
    return value


def _object(value: Any, rule: str) -> dict[str, Any]:
    """A setting that is one JSON object; else ValueError with the `rule` that it breaks."""
    try:
        found = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        raise ValueError(rule) from None
    if not isinstance(found, dict):
        raise ValueError(rule)
    return found


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
        return cls.model_fields[field].annotation in (SecretStr, SecretStr | None)


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


class PagerDuty(Vendor):
    """PagerDuty, Events API version 2."""

    model_config = SettingsConfigDict(env_prefix=f"{PREFIX}PAGERDUTY_", extra="ignore", frozen=True)
    chosen = ("paging", "pagerduty")
    permissions = (("page people", "integration key of an Events API v2 integration on the service"),)

    url: CloudAddress = Field(
        default="https://events.pagerduty.com/v2", description="the API; https://events.eu.pagerduty.com/v2 in the EU"
    )
    routing_key: SecretStr = Field(min_length=1, description="integration key of the service that pages go to")
    roles: SecretStr = Field(
        default=SecretStr(""), description="integration keys of roles with a service of their own, as `CTO=KEY; engineering lead=KEY`"
    )

    @property
    def by_role(self) -> dict[str, SecretStr]:
        return {role: keys[0] for role, keys in pairs(self.roles, "role=KEY; role=KEY", f"{PREFIX}PAGERDUTY_ROLES").items()}


class PagerDutyAnswers(Vendor):
    """PagerDuty's webhooks, as the door takes them."""

    model_config = SettingsConfigDict(env_prefix=f"{PREFIX}PAGERDUTY_", extra="ignore", frozen=True)
    chosen = ("paging", "pagerduty")
    permissions = (
        ("take acknowledgements", "a version 3 webhook to /webhooks/pagerduty, its secret as hmac of [pagerduty] in TOCSIN_WEBHOOKS"),
        ("know people by e-mail address", "a REST API key that may read users (TOCSIN_PAGERDUTY_API_TOKEN)"),
        ("write a note there on a page that was resolved", "one that may write as well"),
    )

    api_url: CloudAddress = Field(default="https://api.pagerduty.com", description="the REST API; https://api.eu.pagerduty.com in the EU")
    api_token: SecretStr | None = Field(default=None, description="REST API key; without it, people are known by id alone")
    people: Annotated[dict[str, str], NoDecode] = Field(
        default_factory=dict,
        description='who is who, as JSON, by PagerDuty\'s user id or by address: `{"PJ0LVEB": "ana", "ben@example.org": "ben"}`; '
        "the rota's addresses count as well",
    )

    @field_validator("people", mode="before")
    @classmethod
    def _who(cls, value: Any) -> Any:
        rule = 'must be JSON like {"PJ0LVEB": "ana", "ben@example.org": "ben"}'
        found = _object(value, rule)
        if not all(isinstance(name, str) and name.strip() for name in found.values()):
            raise ValueError(rule)
        return {str(key).strip(): name.strip() for key, name in found.items()}


class Mail(Vendor):
    """A mail server."""

    model_config = SettingsConfigDict(env_prefix=f"{PREFIX}MAIL_", extra="ignore", frozen=True)
    chosen = ("paging", "email")
    permissions = (("send pages and invitations", "the account may send in the name of TOCSIN_MAIL_SENDER"),)

    host: str = Field(min_length=1, description="the mail server")
    port: int = Field(default=587, ge=1, le=65_535, description="its port")
    security: Literal["starttls", "tls", "none"] = Field(default="starttls", description="how the connection is kept private")
    user: str = Field(default="", description="login name; empty: no login")
    password: SecretStr = Field(default=SecretStr(""), description="its password")
    sender: str = Field(pattern=r"^[^\s@<>]+@[A-Za-z0-9.-]+$", description="address in whose name mail goes out, as tocsin@example.org")


class MailReplies(Vendor):
    """Answers to pages by mail."""

    model_config = SettingsConfigDict(env_prefix=f"{PREFIX}MAIL_REPLY_", extra="ignore", frozen=True)
    chosen = ("paging", "email")
    permissions = (("acknowledge by answering", "your mail server brings mail for ADDRESS, and for what has a + in it, to LISTEN"),)

    address: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9._-]{1,18}@[A-Za-z0-9.-]+$",
        description="address at which answers come in, as ack@tocsin.example.org; for worker and door (default: pages can't be answered)",
    )
    listen: str | None = Field(
        default=None, pattern=r"^[^\s:]+:\d{1,5}$", description="host:port at which the door takes them by SMTP, as 127.0.0.1:8025"
    )


class Apprise(Vendor):
    """The many others, by way of Apprise."""

    model_config = SettingsConfigDict(env_prefix=f"{PREFIX}APPRISE_", extra="ignore", frozen=True)
    chosen = ("paging", "apprise")
    permissions = (("page people", "whatever each address needs to send, by its service's page in Apprise's documentation"),)

    urls: SecretStr = Field(
        min_length=1, description="Apprise addresses of people, as `ana=ntfys://…; ana=pover://…; *=slack://…`; `*` is everybody else"
    )

    @property
    def by_person(self) -> dict[str, list[SecretStr]]:
        return pairs(self.urls, "person=ADDRESS; person=ADDRESS", f"{PREFIX}APPRISE_URLS")


class ICalendar(Vendor):
    """iCalendar feeds."""

    model_config = SettingsConfigDict(env_prefix=f"{PREFIX}ICALENDAR_", extra="ignore", frozen=True)
    chosen = ("oncall", "icalendar")
    permissions = (("know who is on call", "the feed's own private address, or a file that the worker's account can read"),)

    feeds: SecretStr = Field(
        min_length=1, description="address or path of each role's feed, as `primary on-call=https://…; CTO=/etc/tocsin/cto.ics`"
    )

    @property
    def by_role(self) -> dict[str, SecretStr]:
        return {role: feeds[0] for role, feeds in pairs(self.feeds, "role=FEED; role=FEED", f"{PREFIX}ICALENDAR_FEEDS").items()}


class Git(Vendor):
    """A Git repository."""

    model_config = SettingsConfigDict(env_prefix=f"{PREFIX}GIT_", extra="ignore", frozen=True)
    chosen = ("archive", "git")
    permissions = (("push documents", "write access to the repository, without a question for a password"),)

    remote: SecretStr = Field(default=SecretStr(""), description="address that is pushed to; empty: nowhere")
    branch: str = Field(default="main", pattern=r"^[A-Za-z0-9][\w./-]*$", description="its branch")
    author: str = Field(default="tocsin@localhost", pattern=r"^[^\s<>]+@[^\s<>]+$", description="e-mail address of the commits' author")

    @field_validator("remote")
    @classmethod
    def _no_option(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value().startswith("-") or "ext::" in value.get_secret_value():
            raise ValueError("must be an address or a path")
        return value


class S3(Vendor):
    """An S3-compatible store."""

    model_config = SettingsConfigDict(env_prefix=f"{PREFIX}S3_", extra="ignore", frozen=True)
    chosen = ("archive", "s3")
    permissions = (("keep documents", "s3:GetObject, s3:PutObject and s3:ListBucket on the bucket"),)

    bucket: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", description="name of the bucket")
    endpoint: Address | None = Field(default=None, description="address of the store; empty: Amazon's")
    region: str = Field(default="us-east-1", min_length=1, description="its region")
    access_key: SecretStr = Field(default=SecretStr(""), description="id of the key; empty: the machine's own role")
    secret_key: SecretStr = Field(default=SecretStr(""), description="the key")
    prefix: str = Field(default="", description="folder in the bucket")


class ModelAgent(Vendor):
    """A model's API (Anthropic's Messages)."""

    model_config = SettingsConfigDict(env_prefix=f"{PREFIX}AGENT_", extra="ignore", frozen=True)
    chosen = ("specialist", "agent")
    permissions = (("ask the model", "a key of the API; incidents' timelines are sent there, private ones and drills never"),)

    url: CloudAddress = Field(default="https://api.anthropic.com", description="the API")
    key: SecretStr = Field(min_length=1, description="its key")
    model: str = Field(min_length=1, description="name of the model")
    specialists: str = Field(default="incident-responder", description="which specialists it is, with commas between them")


class Matrix(Vendor):
    """Matrix."""

    model_config = SettingsConfigDict(env_prefix=f"{PREFIX}MATRIX_", extra="ignore", frozen=True)
    chosen = ("chat", "matrix")
    permissions = (
        ("make rooms, post, set topics, invite", "an account of its own on the homeserver that may make rooms and aliases"),
        ("post to the general and the stakeholders' room", "those rooms are public, or the account is invited"),
        ("take commands and reactions", "TOCSIN_MATRIX_COMMANDS at the door, with the same token; the account is in the room"),
    )

    url: Address = Field(description="the homeserver's client API, https://matrix.example.org")
    token: SecretStr = Field(
        min_length=1, description="access token of one device of the account; keep it, a new device may repeat a message"
    )
    invite: Names = Field(default=(), description="who is asked into every incident's room, as @ana:example.org,@ben:example.org")
    people: Annotated[dict[str, str], NoDecode] = Field(
        default_factory=dict,
        description="the account of each of our names, as ana=@ana:example.org: who is in an incident is asked in, and may command",
    )
    commands: bool = Field(default=False, description="whether the door takes `!tocsin …` and reactions from those people")
    groups: Annotated[dict[str, tuple[str, ...]], NoDecode] = Field(
        default_factory=dict,
        description='groups of those who never sign in, as JSON: `{"ana": ["sre"]}`; the others keep those of their last sign-in',
    )

    @field_validator("groups", mode="before")
    @classmethod
    def _lists(cls, value: Any) -> Any:
        rule = 'must be JSON like {"ana": ["sre"]}'
        found = _object(value, rule)
        if not all(isinstance(each, list | tuple) for each in found.values()):
            raise ValueError(rule)
        return {str(name).strip(): tuple(map(str, each)) for name, each in found.items()}

    @field_validator("people", mode="before")
    @classmethod
    def _accounts(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        pairs = [each.partition("=") for each in value.split(",") if each.strip()]
        if not all(name.strip() and re.fullmatch(r"@[^:\s]+:\S+", account.strip()) for name, _, account in pairs):
            raise ValueError("must look like ana=@ana:example.org,ben=@ben:example.org")
        return {name.strip(): account.strip() for name, _, account in pairs}

    @field_validator("invite")
    @classmethod
    def _user_ids(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _each_like(value, r"@[^:\s]+:\S+", "must look like @ana:example.org,@ben:example.org")


class Slack(Vendor):
    """Slack, as the worker uses it."""

    model_config = SettingsConfigDict(env_prefix=f"{PREFIX}SLACK_", extra="ignore", frozen=True)
    chosen = ("chat", "slack")
    permissions = (
        ("make public channels, set topics, invite", "bot scopes channels:manage, channels:read"),
        ("make private channels for private incidents", "bot scopes groups:write, groups:read"),
        ("post, join the general channel, edit the card", "bot scopes chat:write, channels:join"),
        ("pin the card", "bot scope pins:write"),
        ("recognise what was posted already", "bot scopes channels:history, groups:history"),
        ("take commands and buttons", "bot scope commands, for the slash command; nothing for buttons"),
    )

    url: CloudAddress = Field(default="https://slack.com/api", description="the API")
    token: SecretStr = Field(min_length=1, description="the app's bot token, xoxb-…")
    invite: Names = Field(default=(), description="user ids of who is asked into every incident's channel, as U012ABCDE,U034FGHIJ")
    buttons: bool = Field(default=False, description="whether messages have buttons; needs the app's interactivity address")

    @field_validator("invite")
    @classmethod
    def _user_ids(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _each_like(value, r"[UW][A-Z0-9]+", "must look like U012ABCDE,U034FGHIJ")


class SlackCommands(Vendor):
    """Slack's commands, as the door takes them."""

    model_config = SettingsConfigDict(env_prefix=f"{PREFIX}SLACK_", extra="ignore", frozen=True)
    chosen = ("chat", "slack")
    permissions = (
        ("take commands, buttons and forms", "the app's signing secret; its slash command and interactivity addresses lead here"),
        ("open forms", "the bot token (TOCSIN_SLACK_TOKEN) at the door as well"),
        ("know people by e-mail address", "that token, with the scopes users:read and users:read.email"),
    )

    signing_secret: SecretStr | None = Field(
        default=None, description="the app's signing secret; without it the door takes nothing from Slack"
    )
    people: Annotated[dict[str, Any], NoDecode] = Field(
        default_factory=dict,
        description='who is who, as JSON: `{"U012ABCDE": "ana", "ben@example.org": {"name": "ben", "groups": ["sre"]}}`',
    )

    @field_validator("people", mode="before")
    @classmethod
    def _who(cls, value: Any) -> Any:
        rule = 'must be JSON like {"U012ABCDE": "ana", "ben@example.org": {"name": "ben", "groups": ["sre"]}}'
        found = _object(value, rule)
        people = {id: {"name": said} if isinstance(said, str) else said for id, said in found.items()}
        for said in people.values():
            if not (
                isinstance(said, dict) and isinstance(said.get("name"), str) and said["name"].strip() and said.keys() <= {"name", "groups"}
            ):
                raise ValueError(rule)
            if not (isinstance(said.get("groups", []), list) and all(isinstance(group, str) for group in said.get("groups", []))):
                raise ValueError(rule)
        return people


class ChatWebhook(Vendor):
    """An incoming webhook: Mattermost, or whatever takes `{"text": …}`."""

    model_config = SettingsConfigDict(env_prefix=f"{PREFIX}CHAT_WEBHOOK_", extra="ignore", frozen=True)
    chosen = ("chat", "webhook")
    permissions = (("post", "the webhook's address, which is its credential, locked to the general channel"),)

    url: SecretStr = Field(min_length=1, description="address of the webhook that posts to the general channel")
    stakeholders_url: SecretStr | None = Field(
        default=None, description="the same for the stakeholders' channel (default: the general one's)"
    )

    @field_validator("url", "stakeholders_url")
    @classmethod
    def _addresses(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            _private_address(value.get_secret_value())
        return value


VENDORS: tuple[type[Vendor], ...] = (
    Jira,
    GitHub,
    Roundup,
    Redmine,
    Statuspage,
    Matrix,
    Slack,
    SlackCommands,
    ChatWebhook,
    PagerDuty,
    PagerDutyAnswers,
    Mail,
    MailReplies,
    Apprise,
    ICalendar,
    Git,
    S3,
    ModelAgent,
)


MONITORING = ("prometheus_url", "alertmanager_url", "monitoring_token", "service_label", "deployments_query")
"""The settings (`runtime.settings`) of Prometheus and Alertmanager: the door needs them, too, so they are no group."""

MONITORING_PERMISSIONS = (
    ("measure, look deployments up", "Prometheus: GET /api/v1/query_range"),
    ("see what fires", "Alertmanager: GET /api/v2/alerts; without it, Prometheus: GET /api/v1/alerts"),
)
"""Nothing is ever written there."""


def pairs(secret: SecretStr, shape: str, variable: str) -> dict[str, list[SecretStr]]:
    """What a secret of several parts says of each name; parts stand on lines of their own, or have semicolons between them.

    Raises:
        SettingsError: says the shape, never the value.
    """
    found: dict[str, list[SecretStr]] = {}
    for part in re.split(r"[\n;]", secret.get_secret_value()):
        name, _, value = part.partition("=")
        if not part.strip():
            continue
        if not name.strip() or not value.strip():
            raise SettingsError(f"{variable} must look like {shape}")
        found.setdefault(name.strip(), []).append(SecretStr(value.strip()))
    return found


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


def ways_to_page(settings: Settings) -> tuple[str, ...]:
    """The ways to page, in order. E-mail is the last of those that reach somebody by itself, where a mail server is set."""
    chosen = settings.pagers
    mail_is_set = all(os.environ.get(Mail.variable(name)) for name in ("host", "sender"))
    outside = tuple(name for name in chosen if name != "embedded")
    if not outside or "email" in outside or not mail_is_set:
        return chosen
    return (*outside, "email", *(name for name in chosen if name == "embedded"))


def vendor_variables() -> set[str]:
    """Every variable that some vendor's group reads."""
    return {variable for group in VENDORS for variable in group.variables()}
