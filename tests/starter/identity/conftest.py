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
async def issuer() -> AsyncIterator[str]:
    """The provider's address. It takes about a second to start."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", "tests.starter.identity.provider", str(port), f"{HERE}/login/callback"]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    address = f"http://127.0.0.1:{port}"
    try:
        async with httpx2.AsyncClient() as http:

            async def answers() -> bool:
                assert process.returncode is None, (await process.communicate())[1].decode()
                try:
                    return (await http.get(f"{address}/.well-known/openid-configuration")).status_code == 200
                except httpx2.TransportError:
                    return False

            await eventually(answers, within=30, what="the provider answers")
        yield address
    finally:
        process.kill()
        await process.communicate()


@pytest.fixture
async def openid(issuer: str, tmp_path: Path) -> AsyncIterator[Place]:
    async with place(tmp_path, with_openid(issuer)) as made:
        yield made


@pytest.fixture
async def proxied(tmp_path: Path) -> AsyncIterator[Place]:
    async with place(tmp_path, behind_a_proxy()) as made:
        yield made
