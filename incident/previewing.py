"""What the public would read if an update were posted now: decided and published by the same rules, and kept nowhere."""

from __future__ import annotations

from datetime import datetime

from incident import lifecycle
from incident.commands import PostUpdate
from incident.effects import Publish
from incident.model import Incident
from incident.refusals import Refusal


def publication(incident: Incident, update: PostUpdate, now: datetime) -> Publish | Refusal:
    """The publication that an external update would be, or the refusal that it would meet."""
    outcome = lifecycle.decide(incident, update, now)
    if isinstance(outcome, Refusal):
        return outcome
    after, _ = lifecycle.record(incident, outcome)
    return next(effect.ask for effect in reversed(after.outbox) if isinstance(effect.ask, Publish))
