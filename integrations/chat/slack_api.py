"""Slack's Web API: one way to call a method, and what each of its errors means to us.

Slack says no with a 200 and `ok: false`; the word in `error` decides. Words that are not listed are refusals: Slack adds some every
year, and all that are about the moment are here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx2
from pydantic import SecretStr

from integrations.errors import IntegrationError, NotFound, RateLimited, Rejected, Unauthorized, Unavailable
from integrations.http import Answer, Http, Unanswered, advice, retry_after

UNSURE = frozenset({"fatal_error", "internal_error", "request_timeout"})
"""Slack has failed half-way; by its own word some of it may have been done."""

TOO_MUCH = frozenset({"ratelimited", "rate_limited"})
LATER = frozenset({"service_unavailable", "external_channel_migrating", "message_limit_exceeded"})

CREDENTIALS = frozenset(
    {
        "access_denied",
        "account_inactive",
        "app_access_restricted",
        "cannot_create_channel",
        "ekm_access_denied",
        "enterprise_is_restricted",
        "invalid_auth",
        "missing_scope",
        "no_permission",
        "not_allowed_token_type",
        "not_authed",
        "org_login_required",
        "posting_to_channel_denied",
        "restricted_action",
        "team_access_not_granted",
        "token_expired",
        "token_revoked",
        "two_factor_setup_required",
        "user_is_restricted",
    }
)
GONE = frozenset(
    {
        "channel_is_limited_access",
        "channel_not_found",
        "is_archived",
        "is_inactive",
        "message_not_found",
        "no_channel",
        "no_user",
        "not_in_channel",
        "team_not_found",
        "thread_not_found",
        "user_not_found",
        "users_not_found",
    }
)


class SlackApi:
    """One app in one workspace."""

    def __init__(self, url: str, *, token: SecretStr, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        headers = {"Authorization": f"Bearer {token.get_secret_value()}"}
        self.http = Http("Slack", url, headers=headers, secrets=[token], setting="TOCSIN_SLACK_TOKEN", transport=transport)

    async def write(self, method: str, also: Collection[str] = (), **arguments: Any) -> Mapping[str, Any]:
        """Call a method that takes JSON. `also` are the errors that the caller looks at itself."""
        return self._answer(await self.http.call("POST", f"/{method}", json=arguments), method, also)

    async def read(self, method: str, also: Collection[str] = (), **arguments: str | int) -> Mapping[str, Any]:
        """Call a method that takes parameters."""
        return self._answer(await self.http.call("GET", f"/{method}", params=arguments), method, also)

    async def scopes(self) -> tuple[Mapping[str, Any], frozenset[str] | None]:
        """Who we are, and what we may do; None where Slack does not say."""
        answer = await self.http.call("POST", "/auth.test", json={})
        said = answer.headers.get("x-oauth-scopes")
        granted = frozenset(word.strip() for word in said.split(",")) if said is not None else None
        return self._answer(answer, "auth.test", ()), granted

    def _answer(self, answer: Answer, method: str, also: Collection[str]) -> Mapping[str, Any]:
        data = answer.data
        if not isinstance(data, Mapping) or not isinstance(data.get("ok"), bool):
            raise Unanswered(f"Slack answered {method} with {answer.status} and not as Slack does")
        if data["ok"] or data.get("error") in also:
            return data
        raise _error(self.http.clean(str(data.get("error", "no reason given")))[:100], method, data, answer)


def _error(word: str, method: str, data: Mapping[str, Any], answer: Answer) -> IntegrationError:
    text = f"Slack refused {method}: {word}"
    if word == "missing_scope" and isinstance(data.get("needed"), str):
        text += f"; add the scope {data['needed'][:100]} to the app and install it again"
    elif word in CREDENTIALS:
        text += advice(401, "TOCSIN_SLACK_TOKEN")
    if word in UNSURE:
        return Unanswered(text)
    if word in TOO_MUCH:
        return RateLimited(text, retry_after=retry_after(answer.headers, datetime.now(UTC)))
    if word in LATER:
        return Unavailable(text, retry_after=retry_after(answer.headers, datetime.now(UTC)))
    if word in CREDENTIALS:
        return Unauthorized(text)
    return NotFound(text) if word in GONE else Rejected(text)
