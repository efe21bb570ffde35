"""A server that speaks the contract with scripted answers, and notes what it was asked."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

ONE = "INC-2026-0041"
TWO = "INC-2026-0042"


class Asked(NamedTuple):
    """One request that arrived."""

    method: str
    path: str
    query: dict[str, str]
    key: str | None
    body: Any
    last_event_id: str | None
    token: str | None = None


class Reply(NamedTuple):
    status: int
    body: Any
    kind: str = "application/json"


def problem(status: int, code: str, detail: str, **more: Any) -> Reply:
    document = {"type": f"urn:tocsin:{code}", "title": code, "status": status, "detail": detail, "code": code, **more}
    return Reply(status, document, "application/problem+json")


def refused(code: str = "verification-incomplete", incident: str = ONE) -> Reply:
    """The process says no, as the server tells it."""
    blocker = {"code": code, "message": "The verification period of 15 min is not over: 13 min 20 s left.", "until": "2026-11-24T03:25:00Z"}
    metrics = {"code": "metrics-not-at-baseline", "message": "Nobody has confirmed that monitoring shows the metrics returned to baseline."}
    refusal: dict[str, Any] = {
        "code": code,
        "message": "Cannot mark resolved until verification complete. This prevents reopened incidents.",
        "required_action": "Wait full verification period, then resolve again.",
        "blockers": [blocker, metrics],
    }
    return problem(409, code, refusal["message"], incident=incident, phase="resolution", accepted=False, refusal=refusal)


def row(incident: str = ONE, **changes: Any) -> dict[str, Any]:
    """One row of the list."""
    plain = {
        "incident": incident,
        "title": "Checkout returns 5xx in the EU",
        "severity": "SEV1",
        "phase": "mitigation",
        "commander": "priya",
        "drill": False,
        "open": True,
        "opened_at": "2026-11-24T02:30:00Z",
        "next_clock": "external_update",
        "next_due": "2026-11-24T03:10:00Z",
    }
    return {**plain, **changes}


def state(incident: str = ONE, **changes: Any) -> dict[str, Any]:
    """One incident's state, as far as the command line reads it."""
    clock = {"name": "external_update", "due": "2026-11-24T03:10:00Z", "since": "2026-11-24T02:55:00Z", "state": "overdue", "owner": "dana"}
    later = {
        "name": "internal_update",
        "due": "2026-11-24T03:16:00Z",
        "since": "2026-11-24T03:06:00Z",
        "state": "running",
        "owner": "priya",
    }
    plain = {
        "incident": incident,
        "title": "Checkout returns 5xx in the EU",
        "severity": "SEV1",
        "phase": "mitigation",
        "drill": False,
        "roles": {"commander": "priya", "communications": "dana"},
        "opened_at": "2026-11-24T02:30:00Z",
        "clocks": [later, clock],
        "checklist": [
            {"item": "option_selected", "phase": "mitigation", "text": "Mitigation option selected", "state": "done", "note": None},
            {"item": "rollback_plan_ready", "phase": "mitigation", "text": "Rollback plan ready", "state": "open", "note": None},
        ],
        "blockers": [],
        "next": {
            "verb": "post_update",
            "text": "Post the external update.",
            "why": "It was due.",
            "command": f'tocsin update {incident} --external -m "…"',
        },
        "deliveries": {"refused": [], "settled": [], "paused": {}, "delivered": 7, "waiting": [], "down": {}},
        "action_items": [],
        "seq": 3,
        "now": "2026-11-24T03:12:18Z",
    }
    return {**plain, **changes}


def entry(seq: int, kind: str = "note", text: str = "", **data: Any) -> dict[str, Any]:
    return {"seq": seq, "at": f"2026-11-24T03:{seq:02}:00Z", "kind": kind, "by": "ana", "text": text or f"entry {seq}", "data": data}


def accepted(*events: dict[str, Any], incident: str = ONE, phase: str = "mitigation") -> Reply:
    return Reply(200, {"incident": incident, "phase": phase, "accepted": True, "events": list(events)})


Answer = Reply | Callable[[Asked], Reply]


class Stub:
    """`says` maps `GET /incidents` and the like, below `/api/v1`, to answers; what it does not hold is a 404.

    `cuts` connections are closed without an answer, after the request was read. `timeline` is what the stream tells.
    """

    def __init__(self) -> None:
        self.says: dict[str, Answer] = {}
        self.asked: list[Asked] = []
        self.cuts = 0
        self.timeline: list[dict[str, Any]] = []
        self.told = threading.Condition()
        self.streams = 0
        self._port = 0
        self._server: ThreadingHTTPServer | None = None
        self._open: set[socket.socket] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def holds(self, *incidents: dict[str, Any]) -> None:
        """These incidents exist and are open."""
        self.says["GET /incidents"] = Reply(200, {"incidents": [row(each["incident"], title=each["title"]) for each in incidents]})
        for each in incidents:
            self.says[f"GET /incidents/{each['incident']}"] = Reply(200, each)
            self.says[f"GET /incidents/{each['incident']}/timeline"] = lambda _: Reply(200, {"timeline": list(self.timeline)})
            self.says[f"GET /incidents/{each['incident']}/deliveries"] = Reply(200, {"incident": each["incident"], **each["deliveries"]})

    def tell(self, *entries: dict[str, Any]) -> None:
        """Something happens: the open streams tell of it."""
        with self.told:
            self.timeline += entries
            self.told.notify_all()

    def posted(self) -> list[Asked]:
        return [asked for asked in self.asked if asked.method == "POST"]

    def start(self) -> None:
        """Serve, on the same port as before where there was one."""
        stub = self

        class Handler(_Handler):
            def __init__(self, *args: Any) -> None:
                self.stub = stub
                super().__init__(*args)

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def process_request(self, request: Any, client_address: Any) -> None:
                stub._open.add(request)
                super().process_request(request, client_address)

        self._server = Server(("127.0.0.1", self._port), Handler)
        self._port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        """Be gone, and cut every connection."""
        if self._server is None:
            return
        self._server.shutdown()
        self._server.server_close()
        self._server = None
        for each in list(self._open):
            cut(each)
        self._open.clear()
        with self.told:
            self.told.notify_all()

    @property
    def running(self) -> bool:
        return self._server is not None


def cut(connection: socket.socket) -> None:
    """End a connection; the other side may have been quicker."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


class _Handler(BaseHTTPRequestHandler):
    stub: Stub

    def log_message(self, format: str, *args: Any) -> None:
        return

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        path = parts.path.removeprefix("/api/v1")
        key = self.headers.get("Idempotency-Key")
        asked = Asked(
            self.command,
            path,
            dict(parse_qsl(parts.query)),
            key,
            body,
            self.headers.get("Last-Event-ID"),
            self.headers.get("Authorization"),
        )
        self.stub.asked.append(asked)
        if self.stub.cuts > 0:
            self.stub.cuts -= 1
            cut(self.connection)
            return
        if path.endswith("/events") and f"GET {path}" not in self.stub.says:
            self._stream(int(asked.last_event_id or asked.query.get("since", "0")))
            return
        answer = self.stub.says.get(f"{self.command} {path}", problem(404, "unknown-incident", f"There is nothing at {path}."))
        reply = answer(asked) if callable(answer) else answer
        sent = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.kind)
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def _stream(self, seen: int) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write(b"retry: 1000\n\n: ping\n\n")
        self.stub.streams += 1
        try:
            while self.stub.running:
                with self.stub.told:
                    new = [each for each in self.stub.timeline if each["seq"] > seen]
                    if not new:
                        if any(each["kind"] == "closed" for each in self.stub.timeline):
                            return
                        self.stub.told.wait(timeout=0.2)
                for each in new:
                    seen = each["seq"]
                    self.wfile.write(f"id: {seen}\nevent: entry\ndata: {json.dumps(each)}\n\n".encode())
                self.wfile.flush()
        except OSError:
            return


@contextmanager
def serving() -> Iterator[Stub]:
    stub = Stub()
    stub.start()
    try:
        yield stub
    finally:
        stub.stop()
