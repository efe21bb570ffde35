"""What is measured of a service, and how often: the questions that verification puts to monitoring.

A query is data. It comes from the policy file (`[queries.SERVICE.NAME]`), with the opening of an incident, or from a
person (`measure`). What its answers mean is in `evidence`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from incident.vocabulary import Better, Signal

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)

NAME_LIMIT = 100
EXPRESSION_LIMIT = 2_000

QUERIES_AN_INCIDENT = 20
"""Each is asked once a minute, and its readings are in the history."""

QUERIES_A_POLICY = 100
"""The policy travels with every incident: about 25 kB of it then are queries."""


class Query(BaseModel):
    """One measurement. `threshold` is the worst value that is still well; without one the baseline decides.

    An expression that yields several series is judged by the worst of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=NAME_LIMIT)]
    expression: Annotated[str, Field(min_length=1, max_length=EXPRESSION_LIMIT)]
    unit: Annotated[str, Field(max_length=20)] = ""
    better: Better = Better.LOWER
    signal: Signal = Signal.ERRORS
    threshold: Annotated[float, Field(allow_inf_nan=False)] | None = None


class Watching(BaseModel):
    """How monitoring is asked.

    `sample_every`: the distance of two samples. `look_every`: how often the samples since the last look are fetched;
    a look costs 13 history events. `gap_after`: no data for longer is a gap. `reachable_within`: monitoring that
    can't be reached for longer is overdue. `baseline_window` and `baseline_margin`: the baseline is taken from a window
    of that length, which ends that long before the incident began. `baseline_tolerance`: how much worse than its median
    is still the baseline, as a fraction. `slower_after`: once as many looks in a row found the same trouble, looks are five times
    rarer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sample_every: timedelta = 15 * SECOND
    look_every: timedelta = MINUTE
    gap_after: timedelta = MINUTE
    reachable_within: timedelta = 10 * MINUTE
    baseline_window: timedelta = 30 * MINUTE
    baseline_margin: timedelta = 5 * MINUTE
    baseline_tolerance: float = Field(default=0.2, ge=0, le=10)
    slower_after: int = Field(default=30, ge=1, le=10_000)
    queries: dict[str, tuple[Query, ...]] = Field(default_factory=dict)
