"""The way forward from every no: in the words of the page, and with a button."""

from __future__ import annotations

import re
from typing import Any, get_args

import pytest

from incident import lifecycle, snapshot
from incident.commands import COMMANDS, parse
from incident.refusals import CODES, Code, Refusal
from incident.vocabulary import Phase
from starter.web.answer import refused
from starter.web.ways import Way, forward, obstacles, plain
from tests.incident.test_deciding import FIELDS
from tests.incident.walk import DOCUMENT, PLAN, Walk

TYPED = re.compile(rf"\b[a-z]+_[a-z_]+\b|\((?:{'|'.join(COMMANDS)})\)")


def state(walk: Walk) -> dict[str, Any]:
    return snapshot.state(walk.incident, walk.now)


def way(walk: Walk, verb: str, **fields: Any) -> list[tuple[str | None, str]]:
    """The buttons of a refusal: its own, and those of what stands in the way."""
    answer = refused(verb, walk.refused(verb, **fields).model_dump(mode="json", exclude_none=True), state(walk))
    found = [*answer.ways, *(each for obstacle in answer.obstacles for each in obstacle.ways)]
    return [(each.verb, each.href) for each in found]


def verbs(found: list[tuple[str | None, str]]) -> list[str | None]:
    return [verb for verb, _ in found]


@pytest.mark.parametrize("code", get_args(Code))
def test_every_refusal_has_a_way_forward(code: str) -> None:
    """Whatever the process forbids, there is a button beside it, in every phase and for every verb."""
    assert code in CODES
    for phase in Phase:
        walk = Walk.open(None).reaches(phase)
        for verb in COMMANDS:
            assert forward(code, verb, state(walk)), (code, phase, verb)


def test_whatever_is_refused_in_whatever_phase_shows_a_button_or_when_it_clears() -> None:
    """Each verb pressed in each phase: no refusal, and nothing in its way, leaves a person with words alone."""
    seen = 0
    for phase in Phase:
        walk = Walk.open(None).reaches(phase)
        for verb in COMMANDS:
            outcome = lifecycle.decide(walk.incident, parse(verb, {"by": "ana", **FIELDS.get(verb, {})}), walk.now)
            if not isinstance(outcome, Refusal):
                continue
            seen += 1
            answer = refused(verb, outcome.model_dump(mode="json", exclude_none=True), state(walk))

            assert answer.ways or answer.obstacles, (verb, phase)
            assert [each for each in answer.obstacles if not (each.ways or each.items or each.until)] == [], (verb, phase)
            assert TYPED.findall(f"{answer.message} {answer.required_action}") == [], (verb, phase, answer)
    assert seen > 60


def test_too_early_leads_onwards_and_too_late_leads_back() -> None:
    """What belongs to a later phase is a step away from going on; what is over can be reopened."""
    declared = Walk.open("SEV1")
    detected = Walk.open(None)
    over = Walk.open("SEV2").reaches(Phase.POST_INCIDENT)

    assert verbs(way(declared, "mitigate", **PLAN)) == ["advance"]
    assert verbs(way(detected, "post_update", audience="internal", text="x")) == ["declare"]
    assert verbs(way(over, "confirm", criterion="symptom_resolved")) == ["reopen"]
    assert verbs(way(declared, "declare", severity="SEV2")) == ["change_severity"]
    assert way(over, "resolve", root_cause="x", fix_applied="y") == [(None, "/incidents/INC-2026-0001/postmortem")]


def test_open_items_are_one_thing_with_a_tick_for_each() -> None:
    """Seven blockers of one kind are a sentence and a list, not seven sentences; an item that holds by fact leads to the fact."""
    walk = Walk.open("SEV2").reaches(Phase.POST_INCIDENT)
    walk.does("file_postmortem", document=DOCUMENT)
    found = obstacles(state(walk)["blockers"], state(walk))
    items = next(each for each in found if each.items)

    assert len(found) < len(state(walk)["blockers"])
    assert re.match(r"\d+ checklist items open: .+; .+; .+ and \d+ more$", items.message)
    assert "runbook_updated" in [item.item for item in items.items]
    assert len([each for each in found if each.items]) == 1


def test_what_holds_by_fact_leads_to_the_fact() -> None:
    """Ticking "symptom resolved" is refused until somebody has confirmed it: the form for that stands beside the tick."""
    message = "Primary symptom verified resolved (resolution): check symptom_verified_resolved, or skip it with a reason"
    [found] = obstacles([{"code": "undocumented", "message": message}], {"incident": "INC-2026-0001"})

    assert found.items[0].way == Way("Confirm it", "?do=confirm&criterion=symptom_resolved#do-confirm", "confirm")


@pytest.mark.parametrize(
    ("item", "resolved", "led_to"),
    [
        ("status_page_updated", False, "?do=post_update&audience=external#do-post_update"),
        ("status_page_resolved", False, None),
        ("status_page_resolved", True, "?do=post_update&audience=external&status=resolved#do-post_update"),
    ],
)
def test_what_the_status_page_owes_is_posted_from_where_it_is_missing(item: str, resolved: bool, led_to: str | None) -> None:
    """The composer stands beside the tick; that it is over is posted once it is."""
    message = f"The status page (declaration): check {item}, or skip it with a reason"
    known = {"incident": "INC-2026-0001", "resolved_at": "2026-11-24T03:20:00Z" if resolved else None}
    [found] = obstacles([{"code": "undocumented", "message": message}], known)
    offered = found.items[0].way

    assert (offered.href if offered else None) == led_to


def test_closing_names_the_form_for_each_thing_that_is_owed() -> None:
    """Post-mortem, action items and the document of the change: each its own button."""
    walk = Walk.open("SEV1").reaches(Phase.POST_INCIDENT)
    found = verbs(way(walk, "close"))

    assert found == [None, "add_action_item", "skip", "approve"]


def test_the_verification_period_says_what_begins_it() -> None:
    """Before it runs, the criterion that is missing; while it runs, the moment when it is over."""
    walk = Walk.open("SEV2").reaches(Phase.RESOLUTION)
    first = obstacles(state(walk)["blockers"], state(walk))[0]
    walk.confirms()
    [running] = obstacles(state(walk)["blockers"], state(walk))

    assert [each.label for each in first.ways] == ["Confirm symptom resolved"]
    assert (running.until, running.ways) == ("2026-11-24T03:15:00Z", ())
    assert "left" not in running.message


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("Runbook updated (post-incident): check runbook_updated, or skip it with a reason", "Runbook updated (post-incident)"),
        ("The post-mortem is not filed: file_postmortem.", "The post-mortem is not filed."),
        ("Ask someone else to approve the change (approve).", "Ask someone else to approve the change."),
        ("Mend one of the two, or waive drift:status_page.", "Mend one of the two, or let it be."),
        (
            "To change its severity use change_severity with the reason.",
            "To change its severity use “Change the severity” with the reason.",
        ),
        ("1 alert(s) still firing: checkout_errors", "1 alert(s) still firing: checkout_errors"),
    ],
)
def test_commands_are_said_in_the_words_of_the_page(typed: str, said: str) -> None:
    """Where a button stands beside it, nobody has to know what one would type; names from outside stay as they are."""
    assert plain(typed) == said
