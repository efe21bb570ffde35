# ruff: noqa: SIM300 - the house writes what is expected first
"""The post-mortem is drafted from the record, and one that explains nothing is not accepted."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident import postmortem
from incident.events import Event
from incident.postmortem import Times, draft, gaps, problems, times
from incident.vocabulary import Phase
from tests.incident.nights import OPENED, known_night, unknown_night
from tests.incident.template import SECTIONS
from tests.incident.walk import Walk

FILLED = """\
# Incident Post-Mortem: Checkout returns 5xx

**Incident ID:** INC-2026-0001
**Date:** 2026-11-24
**Duration:** 1 hour 30 minutes
**Severity:** SEV1
**Author:** @dana

## Summary
Checkout fails for everybody since the release.
ana declared it SEV1 at 2026-11-24 23:59 UTC, affecting checkout, payments.

## Impact
- **Users Affected:** all of them; services: checkout, payments; customers notice it
- **Revenue Impact:** [if applicable]
- **SLA Impact:** [if applicable]

## Timeline
| Time (UTC) | Event |
|------------|-------|
| 2026-11-24 03:16 | Opened: ana opened it |
| 23:59 | Declared (ana): SEV1 \\| declared |
| 2026-11-25 00:01 | Note (ana): a note on two lines |

## Root Cause
The retry budget was exhausted.

## Contributing Factors
1. The release doubled the retries (hypothesis of ben, 2026-11-24 03:16 UTC)

## What Went Well
1. [Item 1]
2. [Item 2]

## What Could Be Improved
1. [Item 1]
2. [Item 2]

## Action Items
| Item | Owner | Due Date | Status |
|------|-------|----------|--------|
| AI-1: Alert on \\| retries | @ben | 2026-12-01 | Open |
| AI-2: Test the rollback | @cem | 2026-12-02 | Done |
| Add a retry budget | nobody yet | - | Named on resolving |

## Lessons Learned
[Key takeaways for the team]
"""

EMPTY = f"""\
# Incident Post-Mortem: Checkout returns 5xx

**Incident ID:** INC-2026-0001
**Date:** 2026-11-24
**Duration:** unknown
**Severity:** unknown
**Author:** unknown

{SECTIONS}"""


def entry(kind: str, text: str, after: timedelta) -> Event:
    return Event(at=OPENED + after, kind=kind, by="ana", text=text)


WRITTEN = (
    FILLED.replace("[if applicable]", "none")
    .replace("1. [Item 1]\n2. [Item 2]", "1. The rollback took two minutes")
    .replace("[Key takeaways for the team]", "Budget the retries.")
)
"""As people file it."""

TIMELINE = [
    entry("opened", "ana opened it", timedelta(0)),
    entry("delivered", "chat has it", timedelta(minutes=1)),
    entry("declared", "SEV1 | declared", timedelta(hours=20, minutes=43)),
    entry("note", "a note\non two  lines", timedelta(hours=20, minutes=45)),
]


def test_the_draft_is_the_process_template_filled_from_the_record() -> None:
    """Everything that the record knows stands in the draft; the date is said when it changes."""
    assert FILLED == draft(known_night(), TIMELINE)


def test_what_the_record_does_not_know_stays_a_placeholder() -> None:
    """The parts that only people can write are seen to be missing."""
    assert EMPTY == draft(unknown_night(), [])


def late_night() -> Walk:
    """A night on which the first internal update came 34 minutes late, and the second one not at all."""
    walk = Walk.open("SEV1")
    walk.does("acknowledge")
    walk.forward(minutes=44)
    walk.does("post_update", audience="internal", text="We roll back")
    walk.forward(minutes=11)
    return walk


def resolved_with(severity: str, *steps: str) -> Walk:
    walk = Walk.open(severity).reaches(Phase.RESOLUTION)
    walk.confirms()
    walk.forward(minutes=15)
    walk.does("resolve", root_cause="The retries.", fix_applied="Rolled back.", next_steps=list(steps))
    return walk


def rows(walk: Walk) -> list[str]:
    return [line.text for line in postmortem.prefilled(walk.incident, walk.timeline)["Action Items"]][1:]


def test_the_next_steps_that_were_named_on_resolving_are_not_forgotten() -> None:
    """They stand among the action items until one of those says the same; what is still missing for filing stays to be seen."""
    walk = resolved_with("SEV1", "Limit the retries", "Test | the rollback")
    first = "| Limit the retries | nobody yet | - | Named on resolving |"
    second = "| Test \\| the rollback | nobody yet | - | Named on resolving |"

    assert rows(walk) == [first, second, "| [action] | @[name] | YYYY-MM-DD | Open |"]

    walk.does("add_action_item", item="limit the  retries in the client.", owner="ben", due="2026-12-01")

    assert rows(walk) == ["| AI-1: limit the retries in the client. | @ben | 2026-12-01 | Open |", second]
    assert not [problem for problem in problems(draft(walk.incident, walk.timeline), walk.incident) if problem.startswith("Action Items")]


def test_where_no_action_item_is_owed_the_next_steps_stand_alone() -> None:
    """A SEV3 may be filed with what somebody meant to do, and says `None` only where nobody meant to do anything."""
    assert rows(resolved_with("SEV3", "Limit the retries")) == ["| Limit the retries | nobody yet | - | Named on resolving |"]
    assert rows(resolved_with("SEV3")) == ["| None | - | - | - |"]


def test_a_missed_deadline_is_something_to_improve() -> None:
    """The process's own lateness is put down for the retrospective: each miss once, with what became of it."""
    walk = late_night()
    found = postmortem.prefilled(walk.incident, walk.timeline)["What Could Be Improved"]

    assert [line.text for line in found if "Internal update" in line.text] == [
        "1. Internal update was due at 2026-11-24 03:10 UTC and came 34 min late after 3 reminders (commander owed it)",
        "3. Internal update was due at 2026-11-24 03:54 UTC and is still owed (commander owed it)",
    ]


def test_the_draft_tells_of_each_miss_where_it_began_and_where_it_ended() -> None:
    """Whoever reads it a week later is told times, and not the same thing every ten minutes."""
    walk = late_night()
    rows = [line.text for line in postmortem.prefilled(walk.incident, walk.timeline)["Timeline"] if "Internal update" in line.text]

    assert rows == [
        "| 03:10 | Overdue: Internal update is overdue: it was due at 03:10 UTC; commander owes it; 3 reminders until 03:44 UTC |",
        "| 03:44 | Internal update (ana): We roll back (internal update 34 min late, after 3 reminders) |",
        "| 03:54 | Overdue: Internal update is overdue: it was due at 03:54 UTC; commander owes it |",
    ]


@given(st.text(alphabet=st.one_of(st.sampled_from("|\\\n`#"), st.characters(codec="utf-8")), max_size=700))
def test_no_text_breaks_out_of_its_cell(text: str) -> None:
    """A row of the timeline has two cells, whatever was written down."""
    document = draft(unknown_night(), [entry("note", text, timedelta(0))])
    row = next(line for line in document.split("\n") if line.startswith("| 2026"))

    assert 3 == row.replace("\\\\", "").replace("\\|", "").count("|")
    assert row.endswith(" |")


def test_the_four_times_count_from_the_opening() -> None:
    """Acknowledge, declare, mitigate and resolve, each in its own length, None for what has not happened."""
    minutes = [timedelta(minutes=length) for length in (2, 4, 40, 85)]

    assert Times(*minutes) == times(known_night())
    assert Times(None, None, None, None) == times(unknown_night())


@pytest.mark.parametrize(
    "document",
    [
        WRITTEN,
        "Root cause: the pool was exhausted.",
        "# Report\n\n**Root Cause:** a bad config",
        "## Summary\nIt broke.\n\n## Root cause\n\n### Technical\nThe pool leaked.",
        "## 4. Root Cause (technical)\nThe pool leaked.",
        "## Root Cause:\n```\n# uname -a\n```\nThe kernel.",
        "Root Cause\n----------\nThe pool leaked.",
        "# Root Cause Analysis\n\n## Root Cause\nThe pool leaked",
        "## Root Cause\n[PR 12](https://example.org/12) leaked the pool",
    ],
)
def test_a_document_that_says_the_root_cause_is_a_postmortem(document: str) -> None:
    """Any form will do, as long as it says what the cause was."""
    assert () == problems(document, known_night())


@pytest.mark.parametrize(
    ("document", "named"),
    [
        (EMPTY, list(postmortem.SECTIONS)),
        (FILLED, ["Impact", "What Went Well", "What Could Be Improved", "Lessons Learned"]),
        ("We fixed it.", ["Root Cause"]),
        ("## Root Cause\n\n## Lessons Learned\nMany.", ["Root Cause"]),
        ("## Root Cause:\n[Technical description of the root cause]\n\n## Next\nx", ["Root Cause"]),
        ("## Root Cause\n### Details\n\n## Next\nx", ["Root Cause"]),
        ("# Root Cause Analysis\n\n## Root Cause\n[Technical description of the root cause]\n\n## More\ntext", ["Root Cause"]),
        ("## Summary\n[2-3 sentence summary of what happened]\n\n## Root Cause\nThe pool leaked.", ["Summary"]),
    ],
)
def test_a_document_without_a_root_cause_is_none(document: str, named: list[str]) -> None:
    """A post-mortem with no cause, or with the template's own words for it, is not accepted, and says which part."""
    assert named == [problem.split(":")[0] for problem in problems(document, known_night())]


def test_missing_sections_are_worth_a_look_only() -> None:
    """Sections that are missing or not filled in are listed and refuse nothing."""
    found = gaps("## Summary\nIt broke.\n\n## Impact\nAll.\n\n## Timeline\n\n## Root Cause\nThe pool.")

    assert ("Timeline: not filled in", "Contributing Factors: missing") == found[:2]
    assert len(postmortem.SECTIONS) - 3 == len(found)
    assert ("What Went Well: not filled in", "What Could Be Improved: not filled in", "Lessons Learned: not filled in") == gaps(FILLED)


@given(st.text(max_size=500))
def test_any_document_is_read(document: str) -> None:
    """No document, however strange, stops the process."""
    assert isinstance(problems(document, unknown_night()), tuple)
    assert isinstance(gaps(document), tuple)


def test_a_document_taken_apart_and_put_together_is_the_same() -> None:
    """Amending a post-mortem section by section loses none of its words."""
    assert FILLED == postmortem.assembled(known_night(), postmortem.parsed(FILLED))


def test_what_the_template_does_not_know_is_kept() -> None:
    """A post-mortem in somebody's own layout keeps every word of it when it is amended here."""
    document = "# Outage\n\nIt rained.\n\n## 2. Root cause (technical)\nA leak.\n\n## Weather\nWet.\n\n## Impact on partners\nNone.\n"
    texts = postmortem.parsed(document)

    assert texts == {"Root Cause": "A leak.", "Impact": "None.", "Other": "## Notes\nIt rained.\n\n## Weather\nWet."}
    assert "## Weather\nWet." in postmortem.assembled(known_night(), texts)


def test_a_heading_that_is_exact_is_preferred() -> None:
    """Of two headings that begin alike, the template's own is the section."""
    texts = postmortem.parsed("## Impact on partners\nNone.\n\n## Impact\nAll users.\n")

    assert texts == {"Impact": "All users.", "Other": "## Impact on partners\nNone."}


def test_each_prefilled_line_names_the_entry_that_it_comes_from() -> None:
    """Whoever reads the draft can go to the moment in the timeline that says so."""
    said = {"root_cause": "The retry budget was exhausted.", "fix_applied": "Rolled back to v247."}
    timeline = [
        Event(seq=1, at=OPENED, kind="opened", by="ana", text="ana opened it"),
        Event(seq=2, at=OPENED, kind="described", by="ana", text="users", data={"users_affected": "all of them"}),
        Event(seq=3, at=OPENED, kind="hypothesis", by="ben", text="retries"),
        Event(seq=4, at=OPENED, kind="overdue", by="tocsin", text="The update is overdue"),
        Event(seq=5, at=OPENED, kind="resolved", by="dana", text="resolved", data=said),
        Event(seq=6, at=OPENED, kind="action_item_added", by="dana", text="added", data={"id": "AI-1"}),
    ]
    lines = postmortem.prefilled(known_night(), timeline)

    assert {name: [line.seq for line in found if line.seq] for name, found in lines.items()} == {
        "Summary": [1, 5],
        "Impact": [2],
        "Timeline": [1, 3, 4, 5],
        "Root Cause": [5],
        "Contributing Factors": [3],
        "What Went Well": [],
        "What Could Be Improved": [4],
        "Action Items": [6, 5],
        "Lessons Learned": [],
    }
