"""The post-mortem: a draft from the timeline, what a filed one must say, and the four times."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

from incident import placeholders, telling
from incident.events import SYSTEM, Event
from incident.lateness import misses
from incident.messages import UNKNOWN, duration, moment, plain, short
from incident.mitigation_options import label
from incident.model import ActionItem, Incident
from incident.moments import AFTERWARDS, KeyMoments

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

CELL_LIMIT = 500
"""Characters of one event in the table; the timeline itself has the whole text."""


class Times(NamedTuple):
    """How long it took from the opening; None for what has not happened."""

    acknowledge: timedelta | None
    declare: timedelta | None
    mitigate: timedelta | None
    resolve: timedelta | None


def times(incident: Incident) -> Times:
    moments = (incident.acknowledged_at, incident.declared_at, incident.mitigated_at, incident.resolved_at)
    return Times(*(at - incident.opened_at if at is not None else None for at in moments))


class Line(NamedTuple):
    """One line that the record gives, and the timeline entry that says so; None where the template itself speaks."""

    text: str
    seq: int | None = None


OTHER = "Other"
"""Where a document's own sections go that the template does not have."""

NOT_WRITTEN_HERE = frozenset({"Action Items"})
"""Sections that are made from the record each time: their lines are changed by commands, not by typing."""

TABLE_HEAD = "| Time (UTC) | Event |\n|------------|-------|"
NONE_OWED = "| None | - | - | - |"
NAMED = "Named on resolving"
"""The status of a next step that nobody has made an action item of."""
ITEMS_HEAD = "| Item | Owner | Due Date | Status |\n|------|-------|----------|--------|"


def draft(incident: Incident, timeline: Sequence[Event]) -> str:
    """The process's template, filled as far as the record goes; the rest stays a placeholder, to be seen."""
    return assembled(incident, {name: written(lines) for name, lines in prefilled(incident, timeline).items()})


def written(lines: Iterable[Line]) -> str:
    return "\n".join(line.text for line in lines)


def assembled(incident: Incident, texts: Mapping[str, str]) -> str:
    """The whole document: the template's head, and each section with its text; `Other` brings headings of its own."""
    began = incident.started_at or incident.opened_at
    length = duration(incident.resolved_at - began) if incident.resolved_at is not None else UNKNOWN
    severity = incident.severity.value if incident.severity else UNKNOWN
    head = (
        f"# Incident Post-Mortem: {plain(incident.title)}\n\n"
        f"**Incident ID:** {incident.id}\n"
        f"**Date:** {began:%Y-%m-%d}\n"
        f"**Duration:** {length}\n"
        f"**Severity:** {severity}\n"
        f"**Author:** {plain('@' + incident.commander) if incident.commander else UNKNOWN}\n"
    )
    sections = [f"## {name}\n{texts.get(name, '').strip()}\n" for name in SECTIONS]
    other = texts.get(OTHER, "").strip()
    return "\n".join([head, *sections, *([f"{other}\n"] if other else [])])


def prefilled(incident: Incident, timeline: Sequence[Event]) -> dict[str, tuple[Line, ...]]:
    """Each section as the record fills it, each line with the entry that it comes from."""

    def or_template(name: str, lines: tuple[Line, ...]) -> tuple[Line, ...]:
        return lines or (Line(placeholders.BY_SECTION[name]),)

    return {
        "Summary": or_template("Summary", _summary(incident, timeline)),
        "Impact": _impact(incident, timeline),
        "Timeline": (Line(TABLE_HEAD), *(_timeline(timeline) or (Line(placeholders.NO_EVENT),))),
        "Root Cause": or_template("Root Cause", _cause(incident, timeline)),
        "Contributing Factors": or_template("Contributing Factors", _factors(incident, timeline)),
        "What Went Well": or_template("What Went Well", _numbered(_wins(incident, timeline))),
        "What Could Be Improved": or_template("What Could Be Improved", _misses(timeline)),
        "Action Items": (Line(ITEMS_HEAD), *_items(incident, timeline)),
        "Lessons Learned": or_template("Lessons Learned", ()),
    }


def _summary(incident: Incident, timeline: Sequence[Event]) -> tuple[Line, ...]:
    """Two or three sentences: what happened, how bad it was and who said so, and how it ended."""
    found: list[Line] = []
    if incident.summary:
        found.append(Line(_sentence(incident.summary), _source(timeline, ("declared", "opened"), "summary", incident.summary)))
    elif incident.symptom:
        found.append(Line(_sentence(incident.symptom), _source(timeline, ("described",), "symptom", incident.symptom)))
    declared = _latest(timeline, "declared")
    if declared is not None:
        affected = f", affecting {', '.join(map(plain, incident.services))}" if incident.services else ""
        severity = incident.severity.value if incident.severity else UNKNOWN
        found.append(Line(f"{plain(declared.by)} declared it {severity} at {moment(declared.at)}{affected}.", declared.seq))
    resolved = _latest(timeline, "resolved")
    if resolved is not None and incident.resolved_at is not None:
        ways = ", ".join(f"{label(one.option).lower()} ({plain(one.owner)})" for one in incident.mitigations if one.succeeded)
        mitigated = f"Mitigated by {ways}; resolved" if ways else "Resolved"
        length = duration(incident.resolved_at - (incident.started_at or incident.opened_at))
        fix = f": {_sentence(incident.fix_applied)}" if incident.fix_applied else "."
        found.append(Line(f"{mitigated} by {plain(resolved.by)} at {moment(incident.resolved_at)} after {length}{fix}", resolved.seq))
    return tuple(found)


def _sentence(text: str) -> str:
    """Somebody's words with an end, so that another sentence can follow."""
    said = plain(text.strip())
    return said if said.endswith((".", "!", "?", ":", "`")) else f"{said}."


def _latest(timeline: Sequence[Event], kind: str) -> Event | None:
    return next((event for event in reversed(timeline) if event.kind == kind), None)


def _cause(incident: Incident, timeline: Sequence[Event]) -> tuple[Line, ...]:
    """What was said on resolving; until then the newest hypothesis, which is still a placeholder."""
    if incident.root_cause:
        return (Line(plain(incident.root_cause), _source(timeline, ("resolved",), "root_cause", incident.root_cause)),)
    if incident.hypotheses:
        newest = incident.hypotheses[-1]
        said = _OUTSIDE_BRACKETS.sub(" ", plain(newest.text))
        return (Line(f"[Hypothesis of {_OUTSIDE_BRACKETS.sub(' ', plain(newest.by))}, to be confirmed: {said}]", _at(timeline, newest.at)),)
    return ()


_OUTSIDE_BRACKETS = re.compile(r"[\[\]\s]+")


def _at(timeline: Sequence[Event], at: datetime) -> int | None:
    return next((event.seq for event in timeline if event.kind == "hypothesis" and event.at == at), None)


def _source(timeline: Sequence[Event], kinds: tuple[str, ...], field: str, text: str) -> int | None:
    """The newest entry of these kinds that says so; where none repeats the words, the newest that could have."""
    able = [event for event in timeline if event.kind in kinds]
    said = [event for event in able if event.data.get(field) == text]
    return (said or able)[-1].seq if able else None


def _impact(incident: Incident, timeline: Sequence[Event]) -> tuple[Line, ...]:
    """The template's three lines; what is not known stays its placeholder."""
    percent = (incident.factors or {}).get("users_affected_percent")
    users = plain(incident.users_affected) or (f"{percent:g} %" if isinstance(percent, int | float) and percent else "")
    seq = None
    if incident.users_affected:
        seq = _source(timeline, ("described", "opened"), "users_affected", incident.users_affected)
    elif users:
        declared = _latest(timeline, "declared")
        seq = declared.seq if declared is not None else None
    facing = {True: "customers notice it", False: "customers do not notice it"}.get(incident.customer_facing) if users else None
    services = f"services: {', '.join(map(plain, incident.services))}" if users and incident.services else None
    affected = "; ".join(part for part in (users or placeholders.HOW_MANY, services, facing) if part)
    return (
        Line(f"- **Users Affected:** {affected}", seq),
        Line(f"- **Revenue Impact:** {placeholders.IF_ANY}"),
        Line(f"- **SLA Impact:** {placeholders.IF_ANY}"),
    )


def _factors(incident: Incident, timeline: Sequence[Event]) -> tuple[Line, ...]:
    found = ((f"{plain(one.text)} (hypothesis of {plain(one.by)}, {moment(one.at)})", _at(timeline, one.at)) for one in incident.hypotheses)
    return tuple(Line(f"{n}. {text}", seq) for n, (text, seq) in enumerate(found, start=1))


def _wins(incident: Incident, timeline: Sequence[Event]) -> Iterator[Line]:
    """What the record itself shows to have gone well; what people made of it, they write."""
    acknowledged = _latest(timeline, "acknowledged")
    if incident.acknowledged_at is not None and acknowledged is not None:
        took, allowed = incident.acknowledged_at - incident.opened_at, incident.rule.acknowledge_within
        if took <= allowed:
            text = f"{plain(acknowledged.by)} acknowledged it after {short(took)}; {short(allowed)} were allowed"
            yield Line(text, acknowledged.seq)
    for one in incident.mitigations:
        if one.succeeded:
            finished = _latest(timeline, "mitigation_finished")
            text = f"The {label(one.option).lower()} worked: {' '.join(plain(one.action).split())} ({plain(one.owner)})"
            yield Line(text, finished.seq if finished is not None else None)


def _numbered(lines: Iterable[Line]) -> tuple[Line, ...]:
    return tuple(Line(f"{number}. {line.text}", line.seq) for number, line in enumerate(lines, start=1))


def event_line(event: Event, day: date | None = None, beside: str = "") -> Line:
    """One row of the timeline's table; the date is left out where it is `day`'s. `beside` is what `Lateness` has to say of it."""
    at = f"{event.at:%H:%M}" if event.at.date() == day else f"{event.at:%Y-%m-%d %H:%M}"
    return Line(f"| {at} | {_cell(told(event))}{beside} |", event.seq)


def told(event: Event) -> str:
    """An entry for people who were not there: what kind of thing it was, who did it, and the words."""
    kind = event.kind.replace("_", " ").capitalize()
    text = telling.told(vars(event))
    named = event.by == SYSTEM or text.startswith(f"{event.by} ")
    return f"{kind}: {text}" if named else f"{kind} ({event.by}): {text}"


def parsed(document: str) -> dict[str, str]:
    """The texts of a document's sections by the template's names; all that the template does not have is `Other`'s."""
    before, sections = _split(document)
    exact = {name for name in SECTIONS for heading, _ in sections if _titled(name, exact=True).match(heading)}
    texts: dict[str, str] = {}
    other = [f"## Notes\n{before}"] if before else []
    for heading, text in sections:
        free = (name for name in SECTIONS if name not in texts)
        name = next((name for name in free if _titled(name, exact=name in exact).match(heading)), None)
        if name is not None:
            texts[name] = text
        else:
            other.append(f"## {heading}\n{text}")
    return {**texts, OTHER: "\n\n".join(other)} if other else texts


_HEAD_LINE = re.compile(r"# |\*\*(Incident ID|Date|Duration|Severity|Author):\*\*")


def _split(document: str) -> tuple[str, list[tuple[str, str]]]:
    """What stands before the first second-level heading, but for the template's head, and each heading with what is below it."""
    before: list[str] = []
    found: list[tuple[str, list[str]]] = []
    fenced = False
    for line in document.splitlines():
        fenced ^= line.lstrip().startswith(("```", "~~~"))
        heading = None if fenced else _HEADING.match(line)
        if heading is not None and len(heading.group(1)) == 2:
            found.append((heading.group(2).strip(), []))
        elif found:
            found[-1][1].append(line)
        elif not _HEAD_LINE.match(line):
            before.append(line)
    return "\n".join(before).strip(), [(heading, "\n".join(lines).strip()) for heading, lines in found]


def _cell(text: str) -> str:
    """One line that can't end the table's cell."""
    return plain(" ".join(text.split())[:CELL_LIMIT]).replace("\\", "\\\\").replace("|", "\\|")


def _timeline(timeline: Sequence[Event]) -> tuple[Line, ...]:
    rows: list[Line] = []
    day = None
    key = KeyMoments(map(vars, timeline), AFTERWARDS)
    for event in timeline:
        if vars(event) in key and event.data.get("verb") != "file_postmortem":
            rows.append(event_line(event, day, key.lateness.beside(event.seq)))
            day = event.at.date()
    return tuple(rows)


def _misses(timeline: Sequence[Event]) -> tuple[Line, ...]:
    return _numbered(Line(_cell(miss.sentence), miss.first) for miss in misses(map(vars, timeline))[:20])


def _items(incident: Incident, timeline: Sequence[Event]) -> tuple[Line, ...]:
    """One row an item. Where none is owed and none was added, that is what it says."""
    seqs = {event.data.get("id"): event.seq for event in timeline if event.kind == "action_item_added"}
    rows = (
        Line(f"| {item.id}: {_cell(item.item)} | {_cell('@' + item.owner)} | {item.due} | {_status(item)} |", seqs.get(item.id))
        for item in incident.action_items
    )
    named = tuple(Line(f"| {_cell(step)} | nobody yet | - | {NAMED} |", _resolution(timeline)) for step in untracked(incident))
    none_owed = incident.resolved_at is not None and incident.rule.postmortem == "optional"
    if incident.action_items or (none_owed and named):
        return (*rows, *named)
    return (*named, Line(NONE_OWED if none_owed else placeholders.NO_ITEM))


def untracked(incident: Incident) -> tuple[str, ...]:
    """The next steps that were named on resolving, and that no action item has taken up: none that says what the step says."""
    items = [_plainly(item.item) for item in incident.action_items]
    return tuple(step for step in incident.next_steps if not any(_plainly(step) in item for item in items))


def _plainly(text: str) -> str:
    return " ".join(text.split()).casefold().rstrip(".")


def _resolution(timeline: Sequence[Event]) -> int | None:
    resolved = _latest(timeline, "resolved")
    return resolved.seq if resolved is not None else None


def _status(item: ActionItem) -> str:
    return "Done" if item.done else "Waived" if item.waived_by else f"Moved to {item.moved_to}" if item.moved_to else "Open"


_HEADING = re.compile(r"(#{1,6})[ \t]+(.*)")


def _section(document: str, name: str) -> str | None:
    """The text under the heading `name`, sub-headings included; None where there is no such heading.

    A number before it, a colon or more words after it do no harm: `## 4. Root cause (technical)`.
    """
    exact = _under(document, _titled(name, exact=True))
    return exact if exact is not None else _under(document, _titled(name, exact=False))


def _titled(name: str, *, exact: bool) -> re.Pattern[str]:
    title = rf"(?:\d+[.)]\s*)?{re.escape(name)}"
    return re.compile(rf"{title}\s*:?\s*$" if exact else rf"{title}\b", re.IGNORECASE)


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
    """What keeps the document from being a post-mortem: no root cause, or placeholders that were left standing."""
    unfilled = placeholders.problems(document, notes=incident.edition > 3)
    other = [problem for problem in problems_before(document, incident) if problem.partition(":")[0] not in unfilled]
    return (*other, *(f"{section}: {problem}" for section, problem in unfilled.items()))


def problems_before(document: str, incident: Incident) -> tuple[str, ...]:
    """What was looked for before placeholders were: no root cause, and a summary or root cause that is nothing else."""
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
