"""What is known of one alert's comings and goings: which word on it is news, and whether it flaps.

Monitoring delivers at least once and out of order, and its clock may be off: episodes are compared with each other
by monitoring's own clock, changes are counted by ours.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from incident.routing import Flapping, Value

MOST_CHANGES = 50
"""Times of changes that are kept; no rule looks at more of them."""

MOST_AHEAD = timedelta(days=1)
"""What a clock may be ahead of ours; a beginning that lies further off is a mistake, and orders nothing."""


class Track(Value):
    """One alert so far. `flapping_since` is set while it flaps; `count` says how often it has changed since then and before, in all.

    `said_at` is the beginning that monitoring says, where its clock was ahead of ours: by it, a repeat is known.
    """

    starts_at: datetime
    firing: bool
    changes: tuple[datetime, ...] = ()
    count: int = 0
    flapping_since: datetime | None = None
    said_at: datetime | None = None

    @property
    def flapping(self) -> bool:
        return self.flapping_since is not None

    @property
    def changed_at(self) -> datetime:
        return self.changes[-1]


def heard(
    before: Track | None,
    *,
    firing: bool,
    starts_at: datetime,
    now: datetime,
    rule: Flapping,
    said_at: datetime | None = None,
    in_their_order: bool = True,
) -> Track | None:
    """The track after a word from monitoring; None where the word is no news: known already, or older than what is known.

    `said_at` is given where it was ahead of our clock; the episode then began when it was first heard of. What is ahead keeps
    the order of its own clock (`in_their_order`): arriving once more, an earlier word would be the latest by ours.
    """
    if before is not None:
        if in_their_order and _earlier(said_at, before):
            return None
        if before.said_at is not None and before.said_at == (said_at or starts_at):
            starts_at, said_at = before.starts_at, before.said_at
        if starts_at < before.starts_at or (starts_at == before.starts_at and (firing or not before.firing)):
            return None
        if firing == before.firing:
            # A newer episode of the same: its end was missed, or it was never told to fire.
            return before.model_copy(update={"starts_at": starts_at, "said_at": said_at})
    kept = before.changes if before is not None else ()
    changes = (*(at for at in kept if now - at < rule.within), now)[-MOST_CHANGES:]
    flapping = before is not None and before.flapping
    begins = not flapping and len(changes) >= rule.changes
    count = before.count + 1 if flapping and before is not None else len(changes) if begins else 0
    since = before.flapping_since if flapping and before is not None else now if begins else None
    return Track(starts_at=starts_at, firing=firing, changes=changes, count=count, flapping_since=since, said_at=said_at)


def _earlier(said_at: datetime | None, before: Track) -> bool:
    """Whether a word is older than what is known, by the clock of its sender, which is ahead of ours with both."""
    if said_at is None or before.said_at is None:
        return False
    return said_at < before.said_at <= before.starts_at + MOST_AHEAD


def still(track: Track, now: datetime, rule: Flapping) -> bool:
    """Whether it has not changed for so long that it flaps no more, and need not be remembered while it is silent."""
    return now - track.changed_at >= rule.within


def brief(track: Track) -> Track:
    """The track with the changes that are still asked for: while it flaps, the newest one alone."""
    return track.model_copy(update={"changes": track.changes[-1:]}) if track.flapping else track


def calmed(track: Track) -> Track:
    return track.model_copy(update={"flapping_since": None, "count": 0})
