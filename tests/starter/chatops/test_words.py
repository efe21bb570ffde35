"""What people type into a chat, and what it means."""

from __future__ import annotations

from typing import Any

import pytest

from incident.commands import COMMANDS, parse
from starter.chatops import words
from starter.cli.verbs import VERBS
from starter.problems import Invalid

INC = "INC-2026-0007"

LINES: list[tuple[str, str, str | None, dict[str, Any]]] = [
    ("ack", "acknowledge", None, {}),
    (f"ACK {INC.lower()}", "acknowledge", INC, {}),
    (f"note {INC} we can't log in, either", "note", INC, {"text": "we can't log in, either"}),
    ("note it began with INC-2026-0003", "note", None, {"text": "it began with INC-2026-0003"}),
    (f"sev {INC} 1 because it spreads", "change_severity", INC, {"severity": "SEV1", "reason": "because it spreads"}),
    ("role commander ana", "assign", None, {"role": "commander", "person": "ana"}),
    ("update --internal -m “Found it.”", "post_update", None, {"audience": "internal", "text": "Found it."}),
    ("update --audience=external Found it.", "post_update", None, {"audience": "external", "text": "Found it."}),
    ("confirm metrics-at-baseline 0.1% errors", "confirm", None, {"criterion": "metrics_at_baseline", "evidence": "0.1% errors"}),
    ("finish-mitigation —failed", "finish_mitigation", None, {"succeeded": False}),
    ('resolve --root-cause "a leak" --fix-applied reverted', "resolve", None, {"root_cause": "a leak", "fix_applied": "reverted"}),
    (
        f'mitigate {INC} --option rollback --rationale r --owner ana --verification "rates" --verification rows'
        " --rollback-plan p redeploy 41",
        "mitigate",
        INC,
        {
            "option": "rollback",
            "rationale": "r",
            "owner": "ana",
            "verification": ["rates", "rows"],
            "rollback_plan": "p",
            "action": "redeploy 41",
        },
    ),
    ("action done AI-1", "complete_action_item", None, {"id": "AI-1"}),
    ("action change AI-1 --owner eva", "change_action_item", None, {"id": "AI-1", "owner": "eva"}),
    (
        'action add "alert on rate" --owner ben --due 2026-12-01',
        "add_action_item",
        None,
        {"item": "alert on rate", "owner": "ben", "due": "2026-12-01"},
    ),
    (f"declare {INC} --sev 2", "declare", INC, {"severity": "SEV2"}),
    ("schedule-retrospective 2026-12-01T10:00", "schedule_retrospective", None, {"at": "2026-12-01T10:00:00+00:00"}),
    ("file-postmortem /etc/passwd", "file_postmortem", None, {"document": "/etc/passwd"}),
    ("note -", "note", None, {"text": "-"}),
    ("close", "close", None, {}),
]


@pytest.mark.parametrize(("line", "verb", "incident", "fields"), LINES, ids=[line for line, *_ in LINES])
def test_a_line_is_a_verb_with_its_fields(line: str, verb: str, incident: str | None, fields: dict[str, Any]) -> None:
    """People type as on the command line, without quotation marks where they can; no file and no input is ever read."""
    typed = words.read(line)
    parse(verb, {"by": "ana", **typed.fields})

    assert words.Typed(verb, incident, fields) == typed


def test_a_new_incident_is_declared_or_reported() -> None:
    """A title opens one; with a severity it is declared at once."""
    declared = words.read("declare Checkout is down --sev 1 --service checkout --customer-facing")

    fields = {"title": "Checkout is down", "severity": "SEV1", "services": ["checkout"], "customer_facing": True}
    assert words.Typed("open", None, fields) == declared
    assert words.Typed("open", None, {"title": "Slow search"}) == words.read("report Slow search")


@pytest.mark.parametrize("line", ["", "  ", "help", "help me"])
def test_whoever_does_not_know_is_helped(line: str) -> None:
    """An empty command is a question."""

    assert words.read(line).verb == "help"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("frobnicate", "'frobnicate' is none that I know"),
        ('note "never closed', "never closed"),
        ("sev 7 why", "not one of SEV1, SEV2, SEV3"),
        ("ack now please", "does not know what to do with 'now'"),
        ("sev 1 --reason", "--reason needs a value"),
        ("schedule-retrospective tomorrow", "can't be read as instant"),
    ],
)
def test_what_can_not_be_read_is_named(line: str, said: str) -> None:
    """Whoever mistypes at night reads which word it was."""
    with pytest.raises(Invalid, match=said.replace("(", r"\(")):
        words.read(line)


def test_help_names_every_verb() -> None:
    """Nothing that can be done in an incident is left out of the chat."""
    known = VERBS.keys()

    assert known == COMMANDS.keys()
    assert len(known) + 1 + len(words.CHANNELS) == len(list(words.usage()))
