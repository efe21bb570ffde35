"""The record's pages in a real browser: what is typed is saved by itself, never over somebody else's text, and never lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from tests.browser.conftest import Site, Tab
from tests.starter.web.nights import after

Open = Callable[..., Tab]


@pytest.fixture
def incident(site: Site) -> str:
    """An incident that is over, and whose post-mortem is to be written."""
    name = f"INC-2026-{len(site.desk.incidents) + 1:04d}"
    walk = after()
    site.desk.incidents[name] = walk.incident.model_copy(update={"id": name})
    site.desk.entries[name] = walk.timeline
    return name


def write(tab: Tab, incident: str) -> Any:
    tab.page.goto(f"/incidents/{incident}/postmortem?view=write")
    tab.page.wait_for_selector("html.scripted")
    return tab.page


def texts(site: Site, incident: str, section: str) -> list[str]:
    return [version.text for version in site.drafts.versions.get((incident, section), [])]


def saved(page: Any, section: str, version: int) -> None:
    page.locator(f'[data-state="{section}"]', has_text=f"version {version}").wait_for()


def complete(site: Site, page: Any, incident: str) -> None:
    """Write what the record does not say; the rest is there already."""
    site.does(incident, "add_action_item", item="Budget the retries", owner="ben", due="2036-12-01")
    page.reload()
    page.fill("#text-impact", "- **Users Affected:** all\n- **Revenue Impact:** none\n- **SLA Impact:** none")
    page.fill("#text-what-could-be-improved", "1. The release was not watched")
    page.fill("#text-lessons-learned", "Budget the retries.")


def test_filing_never_chooses_between_two_texts(site: Site, tab: Open, incident: str) -> None:
    """Pressed while two texts stand, it is refused; both are still there, and once I have chosen, what I chose is filed."""
    window = tab()
    page = write(window, incident)
    complete(site, page, incident)
    saved(page, "lessons-learned", 1)
    address = f"{site.url}/api/v1/incidents/{incident}/postmortem/draft/summary"
    httpx2.put(address, json={"text": "Dana's text.", "by": "dana"}).raise_for_status()
    page.fill("#text-summary", "My text.")
    page.locator('[data-conflict="summary"]').wait_for()
    page.click('button[value="file"]')
    page.locator("[role=alert]", has_text="only then can it be filed").wait_for()
    unfiled, kept = site.desk.incidents[incident].postmortem, texts(site, incident, "summary")
    mine, theirs = page.input_value("#text-summary"), page.input_value("#theirs-summary")
    page.click('[data-conflict="summary"] [data-merge]')
    saved(page, "summary", 2)
    page.click('button[value="file"]')
    page.wait_for_selector("article.document")

    assert (unfiled, kept) == (None, ["Dana's text."])
    assert (mine, theirs) == ("My text.", "Dana's text.")
    assert "My text.\n\nDana's text." in (site.desk.incidents[incident].postmortem or "")


def test_a_text_brought_back_is_never_put_over_a_filing(site: Site, tab: Open, incident: str) -> None:
    """What was typed before somebody filed comes back beside what was filed, not over it."""
    window = tab()
    page = write(window, incident)
    site.stop()
    page.fill("#text-root-cause", "It was the retries.")
    page.locator('[data-state="root-cause"]', has_text="no connection").wait_for()
    page.goto("about:blank")
    site.start()
    site.does(incident, "file_postmortem", by="dana", document="## Root Cause\nA leak.\n")
    page = write(window, incident)
    page.locator('[data-conflict="root-cause"]').wait_for()

    assert page.input_value("#text-root-cause") == "It was the retries."
    assert page.input_value("#theirs-root-cause") == "A leak."
    assert texts(site, incident, "root-cause") == []


def test_what_is_typed_is_saved_by_itself(site: Site, tab: Open, incident: str) -> None:
    """Two seconds after the last key it is kept, with who and when, and the page complains of nothing."""
    window = tab()
    page = write(window, incident)
    page.fill("#text-lessons-learned", "Budget the retries.")
    saved(page, "lessons-learned", 1)
    page.press("#text-lessons-learned", "End")
    page.type("#text-lessons-learned", " Always.")
    saved(page, "lessons-learned", 2)

    assert texts(site, incident, "lessons-learned") == ["Budget the retries.", "Budget the retries. Always."]
    assert page.input_value("#text-lessons-learned") == "Budget the retries. Always."
    assert window.complaints == []


def test_what_is_missing_and_what_is_printed_follow_what_is_written(site: Site, tab: Open, incident: str) -> None:
    """Once a section is written it is asked for no more, without a reload, and paper gets the new text; the box stays where it is."""
    window = tab()
    page = write(window, incident)
    place = "document.querySelector('#text-impact').getBoundingClientRect().top"
    page.focus("#text-impact")
    before = (page.locator("#pm-impact.missing").count(), page.locator(".pm-toc a.bad[href='#pm-impact']").count(), page.evaluate(place))
    page.fill("#text-impact", "- **Users Affected:** all\n- **Revenue Impact:** none\n- **SLA Impact:** none")
    page.locator(".pm-toc a.good[href='#pm-impact']").wait_for()
    page.locator('[data-state="impact"] a', has_text="version 1").wait_for()
    after = (page.locator("#pm-impact.missing").count(), page.locator(".pm-toc a.bad[href='#pm-impact']").count(), page.evaluate(place))
    page.emulate_media(media="print")

    assert (before, after) == ((1, 1, before[2]), (0, 0, before[2]))
    assert "Revenue Impact: none" in page.inner_text(".print-only.document")
    assert window.complaints == []


def test_two_people_in_one_section_lose_nothing(site: Site, tab: Open, incident: str) -> None:
    """The second sees both texts, hers in the box, and puts them together."""
    page = write(tab(), incident)
    address = f"{site.url}/api/v1/incidents/{incident}/postmortem/draft/summary"
    httpx2.put(address, json={"text": "Dana's text.", "by": "dana"}).raise_for_status()
    page.fill("#text-summary", "My text.")
    page.locator('[data-conflict="summary"]').wait_for()
    mine, theirs = page.input_value("#text-summary"), page.input_value("#theirs-summary")
    page.click('[data-conflict="summary"] [data-merge]')
    saved(page, "summary", 2)

    assert (mine, theirs) == ("My text.", "Dana's text.")
    assert texts(site, incident, "summary") == ["Dana's text.", "My text.\n\nDana's text."]


def test_what_was_typed_while_the_server_was_away_is_saved_when_it_is_back(site: Site, tab: Open, incident: str) -> None:
    """A lost connection is told in words, and costs nothing, not even when the page is left meanwhile."""
    window = tab()
    page = write(window, incident)
    site.stop()
    page.fill("#text-root-cause", "It was the retries.")
    page.locator('[data-state="root-cause"]', has_text="no connection").wait_for()
    site.start()
    page.goto("about:blank")
    page = write(window, incident)
    saved(page, "root-cause", 1)

    assert page.input_value("#text-root-cause") == "It was the retries."
    assert texts(site, incident, "root-cause") == ["It was the retries."]


def test_evidence_goes_to_where_one_writes(site: Site, tab: Open, incident: str) -> None:
    """One press puts an entry into the box that one was in; the keyboard alone is enough."""
    page = write(tab(), incident)
    page.focus("#text-what-went-well")
    page.focus('button[value="insert:1"]')
    page.keyboard.press("Enter")
    saved(page, "what-went-well", 1)

    assert page.input_value("#text-what-went-well").endswith("(entry 1)")


def test_submitting_while_a_save_is_on_its_way_is_no_conflict(site: Site, tab: Open, incident: str) -> None:
    """One is not told that somebody else has written when it was oneself."""
    page = write(tab(), incident)
    complete(site, page, incident)
    page.click('button[value="file"]')
    page.wait_for_selector("article.document")

    assert "Budget the retries." in page.inner_text("article.document")
    assert (site.desk.incidents[incident].postmortem or "").count("Budget the retries.") == 1
    assert len(texts(site, incident, "lessons-learned")) == 1


def test_everything_works_with_scripts_off(site: Site, tab: Open, incident: str) -> None:
    """Reading, writing, and filing are forms."""
    page = tab(java_script_enabled=False).page
    page.goto(f"/incidents/{incident}/postmortem")
    complete(site, page, incident)
    page.click('button[value="save"]')
    page.click('button[value="file"]')

    assert "Budget the retries." in page.inner_text("article.document")


@pytest.mark.parametrize(
    "path", ["/incidents/{incident}/postmortem", "/analytics", "/incidents/{incident}/audit", "/actions", "/postmortems"]
)
def test_no_page_scrolls_sideways_on_the_narrowest_phone(site: Site, tab: Open, incident: str, path: str) -> None:
    """320 px are enough to read everything, an action item with its button among it."""
    step = "Budget the retries of every caller of the payment service"
    site.does(incident, "add_action_item", item=step, owner="ben-of-payments", due="2036-12-01")
    page = tab().page
    page.set_viewport_size({"width": 320, "height": 640})
    page.goto(path.format(incident=incident))

    beyond = page.evaluate(
        "[...document.querySelectorAll('main button')].filter((one) => one.getBoundingClientRect().right > innerWidth).length"
    )

    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert beyond == 0


def test_print_shows_the_document_and_cuts_no_row(site: Site, tab: Open, incident: str) -> None:
    """Paper gets the text as it is read: no buttons, no boxes, no row across two pages."""
    page = write(tab(), incident)
    page.emulate_media(media="print")

    assert page.locator(".print-only.document").is_visible()
    assert not page.locator("form.pm").is_visible()
    assert page.evaluate("getComputedStyle(document.querySelector('.document tr')).breakInside") == "avoid"
