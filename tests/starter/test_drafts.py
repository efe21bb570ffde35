"""Drafts keep every version, and never write over somebody else's: in memory as in a database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from integrations.ledger import Ledger
from starter.drafts import Drafts, KeptDrafts, Stale
from tests.starter.web.nights import HeldDrafts

ONE, TWO = "INC-2026-0001", "INC-2026-0002"


@pytest.fixture(params=["kept", "held"])
async def drafts(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Drafts]:
    """The database's and the tests' own: both keep the one contract."""
    if request.param == "held":
        yield HeldDrafts()
        return
    ledger = Ledger(tmp_path / "embedded.db")
    yield KeptDrafts(ledger)
    await ledger.close()


async def test_each_save_is_a_version_and_none_is_lost(drafts: Drafts) -> None:
    """Whoever wrote something once finds it again."""
    for base, text in enumerate(("one", "two", "three")):
        await drafts.save(ONE, "summary", text, base=base, filing=0, by="ana")
    await drafts.save(ONE, "impact", "all users", base=0, filing=0, by="ben")
    latest = await drafts.latest(ONE)

    assert {name: (version.version, version.text, version.by) for name, version in latest.items()} == {
        "summary": (3, "three", "ana"),
        "impact": (1, "all users", "ben"),
    }
    assert [version.text for version in await drafts.history(ONE, "summary")] == ["three", "two", "one"]
    assert await drafts.latest(TWO) == {}


async def test_whoever_comes_second_is_told_what_stands_there(drafts: Drafts) -> None:
    """Two people began from the same version: the second text overwrites nothing."""
    await drafts.save(ONE, "summary", "Dana's", base=0, filing=0, by="dana")
    with pytest.raises(Stale) as stale:
        await drafts.save(ONE, "summary", "Ben's", base=0, filing=0, by="ben")

    assert (stale.value.theirs.text, stale.value.theirs.by, stale.value.theirs.version) == ("Dana's", "dana", 1)
    assert [version.text for version in await drafts.history(ONE, "summary")] == ["Dana's"]


async def test_a_save_that_is_repeated_is_one_version(drafts: Drafts) -> None:
    """A request that was sent twice since its answer got lost adds nothing."""
    first = await drafts.save(ONE, "summary", "the same", base=0, filing=0, by="ana")
    again = await drafts.save(ONE, "summary", "the same", base=0, filing=0, by="ana")

    assert first == again
    assert len(await drafts.history(ONE, "summary")) == 1


async def test_of_many_at_the_same_moment_one_is_kept_and_the_others_are_told(drafts: Drafts) -> None:
    """Nobody's text disappears, however many press at once."""
    saves = [drafts.save(ONE, "summary", f"text {number}", base=0, filing=0, by=f"p{number}") for number in range(8)]
    found = await asyncio.gather(*saves, return_exceptions=True)

    assert sum(isinstance(each, Stale) for each in found) == 7
    assert len(await drafts.history(ONE, "summary")) == 1


async def test_a_long_text_in_any_script_comes_back_as_it_was(drafts: Drafts) -> None:
    """100 kB, right-to-left, emoji and markup are text like any other."""
    text = "مرحبا 🔥 <script>alert(1)</script> '; DROP TABLE x; --\n" * 1_500
    await drafts.save(ONE, "summary", text, base=0, filing=0, by="ana")

    assert (await drafts.latest(ONE))["summary"].text == text


async def test_the_last_hand_at_each_incident(drafts: Drafts) -> None:
    """Lists say who wrote at a draft last."""
    await drafts.save(ONE, "summary", "a", base=0, filing=0, by="ana")
    await drafts.save(ONE, "impact", "b", base=0, filing=0, by="ben")
    await drafts.save(TWO, "summary", "c", base=0, filing=0, by="cem")

    assert {incident: version.by for incident, version in (await drafts.begun()).items()} == {ONE: "ben", TWO: "cem"}


async def test_two_processes_keep_one_draft(tmp_path: Path) -> None:
    """Doors may be many; the database tells them apart."""
    ledgers = [Ledger(tmp_path / "embedded.db") for _ in range(2)]
    doors = [KeptDrafts(ledger) for ledger in ledgers]
    found = await asyncio.gather(
        *(door.save(ONE, "summary", f"text {number}", base=0, filing=0, by="ana") for number, door in enumerate(doors)),
        return_exceptions=True,
    )
    for ledger in ledgers:
        await ledger.close()

    assert sorted(isinstance(each, Stale) for each in found) == [False, True]
