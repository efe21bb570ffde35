# ruff: noqa: SIM300 - the house writes what is expected first
"""What single ports promise beyond `contract.Contract`: status pages, pagers, calendars and monitoring."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from incident.effects import Invite, Page, Publish
from incident.evidence import moments
from incident.queries import Query
from incident.vocabulary import PublicStatus, Severity
from integrations.errors import Rejected, Unavailable
from integrations.ports import Monitoring
from tests.integrations.asks import delivery
from tests.integrations.contract import Stage, repeated

OTHER = "INC-2026-0008"


class StatusPageContract:
    """The first publication of an incident opens its entry, the later ones add to it."""

    async def test_an_incident_is_one_entry(self, stage: Stage) -> None:
        """Readers find the updates of one incident in one place, and another incident's in another."""
        first, second = [await stage.tell(delivery(publication(text), number)) for number, text in ((1, "Looking."), (2, "Found."))]
        other = await stage.tell(delivery(publication("Search, too."), 1, incident=OTHER))

        assert first.reference == second.reference
        assert first.reference != other.reference
        assert ["Found.", "Looking.", "Search, too."] == sorted(await stage.shown())

    async def test_a_late_repeat_adds_nothing(self, stage: Stage) -> None:
        """An earlier update that comes again after a newer one is not told as the newest."""
        early = delivery(publication("Looking."), 1)
        await stage.tell(early)
        await stage.tell(delivery(publication("Found."), 2))
        late = await stage.tell(early)

        assert late.repeated
        assert ["Looking.", "Found."] == await stage.shown()


def publication(body: str) -> Publish:
    return Publish(title="Checkout fails", status=PublicStatus.INVESTIGATING, severity=Severity.SEV1, body=body, components=("checkout",))


class PagingContract:
    """One page, one person, and a receipt that says who."""

    async def test_the_receipt_says_who_was_paged(self, stage: Stage) -> None:
        """Whoever reads the record at night knows whose phone rang."""
        receipts = [await stage.tell(delivery(Page(to=name, role="primary on-call", text="SEV1"), nth)) for nth, name in enumerate(NAMES)]

        assert list(NAMES) == [receipt.person for receipt in receipts]

    async def test_two_pages_of_one_text_are_two(self, stage: Stage) -> None:
        """Paging again after five minutes is no repeat, though it says the same."""
        ask = Page(to="ana", role="primary on-call", text="SEV1: checkout returns 5xx")
        receipts = [await stage.tell(delivery(ask, number)) for number in (1, 2)]

        assert [False, False] == [receipt.repeated for receipt in receipts]
        assert 2 == len(await stage.shown())

    async def test_a_40_kb_page_goes_out(self, stage: Stage) -> None:
        """However long the text, somebody is woken, and the line that counts comes first."""
        text = "SEV1: checkout returns 5xx\n" + "Zażółć 🚨 " * 4_500
        await stage.tell(delivery(Page(to="ana", role="primary on-call", text=text)))
        (shown,) = await stage.shown()

        assert shown.startswith("SEV1: checkout returns 5xx")


NAMES = ("ana", "ben")


class CalendarContract:
    """One meeting an incident."""

    async def test_a_later_invitation_moves_the_meeting(self, stage: Stage) -> None:
        """Another date is another time for the same meeting; another incident's is another meeting."""
        first, moved = [await stage.tell(delivery(invitation(day), number)) for number, day in ((1, 6), (2, 9))]
        other = await stage.tell(delivery(invitation(6), 1, incident=OTHER))

        assert first.reference == moved.reference
        assert first.reference != other.reference
        assert not moved.repeated

    async def test_the_same_invitation_is_a_repeat(self, stage: Stage) -> None:
        """Nobody gets the meeting again because a worker was started anew."""
        one = delivery(invitation(6))
        first = await stage.tell(one)

        assert repeated(first) == await (await stage.again()).tell(one)

    async def test_40_kb_of_text_are_invited_to(self, stage: Stage) -> None:
        """A long summary does not keep people from the retrospective."""
        ask = invitation(6).model_copy(update={"text": "Zażółć 🚨 " * 4_500, "title": "t" * 400})

        assert not (await stage.tell(delivery(ask))).repeated


def invitation(day: int) -> Invite:
    return Invite(title="Retrospective: INC", text="Blameless.", at=datetime(2026, 3, day, 14, tzinfo=UTC), people=NAMES)


class MonitoringStage(ABC):
    """Monitoring over something whose values and alerts a test draws."""

    monitoring: Monitoring

    @abstractmethod
    def draw(self, value: Callable[[datetime], float | None]) -> None:
        """What is measured at each moment; None: no data."""

    @abstractmethod
    def fire(self, name: str, service: str) -> None: ...

    @abstractmethod
    def go_down(self) -> None: ...

    @abstractmethod
    def mend(self) -> None: ...


SINCE = datetime(2026, 3, 4, 3, tzinfo=UTC)
UNTIL, EVERY = SINCE + timedelta(minutes=1), timedelta(seconds=15)
QUERY = Query(name="error_ratio", expression="app_error_ratio")
UNREADABLE = Query(name="unreadable", expression="sum((")


class MonitoringContract:
    """Reading only: asking changes nothing, and what is not known is not made up."""

    async def test_there_is_a_point_for_every_moment(self, stage: MonitoringStage) -> None:
        """Where there is no data, the point says so; the period can't be called green over it."""
        hole = SINCE + 2 * EVERY
        stage.draw(lambda at: None if at == hole else at.second / 100)
        points = await stage.monitoring.measure(QUERY, SINCE, UNTIL, EVERY)
        again = await stage.monitoring.measure(QUERY, SINCE, UNTIL, EVERY)

        assert [(at, None if at == hole else at.second / 100) for at in moments(SINCE, UNTIL, EVERY)] == list(points)
        assert points == again

    async def test_a_query_that_can_not_be_read_is_final(self, stage: MonitoringStage) -> None:
        """Asking again would not mend it; whoever wrote it has to."""
        with pytest.raises(Rejected):
            await stage.monitoring.measure(UNREADABLE, SINCE, UNTIL, EVERY)

    async def test_what_fires_is_told_of_the_services_that_were_asked_for(self, stage: MonitoringStage) -> None:
        """Another service's trouble does not keep this incident open; nobody asked for is nobody's alert."""
        stage.fire("CheckoutDown", "checkout")
        stage.fire("SearchDown", "search")

        assert ["CheckoutDown"] == [alert.name for alert in await stage.monitoring.firing_alerts(("checkout",))]
        assert {"CheckoutDown", "SearchDown"} == {alert.name for alert in await stage.monitoring.firing_alerts(("checkout", "search"))}
        assert () == await stage.monitoring.firing_alerts(())
        assert () == await stage.monitoring.firing_alerts(("mail",))

    async def test_an_outage_is_no_silence(self, stage: MonitoringStage) -> None:
        """Monitoring that can't be reached says nothing about the service: neither green, nor that no alert fires."""
        stage.go_down()
        with pytest.raises(Unavailable):
            await stage.monitoring.measure(QUERY, SINCE, UNTIL, EVERY)
        with pytest.raises(Unavailable):
            await stage.monitoring.firing_alerts(("checkout",))
        stage.mend()

        assert () == await stage.monitoring.firing_alerts(("checkout",))
