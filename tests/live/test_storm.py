# ruff: noqa: SIM300 - the house writes what is expected first
"""A storm out of a real Alertmanager, while the worker is away in the middle of it: nothing lost, nothing twice, nothing out of order."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import httpx2
import pytest

from tests.live.rig import Rig, needs_programs, until
from tests.live.storm import Held, Sky, group_key, held, lost, out_of_order, wanted
from tests.live.tee import Tee
from tests.server.house import House, free_ports

pytestmark = [needs_programs, pytest.mark.server]


PATIENCE = 20.0
"""Seconds within which a command on an incident of the storm is answered, a dead worker's replacement and two busy cores included.

A worker that took the groups first answered after the last of them: a minute and more for a thousand.
"""

PATIENCE_OF_WHO_OPENS = 2 * PATIENCE
"""The same for whoever opens an incident, which takes several steps: the register's own wishes to the server waited behind its askers."""


@pytest.fixture
def weather(tmp_path: Path) -> Iterator[tuple[House, Rig, Tee]]:
    """Everything on this machine, and an Alertmanager that posts to it through a tee."""
    house = House(tmp_path / "data")
    (port,) = free_ports(1)
    tee = Tee(port, house.url)
    rig = Rig(tmp_path / "rig", webhook=f"http://127.0.0.1:{port}/webhooks/alertmanager")
    try:
        rig.start_alertmanager()
        house.start()
        yield house, rig, tee
    finally:
        rig.stop()
        house.stop()
        tee.stop()


async def test_a_short_storm_with_the_worker_away(weather: tuple[House, Rig, Tee], capsys: pytest.CaptureFixture[str]) -> None:
    """Fifty groups, and no worker for five seconds: as many are held as were posted, each once and in its order."""
    await _weathers(weather, 50, 5, capsys)


@pytest.mark.live
async def test_a_thousand_groups_with_the_worker_away_for_a_minute(
    weather: tuple[House, Rig, Tee], capsys: pytest.CaptureFixture[str]
) -> None:
    """A thousand groups, and no worker for a minute in the middle: as many are held as were posted, each once and in its order."""
    await _weathers(weather, 1_000, 60, capsys)


async def _weathers(weather: tuple[House, Rig, Tee], groups: int, away: float, capsys: pytest.CaptureFixture[str]) -> None:
    house, rig, tee = weather
    sky = Sky(rig.alertmanager_url)
    first, second = range(groups // 2), range(groups // 2, groups)
    ended, again = range(groups // 4), range(groups // 8)
    keys = {group_key(number) for number in (*first, *second)}
    began = time.monotonic()

    sky.fires(first)
    until(lambda: len(tee.taken) >= groups // 4, 60, "half of the first half is posted")
    incident = until(lambda: _opened(house), 60, "the storm has opened an incident")
    worker = house.pid("worker")
    os.kill(worker, signal.SIGSTOP)
    stopped = time.monotonic()
    sky.fires(second)
    until(lambda: keys == set(tee.taken), 60 + away, "every group is posted while no worker runs")
    posted = time.monotonic()
    sky.ends(ended)
    until(lambda: all(_told(tee, number)[-1:] == ["resolved"] for number in ended), 60, "the ends are posted while no worker runs")
    sky.fires(again)
    until(lambda: all(_told(tee, number)[-1:] == ["firing"] for number in again), 60, "the new episodes are posted while no worker runs")
    await asyncio.sleep(max(0.0, stopped + away - time.monotonic()))
    os.kill(worker, signal.SIGKILL)
    back = time.monotonic()
    with _somebody_at_work(house, incident) as (waits, openings):
        found = until(lambda: _all_told(house, groups), 300, "every alert is in an incident", every=1)
    through = time.monotonic()
    there = await held(f"127.0.0.1:{house.temporal}", keys)
    _say(
        capsys,
        f"storm: {len(tee.taken)} groups posted, {len(there.groups)} held, {len(there.incidents)} registered in {there.opened} incidents; "
        f"{sum(map(len, tee.taken.values()))} words answered, {sum(map(len, there.groups.values()))} held; "
        f"{len(tee.refused)} posts to be repeated; all posted {posted - began:.1f} s after the first alert, no worker for "
        f"{back - stopped:.1f} s, through {through - back:.1f} s after that; {len(waits)} commands meanwhile, the slowest answered "
        f"after {max(waits):.1f} s, half of them within {median(waits):.2f} s; {len(openings)} incidents opened by hand, the slowest "
        f"within {max(openings):.1f} s, half of them within {median(openings):.2f} s; load {os.getloadavg()[0]:.1f}",
    )

    assert max(waits) < PATIENCE
    assert max(openings) < PATIENCE_OF_WHO_OPENS
    _nothing_is_missing(tee, there, keys, len(openings))
    _each_incident_is_one(house, found, sky, groups)


def _nothing_is_missing(tee: Tee, there: Held, keys: set[str], by_hand: int) -> None:
    assert keys == set(tee.taken) == set(there.groups) == set(there.incidents)
    assert [] == lost(tee, there)
    assert {} == {key: wrong for key, told in there.groups.items() if (wrong := out_of_order(told))}
    assert wanted(len(keys)) == there.opened - by_hand == len(set(there.incidents.values()))


def _each_incident_is_one(house: House, found: list[dict[str, Any]], sky: Sky, groups: int) -> None:
    """Each alert is in one incident, in the order of its episodes, and stands as Alertmanager says; people read of it once."""
    inside = [alert["fingerprint"] for state in found for alert in state["alerts"]]

    assert groups == len(inside) == len(set(inside))
    assert sky.firing() == {alert["fingerprint"] for state in found for alert in state["alerts"] if alert["firing"]}
    for state in found:
        if not state["alerts"]:
            continue  # it was opened by hand
        timeline = house.call("GET", f"/api/v1/incidents/{state['incident']}/timeline").json()["timeline"]
        told = [
            (alert["fingerprint"], alert["starts_at"], "firing" if alert["firing"] else "resolved")
            for entry in timeline
            for alert in entry["data"].get("alerts", ())
        ]

        assert [] == out_of_order(told)
        assert {1} == set(Counter(told).values()), "a word is told once"
    keys = until(lambda: _posted(house, {state["incident"] for state in found}), 60, "every incident is told of in the general channel")

    assert {1} == set(Counter(keys).values()), "the channel reads nothing twice"


@contextmanager
def _somebody_at_work(house: House, incident: str) -> Iterator[tuple[list[float], list[float]]]:
    """Two people meanwhile: one notes one thing after the other, one opens incidents; yields how many seconds each of these took."""
    notes: list[float] = []
    openings: list[float] = []
    enough = threading.Event()

    def again_and_again(waits: list[float], does: Callable[[int], Any], pause: float) -> None:
        while not enough.is_set():
            began = time.monotonic()
            try:
                does(len(waits))
            finally:
                waits.append(time.monotonic() - began)
            enough.wait(pause)

    def opens(number: int) -> None:
        body = {"by": "ben", "title": f"Ledger {number}", "services": [f"ledger-{number}"], "severity": "SEV2"}
        assert 201 == house.call("POST", "/api/v1/incidents", body).status_code

    work = (notes, lambda number: house.does(incident, "note", text=f"number {number}"), 0.5), (openings, opens, 2.0)
    people = [threading.Thread(target=again_and_again, args=each) for each in work]
    for person in people:
        person.start()
    try:
        yield notes, openings
    finally:
        enough.set()
        for person in people:
            person.join()


def _opened(house: House) -> str | None:
    """An incident of the storm, once there is one."""
    rows = _asked(house, "/api/v1/incidents").get("incidents", [])
    return str(rows[0]["incident"]) if rows else None


def _told(tee: Tee, number: int) -> list[str]:
    return [status for _, _, status in tee.taken.get(group_key(number), ())]


def _all_told(house: House, groups: int) -> list[dict[str, Any]] | None:
    """The states of all incidents, once every alert of the storm is in one of them and stands as it was last told."""
    rows = _asked(house, "/api/v1/incidents").get("incidents", [])
    states = [_asked(house, f"/api/v1/incidents/{row['incident']}") for row in rows]
    firing = sum(alert["firing"] for state in states for alert in state.get("alerts", ()))
    alerts = sum(len(state.get("alerts", ())) for state in states)
    ended = groups // 4 - groups // 8
    done = alerts == groups and firing == groups - ended
    return states if done else None


def _asked(house: House, path: str) -> dict[str, Any]:
    """What the door answers; nothing where no worker got round to it yet, which is no mistake while a storm is worked off."""
    try:
        answer = httpx2.get(house.url + path, timeout=30)
    except httpx2.TransportError:
        return {}
    found: dict[str, Any] = json.loads(answer.content) if answer.status_code == 200 else {}
    return found


def _posted(house: House, incidents: set[str]) -> list[str]:
    """The keys of all that was posted, once each incident has been heard of."""
    rows = json.loads(httpx2.get(f"{house.url}/api/v1/embedded/chat", timeout=30).content)
    return [row["key"] for row in rows] if incidents <= {row["incident"] for row in rows} else []


def _say(capsys: pytest.CaptureFixture[str], text: str) -> None:
    """The counts are what this is run for: they are shown although it passes."""
    with capsys.disabled():
        sys.stdout.write(f"\n{text}\n")
