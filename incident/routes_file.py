"""The rules file (`TOCSIN_ROUTES`): what each part of it may say, and every mistake in it with its place.

[alerts]
attach = true                                  # another group of a service with an open incident joins that incident
flapping = { changes = 6, within = "15m" }
storm = { groups = 20, within = "5m" }         # more groups without a service than this join one incident

[[route]]
name = "payments in production"
match = { service = ["payments", "ledger"], env = { regex = "prod.*" }, shadow = { present = false } }
severity = "SEV1"                              # or: factors = { users_affected_percent = 60 }
owner = "team-payments"
runbook = "https://runbooks.example/{alertname}"

[service.checkout]
depends_on = ["payments"]
queries = [{ name = "error ratio", query = "…", at_most = 0.01, unit = "%", signal = "errors" }]

[[maintenance]]
name = "database upgrade"
from = 2026-11-25T01:00:00Z
until = 2026-11-25T03:00:00Z
services = ["database"]

[[calendar]]
name = "changes"
url = "https://calendar.example/changes.ics"
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, get_args

from incident.commands import Factors
from incident.policy_file import duration
from incident.routing import BUILT_IN, Action, Calendar, Flapping, Matcher, Query, Route, Routes, Service, Storm, Window
from incident.vocabulary import Severity, Signal

TABLES = ("alerts", "route", "service", "maintenance", "calendar")
ACTIONS = get_args(Action)
TEXT_LIMIT = 2_000
RULES_LIMIT = 2_000


class RoutesProblem(ValueError):
    """The rules can't be used; `problems` has a sentence for each mistake, with its place and its rule."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


class _Mistake(Exception):
    """A value that breaks its rule; the text is the rule."""


Reader = Callable[[Any], Any]


def routes_from(tables: Mapping[str, Any]) -> Routes:
    """The rules that these tables say.

    Raises:
        RoutesProblem: for every unknown table or field, and every value that breaks its rule.
    """
    problems: list[str] = []
    for name in tables:
        if name not in TABLES:
            problems.append(f"[{name}]: there is no such table{_near(name, TABLES)}; there are {', '.join(TABLES)}")
    alerts = _table("[alerts]", tables.get("alerts", {}), _ALERTS, problems)
    found = {
        "routes": _list("route", tables, _ROUTE, problems, lambda said: Route(**said)),
        "windows": _list("maintenance", tables, _MAINTENANCE, problems, _window),
        "calendars": _list("calendar", tables, _CALENDAR, problems, _calendar),
        "services": _services(tables.get("service", {}), problems),
    }
    if problems:
        raise RoutesProblem(problems)
    digest = hashlib.sha256(json.dumps(tables, sort_keys=True, default=str).encode()).hexdigest()[:12]
    return Routes(**found, **alerts, digest=digest)


def _near(name: str, names: Any) -> str:
    near = difflib.get_close_matches(name, list(names), n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def _list(name: str, tables: Mapping[str, Any], readers: Mapping[str, Reader], problems: list[str], make: Callable[[Any], Any]) -> Any:
    items = tables.get(name, [])
    if not isinstance(items, list):
        problems.append(f"[[{name}]]: is written with two brackets, once for each")
        return ()
    if len(items) > RULES_LIMIT:
        problems.append(f"[[{name}]]: there are {len(items)}, and at most {RULES_LIMIT} are taken")
        return ()
    made = []
    names: dict[str, int] = {}
    for number, item in enumerate(items, start=1):
        shown = f' "{item["name"]}"' if isinstance(item, dict) and isinstance(item.get("name"), str) else ""
        place = f"[[{name}]] {number}{shown}"
        before = len(problems)
        said = _table(place, item, readers, problems)
        if "name" not in said and len(problems) == before:
            problems.append(f"{place}: name is missing; the timeline calls it by that")
        elif said.get("name") in names:
            problems.append(f"{place}: name is that of number {names[said['name']]} as well; give each its own")
        if len(problems) > before:
            continue
        names[said["name"]] = number
        try:
            made.append(make(said))
        except _Mistake as mistake:
            problems.append(f"{place}: {mistake}")
    return tuple(made)


def _services(tables: Any, problems: list[str]) -> dict[str, Service]:
    if not isinstance(tables, dict):
        problems.append("[service]: is a table for each service, like [service.checkout]")
        return {}
    return {name: Service(**_table(f"[service.{name}]", table, _SERVICE, problems)) for name, table in tables.items()}


def _table(place: str, table: Any, readers: Mapping[str, Reader], problems: list[str]) -> dict[str, Any]:
    """The fields that are well, read; each other one is a problem."""
    if not isinstance(table, dict):
        problems.append(f"{place}: must be a table")
        return {}
    found: dict[str, Any] = {}
    for field, value in table.items():
        if field not in readers:
            problems.append(f"{place}: {field} is no field here{_near(field, readers)}; there are {', '.join(readers)}")
            continue
        try:
            found[field] = readers[field](value)
        except _Mistake as mistake:
            problems.append(f"{place}: {field} {mistake}")
    return found


# ---------------------------------------------------------------------- values


def _must(holds: bool, rule: str) -> None:
    if not holds:
        raise _Mistake(rule)


def _text(value: Any) -> str:
    _must(isinstance(value, str) and bool(value.strip()), "must be a text in quotes")
    _must(len(value) <= TEXT_LIMIT and value.isprintable(), f"must be one line of at most {TEXT_LIMIT:,} printable characters")
    return str(value).strip()


def _texts(value: Any) -> tuple[str, ...]:
    _must(isinstance(value, list) and bool(value), 'must be a list of texts, like ["a", "b"]')
    return tuple(_text(each) for each in value)


def _flag(value: Any) -> bool:
    _must(isinstance(value, bool), "must be true or false")
    return bool(value)


def _action(value: Any) -> Any:
    _must(value in ACTIONS, f"must be one of {', '.join(ACTIONS)}")
    return value


def _severity(value: Any) -> Severity:
    _must(value in list(Severity), f"must be one of {', '.join(Severity)}")
    return Severity(value)


def _factors(value: Any) -> Factors:
    _must(isinstance(value, dict), "must be a table, like { users_affected_percent = 60 }")
    for name in value:
        _must(
            name in Factors.model_fields, f"has no {name}{_near(name, Factors.model_fields)}; there are {', '.join(Factors.model_fields)}"
        )
    for name, each in value.items():
        if name == "users_affected_percent":
            _must(
                isinstance(each, int | float) and not isinstance(each, bool) and 0 <= each <= 100, f"{name} must be a number from 0 to 100"
            )
        else:
            _must(isinstance(each, bool), f"{name} must be true or false")
    return Factors(**value)


def _queries(value: Any) -> tuple[Query, ...]:
    _must(isinstance(value, list) and bool(value), 'must be a list, like [{ name = "error ratio", query = "…", at_most = 0.01 }]')
    _must(len(value) <= 20, "are at most 20")
    found = []
    for number, item in enumerate(value, start=1):
        problems: list[str] = []
        said = _table(f"number {number}", item, _QUERY, problems)
        _must(not problems, "; ".join(problems))
        _must("name" in said and "query" in said, f"number {number} needs a name and a query")
        found.append(Query(**said))
    _must(len({query.name for query in found}) == len(found), "need names that differ")
    return tuple(found)


def _number(value: Any) -> float:
    _must(isinstance(value, int | float) and not isinstance(value, bool) and value == value, "must be a number")
    return float(value)


def _short(limit: int) -> Reader:
    def read(value: Any) -> str:
        text = _text(value)
        _must(len(text) <= limit, f"must be at most {limit:,} characters")
        return text

    return read


def _signal(value: Any) -> Signal:
    _must(value in list(Signal), f"must be one of {', '.join(Signal)}")
    return Signal(value)


_QUERY: dict[str, Reader] = {
    "name": _short(100),
    "query": _short(2_000),
    "at_most": _number,
    "at_least": _number,
    "unit": _short(20),
    "signal": _signal,
}


def _match(value: Any) -> tuple[dict[str, Matcher], ...]:
    tables = value if isinstance(value, list) else [value]
    _must(bool(tables) and all(isinstance(table, dict) for table in tables), "must be a table of labels, or a list of such tables")
    return tuple({label: _matcher(label, wanted) for label, wanted in table.items()} for table in tables)


def _matcher(label: str, wanted: Any) -> Matcher:
    if isinstance(wanted, str):
        return Matcher(values=(wanted,))
    if isinstance(wanted, list):
        _must(bool(wanted) and all(isinstance(each, str) for each in wanted), f"{label}: must be a text, or a list of texts")
        return Matcher(values=tuple(wanted))
    _must(isinstance(wanted, dict) and bool(wanted), f'{label}: must be a text, a list of texts, {{ regex = "…" }} or {{ present = true }}')
    for name in wanted:
        _must(name in ("regex", "present"), f"{label}: {name} is no way to match; there are regex and present")
    pattern = wanted.get("regex")
    if pattern is not None:
        _must(isinstance(pattern, str) and len(pattern) <= 1_000, f"{label}: regex must be a text of at most 1,000 characters")
        try:
            re.compile(pattern)
        except (re.error, RecursionError, OverflowError) as error:
            raise _Mistake(f"{label}: regex is no pattern: {error}") from error
    present = wanted.get("present")
    _must(present is None or isinstance(present, bool), f"{label}: present must be true or false")
    return Matcher(regex=pattern, present=present)


def _flapping(value: Any) -> Flapping:
    _must(isinstance(value, dict) and set(value) <= {"changes", "within"}, 'must be a table, like { changes = 6, within = "15m" }')
    changes = value.get("changes", Flapping().changes)
    _must(isinstance(changes, int) and not isinstance(changes, bool) and 2 <= changes <= 50, "changes must be a number from 2 to 50")
    within = Flapping().within
    if "within" in value:
        text = value["within"]
        length = duration(text) if isinstance(text, str) else None
        _must(length is not None and 10 <= length.total_seconds() <= 86_400, 'within must be a duration from "10s" to "1d"')
        within = length or within
    return Flapping(changes=changes, within=within)


def _storm(value: Any) -> Storm:
    fields = set(Storm.model_fields)
    _must(isinstance(value, dict) and set(value) <= fields, 'must be a table, like { groups = 20, within = "5m", every_service = false }')
    groups, every = value.get("groups", Storm().groups), value.get("every_service", False)
    _must(isinstance(groups, int) and not isinstance(groups, bool) and 2 <= groups <= 1_000, "groups must be a number from 2 to 1,000")
    _must(isinstance(every, bool), "every_service must be true or false")
    within = Storm().within
    if "within" in value:
        length = duration(value["within"]) if isinstance(value["within"], str) else None
        _must(length is not None and 10 <= length.total_seconds() <= 86_400, 'within must be a duration from "10s" to "1d"')
        within = length or within
    return Storm(groups=groups, within=within, every_service=every)


def _moment(value: Any) -> datetime:
    _must(isinstance(value, datetime) and value.tzinfo is not None, "must be a time with its zone, like 2026-11-25T01:00:00Z")
    moment: datetime = value
    return moment.astimezone(UTC)


def _window(said: dict[str, Any]) -> Window:
    _must("from" in said and "until" in said, "needs from and until")
    _must(said["from"] < said["until"], "until must come after from")
    return Window(since=said.pop("from"), **said)


def _calendar(said: dict[str, Any]) -> Calendar:
    _must(("file" in said) != ("url" in said), "needs a file or a url, one of them")
    return Calendar(**said)


def _url(value: Any) -> str:
    text = _text(value)
    _must(text.startswith(("https://", "http://", "webcal://")), "must begin with https:// (or http://, webcal://)")
    return text


_SAID: dict[str, Reader] = {
    "action": _action,
    "always": _flag,
    "severity": _severity,
    "factors": _factors,
    "customer_facing": _flag,
    "owner": _short(300),
    "runbook": _text,
    "queries": _queries,
    "attach": _flag,
}
_ALERTS: dict[str, Reader] = {"attach": _flag, "flapping": _flapping, "storm": _storm}
_ROUTE: dict[str, Reader] = {
    "name": _short(100),
    "match": _match,
    "stop": _flag,
    "service": _short(300),
    "environment": _short(300),
    **_SAID,
}
_SERVICE: dict[str, Reader] = {**_SAID, "environment": _short(300), "depends_on": _texts}
_MAINTENANCE: dict[str, Reader] = {
    "name": _short(100),
    "from": _moment,
    "until": _moment,
    "services": _texts,
    "environments": _texts,
}
_CALENDAR: dict[str, Reader] = {"name": _short(100), "file": _text, "url": _url, "services": _texts, "environments": _texts}


def about(rules: Routes) -> dict[str, Any]:
    """The rules as they are shown: the built-in ones after the file's, and no address of a feed, which may hold a secret."""

    def spoken(route: Route, origin: str) -> dict[str, Any]:
        says = route.model_dump(mode="json", exclude_none=True, exclude_defaults=True, exclude={"name", "match", "stop"})
        match = " or ".join(" and ".join(f"{label} {matcher.said()}" for label, matcher in wanted.items()) for wanted in route.match)
        return {"name": route.name, "from": origin, "match": match or "every alert", "says": says, "stop": route.stop}

    return {
        "digest": rules.digest,
        "attach": rules.attach,
        "flapping": {"changes": rules.flapping.changes, "within": round(rules.flapping.within.total_seconds())},
        "storm": {**rules.storm.model_dump(), "within": round(rules.storm.within.total_seconds())},
        "routes": [*(spoken(each, "file") for each in rules.routes), *(spoken(each, "built-in") for each in BUILT_IN)],
        "services": {name: each.model_dump(mode="json", exclude_none=True, exclude_defaults=True) for name, each in rules.services.items()},
        "maintenance": [each.model_dump(mode="json") for each in rules.windows],
        "calendars": [
            {**each.model_dump(mode="json", exclude={"url"}, exclude_none=True), "kind": "file" if each.file else "feed"}
            for each in rules.calendars
        ],
    }
