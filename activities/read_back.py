"""Read outside systems back, and tell each incident what differs: as Temporal sees it.

A round is bounded: it looks at so many tickets, in turns, and speaks to an incident only where there is something to say, so that
an incident's history grows by what has happened and not by how often somebody looked.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import AsyncIterator, Iterable
from datetime import timedelta

from pydantic import BaseModel, ConfigDict
from temporalio import activity
from temporalio.client import Client, WorkflowQueryFailedError, WorkflowQueryRejectedError
from temporalio.service import RPCError, RPCStatusCode

from activities.failures import translated
from incident import drift
from incident.drift import ChannelShown, PageShown, ReadBack, TicketShown
from incident.model import Incident
from integrations.ports import ChatReading, StatusReading, TicketReading

RUNNING = 'WorkflowType IN ("Incident", "FollowUp") AND ExecutionStatus = "Running"'

TICKETS_A_ROUND = 60
"""Each is a call of its own at the tracker; more of them take turns."""

CHANNELS_A_ROUND = 30
"""Two calls each, at vendors that let us read fifty times a minute."""

INCIDENTS_A_ROUND = 500

WITHIN = timedelta(seconds=5)
"""For one incident to say what it knows; one that does not is left for the next round."""

SIGNAL = "read_back"


class Round(BaseModel):
    """What one round has come to."""

    model_config = ConfigDict(frozen=True)

    incidents: int = 0
    told: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    """Incidents that did not answer; the next round asks them again."""


class ReadBackActivities:
    """`tracker` and `page` are None where the port's part is embedded: it shows what it was told; `chat` where it has no channels."""

    def __init__(
        self, client: Client, *, tracker: TicketReading | None = None, page: StatusReading | None = None, chat: ChatReading | None = None
    ) -> None:
        self._client = client
        self._tracker = tracker
        self._page = page
        self._chat = chat
        # Where the last round stopped. A new process begins anew, which costs one turn.
        self._last = ("", "")
        self._last_channel = ("", "")

    @activity.defn(name="read_tickets_back")
    async def read_tickets_back(self) -> Round:
        if self._tracker is None:
            return Round()
        incidents, silent = await self._incidents()
        wanted = [(id, ticket) for id, incident in incidents.items() for ticket in drift.references(incident)]
        turn = in_turn(wanted, TICKETS_A_ROUND, self._last)
        self._last = turn[-1] if turn else self._last
        told = []
        for id in dict.fromkeys(id for id, _ in turn):
            with translated():
                seen = await self._tracker.read_tickets([ticket for each, ticket in turn if each == id])
            activity.heartbeat()
            shown = tuple(TicketShown(ticket=each.reference, state=each.state) for each in seen)
            told += await self._tell(id, incidents[id], ReadBack(system=self._tracker.vendor, tickets=shown))
        return Round(incidents=len(incidents), told=tuple(told), silent=tuple(silent))

    @activity.defn(name="read_channels_back")
    async def read_channels_back(self) -> Round:
        if self._chat is None:
            return Round()
        incidents, silent = await self._incidents()
        wanted = [
            (id, one.channel_id) for id, one in incidents.items() if one.channel_id is not None and one.channel is not None and one.open
        ]
        turn = in_turn(wanted, CHANNELS_A_ROUND, self._last_channel)
        self._last_channel = turn[-1] if turn else self._last_channel
        told = []
        for id, reference in turn:
            with translated():
                seen = await self._chat.read_channel(reference, incidents[id].channel or "")
            activity.heartbeat()
            shown = ChannelShown(state=seen.state, name=seen.name[:300], topic=seen.topic[:10_000], card=seen.card)
            told += await self._tell(id, incidents[id], ReadBack(system=self._chat.vendor, channel=shown))
        return Round(incidents=len(incidents), told=tuple(told), silent=tuple(silent))

    @activity.defn(name="read_page_back")
    async def read_page_back(self) -> Round:
        if self._page is None:
            return Round()
        incidents, silent = await self._incidents()
        published = [id for id, incident in incidents.items() if incident.published is not None and incident.open]
        if not published:
            return Round(incidents=len(incidents), silent=tuple(silent))
        with translated():
            seen = await self._page.read_page(published)
        told = []
        for id in published:
            said = incidents[id].published
            body = drift.as_said(said.body, seen[id].body) if said is not None else seen[id].body
            shown = PageShown(status=seen[id].status, body=body[:100_000], operational=seen[id].operational[:500])
            told += await self._tell(id, incidents[id], ReadBack(system=self._page.vendor, page=shown))
        return Round(incidents=len(incidents), told=tuple(told), silent=tuple(silent))

    async def _incidents(self) -> tuple[dict[str, Incident], list[str]]:
        """What is open, by workflow id, and what did not answer. Drills are never told to anybody outside."""
        found: dict[str, Incident] = {}
        silent = []
        async for id in self._running():
            try:
                incident: Incident = await self._client.get_workflow_handle(id).query("model", result_type=Incident, rpc_timeout=WITHIN)
            except (RPCError, WorkflowQueryFailedError, WorkflowQueryRejectedError) as error:
                activity.logger.warning("%s does not say what it knows: %s", id, error)
                silent.append(id)
                continue
            activity.heartbeat()
            if not incident.drill:
                found[id] = incident
        return found, silent

    async def _running(self) -> AsyncIterator[str]:
        async for workflow in self._client.list_workflows(RUNNING, limit=INCIDENTS_A_ROUND):
            yield workflow.id

    async def _tell(self, id: str, incident: Incident, seen: ReadBack) -> list[str]:
        """Signal the incident where something follows from what was seen; answers with whom was told."""
        if not drift.told(incident, seen, activity.info().scheduled_time):
            return []
        try:
            await self._client.get_workflow_handle(id).signal(SIGNAL, seen)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            # It ended while we looked; its follow-up is read in the next round.
            activity.logger.info("%s has ended meanwhile", id)
            return []
        return [id]


def in_turn(wanted: Iterable[tuple[str, str]], most: int, after: tuple[str, str]) -> list[tuple[str, str]]:
    """The next `most` of `wanted` after the last one that was looked at; they go round."""
    ordered = sorted(wanted)
    start = bisect_right(ordered, after)
    return [*ordered[start:], *ordered[:start]][:most]
