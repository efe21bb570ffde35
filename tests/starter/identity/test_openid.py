"""Signing in with OpenID Connect, against a real provider that runs here."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import select

from starter.identity import limits
from starter.identity.sessions import LASTING
from starter.identity.store import hashed
from starter.identity.tables import sessions, tokens
from tests.starter.identity.doors import HERE, PAGE, Place, at_the_provider, changed, place, with_openid


async def left(browser: httpx2.AsyncClient, next_: str = "/docs") -> str:
    """Begin a sign-in, and give the provider's address."""
    return str((await browser.get("/login/start", params={"next": next_}, headers=PAGE)).headers["location"])


@asynccontextmanager
async def signed_in(where: Place, *groups: str, name: str = "ana") -> AsyncIterator[httpx2.AsyncClient]:
    """A browser in which somebody signed in a moment ago: that way itself is walked by the tests above those that use this."""
    secret = await where.store.begin_session(name, where.arrangement.roles_of(groups or ("sre", "leads")), LASTING)
    async with where.client() as browser:
        keep(browser, secret)
        yield browser


def keep(browser: httpx2.AsyncClient, secret: str) -> None:
    """Put a session's cookie into a browser."""
    browser.cookies.set("tocsin_sid", secret, domain="127.0.0.1", path="/")


async def is_in(browser: httpx2.AsyncClient) -> bool:
    return (await browser.get("/api/v1/whoami")).status_code == 200


async def test_whoever_signs_in_at_the_provider_comes_back_to_the_page_that_they_wanted(openid: Place) -> None:
    """Signed out, one is asked in; afterwards one stands where one wanted to go, with the roles of one's groups."""
    async with openid.client() as browser:
        asked_in = await browser.get("/docs?from=a", headers=PAGE)
        sign_in = await browser.get(asked_in.headers["location"], headers=PAGE)
        started = await browser.get("/login/start?next=/docs%3Ffrom%3Da", headers=PAGE)
        back = await at_the_provider(browser, started.headers["location"], "ana")
        arrived = await browser.get(back, headers=PAGE)
        me = (await browser.get("/api/v1/whoami")).json()

    assert (asked_in.status_code, asked_in.headers["location"]) == (303, "/login?next=/docs%3Ffrom%3Da")
    assert 'href="/login/start?next=/docs%3Ffrom%3Da"' in sign_in.text
    assert (arrived.status_code, arrived.headers["location"]) == (303, "/docs?from=a")
    assert (me["name"], me["roles"], me["via"]) == ("ana", ["commander", "responder"], "web")


async def test_the_cookie_is_a_random_id_of_which_only_the_hash_is_kept(openid: Place) -> None:
    """Whoever reads the database can't sign in with what they find; scripts of a page can't read the cookie."""
    async with openid.client() as browser:
        back = await at_the_provider(browser, await left(browser), "ana")
        cookie = (await browser.get(back, headers=PAGE)).headers.get_list("set-cookie")[-1]
        secret = browser.cookies["tocsin_sid"]
    async with openid.store._database.reading() as connection:
        kept = (await connection.execute(select(sessions))).mappings().all()

    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Max-Age=43200" in cookie
    assert [row["hash"] for row in kept] == [hashed(secret)]
    assert secret not in str(kept)


async def test_over_tls_the_cookie_is_kept_to_this_host(tmp_path: Path, issuer: str) -> None:
    """With an https address the cookies are called `__Host-`: no other host and no plain page can set or read them."""
    async with place(tmp_path, with_openid(issuer, public_url="https://tocsin.example.org")) as where, where.client() as browser:
        started = await browser.get("/login/start", headers={**PAGE, "Host": "tocsin.example.org"})

    cookie = started.headers["set-cookie"]
    assert cookie.startswith("__Host-attempt=")
    assert "Secure" in cookie
    assert "Path=/;" in cookie
    assert "Domain" not in cookie
    assert "redirect_uri=https%3A%2F%2Ftocsin.example.org%2Flogin%2Fcallback" in started.headers["location"]


async def test_the_way_there_carries_state_nonce_and_a_challenge(openid: Place) -> None:
    """What makes a stolen or replayed answer useless is asked for."""
    async with openid.client() as browser:
        where = httpx2.URL(await left(browser))

    assert {"state", "nonce", "code_challenge"} <= set(where.params)
    assert where.params["code_challenge_method"] == "S256"


async def test_an_answer_with_another_state_signs_nobody_in(openid: Place) -> None:
    """An answer that does not belong to the attempt of this browser is refused, with the way to begin again."""
    async with openid.client() as browser:
        back = await at_the_provider(browser, await left(browser), "ana")
        arrived = await browser.get(changed(back, state="another"), headers=PAGE)
        inside = await is_in(browser)

    assert arrived.status_code == 403
    assert "Sign in again" in arrived.text
    assert not inside


async def test_an_answer_brought_into_another_browser_signs_nobody_in(openid: Place) -> None:
    """Nobody can be signed in as somebody else by following a link."""
    async with openid.client() as browser, openid.client() as victim:
        back = await at_the_provider(browser, await left(browser), "ana")
        arrived = await victim.get(back, headers=PAGE)
        inside = await is_in(victim)

    assert arrived.status_code == 403
    assert not inside


async def test_an_id_token_with_another_nonce_signs_nobody_in(openid: Place) -> None:
    """A token that the provider made for another request is not taken, though its signature is right."""
    async with openid.client() as browser:
        back = await at_the_provider(browser, changed(await left(browser), nonce="another"), "ana")
        arrived = await browser.get(back, headers=PAGE)
        inside = await is_in(browser)

    assert arrived.status_code == 403
    assert "nonce" in arrived.text
    assert not inside


async def test_an_answer_counts_once(openid: Place) -> None:
    """The address with which the provider sends one back is worth nothing the second time, in the same browser too."""
    async with openid.client() as browser:
        there = await left(browser)
        cookie = browser.cookies["tocsin_attempt"]
        back = await at_the_provider(browser, there, "ana")
        await browser.get(back, headers=PAGE)
        browser.cookies.clear()
        browser.cookies.set("tocsin_attempt", cookie, domain="127.0.0.1", path="/")
        replayed = await browser.get(back, headers=PAGE)
        inside = await is_in(browser)

    assert replayed.status_code == 403
    assert not inside


async def test_an_attempt_that_takes_too_long_is_over(openid: Place) -> None:
    """Ten minutes after it began, a sign-in has to be begun again."""
    async with openid.client() as browser:
        back = await at_the_provider(browser, await left(browser), "ana")
        openid.clock.forward(minutes=11)
        arrived = await browser.get(back, headers=PAGE)

    assert arrived.status_code == 403
    assert "This sign-in is over" in arrived.text


async def test_a_wrong_code_and_a_refusal_of_the_provider_are_told(openid: Place) -> None:
    """What the provider does not stand by signs nobody in, and is no mistake of ours."""
    async with openid.client() as browser:
        back = await at_the_provider(browser, await left(browser), "ana")
        forged = await browser.get(changed(back, code="guessed"), headers=PAGE)
        there = httpx2.URL(await left(browser))
        denied = await browser.get(f"/login/callback?error=access_denied&state={there.params['state']}", headers=PAGE)
        mixed_up = await browser.get(
            f"/login/callback?code=x&state={httpx2.URL(await left(browser)).params['state']}&iss=https://evil.example"
        )

    assert (forged.status_code, denied.status_code, mixed_up.status_code) == (403, 403, 403)
    assert "access_denied" in denied.text
    assert "another provider" in mixed_up.text


async def test_who_is_in_no_group_that_counts_is_told_so(openid: Place) -> None:
    """Somebody whom the provider knows and nobody has given a role gets no session, and hears what is missing."""
    async with openid.client() as browser:
        back = await at_the_provider(browser, await left(browser), "eve")
        arrived = await browser.get(back, headers=PAGE)
        inside = await is_in(browser)

    assert arrived.status_code == 403
    assert "You are eve, and none of your groups has a role here" in arrived.text
    assert not inside


async def test_a_session_ends_after_a_shift(openid: Place) -> None:
    """Twelve hours later the cookie opens nothing, though the browser still sends it."""
    async with signed_in(openid) as browser:
        openid.clock.forward(hours=11, minutes=59)
        before = await is_in(browser)
        openid.clock.forward(minutes=2)
        after = await browser.get("/docs", headers=PAGE)

    assert before
    assert (after.status_code, after.headers["location"]) == (303, "/login?next=/docs")


async def test_signing_out_ends_the_session_on_this_side(openid: Place) -> None:
    """A cookie that somebody kept opens nothing any more, and the browser is asked to forget pages and what was typed."""
    async with signed_in(openid) as browser:
        kept = browser.cookies["tocsin_sid"]
        out = await browser.post("/logout", headers=PAGE)
        keep(browser, kept)
        inside = await is_in(browser)

    assert (out.status_code, out.headers["location"]) == (303, "/login?signed_out=1")
    assert out.headers["clear-site-data"] == '"cache", "storage"'
    assert not inside


@pytest.mark.parametrize("secret", ["", "0", "a" * 4000, "%00%ff", "' OR 1=1 --", "\N{LATIN SMALL LETTER E WITH ACUTE}"])
async def test_rubbish_in_the_cookie_is_nobody(openid: Place, secret: str) -> None:
    """Whatever stands where the session should, a page leads to the sign-in and a program is told to sign in; nothing breaks."""
    async with openid.client() as browser:
        headers = [(name.encode(), value.encode()) for name, value in {**PAGE, "Cookie": f"tocsin_sid={secret}"}.items()]
        answers = [(await browser.get(path, headers=headers)).status_code for path in ("/docs", "/api/v1/whoami")]

    assert answers == [303, 401]


async def test_signing_in_again_gives_a_new_session_and_ends_the_one_before(openid: Place) -> None:
    """A session id that somebody planted or kept is not the one that is signed in."""
    async with signed_in(openid) as browser:
        first = browser.cookies["tocsin_sid"]
        back = await at_the_provider(browser, await left(browser), "ana")
        await browser.get(back, headers=PAGE)
        second = browser.cookies["tocsin_sid"]
        former = await openid.store.session(first)

    assert first != second
    assert former is None


async def test_a_cookie_from_another_server_opens_nothing(openid: Place, issuer: str, tmp_path: Path) -> None:
    """Two installations with the same provider do not share their sessions."""
    async with place(tmp_path / "other", with_openid(issuer)) as other, signed_in(other) as there, openid.client() as browser:
        keep(browser, there.cookies["tocsin_sid"])
        answer = await browser.get("/api/v1/incidents")

    assert answer.status_code == 401


@pytest.mark.parametrize(
    "next_", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/a\r\nSet-Cookie: x=1", ""]
)
async def test_after_signing_in_one_is_still_here(openid: Place, next_: str) -> None:
    """A link to the sign-in can't send anybody elsewhere."""
    async with openid.client() as browser:
        shown = await browser.get("/login", params={"next": next_}, headers=PAGE)
        await left(browser, next_)
        attempt = await openid.store.take_attempt(browser.cookies["tocsin_attempt"])

    assert 'href="/login/start?next=/"' in shown.text
    assert attempt is not None
    assert attempt.next == "/"


async def test_an_address_that_tries_too_often_has_to_wait(openid: Place) -> None:
    """Guessing is slow; somebody at another address is not held up."""
    async with openid.client("192.0.2.7") as busy, openid.client("192.0.2.8") as other:
        answers = [(await busy.get("/login/callback?code=x&state=y")).status_code for _ in range(limits.TRIES)]
        held_up = await busy.get("/login/start")
        not_held_up = await other.get("/login/start")
        openid.clock.forward(minutes=5)
        again = await busy.get("/login/start")

    assert set(answers) == {403}
    assert held_up.status_code == 429
    assert 0 < int(held_up.headers["retry-after"]) <= 301
    assert (not_held_up.status_code, again.status_code) == (303, 303)


async def test_a_provider_that_does_not_answer_is_told_as_such(tmp_path: Path) -> None:
    """Nobody can sign in then; who is signed in goes on, and the page says what is wrong."""
    async with place(tmp_path, with_openid("http://127.0.0.1:1")) as where, where.client() as browser:
        answer = await browser.get("/login/start", headers=PAGE)
        shown = await browser.get("/login", headers=PAGE)

    assert answer.status_code == 503
    assert "does not answer" in answer.text
    assert shown.status_code == 200


async def test_the_provider_must_be_called_by_its_own_name(tmp_path: Path, issuer: str) -> None:
    """An issuer that differs from what the provider says of itself is a mistake in the settings, or somebody in between."""

    class Liar(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            said = httpx2.get(f"{issuer}{self.path}").content
            self.send_response(200)
            self.end_headers()
            self.wfile.write(said)

    with HTTPServer(("127.0.0.1", 0), Liar) as liar:
        threading.Thread(target=liar.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        other = f"http://127.0.0.1:{liar.server_port}"
        async with place(tmp_path, with_openid(other)) as where, where.client() as browser:
            answer = await browser.get("/login/start", headers=PAGE)
        liar.shutdown()

    assert answer.status_code == 503
    assert "must be exactly that" in answer.text


async def test_what_somebody_does_in_a_browser_is_recorded_under_their_name(openid: Place) -> None:
    """A command is signed with who is signed in, their roles and the door; the body can't say otherwise."""
    incident = await openid.opened()
    async with signed_in(openid, "sre", name="ben") as browser:
        done = await browser.post(f"/api/v1/incidents/{incident}/note", json={"text": "restarting", "key": "k"}, headers=PAGE)
        as_ana = await browser.post(f"/api/v1/incidents/{incident}/note", json={"by": "ana", "text": "x"}, headers=PAGE)
        as_admin = await browser.post(
            f"/api/v1/incidents/{incident}/note", json={"text": "x", "roles": ["admin"], "via": "cli"}, headers=PAGE
        )

    assert done.status_code == 200
    assert openid.desk.asked == [(incident, "note", {"by": "ben", "roles": ["responder"], "via": "web", "text": "restarting", "key": "k"})]
    assert (as_ana.status_code, [error["field"] for error in as_ana.json()["errors"]]) == (422, ["by"])
    assert (as_admin.status_code, [error["field"] for error in as_admin.json()["errors"]]) == (422, ["roles", "via"])


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": HERE}, 200),
    ],
)
async def test_a_page_of_another_site_does_nothing_with_ones_session(openid: Place, headers: dict[str, str], status: int) -> None:
    """The cookie alone is not enough: the page must be one of ours."""
    incident = await openid.opened()
    async with signed_in(openid) as browser:
        answer = await browser.post(f"/api/v1/incidents/{incident}/acknowledge", json={}, headers=headers)

    assert answer.status_code == status


async def test_a_token_is_made_in_the_browser_shown_once_and_kept_as_a_hash(openid: Place) -> None:
    """The page shows what opens one single time; what is kept of it opens nothing."""
    async with signed_in(openid) as browser:
        form = {"label": "laptop <b>", "days": "7", "roles": "responder"}
        made = await browser.post("/login/tokens", data=form, headers=PAGE)
        shown = await browser.get("/login/tokens", headers=PAGE)
    secret = made.text.partition("<pre data-secret>")[2].partition("</pre>")[0]
    async with openid.store._database.reading() as connection:
        kept = (await connection.execute(select(tokens))).mappings().all()
    async with openid.client(Authorization=f"Bearer {secret}") as program:
        me = (await program.get("/api/v1/whoami")).json()

    assert made.status_code == 201
    assert (me["name"], me["roles"], me["via"]) == ("ana", ["responder"], "api")
    assert [row["hash"] for row in kept] == [hashed(secret)]
    assert secret not in shown.text + str(kept)
    assert "laptop &lt;b&gt;" in shown.text


async def test_a_token_form_with_mistakes_comes_back_as_it_was_typed(openid: Place) -> None:
    """Each mistake stands beside its field, and nothing that was typed is lost."""
    async with signed_in(openid) as browser:
        answer = await browser.post("/login/tokens", data={"label": "laptop", "days": "4000", "roles": "admin"}, headers=PAGE)

    assert answer.status_code == 422
    assert 'value="laptop"' in answer.text
    assert "must be a whole number from 1 to 365" in answer.text
    assert "must be some of your own: commander, responder" in answer.text
