"""What the tests of all trackers share: a stage, and trackers that stand in for vendors that can't be reached."""

from __future__ import annotations

import itertools
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx2

from incident.effects import Delivery, Port, Receipt
from integrations.ports import KnownIssue
from integrations.ticketing.tracker import Tracker, TrackerTicketing
from tests.integrations.contract import SearchedStage
from tests.integrations.wire import Cut, Wire

_numbers = itertools.count(1)


class TrackerStage(SearchedStage, ABC):
    """A tracker behind a bad line. Incidents get a prefix of their own, so that tests can share one real server."""

    port = Port.TICKETS
    refusal = Cut.REFUSES

    def __init__(self, inner: httpx2.AsyncBaseTransport, prefix: str = "") -> None:
        self.wire = Wire(inner)
        self.prefix = prefix or f"S{next(_numbers)}-"
        self.spoken_to = self.tracker(self.wire)
        self.ticketing = TrackerTicketing(self.spoken_to)

    @abstractmethod
    def tracker(self, transport: httpx2.AsyncBaseTransport) -> Tracker: ...

    @abstractmethod
    def decisive(self, request: httpx2.Request) -> bool:
        """Whether a request is the one by which a ticket is opened or closed."""

    def call(self, action: str) -> Callable[[Delivery], Awaitable[Receipt]]:
        method: Callable[[Delivery], Awaitable[Receipt]] = getattr(self.ticketing, action)

        async def ask(one: Delivery) -> Receipt:
            return await method(one.model_copy(update={"incident": self.prefix + one.incident, "key": self.prefix + one.key}))

        return ask

    async def known(self, *services: str) -> tuple[KnownIssue, ...]:
        return await self.ticketing.open_about(services)

    async def lose_an_answer(self) -> None:
        self.wire.fail(Cut.AFTER, wanted=self.decisive, times=1)

    async def go_down(self, *, retry_after: timedelta | None = None) -> None:
        self.wire.fail(Cut.DOWN, retry_after=None if retry_after is None else int(retry_after.total_seconds()))

    async def refuse(self) -> None:
        self.wire.fail(self.refusal)

    async def mend(self) -> None:
        self.wire.mend()


def tells_of_a_change(request: httpx2.Request) -> bool:
    """Whether a request is the comment by which a ticket is told what has changed."""
    return request.method == "POST" and "comment" in request.url.path and b"changed action-1" in request.content


def answered(status: int, data: Any = None) -> httpx2.Response:
    return httpx2.Response(status) if data is None else httpx2.Response(status, json=data)


class FakeVendor:
    """Answers requests from memory. `says` holds an answer to give instead to the next request of a method and path's end."""

    def __init__(self) -> None:
        self.transport = httpx2.MockTransport(self._answer)
        self.says: dict[tuple[str, str], httpx2.Response] = {}
        self.token_revoked = False

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        for (method, ending), response in list(self.says.items()):
            if request.method == method and request.url.path.endswith(ending):
                del self.says[(method, ending)]
                return response
        if self.token_revoked:
            return self.revoked()
        return self.answer(request, json.loads(request.content) if request.content else None)

    def revoked(self) -> httpx2.Response:
        return answered(401, {"message": "Bad credentials"})

    def answer(self, request: httpx2.Request, body: Any) -> httpx2.Response:
        raise NotImplementedError


class FakeJira(FakeVendor):
    """A project OPS whose issues are to do, in progress or done."""

    STATUSES = ({"id": "11", "name": "To Do", "category": "new"}, {"id": "31", "name": "Done", "category": "done"})

    def __init__(self) -> None:
        super().__init__()
        self.issues: dict[str, dict[str, Any]] = {}
        self.comments: dict[str, list[dict[str, Any]]] = {}
        self.lagging = False
        """Whether the search does not yet know what is new."""

    def _status(self, number: int) -> dict[str, Any]:
        status = self.STATUSES[number]
        return {
            "id": status["id"],
            "name": status["name"],
            "statusCategory": {"id": number + 2, "key": status["category"], "name": status["name"]},
        }

    def revoked(self) -> httpx2.Response:
        return answered(401, {"errorMessages": ["Client must be authenticated to access this resource."], "errors": {}})

    def answer(self, request: httpx2.Request, body: Any) -> httpx2.Response:
        path = request.url.path.removeprefix("/rest/api/3")
        match request.method, path.strip("/").split("/"):
            case "POST", ["search", "jql"]:
                found = [] if self.lagging else self._searched(body["jql"])
                return answered(200, {"isLast": True, "issues": [self._shown(each) for each in found[: body["maxResults"]]]})
            case "POST", ["issue"]:
                return self._create(body)
            case "GET", ["myself"]:
                return answered(200, {"accountId": "5b10", "displayName": "Tocsin"})
            case "GET", ["project", "OPS"]:
                return answered(200, {"id": "1", "key": "OPS", "issueTypes": [{"id": "1", "name": "Task"}, {"id": "2", "name": "Bug"}]})
            case "GET", ["project", _]:
                return answered(404, {"errorMessages": ["No project could be found with key."], "errors": {}})
            case method, ["issue", key, *rest] if key in self.issues:
                return self._issue(method, key, rest, request.url.params, body)
            case _:
                return answered(404, {"errorMessages": ["Issue does not exist or you do not have permission to see it."], "errors": {}})

    def _searched(self, jql: str) -> list[dict[str, Any]]:
        """Two searches are understood, word for word; whoever breaks out of the quotes is understood no more, as at Jira."""
        labelled = re.fullmatch(r'project = "OPS" AND labels = "([^"\\]+)" ORDER BY created ASC', jql)
        if labelled is not None:
            return [each for each in self.issues.values() if labelled[1] in each["fields"]["labels"]]
        spoken = r'project = "OPS" AND statusCategory != Done AND text ~ "\\"([^"\\]+)\\"" ORDER BY created DESC'
        named = re.fullmatch(spoken, jql)
        assert named is not None, jql
        going = [each for each in self.issues.values() if each["fields"]["status"]["statusCategory"]["key"] != "done"]
        return [each for each in going if named[1].casefold() in each["fields"]["summary"].casefold()][::-1]

    def _create(self, body: Any) -> httpx2.Response:
        number = len(self.issues) + 1
        key = f"OPS-{number}"
        text = "".join(part["text"] for paragraph in body["fields"]["description"]["content"] for part in paragraph["content"])
        if len(body["fields"]["summary"]) > 255 or len(text) > 32_767:
            return answered(400, {"errorMessages": [], "errors": {"summary": "Summary must be less than 255 characters."}})
        self.issues[key] = {"id": str(10_000 + number), "key": key, "fields": {**body["fields"], "status": self._status(0)}}
        self.comments[key] = []
        return answered(201, {"id": str(10_000 + number), "key": key, "self": f"https://acme.atlassian.net/rest/api/3/issue/{number}"})

    def _issue(self, method: str, key: str, rest: list[str], params: httpx2.QueryParams, body: Any) -> httpx2.Response:
        match method, rest:
            case "GET", []:
                return answered(200, self._shown(self.issues[key]))
            case "PUT", []:
                self.issues[key]["fields"] |= body["fields"]
                return answered(204)
            case "GET", ["comment"]:
                start, most = int(params["startAt"]), min(int(params["maxResults"]), 50)
                page = self.comments[key][::-1][start : start + most]
                return answered(200, {"comments": page, "maxResults": most, "startAt": start, "total": len(self.comments[key])})
            case "POST", ["comment"]:
                self.comments[key].append({**body, "id": str(len(self.comments[key]) + 1)})
                return answered(201, self.comments[key][-1])
            case "GET", ["transitions"]:
                names = ("Start", "Finish")
                moves = [{"id": str(number), "name": names[number], "to": self._status(number)} for number in (0, 1)]
                return answered(200, {"transitions": moves})
            case "POST", ["transitions"]:
                self.issues[key]["fields"]["status"] = self._status(int(body["transition"]["id"]))
                return answered(204)
            case _:
                return answered(404, {"errorMessages": ["no such thing"], "errors": {}})

    def _shown(self, issue: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": issue["id"],
            "key": issue["key"],
            "fields": {name: issue["fields"][name] for name in ("status", "summary", "description")},
        }


class FakeGitHub(FakeVendor):
    """A repository acme/ops; its answers are the description's own examples, with what was asked in them."""

    def __init__(self, examples: dict[str, Any]) -> None:
        super().__init__()
        self._issue_example = examples["issue"]["value"]
        self._comment_example = examples["issue-comment"]["value"]
        self._label_example = examples["label"]["value"]
        self._found_example = examples["issue-search-result-item-paginated"]["value"]["items"][0]
        self.labels: list[str] = []
        self.issues: list[dict[str, Any]] = []
        self.comments: dict[int, list[dict[str, Any]]] = {}
        self.drops_labels = False

    def answer(self, request: httpx2.Request, body: Any) -> httpx2.Response:
        match request.method, request.url.path.strip("/").split("/"):
            case "GET", ["repos", "acme", "ops", "issues"]:
                wanted = request.url.params.get("labels")
                found = [each for each in self.issues if wanted is None or wanted in [label["name"] for label in each["labels"]]]
                page, size = int(request.url.params.get("page", "1")), int(request.url.params["per_page"])
                return answered(200, found[(page - 1) * size : page * size])
            case "GET", ["search", "issues"]:
                named = re.fullmatch(r'repo:acme/ops is:issue is:open in:title,body "([^":]+)"', request.url.params["q"])
                assert named is not None, request.url.params["q"]
                going = [each for each in self.issues if each["state"] == "open" and named[1].casefold() in each["title"].casefold()]
                items = [{**self._found_example, **{name: each[name] for name in self._found_example if name in each}} for each in going]
                told = {"total_count": len(items), "incomplete_results": False, "search_type": "lexical"}
                return answered(200, {**told, "items": items[::-1][: int(request.url.params["per_page"])]})
            case "POST", ["repos", "acme", "ops", "labels"]:
                if body["name"] in self.labels:
                    return answered(422, {"message": "Validation Failed", "documentation_url": "https://docs.github.com"})
                self.labels.append(body["name"])
                return answered(201, self._label(body["name"]))
            case "POST", ["repos", "acme", "ops", "issues"]:
                number = len(self.issues) + 1
                labels = [] if self.drops_labels else [self._label(name) for name in body["labels"]]
                told = {"number": number, "title": body["title"], "body": body["body"], "labels": labels, "state": "open"}
                self.issues.append({**self._issue_example, **told, "html_url": f"https://github.com/acme/ops/issues/{number}"})
                return answered(201, self.issues[-1])
            case method, ["repos", "acme", "ops", "issues", number, *rest] if int(number) <= len(self.issues):
                return self._issue(method, int(number), rest, request, body)
            case _:
                return answered(404, {"message": "Not Found", "documentation_url": "https://docs.github.com"})

    def _label(self, name: str) -> dict[str, Any]:
        return {**self._label_example, "name": name}

    def _issue(self, method: str, number: int, rest: list[str], request: httpx2.Request, body: Any) -> httpx2.Response:
        comments = self.comments.setdefault(number, [])
        match method, rest:
            case "GET", []:
                return answered(200, self.issues[number - 1])
            case "PATCH", []:
                self.issues[number - 1] |= body
                return answered(200, self.issues[number - 1])
            case "GET", ["comments"]:
                page, size = int(request.url.params.get("page", "1")), int(request.url.params["per_page"])
                return answered(200, comments[(page - 1) * size : page * size])
            case "POST", ["comments"]:
                comments.append({**self._comment_example, "body": body["body"]})
                return answered(201, comments[-1])
            case _:
                return answered(404, {"message": "Not Found"})
