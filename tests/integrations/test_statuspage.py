# ruff: noqa: SIM300 - the house writes what is expected first
"""Atlassian Statuspage as its published description has it: one entry an incident, each update once, components as they are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from incident.effects import Delivery, Port, Publish, Receipt
from incident.vocabulary import PublicStatus, Severity
from integrations.errors import IntegrationError, NotFound, Rejected, Unauthorized, Unavailable
from integrations.ports import Published
from integrations.statuspage.statuspage import StatuspageStatus
from tests.integrations.asks import INCIDENT, delivery
from tests.integrations.contract import Contract, Stage
from tests.integrations.spec_transport import SpecTransport, description
from tests.integrations.trackers import FakeVendor, answered
from tests.integrations.wire import Cut, Wire

BASE = "https://api.statuspage.io/v1"
PAGE = "kctbh9vrtdwd"
CHECKOUT, SEARCH, GONE = "8kbf7d35c070", "vtnh60py4yd7", "000000000000"
KEY = SecretStr("s3cr3t-key")


class FakeStatuspage(FakeVendor):
    """A page with two components."""

    def __init__(self) -> None:
        super().__init__()
        self.components = dict.fromkeys((CHECKOUT, SEARCH), "operational")
        self.incidents: list[dict[str, Any]] = []
        self.told: list[str] = []

    def revoked(self) -> httpx2.Response:
        return answered(401, {"error": "Could not authenticate"})

    def answer(self, request: httpx2.Request, body: Any) -> httpx2.Response:
        match request.method, request.url.path.removeprefix(f"/v1/pages/{PAGE}").strip("/").split("/"):
            case "GET", [""]:
                return answered(200, {"id": PAGE, "name": "Acme"})
            case "GET", ["components"]:
                return answered(200, [self._component(id) for id in self.components])
            case "GET", ["incidents", "unresolved"]:
                return answered(200, [self._shown(each) for each in self.incidents if each["status"] != "resolved"])
            case "GET", ["incidents"]:
                page, size = int(request.url.params["page"]), int(request.url.params["limit"])
                return answered(200, [self._shown(each) for each in self.incidents[::-1][(page - 1) * size : page * size]])
            case "POST", ["incidents"]:
                return self._write({"id": f"p31zjtct2j{len(self.incidents):02d}", "incident_updates": [], "components": []}, body, 201)
            case "PATCH", ["incidents", id]:
                return self._write(next(each for each in self.incidents if each["id"] == id), body, 200)
            case _:
                return answered(404, {"error": "not found"})

    def _write(self, entry: dict[str, Any], body: Any, status: int) -> httpx2.Response:
        asked = body["incident"]
        states = asked.get("components", {})
        unknown = [id for id in (*states, *asked.get("component_ids", [])) if id not in self.components]
        if unknown or len(asked["name"]) > 255 or len(asked["body"]) > 25_000:
            return answered(422, {"error": [f"Component {unknown} not found"]})
        self.components |= states
        entry |= {"name": asked["name"], "status": asked["status"], "metadata": asked["metadata"], "impact": asked["impact_override"]}
        entry["components"] = asked.get("component_ids", [])
        entry["incident_updates"].insert(0, {"id": "x", "body": asked["body"], "status": asked["status"]})
        if entry not in self.incidents:
            self.incidents.append(entry)
        self.told.append(asked["body"])
        return answered(status, self._shown(entry))

    def _component(self, id: str) -> dict[str, Any]:
        return {"id": id, "name": id, "status": self.components[id]}

    def _shown(self, entry: dict[str, Any]) -> dict[str, Any]:
        return {**entry, "components": [self._component(id) for id in entry["components"]]}


class StatuspageStage(Stage):
    port = Port.STATUS

    def __init__(self, fake: FakeStatuspage | None = None, components: dict[str, str] | None = None) -> None:
        self.fake = fake or FakeStatuspage()
        path = description("statuspage/statuspage-v1.openapi3.json")
        self.spec = SpecTransport(path, self.fake.transport, base_url=BASE)
        self.wire = Wire(self.spec)
        known = {"checkout": CHECKOUT, "search": SEARCH} if components is None else components
        self.page = StatuspageStatus(BASE, key=KEY, page=PAGE, components=known, transport=self.wire)

    def call(self, action: str) -> Callable[[Delivery], Awaitable[Receipt]]:
        method: Callable[[Delivery], Awaitable[Receipt]] = getattr(self.page, action)
        return method

    async def shown(self) -> list[str]:
        return list(self.fake.told)

    async def again(self) -> Stage:
        return StatuspageStage(self.fake)

    async def lose_an_answer(self) -> None:
        self.wire.fail(Cut.AFTER, wanted=_writes, times=1)

    async def go_down(self, *, retry_after: timedelta | None = None) -> None:
        self.wire.fail(Cut.TOO_MANY, retry_after=None if retry_after is None else int(retry_after.total_seconds()))

    async def refuse(self) -> None:
        self.wire.fail(Cut.REFUSES)

    async def mend(self) -> None:
        self.wire.mend()


def _writes(request: httpx2.Request) -> bool:
    return request.method in ("POST", "PATCH")


class TestStatuspage(Contract):
    @pytest.fixture
    def stage(self) -> Stage:
        return StatuspageStage()


@pytest.fixture
def stage() -> StatuspageStage:
    return StatuspageStage()


def _publication(
    status: str = "investigating", *, body: str = "We are looking into it.", components: tuple[str, ...] = ("checkout",), sev: str = "SEV1"
) -> Publish:
    return Publish(title="Checkout fails", status=PublicStatus(status), severity=Severity(sev), body=body, components=components)


async def test_an_incident_is_one_entry_whose_updates_follow(stage: StatuspageStage) -> None:
    """The public sees one entry from the first word to the last, and the component as bad as the incident, then well."""
    await stage.tell(delivery(_publication(), 1))
    during = dict(stage.fake.components)
    await stage.tell(delivery(_publication("identified", body="It is the database."), 2))
    await stage.tell(delivery(_publication("resolved", body="All is well."), 3))

    assert 1 == len(stage.fake.incidents)
    assert ["We are looking into it.", "It is the database.", "All is well."] == stage.fake.told
    assert {CHECKOUT: "major_outage", SEARCH: "operational"} == during
    assert {CHECKOUT: "operational", SEARCH: "operational"} == stage.fake.components


async def test_a_late_repeat_of_an_earlier_update_is_not_told(stage: StatuspageStage) -> None:
    """An update that was told before the newest one is recognised as well: the public never reads old news as new."""
    await stage.tell(delivery(_publication(), 1))
    await stage.tell(delivery(_publication("identified", body="It is the database."), 2))
    late = await stage.tell(delivery(_publication(), 1))

    assert late.repeated
    assert "It is the database." == stage.fake.told[-1]


async def test_a_reopened_incident_goes_on_in_its_entry(stage: StatuspageStage) -> None:
    """What was resolved and comes back is told where the public has read of it before."""
    await stage.tell(delivery(_publication("resolved", body="All is well."), 1))
    await stage.tell(delivery(_publication("investigating", body="It is back."), 2))

    assert [("investigating", 2)] == [(entry["status"], len(entry["incident_updates"])) for entry in stage.fake.incidents]


async def test_a_component_that_another_incident_holds_is_not_called_well(stage: StatuspageStage) -> None:
    """Two incidents concern checkout; when one is over, checkout stays as bad as the other says."""
    await stage.tell(delivery(_publication(sev="SEV2"), 1))
    await stage.tell(delivery(_publication(), 1, incident="INC-2026-0008"))
    await stage.tell(delivery(_publication("resolved"), 2, incident="INC-2026-0008"))

    assert "major_outage" == stage.fake.components[CHECKOUT]


@pytest.mark.parametrize("earlier", [False, True], ids=["opening", "updating"])
async def test_a_component_that_is_gone_does_not_silence_the_page(earlier: bool) -> None:
    """Somebody has deleted the component at the vendor: the public is told all the same, and the receipt names it."""
    stage = StatuspageStage(components={"checkout": CHECKOUT, "search": GONE})
    if earlier:
        await stage.tell(delivery(_publication(components=()), 1))
    receipt = await stage.tell(delivery(_publication(body="Both fail.", components=("checkout", "search")), 2))
    found = await stage.page.check()

    assert {"components_gone": [GONE]} == receipt.detail
    assert ("Both fail.", "major_outage") == (stage.fake.told[-1], stage.fake.components[CHECKOUT])
    assert not found.ok
    assert f"no component for search ({GONE})" in found.detail
    assert "TOCSIN_STATUSPAGE_COMPONENTS" in (found.fix or "")


async def test_a_service_that_the_page_does_not_know_is_left_out(stage: StatuspageStage) -> None:
    """Not every service has a component that the public knows."""
    await stage.tell(delivery(_publication(components=("billing-cron",)), 1))

    assert ["We are looking into it."] == stage.fake.told
    assert {"operational"} == set(stage.fake.components.values())


async def test_a_40_kb_update_is_shortened_to_what_the_page_takes(stage: StatuspageStage) -> None:
    """A long text is told, shortened, and says so."""
    await stage.tell(delivery(_publication(body="é" * 40_000), 1))

    assert stage.fake.told[0].endswith("… (shortened; 40,000 characters in all)")
    assert 25_000 == len(stage.fake.told[0])


async def test_the_page_is_read_back(stage: StatuspageStage) -> None:
    """What the public reads now can be compared with what the incident has told, also after it is resolved or deleted."""
    nothing = (await stage.page.read_page([INCIDENT]))[INCIDENT]
    await stage.tell(delivery(_publication(), 1))
    first = (await stage.page.read_page([INCIDENT]))[INCIDENT]
    await stage.tell(delivery(_publication("resolved", body="All is well."), 2))
    last = (await stage.page.read_page([INCIDENT]))[INCIDENT]
    stage.fake.components[SEARCH] = "major_outage"

    assert [Published(), Published(status="investigating", body="We are looking into it.")] == [nothing, first]
    assert Published(status="resolved", body="All is well.", operational=("checkout",)) == last


async def test_a_revoked_key_is_named_without_it(stage: StatuspageStage) -> None:
    """Whoever mends it at night reads what is wrong; the key itself is read by nobody."""
    stage.fake.token_revoked = True
    with pytest.raises(Unauthorized) as told:
        await stage.tell(delivery(_publication()))
    found = await stage.page.check()

    assert not found.ok
    assert "Could not authenticate" in str(told.value)
    assert KEY.get_secret_value() not in f"{told.value} {found}"


@pytest.mark.parametrize("cut", list(Cut))
@pytest.mark.parametrize("where", ["reading", "writing"])
async def test_no_bad_line_tells_the_public_twice(stage: StatuspageStage, cut: Cut, where: str) -> None:
    """However and wherever the line fails, it is one of our errors or heals by itself, and the public reads it once."""
    stage.wire.fail(cut, wanted=(lambda request: not _writes(request)) if where == "reading" else _writes, times=2)
    for _ in range(2):
        try:
            await stage.tell(delivery(_publication()))
        except IntegrationError:
            continue
    stage.wire.mend()
    await stage.tell(delivery(_publication()))

    assert ["We are looking into it."] == stage.fake.told


CALLS = [
    ("GET", f"/pages/{PAGE}/incidents/unresolved", "/unresolved"),
    ("GET", f"/pages/{PAGE}/incidents", "/incidents"),
    ("POST", f"/pages/{PAGE}/incidents", "/incidents"),
]
KINDS = {401: Unauthorized, 404: NotFound}


@pytest.mark.parametrize(("method", "path", "ending"), CALLS)
async def test_every_documented_error_is_one_of_ours(stage: StatuspageStage, method: str, path: str, ending: str) -> None:
    """Each status that the vendor documents for each call, and its limit of calls, comes out as the right kind of error."""
    errors = [status for status in stage.spec.description.operation(method, path).statuses if status >= 400]
    for status in [*errors, 420, 429]:
        stage.fake.says[(method, ending)] = answered(status, {"message": "no"})
        with pytest.raises(IntegrationError) as told:
            await stage.tell(delivery(_publication(components=())))

        assert KINDS.get(status, Unavailable if status in (420, 429) else Rejected) is type(told.value)
