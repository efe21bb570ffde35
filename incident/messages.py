"""What people read: one function a message.

The first line says how bad, what, and what is asked of the reader; it is all that a lock screen shows. What is not
known is said to be unknown. Times are UTC. Text from outside is data: mentions in it are defused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from incident import clocks
from incident.alerts import AlertInput
from incident.checklists import TRIAGE_QUESTIONS
from incident.commands import LINE_LIMIT, Open
from incident.effects import ChangeTicket, CloseTicket, OpenTicket, Port
from incident.events import MONITORING, Event
from incident.invisible import for_the_public, undirected
from incident.mitigation_options import label
from incident.model import ActionItem, Clock, Incident, Pause
from incident.telling import counted
from incident.vocabulary import Severity

UNKNOWN = "unknown"

CALLED_LIMIT = 100
"""Characters of a title in a first line; mail subjects are cut at 200."""

_MENTION = re.compile(r"<!|@(?=here|channel|everyone|(?:all|room)\b)", re.IGNORECASE)


def plain(text: str) -> str:
    """Text from outside with its mass mentions defused, which would wake people whom nobody meant to wake, and read as it is written."""
    return _MENTION.sub(lambda found: found.group() + "\u200b", undirected(text))


def moment(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC" if at is not None else UNKNOWN


def duration(length: timedelta) -> str:
    """`X hours Y minutes`, as the templates have it."""
    minutes = int(length.total_seconds()) // 60
    hours, minutes = divmod(minutes, 60)
    return f"{hours} hour{'' if hours == 1 else 's'} {minutes} minute{'' if minutes == 1 else 's'}"


def short(length: timedelta) -> str:
    """A length in one unit, or two: `90 s`, `15 min`, `2 h 05 min`, `3 d`."""
    seconds = int(length.total_seconds())
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 7200:
        return f"{seconds // 60} min"
    if seconds < 172_800:
        return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"
    return f"{seconds // 86_400} d"


def _severity(incident: Incident) -> str:
    return incident.severity.value if incident.severity else "not declared"


def _person(name: str | None) -> str:
    return plain(f"@{name.lstrip('@')}") if name else UNKNOWN


def _head(incident: Incident, what: str) -> str:
    return f"{_severity(incident)} {incident.id}: {_called(incident)}. {what}"


def _called(incident: Incident) -> str:
    """The title, short enough that what is asked stands in the first line too: a subject, and a lock screen, end soon."""
    title = incident.title
    return plain(title if len(title) <= CALLED_LIMIT else f"{title[: CALLED_LIMIT - 1].rstrip()}…")


def _next_update(incident: Incident) -> str:
    clock = incident.clocks.get(clocks.INTERNAL_UPDATE)
    return moment(clock.due if clock is not None and clock.open else None)


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"- [ ] {plain(line)}" for line in lines)


def current_status(incident: Incident) -> str:
    """Where things stand, in a line or two."""
    if incident.internal_update is not None:
        return plain(incident.internal_update.text)
    return plain(incident.summary or incident.symptom) or f"{UNKNOWN}; phase: {incident.phase.label}"


def opened(incident: Incident) -> str:
    firing = f" {counted(len(incident.firing), 'alert')} firing." if incident.firing else ""
    if incident.severity is not None:
        where = f"join {incident.channel}" if incident.channel else f"tocsin show {incident.id}"
        return _head(incident, f"Opened and declared; {where}.{firing}")
    return _head(incident, f"Opened in detection; acknowledge it: tocsin ack {incident.id}.{firing}")


def page(incident: Incident) -> str:
    what = plain(incident.symptom or incident.summary or incident.title)
    presumed = _severity(incident) if incident.severity else f"presumed {incident.presumed_severity.value}"
    whole = f"{plain(incident.title)}\n" if len(incident.title) > CALLED_LIMIT else ""
    return (
        f"{presumed} {incident.id}: {_called(incident)}. Acknowledge now: tocsin ack {incident.id}\n{whole}"
        f"Services: {', '.join(map(plain, incident.services)) or UNKNOWN}\n{what}"
    )


def private_notice(incident: Incident) -> str:
    """All that anybody outside a private incident hears of it."""
    return f"{incident.id} is private: those in it have been told, and nothing is asked of anybody else."


def private_ticket(incident: Incident, ask: OpenTicket | ChangeTicket | CloseTicket) -> dict[str, Any]:
    """A board is read by everybody: what is to be done, and why, stands in the incident."""
    where = f"It belongs to a private incident; those in it find it with tocsin show {incident.id}."
    if isinstance(ask, CloseTicket):
        return {"note": where}
    words = {"title": f"{incident.id} {ask.ref}", "body": where}
    if isinstance(ask, ChangeTicket):
        return {**words, "note": where, "was": (*ask.was, *(each.model_copy(update=words) for each in ask.was))}
    return words


def topic(incident: Incident) -> str:
    if incident.private:
        return f"{incident.id}, private"
    return f"{_severity(incident)} {incident.id} {plain(incident.title)}"[:250]


def declared(incident: Incident, now: datetime) -> str:
    """The process's declaration template, every field filled from the incident."""
    channel = incident.channel or (f"being created for {incident.id}" if incident.rule.channel else "none")
    return (
        f"{_head(incident, 'Declared: responders, join here.')}\n\n"
        "**INCIDENT DECLARED**\n\n"
        f"**Severity:** {_severity(incident)}\n"
        f"**Title:** {plain(incident.title)}\n"
        f"**Incident Commander:** {_person(incident.commander)}\n"
        f"**Channel:** {channel}\n\n"
        "**Impact:**\n"
        f"- Services affected: {', '.join(map(plain, incident.services)) or UNKNOWN}\n"
        f"- Users affected: {plain(incident.users_affected) or _percent(incident)}\n"
        f"- Started: {moment(incident.started_at or _first_alert(incident))}\n\n"
        "**Current Status:**\n"
        f"{current_status(incident)}\n\n"
        f"**Next Update:** {_next_update_at(incident, now)}"
    )


def _next_update_at(incident: Incident, now: datetime) -> str:
    clock = incident.clocks.get(clocks.INTERNAL_UPDATE)
    return moment(clock.due) if clock is not None and clock.open else moment(now + incident.rule.internal_update_every)


def _percent(incident: Incident) -> str:
    percent = (incident.factors or {}).get("users_affected_percent")
    return f"{percent:g} %" if isinstance(percent, int | float) and percent else UNKNOWN


def _first_alert(incident: Incident) -> datetime | None:
    return min((alert.starts_at for alert in incident.alerts.values()), default=None)


def executives(incident: Incident, now: datetime) -> str:
    impact = plain(incident.users_affected) or _percent(incident)
    facing = "Customers are affected." if incident.customer_facing else "Not customer-facing as far as is known."
    return (
        f"{_head(incident, 'For your information; nothing is asked of you now.')}\n"
        f"{facing} Services: {', '.join(map(plain, incident.services)) or UNKNOWN}. Users affected: {impact}.\n"
        f"Commander: {_person(incident.commander)}. {current_status(incident)}\n"
        f"Told {moment(now)}; the channel has updates every {short(incident.rule.internal_update_every)}."
    )


def severity_changed(incident: Incident, before: Severity, reason: str) -> str:
    word = "Raised" if incident.severity is not None and incident.severity.rank < before.rank else "Lowered"
    return f"{_head(incident, f'{word} from {before.value}; the clocks follow the new severity.')}\nReason: {plain(reason)}"


def role_assigned(incident: Incident, role: str, person: str) -> str:
    return f"{incident.id}: {_person(person)} is {role}."


def action_item_handed_over(incident: Incident, item: ActionItem, by: str) -> str:
    what = f"{_person(item.owner)}: {item.id} is yours now, due {item.due}: {plain(item.item.splitlines()[0][:200])}."
    return f"{_head(incident, what)} Handed over by {plain(by)}. tocsin action done {incident.id} {item.id}"


def retrospective() -> str:
    """What is asked of whoever is invited."""
    return "Blameless: what happened, what helped, what we change. Read the timeline and the draft of the post-mortem before."


def commander_page(incident: Incident, as_role: str) -> str:
    return (
        f"{_head(incident, 'You are incident commander: take over.')}\n"
        f"As {plain(as_role)}. Channel: {incident.channel or 'being created'}. Next: tocsin next {incident.id}"
    )


def no_commander_page(incident: Incident) -> str:
    chain = " or ".join(incident.rule.commander)
    what = _head(incident, "Nobody commands it: name a commander.")
    return f"{what}\nNobody is on call as {chain}. tocsin role {incident.id} commander PERSON"


def triage_questions(incident: Incident) -> str:
    questions = "\n".join(f"{number}. {question}" for number, question in enumerate(TRIAGE_QUESTIONS, start=1))
    return f"{_head(incident, 'Triage: answer these as you find out.')}\n{questions}"


def internal_update(incident: Incident) -> str:
    update = incident.internal_update
    text = plain(update.text) if update is not None else UNKNOWN
    by = _person(update.by) if update is not None else UNKNOWN
    return f"{_head(incident, f'Update from {by}.')}\n{text}\nNext update: {_next_update(incident)}"


def public_body(incident: Incident, text: str) -> str:
    """What the status page says: the person's own words. When the next update comes stands beside it, as data."""
    return plain(for_the_public(text))


def public_resolution(incident: Incident) -> str:
    return "This incident is resolved. We watched the service for the whole verification period before saying so."


def public_reopening(incident: Incident) -> str:
    return "The problem has come back, and we are working on it again."


def public_silence(incident: Incident) -> str:
    """The last word, until it is over, on an incident that was public and has become private. It promises no next update."""
    return "We are still working on this. We will say here when it is resolved."


def public_no_more(incident: Incident) -> str:
    """For whoever speaks to the public: what becomes of what was said, or was to be. It names nothing, as it may be read by others."""
    asked = f"{_severity(incident)} {incident.id} is private now: tell the public nothing of it, by any way."
    waited = "What waited for the status page is taken back."
    if incident.public_since is None:
        return f"{asked}\n{waited} No entry of it stands there; should a try that was under way arrive, it is left without a promise."
    if incident.resolved_at is not None:
        return f"{asked}\n{waited} The entry that stands there is resolved already."
    return f"{asked}\n{waited} The entry that stands there gets one sentence that promises no next update, and is resolved in the end."


def public_dismissal(incident: Incident) -> str:
    return "We looked into this and found no problem with the service."


def mitigation_in_progress(incident: Incident) -> str:
    """The process's mitigation template."""
    mitigation = incident.mitigation
    if mitigation is None:
        return _head(incident, "No mitigation is under way.")
    ask = "approve it before it begins" if mitigation.blocked_on_approval else "follow along"
    return (
        f"{_head(incident, f'{label(mitigation.option)}: {ask}.')}\n\n"
        "**MITIGATION IN PROGRESS**\n\n"
        f"**Action:** {plain(mitigation.action)}\n"
        f"**Owner:** {_person(mitigation.owner)}\n"
        f"**Started:** {moment(mitigation.started_at)}\n\n"
        "**Verification:**\n"
        f"{_bullets(mitigation.verification)}\n\n"
        "**Rollback Plan:**\n"
        f"{plain(mitigation.rollback_plan)}"
    )


def verification_restarts(incident: Incident, why: str, *, by_itself: bool = False) -> str:
    """`by_itself`: monitoring judges the criterion, and nobody has to confirm it anew."""
    then = "It confirms itself once the measurements show it." if by_itself else "Confirm the criterion anew once it holds."
    return _head(incident, f"Verification starts again: {plain(why)}. {then}")


def verification_passed(incident: Incident) -> str:
    return _head(incident, f"The whole verification period was green: resolve it with tocsin resolve {incident.id}.")


def resolved(incident: Incident) -> str:
    """The process's resolution template."""
    began = incident.started_at or _first_alert(incident) or incident.opened_at
    at = incident.resolved_at
    postmortem = moment(at + incident.rule.postmortem_within) if at is not None else UNKNOWN
    tracked = incident.channel or f"{incident.id} (tocsin action list {incident.id})"
    steps = "".join(f"\n- [ ] {plain(step)}" for step in incident.next_steps)
    return (
        f"{_head(incident, 'Resolved; the post-mortem is next.')}\n\n"
        "**INCIDENT RESOLVED**\n\n"
        f"**Duration:** {duration(at - began) if at is not None else UNKNOWN}\n"
        f"**Resolution Time:** {moment(at)}\n\n"
        "**Root Cause:**\n"
        f"{plain(incident.root_cause) or UNKNOWN}\n\n"
        "**Fix Applied:**\n"
        f"{plain(incident.fix_applied) or UNKNOWN}\n\n"
        "**Next Steps:**\n"
        f"- [ ] RCA scheduled for {postmortem}\n"
        f"- [ ] Action items tracked in {tracked}{steps}\n\n"
        f"**Retrospective:** {moment(incident.retrospective_at) if incident.retrospective_at else 'not scheduled yet'}"
    )


def reopened(incident: Incident, reason: str) -> str:
    return f"{_head(incident, 'Reopened: it is not over, come back.')}\nReason: {plain(reason)}"


def dismissed(incident: Incident, reason: str) -> str:
    words = (incident.outcome or "not an incident").replace("_", " ")
    return f"{_head(incident, f'Dismissed as {words}; nothing is asked of you.')}\nReason: {plain(reason)}"


def ticket_body(incident: Incident, reason: str) -> str:
    return (
        f"{plain(incident.title)}\n\nFrom {incident.id}, opened {moment(incident.opened_at)} by {plain(incident.opened_by)}.\n"
        f"Services: {', '.join(map(plain, incident.services)) or UNKNOWN}\n{plain(incident.summary or incident.symptom)}\n"
        f"Why it is a ticket and no incident: {plain(reason)}"
    )


def told(incident: Incident, event: Event) -> str:
    """An entry of the timeline, as the channel hears of it."""
    return f"{incident.id}: {plain(event.text)}"


def clock_spoke(clock: Clock, now: datetime, *, overdue: bool, late: timedelta | None) -> str:
    """The timeline's sentence for a reminder or a missed deadline. `late`: how much after its time it was noticed."""
    name = clocks.label(clock.name)
    due = clock.due or now
    if overdue:
        again = f", for the {clock.times_missed + 1}. time" if clock.times_missed else ""
        past = f" {short(now - due)} ago" if now - due >= timedelta(seconds=1) else ""
        text = f"{name[0].upper()}{name[1:]} is overdue: it was due{past or ' now'}{again}; {clock.owner} owes it"
    else:
        text = f"{name[0].upper()}{name[1:]} is due in {short(due - now)}; {clock.owner} owes it"
    return text + (f" (noticed late by {short(late)}: nothing was running)" if late is not None else "")


def reminder(incident: Incident, clock: Clock, now: datetime) -> str:
    left = short(clock.due - now) if clock.due is not None and clock.due > now else "no time"
    return _head(
        incident, f"{_person(clock.owner)}: {clocks.label(clock.name)} is due in {left} ({moment(clock.due)}). {_how(incident, clock)}"
    )


def overdue(incident: Incident, clock: Clock, now: datetime) -> str:
    late = short(now - clock.due) if clock.due is not None and now - clock.due >= timedelta(seconds=1) else "just now"
    missed = f", missed {clock.times_missed} times" if clock.times_missed > 1 else ""
    what = f"OVERDUE: {clocks.label(clock.name)}, {late}{missed}; owed by {plain(clock.owner)}. {_how(incident, clock)}"
    return _head(incident, what)


def _how(incident: Incident, clock: Clock) -> str:
    ways = {
        clocks.ACKNOWLEDGE: f"tocsin ack {incident.id}",
        clocks.INTERNAL_UPDATE: f'tocsin update {incident.id} --internal -m "…"',
        clocks.EXTERNAL_UPDATE: f'tocsin update {incident.id} --external -m "…"',
        clocks.STATUS_PAGE: f'tocsin update {incident.id} --external -m "…"',
        clocks.POSTMORTEM: f"tocsin pm file {incident.id} FILE",
        clocks.CHANGE_DOCUMENTATION: f'tocsin approve {incident.id} --note "…"',
        clocks.NOTIFY_EXECUTIVES: "Tell them yourself: the message to the stakeholders has not gone out.",
        clocks.RESOLUTION: "Decide whether it needs more people or a higher severity.",
    }
    if clock.name.startswith(clocks.ACTION_ITEM):
        return f"tocsin action done {incident.id} {clock.name.removeprefix(clocks.ACTION_ITEM)}"
    if clock.name.startswith(clocks.DISPATCH):
        return f"tocsin file-report {incident.id} --id {clock.name.removeprefix(clocks.DISPATCH)} -m …"
    if clock.name.startswith(clocks.DRIFT):
        drift = incident.drifts[clock.name.removeprefix(clocks.DRIFT)]
        return (
            f"Here: {plain(drift.here)}. {drift.system}: {plain(drift.there)}. Mend one of the two, or let it be: "
            f"tocsin waive {incident.id} --obligation {clock.name} --reason …"
        )
    return ways.get(clock.name, f"tocsin show {incident.id}")


def chat_down_page(incident: Incident, text: str) -> str:
    first = text.splitlines()[0][:300]
    return f"{_head(incident, 'Chat can not be reached; the channel does not get this:')}\n{plain(first)}"


def status_page_down(incident: Incident, body: str) -> str:
    what = _head(incident, "The status page can not be reached: tell the public another way.")
    return f"{what}\nThis should stand there:\n{plain(body)}"


def port_down(incident: Incident, port: Port, error: str) -> str:
    return _head(incident, f"{port.value} can not be reached ({plain(error[:200])}); what it is owed is kept and sent later.")


def undeliverable(incident: Incident, text: str, number: int) -> str:
    way = f"tocsin delivery replace {incident.id} {number} (or retry, give-up)"
    return _head(incident, f"Could not be delivered, see to it by hand: {plain(text)}") + f"\n{way}"


def forgotten_pause(pause: Pause, now: datetime) -> str:
    """The page about a channel that is still paused: what waits there reaches nobody."""
    port = pause.port.value
    return (
        f"{port} is still paused, for {short(now - pause.since)}: nothing goes out there. Resume it: tocsin channel resume {port}\n"
        f"Paused by {plain(pause.by)} until {moment(pause.until)}: {plain(pause.reason)}\n"
        f"To keep it paused: tocsin channel pause {port} --reason … --minutes 60"
    )


def pause_over(pause: Pause) -> str:
    """The page about a pause whose time is over."""
    port = pause.port.value
    return (
        f"{port} is not paused any more: its time was over at {moment(pause.until)}, and what waited goes out.\n"
        f"Paused by {plain(pause.by)}: {plain(pause.reason)}\n"
        f"If its vendor is still out: tocsin channel pause {port} --reason … --minutes 60"
    )


def passed_on(text: str, who: str) -> str:
    """A page that somebody else could not be given: its first line stays the one that counts."""
    first, line, rest = text.partition("\n")
    return f"{first}\n{plain(who)} can't be paged, so you are asked.{line}{rest}"


def fires_again_page(incident: Incident, text: str) -> str:
    return f"{_head(incident, f'It fires again: reopen it if it is the same trouble, tocsin reopen {incident.id}.')}\n{plain(text)}"


def opening_for(batch: Sequence[AlertInput]) -> Open:
    """How the first alerts of a group open an incident."""
    first = batch[0]
    services = tuple(dict.fromkeys(name for alert in batch if (name := _line(alert.service))))[:10]
    name, summary = _line(first.name) or "An alert without a name", _line(first.summary)
    title = _line(f"{name}: {summary}" if summary else f"{name} ({services[0]})" if services else name)
    drill = any(alert.labels.get("drill", "").casefold() in {"true", "1", "yes"} for alert in batch)
    facing = any(alert.routed.customer_facing for alert in batch if alert.routed is not None) or None
    return Open(by=MONITORING, title=title, services=services, symptom=summary or None, customer_facing=facing, drill=drill)


def _line(text: str) -> str:
    """Text from monitoring as one line of characters that can be seen."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:LINE_LIMIT].strip()


def not_production_ticket(group: str, batch: Sequence[AlertInput]) -> tuple[str, str]:
    """Title and body of the ticket that an alert outside production becomes."""
    first = batch[0]
    title = f"{first.name} ({first.service or 'no service'}), not in production"[:200]
    lines = "\n".join(f"- {plain(alert.name)}: {plain(alert.summary)} since {moment(alert.starts_at)}" for alert in batch[:20])
    return plain(title), f"Monitoring says, outside production:\n{lines}\n\nGroup: {plain(group[:500])}"


def public_merging(title: str) -> str:
    """What the status page says of an incident whose updates go on under another one."""
    return f"This is part of another problem that we are working on: {plain(for_the_public(title))}. Updates go on there."


def _firing(batch: Sequence[AlertInput]) -> str:
    """Which alerts fire, and that nothing comes of it: `DiskFull fires, and opens no incident`."""
    names = sorted({plain(alert.name) for alert in batch})
    fire = "fires, and opens" if len(names) == 1 else "fire, and open"
    return f"{', '.join(names[:5])} {fire} no incident"


def held_note(group: str, batch: Sequence[AlertInput], name: str, until: datetime) -> str:
    """What the general channel hears of alerts that planned work holds back."""
    return (
        f"Planned maintenance ({plain(name)}): {_firing(batch)} until {moment(until)}. "
        f"What still fires then opens one. Group: {plain(group[:300])}"
    )


def noted(group: str, batch: Sequence[AlertInput]) -> str:
    """What the general channel hears of alerts that the rules want noted."""
    why = next((alert.routed.why for alert in batch if alert.routed is not None), "")
    return f"Noted, by the routing rules ({plain(why)}): {_firing(batch)}. Group: {plain(group[:300])}"


def maintenance_note(group: str, batch: Sequence[AlertInput]) -> str:
    return f"Planned maintenance: {_firing(batch)}. Group: {plain(group[:300])}"
