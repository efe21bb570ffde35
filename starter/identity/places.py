"""Which address needs what. Whatever is not named here is read by whoever may read."""

from __future__ import annotations

import re
from urllib.parse import quote

PUBLIC = re.compile(r"/(healthz|readyz|favicon\.ico|login(/start|/callback)?|logout|status(/.*)?|static/.*|webhooks/slack/.*|ack/.*)")
"""Open to everybody: signs of life, signing in and out, the public status page, what pages are made of, and what is signed: links from
mails, too."""

METRICS = "/metrics"
WEBHOOKS = "/webhooks/"
SIGNED = "/webhooks/slack/"
"""Slack signs its requests and says in them who asks: `starter.chatops` finds out, and trusts nothing else."""


def is_public(path: str) -> bool:
    return PUBLIC.fullmatch(path) is not None


BESIDE = "/login?beside=1"
"""Where somebody arrives who has signed in beside a page on which their words wait: it leads them back to that one."""

SIGN_IN_BESIDE = f"/login?next={quote(BESIDE, safe='/')}"


def local(path: str) -> str:
    """`path` where it stays on this server, else home: where to go after signing in.

    Browsers take `//host`, `/\\\\host` and control characters for ways to elsewhere.
    """
    stays = path.startswith("/") and not path.startswith(("//", "/\\")) and "\\" not in path and path.isprintable() and len(path) <= 1_000
    return path if stays else "/"
