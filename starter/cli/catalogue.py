"""What `tocsin --help` lists, and where each command is made. Nothing of it is imported before it is typed."""

from __future__ import annotations

from starter.cli.verbs import SHORT, VERBS

OPEN, WORK, LOOK, RECORD, MACHINE = "Open", "Work on it", "Look", "Record and policy", "This machine"

MADE_AT: dict[str, str] = {
    "report": "starter.cli.opening:report",
    "declare": "starter.cli.opening:declare",
    "list": "starter.cli.listing:list_incidents",
    "show": "starter.cli.reading:show",
    "status": "starter.cli.reading:status",
    "next": "starter.cli.reading:next_step",
    "mine": "starter.cli.duties:mine",
    "timeline": "starter.cli.reading:timeline",
    "checklist": "starter.cli.reading:checklist",
    "deliveries": "starter.cli.deliveries:deliveries",
    "delivery": "starter.cli.deliveries:delivery",
    "channel": "starter.cli.channels:channel",
    "watch": "starter.cli.watch:watch",
    "wait": "starter.cli.wait:wait",
    "action": "starter.cli.actions:action",
    "pm": "starter.cli.postmortem:pm",
    "audit": "starter.cli.record:audit",
    "verify": "starter.cli.record:verify",
    "replay": "starter.cli.record:replay",
    "policy": "starter.cli.policy:policy",
    "status-page": "starter.cli.status_page:status_page",
    "stats": "starter.cli.health:stats",
    "doctor": "starter.cli.health:doctor",
    "token": "starter.cli.tokens:token",
    "whoami": "starter.cli.tokens:whoami",
    "up": "starter.cli.machine:up",
    "drill": "starter.cli.machine:drill",
    "worker": "starter.cli.machine:worker",
    "serve": "starter.cli.machine:serve",
    "completion": "starter.cli.machine:completion",
    "version": "starter.cli.machine:version",
}
"""Module and name of every command that is not made from a verb of `verbs.VERBS`."""

_OTHERS: dict[str, tuple[tuple[str, str], ...]] = {
    OPEN: (
        ("report", "Open an incident in detection: somebody still has to look at it."),
        ("declare", "Open an incident and declare it at once, or declare one that is in detection."),
    ),
    LOOK: (
        ("list", "Open incidents, the most urgent clock first."),
        ("status", "How bad, which clocks, what is open, what to do now."),
        ("next", "The one thing to do now, and the command that does it."),
        ("mine", "What is asked of you, over all incidents."),
        ("watch", "Follow an incident live."),
        ("wait", "Wait until an incident is acknowledged, verified, resolved …"),
        ("show", "Everything about one incident."),
        ("timeline", "What happened, oldest first."),
        ("checklist", "The items of every phase."),
        ("deliveries", "What was told outside and what became of it, what waits, and what is down."),
        ("delivery", "One that has not arrived: retry, replace, give-up."),
        ("channel", "An outside system's queue: pause and resume it for a vendor's outage, list."),
    ),
    RECORD: (
        ("action", "Action items: add, done, list."),
        ("pm", "The post-mortem: show, draft, file, publish, list."),
        ("audit", "Export the whole record with its proof."),
        ("verify", "Check an exported record, offline."),
        ("replay", "Replay a record against this version's code."),
        ("policy", "The severity matrix and the routing rules: show, check."),
        ("stats", "How long things take, what was on time, by severity and service."),
        ("status-page", "The public status page as files: export."),
    ),
    MACHINE: (
        ("up", "Run everything on this machine."),
        ("drill", "Play a practice incident."),
        ("worker", "Run a worker alone."),
        ("serve", "Run the HTTP server alone."),
        ("doctor", "Look whether everything is well."),
        ("token", "Personal tokens: create, list, revoke."),
        ("whoami", "Who you are to the server."),
        ("completion", "Print the completion script for bash, zsh or fish."),
        ("version", "Print the version."),
    ),
}


def _verbs() -> list[tuple[str, str]]:
    short = {verb: name for name, verb in SHORT.items() if " " not in name}
    listed: list[tuple[str, str]] = []
    for verb in VERBS.values():
        if verb.name == "declare":
            continue
        name = short.get(verb.name)
        listed.append((f"{name}, {verb.command}" if name else verb.command, verb.help))
    return listed


def sections() -> list[tuple[str, list[tuple[str, str]]]]:
    """Every command with one line of help, in the order in which a night needs them."""
    return [
        (OPEN, list(_OTHERS[OPEN])),
        (WORK, _verbs()),
        (LOOK, list(_OTHERS[LOOK])),
        (RECORD, list(_OTHERS[RECORD])),
        (MACHINE, list(_OTHERS[MACHINE])),
    ]


def verb_of(name: str) -> str | None:
    """The verb that a command's name means, long or short; None where it is no verb's."""
    found = SHORT.get(name, name.replace("-", "_"))
    return found if found in VERBS else None


def names() -> list[str]:
    """Every command at the top level."""
    verbs = [verb.command for verb in VERBS.values()]
    short = [name for name in SHORT if " " not in name]
    return sorted({*MADE_AT, *verbs, *short})
