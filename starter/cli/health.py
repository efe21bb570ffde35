"""`stats` and `doctor`: how things went, and whether everything is well."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import click

from starter.cli.arguments import Choice
from starter.cli.client import Client
from starter.cli.failures import DONE, ERROR, UNREACHABLE, Failure
from starter.cli.output import GREEN, RED, put
from starter.cli.printing import Cell, put_rows
from starter.cli.session import Session, reading
from starter.cli.times import length
from starter.cli.verbs import SEVERITIES

CHAIN_WITHIN = 150.0
"""Seconds for a test alert to go through: Alertmanager gathers a group for half a minute before it posts."""

MILESTONES = ("acknowledge", "declare", "mitigate", "resolve")


@click.command()
@click.option("--days", type=click.IntRange(min=0), help="only incidents opened within so many days (0: all); default: all")
@click.option("--sev", "severity", type=Choice(SEVERITIES), help="only incidents of this severity")
@click.option("--service", metavar="NAME", help="only incidents on this service")
@click.option("--csv", "as_csv", is_flag=True, help="one line an incident, for a spreadsheet")
@reading
def stats(session: Session, days: int | None, severity: str | None, service: str | None, as_csv: bool) -> None:
    """How long it takes to acknowledge, declare, mitigate and resolve: median and 90th percentile, drills left out.

    With a filter also what was on time, refused and is still to do, as on the page /analytics.
    """
    query = {"days": str(days or 0), **({"severity": severity} if severity else {}), **({"service": service} if service else {})}
    if as_csv:
        put(session.client().raw("/analytics.csv", query).decode("utf-8").rstrip("\r\n"))
        return
    if days is None and severity is None and service is None:
        found: dict[str, Any] = session.client().get("/stats")
        groups = [("all", {"incidents": found.get("incidents"), **(found.get("all") or {})}), *(found.get("by_severity") or {}).items()]
    else:
        found = session.client().get("/analytics", query)
        times = found["times"]
        groups = [("all", times["all"]), *times["by_severity"].items(), *times["by_service"].items()]
    rows = [[Cell(name), Cell(group.get("incidents")), *(_spread(group.get(each) or {}) for each in MILESTONES)] for name, group in groups]
    put_rows(session, found, ("group", "incidents", *MILESTONES), rows, [name for name, _ in groups])
    session.talk(
        f"{found.get('open', 0)} open, {found.get('dismissed', 0)} dismissed, {found.get('drills_left_out', 0)} drills left out; "
        "each time is the median / the 90th percentile"
    )
    for line in _besides(found):
        session.talk(line)


def _besides(found: dict[str, Any]) -> list[str]:
    """What analytics tell beside the times, a line each; fewer than five are not made a share of."""
    lines = [
        f"{name.replace('_', ' ')}: {one['on_time']} of {one['due']} on time" + (" (too few to compare)" if one["too_few"] else "")
        for name, one in (found.get("on_time") or {}).items()
        if one["due"]
    ]
    refused = found.get("refusals") or []
    if refused:
        lines.append("refused: " + ", ".join(f"{one['code']} {one['count']}" for one in refused))
    items = found.get("action_items") or {}
    if items.get("total"):
        lines.append(f"action items: {items['open']} open, {items['overdue']} overdue, {items['done']} done, {items['waived']} waived")
    if found.get("without_details"):
        why = "their histories are being read, ask again" if found.get("being_read") else "no worker answers for the rest"
        lines.append(f"of {len(found['without_details'])} incidents only the times are known: {why}")
    return lines


def _spread(times: dict[str, Any]) -> Cell:
    median, p90 = times.get("median"), times.get("p90")
    if median is None or p90 is None:
        return Cell(None)
    return Cell(f"{median}/{p90}", f"{length(timedelta(seconds=median))} / {length(timedelta(seconds=p90))}")


@click.command()
@click.option("--end-to-end", is_flag=True, help="send a test alert through the whole chain, as a drill, and dismiss what it opens")
@reading
def doctor(session: Session, end_to_end: bool) -> None:
    """Look whether everything that an incident needs is there; exit 1 where something is not."""
    code = DONE
    try:
        found: dict[str, Any] = session.client().get("/doctor")
        if end_to_end:
            patient = Client(session.url, session.token, pauses=(), within=CHAIN_WITHIN)
            tried: dict[str, Any] = patient.post("/doctor", {}, session.request_key())
            found = {"ok": found["ok"] and tried["ok"], "checks": [*found["checks"], *tried["checks"]]}
    except Failure as failure:
        if failure.code != UNREACHABLE:
            raise
        fix = "tocsin up, or name the server with --url or TOCSIN_URL"
        found = {"ok": False, "checks": [{"name": "http", "ok": False, "detail": str(failure).removeprefix("error: "), "fix": fix}]}
        code = UNREACHABLE
    checks = found.get("checks") or []
    rows = []
    for check in checks:
        well = bool(check.get("ok"))
        rows.append(
            [
                Cell("ok" if well else "FAIL", style=GREEN if well else RED),
                Cell(check["name"]),
                Cell(check["detail"]),
                Cell(check.get("fix")),
            ]
        )
    put_rows(session, found, ("", "what", "found", "to mend it"), rows, [check["name"] for check in checks])
    if code is DONE and not all(check.get("ok") for check in checks):
        code = ERROR
    click.get_current_context().exit(code)
