"""Every port has an adapter, every effect an activity, and every queue one worker."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio import activity, workflow

from incident.effects import PORT_OF
from incident.policy import Policy
from incident.queries import Watching
from incident.vocabulary import Severity
from integrations.ledger import Ledger
from runtime.settings import Settings, SettingsError, load_settings
from runtime.temporal import connect
from starter.serve import policy_in_force
from worker.wiring import activities_by_port, embedded_adapters, load_policy, workflow_classes


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


QUERIES = "[queries.checkout.error_ratio]\nexpression = 'error_ratio'\nthreshold = 0.05\n"


def test_queries_are_measured_where_there_is_somebody_to_ask(tmp_path: Path) -> None:
    """The policy file's queries travel with each incident; a drill measures nothing."""
    path = tmp_path / "policy.toml"
    path.write_text(QUERIES)
    policy = load_policy(load_settings(policy=path, prometheus_url="http://127.0.0.1:9090"))

    assert policy.monitoring is not None
    assert [query.name for query in policy.monitoring.queries["checkout"]] == ["checkout/error_ratio"]
    assert policy.scaled(60).monitoring is None


@pytest.mark.parametrize("loaded", [load_policy, policy_in_force])
def test_queries_that_nobody_can_be_asked_stop_the_start(loaded: Callable[[Settings], Policy], tmp_path: Path) -> None:
    """A forgotten address must not quietly turn measurements into people's word, in the worker or at the door."""
    path = tmp_path / "policy.toml"
    path.write_text(QUERIES)

    with pytest.raises(SettingsError, match="TOCSIN_PROMETHEUS_URL"):
        loaded(load_settings(policy=path))


def test_without_monitoring_nothing_is_measured(tmp_path: Path) -> None:
    """Who has configured none has the process as ever."""
    assert load_policy(load_settings(data=tmp_path)).monitoring is None
    assert load_policy(load_settings(data=tmp_path, prometheus_url="http://127.0.0.1:9090")).monitoring == Watching()
