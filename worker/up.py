"""`tocsin up`: the Temporal server, the worker and the doors on this machine, watched over until interrupted.

Each is a process of its own, so that any of them may die and is started again; the doors stop first, the server last.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import sqlite3
import sys
import urllib.error
import urllib.request
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from temporalio.client import Client
from temporalio.service import RPCError

from integrations.errors import IntegrationError
from integrations.oncall.rota import FileRota
from runtime.logs import configure_logs
from runtime.settings import Settings, SettingsError, load_settings, unknown_variables
from runtime.temporal import TemporalUnreachable, connect
from runtime.vendors import vendor_variables
from worker import dev_server
from worker.__main__ import ensure_rota
from worker.child import Child
from worker.data_folder import DataFolder, FileLost, FolderProblem
from worker.wiring import load_policy, load_rules

READY_WITHIN = 60.0
"""Seconds for worker and doors to come up; 3 s is usual."""

EPOCH_EVERY = 300.0
"""Seconds between two counts of the epoch: a server's file older than this is noticed when it is put back."""

FAILURES_BEARABLE = 20
"""Tries, a second apart, that a server which starts again may need before its silence is told."""


class Up:
    """Everything on this machine."""

    def __init__(self, settings: Settings, *, accept_rollback: bool = False) -> None:
        self.settings = settings
        self.folder = DataFolder(settings.data)
        self.server_file = self.folder.path / "temporal.db"
        self.accept_rollback = accept_rollback
        self.children: dict[str, Child] = {}
        self.stop = asyncio.Event()
        self.restarted = asyncio.Event()
        self.problem: FileLost | None = None
        self.started_at = datetime.now(UTC)
        self.address = f"127.0.0.1:{settings.temporal_port}"
        self.url = f"http://127.0.0.1:{settings.port}"
        self.ui = f"http://127.0.0.1:{settings.ui_port}"

    async def run(self) -> int:
        """Start everything, say where it is, stay until interrupted; 0 after an orderly stop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self.stop.set)
        await asyncio.to_thread(self.folder.open)
        try:
            load_policy(self.settings)
            load_rules(self.settings)
            await self._check_rota()
            if not self.accept_rollback:
                self.folder.check_still_there(self.server_file.name)
            self._check_ports()
            self._connect_to_the_embedded_server()
            client = await self._start_server()
            if client is None:
                return 0
            await self._start("worker", [sys.executable, "-m", "worker"])
            await self._start("http", [sys.executable, "-m", "starter.serve"])
            await self._until_ready()
            if not self.stop.is_set():
                self._greet()
            counting = asyncio.create_task(self._count_epoch(client))
            await self.stop.wait()
            counting.cancel()
            _say("stopping …")
            if self.problem is not None:
                raise self.problem
        finally:
            await self._stop()
        return 0

    async def _check_rota(self) -> None:
        ensure_rota(self.settings)
        try:
            await FileRota(self.settings.rota_file).refresh()
        except IntegrationError as error:
            raise SettingsError(f"the rota has a mistake: {error}") from error

    def _check_ports(self) -> None:
        wanted = {
            "--port (TOCSIN_PORT)": self.settings.port,
            "--temporal-port (TOCSIN_TEMPORAL_PORT)": self.settings.temporal_port,
            "--ui-port (TOCSIN_UI_PORT)": self.settings.ui_port,
        }
        numbers = list(wanted.values())
        for option, port in wanted.items():
            if numbers.count(port) > 1:
                raise SettingsError(f"{option}: port {port} is given twice; each needs its own")
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError as error:
                    raise SettingsError(
                        f"port {port} is taken, perhaps by another `tocsin up` or Temporal server. Choose another with {option}."
                    ) from error

    def _environment(self) -> dict[str, str]:
        """What the children are told."""
        settings = self.settings
        return {
            "TOCSIN_DATA": str(self.folder.path),
            "TOCSIN_PORT": str(settings.port),
            "TOCSIN_TEMPORAL_PORT": str(settings.temporal_port),
            "TOCSIN_UI_PORT": str(settings.ui_port),
            "TOCSIN_TEMPORAL_UI": self.ui,
            "TOCSIN_UP": "1",
            "PYTHONUNBUFFERED": "1",
        }

    def _connect_to_the_embedded_server(self) -> None:
        """Whatever connection the caller's environment names, this process and its children use the embedded server's."""
        for name in [name for name in os.environ if name.startswith("TEMPORAL_")]:
            del os.environ[name]
        os.environ["TEMPORAL_ADDRESS"] = self.address
        # A profile in the user's own configuration file would bring its TLS settings along.
        os.environ["TEMPORAL_CONFIG_FILE"] = os.devnull

    async def _start(self, name: str, command: list[str]) -> None:
        log = self.folder.path / "logs" / f"{name}.log"
        server = name == "temporal"
        self.children[name] = Child(
            name,
            command,
            log=log,
            environment=self._environment(),
            changed=self._write_run,
            say=_say,
            held=(self.folder.lock,) if server else (),
            shown=not server,
            may_start_again=self._server_may_start_again if server else lambda: True,
        )
        await self.children[name].start()

    def _server_may_start_again(self) -> bool:
        """Not on a file that has gone meanwhile: the server would serve an empty world."""
        try:
            self.folder.check_still_there(self.server_file.name)
        except FileLost as problem:
            self._give_up(problem)
            return False
        self.restarted.set()
        return True

    def _give_up(self, problem: FileLost) -> None:
        self.problem = problem
        self.stop.set()

    async def _start_server(self) -> Client | None:
        await self._start("temporal", dev_server.command(self.server_file, self.settings.temporal_port, self.settings.ui_port))
        connecting = asyncio.create_task(self._connected())
        stopping = asyncio.create_task(self.stop.wait())
        await asyncio.wait((connecting, stopping), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not connecting.done():
            connecting.cancel()
            return None
        client = connecting.result()
        await self._check_epoch(client)
        await dev_server.register_search_attributes(client)
        await dev_server.keep_closed_runs(client)
        return client

    async def _connected(self) -> Client:
        try:
            return await connect(within=self.settings.connect_within)
        except TemporalUnreachable as error:
            raise SettingsError(f"the Temporal server did not start. Its last words:\n{self.children['temporal'].last_words()}") from error

    async def _check_epoch(self, client: Client) -> None:
        """Refuse to go on over a server file that is older than what this folder has seen."""
        seen, known = self.folder.epoch, await dev_server.read_epoch(client)
        # Once accepted, the two are counted together again: from then on a lower one is news.
        accepted, self.accept_rollback = self.accept_rollback, False
        if known < seen and not accepted:
            raise FileLost(
                f"{self.server_file} is older (epoch {known}) than what this folder last saw (epoch {seen}): an old copy was put back. "
                "What happened since would be missing. Restore the newest copy, with the -wal file that belongs to it; or, to go on with "
                "what is there: tocsin up --accept-rollback"
            )
        await self._next_epoch(client, max(seen, known) + 1)

    async def _next_epoch(self, client: Client, epoch: int) -> None:
        """The server first: a stop in between must not look like a rollback."""
        await dev_server.write_epoch(client, epoch)
        self.folder.epoch = epoch

    async def _count_epoch(self, client: Client) -> None:
        """Count on, and look at once when the server has been started again: it may be on another file."""
        failures = 0
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.restarted.wait(), timeout=EPOCH_EVERY)
            try:
                await self._check_epoch(client)
            except FileLost as problem:
                self._give_up(problem)
                return
            except (RPCError, FolderProblem) as error:
                failures += 1
                if failures == FAILURES_BEARABLE:
                    _say(f"the epoch could not be counted: {error}")
                self.restarted.set()
                await asyncio.sleep(1)
            else:
                failures = 0
                self.restarted.clear()

    async def _until_ready(self) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + READY_WITHIN
        while not self.stop.is_set():
            if await asyncio.to_thread(_answers, f"{self.url}/readyz"):
                return
            if loop.time() > deadline:
                words = "\n".join(f"--- {name}\n{child.last_words()}" for name, child in self.children.items() if name != "temporal")
                raise SettingsError(f"worker and doors did not come up within {READY_WITHIN:.0f} s. Their last words:\n{words}")
            await asyncio.sleep(0.2)

    def _write_run(self) -> None:
        run: dict[str, Any] = {
            "pids": {"up": os.getpid(), **{name: child.pid for name, child in self.children.items()}},
            "urls": {"http": self.url, "temporal": self.address, "ui": self.ui},
            "data": str(self.folder.path),
            "started_at": self.started_at.isoformat(),
        }
        try:
            self.folder.write_run(run)
        except FolderProblem as error:
            _say(f"{error} Everything goes on, but the drill will not find the processes.")

    def _greet(self) -> None:
        elsewhere = "" if self.settings.port == 8700 else f"\n  export TOCSIN_URL={self.url}"
        sys.stdout.write(
            f"""
Tocsin is up.
  start here      {self.url}/   (incidents, and a three-minute drill)
  API and docs    {self.url}/docs
  webhook         {self.url}/webhooks/alertmanager   (for Alertmanager)
  Temporal UI     {self.ui}
  Temporal        {self.address}
  data            {self.folder.path}   (rota.toml: who is on call)

In a second terminal:{elsewhere}
  tocsin drill                                  a practice incident, some minutes long, that reaches nobody real
  tocsin declare "Checkout returns 5xx" --sev 1  an incident in earnest
  tocsin list

Ctrl-C stops everything; the next `tocsin up` on this folder carries on where it stopped.
"""
        )
        sys.stdout.flush()

    async def _stop(self) -> None:
        """Doors, worker, server: each may still need the next."""
        for name, within in (("http", 10.0), ("worker", 35.0), ("temporal", 15.0)):
            child = self.children.get(name)
            if child is not None:
                await child.stop(within)
        if self.children:
            self.folder.forget_run()
            try:
                self.folder.fold_in(self.server_file.name)
            except sqlite3.Error as error:
                _say(f"{self.server_file} is left with its -wal file ({error}); keep the two together")
        self.folder.close()


def _answers(url: str) -> bool:
    # A proxy that the environment names is not for this machine's own address.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=5) as response:
            return int(response.status) == 200
    except (urllib.error.URLError, OSError):
        return False


def _say(text: str) -> None:
    sys.stderr.write(f"tocsin: {text}\n")
    sys.stderr.flush()


def main(argv: list[str] | None = None) -> int:
    """Everything on this machine; 0 after an orderly stop, 1 with a sentence where it can't start."""
    parser = argparse.ArgumentParser(prog="tocsin up", description="Start everything on this machine and stay until interrupted.")
    parser.add_argument("--data", type=Path, help="folder of everything that is kept (TOCSIN_DATA, default ./.tocsin)")
    parser.add_argument("--port", type=int, help="port of the HTTP server (TOCSIN_PORT, default 8700)")
    parser.add_argument("--temporal-port", type=int, help="port of the Temporal server (TOCSIN_TEMPORAL_PORT, default 7233)")
    parser.add_argument("--ui-port", type=int, help="port of the Temporal UI (TOCSIN_UI_PORT, default 8233)")
    parser.add_argument("--accept-rollback", action="store_true", help="go on although the server's file is older than this folder")
    options = parser.parse_args(argv)
    try:
        settings = load_settings(data=options.data, port=options.port, temporal_port=options.temporal_port, ui_port=options.ui_port)
        configure_logs("console", "warning")
        for sentence in unknown_variables(vendor_variables()):
            _say(sentence)
        return asyncio.run(Up(settings, accept_rollback=options.accept_rollback).run())
    except (SettingsError, FolderProblem, dev_server.ServerProblem, TemporalUnreachable) as error:
        _say(str(error))
        return 1


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # The SDK's runtime may crash the interpreter while it winds up; everything is done and flushed by now.
    os._exit(code)
