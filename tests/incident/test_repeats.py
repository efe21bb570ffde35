"""A repeat is told from another request that comes under the same key."""

from __future__ import annotations

import pytest

from incident.commands import InvalidInput, Open, parse
from incident.repeats import check, mark, reused, update_id


def test_a_repeat_is_the_same_whatever_the_door_says_beside_it() -> None:
    """Another door, other roles and another order of the fields make no other request."""
    first = parse("note", {"by": "ana", "text": "rolled back", "key": "k", "via": "cli", "roles": ["responder"]})
    again = parse("note", {"text": "rolled back", "by": "ana", "key": "other", "via": "web"})

    assert mark(first) == mark(again)
    assert not reused({"k": mark(first)}, "k", again)


@pytest.mark.parametrize(
    ("verb", "fields"),
    [
        ("note", {"by": "ana", "text": "rolled forward"}),
        ("note", {"by": "ben", "text": "rolled back"}),
        ("hypothesize", {"by": "ana", "text": "rolled back"}),
    ],
)
def test_another_verb_or_another_word_is_another_request(verb: str, fields: dict[str, str]) -> None:
    """It is refused under a key that is spent, naming the key, the request that has it, and the way forward."""
    first = parse("note", {"by": "ana", "text": "rolled back"})
    with pytest.raises(InvalidInput, match=r"^key: was used already for another request \(note\).*under a new key") as refused:
        check({"k": mark(first)}, "k", parse(verb, fields))

    assert [problem["field"] for problem in refused.value.problems] == ["key"]
    assert update_id("k", first) != update_id("k", parse(verb, fields))


def test_what_was_asked_before_marks_were_kept_counts_as_a_repeat() -> None:
    """An incident of an earlier version goes on answering the keys that it knows."""
    note = parse("note", {"by": "ana", "text": "rolled back"})

    check({}, "k", note)
    check({"k": "close:0"}, None, note)
    assert not reused({}, "k", note)


def test_an_opening_is_a_request_like_any_other() -> None:
    """The same opening is the same incident; another title under its key is told which incident has it."""
    first = Open(by="ana", title="Checkout returns 5xx", key="k")
    with pytest.raises(InvalidInput, match=r"\(open, which opened INC-2026-0001\)"):
        check({"k": mark(first)}, "k", Open(by="ana", title="Search is slow"), told="opened INC-2026-0001")

    assert mark(first) == mark(Open(by="ana", title="Checkout returns 5xx"))
