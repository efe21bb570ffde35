"""No monitoring: whoever asks is told so. Incidents that were opened while one was configured may still ask."""

from __future__ import annotations

from datetime import datetime, timedelta

from incident.evidence import Point
from incident.queries import Query
from integrations.errors import Unavailable
from integrations.ports import FiringAlert

TOLD = "no monitoring is configured (TOCSIN_PROMETHEUS_URL)"


class NoMonitoring:
    """Stands where a monitoring system would."""

    async def firing_alerts(self, services: tuple[str, ...]) -> tuple[FiringAlert, ...]:
        raise Unavailable(TOLD)

    async def measure(self, query: Query, since: datetime, until: datetime, every: timedelta) -> tuple[Point, ...]:
        raise Unavailable(TOLD)
