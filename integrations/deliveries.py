"""What every adapter does with a delivery before it speaks its vendor's language.

`asked` narrows the ask to the one that the method is for, `marked` makes a drill recognisable to whoever
reads it, `channel_name` gives the n-th name to try for a channel, and `request` is the block in which the
process asks a specialist for help.
"""

from __future__ import annotations

import re
from typing import TypeVar

from incident.channels import CHANNELS
from incident.effects import Brief, Delivery
from integrations.errors import Rejected

DRILL_MARK = "[DRILL] "

# Slack's limit, the shortest among the chats that we know; the leading '#' and the suffix count.
CHANNEL_NAME_LIMIT = 80

AnAsk = TypeVar("AnAsk")


def asked(delivery: Delivery, kind: type[AnAsk]) -> AnAsk:
    """Give the delivery's ask as a `kind`; Rejected where it is another, which is final and names both."""
    if not isinstance(delivery.ask, kind):
        raise Rejected(f"{delivery.key} asks for {delivery.ask.action}, which is not what this call does ({kind.__name__})")
    return delivery.ask


def marked(delivery: Delivery, text: str) -> str:
    """Put the drill's mark before a text that people will read; once, however often it passes here."""
    if not delivery.drill or text.startswith(DRILL_MARK):
        return text
    return DRILL_MARK + text


def address(public_url: str, incident: str) -> str:
    """Where people read more about what a delivery is of: an incident's room, or the page of paused channels."""
    return f"{public_url}/{incident}" if incident == CHANNELS else f"{public_url}/incidents/{incident}"


def channel_name(wanted: str, nth: int) -> str:
    """Give the n-th name to try, from 1: the wanted one, then with `-2`, `-3` …, never over the limit."""
    suffix = "" if nth == 1 else f"-{nth}"
    return wanted[: CHANNEL_NAME_LIMIT - len(suffix)].rstrip("-") + suffix


def request(brief: Brief) -> str:
    """Say what is asked of a specialist, in the process's four parts and order."""
    return "\n".join(
        (
            f"INCIDENT: {brief.incident}",
            f"SEVERITY: {brief.severity}",
            f"CURRENT STATUS: {brief.current_status}",
            f"REQUEST: {brief.request}",
        )
    )


def clipped(text: str, limit: int) -> str:
    """The text within a vendor's limit; one that is longer says so, and how long it was."""
    if len(text) <= limit:
        return text
    tail = f"… (shortened; {len(text):,} characters in all)"
    return text[: limit - len(tail)].rstrip() + tail


def defused(text: str) -> str:
    """Text from outside with every mention broken: it must call nobody whom nobody meant to call.

    `@here`, Slack's `<!channel>` (and GitHub's comments, in which our own marks stand) and Matrix's links to people and rooms.
    """
    return _FUSE.sub("\\g<0>\N{ZERO WIDTH SPACE}", text)


def unlinked(text: str) -> str:
    """Text from outside, defused, in which nothing is a link under another name, a picture that is fetched, or an element.

    For those that read Markdown, Textile, or HTML in either.
    """
    return _LINK.sub("\\g<0>\N{ZERO WIDTH SPACE}", defused(text))


def mark(incident: str, ref: str) -> str:
    """The word by which a ticket is found again: the same for every attempt, made of characters that any vendor's search takes."""
    return f"tocsin.{_PLAIN.sub('-', incident)}.{_PLAIN.sub('-', ref)}"


_FUSE = re.compile(r"@(?=\w)|<(?=[!@#])|\bmatrix(?=\.to/)|\bmatrix:(?=(?:u|r|roomid|e)/)", re.IGNORECASE)
_LINK = re.compile(r'\](?=[(\[:])|"(?=:[a-z/#])|!(?=[<>=]?(?:\([^)]*\))?[a-z]+:)|<(?=[a-z/])|\[(?=\[)|\{(?=\{)', re.IGNORECASE)
"""`[name](address)`, `[name][1]`, `[1]: address`; `"name":address` and `!address!` in Textile; elements; pages and macros of a wiki."""

_PLAIN = re.compile(r"[^A-Za-z0-9_-]")
