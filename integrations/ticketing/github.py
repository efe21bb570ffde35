"""GitHub Issues, on github.com or an Enterprise Server.

Our mark is a comment in the issue's body that readers do not see, and the incident's id is a label, so that few issues have to be
looked through. GitHub leaves labels out without a word where the token may not set them; such an issue could not be found again,
so that is an error. Our closing comment carries its key in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx2
from pydantic import SecretStr

from integrations.errors import NotFound, Rejected, Unauthorized
from integrations.http import Http
from integrations.ticketing.tracker import Named, NewTicket, Standing, Ticket

API_VERSION = "2022-11-28"
PAGE = 100
PAGES = 10
"""An incident with more than a thousand tickets, or a ticket with more than a thousand comments, is no incident."""


class GitHubTracker:
    """One repository."""

    settling = timedelta(seconds=5)
    body_limit = 60_000
    """GitHub takes 65,536 characters."""

    def __init__(self, url: str, *, token: SecretStr, repository: str, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        headers = {
            "Authorization": f"Bearer {token.get_secret_value()}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": API_VERSION,
        }
        self.http = Http("GitHub", url, headers=headers, secrets=[token], setting="TOCSIN_GITHUB_TOKEN", transport=transport)
        self._repository = repository
        self._repo = f"/repos/{repository}"

    async def find(self, mark: str, incident: str) -> Ticket | None:
        for page in range(1, PAGES + 1):
            params: dict[str, str | int] = {"labels": _label(incident), "state": "all", "direction": "asc", "per_page": PAGE, "page": page}
            answer = await self.http.call("GET", f"{self._repo}/issues", params=params)
            for issue in answer.data:
                text, ours, _ = (issue.get("body") or "").partition(_hidden(mark))
                if ours:
                    return replace(_ticket(issue), text=text)
            if len(answer.data) < PAGE:
                return None
        raise Rejected(f"GitHub: more than {PAGE * PAGES} issues of {self._repository} have the label {_label(incident)}")

    async def read(self, reference: str) -> Ticket | None:
        try:
            answer = await self.http.call("GET", f"{self._repo}/issues/{_number(reference)}")
        except NotFound:
            return None
        return _ticket(answer.data)

    async def create(self, new: NewTicket) -> Ticket:
        label = _label(new.incident)
        # 422: it is there already.
        await self.http.call("POST", f"{self._repo}/labels", json={"name": label, "color": "b60205"}, also={422})
        issue = {"title": new.title, "body": f"{new.body}\n\n{_hidden(new.mark)}", "labels": [label]}
        answer = await self.http.call("POST", f"{self._repo}/issues", json=issue)
        if label not in [each if isinstance(each, str) else each.get("name") for each in answer.data.get("labels") or []]:
            raise Unauthorized(
                f"GitHub took issue {answer.data.get('number')} but left its label out: the token may not set labels on "
                f"{self._repository}. Give it Issues: read and write, and the label {label} to the issue"
            )
        return _ticket(answer.data)

    async def standing(self, ticket: Ticket, mark: str) -> Standing:
        issue = (await self.http.call("GET", f"{self._repo}/issues/{_number(ticket.reference)}")).data
        text, ours, _ = (issue.get("body") or "").partition(_hidden(mark))
        return Standing(issue["title"], text if ours else None)

    async def reword(self, ticket: Ticket, new: NewTicket, *, title: bool = False, body: bool = True) -> None:
        issue = f"{self._repo}/issues/{_number(ticket.reference)}"
        change = {"title": new.title} if title else {}
        if body:
            before = await self.http.call("GET", issue)
            _, ours, after = (before.data.get("body") or "").partition(_hidden(new.mark))
            change["body"] = f"{new.body}\n\n{ours or _hidden(new.mark)}{after}"
        await self.http.call("PATCH", issue, json=change)

    async def comment(self, ticket: Ticket, note: str, key: str) -> bool:
        issue = f"{self._repo}/issues/{_number(ticket.reference)}"
        if await self._commented(issue, key):
            return False
        await self.http.call("POST", f"{issue}/comments", json={"body": f"{note}\n\n{_hidden(key)}"})
        return True

    async def close(self, ticket: Ticket, note: str, key: str) -> None:
        await self.comment(ticket, note, key)
        issue = f"{self._repo}/issues/{_number(ticket.reference)}"
        await self.http.call("PATCH", issue, json={"state": "closed", "state_reason": "completed"})

    async def _commented(self, issue: str, key: str) -> bool:
        for page in range(1, PAGES + 1):
            answer = await self.http.call("GET", f"{issue}/comments", params={"per_page": PAGE, "page": page})
            if any(_hidden(key) in (each.get("body") or "") for each in answer.data):
                return True
            if len(answer.data) < PAGE:
                return False
        return False

    async def naming(self, words: str, most: int) -> list[Named]:
        query = f'repo:{self._repository} is:issue is:open in:title,body "{words}"'
        params: dict[str, str | int] = {"q": query, "sort": "created", "order": "desc", "per_page": most}
        answer = await self.http.call("GET", "/search/issues", params=params)
        return [Named(each["number"], f"#{each['number']}", each["title"]) for each in answer.data["items"]]

    async def look(self) -> str:
        await self.http.call("GET", f"{self._repo}/issues", params={"per_page": 1})
        return f"the issues of {self._repository} can be read"


def _label(incident: str) -> str:
    return incident[:50]


def _hidden(mark: str) -> str:
    return f"<!-- {mark} -->"


def _number(reference: str) -> str:
    return reference.removeprefix("#")


def _ticket(issue: Mapping[str, Any]) -> Ticket:
    return Ticket(f"#{issue['number']}", closed=issue["state"] == "closed", url=issue["html_url"])
