"""`/openapi.json`: every address with what it takes and answers, the verbs from the core's own commands."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import models_json_schema

from incident.alerts import AlertInput
from incident.channels import PauseChannel, ResumeChannel
from incident.commands import COMMANDS, Open
from incident.deployments import Deployment
from incident.events import Event
from incident.refusals import Refusal
from incident.vocabulary import Access
from integrations.monitoring.alertmanager import Payload
from integrations.monitoring.generic import GenericAlert
from integrations.monitoring.grafana import GrafanaPayload
from integrations.monitoring.pagerduty import PagerDutyPayload
from integrations.ticketing.news import TicketPosting
from starter.bodies import KEY_HEADER
from starter.filing import FilePostmortem
from starter.postmortem import Saving
from starter.wording import Wording

COMPONENTS = "#/components/schemas/"


class NewToken(BaseModel):
    """A personal token: what it is for, how long it is good, and which of one's roles it has."""

    label: str = Field(max_length=100)
    days: int = Field(default=90, ge=1, le=365)
    roles: list[Access] | None = None


BODIES: tuple[type[BaseModel], ...] = (
    Open,
    Payload,
    GrafanaPayload,
    PagerDutyPayload,
    GenericAlert,
    TicketPosting,
    Deployment,
    AlertInput,
    NewToken,
    Saving,
    PauseChannel,
    ResumeChannel,
    Wording,
    *(FilePostmortem if verb == FilePostmortem.verb else model for verb, model in COMMANDS.items()),
)


class Mistake(BaseModel):
    field: str
    message: str


class ProblemDocument(BaseModel):
    """RFC 9457. `code` is the word to program against."""

    model_config = ConfigDict(extra="allow", title="Problem")

    type: str = Field(examples=["urn:tocsin:invalid-input"])
    title: str
    status: int
    detail: str
    code: str
    errors: list[Mistake] | None = None


class RefusalDocument(ProblemDocument):
    """The process says no, with what to do instead."""

    incident: str
    phase: str
    accepted: bool
    refusal: Refusal


class Accepted(BaseModel):
    """What a command answers once it is carried out."""

    incident: str
    phase: str
    accepted: bool
    events: list[Event]


class Timeline(BaseModel):
    timeline: list[Event]


class Listed(BaseModel):
    incidents: list[dict[str, Any]]


class State(BaseModel):
    """The whole snapshot of one incident; more fields than are named here."""

    model_config = ConfigDict(extra="allow")

    incident: str
    title: str
    severity: str | None
    phase: str
    roles: dict[str, str | None]
    channel: str | None
    checklist: list[dict[str, Any]]
    clocks: list[dict[str, Any]]
    blockers: list[dict[str, Any]]
    action_items: list[dict[str, Any]]


Responses = dict[int | str, dict[str, Any]]


def problem(description: str, model: type[BaseModel] = ProblemDocument) -> dict[str, Any]:
    """One documented answer that is a problem."""
    schema = {"$ref": f"{COMPONENTS}{model.__name__}"}
    return {"description": description, "content": {"application/problem+json": {"schema": schema}}}


SIGN_IN = problem("Nobody is signed in, or the token is not taken")
NO_INCIDENT = problem("No such incident")
NOT_NOW = problem("Temporal or a worker does not answer; repeat it with the same key")
MISTAKEN = problem("The wrong shape: `errors` names each field and the rule it breaks")
NOT_JSON = problem("The body is not JSON")
TOO_LARGE = problem("The body is too large")
NOT_PROVEN = problem("The post does not prove where it comes from")
FORBIDDEN = problem("Asked from another site, by a foreign name, or by somebody who may not")
REFUSED = problem("The process forbids it, and says what to do instead", RefusalDocument)

READS: Responses = {401: SIGN_IN, 403: FORBIDDEN, 404: NO_INCIDENT, 503: NOT_NOW}
WRITES: Responses = {400: NOT_JSON, 401: SIGN_IN, 403: FORBIDDEN, 413: TOO_LARGE, 422: MISTAKEN, 503: NOT_NOW}
COMMANDED: Responses = {200: {"model": Accepted, "description": "Carried out"}, 404: NO_INCIDENT, 409: REFUSED, **WRITES}


def takes(model: type[BaseModel], *, keyed: bool = True) -> dict[str, Any]:
    """What an operation says about its body, and about the key under which it is asked once."""
    needed = any(field.is_required() and name != "by" for name, field in model.model_fields.items())
    body = {"required": needed, "content": {"application/json": {"schema": {"$ref": f"{COMPONENTS}{model.__name__}"}}}}
    if not keyed:
        return {"requestBody": body}
    header = {
        "name": KEY_HEADER,
        "in": "header",
        "required": False,
        "description": "a repeat with the same key is the same request",
        "schema": {"type": "string", "minLength": 1, "maxLength": 200},
    }
    return {"requestBody": body, "parameters": [header]}


SECURITY = {
    "token": {"type": "http", "scheme": "bearer", "description": "a personal token, tocsin_…"},
    "session": {"type": "apiKey", "in": "cookie", "name": "__Host-sid", "description": "the session of a browser"},
}
"""How people sign in, where they do."""


def describe(app: FastAPI) -> dict[str, Any]:
    """The description of all of `app`. `by` may be left out: whoever runs the server is meant then."""
    if app.openapi_schema is None:
        described = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        models = [(model, "validation") for model in (*BODIES, ProblemDocument, RefusalDocument)]
        _, schemas = models_json_schema(models, ref_template=COMPONENTS + "{model}")  # type: ignore[arg-type]  # "validation" is one of its modes
        for name, schema in schemas["$defs"].items():
            if "by" in schema.get("required", []) and name not in {"Event"}:
                schema["required"].remove("by")
                for name_of_the_doors_word in ("roles", "via"):
                    schema["properties"].pop(name_of_the_doors_word, None)
            if not schema.get("required", True):
                del schema["required"]
            described.setdefault("components", {}).setdefault("schemas", {}).setdefault(name, schema)
        described["components"]["securitySchemes"] = SECURITY
        described["security"] = [{name: []} for name in SECURITY] + [{}]
        app.openapi_schema = described
    return app.openapi_schema
