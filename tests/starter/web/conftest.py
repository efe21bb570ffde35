"""A door on a desk without Temporal, asked as a browser asks it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
import pytest

from starter.api import Door, create_app
from starter.live import Rooms
from tests.starter.test_api import HERE, Delivered
from tests.starter.web.memory import MemoryDesk


@pytest.fixture
async def desk() -> MemoryDesk:
    return await MemoryDesk.made()


@pytest.fixture
async def http(desk: MemoryDesk) -> AsyncIterator[httpx2.AsyncClient]:
    app = create_app(desk, Door(user="ana", version="0"), Delivered(), rooms=Rooms(desk, desk.history))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app, raise_app_exceptions=False), base_url=HERE) as client:
        yield client
