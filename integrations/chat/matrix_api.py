"""How a homeserver is asked (Matrix client-server API, version 3), and what its own way of saying "later" means."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
from pydantic import SecretStr

from integrations.deliveries import clipped
from integrations.errors import RateLimited
from integrations.http import LONGEST_WAIT, Answer, Http, retry_after

API = "/_matrix/client/v3"


class MatrixApi:
    """One account of one homeserver, by one device's access token."""

    def __init__(self, url: str, *, token: SecretStr, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        headers = {"Authorization": f"Bearer {token.get_secret_value()}"}
        self.http = Http("Matrix", url, headers=headers, secrets=[token], setting="TOCSIN_MATRIX_TOKEN", transport=transport)

    async def call(
        self,
        method: str,
        path: str,
        json: Any = None,
        *,
        params: Mapping[str, str | int] | None = None,
        also: Collection[int] = (),
    ) -> Answer:
        answer = await self.http.call(method, API + path, json=json, params=params, also={*also, 429})
        if answer.status == 429:
            raise RateLimited(f"Matrix wants us to wait with {method} {API}{path}: {said(answer)}", retry_after=_wait(answer))
        return answer

    async def whoami(self) -> str:
        """The account's own id."""
        return str((await self.call("GET", "/account/whoami")).data["user_id"])


def code(answer: Answer) -> str:
    return str(answer.data.get("errcode", "")) if isinstance(answer.data, Mapping) else ""


def said(answer: Answer) -> str:
    """The homeserver's own words."""
    words = answer.data.get("error", "") if isinstance(answer.data, Mapping) else ""
    return clipped(f"{answer.status} {code(answer)} {words}".strip(), 300)


def _wait(answer: Answer) -> timedelta | None:
    """When to come back: in the body as it always was, and in the header as newer servers have it."""
    told = answer.data.get("retry_after_ms") if isinstance(answer.data, Mapping) else None
    if isinstance(told, int) and not isinstance(told, bool) and told >= 0:
        return min(timedelta(milliseconds=min(told, 10**9)), LONGEST_WAIT)
    return retry_after(answer.headers, datetime.now(UTC))
