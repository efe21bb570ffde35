# ruff: noqa: SIM300 - the house writes what is expected first
"""Slack waits three seconds, and whoever asks waits for a word: whatever is wrong behind the door, they get one, and they alone."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from temporalio.service import RPCError, RPCStatusCode

from starter.chatops.slack import ANSWER_WITHIN, COMMANDS_PATH, OURS
from starter.desk import Desk
from tests.starter.chatops.test_slack_door import HOOK, Place
from tests.starter.desks import FakeDesk


class TroubledDesk(FakeDesk):
    """Behaves as `trouble` says; `go` lets what hangs go on."""

    trouble = ""
    go: asyncio.Event

    async def _troubled(self) -> None:
        match self.trouble:
            case "slow":
                await self.go.wait()
            case "broken":
                raise ZeroDivisionError
            case "refused by Temporal":
                raise RPCError("no such namespace", RPCStatusCode.INVALID_ARGUMENT, b"")

    async def command(self, incident: str, verb: str, fields: Mapping[str, Any], key: str | None = None) -> dict[str, Any]:
        if self.trouble == "Temporal is down":
            # The real desk, at an address at which nobody listens.
            return await Desk.command(self, incident, verb, fields, key)
        await self._troubled()
        return await super().command(incident, verb, fields, key)

    async def admit(self, incident: str) -> None:
        """Let the real desk come to its call of Temporal."""

    async def state(self, incident: str) -> dict[str, Any]:
        await self._troubled()
        return await super().state(incident)


@pytest.fixture
async def desk() -> TroubledDesk:
    desk = await TroubledDesk.made()
    assert isinstance(desk, TroubledDesk)
    desk.go = asyncio.Event()
    desk.within = timedelta(seconds=0.2)
    return desk


@pytest.fixture
async def incident(desk: TroubledDesk) -> str:
    return str((await desk.open({"by": "dana", "title": "Checkout fails", "severity": "SEV2"}))["incident"])


@pytest.fixture
async def place(desk: TroubledDesk) -> AsyncIterator[Place]:
    place = Place(desk, within=0.02)
    yield place
    desk.go.set()
    await place.settled()
    await place.http.aclose()


async def typed(place: Place, incident: str) -> str:
    """The slash command; what it is answered at once."""
    return await place.typed(f"note {incident} rolled back")


async def pressed(place: Place, incident: str) -> str:
    """A button without a form: Slack does not look at an answer to a press."""
    action = {"action_id": "tocsin:acknowledge", "value": incident}
    payload = {"type": "block_actions", "actions": [action], "trigger_id": "13.7", "response_url": HOOK, "channel": {"id": "C1"}}
    assert b"" == (await place.acted(payload)).content
    return ""


async def filled(place: Place, incident: str) -> str:
    """A form that is sent."""
    answer = await place.filled("note", incident, text={"value": "rolled back"})
    return str(answer["view"]["blocks"][0]["text"]["text"])


OCCASIONS: dict[str, Callable[[Place, str], Awaitable[str]]] = {"typed": typed, "pressed": pressed, "filled in": filled}
TROUBLES = {
    "": r"refused \(already-closed\)",
    "slow": r"refused \(already-closed\)",
    "Temporal is down": "^Temporal can't be reached",
    "broken": f"^{OURS}$",
    "refused by Temporal": f"^Temporal refused the call|^{OURS}$",
}
"""What is wrong, and what is said of it."""


@pytest.mark.parametrize("occasion", OCCASIONS)
@pytest.mark.parametrize("trouble", TROUBLES)
async def test_whoever_asks_is_told_in_the_end_and_alone(
    place: Place, desk: TroubledDesk, incident: str, occasion: str, trouble: str
) -> None:
    """Slack has its answer in time whatever is wrong behind the door; the word that counts follows, for that person's eyes."""
    desk.trouble = trouble
    desk.refuses = {"note": "already-closed", "acknowledge": "already-closed"}
    async with asyncio.timeout(5):
        first = await OCCASIONS[occasion](place, incident)
    desk.go.set()
    await place.settled()
    followed = place.slack.followed
    told = [text for text in (first, *(str(body["text"]) for _, body in followed)) if text and not text.startswith("On it")]

    assert 1 == len(told), told
    assert re.search(TROUBLES[trouble], told[0])
    assert all(body["user"] == "U0ANA" if way == "postEphemeral" else body["response_type"] == "ephemeral" for way, body in followed)


def test_slack_is_answered_before_it_gives_up() -> None:
    """It waits for three seconds; the network takes some of them."""

    assert timedelta(seconds=1) <= ANSWER_WITHIN <= timedelta(seconds=2)


async def test_a_form_that_would_come_too_late_is_not_tried(place: Place, desk: TroubledDesk, incident: str) -> None:
    """Slack opens forms for three seconds after the press: later, one is told what to type."""
    desk.trouble = "slow"
    await place.pressed("note", incident)

    assert [f"The incident did not answer in time for a form. Type it instead: note {incident} …"] == [
        body["text"] for _, body in place.slack.followed
    ]
    assert [] == place.slack.views


async def test_a_slow_desk_is_asked_once_though_slack_asks_again(place: Place, desk: TroubledDesk, incident: str) -> None:
    """A person who sees no answer and a network that repeats: the key is the same, so it is one command."""
    desk.trouble = "slow"
    form = {"user_id": "U0ANA", "text": f"ack {incident}", "trigger_id": "13.7", "response_url": HOOK, "channel_name": "general"}
    for _ in range(2):
        assert 200 == (await place.post(COMMANDS_PATH, form)).status_code
    desk.go.set()
    await place.settled()

    assert {"slack:13.7"} == {fields["key"] for _, _, fields in desk.asked}
