"""Signing in with OpenID Connect, against a real provider that runs here."""

from __future__ import annotations

from tests.starter.identity.doors import PAGE, Place, at_the_provider


async def test_whoever_signs_in_at_the_provider_comes_back_to_the_page_that_they_wanted(openid: Place) -> None:
    """Signed out, one is asked in; afterwards one stands where one wanted to go, with the roles of one's groups."""
    async with openid.client() as browser:
        asked_in = await browser.get("/docs?from=a", headers=PAGE)
        started = await browser.get("/login/start?next=/docs%3Ffrom%3Da", headers=PAGE)
        back = await at_the_provider(browser, started.headers["location"], "ana")
        arrived = await browser.get(back, headers=PAGE)
        me = (await browser.get("/api/v1/whoami")).json()

    assert (asked_in.status_code, asked_in.headers["location"]) == (303, "/login?next=/docs%3Ffrom%3Da")
    assert (arrived.status_code, arrived.headers["location"]) == (303, "/docs?from=a")
    assert (me["name"], me["roles"], me["via"]) == ("ana", ["commander", "responder"], "web")
