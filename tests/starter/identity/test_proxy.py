"""A proxy says who is there; only the proxies that are listed are believed."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.datastructures import Headers

from starter.identity.proxy import client_address
from tests.starter.identity.doors import PAGE, Place, behind_a_proxy, place

ANA = {"X-Forwarded-User": "ana", "X-Forwarded-Groups": "sre, leads"}


async def test_whom_the_proxy_names_is_who_acts(proxied: Place) -> None:
    """The name and the groups come from the proxy's headers; a command is signed with them."""
    incident = await proxied.opened()
    async with proxied.client("10.0.0.5", **{name.replace("-", "_"): value for name, value in ANA.items()}) as proxy:
        done = await proxy.post(f"/api/v1/incidents/{incident}/acknowledge", json={"key": "k"}, headers={"User-Agent": "tocsin-cli"})

    assert done.status_code == 200
    assert proxied.desk.asked[-1][2] == {"by": "ana", "roles": ["commander", "responder"], "via": "cli", "key": "k"}


@pytest.mark.parametrize("peer", ["192.0.2.7", "127.0.0.1", "10.0.0.50", ""])
async def test_the_headers_of_anybody_else_are_refused(proxied: Place, peer: str) -> None:
    """Whoever reaches the server beside the proxy can't name themselves; on the same machine neither."""
    async with proxied.client(peer) as stranger:
        answer = await stranger.get("/api/v1/incidents", headers=ANA)

    assert answer.status_code == 403
    assert "none of the proxies that are trusted" in answer.json()["detail"]


async def test_a_chain_of_addresses_makes_nobody_a_proxy(proxied: Place) -> None:
    """The peer is who is connected, whatever `X-Forwarded-For` says."""
    async with proxied.client("192.0.2.7") as stranger:
        answer = await stranger.get("/api/v1/incidents", headers={**ANA, "X-Forwarded-For": "10.0.0.5", "Forwarded": "for=10.0.0.5"})

    assert answer.status_code == 403


async def test_the_proxy_without_a_name_is_nobody(proxied: Place) -> None:
    """The proxy lets something through unsigned: then nobody is there, and the page says where the sign-in is."""
    async with proxied.client("10.0.0.5") as proxy:
        program = await proxy.get("/api/v1/incidents")
        page = await proxy.get("/login", params={"next": "/incidents/INC-2026-0001"}, headers=PAGE)

    assert program.status_code == 401
    assert "Sign in through the proxy" in page.text
    assert 'href="/incidents/INC-2026-0001"' in page.text, "the way on"
    assert "<code>TOCSIN_PROXIES</code>" in page.text
    assert "<code>X-Forwarded-User</code>" in page.text
    assert "tocsin</span></a>" not in page.text


@pytest.mark.parametrize(
    "headers",
    [
        [("X-Forwarded-User", "ana"), ("X-Forwarded-User", "root")],
        [("X-Forwarded-User", "ana"), ("X-Forwarded-Groups", "sre"), ("X-Forwarded-Groups", "admins")],
        [("X-Forwarded-User", " ")],
        [("X-Forwarded-User", "a" * 400)],
        [("X-Forwarded-User", "@ana")],
        [("X-Forwarded-User", "Tocsin")],
        [("X-Forwarded-User", "monitoring")],
    ],
)
async def test_headers_that_a_client_may_have_added_are_refused(proxied: Place, headers: list[tuple[str, str]]) -> None:
    """A proxy that adds its header to the client's, instead of replacing it, would let anybody be anybody."""
    async with proxied.client("10.0.0.5") as proxy:
        answer = await proxy.get("/api/v1/incidents", headers=headers)

    assert answer.status_code == 403


async def test_somebody_without_a_role_may_not_even_read(proxied: Place) -> None:
    """Being known is not being allowed; the answer says what is missing."""
    async with proxied.client("10.0.0.5", X_Forwarded_User="eve", X_Forwarded_Groups="sales") as proxy:
        program = await proxy.get("/api/v1/incidents")
        page = await proxy.get("/docs", headers=PAGE)
        you = await proxy.get("/login", headers=PAGE)

    assert (program.status_code, page.status_code, you.status_code) == (403, 403, 200)
    assert "eve has no role" in program.json()["detail"]
    assert "None of your groups has a role here" in you.text


@pytest.mark.parametrize(("given", "status"), [("the proxy's word", 200), ("guessed", 403), ("", 403), (None, 403)])
async def test_a_proxy_can_be_made_to_prove_itself(tmp_path: Path, given: str | None, status: int) -> None:
    """Where a secret is agreed, an address alone is not enough."""
    headers = ANA if given is None else {**ANA, "X-Tocsin-Proxy-Secret": given}
    async with place(tmp_path, behind_a_proxy(proxy_secret="the proxy's word")) as where, where.client("10.0.0.5") as proxy:
        answer = await proxy.get("/api/v1/incidents", headers=headers)

    assert answer.status_code == status


@pytest.mark.parametrize("peer", ["10.1.2.3", "::ffff:10.1.2.3", "fd00::5"])
async def test_proxies_may_be_networks(tmp_path: Path, peer: str) -> None:
    """A whole network is listed at once, and an IPv4 address on an IPv6 socket is still that address."""
    async with place(tmp_path, behind_a_proxy(proxies="10.1.0.0/16, fd00::/64")) as where, where.client(peer) as proxy:
        answer = await proxy.get("/api/v1/incidents", headers=ANA)

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("peer", "way", "address"),
    [
        ("192.0.2.7", "198.51.100.1", "192.0.2.7"),
        ("10.0.0.5", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.5", "1.1.1.1, 198.51.100.1, 10.0.0.5", "198.51.100.1"),
        ("10.0.0.5", "", "10.0.0.5"),
    ],
)
def test_an_address_is_counted_as_the_nearest_one_that_is_not_ours(peer: str, way: str, address: str) -> None:
    """So that all who come through one proxy are not held up by one, and nobody hides behind a made-up chain."""
    found = client_address(behind_a_proxy(), peer, Headers({"X-Forwarded-For": way}))

    assert found == address
