"""The chats' groups of settings."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from runtime.settings import PREFIX
from runtime.vendor_group import Address, CloudAddress, Names, Vendor, each_like, json_object, private_address


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
        found = json_object(value, rule)
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
        return each_like(value, r"@[^:\s]+:\S+", "must look like @ana:example.org,@ben:example.org")


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
        return each_like(value, r"[UW][A-Z0-9]+", "must look like U012ABCDE,U034FGHIJ")


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
        found = json_object(value, rule)
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
            private_address(value.get_secret_value())
        return value
