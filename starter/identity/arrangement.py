"""How people sign in at one door: the settings, read once, checked together, and turned into what the entrance needs."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from incident.vocabulary import Access
from runtime.settings import Settings, SettingsError

Mode = Literal["dev", "proxy", "oidc"]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

EVERYBODY = "*"


@dataclass(frozen=True)
class ProxyHeaders:
    user: str
    groups: str
    secret_header: str
    secret: str | None = None


@dataclass(frozen=True)
class Provider:
    issuer: str
    client_id: str
    client_secret: str
    scopes: str = "openid profile email"
    name_claim: str = "preferred_username"
    groups_claim: str = "groups"


@dataclass(frozen=True)
class Arrangement:
    """How people sign in. `proxies` are the peers whose word on who is there, and on whose behalf they ask, is taken."""

    mode: Mode = "dev"
    user: str = "unknown"
    public_url: str | None = None
    hosts: tuple[str, ...] = ()
    roles: Mapping[str, frozenset[Access]] = field(default_factory=dict)
    proxies: tuple[Network, ...] = ()
    headers: ProxyHeaders | None = None
    provider: Provider | None = None
    webhook_token: str | None = None

    @property
    def secure(self) -> bool:
        """Whether people come over TLS, so that cookies may be kept to it."""
        return self.public_url is not None and self.public_url.startswith("https://")

    def roles_of(self, groups: Iterable[str]) -> frozenset[Access]:
        """The access roles that somebody in these groups has."""
        named = frozenset(groups) - {EVERYBODY}
        return frozenset(role for group in (*named, EVERYBODY) for role in self.roles.get(group, ()))

    def trusts(self, address: str) -> bool:
        """Whether a peer's address is one of the proxies'."""
        try:
            peer = ipaddress.ip_address(address)
        except ValueError:
            return False
        if isinstance(peer, ipaddress.IPv6Address) and peer.ipv4_mapped is not None:
            peer = peer.ipv4_mapped
        return any(peer in network for network in self.proxies)


def arranged(settings: Settings) -> Arrangement:
    """Read how people sign in.

    Raises:
        SettingsError: names what is missing, or does not go together.
    """
    host = urlsplit(settings.public_url).hostname if settings.public_url is not None else None
    made = Arrangement(
        mode=settings.auth,
        user=settings.user,
        public_url=settings.public_url,
        hosts=tuple(dict.fromkeys((*settings.hosts, *([host] if host else [])))),
        roles={group: frozenset(map(Access, words)) for group, words in settings.roles.items()},
        proxies=tuple(ipaddress.ip_network(word) for word in settings.proxies),
        headers=_headers(settings) if settings.auth == "proxy" else None,
        provider=_provider(settings) if settings.auth == "oidc" else None,
        webhook_token=settings.secret("webhook_token"),
    )
    if made.mode != "dev" and not any(made.roles.values()):
        raise SettingsError(
            f'TOCSIN_ROLES: TOCSIN_AUTH={made.mode} needs it, else nobody may do anything; like {{"sre": ["responder"], "*": ["viewer"]}}'
        )
    return made


def _headers(settings: Settings) -> ProxyHeaders:
    if not settings.proxies:
        raise SettingsError("TOCSIN_PROXIES: TOCSIN_AUTH=proxy needs it: the addresses of the proxies whose word on who is there is taken")
    return ProxyHeaders(
        user=settings.proxy_user_header,
        groups=settings.proxy_groups_header,
        secret_header=settings.proxy_secret_header,
        secret=settings.secret("proxy_secret"),
    )


def _provider(settings: Settings) -> Provider:
    secret = settings.secret("oidc_client_secret")
    needed = {
        "TOCSIN_OIDC_ISSUER": settings.oidc_issuer,
        "TOCSIN_OIDC_CLIENT_ID": settings.oidc_client_id,
        "TOCSIN_OIDC_CLIENT_SECRET": secret,
        "TOCSIN_PUBLIC_URL": settings.public_url,
    }
    missing = [name for name, value in needed.items() if not value]
    if missing:
        raise SettingsError(f"{', '.join(missing)}: TOCSIN_AUTH=oidc needs {'it' if len(missing) == 1 else 'them'}")
    if "openid" not in settings.oidc_scopes.split():
        raise SettingsError("TOCSIN_OIDC_SCOPES: must have `openid` among them, else the provider does not say who signs in")
    return Provider(
        issuer=settings.oidc_issuer or "",
        client_id=settings.oidc_client_id or "",
        client_secret=secret or "",
        scopes=settings.oidc_scopes,
        name_claim=settings.oidc_name_claim,
        groups_claim=settings.oidc_groups_claim,
    )
