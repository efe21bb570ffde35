"""In a real browser: every piece of foreign text is an island, whatever direction it is written in."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.browser.conftest import Site, Tab

WORD = "مرحبا"

ISLANDS = """word => {
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const text = walk.currentNode;
    const parent = text.parentElement;
    if (!text.data.includes(word) || parent.closest("textarea, script")) continue;
    const bidi = getComputedStyle(parent).unicodeBidi;
    if (!["isolate", "plaintext", "isolate-override"].includes(bidi)) found.push(parent.outerHTML.slice(0, 200));
  }
  return found;
}"""


@pytest.mark.parametrize("path", ["/", "/incidents/{id}?timeline=all", "/incidents/{id}/audit", "/incidents/{id}/postmortem"])
def test_foreign_text_is_an_island(site: Site, tab: Callable[..., Tab], path: str) -> None:
    """Titles, people, services and what they say are isolated from what stands beside them."""
    incident = site.open(title=f"{WORD} 12", services=[WORD], by=WORD)
    site.does(incident, "note", text=f"{WORD} (note)", by=WORD)
    site.does(incident, "assign", role="scribe", person=WORD)
    site.does(incident, "add_action_item", item=WORD, owner=WORD, due="2036-12-01")
    page = tab().page
    page.goto(path.format(id=incident))

    assert WORD in page.inner_text("body")
    assert page.evaluate(ISLANDS, WORD) == []
