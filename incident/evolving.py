"""What an event makes of the incident: one function a kind, and what follows from the facts by itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

from incident import asking, channels, checklists, clocks, deliveries, filing, lookups, measuring, merging, redelivering
from incident.effects import Effect, OpenChannel, OpenTicket, Port, Publish
from incident.events import Event
from incident.evidence import Finding
from incident.model import (
    ActionItem,
    Alert,
    CheckState,
    ClockState,
    Dispatch,
    Drift,
    Hypothesis,
    Incident,
    Joined,
    Merged,
    Mitigation,
    PortHealth,
    Publication,
    Suggestion,
    Update,
)
from incident.routing import Routed
from incident.vocabulary import Criterion, Dismissal, MitigationOption, Phase, PublicStatus, Role, Severity

Changes = dict[str, Any]


def evolve(incident: Incident, event: Event) -> Incident:
    """The incident after `event`. Folding the events of a timeline gives the state."""
    apply = APPLIERS.get(event.kind)
    changes: Changes = apply(incident, event) if apply is not None else {}
    changes["seq"] = event.seq
    ended = deliveries.settled(incident, event)
    if ended:
        changes["settled"] = (*incident.settled, *ended)[-deliveries.SETTLED_KEPT :]
    after = incident.model_copy(update=changes)
    if event.kind in QUIET and "executives_told_at" not in changes:
        return asking.after(incident, after, event) if event.kind in asking.ASKERS else after
    after = _settled(after, event)
    planned = clocks.planned(after, event.at)
    if planned != after.clocks:
        after = after.model_copy(update={"clocks": planned})
    return asking.after(incident, after, event)


_SPOKEN = ("note", "refused", "invalid", "reminder", "overdue")
_SENT = ("delivered", "parked", "undeliverable", "replaced", "paged", "paging_failed", "paging_stopped")
_SEEN_TO = ("delivery_retried", "delivery_replaced", "delivery_given_up", "channel_paused", "channel_resumed")
QUIET = frozenset({*_SPOKEN, *_SENT, *_SEEN_TO})
"""Kinds that move no clock's facts; the clocks' own events among them say what they change themselves."""


def _settled(incident: Incident, event: Event) -> Incident:
    """What the facts imply: the verification period runs exactly while everything is green."""
    if incident.phase is not Phase.RESOLUTION:
        return incident
    if len(incident.criteria) < len(Criterion) or incident.firing:
        return _verified(incident, event, since=None, passed_at=None)
    length = incident.verification
    since = incident.verification_since or event.at
    passed_at = incident.verification_passed_at
    if length <= timedelta(0):
        passed_at = passed_at or event.at
    elif passed_at is not None and since + length > event.at:
        passed_at = None
    return _verified(incident, event, since=since, passed_at=passed_at)


def _verified(incident: Incident, event: Event, *, since: datetime | None, passed_at: datetime | None) -> Incident:
    """The incident with its verification as it stands now; a period that a raised severity makes too short has not passed."""
    if (since, passed_at) == (incident.verification_since, incident.verification_passed_at):
        return incident
    changes: Changes = {"verification_since": since, "verification_passed_at": passed_at}
    if passed_at is not None:
        changes["checklist"] = _ticked(incident, event, "verification_completed")
    elif incident.verification_passed_at is not None:
        changes["checklist"] = _with_state(incident, event, CheckState.OPEN, ("verification_completed",))
    return incident.model_copy(update=changes)


def _ticked(incident: Incident, event: Event, *items: str, note: str | None = None) -> dict[str, Any]:
    """The checklist with these items done; what is done or not applicable stays as it is."""
    pending = [item for item in items if incident.checklist[item].state in (CheckState.OPEN, CheckState.SKIPPED)]
    return _with_state(incident, event, CheckState.DONE, tuple(pending), note)


def _confirmed(checklist: dict[str, Any], items: tuple[str, ...]) -> dict[str, Any]:
    """The same without the notes that somebody was ahead of the status page: by now it has these items."""
    return {
        name: entry.model_copy(update={"note": checklists.confirmed(entry.note)}) if name in items and entry.note else entry
        for name, entry in checklist.items()
    }


def _with_state(incident: Incident, event: Event, state: CheckState, items: tuple[str, ...], note: str | None = None) -> dict[str, Any]:
    if not items:
        return incident.checklist
    checklist = dict(incident.checklist)
    by, at = (None, None) if state is CheckState.OPEN else (event.by, event.at)
    for item in items:
        checklist[item] = checklist[item].model_copy(update={"state": state, "by": by, "at": at, "note": note})
    return checklist


def _moment(value: str) -> datetime:
    return datetime.fromisoformat(value)


def _opened(incident: Incident, event: Event) -> Changes:
    return {"private": True, "channel_wanted": True} if event.data.get("private") else {}


def _alert(incident: Incident, event: Event) -> Changes:
    told = [Alert.model_validate(item) for item in event.data["alerts"]]
    services = tuple(dict.fromkeys([*incident.services, *(alert.service for alert in told if alert.service)]))
    changes: Changes = {"alerts": {**incident.alerts, **{alert.fingerprint: alert for alert in told}}}
    if services != incident.services:
        changes["services"] = services
    for item in event.data.get("joined", ()):
        joined = Joined.model_validate(item)
        changes["groups"] = (*changes.get("groups", incident.groups), joined.group)
        changes["routed"] = _known_too(changes.get("routed", incident.routed), joined.routed)
    return changes


def _known_too(before: Routed | None, more: Routed | None) -> Routed | None:
    """What the rules know of both; where they differ, the first one stays."""
    if before is None or more is None:
        return before or more
    names = {query.name for query in before.queries}
    return before.model_copy(
        update={
            "owner": before.owner or more.owner,
            "runbook": before.runbook or more.runbook,
            "factors": before.factors or more.factors,
            "queries": (*before.queries, *(query for query in more.queries if query.name not in names)),
            "binds": before.binds or more.binds,
            "related": tuple(dict.fromkeys((*before.related, *more.related))),
        }
    )


def _related(incident: Incident, event: Event) -> Changes:
    suggestion = Suggestion.model_validate(event.data)
    others = (each for each in incident.suggestions if each.incident != suggestion.incident)
    return {"suggestions": (*others, suggestion)}


def _unrelated(incident: Incident, event: Event) -> Changes:
    gone = event.data["incident"]
    return {"suggestions": tuple(each for each in incident.suggestions if each.incident != gone)}


def _merge_asked(incident: Incident, event: Event) -> Changes:
    return {"merging_into": event.data["into"]}


def _merge_failed(incident: Incident, event: Event) -> Changes:
    return {"merging_into": None}


def _merged(incident: Incident, event: Event) -> Changes:
    into = event.data["into"]
    return {
        "merging_into": None,
        "outcome": Dismissal.DUPLICATE.value,
        "duplicate_of": into,
        "action_items": merging.moved(incident.action_items, into),
    }


def _absorbed(incident: Incident, event: Event) -> Changes:
    """What is known of the other one fills what is not known here; what it promised the public is promised here."""
    given = merging.Handover.model_validate({"by": event.by, **{k: v for k, v in event.data.items() if k != "items"}})
    record = Merged(
        incident=given.incident,
        title=given.title,
        severity=given.severity,
        opened_at=given.opened_at,
        at=event.at,
        by=event.by,
        items=event.data["items"],
    )
    starts = [moment for moment in (incident.started_at, given.started_at) if moment is not None]
    changes: Changes = {
        "merged": (*(each for each in incident.merged if each.incident != given.incident), record),
        "suggestions": tuple(each for each in incident.suggestions if each.incident != given.incident),
        "services": tuple(dict.fromkeys([*incident.services, *given.services])),
        "groups": tuple(dict.fromkeys([*incident.groups, *given.groups])),
        "routed": _known_too(incident.routed, given.routed),
        "symptom": incident.symptom or given.symptom,
        "users_affected": incident.users_affected or given.users_affected,
        "started_at": min(starts, default=None),
    }
    if incident.executives_told_at is None and given.executives_told_at is not None and incident.severity is not None:
        changes["executives_told_at"] = given.executives_told_at
    if given.customer_facing and not incident.customer_facing:
        facing = event.model_copy(update={"data": {"customer_facing": True}})
        changes |= _customer_facing(incident, facing, incident.checklist)
    if given.on_status_page and incident.status_page_at is None:
        changes |= {"status_page_at": event.at, "external_update": given.external_update}
    if given.promised is not None:
        changes["promised"] = min(given.promised, incident.promised or given.promised)
    return changes


def _acknowledged(incident: Incident, event: Event) -> Changes:
    return {
        "acknowledged_at": event.at,
        "acknowledged_by": event.by,
        "paging": False,
        "paged": None,
        "checklist": _ticked(incident, event, "alert_acknowledged"),
    }


def _described(incident: Incident, event: Event) -> Changes:
    data = event.data
    changes: Changes = {}
    if "symptom" in data:
        changes["symptom"] = data["symptom"]
        changes["checklist"] = _ticked(incident, event, "initial_symptom_documented")
    if "affected" in data:
        changes["services"] = tuple(data["affected"])
    if "users_affected" in data:
        changes["users_affected"] = data["users_affected"]
    if "started_at" in data:
        changes["started_at"] = _moment(data["started_at"])
    if "customer_facing" in data:
        changes |= _customer_facing(incident, event, changes.get("checklist", incident.checklist))
    return changes


def _customer_facing(incident: Incident, event: Event, checklist: dict[str, Any]) -> Changes:
    """Whether the public is concerned decides which items and clocks apply at all."""
    facing = bool(event.data["customer_facing"])
    concerned = incident.model_copy(update={"checklist": checklist})
    items = ("status_page_updated", "customer_communication_sent", "status_page_resolved")
    pending = tuple(item for item in items if checklist[item].state in (CheckState.OPEN, CheckState.NOT_APPLICABLE))
    state = CheckState.OPEN if facing and not incident.private else CheckState.NOT_APPLICABLE
    return {
        "customer_facing": facing,
        "customer_facing_since": (incident.customer_facing_since or event.at) if facing else None,
        "checklist": _with_state(concerned, event, state, pending),
    }


def _declared(incident: Incident, event: Event) -> Changes:
    data = event.data
    severity = Severity(data["severity"])
    changes: Changes = {"severity": severity, "declared_at": event.at}
    for name in ("title", "summary", "factors"):
        if name in data:
            changes[name] = data[name]
    checklist = incident.checklist
    if "customer_facing" in data or not incident.customer_facing:
        facing = Event(at=event.at, kind=event.kind, by=event.by, text="", data={"customer_facing": data.get("customer_facing", False)})
        changes |= _customer_facing(incident, facing, checklist)
        checklist = changes["checklist"]
    if data.get("channel"):
        changes["channel_wanted"] = True
    wants_channel = incident.policy.severities[severity].channel or data.get("channel", False) or incident.channel_wanted
    if not wants_channel:
        concerned = incident.model_copy(update={"checklist": checklist})
        changes["checklist"] = _with_state(concerned, event, CheckState.NOT_APPLICABLE, ("channel_created",))
    return changes


def _severity_changed(incident: Incident, event: Event) -> Changes:
    """Before the declaration it is the presumed severity that changes: whom to page, and how soon."""
    severity, before = Severity(event.data["severity"]), Severity(event.data["before"])
    declared = incident.severity is not None
    changes: Changes = {"severity" if declared else "presumed_severity": severity}
    if declared and incident.phase is Phase.RESOLUTION:
        changes["verification_owed"] = incident.verification
    without = incident.checklist["channel_created"].state is CheckState.NOT_APPLICABLE
    if declared and without and incident.policy.severities[severity].channel:
        changes["checklist"] = _with_state(incident, event, CheckState.OPEN, ("channel_created",))
    if severity.rank < before.rank and incident.acknowledged_at is None:
        changes["page_number"] = incident.page_number + 1
    return changes


def _role_assigned(incident: Incident, event: Event) -> Changes:
    role = Role(event.data["role"])
    changes: Changes = {"roles": {**incident.roles, role: event.data["person"]}}
    if role is Role.COMMANDER:
        changes["checklist"] = _ticked(incident, event, "commander_assigned", note=event.data["person"])
    return changes


def _item_checked(incident: Incident, event: Event) -> Changes:
    """A person's word counts for an item that did not apply as well."""
    item, note = event.data["item"], event.data.get("note")
    changes: Changes = {"checklist": _with_state(incident, event, CheckState.DONE, (item,), note)}
    if item == "change_approved":
        undocumented = [one.number for one in incident.mitigations if one.approval == "documented_later" and one.approved_by is None]
        changes["mitigations"] = _approved(incident, event, undocumented)
    return changes


def _item_skipped(incident: Incident, event: Event) -> Changes:
    return {"checklist": _with_state(incident, event, CheckState.SKIPPED, (event.data["item"],), event.data["reason"])}


def _phase_entered(incident: Incident, event: Event) -> Changes:
    phase = Phase(event.data["phase"])
    changes: Changes = {"phase": phase, "phase_entered_at": event.at}
    if phase is Phase.CLOSED:
        changes |= {"closed_at": event.at, "paging": False, "paged": None, "outbox": _without_questions(incident)}
    if phase is Phase.RESOLUTION and incident.evidence is not None:
        changes["evidence"] = None
    return changes


def _without_questions(incident: Incident) -> tuple[Effect, ...]:
    """Nobody waits for an answer any more, and monitoring that is down must not keep an incident from ending."""
    return tuple(effect for effect in incident.outbox if effect.port is not Port.MONITORING)


def _internal_update(incident: Incident, event: Event) -> Changes:
    return {"internal_update": _update(event)}


def _external_update(incident: Incident, event: Event) -> Changes:
    return {
        "external_update": _update(event),
        "status_page_at": incident.status_page_at or event.at,
        "public_services": incident.services,
        "promised": None,
    }


def _update(event: Event) -> Update:
    status = event.data.get("status")
    return Update(at=event.at, by=event.by, text=event.data["text"], status=PublicStatus(status) if status else None)


def _hypothesis(incident: Incident, event: Event) -> Changes:
    found = Hypothesis(at=event.at, by=event.by, text=event.data["text"])
    return {"hypotheses": (*incident.hypotheses, found), "checklist": _ticked(incident, event, "initial_hypothesis_formed")}


def _mitigation_proposed(incident: Incident, event: Event) -> Changes:
    data = event.data
    mitigation = Mitigation(
        number=len(incident.mitigations) + 1,
        option=MitigationOption(data["option"]),
        action=data["action"],
        rationale=data["rationale"],
        owner=data["owner"],
        verification=tuple(data["verification"]),
        rollback_plan=data["rollback_plan"],
        started_at=event.at,
        approval=data["approval"],
    )
    items = _ticked(incident, event, "option_selected", "verification_criteria_defined", "rollback_plan_ready")
    checklist = {**items, "change_approved": _with_state(incident, event, CheckState.OPEN, ("change_approved",))["change_approved"]}
    if not incident.rule.channel and incident.channel is None:
        tracked = _with_state(incident, event, CheckState.DONE, ("implementation_tracked",), "tracked in the timeline: no channel")
        checklist["implementation_tracked"] = tracked["implementation_tracked"]
    return {"mitigations": (*incident.mitigations, mitigation), "checklist": checklist}


def _newest(incident: Incident, **changes: Any) -> tuple[Mitigation, ...]:
    return (*incident.mitigations[:-1], incident.mitigations[-1].model_copy(update=changes))


def _approved(incident: Incident, event: Event, numbers: list[int]) -> tuple[Mitigation, ...]:
    approval = {"approved_by": event.by, "approved_at": event.at}
    return tuple(one.model_copy(update=approval) if one.number in numbers else one for one in incident.mitigations)


def _mitigation_approved(incident: Incident, event: Event) -> Changes:
    return {
        "mitigations": _approved(incident, event, event.data.get("numbers", [len(incident.mitigations)])),
        "checklist": _ticked(incident, event, "change_approved", note=event.data.get("note")),
    }


def _mitigation_finished(incident: Incident, event: Event) -> Changes:
    succeeded = bool(event.data["succeeded"])
    finished = _newest(incident, finished_at=event.at, succeeded=succeeded, note=event.data.get("note"))
    return {"mitigations": finished, "mitigated_at": event.at if succeeded else None}


_ITEM_OF = {
    Criterion.SYMPTOM_RESOLVED: "symptom_verified_resolved",
    Criterion.METRICS_AT_BASELINE: "metrics_normal",
    Criterion.ALERTS_CLEARED: "related_alerts_resolved",
}


def _criterion_confirmed(incident: Incident, event: Event) -> Changes:
    criterion = Criterion(event.data["criterion"])
    return {
        "criteria": {**incident.criteria, criterion: event.at},
        "checklist": _ticked(incident, event, _ITEM_OF[criterion], note=event.data.get("evidence")),
    }


def _criterion_withdrawn(incident: Incident, event: Event) -> Changes:
    criterion = Criterion(event.data["criterion"])
    criteria = {key: at for key, at in incident.criteria.items() if key is not criterion}
    known = incident.evidence
    counted = {} if known is None else {"evidence": known.model_copy(update={"restarts": known.restarts + 1})}
    return counted | {"criteria": criteria, "checklist": _with_state(incident, event, CheckState.OPEN, (_ITEM_OF[criterion],))}


def _finding(incident: Incident, event: Event) -> Changes:
    finding = Finding.model_validate({**event.data, "at": event.at})
    changes: Changes = {"findings": {**incident.findings, finding.id: finding}}
    if finding.looked_up:
        items = [item for item in lookups.items(finding, incident) if incident.checklist[item].state is CheckState.OPEN]
        changes["checklist"] = _with_state(incident, event, CheckState.DONE, tuple(items), event.text)
    return changes


def _finding_corrected(incident: Incident, event: Event) -> Changes:
    """A person's word goes before the machine's, in the finding and on the items that it ticks."""
    finding = incident.findings[event.data["finding"]]
    text = event.data.get("text")
    told = finding.model_copy(update={"confirmed_by": event.by, "corrected_to": text or finding.corrected_to})
    items = lookups.items(told, incident)
    note = text or (incident.checklist[items[0]].note if items else None)
    return {
        "findings": {**incident.findings, finding.id: told},
        "checklist": _with_state(incident, event, CheckState.DONE, items, note),
    }


def _verification_passed(incident: Incident, event: Event) -> Changes:
    return {"verification_passed_at": event.at, "checklist": _ticked(incident, event, "verification_completed")}


def _resolved(incident: Incident, event: Event) -> Changes:
    data = event.data
    return {
        "resolved_at": event.at,
        "mitigated_at": incident.mitigated_at or event.at,
        "root_cause": data["root_cause"],
        "fix_applied": data["fix_applied"],
        "next_steps": tuple(data.get("next_steps", ())),
    }


def _reopened(incident: Incident, event: Event) -> Changes:
    """What was confirmed no longer holds; the checklists from triage to resolution, and the post-mortem, are owed again.

    So is what was waived of the round that is over, and the mitigation that was thought to work did not.
    """
    again = (Phase.TRIAGE, Phase.MITIGATION, Phase.RESOLUTION)
    kept = (CheckState.NOT_APPLICABLE,)
    items = [item.item for item in incident.checklist.values() if item.phase in again and item.state not in kept]
    items.append("rca_document_created")
    mitigation = incident.mitigation
    return {
        "mitigations": _newest(incident, succeeded=False) if mitigation is not None and mitigation.succeeded else incident.mitigations,
        "waived": tuple(name for name in incident.waived if name not in _STARTED_AGAIN),
        "checklist": _with_state(incident, event, CheckState.OPEN, tuple(items)),
        "criteria": {},
        "evidence": None,
        "monitoring_lost_at": None,
        "monitoring_back_at": None,
        "verification_owed": None,
        "verification_since": None,
        "verification_passed_at": None,
        "resolved_at": None,
        "mitigated_at": None,
        "postmortem": None,
        "postmortem_at": None,
        "postmortem_by": None,
        "reopened_at": event.at,
        "times_reopened": incident.times_reopened + 1,
        "clocks": {name: clock for name, clock in incident.clocks.items() if clock.open or name not in _STARTED_AGAIN},
    }


_STARTED_AGAIN = frozenset({clocks.INTERNAL_UPDATE, clocks.EXTERNAL_UPDATE, clocks.RESOLUTION, clocks.VERIFICATION, clocks.POSTMORTEM})


def _dispatched(incident: Incident, event: Event) -> Changes:
    data = event.data
    made = Dispatch(id=data["id"], specialist=data["specialist"], request=data["request"], by=event.by, at=event.at)
    return {"dispatches": (*incident.dispatches, made)}


def _report_filed(incident: Incident, event: Event) -> Changes:
    changed = {"report": event.data["report"], "reported_at": event.at, "reported_by": event.by}
    return {"dispatches": tuple(one.model_copy(update=changed) if one.id == event.data["id"] else one for one in incident.dispatches)}


def _retrospective_scheduled(incident: Incident, event: Event) -> Changes:
    return {"retrospective_at": _moment(event.data["retrospective_at"])}


def _action_item_added(incident: Incident, event: Event) -> Changes:
    data = event.data
    made = ActionItem(id=data["id"], item=data["item"], owner=data["owner"], due=date.fromisoformat(data["due"]), added_at=event.at)
    return {
        "action_items": (*incident.action_items, made),
        "checklist": _ticked(incident, event, "action_items_assigned"),
    }


def _action_item_changed(incident: Incident, event: Event) -> Changes:
    """A ticket that its tracker has refused so far is filed as it is by now, should somebody have it tried again."""
    data = event.data
    news: Changes = {name: data[name] for name in ("item", "owner") if name in data}
    if "due" in data:
        news["due"] = date.fromisoformat(data["due"])
    items = tuple(item.model_copy(update=news) if item.id == data["id"] else item for item in incident.action_items)
    changed = next(item for item in items if item.id == data["id"])
    unsent = tuple(
        one.model_copy(update={"ask": redelivering.reworded(one.ask, filing.words(incident, changed))})
        if isinstance(one.ask, OpenTicket) and one.ask.ref == changed.id
        else one
        for one in incident.unsent
    )
    return {"action_items": items, "unsent": unsent}


def _action_item_completed(incident: Incident, event: Event) -> Changes:
    done = {"done": True, "done_at": event.at, "done_by": event.by}
    return {"action_items": tuple(item.model_copy(update=done) if item.id == event.data["id"] else item for item in incident.action_items)}


def _postmortem_filed(incident: Incident, event: Event) -> Changes:
    return {
        "postmortem": event.data["document"],
        "postmortem_at": incident.postmortem_at or event.at,
        "postmortem_by": incident.postmortem_by or event.by,
        "checklist": _ticked(incident, event, "rca_document_created"),
    }


def _waived(incident: Incident, event: Event) -> Changes:
    name = event.data["obligation"]
    changes: Changes = {"waived": (*incident.waived, name), "clocks": {key: clock for key, clock in incident.clocks.items() if key != name}}
    if name.startswith(clocks.ACTION_ITEM):
        id = name.removeprefix(clocks.ACTION_ITEM)
        changes["action_items"] = tuple(
            item.model_copy(update={"waived_by": event.by}) if item.id == id else item for item in incident.action_items
        )
    if name.startswith(clocks.DRIFT):
        what = name.removeprefix(clocks.DRIFT)
        changes["drifts"] = {
            key: drift.model_copy(update={"waived": drift.waived or key == what}) for key, drift in incident.drifts.items()
        }
    if name == clocks.POSTMORTEM:
        changes["checklist"] = _with_state(incident, event, CheckState.SKIPPED, ("rca_document_created",), event.data["reason"])
    return changes


def _restricted(incident: Incident, event: Event) -> Changes:
    """What has not gone out yet stays here; whoever made it private is in it.

    An entry that stands on the status page is public already: it will be told that it is over. Where there is none, the public
    is owed nothing any more; a try that is just being made is answered for when it arrives (`asking`), since it may not.
    """
    public_since = incident.public_since
    kept_back = Port.STATUS in incident.down or Port.STATUS in incident.paused
    if incident.edition < 2 and not kept_back and any(effect.port is Port.STATUS for effect in incident.outbox):
        public_since = public_since or event.at
    items = ("status_page_updated", "customer_communication_sent", "status_page_resolved")
    owed = tuple(item for item in items if incident.checklist[item].state is CheckState.OPEN)
    not_owed = _with_state(incident, event, CheckState.NOT_APPLICABLE, owed)
    return {
        "private": True,
        "channel_wanted": True,
        "invited": _with_person(incident, event.by),
        "public_since": public_since,
        "outbox": tuple(effect for effect in incident.outbox if not _tells_all(incident, effect)),
        "unsent": tuple(effect for effect in incident.unsent if incident.edition < 2 or not _tells_all(incident, effect)),
        "checklist": not_owed if public_since is None else incident.checklist,
    }


def _tells_all(incident: Incident, effect: Effect) -> bool:
    """Whether it makes the incident public, or asks somebody to."""
    by_hand = effect.purpose == "status_down" and incident.edition > 1
    return by_hand or isinstance(effect.ask, Publish) or (isinstance(effect.ask, OpenChannel) and not effect.ask.private)


def _invited(incident: Incident, event: Event) -> Changes:
    return {"invited": _with_person(incident, event.data["person"])}


def _paged(incident: Incident, event: Event) -> Changes:
    """Whoever is being paged is asked for an answer; whoever is called into a private incident has to be able to see it."""
    person = event.data.get("person")
    changes: Changes = {"paged": person} if person and event.kind == "paged" and incident.acknowledged_at is None else {}
    return changes | ({"invited": _with_person(incident, person)} if incident.private and person else {})


def _with_person(incident: Incident, person: str) -> tuple[str, ...]:
    return incident.invited if person in incident.members else (*incident.invited, person)


def _dismissed(incident: Incident, event: Event) -> Changes:
    return {"outcome": event.data["outcome"], "duplicate_of": event.data.get("duplicate_of")}


def _closed(incident: Incident, event: Event) -> Changes:
    return {"outcome": "resolved"}


def _reminder(incident: Incident, event: Event) -> Changes:
    return _clock(incident, event, remind_at=None)


def _overdue(incident: Incident, event: Event) -> Changes:
    clock = incident.clocks[event.data["clock"]]
    again = clocks.again_after(incident, clock.name)
    return _clock(
        incident,
        event,
        state=ClockState.OVERDUE,
        remind_at=None,
        escalate_at=event.at + again if again is not None else None,
        times_missed=clock.times_missed + 1,
        fired_at=clock.fired_at or event.at,
    )


def _clock(incident: Incident, event: Event, **changes: Any) -> Changes:
    name = event.data["clock"]
    return {"clocks": {**incident.clocks, name: incident.clocks[name].model_copy(update=changes)}}


def _delivered(incident: Incident, event: Event) -> Changes:
    """The effect has arrived; if its port was down, it is up again."""
    number = event.data["number"]
    changes: Changes = {
        "outbox": tuple(effect for effect in incident.outbox if effect.number != number),
        "delivered": incident.delivered + 1,
    }
    arrived = next((effect for effect in incident.outbox if effect.number == number), None)
    if incident.unsent and arrived is not None and incident.edition > 1:
        changes["unsent"] = deliveries.outlived(incident, arrived)
    port = Port(event.data["port"])
    if port in incident.down:
        changes["down"] = {name: health for name, health in incident.down.items() if name is not port}
        if incident.edition > 1:
            changes["outbox"] = channels.still_true(incident.model_copy(update=changes), port)
    items = _ITEMS_OF_PURPOSE.get(event.data.get("purpose", ""), ())
    if items:
        ticked = _ticked(incident, event, *items)
        changes["checklist"] = _confirmed(ticked, items) if incident.edition > 4 else ticked
    if event.data.get("purpose") == "executives":
        changes["executives_told_at"] = incident.executives_told_at or event.at
    if port is Port.STATUS:
        changes["public_since"] = incident.public_since or event.at
    if event.data.get("action") == "open_ticket":
        changes["action_items"] = _with_tickets(incident, event)
    if event.data.get("action") == "publish":
        changes["published"] = _publication(incident, event)
    return changes | _paged(incident, event)


def _with_tickets(incident: Incident, event: Event) -> tuple[ActionItem, ...]:
    """The action items, the one whose ticket has been filed with that ticket's reference."""
    refs = {effect.ask.ref for effect in incident.outbox if effect.number == event.data["number"] and isinstance(effect.ask, OpenTicket)}
    ticket = {"ticket": event.data["reference"]}
    return tuple(item.model_copy(update=ticket) if item.id in refs else item for item in incident.action_items)


_ITEMS_OF_PURPOSE = {
    "mitigation": ("implementation_tracked",),
    "status": ("status_page_updated",),
    "status_resolved": ("status_page_updated", "status_page_resolved", "customer_communication_sent"),
}


def _publication(incident: Incident, event: Event) -> Publication | None:
    """What the status page shows now: the update that it has just taken, where the outbox still knew it."""
    told = (effect.ask for effect in incident.outbox if effect.number == event.data["number"])
    newest = next((ask for ask in told if isinstance(ask, Publish)), None)
    return (
        incident.published
        if newest is None
        else Publication(status=newest.status, body=newest.body, at=event.at, components=newest.components)
    )


def _drift(incident: Incident, event: Event) -> Changes:
    """A new contradiction under a name that was waived before is owed anew."""
    data = event.data
    known = incident.drifts.get(data["name"])
    since = known.since if known is not None and known.open else event.at
    found = Drift(here=data["here"], there=data["there"], system=event.by, since=since)
    name = f"{clocks.DRIFT}{data['name']}"
    return {"drifts": {**incident.drifts, data["name"]: found}, "waived": tuple(each for each in incident.waived if each != name)}


def _drift_settled(incident: Incident, event: Event) -> Changes:
    name = event.data["name"]
    return {"drifts": {**incident.drifts, name: incident.drifts[name].model_copy(update={"settled_at": event.at})}}


def _channel_opened(incident: Incident, event: Event) -> Changes:
    changes = _delivered(incident, event)
    changes["channel"] = event.data["channel"]
    changes["channel_id"] = event.data.get("reference")
    asked = (one.ask for one in incident.outbox if one.number == event.data["number"])
    changes["channel_topic"] = next((ask.topic for ask in asked if isinstance(ask, OpenChannel)), "")
    changes["channel_private"] = event.data.get("private", False)
    changes["checklist"] = _ticked(incident, event, "channel_created", note=event.data["channel"])
    return changes


def _parked(incident: Incident, event: Event) -> Changes:
    data = event.data
    port = Port(data["port"])
    before = incident.down.get(port)
    health = PortHealth(
        port=port,
        down_since=before.down_since if before else event.at,
        retry_at=_moment(data["retry_at"]),
        failures=(before.failures if before else 0) + 1,
        error=data["error"],
        vendor=data.get("vendor", ""),
    )
    changes: Changes = {"down": {**incident.down, port: health}}
    tried = next((effect for effect in incident.outbox if effect.number == data["number"]), None)
    newer = deliveries.newer(incident, tried) if tried is not None and incident.edition > 1 else None
    if newer in incident.outbox:
        changes["outbox"] = tuple(effect for effect in incident.outbox if effect is not tried)
    return changes


def _undeliverable(incident: Incident, event: Event) -> Changes:
    number = event.data["number"]
    changes: Changes = {"outbox": tuple(effect for effect in incident.outbox if effect.number != number)}
    refused = tuple(effect for effect in incident.outbox if effect.number == number)
    overtaken = [change for effect in refused for change in redelivering.changes_behind(effect, incident.outbox)]
    if overtaken:
        refused = tuple(redelivering.overtaken(effect, overtaken) for effect in refused)
        changes["outbox"] = tuple(effect for effect in incident.outbox if effect.number != number and effect not in overtaken)
    changes["unsent"] = (*incident.unsent, *refused)[-deliveries.UNSENT_KEPT :]
    port = Port(event.data["port"])
    if port in incident.down:
        changes["down"] = {name: health for name, health in incident.down.items() if name is not port}
    return changes


APPLIERS: dict[str, Callable[[Incident, Event], Changes]] = {
    "opened": _opened,
    "alert": _alert,
    "flapping": _alert,
    "related": _related,
    "unrelated": _unrelated,
    "merge_asked": _merge_asked,
    "merge_failed": _merge_failed,
    "merged": _merged,
    "absorbed": _absorbed,
    "acknowledged": _acknowledged,
    "described": _described,
    "declared": _declared,
    "severity_changed": _severity_changed,
    "role_assigned": _role_assigned,
    "item_checked": _item_checked,
    "item_skipped": _item_skipped,
    "phase_entered": _phase_entered,
    "internal_update": _internal_update,
    "external_update": _external_update,
    "hypothesis": _hypothesis,
    "mitigation_proposed": _mitigation_proposed,
    "mitigation_approved": _mitigation_approved,
    "mitigation_finished": _mitigation_finished,
    "criterion_confirmed": _criterion_confirmed,
    "criterion_withdrawn": _criterion_withdrawn,
    "measured": measuring.set_queries,
    "finding": _finding,
    "finding_corrected": _finding_corrected,
    "evidence": measuring.looked,
    "verification_passed": _verification_passed,
    "resolved": _resolved,
    "reopened": _reopened,
    "dispatched": _dispatched,
    "report_filed": _report_filed,
    "retrospective_scheduled": _retrospective_scheduled,
    "action_item_added": _action_item_added,
    "action_item_changed": _action_item_changed,
    "action_item_completed": _action_item_completed,
    "postmortem_filed": _postmortem_filed,
    "drift": _drift,
    "drift_settled": _drift_settled,
    "waived": _waived,
    "dismissed": _dismissed,
    "restricted": _restricted,
    "invited": _invited,
    "paged": _paged,
    "closed": _closed,
    "reminder": _reminder,
    "overdue": _overdue,
    "delivered": _delivered,
    "channel_opened": _channel_opened,
    "parked": _parked,
    "undeliverable": _undeliverable,
    "delivery_retried": redelivering.retried,
    "delivery_replaced": redelivering.replaced,
    "delivery_given_up": redelivering.given_up,
    "channel_paused": channels.paused,
    "channel_resumed": channels.resumed,
}
