"""Personal tokens: made by who is signed in, worth no more than their owner, and useless once revoked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from starter.identity.store import fresh_secret
from tests.starter.identity.doors import Place


def signed_in(where: Place, name: str = "ana", groups: str = "sre,leads") -> httpx2.AsyncClient:
    """Somebody who comes through the proxy."""
    return where.client("10.0.0.5", X_Forwarded_User=name, X_Forwarded_Groups=groups, Sec_Fetch_Mode="cors")


@asynccontextmanager
async def holding(where: Place, secret: str, agent: str = "tocsin-cli") -> AsyncIterator[httpx2.AsyncClient]:
    """A program that has a token, and comes straight to the server."""
    async with where.client("192.0.2.7", Authorization=f"Bearer {secret}", User_Agent=agent) as program:
        yield program


async def made(where: Place, name: str = "ana", groups: str = "sre,leads", **fields: Any) -> dict[str, Any]:
    async with signed_in(where, name, groups) as person:
        answer = await person.post("/api/v1/tokens", json={"label": "laptop", **fields})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_token_acts_as_its_owner_through_the_command_line(proxied: Place) -> None:
    """A command that comes with a token is its owner's, with its roles; no page of another site could have sent it."""
    incident = await proxied.opened()
    token = await made(proxied)
    async with holding(proxied, token["token"]) as program:
        done = await program.post(f"/api/v1/incidents/{incident}/acknowledge", json={"key": "k"}, headers={"Sec-Fetch-Site": "cross-site"})
        as_ben = await program.post(f"/api/v1/incidents/{incident}/acknowledge", json={"by": "ben"})

    assert token["token"].startswith("tocsin_")
    assert done.status_code == 200
    assert proxied.desk.asked[-1][2] == {"by": "ana", "roles": ["commander", "responder"], "via": "cli", "key": "k"}
    assert as_ben.status_code == 422


@pytest.mark.parametrize("secret", ["tocsin_" + "x" * 43, "tocsin_", "tocsin_é", "tocsin_' OR 1=1 --"])
async def test_a_forged_token_opens_nothing_and_hides_nobody(proxied: Place, secret: str) -> None:
    """A wrong token is told as such, also where the proxy would have named somebody."""
    headers: Any = {"X-Forwarded-User": "ana", "X-Forwarded-Groups": "sre", "Authorization": f"Bearer {secret}".encode("latin-1")}
    async with proxied.client("10.0.0.5") as program:
        answer = await program.get("/api/v1/incidents", headers=headers)

    assert answer.status_code == 401
    assert "not known, has expired or was revoked" in answer.json()["detail"]


async def test_a_revoked_token_opens_nothing_from_then_on(proxied: Place) -> None:
    """At once, and revoking it again changes nothing."""
    token = await made(proxied)
    async with holding(proxied, token["token"]) as program, signed_in(proxied) as owner:
        before = await program.get("/api/v1/incidents")
        revoked = [(await owner.delete(f"/api/v1/tokens/{token['id']}")).json()["state"] for _ in range(2)]
        after = await program.get("/api/v1/incidents")

    assert (before.status_code, after.status_code) == (200, 401)
    assert revoked == ["revoked", "revoked"]


async def test_a_token_ends_by_itself(proxied: Place) -> None:
    """After its days it is expired, and the list says so."""
    token = await made(proxied, days=2)
    async with holding(proxied, token["token"]) as program, signed_in(proxied) as owner:
        proxied.clock.forward(days=1, hours=23)
        before = (await program.get("/api/v1/incidents")).status_code
        proxied.clock.forward(hours=2)
        after = (await program.get("/api/v1/incidents")).status_code
        listed = (await owner.get("/api/v1/tokens")).json()["tokens"]

    assert (before, after) == (200, 401)
    assert [(row["state"], "token" in row) for row in listed] == [("expired", False)]


async def test_a_list_says_when_each_was_used_last(proxied: Place) -> None:
    """What nobody uses can be revoked; to the minute is exact enough."""
    token = await made(proxied)
    async with holding(proxied, token["token"]) as program, signed_in(proxied) as owner:
        never = (await owner.get("/api/v1/tokens")).json()["tokens"][0]["last_used_at"]
        await program.get("/api/v1/incidents")
        first = (await owner.get("/api/v1/tokens")).json()["tokens"][0]["last_used_at"]
        proxied.clock.forward(minutes=3)
        await program.get("/api/v1/incidents")
        second = (await owner.get("/api/v1/tokens")).json()["tokens"][0]["last_used_at"]

    assert never is None
    assert first < second


async def test_a_token_is_worth_no_more_than_its_owner_is_now(proxied: Place) -> None:
    """Whoever leaves a group takes its roles from their tokens as well, as soon as the server hears of it."""
    token = await made(proxied, groups="sre,leads,admins")
    async with holding(proxied, token["token"]) as program, signed_in(proxied, groups="sre") as owner:
        before = (await program.get("/api/v1/whoami")).json()["roles"]
        await owner.get("/api/v1/incidents")
        after = (await program.get("/api/v1/whoami")).json()["roles"]

    assert before == ["admin", "commander", "responder"]
    assert after == ["responder"]


async def test_a_token_makes_no_token_that_outlives_it_or_can_do_more(proxied: Place) -> None:
    """One that was lost is not good for another that lasts."""
    token = await made(proxied, days=3, roles=["responder"])
    async with holding(proxied, token["token"]) as program:
        another = (await program.post("/api/v1/tokens", json={"label": "more", "days": 300})).json()
        stronger = await program.post("/api/v1/tokens", json={"label": "more", "roles": ["commander"]})

    assert another["expires_at"] == token["expires_at"]
    assert another["roles"] == ["responder"]
    assert stronger.status_code == 422


async def test_everybody_sees_their_own_and_an_administrator_all(proxied: Place) -> None:
    """Nobody revokes what is another's, and learns nothing about it; an administrator can, for who has left."""
    token = await made(proxied)
    async with signed_in(proxied, "ben", "sre") as ben, signed_in(proxied, "kim", "admins") as admin:
        seen = (await ben.get("/api/v1/tokens")).json()["tokens"]
        everybody = await ben.get("/api/v1/tokens?all=true")
        foreign = await ben.delete(f"/api/v1/tokens/{token['id']}")
        unknown = await ben.delete("/api/v1/tokens/ffffffff")
        all_of_them = (await admin.get("/api/v1/tokens?all=true")).json()["tokens"]
        revoked = await admin.delete(f"/api/v1/tokens/{token['id']}")

    assert seen == []
    assert (everybody.status_code, foreign.status_code, unknown.status_code) == (403, 404, 404)
    assert [row["owner"] for row in all_of_them] == ["ana"]
    assert revoked.json()["state"] == "revoked"


@pytest.mark.parametrize(
    ("fields", "mistaken"),
    [
        ({"label": ""}, ["label"]),
        ({"label": "x" * 101}, ["label"]),
        ({"label": "a\nb"}, ["label"]),
        ({"days": 0}, ["days"]),
        ({"days": "7"}, ["days"]),
        ({"days": True}, ["days"]),
        ({"roles": ["admin"]}, ["roles"]),
        ({"roles": []}, ["roles"]),
        ({"colour": "red"}, ["colour"]),
    ],
)
async def test_a_token_of_the_wrong_shape_is_told_by_its_field(proxied: Place, fields: dict[str, Any], mistaken: list[str]) -> None:
    """And is not made."""
    async with signed_in(proxied) as person:
        answer = await person.post("/api/v1/tokens", json={"label": "laptop", **fields})
        listed = (await person.get("/api/v1/tokens")).json()["tokens"]

    assert (answer.status_code, [error["field"] for error in answer.json()["errors"]]) == (422, mistaken)
    assert listed == []


async def test_a_token_of_somebody_elses_making_is_passed_by(proxied: Place) -> None:
    """A proxy may send its own bearer along; only ours begin with tocsin_, and only those are looked up."""
    headers = {"X-Forwarded-User": "ana", "X-Forwarded-Groups": "sre", "Authorization": f"Bearer {fresh_secret()}"}
    async with proxied.client("10.0.0.5") as proxy:
        answer = await proxy.get("/api/v1/whoami", headers=headers)

    assert answer.json()["name"] == "ana"
