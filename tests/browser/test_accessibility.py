"""The pages as people with other eyes and hands meet them, judged by axe-core: every page, with something on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from starter.health import Health
from starter.web.status_views import public_id
from tests.browser.conftest import LAPTOP, PHONE, Site, Tab
from tests.browser.houses import DISMISSED, PHASES, RECORDED, Guarded, House, as_one_of, well
from tests.vendor import AXE, integrity, locked

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

COLOURS = ["color-contrast", "link-in-text-block"]
"""What differs between light and dark; everything else is judged once for each size."""

MITIGATING, OVER = (PHASES[phase] for phase in PHASES if phase.value in ("mitigation", "post_incident"))

PAGES = {
    "home": "/",
    "home, closed": "/?open=false",
    "home, nothing fits": "/?service=nowhere",
    "declare": "/declare",
    **{f"room, {phase.value}": f"/incidents/{incident}" for phase, incident in PHASES.items()},
    "room, dismissed": f"/incidents/{DISMISSED}",
    "room, a form": f"/incidents/{MITIGATING}?do=mitigate",
    "missing": "/incidents/INC-2026-9999",
    "analytics": "/analytics?days=0",
    "analytics, behind a number": "/analytics?days=0&behind=late:internal_update",
    "analytics, nothing": "/analytics?service=nowhere",
    "audit": f"/incidents/{RECORDED}/audit",
    "actions": "/actions?show=all",
    "post-mortems": "/postmortems",
    "post-mortem, writing": f"/incidents/{OVER}/postmortem",
    "post-mortem, reading": f"/incidents/{OVER}/postmortem?view=read",
    "post-mortem, versions": f"/incidents/{OVER}/postmortem/history/summary",
    "sign-in": "/login",
    "interface": "/docs",
    "status page": "/status",
    "status page, history": "/status/history",
    "status page, an incident": f"/status/incidents/{public_id('INC-2026-0031')}",
    "status page, missing": "/status/nothing",
}

WATCHED = {
    "room of a viewer": f"/incidents/{MITIGATING}",
    "sign-in of a viewer": "/login",
    "tokens": "/login/tokens",
    "not permitted": f"/incidents/{RECORDED}/audit",
}
"""Pages that only those have who sign in."""


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


@pytest.fixture(scope="module")
def axe() -> str:
    if not AXE.is_file():
        pytest.skip("axe-core is not here: make browser fetches it")
    assert integrity(AXE.read_bytes()) == locked()["axe-core@4.14.1"]["files"]["axe.min.js"]["hash"]
    return AXE.read_text()


def objections(page: Any, axe: str, prepare: Callable[[Any], None] = lambda _: None) -> list[str]:
    """What axe says of this page, on a laptop and a phone, light and dark."""
    found: list[str] = []
    page.evaluate(axe)
    for size in (LAPTOP, PHONE):
        page.set_viewport_size(size)
        prepare(page)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            only = {"type": "tag", "values": RULES} if scheme == "light" else {"type": "rule", "values": COLOURS}
            violations = page.evaluate("only => axe.run({runOnly: only}).then(result => result.violations)", only)
            found += [
                f"{size['width']} {scheme}: {each['id']}: {node['html'][:120]} {node['failureSummary'][:200]}"
                for each in violations
                for node in each["nodes"]
            ]
    return found


@pytest.mark.parametrize("name", PAGES)
def test_no_page_breaks_a_rule_of_accessibility(browser: Any, house: House, axe: str, name: str) -> None:
    """Contrast, names, roles, order: nothing to object to, light and dark, on a laptop and a phone."""
    page = Tab(browser, house).page
    page.goto(PAGES[name])

    assert objections(page, axe) == []
    page.context.close()


@pytest.mark.parametrize("name", WATCHED)
def test_nor_does_a_page_of_who_signs_in(browser: Any, guarded: Guarded, axe: str, name: str) -> None:
    """What is said of one's role, too, can be read by everybody."""
    page = Tab(browser, guarded, extra_http_headers=as_one_of("everybody", "vera")).page
    page.goto(WATCHED[name])

    assert objections(page, axe) == []
    page.context.close()


def test_nor_does_the_way_in(browser: Any, tmp_path: Path, axe: str) -> None:
    """Whoever has not signed in yet is led in by a page that everybody can use."""
    outside = Guarded(tmp_path, "oidc")
    outside.start()
    page = Tab(browser, outside).page
    page.goto(f"/incidents/{MITIGATING}")
    found = objections(page, axe)
    shown = page.get_by_role("link", name="Sign in").first.is_visible()
    page.context.close()
    outside.stop()

    assert (found, shown) == ([], True)


def test_nor_does_what_is_folded_away(browser: Any, house: House, axe: str) -> None:
    """The menu, the tables behind the charts and every form of a room are as good when they are open."""
    page = Tab(browser, house).page
    found = []
    for path in ("/analytics?days=0", f"/incidents/{MITIGATING}"):
        page.goto(path)
        page.evaluate("() => { for (const each of document.querySelectorAll('details')) each.open = true; }")
        found += objections(page, axe)

    assert found == []
    page.context.close()


def act(page: Any, name: str) -> None:
    """Bring a room into the state that is looked at."""
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


@pytest.mark.parametrize("name", ["refusal", "mistake", "keys", "palette"])
def test_nor_does_an_answer_or_a_dialog(site: Site, tab: Callable[..., Tab], axe: str, name: str) -> None:
    """Whoever is refused, or has left out a field, hears and sees why; the dialogs can be used by everybody."""
    incident = site.open()
    page = tab().page
    page.goto(f"/incidents/{incident}")
    act(page, name)

    assert objections(page, axe) == []
