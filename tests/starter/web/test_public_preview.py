"""The preview of an external update says what the public page will say, letter by letter."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from incident.effects import Delivery, Publish
from integrations.ledger import Ledger
from integrations.statuspage.embedded import EmbeddedStatusPage
from integrations.statuspage.published import ComponentRule, Layout
from starter.api import Door, create_app
from starter.live import Rooms
from starter.web import public_preview
from starter.web.status_page import PublicSite
from tests.starter.test_api import HERE
from tests.starter.web.memory import MemoryDesk

AT = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)

LAYOUT = Layout(name="Example", components=(ComponentRule(name="Checkout", services=("checkout-api",)), ComponentRule(name="Search")))

HOSTILE = "Payments \N{RIGHT-TO-LEFT OVERRIDE}fail\N{LEFT-TO-RIGHT ISOLATE} <b>now</b>\N{ZERO WIDTH SPACE}"


class Still(datetime):
    """A clock that stands, so that two looks are at the same moment."""

    @classmethod
    def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]  # the one moment of these tests
        return AT


class StillDesk(MemoryDesk):
    """A desk at that moment."""

    @property
    def now(self) -> datetime:
        return AT


class House:
    """A door with the embedded public page behind it, on a ledger in memory."""

    def __init__(self, desk: MemoryDesk, http: httpx2.AsyncClient, page: EmbeddedStatusPage) -> None:
        self.desk = desk
        self.http = http
        self._page = page

    async def publish(self, incident: str) -> None:
        """Deliver what the incident has in its outbox for the public, as the pump would."""
        known = self.desk.incidents[incident]
        for effect in known.outbox:
            if isinstance(effect.ask, Publish):
                await self._page.publish(Delivery(incident=incident, key=effect.key, at=AT, drill=known.drill, ask=effect.ask))


@pytest.fixture
async def house(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[House]:
    monkeypatch.setattr(public_preview, "datetime", Still)
    ledger = Ledger(tmp_path / "embedded.db", clock=lambda: AT)
    page = EmbeddedStatusPage(ledger, layout=LAYOUT)
    desk = await StillDesk.made()
    site = PublicSite(page, LAYOUT, url="https://status.example.org", clock=iter(range(0, 100_000, 10)).__next__)
    app = create_app(desk, Door(user="ana", version="0", public=site), rooms=Rooms(desk, desk.history))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app, raise_app_exceptions=False), base_url=HERE) as http:
        yield House(desk, http, page)
    await ledger.close()


async def opened(house: House, **fields: Any) -> str:
    about = {"by": "ana", "title": "Checkout fails in Europe", "severity": "SEV1", "services": ["checkout-api"], "customer_facing": True}
    return str((await house.desk.open({**about, **fields}))["incident"])


def said(page: str) -> list[str]:
    """The parts of a page that speak of what is going on: the banner, the incident, and its component's state."""
    banner = re.findall(r'<p class="banner.*?</p>', page, re.DOTALL)
    incident = re.findall(r'<article class="card incident.*?</article>', page, re.DOTALL)
    component = re.findall(r'<div><span class="name" dir="auto">Checkout</span>.*?</div>', page, re.DOTALL)
    return [" ".join(part.split()) for part in (*banner, *incident, *component)]


@pytest.mark.parametrize("status", ["", "investigating", "identified"])
@pytest.mark.parametrize("text", ["We are looking into it.", HOSTILE, "مرحبا\n\nsecond line"])
async def test_the_page_says_what_the_preview_said(house: House, status: str, text: str) -> None:
    """Title, components, banner, status word and promise of the next update: the same markup before and after it is published."""
    incident = await opened(house, title=f"Checkout fails {HOSTILE}")
    typed = {"text": text, "status": status}
    preview = (await house.http.post(f"/incidents/{incident}/preview", data=typed)).text
    update = {"by": "ana", "audience": "external", "text": text, **({"status": status} if status else {})}
    await house.desk.command(incident, "post_update", update)
    await house.publish(incident)
    page = (await house.http.get("/status")).text

    assert len(said(page)) == 3
    assert said(preview) == said(page)
    assert f"<strong>{(status or 'investigating').capitalize()}</strong>" in preview
    assert "Major outage" in preview


async def test_without_scripts_the_preview_stands_before_posting(house: House) -> None:
    """The first press shows it; the second posts, with the very words."""
    incident = await opened(house)
    fields = {"audience": "external", "text": "We are looking into it.", "status": ""}
    answer = await house.http.post(f"/incidents/{incident}/do/post_update", data=fields)

    assert "Not posted yet." in answer.text
    assert said(answer.text) == said((await house.http.post(f"/incidents/{incident}/preview", data=fields)).text)
    assert [verb for verb, _ in house.desk.asked] == []


async def test_a_drill_and_a_private_incident_say_that_the_public_reads_nothing(house: House) -> None:
    """A drill shows how it would read and that it does not; for a private one the refusal comes before it is asked."""
    drill = await opened(house, drill=True)
    private = await opened(house, private=True)
    of_drill = (await house.http.post(f"/incidents/{drill}/preview", data={"text": "We are on it."})).text
    of_private = (await house.http.post(f"/incidents/{private}/preview", data={"text": "We are on it."})).text
    await house.desk.command(drill, "post_update", {"by": "ana", "audience": "external", "text": "We are on it."})
    await house.publish(drill)

    assert "This is a drill, and does not reach the public." in of_drill
    assert "It would be refused:" in of_private
    assert "private" in of_private
    assert "We are on it." not in (await house.http.get("/status")).text


async def test_programs_can_look_ahead_as_well(house: House) -> None:
    """The API tells the title, the components, the status word and the next update, or the refusal; nothing is posted."""
    incident = await opened(house)
    told = (await house.http.post(f"/api/v1/incidents/{incident}/preview", json={"text": "We are on it."})).json()
    private = await opened(house, private=True)
    refused = (await house.http.post(f"/api/v1/incidents/{private}/preview", json={"text": "We are on it."})).json()
    wrong = await house.http.post(f"/api/v1/incidents/{incident}/preview", json={"text": ""})

    assert (told["title"], told["status"], told["reaches_the_public"]) == ("Checkout fails in Europe", "investigating", True)
    assert told["components"] == [{"name": "Checkout", "status": "major_outage"}]
    assert told["next_update_by"]
    assert (refused["reaches_the_public"], refused["refusal"]["code"]) == (False, "not-permitted")
    assert wrong.status_code == 422
    assert "external_update" not in [event.kind for event in house.desk.entries[incident]]
