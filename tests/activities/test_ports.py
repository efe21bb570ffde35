# ruff: noqa: SIM300 - the house writes what is expected first
"""Each activity hands its delivery to its port, answers with the port's receipt, and fails as the port fails."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.archive import ArchiveActivities
from activities.chat import ChatActivities
from activities.invitations import InvitationActivities
from activities.monitoring import MonitoringActivities
from activities.oncall import OnCallActivities
from activities.paging import PagingActivities
from activities.specialist import SpecialistActivities
from activities.statuspage import StatusPageActivities
from activities.ticketing import TicketingActivities
from incident.effects import PORT_OF, Ask, Delivery, FindOnCall, Page, Receipt
from tests.fakes import (
    Fake,
    FakeArchive,
    FakeCalendar,
    FakeChat,
    FakeMonitoring,
    FakeOnCall,
    FakePager,
    FakeSpecialist,
    FakeStatusPage,
    FakeTicketing,
)
from tests.integrations.asks import AT, EXAMPLES, delivery

Activity = Callable[[Delivery], Awaitable[Receipt]]

ROTA = {"primary on-call": "ana"}

ASKS: tuple[Ask, ...] = (*EXAMPLES, FindOnCall(roles=("senior on-call", "primary on-call")))


class Ports:
    """A fake behind each activity, by the activity's name."""

    def __init__(self) -> None:
        self.chat, self.status, self.tickets = FakeChat(), FakeStatusPage(), FakeTicketing()
        self.pager, self.rota, self.specialist, self.archive = FakePager(), FakeOnCall(ROTA), FakeSpecialist(), FakeArchive()
        self.calendar = FakeCalendar()
        chat, tickets = ChatActivities(self.chat), TicketingActivities(self.tickets)
        self.served: dict[str, tuple[Activity, Fake]] = {
            "open_channel": (chat.open_channel, self.chat),
            "post": (chat.post, self.chat),
            "publish": (StatusPageActivities(self.status).publish, self.status),
            "open_ticket": (tickets.open_ticket, self.tickets),
            "change_ticket": (tickets.change_ticket, self.tickets),
            "close_ticket": (tickets.close_ticket, self.tickets),
            "page": (PagingActivities(self.pager, self.rota).page, self.pager),
            "find_on_call": (OnCallActivities(self.rota).find_on_call, self.rota),
            "brief": (SpecialistActivities(self.specialist).brief, self.specialist),
            "invite": (InvitationActivities(self.calendar).invite, self.calendar),
            "store_document": (ArchiveActivities(self.archive).store_document, self.archive),
        }
        self.asked_only: tuple[Activity, ...] = (MonitoringActivities(FakeMonitoring()).look_up,)


@pytest.fixture
def ports() -> Ports:
    return Ports()


async def run(function: Activity, asked: Delivery) -> Receipt:
    environment = ActivityEnvironment()
    return await environment.run(function, asked)


def test_every_effect_has_an_activity_of_its_name(ports: Ports) -> None:
    """Whatever an incident can ask of the world, an activity that Temporal's UI shows under that name carries out."""
    functions = [*(function for function, _ in ports.served.values()), *ports.asked_only]

    assert set(PORT_OF) == {activity._Definition.must_from_callable(function).name for function in functions}
    assert list(ports.served) == [activity._Definition.must_from_callable(function).name for function, _ in ports.served.values()]


@pytest.mark.parametrize("ask", ASKS, ids=lambda ask: ask.action)
async def test_a_delivery_reaches_its_port(ask: Ask, ports: Ports) -> None:
    """An activity answers with what its provider has accepted, and says of a repeat that it is one."""
    function, fake = ports.served[ask.action]

    first, second = await run(function, delivery(ask)), await run(function, delivery(ask))

    assert first.reference == second.reference
    assert 2 == fake.attempts


@pytest.mark.parametrize("ask", ASKS, ids=lambda ask: ask.action)
async def test_an_outage_of_a_port_is_tried_again(ask: Ask, ports: Ports) -> None:
    """An activity whose provider is away fails so that Temporal tries it again when the provider says."""
    function, fake = ports.served[ask.action]
    fake.down, fake.retry_after = True, timedelta(seconds=7)

    with pytest.raises(ApplicationError) as failed:
        await run(function, delivery(ask))

    assert (False, timedelta(seconds=7)) == (failed.value.non_retryable, failed.value.next_retry_delay)


@pytest.mark.parametrize("ask", ASKS, ids=lambda ask: ask.action)
async def test_a_refusal_of_a_port_is_final(ask: Ask, ports: Ports) -> None:
    """An activity whose provider says no is not tried again."""
    function, fake = ports.served[ask.action]
    fake.refuse = True

    with pytest.raises(ApplicationError) as failed:
        await run(function, delivery(ask))

    assert (True, "Rejected") == (failed.value.non_retryable, failed.value.type)


@pytest.mark.parametrize(
    ("to", "role", "person"),
    [
        ("primary on-call", "primary on-call", "ana"),
        ("CEO", "CEO", "CEO"),
        ("ben", "primary on-call", "ben"),
    ],
)
async def test_a_page_to_a_role_goes_to_whoever_holds_it(to: str, role: str, person: str, ports: Ports) -> None:
    """A role is paged through whoever holds it; where nobody does, the role itself is; a name is paged as it is."""
    await run(ports.served["page"][0], delivery(Page(to=to, role=role, text="SEV1: checkout returns 5xx"), at=AT))
    paged = ports.pager.ledger[0].ask

    assert isinstance(paged, Page)
    assert (person, role) == (paged.to, paged.role)
