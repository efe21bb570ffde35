"""How answers look on the wire: JSON, and problems as `application/problem+json`."""

from __future__ import annotations

from fastapi.responses import JSONResponse

from starter.problems import Problem


class ProblemResponse(JSONResponse):
    media_type = "application/problem+json"


def problem_response(problem: Problem) -> ProblemResponse:
    """The answer that tells of a problem."""
    return ProblemResponse(problem.document(), status_code=problem.status, headers=problem.headers)
