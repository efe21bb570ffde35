# ruff: noqa: SIM300 - the house writes what is expected first
"""What is shipped for Prometheus and Grafana speaks of metrics that exist, and its rules fire when they should."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from starter import metrics
from starter.backlog import tally
from starter.posts import Posts

FOLDER = Path(__file__).parents[1] / "deploy" / "monitoring"
RULES = FOLDER / "tocsin.rules.yml"
OURS = re.compile(r"\btocsin_[a-z_]+")
OTHERS = re.compile(r"\btemporal_[a-z_]+")

OF_THE_SDK = {"temporal_workflow_task_execution_failed_total", "temporal_workflow_task_schedule_to_start_latency_bucket"}
"""What a worker of this SDK offers, seen at its own endpoint."""

AT_THE_DOOR = {"tocsin_temporal_up", "tocsin_incidents_unread", "tocsin_workflows_failing"}


def offered() -> set[str]:
    lines = [
        *tally([], datetime.now(UTC)),
        *metrics.incidents([], datetime.now(UTC)),
        *metrics.Requests().exposition(),
        *Posts().exposition(),
    ]
    return {line.split()[2] for line in lines if line.startswith("# TYPE")} | AT_THE_DOOR


def expressions() -> dict[str, str]:
    rules: list[dict[str, Any]] = yaml.safe_load(RULES.read_text())["groups"][0]["rules"]
    panels: list[dict[str, Any]] = json.loads((FOLDER / "tocsin-dashboard.json").read_text())["panels"]
    found = {rule["alert"]: rule["expr"] for rule in rules}
    return found | {panel["title"]: " ".join(target["expr"] for target in panel["targets"]) for panel in panels}


def test_rules_and_dashboard_speak_of_metrics_that_exist() -> None:
    """A rule about a metric that nobody offers never fires, and nobody notices."""
    unknown: dict[str, set[str]] = {}
    for name, text in expressions().items():
        unknown[name] = (set(OURS.findall(text)) - offered()) | (set(OTHERS.findall(text)) - OF_THE_SDK)

    assert {} == {name: missing for name, missing in unknown.items() if missing}
    assert len(expressions()) > 20


def test_every_rule_says_how_bad_it_is_and_what_to_do() -> None:
    """Whoever is woken reads what is wrong and where to look."""
    for rule in yaml.safe_load(RULES.read_text())["groups"][0]["rules"]:
        assert {"severity", "service"} == set(rule["labels"]), rule["alert"]
        assert {"summary", "description"} == set(rule["annotations"]), rule["alert"]


def test_panels_do_not_lie_upon_each_other() -> None:
    """Grafana shows each panel where the file puts it."""
    panels = json.loads((FOLDER / "tocsin-dashboard.json").read_text())["panels"]
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]

    assert len(cells) == len(set(cells))
    assert len({panel["id"] for panel in panels}) == len(panels)


DOCUMENTED = {
    *("id", "uid", "title", "description", "tags", "timezone", "editable", "graphTooltip", "panels", "time", "timepicker", "templating"),
    *("annotations", "refresh", "schemaVersion", "version", "links", "liveNow", "weekStart", "fiscalYearStartMonth"),
}
"""Fields of a dashboard as Grafana documents its classic JSON model."""


def test_the_dashboard_is_one_of_the_model_that_it_names() -> None:
    """Grafana migrates what is older than itself and shows what it doesn't know as nothing: the model's own fields, types and bounds."""
    board: dict[str, Any] = json.loads((FOLDER / "tocsin-dashboard.json").read_text())
    (variable,) = board["templating"]["list"]

    assert set() == set(board) - DOCUMENTED
    assert 39 == board["schemaVersion"]
    assert 8 >= len(board["uid"]) > 0
    assert ("datasource", "datasource", "prometheus") == (variable["type"], variable["name"], variable["query"])
    for panel in board["panels"]:
        place, refs = panel["gridPos"], [target["refId"] for target in panel["targets"]]

        assert panel["type"] in {"stat", "timeseries"}, panel["title"]
        assert place["w"] > 0 and place["h"] > 0 and place["x"] + place["w"] <= 24, panel["title"]  # noqa: PT018 - one sentence
        assert {"defaults", "overrides"} == set(panel["fieldConfig"]), panel["title"]
        assert len(refs) == len(set(refs)), panel["title"]
        for asked in (panel, *panel["targets"]):
            assert {"type": "prometheus", "uid": "${datasource}"} == asked["datasource"], panel["title"]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed: make test-live installs it with prometheus")
@pytest.mark.parametrize("command", [("check", "rules", "tocsin.rules.yml"), ("test", "rules", "tocsin.rules.test.yml")])
def test_the_rules_fire_when_they_should(command: tuple[str, ...]) -> None:
    """Prometheus's own tool reads the rules, and plays our cases against them."""
    ran = subprocess.run(["promtool", *command], cwd=FOLDER, capture_output=True, text=True, timeout=60, check=False)

    assert 0 == ran.returncode, ran.stdout + ran.stderr
