# ruff: noqa: SIM300 - the house writes what is expected first
"""PagerDuty's word on our own pages: an acknowledgement there is one here, and nothing goes round in a circle."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from incident.channels import CHANNELS
from integrations.oncall.people import Person, people_from
from integrations.paging.pagerduty_answers import PagerDutyUsers, answer_of
from starter.api import Door, create_app
from starter.live import Rooms
from starter.page_answers import PageAnswerers
from starter.problems import NoWorker
from starter.webhook_keys import keyring_from
from tests.integrations.spec_transport import SpecTransport, description
from tests.starter.desks import FakeDesk
from tests.starter.test_api import Delivered, no_history

HERE = "http://127.0.0.1:8700"
API = "https://api.pagerduty.com"
SECRET, SHARED = "pagerdutys-own-secret", "a-token-that-all-share"
PERSON = {"id": "PJ0LVEB", "type": "user_reference", "summary": "Ana Álvarez", "html_url": "https://acme.pagerduty.example/users/PJ0LVEB"}
SERVICE = {"id": "PA2P440", "type": "service_reference", "summary": "checkout"}


class Rota:
    """The addresses of the rota."""

    def __init__(self) -> None:
        self.people = people_from({"Ana": {"email": "ana@example.org"}})

    async def email_of(self, person: str) -> str | None:
        raise AssertionError("nobody is written to")

    async def name_of(self, email: str) -> str | None:
        found: list[Person] = [person for person in self.people.values() if person.email == email.casefold()]
        return found[0].name if found else None


class Duty:
    """PagerDuty's REST API: two users, and the notes that were written."""

    def __init__(self) -> None:
        self.notes: list[tuple[str, str, str]] = []
        self.status = 200
        self.emails = {"PJ0LVEB": "Ana@example.org", "PBEN": "ben@example.org"}

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if self.status != 200:
            return httpx2.Response(self.status, json={"error": {"message": "no", "code": 2, "errors": [SECRET_TOKEN]}})
        _, kind, id, *_ = request.url.path.split("/")
        if kind == "users":
            if id not in self.emails:
                return httpx2.Response(404, json={"error": {"message": "Not Found", "code": 2100}})
            return httpx2.Response(200, json={"user": {"id": id, "type": "user", "name": "x", "email": self.emails[id]}})
        self.notes.append((id, json.loads(request.content)["note"]["content"], request.headers["from"]))
        return httpx2.Response(200, json={"note": {"id": "N1", "content": "x"}})


SECRET_TOKEN = "y_NbAkKc66ryYTWUXYEu"


class Place:
    def __init__(self, desk: FakeDesk, *, people: dict[str, str] | None = None, api: bool = True) -> None:
        self.desk, self.duty = desk, Duty()
        transport: httpx2.AsyncBaseTransport = httpx2.MockTransport(self.duty)
        if os.environ.get("TOCSIN_SPECS"):
            transport = SpecTransport(description("pagerduty/rest-v2.openapi3.json"), transport, base_url=API)
        users = PagerDutyUsers(API, token=SecretStr(SECRET_TOKEN), transport=transport) if api else None
        tables = {"pagerduty": {"hmac": {"secret": SECRET}, "bearer": SHARED}}
        door = Door(
            user="tocsin",
            version="0",
            keyring=keyring_from(tables, lambda _: None, trusting=False),
            answerers=PageAnswerers(people or {}, Rota(), users),
        )
        self.users = users
        self.app = create_app(desk, door, Delivered(), rooms=Rooms(desk, no_history))
        self.http = httpx2.AsyncClient(transport=httpx2.ASGITransport(self.app, raise_app_exceptions=False), base_url=HERE)

    async def post(self, body: dict[str, Any], *, secret: str | None = SECRET) -> httpx2.Response:
        raw = json.dumps(body).encode()
        signature = hmac.new((secret or "").encode(), raw, hashlib.sha256).hexdigest()
        headers = {"X-PagerDuty-Signature": f"v1={signature}"} if secret else {"Authorization": f"Bearer {SHARED}"}
        return await self.http.post("/webhooks/pagerduty", content=raw, headers=headers)


@pytest.fixture
async def desk() -> FakeDesk:
    desk = await FakeDesk.made()
    await desk.open({"by": "monitoring", "title": "Checkout fails"})
    return desk


@pytest.fixture
async def place(desk: FakeDesk) -> AsyncIterator[Place]:
    place = Place(desk)
    yield place
    await place.http.aclose()


def told(kind: str, agent: Any = PERSON, *, id: str = "01BZYK8N47N5JG55J1EEEHPEJI", **data: Any) -> dict[str, Any]:
    incident = {
        "id": "PQ1K5C8",
        "type": "incident",
        "html_url": "https://acme.pagerduty.example/incidents/PQ1K5C8",
        "status": "acknowledged",
        "title": "presumed SEV1 INC-2026-0001: Checkout fails. Acknowledge now: tocsin ack INC-2026-0001",
        "service": SERVICE,
        "assignees": [PERSON],
        "urgency": "high",
    }
    event = {"id": id, "event_type": f"incident.{kind}", "occurred_at": "2026-11-24T03:02:30.394Z", "agent": agent, "data": incident | data}
    return {"event": event}


async def test_an_acknowledgement_there_is_one_here_by_that_person(place: Place) -> None:
    """Known by their address, which PagerDuty has and the rota has; what they may by that is to acknowledge."""
    answer = await place.post(told("acknowledged"))

    fields = {"by": "Ana", "roles": ["responder"], "via": "webhook", "key": "pagerduty:01BZYK8N47N5JG55J1EEEHPEJI"}
    assert 200 == answer.status_code
    assert [("INC-2026-0001", "acknowledge", fields)] == place.desk.asked
    assert answer.json()["accepted"]


@pytest.mark.parametrize("people", [{"pj0lveb": "ana"}, {"ANA@example.org": "ana"}])
async def test_somebody_may_be_named_by_id_or_by_address(desk: FakeDesk, people: dict[str, str]) -> None:
    """Where PagerDuty's users have other addresses than the rota, the settings say who is who."""
    place = Place(desk, people=people)
    await place.post(told("acknowledged"))

    assert ["ana"] == [asked["by"] for _, _, asked in desk.asked]


async def test_a_page_is_known_by_its_key_where_its_title_was_edited(place: Place) -> None:
    """PagerDuty keeps our key; people there may call the page what they like."""
    await place.post(told("acknowledged", title="Ana looks at it", incident_key="INC-2026-0001:page-1.1"))

    assert ["acknowledge"] == [verb for _, verb, _ in place.desk.asked]


@pytest.mark.parametrize(
    "foreign",
    [
        {"incident_key": "nagios-77", "title": "checkout 5xx again, see INC-2026-0001"},
        {"incident_key": "INC-2026-0001 again", "title": "checkout 5xx"},
        {"incident_key": None, "title": "checkout 5xx again, see SEV1 INC-2026-0001: Checkout fails"},
        {"title": "INC-2026-0001 again: checkout 5xx"},
    ],
)
async def test_an_incident_of_somebody_else_that_names_ours_is_an_alert(place: Place, foreign: dict[str, Any]) -> None:
    """Whoever writes our incident's id into a title of their own loses no alert, and acknowledges nothing of ours."""
    fired = answer_of(told("triggered", None, **foreign))
    await place.post(told("acknowledged", **foreign))

    assert fired is None
    assert [] == place.desk.asked


async def test_a_page_of_ours_under_a_key_that_was_given_it_there_is_no_alert_and_nobody_acts_on_it(place: Place) -> None:
    """Taken for an alert it would open an incident, whose page would open the next; its key does not show that it is ours."""
    regrouped = {"incident_key": "grouped-by-them", "title": "SEV1 INC-2026-0001: Checkout fails. Acknowledge now"}
    fired = answer_of(told("triggered", None, **regrouped))
    await place.post(told("acknowledged", **regrouped))

    assert fired is not None
    assert "acknowledge" not in [verb for _, verb, _ in place.desk.asked]


@pytest.mark.parametrize(
    ("ours", "of"),
    [
        ({"incident_key": "INC-2026-0001:page-2.11", "title": "x"}, "INC-2026-0001"),
        ({"incident_key": "INC-2026-0001:17", "title": "x"}, "INC-2026-0001"),
        ({"incident_key": f"{CHANNELS}:chat@2026-11-24T03:02:30+00:00:1", "title": "chat is still paused"}, CHANNELS),
        ({"incident_key": None, "title": "[DRILL] SEV2 INC-2026-0001: x"}, "INC-2026-0001"),
        ({"incident_key": "", "title": "not declared INC-2026-0001: x"}, "INC-2026-0001"),
        ({"title": "INC-2026-0001: its channel was archived"}, "INC-2026-0001"),
    ],
)
async def test_a_page_of_ours_is_known_by_its_key_or_by_how_it_begins(ours: dict[str, Any], of: str) -> None:
    """Taken for an alert it would open an incident, whose page would open the next."""
    found = answer_of(told("triggered", None, **ours))

    assert found is not None
    assert (of, "other") == (found.incident, found.what)


async def test_an_event_that_comes_again_is_the_same_command(place: Place) -> None:
    """PagerDuty posts again what was not answered in time."""
    for _ in range(2):
        await place.post(told("acknowledged"))

    assert 1 == len({asked["key"] for _, _, asked in place.desk.asked})


async def test_somebody_unknown_acknowledges_nothing_and_it_is_on_record(place: Place) -> None:
    """Nobody acts in a name that nobody has given; the note says who it was and what to do, and paging goes on."""
    await place.post(told("acknowledged", PERSON | {"id": "PNOBODY", "summary": "N. Body"}))
    ((_, verb, asked),) = place.desk.asked

    assert ("note", "PagerDuty") == (verb, asked["by"])
    assert asked["text"].startswith("N. Body has acknowledged the page in PagerDuty, and Tocsin does not know who that is")
    assert "add PNOBODY to TOCSIN_PAGERDUTY_PEOPLE" in asked["text"]


async def test_a_resolve_there_resolves_nothing_here(place: Place) -> None:
    """The process has the only word on when an incident is over: the attempt is a note with the way forward, written there as well."""
    answer = await place.post(told("resolved", assignees=[]))
    ((_, verb, asked),) = place.desk.asked

    assert ("note", "Ana") == (verb, asked["by"])
    assert asked["text"].startswith("Ana has resolved the page in PagerDuty. That ends the page there, and not INC-2026-0001.")
    assert [("PQ1K5C8", asked["text"], "Ana@example.org")] == place.duty.notes
    assert asked["text"] == answer.json()["detail"]


@pytest.mark.parametrize("kind", ["reassigned", "delegated", "escalated"])
async def test_whom_it_asks_now_is_on_record(place: Place, kind: str) -> None:
    """Somebody else has the page: the record says who, and nobody has acknowledged anything."""
    await place.post(told(kind, assignees=[{"id": "PCLEO", "type": "user_reference", "summary": "Cleo"}]))

    assert [("note", f"In PagerDuty, Ana has had the page go to somebody else (incident.{kind}): it asks Cleo now.")] == [
        (verb, asked["text"]) for _, verb, asked in place.desk.asked
    ]


@pytest.mark.parametrize("agent", [None, SERVICE, {"id": "PI", "type": "integration_reference", "summary": "Events API"}])
@pytest.mark.parametrize("kind", ["resolved", "acknowledged", "triggered", "reopened", "annotated"])
async def test_what_no_person_did_ends_here(place: Place, kind: str, agent: Any) -> None:
    """Our own answer comes back as an event; and a page of ours that comes back is no alert, or it would open the next incident."""
    answer = await place.post(told(kind, agent))

    assert (200, True) == (answer.status_code, "ignored" in answer.json())
    assert ([], []) == (place.desk.asked, place.duty.notes)


async def test_only_pagerdutys_signature_acts_in_a_persons_name(place: Place) -> None:
    """A token that other machines have as well is good for alerts; a forged signature is good for nothing."""
    shared = await place.post(told("acknowledged"), secret=None)
    forged = await place.post(told("acknowledged"), secret="somebody-elses-secret")

    assert (200, True) == (shared.status_code, "signature" in shared.json()["ignored"])
    assert 401 == forged.status_code
    assert [] == place.desk.asked


@pytest.mark.parametrize("status", [401, 429, 500])
async def test_without_pagerdutys_word_somebody_who_is_named_by_id_acts_all_the_same(
    desk: FakeDesk, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """An API that is down does not lose an acknowledgement, and its error shows no token."""
    place = Place(desk, people={"PJ0LVEB": "ana"})
    place.duty.status = status
    await place.post(told("acknowledged"))

    assert ["ana"] == [asked["by"] for _, _, asked in desk.asked]
    assert SECRET_TOKEN not in capsys.readouterr().out


async def test_a_door_that_ends_lets_go_of_pagerduty(place: Place) -> None:
    """No connection outlives its door."""
    assert place.users is not None
    async with place.app.router.lifespan_context(place.app):
        while_open = await place.users.address_of("PBEN")

    assert "ben@example.org" == while_open
    with pytest.raises(RuntimeError, match="closed"):
        await place.users.address_of("PBEN")


async def test_an_incident_that_is_not_here_is_no_failure(place: Place) -> None:
    """PagerDuty switches a webhook off that fails for long."""
    answer = await place.post(told("acknowledged", title="SEV1 INC-2025-0099: x"))

    assert (200, {"ignored": "there is no incident INC-2025-0099 here"}) == (answer.status_code, answer.json())


async def test_while_nobody_works_pagerduty_is_asked_to_come_again(place: Place) -> None:
    """An acknowledgement that could not be carried out is not lost: PagerDuty posts it again."""

    async def busy(*_: object) -> dict[str, Any]:
        raise NoWorker("No worker answers.")

    place.desk.command = busy  # type: ignore[method-assign,assignment]  # a worker that is gone
    answer = await place.post(told("acknowledged"))

    assert 503 == answer.status_code


@pytest.mark.parametrize(
    "body",
    [
        {"event": {"event_type": 7, "data": {"title": "INC-2026-0001"}}},
        {"event": {"event_type": "incident.acknowledged", "data": {"title": ["INC-2026-0001"], "incident_key": 3}}},
        {"event": {"event_type": "service.updated", "data": {"title": "INC-2026-0001"}}},
        {"event": "INC-2026-0001"},
        [],
    ],
)
async def test_what_is_no_answer_of_a_page_is_read_as_before(place: Place, body: Any) -> None:
    """Anything of another shape is monitoring's to take or to turn away."""
    answer = await place.post(body)

    assert answer.status_code in (200, 422)
    assert [] == place.desk.asked
