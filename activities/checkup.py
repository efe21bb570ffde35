"""A look at an outside system, as Temporal sees it: from the worker, where the credentials are and the calls are made."""

from __future__ import annotations

from collections.abc import Sequence

from temporalio import activity

from incident.checkup import Checked, Checkup
from integrations.ports import Checkable


class CheckupActivities:
    """Look whether the adapters of one port can be used."""

    def __init__(self, adapters: Sequence[Checkable]) -> None:
        self._adapters = tuple(adapters)

    @activity.defn(name="check")
    async def check(self) -> Checkup:
        found: list[Checked] = [await adapter.check() for adapter in self._adapters]
        return Checkup(found=tuple(found))
