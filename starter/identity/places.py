"""Which address needs what. Whatever is not named here is read by whoever may read."""

from __future__ import annotations

import re

PUBLIC = re.compile(r"/(healthz|readyz|favicon\.ico|login(/start|/callback)?|logout|status(/.*)?|static/.*)")
"""Open to everybody: signs of life, signing in and out, the public status page, and what pages are made of."""

METRICS = "/metrics"
WEBHOOKS = "/webhooks/"

AUDIT = re.compile(r"(/api/v1)?/incidents/[^/]+/audit(/.*)?")


def is_public(path: str) -> bool:
    return PUBLIC.fullmatch(path) is not None


def act_at(path: str) -> str:
    """The row of `incident.permissions` that whoever comes here must satisfy."""
    return "export_audit" if AUDIT.fullmatch(path) else "read"


def local(path: str) -> str:
    """`path` where it stays on this server, else home: where to go after signing in.

    Browsers take `//host`, `/\\\\host` and control characters for ways to elsewhere.
    """
    stays = path.startswith("/") and not path.startswith(("//", "/\\")) and "\\" not in path and path.isprintable() and len(path) <= 1_000
    return path if stays else "/"
