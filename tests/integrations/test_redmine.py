# ruff: noqa: SIM300 - the house writes what is expected first
"""Tickets at a real Redmine; `make test-redmine` starts one."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import httpx2
import pytest
from pydantic import SecretStr

from incident.effects import CloseTicket, OpenTicket
from integrations.errors import Rejected, Unauthorized
from integrations.ticketing.tracker import Tracker, TrackerTicketing
from tests.integrations import redmine_server
from tests.integrations.asks import delivery
from tests.integrations.contract import Contract, KnownIssuesContract, Stage, TicketingContract
from tests.integrations.redmine_server import Redmine
from tests.integrations.trackers import TrackerStage

pytestmark = pytest.mark.skipif(os.environ.get("TOCSIN_TEST_REDMINE") != "1", reason="make test-redmine runs a real Redmine")

OPEN = OpenTicket(ref="action-1", title="Alert on error rate", body="So that we know first.", owner="ana")


class RedmineStage(TrackerStage):
    def __init__(self, server: Redmine, prefix: str = "") -> None:
        self.server = server
        super().__init__(httpx2.AsyncHTTPTransport(), prefix)

    def tracker(self, transport: httpx2.AsyncBaseTransport) -> Tracker:
        return self.server.adapter(transport=transport)

    def decisive(self, request: httpx2.Request) -> bool:
        return request.method == "POST" or b'"notes"' in request.content

    async def shown(self) -> list[str]:
        params: dict[str, str | int] = {f"cf_{self.server.field}": f"~tocsin.{self.prefix}", "status_id": "*", "sort": "id", "limit": 100}
        answer = await self.server.adapter().http.call("GET", "/issues.json", params=params)
        return [issue["subject"] for issue in answer.data["issues"]]

    async def again(self) -> Stage:
        return RedmineStage(self.server, self.prefix)


@pytest.fixture(scope="session")
async def redmine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Redmine]:
    async with redmine_server.running(tmp_path_factory.mktemp("redmine")) as server:
        yield server


class TestRedmine(Contract, TicketingContract, KnownIssuesContract):
    @pytest.fixture
    def stage(self, redmine: Redmine) -> Stage:
        return RedmineStage(redmine)


async def test_the_doctor_sees_the_project(redmine: Redmine) -> None:
    """With a right key all is well; with a wrong one the doctor says so, and nobody reads the key."""
    well = await TrackerTicketing(redmine.adapter()).check()
    ill = await TrackerTicketing(redmine.adapter(key=SecretStr("wrong-key"))).check()

    assert (True, f"admin sees project ops at {redmine.url}") == (well.ok, well.detail)
    assert not ill.ok
    assert "wrong-key" not in f"{ill}"
    with pytest.raises(Unauthorized):
        await TrackerTicketing(redmine.adapter(key=SecretStr("wrong-key"))).open_ticket(delivery(OPEN))


async def test_a_field_that_is_no_filter_is_noticed(redmine: Redmine) -> None:
    """A custom field by which Redmine does not search is told before a second ticket is made."""
    await RedmineStage(redmine).tell(delivery(OPEN, 1))

    with pytest.raises(Rejected, match="does not search by custom field"):
        await TrackerTicketing(redmine.adapter(key_field=redmine.unfiltered)).open_ticket(delivery(OPEN, 1, incident="INC-2026-0999"))


async def test_a_ticket_is_read_back(redmine: Redmine) -> None:
    """Open, closed by us, and deleted by somebody: each is seen."""
    stage = RedmineStage(redmine)
    receipts = [await stage.tell(delivery(OPEN.model_copy(update={"ref": f"action-{number}"}), number)) for number in (1, 2, 3)]
    await stage.tell(delivery(CloseTicket(ref="action-2", note="done", ticket=receipts[1].reference), 4))
    await redmine.adapter().http.call("DELETE", f"/issues/{receipts[2].reference.removeprefix('#')}.json")
    seen = await stage.ticketing.read_tickets([receipt.reference for receipt in receipts])

    assert ["open", "closed", "gone"] == [each.state for each in seen]


async def test_a_40_kb_body_is_taken(redmine: Redmine) -> None:
    """A long text with every kind of character is filed, shortened."""
    stage = RedmineStage(redmine)
    receipt = await stage.tell(delivery(OPEN.model_copy(update={"title": "t" * 400, "body": "Zażółć 🚨 " * 8_000}), 1))

    assert receipt.reference.startswith("#")
