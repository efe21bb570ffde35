"""The frame around every page in a real browser: on the narrowest phone, without scripts, by keyboard, printed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from starter.health import Health
from tests.browser.conftest import PHONE, Tab
from tests.browser.houses import Guarded, House, as_one_of, well
from tests.browser.test_accessibility import PAGES

CUT = "all => all.filter(t => t.offsetParent && t.scrollWidth > t.parentElement.clientWidth + 1).map(t => t.innerText.slice(0, 60))"
"""The beginnings of the tables that are wider than where they stand."""

NARROW = {"width": 320, "height": 640}


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Health, "ready", well)  # the desk is in memory: there is no worker to look for
        made = House()
        made.start()
        yield made
        made.stop()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    made = Guarded(Path(tmp_path_factory.mktemp("guarded")))
    made.start()
    yield made
    made.stop()


def small(page: Any, where: str) -> list[str]:
    """What stands there and is too low for a thumb."""
    script = (
        "each => each.filter(one => one.offsetParent && one.getBoundingClientRect().height < 43.5).map(one => one.outerHTML.slice(0, 100))"
    )
    found: list[str] = page.locator(where).evaluate_all(script)
    return found


def test_on_a_phone_everything_is_in_the_menu_even_without_scripts(browser: Any, guarded: Guarded) -> None:
    """Every page, who one is, one's tokens: one touch away, each as high as a thumb."""
    window = Tab(browser, guarded, java_script_enabled=False, extra_http_headers=as_one_of("everybody", "vera"))
    page = window.page
    page.set_viewport_size(PHONE)
    page.goto("/")
    menu = page.locator(".menu")
    menu.locator("summary").click()
    shown = [link.inner_text() for link in menu.locator("a").all() if link.is_visible()]
    low = small(page, ".menu a, .menu button, .menu summary, .frame .button")
    menu.get_by_role("link", name="Analytics").click()

    assert shown[:4] == ["Incidents", "Post-mortems", "Actions", "Analytics"]
    assert {"Who you are", "Personal tokens", "Pause a channel", "Public status page"} <= set(shown)
    assert low == []
    assert page.url.endswith("/analytics")
    window.context.close()


def test_what_stands_on_one_line_of_the_frame_stands_at_one_height(browser: Any, house: House) -> None:
    """The words of the bar have one middle, whether or not a line marks where one is."""
    window = Tab(browser, house)
    page = window.page
    page.goto("/")
    middle = (
        "each => each.map(one => { const range = document.createRange(); range.selectNodeContents(one);"
        " const box = range.getBoundingClientRect(); return (box.top + box.bottom) / 2; })"
    )
    middles = page.locator(".frame nav.on-wide a, .frame .frame-end > .button").evaluate_all(middle)

    assert len(middles) == 5
    assert max(middles) - min(middles) < 0.6
    window.context.close()


def test_the_menu_opens_and_closes_by_keyboard(browser: Any, house: House) -> None:
    """Enter opens it, Esc closes it and leaves one where one was; a click elsewhere closes it, too."""
    window = Tab(browser, house)
    page = window.page
    page.goto("/actions")
    menu = page.locator(".menu")
    menu.locator("summary").focus()
    page.keyboard.press("Enter")
    opened = menu.get_by_role("link", name="Who you are").is_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    closed, at = menu.get_attribute("open"), page.evaluate("document.activeElement.tagName")
    menu.locator("summary").click()
    page.mouse.click(400, 500)

    assert opened
    assert (closed, at) == (None, "SUMMARY")
    assert menu.get_attribute("open") is None
    assert window.complaints == []
    window.context.close()


def test_on_a_laptop_the_pages_stand_in_a_row(browser: Any, house: House) -> None:
    """The menu holds only what the row does not."""
    window = Tab(browser, house)
    page = window.page
    page.goto("/")
    page.locator(".menu summary").click()
    row = [link.inner_text() for link in page.locator('.frame nav[aria-label="Main"] a').all() if link.is_visible()]
    menu = [link.inner_text() for link in page.locator(".menu a").all() if link.is_visible()]

    assert row == ["Incidents", "Post-mortems", "Actions", "Analytics"]
    assert set(row) & set(menu) == set()
    window.context.close()


def test_no_page_scrolls_sideways_and_every_button_fits_a_thumb(browser: Any, house: House) -> None:
    """320 px are enough for each page with all that stands on it, in either orientation of the text."""
    window = Tab(browser, house)
    page = window.page
    page.set_viewport_size(NARROW)
    wrong: list[str] = []
    for name, path in PAGES.items():
        page.goto(path)
        width = page.evaluate("document.documentElement.scrollWidth")
        wrong += [f"{name}: {width} px wide"] if width > NARROW["width"] else []
        wrong += [
            f"{name}: {each}"
            for each in small(page, "button, a.button, input:not([type=hidden]):not([type=radio]):not([type=checkbox]), select")
        ]

    assert wrong == []
    window.context.close()


def test_nothing_is_disabled_and_no_console_complains(browser: Any, house: House) -> None:
    """Every action can be pressed in every phase, and no page breaks its own rules about code."""
    window = Tab(browser, house)
    disabled = []
    for name, path in PAGES.items():
        window.page.goto(path)
        disabled += [name] if window.page.locator("[disabled]").count() else []

    assert disabled == []
    assert [each for each in window.complaints if "404" not in each] == []
    window.context.close()


@pytest.mark.parametrize("path", ["/analytics?days=0", "/incidents/INC-2026-0901/audit"])
def test_printed_nothing_is_cut(browser: Any, house: House, path: str) -> None:
    """Paper gets every table whole, with its head on every page and no row across two, and none of the buttons."""
    window = Tab(browser, house)
    page = window.page
    page.goto(path)
    page.set_viewport_size({"width": 720, "height": 1000})
    page.emulate_media(media="print")
    cut = page.locator("table").evaluate_all(CUT)
    rows = page.evaluate("[...document.querySelectorAll('tbody tr')].every(row => getComputedStyle(row).breakInside === 'avoid')")

    assert cut == []
    assert rows
    assert not page.locator("header.frame").is_visible()
    assert not page.locator("form.filters").first.is_visible()
    assert path != "/analytics?days=0" or page.locator("details.data table").is_visible()
    window.context.close()
