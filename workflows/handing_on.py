"""Alerts on their way from workflow to workflow: how many of them the next signal takes."""

from __future__ import annotations

from collections.abc import Sequence

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from incident import parcels
    from workflows import options


def few(waiting: Sequence[parcels.Wire], patch: str, before: int | None = None) -> int:
    """How many of the alerts that wait go next: by number and by size, or as many as it was `before` the `patch`.

    The patch is asked about only where it makes a difference. None: all of them went at once.
    """
    found = parcels.first(waiting[: options.ALERTS_A_SIGNAL], options.ALERTS_A_SIGNAL, options.BYTES_A_SIGNAL)
    earlier = len(waiting) if before is None else min(len(waiting), before)
    return found if found == earlier or workflow.patched(patch) else earlier
