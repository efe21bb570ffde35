# ruff: noqa: SIM300 - the house writes what is expected first
"""Nights on which measurements are believed, told to a server that skips time."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError

from incident import verifying
from incident.evidence import SampleRequest
from incident.model import Incident
from incident.policy import Policy
from incident.queries import Query, Watching
from tests.harness import Stage, Story, runs

QUERY = Query(name="error_ratio", expression="error_ratio", threshold=0.05)


async def measured(stage: Stage, **policy: Any) -> Story:
    """A SEV2 that has come to resolution, its symptom confirmed by a person."""
    watching = Watching(queries={"checkout": (QUERY,)})
    story = await Story.open(stage, "SEV2", policy=Policy(monitoring=watching, **policy))
    await story.does("acknowledge")
    await story.reaches("mitigation")
    await story.mitigates()
    await story.does("confirm", criterion="symptom_resolved")
    await story.settled()
    return story


def red_between(since: datetime, until: datetime) -> Any:
    return lambda at: 0.31 if since <= at <= until else 0.01


@pytest.mark.lengthy
async def test_a_night_that_is_verified_by_measurements(stage: Stage) -> None:
    """Nobody confirms the metrics; a second outage in the tenth minute starts the period again; a whole green one resolves."""
    story = await measured(stage)
    findings = {finding["id"]: finding["looked_up"] for finding in (await story.state())["findings"]}

    assert {"related_alerts": True, "deployments": False, "known_issues": False, "signals": True} == findings
    assert all((await story.state())["criteria"].values())
    began = await story.now()
    stage.board.monitoring.values["error_ratio"] = red_between(began + timedelta(minutes=10), began + timedelta(minutes=10, seconds=20))
    await story.fast_forward(minutes=16)

    assert "verification-incomplete" == (await story.refused("resolve", root_cause="x", fix_applied="y"))["code"]
    assert any("error_ratio is 0.31" in text for text in story.posts())
    await story.fast_forward(minutes=12)
    await story.does("resolve", root_cause="a retry", fix_applied="rolled back")
    kinds = await story.kinds()

    assert 1 == kinds.count("criterion_withdrawn")
    assert 25 <= kinds.count("evidence") <= 32
    asked = [(since, until) for name, since, until in stage.board.monitoring.asked if until > began]

    assert all(later[0] == earlier[1] for earlier, later in pairwise(asked)), "a stretch that nobody looked at"


@pytest.mark.lengthy
async def test_monitoring_that_goes_away_pages_and_blocks_nothing_else(stage: Stage) -> None:
    """While it is away the period does not pass, the commander is paged after ten minutes, and everything else goes on."""
    story = await measured(stage)
    stage.board.monitoring.down = True
    await story.fast_forward(minutes=14)
    refusal = await story.refused("confirm", criterion="metrics_at_baseline", evidence="the graphs on my screen")

    assert "metrics-not-at-baseline" == refusal["code"]
    assert ("overdue", None) == ((await story.clock("monitoring"))["state"], (await story.state())["verification"]["since"])
    assert "overdue" in await story.kinds()
    await story.does("post_update", audience="internal", text="Monitoring is away")
    stage.board.monitoring.down = False
    await story.fast_forward(minutes=18)

    assert "met" == (await story.clock("monitoring"))["state"]
    await story.does("resolve", root_cause="a retry", fix_applied="rolled back")


async def test_evidence_survives_continue_as_new(stage: Stage) -> None:
    """The period goes on through several runs, and nothing between them is left unlooked at."""
    story = await measured(stage, history_limit=100)
    began = await story.now()
    await story.fast_forward(minutes=16)
    asked = [(since, until) for _, since, until in stage.board.monitoring.asked if until > began]

    assert len(await runs(stage.client, story.id)) > 1
    assert all(later[0] == earlier[1] for earlier, later in pairwise(asked))
    assert (await story.state())["verification"]["passed_at"] is not None


@pytest.mark.lengthy(mistaken=True)
async def test_a_look_that_fails_by_a_mistake_of_ours_is_on_record_and_made_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers that nobody thought of stop neither commands nor clocks: the entry says what failed, and the next look goes on."""
    request = verifying.request

    def first_fails(incident: Incident, now: datetime) -> SampleRequest:
        if incident.evidence is None:
            raise OverflowError("date value out of range")
        return request(incident, now)

    monkeypatch.setattr(verifying, "request", first_fails)
    story = await measured(stage)
    await story.fast_forward(minutes=25)
    looks = [entry for entry in await story.timeline() if entry["kind"] == "evidence"]

    assert "the look failed, OverflowError: date value out of range" in looks[0]["text"]
    assert [1, 0] == [sum("the look failed" in entry["text"] for entry in part) for part in (looks[:1], looks[1:])]

    await story.does("resolve", root_cause="a retry", fix_applied="rolled back")


@pytest.mark.lengthy
async def test_a_beginning_in_year_one_is_no_beginning(stage: Stage) -> None:
    """A date that a sender never meant neither stops the looks nor the incident, and the night is verified as any other."""
    story = await measured(stage)
    mistake = {"by": "ana", "started_at": "0001-01-01T00:00:00Z"}

    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await story.does("describe", **mistake)

    assert "started_at: 0001-01-01 is before the year 2000" in str(refused.value.cause)

    # A signal has nobody to refuse it to: what was taken before, and what is taken so, must not hurt either.
    await story.handle.signal("describe", mistake)
    await story.fast_forward(minutes=18)

    await story.does("resolve", root_cause="a retry", fix_applied="rolled back")
