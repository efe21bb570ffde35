"""The drill as somebody sees it who has only just installed this: `tocsin up`, `tocsin drill --auto`, and a browser that looks on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.browser.conftest import Tab
from tests.browser.test_room import LIVE
from tests.server.house import House

WITHIN = 180.0
"""Seconds that a drill may take: it is called a three-minute drill."""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    made = House(tmp_path_factory.mktemp("house") / "data")
    made.start()
    yield made
    made.stop()


LEFT_OUT = ("drills_left_out", "left_out")
"""Where it is said which incidents are not among the numbers."""


def numbers(house: House) -> list[object]:
    """What is counted of all nights, but for when it was counted."""
    found = [house.call("GET", path).json() for path in ("/api/v1/stats", "/api/v1/analytics")]
    return [{name: value for name, value in each.items() if name not in ("at", "since", "until", *LEFT_OUT)} for each in found]


def test_a_drill_plays_itself_within_three_minutes_and_whoever_looks_on_sees_it_all(browser: Any, house: House, tmp_path: Path) -> None:
    """On a machine that had nothing an hour ago it finds every step as it should be; the room follows it live, and no number changes."""
    before = numbers(house)
    window = Tab(browser, house)
    page = window.page
    page.goto("/")
    empty = page.inner_text("main")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TOCSIN_USER": "newcomer"}
    began = time.monotonic()
    command = [sys.executable, "-m", "starter.cli", "drill", "--auto", "--url", house.url, "--data", str(house.folder)]
    drill = subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    page.locator(".incident.is-drill a.incident-link").first.click(timeout=60_000)
    page.wait_for_selector(LIVE)
    marked = page.locator("#r-head .drill").first.is_visible()
    said, _ = drill.communicate(timeout=WITHIN)
    took = time.monotonic() - began
    page.locator("#r-head .ended").wait_for()
    page.goto("/analytics")

    assert "No open incidents." in empty
    assert (drill.returncode, "The drill is over: all" in said) == (0, True), said
    assert took < WITHIN
    assert marked
    assert numbers(house) == before
    assert "1 drill" in page.inner_text("main")
    assert httpx2.get(f"{house.url}/status/api/v2/summary.json", timeout=20).json()["incidents"] == []
    window.context.close()
