"""Changes that workflows which run already must not notice: each id once, with what it brought and when it may go.

Whether an incident does something new depends on the edition that it began with (`incident.model.EDITION`); a patch is for workflows
that have none.
"""

from __future__ import annotations

READ_CHANNELS_BACK = "2026-11-read-channels-back"
"""A round of reading back also looks at channels. A round takes two minutes: it may go with the next version."""
