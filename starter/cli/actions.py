"""`tocsin action`: what is to be done after the incident."""

from __future__ import annotations

import click

from starter.cli.output import GREEN, RED
from starter.cli.printing import Cell, put_rows
from starter.cli.reading import incident_argument, state_of
from starter.cli.session import Session, reading
from starter.cli.times import now
from starter.cli.writing import command_for


@click.group()
def action() -> None:
    """Action items: add one, change it, say that it is done, list them."""


@action.command("list")
@incident_argument
@click.option("--open", "only_open", is_flag=True, help="only what is still to do")
@click.option("--all", "everywhere", is_flag=True, help="of all incidents, by due date")
@click.option("--owner", metavar="NAME", help="with --all: only one person's")
@reading
def list_items(session: Session, incident: str | None, only_open: bool, everywhere: bool, owner: str | None) -> None:
    """List the action items of an incident, or with --all of every incident."""
    if everywhere and incident is not None:
        raise click.UsageError("--all lists every incident's; leave the ID out")
    if owner is not None and not everywhere:
        raise click.UsageError("--owner goes with --all")
    if everywhere:
        _list_all(session, only_open, owner)
        return
    state = state_of(session, incident)
    items = [item for item in state.get("action_items") or [] if item["status"] == "open" or not only_open]
    today = now().date().isoformat()
    rows = []
    for item in items:
        late = item["status"] == "open" and item["due"] < today
        style = GREEN if item["status"] == "done" else RED if late else None
        shown = f"{item['status']}, overdue" if late else item["status"]
        rows.append([Cell(item["id"]), Cell(item["status"], shown, style), Cell(item["due"]), Cell(item["owner"]), Cell(item["item"])])
    whole = {"incident": state["incident"], "action_items": items}
    put_rows(session, whole, ("id", "status", "due", "owner", "item"), rows, [item["id"] for item in items])


def _list_all(session: Session, only_open: bool, owner: str | None) -> None:
    query = {**({"open": "true"} if only_open else {}), **({"owner": owner} if owner is not None else {})}
    whole = session.client().get("/actions", query)
    rows = []
    for item in whole["action_items"]:
        style = GREEN if item["status"] == "done" else RED if item["overdue"] else None
        shown = f"{item['status']}, overdue" if item["overdue"] else item["status"]
        status = Cell(item["status"], shown, style)
        rows.append([Cell(item["incident"]), Cell(item["id"]), status, Cell(item["due"]), Cell(item["owner"]), Cell(item["item"])])
    headers = ("incident", "id", "status", "due", "owner", "item")
    put_rows(session, whole, headers, rows, [f"{item['incident']} {item['id']}" for item in whole["action_items"]])


action.add_command(command_for("add_action_item", "add"))
action.add_command(command_for("change_action_item", "change"))
action.add_command(command_for("complete_action_item", "done"))
