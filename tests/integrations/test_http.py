# ruff: noqa: SIM300 - the house writes what is expected first
"""What a vendor's answer, or its silence, means to whoever asked; told by real bytes on a real socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from integrations.errors import IntegrationError, NotFound, RateLimited, Refused, Rejected, Unauthorized, Unavailable
from integrations.http import ANSWER_LIMIT, LONGEST_WAIT, SAID_LIMIT, Http, Unanswered, retry_after
from tests.integrations.wire import PAGE, RawServer

TOKEN = "s3cr3t-token"


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    async with RawServer.listening() as listening:
        yield listening


@pytest.fixture
async def http(server: RawServer) -> AsyncIterator[Http]:
    made = Http(
        "Vendor", server.url, headers={"Authorization": f"Bearer {TOKEN}"}, secrets=[SecretStr(TOKEN)], limit=timedelta(seconds=0.3)
    )
    yield made
    await made.close()


def _answer(status: int, body: str = "", *headers: str, kind: str = "application/json") -> bytes:
    head = [f"HTTP/1.1 {status} X", f"Content-Type: {kind}", f"Content-Length: {len(body.encode())}", "Connection: close", *headers]
    return "\r\n".join([*head, "", body]).encode()


async def test_a_good_answer_is_its_json(server: RawServer, http: Http) -> None:
    """What the vendor answers comes through, and the vendor learns who asks."""
    server.answer = _answer(201, '{"id": 7}')
    answer = await http.call("POST", "/issues", json={"title": "é"})

    assert (201, {"id": 7}) == (answer.status, answer.data)
    assert b"User-Agent: tocsin" in server.requests[0]


async def test_an_empty_answer_is_no_error(server: RawServer, http: Http) -> None:
    """ "Done" needs no words."""
    server.answer = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"

    assert None is (await http.call("PUT", "/issues/1")).data


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, Rejected),
        (400, Rejected),
        (401, Unauthorized),
        (403, Unauthorized),
        (404, NotFound),
        (407, Unauthorized),
        (408, Unavailable),
        (409, Rejected),
        (410, NotFound),
        (413, Rejected),
        (420, RateLimited),
        (422, Rejected),
        (425, Unavailable),
        (429, RateLimited),
        (500, Unavailable),
        (503, Unavailable),
        (599, Unavailable),
    ],
)
async def test_a_status_is_an_error_of_its_kind(server: RawServer, http: Http, status: int, kind: type[IntegrationError]) -> None:
    """Whether asking again can help follows from the status, and the vendor's own words are told."""
    server.answer = _answer(status, '{"message": "no such luck"}', "Location: https://elsewhere.example/x")

    with pytest.raises(IntegrationError) as told:
        await http.call("GET", "/thing")

    assert kind is type(told.value)
    assert str(status) in str(told.value) or "has moved: GET /thing leads to https://elsewhere.example/x" in str(told.value)


async def test_a_status_that_was_asked_for_is_an_answer(server: RawServer, http: Http) -> None:
    """An adapter that knows what a conflict means gets to see it."""
    server.answer = _answer(409, '{"error": "exists"}')

    assert 409 == (await http.call("POST", "/thing", also={409})).status


async def test_a_web_page_is_not_the_answer_that_was_asked_for(server: RawServer, http: Http) -> None:
    """What stands before a vendor says 409 or 429 with pages of its own: that is no word of the vendor's, and its wait is kept."""
    server.answer = _answer(409, PAGE)
    with pytest.raises(Rejected, match="We'll be back"):
        await http.call("GET", "/thing", also={409})
    server.answer = _answer(429, PAGE, "Retry-After: 30")
    with pytest.raises(Unavailable) as told:
        await http.call("GET", "/thing", also={429})

    assert timedelta(seconds=30) == told.value.retry_after


async def test_a_refusal_says_which_setting_to_look_at(server: RawServer) -> None:
    """Whoever mends it at night reads the variable's name, and not what is in it."""
    http = Http("Vendor", server.url, secrets=[SecretStr("s3cr3t")], setting="TOCSIN_VENDOR_TOKEN")
    told = []
    for status in (401, 404, 422):
        server.answer = _answer(status, '{"message": "no s3cr3t for you"}')
        with pytest.raises(Refused) as refused:
            await http.call("GET", "/thing")
        told.append(str(refused.value))
    await http.close()

    assert [
        "Vendor answered GET /thing with 401 Unauthorized (renew TOCSIN_VENDOR_TOKEN or what it may do; `tocsin doctor` tries it): "
        "no *** for you",
        "Vendor answered GET /thing with 404 Not Found (see whether what TOCSIN_VENDOR_… names is there; `tocsin doctor` looks): "
        "no *** for you",
    ] == told[:2]
    assert told[2].endswith(": no *** for you")


@pytest.mark.parametrize(
    "answer",
    [
        None,
        b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{"half":',
        b"SMTP ready\r\n",
        _answer(200, PAGE, kind="text/html"),
        _answer(200, "{half"),
    ],
    ids=["nothing", "cut during", "another protocol", "web page", "no JSON"],
)
async def test_an_answer_that_can_not_be_used_may_hide_a_deed(server: RawServer, http: Http, answer: bytes | None) -> None:
    """Where nothing usable comes back, the ask may have been taken: it is told from a plain no."""
    server.answer = answer

    with pytest.raises(Unanswered, match="Vendor"):
        await http.call("POST", "/thing", json={})


async def test_nobody_there_may_be_tried_again() -> None:
    """A vendor that can't be reached is down, not gone."""
    http = Http("Vendor", "http://127.0.0.1:9")

    with pytest.raises(Unavailable, match="Vendor did not answer GET /thing"):
        await http.call("GET", "/thing")


async def test_a_slow_vendor_is_left_in_time(server: RawServer, http: Http) -> None:
    """All calls of a delivery together end before the caller takes the adapter for dead."""
    server.holds = True

    with pytest.raises(Unanswered, match=r"within 0\.3 s"):
        async with http.one_ask():
            await http.call("GET", "/thing")


async def test_an_endless_answer_is_cut_short(server: RawServer, http: Http) -> None:
    """No vendor can fill a worker's memory."""
    server.answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"x" * (ANSWER_LIMIT + 100_000)

    with pytest.raises(Unanswered, match="more than"):
        await http.call("GET", "/thing")


async def test_a_secret_is_blotted_out(server: RawServer, http: Http) -> None:
    """A vendor that repeats the token in its error does not bring it into histories and logs."""
    server.answer = _answer(401, f'{{"message": "the token {TOKEN} was revoked"}}')

    with pytest.raises(Unauthorized) as told:
        await http.call("GET", "/thing")

    assert "the token *** was revoked" in str(told.value)
    assert None is told.value.__cause__
    assert TOKEN not in repr(http.__dict__["_client"].headers)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"errorMessages": [], "errors": {"project": "project is required"}}', "project: project is required"),
        ('{"message": "Validation Failed", "documentation_url": "https://docs.example"}', "Validation Failed"),
        ('{"errors": ["Subject cannot be blank"]}', "Subject cannot be blank"),
        (PAGE, 'a web page titled "We\'ll be back"'),
        ("", "no reason given"),
        ("[" * 5_000, "[[["),
        ('{"message": "two\\nlines\\u001b[31m"}', "two lines [31m"),
    ],
)
async def test_a_vendors_words_are_told_readably(server: RawServer, http: Http, body: str, words: str) -> None:
    """The person who has to mend it reads the vendor's reason, not its markup."""
    server.answer = _answer(400, body)

    with pytest.raises(Rejected) as told:
        await http.call("GET", "/thing")

    assert words in str(told.value)
    assert len(str(told.value)) < SAID_LIMIT + 100


async def test_a_limit_that_says_403_is_no_revoked_token(server: RawServer, http: Http) -> None:
    """GitHub says 403 to who asks too much; that passes."""
    server.answer = _answer(403, "{}", "X-RateLimit-Remaining: 0", "Retry-After: 30")

    with pytest.raises(Unavailable) as told:
        await http.call("GET", "/thing")

    assert timedelta(seconds=30) == told.value.retry_after


NOW = datetime(2026, 3, 4, 3, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry-after": "30"}, timedelta(seconds=30)),
        ({"retry-after": "Wed, 04 Mar 2026 03:16:00 GMT"}, timedelta(minutes=1)),
        ({"retry-after": "Wed, 04 Mar 2026 03:14:00 GMT"}, timedelta(0)),
        ({"retry-after": "999999"}, LONGEST_WAIT),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW.timestamp()) + 90)}, timedelta(seconds=90)),
        ({"x-ratelimit-remaining": "4", "x-ratelimit-reset": str(int(NOW.timestamp()) + 90)}, None),
        ({}, None),
    ],
)
def test_the_vendor_says_when_to_come_back(headers: dict[str, str], wait: timedelta | None) -> None:
    """A vendor's wait is kept in each way of saying it, and never for longer than an hour."""
    assert wait == retry_after(headers, NOW)
