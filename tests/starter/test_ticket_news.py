# ruff: noqa: SIM300 - the house writes what is expected first
"""Trackers that tell at once: a ticket that is closed there reaches its incident, signed, and nothing else does."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any, cast

import httpx2
import pytest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from incident.drift import ReadBack, TicketShown
from integrations.deliveries import mark
from starter.api import Door, create_app
from starter.live import Rooms
from starter.webhook_keys import keyring_from
from tests.starter.desks import FakeDesk
from tests.starter.test_api import Delivered, no_history

HERE = "http://127.0.0.1:8700"
SECRET = "a-secret-of-the-trackers"
INCIDENT = "INC-2026-0007"
MARK = mark(INCIDENT, "AI-1")


class Temporal:
    """Takes signals for the workflows that run; everything else is not found."""

    def __init__(self, *running: str) -> None:
        self.running = running
        self.told: list[tuple[str, str, ReadBack]] = []

    def get_workflow_handle(self, id: str) -> Handle:
        return Handle(self, id)


class Handle:
    def __init__(self, temporal: Temporal, id: str) -> None:
        self.temporal, self.id = temporal, id

    async def signal(self, name: str, payload: Any) -> None:
        if self.id not in self.temporal.running:
            raise RPCError("workflow not found", RPCStatusCode.NOT_FOUND, b"")
        self.temporal.told.append((self.id, name, ReadBack.read(payload)))


async def posted(
    temporal: Temporal, vendor: str, body: dict[str, Any], *, secret: str = SECRET, repository: str = "Acme/ops"
) -> httpx2.Response:
    keys = keyring_from({vendor: {"hmac": {"secret": SECRET}}}, lambda _: None, trusting=False)
    desk = FakeDesk(cast(Client, temporal))
    app = create_app(desk, Door(user="ana", version="0", keyring=keys, repository=repository), Delivered(), rooms=Rooms(desk, no_history))
    raw = json.dumps(body).encode()
    header = {"github": "X-Hub-Signature-256", "jira": "X-Hub-Signature"}[vendor]
    signed = {header: "sha256=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()}
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app, raise_app_exceptions=False), base_url=HERE) as http:
        return await http.post(f"/webhooks/{vendor}", content=raw, headers=signed)


def github(action: str = "closed", **issue: Any) -> dict[str, Any]:
    plain = {"number": 12, "state": "closed", "body": f"Owner: ana\n\nDo it\n\n<!-- {MARK} -->", "labels": []}
    return {"action": action, "issue": plain | issue, "repository": {"full_name": "acme/ops"}}


def jira(category: str = "done", event: str = "jira:issue_updated", labels: Any = ("tocsin", MARK), key: str = "OPS-7") -> dict[str, Any]:
    fields = {"labels": list(labels), "status": {"name": "x", "statusCategory": {"key": category}}}
    return {"webhookEvent": event, "issue": {"key": key, "fields": fields}}


@pytest.mark.parametrize(
    ("vendor", "body", "system", "ticket", "state"),
    [
        ("github", github(), "GitHub", "#12", "closed"),
        ("github", github("reopened", state="open"), "GitHub", "#12", "open"),
        ("github", github("deleted"), "GitHub", "#12", "gone"),
        ("jira", jira(), "Jira", "OPS-7", "closed"),
        ("jira", jira("indeterminate"), "Jira", "OPS-7", "open"),
        ("jira", jira(event="jira:issue_deleted"), "Jira", "OPS-7", "gone"),
    ],
)
async def test_what_happened_to_a_ticket_reaches_its_incident(
    vendor: str, body: dict[str, Any], system: str, ticket: str, state: str
) -> None:
    """As reading back would find it some minutes later, in the same words."""
    temporal = Temporal(INCIDENT)
    answer = await posted(temporal, vendor, body)

    shown = ReadBack(system=system, tickets=(TicketShown.model_validate({"ticket": ticket, "state": state}),))
    assert (200, {"told": [INCIDENT]}) == (answer.status_code, answer.json())
    assert [(INCIDENT, "read_back", shown)] == temporal.told


async def test_the_follow_up_of_a_closed_incident_hears_of_it() -> None:
    """Most action items are done after the incident is closed."""
    temporal = Temporal(f"{INCIDENT}/follow-up")
    await posted(temporal, "github", github())

    assert [f"{INCIDENT}/follow-up"] == [id for id, _, _ in temporal.told]


async def test_an_incident_that_is_over_is_no_failure() -> None:
    """A tracker switches a webhook off that fails for long."""
    answer = await posted(Temporal(), "jira", jira())

    assert (200, True) == (answer.status_code, "ignored" in answer.json())


@pytest.mark.parametrize(
    ("vendor", "body"),
    [
        ("github", {"zen": "Keep it logically awesome.", "hook_id": 1}),
        ("github", github("labeled")),
        ("github", github(body="a ticket of somebody else's")),
        ("github", github(body=None)),
        ("github", github(number="12")),
        ("github", github(pull_request={})),
        ("github", github(body="<\u200b!-- " + MARK + " -->")),
        ("github", {"action": "closed", "issue": []}),
        ("jira", jira(labels=("tocsin",))),
        ("jira", jira(labels=(7, None))),
        ("jira", jira(event="jira:issue_created")),
        ("jira", jira(key="../x")),
        ("jira", {"webhookEvent": "jira:issue_updated"}),
    ],
)
async def test_what_is_about_no_ticket_of_ours_is_taken_and_changes_nothing(vendor: str, body: dict[str, Any]) -> None:
    """A tracker posts all that happens in it; a mark that foreign text imitates is none."""
    temporal = Temporal(INCIDENT)
    answer = await posted(temporal, vendor, body)

    assert (200, True) == (answer.status_code, "ignored" in answer.json())
    assert [] == temporal.told


async def test_an_issue_of_another_repository_is_not_ours() -> None:
    """An organisation's webhook posts of all its repositories: an issue that was transferred has our mark, and another's number."""
    temporal = Temporal(INCIDENT)
    answers = [await posted(temporal, "github", github() | {"repository": at}) for at in ({"full_name": "acme/other"}, {}, None)]
    unknown = await posted(temporal, "github", github(), repository="")

    assert [True, True, True] == ["ignored" in answer.json() for answer in answers]
    assert {"told": [INCIDENT]} == unknown.json()
    assert 1 == len(temporal.told)


@pytest.mark.parametrize(("vendor", "body"), [("github", github()), ("jira", jira())])
async def test_a_post_that_is_not_signed_closes_nothing(vendor: str, body: dict[str, Any]) -> None:
    """Nobody else says what is done."""
    temporal = Temporal(INCIDENT)
    answer = await posted(temporal, vendor, body, secret="somebody-elses-secret")

    assert (401, []) == (answer.status_code, temporal.told)
