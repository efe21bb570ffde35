# ruff: noqa: SIM300 - the house writes what is expected first
"""The fault switch makes a port fail as it was told to, from any process, and works the moment it is cleared."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from incident.effects import Port, Post
from integrations import faults
from integrations.chat.embedded import EmbeddedChat
from integrations.errors import Rejected, Unavailable
from integrations.faults import Fault, FaultyChat, FaultyMonitoring, Mode
from integrations.ledger import Ledger
from tests.fakes import FakeMonitoring
from tests.integrations.asks import delivery


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    ledger = Ledger(tmp_path / "embedded.db")
    yield ledger
    await ledger.close()


@pytest.fixture
async def elsewhere(tmp_path: Path) -> AsyncIterator[Ledger]:
    """The same ledger as another process sees it."""
    ledger = Ledger(tmp_path / "embedded.db")
    yield ledger
    await ledger.close()


async def outcome(chat: FaultyChat, number: int) -> str:
    try:
        await chat.post(delivery(Post(text="hello"), number))
    except Unavailable:
        return "unavailable"
    except Rejected:
        return "rejected"
    return "accepted"


async def test_a_counted_fault_ends_by_itself(ledger: Ledger, elsewhere: Ledger) -> None:
    """A port told to fail twice fails twice, and then works without anybody clearing it."""
    chat = FaultyChat(EmbeddedChat(ledger), ledger)
    await elsewhere.set_fault(Port.CHAT, Fault(mode=Mode.DOWN, times=2))

    assert ["unavailable", "unavailable", "accepted"] == [await outcome(chat, 1) for _ in range(3)]
    assert {} == await elsewhere.faults()


async def test_a_count_holds_among_calls_at_the_same_moment(ledger: Ledger, elsewhere: Ledger) -> None:
    """Eight calls from two processes share one count."""
    chats = [FaultyChat(EmbeddedChat(one), one) for one in (ledger, elsewhere)]
    await ledger.set_fault(Port.CHAT, Fault(mode=Mode.REFUSE, times=3))
    outcomes = await asyncio.gather(*(outcome(chats[number % 2], number) for number in range(8)))

    assert ["accepted"] * 5 + ["rejected"] * 3 == sorted(outcomes)


async def test_an_uncounted_fault_lasts_until_it_is_cleared(ledger: Ledger, elsewhere: Ledger) -> None:
    """A port that is down stays down, whatever its neighbours do, until somebody clears it."""
    chat = FaultyChat(EmbeddedChat(ledger), ledger)
    await ledger.set_fault(Port.CHAT, Fault(mode=Mode.DOWN))
    await ledger.set_fault(Port.STATUS, Fault(mode=Mode.REFUSE))
    during = [await outcome(chat, 1) for _ in range(3)]
    await elsewhere.clear_fault()

    assert ["unavailable"] * 3 == during
    assert "accepted" == await outcome(chat, 1)


async def test_a_rate_limit_says_when_to_come_back(ledger: Ledger) -> None:
    """Who is told to slow down learns for how long."""
    await ledger.set_fault(Port.CHAT, Fault(mode=Mode.RATE_LIMITED, retry_after=7, times=1))
    with pytest.raises(Unavailable) as caught:
        await FaultyChat(EmbeddedChat(ledger), ledger).post(delivery(Post(text="hello")))

    assert timedelta(seconds=7) == caught.value.retry_after


async def test_a_slow_port_works_in_the_end(ledger: Ledger) -> None:
    """Slow is not down: the message arrives, late."""
    await ledger.set_fault(Port.CHAT, Fault(mode=Mode.SLOW, seconds=0.05))
    started = asyncio.get_running_loop().time()

    assert "accepted" == await outcome(FaultyChat(EmbeddedChat(ledger), ledger), 1)
    assert asyncio.get_running_loop().time() - started >= 0.05


async def test_a_port_slower_than_its_time_out_gives_no_answer(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """No call hangs for ever: an answer that takes too long counts as none."""
    monkeypatch.setattr(faults, "TIMEOUT", timedelta(seconds=0.02))
    await ledger.set_fault(Port.CHAT, Fault(mode=Mode.SLOW, seconds=3600))

    assert "unavailable" == await outcome(FaultyChat(EmbeddedChat(ledger), ledger), 1)
    assert [] == await ledger.delivered("chat")


async def test_monitoring_can_be_taken_away(ledger: Ledger) -> None:
    """A drill or a test takes monitoring away like any other port, and nothing that it is asked is answered."""
    monitoring = FaultyMonitoring(FakeMonitoring(), ledger)
    await ledger.set_fault(Port.MONITORING, Fault(mode=Mode.DOWN))
    with pytest.raises(Unavailable):
        await monitoring.firing_alerts(("checkout",))
    await ledger.clear_fault(Port.MONITORING)

    assert () == await monitoring.firing_alerts(("checkout",))
