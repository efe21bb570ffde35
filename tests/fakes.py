"""The outside world in memory: one small class a port, each passing the port's own contract suite.

    chat = FakeChat()
    chat.down = True              # every call raises Unavailable, with `retry_after` where it is set
    chat.fail_times = 2           # so do the next two calls
    chat.accept_then_lose = 1     # the next new delivery is accepted, and its answer lost
    chat.limited = timedelta(..)  # every call raises RateLimited
    chat.refuse = True            # every call raises Rejected

`ledger` holds what was accepted, in order, once for each key; `attempts` counts the calls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from incident.deployments import Deployment
from incident.effects import (
    Brief,
    ChangeTicket,
    CloseTicket,
    Delivery,
    FindOnCall,
    Invite,
    OpenChannel,
    OpenTicket,
    Page,
    Post,
    Publish,
    Receipt,
    StoreDocument,
)
from incident.evidence import Point, moments
from incident.paging import OpenPage
from incident.queries import Query
from integrations.deliveries import asked, channel_name, marked
from integrations.errors import RateLimited, Rejected, Unavailable
from integrations.ports import FiringAlert, KnownIssue


class Fake:
    """A provider that keeps what it accepts, and fails as it is told to."""

    def __init__(self) -> None:
        self.ledger: list[Delivery] = []
        self.attempts = 0
        self.down = False
        self.fail_times = 0
        self.accept_then_lose = 0
        self.refuse = False
        self.retry_after: timedelta | None = None
        self.limited: timedelta | None = None
        self._receipts: dict[str, Receipt] = {}

    @property
    def keys(self) -> list[str]:
        """The keys of what was accepted, oldest first."""
        return [delivery.key for delivery in self.ledger]

    def _answer_faults(self) -> None:
        self.attempts += 1
        if self.limited is not None:
            raise RateLimited(f"{type(self).__name__} was told that it has had too much", retry_after=self.limited)
        if self.refuse:
            raise Rejected(f"{type(self).__name__} was told to refuse")
        if self.fail_times > 0:
            self.fail_times -= 1
            raise Unavailable(f"{type(self).__name__} was told to fail", retry_after=self.retry_after)
        if self.down:
            raise Unavailable(f"{type(self).__name__} was told to be down", retry_after=self.retry_after)

    def _repeat(self, delivery: Delivery) -> Receipt | None:
        former = self._receipts.get(delivery.key)
        return former and former.model_copy(update={"repeated": True})

    def _accept(self, delivery: Delivery, receipt: Receipt) -> Receipt:
        self._receipts[delivery.key] = receipt
        if not receipt.repeated:
            self.ledger.append(delivery)
        if self.accept_then_lose > 0:
            self.accept_then_lose -= 1
            raise Unavailable(f"{type(self).__name__} accepted, and was told to lose the answer")
        return receipt


class FakeChat(Fake):
    """Channels and messages in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.channels: list[str] = []

    @property
    def posts(self) -> list[str]:
        """The texts as people read them, oldest first, drills marked."""
        return [marked(delivery, delivery.ask.text) for delivery in self.ledger if isinstance(delivery.ask, Post)]

    async def open_channel(self, delivery: Delivery) -> Receipt:
        ask = asked(delivery, OpenChannel)
        self._answer_faults()
        if former := self._repeat(delivery):
            return former
        nth = 1
        while (name := channel_name(ask.name, nth)) in self.channels:
            nth += 1
        self.channels.append(name)
        return self._accept(delivery, Receipt(reference=name, channel=name))

    async def post(self, delivery: Delivery) -> Receipt:
        asked(delivery, Post)
        self._answer_faults()
        return self._repeat(delivery) or self._accept(delivery, Receipt(reference=f"message-{len(self.ledger) + 1}"))


class FakeStatusPage(Fake):
    """A status page in memory."""

    async def publish(self, delivery: Delivery) -> Receipt:
        asked(delivery, Publish)
        self._answer_faults()
        return self._repeat(delivery) or self._accept(delivery, Receipt(reference=delivery.incident))


class FakeTicketing(Fake):
    """A ticket board in memory. `open` holds the refs that are not closed, as (incident, ref)."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[tuple[str, str]] = []
        self.changed: list[tuple[str, str, str | None]] = []
        """Each change that was made: the ticket, what it says since, and who owns it."""
        self._tickets: dict[tuple[str, str], Receipt] = {}
        self._texts: dict[tuple[str, str], str] = {}

    async def open_ticket(self, delivery: Delivery) -> Receipt:
        ask = asked(delivery, OpenTicket)
        self._answer_faults()
        if former := self._repeat(delivery):
            return former
        name = (delivery.incident, ask.ref)
        if ticket := self._tickets.get(name):
            if self._texts[name] in {each.body for each in ask.instead_of}:
                self._texts[name] = ask.body
            detail = {} if self._texts[name] == ask.body else {"text": f"{ticket.reference} stands there with another text"}
            return self._accept(delivery, ticket.model_copy(update={"repeated": True, "detail": detail}))
        self._texts[name] = ask.body
        self._tickets[name] = Receipt(reference=f"T-{len(self._tickets) + 1}")
        self.open.append(name)
        return self._accept(delivery, self._tickets[name])

    async def change_ticket(self, delivery: Delivery) -> Receipt:
        ask = asked(delivery, ChangeTicket)
        self._answer_faults()
        if former := self._repeat(delivery):
            return former
        name = (delivery.incident, ask.ref)
        if name not in self.open:
            reference = self._tickets[name].reference if name in self._tickets else "gone"
            return self._accept(delivery, Receipt(reference=reference, repeated=True))
        ours = self._texts[name] in {each.body for each in ask.was}
        self._texts[name] = ask.body if ours else self._texts[name]
        self.changed.append((self._tickets[name].reference, self._texts[name], ask.owner))
        return self._accept(delivery, self._tickets[name].model_copy(update={"detail": {} if ours else {"text": "words of others stay"}}))

    async def close_ticket(self, delivery: Delivery) -> Receipt:
        ask = asked(delivery, CloseTicket)
        self._answer_faults()
        if former := self._repeat(delivery):
            return former
        name = (delivery.incident, ask.ref)
        was_open = name in self.open
        if was_open:
            self.open.remove(name)
        reference = self._tickets[name].reference if name in self._tickets else "gone"
        return self._accept(delivery, Receipt(reference=reference, repeated=not was_open))


class FakePager(Fake):
    """A pager in memory. With `keeps_open`, `open` has the references of pages that wait for an answer."""

    def __init__(self) -> None:
        super().__init__()
        self.keeps_open = False
        self.open: list[str] = []

    @property
    def paged(self) -> list[tuple[str, str]]:
        """Who was paged, and with what text, oldest first, drills marked."""
        return [(delivery.ask.to, marked(delivery, delivery.ask.text)) for delivery in self.ledger if isinstance(delivery.ask, Page)]

    async def page(self, delivery: Delivery) -> Receipt:
        ask = asked(delivery, Page)
        self._answer_faults()
        former = self._repeat(delivery)
        if former is not None:
            return former
        reference = f"page-{len(self.ledger) + 1}"
        if self.keeps_open:
            self.open.append(reference)
        return self._accept(delivery, Receipt(reference=reference, person=ask.to, detail={"stays_open": True} if self.keeps_open else {}))

    async def stand_down(self, pages: Sequence[OpenPage]) -> None:
        self._answer_faults()
        self.open = [reference for reference in self.open if reference not in {page.reference for page in pages}]


class FakeOnCall(Fake):
    """Who holds which role, at all times. A role that is not in `roles`, or has None there, is held by nobody."""

    def __init__(self, roles: Mapping[str, str | None] | None = None) -> None:
        super().__init__()
        self.roles = dict(roles or {})

    async def find_on_call(self, delivery: Delivery) -> Receipt:
        ask = asked(delivery, FindOnCall)
        self._answer_faults()
        if former := self._repeat(delivery):
            return former
        role = next((role for role in ask.roles if self.roles.get(role)), None)
        person = role and self.roles[role]
        return self._accept(delivery, Receipt(reference=person or "nobody", person=person, role=role))

    async def of(self, role: str, at: datetime) -> str | None:
        self._answer_faults()
        return self.roles.get(role)


class FakeSpecialist(Fake):
    """A specialist who takes every request."""

    async def brief(self, delivery: Delivery) -> Receipt:
        ask = asked(delivery, Brief)
        self._answer_faults()
        return self._repeat(delivery) or self._accept(delivery, Receipt(reference=ask.dispatch, person=ask.specialist))


class FakeCalendar(Fake):
    """Meetings in memory."""

    async def invite(self, delivery: Delivery) -> Receipt:
        asked(delivery, Invite)
        self._answer_faults()
        return self._repeat(delivery) or self._accept(delivery, Receipt(reference=f"meeting-{delivery.incident}"))


class FakeArchive(Fake):
    """Documents in memory: `documents` maps (incident, name) to the content stored last."""

    def __init__(self) -> None:
        super().__init__()
        self.documents: dict[tuple[str, str], str] = {}

    async def store_document(self, delivery: Delivery) -> Receipt:
        ask = asked(delivery, StoreDocument)
        self._answer_faults()
        if former := self._repeat(delivery):
            return former
        name = (delivery.incident, ask.name)
        receipt = Receipt(reference="/".join(name), repeated=self.documents.get(name) == ask.content)
        self.documents[name] = ask.content
        return self._accept(delivery, receipt)


class FakeMonitoring:
    """Monitoring whose values a test draws: `values` maps a query's name to its value at a moment; others measure `otherwise`."""

    def __init__(self) -> None:
        self.values: dict[str, Callable[[datetime], float | None]] = {}
        self.otherwise: float | None = 0.01
        self.firing: list[FiringAlert] = []
        self.down = False
        self.asked: list[tuple[str, datetime, datetime]] = []

    def fires(self, name: str, *, service: str = "checkout", silenced: bool = False) -> None:
        labels = {"alertname": name, "service": service}
        self.firing.append(FiringAlert(fingerprint=name, name=name, starts_at=BEGAN, labels=labels, silenced=silenced))

    async def firing_alerts(self, services: tuple[str, ...]) -> tuple[FiringAlert, ...]:
        self._answer_faults()
        return tuple(alert for alert in self.firing if alert.labels.get("service") in services)

    async def measure(self, query: Query, since: datetime, until: datetime, every: timedelta) -> tuple[Point, ...]:
        self._answer_faults()
        if query.expression.count("(") != query.expression.count(")"):
            raise Rejected(f"FakeMonitoring can't read {query.expression}")
        self.asked.append((query.name, since, until))
        value = self.values.get(query.name)
        return tuple((at, value(at) if value is not None else self.otherwise) for at in moments(since, until, every))

    def _answer_faults(self) -> None:
        if self.down:
            raise Unavailable("FakeMonitoring was told to be down")


BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


class FakeDeployments:
    """What was rolled out."""

    def __init__(self, *deployments: Deployment) -> None:
        self.deployments = deployments

    async def recent(self, services: tuple[str, ...], since: datetime, until: datetime) -> tuple[Deployment, ...]:
        return tuple(one for one in self.deployments if one.service in services and since <= one.at <= until)


class FakeIssues:
    """A ticket system's search."""

    def __init__(self, *issues: KnownIssue, down: bool = False) -> None:
        self.issues = issues
        self.down = down

    async def open_about(self, services: tuple[str, ...]) -> tuple[KnownIssue, ...]:
        if self.down:
            raise Unavailable("FakeIssues was told to be down")
        return self.issues
