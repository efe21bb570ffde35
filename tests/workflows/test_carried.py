"""What the register and alert groups take along into their next run: all that is asked of them later, and no more."""

from __future__ import annotations

import json
import random
import string
from datetime import UTC, datetime
from typing import Any

import pytest
from temporalio import workflow
from temporalio.contrib.pydantic import pydantic_data_converter

from incident import alerts as alerts_module
from incident import lifecycle
from incident.alerts import AlertInput
from incident.flapping import Track
from tests.incident.walk import OPENED, opening_of
from workflows import options, patches
from workflows.alert_group import AlertGroup
from workflows.contract import AlertGroupInput, FollowUpInput, HeldAlert
from workflows.incident import Carried, IncidentInput
from workflows.registry import GroupRecord, Registry, RegistryInput, RegistryState

AT = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)


def test_the_next_run_tells_the_alerts_of_the_newest_groups_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of groups of longer ago it keeps when the newest alert began, and goes by that."""
    monkeypatch.setattr(options, "EPISODES_KEPT", 3)
    knew = {"a": AT, "b": AT}
    closed = GroupRecord(incident="INC-2026-0001", closed_at=AT, episode_at=AT, alerts=knew)
    register = Registry(RegistryInput(state=RegistryState(groups={"older": closed, "newer": closed})))
    register._forget()

    assert {"older": None, "newer": knew} == {group: record.alerts for group, record in register.state.groups.items()}
    assert register.state.groups["older"].episode_at == AT


def test_an_alert_group_forgets_nothing_between_its_runs() -> None:
    """What could not be read, and what went to no incident and why, can still be asked for after a storm."""
    start = AlertGroupInput(
        group="g",
        general_channel="#all",
        incident="INC-2026-0001",
        firing={"a": AT},
        ticketed=True,
        noted=True,
        tracks={"b": Track(starts_at=AT, firing=True, changes=(AT,))},
        joined=True,
        taken=7,
        unreadable=("alert 0: labels: is missing",),
        elsewhere=("Errors (a): by the rules a note",),
    )
    group = AlertGroup(start)

    assert group._carried() == start
    assert group.state()["firing"] == {"a": AT.isoformat(), "b": AT.isoformat()}
    assert group.state()["elsewhere"] == list(start.elsewhere)


def _travels(start: Any) -> tuple[int, Any]:
    """Bytes of the payload that the server has to take, and what the next run reads of it."""
    (payload,) = pydantic_data_converter.payload_converter.to_payloads([start])
    return len(payload.data), pydantic_data_converter.payload_converter.from_payloads([payload], [type(start)])[0]


def _firing(number: int, **texts: str) -> AlertInput:
    labels = {"alertname": "HighErrorRate", "service": "checkout", "instance": f"10.0.{number // 250}.{number % 250}", **texts}
    return AlertInput(labels=labels, annotations={"summary": f"errors on {number}"}, starts_at=AT, fingerprint=f"{number:016x}")


SERVER_WARNS = 256_000
SERVER_TAKES = 2_000_000


def test_what_is_small_travels_as_it_is() -> None:
    """A history can be read, as long as it is no book."""
    (payload,) = pydantic_data_converter.payload_converter.to_payloads([AlertGroupInput(group="g", incident="INC-2026-0001")])

    assert json.loads(payload.data)["incident"] == "INC-2026-0001"


def test_a_group_of_thousands_that_flap_during_planned_work_fits_into_one_payload() -> None:
    """And all of it is there again in the next run."""
    alerts = {f"{number:016x}": alerts_module.compact(_firing(number)) for number in range(3_000)}
    group = AlertGroup(
        AlertGroupInput(
            group="g",
            tracks={name: Track(starts_at=AT, firing=True, changes=(AT,) * 50, count=50, flapping_since=AT) for name in alerts},
            latest=alerts,
            held={name: HeldAlert(alert=alert, until=AT, work="the move") for name, alert in alerts.items()},
        )
    )
    size, read = _travels(group._carried())

    assert size < SERVER_WARNS
    assert read == group._carried()
    assert read.latest == alerts


def test_a_group_of_documents_fits_as_well() -> None:
    """Whatever stands in the labels: what an incident is opened from is kept, the rest is cut."""
    texts = {f"label_{number}": "".join(random.Random(number).choices(string.ascii_letters, k=300)) for number in range(12)}
    noisy = {
        f"{n:016x}": alerts_module.compact(_firing(n, **{name: f"{n}{text}"[::-1] for name, text in texts.items()})) for n in range(2_000)
    }
    held = {name: HeldAlert(alert=alert, until=AT, work="the move") for name, alert in noisy.items()}
    group = AlertGroup(AlertGroupInput(group="g", held=held))
    size, read = _travels(group._carried())

    assert size < SERVER_TAKES
    assert {name: kept.alert.name for name, kept in read.held.items()} == dict.fromkeys(noisy, "HighErrorRate")


def test_the_register_takes_along_what_waits_in_a_storm() -> None:
    state = RegistryState(waiting={f"INC-2026-{number:04}": [_firing(alert) for alert in range(100)] for number in range(20)})
    size, read = _travels(RegistryInput(state=state))

    assert size < SERVER_WARNS
    assert read.state == state


@pytest.mark.parametrize(("each", "few"), [(10, True), (200, False)])
def test_the_register_goes_on_in_a_new_run_once_few_enough_wait(monkeypatch: pytest.MonkeyPatch, each: int, few: bool) -> None:
    """More than that are told to their incidents first, however long the history grows meanwhile."""
    monkeypatch.setattr(workflow, "patched", lambda patch: patch == patches.BOUNDED_HANDOVERS)
    waiting = {f"INC-2026-{number:04}": [_firing(alert) for alert in range(each)] for number in range(20)}

    assert Registry(RegistryInput(state=RegistryState(waiting=waiting)))._too_many_wait() is not few


def test_an_incident_of_thousands_of_alerts_fits_into_one_payload() -> None:
    """Twenty thousand of a usual night, in each of the two shapes in which a state is handed on."""
    incident, events = lifecycle.opening(opening_of(), OPENED)
    alerts = {f"{number:016x}": _firing(number).alert() for number in range(20_000)}
    incident = incident.model_copy(update={"alerts": alerts})
    for start in (IncidentInput(carried=Carried(incident=incident, timeline=events)), FollowUpInput(incident=incident)):
        size, read = _travels(start)

        assert size < SERVER_TAKES
        assert read == start
