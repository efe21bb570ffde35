"""Every address that changes something, whatever is added later: not from another site's page, and not by nobody."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.starter.identity.doors import PAGE, Place

OPEN = re.compile(r"/logout|/ack/.*|/webhooks/.*")
"""Who writes there proves it otherwise, or has nothing to lose: signed links, the keys of monitoring, signing out."""

FOREIGN = {**PAGE, "Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}


def writes(routes: Any) -> Iterator[tuple[str, str]]:
    """Method and address of each route that is not for reading, those of included routers too."""
    for route in routes:
        path = getattr(route, "path", None)
        if isinstance(path, str):
            address = re.sub(r"\{[^}]+\}", "INC-2026-0001", path)
            yield from ((method, address) for method in sorted(getattr(route, "methods", None) or ()) if method not in ("GET", "HEAD"))
        inner = getattr(getattr(route, "original_router", None), "routes", None) or getattr(route, "routes", None)
        if inner:
            yield from writes(inner)


def all_writes(place: Place) -> list[tuple[str, str]]:
    return sorted(set(writes(place.app.routes)))


async def asked(browser: httpx2.AsyncClient, method: str, address: str, headers: dict[str, str]) -> int:
    return (await browser.request(method, address, content=b"{}", headers={**headers, "Content-Type": "application/json"})).status_code


async def test_a_page_of_another_site_changes_nothing_anywhere(proxied: Place) -> None:
    """Whoever is signed in and opens a foreign page loses nothing by it, at no address there is."""
    found = all_writes(proxied)
    signed_in = {"X-Forwarded-User": "ana", "X-Forwarded-Groups": "admins"}
    async with proxied.client("10.0.0.5") as browser:
        answers = {(method, address): await asked(browser, method, address, {**FOREIGN, **signed_in}) for method, address in found}

    assert len(found) > 40
    assert {place: status for place, status in answers.items() if status != 403} == {}
    assert proxied.desk.asked == []


async def test_nobody_changes_nothing_anywhere(proxied: Place) -> None:
    """Without a sign-in there is no address that does anything."""
    found = [place for place in all_writes(proxied) if not OPEN.fullmatch(place[1])]
    async with proxied.client() as stranger:
        answers = {(method, address): await asked(stranger, method, address, {}) for method, address in found}

    assert {place: status for place, status in answers.items() if status != 401} == {}
    assert proxied.desk.asked == []


@pytest.mark.parametrize("address", ["/declare", "/incidents/INC-2026-0001/do/note"])
async def test_a_form_that_is_sent_again_after_signing_out_does_nothing(proxied: Place, address: str) -> None:
    """What a browser kept of a form is worth nothing without the sign-in; the text comes back, and that is all."""
    async with proxied.client() as stranger:
        answer = await stranger.post(address, data={"key": "k", "title": "Checkout fails", "text": "again"}, headers=PAGE)

    assert answer.status_code == 401
    assert "Nothing was sent" in answer.text
    assert proxied.desk.asked == []
