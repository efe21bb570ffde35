"""A room in front of `tocsin up` itself, whose processes are killed under it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.conftest import LAPTOP
from tests.browser.test_room import LIVE, rows, told
from tests.server.house import House

LINE = "Typed while everything fell over"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    made = House(tmp_path_factory.mktemp("house") / "data")
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def incident(house: House) -> str:
    body = {"by": "ana", "title": "Checkout returns 5xx", "severity": "SEV1", "customer_facing": True, "services": ["checkout"]}
    return str(house.call("POST", "/api/v1/incidents", body).json()["incident"])


@pytest.fixture
def page(browser: Any, house: House, incident: str) -> Iterator[Any]:
    """The incident's room, live."""
    context = browser.new_context(viewport=LAPTOP, base_url=house.url)
    context.set_default_timeout(30_000)
    made = context.new_page()
    made.goto(f"/incidents/{incident}?timeline=all")
    made.wait_for_selector(LIVE)
    yield made
    context.close()


def every_row(house: House, incident: str) -> list[str]:
    entries = house.call("GET", f"/api/v1/incidents/{incident}/timeline").json()["timeline"]
    return [f"t-{entry['seq']}" for entry in reversed(entries)]


def whole(page: Any, house: House, incident: str) -> None:
    """Wait until the page shows every entry of the record, in its order, once."""
    page.wait_for_function(
        "wanted => JSON.stringify([...document.querySelectorAll('#timeline .entry')].map(row => row.id)) === wanted",
        arg=page.evaluate("rows => JSON.stringify(rows)", every_row(house, incident)),
    )


@pytest.mark.parametrize("victim", ["worker", "http", "temporal"])
def test_a_room_outlives_each_process_behind_it(house: House, page: Any, incident: str, victim: str) -> None:
    """Killed without warning, the web server, the worker or Temporal is back by itself; nothing typed, no row and no press is lost."""
    page.locator("#f-post_update-text").fill(f"{LINE}: {victim}")
    dead = house.pid(victim)
    house.kill(victim)
    if victim == "http":
        page.wait_for_selector("#live-state.off", timeout=2000)
    house.call("POST", f"/api/v1/incidents/{incident}/note", {"by": "wei", "text": f"sent while the {victim} was down"})
    told(page, f"sent while the {victim} was down")
    page.wait_for_selector(LIVE)
    page.locator("#composer button").click()
    page.locator("#answer .good", has_text=f"{LINE}: {victim}").wait_for()
    told(page, f"{LINE}: {victim}")
    whole(page, house, incident)

    assert house.pid(victim) != dead
    assert len(set(rows(page))) == len(rows(page))
    assert page.locator("#f-post_update-text").input_value() == ""


def test_the_worker_is_killed_by_the_button_of_a_drill(house: House, browser: Any) -> None:
    """Who practises presses it, sees the worker gone and back, and the note that waited for it."""
    context = browser.new_context(viewport=LAPTOP, base_url=house.url)
    context.set_default_timeout(45_000)
    page = context.new_page()
    page.goto("/")
    page.locator(".practice button").click()
    page.wait_for_selector(LIVE)
    drill = page.evaluate("document.body.dataset.room")
    dead = house.pid("worker")
    for verb, fields in (
        ("acknowledge", {}),
        ("declare", {"severity": "SEV1", "customer_facing": True}),
        ("post_update", {"audience": "internal", "text": "looking"}),
        ("post_update", {"audience": "external", "text": "Payments fail."}),
        ("advance", {"reason": "practice"}),
        ("hypothesize", {"text": "the retry"}),
        ("mitigate", {"option": "rollback", "rationale": "x", "owner": "ben", "action": "x", "verification": ["x"], "rollback_plan": "x"}),
        ("advance", {"reason": "practice"}),
        ("finish_mitigation", {"succeeded": True}),
        ("resolve", {"root_cause": "x", "fix_applied": "x"}),
    ):
        house.does(drill, verb, **fields)
    page.locator("#r-coach button", has_text="Kill the worker").click()
    page.locator("#answer", has_text="kill -9").wait_for()
    page.wait_for_selector(LIVE)
    page.locator("#r-coach", has_text="Prove it").wait_for()

    assert house.pid("worker") != dead
    context.close()
