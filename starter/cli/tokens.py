"""`tocsin token` and `tocsin whoami`: personal tokens, for a server where people sign in."""

from __future__ import annotations

from typing import Any

import click

from starter.cli.output import GREEN, clean, put, put_json
from starter.cli.printing import Cell, put_rows
from starter.cli.session import Session, reading

HEADERS = ("id", "for", "owner", "state", "roles", "until", "last used")


@click.group()
def token() -> None:
    """Personal tokens: create, list, revoke. The first one is made in a browser, at /login/tokens."""


@token.command()
@click.argument("label")
@click.option("--days", type=click.IntRange(1, 365), default=90, show_default=True, help="how long it is good")
@click.option("--role", "roles", multiple=True, metavar="ROLE", help="one of your roles; repeat it for more (default: all)")
@reading
def create(session: Session, label: str, days: int, roles: tuple[str, ...]) -> None:
    """Make a token for LABEL. stdout is the token, this once; it ends with the token that made it at the latest."""
    asked: dict[str, Any] = {"label": label, "days": days, **({"roles": list(roles)} if roles else {})}
    made: dict[str, Any] = session.client().post("/tokens", asked, session.request_key())
    if session.json:
        put_json(made)
        return
    put(str(made["token"]))
    session.talk(f"{made['id']}: good until {made['expires_at']}, as {', '.join(made['roles'])}. It is shown this once: keep it.")


@token.command("list")
@click.option("--all", "everybody", is_flag=True, help="everybody's; for administrators")
@reading
def list_tokens(session: Session, everybody: bool) -> None:
    """List tokens, newest first, without what opens."""
    found: dict[str, Any] = session.client().get("/tokens", {"all": "true"} if everybody else None)
    rows = [
        [
            Cell(each["id"]),
            Cell(each["label"]),
            Cell(each["owner"]),
            Cell(each["state"], style=GREEN if each["state"] == "valid" else None),
            Cell(", ".join(each["roles"])),
            Cell(each["expires_at"]),
            Cell(each["last_used_at"], None if each["last_used_at"] else "never"),
        ]
        for each in found["tokens"]
    ]
    put_rows(session, found, HEADERS, rows, [each["id"] for each in found["tokens"]])


@token.command()
@click.argument("id", metavar="ID")
@reading
def revoke(session: Session, id: str) -> None:
    """Make a token useless, from the next request on."""
    found: dict[str, Any] = session.client().delete(f"/tokens/{id}")
    if session.json:
        put_json(found)
    else:
        put(str(found["id"]) if session.ids else f"{found['id']}  {clean(found['label'])}: {found['state']}")


@click.command()
@reading
def whoami(session: Session) -> None:
    """Who you are to the server, and what you may do there."""
    found: dict[str, Any] = session.client().get("/whoami")
    if session.json:
        put_json(found)
    elif session.ids:
        put(str(found["name"]))
    else:
        put(f"{clean(found['name'])}  {', '.join(found['roles'])}")
        session.talk(f"signed in ({found['mode']}), until {found['until']}" if found["signed_in"] else "nobody signs in on this server")
