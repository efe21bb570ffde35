"""A real Synapse homeserver, made and served for the tests: `async with synapse_server.running(folder) as homeserver`.

It keeps everything in SQLite in `folder`, listens on loopback, speaks to no other homeserver, and has no limits of calls but those
that a test sets.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import importlib.util
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

NAME = "tocsin.test"
SECRET = "only-for-tests"
FREELY = "{per_second: 10000, burst_count: 10000}"

CONFIGURATION = f"""
server_name: {NAME}
pid_file: %(folder)s/pid
public_baseurl: http://127.0.0.1:%(port)d/
listeners:
  - {{port: %(port)d, bind_addresses: ['127.0.0.1'], type: http, tls: false, resources: [{{names: [client], compress: false}}]}}
database: {{name: sqlite3, args: {{database: %(folder)s/homeserver.db}}}}
log_config: %(folder)s/log.yaml
media_store_path: %(folder)s/media
registration_shared_secret: {SECRET}
macaroon_secret_key: m
form_secret: f
signing_key_path: %(folder)s/signing.key
trusted_key_servers: []
report_stats: false
presence: {{enabled: false}}
federation_domain_whitelist: []
rc_message: {FREELY}
rc_room_creation: {FREELY}
rc_registration: {FREELY}
rc_login: {{address: {FREELY}, account: {FREELY}, failed_attempts: {FREELY}}}
rc_joins: {{local: {FREELY}, remote: {FREELY}}}
rc_invites: {{per_room: {FREELY}, per_user: {FREELY}, per_issuer: {FREELY}}}
bcrypt_rounds: 4
caches: {{global_factor: 0.1}}
"""
LOG = "version: 1\nhandlers: {f: {class: logging.FileHandler, filename: '%s/log'}}\nroot: {level: WARNING, handlers: [f]}\n"


@dataclass(frozen=True)
class Account:
    id: str
    token: str


class Homeserver:
    """One that runs; calls as whoever is named."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client = httpx2.AsyncClient(base_url=url, timeout=30, trust_env=False)

    async def call(self, account: Account, method: str, path: str, json: Any = None, **params: Any) -> Any:
        headers = {"Authorization": f"Bearer {account.token}"}
        answer = await self._client.request(method, f"/_matrix/client/v3{path}", json=json, params=params or None, headers=headers)
        assert answer.status_code < 400, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    async def account(self, name: str) -> Account:
        """A new account, signed in on a device of its own."""
        path = "/_synapse/admin/v1/register"
        nonce = (await self._client.get(path)).json()["nonce"]
        mac = hmac.new(SECRET.encode(), "\0".join((nonce, name, "pw", "notadmin")).encode(), hashlib.sha1).hexdigest()
        answer = await self._client.post(path, json={"nonce": nonce, "username": name, "password": "pw", "admin": False, "mac": mac})
        found = answer.json()
        return Account(found["user_id"], found["access_token"])

    async def up(self) -> bool:
        try:
            return (await self._client.get("/health")).status_code == 200
        except httpx2.HTTPError:
            return False

    async def close(self) -> None:
        await self._client.aclose()


def make(folder: Path, port: int) -> tuple[str, ...]:
    """Make a homeserver in `folder`; answers with the command that serves it on `port`."""
    config = folder / "homeserver.yaml"
    config.write_text(CONFIGURATION % {"folder": folder, "port": port})
    (folder / "log.yaml").write_text(LOG % folder)
    # Its own --generate-keys would take as long as a start.
    (folder / "signing.key").write_text(f"ed25519 a_test {base64.b64encode(os.urandom(32)).decode().rstrip('=')}\n")
    return (sys.executable, "-m", "synapse.app.homeserver", "--config-path", str(config))


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Homeserver]:
    """Make a homeserver in `folder` and serve it; skips the test where the package is not there."""
    if importlib.util.find_spec("synapse") is None:
        pytest.skip("the package matrix-synapse is not installed; the Matrix adapter is not run against a real homeserver")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    command = make(folder, port)
    homeserver = Homeserver(f"http://127.0.0.1:{port}")
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(120):
            while not await homeserver.up():
                assert process.returncode is None, (folder / "log").read_text()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(process.wait(), 0.1)
        yield homeserver
    finally:
        await homeserver.close()
        if process.returncode is None:
            process.terminate()
        await process.wait()
