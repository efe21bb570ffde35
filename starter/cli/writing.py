"""Carrying out a verb, and saying what happened, which clocks run now, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import click

from starter.cli import arguments, incidents, times
from starter.cli.board import clock_name
from starter.cli.client import Client
from starter.cli.failures import Failure
from starter.cli.output import clean, put, put_json
from starter.cli.session import Session, writing
from starter.cli.verbs import VERBS, Verb

BESIDES = frozenset({"phase_entered", "item_checked", "delivered", "replaced"})
"""Kinds of entries that come with another one, which tells more."""

SAID = frozenset({"note", "hypothesis", "internal_update", "external_update"})
"""Kinds whose text is only what somebody said."""


def command_for(name: str, typed: str) -> click.Command:
    """The command that carries out the verb `name`, under the name that is typed for it."""
    verb = VERBS[name]
    run = writing(_running(verb))
    built: list[click.Parameter] = [*_parameters(verb), *_own_parameters(run)]
    return click.Command(typed, callback=run, params=built, help=_help(verb, typed), short_help=verb.help)


def _parameters(verb: Verb) -> list[click.Parameter]:
    from starter.cli.completing import complete_incident

    places = " ".join(f"[{name.upper()}]" for name in verb.places)
    words = click.Argument(["words"], nargs=-1, metavar=f"[ID] {places}".rstrip(), shell_complete=complete_incident)
    options: list[click.Parameter] = [arguments.option_of(field, field.name == verb.main) for field in verb.fields]
    if verb.name == "post_update":
        options.append(click.Option(["to_public", "--external/--internal"], default=None, help="the same as --audience"))
    if verb.name == "file_postmortem":
        options.append(click.Option(["file", "--file"], metavar="PATH", help="the file to read it from"))
        about = "a draft that you have read and leave out on purpose, as root-cause=3; may be repeated"
        options.append(click.Option(["seen", "--seen"], metavar="SECTION=VERSION", multiple=True, help=about))
    return [words, *options]


def _own_parameters(run: Any) -> list[click.Parameter]:
    """The options that the session's decorators left on a function, in the order in which they are to be listed."""
    found: list[click.Parameter] = list(reversed(getattr(run, "__click_params__", [])))
    return found


def _help(verb: Verb, typed: str) -> str:
    needed = [arguments.spelled(field) for field in verb.fields if field.required]
    words = [verb.help, "Without ID, the one open incident is meant."]
    if needed:
        words.append("Needed: " + ", ".join(needed) + ".")
    if typed != verb.command:
        words.append(f"Long form: {verb.command}.")
    return "\n\n".join(words)


def _running(verb: Verb) -> Any:
    def run(session: Session, words: tuple[str, ...], **values: Any) -> None:
        carry_out(session, verb, words, values)

    return run


def carry_out(session: Session, verb: Verb, words: tuple[str, ...], values: dict[str, Any]) -> None:
    """Read what was typed, send it, and tell what came of it."""
    to_public = values.pop("to_public", None)
    if to_public is not None:
        values["audience"] = "external" if to_public else "internal"
    if (path := values.pop("file", None)) is not None:
        values["document"] = arguments.read_file(path)
    seen = _versions(values.pop("seen", ()))
    named = arguments.places(verb, words, values)
    if verb.name == "post_update" and values.get("audience") is None:
        raise click.UsageError("say who is told: --internal or --external")
    body = arguments.payload(verb.fields, values) | ({"seen": seen} if seen else {})
    client = session.client()
    incident = incidents.find(client, named)
    _ask_first(session, client, verb, incident, body)
    send(session, client, verb.name, incident, body)


def _versions(said: Sequence[str]) -> dict[str, int]:
    """`root-cause=3` for each draft that was read."""
    found: dict[str, int] = {}
    for one in said:
        section, _, version = one.partition("=")
        if not version.isdecimal() or not version.isascii():
            raise click.UsageError(f"--seen {one!r}: say the section and its version, as in --seen root-cause=3")
        found[section.strip()] = int(version)
    return found


def _ask_first(session: Session, client: Client, verb: Verb, incident: str, body: dict[str, Any]) -> None:
    if not verb.outward or body.get("audience") == "internal" or not session.asks:
        return
    if verb.name == "dismiss":
        session.agreed([f"{incident} will be closed as {body['as'].replace('_', ' ')}: {clean(body['reason'])}"], "Dismiss it?")
    else:
        session.agreed(_foretold(session, client, incident, body), "Post it?")


def _foretold(session: Session, client: Client, incident: str, body: dict[str, Any]) -> list[str]:
    """What the public will read, as the page's composer shows it: the server draws both from the same look ahead."""
    said = {name: body[name] for name in ("text", "status") if name in body} | session.signature()
    try:
        seen: dict[str, Any] = client.post(f"/incidents/{incident}/preview", said, session.request_key())
    except Failure as failure:
        return [f"To the public status page (what it will look like can't be shown now: {failure}):", f"  {clean(body['text'])}"]
    if "refusal" in seen:
        refusal = seen["refusal"]
        return ["It would be refused, on record:", f"  {clean(refusal['message'])}", f"  {clean(refusal['required_action'])}"]
    status = clean(str(seen.get("status") or "").replace("_", " "))
    to = (
        "To everybody, on the public status page"
        if not seen.get("drill")
        else "This is a drill, and reaches nobody. In earnest, the public would read"
    )
    lines = [f"{to}, as {status}:", f"  {clean(seen.get('title') or incident)}", f"  {clean(seen.get('text') or body['text'])}"]
    shown = "; ".join(
        f"{clean(each['name'])}: {clean(str(each.get('status') or 'named').replace('_', ' '))}" for each in seen.get("components") or ()
    )
    lines.append(f"  components: {shown or 'none named'}")
    due = times.read(seen.get("next_update_by"))
    return [*lines, f"  next update promised by {times.clock_time(due, times.now())} UTC"] if due is not None else lines


def send(session: Session, client: Client, verb: str, incident: str, body: dict[str, Any]) -> None:
    """Send one verb to an incident, and tell what came of it.

    Raises:
        Failure: among others the process's refusal.
    """
    answer = client.post(f"/incidents/{incident}/{verb}", {**session.signature(), **body}, session.request_key())
    if session.json:
        put_json(answer)
    elif session.ids:
        put(str(answer["incident"]))
    else:
        put(happened(answer))
        tell_next(session, client, str(answer["incident"]))


def happened(answer: dict[str, Any]) -> str:
    """One line that says what a command did."""
    events: list[dict[str, Any]] = answer.get("events") or []
    if not events:
        return f"{answer['incident']}  already so; nothing has changed"
    telling = next((event for event in events if event.get("kind") not in BESIDES), events[0])
    moved = any(event.get("kind") == "phase_entered" for event in events) and telling.get("kind") != "phase_entered"
    where = f"  (now in {str(answer['phase']).replace('_', '-')})" if moved else ""
    kind = str(telling.get("kind", "done"))
    said = f"{kind.replace('_', ' ')}: " if kind in SAID else ""
    return f"{answer['incident']}  {said}{clean(telling.get('text', kind))}{where}"


def tell_next(session: Session, client: Client, incident: str) -> None:
    """Say which clocks run now and what to do next. The command is done: a state that can't be read is only told."""
    try:
        state: dict[str, Any] = client.get(f"/incidents/{incident}")
    except Failure as failure:
        session.talk(f"  done; what is next could not be read ({failure})")
        return
    tell_state(session, state)


def tell_state(session: Session, state: dict[str, Any]) -> None:
    """The clocks that run, and the next step, on stderr."""
    now = times.read(state.get("now")) or times.now()
    running = _running_clocks(state, now)
    if running:
        session.talk("  " + "   ".join(running))
    step = state.get("next") or {}
    if step.get("command"):
        session.talk(f"next: {clean(step['command'])}")
    elif step.get("text"):
        session.talk(f"next: {clean(step['text'])}")


def _running_clocks(state: dict[str, Any], now: datetime) -> list[str]:
    clocks = [clock for clock in state.get("clocks", []) if clock.get("state") in {"running", "overdue"} and clock.get("due")]
    told = []
    for clock in sorted(clocks, key=lambda each: str(each["due"])):
        due = times.read(clock["due"])
        told.append(f"{clock_name(clock)} due {times.clock_time(due, now)} UTC ({times.left(due, now)})")
    return told[:4]
