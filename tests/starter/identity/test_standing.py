"""What each role is told before it presses: who may only read, what opens for whom, and that a refusal is on record all the same."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from integrations.ledger import Ledger
from starter import audit
from starter.api import Door, create_app
from starter.identity.store import Store
from starter.live import Rooms
from starter.reading import Reading
from tests.starter.identity.doors import HERE, PAGE, behind_a_proxy
from tests.starter.web.memory import MemoryDesk

GROUPS = {"everybody": ["viewer"], "sre": ["responder"], "leads": ["commander"], "auditors": ["auditor"]}


class Office:
    """A door behind a proxy, on incidents in memory."""

    def __init__(self, desk: MemoryDesk, ledger: Ledger) -> None:
        self.desk = desk
        door = Door(user="tocsin", version="0", arrangement=behind_a_proxy(roles=GROUPS), identity=Store(ledger))
        self._app = create_app(desk, door, rooms=Rooms(desk, desk.history))

    def as_(self, name: str, group: str) -> httpx2.AsyncClient:
        """A browser whose person the proxy names."""
        transport = httpx2.ASGITransport(self._app, raise_app_exceptions=False, client=("10.0.0.5", 50_000))
        headers = {**PAGE, "X-Forwarded-User": name, "X-Forwarded-Groups": group}
        return httpx2.AsyncClient(transport=transport, base_url=HERE, headers=headers)

    @property
    def routes(self) -> list[Any]:
        return list(self._app.routes)

    async def opened(self) -> str:
        state = await self.desk.open({"by": "dana", "title": "Checkout fails", "severity": "SEV2", "customer_facing": True})
        return str(state["incident"])

    def refusals(self, incident: str) -> list[str]:
        return [event.text for event in self.desk.entries[incident] if event.kind == "refused"]


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    ledger = Ledger(tmp_path / "embedded.db")
    yield Office(await MemoryDesk.made(), ledger)
    await ledger.close()


def reading(page: str) -> str | None:
    """What the strip for readers says; None without one."""
    found = re.search(r'id="reading">(.*?)</p>', page, re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", "", found[1]).split()) if found else None


@pytest.mark.parametrize("group", ["everybody", "auditors"])
async def test_who_may_only_read_is_told_so_on_every_page(office: Office, group: str) -> None:
    """With which role they read, which one acting needs, and whom to ask: before they press anything."""
    incident = await office.opened()
    async with office.as_("vera", group) as browser:
        pages = [(await browser.get(path)).text for path in ("/", "/declare", f"/incidents/{incident}", "/actions", "/analytics")]
    said = {reading(page) for page in pages}

    assert None not in said
    role = GROUPS[group][0]
    assert all(
        f"You read as {role}. To act you need the role responder, commander, communications or admin: ask " in str(each) for each in said
    )


@pytest.mark.parametrize("group", ["sre", "leads"])
async def test_who_may_act_is_told_nothing(office: Office, group: str) -> None:
    """The first screen is for the incident."""
    incident = await office.opened()
    async with office.as_("ana", group) as browser:
        page = (await browser.get(f"/incidents/{incident}")).text

    assert reading(page) is None


async def test_a_reader_with_a_role_in_the_incident_may_act_there(office: Office) -> None:
    """Its commander has asked them in; elsewhere they read as before."""
    incident, other = await office.opened(), await office.opened()
    await office.desk.command(incident, "assign", {"by": "dana", "role": "commander", "person": "priya"})
    async with office.as_("vera", "everybody") as browser:
        before = (await browser.get(f"/incidents/{incident}")).text
        await office.desk.command(incident, "assign", {"by": "priya", "role": "scribe", "person": "vera"})
        here, elsewhere = [(await browser.get(f"/incidents/{each}")).text for each in (incident, other)]

    assert "ask priya, who commands here, or an administrator" in str(reading(before))
    assert reading(here) is None
    assert reading(elsewhere) is not None


async def test_every_button_can_be_pressed_and_the_refusal_is_on_record(office: Office) -> None:
    """Nothing is disabled for a reader; what they ask for is refused in full, with whom to ask, and the timeline says so."""
    incident = await office.opened()
    async with office.as_("vera", "everybody") as browser:
        page = (await browser.get(f"/incidents/{incident}")).text
        refused = await browser.post(f"/incidents/{incident}/do/acknowledge", data={"key": "one press"})
        again = await browser.post(f"/incidents/{incident}/do/acknowledge", data={"key": "one press"})

    assert " disabled" not in page
    assert (refused.status_code, again.status_code) == (409, 409)
    assert "vera has viewer; acknowledge needs responder, commander, communications or admin." in refused.text
    assert "Ask somebody with the role" in refused.text
    assert len(office.refusals(incident)) == 1


async def test_a_form_says_which_role_it_needs_where_one_lacks_it(office: Office) -> None:
    """A responder sees at resolving and at telling the public that these are another's to do; a commander sees nothing of it."""
    incident = await office.opened()
    async with office.as_("ana", "sre") as browser, office.as_("lea", "leads") as other:
        responders, commanders = [(await each.get(f"/incidents/{incident}")).text for each in (browser, other)]
    forms = re.findall(r'<details class="verb" id="do-(\w+)".*?</details>', responders, re.DOTALL)
    needing = [verb for verb in forms if "needs-role" in responders.split(f'id="do-{verb}"')[1].split("</details>")[0]]

    assert {"resolve", "close", "waive", "approve", "give_up_delivery"} == set(needing)
    assert "Needs the role commander, communications or admin" in responders.split('id="audience-hint"')[1].split("</p>")[0]
    assert "needs-role" not in commanders


@pytest.mark.parametrize(("group", "opens"), [("everybody", False), ("sre", False), ("leads", True), ("auditors", True)])
async def test_a_link_that_would_lead_to_a_refusal_says_for_whom_it_opens(office: Office, group: str, opens: bool) -> None:
    """The audit view is linked for those who may see it, on the room and on the post-mortem; others read which role may."""
    incident = await office.opened()
    async with office.as_("vera", group) as browser:
        room = (await browser.get(f"/incidents/{incident}")).text
        postmortem = (await browser.get(f"/incidents/{incident}/postmortem")).text
        audit = await browser.get(f"/incidents/{incident}/audit")
    address = f'href="/incidents/{incident}/audit"'

    assert [address in room, address in postmortem, audit.status_code == 200] == [opens] * 3
    assert ("opens with the role commander, admin or auditor" in room) is not opens
    assert opens or "reading the record with its proof needs commander, admin or auditor" in audit.text


EXAMINED = ("/incidents/{}/audit", "/incidents/{}/audit/download", "/api/v1/incidents/{}/audit")


async def test_whoever_commands_an_incident_takes_its_record_away(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commander by assignment reads the record of what they command, on the page, as a file and from programs; of nothing else."""

    async def exported(_: Reading, incident: str) -> dict[str, str]:
        return {"incident": incident}

    monkeypatch.setattr(audit, "export", exported)  # which would ask Temporal
    mine, other = await office.opened(), await office.opened()
    await office.desk.command(mine, "assign", {"by": "dana", "role": "commander", "person": "vera"})
    await office.desk.command(mine, "assign", {"by": "dana", "role": "scribe", "person": "sam"})
    await office.desk.command(other, "assign", {"by": "dana", "role": "commander", "person": "priya"})
    async with office.as_("vera", "everybody") as browser:
        here = [(await browser.get(path.format(mine))).status_code for path in EXAMINED]
        links = [f'href="/incidents/{mine}/audit"' in (await browser.get(f"/incidents/{mine}{page}")).text for page in ("", "/postmortem")]
        elsewhere = [await browser.get(path.format(other)) for path in EXAMINED]
    async with office.as_("sam", "everybody") as browser:
        of_the_scribe = [(await browser.get(path.format(mine))).status_code for path in EXAMINED]

    assert here == [200, 200, 200]
    assert links == [True, True]
    assert [answer.status_code for answer in elsewhere] == of_the_scribe == [403, 403, 403]
    reason = f"reading the record with its proof needs commander, admin or auditor; so does commanding {other}, as priya does"
    assert all(reason in answer.text for answer in elsewhere)


def addresses(routes: Any) -> Iterator[str]:
    """The address of each route, those of included routers too."""
    for route in routes:
        if isinstance(path := getattr(route, "path", None), str):
            yield path
        yield from addresses(getattr(getattr(route, "original_router", None), "routes", None) or getattr(route, "routes", None) or ())


async def test_no_way_to_a_record_is_without_its_guard(office: Office) -> None:
    """Every address below a record turns a responder away, also one that is added later."""
    incident = await office.opened()
    paths = {path.replace("{incident}", incident) for path in addresses(office.routes) if "/audit" in path}
    async with office.as_("sam", "sre") as browser:
        answers = [(await browser.get(path)).status_code for path in sorted(paths)]

    assert len(paths) >= len(EXAMINED)
    assert set(answers) == {403}


async def test_the_sign_in_page_says_what_one_s_roles_may_do(office: Office) -> None:
    """Nobody has to guess what a role is for."""
    async with office.as_("vera", "everybody,auditors") as browser:
        page = (await browser.get("/login")).text

    assert "reads everything but the exported record" in page
    assert "reads everything, and exports the record" in page


async def test_the_menu_leads_to_the_sign_in_and_the_tokens(office: Office) -> None:
    """Without a script, and so on a phone: the menu is a part of every page."""
    async with office.as_("vera", "everybody") as browser:
        page = (await browser.get("/")).text
    menu = page.split('class="menu"')[1].split("</details>")[0]

    assert [
        address for address in ("/", "/postmortems", "/actions", "/analytics", "/login", "/login/tokens") if f'href="{address}"' not in menu
    ] == []
    assert "vera" in menu
    assert "viewer" in menu
