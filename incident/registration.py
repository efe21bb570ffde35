"""What is asked of the register of incidents, and what it answers.

The register gives each incident its number and remembers which incident a key or an alert group belongs to.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from incident.alerts import AlertInput
from incident.commands import Open
from incident.policy import Policy
from incident.routing import Routed
from incident.vocabulary import Severity


class Registration(BaseModel):
    """Open an incident, or find the one that this request (by `key`) or this alert group already has.

    `episode_at` is when the newest alert in it began to fire. What the group's closed incident knew belongs to that one still:
    each alert of `alerts` where it is on record, else all that began before. `policy` is the one in force; the incident keeps it.

    `connect`: look for open incidents of the same trouble. An alert group whose rules let it joins the open incident of
    its service; others that share a service, or one of `related`, are suggested. `existing_only`: open nothing.
    `gone` is an incident that the register thought open, and that has ended.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    key: str = Field(min_length=1, max_length=300)
    request: Open
    source: Literal["alert", "report"] = "report"
    group: str | None = None
    episode_at: datetime | None = None
    presumed: Severity | None = None
    alerts: tuple[AlertInput, ...] = ()
    policy: Policy | None = None
    routed: Routed | None = None
    related: tuple[str, ...] = ()
    connect: bool = False
    existing_only: bool = False
    gone: str | None = None


class Registrations(BaseModel):
    """Requests that come together; `policy` is that of each which brings none."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    requests: tuple[Registration, ...] = Field(min_length=1)
    policy: Policy | None = None

    def each(self) -> tuple[Registration, ...]:
        """Every request as if it came alone."""
        return tuple(one if one.policy is not None else one.model_copy(update={"policy": self.policy}) for one in self.requests)


class Registered(BaseModel):
    """The incident that the request has, None where it has none and wanted no new one.

    `new`: it was opened by this request. `open`: it still takes alerts. `attached`: it is another group's, or a person's, and
    this group joins it; the register tells it the alerts.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    incident: str | None
    new: bool
    open: bool = True
    attached: bool = False


class Closed(BaseModel):
    """An incident's word to the register that it takes no more alerts.

    `merged_into`: its alert groups belong to that one from now on. `episodes`: the newest firing episode that it was
    told of each alert group, by monitoring's own clock. `alerts`: the same by group and fingerprint, where they are not too many.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    incident: str
    at: datetime
    merged_into: str | None = None
    episodes: dict[str, datetime] = Field(default_factory=dict)
    alerts: dict[str, dict[str, datetime]] = Field(default_factory=dict)


class Takes(BaseModel):
    """An incident's word to the register whether more alert groups of its services may join it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    incident: str
    takes: bool


class About(BaseModel):
    """What the register knows of an open incident, to tell which others may be the same trouble."""

    title: str
    services: tuple[str, ...] = ()
    environment: str = ""
    takes: bool = True


def relation(services: Collection[str], related: Collection[str], others: Collection[str]) -> str | None:
    """Why an incident of `services`, which are `related` to some, may be the same trouble as one of `others`; None where not."""
    shared = [service for service in services if service in others]
    if shared:
        return f"both are of {', '.join(shared[:3])}"
    near = [service for service in related if service in others]
    if near and services:
        return f"{', '.join(list(services)[:3])} and {', '.join(near[:3])} depend on each other"
    return None
