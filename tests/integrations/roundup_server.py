"""A real Roundup tracker, made and served for the tests: `async with RoundupServer.running(folder) as tracker`.

As a program it serves a tracker's home, and prints its port: `python -m tests.integrations.roundup_server HOME [PORT]`. Without a
port it takes a free one, for good: the tracker checks the address of requests.
Roundup's own server refuses to run as root, as containers do.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import socketserver
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from pydantic import SecretStr

from integrations.ticketing.roundup import RoundupTracker

USER, PASSWORD = "admin", "correct-horse"
MOUNT = "/tracker"
UNKNOWN_ADDRESS = "http://127.0.0.1/tracker/"
"""What the tracker is made with; it checks the address of requests, so that its true one is written when it is known."""


@dataclass(frozen=True)
class Roundup:
    url: str

    def adapter(self, **options: Any) -> RoundupTracker:
        known: dict[str, Any] = {
            "user": USER,
            "password": SecretStr(PASSWORD),
            "key_property": "external_key",
            "closed": ("resolved", "done-cbb"),
        }
        return RoundupTracker(self.url, **(known | options))


async def make(folder: Path) -> Path:
    """Make a tracker in `folder`, with our key in its schema as docs/integrations.md has it; answers with its home."""
    home = folder / "tracker"
    await _admin(home, "install", "classic", "sqlite", f"tracker_web={UNKNOWN_ADDRESS},mail_domain=tocsin.example,mail_host=127.0.0.1")
    schema = home / "schema.py"
    text = schema.read_text()
    added = text.replace(
        'issue = IssueClass(db, "issue",', 'issue = IssueClass(db, "issue",\n                   external_key=String(indexme="no"),', 1
    )
    assert added != text, "the classic template has an issue class"
    schema.write_text(added + '\nissue.setkey("external_key")\n')
    config = home / "config.ini"
    # Its default of millions of rounds, once a request, would be most of the tests' time.
    config.write_text(
        re.sub(r"^#?\s*password_pbkdf2_default_rounds\s*=.*$", "password_pbkdf2_default_rounds = 1000", config.read_text(), flags=re.M)
    )
    await _admin(home, "initialise", PASSWORD)
    return home


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Roundup]:
    """Make a tracker in `folder` and serve it."""
    home = await make(folder)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.integrations.roundup_server", str(home), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        port = int(await asyncio.wait_for(process.stdout.readline(), timeout=30))
        yield Roundup(f"http://127.0.0.1:{port}{MOUNT}")
    finally:
        process.terminate()
        await process.wait()


async def _admin(home: Path, *arguments: str) -> None:
    admin = shutil.which("roundup-admin", path=str(Path(sys.executable).parent)) or "roundup-admin"
    process = await asyncio.create_subprocess_exec(
        admin, "-i", str(home), *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode(errors="replace")


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the tests ask hundreds of times."""


def _serve(home: Path, port: int = 0) -> None:
    from roundup.cgi.wsgi_handler import RequestDispatcher  # type: ignore[import-untyped]  # it ships no types

    def mounted(environ: dict[str, Any], start_response: Any) -> Any:
        environ["SCRIPT_NAME"], environ["PATH_INFO"] = MOUNT, environ["PATH_INFO"].removeprefix(MOUNT) or "/"
        return application(environ, start_response)

    server = make_server("127.0.0.1", port, mounted, server_class=_Server, handler_class=_Quiet)
    config = home / "config.ini"
    config.write_text(config.read_text().replace(UNKNOWN_ADDRESS, f"http://127.0.0.1:{server.server_port}{MOUNT}/"))
    application = RequestDispatcher(str(home))
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    # Whoever started us holds our input open; when they are gone, however they ended, so are we. Roundup must not wait on it, too.
    held = os.fdopen(os.dup(0))
    with Path(os.devnull).open() as nothing:
        sys.stdin = nothing
        threading.Thread(target=server.serve_forever, daemon=True).start()
        held.read()


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), *map(int, sys.argv[2:]))
