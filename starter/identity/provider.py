"""Signing in with OpenID Connect. The protocol is Authlib's: discovery, PKCE, state, nonce, the checks of the ID token.

What Authlib keeps between the way there and the way back is kept on this side, behind a random id in a cookie, and is
given out once: an answer of the provider that comes again, or in another browser, finds nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx2
from authlib.integrations.base_client import OAuthError
from authlib.integrations.starlette_client import OAuth
from joserfc.errors import JoseError
from starlette.requests import Request

from starter.identity.actor import as_a_name
from starter.identity.arrangement import Arrangement, Provider
from starter.identity.sessions import ATTEMPT_LASTS
from starter.identity.store import Attempt, Store
from starter.problems import SignInFailed, Unavailable

CALLBACK = "/login/callback"

WITHIN = 10.0
"""Seconds that one answer of the provider may take."""

SIGNED_WITH = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
"""What an ID token may be signed with: keys that only the provider has. `none`, and secrets that both have, are not taken."""


class OpenIdConnect:
    """One provider, for one door."""

    def __init__(self, arrangement: Arrangement, provider: Provider, store: Store) -> None:
        self._provider = provider
        self._store = store
        self._redirect = f"{arrangement.public_url}{CALLBACK}"
        self._client: Any = OAuth().register(
            "oidc",
            client_id=provider.client_id,
            client_secret=provider.client_secret,
            server_metadata_url=f"{provider.issuer}/.well-known/openid-configuration",
            client_kwargs={"scope": provider.scopes, "code_challenge_method": "S256", "timeout": WITHIN},
        )

    async def leave(self, request: Request, next_: str) -> tuple[str, str]:
        """Where to send the browser, and the id of this attempt, for its cookie.

        Raises:
            Unavailable: the provider can't be asked.
        """
        await self._discover()
        request.scope["session"] = {}
        answer = await self._client.authorize_redirect(request, self._redirect)
        attempt = await self._store.begin_attempt(request.session, next_, ATTEMPT_LASTS)
        return answer.headers["location"], attempt

    async def arrive(self, request: Request, attempt: Attempt | None) -> tuple[str, list[str]]:
        """The name and the groups of whoever comes back from the provider.

        Raises:
            SignInFailed: the attempt is over, the answer does not belong to it, or the provider says no.
            Unavailable: the provider can't be asked.
        """
        if attempt is None:
            raise SignInFailed("This sign-in is over, or was begun in another browser. Begin it again.")
        await self._discover()
        if request.query_params.get("iss", self._provider.issuer) != self._provider.issuer:
            raise SignInFailed("The answer came from another provider than was asked.")
        request.scope["session"] = dict(attempt.data)
        try:
            token = await self._client.authorize_access_token(request, claims_options=self._expected())
            claims = token.get("userinfo")
            if claims is None:
                raise SignInFailed("The provider answered without an ID token.")
            return self._name(claims), await self._groups(token, claims)
        except OAuthError as error:
            raise SignInFailed(f"The sign-in did not hold: {str(error)[:200]}. Begin it again.") from error
        except JoseError as error:
            raise SignInFailed(f"The provider's ID token can't be trusted: {str(error)[:200]}.") from error
        except httpx2.HTTPError as error:
            raise self._unreachable(error) from error
        except (ValueError, TypeError, KeyError) as error:
            raise SignInFailed("The provider's answer can't be read.") from error

    def _expected(self) -> dict[str, Any]:
        return {"iss": {"essential": True, "value": self._provider.issuer}, "aud": {"essential": True, "value": self._provider.client_id}}

    async def _discover(self) -> None:
        """Read what the provider says of itself, once; and hold it to the name by which it was asked."""
        try:
            metadata = await self._client.load_server_metadata()
        except (httpx2.HTTPError, ValueError) as error:
            raise self._unreachable(error) from error
        issuer = str(metadata.get("issuer", "")).rstrip("/")
        if issuer != self._provider.issuer.rstrip("/"):
            metadata.pop("_loaded_at", None)
            raise Unavailable(f"The provider calls itself {issuer[:200]!r}; TOCSIN_OIDC_ISSUER must be exactly that.")
        offered = metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
        metadata["id_token_signing_alg_values_supported"] = [name for name in offered if name in SIGNED_WITH] or ["RS256"]

    def _unreachable(self, error: Exception) -> Unavailable:
        return Unavailable(f"The sign-in provider at {self._provider.issuer} does not answer ({type(error).__name__}). Try again.")

    def _name(self, claims: Mapping[str, Any]) -> str:
        name = as_a_name(claims.get(self._provider.name_claim))
        if name is None:
            wanted = self._provider.name_claim
            raise SignInFailed(f"The claim {wanted!r} holds no name under which somebody can act here (TOCSIN_OIDC_NAME_CLAIM).")
        return name

    async def _groups(self, token: Mapping[str, Any], claims: Mapping[str, Any]) -> list[str]:
        """The groups, from the ID token or, where it has none, from the provider's user info."""
        wanted = self._provider.groups_claim
        found = claims.get(wanted)
        if found is None and "userinfo_endpoint" in self._client.server_metadata and token.get("access_token"):
            more = await self._client.userinfo(token=token)
            if more.get("sub") != claims["sub"]:
                raise SignInFailed("The provider's user info is about somebody else.")
            found = more.get(wanted)
        if isinstance(found, str):
            return [found]
        return [group for group in found if isinstance(group, str)] if isinstance(found, list) else []
