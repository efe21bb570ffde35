"""Requests to the server, over `http.client`. A connection that is lost is tried again, under the same key.

Every write carries an `Idempotency-Key`, so that a repeat of one that did arrive changes nothing.
"""

from __future__ import annotations

import http.client
import json
import socket
import time
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

from starter.cli.failures import ERROR, USAGE, Failure, failed, from_problem, unreachable

CONNECT_WITHIN = 5.0
ANSWER_WITHIN = 30.0
"""Seconds. The server itself waits up to 10 s for the incident's answer (20 s for an opening), and reads its state besides."""

PAUSES = (0.2, 0.5, 1.0)
"""Seconds before each repeat: a server that restarts on this machine is back within about two."""

NO_REPEAT_AFTER = 4.0
"""Seconds after which nothing is tried again: by then somebody waits for an answer."""

PASSING = frozenset({502, 503, 504})

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

LOST = (OSError, http.client.HTTPException)
"""What a connection that breaks is told as."""


class Answer(NamedTuple):
    status: int
    kind: str
    body: bytes


class Client:
    """One server. `token` is the personal token that each request brings; `pauses` are the seconds before each repeat."""

    def __init__(self, url: str, token: str | None = None, *, pauses: tuple[float, ...] = PAUSES, within: float = ANSWER_WITHIN) -> None:
        self.url = url.rstrip("/")
        self._token = token
        self._pauses = pauses
        self._within = within
        try:
            parts = urlsplit(self.url)
            self._host, self._port, self._secure, self._base = parts.hostname or "", parts.port, parts.scheme == "https", parts.path
        except ValueError as error:
            raise failed(USAGE, "usage", f"the server's address {url!r} can't be read: {error}") from error
        if parts.scheme not in {"http", "https"} or not self._host:
            raise failed(USAGE, "usage", f"the server's address must look like http://127.0.0.1:8700, not {url!r}")
        if token is not None and not self._secure and self._host not in LOOPBACK:
            raise failed(USAGE, "usage", f"TOCSIN_TOKEN is not sent to {self.url}: it would cross the network in the clear; use https")

    def get(self, path: str, query: dict[str, str] | None = None) -> Any:
        """The JSON at a path below `/api/v1`.

        Raises:
            Failure: for every answer but a good one.
        """
        return self._value(self.ask("GET", path, query=query))

    def raw(self, path: str, query: dict[str, str] | None = None) -> bytes:
        """The bytes at a path below `/api/v1`.

        Raises:
            Failure: for every answer but a good one.
        """
        return self.ask("GET", path, query=query).body

    def post(self, path: str, fields: dict[str, Any], key: str) -> Any:
        """Post fields under a key, and give the JSON answered.

        Raises:
            Failure: for every answer but a good one; a refusal's is `from_problem`'s.
        """
        return self._value(self.ask("POST", path, fields=fields, key=key))

    def delete(self, path: str) -> Any:
        """Take something away, and give the JSON answered.

        Raises:
            Failure: for every answer but a good one.
        """
        return self._value(self.ask("DELETE", path))

    def put(self, path: str, fields: dict[str, Any]) -> Any:
        """Put fields where they belong, and give the JSON answered; a repeat of the same is the same.

        Raises:
            Failure: for every answer but a good one.
        """
        return self._value(self.ask("PUT", path, fields=fields))

    def headers(self, **more: str) -> dict[str, str]:
        """What every request brings along; `more` with underscores for dashes."""
        found = {"Accept": "application/json", "User-Agent": "tocsin-cli"}
        if self._token is not None:
            found["Authorization"] = f"Bearer {self._token}"
        return found | {name.replace("_", "-"): value for name, value in more.items()}

    def ask(
        self, method: str, path: str, *, query: dict[str, str] | None = None, fields: dict[str, Any] | None = None, key: str | None = None
    ) -> Answer:
        """Carry out one request, again where the connection was lost or the server was not ready."""
        target = self.target(path, query)
        headers = self.headers()
        if key is not None and _fits_a_header(key):
            headers["Idempotency-Key"] = key
        elif key is not None:
            fields = {**(fields or {}), "key": key}
        body = json.dumps(fields).encode() if fields is not None else None
        if body is not None:
            headers["Content-Type"] = "application/json"
        began = time.monotonic()
        for pause in (*self._pauses, None):
            problem: Failure
            try:
                answer = self._once(method, target, body, headers)
            except LOST as error:
                problem = unreachable(self.url, why(error), key)
            else:
                if answer.status < 300:
                    return answer
                problem = self._problem(answer, key)
                if answer.status not in PASSING:
                    raise problem
            if pause is None or time.monotonic() - began > NO_REPEAT_AFTER:
                break
            time.sleep(pause)
        raise problem

    def target(self, path: str, query: dict[str, str] | None = None) -> str:
        """What to ask the server for."""
        return f"{self._base}/api/v1{quote(path, safe='/')}" + (f"?{urlencode(query)}" if query else "")

    def connection(self, within: float) -> http.client.HTTPConnection:
        """A connection whose silence may last `within` seconds."""
        make = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = make(self._host, self._port, timeout=CONNECT_WITHIN)
        connection.connect()
        sock: socket.socket | None = connection.sock
        if sock is not None:
            sock.settimeout(within)
        return connection

    def _once(self, method: str, target: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        connection = self.connection(self._within)
        try:
            connection.request(method, target, body=body, headers=headers)
            response = connection.getresponse()
            return Answer(response.status, response.headers.get_content_type(), response.read())
        finally:
            connection.close()

    def _problem(self, answer: Answer, key: str | None) -> Failure:
        try:
            document = json.loads(answer.body)
        except ValueError:
            document = None
        if not isinstance(document, dict) or not answer.kind.endswith("json"):
            if answer.status in PASSING:
                return unreachable(self.url, f"a server on the way answered {answer.status}", key)
            return self._stranger(f"it answered {answer.status} with {answer.kind}")
        return self._advised(from_problem(answer.status, document, key), answer.status)

    def _advised(self, problem: Failure, status: int) -> Failure:
        if status == 401:
            problem.lines.append(f"Make a token at {self.url}/login/tokens, then: export TOCSIN_TOKEN=tocsin_…")
        return problem

    def _value(self, answer: Answer) -> Any:
        try:
            return json.loads(answer.body)
        except ValueError as error:
            raise self._stranger(f"its answer is not JSON: {answer.kind}") from error

    def _stranger(self, what: str) -> Failure:
        return failed(ERROR, "not-tocsin", f"what listens at {self.url} does not speak as Tocsin does: {what}", url=self.url)


def _fits_a_header(key: str) -> bool:
    """Whether a key arrives as it is in a header: visible ASCII, and no quotation marks that a server may take off."""
    return key.isascii() and key.isprintable() and key == key.strip() != "" and '"' not in key


def why(error: Exception) -> str:
    """A broken connection, in a word or two."""
    if isinstance(error, TimeoutError):
        return "it took too long"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, http.client.RemoteDisconnected | ConnectionResetError | BrokenPipeError):
        return "the connection was cut"
    return str(error) or type(error).__name__
