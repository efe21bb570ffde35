"""The door as a process: it starts without Temporal, says what it can't do, and stops at once."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from tests.harness import eventually
from tests.starter.conftest import House

pytestmark = pytest.mark.server


_ports = itertools.count(10_000 + os.getpid() * 101 % 20_000)


def free_port() -> int:
    """A port that nobody uses, from below those that systems give out by themselves: nobody gets it meanwhile."""
    while True:
        port = 10_000 + next(_ports) % 20_000
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


async def started(folder: Path, **settings: str) -> asyncio.subprocess.Process:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("TOCSIN_", "TEMPORAL_"))}
    environment = {**clean, "TOCSIN_DATA": str(folder), "TEMPORAL_ADDRESS": "127.0.0.1:1", "TOCSIN_USER": "ana", **settings}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "starter.serve", env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )


@asynccontextmanager
async def serving(folder: Path, **settings: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, httpx2.AsyncClient]]:
    """A door that answers, and a client that asks it."""
    port = free_port()
    process = await started(folder, TOCSIN_PORT=str(port), **settings)
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as http:

            async def answers() -> bool:
                assert process.returncode is None, (await process.communicate())[1].decode()
                try:
                    return (await http.get("/healthz")).status_code == 200
                except httpx2.TransportError:
                    return False

            await eventually(answers, within=30, what="the door answers")
            yield process, http
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def refused(folder: Path, **settings: str) -> tuple[int | None, str]:
    process = await started(folder, **settings)
    async with asyncio.timeout(30):
        _, said = await process.communicate()
    return process.returncode, said.decode()


async def test_without_temporal_the_door_starts_and_says_what_is_missing(tmp_path: Path) -> None:
    """Up, not ready, and clear about it: a command is answered 503 with the word to repeat it, and the embedded lists go on."""
    async with serving(tmp_path) as (process, http):
        ready, listed, posted, chat = await asyncio.gather(
            http.get("/readyz"),
            http.get("/api/v1/incidents"),
            http.post("/webhooks/alertmanager", json=ONE_ALERT),
            http.get("/api/v1/embedded/chat"),
        )
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            code = await process.wait()

    assert (ready.status_code, listed.status_code, posted.status_code) == (503, 503, 503)
    assert (listed.json()["code"], posted.json()["code"]) == ("unreachable", "unreachable")
    assert posted.headers["retry-after"] == "5"
    assert chat.json() == []
    assert code == 0


async def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    """Two doors can't share a port, and the second says which and what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, said = await refused(tmp_path, TOCSIN_PORT=str(taken.getsockname()[1]))

    assert code == 1
    assert "can't be used" in said
    assert "--port" in said
    assert "Traceback" not in said


async def test_it_listens_to_this_machine_only(tmp_path: Path) -> None:
    """Without a sign-in, no other machine may reach it."""
    code, said = await refused(tmp_path, TOCSIN_HOST="0.0.0.0", TOCSIN_PORT=str(free_port()))

    assert code == 1
    assert "no sign-in" in said


async def test_one_line_that_asks_again_and_again_is_answered_without_a_pause(tmp_path: Path) -> None:
    """A browser keeps its line: no answer on it waits for the 40 ms after which the reader's machine says that it has read."""
    took = []
    async with serving(tmp_path) as (_, http):
        for _ in range(20):
            asked = time.perf_counter()
            await http.get("/healthz")
            took.append(time.perf_counter() - asked)

    assert sorted(took)[10] < 0.03, took


async def test_where_people_sign_in_it_may_listen_to_all(tmp_path: Path) -> None:
    """With a sign-in other machines may reach it, and each request needs a word on who is there."""
    settings = {"TOCSIN_AUTH": "proxy", "TOCSIN_PROXIES": "127.0.0.1", "TOCSIN_ROLES": '{"sre": ["responder"]}', "TOCSIN_HOST": "0.0.0.0"}
    async with serving(tmp_path, **settings) as (_, http):
        nobody = await http.get("/api/v1/whoami")
        headers = {"X-Forwarded-User": "ana", "X-Forwarded-Groups": "sre", "X-Forwarded-For": "192.0.2.7"}
        somebody = await http.get("/api/v1/whoami", headers=headers)
        webhook = await http.post("/webhooks/alertmanager", json=ONE_ALERT)

    assert nobody.status_code == 401
    assert (somebody.json()["name"], somebody.json()["roles"]) == ("ana", ["responder"])
    assert (webhook.status_code, "TOCSIN_WEBHOOK_TOKEN" in webhook.json()["detail"]) == (401, True)


async def test_a_sign_in_that_is_half_arranged_stops_it(tmp_path: Path) -> None:
    """Rather than a server that nobody can enter, or that everybody can."""
    code, said = await refused(tmp_path, TOCSIN_AUTH="oidc", TOCSIN_PORT=str(free_port()))

    assert code == 1
    assert "TOCSIN_OIDC_ISSUER" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("policy", ["[SEV1]\nacknowledge_within = 'soon'", "[SEV9]", "not toml ="])
async def test_a_mistake_in_the_policy_stops_it_with_the_place(tmp_path: Path, policy: str) -> None:
    """A policy that can't be read is told before anything is served."""
    file = tmp_path / "policy.toml"
    file.write_text(policy)
    code, said = await refused(tmp_path, TOCSIN_POLICY=str(file), TOCSIN_PORT=str(free_port()))

    assert code == 1
    assert str(file) in said
    assert "Traceback" not in said


async def test_it_goes_on_when_temporal_is_there_and_stops_at_once_with_viewers(house: House, tmp_path: Path) -> None:
    """Commands work over HTTP, a viewer hears them as they happen, and a stop does not wait for the viewer."""
    address = house.client.service_client.config.target_host
    async with serving(tmp_path, TEMPORAL_ADDRESS=address) as (process, http):
        opened = await http.post("/api/v1/incidents", json={"title": "Checkout returns 5xx", "severity": "SEV2"})
        incident = opened.json()["incident"]
        lines: list[str] = []

        async def view() -> None:
            async with http.stream("GET", f"/api/v1/incidents/{incident}/events") as stream:
                async for line in stream.aiter_lines():
                    lines.append(line)

        viewing = asyncio.create_task(view())
        await eventually(lambda: "id: 1" in lines)
        noted = await http.post(f"/api/v1/incidents/{incident}/note", json={"text": "heard at once"})
        await eventually(lambda: any("heard at once" in line for line in lines))
        draft = await http.get(f"/api/v1/incidents/{incident}/postmortem")
        markdown = await http.get(f"/api/v1/incidents/{incident}/postmortem", headers={"Accept": "text/markdown"})
        ready = await http.get("/readyz")
        asked_at = time.monotonic()
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            code = await process.wait()
            await viewing
        took = time.monotonic() - asked_at

    assert (opened.status_code, noted.status_code, ready.status_code) == (201, 200, 200)
    assert opened.json()["opened_by"] == "ana"
    assert draft.json()["filed"] is False
    assert markdown.text == draft.json()["document"]
    assert code == 0
    assert took < 3


ONE_ALERT = {
    "version": "4",
    "groupKey": "g",
    "status": "firing",
    "alerts": [{"status": "firing", "labels": {"alertname": "A"}, "startsAt": "2026-11-24T03:00:00Z", "fingerprint": "f"}],
}
