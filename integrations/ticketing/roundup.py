"""Roundup, by its REST interface.

Our mark is a property of the issue class (`external_key`) that is the class's key: the tracker itself refuses a second issue with
it, also to two processes at the same moment. The schema needs two lines, see docs/integrations.md. A message is made first and
then hung on the issue together with the new status; one whose issue was never changed hangs nowhere and is seen by nobody.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import httpx2
from pydantic import SecretStr

from integrations.errors import NotFound, Rejected, Unavailable
from integrations.http import Answer, Http
from integrations.ticketing.tracker import Named, NewTicket, Standing, Ticket


class RoundupTracker:
    """One tracker."""

    settling = None
    """Its search is its database."""
    body_limit = 100_000

    def __init__(
        self,
        url: str,
        *,
        user: str,
        password: SecretStr,
        key_property: str,
        closed: Sequence[str],
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        basic = base64.b64encode(f"{user}:{password.get_secret_value()}".encode()).decode()
        parts = urlsplit(url)
        headers = {
            "Authorization": f"Basic {basic}",
            # Without these the tracker takes a change for one that a foreign page has smuggled in.
            "X-Requested-With": "rest",
            "Origin": f"{parts.scheme}://{parts.netloc}",
            "Referer": f"{url}/",
        }
        self.http = Http(
            "Roundup",
            f"{url}/rest",
            headers=headers,
            secrets=[password, SecretStr(basic)],
            setting="TOCSIN_ROUNDUP_PASSWORD",
            transport=transport,
        )
        self._url = url
        self._user = user
        self._key = key_property
        self._closed = tuple(closed)
        self._author: str | None = None

    async def find(self, mark: str, incident: str) -> Ticket | None:
        # The colon asks for the whole value, not for a part of it.
        params: dict[str, str | int] = {f"{self._key}:": mark, "@fields": "status", "@verbose": 2}
        answer = await self.http.call("GET", "/data/issue", params=params)
        found = answer.data["data"]["collection"]
        if not found:
            return None
        ticket = self._ticket(found[0]["id"], found[0].get("status"))
        return replace(ticket, text=await self._text(ticket))

    async def _text(self, ticket: Ticket) -> str | None:
        """What its first message says, which is what it was made with; None where somebody has taken that away."""
        first = await self._first(ticket)
        if first is None:
            return None
        # At 3 the tracker says what a message's file holds too.
        answer = await self.http.call("GET", f"/data/msg/{first}", params={"@verbose": 3})
        return str(answer.data["data"]["attributes"].get("content") or "")

    async def _first(self, ticket: Ticket) -> str | None:
        issue = await self.http.call("GET", f"/data/issue/{_id(ticket.reference)}")
        messages = issue.data["data"]["attributes"].get("messages") or []
        return min((str(each["id"]) for each in messages), key=int, default=None)

    async def standing(self, ticket: Ticket, mark: str) -> Standing:
        issue = await self.http.call("GET", f"/data/issue/{_id(ticket.reference)}")
        return Standing(issue.data["data"]["attributes"].get("title") or "", await self._text(ticket))

    async def reword(self, ticket: Ticket, new: NewTicket, *, title: bool = False, body: bool = True) -> None:
        if body:
            await self._reword_message(ticket, new)
        if title:
            before = await self._issue(ticket)
            await self._put_issue(ticket, before, {"title": new.title})

    async def comment(self, ticket: Ticket, note: str, key: str) -> bool:
        """The message carries the key where one that came by mail has its Message-ID."""
        found = await self.http.call("GET", "/data/msg", params={"messageid:": key})
        known = [str(each["id"]) for each in found.data["data"]["collection"]]
        before = await self._issue(ticket)
        held = _held(before)
        if any(id in held for id in known):
            return False
        message = known[0] if known else await self._message(note, key)
        await self._put_issue(ticket, before, {"messages": [*held, message]})
        return True

    async def _issue(self, ticket: Ticket) -> Answer:
        return await self.http.call("GET", f"/data/issue/{_id(ticket.reference)}")

    async def _put_issue(self, ticket: Ticket, before: Answer, change: Mapping[str, Any]) -> None:
        headers = {"If-Match": before.headers.get("etag", "")}
        answer = await self.http.call("PUT", f"/data/issue/{_id(ticket.reference)}", json=change, headers=headers, also={412})
        if answer.status == 412:
            raise Unavailable(f"Roundup: {ticket.reference} was changed by somebody else at the same moment")

    async def _reword_message(self, ticket: Ticket, new: NewTicket) -> None:
        first = await self._first(ticket)
        if first is None:
            raise Rejected(f"Roundup: {ticket.reference} has no message any more")
        message = f"/data/msg/{first}"
        before = await self.http.call("GET", message)
        answer = await self.http.call(
            "PUT", message, json={"content": new.body}, headers={"If-Match": before.headers.get("etag", "")}, also={412}
        )
        if answer.status == 412:
            raise Unavailable(f"Roundup: {ticket.reference} was changed by somebody else at the same moment")

    async def read(self, reference: str) -> Ticket | None:
        # By search: asked for itself, a deleted (retired) issue answers as if nothing had happened.
        params: dict[str, str | int] = {"id": _id(reference), "@fields": "status", "@verbose": 2}
        answer = await self.http.call("GET", "/data/issue", params=params)
        found = answer.data["data"]["collection"]
        return self._ticket(found[0]["id"], found[0].get("status")) if found else None

    async def create(self, new: NewTicket) -> Ticket:
        message = await self._message(new.body)
        issue = {"title": new.title, self._key: new.mark, "messages": [message]}
        answer = await self.http.call("POST", "/data/issue", json=issue, also={409})
        if answer.status != 409:
            return self._ticket(answer.data["data"]["id"], None)
        found = await self.find(new.mark, new.incident)
        if found is None:
            raise Rejected(f"Roundup: {answer.data['error']['msg']}")
        return found

    async def close(self, ticket: Ticket, note: str, key: str) -> None:
        message = await self._message(note)
        before = await self._issue(ticket)
        await self._put_issue(ticket, before, {"status": self._closed[0], "messages": [*_held(before), message]})

    async def _message(self, text: str, key: str | None = None) -> str:
        """Write a message that hangs nowhere yet. The tracker wants its author by id."""
        if self._author is None:
            account = await self.http.call("GET", "/data/user", params={"username:": self._user})
            found = account.data["data"]["collection"]
            if not found:
                raise NotFound(f"Roundup has no user {self._user}")
            self._author = str(found[0]["id"])
        message = {"content": text, "author": self._author, **({"messageid": key} if key is not None else {})}
        answer = await self.http.call("POST", "/data/msg", json=message)
        return str(answer.data["data"]["id"])

    async def naming(self, words: str, most: int) -> list[Named]:
        answer = await self.http.call("GET", "/data/status", params={"@fields": "name"})
        # -1 is an issue that has no status yet.
        going = ["-1", *(str(each["id"]) for each in answer.data["data"]["collection"] if each.get("name") not in self._closed)]
        params: dict[str, str | int] = {"title": words, "status": ",".join(going), "@fields": "title", "@sort": "-id", "@page_size": most}
        answer = await self.http.call("GET", "/data/issue", params=params)
        return [Named(int(each["id"]), f"issue{each['id']}", each.get("title") or "") for each in answer.data["data"]["collection"]]

    async def look(self) -> str:
        params: dict[str, str | int] = {f"{self._key}:": "tocsin.check", "@page_size": 1}
        await self.http.call("GET", "/data/issue", params=params)
        answer = await self.http.call("GET", "/data/status", params={"@fields": "name"})
        names = [each.get("name") for each in answer.data["data"]["collection"]]
        missing = [name for name in self._closed if name not in names]
        if missing:
            raise Rejected(f"Roundup has no status {', '.join(missing)}; it has {', '.join(map(str, names))}")
        return f"issues can be found by {self._key} at {self._url}"

    def _ticket(self, id: str, status: Mapping[str, Any] | None) -> Ticket:
        closed = (status or {}).get("name") in self._closed
        return Ticket(f"issue{id}", closed=closed, url=f"{self._url}/issue{id}")


def _held(issue: Answer) -> list[str]:
    """The messages that hang on an issue."""
    return [str(each["id"]) for each in issue.data["data"]["attributes"].get("messages") or []]


def _id(reference: str) -> str:
    return reference.removeprefix("issue")
