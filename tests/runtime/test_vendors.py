# ruff: noqa: SIM300 - the house writes what is expected first
"""A vendor's settings: what is missing is told by its name, and what is secret is never told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import SecretStr

import integrations.http
from integrations.chat.slack import SCOPES
from runtime.chat_vendors import Slack
from runtime.settings import Settings, SettingsError, unknown_variables
from runtime.vendor_group import Vendor, vendor_settings
from runtime.vendors import VENDORS, GitHub, Jira, Redmine, Roundup, Statuspage, vendor_variables

JIRA = {
    "TOCSIN_JIRA_URL": "https://acme.atlassian.net/",
    "TOCSIN_JIRA_USER": "bot@acme.example",
    "TOCSIN_JIRA_TOKEN": "hunter2",
    "TOCSIN_JIRA_PROJECT": "OPS",
}


@pytest.fixture
def jira(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in JIRA.items():
        monkeypatch.setenv(name, value)


def test_a_group_is_read_from_its_variables(jira: None) -> None:
    """Each setting is its vendor's name and its own, and a slash at an address's end changes nothing."""
    settings = vendor_settings(Jira)

    assert ("https://acme.atlassian.net", "OPS", "Task") == (settings.url, settings.project, settings.issue_type)
    assert "hunter2" == settings.token.get_secret_value()


def test_what_is_missing_is_named_with_what_needs_it() -> None:
    """Whoever chooses a vendor and forgets its settings hears of all of them at once, each with what it is."""
    with pytest.raises(SettingsError) as told:
        vendor_settings(GitHub)

    assert (
        "TOCSIN_GITHUB_TOKEN (or TOCSIN_GITHUB_TOKEN_FILE) is needed with TOCSIN_TICKETS=github: "
        "fine-grained personal access token, or an app's installation token; "
        "TOCSIN_GITHUB_REPOSITORY is needed with TOCSIN_TICKETS=github: owner/name of the repository that issues go to"
    ) == str(told.value)


def test_a_secret_may_stand_in_a_file(jira: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A secret that an orchestrator mounts as a file is read from there, without the line's end."""
    (tmp_path / "token").write_text("from-the-file\n")
    monkeypatch.delenv("TOCSIN_JIRA_TOKEN")
    monkeypatch.setenv("TOCSIN_JIRA_TOKEN_FILE", str(tmp_path / "token"))

    assert "from-the-file" == vendor_settings(Jira).token.get_secret_value()


def test_a_secret_that_stands_twice_is_refused(jira: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has to guess which of two tokens counts."""
    monkeypatch.setenv("TOCSIN_JIRA_TOKEN_FILE", "/nowhere")

    with pytest.raises(SettingsError, match="TOCSIN_JIRA_TOKEN and TOCSIN_JIRA_TOKEN_FILE are both set"):
        vendor_settings(Jira)


def test_a_file_that_is_not_there_is_named(jira: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mount that is missing is told by its variable and path."""
    monkeypatch.delenv("TOCSIN_JIRA_TOKEN")
    monkeypatch.setenv("TOCSIN_JIRA_TOKEN_FILE", "/nowhere/token")

    with pytest.raises(SettingsError, match="TOCSIN_JIRA_TOKEN_FILE: /nowhere/token can't be read"):
        vendor_settings(Jira)


@pytest.mark.parametrize(
    ("group", "variable", "value", "rule"),
    [
        (Jira, "TOCSIN_JIRA_URL", "http://acme.atlassian.net", "https://"),
        (Jira, "TOCSIN_JIRA_URL", "https://bot:hunter2@acme.atlassian.net", "without user and password"),
        (Jira, "TOCSIN_JIRA_URL", "acme", "https://host/path"),
        (Jira, "TOCSIN_JIRA_PROJECT", 'OPS" OR 1', "pattern"),
        (Jira, "TOCSIN_JIRA_TOKEN", "", "at least 1"),
        (GitHub, "TOCSIN_GITHUB_REPOSITORY", "acme", "pattern"),
        (Redmine, "TOCSIN_REDMINE_KEY_FIELD", "key", "valid integer"),
        (Roundup, "TOCSIN_ROUNDUP_URL", "ftp://tracker", "https://host/path"),
        (Statuspage, "TOCSIN_STATUSPAGE_COMPONENTS", "checkout", "service=component_id"),
    ],
)
def test_a_bad_setting_is_told_by_its_rule(
    group: type[Vendor], variable: str, value: str, rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bad setting is told by variable and rule, and its value, which may be a secret in the wrong place, is not."""
    monkeypatch.setenv(variable, value)

    with pytest.raises(SettingsError) as told:
        vendor_settings(group)
    sentence = next(each for each in str(told.value).split("; ") if each.startswith(f"{variable}: "))

    assert rule in sentence
    assert "hunter2" not in str(told.value)


def test_a_service_has_its_component(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's own ids stand beside our names of the services."""
    for name, value in {"KEY": "k", "PAGE": "kctbh9vrtdwd", "COMPONENTS": "checkout=8kbf7d35c070, search = vtnh60py4yd7 ,"}.items():
        monkeypatch.setenv(f"TOCSIN_STATUSPAGE_{name}", value)

    assert {"checkout": "8kbf7d35c070", "search": "vtnh60py4yd7"} == vendor_settings(Statuspage).components


def test_every_credential_is_a_secret(jira: None) -> None:
    """A token, password or key never shows in a log line, a traceback or a dump of the settings."""
    plain = [
        variable
        for group in VENDORS
        for name in group.model_fields
        if (variable := group.variable(name)).endswith(("_TOKEN", "_PASSWORD", "_KEY", "_SECRET")) and not group.is_secret(name)
    ]

    assert [] == plain
    assert "hunter2" not in f"{vendor_settings(Jira)!r} {vendor_settings(Jira).model_dump()}"
    assert isinstance(vendor_settings(Jira).token, SecretStr)


def test_a_vendors_variable_is_known(jira: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt vendor variable is noticed as any other is, and a right one raises no doubt."""
    monkeypatch.setenv("TOCSIN_JIRA_TOKN", "x")
    monkeypatch.setenv("TOCSIN_URL", "http://127.0.0.1:8700")

    assert ["TOCSIN_JIRA_TOKN is not a setting; did you mean TOCSIN_JIRA_TOKEN?"] == unknown_variables(vendor_variables())


def test_every_vendor_says_what_its_credentials_need() -> None:
    """Whoever makes a token reads beforehand what it must be allowed, and Slack's list leaves none of the app's scopes out."""
    silent = [group.__name__ for group in VENDORS if not group.permissions]
    said = " ".join(needed for _, needed in Slack.permissions)

    assert [] == silent
    assert [] == sorted(scope for scope in SCOPES if scope not in said)


def test_every_variable_that_an_error_names_is_there() -> None:
    """An error never sends anybody to a setting that Tocsin does not read."""
    known = vendor_variables() | {f"TOCSIN_{name.upper()}" for name in Settings.model_fields}
    texts = [path.read_text(encoding="utf-8") for path in Path(integrations.http.__file__).parent.rglob("*.py")]
    named = {name for text in texts for name in re.findall(r"TOCSIN_[A-Z0-9_]*[A-Z0-9]\b(?!_)", text)}

    assert len(named) > 15
    assert [] == sorted(named - known)
