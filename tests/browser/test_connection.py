"""The line between a room and its server: cut in the middle, silent, away for long; and pages at which nobody looks.

Where only time has to pass, the page's own clock is put forward.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from incident.vocabulary import Phase
from tests.browser.conftest import Site, Tab
from tests.browser.test_live import AWAY, HIDDEN, later, seconds
from tests.browser.test_room import LIVE, enter, rows, told

Open = Callable[..., Tab]

LINE = "Typed before the server went away"


def every_row(site: Site, incident: str) -> list[str]:
    return [f"t-{event.seq}" for event in reversed(site.desk.entries[incident])]


def test_twelve_seconds_without_a_server_are_said_and_made_up_for(site: Site, tab: Open) -> None:
    """The words come within two seconds, the clocks go on, the text stays, and four seconds after the server the room is whole."""
    incident = site.begins(Phase.TRIAGE)
    site.does(incident, "post_update", audience="internal", text="Looking")
    page = enter(tab(), incident)
    page.locator("#f-post_update-text").fill(LINE)
    page.locator("#composer [value=external]").check()
    site.stop()
    page.wait_for_selector("#live-state.off", timeout=2000)
    said = page.locator("#live-state").inner_text()
    first = seconds(page)
    later(page, first - 12)
    page.locator("#composer button").click()
    page.locator("#answer .warn", has_text="the server can't be reached").wait_for()
    site.start()
    page.wait_for_selector(LIVE, timeout=4000)
    site.does(incident, "note", text="while you were away")
    told(page, "while you were away")
    page.locator("#composer button").click()
    page.wait_for_selector("#answer .good")
    told(page, LINE)

    assert said.startswith("Reconnecting, data from ")
    assert rows(page) == every_row(site, incident)
    assert site.kinds(incident).count("external_update") == 1


def test_a_stream_that_is_cut_in_the_middle_of_an_event_comes_again_whole(site: Site, tab: Open) -> None:
    """Half an event is no event: nothing of it shows, and all of it shows once with the next connection."""
    incident = site.begins(Phase.TRIAGE)
    window = tab()
    page = enter(window, incident)
    site.live_cut_after, site.lines_cut = 3000, 0
    page.reload()
    for number in range(3):
        site.does(incident, "note", text=f"note {number} " + "x" * 900)
    told(page, "note 2")
    page.wait_for_selector(LIVE)

    assert site.lines_cut == 1
    assert rows(page) == every_row(site, incident)
    assert page.locator("#r-head h1").count() == page.locator("#r-next").count() == 1


def test_a_line_that_dies_without_a_word_is_noticed(site: Site, tab: Open) -> None:
    """A stream that says nothing for forty seconds, not even the time, is given up for a new one."""
    incident = site.begins(Phase.TRIAGE)
    window = tab()
    window.page.clock.install()
    page = enter(window, incident)
    site.live_is_a_hole = True
    try:
        site.does(incident, "note", text="fell into the hole")
        asked = len(site.live_requests)
        page.clock.fast_forward(50_000)
        page.wait_for_selector("#live-state.off")
    finally:
        site.live_is_a_hole = False
    page.clock.run_for(5000)
    told(page, "fell into the hole")

    assert len(site.live_requests) > asked
    assert rows(page) == every_row(site, incident)


def test_the_title_of_a_tab_that_nobody_looks_at_is_right_within_a_minute(site: Site, tab: Open) -> None:
    """A room in the background holds no stream, and yet its title counts to what is due now; looked at again it catches up."""
    incident = site.open(severity=None)
    window = tab()
    window.context.add_init_script(HIDDEN)
    window.page.clock.install()
    page = enter(window, incident)
    before = minutes(page)
    page.evaluate(AWAY, True)
    site.does(incident, "acknowledge")
    site.does(incident, "declare", severity="SEV1")
    with page.expect_response("**/badge"):
        page.clock.fast_forward(31_000)
    page.wait_for_function("() => parseInt(document.title) < 15")
    page.clock.run_for(3000)
    away, free = minutes(page), site.holds_no_stream()
    page.evaluate(AWAY, False)
    page.clock.run_for(2000)
    page.locator("#r-clocks .clock.met[data-clock=acknowledge]").wait_for(state="attached")

    assert away < 15 < before
    assert free
    assert rows(page) == every_row(site, incident)


def minutes(page: Any) -> int:
    """How many minutes the title says are left."""
    return int(page.title().split(":")[0])


def test_the_list_in_the_background_counts_what_needs_me(site: Site, tab: Open) -> None:
    """A new incident reaches the title of the list that nobody looks at, with how many need somebody and the most urgent clock."""
    window = tab()
    window.context.add_init_script(HIDDEN)
    page = window.page
    page.clock.install()
    page.goto("/")
    page.evaluate(AWAY, True)
    needed = page.locator(".needs li").count()
    site.begins(Phase.TRIAGE, by="priya", title="Burns in the background")
    page.clock.fast_forward(36_000)
    page.locator("text=Burns in the background").first.wait_for(state="attached")
    page.wait_for_function("count => document.title.startsWith(`(${count}) `)", arg=needed + 1)

    assert page.locator(".needs li").count() == needed + 1
    assert page.title().split(" ")[1][0] in "+0123456789"
