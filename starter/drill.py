"""`tocsin drill`: a practice incident on a fast clock, told step by step, each step with the command that does it.

It plays against the server of `tocsin up`, or starts one of its own in a folder for temporary files. Where people sign in it plays
as the owner of the personal token in TOCSIN_TOKEN, which needs the role commander. Alone
(`--auto`) it presses every key itself and checks what it sees; it ends with 0 only if every check held. A drill is
marked everywhere, reaches nobody real, and counts in no statistics.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2

from starter.drill_script import STEPS, Drill, DrillFailed, NotLetIn
from starter.guard import is_loopback

STARTS_WITHIN = 60.0
"""Seconds that a server of its own may take to start: it sets up its data folder first."""


def main(argv: list[str] | None = None) -> int:
    """Play the drill; 0 when every step was checked, 1 when one did not hold, 130 when interrupted."""
    parser = argparse.ArgumentParser(prog="tocsin drill", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--auto", action="store_true", help="play it alone, without waiting for Enter")
    parser.add_argument("--url", default=os.environ.get("TOCSIN_URL"), help="the server to play against (default: the one that runs here)")
    parser.add_argument("--data", default=os.environ.get("TOCSIN_DATA", ".tocsin"), help="the data folder of that server")
    options = parser.parse_args(argv)
    interactive = not options.auto and sys.stdin.isatty()
    try:
        with _server(options.url, Path(options.data)) as (url, data):
            drill = Drill(
                url=url,
                data=data,
                say=_say,
                pause=_pause if interactive else _go_on,
                token=_secret("TOCSIN_TOKEN", url),
                webhook_token=_secret("TOCSIN_WEBHOOK_TOKEN", url),
            )
            drill.introduce()
            _say(f"The drill plays on {url}. Every wait is 60 times shorter than in earnest; nobody real is reached.\n")
            for number, (title, step) in enumerate(STEPS, start=1):
                _say(f"\n── {number} of {len(STEPS)}: {title}")
                step(drill)
            _say(f"\nThe drill is over: all {len(STEPS)} steps were checked, in {drill.elapsed:.0f} s.")
    except NotLetIn as error:
        sys.stderr.write(f"The drill can't begin: {error}\n")
        return error.exit_code
    except DrillFailed as error:
        _say(f"\nThe drill found something wrong: {error}")
        return 1
    except KeyboardInterrupt:
        _say("\ninterrupted; the practice incident stays, marked as a drill")
        return 130
    return 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _pause() -> None:
    sys.stdout.write("   [Enter] ")
    sys.stdout.flush()
    sys.stdin.readline()


def _go_on() -> None:
    return


@contextmanager
def _server(url: str | None, data: Path) -> Iterator[tuple[str, Path | None]]:
    """The server that runs on `data`, else a new one on free ports in a folder of its own."""
    found = (url or _running(data) or "").rstrip("/") or None
    if found is not None and _ready(found):
        here = _running(data) or ""
        yield found, data if here.rstrip("/") == found else None
        return
    if url is not None:
        raise DrillFailed(f"nothing answers at {url}; start it with: tocsin up")
    folder = tempfile.mkdtemp(prefix="tocsin-drill-")
    _say(f"No server runs here, so the drill starts one of its own. What it leaves stays in {folder}")
    yield from _own_server(Path(folder))


def _own_server(folder: Path) -> Iterator[tuple[str, Path]]:
    port, temporal, ui = _free_ports(3)
    command = [sys.executable, "-m", "worker.up", "--data", str(folder)]
    command += ["--port", str(port), "--temporal-port", str(temporal), "--ui-port", str(ui)]
    environment = {**os.environ, "TEMPORAL_ADDRESS": f"127.0.0.1:{temporal}"}
    log = folder / "up.out"
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment, start_new_session=True)
        try:
            url = f"http://127.0.0.1:{port}"
            deadline = time.monotonic() + STARTS_WITHIN
            while not _ready(url):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise DrillFailed(f"the server did not start:\n{log.read_text()[-2000:]}")
                time.sleep(0.2)
            yield url, folder
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=40)
            except subprocess.TimeoutExpired:
                process.kill()


def _secret(name: str, url: str) -> str | None:
    """A secret of the environment, or of the file that it names; None where there is none.

    Raises:
        NotLetIn: it would cross the network in the clear, or its file can't be read.
    """
    file = os.environ.get(f"{name}_FILE")
    try:
        found = Path(file).read_text().strip() if file else os.environ.get(name, "").strip()
    except OSError as error:
        raise NotLetIn(f"{name}_FILE can't be read: {error}", 2) from error
    parts = urlsplit(url)
    if found and parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise NotLetIn(f"{name} is not sent to {url}: it would cross the network in the clear; use https", 2)
    return found or None


def _running(data: Path) -> str | None:
    """Where the server of this data folder listens, as its run file says."""
    try:
        run: dict[str, Any] = json.loads((data / "run.json").read_text())
    except (OSError, ValueError):
        return None
    urls = run.get("urls", {})
    return str(urls["http"]) if "http" in urls else None


def _ready(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/readyz", timeout=5).status_code == 200
    except httpx2.HTTPError:
        return False


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()


if __name__ == "__main__":
    sys.exit(main())
