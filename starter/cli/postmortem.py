"""`tocsin pm`: the post-mortem, from draft to filed."""

from __future__ import annotations

import re
from typing import Any

import click

from starter.cli import arguments, incidents, writing
from starter.cli.client import Client
from starter.cli.output import put, put_json
from starter.cli.reading import incident_argument
from starter.cli.session import Session, reading
from starter.cli.session import writing as writing_command

_PLACEHOLDER = re.compile(r"^(?:\d+\.\s*|[-*]\s*)?\[[^\]\n]*\]$")


@click.group()
def pm() -> None:
    """The post-mortem: show it, file one that was written, publish the draft."""


@pm.command()
@incident_argument
@reading
def show(session: Session, incident: str | None) -> None:
    """Print the post-mortem that was filed, else the draft from the timeline."""
    client = session.client()
    name = incidents.find(client, incident)
    answer = document_of(client, name)
    if session.json:
        put_json(answer)
    elif session.ids:
        put(name)
    else:
        put(answer["document"].rstrip("\n"))
        filed = f"filed {answer.get('filed_at') or ''} by {answer.get('by') or 'somebody'}"
        session.talk(filed if answer["filed"] else f"a draft; write it, then: tocsin pm file {name} FILE")


pm.add_command(writing.command_for("file_postmortem", "file"))


@pm.command()
@incident_argument
@click.argument("file", required=False, metavar="[FILE]")
@writing_command
def publish(session: Session, incident: str | None, file: str | None) -> None:
    """File the draft that the server has, or FILE; what is still a placeholder is said first."""
    if incident is not None and file is None and incidents.named(incident) is None:
        incident, file = None, incident
    client = session.client()
    name = incidents.find(client, incident)
    if file is not None:
        document = arguments.read_input() if file == "-" else arguments.read_file(file)
    else:
        answer = document_of(client, name)
        if answer["filed"]:
            _already(session, name, answer)
            return
        document = answer["document"]
    gaps = placeholders(document)
    for section in gaps:
        session.talk(f"still a placeholder: {section}")
    session.agreed([f"The post-mortem of {name}: {len(document.split())} words, {len(gaps)} placeholders"], "File it?")
    writing.send(session, client, "file_postmortem", name, {"document": document})


def document_of(client: Client, incident: str) -> dict[str, Any]:
    """What the server has: the document, and whether it was filed."""
    answer: dict[str, Any] = client.get(f"/incidents/{incident}/postmortem")
    return answer


def placeholders(document: str) -> list[str]:
    """The sections in which a line still is the template's own."""
    found: list[str] = []
    section = "the beginning"
    for line in document.splitlines():
        if line.startswith("#"):
            section = line.lstrip("# ").strip()
        elif _PLACEHOLDER.match(line.strip()) and section not in found:
            found.append(section)
    return found


def _already(session: Session, incident: str, answer: dict[str, Any]) -> None:
    if session.json:
        put_json({"incident": incident, "accepted": True, "events": [], "filed_at": answer.get("filed_at")})
    else:
        put(incident if session.ids else f"{incident}  the post-mortem is filed already; nothing has changed")
