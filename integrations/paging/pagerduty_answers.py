"""What becomes of our pages at PagerDuty, as its webhooks (version 3) tell it, and who its users are, by its REST API.

A page of ours is an incident there. It is known by its `incident_key`, which is our page's key where PagerDuty keeps it. Where it
keeps none, it is known by its title, which begins as the first line of our pages does. Whatever is about a page of ours is no alert
from monitoring: taken for one, it would open an incident that pages, and that page would open the next. An incident that has another
key is somebody else's, whatever its title names: taken for ours, its alert would be lost.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import httpx2
from pydantic import SecretStr

from incident.channels import CHANNELS
from integrations.deliveries import DRILL_MARK, clipped
from integrations.http import Http

What = Literal["acknowledged", "resolved", "reassigned", "other"]

WHAT: dict[str, What] = {
    "incident.acknowledged": "acknowledged",
    "incident.resolved": "resolved",
    "incident.reassigned": "reassigned",
    "incident.delegated": "reassigned",
    "incident.escalated": "reassigned",
}

NOTE_LIMIT = 20_000

_KEY = re.compile(rf"(INC-\d{{4}}-\d{{4,}}):(?:page-\d+\.)?\d+|({CHANNELS}):\w+@\S+")
"""Our keys: a page of an incident (`workflows.paging`, the outbox), and a reminder of a channel that is paused."""

_FIRST_LINE = re.compile(rf"(?:{re.escape(DRILL_MARK)})?(?:(?:(?:presumed )?SEV\d|not declared) )?(INC-\d{{4}}-\d{{4,}}): ")
"""How each of our pages begins (`incident.messages`)."""

_PERSON = frozenset({"user", "user_reference"})


@dataclass(frozen=True)
class PageAnswer:
    """One thing that happened to a page of ours. `user` is the id of who did it there, None where it was no person."""

    event: str
    what: What
    kind: str
    incident: str
    there: str
    user: str | None
    user_name: str
    asked: tuple[str, ...]
    """Who is asked there now."""


def answer_of(body: Any) -> PageAnswer | None:
    """Read a post; None where it is about something else, or is no event at all."""
    event = body.get("event") if isinstance(body, Mapping) else None
    data = event.get("data") if isinstance(event, Mapping) else None
    if not isinstance(event, Mapping) or not isinstance(data, Mapping):
        return None
    kind = event.get("event_type")
    if not isinstance(kind, str) or not kind.startswith("incident."):
        return None
    found = _ours(data)
    if found is None:
        return None
    incident, sure = found
    agent = event.get("agent")
    person = isinstance(agent, Mapping) and agent.get("type") in _PERSON
    assignees = data.get("assignees")
    return PageAnswer(
        event=_text(event, "id")[:150],
        # Nobody acknowledges a reminder, nor what only looks like a page of ours; all that counts is that it is no alert.
        what=WHAT.get(kind, "other") if sure and incident != CHANNELS else "other",
        kind=kind[:60],
        incident=incident,
        there=_text(data, "id")[:60],
        user=_text(agent, "id")[:60] if person else None,
        user_name=_text(agent, "summary")[:100] if person else "",
        asked=tuple(_text(each, "summary")[:100] for each in assignees[:10]) if isinstance(assignees, list) else (),
    )


def _ours(data: Mapping[str, Any]) -> tuple[str, bool] | None:
    """What a page of ours is of, and whether that is sure; None where it is somebody else's.

    One that begins as ours do, under a key that is not ours, may be ours under a key that was given it there (alert
    grouping does): taken for an alert, it would open an incident, whose page would open the next. Nobody acts on its word.
    """
    by_key = _KEY.fullmatch(_text(data, "incident_key"))
    found = by_key or _FIRST_LINE.match(_text(data, "title"))
    if found is None:
        return None
    return next(filter(None, found.groups())), by_key is not None or data.get("incident_key") in (None, "")


class PagerDutyUsers:
    """PagerDuty's REST API, with a key of its own: who a user is, and a word on an incident there."""

    def __init__(self, url: str, *, token: SecretStr, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        headers = {"Authorization": f"Token token={token.get_secret_value()}", "Accept": "application/vnd.pagerduty+json;version=2"}
        self.http = Http("PagerDuty", url, headers=headers, secrets=[token], transport=transport)

    async def address_of(self, user: str) -> str | None:
        """The user's e-mail address; None where the user is gone."""
        if re.fullmatch(r"[A-Z0-9]+", user) is None:
            return None
        async with self.http.one_ask():
            answer = await self.http.call("GET", f"/users/{user}", headers={"Content-Type": "application/json"}, also={404})
        found = _text(answer.data.get("user"), "email") if isinstance(answer.data, Mapping) and answer.status == 200 else ""
        return found or None

    async def say(self, incident: str, text: str, address: str) -> None:
        """Write a note on an incident there, in the name of the user with this address."""
        if re.fullmatch(r"[A-Z0-9]+", incident) is None:
            return
        async with self.http.one_ask():
            note = {"note": {"content": clipped(text, NOTE_LIMIT)}}
            await self.http.call("POST", f"/incidents/{incident}/notes", json=note, headers={"From": address})

    async def close(self) -> None:
        """Let go of the connections."""
        await self.http.close()


def _text(of: Any, name: str) -> str:
    found = of.get(name) if isinstance(of, Mapping) else None
    return found if isinstance(found, str) else ""
