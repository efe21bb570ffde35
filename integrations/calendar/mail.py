"""Invitations by e-mail: one iCalendar request (RFC 5545, 5546) to all who were in the incident.

The event has the same UID for every invitation of an incident and a SEQUENCE that grows with each, so that calendars move the meeting
instead of making another. A repeat is recognised by its key in the memory; a mail whose acceptance got lost has the same Message-ID,
UID and SEQUENCE, and leaves one meeting.
"""

from __future__ import annotations

from datetime import timedelta
from email.message import EmailMessage

import icalendar

from incident.checkup import Checked
from incident.effects import Delivery, Invite, Receipt
from integrations.deliveries import asked, clipped, marked
from integrations.errors import NotFound
from integrations.http import Unanswered
from integrations.mail import Mailer
from integrations.oncall.people import Directory, is_address
from integrations.once import OneAtATime
from integrations.paging.memory import Asked, PageMemory

NAME = "calendar"
"""The memory's word for it, beside the pagers'."""

SUMMARY_LIMIT = 200


class MailedInvitations:
    """Invites by mail. Who has no address in the rota's `[people]` is named in the receipt."""

    def __init__(self, mailer: Mailer, people: Directory, memory: PageMemory, *, public_url: str) -> None:
        self._mailer = mailer
        self._people = people
        self._memory = memory
        self._public_url = public_url
        self._one_at_a_time = OneAtATime()

    async def invite(self, delivery: Delivery) -> Receipt:
        ask = asked(delivery, Invite)
        async with self._one_at_a_time.of(delivery.key):
            before = (await self._memory.of(delivery.key)).get(NAME, Asked())
            if before.receipt is not None:
                return before.receipt.model_copy(update={"repeated": True})
            addresses, unknown = await self._addresses(ask)
            if not addresses:
                raise NotFound(f"nobody of {', '.join(unknown) or 'this incident'} has an e-mail address in the rota's [people]")
            uid = f"{delivery.incident}-retrospective@{self._mailer.domain}"
            try:
                refused = await self._mailer.send(self._message(delivery, ask, addresses, uid), *addresses)
            except Unanswered:
                await self._memory.keep(delivery.key, NAME, Asked(before.unanswered + 1))
                raise
            missed = {"not_invited": [*unknown, *refused]} if unknown or refused else {}
            receipt = Receipt(reference=uid, detail=missed)
            await self._memory.keep(delivery.key, NAME, Asked(before.unanswered, receipt))
            return receipt.model_copy(update={"repeated": before.unanswered > 0})

    async def _addresses(self, ask: Invite) -> tuple[list[str], list[str]]:
        addresses: list[str] = []
        unknown: list[str] = []
        for person in ask.people:
            address = person if is_address(person) else await self._people.email_of(person)
            if address is None:
                unknown.append(person)
            elif address not in addresses:
                addresses.append(address)
        return addresses, unknown

    def _message(self, delivery: Delivery, ask: Invite, addresses: list[str], uid: str) -> EmailMessage:
        summary = clipped(marked(delivery, " ".join(ask.title.split())), SUMMARY_LIMIT)
        room = f"{self._public_url}/incidents/{delivery.incident}"
        text = f"{summary}\n{ask.at:%Y-%m-%d %H:%M} UTC\n\n{ask.text}\n\n{room}\n"
        message = self._mailer.message(key=delivery.key, to=", ".join(addresses), subject=summary, text=text, thread=delivery.incident)
        event = icalendar.Event()
        event.add("uid", uid)
        event.add("sequence", _number(delivery.key))
        event.add("dtstamp", delivery.at)
        event.add("dtstart", ask.at)
        event.add("dtend", ask.at + timedelta(minutes=ask.minutes))
        event.add("summary", summary)
        event.add("description", f"{ask.text}\n\n{room}")
        event.add("url", room)
        event.add("organizer", icalendar.vCalAddress(f"mailto:{self._mailer.sender}"))
        for address in addresses:
            attendee = icalendar.vCalAddress(f"mailto:{address}")
            attendee.params["role"] = icalendar.vText("REQ-PARTICIPANT")
            attendee.params["rsvp"] = icalendar.vText("TRUE")
            event.add("attendee", attendee, encode=False)
        calendar = icalendar.Calendar()
        calendar.add("prodid", "-//Tocsin//EN")
        calendar.add("version", "2.0")
        calendar.add("method", "REQUEST")
        calendar.add_component(event)
        message.add_alternative(calendar.to_ical().decode(), subtype="calendar", params={"method": "REQUEST"})
        return message

    async def check(self) -> Checked:
        return await self._mailer.check("calendar: e-mail")


def _number(key: str) -> int:
    """The effect's number, which grows with every invitation of an incident."""
    number = key.rpartition(":")[2]
    return int(number) if number.isdecimal() else 0
