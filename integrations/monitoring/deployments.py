"""The deployments webhook: one deployment, or a list of them under `deployments`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from incident.commands import problems
from incident.deployments import Deployment
from integrations.monitoring.posted import Unreadable

MOST_DEPLOYMENTS = 500


class DeploymentsPayload(BaseModel):
    model_config = ConfigDict(extra="ignore")

    deployments: list[dict[str, Any]] = Field(min_length=1, max_length=MOST_DEPLOYMENTS)


def read(body: Any, now: datetime) -> tuple[Deployment, ...]:
    """Read a post; a deployment without `at` happened now.

    Raises:
        Unreadable: names each field that has the wrong shape; nothing of the post is kept then, so it can be sent again.
    """
    if not isinstance(body, dict):
        raise Unreadable([{"field": "body", "message": "must be one JSON object: a deployment, or a list of them under deployments"}])
    items = body if "deployments" in body else {"deployments": [body]}
    found: list[Deployment] = []
    mistakes: list[dict[str, str]] = []
    try:
        payload = DeploymentsPayload.model_validate(items)
    except ValidationError as error:
        raise Unreadable(problems(error)) from error
    for number, item in enumerate(payload.deployments):
        try:
            found.append(Deployment.model_validate({"at": now, **item}))
        except ValidationError as error:
            prefix = f"deployments.{number}." if "deployments" in body else ""
            mistakes += [{**problem, "field": prefix + problem["field"]} for problem in problems(error)]
    if mistakes:
        raise Unreadable(mistakes[:20])
    return tuple(found)
