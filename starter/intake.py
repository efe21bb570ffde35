"""The webhooks' addresses: prove the source, read the post, hand it on; and what was deployed, to be looked up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict

from incident.deployments import Deployment
from incident.routes_file import about
from integrations.monitoring import alertmanager, deployments, generic, grafana, pagerduty
from integrations.monitoring.posted import Posted, Unreadable
from integrations.monitoring.routes_file import RoutesFile
from integrations.paging.pagerduty_answers import answer_of
from integrations.ports import KeptDeployments
from integrations.ticketing.news import TicketPosting
from starter import openapi
from starter.bodies import posted_by_a_machine, whole
from starter.page_answers import PageAnswers
from starter.posts import Posts
from starter.problems import Invalid, Unknown
from starter.ticket_news import READERS as TRACKERS
from starter.ticket_news import TicketDesk
from starter.webhook_keys import Keyring, Source
from starter.webhooks import BODY_LIMIT, Intake

READERS: dict[Source, Callable[[Any, datetime], Posted]] = {
    "alertmanager": lambda body, now: alertmanager.read(body),
    "grafana": lambda body, now: grafana.read(body),
    "pagerduty": lambda body, now: pagerduty.read(body),
    "generic": generic.read,
}

_HELD = "answered 200 only once Temporal holds every alert in it."

TAKEN: dict[Source, tuple[type[BaseModel], str]] = {
    "alertmanager": (alertmanager.Payload, f"Take Alertmanager's version 4 payload: {_HELD}"),
    "grafana": (grafana.GrafanaPayload, f"Take what Grafana's alerting posts: {_HELD}"),
    "pagerduty": (
        pagerduty.PagerDutyPayload,
        "Take one of PagerDuty's events (version 3); what changes nothing is answered 200 too.",
    ),
    "generic": (generic.GenericAlert, "Take one alert, or a list of them under `alerts` (with a `group`, if they belong together)."),
}


class Asked(BaseModel):
    """Which deployments are asked for."""

    model_config = ConfigDict(extra="forbid")

    service: Annotated[str | None, Query(max_length=300)] = None
    environment: Annotated[str | None, Query(max_length=300)] = None
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    limit: Annotated[int, Query(ge=1, le=500)] = 50


def webhooks(
    intake: Intake,
    keyring: Keyring,
    log: KeptDeployments | None,
    rules: RoutesFile,
    answers: PageAnswers | None = None,
    tickets: TicketDesk | None = None,
    posts: Posts | None = None,
) -> APIRouter:
    """Everything that machines post to, and what of it can be looked up.

    `answers` takes what became of our own pages, `tickets` what became of our own tickets; `posts` counts.
    """
    router = APIRouter(tags=["webhooks"])
    posts = posts or Posts()
    if tickets is not None:
        for tracker in TRACKERS:
            router.add_api_route(
                f"/webhooks/{tracker}",
                posts.counting(tracker, _hearing(tracker, tickets, keyring)),
                methods=["POST"],
                operation_id=f"webhook_{tracker}",
                summary=tracker.capitalize(),
                description="Take news of a ticket of ours: closed, opened again or deleted. All else is answered 200 too.",
                responses={401: openapi.NOT_PROVEN, **openapi.WRITES},
                openapi_extra=openapi.takes(TicketPosting, keyed=False),
            )
    for source in READERS:
        model, text = TAKEN[source]
        router.add_api_route(
            f"/webhooks/{source}",
            posts.counting(source, _taking(source, intake, keyring, answers if source == "pagerduty" else None)),
            methods=["POST"],
            operation_id=f"webhook_{source}",
            summary=source.capitalize(),
            description=text,
            responses={401: openapi.NOT_PROVEN, **openapi.WRITES},
            openapi_extra=openapi.takes(model, keyed=False),
        )

    async def take_deployments(request: Request) -> dict[str, Any]:
        now = datetime.now(UTC)
        body, _ = await _proven(request, "deployments", keyring, now)
        try:
            told = deployments.read(posted_by_a_machine(body), now)
        except Unreadable as error:
            raise Invalid(error.problems) from error
        return {"accepted": len(told), "new": await _kept(log).record(told)}

    router.add_api_route(
        "/webhooks/deployments",
        posts.counting("deployments", take_deployments),
        methods=["POST"],
        operation_id="take_deployments_webhooks_deployments_post",
        summary="Take Deployments",
        description="Take one deployment, or a list of them under `deployments`; a repeat adds nothing.",
        responses={401: openapi.NOT_PROVEN, 404: openapi.problem("Deployments are not kept here"), **openapi.WRITES},
        openapi_extra=openapi.takes(Deployment, keyed=False),
    )

    @router.get("/api/v1/deployments", responses={404: openapi.problem("Deployments are not kept here"), 422: openapi.MISTAKEN})
    async def list_deployments(asked: Annotated[Asked, Query()]) -> JSONResponse:
        """What was deployed, the newest first."""
        services = (asked.service,) if asked.service is not None else None
        found = await _kept(log).listed(services, environment=asked.environment, since=asked.since, until=asked.until, limit=asked.limit)
        return JSONResponse({"deployments": [each.model_dump(mode="json") for each in found]})

    @router.get("/api/v1/routes")
    async def show_routes() -> JSONResponse:
        """The routing rules in force, the built-in ones last; `problem` says what is wrong with an edit that is not."""
        return JSONResponse({**about(rules.in_force()), "problem": rules.problem})

    return router


def _kept(log: KeptDeployments | None) -> KeptDeployments:
    if log is None:
        raise Unknown("Deployments are not kept here.")
    return log


def _taking(
    source: Source, intake: Intake, keyring: Keyring, answers: PageAnswers | None
) -> Callable[[Request], Awaitable[dict[str, Any]]]:
    async def take(request: Request) -> dict[str, Any]:
        now = datetime.now(UTC)
        proven, signed = await _proven(request, source, keyring, now)
        body = posted_by_a_machine(proven)
        answer = answer_of(body) if answers is not None else None
        if answers is not None and answer is not None:
            return await answers.take(answer, signed=signed)
        try:
            posted = READERS[source](body, now)
        except Unreadable as error:
            raise Invalid(error.problems) from error
        return await intake.take(posted, now)

    return take


def _hearing(source: Source, tickets: TicketDesk, keyring: Keyring) -> Callable[[Request], Awaitable[dict[str, Any]]]:
    async def hear(request: Request) -> dict[str, Any]:
        body, _ = await _proven(request, source, keyring, datetime.now(UTC))
        return await tickets.take(source, posted_by_a_machine(body))

    return hear


async def _proven(request: Request, source: Source, keyring: Keyring, now: datetime) -> tuple[bytes, bool]:
    """The body of a post whose source is proven: by its headers before anything is read, or else by its signature.

    The second says whether it is as good as signed: so it is by its signature, and where everybody is let in.

    Raises:
        NotProven, TooLarge
    """
    keys = keyring.admit(source, request.headers)
    body = await whole(request, BODY_LIMIT)
    if keys is not None:
        keyring.check(source, keys, request.headers, body, now)
    return body, keys is not None or keyring.lets_in(source)
