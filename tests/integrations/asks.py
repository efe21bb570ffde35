"""What the integration tests ask for: one example an action, and deliveries of them."""

from __future__ import annotations

from datetime import UTC, date, datetime

from incident.effects import (
    PORT_OF,
    Ask,
    Brief,
    ChangeTicket,
    CloseTicket,
    Delivery,
    Invite,
    OpenChannel,
    OpenTicket,
    Page,
    Port,
    Post,
    Publish,
    StoreDocument,
    Words,
)
from incident.vocabulary import PublicStatus, Severity

INCIDENT = "INC-2026-0007"
AT = datetime(2026, 3, 4, 3, 15, tzinfo=UTC)
CHANNEL = "#incident-2026-03-04-checkout-returns-5xx"

EXAMPLES: tuple[Ask, ...] = (
    OpenChannel(name=CHANNEL, topic="SEV1: checkout returns 5xx"),
    Post(channel=CHANNEL, text="Rolling back <b>now</b> @everyone 🧯"),
    Publish(
        title="Checkout fails",
        status=PublicStatus.INVESTIGATING,
        severity=Severity.SEV1,
        body="We are looking into it.",
        components=("checkout",),
        next_update_by=datetime(2026, 3, 4, 3, 30, tzinfo=UTC),
    ),
    OpenTicket(ref="action-1", title="Alert on error rate", body="So that we know first.", owner="ana", due=date(2026, 3, 18)),
    ChangeTicket(
        ref="action-1",
        title="Alert on error rate",
        body="So that we know first.",
        owner="zoe",
        due=date(2026, 3, 18),
        note="ana changed action-1: owner ana → zoe",
        was=(Words(title="Alert on error rate", body="So that we know first.", owner="ana", due=date(2026, 3, 18)),),
    ),
    CloseTicket(ref="action-1", note="Alert is live."),
    Page(to="ana", role="primary on-call", text="SEV1: checkout returns 5xx"),
    Brief(
        dispatch="dispatch-1",
        specialist="incident-responder",
        incident="Checkout returns 5xx",
        severity="SEV1",
        current_status="triage",
        request="Find the slow query.",
    ),
    StoreDocument(name="postmortem.md", content="# Checkout returned 5xx\n"),
    Invite(title="Retrospective: INC", text="Blameless.", at=datetime(2026, 3, 6, 14, 0, tzinfo=UTC), people=("ana", "zoe")),
)
"""One of each action but `find_on_call`, which changes nothing."""


def of_port(port: Port) -> tuple[Ask, ...]:
    return tuple(ask for ask in EXAMPLES if PORT_OF[ask.action] is port)


def delivery(ask: Ask, number: int = 1, *, incident: str = INCIDENT, drill: bool = False, at: datetime = AT) -> Delivery:
    return Delivery(incident=incident, key=f"{incident}:{number}", drill=drill, at=at, ask=ask)


def foreign(port: Port) -> Delivery:
    """A delivery that does not belong to the port."""
    return delivery(next(ask for ask in EXAMPLES if PORT_OF[ask.action] is not port))
