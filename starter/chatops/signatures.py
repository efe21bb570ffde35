"""Whether a request comes from Slack: its signature, version 0, over the time and the body as it came."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timedelta

from starlette.datastructures import Headers

from starter.problems import SignInNeeded

WINDOW = timedelta(minutes=5)
"""How old a request may be, by Slack's own advice; who has caught an older one can't use it any more."""


def signature(secret: str, stamp: str, body: bytes) -> str:
    """What Slack writes into `X-Slack-Signature`."""
    return "v0=" + hmac.new(secret.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()


def verify(secret: str, headers: Headers, body: bytes, now: datetime) -> None:
    """Insist on it.

    Raises:
        SignInNeeded: it is not Slack's, or too old; which of the two is in the text, and nothing of the secret.
    """
    stamp, given = headers.get("x-slack-request-timestamp", ""), headers.get("x-slack-signature", "")
    if not (stamp.isascii() and stamp.isdecimal() and len(stamp) <= 12):
        raise SignInNeeded("This is not Slack's request: it has no time stamp.")
    if abs(now.timestamp() - int(stamp)) > WINDOW.total_seconds():
        raise SignInNeeded("This request is too old, or the clock of this machine is off by more than five minutes.")
    if not hmac.compare_digest(signature(secret, stamp, body).encode(), given.encode("utf-8", "replace")):
        raise SignInNeeded("This is not Slack's request, or TOCSIN_SLACK_SIGNING_SECRET is not this app's: the signature does not fit.")
