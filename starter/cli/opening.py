"""`report` and `declare`: how an incident begins."""

from __future__ import annotations

from typing import Any

import click

from starter.cli import arguments, incidents, writing
from starter.cli.client import Client
from starter.cli.failures import from_problem
from starter.cli.output import clean, put, put_json
from starter.cli.session import Session
from starter.cli.session import writing as writing_command
from starter.cli.verbs import OPENING, VERBS, Field

DECLARING = frozenset(field.name for field in VERBS["declare"].fields)
DECIDES = frozenset(field.name for field in OPENING if field.within == "factors") | {"severity", "factors"}
"""The fields that make an opening a declaration."""

IN_DETECTION = tuple(field for field in OPENING if field.name not in DECIDES | {"reason", "channel"})


def _opened(session: Session, client: Client, fields: tuple[Field, ...], values: dict[str, Any]) -> None:
    """Open an incident and tell what it is.

    Where the process did not take the severity, and no factors decide it, that is a refusal of an incident that exists.
    """
    body = arguments.payload(fields, values)
    state: dict[str, Any] = client.post("/incidents", {**session.signature(), **body}, session.request_key())
    incident = str(state["incident"])
    if session.json:
        put_json(state)
    elif session.ids:
        put(incident)
    else:
        put(_told(state, client.url))
    if "refusal" in state and state.get("severity"):
        session.talk(f"{clean(state['refusal']['message'])} The factors decided. To change it: tocsin sev {incident} … --reason …")
    elif "refusal" in state:
        detail = f"{incident} is open in detection, and not declared"
        raise from_problem(409, {"type": "urn:tocsin:refused", "code": state["refusal"].get("code"), "detail": detail, **_answer(state)})
    writing.tell_state(session, state)


def _answer(state: dict[str, Any]) -> dict[str, Any]:
    return {"incident": state["incident"], "phase": state["phase"], "accepted": False, "refusal": state["refusal"]}


def _told(state: dict[str, Any], url: str) -> str:
    drill = ("  DRILL" if state.get("drill") else "") + ("  PRIVATE" if state.get("private") else "")
    what = f"declared  {state['severity']}" if state.get("severity") else "open in detection"
    commander = (state.get("roles") or {}).get("commander")
    who = f"  commander: {clean(commander)}" if commander else ""
    return f"{state['incident']}  {what}{drill}  {clean(state.get('title', ''))}{who}  {url}/incidents/{state['incident']}"


def _titled(words: tuple[str, ...], values: dict[str, Any], example: str) -> None:
    """Put the words into the title."""
    if words and values.get("title"):
        raise click.UsageError("the title is given twice; leave out --title")
    title = " ".join(words) or values.get("title")
    if not title:
        raise click.UsageError(f"say what is wrong: {example}")
    values["title"] = title


def _report(session: Session, words: tuple[str, ...], **values: Any) -> None:
    _titled(words, values, 'tocsin report "Checkout returns 5xx in the EU"')
    _opened(session, session.client(), IN_DETECTION, values)


def _declare(session: Session, words: tuple[str, ...], **values: Any) -> None:
    named = incidents.named(words[0]) if words else None
    if not words and not values.get("title"):
        _declare_existing(session, None, values)
    elif named is not None and len(words) == 1:
        _declare_existing(session, named, values)
    else:
        if all(values.get(name) is None for name in DECIDES):
            raise click.UsageError("declare needs --sev 1|2|3, or the factors that decide it; to open it undeclared: tocsin report")
        _titled(words, values, 'tocsin declare "Checkout returns 5xx in the EU" --sev 1')
        _opened(session, session.client(), OPENING, values)


def _declare_existing(session: Session, named: str | None, values: dict[str, Any]) -> None:
    foreign = [field for field in OPENING if field.name not in DECLARING and values.get(field.name) not in (None, ())]
    if foreign:
        options = ", ".join(field.option for field in foreign)
        raise click.UsageError(f"{options} open a new incident, with a TITLE; for one that exists use tocsin describe")
    body = arguments.payload(VERBS["declare"].fields, values)
    if "severity" not in body and "factors" not in body:
        raise click.UsageError("declare needs --sev 1|2|3, or the factors that decide it")
    client = session.client()
    writing.send(session, client, "declare", incidents.find(client, named), body)


def _command(name: str, run: Any, fields: tuple[Field, ...], metavar: str, help: str) -> click.Command:
    from starter.cli.completing import complete_incident

    wrapped = writing_command(run)
    words = click.Argument(["words"], nargs=-1, metavar=metavar, shell_complete=complete_incident)
    options: list[click.Parameter] = [arguments.option_of(field, field.name == "summary") for field in fields]
    options = [words, *options, *reversed(getattr(wrapped, "__click_params__", []))]
    return click.Command(name, callback=wrapped, params=options, help=help)


report = _command(
    "report", _report, IN_DETECTION, "TITLE", "Open an incident in detection: somebody still has to look at it, and is paged to do so."
)

declare = _command(
    "declare",
    _declare,
    OPENING,
    "TITLE | [ID]",
    "Declare an incident.\n\nWith a TITLE a new one is opened and declared at once; with an ID, or where exactly one is open with neither, "
    "the one that exists is declared. It needs --sev, or the factors that decide the severity.",
)
