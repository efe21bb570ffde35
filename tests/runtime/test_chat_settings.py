"""The settings of the chats: who is who, who is asked in, and addresses that are secrets."""

from __future__ import annotations

import pytest

from runtime.chat_vendors import ChatWebhook, Matrix, Slack, SlackCommands
from runtime.settings import SettingsError
from runtime.vendor_group import Vendor, vendor_settings
from starter.chatops.people import Known
from starter.listeners import matrix_in_force
from starter.serve import slack_in_force

NEEDED = {
    "TOCSIN_MATRIX_URL": "https://matrix.example.org",
    "TOCSIN_MATRIX_TOKEN": "hunter2",
    "TOCSIN_SLACK_TOKEN": "hunter2",
    "TOCSIN_CHAT_WEBHOOK_URL": "https://chat.example.org/hooks/hunter2",
}


@pytest.fixture(autouse=True)
def needed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in NEEDED.items():
        monkeypatch.setenv(name, value)


def test_people_are_named_by_id_or_by_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """One JSON object says who is who; a name alone is enough."""
    monkeypatch.setenv("TOCSIN_SLACK_SIGNING_SECRET", "s")
    monkeypatch.setenv("TOCSIN_SLACK_PEOPLE", '{"U012ABCDE": "ana", "ben@example.org": {"name": "ben", "groups": ["sre"]}}')
    door = slack_in_force()

    assert door is not None
    assert {"U012ABCDE": Known("ana"), "ben@example.org": Known("ben", ("sre",))} == door.people


def test_without_a_secret_slack_has_no_door() -> None:
    """A door that could not tell Slack from a forger stays shut."""

    assert slack_in_force() is None


def test_nobody_is_called_as_the_process_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry by `monitoring` is monitoring's; no person may write one from a chat."""
    monkeypatch.setenv("TOCSIN_SLACK_SIGNING_SECRET", "s")
    monkeypatch.setenv("TOCSIN_SLACK_PEOPLE", '{"U012ABCDE": "monitoring"}')
    with pytest.raises(SettingsError, match="TOCSIN_SLACK_PEOPLE: 'monitoring', for 'U012ABCDE', is no name"):
        slack_in_force()


@pytest.mark.parametrize(
    ("group", "variable", "value", "rule"),
    [
        (SlackCommands, "TOCSIN_SLACK_PEOPLE", "ana", "must be JSON like"),
        (SlackCommands, "TOCSIN_SLACK_PEOPLE", "[]", "must be JSON like"),
        (SlackCommands, "TOCSIN_SLACK_PEOPLE", '{"U0": {"groups": ["sre"]}}', "must be JSON like"),
        (SlackCommands, "TOCSIN_SLACK_PEOPLE", '{"U0": {"name": "ana", "groups": "sre"}}', "must be JSON like"),
        (SlackCommands, "TOCSIN_SLACK_PEOPLE", '{"U0": {"name": "ana", "admin": true}}', "must be JSON like"),
        (Slack, "TOCSIN_SLACK_INVITE", "ana", "must look like U012ABCDE"),
        (Matrix, "TOCSIN_MATRIX_INVITE", "ana", "must look like @ana:example.org"),
        (Matrix, "TOCSIN_MATRIX_PEOPLE", "ana", "must look like ana=@ana:example.org"),
        (ChatWebhook, "TOCSIN_CHAT_WEBHOOK_URL", "http://chat.example.org/hooks/hunter2", "must begin with https://"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(
    group: type[Vendor], variable: str, value: str, rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence with the variable and the rule, and nothing that is secret."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as told:
        vendor_settings(group)

    assert f"{variable}: {rule}" in str(told.value)
    assert "hunter2" not in str(told.value)


def test_a_webhooks_address_may_come_from_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a credential like any other, and does not show."""

    assert {"TOCSIN_CHAT_WEBHOOK_URL_FILE", "TOCSIN_CHAT_WEBHOOK_STAKEHOLDERS_URL_FILE", "TOCSIN_SLACK_SIGNING_SECRET_FILE"} <= {
        *ChatWebhook.variables(),
        *SlackCommands.variables(),
    }
    assert "hunter2" not in repr(vendor_settings(ChatWebhook))


def test_matrix_is_listened_to_where_the_door_is_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """The accounts that are asked into rooms are those that may command; one without a sign-in may be given groups."""

    assert matrix_in_force() is None

    monkeypatch.setenv("TOCSIN_MATRIX_COMMANDS", "true")
    monkeypatch.setenv("TOCSIN_MATRIX_PEOPLE", "ana=@ana:example.org,ben=@ben:example.org")
    monkeypatch.setenv("TOCSIN_MATRIX_GROUPS", '{"ben": ["sre"]}')
    door = matrix_in_force()

    assert door is not None
    assert {"@ana:example.org": Known("ana"), "@ben:example.org": Known("ben", ("sre",))} == door.people


@pytest.mark.parametrize(
    ("people", "groups", "told"),
    [
        ("monitoring=@x:example.org", "{}", "is no name under which somebody can act"),
        ("ana=@x:example.org,ben=@x:example.org", "{}", "is there for 'ana' and 'ben'"),
        ("ana=@x:example.org", '{"ben": ["sre"]}', "ben is not in TOCSIN_MATRIX_PEOPLE"),
        ("ana=@x:example.org", '["sre"]', "must be JSON like"),
    ],
)
def test_a_mistake_in_who_is_who_stops_the_door(monkeypatch: pytest.MonkeyPatch, people: str, groups: str, told: str) -> None:
    """Nobody acts under a doubtful name."""
    monkeypatch.setenv("TOCSIN_MATRIX_COMMANDS", "1")
    monkeypatch.setenv("TOCSIN_MATRIX_PEOPLE", people)
    monkeypatch.setenv("TOCSIN_MATRIX_GROUPS", groups)
    with pytest.raises(SettingsError, match=told):
        matrix_in_force()
