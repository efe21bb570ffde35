"""The room in a real browser: what people see first, what they can press, and what they never lose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from incident.commands import COMMANDS
from incident.vocabulary import Phase
from tests.browser.conftest import LAPTOP, PHONE, Site, Tab

Open = Callable[..., Tab]

LIVE = "#live-state.on"
LINE = "An hour into it, and still looking"


def enter(tab: Tab, incident: str) -> Any:
    """Open a room and wait until it is live."""
    tab.page.goto(f"/incidents/{incident}")
    tab.page.wait_for_selector(LIVE)
    return tab.page


def rows(page: Any) -> list[str]:
    found: list[str] = page.eval_on_selector_all("#timeline .entry", "rows => rows.map(row => row.id)")
    return found


def told(page: Any, text: str) -> None:
    """Wait until the timeline holds `text`, shown or waiting under its button."""
    page.locator("#timeline .entry", has_text=text).wait_for(state="attached")


def test_a_room_weighs_little_and_the_console_is_silent(site: Site, tab: Open) -> None:
    """Under 60 kB on the wire, in a handful of files, and nothing for the console to complain of.

    How soon it is painted is a figure that `make bench` prints.
    """
    incident = site.open()
    window = tab()
    client = window.context.new_cdp_session(window.page)
    client.send("Network.enable")
    sizes: list[float] = []
    client.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    page = enter(window, incident)
    files = page.evaluate("performance.getEntriesByType('resource').filter(e => e.name.includes('/static/')).map(e => e.name)")

    assert 10_000 < sum(sizes) < 60_000
    assert 4 <= len(files) <= 8
    assert window.complaints == []


@pytest.mark.parametrize("size", [LAPTOP, PHONE], ids=["laptop", "phone"])
def test_clocks_and_the_next_step_need_no_scrolling(site: Site, tab: Open, size: dict[str, int]) -> None:
    """Every running clock, the one primary button and its reason stand in the first screen."""
    page = tab().page
    page.set_viewport_size(size)
    page.goto(f"/incidents/{site.open()}")
    clocks = page.locator("#r-clocks > .clocks > .clock")
    seen = [*clocks.all(), page.locator("#r-next .primary"), page.locator("#r-next .why")]

    assert clocks.count() == 5
    assert page.locator("#r-next .primary").count() == 1
    assert [box["y"] + box["height"] <= size["height"] for box in (each.bounding_box() for each in seen)] == [True] * 7


@pytest.mark.parametrize("path", ["/", "/declare", "room"])
def test_nothing_scrolls_sideways_on_the_smallest_phone_and_every_button_can_be_hit(site: Site, tab: Open, path: str) -> None:
    """320 pixels are enough, also at twice the text size; a thumb needs 44."""
    incident = site.open("x" * 120, services=["y" * 200])
    page = tab().page
    page.set_viewport_size({"width": 320, "height": 640})
    page.goto(f"/incidents/{incident}" if path == "room" else path)
    wide = "document.documentElement.scrollWidth"
    small = (
        "all => all.filter(e => e.getClientRects().length && e.getBoundingClientRect().height < 43.5).map(e => e.outerHTML.slice(0, 90))"
    )
    normal = page.evaluate(wide)
    page.evaluate("document.documentElement.style.fontSize = '32px'")

    assert normal <= 320
    assert page.evaluate(wide) <= 320
    assert page.eval_on_selector_all("button, a.button", small) == []


@pytest.mark.parametrize("phase", list(Phase))
def test_no_button_is_ever_disabled(site: Site, tab: Open, phase: Phase) -> None:
    """Each verb can be pressed in every phase: what the process forbids it says, it does not hide."""
    page = tab().page
    page.goto(f"/incidents/{site.begins(phase, severity=None if phase is Phase.DETECTION else 'SEV2')}")

    assert page.locator("[disabled], [aria-disabled], [inert]").count() == 0
    assert sorted(page.eval_on_selector_all("details.verb", "all => all.map(e => e.id)")) == sorted(
        f"do-{verb}" for verb in COMMANDS if verb != "post_update"
    )


def test_severity_and_clocks_can_be_read_without_colour(site: Site, tab: Open) -> None:
    """A word and a shape of its own say it; colour says it again."""
    page = tab().page
    shapes = {}
    for severity in ("SEV3", "SEV2", "SEV1"):
        page.goto(f"/incidents/{site.begins(Phase.TRIAGE, severity=severity)}")
        shapes[page.locator("#r-head .sev").inner_text()] = page.locator("#r-head .sev svg").inner_html()

    assert list(shapes) == ["SEV3", "SEV2", "SEV1"]
    assert len(set(shapes.values())) == 3

    page.goto(f"/incidents/{site.open()}")

    assert {word.inner_text() for word in page.locator("#r-clocks [data-state-word]").all()} == {"left"}


def test_a_change_made_elsewhere_shows_within_a_second_and_moves_nothing(site: Site, tab: Open) -> None:
    """What a colleague types at the command line is there at once; what I read stays where it is."""
    incident = site.open()
    page = enter(tab(), incident)
    page.locator("#checklist-triage summary").click()
    page.evaluate("window.scrollTo(0, 300)")
    page.evaluate(
        "() => { window.began = performance.now(); new MutationObserver(() => { window.took ??= performance.now() - window.began })"
        ".observe(document.querySelector('#timeline'), {childList: true}) }"
    )
    top = page.evaluate("window.scrollY")
    site.does(incident, "assign", role="scribe", person="sam")
    page.locator("#r-people", has_text="sam").wait_for()

    assert page.evaluate("window.took") < 1000
    assert page.locator("#checklist-triage").get_attribute("open") is not None
    assert page.evaluate("window.scrollY") == top == 300


def test_new_rows_wait_while_i_read_further_down(site: Site, tab: Open) -> None:
    """The timeline grows under a button that counts, not under my eyes."""
    incident = site.open()
    for number in range(40):
        site.does(incident, "note", text=f"note {number}")
    page = enter(tab(), incident)
    page.locator("[data-show=all]").click()
    page.evaluate("document.querySelectorAll('.entry')[20].scrollIntoView()")
    middle = page.locator(".entry").nth(20)
    before = middle.bounding_box()["y"]
    name = middle.get_attribute("id")
    site.does(incident, "note", text="the newest")
    page.locator("#news", has_text="1 new").wait_for()

    assert page.locator(f"#{name}").bounding_box()["y"] == before

    page.locator("#news").click()

    assert (
        page.locator(".entry").first.locator(".entry-text").inner_text() == "the newest"
        or "newest" in page.locator(".entry").first.inner_text()
    )
    assert page.locator("#news").is_hidden()


def test_what_i_type_survives_twenty_changes(site: Site, tab: Open) -> None:
    """Live news never touch a field that somebody writes in, nor the place of the cursor."""
    incident = site.open()
    page = enter(tab(), incident)
    field = page.locator("#f-post_update-text")
    field.focus()
    for number in range(20):
        site.does(incident, "note", text=f"note {number}")
        page.keyboard.type("ab")
    told(page, "note 19")

    assert field.input_value() == "ab" * 20
    assert page.evaluate("document.activeElement.id") == "f-post_update-text"


def test_what_i_type_survives_a_reload(site: Site, tab: Open) -> None:
    """A draft is kept until it is sent."""
    incident = site.open()
    page = enter(tab(), incident)
    page.locator("#f-post_update-text").fill(LINE)
    page.reload()

    assert page.locator("#f-post_update-text").input_value() == LINE

    page.locator("#composer button").click()
    page.wait_for_selector("#answer .good")
    page.reload()

    assert page.locator("#f-post_update-text").input_value() == ""


def test_a_refusal_is_shown_in_full_where_i_pressed_and_keeps_my_text(site: Site, tab: Open) -> None:
    """Why not, what to do instead, what stands in the way; the focus goes there, and the attempt is on record."""
    incident = site.open()
    for verb, fields in (("acknowledge", {}), ("advance", {"reason": "go"}), ("advance", {"reason": "go"}), ("advance", {"reason": "go"})):
        site.does(incident, verb, **fields)
    page = enter(tab(), incident)
    page.keyboard.press("r")
    page.keyboard.type("A retry without a limit")
    page.locator("#f-resolve-fix_applied").fill("Rolled back")
    page.locator("#do-resolve button").click()
    page.wait_for_selector("#answer .bad")

    assert page.evaluate("document.activeElement.id") == "answer"
    assert "refused" in page.locator("#answer").inner_text()
    assert page.locator("#f-resolve-root_cause").input_value() == "A retry without a limit"
    page.wait_for_selector(".entry.k-refused", state="attached")


def test_two_presses_and_two_people_make_one_acknowledgement(site: Site, tab: Open) -> None:
    """A double click is one press; whoever comes second is told who was first, and when."""
    incident = site.open()
    mine, theirs = enter(tab(), incident), tab().page
    theirs.route("**/live*", lambda route: route.abort())
    theirs.goto(f"/incidents/{incident}")
    mine.locator("#r-next .primary").dblclick()
    mine.wait_for_selector("#answer .good")
    theirs.locator("#r-next .primary").click()
    theirs.wait_for_selector("#answer .good")

    assert site.kinds(incident).count("acknowledged") == 1
    assert "Already acknowledged by priya at" in theirs.locator("#answer").inner_text()


def test_two_people_who_press_in_the_same_moment_make_one_acknowledgement(site: Site, tab: Open) -> None:
    """Both had the button before them, and both are answered: one has acknowledged, and the other is told who has."""
    incident = site.open()
    here, there = enter(tab(), incident), enter(tab(), incident)
    held: list[Any] = []
    for page in (here, there):
        page.route("**/do/acknowledge", lambda route: held.append(route))
        with page.expect_request("**/do/acknowledge"):
            page.locator("#r-next .primary").click()
    for route in held:
        route.continue_()
    for page in (here, there):
        page.wait_for_selector("#answer .good")
    said = sorted("Already acknowledged by priya at" in page.locator("#answer").inner_text() for page in (here, there))

    assert site.kinds(incident).count("acknowledged") == 1
    assert said == [False, True]


def test_without_a_line_nothing_is_lost_and_the_press_counts_once(site: Site, tab: Open) -> None:
    """A press that did not arrive says so; the next one is the same question."""
    incident = site.open()
    page = enter(tab(), incident)
    page.locator("#f-post_update-text").fill(LINE)
    page.route("**/do/post_update", lambda route: (route.fetch(), route.abort()))
    page.locator("#composer button").click()
    page.wait_for_selector("#answer .warn")

    assert page.locator("#f-post_update-text").input_value() == LINE

    page.unroute("**/do/post_update")
    page.locator("#composer button").click()
    page.wait_for_selector("#answer .good")

    assert site.kinds(incident).count("internal_update") == 1


def test_signed_out_meanwhile_keeps_the_text(site: Site, tab: Open) -> None:
    """A sign-in that has run out costs a sign-in, not the text."""
    page = enter(tab(), site.open())
    page.locator("#f-post_update-text").fill(LINE)
    page.route("**/do/post_update", lambda route: route.fulfill(status=401, body=""))
    page.locator("#composer button").click()
    page.wait_for_selector("#answer .warn")

    assert "You are signed out" in page.locator("#answer").inner_text()
    assert page.locator("#f-post_update-text").input_value() == LINE


def test_the_public_text_is_shown_before_it_is_posted(site: Site, tab: Open) -> None:
    """Whoever writes for the public reads what the public will read, beside it or before it."""
    incident = site.open()
    page = enter(tab(), incident)
    page.locator("#composer [value=external]").check()
    page.locator("#f-post_update-text").fill("Card payments fail. <b>We</b> look.")
    page.locator("#preview .updates p", has_text="Card payments fail. <b>We</b> look.").wait_for()

    assert "Checkout returns 5xx in EU" in page.locator("#preview h3").inner_text()

    bare = tab(java_script_enabled=False).page
    bare.goto(f"/incidents/{incident}")
    bare.locator("#composer [value=external]").check()
    bare.locator("#f-post_update-text").fill("Card payments fail.")
    bare.locator("#composer button").click()
    shown = site.kinds(incident).count("external_update")
    bare.locator("#answer button").click()

    assert shown == 0
    assert site.kinds(incident).count("external_update") == 1


def test_an_incident_is_led_without_scripts(site: Site, tab: Open) -> None:
    """With JavaScript off a room is read, and every form is posted."""
    page = tab(java_script_enabled=False).page
    page.goto("/declare")
    page.locator("#o-title").fill("Checkout fails")
    page.locator("#o-severity").select_option("SEV2")
    page.locator("button.primary").click()
    page.locator("#r-next .primary").click()

    assert "acknowledged" in page.locator("#answer").inner_text()

    page.locator("#do-note summary").click()
    page.locator("#f-note-text").fill("written by hand")
    page.locator("#do-note button").click()

    assert "written by hand" in page.locator("#answer").inner_text()


def test_everything_goes_by_keyboard(site: Site, tab: Open) -> None:
    """Declare, acknowledge, write, post: no mouse; focus is seen, and Esc leads back."""
    page = tab().page
    page.goto("/")
    page.keyboard.press("c")
    page.wait_for_selector("#o-title")
    page.locator("#o-title").focus()
    page.keyboard.type("By hand")
    page.keyboard.press("Tab")
    page.keyboard.type("SEV1")
    page.locator("button.primary").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(LIVE)
    page.locator("#r-next .primary").focus()
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    page.keyboard.press("Enter")
    page.wait_for_selector("#answer .good")
    page.locator("#checklists-card a").first.focus()
    page.keyboard.press("Enter")
    went = page.evaluate("document.activeElement.closest('details').id")
    page.keyboard.press("Escape")

    assert outline == "solid"
    assert went == "do-skip"
    assert page.evaluate("document.activeElement.className") == "skip-item"

    page.keyboard.press("?")
    page.wait_for_selector("dialog[open]")
    page.keyboard.press("Escape")

    assert page.locator("dialog").count() == 0


def test_single_keys_are_off_in_fields_and_by_a_setting(site: Site, tab: Open) -> None:
    """Typing never triggers anything; whoever wants no single keys turns them off, and Ctrl-K still works."""
    page = enter(tab(), site.open())
    page.locator("#f-post_update-text").focus()
    page.keyboard.type("crm?")

    assert page.locator("#f-post_update-text").input_value() == "crm?"
    assert page.url.endswith("/incidents/" + page.evaluate("document.body.dataset.room"))

    page.locator("h1").click()
    page.keyboard.press("?")
    page.locator("dialog button").click()
    page.keyboard.press("m")
    page.keyboard.press("Control+k")
    page.wait_for_selector("dialog[open] .jump-list a")

    assert page.locator("#do-mitigate").get_attribute("open") is None

    page.keyboard.type("start a miti")
    page.keyboard.press("Enter")

    assert page.locator("#do-mitigate").get_attribute("open") is not None


def test_a_declaration_that_did_not_arrive_keeps_its_text(site: Site, tab: Open) -> None:
    """A form that failed on the way is still filled in; one that arrived is empty the next time."""
    page = tab().page
    page.goto("/declare")
    page.locator("#o-title").fill("Typed on a train")
    page.route("**/declare", lambda route: route.abort())
    with page.expect_event("requestfailed"):
        page.locator("button.primary").click()
    page.unroute("**/declare")
    page.goto("/declare")
    kept = page.locator("#o-title").input_value()
    page.locator("button.primary").click()
    page.wait_for_selector("#r-head")
    page.goto("/declare")

    assert kept == "Typed on a train"
    assert page.locator("#o-title").input_value() == ""
