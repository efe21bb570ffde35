"""`tocsin up` as people run it: real processes on free ports and a folder of their own, to be killed at will."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import httpx2

from worker.dev_server import binary


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


class House:
    """One `tocsin up`. `stop` and `start` again on the same folder; `kill` one of its processes with SIGKILL."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.temporal, self.ui = free_ports(3)
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "worker.up", "--data", str(self.folder)]
        command += ["--port", str(self.port), "--temporal-port", str(self.temporal), "--ui-port", str(self.ui)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
        self.wait_ready()

    def wait_ready(self, within: float = 60) -> None:
        deadline = time.monotonic() + within
        while True:
            try:
                if httpx2.get(f"{self.url}/readyz", timeout=5).status_code == 200:
                    return
            except httpx2.HTTPError:
                pass
            assert self.process is not None
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()  # what it has said can be read to its end only once it has ended
                raise AssertionError(f"tocsin up is not ready: {self.process.stdout.read().decode() if self.process.stdout else ''}")
            time.sleep(0.1)

    def stop(self) -> int:
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)

    def pid(self, name: str) -> int:
        run: dict[str, Any] = json.loads((self.folder / "run.json").read_text())
        return int(run["pids"][name])

    def kill(self, name: str) -> None:
        os.kill(self.pid(name), signal.SIGKILL)

    def call(self, method: str, path: str, body: Any = None, key: str | None = None) -> httpx2.Response:
        """One request, repeated under the same key while the house is on its feet again: what a careful client does."""
        headers = {"Idempotency-Key": key or uuid.uuid4().hex} if method == "POST" and path.startswith("/api") else {}
        deadline = time.monotonic() + 60
        while True:
            try:
                response = httpx2.request(method, self.url + path, json=body, headers=headers, timeout=20)
                if response.status_code < 500:
                    return response
            except httpx2.HTTPError:
                pass
            if time.monotonic() > deadline:
                raise AssertionError(f"{method} {path} did not get through")
            time.sleep(0.2)

    def does(self, incident: str, verb: str, **fields: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.call("POST", f"/api/v1/incidents/{incident}/{verb}", {"by": "ana", **fields}).json()
        return answer

    def told(self, incident: str) -> list[str]:
        """The keys of everything that the embedded parts have accepted for an incident."""
        rows: list[dict[str, Any]] = []
        for kind in ("chat", "status", "tickets", "pages"):
            answer = self.call("GET", f"/api/v1/embedded/{kind}").json()
            rows += answer[kind] if isinstance(answer, dict) else answer
        return [row["key"] for row in rows if row["incident"] == incident]

    def stock(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The stock `temporal` command line against this server."""
        command = [str(binary()), *arguments, "--address", f"127.0.0.1:{self.temporal}"]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
