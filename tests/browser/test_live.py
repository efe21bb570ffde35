"""The live room when things go wrong around it: servers that stop, clocks that are off, tabs that nobody looks at."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.browser.conftest import Site, Tab
from tests.browser.test_room import LIVE, enter, rows, told

Open = Callable[..., Tab]

HIDDEN = "Object.defineProperty(document, 'hidden', {configurable: true, get: () => window.away ?? false})"
AWAY = "away => { window.away = away; document.dispatchEvent(new Event('visibilitychange')) }"


def seconds(page: Any, name: str = "internal_update") -> int:
    """How much is left of a clock, as the page shows it."""
    minutes, rest = page.locator(f"[data-clock={name}] [data-countdown]").inner_text().split(":")
    return int(minutes) * 60 + int(rest)


def later(page: Any, left: int, name: str = "internal_update") -> None:
    """Wait until a clock shows at most `left` seconds: it counts."""
    page.wait_for_function(
        "([name, left]) => { const [m, s] = document.querySelector(`[data-clock=${name}] [data-countdown]`).textContent.split(':');"
        " return m * 60 + +s <= left }",
        arg=[name, left],
    )


def truth(site: Site, incident: str, name: str = "internal_update") -> float:
    due = site.desk.incidents[incident].clocks[name].due
    assert due is not None
    return (due - datetime.now(UTC)).total_seconds()


def test_a_server_that_stops_is_said_in_words_and_comes_back_without_a_gap(site: Site, tab: Open) -> None:
    """The clocks go on, the page says from when its data is, and nothing is missing or twice afterwards."""
    incident = site.open()
    page = enter(tab(), incident)
    site.does(incident, "note", text="before")
    told(page, "before")
    page.locator("#f-post_update-text").fill("typed before the stop")
    site.stop()
    page.wait_for_selector("#live-state.off", timeout=2500)
    said = page.locator("#live-state").inner_text()
    first = seconds(page)
    later(page, first - 1)
    second = seconds(page)
    site.start()
    site.does(incident, "note", text="while you were away")
    page.wait_for_selector(LIVE, timeout=4500)
    told(page, "while you were away")

    assert "Reconnecting, data from" in said
    assert 1 <= first - second <= 3
    assert rows(page) == [f"t-{event.seq}" for event in reversed(site.desk.entries[incident])]
    assert site.live_requests[-1] is not None
    assert page.locator("#f-post_update-text").input_value() == "typed before the stop"


def test_a_first_connection_that_is_refused_is_tried_again(site: Site, tab: Open) -> None:
    """A room that was opened in the middle of a restart becomes live by itself."""
    site.refusals_of_live = 1
    asked = len(site.live_requests)
    page = enter(tab(), site.open())

    assert page.locator("#live-state").inner_text() == "Live"
    assert (site.refusals_of_live, len(site.live_requests) - asked) == (0, 2)


def test_eight_tabs_of_a_room_load_and_hidden_ones_hold_no_stream(site: Site, tab: Open) -> None:
    """A browser has six lines to a server; tabs that nobody looks at give theirs back."""
    incident = site.open()
    window = tab()
    window.context.add_init_script(HIDDEN)
    pages = []
    for _ in range(8):
        page = window.context.new_page()
        page.goto(f"/incidents/{incident}")
        page.wait_for_selector(LIVE)
        page.evaluate(AWAY, True)
        pages.append(page)
    held = site.viewers()
    site.does(incident, "note", text="meanwhile")
    pages[0].evaluate(AWAY, False)
    told(pages[0], "meanwhile")

    assert held <= 2


def test_a_laptop_whose_clock_is_an_hour_off_counts_right(site: Site, tab: Open) -> None:
    """Countdowns follow the server's clock."""
    incident = site.open()
    window = tab()
    window.context.add_init_script("const real = Date.now; Date.now = () => real() + 3_600_000")
    page = enter(window, incident)
    later(page, seconds(page) - 1)

    assert abs(seconds(page) - truth(site, incident)) <= 1.5


def test_a_countdown_speaks_at_five_minutes_at_one_and_when_it_is_over(site: Site, tab: Open) -> None:
    """A screen reader hears three sentences of a clock, not six hundred."""
    incident = site.open()
    window = tab()
    window.context.add_init_script("window.shift = 0; const real = Date.now; Date.now = () => real() + window.shift")
    window.page.route("**/live*", lambda route: route.abort())
    page = window.page
    page.goto(f"/incidents/{incident}")
    page.evaluate(
        "() => { window.said = []; const place = document.querySelector('#announce');"
        " new MutationObserver(() => said.push(place.textContent)).observe(place, {childList: true, characterData: true, subtree: true}) }"
    )
    due = truth(site, incident)
    for left in (310, 295, 200, 65, 58, 30, 2, -1, -60):
        page.evaluate(f"window.shift = {(due - left) * 1000}; tick()")
    page.wait_for_function("() => window.said.join().includes('internal update is overdue')")
    said = [one for sentence in page.evaluate("window.said") for one in sentence.split(". ") if one.startswith("internal update")]

    assert said == ["internal update is due in 5 minutes", "internal update is due in 1 minute", "internal update is overdue"]
    assert page.locator("[role=timer]").first.get_attribute("aria-label")
    assert "overdue" in page.locator("[data-clock=internal_update]").get_attribute("class").split()
    assert "+" in page.title()


def test_the_list_says_as_of_when_it_is_and_follows(site: Site, tab: Open) -> None:
    """A new incident appears in the list by itself."""
    page = tab().page
    page.goto("/")
    title = f"Appears at {datetime.now(UTC) + timedelta(0):%H:%M:%S.%f}"
    site.open(title)
    page.wait_for_selector(f"text={title}")

    assert "as of" in page.locator("#live-state").inner_text()


def test_what_became_of_a_miss_is_told_beside_its_first_word_as_it_happens(site: Site, tab: Open) -> None:
    """How often it was asked for since, and until when: without loading the page anew, and without a row that moves."""
    incident = site.open()
    page = enter(tab(), incident)
    site.forward(incident, minutes=12)
    first = page.locator("#timeline .entry.k-overdue.key", has_text="Internal update is overdue")
    first.wait_for()
    place = first.get_attribute("id")
    site.forward(incident, minutes=11)
    page.locator(f"#{place}", has_text="1 reminder since").wait_for()
    site.does(incident, "post_update", audience="internal", text="We roll back")
    page.locator(f"#{place}", has_text="1 reminder until").wait_for()

    assert page.locator(f"#{place} .entry-text").count() == 1
    assert page.locator("#timeline .entry").count() == len(site.kinds(incident))


def test_a_new_phase_is_said_once_to_whoever_listens(site: Site, tab: Open) -> None:
    """A screen reader hears that the incident went on, and not each of the entries that came with it."""
    incident = site.open()
    page = enter(tab(), incident)
    before = page.locator("#announce").inner_text()
    site.does(incident, "acknowledge")
    site.does(incident, "advance", reason="it is clear what to do")
    page.locator("#announce", has_text="The incident is now in triage").wait_for(state="attached")

    assert before == ""
