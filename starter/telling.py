"""What goes wrong, told in the one shape: as a page to people, as a problem document to programs."""

from __future__ import annotations

from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from temporalio.service import RPCError

from integrations.errors import IntegrationError
from starter.answers import problem_response
from starter.problems import Broken, Invalid, NotJson, Problem, Unavailable, Unknown, Unreachable, WrongMethod
from starter.web import frame

log = structlog.get_logger()


def tell_problems(app: FastAPI) -> None:
    """Tell everything that goes wrong in the one shape: as a page to people, as a problem document to programs."""

    def told(request: Request, problem: Problem) -> Response:
        return frame.problem_page(request, problem) if frame.wants_page(request) else problem_response(problem)

    @app.exception_handler(Problem)
    async def problem(request: Request, error: Exception) -> Response:
        if not isinstance(error, Problem):
            raise error
        if isinstance(error, Broken):
            log.error("a request failed", detail=error.detail)
        return told(request, error)

    @app.exception_handler(RequestValidationError)
    async def mistaken(request: Request, error: Exception) -> Response:
        if not isinstance(error, RequestValidationError):
            raise error
        found = [{"field": str(item["loc"][-1]), "message": _message(item)} for item in error.errors()]
        return told(request, Invalid(found))

    @app.exception_handler(HTTPException)
    async def refused_by_routing(request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            raise error
        path = request.url.path[:200]
        if error.status_code == 405:
            allowed = (error.headers or {}).get("Allow", "another method")
            answer = told(request, WrongMethod(f"{path} is asked with {allowed}, not {request.method}."))
            answer.headers["Allow"] = allowed
            return answer
        if error.status_code == 404:
            people = f"There is nothing at {path}. The address may be mistyped, or what stood here is gone."
            return told(request, Unknown(f"There is nothing at {path}; /openapi.json lists what there is.", people=people))
        return told(request, NotJson(str(error.detail)))

    @app.exception_handler(IntegrationError)
    async def embedded_part_failed(request: Request, error: Exception) -> Response:
        log.warning("an embedded part can't be read", error=str(error))
        return told(request, Unavailable(str(error)))

    @app.exception_handler(RPCError)
    async def temporal_said_no(request: Request, error: Exception) -> Response:
        log.error("Temporal refused a call", error=str(error))
        return told(request, Unreachable(f"Temporal refused the call: {str(error)[:300]}"))

    @app.exception_handler(Exception)
    async def broken(request: Request, error: Exception) -> Response:
        return told(request, Broken("This is a mistake of ours; the server's log has the rest. Repeating it with the same key is safe."))


def _message(item: dict[str, Any]) -> str:
    if item["type"] == "extra_forbidden":
        return "is not a filter here"
    return str(item["msg"]).removeprefix("Value error, ")
