"""Who may post to a webhook: what each source proves itself with, from the file that `TOCSIN_WEBHOOKS` names.

    [alertmanager]
    bearer = "env:ALERTMANAGER_TOKEN"                  # or a list, while one is being replaced

    [grafana]
    hmac = { secret = "env:GRAFANA_SECRET", timestamp_header = "X-Grafana-Alerting-Timestamp" }

    [pagerduty]
    hmac = { secret = "file:/run/secrets/pagerduty" }

    [generic]
    basic = { user = "probe", password = "env:PROBE_PASSWORD" }

A source may be given several ways; one that holds is enough. A source without any brings the webhooks' own token
(`TOCSIN_WEBHOOK_TOKEN`); where nobody signs in, the door serves one machine only, and lets it in. Secrets are compared in
constant time, and never shown.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Literal

from starlette.datastructures import Headers

from incident.policy_file import duration
from starter.problems import Problem

Source = Literal["alertmanager", "grafana", "pagerduty", "generic", "deployments", "github", "jira"]
SOURCES: tuple[Source, ...] = ("alertmanager", "grafana", "pagerduty", "generic", "deployments", "github", "jira")

ALGORITHMS = ("sha256", "sha384", "sha512")
MAX_AGE = timedelta(minutes=5)
"""How old a signed time may be, and how far ahead: clocks differ, and networks are slow."""

SHORTEST_SECRET = 16
"""Characters. A shorter one can be guessed."""


class NotProven(Problem):
    """The post does not prove where it comes from. Nothing was read from it but what the proof needs."""

    status: ClassVar[int] = 401
    kind: ClassVar[str] = "not-proven"
    title: ClassVar[str] = "Not proven"

    @property
    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": 'Bearer realm="tocsin webhooks", Basic realm="tocsin webhooks"'}


class KeysProblem(ValueError):
    """The file can't be used; `problems` has a sentence for each mistake, with its place."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


@dataclass(frozen=True)
class Signature:
    """How a source signs: HMAC over the body, or over `timestamp:body` where it sends a time."""

    secrets: tuple[bytes, ...] = field(repr=False)
    header: str
    algorithm: str = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""
    timestamp_header: str | None = None
    max_age: timedelta = MAX_AGE

    def problem(self, headers: Headers, body: bytes, now: datetime) -> str | None:
        """What is wrong with the post's signature; None where it holds."""
        given = headers.get(self.header)
        if given is None:
            return f"the header {self.header} is missing"
        signed = body
        at: str | None = None
        if self.timestamp_header is not None:
            at = headers.get(self.timestamp_header)
            if at is None:
                return f"the header {self.timestamp_header} is missing"
            signed = at.encode("latin-1", "replace") + b":" + body
        # Several signatures, one a secret, while a secret is being replaced.
        claims = [part.strip() for part in given.split(",")]
        wanted = [self._written(hmac.new(secret, signed, self.algorithm).digest()) for secret in self.secrets]
        pairs = [(claim, each) for claim in claims[:10] for each in wanted]
        if not any([_same(claim, each) for claim, each in pairs]):
            return f"the signature in {self.header} does not fit the body"
        return None if at is None else self._too_old(at, now)

    def _written(self, digest: bytes) -> str:
        return self.prefix + (digest.hex() if self.encoding == "hex" else base64.b64encode(digest).decode())

    def _too_old(self, at: str, now: datetime) -> str | None:
        try:
            age = now - datetime.fromtimestamp(float(at), UTC)
        except (ValueError, OverflowError, OSError):
            return f"{self.timestamp_header} is no Unix time"
        if abs(age) <= self.max_age:
            return None
        seconds = round(abs(age).total_seconds())
        way = "ago" if age > timedelta(0) else "from now"
        most = round(self.max_age.total_seconds())
        return f"it was signed {seconds} s {way}, and {most} s is the most: it is sent again by somebody, or the two clocks differ"


@dataclass(frozen=True)
class Keys:
    """What one source may prove itself with."""

    bearer: tuple[bytes, ...] = field(default=(), repr=False)
    basic: tuple[bytes, ...] = field(default=(), repr=False)
    signature: Signature | None = None

    def known_by(self, headers: Headers) -> bool:
        """Whether the headers alone prove it, before anything of the body is read."""
        scheme, _, credentials = headers.get("authorization", "").partition(" ")
        given = credentials.strip().encode("latin-1", "replace")
        if scheme.casefold() == "bearer":
            return any([hmac.compare_digest(given, secret) for secret in self.bearer])
        if scheme.casefold() == "basic":
            try:
                pair = base64.b64decode(given, validate=True)
            except (binascii.Error, ValueError):
                return False
            return any([hmac.compare_digest(pair, secret) for secret in self.basic])
        return False


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("latin-1", "replace"), other.encode())


SIGNED_BY: dict[Source, dict[str, str]] = {
    "grafana": {"header": "X-Grafana-Alerting-Signature"},
    "pagerduty": {"header": "X-PagerDuty-Signature", "prefix": "v1="},
    "github": {"header": "X-Hub-Signature-256", "prefix": "sha256="},
    "jira": {"header": "X-Hub-Signature", "prefix": "sha256="},
}
"""How vendors sign, where nothing else is said."""

OURS = {"header": "X-Tocsin-Signature", "prefix": "sha256="}


class Keyring:
    """The keys of every source. A source without any proves itself with the token `otherwise`.

    `trusting`: nobody signs in, the door serves one machine only, and lets sources without keys in.
    """

    def __init__(self, keys: Mapping[Source, Keys] | None = None, *, trusting: bool, otherwise: str | None = None) -> None:
        self._keys = dict(keys or {})
        self._trusting = trusting
        if otherwise is not None and not trusting:
            self._keys = {source: Keys(bearer=(otherwise.encode(),)) for source in SOURCES} | self._keys

    @property
    def closed(self) -> list[Source]:
        """The sources that nobody may post to, for want of a key."""
        return [] if self._trusting else [source for source in SOURCES if source not in self._keys]

    def lets_in(self, source: Source) -> bool:
        """Whether anybody may post to it: nobody signs in here, and it has no key."""
        return self._trusting and source not in self._keys

    def admit(self, source: Source, headers: Headers) -> Keys | None:
        """Look at the headers. None: it is let in; else the keys that the body has to be held against.

        Raises:
            NotProven: it can't be let in whatever the body is.
        """
        keys = self._keys.get(source)
        if keys is None:
            if self._trusting:
                return None
            raise NotProven(
                f"Nobody may post to /webhooks/{source} yet: give it a key in the file that TOCSIN_WEBHOOKS names, "
                "or all of them a token with TOCSIN_WEBHOOK_TOKEN."
            )
        if keys.known_by(headers):
            return None
        if keys.signature is None:
            raise NotProven(f"The post to /webhooks/{source} does not carry the credentials that this door knows.")
        return keys

    def check(self, source: Source, keys: Keys, headers: Headers, body: bytes, now: datetime) -> None:
        """Hold the body against the source's signature.

        Raises:
            NotProven: says what is wrong with it.
        """
        problem = keys.signature.problem(headers, body, now) if keys.signature is not None else "there is no signature"
        if problem is not None:
            raise NotProven(f"The post to /webhooks/{source} is not proven: {problem}.")


# ---------------------------------------------------------------------- the file


def keyring_from(
    tables: Mapping[str, Any], looked_up: Callable[[str], str | None], *, trusting: bool, otherwise: str | None = None
) -> Keyring:
    """The keys that these tables give. `looked_up` answers for `env:NAME` and `file:/path`, with None where there is nothing.

    Raises:
        KeysProblem: for everything that can't be used. No text of it holds a secret.
    """
    problems: list[str] = []
    keys: dict[Source, Keys] = {}
    for name, table in tables.items():
        if name not in SOURCES:
            problems.append(f"[{name}]: there is no such source; there are {', '.join(SOURCES)}")
        elif not isinstance(table, dict) or not table:
            problems.append(f"[{name}]: must be a table with bearer, basic or hmac")
        else:
            reader = _Reader(f"[{name}]", looked_up, problems)
            keys[name] = reader.keys(name, table)
    if problems:
        raise KeysProblem(problems)
    return Keyring(keys, trusting=trusting, otherwise=otherwise)


class _Reader:
    def __init__(self, place: str, looked_up: Callable[[str], str | None], problems: list[str]) -> None:
        self._place = place
        self._looked_up = looked_up
        self._problems = problems

    def keys(self, source: Source, table: dict[str, Any]) -> Keys:
        self._only(table, ("bearer", "basic", "hmac"), "")
        basic = tuple(self._pair(each) for each in _listed(table.get("basic", [])))
        signature = self._signature(source, table["hmac"]) if "hmac" in table else None
        return Keys(bearer=self._secrets("bearer", table.get("bearer", [])), basic=basic, signature=signature)

    def _only(self, table: dict[str, Any], known: tuple[str, ...], where: str) -> None:
        for name in table:
            if name not in known:
                self._problems.append(f"{self._place}{where}: {name} is no field here; there are {', '.join(known)}")

    def _secrets(self, name: str, value: Any) -> tuple[bytes, ...]:
        return tuple(self._secret(name, each) for each in _listed(value))

    def _secret(self, name: str, value: Any, shortest: int = SHORTEST_SECRET) -> bytes:
        if not isinstance(value, str):
            self._problems.append(f'{self._place} {name}: must be a text, or "env:NAME" or "file:/path"')
            return b""
        found: str | None = value
        if value.startswith(("env:", "file:")):
            found = self._looked_up(value)
            if found is None:
                self._problems.append(f"{self._place} {name}: there is nothing at {value}")
                return b""
        if found is None or len(found) < shortest:
            self._problems.append(f"{self._place} {name}: needs at least {shortest} characters; a shorter one can be guessed")
        return (found or "").encode()

    def _pair(self, value: Any) -> bytes:
        if not isinstance(value, dict) or not isinstance(value.get("user"), str) or "password" not in value or ":" in value["user"]:
            self._problems.append(f'{self._place} basic: must be a table like {{ user = "…", password = "…" }}, and no \':\' in the user')
            return b""
        self._only(value, ("user", "password"), " basic")
        user: str = value["user"]
        return user.encode() + b":" + self._secret("basic.password", value["password"])

    def _signature(self, source: Source, value: Any) -> Signature | None:
        if not isinstance(value, dict) or "secret" not in value:
            self._problems.append(f'{self._place} hmac: must be a table with a secret, like {{ secret = "env:NAME" }}')
            return None
        self._only(value, ("secret", "header", "algorithm", "encoding", "prefix", "timestamp_header", "max_age"), " hmac")
        usual = SIGNED_BY.get(source, OURS)
        said = {name: value[name] for name in ("header", "algorithm", "encoding", "prefix", "timestamp_header") if name in value}
        for name, each in said.items():
            if not isinstance(each, str) or not each.isascii() or not each.isprintable():
                self._problems.append(f"{self._place} hmac.{name}: must be a text")
                return None
        if said.get("algorithm", "sha256") not in ALGORITHMS:
            self._problems.append(f"{self._place} hmac.algorithm: must be one of {', '.join(ALGORITHMS)}")
        if said.get("encoding", "hex") not in ("hex", "base64"):
            self._problems.append(f"{self._place} hmac.encoding: must be hex or base64")
        age = duration(value["max_age"]) if isinstance(value.get("max_age"), str) else MAX_AGE if "max_age" not in value else None
        if age is None:
            self._problems.append(f'{self._place} hmac.max_age: must be a duration, like "5m"')
        secrets = self._secrets("hmac.secret", value["secret"])
        return Signature(secrets=secrets, max_age=age or MAX_AGE, **{**usual, **said})


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


__all__ = ["SOURCES", "Keyring", "Keys", "KeysProblem", "NotProven", "Signature", "Source", "keyring_from"]
