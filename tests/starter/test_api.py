"""The HTTP door: what each request is answered with, and what each mistake is told as."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from openapi_spec_validator import validate
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

from incident.commands import COMMANDS
from starter import metrics
from starter.api import Door, Kind, create_app
from starter.live import Rooms
from tests.incident.measurements import look, measured_walk
from tests.starter.desks import FakeDesk

HERE = "http://127.0.0.1:8700"


class Delivered:
    """The embedded integrations' read-back, with one message in it."""

    async def delivered(self, kind: Kind) -> list[dict[str, Any]]:
        return [{"incident": "INC-2026-0001", "key": "INC-2026-0001:1", "at": "2026-11-24T03:00:00Z", "to": kind, "text": "hello"}]


async def no_history(_: Client, incident: str) -> AsyncIterator[list[HistoryEvent]]:
    """The history of an incident that has ended: nothing more comes."""
    nothing: list[HistoryEvent] = []
    for event in nothing:
        yield [event]


@pytest.fixture
async def desk() -> FakeDesk:
    return await FakeDesk.made()


@pytest.fixture
async def http(desk: FakeDesk) -> AsyncIterator[httpx2.AsyncClient]:
    app = create_app(desk, Door(user="ana", version="0"), Delivered(), rooms=Rooms(desk, no_history))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app, raise_app_exceptions=False), base_url=HERE) as client:
        yield client


async def opened(http: httpx2.AsyncClient, **fields: Any) -> str:
    answer = await http.post("/api/v1/incidents", json={"by": "ana", "title": "Checkout fails", **fields})
    return str(answer.json()["incident"])


async def test_opening_answers_201_with_the_state_and_where_it_is(http: httpx2.AsyncClient) -> None:
    """An incident is opened over HTTP, and the answer is its state."""
    answer = await http.post("/api/v1/incidents", json={"by": "ana", "title": "Checkout fails", "severity": 1, "services": ["checkout"]})

    assert answer.status_code == 201
    assert answer.headers["location"] == "/api/v1/incidents/INC-2026-0001"
    assert answer.json()["severity"] == "SEV1"
    assert answer.json()["services"] == ["checkout"]


async def test_a_repeat_with_the_same_key_is_the_same_incident(http: httpx2.AsyncClient) -> None:
    """Whoever repeats an opening under its key gets the incident that there is."""
    body = {"by": "ana", "title": "Checkout fails"}
    answers = [await http.post("/api/v1/incidents", json=body, headers={"Idempotency-Key": key}) for key in ("one", '"one"', "two")]

    assert [answer.status_code for answer in answers] == [201, 201, 201]
    assert [answer.json()["incident"] for answer in answers] == ["INC-2026-0001", "INC-2026-0001", "INC-2026-0002"]


async def test_a_severity_that_the_process_does_not_take_is_told_with_the_incident(http: httpx2.AsyncClient, desk: FakeDesk) -> None:
    """An incident whose declaration was refused exists all the same, and the answer says why it is not declared."""
    desk.refuses["open"] = "undocumented"
    answer = await http.post("/api/v1/incidents", json={"by": "ana", "title": "Checkout fails", "severity": "SEV3"})

    assert answer.status_code == 201
    assert answer.json()["phase"] == "detection"
    assert answer.json()["refusal"]["code"] == "undocumented"


async def test_a_severity_that_the_factors_contradict_is_told_with_the_one_they_give(http: httpx2.AsyncClient, desk: FakeDesk) -> None:
    """The answer to a declaration that the factors decided says that the severity which was asked for was refused."""
    desk.refuses["open"], desk.by_factors = "undocumented", True
    body = {"by": "ana", "title": "Checkout fails", "severity": "SEV3", "factors": {"complete_outage": True}}
    answer = await http.post("/api/v1/incidents", json=body)

    assert (answer.status_code, answer.json()["phase"]) == (201, "declaration")
    assert answer.json()["refusal"]["code"] == "undocumented"


async def test_header_and_body_must_name_the_same_key(http: httpx2.AsyncClient) -> None:
    """Two different keys in one request are a mistake, not a choice."""
    incident = await opened(http)
    answer = await http.post(f"/api/v1/incidents/{incident}/note", json={"text": "x", "key": "a"}, headers={"Idempotency-Key": "b"})

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["key"]


async def test_a_command_is_answered_as_the_incident_answers(http: httpx2.AsyncClient, desk: FakeDesk) -> None:
    """An accepted command gives the new timeline entries; its key reaches the incident."""
    incident = await opened(http)
    answer = await http.post(f"/api/v1/incidents/{incident}/acknowledge", json={"by": "ben", "key": "k-1"})

    assert answer.status_code == 200
    assert answer.json()["accepted"] is True
    assert [entry["kind"] for entry in answer.json()["events"]] == ["acknowledge"]
    assert desk.asked == [(incident, "acknowledge", {"by": "ben", "key": "k-1", "via": "api"})]


async def test_no_body_says_nothing_as_an_empty_object_does(http: httpx2.AsyncClient, desk: FakeDesk) -> None:
    """`curl -X POST …/acknowledge` is enough; where something has to be said, its field is named."""
    incident = await opened(http)
    taken = await http.post(f"/api/v1/incidents/{incident}/acknowledge")
    empty = [await http.post(f"/api/v1/incidents/{incident}/note"), await http.post("/api/v1/incidents", content=b" ")]

    assert (taken.status_code, desk.asked[-1][1]) == (200, "acknowledge")
    assert [(answer.status_code, answer.json()["errors"][0]["field"]) for answer in empty] == [(422, "text"), (422, "title")]


async def test_whoever_runs_the_server_acts_where_nobody_is_named(http: httpx2.AsyncClient, desk: FakeDesk) -> None:
    """Without `by`, the user of this machine is meant."""
    incident = await opened(http)
    await http.post(f"/api/v1/incidents/{incident}/acknowledge", json={})

    assert desk.asked[-1][2]["by"] == "ana"


async def test_a_refusal_is_a_409_with_its_whole_detail(http: httpx2.AsyncClient, desk: FakeDesk) -> None:
    """What the process forbids comes back as a problem that says why, and what to do instead."""
    incident = await opened(http)
    desk.refuses["resolve"] = "verification-incomplete"
    answer = await http.post(f"/api/v1/incidents/{incident}/resolve", json={"by": "ana", "root_cause": "a", "fix_applied": "b"})
    problem = answer.json()

    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert (problem["type"], problem["status"], problem["code"]) == ("urn:tocsin:refused", 409, "verification-incomplete")
    assert (problem["incident"], problem["phase"], problem["accepted"]) == (incident, "detection", False)
    assert problem["refusal"]["required_action"] == "Wait full verification period, then resolve again."
    assert problem["refusal"]["message"] in problem["detail"]


@pytest.mark.parametrize(
    ("verb", "body", "field"),
    [
        ("declare", {"severity": "SEV9"}, "severity"),
        ("declare", {"factors": {"workaround": "yes"}}, "factors.workaround"),
        ("assign", {"role": "king", "person": "ana"}, "role"),
        ("note", {"text": ""}, "text"),
        ("note", {"text": "x" * 20_000}, "text"),
        ("note", {"text": "bell \x07"}, "text"),
        ("note", {"text": "half \ud83d"}, "text"),
        ("note", {"text": "x", "colour": "red"}, "colour"),
        ("note", {"text": "x", "by": None}, "by"),
        ("note", {"text": "x", "key": 7}, "key"),
        ("add_action_item", {"item": "x", "owner": "ana", "due": "soon"}, "due"),
        ("schedule_retrospective", {"at": "2026-11-24T10:00:00"}, "at"),
        ("finish_mitigation", {"succeeded": "yes"}, "succeeded"),
        ("note", [], "body"),
    ],
)
async def test_input_of_the_wrong_shape_names_the_field(http: httpx2.AsyncClient, desk: FakeDesk, verb: str, body: Any, field: str) -> None:
    """A mistake in a field is a 422 that names it, and the incident never hears of it."""
    incident = await opened(http)
    answer = await http.post(f"/api/v1/incidents/{incident}/{verb}", content=json.dumps(body), headers={"Content-Type": "application/json"})

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert desk.asked == []


@pytest.mark.parametrize("body", [b"{", b"by=ana", b'{"by": NaN}', b"\xff\xfe", b"[" * 100_000, b'{"n": ' + b"9" * 5_000 + b"}"])
async def test_a_body_that_is_not_json_is_told_so(http: httpx2.AsyncClient, body: bytes) -> None:
    """What can't be read as JSON is a 400 that says where it goes wrong."""
    incident = await opened(http)
    answer = await http.post(f"/api/v1/incidents/{incident}/note", content=body)

    assert answer.status_code == 400
    assert answer.json()["code"] == "not-json"


async def test_a_body_over_the_limit_is_not_read(http: httpx2.AsyncClient) -> None:
    """A megabyte is the most that a command takes; announced or not."""
    incident = await opened(http)

    async def trickle() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield b" " * 100_000

    answers = [await http.post(f"/api/v1/incidents/{incident}/note", content=content) for content in (b" " * 1_000_001, trickle())]

    assert [answer.status_code for answer in answers] == [413, 413]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/v1/incidents/INC-2026-9999", 404, "unknown-incident"),
        ("GET", "/api/v1/incidents/registry", 404, "unknown-incident"),
        ("GET", "/api/v1/incidents/INC-2026-9999/timeline", 404, "unknown-incident"),
        ("GET", "/api/v1/incidents/INC-2026-9999/events", 404, "unknown-incident"),
        ("POST", "/api/v1/incidents/INC-2026-9999/acknowledge", 404, "unknown-incident"),
        ("POST", "/api/v1/incidents/INC-2026-9999/explode", 404, "unknown"),
        ("GET", "/nothing/here", 404, "unknown"),
        ("GET", "/webhooks/alertmanager", 405, "wrong-method"),
        ("DELETE", "/api/v1/incidents/INC-2026-9999", 405, "wrong-method"),
    ],
)
async def test_what_is_not_there_is_told_as_a_problem(http: httpx2.AsyncClient, method: str, path: str, status: int, code: str) -> None:
    """Unknown incidents, verbs and addresses have one shape."""
    answer = await http.request(method, path, content=b"{}" if method == "POST" else None)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == code


@pytest.mark.parametrize(
    "query", ["severity=SEV9", "phase=lunch", "open=perhaps", "drill=2x", "colour=red", "severity=SEV1%27%20OR%20WorkflowType%20!=%20%27x"]
)
async def test_a_filter_that_does_not_exist_is_a_mistake(http: httpx2.AsyncClient, query: str) -> None:
    """A list is never given for a filter that was not understood."""
    answer = await http.get(f"/api/v1/incidents?{query}")

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [query.split("=")[0]]


async def test_the_list_begins_with_what_is_due_first(http: httpx2.AsyncClient, desk: FakeDesk) -> None:
    """Open incidents come by their next clock, then those that owe nothing, newest first, then the closed ones."""
    ids = [await opened(http) for _ in range(5)]
    desk.states[ids[0]]["phase"] = "closed"
    desk.states[ids[3]]["next_due"] = "2026-11-24T04:00:00Z"
    desk.states[ids[4]]["next_due"] = "2026-11-24T03:30:00.5Z"
    answer = await http.get("/api/v1/incidents")

    assert [row["incident"] for row in answer.json()["incidents"]] == [ids[4], ids[3], ids[2], ids[1], ids[0]]


async def test_a_list_can_be_asked_for_one_service_and_for_what_is_open(http: httpx2.AsyncClient, desk: FakeDesk) -> None:
    """Filters narrow the list."""
    checkout, search = await opened(http, services=["checkout", "cart"]), await opened(http, services=["search"])
    desk.states[search]["phase"] = "closed"

    async def listed(query: str) -> list[str]:
        return [row["incident"] for row in (await http.get(f"/api/v1/incidents?{query}")).json()["incidents"]]

    assert await listed("service=cart") == [checkout]
    assert await listed("open=true") == [checkout]
    assert await listed("open=false") == [search]


async def test_while_no_worker_answers_the_last_known_row_is_shown(http: httpx2.AsyncClient, desk: FakeDesk) -> None:
    """A room without a worker is a 503 that still says what is known, and when to ask again."""
    incident = await opened(http)
    desk.working = False
    answer = await http.get(f"/api/v1/incidents/{incident}")

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert (answer.json()["code"], answer.json()["stale"]) == ("no-worker", True)
    assert answer.json()["last_known"]["title"] == "Checkout fails"


async def test_the_timeline_is_given_whole_or_from_an_entry_on(http: httpx2.AsyncClient) -> None:
    """`since` leaves out what the reader has."""
    incident = await opened(http)
    await http.post(f"/api/v1/incidents/{incident}/note", json={"text": "x"})

    async def seqs(query: str = "") -> list[int]:
        return [entry["seq"] for entry in (await http.get(f"/api/v1/incidents/{incident}/timeline{query}")).json()["timeline"]]

    assert await seqs() == [1, 2]
    assert await seqs("?since=1") == [2]


async def test_events_resume_after_the_last_one_seen(http: httpx2.AsyncClient) -> None:
    """A stream that was cut goes on after the `id` that the reader saw last."""
    incident = await opened(http)
    await http.post(f"/api/v1/incidents/{incident}/note", json={"text": "x"})
    whole = await http.get(f"/api/v1/incidents/{incident}/events")
    rest = await http.get(f"/api/v1/incidents/{incident}/events", headers={"Last-Event-ID": "1"})

    assert whole.headers["content-type"].startswith("text/event-stream")
    assert [line for line in whole.text.splitlines() if line.startswith("id:")] == ["id: 1", "id: 2"]
    assert [line for line in rest.text.splitlines() if line.startswith("id:")] == ["id: 2"]
    assert json.loads(rest.text.split("data: ")[1])["kind"] == "note"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "10.0.0.7:8700", "[::2]", "[bad"])
async def test_a_foreign_name_is_turned_away(http: httpx2.AsyncClient, host: str) -> None:
    """A DNS name that somebody pointed at this machine reads nothing here."""
    answer = await http.get("/api/v1/incidents", headers={"Host": host})

    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


@pytest.mark.parametrize("host", ["localhost:8700", "127.0.0.1", "[::1]:8700", "127.8.8.8", "tocsin.localhost"])
async def test_this_machines_own_names_are_let_in(http: httpx2.AsyncClient, host: str) -> None:
    """Every loopback name is this machine."""
    answer = await http.get("/healthz", headers={"Host": host})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 201),
        ({"Sec-Fetch-Site": "none"}, 201),
        ({"Origin": HERE}, 201),
        ({}, 201),
    ],
)
async def test_a_page_of_another_site_changes_nothing(http: httpx2.AsyncClient, headers: dict[str, str], status: int) -> None:
    """Only pages of this door, and programs, may change something; there is no sign-in that would protect it."""
    answer = await http.post("/api/v1/incidents", json={"title": "x"}, headers=headers)

    assert answer.status_code == status


async def test_every_verb_is_described_with_its_fields(http: httpx2.AsyncClient) -> None:
    """`/openapi.json` is valid, and says of each verb what it takes; `by` may be left out."""
    described = (await http.get("/openapi.json")).json()
    validate(described)
    bodies = {
        verb: described["paths"][f"/api/v1/incidents/{{incident}}/{verb}"]["post"]["requestBody"]["content"]["application/json"]["schema"][
            "$ref"
        ]
        for verb in COMMANDS
    }
    schemas = described["components"]["schemas"]

    assert {verb: f"#/components/schemas/{model.__name__}" for verb, model in COMMANDS.items()} == bodies
    assert schemas["Mitigate"]["required"] == ["option", "rationale", "owner", "action", "verification", "rollback_plan"]
    assert "as" in schemas["Dismiss"]["properties"]
    assert {reference.rpartition("/")[2] for reference in re.findall(r'"\$ref": "([^"]+)"', json.dumps(described))} <= set(schemas)
    assert "409" in described["paths"]["/api/v1/incidents/{incident}/resolve"]["post"]["responses"]
    needed = {verb: described["paths"][f"/api/v1/incidents/{{incident}}/{verb}"]["post"]["requestBody"]["required"] for verb in COMMANDS}
    assert [needed["acknowledge"], needed["advance"], needed["note"], needed["resolve"]] == [False, False, True, True]


async def test_the_pages_for_people_name_every_verb_and_fetch_nothing_from_elsewhere(http: httpx2.AsyncClient) -> None:
    """Home says what this is; the interface can be read without a network."""
    home, docs = (await http.get("/")).text, (await http.get("/docs")).text

    assert "tocsin drill" in home
    assert [verb for verb in COMMANDS if f"/{verb}</code>" not in docs] == []
    assert "://" not in home + docs


async def test_readiness_tells_that_temporal_is_missing(http: httpx2.AsyncClient) -> None:
    """The process is up; it is not ready while Temporal can't be reached, and says what to do."""
    health, ready, doctor = [await http.get(path) for path in ("/healthz", "/readyz", "/api/v1/doctor")]

    assert (health.status_code, ready.status_code, doctor.status_code) == (200, 503, 200)
    assert [(check["name"], check["ok"]) for check in ready.json()["checks"]] == [("temporal", False)]
    assert "tocsin up" in ready.json()["checks"][0]["fix"]
    assert doctor.json()["ok"] is False


async def test_what_the_embedded_parts_were_told_can_be_read_back(http: httpx2.AsyncClient) -> None:
    """Each embedded part gives a list; there are four of them."""
    lists = [(await http.get(f"/api/v1/embedded/{kind}")).json() for kind in ("chat", "status", "tickets", "pages")]
    unknown = await http.get("/api/v1/embedded/faxes")

    assert [entry["to"] for entries in lists for entry in entries] == ["chat", "status", "tickets", "pages"]
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown")
    assert "there are chat, status, tickets, pages" in unknown.json()["detail"]


async def test_metrics_count_by_route_and_tell_what_is_open(http: httpx2.AsyncClient, desk: FakeDesk) -> None:
    """Prometheus sees open incidents by severity and phase, overdue ones, and requests by route."""
    incident = await opened(http, severity="SEV1")
    desk.states[incident]["next_due"] = "2020-01-01T00:00:00Z"
    await http.get(f"/api/v1/incidents/{incident}")
    text = (await http.get("/metrics")).text

    assert 'tocsin_incidents_open{drill="false",phase="declaration",severity="SEV1"} 1' in text
    assert 'tocsin_incidents_overdue{drill="false",severity="SEV1"} 1' in text
    assert 'tocsin_http_requests_total{method="GET",route="/api/v1/incidents/{incident}",status="200"} 1' in text
    assert "tocsin_temporal_up 1" in text


async def test_times_are_measured_without_drills_and_false_alarms(http: httpx2.AsyncClient, desk: FakeDesk) -> None:
    """The statistics are about real incidents."""
    for minutes, fields in ((1, {}), (2, {}), (6, {}), (50, {"drill": True}), (50, {"outcome": "false_alarm"})):
        incident = await opened(http, severity="SEV2")
        desk.states[incident] |= {"opened_at": "2026-11-24T03:00:00Z", "acknowledged_at": f"2026-11-24T03:{minutes:02d}:00Z", **fields}
    found = (await http.get("/api/v1/stats")).json()

    assert (found["incidents"], found["drills_left_out"], found["dismissed"]) == (3, 1, 1)
    assert found["by_severity"]["SEV2"]["acknowledge"] == {"measured": 3, "median": 120.0, "p90": 312.0}
    assert found["all"]["resolve"] == {"measured": 0, "median": None, "p90": None}


async def test_alerts_can_be_handed_to_one_incident(http: httpx2.AsyncClient, desk: FakeDesk) -> None:
    """One alert or a list of them goes to the incident as it came."""
    incident = await opened(http)
    one = {"labels": {"alertname": "HighErrorRate"}, "startsAt": "2026-11-24T03:00:00Z"}
    answers = [await http.post(f"/api/v1/incidents/{incident}/alert", json=body) for body in (one, [one, one])]

    assert [answer.status_code for answer in answers] == [202, 202]
    assert desk.alerts == [one, one, one]


async def test_a_measurement_is_a_small_picture(http: httpx2.AsyncClient, desk: FakeDesk) -> None:
    """A query's newest samples are an image that a page can show; one that was not measured is not there."""
    incident = await opened(http)
    walk = measured_walk()
    look(walk, {"error_ratio": (0.01, 0.31, 0.02)})
    desk.models[incident] = walk.incident.model_dump(mode="json")
    picture, nothing = [await http.get(f"/api/v1/incidents/{incident}/picture", params={"query": name}) for name in ("error_ratio", "x")]

    assert (picture.status_code, picture.headers["content-type"]) == (200, "image/svg+xml")
    assert "error_ratio is 0.31" in picture.text
    assert nothing.status_code == 404


def test_a_counter_keeps_all_its_digits() -> None:
    """One request more is seen behind the millionth as well; a rate of what is rounded stands still, and then jumps."""
    lines = [metrics.family("tocsin_x_total", "counter", "X.", {(): value})[-1] for value in (1_234_567, 12_345_678.25, 3.0)]

    assert lines == ["tocsin_x_total 1234567", "tocsin_x_total 12345678.25", "tocsin_x_total 3"]


async def test_what_is_owed_and_what_waits_is_in_the_metrics(http: httpx2.AsyncClient, desk: FakeDesk) -> None:
    """Obligations by clock, how late they are, parked messages and the oldest one's age; what can't be read is counted."""
    incident = await opened(http)
    clock = {"name": "action_item:AI-1", "state": "overdue", "late_by": 90}
    effect = {"port": "chat", "state": "parked", "at": "2020-01-01T00:00:00Z"}
    others = [("internal_update", "running"), ("drift:ticket:AI-1", "running"), ("verification", "paused")]
    desk.states[incident]["clocks"] = [clock, *({"name": name, "state": state} for name, state in others)]
    desk.states[incident]["deliveries"]["waiting"] = [effect, {**effect, "state": "failed_over"}]
    text = (await http.get("/metrics")).text

    assert 'tocsin_obligations{clock="action_item",drill="false",state="overdue"} 1' in text
    assert 'tocsin_obligations{clock="internal_update",drill="false",state="running"} 1' in text
    assert 'tocsin_obligations{clock="drift",drill="false",state="running"} 1' in text
    assert "paused" not in text
    assert 'tocsin_obligation_late_seconds{clock="action_item",drill="false"} 90' in text
    assert 'tocsin_effects_waiting{drill="false",port="chat",state="parked"} 2' in text
    assert "tocsin_incidents_unread 0" in text
    assert "tocsin_workflows_failing 0" in text


async def test_metrics_without_a_worker_say_that_they_know_less(http: httpx2.AsyncClient, desk: FakeDesk) -> None:
    """Lists go on without a worker; what is owed is then not shown as nothing."""
    await opened(http)
    desk.working = False

    assert "tocsin_incidents_unread 1" in (await http.get("/metrics")).text
