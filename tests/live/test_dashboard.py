# ruff: noqa: SIM300 - the house writes what is expected first
"""The shipped dashboard and rules over Tocsin's own metrics, as a real Prometheus scrapes and evaluates them."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.live.rig import answers, needs_programs, until
from tests.server.house import House, free_ports

pytestmark = [needs_programs, pytest.mark.server]

SHIPPED = Path(__file__).parents[2] / "deploy" / "monitoring"

PROMETHEUS = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: ["{rules}"]
scrape_configs:
- {{job_name: tocsin, static_configs: [{{targets: ["{door}"]}}]}}
- {{job_name: tocsin-worker, static_configs: [{{targets: ["{worker}"]}}]}}
"""

POLICY = """
[SEV1]
internal_update_every = "2s"
"""


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[House, str]]:
    """Everything on this machine, and a Prometheus that watches it."""
    house = House(tmp_path / "data")
    prometheus, worker = (f"127.0.0.1:{port}" for port in free_ports(2))
    (tmp_path / "policy.toml").write_text(POLICY)
    monkeypatch.setenv("TOCSIN_POLICY", str(tmp_path / "policy.toml"))
    monkeypatch.setenv("TOCSIN_WORKER_METRICS", worker)
    config = tmp_path / "prometheus.yml"
    config.write_text(PROMETHEUS.format(rules=SHIPPED / "tocsin.rules.yml", door=house.url.removeprefix("http://"), worker=worker))
    command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'tsdb'}", f"--web.listen-address={prometheus}"]
    with (tmp_path / "prometheus.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        house.start()
        until(lambda: answers(f"http://{prometheus}/-/ready"), 30, "Prometheus is ready")
        yield house, f"http://{prometheus}"
    finally:
        process.terminate()
        process.wait(20)
        house.stop()


def test_each_panel_shows_what_it_says(watched: tuple[House, str]) -> None:
    """Each expression is understood by Prometheus and has series of Tocsin's own, with every label that the panel's legend names."""
    house, prometheus = watched
    fields = {"by": "ana", "title": "Checkout fails", "severity": "SEV1", "services": ["checkout"]}
    incident = house.call("POST", "/api/v1/incidents", fields).json()["incident"]
    paused = house.call("POST", "/api/v1/channels/chat/pause", {"by": "ana", "reason": "it is down", "minutes": 30})

    assert 200 == paused.status_code, paused.text
    assert house.does(incident, "note", text="something to tell")["accepted"]

    house.does(incident, "post_update", audience="internal", text="something to tell")
    httpx2.post(f"{house.url}/webhooks/generic", content=b"{", timeout=10)
    panels = json.loads((SHIPPED / "tocsin-dashboard.json").read_text())["panels"]
    wanted = {(panel["title"], target["refId"]): target for panel in panels for target in panel["targets"]}
    missing: dict[tuple[str, str], str] = {}

    def shown() -> bool:
        missing.clear()
        missing.update({name: said for name, target in wanted.items() if (said := _wrong(prometheus, target)) is not None})
        return not missing

    try:
        until(shown, 60, "every panel has its series", every=1)
    except AssertionError as error:
        raise AssertionError(f"{error}: {missing}") from error
    groups: list[dict[str, Any]] = json.loads(httpx2.get(f"{prometheus}/api/v1/rules", timeout=10).content)["data"]["groups"]
    states = {rule["name"]: (rule["health"], rule.get("lastError")) for group in groups for rule in group["rules"]}

    assert {("ok", None)} == set(states.values()), states
    assert {"TocsinPostsRefused", "TocsinAlertsUnreadable", "TocsinObligationLate"} <= states.keys()


def _wrong(prometheus: str, target: dict[str, Any]) -> str | None:
    """What keeps the target from its legend; None where it shows what it says."""
    answer = json.loads(httpx2.get(f"{prometheus}/api/v1/query", params={"query": target["expr"]}, timeout=10).content)
    if answer["status"] != "success":
        raise AssertionError(f"Prometheus does not take {target['expr']}: {answer}")
    found = answer["data"]["result"]
    named = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
    if not found:
        return "no series"
    without = [each["metric"] for each in found if not named <= each["metric"].keys()]
    return f"{named} not in {without[0]}" if without else None
