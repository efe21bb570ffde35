"""The audit view: who, through which door, when, and the event behind each entry; nothing on it edits or deletes."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from temporalio.client import WorkflowExecutionDescription, WorkflowExecutionStatus

from starter import audit
from tests.incident.walk import Walk
from tests.starter.test_origins import recorded, shape
from tests.starter.web.nights import ONE, WalkedDesk, opened

PAGE = f"/incidents/{ONE}/audit"


class RecordedDesk(WalkedDesk):
    """Holds one recorded incident, with the histories that it has left."""

    def recalls(self, name: str) -> list[dict[str, Any]]:
        runs = [recorded(path) for path in shape(name)]
        self.holds(Walk.open())
        self.runs[ONE] = [history for history, _ in runs]
        self.told: list[dict[str, Any]] = runs[-1][1]
        return self.told

    async def timeline(self, incident: str, since: int = 0) -> list[dict[str, Any]]:
        await self._heard(incident)
        return copy.deepcopy(self.told)

    async def describe(self, incident: str) -> WorkflowExecutionDescription:
        self._walk(incident)
        described: Any = Described()
        return described  # type: ignore[no-any-return]  # all that an export looks at is the status


class Described:
    status = WorkflowExecutionStatus.COMPLETED


@pytest.fixture
async def desk() -> RecordedDesk:
    made = await RecordedDesk.made()
    assert isinstance(made, RecordedDesk)
    return made


@pytest.fixture
async def http(desk: RecordedDesk) -> AsyncIterator[httpx2.AsyncClient]:
    async with opened(desk, None, temporal_ui="http://127.0.0.1:8233", namespace="ops eu") as client:
        yield client


async def test_each_entry_stands_with_who_when_and_its_event(http: httpx2.AsyncClient, desk: RecordedDesk) -> None:
    """Nothing of the record is left out, and each line can be looked up in the history."""
    timeline = desk.recalls("closed")
    page = (await http.get(PAGE)).text
    rows = re.findall(r'<tr id="entry-(\d+)">(.*?)</tr>', page, re.DOTALL)
    resolved = next(entry for entry in timeline if entry["kind"] == "resolved")
    row = dict(rows)[str(resolved["seq"])]

    assert [int(seq) for seq, _ in rows] == [entry["seq"] for entry in timeline]
    assert all(re.search(r"event \d+<br>", row) for _, row in rows)
    assert "WorkflowExecutionUpdateAccepted <code>resolve</code>" in row
    assert f">{resolved['by']}</td>" in row
    assert re.search(r"2\d\d\d-\d\d-\d\d \d\d:\d\d:\d\d</time>", row)


async def test_the_door_is_told_where_it_is_known(http: httpx2.AsyncClient, desk: RecordedDesk) -> None:
    """An entry from before doors were recorded has none, and none is made up."""
    timeline = desk.recalls("closed")
    timeline[0]["data"]["via"] = "cli"
    page = (await http.get(PAGE)).text
    doors = re.findall(r'<td data-label="Door">([^<]*)</td>', page)

    assert doors[:2] == ["cli", "-"]


async def test_an_overdue_clock_is_told_with_the_time_it_was_due(http: httpx2.AsyncClient, desk: RecordedDesk) -> None:
    """The page is read later than it was written; the download has the record as it stands."""
    timeline = desk.recalls("closed")
    timeline[0] |= {"kind": "overdue", "text": "Internal update is overdue: it was due now; ana owes it", "at": "2026-11-24T03:10:00Z"}
    timeline[0]["data"] = {"clock": "internal_update", "due": "2026-11-24T03:10:00Z"}
    page = (await http.get(PAGE)).text

    assert "Internal update is overdue: it was due at 03:10 UTC; ana owes it" in page
    assert "it was due now" not in page
    assert 'id="entry-1"' in (await http.get(f"{PAGE}?text=due+at+03:10")).text
    assert b"it was due now" in (await http.get(f"{PAGE}/download")).content


async def test_the_histories_lead_to_temporal_s_own_view(http: httpx2.AsyncClient, desk: RecordedDesk) -> None:
    """Where an address is set, each run is a link; the runs are numbered as the entries name them."""
    desk.recalls("continued")
    page = (await http.get(PAGE)).text
    links = re.findall(r'href="(http://127.0.0.1:8233/namespaces/ops%20eu/workflows/[^"]+)"', page)

    assert len(links) == len(desk.runs[ONE]) > 2
    assert all(history.run_id in link for history, link in zip(desk.runs[ONE], links, strict=True))
    assert "run 3, event" in page


@pytest.mark.parametrize(
    ("query", "kinds"),
    [("kind=refused", {"refused"}), ("text=RESOLVE", None), ("by=nobody", set()), ("who=people&kind=delivered", set())],
)
async def test_entries_are_filtered_by_the_address(
    http: httpx2.AsyncClient, desk: RecordedDesk, query: str, kinds: set[str] | None
) -> None:
    """What an auditor looks for can be sent to another as a link; what is left out is counted."""
    timeline = desk.recalls("closed")
    page = (await http.get(f"{PAGE}?{query}")).text
    shown = {int(seq) for seq in re.findall(r'<tr id="entry-(\d+)">', page)}
    found = {entry["kind"] for entry in timeline if entry["seq"] in shown}

    assert f"{len(shown)} of {len(timeline)}" in page
    assert found == kinds if kinds is not None else 0 < len(shown) < len(timeline)


async def test_a_correction_and_what_it_corrects_lead_to_each_other(http: httpx2.AsyncClient, desk: RecordedDesk) -> None:
    """A note that names an entry stands beside it; what is no earlier entry, and markup, stay text."""
    timeline = desk.recalls("closed")
    note = {**timeline[-1], "seq": timeline[-1]["seq"] + 1, "kind": "note", "text": "entry 7 should say <b>, not entry 999999"}
    timeline.append(note)
    page = (await http.get(PAGE)).text
    rows = dict(re.findall(r'<tr id="entry-(\d+)">(.*?)</tr>', page, re.DOTALL))

    assert '<a href="#entry-7">entry 7</a> should say &lt;b&gt;, not entry 999999' in rows[str(note["seq"])]
    assert f'href="#entry-{note["seq"]}">see entry {note["seq"]}</a>' in rows["7"]
    assert "see entry" not in rows["6"]


async def test_nothing_on_it_edits_or_deletes(http: httpx2.AsyncClient, desk: RecordedDesk) -> None:
    """A correction is one more entry, and the page says how."""
    desk.recalls("closed")
    page = (await http.get(PAGE)).text
    forms = re.findall(r"<form[^>]*>", page)

    assert [form for form in forms if 'method="post"' in form and "/preferences" not in form] == []
    assert "tocsin note" in page
    assert (await http.delete(PAGE)).status_code == 405
    assert (await http.post(PAGE)).status_code == 405


async def test_the_download_is_proven_and_a_changed_byte_is_found_out(http: httpx2.AsyncClient, desk: RecordedDesk) -> None:
    """What the page hands out is what `tocsin verify` checks, the event behind each entry included."""
    desk.recalls("closed")
    answer = await http.get(f"{PAGE}/download")
    whole = json.loads(answer.content)
    changed = copy.deepcopy(whole)
    changed["timeline"][3]["text"] += "."
    moved = copy.deepcopy(whole)
    moved["origins"][3]["event_id"] += 1
    reports = [await audit.verify(document) for document in (whole, changed, moved)]

    assert answer.headers["content-disposition"] == f'attachment; filename="{ONE}-audit.json"'
    assert [report.ok for report in reports] == [True, False, False]
    assert "ok   each entry names the event of its history" in reports[0].lines
    assert any(line == f"FAIL entries name another event: [{moved['origins'][3]['seq']}]" for line in reports[2].lines)


async def test_without_a_worker_the_record_is_derived_from_the_history(http: httpx2.AsyncClient, desk: RecordedDesk) -> None:
    """An auditor needs Temporal, and nobody who works."""
    timeline = desk.recalls("closed")
    desk.working = False
    page = (await http.get(PAGE)).text

    assert "derived here from the workflow" in page
    assert len(re.findall(r'<tr id="entry-', page)) == len(timeline)


async def test_markup_in_an_entry_is_text(http: httpx2.AsyncClient, desk: RecordedDesk) -> None:
    """Whatever was said, the record shows it and runs none of it."""
    timeline = desk.recalls("closed")
    timeline[2] |= {"text": "<script>alert(1)</script>", "by": '"><img src=x>', "kind": "<b>"}
    page = (await http.get(f"{PAGE}?text=%22%3E%3Cscript%3E")).text + (await http.get(PAGE)).text

    assert "<script>alert" not in page
    assert '"><script>' not in page
    assert "<img" not in page


async def test_a_foreign_incident_is_not_found(http: httpx2.AsyncClient) -> None:
    """There is no record of what does not exist."""
    answers = [await http.get(f"/incidents/{name}/audit") for name in ("INC-2026-0009", "registry")]

    assert [answer.status_code for answer in answers] == [404, 404]
