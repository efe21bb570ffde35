"""What is wrong with a request, told at the field that mends it.

The core says of some commands that they say too little as a whole; its words are part of histories and stay. Here, each of those is
laid at the field with which one would begin.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

AS_A_WHOLE = "command"
"""The field of a mistake that is no single field's."""

BEGIN_WITH: dict[str, tuple[str, str]] = {
    "declare": ("severity", "is needed (SEV1, SEV2 or SEV3), or factors to decide it from"),
    "describe": ("symptom", "is needed, or one of affected, users_affected, customer_facing, started_at: nothing was said"),
}
"""The field, and the rule in words that follow its name."""

FIELDS = {"dismiss": "duplicate_of", "measure": "expression"}
"""Commands whose own words name the field already, and that field."""


def located(verb: str, problems: Iterable[Mapping[str, str]]) -> list[dict[str, str]]:
    """The problems of one command, each at a field of it."""
    found = []
    for problem in problems:
        if problem["field"] != AS_A_WHOLE:
            found.append(dict(problem))
        elif verb in BEGIN_WITH and problem["message"].startswith(f"{verb} "):
            field, message = BEGIN_WITH[verb]
            found.append({"field": field, "message": message})
        else:
            field = FIELDS.get(verb, verb)
            found.append({"field": field, "message": problem["message"].removeprefix(f"{field} ")})
    return found


def by_field(problems: Iterable[Mapping[str, str]], fields: Iterable[str]) -> dict[str, str]:
    """Each mistake at the field of the form in which it is mended: `verification.0` at `verification`, two of one field together."""
    names = list(fields)
    found: dict[str, list[str]] = {}
    for problem in problems:
        name = problem["field"]
        while name not in names and "." in name:
            name = name.rpartition(".")[0]
        found.setdefault(name if name in names else problem["field"], []).append(problem["message"])
    return {name: "; ".join(dict.fromkeys(messages)) for name, messages in found.items()}
