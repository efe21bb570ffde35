"""What the doctor says of each vendor that says no, is away, or has a proxy's web page before it: which variable to look at."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

from activities.checkup import CheckupActivities
from incident.checkup import Checked, Checkup
from incident.policy import Policy
from integrations.ledger import Ledger
from runtime.settings import load_settings
from worker.wiring import configured_adapters


def _answer(status: str, kind: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


UNAUTHORISED = _answer("401 Unauthorized", "application/json", b'{"message": "no"}')
PAGE = _answer("200 OK", "text/html", b"<html><title>Sign in</title></html>")

CHOSEN: dict[str, tuple[dict[str, str], str, str]] = {
    "slack": ({"chat": "slack"}, "TOCSIN_SLACK_TOKEN", "TOCSIN_SLACK_URL"),
    "matrix": ({"chat": "matrix"}, "TOCSIN_MATRIX_TOKEN", "TOCSIN_MATRIX_URL"),
    "webhook": ({"chat": "webhook"}, "TOCSIN_CHAT_WEBHOOK_URL", "TOCSIN_CHAT_WEBHOOK_URL"),
    "statuspage": ({"statuspage": "statuspage"}, "TOCSIN_STATUSPAGE_KEY", "TOCSIN_STATUSPAGE_URL"),
    "jira": ({"tickets": "jira"}, "TOCSIN_JIRA_TOKEN", "TOCSIN_JIRA_URL"),
    "github": ({"tickets": "github"}, "TOCSIN_GITHUB_TOKEN", "TOCSIN_GITHUB_URL"),
    "roundup": ({"tickets": "roundup"}, "TOCSIN_ROUNDUP_PASSWORD", "TOCSIN_ROUNDUP_URL"),
    "redmine": ({"tickets": "redmine"}, "TOCSIN_REDMINE_KEY", "TOCSIN_REDMINE_URL"),
    "pagerduty": ({"paging": "pagerduty"}, "TOCSIN_PAGERDUTY_ROUTING_KEY", "TOCSIN_PAGERDUTY_URL"),
    "agent": ({"specialist": "agent"}, "TOCSIN_AGENT_KEY", "TOCSIN_AGENT_URL"),
}
"""Each choice with the variable to look at where the vendor says no, and where it is away."""


@asynccontextmanager
async def _vendor(answer: bytes) -> AsyncIterator[str]:
    """Whatever it is asked, it says the same."""

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next((int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
        await reader.readexactly(length)
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(say, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def _environment(url: str) -> dict[str, str]:
    said = {
        **{f"{name}_URL": url for name in ("JIRA", "GITHUB", "ROUNDUP", "REDMINE", "STATUSPAGE", "PAGERDUTY", "MATRIX", "SLACK", "AGENT")},
        **{"JIRA_USER": "bot@example.org", "JIRA_TOKEN": "jira-secret-1", "JIRA_PROJECT": "OPS"},
        **{"GITHUB_TOKEN": "github-secret-1", "GITHUB_REPOSITORY": "acme/ops"},
        **{"ROUNDUP_USER": "bot", "ROUNDUP_PASSWORD": "roundup-secret-1"},
        **{"REDMINE_KEY": "redmine-secret-1", "REDMINE_PROJECT": "ops", "REDMINE_KEY_FIELD": "3"},
        **{"STATUSPAGE_KEY": "statuspage-secret-1", "STATUSPAGE_PAGE": "kctbh9vrtdwd", "PAGERDUTY_ROUTING_KEY": "r" * 32},
        **{"MATRIX_TOKEN": "matrix-secret-1", "SLACK_TOKEN": "xoxb-secret-1", "AGENT_KEY": "agent-secret-1", "AGENT_MODEL": "model"},
        "CHAT_WEBHOOK_URL": f"{url}/hooks/hook-secret-1234",
    }
    return {f"TOCSIN_{name}": value for name, value in said.items()}


async def _looked(name: str, url: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Checked:
    for variable, value in _environment(url).items():
        monkeypatch.setenv(variable, value)
    settings = load_settings(data=folder, **CHOSEN[name][0])
    ledger = Ledger(settings.embedded_url)
    adapters = configured_adapters(settings, ledger, Policy())
    try:
        (checks,) = adapters.checks.values()
        found: Checkup = await ActivityEnvironment().run(CheckupActivities(checks).check)
    finally:
        await adapters.close()
        await ledger.close()
    return found.found[0]


@pytest.mark.parametrize("name", CHOSEN)
async def test_credentials_that_are_refused_name_their_variable(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable with the credentials, no secret, and no advice to run the doctor, who is speaking."""
    async with _vendor(UNAUTHORISED) as url:
        found = await _looked(name, url, tmp_path, monkeypatch)

    assert not found.ok
    assert CHOSEN[name][1] in (found.fix or "")
    assert "401" in found.detail
    assert "tocsin doctor" not in found.detail
    assert "secret" not in f"{found.detail} {found.fix}"


@pytest.mark.parametrize("name", CHOSEN)
async def test_a_vendor_that_is_away_is_no_matter_of_credentials(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is sent to renew a token because a network is down: it is the address that is named."""
    found = await _looked(name, "http://127.0.0.1:1", tmp_path, monkeypatch)

    assert not found.ok
    assert (found.fix or "").startswith("See whether ")
    assert CHOSEN[name][2] in (found.fix or "")


@pytest.mark.parametrize("name", [name for name in CHOSEN if name != "webhook"])
async def test_a_web_page_in_place_of_an_answer_is_not_well(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands before the vendor asks to sign in, with a friendly 200; the look ends with a sentence all the same."""
    async with _vendor(PAGE) as url:
        found = await _looked(name, url, tmp_path, monkeypatch)

    assert not found.ok
    assert found.fix
