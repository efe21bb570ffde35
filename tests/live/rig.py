"""A real Prometheus and Alertmanager over a tiny real service, each a process of its own; skipped where they are not installed."""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.server.house import free_ports

PROGRAMS = ("prometheus", "prometheus-alertmanager")

needs_programs = pytest.mark.skipif(
    any(shutil.which(program) is None for program in PROGRAMS),
    reason="Debian's prometheus and prometheus-alertmanager are not installed: make test-live installs them",
)

APP = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = sys.argv[2].encode() + b"\\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""

PROMETHEUS = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [rules.yml]
alerting:
  alertmanagers: [{{static_configs: [{{targets: ["127.0.0.1:{alertmanager}"]}}]}}]
scrape_configs:
- {{job_name: app, static_configs: [{{targets: ["127.0.0.1:{app}"]}}]}}
- {{job_name: deployer, static_configs: [{{targets: ["127.0.0.1:{deployer}"]}}]}}
"""

RULES = """
groups:
- name: app
  rules:
  - alert: CheckoutDown
    expr: up{job="app"} == 0
    for: 1s
    labels: {severity: critical, service: checkout}
    annotations: {summary: "{{ $labels.instance }} is down"}
"""

ALERTMANAGER = """
global: {{resolve_timeout: 5s}}
route: {{receiver: tocsin, group_by: [alertname, service], group_wait: 1s, group_interval: 2s, repeat_interval: 1h}}
receivers:
- name: tocsin
  webhook_configs: [{{url: "{webhook}", send_resolved: true, max_alerts: 0}}]
"""


def until(seen: Callable[[], Any], within: float, what: str, every: float = 0.1) -> Any:
    """Wait until `seen` gives something true, and give it."""
    deadline = time.monotonic() + within
    while not (found := seen()):
        assert time.monotonic() < deadline, f"did not happen within {within:g} s: {what}"
        time.sleep(every)
    return found


class Rig:
    """The service and what watches it. `kill` and `revive` are the outage."""

    def __init__(self, folder: Path, webhook: str = "http://127.0.0.1:9/nowhere") -> None:
        self.folder = folder
        self.webhook = webhook
        self.app, self.prometheus, self.alertmanager, self.deployer = free_ports(4)
        self.prometheus_url = f"http://127.0.0.1:{self.prometheus}"
        self.alertmanager_url = f"http://127.0.0.1:{self.alertmanager}"
        self.deployed_at = time.time() - 600
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start_alertmanager(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "alertmanager.yml").write_text(ALERTMANAGER.format(webhook=self.webhook))
        address = f"127.0.0.1:{self.alertmanager}"
        self._run(
            "prometheus-alertmanager",
            "--config.file=alertmanager.yml",
            "--storage.path=am",
            f"--web.listen-address={address}",
            "--cluster.listen-address=",
        )
        until(functools.partial(answers, f"{self.alertmanager_url}/-/ready"), 30, "Alertmanager is ready")

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "app.py").write_text(APP)
        (self.folder / "rules.yml").write_text(RULES)
        (self.folder / "prometheus.yml").write_text(PROMETHEUS.format(alertmanager=self.alertmanager, app=self.app, deployer=self.deployer))
        self.revive()
        deployed = f'deployed_at{{service="checkout",version="v248",by="ben"}} {self.deployed_at:.0f}'
        self._run(sys.executable, "app.py", str(self.deployer), deployed, name="deployer")
        address = f"127.0.0.1:{self.prometheus}"
        self._run("prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=tsdb", f"--web.listen-address={address}")
        self.start_alertmanager()
        until(functools.partial(answers, f"{self.prometheus_url}/-/ready"), 30, "Prometheus is ready")

    def _run(self, *command: str, name: str | None = None) -> None:
        name = name or command[0]
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log)

    def revive(self) -> None:
        self._run(sys.executable, "app.py", str(self.app), "app_error_ratio 0.01", name="app")

    def kill(self) -> None:
        self._end("app", 5)

    def _end(self, name: str, within: float) -> None:
        process = self._processes.pop(name, None)
        if process is not None:
            process.terminate()
            process.wait(timeout=within)

    def stop(self) -> None:
        for name in list(self._processes):
            self._end(name, 20)

    def samples(self) -> int:
        """How many scrapes of the service Prometheus has by now."""
        url = f"{self.prometheus_url}/api/v1/query"
        answer = json.loads(httpx2.get(url, params={"query": "count_over_time(app_error_ratio[5m])"}, timeout=5).content)
        result = answer["data"]["result"]
        return int(result[0]["value"][1]) if result else 0


def answers(url: str) -> bool:
    try:
        return httpx2.get(url, timeout=2).status_code == 200
    except httpx2.HTTPError:
        return False
