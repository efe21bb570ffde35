"""How a message looks in Slack: rich text, whose parts are text and nothing else.

No markup in it is read, so that `<!channel>` in an alert is nine characters. The first line is in bold; what would fill a screen
goes on in the message's thread.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from integrations.chat.layout import ITEM, OPEN_ITEM, headline

PIECE = 3_000
"""Characters of one message: about a screen."""

PIECES = 4
"""What is longer than this many is shortened."""

MESSAGE_LIMIT = 11_000
"""Characters in all; what is left of four pieces once they are cut at the ends of lines."""

GOES_ON = "\n(goes on in the thread)"

_BOLD = re.compile(r"\*\*(.+?)\*\*")

Block = dict[str, Any]


def escaped(text: str) -> str:
    """Text for the fields that Slack reads markup in."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def pieces(text: str) -> list[str]:
    """The message, and what of it goes into its thread; cut at the end of a line where there is one."""
    found: list[str] = []
    while len(text) > PIECE:
        room = PIECE - (len(GOES_ON) if not found else 0)
        cut = text.rfind("\n", room // 2, room)
        cut = cut if cut > 0 else room
        found.append(text[:cut] + (GOES_ON if not found else ""))
        text = text[cut:].lstrip("\n")
    return [*found, text]


def blocks(text: str, *, head: bool = True) -> list[Block]:
    """Rich text; `head`: the first line is the one that counts."""
    first, rest = headline(text) if head else ("", text)
    elements: list[Block] = [_section([_text(first, bold=True)])] if first else []
    for lines, listed in _runs(rest):
        if listed:
            items = [_section(_parts(line)) for line in lines]
            elements.append({"type": "rich_text_list", "style": "bullet", "elements": items})
        elif any(lines):
            spaced = "\n".join(lines).rstrip("\n")
            elements.append(_section(_parts(f"\n{spaced}" if elements else spaced)))
    return [{"type": "rich_text", "elements": elements or [_section([_text(" ")])]}]


def button(incident: str, verb: str, label: str, *, primary: bool = False) -> Block:
    """A button that sends a verb to the door; `starter` reads it."""
    style = {"style": "primary"} if primary else {}
    return {
        "type": "button",
        "action_id": f"tocsin:{verb}",
        "value": incident,
        "text": {"type": "plain_text", "text": label},
        **style,
    }


def buttons(incident: str, text: str) -> list[Block]:
    """What a message offers to press: what it asks for in words."""
    if f"tocsin ack {incident}" not in text:
        return []
    return [{"type": "actions", "elements": [button(incident, "acknowledge", "Acknowledge", primary=True)]}]


def card(incident: str, text: str, *, pressed: bool) -> list[Block]:
    """The pinned card: where it stands, in a line, and what one can do about it."""
    offered = [
        button(incident, "acknowledge", "Acknowledge"),
        button(incident, "post_update", "Post an update"),
        button(incident, "check", "Tick an item"),
        button(incident, "note", "Note"),
    ]
    actions: list[Block] = [{"type": "actions", "elements": offered}] if pressed else []
    return [*blocks(headline(text)[0]), *actions]


def _runs(text: str) -> Iterator[tuple[list[str], bool]]:
    """The lines, those of a list together and those between."""
    run: list[str] = []
    listed = False
    for line in text.split("\n") if text else []:
        if line.startswith(ITEM) != listed and run:
            yield run, listed
            run = []
        listed = line.startswith(ITEM)
        run.append((f"☐ {line.removeprefix(OPEN_ITEM)}" if line.startswith(OPEN_ITEM) else line.removeprefix(ITEM)) if listed else line)
    if run:
        yield run, listed


def _parts(text: str) -> list[Block]:
    """The text with its `**word**` in bold."""
    found: list[Block] = []
    at = 0
    for match in _BOLD.finditer(text):
        found += [_text(text[at : match.start()])] * bool(text[at : match.start()])
        found.append(_text(match.group(1), bold=True))
        at = match.end()
    return [*found, *([_text(text[at:])] * bool(text[at:]))] or [_text(" ")]


def _section(elements: list[Block]) -> Block:
    return {"type": "rich_text_section", "elements": elements}


def _text(text: str, *, bold: bool = False) -> Block:
    return {"type": "text", "text": text, **({"style": {"bold": True}} if bold else {})}
