"""Changes of behaviour that histories of before must not meet (`workflow.patched`): each with what it changed, and when its id may go.

Whether an incident does something new outside depends on the edition that it began with (`incident.model.EDITION`).
"""

from __future__ import annotations

ONE_KEY_ONE_REQUEST = "one-key-one-request"
"""A signal under a key that was spent on something else is on record as invalid; it was dropped without a word (2026-11)."""

FILLED_POSTMORTEM = "filled-postmortem"
"""A post-mortem that still holds the template's placeholders is refused; only its summary and root cause were looked at (2026-11)."""

EPISODES_BY_ALERT = "episodes-by-alert"
"""A firing alert that a closed incident never heard of is news, also where it began before another of its group (2026-11).

It may go once the register has continued as new under this version, and no incident of before is running.
"""

MERGED_ALREADY = "merged-already"
"""Who asks for a merge that is under way, or done, is told that it is so; it was a refusal on record (2026-11).

It may go once no incident of before is running.
"""

SUGGESTIONS_WITHDRAWN = "suggestions-withdrawn"
"""The register tells open incidents that another one, which was suggested to them, has ended.

It may go once the register has continued as new under this version.
"""

CALM_IS_HELD = "calm-is-held"
"""What an alert says once it flaps no more is held back by planned work as any other word; it went past it (2026-11).

It may go with `ALERTS_IN_WAVES`.
"""

CLOCKS_AHEAD = "clocks-ahead"
"""An alert that begins later than now begins now; it hid every outage of its group until then (2026-11).

It may go with `ALERTS_IN_WAVES`.
"""

AHEAD_IN_ORDER = "ahead-in-order"
"""Words of a clock that is ahead are told in that clock's order; an earlier one that came again was taken for news (2026-12).

It may go with `ALERTS_IN_WAVES`.
"""

ALERTS_IN_WAVES = "alerts-in-waves"
"""An alert group hands more than one signal's worth of alerts to its incident at once, no longer one signal after the other.

It may go once no alert group of 0.1.0 is running: they end a quarter of an hour after their last alert has.
"""

FEW_SIGNALS = "few-signals"
"""Alerts go on in fewer and larger signals, and in none that the server would refuse for its size (2026-12).

It may go with `ALERTS_IN_WAVES`, and in the register once that has continued as new under this version.
"""

BOUNDED_HANDOVERS = "bounded-handovers"
"""Alerts that a merge hands over, that go back to their group, and that wait while the register goes on in a new run are bounded by
their size as well as their number; those of one message make several entries where they are very many (2026-12).

It may go once no incident of before is running, and in the register once that has continued as new under this version.
"""

PAUSES_END = "pauses-end"
"""A channel's pause ends by itself when its time is over; somebody was reminded of it, and it stayed (2026-11).

It may go once no `Channels` of before is running: it ends with its last pause.
"""

ONE_OWNER = "one-owner"
"""A closed incident hands its parked deliveries over with its action items; the two were seen to side by side (2026-11).

It may go once no incident of before is running.
"""

READ_CHANNELS_BACK = "2026-11-read-channels-back"
"""A round of reading back also looks at channels. A round takes two minutes: it may go with the next version."""

TRIES_CUT_SHORT = "tries-cut-short"
"""Before the next run, a try that takes too long is cut short and handed on; everything was held back until it ended (2026-11).

It may go once no incident and no follow-up of before is running.
"""

SUGGESTED_ASIDE = "suggested-aside"
"""Whoever opens an incident does not wait until those that it may belong to have heard of it (2026-12).

It may go once the register has continued as new under this version.
"""
