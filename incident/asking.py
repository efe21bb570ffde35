"""What an event asks of the outside world: which effects go into the outbox, and which they replace there.

One function a kind of event. Each looks at the incident after the event and yields drafts; numbering, keys and
collapsing are done once, below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from incident import clocks, deliveries, evidence, filing, lookups, messages, verifying
from incident.effects import (
    Ask,
    Brief,
    CloseTicket,
    Effect,
    FindOnCall,
    Invite,
    OpenChannel,
    OpenTicket,
    Page,
    Port,
    Post,
    Publish,
    StoreDocument,
)
from incident.events import Event
from incident.invisible import for_the_public
from incident.model import Incident
from incident.naming import channel_name
from incident.permissions import same_person
from incident.vocabulary import Criterion, Dismissal, Phase, PublicStatus, Severity


class Draft(NamedTuple):
    """One effect before it has a number. `important`: while chat is down it goes out as a page as well.

    `about` is the clock that it speaks of, `stands_for` the number of the effect that it goes another way for.
    """

    ask: Ask
    purpose: str
    collapse: str | None = None
    important: bool = False
    about: str = ""
    stands_for: int | None = None


def after(before: Incident, incident: Incident, event: Event) -> Incident:
    """The incident with what `event` asks for in its outbox."""
    asker = ASKERS.get(event.kind)
    if asker is None:
        return incident
    drafts = list(asker(before, incident, event))
    drafts += other_ways(incident, drafts, first=incident.effect_number + 1)
    if not drafts:
        return incident
    number = incident.effect_number
    outbox = list(incident.outbox)
    for draft in drafts:
        number += 1
        effect = Effect(
            number=number,
            key=f"{incident.id}:{number}",
            ask=draft.ask,
            at=event.at,
            collapse=draft.collapse,
            important=draft.important,
            purpose=draft.purpose,
            about=draft.about,
            stands_for=draft.stands_for,
        )
        outbox = [other for other in outbox if not _replaced(incident, other, effect, event)]
        outbox.append(effect)
    return incident.model_copy(update={"outbox": tuple(outbox), "effect_number": number})


def _replaced(incident: Incident, old: Effect, new: Effect, event: Event) -> bool:
    """While a port is down or paused, a newer message takes the place of one that says less; otherwise each is sent.

    So is one that is being tried, unless its try fails (`evolving`).
    """
    same = new.collapse is not None and old.collapse == new.collapse
    return same and _waits(incident, old.port) and old.number not in event.data.get(deliveries.TRYING, ())


def _waits(incident: Incident, port: Port) -> bool:
    return port in incident.down or port in incident.paused


def other_ways(incident: Incident, drafts: Iterable[Draft], *, first: int) -> Iterator[Draft]:
    """What matters goes another way while chat or the status page is down or paused. `first` is the number that the first draft gets."""
    for number, draft in enumerate(drafts, start=first):
        if isinstance(draft.ask, Post) and draft.important and _waits(incident, Port.CHAT):
            page = _page(incident, _commander_or_on_call(incident), messages.chat_down_page(incident, draft.ask.text), "chat_down")
            yield page._replace(stands_for=number)
        elif isinstance(draft.ask, Publish) and (Port.STATUS in incident.paused or (Port.STATUS in incident.down and incident.edition > 1)):
            yield _publish_by_hand(incident, draft.ask.body, number)


def _publish_by_hand(incident: Incident, body: str, number: int | None) -> Draft:
    """The communications lead is told what should stand on the page; a newer text takes the place of one not yet told."""
    page = _page(incident, _communications(incident), messages.status_page_down(incident, body), "status_down")
    return page._replace(collapse="status_down" if incident.edition > 1 else None, stands_for=number)


def _post(incident: Incident, text: str, purpose: str, *, important: bool = False, collapse: str | None = None) -> Draft:
    return Draft(Post(text=text), purpose, collapse, important)


def _page(incident: Incident, who: tuple[str, str], text: str, purpose: str, *, urgent: bool = True) -> Draft:
    to, role = who
    return Draft(Page(to=to, role=role, urgency="high" if urgent else "low", text=text), purpose, important=urgent)


def _communications(incident: Incident) -> tuple[str, str]:
    return (incident.communications, "communications") if incident.communications else _commander_or_on_call(incident)


def _commander_or_on_call(incident: Incident) -> tuple[str, str]:
    if incident.commander is not None:
        return incident.commander, "commander"
    primary = incident.rule.escalation_chain[0]
    return primary, primary


def _rung(incident: Incident, number: int) -> tuple[str, str]:
    chain = incident.rule.escalation_chain
    role = chain[min(number, len(chain) - 1)]
    return role, role


def _opened(before: Incident, incident: Incident, event: Event) -> Iterator[Draft]:
    """A private incident is told to nobody but whoever is paged for it."""
    if not incident.private:
        yield Draft(Post(room="general", text=messages.opened(incident)), "opened")
    yield from _look_up(incident, event.at)


def _look_up(incident: Incident, now: datetime) -> Iterator[Draft]:
    """Ask monitoring what nobody has answered yet; not twice at once."""
    waiting = any(effect.port is Port.MONITORING for effect in incident.outbox)
    questions = lookups.unanswered(incident)
    if evidence.watched(incident) is not None and incident.open and questions and not waiting:
        yield Draft(lookups.ask(incident, questions, now), "look_up")


def _finding(before: Incident, incident: Incident, event: Event) -> Iterator[Draft]:
    """One message for all that was looked up together."""
    if event.data.get("last"):
        yield _post(incident, lookups.message(incident), "findings", collapse="findings")


def _services_changed(before: Incident, incident: Incident, event: Event) -> Iterator[Draft]:
    if incident.services != before.services and incident.phase.number <= Phase.TRIAGE.number:
        yield from _look_up(incident, event.at)


def _declared(before: Incident, incident: Incident, event: Event) -> Iterator[Draft]:
    yield from _channel(incident)
    if incident.commander is None:
        yield Draft(FindOnCall(roles=incident.rule.commander), "find_commander")
    yield _post(incident, messages.declared(incident, event.at), "declared", important=True)
    yield from _executives(incident, event.at)
    yield from _look_up(incident, event.at)


def _channel(incident: Incident) -> Iterator[Draft]:
    wanted = incident.rule.channel or incident.channel_wanted
    there = incident.channel is not None and incident.among_themselves
    if wanted and not there and not any(isinstance(effect.ask, OpenChannel) for effect in incident.outbox):
        name = channel_name("" if incident.private else incident.title, incident.opened_at.date(), incident.id)
        yield Draft(OpenChannel(name=name, topic=messages.topic(incident), private=incident.private), "channel")


def _executives(incident: Incident, now: datetime) -> Iterator[Draft]:
    if incident.rule.notify_executives_within is not None and incident.executives_told_at is None:
        yield Draft(Post(room="stakeholders", text=messages.executives(incident, now)), "executives", collapse="executives", important=True)


def _severity_changed(before: Incident, incident: Incident, event: Event) -> Iterator[Draft]:
    if incident.severity is None:
        return  # nothing is declared yet: who is paged changes, and there is nobody else to tell
    yield from _channel(incident)
    was = Severity(event.data["before"])
    yield _post(incident, messages.severity_changed(incident, was, event.data["reason"]), "severity", important=True)
    if incident.severity.rank < was.rank:
        yield from _executives(incident, event.at)
        if incident.commander is None:
            yield Draft(FindOnCall(roles=incident.rule.commander), "find_commander")


def _role_assigned(before: Incident, incident: Incident, event: Event) -> Iterator[Draft]:
    yield _post(incident, messages.role_assigned(incident, event.data["role"], event.data["person"]), "role")
    as_role = event.data.get("as")
    if as_role is not None and as_role != incident.rule.escalation_chain[0]:
        yield _page(incident, (event.data["person"], as_role), messages.commander_page(incident, as_role), "commander")


def _role_unfilled(before: Incident, incident: Incident, event: Event) -> Iterator[Draft]:
    yield _page(incident, _rung(incident, 1), messages.no_commander_page(incident), "no_commander")


def _phase_entered(before: Incident, incident: Incident, event: Event) -> Iterator[Draft]:
    if incident.phase is Phase.TRIAGE:
        yield _post(incident, messages.triage_questions(incident), "triage")
        yield from _look_up(incident, event.at)


def _internal_update(before: Incident, incident: Incident, event: Event) -> Iterator[Draft]:
    yield _post(incident, messages.internal_update(incident), "update", collapse="internal_update")


def _external_update(before: Incident, incident: Incident, event: Event) -> Iterator[Draft]:
    update = incident.external_update
    if update is not None:
        status = update.status or _public_status(incident)
        purpose = "status_resolved" if status is PublicStatus.RESOLVED else "status"
        yield _publish(incident, status, messages.public_body(incident, update.text), purpose)


def _public_status(incident: Incident) -> PublicStatus:
    if incident.phase is Phase.POST_INCIDENT:
        return PublicStatus.RESOLVED
    if incident.phase is Phase.RESOLUTION:
        return PublicStatus.MONITORING
    return PublicStatus.IDENTIFIED if incident.hypotheses or incident.mitigations else PublicStatus.INVESTIGATING


def _publish(incident: Incident, status: PublicStatus, body: str, purpose: str) -> Draft:
    clock = incident.clocks.get(clocks.EXTERNAL_UPDATE)
    services = incident.public_services if incident.private else incident.services
    ask = Publish(
        title=for_the_public(incident.title).strip() or incident.id,
        status=status,
        severity=incident.severity or incident.presumed_severity,
        body=body,
        components=tuple(name for service in services if (name := for_the_public(service).strip())),
        next_update_by=clock.due if clock is not None and clock.open else None,
    )
    return Draft(ask, purpose, collapse="status")


def _mitigation_proposed(before: Incident, incident: Incident, event: Event) -> Iterator[Draft]:
    yield _post(incident, messages.mitigation_in_progress(incident), "mitigation", important=True)


def _mitigation_told(before: Incident, incident: Incident, event: Event) -> Iterator[Draft]:
    yield _post(incident, messages.told(incident, event), event.kind)


def _criterion_withdrawn(before: Incident, incident: Incident, event: Event) -> Iterator[Draft]:
    by_itself = verifying.judges(incident, Criterion(event.data["criterion"]))
    text = messages.verification_restarts(incident, event.data["reason"], by_itself=by_itself)
    yield _post(incident, text, "verification", collapse="verification")


def _verification_passed(before: Incident, incident: Incident, event: Event) -> Iterator[Draft]:
    yield _post(incident, messages.verification_passed(incident), "verification", collapse="verification")


def _alert(before: Incident, incident: Incident, event: Event) -> Iterator[Draft]:
    firing_again = any(item.get("firing") for item in event.data["alerts"])
    if incident.phase is Phase.POST_INCIDENT and firing_again:
        yield _page(incident, _commander_or_on_call(incident), messages.fires_again_page(incident, event.text), "fires_again")


def _merged(before: Incident, incident: Incident, event: Event) -> Iterator[Draft]:
    """The other incident's room and page go on; tickets of what moved there are closed here, new ones are open there."""
    yield Draft(Post(room="incident" if incident.channel else "general", text=messages.told(incident, event)), event.kind, None, True)
    for item in before.action_items:
        if item.open:
            yield Draft(CloseTicket(ref=item.id, note=event.text), "action_item_moved")
    if incident.status_page_at is not None:
        yield _publish(incident, PublicStatus.RESOLVED, messages.public_merging(event.data.get("title", "")), "status_resolved")


def _absorbed(before: Incident, incident: Incident, event: Event) -> Iterator[Draft]:
    yield _post(incident, messages.told(incident, event), event.kind, important=True)
    if before.status_page_at is None and incident.external_update is not None:
        status = incident.external_update.status or _public_status(incident)
        yield _publish(incident, status, messages.public_body(incident, incident.external_update.text), "status")


def _resolved(before: Incident, incident: Incident, event: Event) -> Iterator[Draft]:
    yield _post(incident, messages.resolved(incident), "resolved", important=True)
    if _public_hears_the_end(incident):
        yield _publish(incident, PublicStatus.RESOLVED, messages.public_resolution(incident), "status_resolved")


def _public_hears_the_end(incident: Incident) -> bool:
    """Whoever was told of it is told how it ends; of a private incident only who was told before it was."""
    if incident.private:
        return incident.public_since is not None
    return incident.customer_facing or incident.status_page_at is not None


def _restricted(before: Incident, incident: Incident, event: Event) -> Iterator[Draft]:
    """It moves to a channel of its own; the public entry, where there is one, promises no more until the end."""
    if incident.declared_at is not None:
        yield from _channel(incident)
        yield _post(incident, messages.told(incident, event), "restricted")
    if incident.public_since is not None and incident.resolved_at is None:
        yield _silence(incident)
    to_be_told = any(isinstance(effect.ask, Publish) for effect in (*before.outbox, *before.unsent))
    if incident.edition > 2 and (to_be_told or incident.public_since is not None):
        text = messages.public_no_more(incident)
        yield _page(incident, _communications(incident), text, "public_no_more")


def _silence(incident: Incident) -> Draft:
    status = (incident.external_update.status if incident.external_update else None) or _public_status(incident)
    return _publish(incident, status, messages.public_silence(incident), "status")


def _delivered(before: Incident, incident: Incident, event: Event) -> Iterator[Draft]:
    """A public update that was under way when the incident was made private has arrived: it is left with no promise, or closed."""
    taken_back = all(effect.number != event.data["number"] for effect in before.outbox)
    if incident.edition > 1 and incident.private and taken_back and event.data["port"] == Port.STATUS:
        ended = incident.resolved_at is not None or not incident.open
        over = _publish(incident, PublicStatus.RESOLVED, messages.public_resolution(incident), "status_resolved")
        yield over if ended else _silence(incident)


def _invited(before: Incident, incident: Incident, event: Event) -> Iterator[Draft]:
    if incident.private and incident.declared_at is not None:
        yield _post(incident, messages.told(incident, event), "invited")


def _reopened(before: Incident, incident: Incident, event: Event) -> Iterator[Draft]:
    text = messages.reopened(incident, event.data["reason"])
    yield _post(incident, text, "reopened", important=False)
    yield _page(incident, _commander_or_on_call(incident), text, "reopened")
    if _public_hears_the_end(incident):
        yield _publish(incident, PublicStatus.INVESTIGATING, messages.public_reopening(incident), "status")


def _dispatched(before: Incident, incident: Incident, event: Event) -> Iterator[Draft]:
    dispatch = incident.dispatches[-1]
    severity = incident.severity.value if incident.severity else "not declared"
    yield Draft(
        Brief(
            dispatch=dispatch.id,
            specialist=dispatch.specialist,
            incident=f"{incident.id}: {incident.title}",
            severity=severity,
            current_status=messages.current_status(incident),
            request=dispatch.request,
            private=incident.private,
        ),
        "dispatch",
    )


def _action_item_added(before: Incident, incident: Incident, event: Event) -> Iterator[Draft]:
    item = incident.action_items[-1]
    yield Draft(OpenTicket(ref=item.id, **dict(filing.words(incident, item))), "action_item")


def _action_item_changed(before: Incident, incident: Incident, event: Event) -> Iterator[Draft]:
    change = filing.change(before, incident, event)
    if change is not None:
        yield Draft(change, "action_item_changed")
    owners = {each.id: each.owner for each in before.action_items}
    item = next(each for each in incident.action_items if each.id == event.data["id"])
    if not same_person(item.owner, owners[item.id]):
        text = messages.action_item_handed_over(incident, item, event.by)
        yield _post(incident, text, "action_item_owner")
        if not same_person(item.owner, event.by):
            yield _page(incident, (item.owner, "owner"), text, "action_item_owner", urgent=False)


def _action_item_completed(before: Incident, incident: Incident, event: Event) -> Iterator[Draft]:
    if not event.data.get("elsewhere"):
        yield Draft(CloseTicket(ref=event.data["id"], note=event.text), "action_item_done")


def _drift(before: Incident, incident: Incident, event: Event) -> Iterator[Draft]:
    text, collapse = messages.told(incident, event), f"drift:{event.data['name']}"
    if event.data["name"] == "channel":
        # Nobody would read it there.
        yield _page(incident, _commander_or_on_call(incident), text, "drift")._replace(collapse=collapse)
    else:
        yield _post(incident, text, "drift", collapse=collapse)


def _told(before: Incident, incident: Incident, event: Event) -> Iterator[Draft]:
    yield _post(incident, messages.told(incident, event), event.kind)


def _postmortem_filed(before: Incident, incident: Incident, event: Event) -> Iterator[Draft]:
    yield Draft(StoreDocument(name="postmortem.md", content=incident.postmortem or ""), "postmortem", collapse="postmortem")
    yield _post(incident, messages.told(incident, event), "postmortem_filed")


def _retrospective_scheduled(before: Incident, incident: Incident, event: Event) -> Iterator[Draft]:
    yield from _told(before, incident, event)
    if incident.policy.invitations and incident.retrospective_at is not None:
        title = f"Retrospective: {incident.id}" if incident.private else f"Retrospective: {incident.id} {incident.title}"
        people = tuple(dict.fromkeys((*incident.roles.values(), *incident.members)))
        text = messages.retrospective()
        yield Draft(Invite(title=title, text=text, at=incident.retrospective_at, people=people), "retrospective", collapse="retrospective")


def _dismissed(before: Incident, incident: Incident, event: Event) -> Iterator[Draft]:
    reason = event.data["reason"]
    if incident.channel is not None or not incident.private:
        yield Draft(Post(room="incident" if incident.channel else "general", text=messages.dismissed(incident, reason)), "dismissed")
    if incident.outcome in (Dismissal.NOT_PRODUCTION.value, "ticket"):
        body = messages.ticket_body(incident, reason)
        yield Draft(OpenTicket(ref="dismissed", title=f"{incident.id}: {incident.title}", body=body), "ticket")
    told_publicly = incident.public_since if incident.private else incident.status_page_at
    if told_publicly is not None:
        yield _publish(incident, PublicStatus.RESOLVED, messages.public_dismissal(incident), "status_resolved")


def _reminder(before: Incident, incident: Incident, event: Event) -> Iterator[Draft]:
    clock = incident.clocks[event.data["clock"]]
    if clock.name.startswith(clocks.ACTION_ITEM) or clock.name == clocks.POSTMORTEM:
        page = _page(incident, (clock.owner, clock.owner), messages.reminder(incident, clock, event.at), "reminder", urgent=False)
        yield page._replace(about=clock.name)
    else:
        post = _post(incident, messages.reminder(incident, clock, event.at), "reminder", collapse=f"reminder:{clock.name}")
        yield post._replace(about=clock.name)


def _overdue(before: Incident, incident: Incident, event: Event) -> Iterator[Draft]:
    """One escalation a miss: first to whoever owes it, then up the chain.

    Resolving in time is no message that somebody forgot: its owner is at it, so that the first miss goes up the chain already.
    """
    clock = incident.clocks[event.data["clock"]]
    text = messages.overdue(incident, clock, event.at)
    if clock.name == clocks.ACKNOWLEDGE:
        yield Draft(Post(room="general", text=text), "overdue", important=True, about=clock.name)
        return
    patient = clock.name.startswith(clocks.ACTION_ITEM) or clock.name in (clocks.POSTMORTEM, clocks.CHANGE_DOCUMENTATION)
    patient = patient or clock.name.startswith(f"{clocks.DRIFT}ticket:")
    if clock.name == clocks.RESOLUTION and incident.edition > 7:
        asked = _rung(incident, clock.times_missed)
    else:
        asked = _asked(incident, clock.owner, clock.times_missed, patient=patient)
    yield _page(incident, asked, text, "overdue", urgent=not patient)._replace(about=clock.name)


def _asked(incident: Incident, owner: str, times: int, *, patient: bool) -> tuple[str, str]:
    if times <= 1:
        return _owning(incident, owner)
    if patient:
        return _commander_or_on_call(incident) if times == 2 else ("manager", "manager")
    if times == 2 and owner != incident.commander and incident.commander is not None:
        return incident.commander, "commander"
    return _rung(incident, times - 1)


def _owning(incident: Incident, owner: str) -> tuple[str, str]:
    """Whoever owes it, and as what; a role that nobody holds yet is owed by whoever is on call."""
    if owner == "commander":
        return _commander_or_on_call(incident)
    if owner == incident.commander:
        return owner, "commander"
    return owner, "communications" if owner == incident.communications else "owner"


def _parked(before: Incident, incident: Incident, event: Event) -> Iterator[Draft]:
    """A port went down: whoever relied on it is told another way, once."""
    port = Port(event.data["port"])
    if port in before.down or port in incident.paused:
        return
    waiting = _unspoken(incident, port)
    if port is Port.CHAT:
        told = [effect for effect in waiting if effect.important] or waiting[:1]
        if incident.edition < 2:
            told = told[:1]
        yield from (_in_chats_place(incident, effect) for effect in told if isinstance(effect.ask, Post | OpenChannel))
    elif port is Port.STATUS:
        yield from _newest_by_hand(incident, waiting)
        if not waiting and incident.edition < 2:
            yield _publish_by_hand(incident, "", None)
    else:
        yield Draft(Post(room="incident", text=messages.port_down(incident, port, event.data["error"])), "port_down", f"down:{port.value}")


def _unspoken(incident: Incident, port: Port) -> list[Effect]:
    """What waits for a port and has not been told another way: down and then paused, or the other way round, is told once."""
    waiting = [effect for effect in incident.outbox if effect.port is port]
    if incident.edition < 2:
        return waiting
    spoken = {effect.stands_for for effect in incident.outbox}
    spoken |= {each.stands_for for each in incident.settled if each.state == "delivered"}
    return [effect for effect in waiting if effect.number not in spoken]


def _in_chats_place(incident: Incident, effect: Effect) -> Draft:
    text = effect.ask.text if isinstance(effect.ask, Post) else messages.topic(incident)
    page = _page(incident, _commander_or_on_call(incident), messages.chat_down_page(incident, text), "chat_down")
    return page._replace(stands_for=effect.number)


def _undeliverable(before: Incident, incident: Incident, event: Event) -> Iterator[Draft]:
    number = event.data["number"]
    text = messages.undeliverable(incident, event.text, number)
    port = Port(event.data["port"])
    if port is Port.CHAT:
        if event.data.get("important") or event.data["action"] == "open_channel":
            yield _page(incident, _commander_or_on_call(incident), text, "undeliverable")._replace(stands_for=number)
        return
    yield _post(incident, text, "undeliverable")
    refused = next((effect for effect in before.outbox if effect.number == number), None)
    if refused is None or incident.edition < 2:
        return
    if isinstance(refused.ask, Publish) and deliveries.newer(incident, refused) is not None:
        return
    if isinstance(refused.ask, Page):
        following = _next_person(incident, refused.ask)
        if following is not None:
            told = messages.passed_on(refused.ask.text, refused.ask.to)
            passed = _page(incident, following, told, refused.purpose, urgent=refused.ask.urgency == "high")
            yield passed._replace(about=refused.about, stands_for=number)
    elif isinstance(refused.ask, Publish):
        yield _publish_by_hand(incident, refused.ask.body, number)


def _next_person(incident: Incident, page: Page) -> tuple[str, str] | None:
    """Who is paged where somebody can't be: up the escalation chain; what can wait goes to the commander. None at its end."""
    if page.urgency == "low":
        commander = incident.commander
        return (commander, "commander") if commander is not None and page.to != commander and page.role != "commander" else None
    chain = incident.rule.escalation_chain
    rung = chain.index(page.role) + 1 if page.role in chain else 0
    return (chain[rung], chain[rung]) if rung < len(chain) else None


def _waived(before: Incident, incident: Incident, event: Event) -> Iterator[Draft]:
    """The ticket of an action item that is let go is closed, with the reason; else it would be worked on, or contradict us."""
    name = event.data["obligation"]
    if incident.edition > 1 and name.startswith(clocks.ACTION_ITEM):
        yield Draft(CloseTicket(ref=name.removeprefix(clocks.ACTION_ITEM), note=event.text), "action_item_waived")


def _channel_paused(before: Incident, incident: Incident, event: Event) -> Iterator[Draft]:
    """What matters of that which waits goes another way; a pause that is only prolonged is told in the room alone."""
    port = Port(event.data["port"])
    if port in before.paused:
        return
    waiting = _unspoken(incident, port)
    if port is Port.CHAT:
        yield from (_in_chats_place(incident, effect) for effect in waiting if effect.important)
        return
    yield _post(incident, messages.told(incident, event), "channel_paused", collapse=f"paused:{port.value}")
    if port is Port.STATUS:
        yield from _newest_by_hand(incident, waiting)


def _newest_by_hand(incident: Incident, unspoken: list[Effect]) -> Iterator[Draft]:
    """What the status page should say last; nothing where that has been told, since all that is older would contradict it."""
    newest = next((effect for effect in reversed(incident.outbox) if isinstance(effect.ask, Publish)), None)
    if newest is not None and newest in unspoken and isinstance(newest.ask, Publish):
        yield _publish_by_hand(incident, newest.ask.body, newest.number)


def _channel_resumed(before: Incident, incident: Incident, event: Event) -> Iterator[Draft]:
    yield _post(incident, messages.told(incident, event), "channel_resumed", collapse=f"paused:{event.data['port']}")


def _paging_failed(before: Incident, incident: Incident, event: Event) -> Iterator[Draft]:
    yield Draft(Post(room="general", text=messages.told(incident, event)), "paging_failed", collapse="paging_failed", important=False)


ASKERS: dict[str, Callable[[Incident, Incident, Event], Iterator[Draft]]] = {
    "opened": _opened,
    "alert": _alert,
    "flapping": _alert,
    "related": _told,
    "unrelated": _told,
    "merge_failed": _told,
    "merged": _merged,
    "absorbed": _absorbed,
    "described": _services_changed,
    "finding": _finding,
    "finding_corrected": _told,
    "declared": _declared,
    "severity_changed": _severity_changed,
    "role_assigned": _role_assigned,
    "role_unfilled": _role_unfilled,
    "phase_entered": _phase_entered,
    "internal_update": _internal_update,
    "external_update": _external_update,
    "mitigation_proposed": _mitigation_proposed,
    "mitigation_approved": _mitigation_told,
    "mitigation_finished": _mitigation_told,
    "criterion_withdrawn": _criterion_withdrawn,
    "verification_passed": _verification_passed,
    "resolved": _resolved,
    "reopened": _reopened,
    "dispatched": _dispatched,
    "report_filed": _told,
    "retrospective_scheduled": _retrospective_scheduled,
    "action_item_added": _action_item_added,
    "action_item_changed": _action_item_changed,
    "action_item_completed": _action_item_completed,
    "waived": _waived,
    "drift": _drift,
    "channel_paused": _channel_paused,
    "channel_resumed": _channel_resumed,
    "postmortem_filed": _postmortem_filed,
    "dismissed": _dismissed,
    "restricted": _restricted,
    "delivered": _delivered,
    "invited": _invited,
    "closed": _told,
    "reminder": _reminder,
    "overdue": _overdue,
    "parked": _parked,
    "undeliverable": _undeliverable,
    "paging_failed": _paging_failed,
}

__all__ = ["ASKERS", "after"]
