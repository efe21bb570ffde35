"""Every port has an adapter, every effect an activity, and every queue one worker."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from temporalio import activity, workflow

from incident.effects import PORT_OF
from incident.policy import Policy
from incident.vocabulary import Severity
from integrations.ledger import Ledger
from runtime.settings import SettingsError, load_settings
from runtime.temporal import connect
from worker.wiring import activities_by_port, embedded_adapters, load_policy, load_rules, workflow_classes


async def test_every_effect_is_carried_out_on_its_ports_queue(tmp_path: Path) -> None:
    """Nothing that an incident asks for waits on a queue that nobody serves."""
    settings = load_settings(data=tmp_path)
    adapters = embedded_adapters(settings, Ledger(settings.embedded_url), Policy())
    served = activities_by_port(await connect(lazy=True), adapters)
    names = {activity._Definition.must_from_callable(function).name: port for port, functions in served.items() for function in functions}

    assert dict(PORT_OF) == {name: port for name, port in names.items() if name in PORT_OF}


def test_every_workflow_is_served() -> None:
    """A worker carries out all workflows, under the names that others start them by."""
    names = {workflow._Definition.must_from_class(cls).name for cls in workflow_classes()}

    assert {"Incident", "Paging", "Registry", "AlertGroup", "FollowUp", "Archive"} <= names


def test_without_a_policy_file_the_matrix_stays_as_it_is(tmp_path: Path) -> None:
    """An organisation that changes nothing gets the severity matrix as it was laid down."""
    assert Policy() == load_policy(load_settings(data=tmp_path))


def test_a_policy_file_lays_its_rows_over_the_matrix(tmp_path: Path) -> None:
    """What the file names is changed; the rest of the matrix stays."""
    path = tmp_path / "policy.toml"
    path.write_text('[SEV1]\nacknowledge_within = "10m"\n')
    rules = load_policy(load_settings(policy=path)).severities

    assert timedelta(minutes=10) == rules[Severity.SEV1].acknowledge_within
    assert Policy().severities[Severity.SEV2] == rules[Severity.SEV2]


def test_a_mistake_in_the_policy_file_is_told_with_file_row_and_field(tmp_path: Path) -> None:
    """Whoever wrote the file hears which file, which row, which field and which rule."""
    path = tmp_path / "policy.toml"
    path.write_text('[SEV1]\nacknowledge_within = "soon"\n[SEV9]\n')

    with pytest.raises(SettingsError) as told:
        load_policy(load_settings(policy=path))

    assert str(path) in str(told.value)
    assert "[SEV1] acknowledge_within" in str(told.value)
    assert "[SEV9]" in str(told.value)


def test_routing_rules_with_a_mistake_stop_the_worker_with_their_place(tmp_path: Path) -> None:
    """A worker that can't tell where alerts go does not start; without a file the process's own rules hold."""
    path = tmp_path / "routes.toml"
    path.write_text('[[route]]\nname = "a"\naction = "page"\n')

    with pytest.raises(SettingsError, match=r'TOCSIN_ROUTES.*\[\[route\]\] 1 "a": action must be one of'):
        load_rules(load_settings(routes=path))
    assert load_rules(load_settings(data=tmp_path)).in_force().routes == ()
