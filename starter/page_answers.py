"""What people do with our pages at PagerDuty: an acknowledgement there is one here, in that person's name.

| there | here |
|---|---|
| acknowledged by a person | `acknowledge`, by that person; by somebody whom nobody has named, a note with what to do |
| resolved by a person | a note with the way forward, also written there: the page is over, the incident is not |
| reassigned, delegated, escalated | a note of who is asked now |
| anything that no person did | nothing: our own answer to an acknowledgement comes back like that, and ends there |

PagerDuty decides who answers its pages, as a mail's link does, so that is the whole permission: to acknowledge, and nothing else. It
holds only for a post with PagerDuty's signature; a token that several machines share lets nobody act in a person's name. An event
that comes again is the same command.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from incident.vocabulary import Access, Via
from integrations.errors import IntegrationError
from integrations.oncall.people import Directory
from integrations.paging.pagerduty_answers import PageAnswer, PagerDutyUsers
from starter import privacy
from starter.desk import Desk
from starter.identity.actor import Actor, acting, as_a_name
from starter.problems import UnknownIncident

log = structlog.get_logger("tocsin.paging")

VENDOR = "PagerDuty"


@dataclass(frozen=True)
class PageAnswerers:
    """Who is who at PagerDuty: `people` by its user ids or by address, `directory` the rota's addresses; `users` its own word on them."""

    people: Mapping[str, str] = field(default_factory=dict)
    directory: Directory | None = None
    users: PagerDutyUsers | None = None


class PageAnswers:
    """Carries out what PagerDuty tells of our pages."""

    def __init__(self, desk: Desk, who: PageAnswerers) -> None:
        self._desk = desk
        self._who = who
        self._people = {key.casefold(): name for key, name in who.people.items()}

    async def take(self, answer: PageAnswer, *, signed: bool) -> dict[str, Any]:
        """Carry one out; answers with what came of it.

        Raises:
            Unreachable, NoWorker, Busy: PagerDuty posts it again.
        """
        if answer.what == "other" or answer.user is None:
            return {"ignored": f"{answer.kind} of a page of {answer.incident}, which changes nothing here"}
        if not signed:
            log.warning("an answer to a page is not signed by PagerDuty; give [pagerduty] an hmac in TOCSIN_WEBHOOKS", kind=answer.kind)
            return {"ignored": "whoever acts in a person's name needs PagerDuty's signature: give [pagerduty] an hmac in TOCSIN_WEBHOOKS"}
        address = await self._address(answer.user)
        person = await self._person(answer.user, address)
        try:
            if answer.what == "acknowledged" and person is not None:
                return await self._ask(answer, person, "acknowledge", {})
            text = _note(answer, person)
            told = await self._ask(answer, person or VENDOR, "note", {"text": text})
        except UnknownIncident:
            return {"ignored": f"there is no incident {answer.incident} here"}
        if answer.what == "resolved":
            await self._say_there(answer, text, address)
        return told | {"detail": text}

    async def _ask(self, answer: PageAnswer, by: str, verb: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        actor = Actor(by, frozenset({Access.RESPONDER}), Via.WEBHOOK)
        with acting(actor), privacy.looking(privacy.EVERYBODY):
            return await self._desk.command(answer.incident, verb, fields, f"pagerduty:{answer.event}")

    async def _address(self, user: str) -> str | None:
        if self._who.users is None:
            return None
        try:
            return await self._who.users.address_of(user)
        except IntegrationError as error:
            # Who it was may be known by the id all the same; and somebody has answered, which is worth a note.
            log.warning("PagerDuty does not say who somebody is", error=str(error))
            return None

    async def _person(self, user: str, address: str | None) -> str | None:
        named = self._people.get(user.casefold()) or (self._people.get(address.casefold()) if address else None)
        if named is None and address and self._who.directory is not None:
            try:
                named = await self._who.directory.name_of(address)
            except IntegrationError as error:
                log.warning("the rota can't be read", error=str(error))
        return as_a_name(named)

    async def _say_there(self, answer: PageAnswer, text: str, address: str | None) -> None:
        if self._who.users is None or address is None:
            return
        try:
            await self._who.users.say(answer.there, text, address)
        except IntegrationError as error:
            log.warning("PagerDuty did not take a note", error=str(error))


def _note(answer: PageAnswer, person: str | None) -> str:
    who = person or answer.user_name or "somebody"
    match answer.what:
        case "acknowledged":
            return (
                f"{who} has acknowledged the page in PagerDuty, and Tocsin does not know who that is: it goes on to page. Acknowledge with "
                f"tocsin ack {answer.incident}, and add {answer.user} to TOCSIN_PAGERDUTY_PEOPLE."
            )
        case "resolved":
            return (
                f"{who} has resolved the page in PagerDuty. That ends the page there, and not {answer.incident}. Acknowledge it with "
                f"tocsin ack {answer.incident}; what comes next, up to its own end, says tocsin next {answer.incident}."
            )
        case _:
            now = ", ".join(filter(None, answer.asked)) or "nobody"
            return f"In PagerDuty, {who} has had the page go to somebody else ({answer.kind}): it asks {now} now."
