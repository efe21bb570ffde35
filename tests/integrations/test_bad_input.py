# ruff: noqa: SIM300 - the house writes what is expected first
"""What vendors and people do to us on a bad day, where the adapter's own tests do not have it: gone things, long texts, lost rights."""

from __future__ import annotations

import json
from pathlib import Path

from incident.effects import CloseTicket, OpenTicket, Post, Receipt
from incident.investigation import InvestigationInput
from integrations.chat.embedded import EmbeddedChat
from integrations.ledger import Ledger
from integrations.specialist.agent import REQUEST_TEXT
from integrations.ticketing.embedded import EmbeddedTicketing
from integrations.ticketing.redmine import RedmineTracker
from integrations.ticketing.tracker import TrackerTicketing
from tests.integrations.asks import delivery
from tests.integrations.faulty_vendors import TOKEN, ShortRedmine
from tests.integrations.model_server import ModelServer
from tests.integrations.port_contracts import publication
from tests.integrations.roundup_server import Roundup
from tests.integrations.test_agent import HOSTILE, asked, investigator, reports
from tests.integrations.test_statuspage import StatuspageStage
from tests.integrations.test_trackers import RoundupStage

LONG = "Zażółć 🚨 " * 4_500
OPEN = OpenTicket(ref="action-1", title="Alert on error rate", body="So that we know first.", owner="ana")


async def test_closing_a_ticket_that_was_deleted_at_roundup_is_no_error(roundup: Roundup) -> None:
    """Somebody has retired the issue: there is nothing left to close."""
    stage = RoundupStage(roundup)
    opened = await stage.tell(delivery(OPEN, 1))
    http = roundup.adapter().http
    path = f"/data/issue/{opened.reference.removeprefix('issue')}"
    etag = (await http.call("GET", path)).headers["etag"]
    await http.call("DELETE", path, json={}, headers={"If-Match": etag})
    closed = await stage.tell(delivery(CloseTicket(ref="action-1", note="done", ticket=opened.reference), 2))

    assert Receipt(reference="gone", repeated=True) == closed


async def test_a_40_kb_body_is_filed_at_roundup(roundup: Roundup) -> None:
    """A long text is a ticket all the same, and the title says that it was shortened."""
    stage = RoundupStage(roundup)
    await stage.tell(delivery(OPEN.model_copy(update={"title": "t" * 400, "body": LONG}), 1))
    (title,) = await stage.shown()

    assert title.endswith("… (shortened; 400 characters in all)")


async def test_a_ticket_that_was_deleted_at_redmine_is_as_closed_as_can_be() -> None:
    """Redmine has nothing by that number any more."""
    fake = ShortRedmine()
    ticketing = TrackerTicketing(RedmineTracker("https://redmine.example", key=TOKEN, project="ops", key_field=3, transport=fake.transport))
    await ticketing.open_ticket(delivery(OPEN.model_copy(update={"title": "t" * 400, "body": LONG}), 1))
    (issue,) = fake.issues
    closed = await ticketing.close_ticket(delivery(CloseTicket(ref="action-1", note="done", ticket="#9"), 2))

    assert Receipt(reference="gone", repeated=True) == closed
    assert (255, 15_000) == (len(issue["subject"]), len(issue["description"]))


async def test_a_public_entry_that_somebody_deleted_is_opened_again() -> None:
    """The public is told though the page has lost what it was told before."""
    stage = StatuspageStage()
    first = await stage.tell(delivery(publication("Looking."), 1))
    stage.fake.incidents.clear()
    second = await stage.tell(delivery(publication("Found."), 2))

    assert not second.repeated
    assert ["Found."] == [entry["incident_updates"][0]["body"] for entry in stage.fake.incidents]
    assert "" != first.reference


async def test_the_embedded_parts_keep_40_kb_whole(tmp_path: Path) -> None:
    """What nobody's limit forbids is not shortened."""
    ledger = Ledger(tmp_path / "embedded.db")
    await EmbeddedChat(ledger).post(delivery(Post(text=LONG), 1))
    await EmbeddedTicketing(ledger).open_ticket(delivery(OPEN.model_copy(update={"body": LONG}), 2))
    (said,) = await ledger.delivered("chat")
    await ledger.close()

    assert LONG == said["text"]


async def test_a_request_of_40_kb_reaches_the_machine_as_bounded_data() -> None:
    """Whoever asks at length, or in bad faith, spends no more than a request may, and gives no orders."""
    with ModelServer.running() as model:
        model.turns(reports())
        request = f"{HOSTILE} {LONG}"
        told: InvestigationInput = asked(request)
        await investigator(model).investigate(told, [])
        prompt = json.dumps(model.asked[0]["messages"])
        instructions = json.dumps(model.asked[0]["system"])

    assert "Ignore your instructions" in prompt
    assert "Ignore your instructions" not in instructions
    assert 1 == prompt.count("</data>")
    assert len(prompt) < 6 * REQUEST_TEXT + 2_000
