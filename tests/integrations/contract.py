# ruff: noqa: SIM300 - the house writes what is expected first
"""The contract of the ports, as a suite that every adapter passes.

A test module gives its adapter a `Stage` and subclasses the suites, each with a fixture `stage`:

    class TestSlack(Contract, ChatContract):
        @pytest.fixture
        async def stage(self) -> AsyncIterator[Stage]:
            yield SlackStage(...)

`Contract` holds for every port that has effects; `ChatContract`, `TicketingContract`, `KnownIssuesContract`, `OnCallContract` and
`ArchiveContract` add what one port promises beyond it.
"""

from __future__ import annotations

import asyncio
import uuid
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from incident.effects import (
    ChangeTicket,
    CloseTicket,
    Delivery,
    FindOnCall,
    OpenChannel,
    OpenTicket,
    Port,
    Post,
    Receipt,
    StoreDocument,
    Wording,
)
from integrations.errors import Rejected, Unavailable
from integrations.ports import KnownIssue
from tests.integrations.asks import AT, delivery, foreign, of_port

SOON = timedelta(seconds=30)


class Stage(ABC):
    """One adapter in front of a provider that can be made to fail."""

    port: Port
    drills_are_marked: bool = True

    @abstractmethod
    def call(self, action: str) -> Callable[[Delivery], Awaitable[Receipt]]:
        """The adapter's method for an action."""

    @abstractmethod
    async def shown(self) -> list[str]:
        """What people see at the provider: a text an effect, oldest first."""

    @abstractmethod
    async def again(self) -> Stage:
        """The same provider, as a process that was started anew sees it."""

    @abstractmethod
    async def lose_an_answer(self) -> None:
        """Let the provider accept the next delivery, and the answer get lost."""

    @abstractmethod
    async def go_down(self, *, retry_after: timedelta | None = None) -> None:
        """Let the provider fail until it is mended."""

    @abstractmethod
    async def refuse(self) -> None:
        """Let the provider refuse until it is mended."""

    @abstractmethod
    async def mend(self) -> None: ...

    async def tell(self, one: Delivery) -> Receipt:
        return await self.call(one.ask.action)(one)


def repeated(receipt: Receipt) -> Receipt:
    return receipt.model_copy(update={"repeated": True})


async def prepare(stage: Stage) -> list[Delivery]:
    """Give one delivery an action of the port, each with a key of its own, in an order that makes sense."""
    return [delivery(ask, number) for number, ask in enumerate(of_port(stage.port), start=1)]


class Contract:
    """What every port that has effects promises."""

    async def test_a_repeat_is_shown_once(self, stage: Stage) -> None:
        """Whoever tells the same key twice gets the same receipt, and people see it once."""
        for one in await prepare(stage):
            first = await stage.tell(one)
            seen = await stage.shown()
            second = await stage.tell(one.model_copy(update={"attempt": 2}))

            assert repeated(first) == second
            assert seen == await stage.shown()

    async def test_a_repeat_is_recognised_after_a_restart(self, stage: Stage) -> None:
        """A worker that died before it could report does not tell the same thing again when it is back."""
        for one in await prepare(stage):
            first = await stage.tell(one)
            seen = await stage.shown()
            restarted = await stage.again()
            second = await restarted.tell(one)

            assert repeated(first) == second
            assert seen == await restarted.shown()

    async def test_a_repeat_at_the_same_moment_is_shown_once(self, stage: Stage) -> None:
        """Eight workers with the same key have one effect, and all of them learn of it."""
        for one in await prepare(stage):
            before = await stage.shown()
            receipts = await asyncio.gather(*(stage.tell(one) for _ in range(8)))

            assert {repeated(receipts[0]).model_dump_json()} == {repeated(receipt).model_dump_json() for receipt in receipts}
            assert 7 == sum(receipt.repeated for receipt in receipts)
            assert len(await stage.shown()) - len(before) in {0, 1}

    async def test_a_lost_answer_is_not_told_twice(self, stage: Stage) -> None:
        """An answer that is lost on the way looks like a failure, and trying again shows nothing twice."""
        for one in await prepare(stage):
            await stage.lose_an_answer()
            with pytest.raises(Unavailable):
                await stage.tell(one)
            seen = await stage.shown()
            receipt = await stage.tell(one)

            assert receipt.repeated
            assert seen == await stage.shown()

    async def test_a_receipt_means_accepted(self, stage: Stage) -> None:
        """What has a receipt is there for people to see, also from another process."""
        first, *_ = await prepare(stage)
        receipt = await stage.tell(first)

        assert "" != receipt.reference
        assert not receipt.repeated
        assert 1 == len(await (await stage.again()).shown())

    async def test_an_outage_may_be_tried_again(self, stage: Stage) -> None:
        """A provider that is down takes nothing and says when to come back; afterwards the same key is new."""
        first, *_ = await prepare(stage)
        await stage.go_down(retry_after=SOON)
        with pytest.raises(Unavailable) as caught:
            await stage.tell(first)
        during = await stage.shown()
        await stage.mend()
        receipt = await stage.tell(first)

        assert SOON == caught.value.retry_after
        assert [] == during
        assert not receipt.repeated

    async def test_a_refusal_is_final(self, stage: Stage) -> None:
        """A provider's no is told from its silence, and shows nothing."""
        first, *_ = await prepare(stage)
        await stage.refuse()
        with pytest.raises(Rejected):
            await stage.tell(first)

        assert [] == await stage.shown()

    async def test_what_belongs_elsewhere_is_refused(self, stage: Stage) -> None:
        """An ask of another port is a mistake that no retry mends."""
        stray = foreign(stage.port)
        first, *_ = await prepare(stage)
        with pytest.raises(Rejected, match=stray.ask.action):
            await stage.call(first.ask.action)(stray)

        assert [] == await stage.shown()

    async def test_a_drill_says_so(self, stage: Stage) -> None:
        """Nobody mistakes a drill for the real thing: whatever people read of it begins with its mark."""
        if not stage.drills_are_marked:
            pytest.skip("documents are kept to the byte")
        for one in await prepare(stage):
            await stage.tell(one.model_copy(update={"drill": True}))
        shown = await stage.shown()

        assert [] != shown
        assert [True] * len(shown) == [text.startswith("[DRILL] ") for text in shown]


class ChatContract:
    """What a chat promises beyond that."""

    async def test_a_taken_channel_name_gets_a_number(self, stage: Stage) -> None:
        """Two incidents of one name on one day have two channels, and each receipt names the right one."""
        asks = OpenChannel(name="#incident-2026-03-04-slow", topic="slow")
        receipts = [await stage.tell(delivery(asks, number, incident=f"INC-2026-000{number}")) for number in (1, 2, 3)]

        assert ["#incident-2026-03-04-slow", "#incident-2026-03-04-slow-2", "#incident-2026-03-04-slow-3"] == [
            receipt.channel for receipt in receipts
        ]

    async def test_channels_of_one_name_at_the_same_moment_differ(self, stage: Stage) -> None:
        """An alert storm that opens eight incidents at once still gives each a channel of its own."""
        ask = OpenChannel(name="#incident-2026-03-04-storm", topic="storm")
        receipts = await asyncio.gather(*(stage.tell(delivery(ask, number)) for number in range(1, 9)))

        assert 8 == len({receipt.channel for receipt in receipts})

    async def test_a_channel_name_stays_within_the_limit(self, stage: Stage) -> None:
        """However long the title, a channel's name has at most 80 characters, its number included."""
        ask = OpenChannel(name="#" + "a" * 100, topic="long")
        names = [(await stage.tell(delivery(ask, number))).channel or "" for number in (1, 2)]

        assert ["#" + "a" * 79, "#" + "a" * 77 + "-2"] == names

    async def test_a_message_without_a_channel_goes_to_the_general_room(self, stage: Stage) -> None:
        """A SEV3 has no channel of its own, and its messages are read all the same."""
        await stage.tell(delivery(Post(text="degraded")))

        assert ["degraded"] == await stage.shown()


FILED = OpenTicket(ref="action-1", title="Alert on error rate", body="So that we know first.\n\n- by <day> & night", owner="ana")
CHANGED = ChangeTicket(
    ref="action-1",
    title="Alert on errors",
    body="Before the customers do.",
    owner="ben",
    note="zoe changed action-1: owner ana → ben",
    was=(FILED.worded,),
)


class TicketingContract:
    """What a tracker promises beyond that."""

    async def test_a_ref_is_one_ticket(self, stage: Stage) -> None:
        """A ticket that is asked for under another key is the ticket that is there; another incident's is not."""
        ask = OpenTicket(ref="postmortem", title="Write the post-mortem", body="Within 48 hours.")
        first = await stage.tell(delivery(ask, 1))
        second = await stage.tell(delivery(ask, 2))
        other = await stage.tell(delivery(ask, 1, incident="INC-2026-0008"))

        assert repeated(first) == second
        assert first.reference != other.reference
        assert 2 == len(await stage.shown())

    async def test_a_replaced_text_stands_there_or_the_receipt_says_that_it_does_not(self, stage: Stage) -> None:
        """A ticket that a doubtful try has filed is not receipted as if the words that replaced its own stood in it."""
        ask = OpenTicket(ref="action-1", title="Alert on error rate", body="So that we know first.\n\n- by <day> & night", owner="ana")
        await stage.tell(delivery(ask, 1))
        same = await stage.tell(delivery(ask, 2))
        other = await stage.tell(delivery(ask.model_copy(update={"body": "So that we know first."}), 3))

        assert ({}, True) == (same.detail, other.repeated)
        assert await self.stands(stage, "So that we know first.") or "another text" in other.detail["text"]

    async def test_words_that_somebody_has_replaced_give_way_to_the_new_ones(self, stage: Stage) -> None:
        """A doubtful try had filed the ticket: it says what it was to say in the end, and is still one ticket."""
        ask = OpenTicket(ref="action-1", title="Alert on error rate", body="So that we know first.\n\n- by <day> & night", owner="ana")
        new = ask.model_copy(update={"body": "Before the customers do.", "owner": "ben"})
        first = await stage.tell(delivery(ask, 1))
        other = await stage.tell(delivery(new.model_copy(update={"instead_of": (Wording(body=ask.body, owner=ask.owner),)}), 2))
        again = await stage.tell(delivery(new, 3))

        assert (first.reference, True, {}) == (other.reference, other.repeated, other.detail)
        assert {} == again.detail, "the new words do not stand there"
        assert 1 == len(await stage.shown())

    async def test_a_changed_item_has_one_ticket_that_says_so(self, stage: Stage) -> None:
        """Title, text and owner are those of today, and the change is told again without a second word of it."""
        first = await stage.tell(delivery(FILED, 1))
        changed = await stage.tell(delivery(CHANGED, 2))
        again = await stage.tell(delivery(CHANGED, 2))
        reading = await stage.tell(delivery(OpenTicket(ref=CHANGED.ref, **dict(CHANGED.worded)), 3))

        assert (first.reference, False, {}) == (changed.reference, changed.repeated, changed.detail)
        assert repeated(changed) == again
        assert {} == reading.detail, "the new words do not stand there"
        assert 1 == len(await stage.shown())

    async def test_a_change_of_a_closed_ticket_is_no_error(self, stage: Stage) -> None:
        """What is closed, or gone, is left alone."""
        await stage.tell(delivery(FILED, 1))
        await stage.tell(delivery(CloseTicket(ref=FILED.ref, note="done"), 2))
        receipts = [
            await stage.tell(delivery(CHANGED.model_copy(update={"ref": ref}), number)) for number, ref in ((3, FILED.ref), (4, "?"))
        ]

        assert [True, True] == [receipt.repeated for receipt in receipts]

    async def stands(self, stage: Stage, body: str) -> bool:
        """Whether a ticket says this, where that can be changed from here."""
        return False

    async def test_closing_twice_is_no_error(self, stage: Stage) -> None:
        """A ticket that is closed, or gone, is as closed as anybody could ask for."""
        await stage.tell(delivery(OpenTicket(ref="one", title="One", body=""), 1))
        receipts = [
            await stage.tell(delivery(CloseTicket(ref=ref, note="done"), number)) for number, ref in ((2, "one"), (3, "one"), (4, "?"))
        ]

        assert [False, True, True] == [receipt.repeated for receipt in receipts]


class SearchedStage(Stage):
    """A stage whose tickets can be searched."""

    @abstractmethod
    async def known(self, *services: str) -> tuple[KnownIssue, ...]:
        """The open tickets that name one of these services."""


class KnownIssuesContract:
    """What the search of a ticket system promises; other tests may have filed tickets there, so each has services of its own."""

    async def test_open_tickets_that_name_a_service_are_known_issues(self, stage: SearchedStage) -> None:
        """Newest first, each once, also where it names two of the services; closed ones and those of other services are not among them."""
        here, there, elsewhere = (f"{name}-{uuid.uuid4().hex[:8]}" for name in ("checkout", "search", "billing"))
        titles = (f"{here} is slow", f"{elsewhere} is slow", f"{here} drops carts", f"{here} and {there} disagree", f"{there} is stale")
        told = [
            await stage.tell(delivery(OpenTicket(ref=f"known-{number}", title=title, body=""), number))
            for number, title in enumerate(titles)
        ]
        await stage.tell(delivery(CloseTicket(ref="known-2", note="done"), 9))
        found = await stage.known(here, there)

        assert [told[4].reference, told[3].reference, told[0].reference] == [each.reference for each in found]
        assert all(title in each.title for title, each in zip((titles[4], titles[3], titles[0]), found, strict=True))

    @pytest.mark.parametrize("service", ["nobody-speaks-of-this", '") OR project != "OPS', "a:b state:closed", "x | * ~ \\", "   "])
    async def test_a_name_is_words_and_no_search_of_its_own(self, stage: SearchedStage, service: str) -> None:
        """A service that nobody speaks of has no issues, and one that is called like an operator asks for nothing else."""
        await stage.tell(delivery(OpenTicket(ref="other", title="Something else", body=""), 1))

        assert () == await stage.known(service)


class OnCallContract:
    """What a rota promises. The stage's rota has `ana` as primary on-call, and nobody as CTO."""

    async def test_the_first_role_that_somebody_holds_is_found(self, stage: Stage) -> None:
        """Where the wanted role is empty, the next one is asked."""
        receipt = await stage.tell(delivery(FindOnCall(roles=("CTO", "primary on-call"))))

        assert ("ana", "primary on-call") == (receipt.person, receipt.role)

    async def test_nobody_on_call_is_an_answer(self, stage: Stage) -> None:
        """That nobody holds any of the roles is said, not raised: the process knows what to do then."""
        receipt = await stage.tell(delivery(FindOnCall(roles=("CTO", "astrologer"))))

        assert (None, None) == (receipt.person, receipt.role)

    async def test_asking_again_gives_the_same_answer(self, stage: Stage) -> None:
        """A repeat is answered as the first was, also after a restart."""
        one = delivery(FindOnCall(roles=("primary on-call",)), at=AT)
        first = await stage.tell(one)
        second = await (await stage.again()).tell(one)

        assert (first.person, first.role, first.reference) == (second.person, second.role, second.reference)

    async def test_an_outage_may_be_tried_again(self, stage: Stage) -> None:
        """A rota that can't be reached is no empty rota."""
        one = delivery(FindOnCall(roles=("primary on-call",)))
        await stage.go_down(retry_after=SOON)
        with pytest.raises(Unavailable):
            await stage.tell(one)
        await stage.mend()

        assert "ana" == (await stage.tell(one)).person


class ArchiveContract:
    """What an archive promises beyond that."""

    async def test_an_equal_content_is_a_repeat(self, stage: Stage) -> None:
        """Storing the same document under another key changes nothing."""
        first = await stage.tell(delivery(StoreDocument(name="a/b.md", content="same"), 1))
        second = await stage.tell(delivery(StoreDocument(name="a/b.md", content="same"), 2))

        assert repeated(first) == second
        assert ["same"] == await stage.shown()

    async def test_a_newer_content_replaces(self, stage: Stage) -> None:
        """The name leads to what was stored last, and a late repeat of the former does not bring it back."""
        former = delivery(StoreDocument(name="pm.md", content="draft"), 1)
        await stage.tell(former)
        newer = await stage.tell(delivery(StoreDocument(name="pm.md", content="final"), 2))
        late = await stage.tell(former)

        assert not newer.repeated
        assert late.repeated
        assert ["final"] == await stage.shown()

    @pytest.mark.parametrize("content", ["", "x" * 2_000_000, "Zażółć gęślą jaźń 🚨\r\n\x00 {% raw %}"], ids=["empty", "2 MB", "odd"])
    async def test_a_document_is_kept_as_it_is(self, stage: Stage, content: str) -> None:
        """What comes out of the archive is what went in, to the character."""
        await stage.tell(delivery(StoreDocument(name="audit/run-001.json", content=content)))

        assert [content] == await stage.shown()
