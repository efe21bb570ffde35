"""Characters that can't be seen and change how the text around them reads: written backwards, hidden, or passed off as another.

Outside, they are taken out. Inside, those that turn the direction are shown by their number, so that nobody is misled and nothing
is lost. What Persian, Indic scripts and emoji need (zero-width joiners, variation selectors) stays.
"""

from __future__ import annotations

_DIRECTION = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
"""Embeddings, overrides, isolates and their ends."""

_HIDDEN = (
    0x00AD,  # soft hyphen
    0x061C,  # Arabic letter mark
    0x180E,  # Mongolian vowel separator
    *(0x200B, 0x200E, 0x200F),  # zero-width space, direction marks
    *(0x2028, 0x2029),  # line and paragraph separator
    *range(0x2060, 0x2066),  # word joiner, invisible operators
    *range(0x206A, 0x2070),  # deprecated formatting
    *(0x115F, 0x1160, 0x3164, 0xFFA0),  # Hangul fillers
    *(0xFEFF, 0xFFF9, 0xFFFA, 0xFFFB),  # byte-order mark, interlinear annotation
    *range(0xE0000, 0xE0080),  # tags
)

_CONTROLS = tuple(code for code in (*range(0x20), 0x7F, *range(0x80, 0xA0)) if code not in (0x09, 0x0A))

_TAKEN_OUT = dict.fromkeys((*_DIRECTION, *_HIDDEN, *_CONTROLS))

_UNDIRECTED = dict.fromkeys(_DIRECTION)

_SHOWN = {code: f"[U+{code:04X}]" for code in _DIRECTION}


def for_the_public(text: str) -> str:
    """The text as it may leave the house: nothing in it that can't be seen, but line breaks."""
    return text.replace("\r\n", "\n").translate(_TAKEN_OUT)


def undirected(text: str) -> str:
    """The text for people inside and their chats: without what turns the direction of all that follows it."""
    return text.translate(_UNDIRECTED)


def shown(text: str) -> str:
    """The text as those who work on the incident read it: what turns the direction stands there by its number."""
    return text.translate(_SHOWN)
