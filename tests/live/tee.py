"""What stands between Alertmanager and the door, passes every post on as it came, and keeps what was said."""

from __future__ import annotations

import http.server
import json
import threading
import urllib.error
import urllib.request
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

PATIENCE = 60.0
"""Seconds that one post may take; Alertmanager gives up sooner."""

Word = tuple[str, str, str]
"""One alert's fingerprint, the beginning of its episode, and whether it fires."""


def words(alerts: list[dict[str, Any]]) -> list[Word]:
    return [(each["fingerprint"], datetime.fromisoformat(each["startsAt"]).astimezone(UTC).isoformat(), each["status"]) for each in alerts]


class Tee:
    """Every post in the order of its arrival, by group: `tried`, and `taken` where the door answered in 2xx."""

    def __init__(self, port: int, door: str) -> None:
        self.tried: dict[str, list[Word]] = defaultdict(list)
        self.taken: dict[str, list[Word]] = defaultdict(list)
        self.refused: list[str] = []
        self._lock = threading.Lock()
        self._door = door
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        tee = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                status = tee.passes_on(self.path, self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Nothing: a storm would fill the screen."""

        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 1_024
            daemon_threads = True

        self._server = Server(("127.0.0.1", port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def passes_on(self, path: str, body: bytes) -> int:
        """Pass one post on to the door; answers with the door's status, 502 where it gave none."""
        post = json.loads(body)
        said = words(post["alerts"])
        with self._lock:
            self.tried[post["groupKey"]] += said
        request = urllib.request.Request(self._door + path, data=body, headers={"Content-Type": "application/json"})
        try:
            with self._opener.open(request, timeout=PATIENCE) as answer:
                status = int(answer.status)
        except urllib.error.HTTPError as error:
            status = error.code
        except OSError:
            status = 502
        with self._lock:
            if status < 300:
                self.taken[post["groupKey"]] += said
            else:
                self.refused.append(f"{status} for {post['groupKey']}")
        return status

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
