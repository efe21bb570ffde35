"""Every entry of a record names the history event that it comes from: looked up in incidents of every shape."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHistory

from incident.commands import COMMANDS
from incident.events import KINDS
from starter.origins import VERB_OF, Origin, origins
from tests.workflows.recording import FOLDER

SHAPES = sorted(FOLDER.glob("*/*.history.json"))


def recorded(path: Path) -> tuple[WorkflowHistory, list[dict[str, Any]]]:
    """One run as it was recorded, and the timeline that it held."""
    raw = json.loads(path.read_text())
    timeline: list[dict[str, Any]] = json.loads(path.with_name(path.name.replace(".history.", ".timeline.")).read_text())
    return WorkflowHistory.from_json(raw["workflow_id"], raw["history"]), timeline


def shape(name: str) -> list[Path]:
    return [path for path in SHAPES if path.name.startswith(name)]


@pytest.mark.parametrize("name", ["closed", "mid-flight", "continued", "outage"])
def test_no_entry_is_without_its_event(name: str) -> None:
    """Whatever happened to an incident, over all of its runs, each entry leads to an event that is there."""
    runs = [recorded(path) for path in shape(name)]
    histories = [history for history, _ in runs]
    timeline = runs[-1][1]
    found = origins(histories, timeline)
    events = {(history.run_id, event.event_id) for history in histories for event in history.events}

    assert sorted(found) == [entry["seq"] for entry in timeline]
    assert {(origin.run_id, origin.event_id) for origin in found.values()} <= events


def test_what_people_asked_for_leads_to_what_they_sent() -> None:
    """An auditor who opens the event finds the very request."""
    history, timeline = recorded(shape("closed")[0])
    found = origins([history], timeline)
    asked = [entry for entry in timeline if entry["kind"] in VERB_OF and found[entry["seq"]].type != "ActivityTaskCompleted"]
    names = {entry["kind"]: found[entry["seq"]].name for entry in asked}
    wanted = {kind: name for kind, name in names.items() if name is not None}

    assert wanted == {kind: VERB_OF[kind] for kind in wanted}
    assert {"acknowledged", "resolved", "postmortem_filed", "mitigation_approved"} <= set(wanted)


def test_a_refusal_leads_to_the_request_that_was_refused() -> None:
    """Its answer names no entries, and the event is found all the same."""
    history, timeline = recorded(shape("closed")[0])
    refused = next(entry for entry in timeline if entry["kind"] == "refused")
    origin = origins([history], timeline)[refused["seq"]]

    assert (origin.type, origin.name) == ("WorkflowExecutionUpdateAccepted", refused["data"]["verb"])


def test_clocks_deliveries_and_the_opening_lead_to_what_made_them() -> None:
    """A timer, an activity's end, the start."""
    history, timeline = recorded(shape("closed")[0])
    found = origins([history], timeline)
    types: dict[str, set[str]] = {}
    for entry in timeline:
        types.setdefault(entry["kind"], set()).add(found[entry["seq"]].type)

    assert types["overdue"] == types["reminder"] == {"TimerFired"}
    assert types["delivered"] == {"ActivityTaskCompleted"}
    assert types["opened"] == {"WorkflowExecutionStarted"}


def test_each_delivery_leads_to_the_end_of_its_own_activity() -> None:
    """Two messages that arrive in the same moment are two events, each with what it carried out."""
    history, timeline = recorded(shape("closed")[0])
    found = origins([history], timeline)
    delivered = [entry for entry in timeline if entry["kind"] == "delivered"]

    assert len({found[entry["seq"]].event_id for entry in delivered}) == len(delivered)
    assert [found[entry["seq"]].name for entry in delivered] == [entry["data"]["action"] for entry in delivered]


def test_an_entry_whose_run_is_gone_has_no_origin() -> None:
    """Where the server has let go of a run, nothing is made up."""
    runs = [recorded(path) for path in shape("continued")]
    last, timeline = runs[-1]
    found = origins([last], timeline)

    assert 1 not in found
    assert found[timeline[-1]["seq"]] == Origin(
        last.workflow_id, last.run_id, found[timeline[-1]["seq"]].event_id, found[timeline[-1]["seq"]].type, found[timeline[-1]["seq"]].name
    )


def test_the_words_are_those_of_the_core() -> None:
    """A kind or a verb that is renamed must not make entries lose their events."""
    assert set(VERB_OF) <= set(KINDS)
    assert set(VERB_OF.values()) <= {*COMMANDS, "alert"}
