# ruff: noqa: SIM300 - the house writes what is expected first
"""`tocsin up` and a real Roundup: tickets both ways, through an outage, and what the doctor says of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from incident.effects import Port
from tests.harness import eventually
from tests.integrations import roundup_server
from tests.integrations.roundup_server import PASSWORD, USER, Roundup
from tests.server.house import House

pytestmark = pytest.mark.server


@pytest.fixture
async def roundup(tmp_path: Path) -> AsyncIterator[Roundup]:
    async with roundup_server.running(tmp_path) as server:
        yield server


@pytest.fixture
async def http(roundup: Roundup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx2.AsyncClient]:
    """The doors of a house whose tickets go to the tracker, which is read back every ten seconds."""
    password = tmp_path / "password"
    password.write_text(f"{PASSWORD}\n")
    settings = {"URL": roundup.url, "USER": USER, "PASSWORD_FILE": str(password)}
    for name, value in settings.items():
        monkeypatch.setenv(f"TOCSIN_ROUNDUP_{name}", value)
    monkeypatch.setenv("TOCSIN_TICKETS", "roundup")
    monkeypatch.setenv("TOCSIN_READ_BACK_EVERY", "10")
    house = House(tmp_path / "house")
    house.start()
    async with httpx2.AsyncClient(base_url=f"{house.url}/api/v1", timeout=20, trust_env=False) as client:
        yield client
    assert 0 == house.stop()
    secret = [path.name for path in house.folder.rglob("*") if path.is_file() and PASSWORD.encode() in path.read_bytes()]
    assert not secret, f"the tracker's password stands in {secret}"


async def test_a_ticket_goes_out_and_comes_back_done(http: httpx2.AsyncClient, roundup: Roundup) -> None:
    """The item is a ticket at the tracker, closing it there completes it here, a drill's stays at home, and no file holds the password."""
    doctor = (await http.get("/doctor")).json()
    due = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
    item = {"by": "ana", "item": "Limit the retries", "owner": "eva", "due": due}
    ids = []
    for drill in (False, True):
        opened = await http.post("/incidents", json={"by": "ana", "title": "Checkout fails", "severity": "SEV3", "drill": drill})
        ids.append(opened.json()["incident"])
        (await http.post(f"/incidents/{ids[-1]}/add_action_item", json=item)).raise_for_status()

    async def items(id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await http.get(f"/incidents/{id}")).json()["action_items"]
        return found

    async def filed() -> bool:
        return all([(await items(id))[0]["ticket"] for id in ids])

    await eventually(filed, within=30, what="both tickets to be filed")
    tracker = roundup.adapter().http
    issues = (await tracker.call("GET", "/data/issue", params={"@fields": "title"})).data["data"]["collection"]
    embedded = (await http.get("/embedded/tickets")).json()
    change = {"status": "done-cbb"}
    etag = (await tracker.call("GET", "/data/issue/1")).headers["etag"]
    await tracker.call("PUT", "/data/issue/1", json=change, headers={"If-Match": etag})

    async def done() -> bool:
        return bool((await items(ids[0]))[0]["status"] == "done")

    await eventually(done, within=40, what="the action item to be done")

    assert [f"{ids[0]} AI-1: Limit the retries"] == [issue["title"] for issue in issues]
    assert [ids[1]] == [ticket["incident"] for ticket in embedded]
    assert [True] == [check["ok"] for check in doctor["checks"] if check["name"] == f"{Port.TICKETS}: Roundup"]
    assert "Roundup" == (await items(ids[0]))[0]["done_by"]
