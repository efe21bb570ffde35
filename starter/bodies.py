"""What a request says: its JSON object, its key, and who asks."""

from __future__ import annotations

import json
from typing import Any

from fastapi import Request

from starter.problems import Invalid, NotJson, TooLarge

BODY_LIMIT = 1_000_000
"""Bytes. The longest document that a command takes is 200,000 characters, of up to 4 bytes each."""

KEY_HEADER = "Idempotency-Key"


async def whole(request: Request, limit: int = BODY_LIMIT) -> bytes:
    """The body's bytes, read no further than `limit`.

    Raises:
        TooLarge: there are more.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise _too_large(limit)
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        parts.append(part)
    return b"".join(parts)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is over the limit of {limit:,} bytes. Nothing was read from it.", limit=limit)


async def json_value(request: Request, limit: int = BODY_LIMIT) -> Any:
    """The body as a JSON value, whatever its content type says.

    Raises:
        TooLarge, NotJson: the body can't be read.
    """
    return json_in(await whole(request, limit))


def json_in(body: bytes) -> Any:
    """The JSON value that these bytes are.

    Raises:
        NotJson: they are none.
    """
    if not body.strip():
        raise NotJson('The body is empty; send one JSON object, like {"by": "ana"}.')
    try:
        return json.loads(body, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise NotJson(f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}.") from error
    except UnicodeDecodeError as error:
        raise NotJson(f"The body is not UTF-8: byte {error.start} begins no character.") from error
    except RecursionError as error:
        raise NotJson("The body is nested too deeply.") from error
    except ValueError as error:
        raise NotJson(f"The body is not JSON: {error}.") from error


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON value")


async def json_object(request: Request, limit: int = BODY_LIMIT) -> dict[str, Any]:
    """The body as a JSON object. No body at all says nothing, as `{}` does: what is missing is told by its field.

    Raises:
        TooLarge, NotJson: the body can't be read.
        Invalid: it is another JSON value.
    """
    body = await whole(request, limit)
    value = json_in(body) if body.strip() else {}
    if not isinstance(value, dict):
        raise Invalid([{"field": "body", "message": f"must be one JSON object, not {_called(value)}"}])
    return value


def _called(value: Any) -> str:
    names = {list: "a list", str: "a string", bool: "a boolean", int: "a number", float: "a number", type(None): "null"}
    return names[type(value)]


def posted_by_a_machine(body: bytes) -> Any:
    """The JSON value that these bytes are, mended; there is nothing to mend where plain characters name no others.

    Raises:
        NotJson: they are none.
    """
    value = json_in(body)
    plain = body.isascii() and b"\\u" not in body and b"\0" not in body
    return value if plain else mended(value)


def mended(value: Any) -> Any:
    """A JSON value with each half of a surrogate pair, which is no character and can't be sent on, replaced by `?`.

    For what machines say: there, a strange label must not cost the alert.
    """
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [mended(item) for item in value]
    if isinstance(value, dict):
        return {mended(name): mended(item) for name, item in value.items()}
    return value


def key_of(request: Request, fields: dict[str, Any]) -> str | None:
    """The key under which the request is asked once, from the header or the body; taken out of the fields.

    Raises:
        Invalid: both are there and differ, or one is no line of text.
    """
    header = request.headers.get(KEY_HEADER)
    key = fields.pop("key", None)
    if header is not None:
        header = header.strip()
        # The header's draft standard writes a quoted string; most clients send it bare.
        header = header[1:-1] if len(header) > 1 and header.startswith('"') and header.endswith('"') else header
        if key is not None and key != header:
            raise Invalid([{"field": "key", "message": f"differs from the {KEY_HEADER} header; leave one of them out"}])
        key = header
    if key is None:
        return None
    if not isinstance(key, str) or not key.strip():
        raise Invalid([{"field": "key", "message": "must be a text of 1 to 200 characters"}])
    return key
