"""A whole drill without a mouse: every one of the six phases, from the list to the closed incident, by keys alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from incident.vocabulary import Phase
from tests.browser.conftest import PHONE, Site, Tab
from tests.browser.keyboard import Keyboard
from tests.browser.test_room import LIVE, enter

Open = Callable[..., Tab]


def accepted(keys: Keyboard, sentence: str) -> None:
    """The last press was carried out: the focus is on what the process says of it."""
    keys.page.locator("#answer .notice.good", has_text=sentence).wait_for()
    keys.arrives("#answer")


def in_phase(page: Any, label: str) -> None:
    page.locator("#r-head [aria-current=step]", has_text=label).wait_for()


def test_a_whole_drill_goes_by_keyboard_alone(site: Site, tab: Open) -> None:
    """From the empty list to the closed incident nobody needs a mouse; the focus is always seen, and never lost to a live update."""
    window = tab()
    page = window.page
    keys = Keyboard(page)
    page.goto("/")
    keys.enters(".practice button")
    page.wait_for_selector(LIVE)
    incident = page.evaluate("document.body.dataset.room")

    keys.press("a")
    keys.arrives("#do-acknowledge button, #r-next button")
    keys.press("Space")
    accepted(keys, "acknowledged")

    keys.does("declare")
    keys.arrives("#f-declare-severity")
    keys.types("SEV1")
    keys.tab_to("#f-declare-summary")
    keys.types("Customers can not pay")
    keys.tab_to("#f-declare-customer_facing")
    keys.types("Yes")
    keys.enters("#do-declare button")
    accepted(keys, "SEV1")
    in_phase(page, "Declaration")

    keys.press("u")
    keys.arrives("#f-post_update-text")
    keys.types("Looking at release v248")
    keys.enters("#composer button")
    accepted(keys, "Looking at release v248")

    keys.press("u")
    keys.arrives("#f-post_update-text")
    keys.types("Some card payments fail.")
    keys.tab_to("#composer [name=audience]", "Shift+Tab")
    keys.press("ArrowRight")
    keys.tab_to("#f-post_update-status")
    keys.types("Inv")
    keys.enters("#composer button")
    accepted(keys, "Some card payments fail.")

    keys.does("next phase")
    keys.arrives("#f-advance-reason")
    keys.types("practice")
    keys.enters("#do-advance button")
    in_phase(page, "Triage")
    keys.arrives("#answer")

    keys.does("hypothesis")
    keys.arrives("#f-hypothesize-text")
    keys.types("The retry of v248")
    keys.enters("#do-hypothesize button")
    accepted(keys, "The retry of v248")

    keys.press("m")
    keys.arrives("#f-mitigate-option")
    keys.types("Roll")
    for name in ("rationale", "owner", "action", "verification", "rollback_plan"):
        keys.tab_to(f"#f-mitigate-{name}")
        keys.types("ben" if name == "owner" else f"the {name} of the rollback")
    keys.enters("#do-mitigate button")
    keys.arrives("#answer")
    keys.does("next phase")
    keys.arrives("#f-advance-reason")
    keys.types("practice")
    keys.enters("#do-advance button")
    in_phase(page, "Mitigation")
    keys.arrives("#answer")
    keys.does("approve")
    keys.arrives("#f-approve-note")
    keys.types("reviewed")
    keys.enters("#do-approve button")
    keys.arrives("#answer")
    keys.does("finish the mit")
    keys.arrives("#f-finish_mitigation-succeeded")
    keys.types("Yes")
    keys.enters("#do-finish_mitigation button")
    keys.arrives("#answer")
    keys.does("next phase")
    keys.arrives("#f-advance-reason")
    keys.types("practice")
    keys.enters("#do-advance button")
    in_phase(page, "Resolution")

    keys.press("r")
    keys.arrives("#f-resolve-root_cause")
    keys.types("A retry without a limit")
    keys.tab_to("#f-resolve-fix_applied")
    keys.types("Rolled back")
    keys.enters("#do-resolve button")
    page.wait_for_selector("#answer .notice.bad")
    keys.arrives("#answer")
    for criterion in ("symptom_resolved", "metrics_at_baseline", "alerts_cleared"):
        keys.enters(f"#r-facts a[href*='criterion={criterion}']")
        keys.arrives("#f-confirm-evidence")
        keys.types("seen")
        keys.enters("#do-confirm button")
        page.locator(f"#r-facts a[href*='criterion={criterion}']").wait_for(state="detached")
        keys.arrives("#answer")
    site.forward(incident, minutes=1)
    page.locator("#r-facts li.done", has_text="Verification period").wait_for()
    keys.press("r")
    keys.tab_to("#do-resolve button")
    keys.press("Enter")
    in_phase(page, "Post")
    keys.arrives("#answer")

    keys.does("action item")
    keys.arrives("#f-add_action_item-item")
    keys.types("Budget the retries")
    keys.tab_to("#f-add_action_item-owner")
    keys.types("ben")
    keys.press("Tab")
    keys.arrives("#f-add_action_item-due")
    keys.types("12012036")
    keys.enters("#do-add_action_item button")
    accepted(keys, "Budget the retries")

    keys.enters(f".links a[href='/incidents/{incident}/postmortem']")
    page.wait_for_selector("html.scripted")
    for section in ("summary", "impact", "root-cause", "lessons-learned"):
        keys.tab_to(f"#text-{section}")
        keys.press("Control+a")
        keys.types("The retry budget was exhausted.")
    keys.tab_to("button[value=file]", "Shift+Tab")
    keys.press("Enter")
    page.wait_for_selector("article.document")
    keys.enters(f"main a[href='/incidents/{incident}']")
    page.wait_for_selector(LIVE)
    keys.does("retrospective")
    keys.arrives("#f-schedule_retrospective-at")
    keys.types("2036-12-01T10:00Z")
    keys.enters("#do-schedule_retrospective button")
    accepted(keys, "2036")

    for name in page.locator("#r-checklists details:not([open])").evaluate_all("all => all.map(one => one.id)"):
        keys.enters(f"#{name} > summary")
    open_items = page.locator("#r-checklists button.tick").count()
    keys.tab_to("#r-checklists button.tick")
    for left in range(open_items - 1, -1, -1):
        keys.press("Space")
        page.wait_for_function("left => document.querySelectorAll('#r-checklists button.tick').length === left", arg=left)
        keys.arrives("#r-checklists :is(button, a, summary)")
        if left:
            keys.tab_to("#r-checklists button.tick")

    keys.does("close")
    keys.arrives("#do-close button")
    keys.press("Enter")
    page.locator("#r-coach", has_text="That was the whole process").wait_for()
    keys.arrives("#answer")

    assert open_items > 10
    assert site.state(incident)["phase"] == "closed"
    assert [complaint for complaint in window.complaints if "409" not in complaint] == []


def test_focus_stays_where_it_is_when_somebody_else_does_what_i_was_about_to(site: Site, tab: Open) -> None:
    """A colleague ticks the item that my focus is on: it is on the next one, not lost at the top of the page."""
    incident = site.begins(Phase.TRIAGE)
    page = enter(tab(), incident)
    keys = Keyboard(page)
    keys.tab_to("#r-checklists button.tick")
    first, second = page.locator("#checklist-triage li.open").evaluate_all("all => all.slice(0, 2).map(item => item.dataset.item)")
    top = place(page, second)
    site.does(incident, "check", item=first)
    page.locator(f"[data-item={first}].done").wait_for()

    keys.arrives(f"[data-item={second}] button.tick")
    assert abs(place(page, second) - top) < MOVES_AT_MOST

    keys.press("Space")
    page.locator(f"[data-item={second}].done").wait_for()

    keys.arrives("#checklist-triage button.tick")
    assert abs(place(page, second) - top) < MOVES_AT_MOST
    assert page.locator("#announce").inner_text().startswith(site.desk.entries[incident][-1].text)


def test_what_grows_above_does_not_push_away_what_i_write_in(site: Site, tab: Open) -> None:
    """The next step becomes longer while I type below it: my line stays where my eyes are."""
    incident = site.begins(Phase.DETECTION, severity=None)
    window = tab()
    window.page.set_viewport_size(PHONE)
    page = enter(window, incident)
    field = page.locator("#f-post_update-text")
    field.focus()
    page.locator("#r-next").evaluate("next => scrollBy({top: next.getBoundingClientRect().top + 40, behavior: 'instant'})")
    size = page.locator("#r-next").bounding_box()["height"]
    top = field.bounding_box()["y"]
    site.does(incident, "acknowledge")
    site.does(incident, "declare", severity="SEV1", customer_facing=True)
    page.locator("#r-head [aria-current=step]", has_text="Declaration").wait_for(state="attached")

    assert 0 < top < PHONE["height"]
    assert abs(page.locator("#r-next").bounding_box()["height"] - size) > 20
    assert abs(field.bounding_box()["y"] - top) < 2


MOVES_AT_MOST = 100
"""Pixels: an item at the edge of the screen is brought fully into it."""


def place(page: Any, item: str) -> float:
    """Where an item of the checklist stands on the screen."""
    found: float = page.locator(f"[data-item={item}]").bounding_box()["y"]
    return found


def test_a_key_leads_to_each_thing_that_it_names(site: Site, tab: Open) -> None:
    """a, u, m, r and n stand in the field that one has to fill first; Esc leads back to where one was."""
    page = enter(tab(), site.begins(Phase.MITIGATION))
    keys = Keyboard(page)
    keys.tab_to(".brand")
    places = {}
    for key in "umrna":
        keys.press(key)
        places[key] = page.evaluate("document.activeElement.id || document.activeElement.closest('details, section').id")
        keys.press("Escape")
        keys.arrives(".brand")

    assert places == {
        "u": "f-post_update-text",
        "m": "f-mitigate-option",
        "r": "f-resolve-root_cause",
        "n": "f-note-text",
        "a": "do-acknowledge",
    }
