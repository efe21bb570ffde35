"""The policy file: rows of the severity matrix that an organisation has otherwise.

    [SEV1]
    acknowledge_within = "10m"
    escalation_chain = ["primary on-call", "CTO"]

    [policy]
    general_channel = "#ops"

    [monitoring]
    look_every = "30s"

    [queries.checkout.error_ratio]
    expression = 'sum(rate(http_errors_total{service="checkout"}[1m])) / sum(rate(http_requests_total{service="checkout"}[1m]))'
    threshold = 0.02

Durations are written `45s`, `15m`, `8h`, `2d` or `1w`; `"none"` says that the process asks for nothing there.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from pydantic import ValidationError

from incident.policy import SEVERITY_MATRIX, Policy, SeverityRule
from incident.queries import QUERIES_A_POLICY, QUERIES_AN_INCIDENT, Query, Watching
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
        found = duration(value)
        return value if found is None else found
    return value


def policy_from(tables: dict[str, Any]) -> Policy:
    """The default policy with these tables laid over it.

    Raises:
        PolicyProblem: for every unknown table or field, and every value that breaks its rule.
    """
    problems: list[str] = []
    rules = dict(SEVERITY_MATRIX)
    settings: dict[str, Any] = {}
    watching = _watching(tables, problems)
    if watching is not None:
        settings["monitoring"] = watching
    for name, table in tables.items():
        if not isinstance(table, dict):
            problems.append(f"{name}: must be a table: {_TABLES}")
        elif name in Severity.__members__:
            rules[Severity(name)] = _rule(Severity(name), table, problems)
        elif name == "policy":
            settings |= {field: _value(value) for field, value in table.items() if _known(field, table, problems)}
        elif name not in _MONITORING:
            problems.append(f"[{name}]: there is no such table; there are {_TABLES}")
    if not problems:
        try:
            return Policy(severities=rules, **settings)
        except ValidationError as error:
            problems += [f"[policy] {_where(item)}: {item['msg']}" for item in error.errors(include_url=False)]
    raise PolicyProblem(problems)


def in_force(policy: Policy, *, measuring: bool) -> Policy:
    """The policy where monitoring can be asked (`measuring`), or where it can't.

    Raises:
        PolicyProblem: it has queries and nobody to ask them; verification would go by people's word, unnoticed.
    """
    if policy.monitoring is not None and policy.monitoring.queries and not measuring:
        raise PolicyProblem(["[queries]: there is nobody to ask them; set TOCSIN_PROMETHEUS_URL for the worker and the door"])
    return policy.measuring(measuring)


def _known(field: str, table: dict[str, Any], problems: list[str]) -> bool:
    fields = set(Policy.model_fields) - {"severities", "monitoring"}
    if field in fields:
        return True
    problems.append(f"[policy] {field}: there is no such field; there are {', '.join(sorted(fields))}")
    return False


_MONITORING = ("monitoring", "queries")
_TABLES = "[SEV1], [SEV2], [SEV3], [policy], [monitoring] and [queries.SERVICE.NAME]"
_LENGTHS = tuple(name for name, field in Watching.model_fields.items() if field.annotation is timedelta)


def _watching(tables: dict[str, Any], problems: list[str]) -> Watching | None:
    """How monitoring is asked, and for what; None where the file says nothing of it."""
    found = {name: tables[name] for name in _MONITORING if isinstance(tables.get(name), dict)}
    if not found:
        return None
    queries = _queries(found.get("queries", {}), problems)
    settings = {name: _value(value) for name, value in found.get("monitoring", {}).items()}
    if "queries" in settings:
        problems.append("[monitoring] queries: there is no such field; queries have tables of their own, [queries.SERVICE.NAME]")
        return None
    try:
        watching = Watching(**settings, queries=queries)
    except ValidationError as error:
        for item in error.errors(include_url=False):
            problem = "there is no such field" if item["type"] == "extra_forbidden" else item["msg"]
            problems.append(f'[monitoring] {_where(item)}: {problem}; durations look like "15s", "1m"')
        return None
    for name in _LENGTHS:
        if getattr(watching, name) < (timedelta(0) if name == "baseline_margin" else timedelta(seconds=1)):
            problems.append(f"[monitoring] {name}: must be a second at least")
    if watching.gap_after < 2 * watching.sample_every:
        problems.append("[monitoring] gap_after: must be twice sample_every at least, or each late sample is a gap")
    return watching


def _queries(tables: dict[str, Any], problems: list[str]) -> dict[str, tuple[Query, ...]]:
    found: dict[str, tuple[Query, ...]] = {}
    for service, named in tables.items():
        if not isinstance(named, dict) or not all(isinstance(table, dict) for table in named.values()):
            problems.append(f"[queries.{service}]: each query is a table of its own, [queries.{service}.NAME]")
            continue
        read = [_query(service, name, table, problems) for name, table in named.items()]
        if len(read) > QUERIES_AN_INCIDENT:
            problems.append(f"[queries.{service}]: {len(read)} queries; a service has {QUERIES_AN_INCIDENT} at most")
        found[service] = tuple(query for query in read if query is not None)
    total = sum(len(queries) for queries in found.values())
    if total > QUERIES_A_POLICY:
        problems.append(f"[queries]: {total} in all; a policy has {QUERIES_A_POLICY} at most, since it travels with every incident")
    return found


def _query(service: str, name: str, table: dict[str, Any], problems: list[str]) -> Query | None:
    """One query. Its name holds the service's, so that two services may each have an `error_ratio`."""
    if "name" in table:
        problems.append(f"[queries.{service}.{name}] name: it is the table's own name; leave the field out")
        return None
    try:
        return Query(name=f"{service}/{name}", **table)
    except ValidationError as error:
        for item in error.errors(include_url=False):
            problem = "there is no such field" if item["type"] == "extra_forbidden" else item["msg"]
            problems.append(f"[queries.{service}.{name}] {_where(item)}: {problem}")
        return None


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
