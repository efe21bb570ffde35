"""The policy file: rows of the severity matrix that an organisation has otherwise.

    [SEV1]
    acknowledge_within = "10m"
    escalation_chain = ["primary on-call", "CTO"]

    [policy]
    general_channel = "#ops"

Durations are written `45s`, `15m`, `8h`, `2d` or `1w`; `"none"` says that the process asks for nothing there.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from pydantic import ValidationError

from incident.policy import SEVERITY_MATRIX, Policy, SeverityRule
from incident.vocabulary import Severity

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
_NEVER_ZERO = ("internal_update_every", "external_update_every", "acknowledge_within", "next_rung_after", "postmortem_within")


class PolicyProblem(ValueError):
    """The policy can't be used; `problems` has a sentence for each mistake, with table, field and rule."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


def duration(text: str) -> timedelta | None:
    """`15m` as a timedelta; None for what is no duration."""
    found = _DURATION.fullmatch(text.strip().lower())
    return timedelta(seconds=float(found.group(1)) * _UNITS[found.group(2)]) if found is not None else None


def _value(value: Any) -> Any:
    if isinstance(value, str):
        if value.strip().lower() == "none":
            return None
        return duration(value) or value
    return value


def policy_from(tables: dict[str, Any]) -> Policy:
    """The default policy with these tables laid over it.

    Raises:
        PolicyProblem: for every unknown table or field, and every value that breaks its rule.
    """
    problems: list[str] = []
    rules = dict(SEVERITY_MATRIX)
    settings: dict[str, Any] = {}
    for name, table in tables.items():
        if not isinstance(table, dict):
            problems.append(f"{name}: must be a table, [SEV1], [SEV2], [SEV3] or [policy]")
        elif name in Severity.__members__:
            rules[Severity(name)] = _rule(Severity(name), table, problems)
        elif name == "policy":
            settings = {field: _value(value) for field, value in table.items() if _known(field, table, problems)}
        else:
            problems.append(f"[{name}]: there is no such table; there are [SEV1], [SEV2], [SEV3] and [policy]")
    if not problems:
        try:
            return Policy(severities=rules, **settings)
        except ValidationError as error:
            problems += [f"[policy] {_where(item)}: {item['msg']}" for item in error.errors(include_url=False)]
    raise PolicyProblem(problems)


def _known(field: str, table: dict[str, Any], problems: list[str]) -> bool:
    if field in Policy.model_fields and field != "severities":
        return True
    problems.append(f"[policy] {field}: there is no such field; there are {', '.join(sorted(set(Policy.model_fields) - {'severities'}))}")
    return False


def _rule(severity: Severity, table: dict[str, Any], problems: list[str]) -> SeverityRule:
    before = SEVERITY_MATRIX[severity]
    values = {name: getattr(before, name) for name in SeverityRule.model_fields}
    values |= {field: _value(value) for field, value in table.items()}
    try:
        rule = SeverityRule(**values)
    except ValidationError as error:
        for item in error.errors(include_url=False):
            problem = "there is no such row" if item["type"] == "extra_forbidden" else item["msg"]
            problems.append(f'[{severity.value}] {_where(item)}: {problem}; durations look like "15m", "48h", "1w"')
        return before
    for name in SeverityRule.model_fields:
        length = getattr(rule, name)
        if isinstance(length, timedelta) and (length < timedelta(0) or (length == timedelta(0) and name in _NEVER_ZERO)):
            problems.append(f"[{severity.value}] {name}: must be longer than nothing")
    return rule


def _where(item: Any) -> str:
    return ".".join(str(part) for part in item["loc"]) or "the table"
