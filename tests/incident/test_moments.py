"""The key moments: what a reader who comes late needs, and nothing that hides it."""

from __future__ import annotations

from incident import lifecycle, merging
from incident.commands import parse
from incident.events import KINDS
from incident.moments import AFTERWARDS, WHILE_IT_LASTS, KeyMoments
from incident.refusals import Refusal
from tests.incident.walk import Walk


def kept(walk: Walk, kinds: frozenset[str] = WHILE_IT_LASTS) -> list[str]:
    key = KeyMoments(map(vars, walk.timeline), kinds)
    return [event.kind for event in walk.timeline if vars(event) in key]


def test_every_key_moment_is_a_kind_that_there_is() -> None:
    """A word that no entry has would never show anything."""
    assert set() == (WHILE_IT_LASTS | AFTERWARDS) - set(KINDS)


def test_of_an_overdue_clock_the_first_word_and_the_end_are_key_moments() -> None:
    """Whatever ends it: here it is an approval, and in the post-mortem's table a kind that else has no row."""
    walk = Walk.open("SEV1")
    walk.does("acknowledge")
    walk.forward(minutes=55)

    assert sum(event.data.get("clock") == "internal_update" for event in walk.timeline if event.kind == "overdue") > 2
    assert kept(walk).count("overdue") == kept(walk, AFTERWARDS).count("overdue") == 2, "the internal update, and the executives"

    told = next(effect for effect in walk.incident.outbox if effect.purpose == "executives")
    walk.deliver(told)

    assert "delivered" in kept(walk)
    assert "delivered" in kept(walk, AFTERWARDS)


def test_a_refusal_for_want_of_a_role_is_no_key_moment_and_one_of_the_process_is() -> None:
    """That a viewer pressed a button tells nothing of the incident; that somebody wanted to approve their own change does."""
    walk = Walk.open("SEV2")
    command = parse("resolve", {"by": "vic", "roles": ["viewer"], "root_cause": "x", "fix_applied": "y"})
    outcome = lifecycle.decide(walk.incident, command, walk.now)
    assert isinstance(outcome, Refusal)
    assert outcome.code == "not-permitted"
    walk.record([lifecycle.refused("resolve", "vic", outcome, walk.now)])

    assert "refused" not in kept(walk) + kept(walk, AFTERWARDS)

    assert walk.refused("resolve", root_cause="x", fix_applied="y").code == "wrong-phase"

    assert kept(walk).count("refused") == kept(walk, AFTERWARDS).count("refused") == 1


def test_nobody_approves_their_own_change_unnoticed() -> None:
    """It has the same code as a missing role, and is a rule of the process: it stays."""
    walk = Walk.open("SEV2")
    walk.does("advance", reason="service first")
    walk.does("mitigate", option="rollback", rationale="r", owner="ben", action="a", verification=["v"], rollback_plan="p")

    assert walk.refused("approve", by="ben").code == "not-permitted"
    assert "refused" in kept(walk)


def test_a_merge_is_a_key_moment_of_both() -> None:
    """Whoever opens either of the two learns where the rest of the story is."""
    walk, other = Walk.open("SEV2"), Walk.open("SEV1")
    given = merging.handover(walk.incident, "ana", "the same cause", walk.timeline, walk.now)
    taken = merging.absorb(other.incident, given.model_copy(update={"incident": "INC-2026-0003"}), other.now)
    assert isinstance(taken, list)
    other.record(taken)
    walk.does("merge", into="INC-2026-0002", reason="the same cause")
    walk.record(merging.given_way(walk.incident, merging.Taken(incident="INC-2026-0002"), "ana", walk.now))

    assert "absorbed" in kept(other)
    assert "absorbed" in kept(other, AFTERWARDS)
    assert "merged" in kept(walk)
    assert "merged" in kept(walk, AFTERWARDS)
