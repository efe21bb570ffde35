"""A child process that is started again when it ends, and that dies with its parent."""

from __future__ import annotations

import asyncio
import ctypes
import functools
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from worker.log_tail import LogTail

PR_SET_PDEATHSIG = 1
LOG_LIMIT = 10_000_000
"""Bytes; a longer log is put aside when its process starts."""

FIRST_PAUSE, LONGEST_PAUSE = 0.3, 10.0
"""Seconds before a child that has ended is started again; doubled while it keeps ending at once."""

STEADY = 20.0
"""Seconds after which a child counts as running again."""


LOOK_EVERY = 0.5
"""Seconds between two looks at what the children have logged."""

_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def _die_with_parent(parent: int) -> None:
    """Runs in the child: the kernel sends it SIGTERM when the parent is gone, also after kill -9.

    Only Linux offers that; elsewhere a killed parent leaves its children behind, and the lock on the data folder,
    which they hold too, says so.
    """
    if _LIBC is not None:
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)  # the parent has died in between: nobody would tell us any more


class Child:
    """One supervised process, in a session of its own so that Ctrl-C does not hit it before its turn.

    `held`: open files that it keeps open too, the data folder's lock. `shown`: whether its warnings are shown.
    `may_start_again`: asked before it is started again.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str],
        changed: Callable[[], None],
        say: Callable[[str], None],
        held: Sequence[int] = (),
        shown: bool = False,
        may_start_again: Callable[[], bool] = lambda: True,
    ) -> None:
        self.name = name
        self.pid: int | None = None
        self._command = list(command)
        self._log = log
        self._environment = dict(environment)
        self._changed = changed
        self._say = say
        self._held = tuple(held)
        self._tail = LogTail(name, log, say) if shown else None
        self._may_start_again = may_start_again
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False
        self._spawning = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Start it, and see to it that it runs until `stop`."""
        await self._spawn()
        self._tasks.append(asyncio.create_task(self._keep_running()))
        if self._tail is not None:
            self._tasks.append(asyncio.create_task(self._show_warnings(self._tail)))

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
                pass_fds=self._held,
                preexec_fn=functools.partial(_die_with_parent, os.getpid()),
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
            await self._start_again(pause)

    async def _start_again(self, pause: float) -> None:
        """Start it after `pause` seconds, and again for as long as it can't even be started, as on a full disk."""
        while True:
            await asyncio.sleep(pause)
            async with self._spawning:
                if self._stopping or not self._may_start_again():
                    self._stopping = True
                    return
                try:
                    return await self._spawn()
                except OSError as error:
                    self._say(f"{self.name} can't be started: {error}")
            pause = LONGEST_PAUSE

    async def _show_warnings(self, tail: LogTail) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            try:
                tail.look()
            except OSError as error:
                self._say(f"{self._log} can't be read ({error.strerror}); warnings of {self.name} are not shown any more")
                return

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
        async with self._spawning:
            process = self._process
        if process is not None and process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), timeout=within)
            except TimeoutError:
                self._say(f"{self.name} did not stop within {within:.0f} s and was killed")
                process.kill()
                await process.wait()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
