"""What a monitoring system's post comes to, whoever sent it: groups of alerts in Alertmanager's shape.

Each vendor's module has one pure function, `read`: the JSON value of a body in, a `Posted` out. A post is refused as a
whole only where nothing in it can be used: most senders never repeat what was refused, so that one bad alert must not
cost the good ones. Bad ones go along, each with what is wrong with it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from incident import alerts
from incident.alerts import AlertInput
from incident.commands import problems

SHOWN = 300
"""Characters of a bad alert that are kept, so that somebody can tell which one it was."""


KEY_LIMIT = 500
"""Characters of a group's key. The register keeps thousands of them, and a key is made of labels, which may be documents."""


MAY_BE_NULL = frozenset({"annotations", "generatorURL", "fingerprint"})


class Unreadable(ValueError):
    """The post can't be used. `problems` has one `{"field", "message"}` a mistake."""

    def __init__(self, problems: list[dict[str, str]]) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{problem['field']}: {problem['message']}" for problem in problems))


@dataclass(frozen=True)
class Group:
    """Alerts that belong together: what has the same key goes to the same incident, for ever."""

    key: str
    alerts: tuple[AlertInput, ...] = ()
    invalid: tuple[str, ...] = ()
    about: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Posted:
    """What one post holds. `ignored` says why there is nothing to do, where there is nothing."""

    groups: tuple[Group, ...] = ()
    ignored: str | None = None


def group_key(said: str) -> str:
    """A group's key as it is kept: one that is very long goes on as its beginning and a hash of all of it."""
    if len(said) <= KEY_LIMIT:
        return said
    return f"{said[: KEY_LIMIT - 70]}… {hashlib.sha256(said.encode()).hexdigest()}"


def unreadable(error: ValidationError, what: str = "alert") -> Unreadable:
    """The mistakes by field, in the words of whoever posts alerts, or `what` it is; one that is of the whole post is the body's."""
    return Unreadable([_of_a_post(problem, what) for problem in problems(error)])


def _of_a_post(problem: dict[str, str], what: str) -> dict[str, str]:
    """The mistake in the sender's words: `problems` speaks of commands, and of Python's shapes."""
    field = "body" if problem["field"] == "command" else problem["field"]
    message = "must be a JSON object" if "valid dictionary" in problem["message"] else problem["message"]
    return {"field": field, "message": message.replace("of this command", f"of this {what}")}


def empty_where_null(value: Any) -> Any:
    """Nothing said, in the words of senders whose maps may be missing (Go's are `null` until something is put into them)."""
    return {} if value is None else value


def _without_nulls(item: dict[str, Any]) -> dict[str, Any]:
    """The alert without the nulls that cost nothing; what says whether it fires, since when and of what must be there."""
    return {name: value for name, value in item.items() if value is not None or name not in MAY_BE_NULL}


def sorted_out(items: Sequence[Any]) -> tuple[tuple[AlertInput, ...], tuple[str, ...]]:
    """The alerts that can be used, and for each other one what is wrong with it and what it was.

    Raises:
        Unreadable: not one of them can be used.
    """
    good: list[AlertInput] = []
    bad: list[str] = []
    for number, item in enumerate(items):
        read, wrong = alerts.parse([_without_nulls(item)]) if isinstance(item, dict) else ([], ["alert 0: must be a JSON object"])
        if wrong:
            bad.append(f"{wrong[0].replace('alert 0', f'alert {number}', 1)} in {json.dumps(item)[:SHOWN]}")
        else:
            good += read
    if not good:
        raise Unreadable([{"field": "alerts", "message": problem} for problem in bad[:20] or ["the list of alerts is empty"]])
    return tuple(good), tuple(bad)
