"""`/webhooks/github` and `/webhooks/jira`: a ticket that is closed there completes its action item here, at once.

What is posted goes the way of what is read back (`activities.read_back`), into the incident or, once that is closed, into its
follow-up, which hold it against what they know. So a post that comes twice, and one about our own closing, say nothing new.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from incident.drift import ReadBack, TicketShown
from integrations.ticketing.news import TicketNews, from_github, from_jira
from starter.calls import patiently
from starter.webhook_keys import Source
from workflows import contract

WITHIN = timedelta(seconds=10)

READERS: dict[Source, Callable[[Any, str], TicketNews | None]] = {"github": from_github, "jira": lambda body, _: from_jira(body)}


class TicketDesk:
    """Hands news of tickets on. `repository` is the one at GitHub that has ours, owner/name; empty where this door does not know it."""

    def __init__(self, client: Client, repository: str = "") -> None:
        self._client = client
        self._repository = repository

    async def take(self, source: Source, body: Any) -> dict[str, Any]:
        """Hand one post on; answers with what became of it.

        Raises:
            Unreachable, Busy: it may be posted again.
        """
        news = READERS[source](body, self._repository)
        if news is None:
            return {"ignored": "it is about no ticket of ours that was closed, opened again or deleted"}
        shown = TicketShown(ticket=news.seen.reference, state=news.seen.state)
        payload = ReadBack(system=news.vendor, tickets=(shown,)).model_dump(mode="json", exclude_none=True)
        told = [id for id in (news.incident, contract.follow_up_id(news.incident)) if await self._told(id, payload)]
        return {"told": told} if told else {"ignored": f"nothing of {news.incident} is open here"}

    async def _told(self, id: str, payload: dict[str, Any]) -> bool:
        handle = self._client.get_workflow_handle(id)

        async def call() -> None:
            await handle.signal(contract.READ_BACK, payload)

        try:
            await patiently(self._client, call, within=WITHIN)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return False
        return True
