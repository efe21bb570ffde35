"""The room while things change in it: phases, presses that wait, a drill on a phone, an incident that was none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.conftest import LAPTOP, PHONE, Site, Tab
from tests.browser.test_accessibility import RULES
from tests.browser.test_room import enter
from tests.vendor import AXE

Open = Callable[..., Tab]


def is_open(page: Any, name: str) -> bool:
    return bool(page.locator(f"#{name}").evaluate("element => element.open"))


def test_a_new_phase_opens_its_list_and_leaves_what_somebody_opened(site: Site, tab: Open) -> None:
    """The list of the phase is at hand when it begins, the one before folds; what a person opened or closed stays so."""
    incident = site.open()
    site.does(incident, "acknowledge")
    page = enter(tab(), incident)
    page.locator("#checklist-resolution > summary").click()
    site.does(incident, "advance", reason="service first")
    page.wait_for_selector("#checklist-triage[data-current]")
    first = [is_open(page, f"checklist-{name}") for name in ("declaration", "triage", "resolution")]
    page.locator("#checklist-triage > summary").click()
    page.locator("#checklist-triage > summary").click()
    site.does(incident, "advance", reason="service first")
    page.wait_for_selector("#checklist-mitigation[data-current]")
    second = [is_open(page, f"checklist-{name}") for name in ("triage", "mitigation", "resolution")]

    assert first == [False, True, True]
    assert second == [True, True, True]


def test_a_press_shows_that_it_is_sent_and_what_it_waits_for(site: Site, tab: Open) -> None:
    """While nobody works the button is busy, after two seconds the page says so, and the press counts once when somebody does."""
    incident = site.open()
    window = tab()
    page = enter(window, incident)
    site.desk.working = False
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    button = page.locator("#r-next .primary")
    button.click()
    busy = button.get_attribute("aria-busy"), button.inner_text()
    button.click()
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done, 100)))")
    first = len(sent)
    page.locator("#answer .warn", has_text="Waiting for the worker").wait_for(timeout=4000)
    button.click()
    site.desk.working = True
    page.wait_for_selector("#answer .good", timeout=6000)

    assert busy == ("true", "Sending…")
    assert first == 1
    assert site.kinds(incident).count("acknowledged") == 1
    assert page.locator("[aria-busy]").count() == 0


def test_waiting_can_be_given_up_and_is_kept(site: Site, tab: Open) -> None:
    """Nobody has to wait; what was typed is still there."""
    incident = site.open()
    page = enter(tab(), incident)
    site.desk.working = False
    page.locator("#f-post_update-text").fill("still looking")
    page.locator("#composer button").click()
    page.locator("#answer button", has_text="Stop waiting").click(timeout=4000)
    page.locator("#answer", has_text="No longer waited for").wait_for()
    site.desk.working = True

    assert page.locator("#f-post_update-text").input_value() == "still looking"


def test_a_drill_on_a_phone_shows_how_bad_which_clock_and_what_to_do(site: Site, tab: Open) -> None:
    """The coach is one line there, until it is asked: it pushes nothing out of the first screen. On a laptop it is open."""
    incident = site.open(drill=True)
    page = tab().page
    page.set_viewport_size(PHONE)
    page.goto(f"/incidents/{incident}")
    seen = [page.locator("#r-head .sev"), page.locator("#r-clocks .clock").first, page.locator("#r-next .primary")]
    below = [each.bounding_box()["y"] + each.bounding_box()["height"] for each in seen]
    folded = is_open(page, "coach")
    page.locator("#coach > summary").click()
    wide = tab().page
    wide.set_viewport_size(LAPTOP)
    wide.goto(f"/incidents/{incident}")

    assert max(below) <= PHONE["height"]
    assert folded is False
    assert "Somebody was paged" in page.locator("#coach").inner_text()
    assert is_open(wide, "coach") is True


def test_on_a_phone_the_next_step_stays_at_hand(site: Site, tab: Open) -> None:
    """Whoever reads further down has it under the thumb, as it is now; it leaves while one types, and where the step itself is in sight."""
    incident = site.open()
    window = tab(has_touch=True, is_mobile=True)
    window.page.set_viewport_size(PHONE)
    page = enter(window, incident)
    bar = page.locator("#r-bar")
    above = bar.is_visible()
    page.locator("#more-title").scroll_into_view_if_needed()
    bar.get_by_role("button", name="Acknowledge it").wait_for()
    box = bar.bounding_box()
    low = [each.bounding_box()["height"] for each in bar.locator(".button, button").all()]
    site.does(incident, "acknowledge")
    bar.get_by_text("Tell the public").wait_for()
    bar.get_by_text("Mitigate").click()
    page.locator("#do-mitigate textarea").first.focus()
    typing = bar.is_visible()

    assert (above, typing) == (False, False)
    assert box["y"] + box["height"] == PHONE["height"]
    assert min(low) >= 43.5


def test_on_a_laptop_no_column_ends_far_above_the_other(site: Site, tab: Open) -> None:
    """What can be done stands in four columns across the page, one key or press away, and not as a tail beside nothing."""
    incident = site.open()
    for number in range(6):
        site.does(incident, "note", text=f"note {number}")
    page = enter(tab(), incident)
    page.set_viewport_size(LAPTOP)
    ends = [page.locator(each).evaluate("e => e.getBoundingClientRect().bottom") for each in (".happened", ".rest")]
    tops = page.eval_on_selector_all(".groups > div", "all => all.map(e => e.getBoundingClientRect().top)")
    more = page.locator("#more").bounding_box()
    page.locator("#r-next").get_by_role("link", name="More").click()

    assert abs(ends[0] - ends[1]) < LAPTOP["height"] / 2
    assert (len(tops), len(set(tops))) == (4, 1)
    assert more["width"] > 1200
    assert page.locator("#more-title").evaluate("e => e.getBoundingClientRect().top < innerHeight")


def test_what_is_new_is_counted_over_nothing_that_is_read(site: Site, tab: Open) -> None:
    """The button stands in the timeline's own head, which stays in sight; no row is under it."""
    incident = site.open()
    for number in range(40):
        site.does(incident, "note", text=f"note {number}")
    page = enter(tab(), incident)
    page.locator("[data-show=all]").click()
    page.evaluate("document.querySelectorAll('.entry')[20].scrollIntoView({block: 'center'})")
    site.does(incident, "note", text="the newest")
    page.locator("#news", has_text="1 new").wait_for()
    news, head = page.locator("#news").bounding_box(), page.locator(".timeline-head").bounding_box()

    assert page.locator("#news").evaluate("e => getComputedStyle(e).position") == "static"
    assert head["y"] <= news["y"]
    assert news["y"] + news["height"] <= head["y"] + head["height"]
    assert -1 <= head["y"] <= 1


def test_a_false_alarm_says_that_it_was_one(site: Site, tab: Open) -> None:
    """The phases that it never reached are not ticked, and who dismissed it, and why, stands on top."""
    incident = site.open(severity=None)
    site.does(incident, "dismiss", **{"as": "false_alarm", "reason": "the probe was broken"})
    page = tab().page
    page.goto(f"/incidents/{incident}")
    states = page.eval_on_selector_all("#r-head .steps li", "all => all.map(e => e.className)")

    assert states == ["done", *["unreached"] * 5, "ended"]
    assert page.locator("#r-head .ended").inner_text() == "Dismissed: false alarm"
    assert "By wei at" in page.locator("#r-next").inner_text()
    assert "the probe was broken" in page.locator("#r-next").inner_text()
    assert "false_alarm" not in page.locator("main").inner_text()


def test_everything_that_folds_can_be_hit_with_a_thumb(site: Site, tab: Open) -> None:
    """On a touch screen what opens and closes is 44 pixels high."""
    incident = site.open(drill=True)
    page = tab(has_touch=True, is_mobile=True).page
    page.set_viewport_size(PHONE)
    page.goto(f"/incidents/{incident}")
    small = (
        "all => all.filter(e => e.getClientRects().length && e.getBoundingClientRect().height < 43.5).map(e => e.outerHTML.slice(0, 90))"
    )

    assert page.eval_on_selector_all("summary, .skip-item, .facts a, .way, #r-next a", small) == []


def test_a_room_that_nobody_works_on_comes_back_by_itself(site: Site, tab: Open) -> None:
    """It says what is known, looks again, and is whole once somebody works; a text that is typed meanwhile is kept."""
    incident = site.open()
    site.desk.working = False
    page = tab().page
    page.goto(f"/incidents/{incident}")
    said = page.locator("main").inner_text()
    site.desk.working = True
    page.wait_for_selector("#r-next .primary", timeout=9000)

    assert "No worker answers" in said
    assert "left" in page.locator("#r-clocks").inner_text()


@pytest.mark.parametrize(("scheme", "size"), [("light", PHONE), ("dark", LAPTOP)], ids=["light phone", "dark laptop"])
def test_the_edges_of_a_room_break_no_rule_of_accessibility(site: Site, tab: Open, scheme: str, size: dict[str, int]) -> None:
    """A drill with its coach open, a false alarm, and a room that nobody works on: nothing to object to."""
    if not AXE.is_file():
        pytest.skip("axe-core is not here: make browser fetches it")
    drill, noise = site.open(drill=True), site.open(severity=None)
    site.does(noise, "dismiss", **{"as": "false_alarm", "reason": "the probe was broken"})
    page = tab(color_scheme=scheme).page
    page.set_viewport_size(size)
    found: list[str] = []
    for name, incident, works in (("drill", drill, True), ("dismissed", noise, True), ("nobody works", drill, False)):
        site.desk.working = works
        page.goto(f"/incidents/{incident}")
        if name == "drill":
            page.evaluate("document.querySelector('#coach').open = true")
        page.evaluate(AXE.read_text())
        violations = page.evaluate("rules => axe.run({runOnly: rules}).then(result => result.violations)", RULES)
        found += [f"{name}: {each['id']}: {node['html'][:120]}" for each in violations for node in each["nodes"]]
    site.desk.working = True

    assert found == []
