"""What a posted form says, read without trusting it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl

from fastapi import Request

from starter.bodies import whole
from starter.problems import Invalid

FIELDS_AT_MOST = 200


class Form(Mapping[str, list[str]]):
    """The values of each field, in the order in which they came."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name, []).append(value)

    def __getitem__(self, name: str) -> list[str]:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def text(self, name: str, default: str = "") -> str:
        """The last value of a field: what a checkbox after its hidden default says."""
        return self._values[name][-1] if name in self._values else default


async def form_of(request: Request) -> Form:
    """The form of a request.

    Raises:
        TooLarge: it is over the limit of every body.
        Invalid: it is no form in UTF-8, or has more fields than any form here.
    """
    body = await whole(request)
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=FIELDS_AT_MOST)
    except (ValueError, UnicodeDecodeError) as error:
        raise Invalid([{"field": "form", "message": "can't be read: it must be URL-encoded UTF-8 with at most 200 fields"}]) from error
    return Form(pairs)
