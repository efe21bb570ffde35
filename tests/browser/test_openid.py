"""A browser and a real provider of OpenID Connect: the way in, the way back, a sign-in that ends in the middle of a sentence."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from incident.vocabulary import Phase
from integrations.ledger import Ledger
from starter.api import Door
from starter.identity.sessions import Cookies
from starter.identity.store import Store
from tests.browser.conftest import Site, Tab
from tests.browser.test_room import LIVE
from tests.starter.identity.doors import with_openid
from tests.starter.identity.provider import PASSWORD

Open = Callable[..., Tab]

SESSION = Cookies(secure=False).session

LINE = "Half of a sentence, and then the shift was over"


class Federated(Site):
    """A door before which people sign in at a provider that runs beside it."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._ledger = Ledger(folder / "embedded.db")
        self._store = Store(self._ledger)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._at = int(free.getsockname()[1])
        self.issuer = f"http://127.0.0.1:{self._at}"
        self._said = (folder / "provider").open("w+")
        command = [sys.executable, "-m", "tests.starter.identity.provider", str(self._at), f"{self.url}/login/callback"]
        self._provider = subprocess.Popen(command, stdout=self._said, stderr=subprocess.STDOUT)
        for _ in range(600):
            if self._answers():
                return
            assert self._provider.poll() is None, (folder / "provider").read_text()
            threading.Event().wait(0.05)
        raise AssertionError(f"the provider did not start within 30 s: {(folder / 'provider').read_text()}")

    def _answers(self) -> bool:
        try:
            return httpx2.get(f"{self.issuer}/.well-known/openid-configuration", timeout=5).status_code == 200
        except httpx2.HTTPError:
            return False

    def door(self) -> Door:
        return Door(user="tocsin", version="0", arrangement=with_openid(self.issuer, public_url=self.url), identity=self._store)

    def end(self) -> None:
        self.stop()
        self._provider.kill()
        self._provider.wait()
        self._said.close()
        # The driver's loop runs in this thread.
        with ThreadPoolExecutor(1) as elsewhere:
            elsewhere.submit(lambda: asyncio.run(self._ledger.close())).result()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Federated(tmp_path_factory.mktemp("federated"))
    made.start()
    yield made
    made.end()


def identify(page: Any, name: str) -> None:
    """Answer what the provider asks on its own pages, until it sends one back."""
    page.locator("[name=login]").fill(name)
    page.keyboard.press("Enter")
    page.locator("[name=password]").fill(PASSWORD)
    page.keyboard.press("Enter")


def comes_in(page: Any, path: str, name: str) -> None:
    """Go to a page as somebody who is not signed in yet."""
    page.goto(path)
    page.get_by_role("link", name="Sign in").first.click()
    identify(page, name)


def test_whoever_signs_in_at_the_provider_stands_in_the_room_they_wanted(site: Site, tab: Open) -> None:
    """Three pages of the provider later one is in the room, live, and what one does there is under one's own name."""
    incident = site.begins(Phase.TRIAGE)
    window = tab()
    page = window.page
    comes_in(page, f"/incidents/{incident}?timeline=all", "ana")
    page.wait_for_url(f"**/incidents/{incident}?timeline=all")
    page.wait_for_selector(LIVE)
    page.locator("#f-post_update-text").fill("We look at the release")
    page.locator("#composer button").click()
    page.locator("#answer .good").wait_for()
    cookies = {cookie["name"]: cookie for cookie in window.context.cookies(site.url)}

    assert [event.by for event in site.desk.entries[incident] if event.text.endswith("We look at the release")] == ["ana"]
    assert cookies[SESSION]["httpOnly"]
    assert cookies[SESSION]["sameSite"] == "Lax"
    assert page.evaluate("document.cookie.includes('_sid')") is False


def test_a_session_that_ends_while_one_types_costs_a_sign_in_and_no_word(site: Site, tab: Open) -> None:
    """Told so, one signs in beside it, is sent back and presses again: the text is there once, as one's own."""
    incident = site.begins(Phase.TRIAGE)
    window = tab()
    page = window.page
    comes_in(page, f"/incidents/{incident}", "ana")
    page.wait_for_selector(LIVE)
    page.locator("#f-post_update-text").fill(LINE)
    window.context.clear_cookies(name=SESSION)
    page.locator("#composer button").click()
    page.locator("#answer .warn", has_text="You are signed out").wait_for()
    kept = page.locator("#f-post_update-text").input_value()
    with window.context.expect_page() as opened:
        page.locator("#answer a").click()
    beside = opened.value
    beside.get_by_role("link", name="Sign in").first.click()
    beside.get_by_text("waits in the tab that you came from: go back to it and press again").wait_for()
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.locator("#answer .good", has_text="You are signed in again").wait_for()
    page.locator("#composer button").click()
    page.locator("#answer .good", has_text=LINE).wait_for()

    assert kept == LINE
    assert [event.by for event in site.desk.entries[incident] if event.kind == "internal_update" and LINE in event.text] == ["ana"]


def test_whoever_has_no_role_is_told_so_and_sees_nothing(site: Site, tab: Open) -> None:
    """The provider knows eve, and no group of hers counts: she is told what is missing, and no incident's name is on the page."""
    site.begins(Phase.TRIAGE, title="Stolen keys of the vault")
    page = tab().page
    comes_in(page, "/", "eve")
    page.wait_for_url(f"{site.url}/**")
    said = page.locator("body").inner_text()
    page.goto("/")

    assert "You are eve, and none of your groups has a role here." in said
    assert "Stolen keys" not in said + page.locator("body").inner_text()


def test_a_cookie_of_another_server_is_no_way_in(site: Site, tab: Open) -> None:
    """A browser that was signed in at another installation under the same address is asked in anew, and nothing breaks."""
    incident = site.begins(Phase.TRIAGE)
    window = tab()
    foreign = "k3Zq0vYyG1mC8o7dJ2xN5wB4sT9uR6hL_fA-eDpQiWk"
    window.context.add_cookies([{"name": SESSION, "value": foreign, "url": site.url}])
    page = window.page
    page.goto(f"/incidents/{incident}")
    asked = page.get_by_role("link", name="Sign in").first.is_visible()
    comes_in(page, f"/incidents/{incident}", "ana")
    page.wait_for_selector(LIVE)

    assert asked
    assert {cookie["value"] for cookie in window.context.cookies(site.url) if cookie["name"] == SESSION} & {foreign} == set()
