"""An incoming webhook: Mattermost's, or any that takes `{"text": …}` and answers `ok`.

It only posts. It makes no channels: an incident's messages go to the general channel, and the receipt of its opening says so. A
private incident is refused one, because there is no place that not everybody reads; the core then says no more of it than that it
exists.

It shows nothing of what it has taken. What it has accepted is recorded in our own ledger, and a repeat is recognised there; an
answer that was lost can't be looked for, and is told again with a word that it may be a repeat: twice is better than not at all.
Each message carries its key in the header `Idempotency-Key`, for receivers that can leave out what they have; it is not in the body,
since some chats refuse a field that they do not know.
"""

from __future__ import annotations

import json
import re

import httpx2
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncConnection

from incident.checkup import Checked
from incident.effects import Delivery, OpenChannel, Port, Post, Receipt
from integrations.chat.layout import Rooms, headline
from integrations.deliveries import asked, clipped
from integrations.errors import IntegrationError, Rejected
from integrations.http import SAID_LIMIT, Answer, Http, Unanswered, address_secrets
from integrations.ledger import Ledger, Told
from integrations.once import OneAtATime
from integrations.remedies import remedy

MESSAGE_LIMIT = 3_900
"""Characters; older Mattermost servers take 4,000."""

_LINK = re.compile(r"\](?=[(\[:])|<(?=[!@#a-z])", re.IGNORECASE)
"""What begins a link in Markdown, or in Slack's way of writing, which Mattermost reads as well."""

KEY_HEADER = "Idempotency-Key"

PERHAPS_AGAIN = "(again: the chat did not say whether it took this) "


class WebhookChat:
    """One address, and perhaps another one for the stakeholders."""

    def __init__(
        self,
        url: SecretStr,
        *,
        rooms: Rooms,
        ledger: Ledger,
        stakeholders_url: SecretStr | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._general = self._stakeholders = _hook(url, "TOCSIN_CHAT_WEBHOOK_URL", transport)
        if stakeholders_url is not None:
            self._stakeholders = _hook(stakeholders_url, "TOCSIN_CHAT_WEBHOOK_STAKEHOLDERS_URL", transport)
        self._rooms = rooms
        self._ledger = ledger
        self._one_at_a_time = OneAtATime()
        self._doubtful: set[str] = set()

    async def open_channel(self, delivery: Delivery) -> Receipt:
        ask = asked(delivery, OpenChannel)
        if ask.private:
            raise Rejected(f"A webhook makes no channels, and {self._rooms.general} is read by everybody: {delivery.incident} is private")
        text = f"{ask.topic}\nIts messages come here: this chat is told by a webhook, which makes no channels."
        note = f"a webhook makes no channels; {ask.name} is {self._rooms.general}"
        return await self._told(delivery, text, self._general, self._rooms.general, {"instead": note})

    async def post(self, delivery: Delivery) -> Receipt:
        ask = asked(delivery, Post)
        away = ask.room == "stakeholders"
        to = self._rooms.stakeholders if away and self._stakeholders is not self._general else self._rooms.general
        return await self._told(delivery, ask.text, self._stakeholders if away else self._general, to, {})

    async def _told(self, delivery: Delivery, text: str, hook: Http, to: str, detail: dict[str, str]) -> Receipt:
        receipt = Receipt(reference=f"{to}/{delivery.key}", channel=to, detail=detail)
        shown = self._rooms.message(delivery, text, MESSAGE_LIMIT)
        async with self._one_at_a_time.of(delivery.key):
            former = await self._ledger.former(Port.CHAT, delivery.key)
            if former is not None:
                return former.model_copy(update={"repeated": True})
            async with hook.one_ask():
                again = PERHAPS_AGAIN if delivery.key in self._doubtful or delivery.attempt > 1 else ""
                self._doubtful.add(delivery.key)
                try:
                    key = {KEY_HEADER: delivery.key}
                    _accepted(await hook.call("POST", "", json={"text": markdown(shown, again)}, headers=key, raw=True))
                except Unanswered:
                    raise
                except IntegrationError:
                    # It has said that it did not take it.
                    self._doubtful.discard(delivery.key)
                    raise

            async def record(_: AsyncConnection) -> Told:
                return Told(to=to, text=shown, receipt=receipt, detail={"channel": to, **detail})

            recorded = await self._ledger.once(Port.CHAT, delivery, record)
            self._doubtful.discard(delivery.key)
            return recorded

    async def check(self) -> Checked:
        name = "chat: webhook"
        try:
            async with self._general.one_ask():
                # A webhook may well refuse to be read; what sends us elsewhere, or wants to know who we are, is none.
                await self._general.call("GET", "", raw=True, also={400, 404, 405, 406, 411, 415, 422})
        except IntegrationError as error:
            refused = "Copy the webhook's whole address into TOCSIN_CHAT_WEBHOOK_URL; what stands before it must ask for no sign-in."
            fix = remedy(error, "the webhook's server", "TOCSIN_CHAT_WEBHOOK_URL", refused)
            return Checked(name=name, ok=False, detail=str(error), fix=fix)
        return Checked(name=name, ok=True, detail="the address answers; whether it takes messages, only a message could show")

    async def close(self) -> None:
        """Let go of the connections."""
        await self._general.close()
        await self._stakeholders.close()


def markdown(text: str, before: str = "") -> str:
    """The first line in bold; links and calls in foreign text are broken."""
    safe = _LINK.sub("\\g<0>\u200b", text)
    first, rest = headline(safe)
    # A bold run ends at the first two stars; what stands there by itself must not end it.
    bold = f"**{before}{first.replace('**', '')}**"
    return f"{bold}\n\n{rest}" if rest else bold


def _accepted(answer: Answer) -> None:
    """Take an empty answer, `ok`, or JSON for a yes; a web page is none."""
    said = str(answer.data).strip()
    if said.lower() in ("", "ok"):
        return
    try:
        json.loads(said)
    except ValueError:
        raise Unanswered(f"The webhook answered POST with {answer.status} and neither ok nor JSON: {clipped(said, SAID_LIMIT)}") from None


def _hook(url: SecretStr, setting: str, transport: httpx2.AsyncBaseTransport | None) -> Http:
    return Http("The webhook", url.get_secret_value(), secrets=address_secrets(url), setting=setting, transport=transport)
