"""A child process that is started again when it ends, and that dies with its parent."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1
LOG_LIMIT = 10_000_000
"""Bytes; a longer log is put aside when its process starts."""

FIRST_PAUSE, LONGEST_PAUSE = 0.3, 10.0
"""Seconds before a child that has ended is started again; doubled while it keeps ending at once."""

STEADY = 20.0
"""Seconds after which a child counts as running again."""


def _die_with_parent() -> None:
    """Runs in the child: the kernel sends it SIGTERM when the parent is gone, also after kill -9."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Child:
    """One supervised process, in a session of its own so that Ctrl-C does not hit it before its turn."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str],
        changed: Callable[[], None],
        say: Callable[[str], None],
    ) -> None:
        self.name = name
        self.pid: int | None = None
        self._command = list(command)
        self._log = log
        self._environment = dict(environment)
        self._changed = changed
        self._say = say
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self._spawn()
        self._watch = asyncio.create_task(self._keep_running())

    async def _spawn(self) -> None:
        if self._log.exists() and self._log.stat().st_size > LOG_LIMIT:
            self._log.replace(self._log.with_suffix(".log.1"))
        with self._log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **self._environment},
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        self.pid = self._process.pid
        self._changed()

    async def _keep_running(self) -> None:
        pause = FIRST_PAUSE
        loop = asyncio.get_running_loop()
        while True:
            process = self._process
            if process is None:
                return
            began = loop.time()
            code = await process.wait()
            if self._stopping:
                return
            pause = FIRST_PAUSE if loop.time() - began > STEADY else min(pause * 2, LONGEST_PAUSE)
            self.pid = None
            self._changed()
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            self._say(f"{self.name} has ended ({how}); starting it again. Its log: {self._log}")
            await asyncio.sleep(pause)
            if not self._stopping:
                await self._spawn()

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.returncode is None

    def last_words(self, lines: int = 8) -> str:
        """The end of its log, for people who want to know why it does not start."""
        try:
            return "\n".join(self._log.read_text(errors="replace").splitlines()[-lines:])
        except OSError as error:
            return f"({self._log} can't be read: {error.strerror})"

    async def stop(self, within: float) -> None:
        """End it: politely, then after `within` seconds for good."""
        self._stopping = True
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), timeout=within)
        except TimeoutError:
            self._say(f"{self.name} did not stop within {within:.0f} s and was killed")
            process.kill()
            await process.wait()
        if self._watch is not None:
            self._watch.cancel()
