"""Who is paged while nobody acknowledges: the rungs of the escalation chain, and what became of each page."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from incident import messages
from incident.commands import InvalidInput, problems
from incident.effects import Receipt
from incident.events import SYSTEM, Event
from incident.model import Incident


class OpenPage(BaseModel):
    """A page that its provider keeps open, and goes on paging for, until it is told that somebody has answered."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    pager: str
    reference: str
    role: str


class StandDown(BaseModel):
    """These pages of one incident need no answer any more."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    incident: str
    pages: tuple[OpenPage, ...]


def stays_open(receipt: Receipt, role: str) -> tuple[OpenPage, ...]:
    """The page as it stands at a provider that keeps it open, by the receipt's word; none at all others."""
    if not receipt.detail.get("stays_open"):
        return ()
    return (OpenPage(pager=str(receipt.detail.get("pager", "")), reference=receipt.reference, role=role),)


class PagingInput(BaseModel):
    """One climb up the escalation chain.

    Each rung is a role. `next_rung_after` without an acknowledgement the next one is paged; a rung that lasts
    longer is paged again every `again_after`. On the last rung it goes on until somebody acknowledges.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    incident: str
    number: int
    rungs: tuple[str, ...] = Field(min_length=1)
    next_rung_after: timedelta
    again_after: timedelta
    text: str
    urgent: bool = True
    drill: bool = False
    rung: int = 0
    pages: int = 0
    open_pages: tuple[OpenPage, ...] = Field(default=(), exclude_if=lambda value: not value)


def paging_for(incident: Incident, number: int) -> PagingInput:
    """The climb that the incident's severity asks for."""
    rule = incident.rule
    return PagingInput(
        incident=incident.id,
        number=number,
        rungs=rule.escalation_chain,
        next_rung_after=rule.next_rung_after,
        again_after=min(incident.policy.page_again_after, rule.next_rung_after),
        text=messages.page(incident),
        urgent=(incident.severity or incident.presumed_severity).rank == 1,
        drill=incident.drill,
    )


class PageReport(BaseModel):
    """What became of one page, as the paging tells the incident."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    outcome: Literal["paged", "nobody", "failed", "stopped"]
    role: str = Field(max_length=200)
    person: str | None = Field(default=None, max_length=200)
    rung: int = 0
    key: str = Field(default="", max_length=200)
    error: str = Field(default="", max_length=1_000)
    reference: str = Field(default="", max_length=300)
    pager: str = Field(default="", max_length=100)

    @classmethod
    def read(cls, raw: Any) -> PageReport:
        """Raises InvalidInput for anything that is no report."""
        try:
            return cls.model_validate(raw)
        except ValidationError as error:
            raise InvalidInput(problems(error)) from error

    def event(self, now: datetime) -> Event:
        data = self.model_dump(mode="json", exclude_defaults=True)
        if self.outcome == "stopped":
            return Event(kind="paging_stopped", by=SYSTEM, at=now, text="Paging has stopped", data=data)
        if self.outcome == "paged":
            return Event(kind="paged", by=SYSTEM, at=now, text=f"Paged {self.person} ({self.role})", data=data)
        why = "nobody is on call" if self.outcome == "nobody" else f"the page to {self.person or 'them'} did not go out: {self.error}"
        return Event(
            kind="paging_failed", by=SYSTEM, at=now, text=f"Could not page the {self.role}: {why}; going on to the next", data=data
        )
