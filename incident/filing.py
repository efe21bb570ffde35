"""What the tickets of action items say, and how a change of an item is carried to its ticket."""

from __future__ import annotations

from incident.effects import ChangeTicket, OpenTicket, Words
from incident.events import Event
from incident.model import ActionItem, Incident

KEPT = 5
"""Earlier words that still give way, so that a ticket which an earlier change has not reached is recognised as ours."""


def words(incident: Incident, item: ActionItem) -> Words:
    """What the ticket of an action item says."""
    title = f"{incident.id} {item.id}: {item.item.splitlines()[0][:200]}"
    return Words(title=title, body=item.item, owner=item.owner, due=item.due)


def change(before: Incident, incident: Incident, event: Event) -> ChangeTicket | None:
    """What is to be told after a change of an action item. None where its ticket has been refused so far: there is nothing to change."""
    id = event.data["id"]
    new = next(item for item in incident.action_items if item.id == id)
    old = next(item for item in before.action_items if item.id == id)
    if any(isinstance(one.ask, OpenTicket) and one.ask.ref == id for one in incident.unsent):
        return None
    was = [words(incident, old)]
    for effect in (*incident.outbox, *incident.unsent):
        ask = effect.ask
        if isinstance(ask, OpenTicket) and ask.ref == id:
            was += [ask.worded, *(ask.worded.model_copy(update={"body": each.body, "owner": each.owner}) for each in ask.instead_of)]
        elif isinstance(ask, ChangeTicket) and ask.ref == id:
            was += ask.was
    return ChangeTicket(ref=id, **dict(words(incident, new)), note=event.text, was=tuple(dict.fromkeys(was))[:KEPT])
