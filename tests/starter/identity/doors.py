"""A door where people sign in, on a desk without Temporal, and the browsers that come to it."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import httpx2
from fastapi import FastAPI

from incident.vocabulary import Access
from integrations.ledger import Ledger
from runtime.settings import load_settings
from starter.api import Door, create_app
from starter.endtoend import Post
from starter.identity.arrangement import Arrangement, arranged
from starter.identity.store import Store
from starter.live import Rooms
from tests.starter.desks import FakeDesk
from tests.starter.identity.provider import CLIENT_ID, CLIENT_SECRET, PASSWORD
from tests.starter.test_api import Delivered, no_history

HERE = "http://127.0.0.1:8720"
ROLES = {"sre": ["responder"], "leads": ["commander"], "admins": ["admin"], "auditors": ["auditor"], "*": []}

PAGE = {"Accept": "text/html,application/xhtml+xml", "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate"}
"""What a browser says when a person goes to a page."""


class Clock:
    """The time as a test has it."""

    def __init__(self) -> None:
        self.at = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **span: float) -> None:
        self.at += timedelta(**span)


class Place:
    """One door with everything behind it."""

    def __init__(self, arrangement: Arrangement, desk: FakeDesk, ledger: Ledger, alertmanager: Post | None = None) -> None:
        self.arrangement = arrangement
        self.desk = desk
        self.clock = Clock()
        self.store = Store(ledger, clock=self.clock)
        door = Door(user="tocsin", version="0", arrangement=arrangement, identity=self.store, alertmanager=alertmanager)
        self.app: FastAPI = create_app(desk, door, Delivered(), rooms=Rooms(desk, no_history))

    def client(self, peer: str = "192.0.2.7", **headers: str) -> httpx2.AsyncClient:
        """Somebody who asks this door; their cookies are theirs."""
        transport = httpx2.ASGITransport(self.app, raise_app_exceptions=False, client=(peer, 50_000))
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx2.AsyncClient(mounts={HERE: transport}, base_url=HERE, headers=given, timeout=20)

    async def opened(self) -> str:
        """An incident that is there already."""
        return str((await self.desk.open({"by": "dana", "title": "Checkout fails", "severity": "SEV2"}))["incident"])


@asynccontextmanager
async def place(folder: Path, arrangement: Arrangement, *, alertmanager: Post | None = None) -> AsyncIterator[Place]:
    ledger = Ledger(folder / "embedded.db")
    try:
        yield Place(arrangement, await FakeDesk.made(), ledger, alertmanager)
    finally:
        await ledger.close()


def behind_a_proxy(**more: object) -> Arrangement:
    """People are signed in by a proxy at 10.0.0.5."""
    asked = {"auth": "proxy", "proxies": "10.0.0.5", "roles": ROLES, "webhook_token": "for the alerts", **more}
    return arranged(load_settings(**asked))


def with_openid(issuer: str, **more: object) -> Arrangement:
    """People sign in at a provider."""
    asked = {
        "auth": "oidc",
        "public_url": HERE,
        "oidc_issuer": issuer,
        "oidc_client_id": CLIENT_ID,
        "oidc_client_secret": CLIENT_SECRET,
        "oidc_scopes": "openid profile groups",
        "roles": ROLES,
        **more,
    }
    return arranged(load_settings(**asked))


ROLES_OF = {group: frozenset(map(Access, words)) for group, words in ROLES.items()}


async def at_the_provider(browser: httpx2.AsyncClient, where: str, name: str, password: str = PASSWORD) -> str:
    """Sign in at the provider's own pages, as a person would, and give the address to which it sends the browser back."""
    answer = await browser.get(where, headers=PAGE)
    for _ in range(12):
        if answer.is_redirect:
            target = urljoin(str(answer.request.url), answer.headers["location"])
            if target.startswith(HERE):
                return target
            answer = await browser.get(target, headers=PAGE)
            continue
        fields = _form(answer.text)
        fields |= {field: value for field, value in (("login", name), ("password", password), ("answer", "accept")) if field in fields}
        answer = await browser.post(str(answer.request.url), data=fields, headers={**PAGE, "Origin": _origin(where)})
    raise AssertionError(f"the provider does not send {name} back: {answer.status_code}\n{answer.text[:2000]}")


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def _form(text: str) -> dict[str, str]:
    """The fields of a page's form; of a consent's buttons, the one that says yes."""
    fields: dict[str, str] = {}
    for tag in re.findall(r"<(?:input|button)\b[^>]*>", text):
        found = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        if "name" in found and found.get("type") != "file":
            fields.setdefault(html.unescape(found["name"]), html.unescape(found.get("value", "")))
    return fields


def changed(address: str, **params: str) -> str:
    """An address with other values of some parameters."""
    parts = urlsplit(address)
    return parts._replace(query=urlencode({**dict(parse_qsl(parts.query)), **params})).geturl()
