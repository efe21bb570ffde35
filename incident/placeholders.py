"""What stands in the post-mortem's template where only people can fill in, and where a document still holds it.

A filed post-mortem is read by people who were not there. `[Item 1]` under "What Went Well" tells them that nobody looked.
Links, ticked boxes, footnotes, code and brackets in the middle of a sentence are no placeholders.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

BY_SECTION = {
    "Summary": "[2-3 sentence summary of what happened]",
    "Root Cause": "[Technical description of the root cause]",
    "Contributing Factors": "1. [Factor 1]\n2. [Factor 2]",
    "What Went Well": "1. [Item 1]\n2. [Item 2]",
    "What Could Be Improved": "1. [Item 1]\n2. [Item 2]",
    "Lessons Learned": "[Key takeaways for the team]",
}
"""What the draft has where the record says nothing."""

HOW_MANY = "[count/percentage]"
IF_ANY = "[if applicable]"
NO_EVENT = "| HH:MM | [event] |"
NO_ITEM = "| [action] | @[name] | YYYY-MM-DD | Open |"

_HEAD = ("[Title]", "INC-YYYY-NNNN", "YYYY-MM-DD", "X hours Y minutes", "SEV[1/2/3]", "@[incident commander]")

_EVERYWHERE = frozenset(
    word.casefold()
    for word in (
        HOW_MANY,
        IF_ANY,
        "[event]",
        "[action]",
        "@[name]",
        "[Factor 1]",
        "[Factor 2]",
        "[Item 1]",
        "[Item 2]",
        *(text for text in BY_SECTION.values() if "\n" not in text),
    )
)
"""The template's own words: also in the middle of a line they were left standing."""

_ALONE = frozenset(word.casefold() for word in (*_HEAD, "HH:MM", "unknown", "todo", "tbd", "...", "…"))
"""Words that are placeholders where they are all that a line, a value or a cell says."""

_BRACKETED = re.compile(r"@?\[[^\[\]\n]+\]\.?")
_BOX = re.compile(r"^\[[ xX]\]\s*")
_FOOTNOTE = re.compile(r"\[\^[^\]]+\]")
_TEMPLATE_WORD = re.compile(r"@?\[[^\[\]\n]{1,60}\](?!\()")
_CODE = re.compile(r"`[^`\n]*`")
_LISTED = re.compile(r"^(?:\d+[.)]|[-*+])\s+")
_LABELLED = re.compile(r"^\*\*[^*\n]+:\*\*\s*|^[A-Z][A-Za-z ]{2,30}:\s+(?=\[|unknown\b|TBD\b|TODO\b)")
_SAID_BY_THE_RECORD = re.compile(r"\*\*(?:Date|Duration|Severity|Author):\*\* unknown$")
_NOTE = re.compile(r"(?:TODO|TBD|FIXME|XXX)\b")
"""How people mark what they mean to write later, at the beginning of a line; written in capitals, or it is an ordinary word."""
_NOTE_BESIDE = re.compile(r"[\[(](?:TODO|TBD|FIXME|XXX)\b[^\])\n]*[\])]")
_CELLS = re.compile(r"(?<!\\)\|")
_HEADING = re.compile(r"(#{1,6})[ \t]+(.*)")

BEGINNING = "The beginning"
"""Where a document's first lines stand, before its first section."""

FROM_THE_RECORD = frozenset({"Timeline", "Action Items"})
"""Sections whose rows repeat what people have said: a bracket in their words is theirs; only a whole cell is the template's."""


class Left(NamedTuple):
    """A placeholder that was left standing, and the heading under which it stands."""

    section: str
    placeholder: str


def left(document: str, *, notes: bool = True) -> tuple[Left, ...]:
    """Each placeholder of the document once a section, in reading order. `notes`: also what its writers have put off."""
    return tuple(dict.fromkeys(_left(document, notes)))


def _left(document: str, notes: bool) -> Iterator[Left]:
    section, fenced = BEGINNING, False
    for line in document.splitlines():
        if line.lstrip().startswith(("```", "~~~")):
            fenced = not fenced
            continue
        heading = None if fenced else _HEADING.match(line)
        if heading is not None and len(heading.group(1)) == 2:
            section = re.sub(r"^\d+[.)]\s*|\s*:\s*$", "", heading.group(2).strip())
        elif not fenced:
            text = heading.group(2) if heading is not None else line
            yield from (Left(section, found) for found in _in_line(text.strip(), section, notes and section not in FROM_THE_RECORD))


def _in_line(line: str, section: str, notes: bool) -> Iterator[str]:
    if line.startswith("|"):
        cells = [cell.strip() for cell in _CELLS.split(line.strip("|"))]
        yield from (cell for cell in cells if _is_one(cell, section) or (notes and _NOTE.match(cell)))
        return
    bare = _CODE.sub("", line)
    if _SAID_BY_THE_RECORD.match(bare):
        return
    said = _LABELLED.sub("", _LISTED.sub("", bare, count=1), count=1).strip()
    said = _BOX.sub("", said, count=1)
    # The document's own title: `# Incident Post-Mortem: [Title]`.
    said = said.removeprefix("Incident Post-Mortem:").strip()
    if said and (_is_one(said, section) or (notes and _NOTE.match(said))):
        yield said
    elif notes and (beside := _NOTE_BESIDE.findall(bare)):
        yield from beside
    elif section not in FROM_THE_RECORD:
        yield from (found for found in _TEMPLATE_WORD.findall(bare) if found.casefold() in _EVERYWHERE)


def _is_one(text: str, section: str) -> bool:
    """Whether a text says nothing but a placeholder. In its own rows, the record itself may say `unknown`."""
    plain = text.casefold()
    if plain.rstrip(".") == "unknown" and section in FROM_THE_RECORD:
        return False
    if plain in _ALONE or plain.rstrip(".") in _ALONE:
        return True
    return _BRACKETED.fullmatch(text) is not None and _FOOTNOTE.fullmatch(text) is None


HOW = {
    "Impact": "say how many, or why it can't be known; none and not applicable are answers",
    "Root Cause": "investigate with data and say what it was",
    "Action Items": "add one with its owner and due date (add_action_item)",
}
"""What to do about a section's placeholders, where that is not to write or to take out."""


def problems(document: str, *, notes: bool = True) -> dict[str, str]:
    """One sentence for each section that still holds placeholders: which, and what to do about them."""
    found: dict[str, list[str]] = {}
    for one in left(document, notes=notes):
        found.setdefault(one.section, []).append(one.placeholder)
    return {section: _sentence(section, placeholders) for section, placeholders in found.items()}


def _sentence(section: str, placeholders: list[str]) -> str:
    shown = ", ".join(f"\N{LEFT DOUBLE QUOTATION MARK}{text[:80]}\N{RIGHT DOUBLE QUOTATION MARK}" for text in placeholders[:6])
    more = f" and {len(placeholders) - 6} more" if len(placeholders) > 6 else ""
    kind = "a placeholder" if len(placeholders) == 1 else "placeholders"
    return f"still holds {kind}: {shown}{more}; {HOW.get(section, 'write what is meant there, or take the line out')}."
