# ruff: noqa: SIM300 - the house writes what is expected first
"""Settings: every mistake is told once, with the variable, the rule and nothing secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.settings import SettingsError, load_settings, read_toml, unknown_variables


def test_everything_has_a_default_for_one_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any variable, Tocsin listens on loopback only and keeps all that it has in one folder."""
    for name in ("TOCSIN_HOST", "TOCSIN_DATA", "TOCSIN_DATABASE_URL", "TOCSIN_ROTA"):
        monkeypatch.delenv(name, raising=False)

    settings = load_settings()

    assert ("127.0.0.1", Path(".tocsin"), "incidents") == (settings.host, settings.data, settings.task_queue)
    assert Path(".tocsin/rota.toml") == settings.rota_file
    assert settings.embedded_url.endswith("/.tocsin/embedded.db")


def test_an_option_wins_over_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is said on the command line counts more than the environment; what is not said there leaves it alone."""
    monkeypatch.setenv("TOCSIN_PORT", "8801")
    monkeypatch.setenv("TOCSIN_UI_PORT", "8802")

    settings = load_settings(port=9901, ui_port=None)

    assert (9901, 8802) == (settings.port, settings.ui_port)


@pytest.mark.parametrize(
    ("variable", "value", "rule"),
    [
        ("TOCSIN_PORT", "abc", "valid integer"),
        ("TOCSIN_PORT", "70000", "less than or equal to 65535"),
        ("TOCSIN_DATA", " ", "is empty"),
        ("TOCSIN_LOG_FORMAT", "xml", "'auto', 'json' or 'console'"),
        ("TOCSIN_MAX_CACHED_WORKFLOWS", "-1", "greater than or equal to 0"),
        ("TOCSIN_PROMETHEUS_URL", "prometheus:9090", "http://host:port"),
        ("TOCSIN_HEARTBEAT_EVERY", "1", "greater than or equal to 5"),
        ("TOCSIN_SERVICE_LABEL", 'a"b', "match pattern"),
        ("TOCSIN_WORKER_METRICS", "9464", "match pattern"),
        ("TOCSIN_DATABASE_URL", "mysql://root:hunter2@host/db", "postgresql://"),
    ],
)
def test_a_bad_setting_is_told_by_its_variable_and_rule(variable: str, value: str, rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bad setting is one sentence that names the variable and the rule."""
    monkeypatch.setenv(variable, value)

    with pytest.raises(SettingsError) as told:
        load_settings()

    assert str(told.value).startswith(f"{variable}: ")
    assert rule in str(told.value)


def test_every_bad_setting_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two mistakes are told together, so that nobody has to start twice to hear of the second."""
    monkeypatch.setenv("TOCSIN_PORT", "abc")
    monkeypatch.setenv("TOCSIN_LOG_LEVEL", "loud")

    with pytest.raises(SettingsError, match=r"TOCSIN_PORT: .*; TOCSIN_LOG_LEVEL: "):
        load_settings()


@pytest.mark.parametrize("variable", ["TOCSIN_DATABASE_URL", "TOCSIN_PROMETHEUS_URL", "TOCSIN_ALERTMANAGER_URL", "TOCSIN_HEARTBEAT_URL"])
def test_a_password_is_never_shown(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address may hold a password, so a mistake in it is told without the value."""
    monkeypatch.setenv(variable, "mysql://root:hunter2@host/db")

    with pytest.raises(SettingsError) as told:
        load_settings()

    assert "hunter2" not in str(told.value)
    assert told.value.__cause__ is None


def test_a_misspelt_variable_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that nobody reads is told, with the one that was probably meant."""
    monkeypatch.setenv("TOCSIN_TEMPORL_PORT", "7000")
    monkeypatch.setenv("TOCSIN_URL", "http://127.0.0.1:8700")

    assert ["TOCSIN_TEMPORL_PORT is not a setting; did you mean TOCSIN_TEMPORAL_PORT?"] == unknown_variables()


def test_a_file_that_is_no_toml_is_told_with_its_line(tmp_path: Path) -> None:
    """A mistake in a TOML file is told with the file's name and the line."""
    path = tmp_path / "policy.toml"
    path.write_text("[SEV1]\nchannel = oops\n")

    with pytest.raises(SettingsError, match=r"policy\.toml is no TOML: .*line 2"):
        read_toml(path)
    with pytest.raises(SettingsError, match=r"nowhere\.toml can't be read"):
        read_toml(tmp_path / "nowhere.toml")


@pytest.mark.parametrize(
    "name", ["prometheus_url", "alertmanager_url", "monitoring_token", "deployments_query", "heartbeat_url", "worker_metrics"]
)
def test_an_empty_variable_is_an_unset_one(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A compose file passes on what the environment does not have as an empty text; that turns nothing on."""
    monkeypatch.setenv(f"TOCSIN_{name.upper()}", " ")

    assert getattr(load_settings(), name) is None
