"""One key stands for one request: what tells a repeat from another request that came under the same key.

A repeat is answered as the first was, and adds nothing. Another request under a key that is spent must hear of it: answered
as the first was, its sender would believe that it is done.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from pydantic import BaseModel

from incident.commands import Command, InvalidInput, Open

NOT_ASKED = frozenset({"key", "roles", "via"})
"""What the door says beside what is asked: it may differ from one try to the next."""

OPENING = "open"
"""How a mark names the request that opens an incident."""


def mark(request: Command | Open) -> str:
    """What a request is, in a few characters: its verb, and a hash of all that it says."""
    verb = OPENING if isinstance(request, Open) else request.verb
    said = request.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=set(NOT_ASKED))
    return f"{verb}:{hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]}"


def update_id(key: str, request: Command | Open) -> str:
    """The id of the update that asks it: the server answers a repeat by itself, and never another request."""
    return f"{key}~{mark(request)}"


def reused(marks: Mapping[str, str], key: str | None, request: BaseModel) -> bool:
    """Whether the key was spent on something else. What was asked before marks were kept counts as a repeat."""
    known = marks.get(key) if key is not None else None
    return known is not None and isinstance(request, Command | Open) and known != mark(request)


def check(marks: Mapping[str, str], key: str | None, request: BaseModel, *, told: str = "") -> None:
    """Refuse a key that was spent on something else; `told` says what became of that.

    Raises:
        InvalidInput: it names the key, and what to do instead.
    """
    if key is not None and reused(marks, key, request):
        raise InvalidInput([{"field": "key", "message": _sentence(marks[key], told)}])


def _sentence(known: str, told: str) -> str:
    verb = known.partition(":")[0]
    first = f"was used already for another request ({verb}{f', which {told}' if told else ''})"
    return f"{first}: one key stands for one request. Nothing was done; send this one under a new key, or repeat the first as it was"
