# ruff: noqa: SIM300 - the house writes what is expected first
"""Tickets at trackers outside: a real Roundup, and Jira and GitHub as their published descriptions have them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from incident.effects import CloseTicket, OpenTicket, Receipt, Wording
from integrations.deliveries import mark
from integrations.errors import IntegrationError, NotFound, Rejected, Unauthorized, Unavailable
from integrations.ports import TicketSeen
from integrations.ticketing import github
from integrations.ticketing.github import GitHubTracker
from integrations.ticketing.jira import JiraTracker
from integrations.ticketing.redmine import RedmineTracker
from integrations.ticketing.tracker import NewTicket, Tracker, TrackerTicketing
from tests.integrations.asks import INCIDENT, delivery
from tests.integrations.contract import CHANGED, FILED, Contract, KnownIssuesContract, Stage, TicketingContract
from tests.integrations.roundup_server import Roundup
from tests.integrations.spec_transport import Description, SpecTransport, description, read
from tests.integrations.trackers import FakeGitHub, FakeJira, FakeVendor, TrackerStage, answered, tells_of_a_change
from tests.integrations.wire import Cut

JIRA = "https://acme.atlassian.net"
GITHUB = "https://api.github.com"
TOKEN = SecretStr("s3cr3t-token")

OPEN = OpenTicket(ref="action-1", title="Alert on error rate", body="So that we know first.", owner="ana")


class JiraStage(TrackerStage):
    def __init__(self, fake: FakeJira | None = None, prefix: str = "") -> None:
        self.fake = fake or FakeJira()
        super().__init__(SpecTransport(description("jira/jira-cloud-v3-issues.openapi3.json"), self.fake.transport, base_url=JIRA), prefix)

    def tracker(self, transport: httpx2.AsyncBaseTransport) -> Tracker:
        return JiraTracker(JIRA, user="bot", token=TOKEN, project="OPS", issue_type="Task", transport=transport)

    def decisive(self, request: httpx2.Request) -> bool:
        made = request.method == "POST" and request.url.path.endswith(("/issue", "/transitions"))
        return made or tells_of_a_change(request)

    async def shown(self) -> list[str]:
        return [issue["fields"]["summary"] for issue in self.fake.issues.values()]

    async def again(self) -> Stage:
        return JiraStage(self.fake, self.prefix)

    async def notes(self) -> list[str]:
        return [json.dumps(comment["body"]) for comments in self.fake.comments.values() for comment in comments]


class GitHubStage(TrackerStage):
    def __init__(self, fake: FakeGitHub | None = None, prefix: str = "") -> None:
        path = description("github/issues.openapi3.json")
        self.fake = fake or FakeGitHub(read(path).document["components"]["examples"])
        super().__init__(SpecTransport(path, self.fake.transport, base_url=GITHUB), prefix)

    def tracker(self, transport: httpx2.AsyncBaseTransport) -> Tracker:
        return GitHubTracker(GITHUB, token=TOKEN, repository="acme/ops", transport=transport)

    def decisive(self, request: httpx2.Request) -> bool:
        made = request.method == "POST" and request.url.path.endswith("/issues")
        return made or (request.method == "PATCH" and b'"state"' in request.content) or tells_of_a_change(request)

    async def shown(self) -> list[str]:
        return [issue["title"] for issue in self.fake.issues]

    async def again(self) -> Stage:
        return GitHubStage(self.fake, self.prefix)

    async def notes(self) -> list[str]:
        return [comment["body"] for comments in self.fake.comments.values() for comment in comments]


class RoundupStage(TrackerStage):
    def __init__(self, server: Roundup, prefix: str = "") -> None:
        self.server = server
        super().__init__(httpx2.AsyncHTTPTransport(), prefix)

    def tracker(self, transport: httpx2.AsyncBaseTransport) -> Tracker:
        return self.server.adapter(transport=transport)

    def decisive(self, request: httpx2.Request) -> bool:
        changed = request.method == "PUT" and "/data/issue/" in request.url.path
        return changed or (request.method == "POST" and request.url.path.endswith("/issue"))

    async def shown(self) -> list[str]:
        params: dict[str, str | int] = {"external_key": f"tocsin.{self.prefix}", "@fields": "title", "@sort": "id"}
        answer = await self.server.adapter().http.call("GET", "/data/issue", params=params)
        return [issue["title"] for issue in answer.data["data"]["collection"]]

    async def again(self) -> Stage:
        return RoundupStage(self.server, self.prefix)


class TestRoundup(Contract, TicketingContract, KnownIssuesContract):
    """A real one."""

    @pytest.fixture
    def stage(self, roundup: Roundup) -> Stage:
        return RoundupStage(roundup)


class TestJira(Contract, TicketingContract, KnownIssuesContract):
    @pytest.fixture
    def stage(self) -> Stage:
        return JiraStage()


class TestGitHub(Contract, TicketingContract, KnownIssuesContract):
    @pytest.fixture
    def stage(self) -> Stage:
        return GitHubStage()


SPOKEN: dict[str, Callable[[], JiraStage | GitHubStage]] = {"jira": JiraStage, "github": GitHubStage}


@pytest.fixture(params=SPOKEN)
def spoken(request: pytest.FixtureRequest) -> JiraStage | GitHubStage:
    return SPOKEN[request.param]()


async def test_a_closing_that_broke_off_half_way_is_finished_and_not_said_twice(spoken: JiraStage | GitHubStage) -> None:
    """The note was written and then the line was cut: the next try closes the ticket, and the note stands there once."""
    await spoken.tell(delivery(OPEN, 1))
    spoken.wire.fail(Cut.BEFORE, wanted=lambda request: spoken.decisive(request), times=1)
    closing = delivery(CloseTicket(ref="action-1", note="Alert is live."), 2)
    with pytest.raises(Unavailable):
        await spoken.tell(closing)
    receipt = await spoken.tell(closing)

    assert not receipt.repeated
    assert 1 == len(await spoken.notes())
    assert "Alert is live." in (await spoken.notes())[0]


async def test_a_comment_whose_answer_was_lost_is_not_written_again(spoken: JiraStage | GitHubStage) -> None:
    """The tracker has the note, and we do not know: we look before we write."""
    await spoken.tell(delivery(OPEN, 1))
    spoken.wire.fail(Cut.AFTER, wanted=lambda request: request.method == "POST" and "comment" in request.url.path, times=1)
    closing = delivery(CloseTicket(ref="action-1", note="Alert is live."), 2)
    with pytest.raises(Unavailable):
        await spoken.tell(closing)
    await spoken.tell(closing)

    assert 1 == len(await spoken.notes())


async def test_a_comment_is_recognised_under_any_number_of_newer_ones(spoken: JiraStage | GitHubStage) -> None:
    """While a change's answer was lost, a busy ticket has got a hundred and twenty comments of others: ours is found below them."""
    receipt = await spoken.tell(delivery(FILED, 1))
    await spoken.tell(delivery(CHANGED, 2))
    ticket = await spoken.spoken_to.read(receipt.reference)
    assert ticket is not None
    for number in range(120):
        await spoken.spoken_to.comment(ticket, f"a word of others, {number}", f"other-{number}")
    again = await spoken.tell(delivery(CHANGED, 2))

    assert again.repeated
    assert 121 == len(await spoken.notes())


async def test_a_change_leaves_the_words_of_others_and_is_said_once(spoken: JiraStage | GitHubStage) -> None:
    """Somebody has written the description anew at the tracker: it stays, the title follows, and a comment tells what has changed."""
    receipt = await spoken.tell(delivery(FILED, 1))
    ticket = await spoken.spoken_to.read(receipt.reference)
    assert ticket is not None
    theirs = NewTicket(mark(f"{spoken.prefix}{INCIDENT}", FILED.ref), "", "", "We did this last year.")
    await spoken.spoken_to.reword(ticket, theirs)
    spoken.wire.fail(Cut.AFTER, wanted=lambda request: request.method == "POST" and "comment" in request.url.path, times=1)
    with pytest.raises(Unavailable):
        await spoken.tell(delivery(CHANGED, 2))
    changed = await spoken.tell(delivery(CHANGED, 2))
    standing = await spoken.spoken_to.standing(ticket, theirs.mark)

    assert ("Alert on errors", "We did this last year.") == (standing.title, (standing.text or "").strip())
    assert (True, True) == (changed.repeated, "words of others" in changed.detail["text"])
    (note,) = await spoken.notes()
    assert "zoe changed action-1: owner ana" in note


@pytest.mark.parametrize("cut", [cut for cut in Cut if cut is not Cut.AFTER])
async def test_no_bad_line_opens_a_second_ticket(spoken: JiraStage | GitHubStage, cut: Cut) -> None:
    """However the line fails, it is one of our errors, and once it is mended there is one ticket."""
    spoken.wire.fail(cut, wanted=spoken.decisive, times=1)
    with pytest.raises(IntegrationError):
        await spoken.tell(delivery(OPEN, 1))
    await spoken.tell(delivery(OPEN, 1))

    assert ["Alert on error rate"] == await spoken.shown()


async def test_a_deleted_ticket_is_as_closed_as_can_be(spoken: JiraStage | GitHubStage) -> None:
    """Somebody has deleted the ticket at the vendor: there is nothing left to close, and that is no error."""
    receipt = await spoken.tell(delivery(OPEN, 1))
    spoken.fake.says[("GET", f"/{receipt.reference.removeprefix('#')}")] = answered(404, {"message": "Not Found"})
    closed = await spoken.tell(delivery(CloseTicket(ref="action-1", note="done", ticket=receipt.reference), 2))

    assert Receipt(reference="gone", repeated=True) == closed


async def test_a_ticket_is_read_back(spoken: JiraStage | GitHubStage) -> None:
    """What people did to a ticket at the tracker is seen from here: open, closed, gone."""
    receipt = await spoken.tell(delivery(OPEN, 1))
    other = await spoken.tell(delivery(OPEN.model_copy(update={"ref": "action-2"}), 2))
    await spoken.tell(delivery(CloseTicket(ref="action-2", note="done"), 3))
    missing = receipt.reference[:-1] + "9"
    seen = await spoken.ticketing.read_tickets([receipt.reference, other.reference, missing])

    assert [("open", receipt.reference), ("closed", other.reference), ("gone", missing)] == [(each.state, each.reference) for each in seen]


async def test_a_revoked_token_is_named_and_the_doctor_says_what_to_do(spoken: JiraStage | GitHubStage) -> None:
    """Whoever has to mend it reads which vendor, that it is the credentials, and never the credentials."""
    well = await spoken.ticketing.check()
    spoken.wire.fail(Cut.REVOKED)
    with pytest.raises(Unauthorized) as told:
        await spoken.tell(delivery(OPEN, 1))
    ill = await spoken.ticketing.check()

    assert (True, None) == (well.ok, well.fix)
    assert not ill.ok
    assert "new credentials" in (ill.fix or "")
    assert TOKEN.get_secret_value() not in f"{told.value} {ill}"


async def test_a_40_kb_body_is_shortened_to_what_the_tracker_takes(spoken: JiraStage | GitHubStage) -> None:
    """A long text is filed, shortened where it must be, and says so."""
    await spoken.tell(delivery(OPEN.model_copy(update={"title": "t" * 400, "body": "Zażółć 🚨 " * 8_000}), 1))
    (title,) = await spoken.shown()

    assert title.endswith("… (shortened; 400 characters in all)")
    assert 255 >= len(title)


async def test_foreign_text_mentions_nobody(spoken: JiraStage | GitHubStage) -> None:
    """An alert's text that names @everyone calls nobody at the tracker."""
    await spoken.tell(delivery(OPEN.model_copy(update={"title": "cc @oncall", "body": "@acme/everyone look"}), 1))
    sent = [request.content.decode() for request, _ in _calls(spoken)]

    assert not any("@oncall" in body or "@acme" in body for body in sent)


def _calls(stage: TrackerStage) -> list[tuple[httpx2.Request, httpx2.Response]]:
    transport = stage.wire.inner
    assert isinstance(transport, SpecTransport)
    return transport.calls


DOCUMENTED = [
    ("jira", "POST", "/rest/api/3/issue", "/rest/api/3/issue"),
    ("jira", "POST", "/rest/api/3/search/jql", "/rest/api/3/search/jql"),
    ("jira", "POST", "/rest/api/3/issue/OPS-1/comment", "/comment"),
    ("jira", "POST", "/rest/api/3/issue/OPS-1/transitions", "/transitions"),
    ("github", "GET", "/repos/acme/ops/issues", "/ops/issues"),
    ("github", "POST", "/repos/acme/ops/issues", "/ops/issues"),
    ("github", "PATCH", "/repos/acme/ops/issues/1", "/issues/1"),
    ("github", "POST", "/repos/acme/ops/issues/1/comments", "/comments"),
]
"""Each call that we make, as the description has it and as the fake tells it from others."""

FINAL = {301: Rejected, 400: Rejected, 401: Unauthorized, 403: Unauthorized, 404: NotFound, 409: Rejected, 410: NotFound}


@pytest.mark.parametrize(("vendor", "method", "path", "ending"), DOCUMENTED)
async def test_every_documented_error_is_one_of_ours(vendor: str, method: str, path: str, ending: str) -> None:
    """Each status that the vendor documents for each call comes out as the right kind of error, in the vendor's name."""
    stage = SPOKEN[vendor]()
    transport = stage.wire.inner
    assert isinstance(transport, SpecTransport)
    errors = [status for status in transport.description.operation(method, path).statuses if status >= 400 or status == 301]
    body = (
        {"errorMessages": ["no"], "errors": {}} if vendor == "jira" else {"message": "no", "documentation_url": "https://docs.github.com"}
    )
    await stage.tell(delivery(OPEN, 1))
    closing = "comment" in path or "transitions" in path or method == "PATCH"
    for number, status in enumerate(errors, start=2):
        ask: Any = CloseTicket(ref="action-1", note="done") if closing else OPEN.model_copy(update={"ref": f"action-{number}"})
        stage.fake.says[(method, ending)] = answered(status, body)
        with pytest.raises(IntegrationError) as told:
            await stage.tell(delivery(ask, number))

        assert FINAL.get(status, Unavailable if status in (429, 503) else Rejected) is type(told.value)
        assert str(told.value).startswith(("Jira", "GitHub"))
    assert [] != errors


async def test_a_change_that_the_account_may_not_make_is_said_in_a_comment(spoken: JiraStage | GitHubStage) -> None:
    """The words stay as they are, the comment tells what has changed, and whoever reads the delivery knows."""
    receipt = await spoken.tell(delivery(FILED, 1))
    way = ("PUT", f"/{receipt.reference}") if spoken.ticketing.vendor == "Jira" else ("PATCH", f"/{receipt.reference.removeprefix('#')}")
    no = {"errorMessages": ["no"], "errors": {}} if spoken.ticketing.vendor == "Jira" else {"message": "no"}
    spoken.fake.says[way] = answered(403, no)
    changed = await spoken.tell(delivery(CHANGED, 2))

    assert "which stay" in changed.detail["text"]
    assert ["Alert on error rate"] == await spoken.shown()
    assert 1 == len(await spoken.notes())


async def test_jira_is_not_asked_again_before_its_search_has_caught_up() -> None:
    """Jira finds a new issue only after a while: a creation whose answer was lost waits, and is then found."""
    stage = JiraStage()
    await stage.lose_an_answer()
    with pytest.raises(Unavailable) as told:
        await stage.tell(delivery(OPEN, 1))
    receipt = await stage.tell(delivery(OPEN, 1))

    assert JiraTracker.settling == told.value.retry_after
    assert Receipt(reference="OPS-1", repeated=True) == receipt


async def test_a_ticket_that_the_search_does_not_know_yet_is_closed_by_its_reference() -> None:
    """An action item that is done at once is closed at Jira as well, though Jira's search still lags."""
    stage = JiraStage()
    opened = await stage.tell(delivery(OPEN, 1))
    stage.fake.lagging = True
    closed = await stage.tell(delivery(CloseTicket(ref="action-1", note="done", ticket=opened.reference), 2))

    assert not closed.repeated
    assert (TicketSeen(reference="OPS-1", state="closed"),) == await stage.ticketing.read_tickets(["OPS-1"])


async def test_a_project_whose_workflow_has_no_way_to_done_is_named() -> None:
    """What stands in the way of closing is said, with what to change at Jira."""
    stage = JiraStage()
    await stage.tell(delivery(OPEN, 1))
    stage.fake.says[("GET", "/transitions")] = answered(200, {"transitions": []})

    with pytest.raises(Rejected, match="no transition of OPS-1 leads to a status of the category done"):
        await stage.tell(delivery(CloseTicket(ref="action-1", note="done"), 2))


async def test_the_doctor_knows_a_wrong_issue_type_before_the_night_does() -> None:
    """A type that the project does not have would refuse every ticket; the doctor names those that it has."""
    fake = FakeJira()
    path = description("jira/jira-cloud-v3-issues.openapi3.json")
    transport = SpecTransport(path, fake.transport, base_url=JIRA)
    tracker = JiraTracker(JIRA, user="bot", token=TOKEN, project="OPS", issue_type="Incident", transport=transport)
    found = await TrackerTicketing(tracker).check()

    assert not found.ok
    assert "no issue type Incident; it has Task, Bug" in found.detail


async def test_github_that_leaves_the_label_out_is_an_error() -> None:
    """An issue without its label could not be found again, and the next try would make a second: this is said, and final."""
    stage = GitHubStage()
    stage.fake.drops_labels = True

    with pytest.raises(Unauthorized, match="left its label out"):
        await stage.tell(delivery(OPEN, 1))


async def test_more_than_a_page_of_issues_is_looked_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ticket is found on a later page of the incident's issues, also where that page is full."""
    monkeypatch.setattr(github, "PAGE", 3)
    stage = GitHubStage()
    for number in range(1, 7):
        await stage.tell(delivery(OPEN.model_copy(update={"ref": f"action-{number}"}), number))
    last = await stage.tell(delivery(OPEN.model_copy(update={"ref": "action-6"}), 6))

    assert Receipt(reference="#6", repeated=True) == last


async def test_a_request_with_a_typo_fails_the_check() -> None:
    """The check of the descriptions sees what a vendor would refuse, and what our fake could not have been told."""
    fake = FakeJira()
    transport = SpecTransport(description("jira/jira-cloud-v3-issues.openapi3.json"), fake.transport, base_url=JIRA)
    async with httpx2.AsyncClient(transport=transport, base_url=JIRA) as client:
        with pytest.raises(AssertionError, match="maxResult"):
            await client.post("/rest/api/3/search/jql", json={"jql": 'labels = "x"', "maxResult": 1})
        with pytest.raises(AssertionError, match="no query parameter verbose"):
            await client.get("/rest/api/3/myself", params={"verbose": "1"})
        with pytest.raises(AssertionError, match="not in the description"):
            await client.get("/rest/api/3/search")
        fake.says[("POST", "/search/jql")] = answered(200, {"issues": "none"})
        with pytest.raises(AssertionError, match="the fake's answer 200"):
            await client.post("/rest/api/3/search/jql", json={"jql": 'labels = "x"', "maxResults": 1})


async def test_roundup_itself_refuses_a_second_ticket(roundup: Roundup) -> None:
    """Two processes that look at the same moment both find nothing; the tracker lets one of them create, and both learn which."""
    stage = RoundupStage(roundup)
    other = await stage.again()
    looked = itertools.count()
    first = await stage.tell(delivery(OPEN, 1))
    # The second process looked before the first one had created: its look is answered with what it saw then.
    assert isinstance(other, RoundupStage)
    other.wire.inner = httpx2.MockTransport(_BlindOnce(roundup, looked).answer)
    second = await other.tell(delivery(OPEN, 1))

    assert first.reference == second.reference
    assert ["Alert on error rate"] == await stage.shown()


class _BlindOnce:
    """A line to the server on which the first look for an issue finds nothing."""

    def __init__(self, server: Roundup, looked: itertools.count[int]) -> None:
        self._looked = looked
        self._client = httpx2.AsyncClient()

    async def answer(self, request: httpx2.Request) -> httpx2.Response:
        if request.method == "GET" and request.url.path.endswith("/issue") and next(self._looked) == 0:
            return answered(200, {"data": {"collection": [], "@total_size": 0}})
        return await self._client.send(request)


async def test_a_wrong_password_at_roundup_is_unauthorized(roundup: Roundup) -> None:
    """The tracker's own answer to wrong credentials is one of ours, and the doctor knows."""
    ticketing = TrackerTicketing(roundup.adapter(password=SecretStr("wrong-horse")))
    found = await ticketing.check()

    with pytest.raises(Unauthorized):
        await ticketing.open_ticket(delivery(OPEN, incident="INC-2026-0666"))
    assert not found.ok
    assert "wrong-horse" not in f"{found}"


async def test_a_schema_without_our_key_is_told_by_the_doctor(roundup: Roundup) -> None:
    """Without its key property, no ticket could be found again; the doctor says so before one is filed."""
    found = await TrackerTicketing(roundup.adapter(key_property="key_of_ours")).check()

    assert not found.ok
    assert "key_of_ours" in found.detail


async def test_a_ticket_that_people_closed_at_roundup_is_seen(roundup: Roundup) -> None:
    """Somebody sets the issue to done there, and it is read as closed here; a deleted one is gone."""
    stage = RoundupStage(roundup)
    kept = await stage.tell(delivery(OPEN, 1))
    dropped = await stage.tell(delivery(OPEN.model_copy(update={"ref": "action-2"}), 2))
    http = roundup.adapter().http
    for receipt, method, change in ((kept, "PUT", {"status": "done-cbb"}), (dropped, "DELETE", {})):
        path = f"/data/issue/{receipt.reference.removeprefix('issue')}"
        etag = (await http.call("GET", path)).headers["etag"]
        await http.call(method, path, json=change, headers={"If-Match": etag})
    seen = await stage.ticketing.read_tickets([kept.reference, dropped.reference, "issue99999"])

    assert ["closed", "gone", "gone"] == [each.state for each in seen]


class FakeRedmine(FakeVendor):
    """Only what a real one would do that a test server can't be made to do; see test_redmine.py for the real one."""

    def __init__(self) -> None:
        super().__init__()
        self.ignores_filter = False
        self.subjects: dict[int, str] = {}
        self.ticket: dict[str, str] = {}
        self.reworded: list[str] = []

    def _named(self, asked: dict[str, str]) -> httpx2.Response:
        assert ("ops", "open", "id:desc", "~") == (asked["project_id"], asked["status_id"], asked["sort"], asked["subject"][0])
        words = asked["subject"][1:].casefold()
        found = [{"id": id, "subject": subject} for id, subject in self.subjects.items() if words in subject.casefold()]
        newest = sorted(found, key=lambda each: -int(str(each["id"])))
        return answered(200, {"issues": newest[: int(asked["limit"])], "total_count": len(found)})

    def answer(self, request: httpx2.Request, body: Any) -> httpx2.Response:
        issue = {"id": 7, "status": {"id": 1, "is_closed": False}, "custom_fields": [{"id": 3, "value": "someone else's"}]}
        match request.method, request.url.path:
            case "GET", "/issues.json" if "subject" in request.url.params:
                return self._named(dict(request.url.params))
            case "GET", "/issues.json" if self.ticket:
                found = {**issue, "description": self.ticket["description"], "custom_fields": [{"id": 3, "value": self.ticket["value"]}]}
                return answered(200, {"issues": [found], "total_count": 1})
            case "GET", "/issues.json":
                return answered(200, {"issues": [issue] if self.ignores_filter else [], "total_count": 0})
            case "GET", "/issues/7.json":
                return answered(200, {"issue": issue})
            case "GET", "/issue_statuses.json":
                return answered(200, {"issue_statuses": [{"id": 1, "is_closed": False}, {"id": 5, "is_closed": True}]})
            case "PUT", "/issues/7.json":
                self.reworded += [body["issue"]["description"]] if "description" in body["issue"] else []
                return answered(204)
            case _:
                return answered(404)


@pytest.fixture
def redmine() -> tuple[FakeRedmine, TrackerTicketing]:
    fake = FakeRedmine()
    tracker = RedmineTracker("https://redmine.example", key=TOKEN, project="ops", key_field=3, transport=fake.transport)
    return fake, TrackerTicketing(tracker)


async def test_a_redmine_that_does_not_search_by_our_field_is_noticed(redmine: tuple[FakeRedmine, TrackerTicketing]) -> None:
    """Redmine leaves out a filter that it does not know and answers with any ticket; that one is not taken for ours."""
    fake, ticketing = redmine
    fake.ignores_filter = True

    with pytest.raises(Rejected, match="Used as a filter"):
        await ticketing.open_ticket(delivery(OPEN))


async def test_a_redmine_that_passes_over_the_closing_is_noticed(redmine: tuple[FakeRedmine, TrackerTicketing]) -> None:
    """Redmine says yes to a status that its workflow forbids, and keeps the old one: that is told, not believed."""
    _, ticketing = redmine

    with pytest.raises(Rejected, match="did not close it"):
        await ticketing.close_ticket(delivery(CloseTicket(ref="action-1", note="done", ticket="#7")))


async def test_redmine_gets_the_words_that_replaced_those_of_a_doubtful_try(redmine: tuple[FakeRedmine, TrackerTicketing]) -> None:
    """Its ticket is changed as long as nobody else has changed it."""
    fake, ticketing = redmine
    ask = OpenTicket(ref="action-1", title="Alert on error rate", body="So that we know first.", owner="ana")
    fake.ticket = {"description": f"Owner: ana · From: {INCIDENT}\r\n\r\nSo that we know first.", "value": mark(INCIDENT, "action-1")}
    new = ask.model_copy(update={"body": "Before the customers do.", "instead_of": (Wording(body=ask.body, owner="ana"),)})
    receipt = await ticketing.open_ticket(delivery(new, 2))

    assert ({}, [f"Owner: ana · From: {INCIDENT}\n\nBefore the customers do."]) == (receipt.detail, fake.reworded)

    fake.ticket["description"] = "I have begun with it."
    receipt = await ticketing.open_ticket(delivery(new, 3))

    assert "another text" in receipt.detail["text"]
    assert 1 == len(fake.reworded)


async def test_redmines_open_tickets_that_name_a_service_are_known_issues(redmine: tuple[FakeRedmine, TrackerTicketing]) -> None:
    """The newest first, each once, of this project and still open; whatever a service is called, it is only words to search for."""
    fake, ticketing = redmine
    fake.subjects = {3: "Checkout is slow", 11: "checkout and search disagree", 5: "Billing is slow"} | {20 + n: "mail" for n in range(30)}
    found = await ticketing.open_about(("checkout", "search"))
    most = await ticketing.open_about(("mail",))
    none = [await ticketing.open_about((service,)) for service in ("~", "   ", "|*", "nobody speaks of this")]

    assert [("#11", "checkout and search disagree"), ("#3", "Checkout is slow")] == [(each.reference, each.title) for each in found]
    assert [f"#{number}" for number in range(49, 29, -1)] == [each.reference for each in most]
    assert [()] * 4 == none


def test_the_descriptions_can_be_read(tmp_path: Path) -> None:
    """A description is found by its path's template, the more literal one first."""
    path = tmp_path / "spec.json"
    operation = {"responses": {"200": {"description": "yes"}}}
    path.write_text(json.dumps({"paths": {"/a/{id}": {"get": operation}, "/a/b": {"get": {"responses": {"204": {}}}}}}))
    found = Description(path)

    assert ([200], [204]) == (found.operation("GET", "/a/1").statuses, found.operation("GET", "/a/b").statuses)
