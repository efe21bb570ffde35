"""One way to ask a vendor over HTTP: bounded in time and size, its errors those of `errors`, nothing secret in a text.

An adapter makes one `Http` with its address and credentials, and asks:

    async with self._http.one_ask():                          # all calls of one delivery together, at most LIMIT
        answer = await self._http.call("POST", "/issues", json={...}, also={409})

What a status means is decided here, once; an adapter looks only at the statuses that it names in `also`:

| what happens | error |
|---|---|
| no connection, time-out, connection cut, an answer that is no HTTP, or no JSON | `Unanswered`: it may have been taken |
| 420, 429, and 403 with a rate limit's headers | `RateLimited`, with the vendor's word on when |
| 408, 425, 5xx | `Unavailable`, the same |
| 401, 407, 403 | `Unauthorized` |
| 404, 410 | `NotFound` |
| any other 4xx, and 3xx: credentials do not follow a redirection | `Rejected` |

There are no retries here; whoever calls an adapter retries.
"""

from __future__ import annotations

import asyncio
import json as jsonlib
import re
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version
from ipaddress import ip_address
from typing import Any, NoReturn
from urllib.parse import urlsplit

import httpx2
from pydantic import SecretStr

from integrations.errors import IntegrationError, NotFound, RateLimited, Rejected, Unauthorized, Unavailable

CONNECT_WITHIN = timedelta(seconds=3)
"""A vendor that is there takes a connection in far less."""

ANSWER_WITHIN = timedelta(seconds=8)
"""For one call."""

LIMIT = timedelta(seconds=9)
"""For all calls of one delivery: below the 10 s after which the caller takes the adapter for dead."""

ANSWER_LIMIT = 10_000_000
"""Bytes. No answer that we ask for is near it; one that is would fill the worker's memory."""

LONGEST_WAIT = timedelta(hours=1)
"""A vendor that says "come back next week" is asked again before."""

SAID_LIMIT = 300
"""Characters of a vendor's own words that go into an error."""

SECRET_WORD = 12
"""Characters from which on a part of an address counts as a key by itself; Mattermost's have 26."""

LATER = frozenset({408, 425})

TOO_MUCH = frozenset({420, 429})
"""420 is what Statuspage calls too many requests."""

_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)


class Unanswered(Unavailable):
    """Nothing usable came back. What was asked may have been taken all the same: look before asking again."""


@dataclass(frozen=True)
class Answer:
    """What came back: `data` is the JSON, None where the body is empty."""

    status: int
    data: Any
    headers: Mapping[str, str]


def user_agent() -> str:
    """Vendors ask callers to say who they are; GitHub refuses those who don't."""
    try:
        return f"tocsin/{version('tocsin')}"
    except PackageNotFoundError:
        return "tocsin"


class Http:
    """One vendor's address.

    `vendor` is its name in messages; `secrets` are blotted out of every text that leaves here; `setting` is the variable that holds
    the credentials, for whoever has to mend it.
    """

    def __init__(
        self,
        vendor: str,
        base_url: str,
        *,
        headers: Mapping[str, str] | None = None,
        secrets: Collection[SecretStr] = (),
        setting: str = "",
        transport: httpx2.AsyncBaseTransport | None = None,
        limit: timedelta = LIMIT,
    ) -> None:
        self.vendor = vendor
        self.setting = setting
        # The longest first: one may be a part of another.
        found = (secret.get_secret_value() for secret in secrets)
        self._secrets = tuple(sorted(filter(None, found), key=len, reverse=True))
        self._limit = limit
        self._base_url = base_url.rstrip("/")
        self._client = httpx2.AsyncClient(
            headers={"User-Agent": user_agent(), "Accept": "application/json", **(headers or {})},
            timeout=httpx2.Timeout(ANSWER_WITHIN.total_seconds(), connect=CONNECT_WITHIN.total_seconds()),
            transport=transport,
            # A proxy that the environment names is not for this machine's own addresses.
            trust_env=not _local(base_url),
        )

    async def close(self) -> None:
        await self._client.aclose()

    @asynccontextmanager
    async def one_ask(self) -> AsyncIterator[None]:
        """Bound the calls of one delivery together; a time-out is `Unanswered`."""
        try:
            async with asyncio.timeout(self._limit.total_seconds()):
                yield
        except TimeoutError:
            raise Unanswered(f"{self.vendor} did not answer within {self._limit.total_seconds():g} s") from None

    async def call(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        also: Collection[int] = (),
        raw: bool = False,
    ) -> Answer:
        """Ask once. Any 2xx, and what `also` names, is answered; the rest is raised as the table above has it.

        `raw`: the answer is text, for vendors that say `ok` and no more.
        """
        asked = f"{method} {path}"
        try:
            async with self._client.stream(method, self._base_url + path, json=json, params=params, headers=headers) as response:
                body = await self._body(response, asked)
        except httpx2.HTTPError as error:
            # Without its cause: that holds the request, and the request its credentials.
            raise Unanswered(self.clean(f"{self.vendor} did not answer {asked}: {_why(error)}")) from None
        if not response.is_success:
            body = self._cleaned(body)
        # What stands before a vendor has web pages of its own for the same statuses.
        if response.is_success or (response.status_code in also and (raw or _is_json(body))):
            data = body.decode("utf-8", "replace") if raw else self._json(response, body, asked)
            return Answer(response.status_code, data, response.headers)
        self._raise(response, body, asked)

    async def _body(self, response: httpx2.Response, asked: str) -> bytes:
        found = bytearray()
        async for piece in response.aiter_bytes():
            found += piece
            if len(found) > ANSWER_LIMIT:
                raise Unanswered(f"{self.vendor} answered {asked} with more than {ANSWER_LIMIT:,} bytes")
        return bytes(found)

    def _json(self, response: httpx2.Response, body: bytes, asked: str) -> Any:
        if not body.strip():
            return None
        try:
            return jsonlib.loads(body)
        except ValueError:
            # A maintenance page, or a proxy's page that asks to sign in, with a friendly 200.
            told = _words(self._cleaned(body))
            raise Unanswered(self.clean(f"{self.vendor} answered {asked} with {response.status_code} and no JSON: {told}")) from None

    def _raise(self, response: httpx2.Response, body: bytes, asked: str) -> NoReturn:
        status = response.status_code
        # The advice first: where room is short, the vendor's words are cut.
        text = self.clean(f"{self.vendor} answered {asked} with {status} {_phrase(status)}{advice(status, self.setting)}: {_words(body)}")
        limited = status == 403 and (response.headers.get("x-ratelimit-remaining") == "0" or "retry-after" in response.headers)
        if status in TOO_MUCH or limited:
            raise RateLimited(text, retry_after=retry_after(response.headers, datetime.now(UTC)))
        if status in LATER or status >= 500:
            raise Unavailable(text, retry_after=retry_after(response.headers, datetime.now(UTC)))
        kind: type[IntegrationError] = Rejected
        if status in (401, 403, 407):
            kind = Unauthorized
        elif status in (404, 410):
            kind = NotFound
        elif 300 <= status < 400:
            text = self.clean(
                f"{self.vendor} has moved: {asked} leads to {self.clean(response.headers.get('location', 'nowhere'))[:SAID_LIMIT]}"
            )
        raise kind(text)

    def clean(self, text: str) -> str:
        """The text without our secrets in it."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    def _cleaned(self, body: bytes) -> bytes:
        """As `clean`, before anything is cut: half a secret would not be recognised."""
        return self.clean(body.decode("utf-8", "replace")).encode()


def address_secrets(address: SecretStr) -> list[SecretStr]:
    """What an address that is a credential must not show: all of it, what comes after the host, and each part that may be a key."""
    whole = address.get_secret_value()
    parts = urlsplit(whole)
    rest = whole[whole.find(parts.netloc) + len(parts.netloc) :] if parts.netloc else ""
    words = [word for word in re.split(r"[/?&=.#]", rest) if len(word) >= SECRET_WORD]
    return [SecretStr(found) for found in (whole, rest, parts.password or "", *words) if len(found) > 1]


def advice(status: int, setting: str) -> str:
    """What to do about a vendor's no, in brackets; empty where only its own words can say."""
    if not setting:
        return ""
    if status in (401, 403, 407):
        return f" (renew {setting} or what it may do; `tocsin doctor` tries it)"
    if status in (404, 410):
        return f" (see whether what {'_'.join(setting.split('_')[:2])}_… names is there; `tocsin doctor` looks)"
    return ""


def _is_json(body: bytes) -> bool:
    try:
        jsonlib.loads(body or b"null")
    except ValueError:
        return False
    return True


def _local(url: str) -> bool:
    host = httpx2.URL(url).host
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _why(error: httpx2.HTTPError) -> str:
    if isinstance(error, httpx2.TimeoutException):
        return f"time-out ({type(error).__name__})"
    return f"{error} ({type(error).__name__})" if str(error) else type(error).__name__


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _words(body: bytes) -> str:
    """The vendor's own words in an error's body: the texts in its JSON, the title of its web page, else its beginning."""
    text = body[:100_000].decode("utf-8", "replace").strip()
    if not text:
        return "no reason given"
    try:
        found = "; ".join(dict.fromkeys(_texts(jsonlib.loads(body)))) or text
    except (ValueError, RecursionError):
        title = _TITLE.search(text)
        found = f"a web page titled {' '.join(title.group(1).split())!r}" if title else text
    found = "".join(character if character.isprintable() else " " for character in found)
    return found if len(found) <= SAID_LIMIT else f"{found[:SAID_LIMIT]}…"


def _texts(data: Any, name: str = "", depth: int = 0) -> list[str]:
    """The texts of a vendor's error, each with the field that it is about; links to documentation are left out."""
    if isinstance(data, str):
        return (
            []
            if not data or data.startswith(("http://", "https://"))
            else [f"{name}: {data}" if name and not _says_nothing(name) else data]
        )
    if depth > 4:
        return []
    if isinstance(data, Mapping):
        return [text for key, value in data.items() for text in _texts(value, str(key), depth + 1)]
    if isinstance(data, list):
        return [text for value in data for text in _texts(value, name, depth + 1)]
    return []


def _says_nothing(name: str) -> bool:
    return name.casefold() in {"message", "msg", "error", "errors", "errormessages", "detail", "reason"}


def retry_after(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """When the vendor wants to be asked again: `Retry-After` in seconds or as a date, or GitHub's moment of reset."""
    said = headers.get("retry-after", "").strip()
    wait: timedelta | None = None
    if said.isdecimal() and len(said) < 10:
        wait = timedelta(seconds=int(said))
    elif said:
        try:
            until = parsedate_to_datetime(said)
        except ValueError:
            return None
        wait = (until if until.tzinfo else until.replace(tzinfo=UTC)) - now
    elif headers.get("x-ratelimit-remaining") == "0" and headers.get("x-ratelimit-reset", "").isdecimal():
        reset = headers["x-ratelimit-reset"]
        wait = timedelta(seconds=int(reset)) - (now - datetime.fromtimestamp(0, UTC)) if len(reset) < 12 else None
    if wait is None:
        return None
    return min(max(wait, timedelta(0)), LONGEST_WAIT)
