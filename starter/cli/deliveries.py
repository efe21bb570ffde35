"""`tocsin deliveries` and `tocsin delivery`: what was told outside, and what is done about one that has not arrived."""

from __future__ import annotations

from typing import Any

import click

from starter.cli import incidents
from starter.cli.output import DIM, GREEN, RED, YELLOW, clean
from starter.cli.printing import Cell, put_rows
from starter.cli.reading import incident_argument
from starter.cli.session import Session, reading
from starter.cli.writing import command_for

STYLE = {"parked": YELLOW, "paused": YELLOW, "failed_over": YELLOW, "refused": RED, "given_up": DIM, "replaced": DIM, "delivered": GREEN}

HEADERS = ("key", "port", "state", "what", "to", "at", "reference", "note")


@click.command()
@incident_argument
@click.option("--open", "only_open", is_flag=True, help="only what has not arrived")
@reading
def deliveries(session: Session, incident: str | None, only_open: bool) -> None:
    """What was told outside and what became of it, what waits, and which systems are down or paused."""
    client = session.client()
    told: dict[str, Any] = client.get(f"/incidents/{incidents.find(client, incident)}/deliveries")
    waiting, refused = told.get("waiting") or [], told.get("refused") or []
    shown = [*([] if only_open else told.get("settled") or []), *refused, *waiting]
    rows = [
        [
            Cell(each["key"]),
            Cell(each["port"]),
            Cell(each["state"], str(each["state"]).replace("_", " "), STYLE.get(each["state"])),
            Cell(each.get("purpose") or each.get("action"), str(each.get("purpose") or each.get("action") or "-").replace("_", " ")),
            Cell(each.get("to")),
            Cell(each.get("at")),
            Cell(each.get("reference")),
            Cell(_note(each)),
        ]
        for each in shown
    ]
    put_rows(session, told, HEADERS, rows, [each["key"] for each in shown])
    session.talk(f"{told.get('delivered', 0)} delivered, {len(waiting)} waiting, {len(refused)} refused")
    for port, health in sorted((told.get("down") or {}).items()):
        since, error, again = health.get("down_since"), clean(health.get("error", "")), health.get("retry_at")
        if health.get("vendor"):
            session.talk(f"{port} waits for {clean(health['vendor'])} until {again}: {error}")
        else:
            session.talk(f"{port} is down since {since}: {error}; tried again at {again}")
    for port, pause in sorted((told.get("paused") or {}).items()):
        session.talk(
            f"{port} is paused by {clean(pause['by'])} until {pause['until']}: {clean(pause['reason'])}; tocsin channel resume {port}"
        )
    if refused or any(each["state"] in ("parked", "failed_over") for each in waiting):
        session.talk(f"to see to one: tocsin delivery retry|replace|give-up {told['incident']} NUMBER")


def _note(each: dict[str, Any]) -> str | None:
    """What else is to be said: why it did not arrive, by which way it went, or what took its place."""
    if each.get("instead"):
        return f"{each.get('way') or each.get('note') or 'instead'} ({each['instead']})"
    if each.get("stands_for"):
        return f"for {each['stands_for']}" + (f", {each['note']}" if each.get("note") else "")
    if each.get("waits_for"):
        return f"waits for {each['waits_for']} until {each.get('retry_at', '?')}: {each.get('error', '')}"
    found = each.get("error") or each.get("note")
    return str(found) if found else None


@click.group()
def delivery() -> None:
    """One delivery that has not arrived: retry it, replace it, give it up."""


delivery.add_command(command_for("retry_delivery", "retry"))
delivery.add_command(command_for("replace_delivery", "replace"))
delivery.add_command(command_for("give_up_delivery", "give-up"))
