"""What an external update would say, as a request for its preview says it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from incident.commands import Line, Text, problems
from incident.vocabulary import PublicStatus
from starter.problems import Invalid


class Wording(BaseModel):
    """What an external update would say; posting it is `post_update`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: Text
    status: PublicStatus | None = None
    by: Line | None = None


def wording(fields: dict[str, Any]) -> Wording:
    """Read what an update would say.

    Raises:
        Invalid: for fields of the wrong shape.
    """
    try:
        return Wording.model_validate(fields)
    except ValidationError as error:
        raise Invalid(problems(error)) from error
