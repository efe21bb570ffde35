"""The real thing, in real processes: killed in the middle, started again, and spoken to with Temporal's own tools."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.server.house import House


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    made = House(tmp_path_factory.mktemp("house") / "data")
    made.start()
    yield made
    made.stop()


def _open(house: House, **fields: Any) -> str:
    body = {"by": "ana", "title": "Checkout returns 5xx", "services": ["checkout"], **fields}
    response = house.call("POST", "/api/v1/incidents", body)

    assert response.status_code == 201, response.text
    return str(response.json()["incident"])


def _until(seen: Any, within: float = 40) -> Any:
    deadline = time.monotonic() + within
    while not (found := seen()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.1)
    return found


def _settled(house: House, incident: str) -> dict[str, Any]:
    def quiet() -> dict[str, Any] | None:
        state: dict[str, Any] = house.call("GET", f"/api/v1/incidents/{incident}").json()
        return state if "deliveries" in state and not state["deliveries"]["waiting"] else None

    found: dict[str, Any] = _until(quiet)
    return found


def _story_with_kills(house: House, victims: list[str]) -> None:
    """One story during which each victim is killed in turn; afterwards everything is there, once."""
    incident = _open(house, severity="SEV1", customer_facing=True)
    commands = [
        ("acknowledge", {}),
        ("post_update", {"audience": "external", "text": "We are on it."}),
        ("post_update", {"audience": "internal", "text": "Looking"}),
        ("advance", {"reason": "service first"}),
        ("hypothesize", {"text": "v248"}),
        ("note", {"text": "one"}),
        ("add_action_item", {"item": "limit it", "owner": "eva", "due": "2031-01-01"}),
        ("note", {"text": "two"}),
    ]
    for number, (verb, fields) in enumerate(commands):
        if number < len(victims):
            house.kill(victims[number])
        answer = house.does(incident, verb, **fields)

        assert answer.get("accepted"), answer
    state = _settled(house, incident)
    told = house.told(incident)
    timeline = house.call("GET", f"/api/v1/incidents/{incident}/timeline").json()["timeline"]
    kinds = Counter(entry["kind"] for entry in timeline)

    assert [key for key, count in Counter(told).items() if count > 1] == []
    asked = [entry["data"] for entry in timeline if entry["kind"] in ("delivered", "channel_opened")]
    outward = {f"{incident}:{data['number']}" for data in asked if data["port"] in ("chat", "status", "tickets", "paging")}

    assert outward <= set(told), "something was recorded as delivered and is not there"
    assert kinds["note"] == 2
    assert kinds["acknowledged"] == kinds["external_update"] == kinds["internal_update"] == kinds["action_item_added"] == 1
    assert [entry["seq"] for entry in timeline] == list(range(1, len(timeline) + 1))
    assert state["phase"] == "triage"


@pytest.mark.server
def test_kills_in_the_middle_lose_nothing_and_tell_nothing_twice(house: House) -> None:
    """Worker, server and door are killed in the middle of a story; what was accepted is there, once."""
    _story_with_kills(house, ["worker", "temporal", "http", "worker"])


@pytest.mark.long
@pytest.mark.server
def test_many_kills(house: House) -> None:
    """The same for as many kills as KILLS says."""
    for round_ in range(max(1, int(os.environ.get("KILLS", "200")) // 8)):
        _story_with_kills(house, ["worker", "temporal"] * 4 if round_ % 2 else ["temporal", "worker"] * 4)


POISON: list[tuple[str, ...]] = [
    (),
    ("--input", "7"),
    ("--input", '"text"'),
    ("--input", "[1,2]"),
    ("--input", "null"),
    ("--input", '{"by":"ana"}', "--input", '{"by":"ben"}'),
    ("--input", '{"who":"ana"}'),
    ("--input", '{"by":""}'),
]


@pytest.mark.server
def test_nothing_that_the_stock_command_line_sends_stops_an_incident(house: House) -> None:
    """Every odd message is rejected by name (update) or put on record (signal), and the incident goes on."""
    incident = _open(house)
    for arguments in POISON:
        for name in ("acknowledge", "no_such_command", "alert"):
            sent = house.stock("workflow", "signal", "--workflow-id", incident, "--name", name, *arguments)

            assert sent.returncode == 0, sent.stderr
        updated = house.stock("workflow", "update", "execute", "--workflow-id", incident, "--name", "acknowledge", *arguments)

        assert updated.returncode != 0
        assert "by" in updated.stderr or "JSON object" in updated.stderr, updated.stderr
    unknown = house.stock("workflow", "update", "execute", "--workflow-id", incident, "--name", "dance", "--input", "{}")

    assert "not a command" in unknown.stderr
    house.stock("workflow", "cancel", "--workflow-id", incident)
    accepted = house.stock(
        "workflow", "update", "execute", "--workflow-id", incident, "--name", "acknowledge", "--input", '{"by":"ana"}', "-o", "json"
    )

    assert accepted.returncode == 0, accepted.stderr
    timeline = house.call("GET", f"/api/v1/incidents/{incident}/timeline").json()["timeline"]
    kinds = Counter(entry["kind"] for entry in timeline)

    assert kinds["acknowledged"] == 1
    assert kinds["invalid"] >= len(POISON) * 3
    history = house.stock("workflow", "show", "--workflow-id", incident, "-o", "json")

    assert "WORKFLOW_TASK_FAILED" not in history.stdout
    queried = house.stock("workflow", "query", "--workflow-id", incident, "--type", "state", "-o", "json")

    assert json.loads(queried.stdout)["queryResult"][0]["phase"] == "detection"


@pytest.mark.server
def test_lists_and_search_attributes(house: House) -> None:
    """The stock command line finds incidents by their attributes, and the list works while no worker runs."""
    incident = _open(house, severity="SEV2", services=["search"])

    def found() -> bool:
        listed = house.stock("workflow", "list", "--query", "IncidentService = 'search' AND IncidentSeverity = 'SEV2'", "-o", "json")
        return incident in listed.stdout

    _until(found)
    rows = house.call("GET", "/api/v1/incidents?service=search").json()["incidents"]

    assert [row["incident"] for row in rows] == [incident]
    assert rows[0]["next_due"]


@pytest.mark.server
def test_fifty_commands_at_once(house: House) -> None:
    """Fifty people pressing at once are all answered: the server's limit of ten in flight does not bite."""
    from concurrent.futures import ThreadPoolExecutor

    incident = _open(house, severity="SEV2")
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda number: house.does(incident, "note", text=f"note {number}"), range(50)))

    assert all(answer["accepted"] for answer in answers)
    timeline = house.call("GET", f"/api/v1/incidents/{incident}/timeline").json()["timeline"]

    assert sum(entry["kind"] == "note" for entry in timeline) == 50


@pytest.mark.server
def test_what_the_command_line_says_in_json_is_what_the_interface_describes(house: House, tmp_path: Path) -> None:
    """A script that was written from `/openapi.json` reads every answer of the command line, refusals and mistakes too."""
    described = house.call("GET", "/openapi.json").json()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TOCSIN_URL": house.url, "TOCSIN_USER": "ana"}

    def tocsin(*words: str) -> tuple[int, dict[str, Any]]:
        command = [sys.executable, "-m", "starter.cli", *words, "--json"]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
        assert (done.stdout == "") is (done.returncode != 0), done
        return done.returncode, json.loads(done.stdout or done.stderr)

    incident = tocsin("declare", "Checkout returns 5xx", "--sev", "1", "--service", "checkout")[1]["incident"]
    wrong = []
    for words, code, schema in (
        (("ack", incident), 0, "Accepted"),
        (("show", incident), 0, "State"),
        (("status", incident), 0, "State"),
        (("timeline", incident), 0, "Timeline"),
        (("list",), 0, "Listed"),
        (("whoami",), 0, "Me"),
        (("resolve", incident, "--root-cause", "x", "--fix-applied", "y"), 5, "RefusalDocument"),
        (("show", "INC-2026-9999"), 3, "ProblemDocument"),
    ):
        ended, said = tocsin(*words)
        whole = {"$ref": f"#/components/schemas/{schema}", "components": described["components"]}
        wrong += [f"{words}: exit {ended}"] if ended != code else []
        wrong += [f"{words}: {error.json_path}: {error.message}" for error in Draft202012Validator(whole).iter_errors(said)]

    assert wrong == []


@pytest.mark.server
def test_the_next_up_on_the_same_folder_carries_on(tmp_path: Path) -> None:
    """Stopped and started again, every open incident is there; a second `up` on the folder, or a lost file, is refused."""
    house = House(tmp_path / "data")
    house.start()
    incident = _open(house, severity="SEV1")
    before = _settled(house, incident)

    assert house.stop() == 0
    again = House(tmp_path / "data")
    again.start()
    after = again.call("GET", f"/api/v1/incidents/{incident}").json()

    assert after["title"] == before["title"]
    assert after["seq"] >= before["seq"]
    assert {clock["name"] for clock in after["clocks"]} == {clock["name"] for clock in before["clocks"]}
    second = House(tmp_path / "data")
    with pytest.raises(AssertionError, match="in use by process"):
        second.start()
    again.stop()
    for path in (tmp_path / "data").glob("temporal.db*"):
        path.unlink()
    lost = House(tmp_path / "data")
    with pytest.raises(AssertionError, match="accept-rollback"):
        lost.start()


def test_the_public_reads_an_update_once_it_is_posted(house: House) -> None:
    """From the command to the text of the public page nobody has a hand in it, on the page of the incident and on the first one."""
    incident = _open(house, severity="SEV1", customer_facing=True)
    _settled(house, incident)
    text = "Card payments fail in the EU; we roll back."
    said = house.does(incident, "post_update", audience="external", text=text)
    _until(lambda: text in house.call("GET", "/status").text, within=30)
    summary = house.call("GET", "/status/api/v2/summary.json").text

    assert said["accepted"], said
    assert text in summary


def test_the_doctor_sends_an_alert_through_the_whole_chain(house: House) -> None:
    """A test alert opens an incident that is marked as a drill, its first message is told, and nothing of it is left open."""
    found = house.call("POST", "/api/v1/doctor", {}).json()

    assert found["ok"], found
    assert [check["name"] for check in found["checks"]] == ["test alert", "test incident", "test delivery", "test dismissed"]
    assert house.call("GET", "/api/v1/incidents?drill=true&open=true").json()["incidents"] == []
