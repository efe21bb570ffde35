# ruff: noqa: SIM300 - the house writes what is expected first
"""A whole SEV1 over real servers, each of which is taken away for a while; the count is taken on their side."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.harness import eventually
from tests.live.night import PLAN, REPEATS, Night
from tests.live.programs import Program
from tests.live.rig import needs_programs
from tests.live.town import Town
from tests.live.watch import Watch
from tests.server.house import House

pytestmark = pytest.mark.server

SHORT = """
[SEV1]
verification = "2s"
"""

LONG = """
[SEV1]
acknowledge_within = "60s"
next_rung_after = "60s"
internal_update_every = "60s"
external_update_every = "60s"
status_page_within = "40s"
notify_executives_within = "40s"
verification = "15s"

[policy]
retry_first = "2s"

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
"""


@pytest.fixture
async def town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Town]:
    made = Town(tmp_path / "town")
    try:
        await made.build()
        for name, value in made.settings().items():
            monkeypatch.setenv(name, value)
        yield made
    finally:
        await made.stop()


def _due() -> str:
    return (datetime.now(UTC) + timedelta(days=14)).date().isoformat()


async def test_a_sev1_over_a_real_chat_tracker_and_mail_server_that_go_away_in_turn(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chat, tracker and mail server are each away in the night, two answers get lost, and in the end each holds everything, once."""
    (tmp_path / "policy.toml").write_text(SHORT)
    monkeypatch.setenv("TOCSIN_POLICY", str(tmp_path / "policy.toml"))
    house = House(tmp_path / "data")
    house.start()
    try:
        opened = house.call("POST", "/api/v1/incidents", {"by": "cy", "title": "Checkout returns 5xx", "services": ["checkout"]})
        night = Night(house, town, str(opened.json()["incident"]))
        await night.settled()
        night.does("acknowledge")
        async with night.cut_off(town.chat_line, "synapse"):
            night.does("declare", severity="SEV1", customer_facing=True, summary="Card payments fail")
        night.does("post_update", audience="external", text="We are on it.", status="investigating")
        night.does("advance", reason="service first")
        async with night.losing_an_answer(town.chat_line, "PUT", "/send/"):
            night.does("post_update", audience="internal", text="Looking at the processes.")
        night.does("hypothesize", text="the process is gone")
        night.does("mitigate", **PLAN)
        night.does("finish_mitigation", succeeded=True)
        for criterion in ("symptom_resolved", "metrics_at_baseline", "alerts_cleared"):
            night.does("confirm", criterion=criterion, evidence="it answers")
        await night.until(lambda: night.state()["verification"]["passed_at"], "a whole green period")
        async with night.without(town.mail):
            night.does("resolve", root_cause="it was killed", fix_applied="started again")
            night.does("schedule_retrospective", at=(datetime.now(UTC) + timedelta(days=2)).isoformat())
        async with night.without(town.tracker):
            night.does("add_action_item", item="Limit the retries", owner="eva", due=_due())
        async with night.losing_an_answer(town.tracker_line, "POST", "/data/issue"):
            night.does("add_action_item", item="Watch the process", owner="ben", due=_due())
        await _closed(night)
        counted = await night.balance()
    finally:
        house.stop()

    assert 5 == len(night.outages)
    assert (1, 2) == (counted["Matrix rooms"], counted["Roundup tickets"])
    assert counted[REPEATS] >= 2, "more where a busy machine answered too late"


@pytest.mark.live
@needs_programs
async def test_a_whole_sev1_while_each_of_five_servers_is_frozen_and_killed(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the dead service to the closed incident; chat, tracker, mail, Prometheus and Alertmanager are each away, in both ways."""
    (tmp_path / "policy.toml").write_text(LONG)
    house = House(tmp_path / "data")
    watch = Watch(tmp_path / "watch", webhook=f"{house.url}/webhooks/alertmanager")
    for name, value in {
        "POLICY": str(tmp_path / "policy.toml"),
        "PROMETHEUS_URL": watch.rig.prometheus_url,
        "ALERTMANAGER_URL": watch.rig.alertmanager_url,
        "READ_BACK_EVERY": "10",
    }.items():
        monkeypatch.setenv(f"TOCSIN_{name}", value)
    try:
        await watch.start()
        house.start()
        night = await _detected(house, town, watch)
        await _led(night, watch)
        await _followed_up(night)
        counted = await night.balance()
        incidents = house.call("GET", "/api/v1/incidents").json()["incidents"]
        alerts = [entry["text"] for entry in night.timeline() if entry["kind"] == "alert"]
    finally:
        house.stop()
        watch.stop()
    with capsys.disabled():
        sys.stdout.write("\n".join(["", *night.outages, *(f"{what}: {count}" for what, count in counted.items()), ""]))

    assert [night.id] == [row["incident"] for row in incidents]
    assert 2 == len(alerts), alerts
    assert 12 == len(night.outages)
    assert (1, 3) == (counted["Matrix rooms"], counted["Roundup tickets"])
    assert 2 <= counted[REPEATS]


async def _detected(house: House, town: Town, watch: Watch) -> Night:
    """Detection, with Alertmanager dead when the alert begins to fire, and the mail server frozen when the first page is due."""
    await eventually(lambda: watch.rig.samples() >= 15, within=60, every=0.2, what="a baseline")
    watch.alertmanager.kill()
    watch.service.kill()
    await eventually(lambda: _fires(watch), within=60, every=0.2, what="Prometheus sees the dead service")
    town.mail.freeze()
    await watch.alertmanager.start()
    await eventually(lambda: bool(_listed(house)), within=60, every=0.1, what="the alert opens an incident")
    night = Night(house, town, _listed(house)[0]["incident"])
    await night.missed(town.mail, frozen=True)
    town.mail.thaw()
    night.outages.append("alertmanager killed: the alert began meanwhile")
    await night.until(lambda: any(entry["kind"] == "paged" for entry in night.timeline()), "somebody is paged")
    night.does("acknowledge")
    await night.settled()
    return night


async def _led(night: Night, watch: Watch) -> None:
    """Declaration to resolution. The worker is killed besides, while the chat has taken messages and answers nothing."""
    town = night.town
    async with night.without(town.chat):
        night.does("declare", severity="SEV1", customer_facing=True, summary="Card payments fail")
    async with night.losing_an_answer(town.chat_line, "PUT", "/send/"):
        night.does("post_update", audience="external", text="We are on it.", status="investigating")
    night.does("advance", reason="service first")
    async with night.without(town.chat, frozen=True):
        night.does("post_update", audience="internal", text="Looking at the processes.")
        night.does("hypothesize", text="the process is gone")
        await night.until(lambda: night.state()["deliveries"]["waiting"], "a message is under way")
        night.house.kill("worker")
    night.does("mitigate", **PLAN)
    async with night.without(town.tracker, frozen=True):
        night.does("add_action_item", item="Limit the retries", owner="eva", due=_due())
    async with night.without(town.tracker):
        night.does("add_action_item", item="Watch the process", owner="ben", due=_due())
    async with night.losing_an_answer(town.tracker_line, "POST", "/data/issue"):
        night.does("add_action_item", item="Say who restarts it", owner="eva", due=_due())
    night.does("finish_mitigation", succeeded=True)
    night.does("confirm", criterion="symptom_resolved", evidence="it answers")
    await night.until(lambda: (night.state()["evidence"] or {}).get("verdict") == "red", "the outage is measured")
    await _blind(night, watch.prometheus, frozen=True)
    await watch.service.start()
    await night.until(lambda: night.state()["verification"]["since"], "the verification period begins by itself")
    await _blind(night, watch.prometheus)
    await night.until(lambda: night.state()["verification"]["since"], "the verification period goes on, or begins anew")
    await _blind(night, watch.alertmanager, frozen=True)
    await night.until(lambda: night.state()["verification"]["passed_at"], "a whole green period", within=120)
    night.does("resolve", root_cause="it was killed", fix_applied="started again")


async def _blind(night: Night, program: Program, *, frozen: bool = False) -> None:
    """Take a part of monitoring away until a look at it has failed."""
    program.freeze() if frozen else program.kill()
    await night.missed(program, frozen=frozen)
    if frozen:
        program.thaw()
    else:
        program.launch()
    await program.serves()


async def _followed_up(night: Night) -> None:
    """Post-incident: the invitation meets a dead mail server, the closing of tickets a dead tracker."""
    async with night.without(night.town.mail):
        night.does("schedule_retrospective", at=(datetime.now(UTC) + timedelta(days=2)).isoformat())
    await _closed(night)


def _fires(watch: Watch) -> bool:
    answer = httpx2.get(f"{watch.rig.prometheus_url}/api/v1/alerts", timeout=5).json()
    return any(alert["state"] == "firing" for alert in answer["data"]["alerts"])


def _listed(house: House) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = house.call("GET", "/api/v1/incidents").json()["incidents"]
    return rows


async def _closed(night: Night) -> None:
    for item in night.state()["action_items"]:
        night.does("complete_action_item", id=item["id"])
    night.does("post_update", audience="external", text="It works again.", status="resolved")
    night.files_the_postmortem()
    night.does("approve", note="reviewed", by="eva")
    night.works_off_the_checklist()
    night.does("close")
    await night.until(lambda: night.state()["phase"] == "closed", "the incident is closed")
