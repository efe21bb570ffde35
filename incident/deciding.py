"""May this be done now, and what happens then: one function a verb.

Each takes the incident, the command and the moment, and answers with the events that follow or with the refusal.
None changes anything. The events' `data` holds JSON values only, since it comes back from history.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from incident import blockers, clocks, commands, measuring, merging, mitigation_options, postmortem, redelivering, severity, verifying
from incident.checklists import UNCONFIRMED, find, unconfirmed
from incident.events import SYSTEM, Event
from incident.model import ActionItem, CheckState, Incident
from incident.permissions import same_person
from incident.refusals import Blocker, Refusal, downgrade_problem, refuse, talked_round
from incident.vocabulary import Audience, Criterion, Dismissal, Phase, PublicStatus, Severity

Outcome = list[Event] | Refusal


def _event(kind: str, by: str, text: str, now: datetime, /, **data: Any) -> Event:
    return Event(kind=kind, by=by, text=text, at=now, data={key: value for key, value in data.items() if value is not None})


def _entered(phase: Phase, now: datetime, reason: str | None = None, left_open: list[str] | None = None) -> Event:
    text = f"Phase {phase.number}: {phase.label}" if phase is not Phase.CLOSED else "Closed"
    return _event("phase_entered", SYSTEM, text, now, phase=phase.value, reason=reason, left_open=left_open or None)


def _not_yet(incident: Incident, needed: Phase, doing: str) -> Refusal:
    way = "declare it first" if incident.phase is Phase.DETECTION else f"advance until {needed.label}"
    return refuse(
        "wrong-phase",
        message=f"{doing} belongs to {needed.label}; {incident.id} is in {incident.phase.label}.",
        action=f"{way[0].upper()}{way[1:]}, then try again.",
    )


def _too_late(incident: Incident, doing: str) -> Refusal:
    return refuse("wrong-phase", message=f"{doing} can't be done in {incident.phase.label} any more.")


def acknowledge(incident: Incident, command: commands.Acknowledge, now: datetime) -> Outcome:
    if incident.acknowledged_at is not None:
        return []
    late = now - (incident.opened_at + incident.rule.acknowledge_within)
    text = f"{command.by} acknowledged after {_spoken(now, incident.opened_at)}"
    if late.total_seconds() > 0:
        text += ", too late"
    return [_event("acknowledged", command.by, text, now)]


def _spoken(now: datetime, since: datetime) -> str:
    minutes, seconds = divmod(max(0, int((now - since).total_seconds())), 60)
    return f"{minutes}:{seconds:02d} min"


def describe(incident: Incident, command: commands.Describe, now: datetime) -> Outcome:
    data = command.model_dump(mode="json", exclude=set(commands.ENVELOPE), exclude_none=True)
    labels = {
        "symptom": "symptom",
        "affected": "affected",
        "users_affected": "users affected",
        "customer_facing": "customer-facing",
        "started_at": "started",
    }
    parts = [f"{labels[name]}: {_said(value)}" for name, value in data.items()]
    return [_event("described", command.by, "; ".join(parts), now, **data)]


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, list) else str(value)


def declare(incident: Incident, command: commands.Declare, now: datetime) -> Outcome:
    if incident.phase is not Phase.DETECTION:
        return refuse(
            "wrong-phase",
            message=f"{incident.id} is declared already ({incident.severity}).",
            action="To change its severity use change_severity with the reason.",
        )
    decided = severity.decide(command.factors) if command.factors is not None else command.severity
    chosen = command.severity or decided
    if chosen is None:
        return refuse("not-an-incident")
    if decided is None or chosen.rank > decided.rank:
        problem = _disagreement(command, "not an incident" if decided is None else decided.value, chosen)
        if problem is not None and decided is not None:
            return problem
    elif chosen.rank < decided.rank and command.reason is None:
        return refuse(
            "undocumented",
            message=f"The factors say {decided.value}, and {chosen.value} was asked for without a reason.",
            action="Declare it again with the reason for the higher severity.",
        )
    title = command.title or incident.title
    events: list[Event] = []
    if incident.acknowledged_at is None and command.by not in (SYSTEM, incident.opened_by):
        events.append(_event("acknowledged", command.by, f"{command.by} acknowledged by declaring", now))
    data = command.model_dump(mode="json", include={"title", "summary", "customer_facing", "factors", "channel"}, exclude_none=True)
    because = severity.because(command.factors) if command.factors is not None else None
    text = f"{command.by} declared {chosen.value}: {title}" + (f" ({'; '.join(because)})" if because else "")
    events.append(_event("declared", command.by, text, now, severity=chosen.value, reason=command.reason, **data))
    events.append(_entered(Phase.DECLARATION, now))
    return events


def _disagreement(command: commands.Declare, decided: str, chosen: Severity) -> Refusal | None:
    if command.reason is None:
        return refuse(
            "severity-downgrade-unjustified",
            message=f"The factors say {decided}, and {chosen.value} was asked for without a reason.",
            action=f"Declare {decided}, or give the reason why it is less.",
        )
    return talked_round(command.reason)


def assign(incident: Incident, command: commands.Assign, now: datetime) -> Outcome:
    before = incident.roles.get(command.role)
    if before is not None and before == command.person:
        return []
    handed = f" (before: {before})" if before else ""
    text = f"{command.person} is {command.role.value}{handed}"
    return [_event("role_assigned", command.by, text, now, role=command.role.value, person=command.person)]


def change_severity(incident: Incident, command: commands.ChangeSeverity, now: datetime) -> Outcome:
    if incident.phase is Phase.POST_INCIDENT:
        return _too_late(incident, "Changing the severity")
    current = incident.severity or incident.presumed_severity
    if current is command.severity:
        return []
    lowered = command.severity.rank > current.rank
    if lowered:
        known = talked_round(command.reason)
        if known is not None:
            return known.model_copy(update={"code": "severity-downgrade-unjustified"})
        problem = downgrade_problem(current, command.severity, command.reason)
        if problem is not None:
            return refuse("severity-downgrade-unjustified", message=problem)
    word = "lowered" if lowered else "raised"
    presumed = "presumed " if incident.severity is None else ""
    text = f"{command.by} {word} {presumed}{current.value} to {command.severity.value}: {command.reason}"
    data = {"before": current.value, "severity": command.severity.value, "reason": command.reason}
    return [_event("severity_changed", command.by, text, now, **data)]


def _item(incident: Incident, name: str) -> str | Refusal:
    """The item's id, when it belongs to this phase or an earlier one."""
    found = find(name, incident.phase)
    if found is None or found not in incident.checklist:
        here = ", ".join(item.item for item in blockers.open_items(incident, incident.phase)) or "none open"
        return refuse("unknown-item", message=f"No checklist item is called {name!r}.", action=f"Items of {incident.phase.label}: {here}.")
    item = incident.checklist[found]
    if item.phase.number > incident.phase.number:
        return _not_yet(incident, item.phase, f"Item {found}")
    return found


def check(incident: Incident, command: commands.Check, now: datetime) -> Outcome:
    item = _item(incident, command.item)
    if isinstance(item, Refusal):
        return item
    if incident.checklist[item].state is CheckState.DONE:
        return []
    forbidden = _by_fact_only(incident, item, now, note=command.note)
    if forbidden is not None:
        return forbidden
    text = f"{command.by} checked: {incident.checklist[item].text}"
    note = command.note
    if incident.edition > 4 and unconfirmed(incident, item):
        note = f"{note}; {UNCONFIRMED}" if note else UNCONFIRMED
        text = f"{text}, {UNCONFIRMED}"
    return [_event("item_checked", command.by, text, now, item=item, note=note)]


def skip(incident: Incident, command: commands.Skip, now: datetime) -> Outcome:
    item = _item(incident, command.item)
    if isinstance(item, Refusal):
        return item
    if incident.checklist[item].state is CheckState.SKIPPED:
        return []
    if incident.checklist[item].state is CheckState.DONE:
        return refuse("unknown-item", message=f"{item} is done already.", action="Nothing needs to be skipped.")
    known = talked_round(command.reason)
    if known is not None:
        return known
    if not _may_be_skipped(incident, item):
        forbidden = _by_fact_only(incident, item, now, note=None)
        if forbidden is not None:
            return forbidden
    text = f"{command.by} skipped {item}: {command.reason}"
    return [_event("item_skipped", command.by, text, now, item=item, reason=command.reason)]


def _may_be_skipped(incident: Incident, item: str) -> bool:
    """Facts that need not come to be: nothing to follow up, no change to approve, a post-mortem that is optional."""
    if item == "change_approved":
        return not blockers.unapproved(incident)
    if item == "rca_document_created":
        return incident.rule.postmortem == "optional"
    return item == "action_items_assigned"


def _by_fact_only(incident: Incident, item: str, now: datetime, note: str | None) -> Refusal | None:
    """Some items are no matter of opinion: they hold when the fact behind them does."""
    criteria = {
        "symptom_verified_resolved": Criterion.SYMPTOM_RESOLVED,
        "metrics_normal": Criterion.METRICS_AT_BASELINE,
        "related_alerts_resolved": Criterion.ALERTS_CLEARED,
    }
    if item in criteria and criteria[item] not in incident.criteria:
        return verifying.refusal(incident, criteria[item]) or refuse(blockers.CRITERION_CODES[criteria[item]])
    if item == "verification_completed" and incident.verification_passed_at is None:
        found = [blocker for blocker in blockers.of_resolving(incident, now) if blocker.code == "verification-incomplete"]
        return refuse("verification-incomplete", blockers=found)
    if item == "change_approved":
        mitigation = incident.mitigation
        if mitigation is not None and mitigation.approval == "documented_later":
            if note is None:
                return refuse("undocumented", action="Check it with a note that documents the change, or approve it.")
            return None
        if not blockers.unapproved(incident) and (mitigation is None or mitigation.approved_by is None):
            return refuse(
                "change-not-approved", message="No change waits for an approval.", action="Skip it with that as the reason (skip)."
            )
        if mitigation is None or mitigation.approved_by is None:
            return refuse("change-not-approved")
    if item == "rca_document_created" and incident.postmortem is None:
        return refuse("postmortem-mandatory" if incident.rule.postmortem == "mandatory" else "undocumented")
    if item == "action_items_assigned" and not incident.action_items:
        return refuse("action-items-untracked")
    return None


def advance(incident: Incident, command: commands.Advance, now: datetime) -> Outcome:
    phase = incident.phase
    standing = blockers.of_next_phase(incident, now)
    if phase is Phase.DETECTION:
        return _not_yet(incident, Phase.DECLARATION, "Going on")
    if phase is Phase.RESOLUTION:
        if standing:
            return refuse(_first_code(standing), blockers=standing)
        return refuse("undocumented", action="Resolve it: say the root cause and the fix that was applied.")
    if phase is Phase.POST_INCIDENT:
        return close(incident, commands.Close(by=command.by), now)
    if any(blocker.code == "change-not-approved" for blocker in standing):
        return refuse("change-not-approved", blockers=standing)
    left_open = [item.item for item in blockers.open_items(incident, phase)]
    if standing and command.reason is None:
        return refuse(
            "undocumented",
            action="Check the open items, or advance with a reason: they stay owed until closing.",
            blockers=standing,
        )
    if standing and command.reason is not None:
        known = talked_round(command.reason, blockers=standing)
        if known is not None:
            return known
    return [_entered(phase.next, now, command.reason, left_open).model_copy(update={"by": command.by})]


def _first_code(standing: list[Blocker]) -> Any:
    return standing[0].code


def post_update(incident: Incident, command: commands.PostUpdate, now: datetime) -> Outcome:
    if incident.phase is Phase.DETECTION:
        return _not_yet(incident, Phase.DECLARATION, "A status update")
    over = incident.phase is Phase.POST_INCIDENT
    if command.status is PublicStatus.RESOLVED and not over:
        standing = blockers.of_resolving(incident, now)
        if incident.phase is not Phase.RESOLUTION or standing:
            return refuse(
                "verification-incomplete",
                action="Resolve the incident first (resolve); that tells the status page as well.",
                blockers=standing,
            )
        return refuse("undocumented", action="Resolve the incident (resolve): it posts the resolution with its cause and fix.")
    if command.audience is Audience.EXTERNAL and incident.private:
        return refuse(
            "not-permitted",
            message="This incident is private; nothing about it goes to the public.",
            action="Tell those in it (audience internal). What the public must know, say in an incident of its own that is not private.",
        )
    kind = f"{command.audience.value}_update"
    status = command.status.value if command.status else None
    return [_event(kind, command.by, command.text, now, text=command.text, status=status)]


def note(incident: Incident, command: commands.Note, now: datetime) -> Outcome:
    return [_event("note", command.by, command.text, now)]


def hypothesize(incident: Incident, command: commands.Hypothesize, now: datetime) -> Outcome:
    if incident.phase.number < Phase.TRIAGE.number:
        return _not_yet(incident, Phase.TRIAGE, "A hypothesis")
    return [_event("hypothesis", command.by, command.text, now, text=command.text)]


def mitigate(incident: Incident, command: commands.Mitigate, now: datetime) -> Outcome:
    if incident.phase.number < Phase.TRIAGE.number:
        return _not_yet(incident, Phase.TRIAGE, "A mitigation")
    if incident.phase is Phase.POST_INCIDENT:
        return refuse("wrong-phase", message="The incident is resolved.", action="Reopen it first if it is not over.")
    approval = incident.rule.approval
    warnings = list(mitigation_options.warnings(command.option, command.rationale))
    data = command.model_dump(mode="json", exclude=set(commands.ENVELOPE))
    text = f"{command.by} chose {command.option.value.replace('_', ' ')}: {command.action} (owner {command.owner})"
    if warnings:
        text += f". Warning: {' '.join(warnings)}"
    return [_event("mitigation_proposed", command.by, text, now, approval=approval, warnings=warnings or None, **data)]


def _into_mitigation(incident: Incident, now: datetime) -> list[Event]:
    """A mitigation that was begun in triage takes the incident along when work on it goes on."""
    if incident.phase is not Phase.TRIAGE:
        return []
    left_open = [item.item for item in blockers.open_items(incident, Phase.TRIAGE)]
    return [_entered(Phase.MITIGATION, now, "a mitigation is under way", left_open)]


def approve(incident: Incident, command: commands.Approve, now: datetime) -> Outcome:
    if incident.phase.number < Phase.TRIAGE.number:
        return _not_yet(incident, Phase.MITIGATION, "An approval")
    mitigation = incident.mitigation
    if mitigation is None:
        return refuse("no-mitigation")
    pending = blockers.unapproved(incident)
    if not pending and mitigation.approved_by is not None:
        return []
    if not pending:
        return refuse("no-mitigation", message=f"Mitigation {mitigation.number} is finished; there is nothing left to approve.")
    numbers = [one.number for one in pending if not same_person(command.by, one.owner)]
    if not numbers or (mitigation in pending and mitigation.number not in numbers):
        return refuse(
            "not-permitted",
            message=f"{command.by} owns this mitigation; a change is approved by someone other than its owner.",
            action="Ask somebody else on the response team to approve it.",
        )
    afterwards = any(one.number in numbers and one.approval == "documented_later" for one in pending)
    if afterwards and command.note is None and incident.edition > 3:
        return refuse(
            "undocumented",
            message="The change went ahead without formal approval: to approve it afterwards is to document it.",
            action="Approve it with a note: what was changed, and who looked at it.",
        )
    which = " and ".join(str(number) for number in numbers)
    text = f"{command.by} approved mitigation {which}" + (f": {command.note}" if command.note else "")
    several = numbers if numbers != [mitigation.number] else None
    approved = _event("mitigation_approved", command.by, text, now, note=command.note, numbers=several)
    return [*(_into_mitigation(incident, now) if mitigation.finished_at is None else []), approved]


def finish_mitigation(incident: Incident, command: commands.FinishMitigation, now: datetime) -> Outcome:
    if incident.phase.number < Phase.TRIAGE.number:
        return _not_yet(incident, Phase.MITIGATION, "Finishing a mitigation")
    if incident.phase is Phase.POST_INCIDENT:
        return _too_late(incident, "Finishing a mitigation")
    mitigation = incident.mitigation
    if mitigation is None or mitigation.finished_at is not None:
        return refuse("no-mitigation")
    if mitigation.blocked_on_approval and command.succeeded:
        return refuse("change-not-approved", blockers=[Blocker(code="change-not-approved", message=f"Owner is {mitigation.owner}.")])
    outcome = "worked" if command.succeeded else f"did not work; rollback plan: {mitigation.rollback_plan}"
    text = f"Mitigation {mitigation.number} {outcome}" + (f" ({command.note})" if command.note else "")
    finished = _event("mitigation_finished", command.by, text, now, succeeded=command.succeeded, note=command.note)
    return [*_into_mitigation(incident, now), finished]


def confirm(incident: Incident, command: commands.Confirm, now: datetime) -> Outcome:
    events: list[Event] = []
    mitigation = incident.mitigation
    if incident.phase is Phase.MITIGATION and mitigation is not None and mitigation.succeeded:
        left_open = [item.item for item in blockers.open_items(incident, Phase.MITIGATION)]
        events.append(_entered(Phase.RESOLUTION, now, "the mitigation worked and is being verified", left_open))
    elif incident.phase is not Phase.RESOLUTION:
        if incident.phase is Phase.POST_INCIDENT:
            return _too_late(incident, "Confirming a criterion")
        return _not_yet(incident, Phase.RESOLUTION, "Confirming a criterion")
    if command.criterion is Criterion.ALERTS_CLEARED and incident.firing:
        standing = [blocker for blocker in blockers.of_resolving(incident, now) if blocker.code == "alerts-still-firing"]
        return refuse("alerts-still-firing", blockers=standing)
    if command.criterion in incident.criteria:
        return []
    spoken_against = verifying.refusal(incident, command.criterion)
    if spoken_against is not None:
        return spoken_against
    text = f"{command.by} confirmed {command.criterion.value.replace('_', ' ')}" + (f": {command.evidence}" if command.evidence else "")
    data = {"criterion": command.criterion.value, "evidence": command.evidence}
    events.append(_event("criterion_confirmed", command.by, text, now, **data))
    return events


def withdraw(incident: Incident, command: commands.Withdraw, now: datetime) -> Outcome:
    if incident.phase is not Phase.RESOLUTION:
        return refuse("wrong-phase", message="Criteria are withdrawn in resolution only.", action="After resolving, reopen the incident.")
    if command.criterion not in incident.criteria:
        return []
    text = f"{command.by} withdrew {command.criterion.value.replace('_', ' ')}: {command.reason}; verification starts again"
    return [_event("criterion_withdrawn", command.by, text, now, criterion=command.criterion.value, reason=command.reason)]


def resolve(incident: Incident, command: commands.Resolve, now: datetime) -> Outcome:
    standing = blockers.of_resolving(incident, now)
    if incident.phase is not Phase.RESOLUTION:
        if incident.phase is Phase.POST_INCIDENT:
            return refuse("wrong-phase", message=f"{incident.id} is resolved already.", action="Go on with the post-mortem (next).")
        refusal = _not_yet(incident, Phase.RESOLUTION, "Resolving")
        return refusal.model_copy(update={"blockers": tuple(standing)})
    if standing:
        return refuse(_first_code(standing), blockers=standing)
    known = talked_round(command.root_cause)
    if known is not None:
        return known
    events = []
    if incident.verification_passed_at is None:
        events.append(verification_passed(incident, now))
    data = command.model_dump(mode="json", include={"root_cause", "fix_applied", "next_steps"}, exclude_none=True)
    text = f"{command.by} resolved it. Root cause: {command.root_cause} Fix: {command.fix_applied}"
    events.append(_event("resolved", command.by, text, now, **data))
    events.append(_entered(Phase.POST_INCIDENT, now))
    return events


def verification_passed(incident: Incident, now: datetime) -> Event:
    return _event("verification_passed", SYSTEM, "The whole verification period was green; the incident can be resolved", now)


def reopen(incident: Incident, command: commands.Reopen, now: datetime) -> Outcome:
    if incident.phase not in (Phase.RESOLUTION, Phase.POST_INCIDENT):
        return refuse("wrong-phase", message=f"{incident.id} is in {incident.phase.label}; there is nothing to reopen.")
    reopened = _event("reopened", command.by, f"{command.by} reopened it: {command.reason}", now, reason=command.reason)
    return [reopened, _entered(Phase.TRIAGE, now, command.reason)]


def dispatch(incident: Incident, command: commands.DispatchSpecialist, now: datetime) -> Outcome:
    if incident.phase is Phase.DETECTION:
        return _not_yet(incident, Phase.DECLARATION, "Dispatching a specialist")
    id = str(len(incident.dispatches) + 1)
    text = f"{command.by} asked {command.specialist} for help (dispatch {id}): {command.request}"
    data = {"id": id, "specialist": command.specialist, "request": command.request}
    return [_event("dispatched", command.by, text, now, **data)]


def file_report(incident: Incident, command: commands.FileReport, now: datetime) -> Outcome:
    found = next((one for one in incident.dispatches if one.id == command.id), None)
    if found is None:
        return refuse(
            "unknown-item",
            message=f"No specialist was dispatched under {command.id!r}.",
            action=f"Dispatches: {', '.join(one.id for one in incident.dispatches) or 'none'}.",
        )
    return [_event("report_filed", command.by, f"Report of dispatch {command.id}: {command.text}", now, id=command.id, report=command.text)]


def schedule_retrospective(incident: Incident, command: commands.ScheduleRetrospective, now: datetime) -> Outcome:
    if incident.phase is not Phase.POST_INCIDENT:
        return _not_yet(incident, Phase.POST_INCIDENT, "Scheduling the retrospective")
    text = f"Blameless retrospective at {command.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return [_event("retrospective_scheduled", command.by, text, now, retrospective_at=command.at.isoformat())]


def add_action_item(incident: Incident, command: commands.AddActionItem, now: datetime) -> Outcome:
    if incident.phase is Phase.DETECTION:
        return _not_yet(incident, Phase.DECLARATION, "An action item")
    id = f"AI-{len(incident.action_items) + 1}"
    text = f"{id} for {command.owner}, due {command.due}: {command.item}"
    data = {"id": id, "item": command.item, "owner": command.owner, "due": command.due.isoformat()}
    return [_event("action_item_added", command.by, text, now, **data)]


def change_action_item(incident: Incident, command: commands.ChangeActionItem, now: datetime) -> Outcome:
    found = _action_item(incident, command.id)
    if isinstance(found, Refusal):
        return found
    if not found.open:
        return _not_open(found)
    wanted = {"item": command.item, "owner": command.owner, "due": command.due}
    news = {name: value for name, value in wanted.items() if value is not None and value != getattr(found, name)}
    if not news:
        return []
    said = [f"{name} {getattr(found, name)} → {value}" for name, value in news.items() if name != "item"]
    said += [f"it says now: {command.item}"] * ("item" in news)
    because = f" ({command.reason})" if command.reason else ""
    text = f"{command.by} changed {found.id}{because}: {', '.join(said)}"
    changed = {name: str(value) for name, value in news.items()}
    before = {name: str(getattr(found, name)) for name in news}
    return [_event("action_item_changed", command.by, text, now, id=found.id, **changed, before=before, reason=command.reason)]


def _not_open(item: ActionItem) -> Refusal:
    """What is not open any more stays on record as it was."""
    if item.moved_to is not None:
        return refuse("item-ended", message=f"{item.id} went on to {item.moved_to}.", action=f"Change it there: {item.moved_to}.")
    return refuse("item-ended", message=f"{item.id} is {'done' if item.done else 'waived'}.")


def _action_item(incident: Incident, id: str) -> ActionItem | Refusal:
    found = next((item for item in incident.action_items if item.id.casefold() == id.casefold()), None)
    if found is not None:
        return found
    return refuse(
        "unknown-item",
        message=f"No action item is called {id!r}.",
        action=f"Action items: {', '.join(item.id for item in incident.action_items) or 'none'}.",
    )


def complete_action_item(incident: Incident, command: commands.CompleteActionItem, now: datetime) -> Outcome:
    found = _action_item(incident, command.id)
    if isinstance(found, Refusal):
        return found
    if not found.open:
        return []
    return [_event("action_item_completed", command.by, f"{command.by} completed {found.id}: {found.item}", now, id=found.id)]


def file_postmortem(incident: Incident, command: commands.FilePostmortem, now: datetime) -> Outcome:
    return _filed(incident, command, now, postmortem.problems)


def file_postmortem_before(incident: Incident, command: commands.FilePostmortem, now: datetime) -> Outcome:
    """As it was decided before placeholders were looked for: what was filed then stays filed."""
    return _filed(incident, command, now, postmortem.problems_before)


def _filed(
    incident: Incident, command: commands.FilePostmortem, now: datetime, problems: Callable[[str, Incident], tuple[str, ...]]
) -> Outcome:
    if incident.phase is not Phase.POST_INCIDENT:
        return _not_yet(incident, Phase.POST_INCIDENT, "The post-mortem")
    missing = problems(command.document, incident)
    if missing:
        return refuse(
            "undocumented",
            message="The post-mortem is not complete.",
            action="Write the missing parts, then file it again.",
            blockers=[Blocker(code="undocumented", message=problem) for problem in missing],
        )
    gaps = list(postmortem.gaps(command.document))
    again = "again " if incident.postmortem is not None else ""
    text = f"{command.by} filed the post-mortem {again}({len(command.document):,} characters)"
    return [_event("postmortem_filed", command.by, text, now, document=command.document, gaps=gaps or None)]


def waive(incident: Incident, command: commands.Waive, now: datetime) -> Outcome:
    name = command.obligation.strip()
    clock = incident.clocks.get(name) or incident.clocks.get(f"{clocks.ACTION_ITEM}{name}")
    if clock is None or not clock.open:
        open_now = ", ".join(sorted(one.name for one in incident.clocks.values() if one.open)) or "nothing"
        return refuse("unknown-obligation", message=f"{name!r} is not owed.", action=f"Owed now: {open_now}.")
    known = talked_round(command.reason)
    if known is not None:
        return known
    if clock.name == clocks.POSTMORTEM and incident.rule.postmortem == "mandatory":
        return refuse("postmortem-mandatory")
    waivable = clock.name in {clocks.POSTMORTEM, clocks.NOTIFY_EXECUTIVES, clocks.STATUS_PAGE, clocks.RESOLUTION}
    if not waivable and not clock.name.startswith((clocks.ACTION_ITEM, clocks.DISPATCH, clocks.DRIFT)):
        return refuse("not-waivable", message=f"The process does not let go of the {clocks.label(clock.name)}.")
    text = f"{command.by} waived {clocks.label(clock.name)}: {command.reason}"
    return [_event("waived", command.by, text, now, obligation=clock.name, reason=command.reason)]


def restrict(incident: Incident, command: commands.Restrict, now: datetime) -> Outcome:
    """Never refused while it is open: what must not be seen can't wait. What was said before stays said."""
    if incident.private:
        return []
    text = f"{command.by} made it private: {command.reason}"
    return [_event("restricted", command.by, text, now, reason=command.reason)]


def invite(incident: Incident, command: commands.Invite, now: datetime) -> Outcome:
    if any(same_person(command.person, member) for member in incident.members):
        return []
    return [_event("invited", command.by, f"{command.by} invited {command.person}", now, person=command.person)]


def close(incident: Incident, command: commands.Close, now: datetime) -> Outcome:
    if incident.phase is not Phase.POST_INCIDENT:
        return _not_yet(incident, Phase.POST_INCIDENT, "Closing")
    standing = blockers.of_closing(incident)
    if standing:
        return refuse(_first_code(standing), blockers=standing)
    handed_over = [item.id for item in incident.action_items if item.open]
    go = "goes" if len(handed_over) == 1 and incident.edition > 3 else "go"
    text = f"{command.by} closed it" + (f"; {', '.join(handed_over)} {go} on in the follow-up" if handed_over else "")
    return [_event("closed", command.by, text, now, handed_over=handed_over or None), _entered(Phase.CLOSED, now)]


def dismiss(incident: Incident, command: commands.Dismiss, now: datetime) -> Outcome:
    if incident.phase not in (Phase.DETECTION, Phase.DECLARATION):
        return refuse(
            "wrong-phase",
            message=f"Work on {incident.id} has begun; it can't be dismissed any more.",
            action="Take it through resolution and close it, with what it turned out to be as root cause.",
        )
    if command.as_ is Dismissal.DUPLICATE and command.duplicate_of == incident.id:
        return refuse("not-permitted", message="An incident can't be a duplicate of itself.", action="Name the other incident.")
    words = command.as_.value.replace("_", " ")
    of = f" of {command.duplicate_of}" if command.duplicate_of else ""
    data = {"outcome": command.as_.value, "reason": command.reason, "duplicate_of": command.duplicate_of}
    dismissed = _event("dismissed", command.by, f"{command.by} dismissed it as {words}{of}: {command.reason}", now, **data)
    return [dismissed, _entered(Phase.CLOSED, now)]


DECIDERS: dict[str, Callable[[Incident, Any, datetime], Outcome]] = {
    "acknowledge": acknowledge,
    "describe": describe,
    "declare": declare,
    "assign": assign,
    "change_severity": change_severity,
    "check": check,
    "skip": skip,
    "advance": advance,
    "post_update": post_update,
    "note": note,
    "hypothesize": hypothesize,
    "mitigate": mitigate,
    "approve": approve,
    "finish_mitigation": finish_mitigation,
    "confirm": confirm,
    "withdraw": withdraw,
    "measure": measuring.measure,
    "correct": measuring.correct,
    "resolve": resolve,
    "reopen": reopen,
    "dispatch": dispatch,
    "file_report": file_report,
    "schedule_retrospective": schedule_retrospective,
    "add_action_item": add_action_item,
    "change_action_item": change_action_item,
    "complete_action_item": complete_action_item,
    "file_postmortem": file_postmortem,
    "waive": waive,
    "retry_delivery": redelivering.retry,
    "replace_delivery": redelivering.replace,
    "give_up_delivery": redelivering.give_up,
    "restrict": restrict,
    "invite": invite,
    "close": close,
    "dismiss": dismiss,
    "merge": merging.merge,
}

DECIDERS_BEFORE: dict[str, Callable[[Incident, Any, datetime], Outcome]] = {**DECIDERS, "file_postmortem": file_postmortem_before}
"""As it was decided by earlier versions, for the histories that they wrote."""

__all__ = ["DECIDERS", "DECIDERS_BEFORE", "Outcome", "verification_passed"]
