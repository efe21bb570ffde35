"""A real provider of OpenID Connect, for all tests of this folder, and doors before it."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from tests.harness import eventually
from tests.starter.identity.doors import HERE, Place, behind_a_proxy, place, with_openid


@pytest.fixture(scope="session")
async def issuer(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The provider's address. It takes about a second to start."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", "tests.starter.identity.provider", str(port), f"{HERE}/login/callback"]
    said = tmp_path_factory.mktemp("provider") / "said"
    with said.open("w") as output:
        process = await asyncio.create_subprocess_exec(*command, stdout=output, stderr=subprocess.STDOUT)
    address = f"http://127.0.0.1:{port}"
    try:
        async with httpx2.AsyncClient() as http:

            async def answers() -> bool:
                assert process.returncode is None, said.read_text()
                try:
                    return (await http.get(f"{address}/.well-known/openid-configuration")).status_code == 200
                except httpx2.TransportError:
                    return False

            await eventually(answers, within=30, what="the provider answers")
        yield address
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.fixture
async def openid(issuer: str, tmp_path: Path) -> AsyncIterator[Place]:
    async with place(tmp_path, with_openid(issuer)) as made:
        yield made


@pytest.fixture
async def proxied(tmp_path: Path) -> AsyncIterator[Place]:
    async with place(tmp_path, behind_a_proxy()) as made:
        yield made
