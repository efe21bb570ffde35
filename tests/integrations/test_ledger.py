# ruff: noqa: SIM300, ASYNC240 - the house writes what is expected first; a test may touch its few small files directly
"""The ledger accepts each key once among all processes, is quick, and says what to do when it can't be used."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from incident.effects import Post
from integrations import tables
from integrations.chat.embedded import EmbeddedChat
from integrations.errors import Unavailable
from integrations.ledger import Ledger, LedgerUnusable
from tests.integrations.asks import delivery

KEYS = 10

TELLER = f"""
import asyncio, sys
from incident.effects import OpenChannel, Post
from integrations.chat.embedded import EmbeddedChat
from integrations.ledger import Ledger
from tests.integrations.asks import delivery

async def main():
    ledger = Ledger(sys.argv[1])
    chat = EmbeddedChat(ledger)
    new = 0
    for number in range({KEYS}):
        new += not (await chat.post(delivery(Post(text="hello"), number))).repeated
        new += not (await chat.open_channel(delivery(OpenChannel(name="#storm", topic="t"), 1000 + number))).repeated
    await ledger.close()
    print(new)

asyncio.run(main())
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "embedded.db"


@pytest.fixture
async def ledger(path: Path) -> AsyncIterator[Ledger]:
    ledger = Ledger(path)
    yield ledger
    await ledger.close()


async def test_two_processes_with_the_same_keys_have_one_effect_each(path: Path, ledger: Ledger) -> None:
    """Two workers that start on a new file at the same moment, with the same work, tell everything once between them."""
    tellers = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", TELLER, str(path), stdout=asyncio.subprocess.PIPE) for _ in range(2)
    ]
    printed = [(await teller.communicate())[0] for teller in tellers]
    rows = await ledger.delivered("chat")

    assert [0, 0] == [teller.returncode for teller in tellers]
    assert 2 * KEYS == sum(int(count) for count in printed)
    assert 2 * KEYS == len({row["key"] for row in rows}) == len(rows)
    assert KEYS == len({row["to"] for row in rows if row["kind"] == "open_channel"})


async def test_a_reader_sees_while_another_process_writes(path: Path, ledger: Ledger) -> None:
    """The door shows what was delivered while the worker is in the middle of a write."""
    await EmbeddedChat(ledger).post(delivery(Post(text="first"), 1))
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    rows = await ledger.delivered("chat")
    writer.execute("ROLLBACK")
    writer.close()

    assert ["first"] == [row["text"] for row in rows]


async def test_a_delivery_takes_milliseconds(ledger: Ledger) -> None:
    """The embedded parts are never what an incident waits for: a hundred messages take well under 5 s on a busy machine."""
    chat = EmbeddedChat(ledger)
    await ledger.open()
    started = time.perf_counter()
    for number in range(100):
        await chat.post(delivery(Post(text="hello"), number))

    assert time.perf_counter() - started < 5


async def test_a_file_of_a_newer_tocsin_is_left_alone(path: Path, ledger: Ledger) -> None:
    """An older Tocsin does not touch what it can't understand, and says to upgrade or to use another folder."""
    await ledger.open()
    await ledger.close()
    with sqlite3.connect(path) as newer:
        newer.execute("UPDATE tocsin_schema SET version = ?", (tables.SCHEMA_VERSION + 1,))
        newer.execute("DROP TABLE faults")
    newer.close()
    with pytest.raises(LedgerUnusable, match=r"newer Tocsin .* upgrade Tocsin, or start it on another data folder"):
        await ledger.open()
    with sqlite3.connect(path) as kept:
        names = {name for (name,) in kept.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    kept.close()

    assert "faults" not in names


async def test_a_file_that_is_no_database_is_named(path: Path, ledger: Ledger) -> None:
    """A damaged file is named, with what to do about it, and not overwritten."""
    path.write_text("not a database, but somebody's notes " * 50)
    with pytest.raises(LedgerUnusable, match="move it away"):
        await ledger.open()

    assert path.read_text().startswith("not a database")


async def test_a_folder_that_takes_no_file_is_named(tmp_path: Path) -> None:
    """Where the file can't be made, the message names it and what to check."""
    (tmp_path / "data").write_text("a file where the folder should be")
    with pytest.raises(LedgerUnusable, match=r"data/embedded\.db can't be opened: .* this user may write to it"):
        await Ledger(tmp_path / "data" / "embedded.db").open()


async def test_a_database_that_may_only_be_read_is_named(path: Path, ledger: Ledger) -> None:
    """A file on a read-only disk is told from a broken one."""
    sqlite3.connect(path).close()
    read_only = Ledger(f"sqlite:///file:{path}?mode=ro&uri=true")
    with pytest.raises(LedgerUnusable, match="readonly database"):
        await read_only.open()


async def test_a_server_that_is_away_is_named_without_its_password() -> None:
    """A PostgreSQL server that does not answer, or whose driver is missing, is said to be so, and no secret is."""
    with pytest.raises(LedgerUnusable) as caught:
        await Ledger("postgresql://tocsin:secret@127.0.0.1:1/tocsin").open()

    assert "127.0.0.1:1" in str(caught.value)
    assert "secret" not in str(caught.value)


async def test_no_receipt_is_given_for_a_file_that_is_gone(path: Path, ledger: Ledger) -> None:
    """A file deleted under a running worker would swallow messages; they wait instead, until it is back or replaced."""
    chat = EmbeddedChat(ledger)
    await chat.post(delivery(Post(text="first"), 1))
    aside = path.rename(path.with_name("aside.db"))
    with pytest.raises(Unavailable, match="was removed while in use: put it back"):
        await chat.post(delivery(Post(text="second"), 2))
    aside.rename(path)
    back = await chat.post(delivery(Post(text="second"), 2))
    with sqlite3.connect(path) as original, sqlite3.connect(path.with_name("restored.db")) as restored:
        original.backup(restored)
    original.close()
    restored.close()
    path.with_name("restored.db").rename(path)
    after = await chat.post(delivery(Post(text="third"), 3))

    assert not back.repeated
    assert not after.repeated
    assert ["first", "second", "third"] == [row["text"] for row in await ledger.delivered("chat")]


@pytest.mark.parametrize("where", ["mysql://tocsin:secret@host/name", "nonsense://", "postgresql://host:port/name"])
def test_a_database_of_another_kind_is_refused_at_once(where: str) -> None:
    """Whoever sets a URL that can't work learns which would, before anything starts."""
    with pytest.raises(LedgerUnusable, match=r"it takes sqlite:///PATH and postgresql://USER@HOST/NAME") as caught:
        Ledger(where)

    assert "secret" not in str(caught.value)


async def test_a_stuck_writer_is_an_outage_and_passes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another process holds the file, a delivery fails as one that may be tried again, and then works."""
    monkeypatch.setattr("integrations.ledger.BUSY", timedelta(milliseconds=50))
    ledger = Ledger(path)
    await ledger.open()
    stuck = sqlite3.connect(path, isolation_level=None)
    stuck.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="locked"):
        await EmbeddedChat(ledger).post(delivery(Post(text="hello")))
    stuck.execute("ROLLBACK")
    stuck.close()
    receipt = await EmbeddedChat(ledger).post(delivery(Post(text="hello")))
    await ledger.close()

    assert not receipt.repeated
