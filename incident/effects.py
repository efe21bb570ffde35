"""What an incident asks of the outside world, as data.

An effect is one ask with the key under which it is told: `INC-YYYY-NNNN:N`, the same for every
attempt, so that a provider (or an adapter) can recognise a repeat. Which effects an event asks for
is decided in `asking`; this module only says what they look like.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from incident.queries import Query
from incident.vocabulary import PublicStatus, Severity


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


def _nothing(value: object) -> bool:
    """What a message need not say: histories hold each delivery and each receipt for years."""
    return not value


def _first(attempt: int) -> bool:
    return attempt == 1


class Port(StrEnum):
    """The kinds of outside system. Each has its own queue of effects and its own task queue."""

    CHAT = "chat"
    STATUS = "status"
    TICKETS = "tickets"
    PAGING = "paging"
    ONCALL = "oncall"
    SPECIALIST = "specialist"
    ARCHIVE = "archive"
    CALENDAR = "calendar"
    MONITORING = "monitoring"


class OpenChannel(Frozen):
    """Create the incident's channel. The receipt's `channel` is the name that it got.

    `private`: only those in the incident are to be let in, where the chat has such channels. `people` are those in it by then, for
    a chat that asks people in.
    """

    action: Literal["open_channel"] = "open_channel"
    name: str
    topic: str
    private: bool = Field(default=False, exclude_if=_nothing)
    people: tuple[str, ...] = Field(default=(), exclude_if=_nothing)


class Post(Frozen):
    """Post a message. `room` is where: the incident's channel (else the general one), or the stakeholders'.

    `people`, with the incident's own channel: who is in the incident by then, so that whoever has come since is asked in.
    """

    action: Literal["post"] = "post"
    room: Literal["incident", "general", "stakeholders"] = "incident"
    channel: str = Field(default="", exclude_if=_nothing)
    text: str
    people: tuple[str, ...] = Field(default=(), exclude_if=_nothing)


class Publish(Frozen):
    """Tell the public: open or update the incident's entry on the status page."""

    action: Literal["publish"] = "publish"
    title: str
    status: PublicStatus
    severity: Severity
    body: str
    components: tuple[str, ...] = ()
    next_update_by: datetime | None = None


class Words(Frozen):
    """What a ticket says that we file."""

    title: str
    body: str
    owner: str | None = None
    due: date | None = None

    @property
    def worded(self) -> Words:
        """The words alone, of an ask that has them."""
        return Words(title=self.title, body=self.body, owner=self.owner, due=self.due)


class Wording(Frozen):
    """What a ticket was to say before somebody replaced it."""

    body: str
    owner: str | None = None


class OpenTicket(Words):
    """File a ticket. `ref` names it for `CloseTicket`; unique within the incident.

    `instead_of`: what an earlier try, of which nobody knows whether it arrived, was to say. Where that stands there, this takes its place.
    """

    action: Literal["open_ticket"] = "open_ticket"
    ref: str
    instead_of: tuple[Wording, ...] = Field(default=(), exclude_if=_nothing)


class ChangeTicket(Words):
    """Have a ticket say something else. What stands there gives way where it is one of `was`; what people have written there stays.

    `note` says what has changed, and by whom; it stands on the ticket once. `ticket` is as in `CloseTicket`.
    """

    action: Literal["change_ticket"] = "change_ticket"
    ref: str
    note: str
    was: tuple[Words, ...]
    ticket: str | None = Field(default=None, exclude_if=_nothing)


class CloseTicket(Frozen):
    """Close a ticket. `ticket` is the reference that its receipt gave, where it is known by then."""

    action: Literal["close_ticket"] = "close_ticket"
    ref: str
    note: str
    ticket: str | None = Field(default=None, exclude_if=_nothing)


class Page(Frozen):
    """Get hold of one person. `role` says as what they are asked; `to` is who, or the role where nobody is named."""

    action: Literal["page"] = "page"
    to: str
    role: str
    urgency: Literal["high", "low"] = "high"
    text: str


class FindOnCall(Frozen):
    """Look up who holds the first of `roles` that anybody holds now. The receipt's `person` and `role` say who.

    `purpose` tells what the answer is for: `commander` makes the person found the commander.
    """

    action: Literal["find_on_call"] = "find_on_call"
    roles: tuple[str, ...]
    purpose: Literal["commander"] = "commander"


class Brief(Frozen):
    """Ask a specialist for help, in the process's four parts."""

    action: Literal["brief"] = "brief"
    dispatch: str
    specialist: str
    incident: str
    severity: str
    current_status: str
    request: str
    private: bool = Field(default=False, exclude_if=_nothing)


class StoreDocument(Frozen):
    """Keep a document beyond the incident's own life. `name` is its path within the incident's folder."""

    action: Literal["store_document"] = "store_document"
    name: str
    content: str


class Invite(Frozen):
    """Invite people to a meeting. Asked again for the same incident, it moves the meeting."""

    action: Literal["invite"] = "invite"
    title: str
    text: str
    at: datetime
    minutes: int = 60
    people: tuple[str, ...]


class LookUp(Frozen):
    """Look up what the detection checklist asks. The receipt's `detail["findings"]` has one finding a question.

    It changes nothing outside, so a repeat is looked up again. What one source can't say does not keep the others' answers.
    """

    action: Literal["look_up"] = "look_up"
    questions: tuple[str, ...]
    services: tuple[str, ...] = ()
    queries: tuple[Query, ...] = ()
    since: datetime
    until: datetime
    known_alerts: tuple[str, ...] = ()


Ask = Annotated[
    OpenChannel | Post | Publish | OpenTicket | ChangeTicket | CloseTicket | Page | FindOnCall | Brief | StoreDocument | LookUp | Invite,
    Field(discriminator="action"),
]

PORT_OF: dict[str, Port] = {
    "open_channel": Port.CHAT,
    "post": Port.CHAT,
    "publish": Port.STATUS,
    "open_ticket": Port.TICKETS,
    "change_ticket": Port.TICKETS,
    "close_ticket": Port.TICKETS,
    "page": Port.PAGING,
    "find_on_call": Port.ONCALL,
    "brief": Port.SPECIALIST,
    "store_document": Port.ARCHIVE,
    "invite": Port.CALENDAR,
    "look_up": Port.MONITORING,
}


class Effect(Frozen):
    """One ask in the outbox. A newer effect with the same `collapse` replaces one that is not delivered yet.

    `stands_for` is the number of another effect for which this one goes another way, `about` the clock that it speaks of.
    `worded`: a person has said what it says, so it is not worded anew when it is sent.
    """

    number: int
    key: str
    ask: Ask
    at: datetime
    collapse: str | None = None
    important: bool = False
    purpose: str = ""
    stands_for: int | None = Field(default=None, exclude_if=_nothing)
    about: str = Field(default="", exclude_if=_nothing)
    worded: bool = Field(default=False, exclude_if=_nothing)

    @property
    def port(self) -> Port:
        return PORT_OF[self.ask.action]


class Delivery(Frozen):
    """What an activity gets: one ask, under its key.

    `attempt` counts the times the incident has tried (an activity's own retries are not counted);
    above 1, an earlier try may have reached the provider.
    """

    incident: str
    key: str
    drill: bool = Field(default=False, exclude_if=_nothing)
    attempt: int = Field(default=1, exclude_if=_first)
    at: datetime
    ask: Ask


class Receipt(Frozen):
    """A provider's word that it has accepted a delivery. `repeated` where it had it already."""

    reference: str
    repeated: bool = Field(default=False, exclude_if=_nothing)
    channel: str | None = Field(default=None, exclude_if=_nothing)
    person: str | None = Field(default=None, exclude_if=_nothing)
    role: str | None = Field(default=None, exclude_if=_nothing)
    detail: dict[str, Any] = Field(default_factory=dict, exclude_if=_nothing)
