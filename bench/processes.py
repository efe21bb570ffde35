"""The other processes of a measurement: a Temporal server, and workers that can be read, stopped and killed."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from temporalio.client import Client
from temporalio.service import RPCError

from worker import dev_server

ROOT = Path(__file__).resolve().parent.parent

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


class Process:
    """One child process, with what it has used so far."""

    def __init__(self, arguments: list[str], output: Path | None = None, environment: Mapping[str, str] | None = None) -> None:
        self.arguments = arguments
        self._environment = {**os.environ, **(environment or {})}
        self._output = output
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, *, ready: bool = False) -> None:
        """Start it; with `ready`, come back once it has written its first line.

        Raises:
            RuntimeError: it ended before that.
        """
        errors = self._output.open("ab") if self._output is not None else None
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self.arguments,
                cwd=ROOT,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE if ready else (errors or asyncio.subprocess.DEVNULL),
                stderr=errors,
                env=self._environment,
            )
        finally:
            if errors is not None:
                errors.close()
        if ready and self._process.stdout is not None and not await self._process.stdout.readline():
            raise RuntimeError(f"{' '.join(self.arguments[:4])} … ended with {await self._process.wait()}")

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError("it was never started")
        return self._process.pid

    @property
    def cpu(self) -> float:
        """Seconds of CPU, user and system, of all its threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / _TICK

    @property
    def memory(self) -> int:
        """Resident bytes."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * _PAGE

    async def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop it, or kill it, and wait until it is gone."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(how)
        try:
            await asyncio.wait_for(process.wait(), 20)
        except TimeoutError:
            process.kill()
            await process.wait()


class Server(Process):
    """A Temporal server, in memory or (WAL, as `tocsin up` runs it) in a file."""

    def __init__(self, folder: Path, *, file: bool = False) -> None:
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        data = folder / f"temporal-{self.port}.db" if file else None
        super().__init__(dev_server.command(data, self.port, None), folder / f"server-{self.port}.log")

    async def answers(self) -> None:
        """Wait until it accepts connections and knows our search attributes."""
        while True:
            try:
                client = await Client.connect(self.address)
                await dev_server.register_search_attributes(client)
                return
            except (RPCError, RuntimeError):
                await asyncio.sleep(0.05)


@asynccontextmanager
async def serving(folder: Path, *, file: bool = False) -> AsyncIterator[Server]:
    """A server for a while."""
    server = Server(folder, file=file)
    await server.start()
    try:
        await server.answers()
        yield server
    finally:
        await server.end(signal.SIGKILL)


class WorkerProcess(Process):
    """All workers of one arm in one process: the product's, or the twin's on the same queues with the same pollers."""

    def __init__(self, arm: str, server: Server, queue: str, folder: Path, *, stock: bool = False) -> None:
        self.effects = folder / f"{queue}.effects"
        arguments = [sys.executable, "-m", "bench.worker", arm, server.address, queue, str(folder), str(self.effects)]
        super().__init__([*arguments, *(["--stock"] if stock else [])], folder / f"{queue}.log")

    def effect_times(self) -> list[tuple[float, str]]:
        """When (seconds since 1970) each effect was carried out so far, and for which incident."""
        if not self.effects.exists():
            return []
        written = self.effects.read_text().rpartition("\n")[0]
        return [(float(at), incident) for at, incident in (line.split(" ", 1) for line in written.splitlines())]
