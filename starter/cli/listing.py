"""`tocsin list`: the open incidents, the most urgent clock first."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from starter.cli import times
from starter.cli.arguments import Choice
from starter.cli.output import BOLD, RED, SEVERITY_STYLE, say
from starter.cli.printing import Cell, put_rows
from starter.cli.session import Session, reading
from starter.cli.verbs import PHASES, SEVERITIES

HEADERS = ("incident", "sev", "phase", "title", "next clock", "due", "commander", "open", "")

FAR_OFF = datetime.max.replace(tzinfo=UTC)


@click.command("list")
@click.option("--severity", "--sev", type=Choice(SEVERITIES), help="of this severity")
@click.option("--phase", type=Choice(PHASES), help="in this phase")
@click.option("--service", metavar="NAME", help="that affect this service")
@click.option("--open", "which", flag_value="open", help="open ones (the default)")
@click.option("--closed", "which", flag_value="closed", help="closed ones")
@click.option("--all", "which", flag_value="all", help="open and closed ones")
@click.option("--drill/--no-drill", default=None, help="drills only, or none")
@reading
def list_incidents(
    session: Session, severity: str | None, phase: str | None, service: str | None, which: str | None, drill: bool | None
) -> None:
    """List incidents, the most urgent clock first: the overdue, then what is due soonest, then what owes nothing."""
    query = {name: value for name, value in (("severity", severity), ("phase", phase), ("service", service)) if value is not None}
    which = which or ("all" if phase == "closed" else "open")
    if which != "all":
        query["open"] = "true" if which == "open" else "false"
    if drill is not None:
        query["drill"] = "true" if drill else "false"
    answer: dict[str, Any] = session.client().get("/incidents", query)
    rows = sorted(answer["incidents"], key=by_urgency)
    now = times.now()
    put_rows(session, {**answer, "incidents": rows}, HEADERS, [cells(row, now) for row in rows], [row["incident"] for row in rows])
    if not rows and not session.json and not session.ids:
        say(f"No {'open ' if which == 'open' else ''}incidents{' like that' if len(query) > 1 else ''}. Practise: tocsin drill")


def by_urgency(row: dict[str, Any]) -> tuple[bool, datetime, float, str]:
    """Sort key: open ones by their next due time, the longest overdue first; then those that owe nothing; then those closed last."""
    if row.get("open") is False:
        closed = times.read(row.get("closed_at") or row.get("opened_at"))
        return (True, FAR_OFF, -closed.timestamp() if closed is not None else 0.0, str(row.get("incident")))
    return (False, times.read(row.get("next_due")) or FAR_OFF, 0.0, str(row.get("incident")))


def cells(row: dict[str, Any], now: datetime) -> list[Cell]:
    """One row of the list."""
    due = times.read(row.get("next_due"))
    opened = times.read(row.get("opened_at"))
    severity = row.get("severity")
    clock = str(row.get("next_clock") or "").replace("_", " ")
    urgent = f"{clock} {times.left(due, now)}" if due is not None and clock else times.left(due, now)
    return [
        Cell(row["incident"], style=BOLD),
        Cell(severity, style=SEVERITY_STYLE.get(str(severity))),
        Cell(row.get("phase"), phase_label(row.get("phase"))),
        Cell(row.get("title")),
        Cell(row.get("next_clock"), urgent, RED if due is not None and due <= now else None),
        Cell(row.get("next_due"), times.clock_time(due, now)),
        Cell(row.get("commander")),
        Cell(row.get("opened_at"), times.length(now - opened) if opened is not None else None),
        Cell(_marks(row), _marks(row), "7"),
    ]


def _marks(row: dict[str, Any]) -> str:
    return " ".join(name.upper() for name in ("drill", "private") if row.get(name))


def phase_label(phase: object) -> str:
    """`4/6 mitigation`; the six phases are numbered, closed is not one of them."""
    name = str(phase or "-")
    number = PHASES.index(name) + 1 if name in PHASES else 0
    label = name.replace("_", "-")
    return f"{number}/6 {label}" if 0 < number < len(PHASES) else label
