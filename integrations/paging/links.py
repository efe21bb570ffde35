"""Links that acknowledge an incident from a page: `https://tocsin.example.org/ack/TOKEN`.

A token says who was paged, for which incident and until when, and is signed (HMAC-SHA256) with a key that worker and door
share. Opening a link changes nothing, since mail programs and their scanners open links by themselves: it shows a page with a
button, and that acknowledges, in the name of whoever was paged.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

LASTS = timedelta(hours=24)
"""A page that nobody has acknowledged for a day is no longer acknowledged by a link."""

TOKEN_LIMIT = 2_000


class LinkInvalid(Exception):
    """The link was not made here, or was changed."""


class LinkExpired(Exception):
    """The link's time is over."""


@dataclass(frozen=True)
class Paged:
    """Who may acknowledge what by a link. `key` is the page's: pressing twice is one acknowledgement."""

    incident: str
    person: str
    key: str


class AckLinks:
    """Makes and reads them. `public_url` is the address at which people reach the door."""

    def __init__(self, key: bytes, public_url: str) -> None:
        self._key = key
        self.public_url = public_url.rstrip("/")

    def link(self, paged: Paged, now: datetime) -> str:
        expires = int((now + LASTS).timestamp())
        payload = _text(json.dumps([paged.incident, paged.person, paged.key, expires], ensure_ascii=False).encode())
        return f"{self.public_url}/ack/{payload}.{_text(self._signature(payload))}"

    def read(self, token: str, now: datetime) -> Paged:
        """Who was paged.

        Raises:
            LinkInvalid, LinkExpired
        """
        payload, _, signature = token[:TOKEN_LIMIT].partition(".")
        if not hmac.compare_digest(_bytes(signature), self._signature(payload)):
            raise LinkInvalid
        incident, person, key, expires = json.loads(_bytes(payload))
        if datetime.fromtimestamp(expires, UTC) <= now:
            raise LinkExpired
        return Paged(incident, person, key)

    def _signature(self, payload: str) -> bytes:
        return hmac.new(self._key, f"ack:{payload}".encode("utf-8", "surrogatepass"), hashlib.sha256).digest()


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text.encode() + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise LinkInvalid from error
