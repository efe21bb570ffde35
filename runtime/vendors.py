"""What each vendor needs to be known: a group of settings a vendor, read only where the vendor is chosen.

The chats' are in `chat_vendors`; what a group is, and how it is read, in `vendor_group`.
"""

from __future__ import annotations

import os
import re
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from runtime.chat_vendors import ChatWebhook, Matrix, Slack, SlackCommands
from runtime.settings import PREFIX, Settings
from runtime.vendor_group import Address, CloudAddress, Vendor, json_object, pairs


class Jira(Vendor):
    """Jira Cloud."""

    model_config = SettingsConfigDict(env_prefix=f"{PREFIX}JIRA_", extra="ignore", frozen=True)
    chosen = ("tickets", "jira")
    permissions = (
        ("open tickets, find them again", "Browse projects, Create issues (scopes read:jira-work, write:jira-work)"),
        ("change tickets", "Edit issues, Add comments"),
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
        found = json_object(value, rule)
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
