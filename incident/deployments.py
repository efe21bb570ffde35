"""A deployment: what an incident's first question, what has changed, is answered from."""

from __future__ import annotations

import hashlib

from pydantic import BaseModel, ConfigDict, Field

from incident.commands import Instant, Line, Text


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

    @property
    def key(self) -> str:
        named = (self.service, self.id) if self.id else (self.service, self.environment, self.version, self.at.isoformat())
        return hashlib.sha256("\x00".join(named).encode()).hexdigest()[:32]
