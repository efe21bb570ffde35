"""The deployments webhook: one deployment, or a list of them under `deployments`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from incident.deployments import Deployment
from integrations.monitoring.posted import Unreadable, unreadable

MOST_DEPLOYMENTS = 500


class DeploymentsPayload(BaseModel):
    model_config = ConfigDict(extra="ignore")

    deployments: list[dict[str, Any]] = Field(min_length=1, max_length=MOST_DEPLOYMENTS)


def read(body: Any, now: datetime) -> tuple[Deployment, ...]:
    """Read a post; a deployment without `at` happened now, as did one whose sender's clock is a little ahead.

    Raises:
        Unreadable: names each field that has the wrong shape, or a time to come; nothing of the post is kept then, so it can be sent again.
    """
    if not isinstance(body, dict):
        raise Unreadable([{"field": "body", "message": "must be one JSON object: a deployment, or a list of them under deployments"}])
    items = body if "deployments" in body else {"deployments": [body]}
    found: list[Deployment] = []
    mistakes: list[dict[str, str]] = []
    try:
        payload = DeploymentsPayload.model_validate(items)
    except ValidationError as error:
        raise unreadable(error, "deployment") from error
    for number, item in enumerate(payload.deployments):
        prefix = f"deployments.{number}." if "deployments" in body else ""
        try:
            found.append(Deployment.model_validate({"at": now, **item}).heard(now))
        except ValidationError as error:
            mistakes += [{**problem, "field": prefix + problem["field"]} for problem in unreadable(error, "deployment").problems]
        except ValueError as error:
            mistakes.append({"field": f"{prefix}at", "message": str(error)})
    if mistakes:
        raise Unreadable(mistakes[:20])
    return tuple(found)
