"""What a look at one outside system has found: whether it can be used, and how to mend it where it can't."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Checked(BaseModel):
    """One look. `fix` says what to do where it is not well."""

    model_config = ConfigDict(frozen=True)

    name: str
    ok: bool
    detail: str
    fix: str | None = None


class Checkup(BaseModel):
    """What was found at every outside system that is configured; none where everything is embedded."""

    model_config = ConfigDict(frozen=True)

    found: tuple[Checked, ...] = ()
