"""What is asked of the register of incidents, and what it answers.

The register gives each incident its number and remembers which incident a key or an alert group belongs to.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from incident.alerts import AlertInput
from incident.commands import Open
from incident.policy import Policy
from incident.queries import Query
from incident.vocabulary import Severity


class Registration(BaseModel):
    """Open an incident, or find the one that this request (by `key`) or this alert group already has.

    `episode_at` is when the earliest alert in it began to fire: a group whose incident was closed after that
    belongs to that incident still. `policy` is the one in force; the incident keeps it. `queries` are what verification
    measures beside the policy's own. `find_only`: open nothing.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    key: str = Field(min_length=1, max_length=300)
    request: Open
    source: Literal["alert", "report"] = "report"
    group: str | None = None
    episode_at: datetime | None = None
    find_only: bool = False
    presumed: Severity | None = None
    alerts: tuple[AlertInput, ...] = ()
    policy: Policy | None = None
    queries: tuple[Query, ...] = ()


class Registered(BaseModel):
    """The incident that the request has, None where it has none and asked to find one only.

    `new`: it was opened by this request. `open`: it still takes alerts; else `closed_at` says since when not, where that is known.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    incident: str | None
    new: bool
    open: bool = True
    closed_at: datetime | None = None


class Closed(BaseModel):
    """An incident's word to the register that it takes no more alerts."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    incident: str
    at: datetime
