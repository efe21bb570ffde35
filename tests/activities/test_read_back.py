# ruff: noqa: SIM300 - the house writes what is expected first
"""A round of reading back: every open incident is held against what is outside, and hears only what it has to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

import pytest
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import ActivityEnvironment

from activities.read_back import TICKETS_A_ROUND, ReadBackActivities, in_turn
from incident.drift import ReadBack
from incident.model import Incident
from integrations.errors import Unauthorized
from integrations.ports import ChannelSeen, Published, TicketSeen
from tests.incident.walk import Walk


@dataclass
class FakeHandle:
    """One running workflow."""

    incident: Incident
    signals: list[tuple[str, ReadBack]]
    silent: bool = False
    ended: bool = False

    async def query(self, name: str, *, result_type: type[Incident], rpc_timeout: timedelta) -> Incident:
        if self.silent:
            raise RPCError("no worker answered", RPCStatusCode.DEADLINE_EXCEEDED, b"")
        return self.incident

    async def signal(self, name: str, seen: ReadBack) -> None:
        if self.ended:
            raise RPCError("it has ended", RPCStatusCode.NOT_FOUND, b"")
        self.signals.append((name, seen))


@dataclass
class Listed:
    id: str


class FakeClient:
    def __init__(self) -> None:
        self.handles: dict[str, FakeHandle] = {}

    def running(self, id: str, incident: Incident) -> FakeHandle:
        self.handles[id] = FakeHandle(incident, [])
        return self.handles[id]

    def get_workflow_handle(self, id: str) -> FakeHandle:
        return self.handles[id]

    async def list_workflows(self, query: str, *, limit: int) -> AsyncIterator[Listed]:
        for id in list(self.handles)[:limit]:
            yield Listed(id)


class FakeOutside:
    """A tracker and a status page that show what they are told to show."""

    vendor = "Outside"

    def __init__(self) -> None:
        self.states: dict[str, str] = {}
        self.pages: dict[str, Published] = {}
        self.channels: dict[str, ChannelSeen] = {}
        self.asked: list[str] = []
        self.revoked = False

    async def read_tickets(self, references: Iterable[str]) -> tuple[TicketSeen, ...]:
        if self.revoked:
            raise Unauthorized("Outside answered with 401")
        wanted = list(references)
        self.asked += wanted
        return tuple(TicketSeen.model_validate({"reference": each, "state": self.states.get(each, "open")}) for each in wanted)

    async def read_channel(self, reference: str, name: str) -> ChannelSeen:
        self.asked.append(reference)
        return self.channels[reference]

    async def read_page(self, incidents: Collection[str]) -> Mapping[str, Published]:
        self.asked += incidents
        return {id: self.pages.get(id, Published()) for id in incidents}


def _incident(**fields: Any) -> Incident:
    """An incident with one action item, whose ticket is OPS-1, and one public update."""
    walk = Walk.open("SEV1", customer_facing=True, **fields)
    walk.does("acknowledge")
    walk.deliver_all()
    walk.does("add_action_item", item="Alert on retries", owner="ben", due="2026-12-01")
    walk.deliver(walk.incident.outbox[-1], reference="OPS-1")
    walk.does("post_update", audience="external", text="We are on it.", status="investigating")
    walk.deliver_all()
    return walk.incident


@pytest.fixture
def client() -> FakeClient:
    return FakeClient()


@pytest.fixture
def outside() -> FakeOutside:
    return FakeOutside()


@pytest.fixture
def activities(client: FakeClient, outside: FakeOutside) -> ReadBackActivities:
    return ReadBackActivities(cast(Client, client), tracker=outside, page=outside, chat=outside)


async def test_an_incident_hears_of_a_ticket_that_was_closed(
    client: FakeClient, outside: FakeOutside, activities: ReadBackActivities
) -> None:
    """What people did at the tracker reaches the incident, and no other one."""
    concerned = client.running("INC-2026-0001", _incident())
    other = client.running("INC-2026-0002", Walk.open("SEV2").incident)
    outside.states = {"OPS-1": "closed"}
    found = await ActivityEnvironment().run(activities.read_tickets_back)

    assert (2, ("INC-2026-0001",)) == (found.incidents, found.told)
    assert [("read_back", "closed")] == [(name, seen.tickets[0].state) for name, seen in concerned.signals]
    assert [] == other.signals


async def test_an_incident_hears_that_its_channel_was_archived(
    client: FakeClient, outside: FakeOutside, activities: ReadBackActivities
) -> None:
    """Its channel is looked at by the vendor's own reference; a closed incident's is not, and neither is one without."""
    incident = _incident()
    concerned = client.running("INC-2026-0001", incident)
    client.running("INC-2026-0002", Walk.open("SEV3").incident)
    assert incident.channel_id is not None
    outside.channels = {incident.channel_id: ChannelSeen(state="archived", name=incident.channel or "")}
    found = await ActivityEnvironment().run(activities.read_channels_back)

    assert ("INC-2026-0001",) == found.told
    assert [incident.channel_id] == outside.asked
    assert ["archived"] == [seen.channel.state for _, seen in concerned.signals if seen.channel is not None]


async def test_what_agrees_costs_an_incident_nothing(client: FakeClient, outside: FakeOutside, activities: ReadBackActivities) -> None:
    """An incident that is read back all night has the history of one that is not."""
    incident = _incident()
    running = client.running("INC-2026-0001", incident)
    assert incident.published is not None
    outside.pages = {"INC-2026-0001": Published(status="investigating", body=incident.published.body)}
    environment = ActivityEnvironment()
    await environment.run(activities.read_tickets_back)
    await environment.run(activities.read_page_back)

    assert ["OPS-1", "INC-2026-0001"] == outside.asked
    assert [] == running.signals


async def test_an_incident_hears_what_the_public_reads(client: FakeClient, outside: FakeOutside, activities: ReadBackActivities) -> None:
    """An entry that was edited by hand comes back as what it says now."""
    running = client.running("INC-2026-0001", _incident())
    outside.pages = {"INC-2026-0001": Published(status="resolved", body="All is well.")}
    await ActivityEnvironment().run(activities.read_page_back)

    assert ["resolved"] == [seen.page.status for _, seen in running.signals if seen.page is not None]


@pytest.mark.parametrize(
    ("body", "agrees"),
    [
        ("<p>We are on it &amp; will\n<br/>write <strong>soon</strong>.</p>", True),
        ("We are on it & will write soon.<!-- typed by hand -->", True),
        ("<p>We are on it.</p>", False),
        ("<p>All is well &amp; was, soon.</p>", False),
        ("", False),
    ],
)
async def test_a_page_that_answers_with_markup_contradicts_nobody(
    client: FakeClient, outside: FakeOutside, activities: ReadBackActivities, body: str, agrees: bool
) -> None:
    """What readers see is what was said, though the page answers in HTML; other words in it are other words."""
    incident = _incident()
    assert incident.published is not None
    said = incident.model_copy(update={"published": incident.published.model_copy(update={"body": "We are on it & will write soon."})})
    running = client.running("INC-2026-0001", said)
    outside.pages = {"INC-2026-0001": Published(status="investigating", body=body)}
    await ActivityEnvironment().run(activities.read_page_back)

    assert ([] if agrees else [body]) == [seen.page.body for _, seen in running.signals if seen.page is not None]


async def test_a_drill_is_never_looked_for_outside(client: FakeClient, outside: FakeOutside, activities: ReadBackActivities) -> None:
    """A drill was told to nobody outside, so nothing outside can contradict it."""
    client.running("INC-2026-0001", _incident(drill=True))
    environment = ActivityEnvironment()
    await environment.run(activities.read_tickets_back)
    await environment.run(activities.read_page_back)

    assert [] == outside.asked


async def test_an_incident_that_does_not_answer_holds_nobody_up(
    client: FakeClient, outside: FakeOutside, activities: ReadBackActivities
) -> None:
    """One incident whose worker is stuck is named and left for the next round; one that has just ended is no error."""
    client.running("INC-2026-0001", _incident()).silent = True
    client.running("INC-2026-0002", _incident()).ended = True
    outside.states = {"OPS-1": "closed"}
    found = await ActivityEnvironment().run(activities.read_tickets_back)

    assert (("INC-2026-0001",), ()) == (found.silent, found.told)


async def test_a_tracker_that_refuses_is_one_of_temporals_errors(
    client: FakeClient, outside: FakeOutside, activities: ReadBackActivities
) -> None:
    """A revoked token fails the round with its reason, where operators see it."""
    client.running("INC-2026-0001", _incident())
    outside.revoked = True

    with pytest.raises(ApplicationError, match="Outside answered with 401"):
        await ActivityEnvironment().run(activities.read_tickets_back)


async def test_where_everything_is_embedded_nothing_is_read(client: FakeClient) -> None:
    """A round that an older schedule still starts asks nobody anything."""
    client.running("INC-2026-0001", _incident()).silent = True
    activities = ReadBackActivities(cast(Client, client))
    environment = ActivityEnvironment()

    assert [0, 0] == [(await environment.run(each)).incidents for each in (activities.read_tickets_back, activities.read_page_back)]


def test_after_a_few_rounds_every_ticket_had_its_turn() -> None:
    """A round looks at so many tickets and no more, and nine rounds have looked at each one of five hundred."""
    wanted = [(f"INC-{number}", f"OPS-{number}") for number in range(500)]
    rounds = [in_turn(wanted, TICKETS_A_ROUND, ("", ""))]
    for _ in range(8):
        rounds.append(in_turn(wanted, TICKETS_A_ROUND, rounds[-1][-1]))

    assert {TICKETS_A_ROUND} == {len(each) for each in rounds}
    assert set(wanted) == {each for turn in rounds for each in turn}
