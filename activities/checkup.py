"""A look at an outside system, as Temporal sees it: from the worker, where the credentials are and the calls are made."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

from temporalio import activity

from incident.checkup import Checkup
from integrations.ports import Checkable

_DOCTOR = re.compile(r"; `tocsin doctor` (tries it|looks)")
"""What errors say to everybody else."""


class CheckupActivities:
    """Look whether the adapters of one port can be used."""

    def __init__(self, adapters: Sequence[Checkable]) -> None:
        self._adapters = tuple(adapters)

    @activity.defn(name="check")
    async def check(self) -> Checkup:
        """All at once: one that does not answer takes the time of none."""
        found = await asyncio.gather(*(adapter.check() for adapter in self._adapters))
        return Checkup(found=tuple(each.model_copy(update={"detail": _DOCTOR.sub("", each.detail)}) for each in found))
