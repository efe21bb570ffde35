"""Names that are made from what people typed."""

from __future__ import annotations

import re
import unicodedata
from datetime import date

CHANNEL_LIMIT = 80
"""The shortest limit among the chats that we know, the leading '#' included."""


def slug(text: str) -> str:
    """Lower-case ASCII words joined by dashes; empty where nothing of the text is left."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


def channel_name(title: str, day: date, incident_id: str) -> str:
    """`#incident-YYYY-MM-DD-brief-description`; a title of which no ASCII is left gives way to the incident's id."""
    start = f"#incident-{day:%Y-%m-%d}-"
    words = (slug(title) or slug(incident_id))[: CHANNEL_LIMIT - len(start)]
    return (start + words).rstrip("-")
