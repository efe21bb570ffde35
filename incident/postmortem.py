"""The post-mortem: a draft from the timeline, what a filed one must say, and the four times."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from incident.events import Event
from incident.messages import UNKNOWN, duration, moment, plain
from incident.model import ActionItem, Incident

SECTIONS = (
    "Summary",
    "Impact",
    "Timeline",
    "Root Cause",
    "Contributing Factors",
    "What Went Well",
    "What Could Be Improved",
    "Action Items",
    "Lessons Learned",
)

PLACEHOLDERS = {
    "Summary": "[2-3 sentence summary of what happened]",
    "Root Cause": "[Technical description of the root cause]",
    "Contributing Factors": "1. [Factor 1]\n2. [Factor 2]",
    "What Went Well": "1. [Item 1]\n2. [Item 2]",
    "What Could Be Improved": "1. [Item 1]\n2. [Item 2]",
    "Lessons Learned": "[Key takeaways for the team]",
}
"""What stands where only people can fill in."""

CELL_LIMIT = 500
"""Characters of one event in the table; the timeline itself has the whole text."""

KEY_EVENTS = frozenset(
    {
        "opened",
        "alert",
        "acknowledged",
        "declared",
        "severity_changed",
        "role_assigned",
        "role_unfilled",
        "internal_update",
        "external_update",
        "hypothesis",
        "mitigation_proposed",
        "mitigation_approved",
        "mitigation_finished",
        "criterion_withdrawn",
        "verification_passed",
        "resolved",
        "reopened",
        "overdue",
        "refused",
        "note",
        "parked",
    }
)


class Times(NamedTuple):
    """How long it took from the opening; None for what has not happened."""

    acknowledge: timedelta | None
    declare: timedelta | None
    mitigate: timedelta | None
    resolve: timedelta | None


def times(incident: Incident) -> Times:
    moments = (incident.acknowledged_at, incident.declared_at, incident.mitigated_at, incident.resolved_at)
    return Times(*(at - incident.opened_at if at is not None else None for at in moments))


def draft(incident: Incident, timeline: Sequence[Event]) -> str:
    """The process's template, filled as far as the record goes; the rest stays a placeholder, to be seen."""
    began = incident.started_at or incident.opened_at
    length = duration(incident.resolved_at - began) if incident.resolved_at is not None else UNKNOWN
    summary = plain(incident.summary) or PLACEHOLDERS["Summary"]
    severity = incident.severity.value if incident.severity else UNKNOWN
    factors = "\n".join(f"{n}. {plain(h.text)}" for n, h in enumerate(incident.hypotheses, start=1))
    return (
        f"# Incident Post-Mortem: {plain(incident.title)}\n\n"
        f"**Incident ID:** {incident.id}\n"
        f"**Date:** {began:%Y-%m-%d}\n"
        f"**Duration:** {length}\n"
        f"**Severity:** {severity}\n"
        f"**Author:** {plain('@' + incident.commander) if incident.commander else UNKNOWN}\n\n"
        f"## Summary\n{summary}\n\n"
        "## Impact\n"
        f"- **Users Affected:** {plain(incident.users_affected) or UNKNOWN}\n"
        f"- **Revenue Impact:** {UNKNOWN}\n"
        f"- **SLA Impact:** {UNKNOWN}\n\n"
        f"## Timeline\n| Time (UTC) | Event |\n|------------|-------|\n{_timeline(timeline)}\n\n"
        f"## Root Cause\n{plain(incident.root_cause) or PLACEHOLDERS['Root Cause']}\n\n"
        f"## Contributing Factors\n{factors or PLACEHOLDERS['Contributing Factors']}\n\n"
        f"## What Went Well\n{PLACEHOLDERS['What Went Well']}\n\n"
        f"## What Could Be Improved\n{_misses(timeline) or PLACEHOLDERS['What Could Be Improved']}\n\n"
        f"## Action Items\n| Item | Owner | Due Date | Status |\n|------|-------|----------|--------|\n{_items(incident.action_items)}\n\n"
        f"## Lessons Learned\n{PLACEHOLDERS['Lessons Learned']}\n"
    )


def _cell(text: str) -> str:
    """One line that can't end the table's cell."""
    return plain(" ".join(text.split())[:CELL_LIMIT]).replace("\\", "\\\\").replace("|", "\\|")


def _timeline(timeline: Sequence[Event]) -> str:
    rows: list[str] = []
    day = None
    for event in timeline:
        if event.kind not in KEY_EVENTS:
            continue
        at = f"{event.at:%H:%M}" if event.at.date() == day else f"{event.at:%Y-%m-%d %H:%M}"
        day = event.at.date()
        rows.append(f"| {at} | {_cell(event.text)} |")
    return "\n".join(rows) or "| HH:MM | [event] |"


def _misses(timeline: Sequence[Event]) -> str:
    late = [event for event in timeline if event.kind == "overdue"]
    return "\n".join(f"{n}. {_cell(event.text)} ({moment(event.at)})" for n, event in enumerate(late[:20], start=1))


def _items(items: Sequence[ActionItem]) -> str:
    rows = [f"| {item.id}: {_cell(item.item)} | {_cell('@' + item.owner)} | {item.due} | {_status(item)} |" for item in items]
    return "\n".join(rows) or "| [action] | @[name] | YYYY-MM-DD | Open |"


def _status(item: ActionItem) -> str:
    return "Done" if item.done else "Waived" if item.waived_by else f"Moved to {item.moved_to}" if item.moved_to else "Open"


_HEADING = re.compile(r"(#{1,6})[ \t]+(.*)")


def _section(document: str, name: str) -> str | None:
    """The text under the heading `name`, sub-headings included; None where there is no such heading.

    A number before it, a colon or more words after it do no harm: `## 4. Root cause (technical)`.
    """
    title = rf"(?:\d+[.)]\s*)?{re.escape(name)}"
    exact = _under(document, re.compile(rf"{title}\s*:?\s*$", re.IGNORECASE))
    return exact if exact is not None else _under(document, re.compile(rf"{title}\b", re.IGNORECASE))


def _under(document: str, wanted: re.Pattern[str]) -> str | None:
    level, fenced, lines = 0, False, list[str]()
    for line in document.splitlines():
        fenced ^= line.lstrip().startswith(("```", "~~~"))
        heading = None if fenced else _HEADING.match(line)
        if level == 0:
            level = len(heading.group(1)) if heading is not None and wanted.match(heading.group(2)) else 0
        elif heading is not None and len(heading.group(1)) <= level:
            break
        else:
            lines.append(line)
    return "\n".join(lines).strip() if level else None


_BRACKETED = re.compile(r"^(?:\d+\.\s*|[-*]\s*)?\[[^\]\n]*\]$")


def _unfilled(text: str) -> bool:
    lines = [line.strip() for line in text.splitlines() if line.strip() and not _HEADING.match(line)]
    return all(_BRACKETED.match(line) for line in lines)


def problems(document: str, incident: Incident) -> tuple[str, ...]:
    """What keeps the document from being a post-mortem at all: no root cause, or the template's own placeholders."""
    found: list[str] = []
    cause = _section(document, "Root Cause")
    if cause is not None and _unfilled(cause):
        found.append("Root Cause: is not written yet; investigate with data and say what it was.")
    elif cause is None and not re.search(r"root\s+cause\W+\w", document, re.IGNORECASE):
        found.append("Root Cause: the document does not say what it was.")
    summary = _section(document, "Summary")
    if summary is not None and _unfilled(summary):
        found.append("Summary: still is the template's placeholder.")
    return tuple(found)


def gaps(document: str) -> tuple[str, ...]:
    """The sections of the template that are missing or not filled; worth a look, no reason to refuse."""
    found = []
    for name in SECTIONS:
        text = _section(document, name)
        if text is None:
            found.append(f"{name}: missing")
        elif _unfilled(text):
            found.append(f"{name}: not filled in")
    return tuple(found)
