"""What is being tried just now is told while it is tried, by Temporal's own word."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from incident.effects import Port
from starter.problems import NoWorker
from tests.harness import World, eventually
from tests.starter.conftest import House
from tests.starter.test_desk import opened
from worker.pace import OneWait

pytestmark = pytest.mark.server

LONGER_THAN_THE_TEST = timedelta(seconds=70)


async def test_two_incidents_wait_for_a_vendor_that_has_spoken_to_one(empty_house: House) -> None:
    """Chat says once that it has had too much: both incidents' messages wait for it by name and time, and it is not asked again."""
    house = empty_house
    first, second = World(), World()
    async with house.staffed({Port.CHAT: OneWait("Slack")}):
        one = await opened(house.desk)
        house.board.worlds[one] = first
        first.chat.limited = LONGER_THAN_THE_TEST
        await house.desk.command(one, "declare", {"by": "ana", "severity": "SEV1"})
        waiting = await _waits(house, one)
        other = await opened(house.desk)
        house.board.worlds[other] = second
        await house.desk.command(other, "declare", {"by": "ben", "severity": "SEV2"})
        held = await _waits(house, other)

    assert waiting["waits_for"] == held["waits_for"] == "Slack"
    assert held["error"].startswith("waits for Slack until ")
    assert waiting["retry_at"] < held["retry_at"] or waiting["retry_at"][:16] == held["retry_at"][:16]
    assert (first.chat.attempts, second.chat.attempts) == (1, 0)


async def _waits(house: House, incident: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = []

    async def told() -> bool:
        try:
            deliveries = (await house.desk.state(incident))["deliveries"]
        except NoWorker:
            return False
        found[:] = [each for each in deliveries["waiting"] if "waits_for" in each]
        return bool(found)

    await eventually(told, within=60, what=f"{incident} to wait for its vendor")
    return found[0]
