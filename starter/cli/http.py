"""Requests to the server, with nothing but the standard library: it loads in a few milliseconds."""

from __future__ import annotations

import http.client
import json
import os
import time
import urllib.parse
import uuid
from collections.abc import Iterator
from typing import Any

DEFAULT_URL = "http://127.0.0.1:8700"

TRIES = 4
PAUSE = 0.5
"""A lost connection is tried again under the same key; seconds before the first repeat, doubled each time."""

TIMEOUT = 30.0


class Failure(Exception):
    """A command that did not work out, with its exit code and what to print."""

    def __init__(self, code: int, message: str, detail: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.detail = detail or {"title": message}


class Refused(Failure):
    """The process forbids it; `detail` holds the refusal whole."""

    def __init__(self, detail: dict[str, Any]) -> None:
        super().__init__(5, str(detail.get("refusal", {}).get("message", "refused")), detail)


class Server:
    """One server. Every write carries a key, so that a repeat is the same request."""

    def __init__(self, url: str | None = None) -> None:
        self.url = (url or os.environ.get("TOCSIN_URL") or DEFAULT_URL).rstrip("/")
        parts = urllib.parse.urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Failure(2, f"{self.url!r} is no address; it looks like {DEFAULT_URL} (--url, TOCSIN_URL)")
        self._parts = parts

    def get(self, path: str, **query: Any) -> Any:
        asked = urllib.parse.urlencode({name: value for name, value in query.items() if value is not None})
        return self._call("GET", path + (f"?{asked}" if asked else ""), None, None)

    def post(self, path: str, body: dict[str, Any], key: str | None = None) -> Any:
        return self._call("POST", path, body, key or uuid.uuid4().hex)

    def _connection(self, timeout: float) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
        return kind(self._parts.hostname or "", self._parts.port, timeout=timeout)

    def _call(self, method: str, path: str, body: dict[str, Any] | None, key: str | None) -> Any:
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if key is not None:
            headers["Idempotency-Key"] = key
        data = json.dumps(body).encode() if body is not None else None
        last = ""
        for attempt in range(TRIES):
            if attempt:
                time.sleep(PAUSE * 2 ** (attempt - 1))
            connection = self._connection(TIMEOUT)
            try:
                connection.request(method, self._parts.path + path, body=data, headers=headers)
                response = connection.getresponse()
                text = response.read()
            except (OSError, http.client.HTTPException) as error:
                last = str(error) or type(error).__name__
                continue
            finally:
                connection.close()
            if response.status == 503 and attempt < TRIES - 1:
                last = text.decode(errors="replace")[:300]
                continue
            return self._read(response.status, text)
        raise Failure(7, f"{self.url} does not answer ({last}). Is it up? Start it with: tocsin up", {"code": "unreachable", "title": last})

    def _read(self, status: int, text: bytes) -> Any:
        try:
            answer = json.loads(text)
        except ValueError:
            answer = {"detail": text.decode(errors="replace")[:500]}
        if status < 400:
            return answer
        if not isinstance(answer, dict):
            answer = {"detail": str(answer)}
        if "refusal" in answer:
            raise Refused(answer)
        message = str(answer.get("detail") or answer.get("title") or f"HTTP {status}")
        for mistake in answer.get("errors") or []:
            line = f"{mistake.get('field')}: {mistake.get('message')}"
            if line not in message:
                message += f"\n  {line}"
        codes = {400: 2, 422: 2, 401: 4, 403: 4, 404: 3, 409: 6, 412: 6, 502: 7, 503: 7, 504: 7}
        raise Failure(codes.get(status, 1), message, answer)

    def events(self, path: str, last: str | None) -> Iterator[tuple[str, str, str]]:
        """The server-sent events of a path as (id, event, data). Ends when the connection does; OSError where there is none."""
        connection = self._connection(45)
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last} if last else {})
        try:
            connection.request("GET", self._parts.path + path, headers=headers)
            response = connection.getresponse()
            if response.status != 200:
                self._read(response.status, response.read())
            id_, event, data = "", "message", []
            while line := response.readline():
                text = line.decode(errors="replace").rstrip("\r\n")
                if not text:
                    if data:
                        yield id_, event, "\n".join(data)
                    event, data = "message", []
                elif text.startswith("id:"):
                    id_ = text[3:].strip()
                elif text.startswith("event:"):
                    event = text[6:].strip()
                elif text.startswith("data:"):
                    data.append(text[5:].removeprefix(" "))
        except http.client.HTTPException as error:
            raise OSError(str(error)) from error
        finally:
            connection.close()
