"""A deployment: what an incident's first question, what has changed, is answered from."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from incident.commands import Instant, Line, Text

CLOCKS_APART = timedelta(minutes=5)
"""How far ahead of ours a sender's clock may be. What is dated later than that was not deployed yet, or not then."""


class Deployment(BaseModel):
    """One version of one service that went out. The same `id`, or the same service, environment, version and moment, is the same one."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    service: Line
    version: Line
    at: Instant
    environment: Line = "production"
    by: Line | None = None
    url: Line | None = None
    summary: Text | None = None
    id: Line | None = Field(default=None, description="what the sender calls it; a repeat with the same id adds nothing")
    _said_at: datetime | None = PrivateAttr(default=None)

    def heard(self, now: datetime) -> Deployment:
        """The deployment as if it went out when it was told of, where its sender's clock is ahead of ours.

        By that clock it would be told only of incidents yet to come. A repeat is known by what its sender said.

        Raises:
            ValueError: it is dated further ahead than clocks are apart.
        """
        if self.at <= now:
            return self
        if self.at > now + CLOCKS_APART:
            limit = CLOCKS_APART // timedelta(minutes=1)
            raise ValueError(
                f"{self.at:%Y-%m-%d %H:%M} UTC is more than {limit} minutes in the future: tell of a deployment once it is out"
            )
        heard = self.model_copy(update={"at": now})
        heard._said_at = self.at
        return heard

    @property
    def key(self) -> str:
        at = self._said_at or self.at
        named = (self.service, self.id) if self.id else (self.service, self.environment, self.version, at.isoformat())
        return hashlib.sha256("\x00".join(named).encode()).hexdigest()[:32]
