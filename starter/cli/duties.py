"""`tocsin mine`: what is asked of one person, over all incidents."""

from __future__ import annotations

import click

from starter.cli.output import RED
from starter.cli.printing import Cell, put_rows
from starter.cli.session import Session, reading


@click.command()
@click.option("--of", "person", metavar="NAME", help="somebody else's (default: yours)")
@reading
def mine(session: Session, person: str | None) -> None:
    """What you owe, late things first, and what is late of others."""
    asked = {"person": person} if person else {"person": session.who()} if session.token is None else None
    whole = session.client().get("/duties", asked)
    rows = []
    for duty in whole["duties"]:
        style = RED if duty["overdue"] else None
        due = Cell(duty["due"], f"{duty['due']}, overdue" if duty["overdue"] else duty["due"], style)
        rows.append([Cell(duty["incident"]), due, Cell(duty["what"]), Cell(duty["owner"]), Cell(duty["title"])])
    put_rows(session, whole, ("incident", "due", "what", "owner", "title"), rows, [duty["incident"] for duty in whole["duties"]])
