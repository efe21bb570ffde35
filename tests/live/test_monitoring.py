# ruff: noqa: SIM300 - the house writes what is expected first
"""Detection and verification over a real Prometheus and Alertmanager: a service is killed, and comes back, and dies again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from incident.queries import Query
from integrations.errors import Rejected
from integrations.monitoring.prometheus import PrometheusDeployments, PrometheusMonitoring, Web
from tests.live.rig import Rig, needs_programs, until
from tests.server.house import House

pytestmark = [needs_programs, pytest.mark.server]

UP = Query(name="up", expression='up{job="app"}', better="higher", threshold=1)

POLICY = """
[SEV1]
verification = "15s"

[monitoring]
sample_every = "1s"
look_every = "2s"
gap_after = "3s"
baseline_window = "10s"
baseline_margin = "3s"

[queries.checkout.up]
expression = 'up{job="app"}'
better = "higher"
signal = "traffic"
threshold = 1

[queries.checkout.error_ratio]
expression = "app_error_ratio"
signal = "errors"
"""


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path / "rig")
    made.start()
    yield made
    made.stop()


async def test_the_adapters_read_a_real_prometheus_and_alertmanager(rig: Rig) -> None:
    """What is up is measured, what fires is found, what was rolled out is known, and a wrong query is refused with Prometheus's words."""
    until(lambda: rig.samples() >= 3, 20, "three scrapes")
    prometheus, alertmanager = Web("Prometheus", rig.prometheus_url), Web("Alertmanager", rig.alertmanager_url)
    monitoring = PrometheusMonitoring(prometheus, alertmanager)
    now, second = datetime.now(UTC), timedelta(seconds=1)
    points = await monitoring.measure(UP, now - 2 * second, now, second)
    deployed = await PrometheusDeployments(prometheus, "deployed_at").recent(("checkout",), now - timedelta(hours=1), now)

    assert 1.0 == points[-1][1]
    assert [("checkout", "v248", "ben")] == [(one.service, one.version, one.by) for one in deployed]
    assert () == await monitoring.firing_alerts(("checkout",))
    with pytest.raises(Rejected, match="parse error"):
        await monitoring.measure(Query(name="x", expression="sum(("), now - second, now, second)
    rig.kill()
    deadline = time.monotonic() + 20
    while not (fires := await monitoring.firing_alerts(("checkout", "search"))):
        assert time.monotonic() < deadline, "the alert did not fire"

    assert ["CheckoutDown"] == [alert.name for alert in fires]
    assert ["CheckoutDown"] == [alert.name for alert in await PrometheusMonitoring(prometheus).firing_alerts(("checkout",))]
    await prometheus.close()
    await alertmanager.close()


@pytest.mark.live
def test_a_night_with_a_real_outage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the killed service to the resolved incident, by measurements alone, with a second outage in the verification period."""
    house = House(tmp_path / "data")
    rig = Rig(tmp_path / "rig", webhook=f"{house.url}/webhooks/alertmanager")
    (tmp_path / "policy.toml").write_text(POLICY)
    for name, value in {
        "POLICY": str(tmp_path / "policy.toml"),
        "PROMETHEUS_URL": rig.prometheus_url,
        "ALERTMANAGER_URL": rig.alertmanager_url,
        "DEPLOYMENTS_QUERY": "deployed_at",
    }.items():
        monkeypatch.setenv(f"TOCSIN_{name}", value)
    try:
        rig.start()
        house.start()
        _night(house, rig)
    finally:
        house.stop()
        rig.stop()


def _night(house: House, rig: Rig) -> None:
    until(lambda: rig.samples() >= 15, 40, "a baseline")
    rig.kill()
    incident = until(lambda: _opened(house), 30, "the alert opens an incident")
    house.does(incident, "acknowledge")
    assert house.does(incident, "declare", severity="SEV1", customer_facing=False)["accepted"]
    findings = until(lambda: _state(house, incident)["findings"], 20, "the checklist's questions are answered")

    assert {"deployments", "known_issues", "related_alerts", "signals"} == {finding["id"] for finding in findings if finding["looked_up"]}
    assert any("v248" in line for finding in findings for line in finding["lines"])

    for verb, fields in (
        ("advance", {"reason": "service first, eva works the list off"}),
        ("hypothesize", {"text": "the process is gone"}),
        ("mitigate", _PLAN),
        ("finish_mitigation", {"succeeded": True}),
        ("confirm", {"criterion": "symptom_resolved"}),
    ):
        assert house.does(incident, verb, **fields)["accepted"], verb
    until(lambda: (_state(house, incident)["evidence"] or {}).get("verdict") == "red", 20, "the outage is measured")
    refused = house.does(incident, "confirm", criterion="metrics_at_baseline", evidence="looks fine")

    assert "checkout/up is 0" in refused["refusal"]["blockers"][0]["message"], refused
    rig.revive()
    until(lambda: _state(house, incident)["verification"]["since"], 40, "the verification period begins by itself")
    time.sleep(5)  # a part of the period has gone by; the second outage is to fall into it
    rig.kill()
    until(lambda: not _state(house, incident)["verification"]["since"], 20, "the second outage breaks the period")
    rig.revive()
    until(lambda: _state(house, incident)["verification"]["passed_at"], 60, "a whole green period")
    shown = _state(house, incident)

    assert shown["baselines"]["checkout/error_ratio"]["median"] == 0.01
    assert house.does(incident, "resolve", root_cause="it was killed", fix_applied="started again")["accepted"]
    timeline = house.call("GET", f"/api/v1/incidents/{incident}/timeline").json()["timeline"]
    withdrawn = [entry["data"]["reason"] for entry in timeline if entry["kind"] == "criterion_withdrawn"]
    confirmed = [entry["by"] for entry in timeline if entry["kind"] == "criterion_confirmed"]

    assert withdrawn, "nothing was taken back"
    assert confirmed.count("monitoring") >= 3
    assert not [entry for entry in timeline if entry["kind"] == "parked"]
    since, passed = (datetime.fromisoformat(shown["verification"][name]) for name in ("since", "passed_at"))

    assert passed - since >= timedelta(seconds=15)
    tried = httpx2.post(f"{house.url}/api/v1/doctor", json={}, timeout=150).json()

    assert tried["ok"], tried
    assert ["test alert", "test incident", "test delivery", "test dismissed"] == [check["name"] for check in tried["checks"]]
    assert "through Alertmanager" in tried["checks"][0]["detail"]


def _opened(house: House) -> str | None:
    rows = house.call("GET", "/api/v1/incidents").json()["incidents"]
    return rows[0]["incident"] if rows else None


def _state(house: House, incident: str) -> dict[str, Any]:
    state: dict[str, Any] = house.call("GET", f"/api/v1/incidents/{incident}").json()
    return state


_PLAN = {
    "option": "restart",
    "rationale": "the process is gone",
    "owner": "ben",
    "action": "start it again",
    "verification": ["it answers"],
    "rollback_plan": "stop it",
}
