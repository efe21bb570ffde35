"""What becomes of a form once it is answered, and of a checklist that somebody goes through."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from incident.vocabulary import Phase
from tests.browser.conftest import PHONE, Site, Tab
from tests.browser.test_room import enter
from tests.incident.walk import PLAN

Open = Callable[..., Tab]

LINE = "The gateway refuses every third card"


def is_folded(page: Any, verb: str) -> bool:
    return page.locator(f"#do-{verb}").evaluate("form => !form.open && !form.closest('#bench')") is True


def typed(page: Any, verb: str) -> list[str]:
    """What stands in the fields of a form."""
    found: list[str] = page.locator(f"#do-{verb} form").evaluate(
        "form => [...form.elements].filter(e => e.name && e.type !== 'hidden').map(e => e.value)"
    )
    return [text for text in found if text]


@pytest.mark.parametrize("way", ["a key", "the list of everything", "a link from elsewhere"])
def test_a_form_that_was_taken_folds_and_is_empty(site: Site, tab: Open, way: str) -> None:
    """What was done stands where one looks; its form is gone from the way, and asks for nothing twice, not even after a reload."""
    incident = site.begins(Phase.MITIGATION)
    page = enter(tab(), incident)
    if way == "a key":
        page.keyboard.press("n")
    elif way == "a link from elsewhere":
        page.goto(f"/incidents/{incident}?do=note&text=Before#do-note")
        page.wait_for_selector("#live-state.on")
    else:
        page.locator("#do-note > summary").click()
    page.locator("#f-note-text").fill(LINE)
    page.locator("#do-note button").click()
    page.locator("#answer .good", has_text=LINE).wait_for()
    there = is_folded(page, "note"), typed(page, "note"), page.evaluate("document.activeElement.id")
    seen = page.locator("#answer").is_visible()
    page.reload()

    assert there == (True, [], "answer")
    assert seen
    assert (is_folded(page, "note"), typed(page, "note")) == (True, [])


@pytest.mark.parametrize("trouble", ["refused", "cut", "signed out"])
def test_a_form_that_was_not_taken_stays_open_and_filled(site: Site, tab: Open, trouble: str) -> None:
    """Whatever came between, everything that was typed and chosen stands where it stood."""
    phase = Phase.DETECTION if trouble == "refused" else Phase.TRIAGE
    page = enter(tab(), site.begins(phase))
    page.keyboard.press("m")
    for name, value in PLAN.items():
        field = page.locator(f"#f-mitigate-{name}")
        if name == "option":
            field.select_option(str(value))
        else:
            field.fill("\n".join(value) if isinstance(value, list | tuple) else str(value))
    before = typed(page, "mitigate")
    if trouble == "cut":
        page.route("**/do/mitigate", lambda route: route.abort())
    if trouble == "signed out":
        page.route("**/do/mitigate", lambda route: route.fulfill(status=401, body=""))
    page.locator("#do-mitigate button").click()
    page.locator("#answer .notice:not(.good)").wait_for()
    after = typed(page, "mitigate")
    page.reload()

    assert len(before) == len(PLAN)
    assert after == before
    assert typed(page, "mitigate") == before


@pytest.mark.parametrize("live", [True, False], ids=["live", "without the live line"])
@pytest.mark.parametrize("place", ["#checklist-triage", "#blockers"])
def test_ticking_moves_nothing(site: Site, tab: Open, live: bool, place: str) -> None:
    """One tick after the other: the page stands still, and the focus goes on to what is ticked next."""
    incident = site.begins(Phase.TRIAGE)
    window = tab()
    window.page.set_viewport_size(PHONE)
    if not live:
        window.page.route("**/live*", lambda route: route.abort())
    window.page.goto(f"/incidents/{incident}")
    page = window.page
    if live:
        page.wait_for_selector("#live-state.on")
    if place == "#blockers" and page.locator("#blockers .open-items > summary").count():
        page.locator("#blockers .open-items > summary").click()
    first, second = page.locator(f"{place} button.tick").evaluate_all(
        'all => all.slice(0, 2).map(each => each.form.elements.namedItem("item").value)'
    )
    button = page.locator(f"{place} form:has([value={second}]) button.tick")
    page.locator(f"{place} form:has([value={first}]) button.tick").focus()
    top = button.bounding_box()["y"]
    scrolled = page.evaluate("scrollY")
    page.keyboard.press("Space")
    page.wait_for_function("item => !document.querySelector(`form:has([value=${item}]) button.tick`)", arg=first)
    page.wait_for_function("item => document.activeElement.matches(`form:has([value=${item}]) button.tick`)", arg=second)

    assert site.kinds(incident).count("item_checked") == 1
    assert page.evaluate("scrollY") == scrolled or abs(button.bounding_box()["y"] - top) < 4
    assert page.locator("#answer").inner_text() == ""


def test_ticking_without_scripts_leads_back_to_the_item(site: Site, tab: Open) -> None:
    """The page is loaded anew where one was, with the list open that one goes through."""
    incident = site.begins(Phase.MITIGATION)
    page = tab(java_script_enabled=False).page
    page.set_viewport_size(PHONE)
    page.goto(f"/incidents/{incident}")
    page.locator("#checklist-triage > summary").click()
    item = page.locator("#checklist-triage li.open").last
    name = item.get_attribute("data-item")
    item.locator("button.tick").click()
    page.wait_for_url(f"**#item-{name}")
    box = page.locator(f"#item-{name}.done").bounding_box()

    assert 0 <= box["y"] < PHONE["height"]
    assert "checked" in page.locator("#answer").inner_text()
