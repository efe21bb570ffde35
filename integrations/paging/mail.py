"""Pages by e-mail: plain text whose first line says how bad, what, and what is asked; that is also the subject.

Mail servers do not recognise repeats. A page has the same Message-ID for every attempt, by which most mailboxes show it once; one
that does not shows a page twice whose acceptance got lost on the way.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from incident.checkup import Checked
from incident.effects import Delivery, Page, Receipt
from integrations.deliveries import address, asked, clipped, marked
from integrations.errors import NotFound
from integrations.mail import Mailer
from integrations.oncall.people import Directory, is_address
from integrations.paging.links import AckLinks, Paged
from integrations.paging.replies import ReplyAddresses

SUBJECT_LIMIT = 200
TEXT_LIMIT = 100_000


def _now() -> datetime:
    return datetime.now(UTC)


class EmailPager:
    """Pages by mail. Addresses stand in the rota's `[people]`; somebody who is named by an address is reached there.

    `replies`: where answers to a page come in, which acknowledge it.
    """

    name = "email"

    def __init__(
        self,
        mailer: Mailer,
        people: Directory,
        links: AckLinks,
        *,
        replies: ReplyAddresses | None = None,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self._mailer = mailer
        self._people = people
        self._links = links
        self._replies = replies
        self._clock = clock

    async def page(self, delivery: Delivery) -> Receipt:
        ask = asked(delivery, Page)
        to = await self._address(ask.to)
        text = clipped(marked(delivery, ask.text), TEXT_LIMIT)
        message = self._mailer.message(
            key=delivery.key,
            to=to,
            subject=clipped(text.partition("\n")[0], SUBJECT_LIMIT),
            text=f"{text}\n\n{self._footer(delivery, ask)}\n",
            thread=delivery.incident,
        )
        if ask.urgency == "high":
            message["Importance"] = "high"
            if self._replies is not None:
                message["Reply-To"] = self._replies.address_for(Paged(delivery.incident, ask.to, delivery.key), self._clock())
                # Exchange and those after it answer no such mail by themselves.
                message["X-Auto-Response-Suppress"] = "All"
        await self._mailer.send(message, to)
        return Receipt(reference=self._mailer.message_id(delivery.key), person=ask.to, role=ask.role)

    def _footer(self, delivery: Delivery, ask: Page) -> str:
        lines = [f"You are asked as {ask.role}.", f"{delivery.incident}: {address(self._links.public_url, delivery.incident)}"]
        if ask.urgency == "high":
            link = self._links.link(Paged(delivery.incident, ask.to, delivery.key), self._clock())
            answer = ["Or answer this mail with: ack"] if self._replies is not None else []
            lines = [f"Acknowledge (opens a page with one button): {link}", *answer, *lines]
        return "\n".join(lines)

    async def _address(self, person: str) -> str:
        if is_address(person):
            return person
        found = await self._people.email_of(person)
        if found is None:
            raise NotFound(f'no e-mail address for {person}: add [people."{person}"] with email = "…" to the rota')
        return found

    async def check(self) -> Checked:
        return await self._mailer.check("paging: e-mail")
