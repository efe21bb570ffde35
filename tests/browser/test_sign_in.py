"""Pages behind a sign-in: who is signed out in the middle of a sentence, and who asks for what is not theirs to see."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from incident.vocabulary import Phase
from integrations.ledger import Ledger
from starter.api import Door
from starter.identity.store import Store
from tests.browser.conftest import Site, Tab
from tests.browser.test_room import enter
from tests.starter.identity.doors import behind_a_proxy
from tests.starter.web.nights import after

Open = Callable[..., Tab]

LINE = "Half of a sentence, and then the sign-in ran out"


class Guarded(Site):
    """A door behind a proxy on this machine, which says who is there."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__()
        self._store = Store(ledger)

    def door(self) -> Door:
        return Door(user="tocsin", version="0", arrangement=behind_a_proxy(proxies="127.0.0.1"), identity=self._store)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    ledger = Ledger(tmp_path_factory.mktemp("guarded") / "embedded.db")
    made = Guarded(ledger)
    made.start()
    yield made
    made.stop()
    # The driver's loop runs in this thread.
    with ThreadPoolExecutor(1) as elsewhere:
        elsewhere.submit(lambda: asyncio.run(ledger.close())).result()


def as_(name: str, *groups: str) -> dict[str, str]:
    """What the proxy adds for somebody."""
    return {"X-Forwarded-User": name, "X-Forwarded-Groups": ",".join(groups)}


def test_signed_out_in_the_middle_of_a_sentence_costs_a_sign_in(site: Site, tab: Open) -> None:
    """The press says so and keeps the text; signed in again in another tab, the same press goes through, once, under the right name."""
    incident = site.begins(Phase.TRIAGE)
    window = tab(extra_http_headers=as_("ana", "leads"))
    page = enter(window, incident)
    page.locator("#f-post_update-text").fill(LINE)
    window.context.set_extra_http_headers({})
    page.locator("#composer button").click()
    page.locator("#answer .warn", has_text="You are signed out").wait_for()
    kept = page.locator("#f-post_update-text").input_value()
    with window.context.expect_page() as opened:
        page.locator("#answer a").click()
    sign_in = opened.value
    window.context.set_extra_http_headers(as_("ana", "leads"))
    sign_in.reload()
    who = sign_in.locator("h1").inner_text()
    page.locator("#composer button").click()
    page.locator("#answer .good", has_text=LINE).wait_for()

    assert kept == LINE
    assert who == "You are ana"
    assert [event.by for event in site.desk.entries[incident] if event.kind == "internal_update" and LINE in event.text] == ["ana"]


def test_what_one_could_not_send_is_there_for_nobody_else_at_this_browser(site: Site, tab: Open) -> None:
    """Ben, who signs in after ana at the same browser, finds neither her update nor her post-mortem; she finds both again."""
    incident = site.begins(Phase.TRIAGE)
    over = f"INC-2026-{len(site.desk.incidents) + 1:04d}"
    walk = after()
    site.desk.incidents[over] = walk.incident.model_copy(update={"id": over})
    site.desk.entries[over] = walk.timeline
    window = tab(extra_http_headers=as_("ana", "leads"))
    page = window.page
    found: dict[str, tuple[str, str]] = {}
    for who in ("ana", "ben", "ana again"):
        window.context.set_extra_http_headers(as_(who.split()[0], "leads"))
        enter(window, incident)
        update = page.locator("#f-post_update-text").input_value()
        if who == "ana":
            page.locator("#f-post_update-text").fill(LINE)
        page.goto(f"/incidents/{over}/postmortem?view=write")
        page.wait_for_selector("html.scripted")
        found[who] = (update, page.input_value("#text-root-cause"))
        if who == "ana":
            site.stop()
            page.fill("#text-root-cause", "It was the retries.")
            page.locator('[data-state="root-cause"]', has_text="no connection").wait_for()
            page.goto("about:blank")
            site.start()

    assert found == {"ana": ("", found["ana"][1]), "ben": found["ana"], "ana again": (LINE, "It was the retries.")}
    assert "retries" not in found["ana"][1]


def test_what_one_may_not_see_looks_like_what_is_not_there(site: Site, tab: Open) -> None:
    """Somebody who is not in a private incident gets, at each of its pages, what they get for one that does not exist."""
    secret = site.begins(Phase.TRIAGE, before=lambda walk: walk.does("restrict", by="ana", reason="a breach"), title="Stolen keys")
    page = tab(extra_http_headers=as_("mallory", "leads", "auditors")).page
    hers = tab(extra_http_headers=as_("ana", "leads")).page
    told: dict[str, list[Any]] = {secret: [], "INC-2026-9999": []}
    for incident, answers in told.items():
        for path in ("", "/audit", "/postmortem", "/live", "/badge"):
            answered = page.goto(f"/incidents/{incident}{path}")
            answers.append((answered.status, page.locator("main, body").first.inner_text().replace(incident, "ID")))
    page.goto("/")
    listed = page.locator("body").inner_text()
    found = page.evaluate("fetch('/jump').then(answer => answer.text())")
    hers.goto(f"/incidents/{secret}")

    assert told[secret] == told["INC-2026-9999"]
    assert {status for status, _ in told[secret]} == {404}
    assert [place for place in (listed, found) if secret in place or "Stolen keys" in place] == []
    assert hers.locator("#r-head h1").inner_text() == "Stolen keys"


def test_two_people_do_not_write_to_the_public_at_once_unawares(site: Site, tab: Open) -> None:
    """Who opens the composer hears that dana is at it; once hers is posted, it is taken back. She hears nothing of herself."""
    incident = site.begins(Phase.TRIAGE, customer_facing=True)
    hers = enter(tab(extra_http_headers=as_("dana", "leads")), incident)
    his = enter(tab(extra_http_headers=as_("ben", "leads")), incident)
    hers.get_by_role("radio", name="External").check()
    hers.locator("#f-post_update-text").fill("Card payments fail in the EU.")
    his.locator("#beside", has_text="dana is writing to the public just now").wait_for(timeout=15_000)
    alone = hers.locator("#beside").is_hidden()
    hers.locator("#composer button").click()
    his.locator("#beside").wait_for(state="hidden", timeout=15_000)

    assert alone is True
    assert his.locator("#timeline", has_text="Card payments fail in the EU.").count() == 1
