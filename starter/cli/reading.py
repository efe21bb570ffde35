"""Looking at one incident: `show`, `status`, `next`, `timeline`, `checklist`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import click

from incident.moments import KeyMoments
from incident.telling import since as fires_since
from incident.telling import told
from starter.cli import incidents, times
from starter.cli.arguments import Choice
from starter.cli.board import board
from starter.cli.completing import complete_incident
from starter.cli.output import DIM, GREEN, RED, YELLOW, clean, put, put_json
from starter.cli.printing import Cell, put_rows
from starter.cli.session import Session, reading
from starter.cli.verbs import PHASES

BEHIND_THE_SCENES = frozenset({"delivered", "replaced", "reminder", "item_checked", "evidence"})

KIND_STYLE = {"overdue": RED, "refused": RED, "paging_failed": RED, "parked": YELLOW, "resolved": GREEN, "delivered": DIM}

incident_argument: Callable[[Any], Any] = click.argument("incident", required=False, metavar="[ID]", shell_complete=complete_incident)


def state_of(session: Session, named: str | None) -> dict[str, Any]:
    """The state of the incident that is meant."""
    client = session.client()
    state: dict[str, Any] = client.get(f"/incidents/{incidents.find(client, named)}")
    return state


@click.command()
@incident_argument
@reading
def status(session: Session, incident: str | None) -> None:
    """How bad it is, which clock is next, what is open, and what to do now."""
    state = state_of(session, incident)
    if session.json:
        put_json(state)
    elif session.ids:
        put(state["incident"])
    else:
        lines = board(state, times.read(state.get("now")) or times.now(), session.paint)
        put("```\n" + "\n".join(lines) + "\n```" if session.markdown else "\n".join(lines))


@click.command()
@incident_argument
@reading
def show(session: Session, incident: str | None) -> None:
    """Everything about one incident."""
    state = state_of(session, incident)
    if session.json:
        put_json(state)
    elif session.ids:
        put(state["incident"])
    else:
        put("\n".join(_facts(state)))


def _facts(state: dict[str, Any]) -> list[str]:
    """The incident as Markdown that also reads well in a terminal. What is not known is left out."""
    lines = [f"# {state['incident']}: {clean(state.get('title', ''))}", ""]
    named = ("severity", "phase", "outcome", "duplicate_of", "summary", "symptom", "users_affected", "channel", "opened_by", "source")
    moments = ("started_at", "opened_at", "acknowledged_at", "declared_at", "mitigated_at", "resolved_at", "closed_at", "retrospective_at")
    values: list[tuple[str, Any]] = [(name, state.get(name)) for name in named]
    values += [("services", ", ".join(state.get("services") or []))]
    values += [(flag, "yes" if state.get(flag) else None) for flag in ("customer_facing", "drill", "private")]
    values += list((state.get("roles") or {}).items())
    values += [(name.removesuffix("_at"), state.get(name)) for name in moments]
    values += [(name, state.get(name)) for name in ("root_cause", "fix_applied")]
    lines += [f"- **{name.replace('_', ' ')}**: {clean(value)}" for name, value in values if value]
    lists: list[tuple[str, list[str]]] = [
        ("Clocks", [f"{clock['name']}: {clock['state']}, due {clock.get('due') or '-'}" for clock in state.get("clocks") or []]),
        ("Criteria", [f"{name}: {at or 'not confirmed'}" for name, at in (state.get("criteria") or {}).items()]),
        ("Measurements", _measurements(state)),
        ("Looked up", [_finding(each) for each in state.get("findings") or []]),
        ("Alerts", _alerts(state)),
        ("Hypotheses", [f"{each['text']} ({each['by']})" for each in state.get("hypotheses") or []]),
        ("Mitigations", [_mitigation(each) for each in state.get("mitigations") or []]),
        ("Dispatches", [f"{each['id']}: {each['specialist']}: {each['request']}" for each in state.get("dispatches") or []]),
        ("Next steps", [str(step) for step in state.get("next_steps") or []]),
        ("Action items", [f"{i['id']}: {i['item']} ({i['owner']}, {i['due']}, {i['status']})" for i in state.get("action_items") or []]),
        ("In the way of the next step", [blocker["message"] for blocker in state.get("blockers") or []]),
    ]
    for title, entries in lists:
        if entries:
            lines += ["", f"## {title}", *(f"- {clean(entry)}" for entry in entries)]
    return lines


def _alerts(state: dict[str, Any]) -> list[str]:
    now = times.read(state.get("now")) or times.now()
    left = state.get("alerts_left_out") or 0
    return [*(_alert(alert, now) for alert in state.get("alerts") or []), *([f"and {left} more, which are not shown"] if left else [])]


def _alert(alert: dict[str, Any], now: datetime) -> str:
    if not alert.get("firing"):
        return f"cleared: {alert.get('name')}"
    return f"firing: {alert.get('name')} {fires_since(alert, now)}".rstrip()


def _measurements(state: dict[str, Any]) -> list[str]:
    """How each query stands; before the first look, what will be measured."""
    known = state.get("evidence") or {}
    readings = known.get("readings") or {}
    lines = [f"monitoring can't be reached: {known['error']}"] if known.get("error") else []
    for query in state.get("queries") or []:
        reading = readings.get(query["name"])
        lines.append(f"{reading['verdict']}: {reading['said']}" if reading else f"{query['name']}: {query['expression']}")
    return lines + [f"firing: {name}" for name in known.get("firing") or []]


def _finding(each: dict[str, Any]) -> str:
    by = f" ({each['confirmed_by']})" if each.get("confirmed_by") else ""
    return f"{each['id']}: {each.get('corrected_to') or each['text']}{by}"


def _mitigation(each: dict[str, Any]) -> str:
    result = {True: "worked", False: "did not work", None: "under way"}[each.get("succeeded")]
    return f"{each['number']}. {each['option']}: {each['action']} ({each['owner']}, {result})"


@click.command("next")
@incident_argument
@reading
def next_step(session: Session, incident: str | None) -> None:
    """The one thing to do now, why, and the command that does it."""
    state = state_of(session, incident)
    step = state.get("next") or {}
    if session.json:
        put_json(step)
    elif session.ids:
        put(state["incident"])
    else:
        put(f"{clean(step.get('text', ''))} {clean(step.get('why', ''))}".strip())
        if step.get("command"):
            put(f"  {clean(step['command'])}")


@click.command()
@incident_argument
@click.option("--since", type=click.IntRange(min=0), default=0, metavar="SEQ", help="only what came after this entry")
@click.option("--brief", is_flag=True, help="leave out deliveries, reminders and ticked items")
@click.option(
    "--key", "key_only", is_flag=True, help="only the key moments, as the room shows them first; of what was late, its beginning and end"
)
@reading
def timeline(session: Session, incident: str | None, since: int, brief: bool, key_only: bool) -> None:
    """What happened, oldest first."""
    client = session.client()
    name = incidents.find(client, incident)
    answer: dict[str, Any] = client.get(f"/incidents/{name}/timeline", {"since": str(since)} if since and not key_only else None)
    entries = [entry for entry in answer["timeline"] if not (brief and entry.get("kind") in BEHIND_THE_SCENES)]
    if key_only:
        # What an entry ends may have begun long before: all of them are looked at, whichever are shown.
        key = KeyMoments(answer["timeline"])
        entries = [entry for entry in entries if entry in key and entry["seq"] > since]
        rows = [entry_cells(entry, key.lateness.beside(entry["seq"])) for entry in entries]
    else:
        rows = [entry_cells(entry) for entry in entries]
    put_rows(session, {**answer, "timeline": entries}, ("seq", "at", "kind", "by", "text"), rows, [str(each["seq"]) for each in entries])


def entry_cells(entry: dict[str, Any], beside: str = "") -> list[Cell]:
    """One entry of a timeline; `beside` is what belongs behind its sentence."""
    kind = str(entry.get("kind"))
    return [
        Cell(entry.get("seq")),
        Cell(entry.get("at")),
        Cell(kind, style=KIND_STYLE.get(kind)),
        Cell(entry.get("by"), _signed(entry)),
        Cell(entry.get("text"), told(entry) + beside),
    ]


def _signed(entry: dict[str, Any]) -> str:
    """Who, and through which door where that is known: `ana (web)`."""
    via = (entry.get("data") or {}).get("via")
    return f"{entry.get('by')} ({via})" if via else str(entry.get("by"))


@click.command()
@incident_argument
@click.option("--phase", type=Choice(PHASES), help="only this phase's items")
@reading
def checklist(session: Session, incident: str | None, phase: str | None) -> None:
    """The items of every phase, as the process words them."""
    state = state_of(session, incident)
    items = [item for item in state.get("checklist", []) if phase in (None, item["phase"])]
    rows = [[Cell(item["phase"]), _tick(item["state"]), Cell(item["item"]), Cell(item["text"]), Cell(item.get("note"))] for item in items]
    whole = {"incident": state["incident"], "checklist": items}
    put_rows(session, whole, ("phase", "state", "item", "text", "note"), rows, [item["item"] for item in items])


def _tick(state: str) -> Cell:
    marks = {"open": "[ ]", "done": "[x]", "skipped": "[-] skipped", "not_applicable": "[-] not applicable"}
    return Cell(state, marks.get(state, state), GREEN if state == "done" else None)
