"""A program of somebody else's, as a process of its own that can be frozen, killed and started again."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import httpx2

from tests.harness import eventually

Answering = Callable[[], Awaitable[bool]]


class Program:
    """`ready` says whether it serves. What it writes goes to `NAME.log` in its folder."""

    def __init__(self, name: str, command: Sequence[str], folder: Path, ready: Answering, *, cwd: Path | None = None) -> None:
        self.name = name
        self._command = tuple(command)
        self._folder = folder
        self._cwd = cwd or folder
        self._ready = ready
        self._process: subprocess.Popen[bytes] | None = None

    def launch(self) -> None:
        """Start it, and go on at once."""
        with (self._folder / f"{self.name}.log").open("ab") as log:
            # Its input is a pipe that closes with us: what waits on it ends with us, too.
            self._process = subprocess.Popen(self._command, cwd=self._cwd, stdin=subprocess.PIPE, stdout=log, stderr=log)

    async def start(self) -> None:
        self.launch()
        await self.serves()

    async def serves(self, within: float = 60) -> None:
        await eventually(self._ready, within=within, every=0.1, what=f"{self.name} serves")

    def freeze(self) -> None:
        """It stays where it is: it takes connections, and answers nothing until it is thawed."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it as a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None, f"{self.name} does not run"
        self._process.send_signal(number)


def answers(url: str) -> Answering:
    """Whether an address answers with 200."""

    async def asked() -> bool:
        async with httpx2.AsyncClient(timeout=2, trust_env=False) as client:
            try:
                return (await client.get(url)).status_code == 200
            except httpx2.HTTPError:
                return False

    return asked
