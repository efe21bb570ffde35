"""Prometheus and Alertmanager over a tiny real service, as programs that can be frozen, killed and started again."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.live import rig
from tests.live.programs import Answering, Program, answers
from tests.live.rig import Rig


class Watch:
    """What watches the town. `service` is what the incident is about."""

    def __init__(self, folder: Path, webhook: str) -> None:
        # The rig knows the ports and how to ask for samples; its processes are started here.
        self.rig = Rig(folder, webhook)
        self.folder = folder
        self.service = Program("service", self._python(self.rig.app, "app_error_ratio 0.01"), folder, self._up(self.rig.app))
        self._deployer = Program("deployer", self._python(self.rig.deployer, _DEPLOYED), folder, self._up(self.rig.deployer))
        command: tuple[str, ...] = (
            "prometheus-alertmanager",
            "--config.file=alertmanager.yml",
            "--storage.path=am",
            "--cluster.listen-address=",
        )
        command += (f"--web.listen-address=127.0.0.1:{self.rig.alertmanager}",)
        self.alertmanager = Program("alertmanager", command, folder, answers(f"{self.rig.alertmanager_url}/-/ready"))
        command = ("prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=tsdb", "--rules.alert.resend-delay=5s")
        command += (f"--web.listen-address=127.0.0.1:{self.rig.prometheus}",)
        self.prometheus = Program("prometheus", command, folder, answers(f"{self.rig.prometheus_url}/-/ready"))

    @staticmethod
    def _python(port: int, shown: str) -> tuple[str, ...]:
        return (sys.executable, "app.py", str(port), shown)

    @staticmethod
    def _up(port: int) -> Answering:
        return answers(f"http://127.0.0.1:{port}/metrics")

    async def start(self) -> None:
        self.folder.mkdir(parents=True)
        (self.folder / "app.py").write_text(rig.APP)
        (self.folder / "rules.yml").write_text(rig.RULES)
        ports = {"alertmanager": self.rig.alertmanager, "app": self.rig.app, "deployer": self.rig.deployer}
        (self.folder / "prometheus.yml").write_text(rig.PROMETHEUS.format(**ports))
        (self.folder / "alertmanager.yml").write_text(rig.ALERTMANAGER.format(webhook=self.rig.webhook))
        await asyncio.gather(*(each.start() for each in self._all()))

    def stop(self) -> None:
        for each in self._all():
            each.kill()

    def _all(self) -> tuple[Program, ...]:
        return (self.service, self._deployer, self.alertmanager, self.prometheus)


_DEPLOYED = 'deployed_at{service="checkout",version="v248",by="ben"} 1'
