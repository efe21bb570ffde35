"""`tocsin policy`: the severity matrix and the routing rules in force, and a look at a file of either before it is used."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from starter.cli.failures import ERROR, NOT_FOUND, Failure, failed
from starter.cli.output import put, put_json, say
from starter.cli.printing import Cell, put_rows
from starter.cli.session import Session, reading
from starter.cli.verbs import SEVERITIES

_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")


@click.group()
def policy() -> None:
    """The severity matrix and the routing rules: show those in force, check a file."""


@policy.command()
@click.option("--routes", is_flag=True, help="the routing rules for alerts, the built-in ones last")
@reading
def show(session: Session, routes: bool) -> None:
    """The matrix that new incidents are opened with, or the rules that alerts are routed by."""
    if routes:
        _show_routes(session)
        return
    found: dict[str, Any] = session.client().get("/policy")
    matrix: dict[str, dict[str, Any]] = found["severities"]
    names = list(dict.fromkeys(name for severity in SEVERITIES for name in matrix[severity]))
    rows = [[Cell(name.replace("_", " ")), *(Cell(spoken(matrix[severity].get(name))) for severity in SEVERITIES)] for name in names]
    put_rows(session, found, ("", *SEVERITIES), rows, names)


def _show_routes(session: Session) -> None:
    found: dict[str, Any] = session.client().get("/routes")
    rows = [
        [Cell(rule["from"]), Cell(rule["name"]), Cell(rule["match"]), Cell(_said(rule["says"]) + (" (stop)" if rule["stop"] else ""))]
        for rule in found["routes"]
    ]
    rows += [[Cell("service"), Cell(name), Cell(f"service = {name}"), Cell(_said(says))] for name, says in found["services"].items()]
    rows += [
        [Cell("maintenance"), Cell(each["name"]), Cell(_covered(each)), Cell(f"{each['since']} to {each['until']}")]
        for each in found["maintenance"]
    ]
    rows += [[Cell("calendar"), Cell(each["name"]), Cell(_covered(each)), Cell(each["kind"])] for each in found["calendars"]]
    put_rows(session, found, ("from", "name", "where", "says"), rows, [row[1].plain for row in rows])
    if found.get("problem"):
        say(f"not in force: {found['problem']}")


def _said(says: dict[str, Any]) -> str:
    return ", ".join(f"{name}={_short(value)}" for name, value in says.items())


def _short(value: Any) -> str:
    if isinstance(value, list):
        return "; ".join(str(each.get("name")) if isinstance(each, dict) else str(each) for each in value)
    if isinstance(value, dict):
        return " ".join(f"{name}={each}" for name, each in value.items())
    return "yes" if value is True else "no" if value is False else str(value)


def _covered(each: dict[str, Any]) -> str:
    return ", ".join([*each.get("services", []), *each.get("environments", [])]) or "everything"


def spoken(value: Any) -> str:
    """A value of the matrix as people say it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " → ".join(str(each) for each in value)
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None or not any(found.groups()):
        return str(value)
    days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return length(timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds))


def length(span: timedelta) -> str:
    """`15 min`, `48 h`, `7 d`: one unit where one is enough."""
    left = round(span.total_seconds())
    parts = []
    for unit, seconds in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        amount, left = divmod(left, seconds)
        if amount:
            parts.append(f"{amount} {unit}")
    return " ".join(parts) or "none"


@policy.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@reading
def check(session: Session, file: Path) -> None:
    """Read a policy file, or a file of routing rules, as the server would, and say each mistake. Nothing is sent anywhere."""
    from incident.policy_file import PolicyProblem, policy_from
    from incident.routes_file import TABLES, RoutesProblem, about, routes_from
    from runtime.settings import SettingsError, load_settings, read_toml
    from starter.measurable import unasked

    if not file.exists():
        raise failed(NOT_FOUND, "unknown-file", f"there is no file {str(file)!r}")
    try:
        tables = read_toml(file)
        routes = routes_from(tables) if any(name in tables for name in TABLES) else None
        found = policy_from(tables) if routes is None else None
        measuring = routes is None or load_settings().prometheus_url is not None
    except SettingsError as error:
        raise failed(ERROR, "invalid-policy", str(error), problems=[str(error)]) from error
    except (PolicyProblem, RoutesProblem) as error:
        document = {"type": "urn:tocsin:invalid-policy", "code": "invalid-policy", "detail": str(error), "problems": error.problems}
        raise Failure(ERROR, [f"error: {file}: {problem}" for problem in error.problems], document) from error
    told = unasked(routes, measuring=measuring) if routes is not None else None
    if told is not None:
        say(f"{file}: {told}.")
    if session.json:
        what = {"routes": about(routes)} if routes is not None else {"policy": found.model_dump(mode="json") if found else {}}
        put_json({"ok": True, "file": str(file), "warnings": [told] if told else [], **what})
    else:
        kind = "a policy" if routes is None else f"{len(routes.routes)} routing rules"
        put(str(file) if session.ids else f"{file}: {kind} that can be used")
