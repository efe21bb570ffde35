"""`tocsin pm`: the post-mortem, from draft to filed, section by section or whole."""

from __future__ import annotations

from typing import Any

import click

from starter.cli import arguments, incidents, writing
from starter.cli.client import Client
from starter.cli.failures import NOT_FOUND, failed
from starter.cli.output import GREEN, RED, put, put_json
from starter.cli.printing import Cell, put_rows
from starter.cli.reading import incident_argument
from starter.cli.session import Session, reading
from starter.cli.session import writing as writing_command


@click.group()
def pm() -> None:
    """The post-mortem: show it, write its draft, file one that was written, publish the draft; list all."""


@pm.command()
@incident_argument
@click.option("--draft", "draft_wanted", is_flag=True, help="the draft in work, also where a post-mortem is filed")
@reading
def show(session: Session, incident: str | None, draft_wanted: bool) -> None:
    """Print the post-mortem that was filed, else the draft in work."""
    client = session.client()
    name = incidents.find(client, incident)
    answer = document_of(client, name, draft=draft_wanted)
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
    """File the draft in work, or FILE. While a section still holds a placeholder it is refused, and says which."""
    if incident is not None and file is None and incidents.named(incident) is None:
        incident, file = None, incident
    client = session.client()
    name = incidents.find(client, incident)
    seen: dict[str, int] = {}
    if file is not None:
        document = arguments.read_input() if file == "-" else arguments.read_file(file)
    else:
        answer = document_of(client, name)
        if answer["filed"] and answer.get("state") != "amending":
            _already(session, name, answer)
            return
        if answer["filed"]:
            answer = document_of(client, name, draft=True)
        document, seen = answer["document"], answer.get("seen") or {}
    session.agreed([f"The post-mortem of {name}: {len(document.split())} words"], "File it?")
    writing.send(session, client, "file_postmortem", name, {"document": document, **({"seen": seen} if seen else {})})


@pm.command("list")
@click.option("--owed", is_flag=True, help="only those that are still to be written")
@reading
def list_all(session: Session, owed: bool) -> None:
    """List where every post-mortem stands: overdue, due, filed or waived."""
    whole: dict[str, Any] = session.client().get("/postmortems")
    found = [row for row in whole["postmortems"] if not owed or row["state"] in {"due", "overdue"}]
    rows = [
        [
            Cell(row["incident"]),
            Cell(row["severity"]),
            Cell(row["state"], style=_STYLES.get(row["state"])),
            Cell(row["due"]),
            Cell((row.get("draft") or {}).get("by") or row["by"]),
            Cell("DRILL" if row["drill"] else None),
            Cell(row["title"]),
        ]
        for row in found
    ]
    headers = ("incident", "severity", "state", "due", "last hand", "", "title")
    put_rows(session, {"postmortems": found}, headers, rows, [row["incident"] for row in found])


_STYLES = {"overdue": RED, "filed": GREEN}


@pm.command()
@click.argument("words", nargs=-1, metavar="[ID] [SECTION]")
@click.option("-m", "--text", metavar="TEXT", help="the section's new text; - reads it from standard input")
@click.option("--base", type=click.IntRange(min=0), help="the version that was changed (default: the newest, as it is when this is sent)")
@click.option("--history", is_flag=True, help="every version of the section, the newest first")
@writing_command
def draft(session: Session, words: tuple[str, ...], text: str | None, base: int | None, history: bool) -> None:
    """Print the sections of the draft, print one, or write one with -m; the record knows of it once it is filed.

    With --base, a text that somebody else has written since is not overwritten (exit 6, with both texts).
    """
    incident, section, text = _placed(words, text)
    client = session.client()
    name = incidents.find(client, incident)
    if section is not None and history:
        _put_history(session, client.get(f"/incidents/{name}/postmortem/draft/{section}"))
        return
    work: dict[str, Any] = client.get(f"/incidents/{name}/postmortem/draft")
    if section is None:
        _put_sections(session, work)
        return
    found = next((one for one in work["sections"] if one["section"] == section), None)
    if found is None:
        known = ", ".join(one["section"] for one in work["sections"])
        raise failed(NOT_FOUND, "unknown-section", f"there is no section {section!r}; the sections are {known}")
    if text is None:
        _put_section(session, name, found)
        return
    fields = {"text": text, "base": found["version"] if base is None else base, "filing": work["filing"], "by": session.who()}
    saved = client.put(f"/incidents/{name}/postmortem/draft/{section}", fields)
    if session.json:
        put_json(saved)
    else:
        put(name if session.ids else f"{name}  {section}: version {saved['version']} saved; file it with: tocsin pm publish {name}")


def _placed(words: tuple[str, ...], text: str | None) -> tuple[str | None, str | None, str | None]:
    """The incident, the section and the text in what was typed; a bare `-` at the end is standard input."""
    given = list(words)
    if text is None and given and given[-1] == "-":
        text = given.pop()
    incident = given.pop(0) if given and incidents.named(given[0]) is not None else None
    section = given.pop(0) if given else None
    if given:
        raise click.UsageError(f"what is {given[0]!r}? Say: tocsin pm draft [ID] [SECTION] [-m TEXT]")
    if text is not None and section is None:
        raise click.UsageError("say which section: tocsin pm draft [ID] SECTION -m TEXT")
    return incident, section, arguments.read_input() if text == "-" else text


def _put_sections(session: Session, work: dict[str, Any]) -> None:
    rows = []
    for one in work["sections"]:
        if not one["text"] and one["section"] == "other":
            continue
        state = "required" if one["missing"] else "written" if one["filled"] else "to write"
        style = RED if one["missing"] else GREEN if one["filled"] else None
        rows.append([Cell(one["section"]), Cell(state, style=style), Cell(one["version"] or None), Cell(one["by"]), Cell(one["at"])])
    headers = ("section", "state", "version", "by", "saved")
    put_rows(session, work, headers, rows, [one["section"] for one in work["sections"]])


def _put_section(session: Session, incident: str, section: dict[str, Any]) -> None:
    if session.json:
        put_json({"incident": incident, **section})
    elif session.ids:
        put(incident)
    else:
        put(section["text"])
        session.talk(f"version {section['version']}" if section["version"] else "from the record; nobody has written it yet")


def _put_history(session: Session, told: dict[str, Any]) -> None:
    versions = told["versions"]
    rows = [[Cell(one["version"]), Cell(one["at"]), Cell(one["by"]), Cell(one["text"])] for one in versions]
    put_rows(session, told, ("version", "saved", "by", "text"), rows, [str(one["version"]) for one in versions])


def document_of(client: Client, incident: str, *, draft: bool = False) -> dict[str, Any]:
    """What the server has: the document, and whether it was filed; with `draft` the one in work."""
    answer: dict[str, Any] = client.get(f"/incidents/{incident}/postmortem", {"draft": "true"} if draft else None)
    return answer


def _already(session: Session, incident: str, answer: dict[str, Any]) -> None:
    if session.json:
        put_json({"incident": incident, "accepted": True, "events": [], "filed_at": answer.get("filed_at")})
    else:
        put(incident if session.ids else f"{incident}  the post-mortem is filed already; nothing has changed")
