"""`tocsin channel`: an outside system's queue, told to wait for its vendor's outage."""

from __future__ import annotations

from typing import Any

import click

from starter.cli.arguments import Choice
from starter.cli.output import RED, YELLOW, clean, put, put_json
from starter.cli.printing import Cell, put_rows
from starter.cli.session import Session, reading, writing
from starter.cli.verbs import PORTS

HEADERS = ("port", "state", "since", "until", "by", "reason")

port_argument = click.argument("port", type=Choice(PORTS), metavar="PORT")


@click.group()
def channel() -> None:
    """An outside system's queue: pause it for its vendor's outage, resume it, list what is paused."""


@channel.command("list")
@reading
def list_channels(session: Session) -> None:
    """The channels that are paused."""
    found: dict[str, Any] = session.client().get("/channels")
    rows = [
        [
            Cell(each["port"]),
            Cell("overdue" if each["overdue"] else "paused", style=RED if each["overdue"] else YELLOW),
            *(Cell(each[name]) for name in ("since", "until", "by", "reason")),
        ]
        for each in found["channels"]
    ]
    put_rows(session, found, HEADERS, rows, [each["port"] for each in found["channels"]])
    if not found["channels"]:
        session.talk("nothing is paused")


@channel.command()
@port_argument
@click.option("-m", "--reason", "--message", required=True, metavar="TEXT", help="why it waits")
@click.option("--minutes", type=click.FloatRange(min=0, min_open=True), metavar="N", help="after which it ends by itself (default: 60)")
@writing
def pause(session: Session, port: str, reason: str, minutes: float | None) -> None:
    """Have PORT wait: what is to be told there is kept, in order. Pausing it again prolongs it."""
    _send(session, port, "pause", {"reason": reason, **({"minutes": minutes} if minutes is not None else {})})


@channel.command()
@port_argument
@writing
def resume(session: Session, port: str) -> None:
    """Let all that waited for PORT go out, in order, but for what is out of date."""
    _send(session, port, "resume", {})


def _send(session: Session, port: str, verb: str, fields: dict[str, Any]) -> None:
    answer: dict[str, Any] = session.client().post(f"/channels/{port}/{verb}", {**session.signature(), **fields}, session.request_key())
    if session.json:
        put_json(answer)
    elif session.ids:
        put(port)
    else:
        put(clean(answer["text"]) if answer["news"] else f"already so: {clean(answer['text'])}")
