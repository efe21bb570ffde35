"""Redmine, by its REST interface.

Our mark stands in a custom field of the issues (text, "used as a filter"), by which they are found. Closing is one change, the
note with the status, so that there is no half of it. Redmine passes over a status that its workflow does not allow, without a
word: the ticket is read again after the change.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx2
from pydantic import SecretStr

from integrations.errors import NotFound, Rejected
from integrations.http import Http
from integrations.ticketing.tracker import Named, NewTicket, Standing, Ticket


class RedmineTracker:
    """One project of one server."""

    settling = None
    """Its search is its database."""
    body_limit = 15_000
    """A column of 64 kB on MySQL; a character takes up to four bytes."""

    def __init__(
        self,
        url: str,
        *,
        key: SecretStr,
        project: str,
        key_field: int,
        closed_status: int | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        headers = {"X-Redmine-API-Key": key.get_secret_value()}
        self.http = Http("Redmine", url, headers=headers, secrets=[key], setting="TOCSIN_REDMINE_KEY", transport=transport)
        self._url = url
        self._project = project
        self._key_field = key_field
        self._closed_status = closed_status
        self._closed: frozenset[int] | None = None

    async def find(self, mark: str, incident: str) -> Ticket | None:
        params: dict[str, str | int] = {f"cf_{self._key_field}": mark, "status_id": "*", "sort": "id", "limit": 1}
        answer = await self.http.call("GET", "/issues.json", params=params)
        if not answer.data["issues"]:
            return None
        issue = answer.data["issues"][0]
        if mark not in [each.get("value") for each in issue.get("custom_fields") or []]:
            raise Rejected(
                f"Redmine does not search by custom field {self._key_field}: tick 'Used as a filter' there, and 'For all projects'"
            )
        return await self._ticket(issue)

    async def read(self, reference: str) -> Ticket | None:
        try:
            answer = await self.http.call("GET", f"/issues/{_id(reference)}.json")
        except NotFound:
            return None
        return await self._ticket(answer.data["issue"])

    async def create(self, new: NewTicket) -> Ticket:
        issue = {
            "project_id": self._project,
            "subject": new.title,
            "description": new.body,
            "custom_fields": [{"id": self._key_field, "value": new.mark}],
        }
        answer = await self.http.call("POST", "/issues.json", json={"issue": issue})
        made = answer.data["issue"]
        if new.mark not in [each.get("value") for each in made.get("custom_fields") or []]:
            raise Rejected(
                f"Redmine took issue #{made['id']} without custom field {self._key_field}: allow the field in the project's tracker"
            )
        return await self._ticket(made)

    async def standing(self, ticket: Ticket, mark: str) -> Standing:
        issue = (await self.http.call("GET", f"/issues/{_id(ticket.reference)}.json")).data["issue"]
        return Standing(issue.get("subject") or "", issue.get("description") or "")

    async def reword(self, ticket: Ticket, new: NewTicket, *, title: bool = False, body: bool = True) -> None:
        change = ({"subject": new.title} if title else {}) | ({"description": new.body} if body else {})
        await self.http.call("PUT", f"/issues/{_id(ticket.reference)}.json", json={"issue": change})

    async def comment(self, ticket: Ticket, note: str, key: str) -> bool:
        """Its key stands under the note for all to see: a note has no other place for one."""
        path = f"/issues/{_id(ticket.reference)}.json"
        answer = await self.http.call("GET", path, params={"include": "journals"})
        if any((each.get("notes") or "").endswith(key) for each in answer.data["issue"].get("journals") or []):
            return False
        await self.http.call("PUT", path, json={"issue": {"notes": f"{note}\n\n{key}"}})
        return True

    async def close(self, ticket: Ticket, note: str, key: str) -> None:
        status = self._closed_status or min(await self._closed_statuses(), default=None)
        if status is None:
            raise Rejected("Redmine has no status that closes an issue")
        change = {"issue": {"status_id": status, "notes": note}}
        await self.http.call("PUT", f"/issues/{_id(ticket.reference)}.json", json=change)
        after = await self.read(ticket.reference)
        if after is not None and not after.closed:
            raise Rejected(
                f"Redmine has the note on {ticket.reference} but did not close it: its workflow allows this account no status {status}"
            )

    async def naming(self, words: str, most: int) -> list[Named]:
        params: dict[str, str | int] = {
            "project_id": self._project,
            "status_id": "open",
            "subject": f"~{words}",
            "sort": "id:desc",
            "limit": most,
        }
        answer = await self.http.call("GET", "/issues.json", params=params)
        return [Named(each["id"], f"#{each['id']}", each.get("subject") or "") for each in answer.data["issues"]]

    async def look(self) -> str:
        await self.http.call("GET", f"/projects/{self._project}.json")
        account = await self.http.call("GET", "/users/current.json")
        await self.find("tocsin.check", "")
        return f"{account.data['user'].get('login', 'somebody')} sees project {self._project} at {self._url}"

    async def _closed_statuses(self) -> frozenset[int]:
        if self._closed is None:
            answer = await self.http.call("GET", "/issue_statuses.json")
            self._closed = frozenset(each["id"] for each in answer.data["issue_statuses"] if each.get("is_closed"))
        return self._closed

    async def _ticket(self, issue: Mapping[str, Any]) -> Ticket:
        status = issue.get("status") or {}
        # Older servers do not say is_closed with the issue.
        closed = status["is_closed"] if "is_closed" in status else status.get("id") in await self._closed_statuses()
        return Ticket(f"#{issue['id']}", closed=bool(closed), url=f"{self._url}/issues/{issue['id']}", text=issue.get("description") or "")


def _id(reference: str) -> str:
    return reference.removeprefix("#")
