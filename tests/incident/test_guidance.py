# ruff: noqa: SIM300 - the house writes what is expected first
"""Whoever asks what to do next gets one step that the process accepts, with why and how to type it."""

from __future__ import annotations

from typing import Any

import pytest

from incident.guidance import next_step
from incident.model import CheckState
from incident.refusals import Refusal
from incident.vocabulary import Criterion, Phase
from tests.incident.test_deciding import FIELDS
from tests.incident.walk import DOCUMENT, PLAN, Walk, alert


def step(walk: Walk) -> tuple[str | None, str]:
    found = next_step(walk.incident, walk.now)
    return found.verb, found.text


def acknowledged(severity: str | None = "SEV2", **fields: Any) -> Walk:
    walk = Walk.open(severity, **fields)
    walk.does("acknowledge")
    return walk


def test_somebody_must_be_on_it_before_anything_else() -> None:
    """The first thing is always to acknowledge, with the command that does it."""
    found = next_step(Walk.open(None).incident, Walk.open(None).now)

    assert ("acknowledge", "tocsin ack INC-2026-0001") == (found.verb, found.command)


def test_the_way_through_an_incident_is_one_step_after_another() -> None:
    """From detection to closing each step names the next, and following it leads on."""
    walk = acknowledged(None, customer_facing=True)
    seen = [step(walk)[0]]
    for verb, fields in (
        ("declare", {"severity": "SEV2", "customer_facing": True}),
        ("post_update", {"audience": "external", "text": "We are looking into it."}),
        ("advance", {"reason": "service first"}),
        ("hypothesize", {"text": "the release"}),
        ("mitigate", PLAN),
        ("advance", {"reason": "service first"}),
        ("approve", {"by": "dana"}),
        ("finish_mitigation", {"succeeded": True}),
        ("advance", {"reason": "service first"}),
    ):
        walk.does(verb, **fields)
        seen.append(step(walk)[0])
        command = next_step(walk.incident, walk.now).command

        assert command is None or set(command).isdisjoint("|<>&;$`"), "typed into a shell it would do something else"

    assert [
        "declare",
        "post_update",
        "advance",
        "hypothesize",
        "mitigate",
        "advance",
        "approve",
        "finish_mitigation",
        "advance",
        "confirm",
    ] == seen


def test_resolution_goes_from_criterion_to_criterion_then_waits_then_resolves() -> None:
    """While the period runs there is nothing to do but wait, and the step says until when."""
    walk = acknowledged().reaches(Phase.RESOLUTION)
    asked = []
    for criterion in Criterion:
        asked.append(next_step(walk.incident, walk.now).command)
        walk.does("confirm", criterion=criterion.value)
    waiting = next_step(walk.incident, walk.now)
    walk.forward(minutes=14)
    walk.does("post_update", audience="internal", text="verifying")
    walk.forward(minutes=1)

    assert [f"tocsin confirm INC-2026-0001 --criterion {criterion.value}" for criterion in Criterion] == asked
    assert (None, "Wait.", "tocsin wait INC-2026-0001 --for verified") == (waiting.verb, waiting.text, waiting.command)
    assert "15 min left" in waiting.why
    assert "resolve" == step(walk)[0]


def test_nobody_is_told_to_confirm_that_alerts_cleared_while_they_fire() -> None:
    """The step never is one that would be refused."""
    walk = acknowledged().reaches(Phase.RESOLUTION)
    walk.confirms(Criterion.ALERTS_CLEARED)
    walk.told(alert(starts_at=walk.now))

    assert (None, "Wait.") == step(walk)


def test_what_is_overdue_comes_before_what_the_phase_asks_for() -> None:
    """A missed update is the next step, whatever else there is to do."""
    walk = acknowledged("SEV1", customer_facing=True).reaches(Phase.TRIAGE)
    walk.forward(minutes=10)

    assert ("post_update", "Post the internal update.") == step(walk)

    walk.does("post_update", audience="internal", text="x")
    walk.forward(minutes=5)

    assert ("post_update", "Post the first status-page post.") == step(walk)


def test_after_a_mitigation_that_failed_another_one_is_chosen() -> None:
    """What did not work is not waited for, and neither is what worked before it came back."""
    failed = acknowledged().reaches(Phase.MITIGATION)
    failed.does("mitigate", **PLAN)
    failed.does("finish_mitigation", succeeded=False)
    reopened = acknowledged().reaches(Phase.POST_INCIDENT)
    reopened.does("reopen", reason="errors are back")
    reopened.does("hypothesize", text="the cache")
    before = step(reopened)[0]
    reopened.does("advance", reason="service first")

    assert ["mitigate", "mitigate", "mitigate"] == [step(failed)[0], before, step(reopened)[0]]


def test_the_end_goes_from_post_mortem_to_action_items_to_checklist_to_closing() -> None:
    """What stands in the way of closing is named one by one; an open item about changes is no change to document."""
    walk = acknowledged().reaches(Phase.POST_INCIDENT)
    seen = [step(walk)[0]]
    walk.does("file_postmortem", document=DOCUMENT)
    seen.append(step(walk)[0])
    walk.does("add_action_item", item="x", owner="ben", due="2026-12-01")
    for item in walk.incident.checklist.values():
        if item.state is CheckState.OPEN and item.item != "recent_changes_identified":
            walk.does("check", item=item.item)
    seen.append(step(walk)[0])
    walk.does("check", item="recent_changes_identified")
    seen.append(step(walk)[0])
    walk.does("close")
    seen.append(step(walk)[0])

    assert ["file_postmortem", "add_action_item", "check", "close", None] == seen


def test_a_change_that_went_ahead_is_documented_before_the_checklist() -> None:
    """A SEV1 whose change nobody approved is told to have it documented."""
    walk = acknowledged("SEV1").reaches(Phase.POST_INCIDENT)
    walk.does("file_postmortem", document=DOCUMENT)
    walk.does("add_action_item", item="x", owner="ben", due="2026-12-01")

    assert ("approve", "Document the change.") == step(walk)


@pytest.mark.parametrize("severity", ["SEV1", "SEV2", "SEV3"])
@pytest.mark.parametrize("phase", list(Phase))
@pytest.mark.parametrize("minutes", [0, 45])
def test_the_step_that_is_named_is_never_refused(severity: str, phase: Phase, minutes: int) -> None:
    """In every phase, in time or late, doing what the next step says is accepted."""
    walk = acknowledged(severity, customer_facing=True).reaches(phase)
    walk.forward(minutes=minutes)
    found = next_step(walk.incident, walk.now)
    if found.verb is None:
        return
    fields = {**FIELDS[found.verb]}
    if found.verb == "check":
        fields["item"] = (found.command or "").split()[-1]

    assert not isinstance(walk.asks(found.verb, **fields), Refusal)


def test_what_goes_on_after_closing_is_not_called_nothing() -> None:
    """An open action item is owed still: it is named when the incident can be closed, and after it is; done, nothing is left."""
    walk = Walk.open("SEV1")
    walk.does("acknowledge")
    walk.reaches(Phase.POST_INCIDENT).settles_everything()

    assert next_step(walk.incident, walk.now).why == "AI-1 goes on in the follow-up until it is done or waived."

    walk.does("close")

    assert next_step(walk.incident, walk.now).why == "AI-1 goes on in the follow-up until it is done or waived."

    done = walk.incident.action_items[0].model_copy(update={"done": True})

    assert next_step(walk.incident.model_copy(update={"action_items": (done,)}), walk.now).why == "Nothing is owed any more."
