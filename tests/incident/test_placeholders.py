"""What is left of the template is found wherever it stands, and nothing that people wrote is taken for it."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident import postmortem
from incident.commands import FilePostmortem
from incident.lifecycle import decide
from incident.placeholders import BEGINNING, left, problems
from incident.refusals import Refusal
from tests.incident.nights import RESOLVED, known_night
from tests.incident.template import SECTIONS

CAUSE = "## Root Cause\nThe pool leaked.\n"

TEMPLATE = f"""\
# Incident Post-Mortem: [Title]

**Incident ID:** INC-YYYY-NNNN
**Date:** YYYY-MM-DD
**Duration:** X hours Y minutes
**Severity:** SEV[1/2/3]
**Author:** @[incident commander]

{SECTIONS}"""


def test_every_placeholder_of_the_process_s_template_is_known() -> None:
    """The template as the process has it is not a post-mortem in any of its parts."""
    found: dict[str, list[str]] = {}
    for section, placeholder in left(TEMPLATE):
        found.setdefault(section, []).append(placeholder)

    assert found == {
        BEGINNING: ["[Title]", "INC-YYYY-NNNN", "YYYY-MM-DD", "X hours Y minutes", "SEV[1/2/3]", "@[incident commander]"],
        "Summary": ["[2-3 sentence summary of what happened]"],
        "Impact": ["[count/percentage]", "[if applicable]"],
        "Timeline": ["HH:MM", "[event]"],
        "Root Cause": ["[Technical description of the root cause]"],
        "Contributing Factors": ["[Factor 1]", "[Factor 2]"],
        "What Went Well": ["[Item 1]", "[Item 2]"],
        "What Could Be Improved": ["[Item 1]", "[Item 2]"],
        "Action Items": ["[action]", "@[name]", "YYYY-MM-DD"],
        "Lessons Learned": ["[Key takeaways for the team]"],
    }


@pytest.mark.parametrize(
    ("text", "placeholder"),
    [
        ("## Lessons Learned\n- […]\n", "[…]"),
        ("## Lessons Learned\n...\n", "..."),
        ("## Lessons Learned\nTBD\n", "TBD"),
        ("## Impact\nImpact: unknown\n", "unknown"),
        ("## Impact\n- **Users Affected:** unknown\n", "unknown"),
        ("## Impact\n- **Revenue Impact:** Unknown.\n", "Unknown."),
        ("## What Went Well\n1. [Item 1] the pager\n", "[Item 1]"),
        ("## What Went Well\n- [ ] [to come]\n", "[to come]"),
        ("## Action Items\n| Fix it | @[name] | 2026-12-01 | Open |\n", "@[name]"),
        ("## Lessons Learned\nTODO: ask ben\n", "TODO: ask ben"),
        ("## Lessons Learned\n- TODO ask ben\n", "TODO ask ben"),
        ("## Impact\n- **Revenue Impact:** TBD by finance\n", "TBD by finance"),
        ("## Impact\n| SLA | FIXME |\n", "FIXME"),
        ("## Lessons Learned\nBudget the retries (TODO: by how much?).\n", "(TODO: by how much?)"),
        ("## Lessons Learned\nBudget the retries [TBD].\n", "[TBD]"),
    ],
)
def test_what_was_left_standing_is_found(text: str, placeholder: str) -> None:
    """In lists, tables, values and in the middle of a line."""
    section = re.findall(r"^## (.*)$", text, re.MULTILINE)[0]

    assert left(CAUSE + text) == ((section, placeholder),)


@pytest.mark.parametrize(
    "text",
    [
        "[PR 12](https://example.org/12) leaked the pool",
        "[PR 12](https://example.org/12)",
        "- [x] alerted\n- [ ] the runbook",
        "See the footnote.[^1]\n\n[^1]",
        "The array `[1]` and the log's [error] line; later […] it stopped",
        "`[Item 1]` is what the template says",
        "```\n[Item 1]\nTBD\n```",
        "| 03:16 | Note (ana): [event] is the name of the queue |",
        "It is unknown to us how many were affected: there was no metric.",
        "A TODO in the code had hidden it, and nobody looks at the todo list.",
        "`TODO: retry` stood in the client.",
        "| 03:16 | TODO: page ben |",
    ],
)
def test_what_people_write_is_no_placeholder(text: str) -> None:
    """Links, boxes, footnotes, code and brackets in a sentence are somebody's own words."""
    assert left(f"{CAUSE}\n## Timeline\n{text}\n" if text.startswith("|") else f"{CAUSE}{text}\n") == ()


def test_filing_says_which_section_still_holds_which_placeholder() -> None:
    """The refusal has one reason a section, with the words that were left and what to do about them."""
    document = f"{CAUSE}\n## What Went Well\n1. [Item 1]\n2. [Item 2]\n\n## Action Items\n| [action] | @[name] | YYYY-MM-DD | Open |\n"
    outcome = decide(known_night(), FilePostmortem(by="dana", document=document), RESOLVED + timedelta(hours=1))

    assert isinstance(outcome, Refusal)
    assert outcome.code == "undocumented"
    assert [blocker.message for blocker in outcome.blockers] == [
        "What Went Well: still holds placeholders: “[Item 1]”, “[Item 2]”; write what is meant there, or take the line out.",
        "Action Items: still holds placeholders: “[action]”, “@[name]”, “YYYY-MM-DD”; "
        "add one with its owner and due date (add_action_item).",
    ]


def test_a_history_of_before_keeps_what_was_filed_then() -> None:
    """A post-mortem that an earlier version took is not taken back when its history is read again."""
    document = f"{CAUSE}\n## What Went Well\n1. [Item 1]\n"
    outcome = decide(known_night(), FilePostmortem(by="dana", document=document), RESOLVED + timedelta(hours=1), earlier=True)

    assert not isinstance(outcome, Refusal)
    assert [event.kind for event in outcome] == ["postmortem_filed"]


def test_an_incident_of_before_may_keep_its_notes() -> None:
    """What its history took as complete is complete; one that begins now is asked to write what it has put off."""
    document = f"{CAUSE}\n## Lessons Learned\nTODO: ask ben\n"
    found = [postmortem.problems(document, known_night().model_copy(update={"edition": edition})) for edition in (3, 4)]

    assert found == [(), ("Lessons Learned: still holds a placeholder: “TODO: ask ben”; write what is meant there, or take the line out.",)]


@given(st.text(max_size=400))
def test_any_document_is_looked_through(document: str) -> None:
    """No document, however strange, stops the process, and each reason names a section."""
    assert all(section and sentence for section, sentence in problems(document).items())
