"""`/analytics`: how incidents went, every number with the incidents behind it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from pydantic import ValidationError

from incident.analytics import DUTIES, MILESTONES, behind
from incident.commands import problems
from incident.vocabulary import Severity
from starter.analytics import Asked, Records
from starter.problems import Invalid, Unknown
from starter.web.dots import chart
from starter.web.rendering import page

PERIODS = ((7, "7 days"), (30, "30 days"), (90, "90 days"), (365, "a year"), (0, "all time"))


def router(records: Records) -> APIRouter:
    router = APIRouter()

    @router.get("/analytics")
    async def show_analytics(
        request: Request,
        days: str = "90",
        severity: str = "",
        service: str = "",
        behind_number: Annotated[str, Query(alias="behind")] = "",
    ) -> HTMLResponse:
        """The page; a form's empty field is no filter."""
        asked = _asked(days, severity, service)
        made = await records.report(asked, datetime.now(UTC))
        found = behind(made, behind_number) if behind_number else []
        if found is None:
            raise Unknown(f"There is no number {behind_number[:60]!r} on this page.")
        return page(
            request,
            "analytics.html",
            made=made,
            asked=asked,
            query=_query(asked),
            address=lambda **more: "/analytics?" + urlencode({**_query(asked), **more}),
            csv="/api/v1/analytics.csv?" + urlencode(_query(asked)),
            charts={name: chart(made["rows"], name) for name in MILESTONES},
            milestones=list(MILESTONES),
            duties=list(DUTIES),
            severities=[one.value for one in Severity],
            periods=PERIODS,
            behind=behind_number,
            behind_name=_named(behind_number),
            behind_rows=[row for row in (*made["rows"], *made["left_out"]) if row["incident"] in set(found)],
        )

    return router


def _named(number: str) -> str:
    """What a number's name means, in words."""
    kind, _, name = number.partition(":")
    name = "post-mortem" if name == "postmortem" else name.replace("_", " ")
    if kind in MILESTONES:
        return f"time to {kind}" + (f", {name.partition(':')[2]}" if name else "")
    said = {
        "all": "all that are counted",
        "open": "open incidents",
        "drills": "drills, which are left out",
        "no-incident": "what was no incident, and is left out",
        "without-details": "known by their times only",
        "severity": name,
        "service": name,
        "due": f"{name} was due",
        "late": f"{name} was late",
        "refused": f"refused as {name}",
        "items": "action items" if name == "total" else f"{name} action items",
    }
    return said.get(kind, number)


def _asked(days: str, severity: str, service: str) -> Asked:
    try:
        return Asked.model_validate({"days": days or 90, "severity": severity or None, "service": service or None})
    except ValidationError as error:
        raise Invalid(problems(error)) from error


def _query(asked: Asked) -> dict[str, Any]:
    said: dict[str, Any] = {"days": asked.days}
    if asked.severity is not None:
        said["severity"] = asked.severity.value
    if asked.service is not None:
        said["service"] = asked.service
    return said
