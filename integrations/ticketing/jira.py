"""Jira Cloud, REST API version 3.

Our mark is a label, which JQL finds; the issue also carries it as an entity property. Jira's search lags behind by seconds, so a
creation whose answer was lost is looked for only after `settling`. Our comment carries its key as a property and is looked for
before it is written again. A ticket is closed by whichever transition leads to a status of the category "done".
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx2
from pydantic import SecretStr

from integrations.errors import NotFound, Rejected
from integrations.http import Http
from integrations.ticketing.tracker import Named, NewTicket, Standing, Ticket

PROPERTY = "tocsin"
"""The key of the entity properties on our issues and comments."""

PAGE = 100
"""Comments that one answer holds."""


class JiraTracker:
    """One project of one site."""

    settling = timedelta(seconds=20)
    body_limit = 30_000
    """Jira takes 32,767 characters of a description or comment."""

    def __init__(
        self,
        url: str,
        *,
        user: str,
        token: SecretStr,
        project: str,
        issue_type: str,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        basic = base64.b64encode(f"{user}:{token.get_secret_value()}".encode()).decode()
        headers = {"Authorization": f"Basic {basic}"}
        self.http = Http("Jira", url, headers=headers, secrets=[token, SecretStr(basic)], setting="TOCSIN_JIRA_TOKEN", transport=transport)
        self._url = url
        self._project = project
        self._issue_type = issue_type

    async def find(self, mark: str, incident: str) -> Ticket | None:
        jql = f'project = "{self._project}" AND labels = "{mark}" ORDER BY created ASC'
        answer = await self.http.call(
            "POST", "/rest/api/3/search/jql", json={"jql": jql, "fields": ["status", "description"], "maxResults": 1}
        )
        issues = answer.data.get("issues") or []
        if not issues:
            return None
        return replace(self._ticket(issues[0]), text=_text((issues[0].get("fields") or {}).get("description")))

    async def read(self, reference: str) -> Ticket | None:
        try:
            answer = await self.http.call("GET", f"/rest/api/3/issue/{reference}", params={"fields": "status"})
        except NotFound:
            return None
        return self._ticket(answer.data)

    async def create(self, new: NewTicket) -> Ticket:
        fields = {
            "project": {"key": self._project},
            "issuetype": {"name": self._issue_type},
            "summary": new.title,
            "description": _document(new.body),
            "labels": [new.mark, "tocsin"],
        }
        properties = [{"key": PROPERTY, "value": {"mark": new.mark, "incident": new.incident}}]
        answer = await self.http.call("POST", "/rest/api/3/issue", json={"fields": fields, "properties": properties})
        return Ticket(answer.data["key"], closed=False, url=f"{self._url}/browse/{answer.data['key']}")

    async def standing(self, ticket: Ticket, mark: str) -> Standing:
        answer = await self.http.call("GET", f"/rest/api/3/issue/{ticket.reference}", params={"fields": "summary,description"})
        fields = answer.data.get("fields") or {}
        return Standing(fields.get("summary") or "", _text(fields.get("description")))

    async def reword(self, ticket: Ticket, new: NewTicket, *, title: bool = False, body: bool = True) -> None:
        fields: dict[str, Any] = {"summary": new.title} if title else {}
        fields |= {"description": _document(new.body)} if body else {}
        await self.http.call("PUT", f"/rest/api/3/issue/{ticket.reference}", json={"fields": fields})

    async def comment(self, ticket: Ticket, note: str, key: str) -> bool:
        issue = f"/rest/api/3/issue/{ticket.reference}"
        if await self._commented(issue, key):
            return False
        comment = {"body": _document(note), "properties": [{"key": PROPERTY, "value": {"key": key}}]}
        await self.http.call("POST", f"{issue}/comment", json=comment)
        return True

    async def close(self, ticket: Ticket, note: str, key: str) -> None:
        issue = f"/rest/api/3/issue/{ticket.reference}"
        await self.comment(ticket, note, key)
        found = await self.http.call("GET", f"{issue}/transitions")
        leading = [each for each in found.data.get("transitions") or [] if _done(each.get("to") or {})]
        if not leading:
            raise Rejected(
                f"Jira: no transition of {ticket.reference} leads to a status of the category done for this account; "
                "allow one in the project's workflow"
            )
        await self.http.call("POST", f"{issue}/transitions", json={"transition": {"id": leading[0]["id"]}})

    async def _commented(self, issue: str, key: str) -> bool:
        """Whether a comment carries the key. The newest are read first: a repeat comes soon after, as a rule."""
        seen, total = 0, 1
        while seen < total:
            params: dict[str, str | int] = {"expand": "properties", "orderBy": "-created", "startAt": seen, "maxResults": PAGE}
            found = await self.http.call("GET", f"{issue}/comment", params=params)
            comments = found.data.get("comments") or []
            told = (each for comment in comments for each in comment.get("properties") or [])
            if any(each.get("key") == PROPERTY and (each.get("value") or {}).get("key") == key for each in told):
                return True
            seen, total = seen + len(comments), int(found.data.get("total") or 0) if comments else 0
        return False

    async def naming(self, words: str, most: int) -> list[Named]:
        jql = f'project = "{self._project}" AND statusCategory != Done AND text ~ "\\"{words}\\"" ORDER BY created DESC'
        answer = await self.http.call("POST", "/rest/api/3/search/jql", json={"jql": jql, "fields": ["summary"], "maxResults": most})
        found = answer.data.get("issues") or []
        return [Named(int(each["id"]), each["key"], (each.get("fields") or {}).get("summary") or "") for each in found]

    async def look(self) -> str:
        account = await self.http.call("GET", "/rest/api/3/myself")
        project = await self.http.call("GET", f"/rest/api/3/project/{self._project}")
        types = [each.get("name") for each in project.data.get("issueTypes") or []]
        if types and self._issue_type not in types:
            raise Rejected(f"Jira: project {self._project} has no issue type {self._issue_type}; it has {', '.join(map(str, types))}")
        return f"{account.data.get('displayName', 'somebody')} sees project {self._project} at {self._url}"

    def _ticket(self, issue: Mapping[str, Any]) -> Ticket:
        status = (issue.get("fields") or {}).get("status") or {}
        return Ticket(issue["key"], closed=_done(status), url=f"{self._url}/browse/{issue['key']}")


def _done(status: Mapping[str, Any]) -> bool:
    return (status.get("statusCategory") or {}).get("key") == "done"


def _text(document: Any) -> str:
    """What stands in a document, without its form."""
    if isinstance(document, list):
        return " ".join(map(_text, document))
    if not isinstance(document, Mapping):
        return ""
    return str(document.get("text") or _text(document.get("content")))


def _document(text: str) -> dict[str, Any]:
    """Plain text in Atlassian's document format: a paragraph a line, nothing in it is markup."""
    paragraphs: list[dict[str, Any]] = []
    for line in text.split("\n"):
        content = [{"type": "text", "text": line}] if line else []
        paragraphs.append({"type": "paragraph", "content": content})
    return {"type": "doc", "version": 1, "content": paragraphs}
