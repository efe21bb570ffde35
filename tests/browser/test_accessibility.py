"""The pages as people with other eyes and hands meet them, judged by axe-core."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from incident.vocabulary import Phase
from tests.browser.conftest import LAPTOP, PHONE, Site, Tab
from tests.vendor import AXE, integrity, locked

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

PAGES = {
    "home": "/",
    "declare": "/declare",
    "room": "/incidents/{incident}",
    "refusal": "/incidents/{incident}",
    "mistake": "/incidents/{incident}",
    "drill": "/incidents/{drill}",
    "closed": "/incidents/{closed}",
    "keys": "/",
    "palette": "/incidents/{drill}",
    "login": "/login",
    "missing": "/incidents/INC-2026-9999",
}
"""`refusal` and `mistake` are what a press is answered, `keys` and `palette` the two dialogs."""


def act(page: Any, name: str) -> None:
    """Bring a page into the state that is looked at."""
    if name == "refusal":
        page.locator("#do-close summary").click()
        page.locator("#do-close button").click()
        page.wait_for_selector("#answer .bad")
    elif name == "mistake":
        page.locator("#do-skip summary").click()
        page.locator("#do-skip button").click()
        page.wait_for_selector("#do-skip .error")
    elif name == "keys":
        page.keyboard.press("?")
        page.wait_for_selector("dialog[open]")
    elif name == "palette":
        page.keyboard.press("Control+k")
        page.wait_for_selector("dialog[open] a")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [LAPTOP, PHONE], ids=["laptop", "phone"])
def test_no_page_breaks_a_rule_of_accessibility(site: Site, tab: Callable[..., Tab], scheme: str, size: dict[str, int]) -> None:
    """Contrast, names, roles, order: nothing to object to, light and dark, on a laptop and a phone."""
    if not AXE.is_file():
        pytest.skip("axe-core is not here: make browser fetches it")
    assert integrity(AXE.read_bytes()) == locked()["axe-core@4.14.1"]["files"]["axe.min.js"]["hash"]
    incident = site.open()
    drill = site.open("Practice: payment timeouts", drill=True, severity="SEV2")
    closed = site.begins(Phase.CLOSED)
    page = tab(color_scheme=scheme).page
    page.set_viewport_size(size)
    found: list[str] = []
    for name, path in PAGES.items():
        page.goto(path.format(incident=incident, drill=drill, closed=closed))
        act(page, name)
        page.evaluate(AXE.read_text())
        violations = page.evaluate("rules => axe.run({runOnly: rules}).then(result => result.violations)", RULES)
        found += [
            f"{name}: {each['id']}: {node['html'][:120]} {node['failureSummary'][:200]}" for each in violations for node in each["nodes"]
        ]

    assert found == []
