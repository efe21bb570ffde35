"""`stats` and `doctor`: how things went, and whether everything is well."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import click

from starter.cli.client import Client
from starter.cli.failures import DONE, ERROR, UNREACHABLE, Failure
from starter.cli.output import GREEN, RED
from starter.cli.printing import Cell, put_rows
from starter.cli.session import Session, reading
from starter.cli.times import length

CHAIN_WITHIN = 150.0
"""Seconds for a test alert to go through: Alertmanager gathers a group for half a minute before it posts."""

MILESTONES = ("acknowledge", "declare", "mitigate", "resolve")


@click.command()
@reading
def stats(session: Session) -> None:
    """How long it takes to acknowledge, declare, mitigate and resolve: median and 90th percentile, drills left out."""
    found: dict[str, Any] = session.client().get("/stats")
    groups = [("all", {"incidents": found.get("incidents"), **(found.get("all") or {})}), *(found.get("by_severity") or {}).items()]
    rows = [[Cell(name), Cell(group.get("incidents")), *(_spread(group.get(each) or {}) for each in MILESTONES)] for name, group in groups]
    put_rows(session, found, ("severity", "incidents", *MILESTONES), rows, [name for name, _ in groups])
    session.talk(
        f"{found.get('open', 0)} open, {found.get('dismissed', 0)} dismissed, {found.get('drills_left_out', 0)} drills left out; "
        "each time is the median / the 90th percentile"
    )


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
            tried: dict[str, Any] = Client(session.url, pauses=(), within=CHAIN_WITHIN).post("/doctor", {}, session.request_key())
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
