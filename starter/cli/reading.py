"""The verbs that read, and those that run a process."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import click

from starter.cli import output
from starter.cli.http import Failure
from starter.cli.program import Context, carry_out, common, pass_context, printed, program, read_text, writing
from starter.cli.verbs import VERBS

GOALS = ("acknowledged", "declared", "triage", "mitigation", "resolution", "verified", "resolved", "post_incident", "closed")


def _urgency(row: dict[str, Any]) -> tuple[bool, str]:
    due = row.get("next_due")
    return due is None, str(due or row.get("opened_at"))


@program.command("list")
@click.option("--severity", "--sev", "severity")
@click.option("--phase")
@click.option("--service")
@click.option("--all", "everything", is_flag=True, help="closed ones as well")
@click.option("--drill/--no-drill", "drill", default=None, help="drills only, or none")
@common
@pass_context
def list_(context: Context, severity: str | None, phase: str | None, service: str | None, everything: bool, drill: bool | None) -> None:
    """Incidents, the most urgent clock first."""
    if severity in ("1", "2", "3"):
        severity = f"SEV{severity}"
    query = {"severity": severity, "phase": phase, "service": service, "open": None if everything else "true"}
    if drill is not None:
        query["drill"] = str(drill).lower()
    rows = sorted(context.server.get("/api/v1/incidents", **query)["incidents"], key=_urgency)
    if context.format == "json":
        output.as_json({"incidents": rows})
        return
    if context.format == "id":
        for row in rows:
            output.data(row["incident"])
        return
    heads = ("INCIDENT", "SEV", "PHASE", "NEXT CLOCK", "LEFT", "COMMANDER", "TITLE")
    cells = [
        [
            row["incident"],
            ("DRILL " if row.get("drill") else "") + (row.get("severity") or "-"),
            row["phase"].replace("_", "-"),
            row.get("next_clock") or "-",
            output.left(row.get("next_due")) if row.get("open", True) else "-",
            row.get("commander") or "-",
            row["title"],
        ]
        for row in rows
    ]
    output.markdown(heads, cells) if context.format == "md" else output.table(heads, cells)
    if not rows and sys.stderr.isatty():
        output.talk('No open incidents. Practise with: tocsin drill. In earnest: tocsin declare "…" --sev 1')


def _state(context: Context, incident: str | None) -> dict[str, Any]:
    state: dict[str, Any] = context.server.get(f"/api/v1/incidents/{context.incident(incident)}")
    return state


@program.command()
@click.argument("incident", required=False)
@common
@pass_context
def show(context: Context, incident: str | None) -> None:
    """Everything that is known of one incident."""
    state = _state(context, incident)
    if context.format == "json":
        output.as_json(state)
        return
    if context.format == "id":
        output.data(state["incident"])
        return
    _print_status(state)
    labels = ("summary", "symptom", "services", "users_affected", "customer_facing", "channel", "root_cause", "fix_applied")
    for label in labels:
        if state.get(label):
            value = state[label]
            output.data(f"{label.replace('_', ' '):<16} {output.printable(', '.join(value) if isinstance(value, list) else str(value))}")
    for role, person in state["roles"].items():
        if person:
            output.data(f"{role:<16} {output.printable(person)}")
    waiting = state["deliveries"]["waiting"]
    output.data(f"{'deliveries':<16} {state['deliveries']['delivered']} delivered, {len(waiting)} waiting")
    for port, health in state["deliveries"]["down"].items():
        output.data(f"{'':<16} {port} can not be reached since {health['down_since']}: {output.printable(health['error'])}")


def _print_status(state: dict[str, Any]) -> None:
    output.data(output.paint(output.headline(state), output.BOLD))
    output.table(("CLOCK", "DUE (UTC)", "LEFT", "OWNER"), output.clock_rows(state))
    for blocker in state["blockers"]:
        until = f" (until {blocker['until']})" if blocker.get("until") else ""
        output.data(f"  blocks: {output.printable(blocker['message'])}{until}")
    step = state["next"]
    output.data(f"next: {step['text']} {step['why']}")
    if step.get("command"):
        output.data(f"      {step['command']}")


@program.command()
@click.argument("incident", required=False)
@common
@pass_context
def status(context: Context, incident: str | None) -> None:
    """Where it stands: clocks, what blocks, what to do."""
    state = _state(context, incident)
    if context.format == "json":
        output.as_json({key: state[key] for key in ("incident", "title", "severity", "phase", "roles", "clocks", "blockers", "next")})
    else:
        _print_status(state)


@program.command("next")
@click.argument("incident", required=False)
@common
@pass_context
def next_(context: Context, incident: str | None) -> None:
    """What to do now, why, and the command."""
    step = _state(context, incident)["next"]
    if context.format == "json":
        output.as_json(step)
        return
    output.data(f"{step['text']} {step['why']}")
    if step.get("command"):
        output.data(step["command"])


@program.command()
@click.argument("incident", required=False)
@click.option("--since", type=int, default=0, help="only entries after this number")
@click.option("--key-moments", is_flag=True, help="without deliveries, reminders and ticks")
@common
@pass_context
def timeline(context: Context, incident: str | None, since: int, key_moments: bool) -> None:
    """What happened, in order."""
    entries = context.server.get(f"/api/v1/incidents/{context.incident(incident)}/timeline", since=since or None)["timeline"]
    if key_moments:
        entries = [entry for entry in entries if entry["kind"] not in ("delivered", "reminder", "item_checked")]
    if context.format == "json":
        output.as_json({"timeline": entries})
        return
    rows = [[str(entry["seq"]), entry["at"], entry["kind"], entry["by"], entry["text"]] for entry in entries]
    heads = ("SEQ", "AT (UTC)", "KIND", "BY", "WHAT")
    output.markdown(heads, rows) if context.format == "md" else output.table(heads, rows)


@program.command()
@click.argument("incident", required=False)
@click.option("--all", "everything", is_flag=True, help="all phases, not only the current one and what is owed")
@common
@pass_context
def checklist(context: Context, incident: str | None, everything: bool) -> None:
    """The checklist: what is done, what is owed."""
    state = _state(context, incident)
    items = state["checklist"]
    if not everything:
        items = [item for item in items if item["phase"] == state["phase"] or (item["state"] == "open" and _past(item, state))]
    if context.format == "json":
        output.as_json({"checklist": items})
        return
    marks = {"open": "[ ]", "done": "[x]", "skipped": "[-]", "not_applicable": "[n/a]"}
    rows = [[marks[item["state"]], item["phase"].replace("_", "-"), item["item"], item["text"], item["note"] or ""] for item in items]
    heads = ("", "PHASE", "ITEM", "WHAT", "NOTE")
    output.markdown(heads, rows) if context.format == "md" else output.table(heads, rows)


def _past(item: dict[str, Any], state: dict[str, Any]) -> bool:
    order = ["detection", "declaration", "triage", "mitigation", "resolution", "post_incident", "closed"]
    return order.index(item["phase"]) <= order.index(state["phase"])


@program.command()
@click.argument("incident", required=False)
@common
@pass_context
def deliveries(context: Context, incident: str | None) -> None:
    """What the outside world has been told, and what waits."""
    found = _state(context, incident)["deliveries"]
    if context.format == "json":
        output.as_json(found)
        return
    output.talk(f"{found['delivered']} delivered")
    rows = [[item["key"], item["port"], item["action"], item["purpose"], item["state"], item["at"]] for item in found["waiting"]]
    output.table(("KEY", "PORT", "ACTION", "FOR", "STATE", "SINCE (UTC)"), rows)


@program.command()
@click.argument("incident", required=False)
@click.option("--for", "goal", required=True, type=click.Choice(GOALS), help="what to wait for")
@click.option("--timeout", type=float, default=3600.0, show_default=True, help="seconds; then exit code 8")
@common
@pass_context
def wait(context: Context, incident: str | None, goal: str, timeout: float) -> None:
    """Wait until the incident is so far."""
    id_ = context.incident(incident)
    deadline = time.monotonic() + timeout
    while True:
        state = context.server.get(f"/api/v1/incidents/{id_}")
        if _reached(state, goal):
            output.as_json(state) if context.format == "json" else output.data(output.headline(state))
            return
        left = deadline - time.monotonic()
        if left <= 0:
            raise Failure(8, f"{id_} is not {goal} after {timeout:g} s; it is in {state['phase'].replace('_', '-')}")
        time.sleep(min(1.0, left))


def _reached(state: dict[str, Any], goal: str) -> bool:
    moments = {"acknowledged": "acknowledged_at", "declared": "declared_at", "resolved": "resolved_at", "closed": "closed_at"}
    if goal in moments:
        return bool(state[moments[goal]])
    if goal == "verified":
        return bool(state["verification"]["passed_at"]) or bool(state["resolved_at"])
    order = ["detection", "declaration", "triage", "mitigation", "resolution", "post_incident", "closed"]
    return order.index(state["phase"]) >= order.index(goal)


@program.command()
@click.argument("incident", required=False)
@common
@pass_context
def watch(context: Context, incident: str | None) -> None:
    """Follow an incident live; Ctrl-C leaves."""
    from starter.cli.watch import follow

    follow(context.server, context.incident(incident))


@program.group()
def action() -> None:
    """Action items: add, done, list."""


@action.command("add")
@click.argument("incident", required=False)
@click.option("--item", "-m", "item", required=True)
@click.option("--owner", required=True)
@click.option("--due", required=True, help="YYYY-MM-DD")
@writing
@common
@pass_context
def action_add(context: Context, incident: str | None, **given: Any) -> None:
    """Add something to do."""
    carry_out(context, next(verb for verb in VERBS if verb.name == "add_action_item"), incident, given)


@action.command("done")
@click.argument("words", nargs=-1, required=True)
@writing
@common
@pass_context
def action_done(context: Context, words: tuple[str, ...]) -> None:
    """An action item is done: tocsin action done INC-2026-0001 AI-1."""
    incident = words[0] if len(words) > 1 else None
    carry_out(context, next(verb for verb in VERBS if verb.name == "complete_action_item"), incident, {"id": words[-1]})


@action.command("list")
@click.argument("incident", required=False)
@common
@pass_context
def action_list(context: Context, incident: str | None) -> None:
    """The action items of an incident."""
    items = _state(context, incident)["action_items"]
    if context.format == "json":
        output.as_json({"action_items": items})
        return
    rows = [[item["id"], item["status"], item["due"], item["owner"], item["item"]] for item in items]
    heads = ("ID", "STATUS", "DUE", "OWNER", "WHAT")
    output.markdown(heads, rows) if context.format == "md" else output.table(heads, rows)


@program.group()
def pm() -> None:
    """The post-mortem: show, file, publish."""


def _document(context: Context, incident: str) -> dict[str, Any]:
    document: dict[str, Any] = context.server.get(f"/api/v1/incidents/{incident}/postmortem")
    return document


@pm.command("show")
@click.argument("incident", required=False)
@common
@pass_context
def pm_show(context: Context, incident: str | None) -> None:
    """The post-mortem as filed, or the draft from the timeline."""
    found = _document(context, context.incident(incident))
    output.as_json(found) if context.format == "json" else output.data(found["document"].rstrip("\n"))
    if not found.get("filed"):
        output.talk("a draft: fill in what stands in [brackets], then file it with tocsin pm file")


@pm.command("file")
@click.argument("words", nargs=-1, required=True)
@writing
@common
@pass_context
def pm_file(context: Context, words: tuple[str, ...]) -> None:
    """File the post-mortem: tocsin pm file INC-2026-0001 FILE (- is standard input)."""
    incident = context.incident(words[0] if len(words) > 1 else None)
    source = words[-1]
    try:
        document = read_text("-") if source == "-" else Path(source).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(2, f"{source} can't be read: {error}") from error
    printed(
        context,
        context.server.post(f"/api/v1/incidents/{incident}/file_postmortem", {"by": context.who, "document": document}, context.key),
    )


@pm.command("publish")
@click.argument("incident", required=False)
@click.option("--yes", is_flag=True, help="do not ask")
@writing
@common
@pass_context
def pm_publish(context: Context, incident: str | None, yes: bool) -> None:
    """File the draft as it stands; refused while its root cause or summary is a placeholder."""
    id_ = context.incident(incident)
    found = _document(context, id_)
    gaps = [line for line in found["document"].splitlines() if line.strip().lstrip("0123456789. ").startswith("[")]
    for line in gaps:
        output.talk(f"  not filled in: {output.printable(line.strip())}")
    if gaps and not yes and sys.stdin.isatty() and not click.confirm("File it all the same?", err=True):
        raise Failure(1, "nothing was filed")
    body = {"by": context.who, "document": found["document"]}
    printed(context, context.server.post(f"/api/v1/incidents/{id_}/file_postmortem", body, context.key))


@program.command()
@click.argument("incident", required=False)
@click.option("--out", type=click.Path(dir_okay=False), help="a file instead of standard output")
@common
@pass_context
def audit(context: Context, incident: str | None, out: str | None) -> None:
    """Export the whole record: histories, timeline, hashes. `tocsin verify` proves it."""
    import json

    exported = json.dumps(context.server.get(f"/api/v1/incidents/{context.incident(incident)}/audit"), ensure_ascii=False, indent=1)
    if out is None:
        output.data(exported)
        return
    try:
        Path(out).write_text(exported + "\n", encoding="utf-8")
    except OSError as error:
        raise Failure(1, f"{out} can't be written: {error.strerror}") from error
    output.talk(f"written to {out}; prove it with: tocsin verify {out}")


def _reported(context: Context, outcome: Any) -> None:
    if context.format == "json":
        output.as_json({"ok": outcome.ok, "lines": list(outcome.lines)})
    else:
        for line in outcome.lines:
            output.data(line)
    if not outcome.ok:
        raise Failure(1, "the record does not hold")


@program.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@common
@pass_context
def verify(context: Context, file: str) -> None:
    """Derive the timeline of an export again, offline, and compare."""
    from starter.audit import verify_file

    _reported(context, verify_file(Path(file)))


@program.command()
@click.argument("what")
@common
@pass_context
def replay(context: Context, what: str) -> None:
    """Replay an incident, or an exported FILE, against this version."""
    import json
    import tempfile

    from starter.audit import replay_file

    if Path(what).exists():
        _reported(context, replay_file(Path(what)))
        return
    with tempfile.NamedTemporaryFile("w", suffix=".json") as exported:
        json.dump(context.server.get(f"/api/v1/incidents/{context.incident(what)}/audit"), exported)
        exported.flush()
        _reported(context, replay_file(Path(exported.name)))


@program.group()
def policy() -> None:
    """The severity matrix: show, check."""


@policy.command("show")
@common
@pass_context
def policy_show(context: Context) -> None:
    """The policy that new incidents get."""
    found = context.server.get("/api/v1/policy")
    if context.format == "json":
        output.as_json(found)
        return
    rules = found.get("severities", {})
    names = list(next(iter(rules.values()), {}))
    rows = [[name.replace("_", " "), *(_shown(rules[severity][name]) for severity in rules)] for name in names]
    heads = ("", *rules)
    output.markdown(heads, rows) if context.format == "md" else output.table(heads, rows)


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, list):
        return " > ".join(map(str, value))
    return str(value)


@policy.command("check")
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@common
@pass_context
def policy_check(context: Context, file: str) -> None:
    """Check a policy file; exit code 1 and a line for each mistake."""
    from incident.policy_file import PolicyProblem, policy_from
    from runtime.settings import SettingsError, read_toml

    try:
        found = policy_from(read_toml(Path(file)))
    except PolicyProblem as error:
        raise Failure(
            1, "\n  ".join([f"{file}:", *error.problems]), {"title": "the policy has mistakes", "problems": error.problems}
        ) from error
    except SettingsError as error:
        raise Failure(1, str(error)) from error
    if context.format == "json":
        output.as_json(found.model_dump(mode="json"))
    else:
        output.data(f"{file}: fine")


@program.command()
@common
@pass_context
def stats(context: Context) -> None:
    """How long it took to acknowledge, declare, mitigate, resolve; drills left out."""
    output.as_json(context.server.get("/api/v1/stats"))


@program.command()
@common
@pass_context
def doctor(context: Context) -> None:
    """Look at everything that an incident needs."""
    found = context.server.get("/api/v1/doctor")
    if context.format == "json":
        output.as_json(found)
    else:
        for check in found["checks"]:
            mark = output.paint("ok  ", output.GREEN) if check["ok"] else output.paint("BAD ", output.RED)
            output.data(f"{mark} {check['name']:<24} {output.printable(check['detail'])}")
            if check.get("fix"):
                output.data(f"     {'':<24} mend it: {check['fix']}")
    if not found["ok"]:
        raise Failure(1, "not everything is well")


def _process(module: str, arguments: list[str]) -> None:
    """Become another of our processes; it keeps the terminal and the signals."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])


PASSED_ON = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}


@program.command(context_settings=PASSED_ON, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def up(arguments: tuple[str, ...]) -> None:
    """Start everything on this machine and stay until interrupted."""
    _process("worker.up", list(arguments))


@program.command(context_settings=PASSED_ON, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def drill(arguments: tuple[str, ...]) -> None:
    """Play a practice incident; --auto plays it alone."""
    _process("starter.drill", list(arguments))


@program.command()
def worker() -> None:
    """Run one worker."""
    _process("worker", [])


@program.command()
def serve() -> None:
    """Run the doors: HTTP API and webhooks."""
    _process("starter.serve", [])


@program.command()
def version() -> None:
    """The version of tocsin."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        output.data(installed("tocsin"))
    except PackageNotFoundError:
        output.data("0+unknown")


@program.command()
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
def completion(shell: str) -> None:
    """The completion script: eval "$(tocsin completion bash)"."""
    from click.shell_completion import get_completion_class

    made = get_completion_class(shell)
    if made is None:
        raise Failure(2, f"there is no completion for {shell}")
    output.data(made(program, {}, "tocsin", "_TOCSIN_COMPLETE").source())
