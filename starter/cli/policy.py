"""`tocsin policy`: the severity matrix in force, and a look at a policy file before it is used."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from starter.cli.failures import ERROR, NOT_FOUND, Failure, failed
from starter.cli.output import put, put_json
from starter.cli.printing import Cell, put_rows
from starter.cli.session import Session, reading
from starter.cli.verbs import SEVERITIES

_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")


@click.group()
def policy() -> None:
    """The severity matrix: show the one in force, check a file."""


@policy.command()
@reading
def show(session: Session) -> None:
    """The matrix that new incidents are opened with; an incident keeps the one that it was opened with."""
    found: dict[str, Any] = session.client().get("/policy")
    matrix: dict[str, dict[str, Any]] = found["severities"]
    names = list(dict.fromkeys(name for severity in SEVERITIES for name in matrix[severity]))
    rows = [[Cell(name.replace("_", " ")), *(Cell(spoken(matrix[severity].get(name))) for severity in SEVERITIES)] for name in names]
    put_rows(session, found, ("", *SEVERITIES), rows, names)


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
    """Read a policy file as the server would, and say each mistake. Nothing is sent anywhere."""
    from incident.policy_file import PolicyProblem, policy_from
    from runtime.settings import SettingsError, read_toml

    if not file.exists():
        raise failed(NOT_FOUND, "unknown-file", f"there is no file {str(file)!r}")
    try:
        found = policy_from(read_toml(file))
    except SettingsError as error:
        raise failed(ERROR, "invalid-policy", str(error), problems=[str(error)]) from error
    except PolicyProblem as error:
        document = {"type": "urn:tocsin:invalid-policy", "code": "invalid-policy", "detail": str(error), "problems": error.problems}
        raise Failure(ERROR, [f"error: {file}: {problem}" for problem in error.problems], document) from error
    if session.json:
        put_json({"ok": True, "file": str(file), "policy": found.model_dump(mode="json")})
    else:
        put(str(file) if session.ids else f"{file}: a policy that can be used")
