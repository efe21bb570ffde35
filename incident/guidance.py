"""What to do now: the one step that helps most, with why, and the command that does it."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from incident import blockers, clocks, verifying
from incident.model import Incident
from incident.telling import counted
from incident.vocabulary import Criterion, Phase


class Step(BaseModel):
    """`verb` is the command's name, None where there is nothing to do but wait; `command` is how to type it."""

    model_config = ConfigDict(frozen=True)

    verb: str | None
    text: str
    why: str
    command: str | None = None


def _step(incident: Incident, verb: str, text: str, why: str, options: str = "") -> Step:
    short = {"acknowledge": "ack", "post_update": "update", "add_action_item": "action add", "file_postmortem": "pm file"}
    typed = f"tocsin {short.get(verb, verb.replace('_', '-'))} {incident.id} {options}".rstrip()
    return Step(verb=verb, text=text, why=why, command=typed)


def next_step(incident: Incident, now: datetime) -> Step:
    """The next step: overdue duties first, then what the phase asks for."""
    if not incident.open:
        return Step(verb=None, text="Nothing: the incident is closed.", why=_left(incident) or "Nothing is owed any more.")
    if incident.merging_into is not None:
        why = f"It is being merged into {incident.merging_into}."
        return Step(verb=None, text="Wait.", why=why, command=f"tocsin show {incident.merging_into}")
    if incident.acknowledged_at is None:
        return _step(incident, "acknowledge", "Acknowledge it.", "Somebody must be on it; until then people are being paged.")
    overdue = _overdue(incident, now)
    if overdue is not None:
        return overdue
    return _BY_PHASE[incident.phase](incident, now)


def _overdue(incident: Incident, now: datetime) -> Step | None:
    late = sorted((clock.due, clock.name) for clock in incident.clocks.values() if clock.open and clock.due and clock.due <= now)
    names = {name for _, name in late}
    for due, name in late:
        if name == clocks.EXTERNAL_UPDATE and clocks.STATUS_PAGE in names:
            continue
        since = f"It was due at {due:%H:%M} UTC."
        if name in (clocks.STATUS_PAGE, clocks.EXTERNAL_UPDATE):
            return _step(incident, "post_update", f"Post the {clocks.label(name)}.", since, '--external -m "…"')
        if name == clocks.INTERNAL_UPDATE:
            return _step(incident, "post_update", "Post the internal update.", since, '--internal -m "…"')
        if name == clocks.POSTMORTEM:
            return _step(incident, "file_postmortem", "File the post-mortem.", since, "FILE")
    return None


def _detection(incident: Incident, now: datetime) -> Step:
    return _step(
        incident, "declare", "Declare it with a severity, or dismiss it.", "Only a declared incident gets its people.", "--sev SEVERITY"
    )


def _declaration(incident: Incident, now: datetime) -> Step:
    if incident.clocks.get(clocks.STATUS_PAGE) is not None and incident.status_page_at is None:
        return _step(
            incident,
            "post_update",
            "Tell the public that you know.",
            "Customers are affected and the status page is silent.",
            '--external -m "…"',
        )
    return _onwards(incident, now, "Go on to triage.", "Who and where is settled; now find out what is wrong.")


def _triage(incident: Incident, now: datetime) -> Step:
    if not incident.hypotheses:
        return _step(
            incident, "hypothesize", "Write down the first hypothesis.", "A wrong one that is written down can be tested.", '--text "…"'
        )
    if incident.mitigation is None or incident.mitigation.finished_at is not None:
        return _step(incident, "mitigate", "Choose a mitigation.", "Restoring service comes before explaining.", "--option OPTION …")
    return _onwards(incident, now, "Go on to mitigation.", "A mitigation is under way.")


def _mitigation(incident: Incident, now: datetime) -> Step:
    mitigation = incident.mitigation
    if mitigation is None or mitigation.succeeded is False:
        why = "The last one did not work." if mitigation else "Nothing is being done about it yet."
        return _step(incident, "mitigate", "Choose a mitigation.", why, "--option OPTION …")
    if mitigation.blocked_on_approval and mitigation.finished_at is None:
        why = f"{incident.severity} needs formal change approval, not by {mitigation.owner}."
        return _step(incident, "approve", "Get the change approved.", why, "--by SOMEBODY")
    if mitigation.finished_at is None:
        return _step(
            incident,
            "finish_mitigation",
            "Say whether the mitigation worked.",
            f"{mitigation.owner} is on it.",
            "--succeeded # or --failed",
        )
    return _onwards(incident, now, "Go on to resolution.", "The mitigation worked; now verify it.")


def _resolution(incident: Incident, now: datetime) -> Step:
    for criterion in Criterion:
        if criterion not in incident.criteria:
            if criterion is Criterion.ALERTS_CLEARED and incident.firing:
                continue
            if verifying.judges(incident, criterion):
                continue
            why = "All criteria must hold before the verification period begins."
            return _step(incident, "confirm", f"Confirm {criterion.value.replace('_', ' ')}.", why, f"--criterion {criterion.value}")
    standing = blockers.of_resolving(incident, now)
    if standing:
        wait = f"tocsin wait {incident.id} --for verified"
        judged = verifying.looking(incident) and not all(criterion in incident.criteria for criterion in verifying.JUDGED)
        why = verifying.standing(incident, incident.evidence) if judged else standing[0].message
        return Step(verb=None, text="Wait.", why=why, command=wait)
    return _step(incident, "resolve", "Resolve it.", "Everything is verified.", '--root-cause "…" --fix-applied "…"')


def _left(incident: Incident) -> str:
    """What outlives the incident: its open action items, by name. Nothing where there is none."""
    items = [item.id for item in incident.action_items if item.open]
    if not items:
        return ""
    goes, it = ("goes", "it is") if len(items) == 1 else ("go", "they are")
    return f"{', '.join(items)} {goes} on in the follow-up until {it} done or waived."


def _post_incident(incident: Incident, now: datetime) -> Step:
    if incident.postmortem is None and incident.rule.postmortem == "mandatory":
        return _step(incident, "file_postmortem", "File the post-mortem.", "It is mandatory for this severity.", "FILE")
    standing = blockers.of_closing(incident)
    if not standing:
        return _step(incident, "close", "Close it.", _left(incident) or "Nothing is owed any more.")
    if standing[0].code == "action-items-untracked":
        return _step(incident, "add_action_item", "Add the action items.", standing[0].message, '--item "…" --owner … --due YYYY-MM-DD')
    if blockers.unapproved(incident):
        why = "A change is not approved or not documented yet; somebody other than its owner does that."
        return _step(incident, "approve", "Document the change.", why, '--note "…" --by SOMEBODY')
    item = blockers.items_of_closing(incident)[0].item
    if item == "change_approved":
        return _step(incident, "skip", "Say why nothing was approved.", standing[0].message, f'--item {item} --reason "…"')
    return _step(incident, "check", "Finish the checklist.", standing[0].message, f"--item {item}")


def _onwards(incident: Incident, now: datetime, text: str, why: str) -> Step:
    standing = blockers.of_next_phase(incident, now)
    if not standing:
        return _step(incident, "advance", text, why)
    return _step(incident, "advance", text, f"{why} {_open(len(standing))} owed.", '--reason "…"')


def _open(items: int) -> str:
    return f"{counted(items, 'item')} {'is open and stays' if items == 1 else 'are open and stay'}"


_BY_PHASE = {
    Phase.DETECTION: _detection,
    Phase.DECLARATION: _declaration,
    Phase.TRIAGE: _triage,
    Phase.MITIGATION: _mitigation,
    Phase.RESOLUTION: _resolution,
    Phase.POST_INCIDENT: _post_incident,
}
