"""The outside world as Tocsin sees it: one small Protocol a kind of system.

The contract that every adapter of every port keeps, and that the contract suite checks:

- **A repeat is recognised by its key.** Each `Delivery` carries a key that is the same for every attempt.
  Told the same key again, also by another process and after a restart, a provider shows one effect and the
  adapter answers with the same receipt, `repeated=True`. Each adapter's docstring says how.
- **A receipt means accepted.** It is returned only once the provider has taken the ask durably.
- **Errors are those of `errors`**: `Unavailable` may be tried again, `Refused` is final. An adapter does not
  retry by itself; the caller does.
- **No call blocks the event loop**, and none takes longer than its own time-out (10 s unless told).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from incident.checkup import Checked
from incident.deployments import Deployment
from incident.effects import Delivery, Receipt
from incident.evidence import Point
from incident.paging import OpenPage
from incident.queries import Query
from incident.routing import Planned, PlannedWork


class Chat(Protocol):
    """Channels and messages.

    A taken channel name gets `-2`, `-3` … appended unless the channel is this key's own; the receipt's
    `channel` is the name that it got.
    """

    async def open_channel(self, delivery: Delivery) -> Receipt: ...

    async def post(self, delivery: Delivery) -> Receipt: ...


class StatusPage(Protocol):
    """Public incidents: the first `publish` of an incident opens its entry, the later ones add updates to it."""

    async def publish(self, delivery: Delivery) -> Receipt: ...


class Ticketing(Protocol):
    """Tickets, named by `ref` within an incident. Closing or changing a ticket that is closed, or gone, is no error.

    A change puts its words in the place of ours, leaves what people have written there, and says once, in a note, what has changed.
    """

    async def open_ticket(self, delivery: Delivery) -> Receipt: ...

    async def change_ticket(self, delivery: Delivery) -> Receipt: ...

    async def close_ticket(self, delivery: Delivery) -> Receipt: ...


class Paging(Protocol):
    """Reaching one person, now."""

    async def page(self, delivery: Delivery) -> Receipt: ...


class StandingDown(Protocol):
    """What a pager offers besides that keeps pages open until it hears of an answer. One that is not open any more is no error."""

    async def stand_down(self, pages: Sequence[OpenPage]) -> None: ...


class OnCall(Protocol):
    """Who holds a role at a time.

    `find_on_call` answers with the first role that somebody holds (`receipt.role`, `receipt.person`); person None
    where nobody holds any; the time asked about is the delivery's. `of` answers for one role, None where nobody holds
    it. Looking up changes nothing, so a repeat may be looked up again instead of remembered.
    """

    async def find_on_call(self, delivery: Delivery) -> Receipt: ...

    async def of(self, role: str, at: datetime) -> str | None: ...


class Specialist(Protocol):
    """Somebody, or something, that can be asked for help.

    The receipt says that the request has arrived; the report comes later, by the `file_report` command.
    """

    async def brief(self, delivery: Delivery) -> Receipt: ...


class Archive(Protocol):
    """Documents that outlive the incident. Storing a name again replaces it only where the content differs."""

    async def store_document(self, delivery: Delivery) -> Receipt: ...


class Calendar(Protocol):
    """Meetings: one an incident. A later invitation moves it."""

    async def invite(self, delivery: Delivery) -> Receipt: ...


class Maintenance(Protocol):
    """Planned work. Looking it up changes nothing; `Unavailable` where nobody can say whether there is any."""

    async def planned(self, asked: PlannedWork) -> Planned: ...


class Deployments(Protocol):
    """What was rolled out lately, newest first, at most twenty. `NotFound` where nobody tells of any."""

    async def recent(self, services: tuple[str, ...], since: datetime, until: datetime) -> tuple[Deployment, ...]: ...


class KeptDeployments(Deployments, Protocol):
    """Deployments that are told to Tocsin, and kept.

    `record` answers with how many of them are new: one with the key of another adds nothing. `listed` answers with the
    newest first. A service's name is compared without regard to case.
    """

    async def record(self, deployments: Sequence[Deployment]) -> int: ...

    async def listed(
        self,
        services: Collection[str] | None = None,
        *,
        environment: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 50,
    ) -> tuple[Deployment, ...]: ...


class TicketSeen(BaseModel):
    """How a ticket stands at its tracker."""

    model_config = ConfigDict(frozen=True)

    reference: str
    state: Literal["open", "closed", "gone"]


class TicketReading(Protocol):
    """What a tracker outside offers besides: people close tickets there. Reading only; `vendor` is its name for people."""

    @property
    def vendor(self) -> str: ...

    async def read_tickets(self, references: Iterable[str]) -> tuple[TicketSeen, ...]: ...


class Published(BaseModel):
    """What the public reads about an incident: the newest update, and which of its services are shown as if nothing were wrong.

    `status` None: there is no entry (any more).
    """

    model_config = ConfigDict(frozen=True)

    status: str | None = None
    body: str = ""
    operational: tuple[str, ...] = ()


class StatusReading(Protocol):
    """What a status page outside offers besides: people write there, too. Reading only; answers for each incident asked for."""

    @property
    def vendor(self) -> str: ...

    async def read_page(self, incidents: Collection[str]) -> Mapping[str, Published]: ...


class ChannelSeen(BaseModel):
    """How an incident's channel stands at its chat. `card`: whether the pinned message that we keep is there; None where there is none."""

    model_config = ConfigDict(frozen=True)

    state: Literal["open", "archived", "gone"]
    name: str = ""
    topic: str = ""
    card: Literal["there", "gone"] | None = None


class ChatReading(Protocol):
    """What a chat with channels offers besides: people rename and archive them. Reading only.

    `reference` is the channel's own, from the receipt of its opening; `name` the one that it got.
    """

    @property
    def vendor(self) -> str: ...

    async def read_channel(self, reference: str, name: str) -> ChannelSeen: ...


class Checkable(Protocol):
    """What an adapter of a vendor offers besides: one harmless call, for the doctor.

    It changes nothing and raises nothing: what is wrong, and how to mend it, is its answer.
    """

    async def check(self) -> Checked: ...


class FiringAlert(BaseModel):
    """One alert that fires now. `silenced`: somebody has muted it, or another alert stands in for it; it fires all the same."""

    model_config = ConfigDict(frozen=True)

    fingerprint: str
    name: str
    starts_at: datetime
    labels: dict[str, str] = Field(default_factory=dict)
    summary: str = ""
    silenced: bool = False


class Monitoring(Protocol):
    """What is measured and what fires. Reading only; asking twice changes nothing.

    `measure` answers with a point for each of `evidence.moments`: the worst of the series that the expression yields, by
    `query.better`; None where there is no data. A query that monitoring can't read is `Rejected`.
    """

    async def firing_alerts(self, services: tuple[str, ...]) -> tuple[FiringAlert, ...]: ...

    async def measure(self, query: Query, since: datetime, until: datetime, every: timedelta) -> tuple[Point, ...]: ...


class KnownIssue(BaseModel):
    """An open ticket that speaks of a service."""

    model_config = ConfigDict(frozen=True)

    reference: str
    title: str
    incident: str = ""


class KnownIssues(Protocol):
    """The search of a ticket system, where it offers one: the open tickets that name a service, newest first, at most twenty."""

    async def open_about(self, services: tuple[str, ...]) -> tuple[KnownIssue, ...]: ...
