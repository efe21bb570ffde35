"""What trackers tell by webhook of tickets of ours: that one was closed, opened again or deleted there.

A ticket of ours carries our mark (`deliveries.mark`), which names the incident: at GitHub in a comment that readers do not see, at
Jira as a label. It is what reading back would find out a few minutes later; where the mark was taken away, that still does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from integrations.ports import TicketSeen

_MARK = re.compile(r"tocsin\.(INC-\d{4}-\d{4,})\.[A-Za-z0-9_-]+")
_HIDDEN = re.compile(rf"<!-- {_MARK.pattern} -->")
_GITHUB: dict[str, Literal["open", "closed", "gone"]] = {"closed": "closed", "reopened": "open", "deleted": "gone"}


class TicketPosting(BaseModel):
    """What a tracker posts, in its own shape."""

    model_config = ConfigDict(extra="allow")


@dataclass(frozen=True)
class TicketNews:
    """One ticket of one incident, as its tracker shows it now."""

    vendor: str
    incident: str
    seen: TicketSeen


def from_github(body: Any, repository: str = "") -> TicketNews | None:
    """Read what GitHub posts of the event `issues`; None where it is nothing of ours.

    A webhook of an organisation posts of all its repositories, where an issue has the same number and may, once it is transferred or
    copied, have the same mark: only those of `repository` (owner/name) are ours, where that is known.
    """
    if repository and _text(_in(body, "repository"), "full_name").casefold() != repository.casefold():
        return None
    issue = _in(body, "issue")
    state = _GITHUB.get(_text(body, "action"))
    found = _HIDDEN.search(_text(issue, "body"))
    number = issue.get("number") if isinstance(issue, Mapping) else None
    if state is None or found is None or not isinstance(number, int) or isinstance(number, bool) or "pull_request" in issue:
        return None
    return TicketNews("GitHub", found[1], TicketSeen(reference=f"#{number}", state=state))


def from_jira(body: Any) -> TicketNews | None:
    """Read what Jira posts of an issue that was changed or deleted; None where it is nothing of ours."""
    issue, event = _in(body, "issue"), _text(body, "webhookEvent")
    fields, key = _in(issue, "fields"), _text(issue, "key")
    labels = fields.get("labels") if isinstance(fields, Mapping) else None
    marks = (_MARK.fullmatch(label) for label in labels if isinstance(label, str)) if isinstance(labels, list) else ()
    found = next(filter(None, marks), None)
    category = _text(_in(_in(fields, "status"), "statusCategory"), "key")
    if found is None or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*-\d+", key):
        return None
    if event == "jira:issue_deleted":
        return TicketNews("Jira", found[1], TicketSeen(reference=key, state="gone"))
    if event != "jira:issue_updated" or not category:
        return None
    return TicketNews("Jira", found[1], TicketSeen(reference=key, state="closed" if category == "done" else "open"))


def _in(of: Any, name: str) -> Any:
    return of.get(name) if isinstance(of, Mapping) else None


def _text(of: Any, name: str) -> str:
    found = _in(of, name)
    return found if isinstance(found, str) else ""
