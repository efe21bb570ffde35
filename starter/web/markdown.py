"""Markdown from people as HTML: headings, lists, tables, emphasis, code and links. No HTML of theirs, and no pictures."""

from __future__ import annotations

from markdown_it import MarkdownIt
from markupsafe import Markup

from incident.invisible import shown

_READER = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable("table").disable("image")


def rendered(document: str) -> Markup:
    """Render a document. Whatever is markup in it is shown as the text that it is; links lead only to where links may."""
    return Markup(_READER.render(shown(document)))
