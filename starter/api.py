"""The HTTP door: `create_app` puts the desk behind addresses.

Every handler reads its input, calls the desk once and gives back what it answers. What goes wrong is a `Problem`,
raised anywhere below, and told in one place (`telling`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Protocol

import structlog
from fastapi import APIRouter, FastAPI, Header, Path, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from pydantic import BaseModel, ConfigDict
from pydantic_core import to_json
from starlette.types import Scope

from incident.alerts import AlertInput
from incident.analytics import facts, summary
from incident.commands import COMMANDS, Command, Open
from incident.model import Incident
from incident.pictures import sparkline
from incident.vocabulary import Phase
from integrations.monitoring.routes_file import RoutesFile
from integrations.paging.links import AckLinks
from integrations.ports import KeptDeployments
from starter import audit, delivery_api, metrics, openapi, privacy, record_api
from starter.analytics import Records
from starter.backlog import Backlog
from starter.bodies import json_object, json_value, key_of, mended
from starter.channels import ChannelDesk
from starter.chatops.slack import SlackDesk, SlackDoor
from starter.chatops.slack import router as slack_router
from starter.desk import Desk
from starter.drafts import Drafts
from starter.endtoend import EndToEnd, Post
from starter.facts import Ended
from starter.filing import FilePostmortem, Filing
from starter.guard import Guard
from starter.health import Health, Look, report
from starter.identity import routes as identity_routes
from starter.identity.actor import need_to_examine
from starter.identity.arrangement import Arrangement
from starter.identity.entrance import Entrance
from starter.identity.store import Store
from starter.intake import webhooks
from starter.live import Rooms, event_stream
from starter.page_answers import PageAnswerers, PageAnswers
from starter.postmortem import Postmortems
from starter.posts import Posts
from starter.problems import Problem, Refused, Unavailable, Unknown
from starter.reading import Filters
from starter.telling import tell_problems
from starter.ticket_news import TicketDesk
from starter.web import pages, public_preview
from starter.web.headers import SecurityHeaders
from starter.web.rendering import page
from starter.web.status_page import PublicSite, Unread
from starter.webhook_keys import Keyring
from starter.webhooks import Intake

log = structlog.get_logger()

PREFIX = "/api/v1"

Kind = Literal["chat", "status", "tickets", "pages"]
KINDS: dict[str, Kind] = {"chat": "chat", "status": "status", "tickets": "tickets", "pages": "pages"}


class Embedded(Protocol):
    """The read-back side of the embedded integrations: what each has accepted, oldest first."""

    async def delivered(self, kind: Kind) -> list[dict[str, Any]]: ...


@dataclass(frozen=True)
class Door:
    """How one door is set up.

    `user` is who acts where a request does not say. `hosts` are the names by which the door may be asked beside
    the loopback ones. `looks` are what its doctor looks at beside Temporal. `alertmanager` is where its doctor sends a test
    alert; None: in at this door. `arrangement` is how people sign in, and
    `identity` what is kept of them; without it nobody does. `public` is the status page, where this door has one. `who`
    says as whom a request looks at private incidents; by default whoever is signed in, and everybody where nobody does.
    `temporal_ui` is where browsers find Temporal's own UI, where they can.
    `kill_worker` ends the worker of this machine at once, for the drill's step that shows that nothing is lost; None where it is
    not ours to kill. `links` reads the links by which pages are acknowledged from mails.
    `keyring` is what machines that post prove themselves with; by default what the sign-in says. `rules` is where their alerts
    go, and `deployments` what keeps those.
    """

    user: str
    version: str
    hosts: tuple[str, ...] = ()
    looks: tuple[Look, ...] = ()
    alertmanager: Post | None = None
    kill_worker: Callable[[], int] | None = None
    temporal_ui: str | None = None
    namespace: str = "default"
    """Where the incidents live, for links into Temporal's UI."""
    arrangement: Arrangement | None = None
    identity: Store | None = None
    public: PublicSite | None = None
    who: Callable[[Scope], privacy.Viewer] | None = None
    links: AckLinks | None = None
    slack: SlackDoor | None = None
    """How Slack's commands and buttons come in, where they do."""
    keyring: Keyring | None = None
    rules: RoutesFile = field(default_factory=lambda: RoutesFile(None))
    deployments: KeptDeployments | None = None
    answerers: PageAnswerers = field(default_factory=PageAnswerers)
    """Who is who where pages are answered elsewhere."""
    repository: str = ""
    """GitHub's repository that has our tickets, owner/name; empty where this door does not know it."""

    @property
    def signing_in(self) -> Arrangement:
        """How people sign in: not at all, where nothing is arranged."""
        return self.arrangement or Arrangement(user=self.user)

    @property
    def keys(self) -> Keyring:
        """What machines prove themselves with: nothing where nobody signs in, else what the sign-in's settings say."""
        return self.keyring or Keyring(trusting=self.signing_in.mode == "dev", otherwise=self.signing_in.webhook_token)

    @property
    def viewer(self) -> Callable[[Scope], privacy.Viewer]:
        return self.who or (privacy.open_house if self.signing_in.mode == "dev" else privacy.signed_in)


class Since(BaseModel):
    model_config = ConfigDict(extra="forbid")

    since: Annotated[int, Query(ge=0, le=10**9)] = 0


def create_app(
    desk: Desk,
    door: Door,
    embedded: Embedded | None = None,
    *,
    rooms: Rooms | None = None,
    drafts: Drafts | None = None,
    ended: Ended | None = None,
) -> FastAPI:
    """Build the application of one door.

    `embedded` is None where the integrations are somebody else's; `drafts` and `ended` are None where nothing can be kept.
    """
    rooms = rooms or Rooms(desk)
    records = Records(desk, ended)
    postmortems = Postmortems(desk, drafts)
    desk.looks_first[FilePostmortem.verb] = Filing(desk, postmortems).looked_at
    slack = SlackDesk(desk, door.slack, door.signing_in, door.identity) if door.slack is not None else None

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        rooms.close()
        records.close()
        if slack is not None:
            await slack.settle()
        if door.answerers.users is not None:
            await door.answerers.users.close()

    app = FastAPI(
        title="Tocsin",
        version=door.version,
        description="Durable incident response on Temporal. Every command may carry a key; a repeat with the same key is the same request.",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.openapi = lambda: openapi.describe(app)  # type: ignore[method-assign]  # FastAPI's own way to extend it
    requests, posts = metrics.Requests(), Posts()
    channels = ChannelDesk(desk.client, task_queue=desk.task_queue)
    health = Health(desk.client, task_queue=desk.task_queue, more=(channels.look, *door.looks))
    app.include_router(_reads(desk, rooms))
    app.include_router(record_api.router(desk, records, postmortems, door))
    app.include_router(delivery_api.router(desk, channels))
    app.include_router(public_preview.api(desk, door, PREFIX))
    app.include_router(_commands(desk))
    app.include_router(_surroundings(desk, health, requests, posts, embedded))
    app.include_router(_public_files(door))
    if slack is not None:
        app.include_router(slack_router(slack))
    intake = Intake(desk.client, task_queue=desk.task_queue, rules=door.rules.in_force, general_channel=desk.policy.general_channel)
    app.include_router(_end_to_end(EndToEnd(desk, intake, door.alertmanager)))
    answers, tickets = PageAnswers(desk, door.answerers), TicketDesk(desk.client, door.repository)
    app.include_router(webhooks(intake, door.keys, door.deployments, door.rules, answers, tickets, posts))
    app.include_router(identity_routes.router(PREFIX, door.signing_in, door.identity))
    app.include_router(pages(desk, rooms, door, health, records, postmortems, channels))
    app.state.door = door
    arrangement = door.signing_in
    app.add_middleware(privacy.Looking, who=door.viewer)
    app.add_middleware(Entrance, arrangement=arrangement, store=door.identity)
    hosts = (*door.hosts, *arrangement.hosts)
    app.add_middleware(Guard, also=hosts, origin=arrangement.public_url, tokens=door.identity is not None)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(requests.counting)
    tell_problems(app)
    return app


def _reads(desk: Desk, rooms: Rooms) -> APIRouter:
    router = APIRouter(prefix=PREFIX, tags=["reading"])

    @router.get("/incidents", responses={200: {"model": openapi.Listed}, 422: openapi.MISTAKEN, 503: openapi.NOT_NOW})
    async def list_incidents(filters: Annotated[Filters, Query()]) -> JSONResponse:
        """List incidents, the most urgent clock first. Works while no worker runs."""
        return JSONResponse({"incidents": await desk.listing(filters)})

    @router.get("/incidents/{incident}", responses={200: {"model": openapi.State}, **openapi.READS})
    async def show_incident(incident: str) -> JSONResponse:
        """The whole state. While no worker answers: 503, with what lists know in `last_known`."""
        return JSONResponse(await desk.state(incident))

    @router.get("/incidents/{incident}/timeline", responses={200: {"model": openapi.Timeline}, 422: openapi.MISTAKEN, **openapi.READS})
    async def show_timeline(incident: str, query: Annotated[Since, Query()]) -> JSONResponse:
        """Everything that happened, oldest first, also beyond what the running workflow still holds."""
        return JSONResponse({"timeline": await desk.timeline(incident, query.since)})

    @router.get("/incidents/{incident}/events", response_class=StreamingResponse, responses=openapi.READS)
    async def follow_events(
        incident: str,
        query: Annotated[Since, Query()],
        last_event_id: Annotated[str | None, Header()] = None,
    ) -> StreamingResponse:
        """The timeline as server-sent events whose id is `seq`: what there is after `since`, then what comes."""
        since = int(last_event_id) if last_event_id and last_event_id.isdecimal() and len(last_event_id) < 10 else query.since
        await desk.row(incident)
        return StreamingResponse(_streamed(rooms, incident, since), media_type="text/event-stream", headers={"Cache-Control": "no-store"})

    @router.get("/incidents/{incident}/picture", response_class=Response, responses={404: openapi.NO_INCIDENT, **openapi.READS})
    async def show_picture(incident: str, query: Annotated[str, Query(max_length=200)]) -> Response:
        """A query's newest samples as a small picture (SVG): those of the verification, else those of the look-up."""
        model = Incident.model_validate(await desk.model(incident))
        drawn = _picture(model, query)
        if drawn is None:
            raise Unknown(f"Nothing was measured under {query[:100]!r} yet.", incident=incident)
        headers = {"Cache-Control": "no-store", "Content-Security-Policy": "default-src 'none'"}
        return Response(drawn, media_type="image/svg+xml", headers=headers)

    @router.get("/incidents/{incident}/audit", responses=openapi.READS)
    async def export_audit(incident: str, request: Request) -> Response:
        """The raw history of every run, the timeline, and the hashes that tie them together; `tocsin verify` checks it."""
        need_to_examine(request.state.actor, await desk.row(incident))
        return Response(to_json(await audit.export(desk, incident)), media_type="application/json")

    @router.get("/stats", responses={503: openapi.NOT_NOW})
    async def show_stats() -> JSONResponse:
        """Median and 90th percentile of the times to acknowledge, declare, mitigate and resolve; drills left out."""
        return JSONResponse(summary(facts(row) for row in await desk.listing()))

    @router.get("/policy")
    async def show_policy() -> JSONResponse:
        """The policy that new incidents are opened with."""
        return JSONResponse(desk.policy.model_dump(mode="json"))

    return router


def _picture(incident: Incident, query: str) -> str | None:
    known = incident.evidence.readings.get(query) if incident.evidence is not None else None
    if known is not None and known.points:
        return sparkline([value for _, value in known.points], f"{query}: {known.said}", known.limit)
    pictures = [picture for finding in incident.findings.values() for picture in finding.pictures if picture.query == query]
    return sparkline([value for _, value in pictures[0].points], query) if pictures else None


async def _streamed(rooms: Rooms, incident: str, since: int) -> AsyncIterator[str]:
    yield "retry: 1000\n\n"
    async for entry in rooms.entries(incident, since):
        yield event_stream(entry, to_json(entry).decode())


def _commands(desk: Desk) -> APIRouter:
    router = APIRouter(prefix=PREFIX, tags=["commands"])

    @router.post(
        "/incidents",
        status_code=201,
        responses={201: {"model": openapi.State}, **openapi.WRITES},
        openapi_extra=openapi.takes(Open),
    )
    async def open_incident(request: Request) -> JSONResponse:
        """Open an incident: declared at once with `severity` or `factors`, else it waits in detection."""
        fields = await json_object(request)
        key = key_of(request, fields)
        state = await desk.open(fields, key)
        undeclared = (fields.get("severity") or fields.get("factors")) and state["phase"] == Phase.DETECTION.value
        if undeclared or (fields.get("severity") and fields.get("factors")):
            state |= await _severity_refused(desk, state["incident"])
        return JSONResponse(state, status_code=201, headers={"Location": f"{PREFIX}/incidents/{state['incident']}"})

    def carrying_out(verb: str) -> Callable[[str, Request], Awaitable[JSONResponse]]:
        async def carry_out(incident: str, request: Request) -> JSONResponse:
            fields = await json_object(request)
            key = key_of(request, fields)
            answer = await desk.command(incident, verb, fields, key)
            if not answer["accepted"]:
                raise Refused(answer)
            return JSONResponse(answer)

        return carry_out

    for verb, model in COMMANDS.items():
        router.add_api_route(
            f"/incidents/{{incident}}/{verb}",
            carrying_out(verb),
            methods=["POST"],
            operation_id=verb,
            summary=verb.replace("_", " ").capitalize(),
            description=_doc(model),
            responses=openapi.COMMANDED,
            openapi_extra=openapi.takes(model),
        )

    @router.post(
        "/incidents/{incident}/alert",
        status_code=202,
        responses={404: openapi.NO_INCIDENT, **openapi.WRITES},
        openapi_extra=openapi.takes(AlertInput, keyed=False),
    )
    async def alert(incident: str, request: Request) -> JSONResponse:
        """Hand one alert, or a list of them, to an incident; what can't be read is on its record."""
        request.state.actor.need("alert")
        value = mended(await json_value(request))
        given = value if isinstance(value, list) else [value]
        await desk.alert(incident, given)
        return JSONResponse({"incident": incident, "accepted": True, "alerts": len(given)}, status_code=202)

    @router.post("/incidents/{incident}/{verb}", include_in_schema=False)
    async def unknown_verb(incident: str, verb: str) -> None:
        raise Unknown(f"{verb[:60]!r} is not a command; the commands are {', '.join(COMMANDS)}.", incident=incident[:60])

    return router


def _doc(model: type[Command]) -> str:
    return model.__doc__ or ""


async def _severity_refused(desk: Desk, incident: str) -> dict[str, Any]:
    """The refusal, where an opening asked for a severity that the process did not take."""
    for entry in await desk.timeline(incident):
        if entry["kind"] == "refused" and entry["data"].get("verb") == "declare":
            return {"refusal": entry["data"]["refusal"]}
    return {}


def _surroundings(desk: Desk, health: Health, requests: metrics.Requests, posts: Posts, embedded: Embedded | None) -> APIRouter:
    router = APIRouter(tags=["surroundings"])
    backlog = Backlog(desk)

    @router.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        return page(request, "interface.html", described=request.app.openapi())

    @router.get("/healthz")
    async def healthz() -> JSONResponse:
        """This process is up."""
        return JSONResponse({"ok": True})

    @router.get("/readyz", responses={503: {"description": "Commands are not carried out now; `checks` says what is missing"}})
    async def readyz() -> JSONResponse:
        """Temporal is reachable and a worker works."""
        found = await health.ready()
        return JSONResponse(found, status_code=200 if found["ok"] else 503)

    @router.get(f"{PREFIX}/doctor")
    async def doctor() -> JSONResponse:
        """Everything that an incident needs, looked at; each finding that is not well says how to mend it."""
        return JSONResponse(await health.doctor())

    @router.get("/metrics", response_class=PlainTextResponse)
    async def show_metrics() -> PlainTextResponse:
        """For Prometheus."""
        lines = [*requests.exposition(), *posts.exposition()]
        try:
            # Counts only, and of all: an alarm on what is overdue has to hear of private incidents as well.
            with privacy.looking(privacy.EVERYBODY):
                rows, now = await desk.listing(), datetime.now(UTC)
                lines += metrics.incidents(rows, now)
                lines += await backlog.exposition(rows, now)
            up = 1
        except Problem as problem:
            log.warning("metrics without incidents", cause=problem.detail)
            up = 0
        lines += metrics.family("tocsin_temporal_up", "gauge", "Whether Temporal answers this door.", {(): up})
        return PlainTextResponse("\n".join(lines) + "\n", media_type=metrics.CONTENT_TYPE)

    @router.get(PREFIX + "/embedded/{kind}", responses={404: openapi.problem("Nothing embedded by this name")})
    async def show_embedded(kind: Annotated[str, Path(json_schema_extra={"enum": list(KINDS)})]) -> JSONResponse:
        """What the embedded chat, status page, ticket board or pager has accepted, oldest first."""
        found = KINDS.get(kind)
        if found is None:
            raise Unknown(f"Nothing embedded is called {kind[:60]!r}; there are {', '.join(KINDS)}.")
        if embedded is None:
            raise Unknown(f"No embedded {kind} here: this installation tells other systems.")
        told = await embedded.delivered(found)
        visible = await desk.visible({row["incident"] for row in told})
        return JSONResponse([row for row in told if row["incident"] in visible])

    return router


def _public_files(door: Door) -> APIRouter:
    router = APIRouter(prefix=PREFIX, tags=["surroundings"])

    @router.get("/status-page", responses={404: openapi.problem("Nothing is published from here"), 503: openapi.NOT_NOW})
    async def export_status_page() -> JSONResponse:
        """The public status page as files for any web server, each by its path; `tocsin status-page export` writes them."""
        if door.public is None:
            raise Unknown("Nothing is published from here: this installation tells another status page.")
        try:
            files = await door.public.files()
        except Unread as error:
            raise Unavailable("What was published can't be read now; tocsin doctor says why.") from error
        return JSONResponse({"files": {path: body.decode() for path, body in files.items()}})

    return router


def _end_to_end(chain: EndToEnd) -> APIRouter:
    router = APIRouter(prefix=PREFIX, tags=["surroundings"])

    @router.post("/doctor")
    async def try_the_chain(request: Request) -> JSONResponse:
        """Send a test alert through the whole chain, as a drill, and dismiss what it opens. Takes up to two minutes."""
        request.state.actor.need("alert")
        return JSONResponse(report(await chain.run()))

    return router
